from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.oauth import connections, token_endpoint
from patchbay.oauth.models import Connection, RefreshConnection

token_endpoint.preload()


@endpoint(scope="connections:write", optional_body=True)
def handler(request: Request, id: IntegrationId, body: RefreshConnection) -> Connection:
    """Refresh a connection's token now."""
    return connections.refresh_now(request.principal, id, body, request.used_quotas)
