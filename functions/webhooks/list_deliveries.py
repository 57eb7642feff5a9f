from patchbay.api_model import Listing
from patchbay.deliveries import service
from patchbay.deliveries.models import Delivery, DeliveryQuery
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId


@endpoint(scope="webhooks:read")
def handler(request: Request, id: WebhookId, query: DeliveryQuery) -> Listing[Delivery]:
    """List a webhook's deliveries, newest event first."""
    return service.list_deliveries(request.principal, id, query)
