from patchbay.feeds import service
from patchbay.feeds.models import FeedConsumers
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId


@endpoint(scope="webhooks:read")
def handler(request: Request, id: WebhookId) -> FeedConsumers:
    """List the consumers of a pull webhook's feed, and how far behind they are."""
    return service.list_consumers(request.principal, id)
