from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.integrations import service
from patchbay.integrations.models import Integration


@endpoint(scope="integrations:write", status=201, idempotent=True)
def handler(request: Request, id: IntegrationId) -> Integration:
    """Make a copy of a public integration, or of a template, in one's own workspace."""
    return service.install(request.principal, id, request.once)
