from patchbay.deliveries.service import with_stats
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId
from patchbay.webhooks import service
from patchbay.webhooks.models import UpdateWebhook, Webhook


@endpoint(scope="webhooks:write")
def handler(request: Request, id: WebhookId, body: UpdateWebhook) -> Webhook:
    """Update a webhook. Only the fields that you send change."""
    return with_stats(request.principal, service.update(request.principal, id, body, request.if_match))
