from patchbay.deliveries import service
from patchbay.deliveries.models import Delivery
from patchbay.http import Request, endpoint
from patchbay.ids import DeliveryId, WebhookId


@endpoint(scope="webhooks:write", status=202, idempotent=True)
def handler(request: Request, id: WebhookId, delivery_id: DeliveryId) -> Delivery:
    """Send a delivery again now."""
    return service.retry(request.principal, id, delivery_id, request.once)
