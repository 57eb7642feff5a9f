from patchbay.api_keys import service
from patchbay.api_keys.models import Caller
from patchbay.http import Request, endpoint


@endpoint(any_caller=True)
def handler(request: Request) -> Caller:
    """Describe the caller: the workspace, the user or API key, and the scopes."""
    return service.describe_caller(request.principal)
