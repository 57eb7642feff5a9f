from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.integrations import service
from patchbay.integrations.models import Integration, UpdateIntegration


@endpoint(scope="integrations:write")
def handler(request: Request, id: IntegrationId, body: UpdateIntegration) -> Integration:
    """Update an integration. Only the fields that you send change."""
    return service.update(request.principal, id, body, request.if_match)
