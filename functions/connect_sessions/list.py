from patchbay.api_model import Listing, ListQuery
from patchbay.connect import service
from patchbay.connect.models import ConnectSession
from patchbay.http import Request, endpoint


@endpoint(scope="connections:read")
def handler(request: Request, query: ListQuery) -> Listing[ConnectSession]:
    """List connect sessions, newest first."""
    return service.list_sessions(request.principal, query)
