from patchbay.api_model import Listing
from patchbay.http import Request, endpoint
from patchbay.oauth import connections
from patchbay.oauth.models import Connection, WorkspaceConnectionQuery


@endpoint(scope="connections:read")
def handler(request: Request, query: WorkspaceConnectionQuery) -> Listing[Connection]:
    """List the connections of all integrations of the workspace, newest first."""
    return connections.list_all(request.principal, query)
