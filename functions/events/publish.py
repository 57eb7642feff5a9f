from patchbay.events.models import PublishedEvent, PublishEvent
from patchbay.http import Request, endpoint
from patchbay.publishing.publish import publish


@endpoint(
    scope="events:publish",
    status=202,
    located="/api/events/{id}",
    unaudited="the event itself is the record, and publishing is most of the traffic",
)
def handler(request: Request, body: PublishEvent) -> PublishedEvent:
    """Publish an event. Patchbay delivers it to every matching webhook."""
    key = request.headers.get("idempotency-key")
    return publish(request.principal, body, idempotency_key=key)
