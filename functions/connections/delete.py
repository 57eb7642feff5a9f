from patchbay.http import Request, endpoint
from patchbay.ids import ConnectionRef, IntegrationId
from patchbay.oauth import connections
from patchbay.schema import Empty


@endpoint(scope="connections:write")
def handler(request: Request, id: IntegrationId, connection_id: ConnectionRef) -> Empty:
    """Take a connection back, here and at the provider."""
    return connections.delete(request.principal, id, connection_id, request.if_match)
