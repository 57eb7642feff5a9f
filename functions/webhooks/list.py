from patchbay.http import Request, endpoint
from patchbay.schema import Listing
from patchbay.webhooks import service
from patchbay.webhooks.models import Webhook, WebhookQuery


@endpoint(scope="webhooks:read")
def handler(request: Request, query: WebhookQuery) -> Listing[Webhook]:
    """The workspace's webhooks, newest first."""
    return service.list_webhooks(request.principal, query)
