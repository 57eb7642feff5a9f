from patchbay.http import Request, endpoint
from patchbay.integrations import service
from patchbay.integrations.models import Integration, IntegrationQuery
from patchbay.schema import Listing


@endpoint(scope="integrations:read")
def handler(request: Request, query: IntegrationQuery) -> Listing[Integration]:
    """The workspace's integrations, newest first."""
    return service.list_integrations(request.principal, query)
