from patchbay.http import Request, endpoint
from patchbay.workspaces import service
from patchbay.workspaces.models import UpdateWorkspace, Workspace


@endpoint(scope="workspace:delete")
def handler(request: Request, body: UpdateWorkspace) -> Workspace:
    """Update the settings of the workspace. They apply to data stored from now on."""
    return service.update(request.principal, body, request.if_match)
