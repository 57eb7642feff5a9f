from patchbay.api_model import Listing
from patchbay.deliveries import service
from patchbay.http import Request, endpoint
from patchbay.webhooks.models import Webhook, WebhookQuery


@endpoint(scope="webhooks:read")
def handler(request: Request, query: WebhookQuery) -> Listing[Webhook]:
    """List the workspace's webhooks, newest first; `include` adds their stats and receivers."""
    return service.list_webhooks(request.principal, query)
