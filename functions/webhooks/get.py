from patchbay.deliveries import service
from patchbay.deliveries.models import WebhookDetail
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId


@endpoint(scope="webhooks:read")
def handler(request: Request, id: WebhookId) -> WebhookDetail:
    """Get a webhook with its stats, its receiver's state and its latest deliveries."""
    return service.webhook_with_recent(request.principal, id)
