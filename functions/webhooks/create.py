from patchbay.http import Request, endpoint
from patchbay.webhooks import service
from patchbay.webhooks.models import CreateWebhook, WebhookWithSecret


@endpoint(scope="webhooks:write", status=201, idempotent=True, located="/api/integrations/webhooks/{id}")
def handler(request: Request, body: CreateWebhook) -> WebhookWithSecret:
    """Create a webhook. Only this response contains its signing secret."""
    return service.create(request.principal, body, request.once)
