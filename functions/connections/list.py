from patchbay.api_model import Listing
from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.oauth import connections
from patchbay.oauth.models import Connection, ConnectionQuery


@endpoint(scope="connections:read")
def handler(request: Request, id: IntegrationId, query: ConnectionQuery) -> Listing[Connection]:
    """List an integration's connections, newest first."""
    return connections.list_connections(request.principal, id, query)
