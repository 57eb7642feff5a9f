from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.oauth import flow
from patchbay.oauth.models import Authorization, Initiate


@endpoint(scope="connections:write", links=True, idempotent=True)
def handler(request: Request, id: IntegrationId, body: Initiate) -> Authorization:
    """Start an authorization code flow. Returns the URL to send the user to."""
    return flow.initiate(request.principal, id, body, request.origin, request.used_quotas, request.once)
