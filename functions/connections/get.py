from patchbay.http import Request, endpoint
from patchbay.ids import ConnectionRef, IntegrationId
from patchbay.oauth import connections
from patchbay.oauth.models import Connection


@endpoint(scope="connections:read")
def handler(request: Request, id: IntegrationId, connection_id: ConnectionRef) -> Connection:
    """Get a connection by its name or ID."""
    return connections.get(request.principal, id, connection_id)
