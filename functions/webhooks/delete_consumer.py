from patchbay.api_model import Empty
from patchbay.feeds import service
from patchbay.feeds.models import ConsumerName
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId


@endpoint(scope="webhooks:write")
def handler(request: Request, id: WebhookId, consumer: ConsumerName) -> Empty:
    """Delete a consumer of a pull webhook's feed, and its position."""
    return service.delete_consumer(request.principal, id, consumer)
