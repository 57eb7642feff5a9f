from patchbay.events import service
from patchbay.events.models import PublishedEvents, PublishEvents
from patchbay.http import Request, endpoint


@endpoint(
    scope="events:publish",
    status=202,
    unaudited="the events themselves are the record, and publishing is most of the traffic",
)
def handler(request: Request, body: PublishEvents) -> PublishedEvents:
    """Publish up to 100 events. Each item of the response is a published event, or an error."""
    key = request.headers.get("idempotency-key")
    return service.publish_batch(request.principal, body, idempotency_key=key)
