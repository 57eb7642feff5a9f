from patchbay.deliveries import service
from patchbay.deliveries.models import DeliveryDetail
from patchbay.http import Request, endpoint
from patchbay.ids import DeliveryId, WebhookId


@endpoint(scope="webhooks:read")
def handler(request: Request, id: WebhookId, delivery_id: DeliveryId) -> DeliveryDetail:
    """Get a delivery with its payload and attempts."""
    return service.get_delivery(request.principal, id, delivery_id)
