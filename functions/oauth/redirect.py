from patchbay.http import Redirect, Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.oauth import flow


@endpoint(public=True, status=303)
def handler(request: Request, id: IntegrationId) -> Redirect:
    """Take the provider's redirect and hand it on to the platform's page; nothing is exchanged here."""
    return Redirect(location=flow.return_to(id, request.query))
