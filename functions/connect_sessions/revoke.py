from patchbay.api_model import Empty
from patchbay.connect import service
from patchbay.http import Request, endpoint
from patchbay.ids import ConnectSessionId


@endpoint(scope="connections:write")
def handler(request: Request, id: ConnectSessionId) -> Empty:
    """Revoke a connect link. Patchbay rejects its next request."""
    return service.revoke(request.principal, id)
