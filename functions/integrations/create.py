from patchbay.http import Request, endpoint
from patchbay.integrations import service
from patchbay.integrations.models import CreateIntegration, Integration


@endpoint(scope="integrations:write", status=201, idempotent=True, located="/api/integrations/{id}")
def handler(request: Request, body: CreateIntegration) -> Integration:
    """Create an integration."""
    return service.create(request.principal, body, request.once)
