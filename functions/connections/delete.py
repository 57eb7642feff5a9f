from patchbay.api_model import Empty
from patchbay.http import Request, endpoint
from patchbay.ids import ConnectionRef, IntegrationId
from patchbay.oauth import connections


@endpoint(scope="connections:write")
def handler(request: Request, id: IntegrationId, connection_id: ConnectionRef) -> Empty:
    """Delete a connection, here and at the provider."""
    return connections.delete(request.principal, id, connection_id, request.if_match)
