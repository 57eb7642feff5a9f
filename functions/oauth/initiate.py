from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.oauth import flow
from patchbay.oauth.models import Authorization, Initiate


@endpoint(scope="connections:write")
def handler(request: Request, id: IntegrationId, body: Initiate) -> Authorization:
    """Start the authorization code flow. Returns where to send the user."""
    return flow.initiate(request.principal, id, body)
