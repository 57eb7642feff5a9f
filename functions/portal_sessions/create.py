from patchbay.http import Request, endpoint
from patchbay.sessions import portal
from patchbay.sessions.models import CreatePortalSession, PortalSessionLink


@endpoint(any_caller=True, status=201, optional_body=True)
def handler(request: Request, body: CreatePortalSession) -> PortalSessionLink:
    """Create a console session. Only this response contains its link."""
    return portal.create(request.principal, body, request.origin)
