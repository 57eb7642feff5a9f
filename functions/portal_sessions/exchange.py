from patchbay.http import Request, endpoint
from patchbay.sessions import portal
from patchbay.sessions.models import ExchangeCode, PortalSessionToken


@endpoint(public=True)
def handler(request: Request, body: ExchangeCode) -> PortalSessionToken:
    """Exchange the one-time code of a console link for the session's token."""
    return portal.exchange(body, request.request_id, request.source_ip)
