from patchbay.http import Redirect, Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.oauth import flow


@endpoint(public=True, status=303)
def handler(request: Request, id: IntegrationId) -> Redirect:
    """Forward the provider's redirect to the platform's page. The code is not exchanged here."""
    return Redirect(location=flow.redirect_location(id, request.query))
