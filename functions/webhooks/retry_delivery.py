from patchbay.deliveries import service
from patchbay.deliveries.models import Delivery, RetryDelivery
from patchbay.http import Request, endpoint
from patchbay.ids import DeliveryId, WebhookId


@endpoint(scope="webhooks:write", status=202, idempotent=True, optional_body=True)
def handler(request: Request, id: WebhookId, delivery_id: DeliveryId, body: RetryDelivery) -> Delivery:
    """Resend a delivery now."""
    return service.retry(request.principal, id, delivery_id, body, request.once)
