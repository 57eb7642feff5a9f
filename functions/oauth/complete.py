from patchbay.http import Request, endpoint
from patchbay.oauth import flow, token_endpoint
from patchbay.oauth.models import Callback, Connection

token_endpoint.preload()


@endpoint(scope="connections:write")
def handler(request: Request, body: Callback) -> Connection:
    """Finish the flow with what the provider sent the user back with."""
    return flow.complete(request.principal, body)
