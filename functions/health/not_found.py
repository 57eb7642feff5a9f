from patchbay.api_model import Empty
from patchbay.http import Request, endpoint
from patchbay.http.not_found import no_route


@endpoint(public=True, recognizes_keys=True)
def handler(request: Request) -> Empty:
    """Reject a request that matches no route: 404, or 405 for a known path."""
    raise no_route(request.method, request.raw_path)
