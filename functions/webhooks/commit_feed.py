from patchbay.feeds import service
from patchbay.feeds.models import Commit, FeedConsumer
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId


@endpoint(scope="webhooks:write", unaudited="part of polling: a reader commits after every page")
def handler(request: Request, id: WebhookId, body: Commit) -> FeedConsumer:
    """Commit a consumer's position in the feed of a pull webhook."""
    return service.commit(request.principal, id, body)
