from patchbay.api_model import Listing
from patchbay.deliveries import service
from patchbay.deliveries.models import AllDeliveriesQuery, Delivery
from patchbay.http import Request, endpoint


@endpoint(scope="webhooks:read")
def handler(request: Request, query: AllDeliveriesQuery) -> Listing[Delivery]:
    """List the deliveries of the workspace's webhooks, newest event first."""
    return service.list_all(request.principal, query)
