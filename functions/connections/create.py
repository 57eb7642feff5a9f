from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.oauth import connections
from patchbay.oauth.models import Connection, CreateConnection


@endpoint(
    scope="connections:write",
    links=True,
    status=201,
    idempotent=True,
    located="/api/integrations/{integrationId}/connections/{id}",
)
def handler(request: Request, id: IntegrationId, body: CreateConnection) -> Connection:
    """Connect with an API key or basic credentials."""
    return connections.create(request.principal, id, body, request.once, request.used_quotas)
