from patchbay.api_model import Empty
from patchbay.http import Request, endpoint
from patchbay.http.not_found import no_route


@endpoint(public=True)
def handler(request: Request) -> Empty:
    """Every route that does not exist, or not with that method."""
    raise no_route(request.method, request.raw_path)
