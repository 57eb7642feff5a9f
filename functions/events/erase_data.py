from patchbay.api_model import Empty
from patchbay.flows import erase
from patchbay.http import Request, endpoint
from patchbay.ids import EventId


@endpoint(scope="events:publish")
def handler(request: Request, id: EventId) -> Empty:
    """Erase the data of an event, and what receivers and flows made of it. It cannot be sent again."""
    return erase.erase_event(request.principal, id)
