from patchbay.api_model import Listing, ListQuery
from patchbay.http import Request, endpoint
from patchbay.sessions import portal
from patchbay.sessions.models import PortalSession


@endpoint(any_caller=True)
def handler(request: Request, query: ListQuery) -> Listing[PortalSession]:
    """List portal sessions, newest first."""
    return portal.list_sessions(request.principal, query)
