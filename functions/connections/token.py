from patchbay.http import Request, endpoint
from patchbay.ids import ConnectionRef, IntegrationId
from patchbay.oauth import connections, token_endpoint
from patchbay.oauth.models import AccessToken, ConnectionCredentials

token_endpoint.preload()


@endpoint(scope="credentials:read")
def handler(
    request: Request, id: IntegrationId, connection_id: ConnectionRef
) -> AccessToken | ConnectionCredentials:
    """The access token, refreshed if need be, or the credentials."""
    return connections.token(request.principal, id, connection_id)
