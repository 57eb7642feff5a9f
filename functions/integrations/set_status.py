from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.integrations import service
from patchbay.integrations.models import Integration, SetIntegrationStatus


@endpoint(scope="integrations:write")
def handler(request: Request, id: IntegrationId, body: SetIntegrationStatus) -> Integration:
    """Set the status of an integration: active, inactive or error."""
    return service.set_status(request.principal, id, body, request.if_match)
