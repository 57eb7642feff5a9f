from patchbay.http import Request, endpoint
from patchbay.sessions import caller
from patchbay.sessions.models import Caller


@endpoint(any_caller=True)
def handler(request: Request) -> Caller:
    """Get the caller: the workspace, the user, API key or session, and the scopes."""
    return caller.describe(request.principal)
