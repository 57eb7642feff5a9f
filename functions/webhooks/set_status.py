from patchbay.deliveries import service
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId
from patchbay.webhooks.models import SetWebhookStatus, Webhook


@endpoint(scope="webhooks:write")
def handler(request: Request, id: WebhookId, body: SetWebhookStatus) -> Webhook:
    """Activate, pause or deactivate a webhook."""
    return service.set_status(request.principal, id, body, request.if_match)
