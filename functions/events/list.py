from patchbay.api_model import Listing
from patchbay.events import service
from patchbay.events.models import EventQuery, EventSummary
from patchbay.http import Request, endpoint


@endpoint(scope="events:read")
def handler(request: Request, query: EventQuery) -> Listing[EventSummary]:
    """List the workspace's events, newest first, without their data."""
    return service.list_events(request.principal, query)
