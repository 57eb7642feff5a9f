from patchbay.http import Request, endpoint
from patchbay.ids import ConnectionRef, IntegrationId
from patchbay.oauth import connections
from patchbay.oauth.models import AccessToken, ConnectionCredentials


@endpoint(scope="credentials:read", reads_secret=True)
def handler(
    request: Request, id: IntegrationId, connection_id: ConnectionRef
) -> AccessToken | ConnectionCredentials:
    """Get the access token, refreshed if necessary, or the credentials."""
    return connections.token(request.principal, id, connection_id, request.used_quotas)
