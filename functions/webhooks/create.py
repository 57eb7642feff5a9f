from patchbay.http import Request, endpoint
from patchbay.webhooks import service
from patchbay.webhooks.models import CreateWebhook, WebhookWithSecret


@endpoint(scope="webhooks:write", status=201, idempotent=True)
def handler(request: Request, body: CreateWebhook) -> WebhookWithSecret:
    """Register a webhook; its signing secret is in this response only."""
    return service.create(request.principal, body, request.once)
