from patchbay.connect import service
from patchbay.connect.models import ConnectPage
from patchbay.http import Request, endpoint


@endpoint(only_links=True)
def handler(request: Request) -> ConnectPage:
    """Get the contents of a connect link's page."""
    return service.page(request.principal, request.origin)
