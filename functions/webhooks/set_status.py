from patchbay.deliveries.service import with_stats
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId
from patchbay.webhooks import service
from patchbay.webhooks.models import SetWebhookStatus, Webhook


@endpoint(scope="webhooks:write")
def handler(request: Request, id: WebhookId, body: SetWebhookStatus) -> Webhook:
    """Pause or resume a webhook."""
    return with_stats(request.principal, service.set_status(request.principal, id, body, request.if_match))
