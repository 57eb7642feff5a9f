from patchbay.api_model import Empty
from patchbay.http import Request, endpoint
from patchbay.sessions import portal
from patchbay.sessions.models import PortalSessionRef


@endpoint(any_caller=True, read_only=True)
def handler(request: Request, id: PortalSessionRef) -> Empty:
    """End a portal session. Patchbay rejects its next request."""
    return portal.end(request.principal, id)
