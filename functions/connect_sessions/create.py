from patchbay.connect import service
from patchbay.connect.models import ConnectSessionLink, CreateConnectSession
from patchbay.http import Request, endpoint


@endpoint(scope="connections:write", status=201)
def handler(request: Request, body: CreateConnectSession) -> ConnectSessionLink:
    """Create a link that connects one account. Only this response contains the link."""
    return service.create(request.principal, body, request.origin)
