from patchbay.api_model import Listing
from patchbay.http import Request, endpoint
from patchbay.integrations import service
from patchbay.integrations.models import Integration, IntegrationQuery


@endpoint(scope="integrations:read")
def handler(request: Request, query: IntegrationQuery) -> Listing[Integration]:
    """List the workspace's integrations, newest first."""
    return service.list_integrations(request.principal, query)
