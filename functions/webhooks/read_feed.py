from patchbay.feeds import service
from patchbay.feeds.models import Feed, FeedQuery
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId


@endpoint(scope="webhooks:read")
def handler(request: Request, id: WebhookId, query: FeedQuery) -> Feed:
    """Read the next events of a pull webhook."""
    return service.read(request.principal, id, query)
