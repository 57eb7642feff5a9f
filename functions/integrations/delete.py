from patchbay.api_model import Empty
from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.integrations import service


@endpoint(scope="integrations:write")
def handler(request: Request, id: IntegrationId) -> Empty:
    """Delete an integration. Its connections are revoked in the background."""
    return service.delete(request.principal, id, request.if_match)
