from patchbay.deliveries import service
from patchbay.events.models import Event
from patchbay.http import Request, endpoint
from patchbay.ids import EventId


@endpoint(scope="events:read")
def handler(request: Request, id: EventId) -> Event:
    """Get an event with its deliveries, and the webhooks that did not get it, with the reasons."""
    return service.event_with_deliveries(request.principal, id)
