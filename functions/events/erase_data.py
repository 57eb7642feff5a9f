from patchbay.api_model import Empty
from patchbay.flows import erase
from patchbay.http import Request, endpoint
from patchbay.ids import EventId


@endpoint(scope="events:publish")
def handler(request: Request, id: EventId) -> Empty:
    """Erase the data of an event, with the responses of receivers and flows. The event cannot be resent."""
    return erase.erase_event(request.principal, id)
