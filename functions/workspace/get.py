from patchbay.http import Request, endpoint
from patchbay.workspaces import service
from patchbay.workspaces.models import Workspace


@endpoint(any_caller=True, during_erasure=True)
def handler(request: Request) -> Workspace:
    """Get the caller's workspace: its settings, and whether it is being erased."""
    return service.get(request.principal)
