from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.integrations import service
from patchbay.integrations.models import Integration


@endpoint(scope="integrations:write", status=201, idempotent=True, located="/api/integrations/{id}")
def handler(request: Request, id: IntegrationId) -> Integration:
    """Install a public integration or a template: copy it into your workspace."""
    return service.install(request.principal, id, request.once)
