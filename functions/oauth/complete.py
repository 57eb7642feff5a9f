from patchbay.http import Request, endpoint
from patchbay.oauth import flow, token_endpoint
from patchbay.oauth.models import Callback, Connection

token_endpoint.preload()


@endpoint(
    scope="connections:write",
    links=True,
    idempotent=True,
    located="/api/integrations/{integrationId}/connections/{id}",
)
def handler(request: Request, body: Callback) -> Connection:
    """Complete an authorization code flow with the parameters of the provider's redirect."""
    return flow.complete(request.principal, body, request.once)
