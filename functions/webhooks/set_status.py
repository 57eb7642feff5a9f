from patchbay.deliveries import service
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId
from patchbay.webhooks.models import SetWebhookStatus, Webhook


@endpoint(scope="webhooks:write")
def handler(request: Request, id: WebhookId, body: SetWebhookStatus) -> Webhook:
    """Set the status of a webhook: active, paused or inactive."""
    return service.set_status(request.principal, id, body, request.if_match)
