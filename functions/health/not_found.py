from patchbay.http import NoContent, Request, endpoint
from patchbay.http.not_found import no_route


@endpoint(public=True, recognizes_keys=True)
def handler(request: Request) -> NoContent:
    """Reject a request that matches no route: 404, or 405 for a known path.

    A browser's preflight request gets a 204, to which API Gateway adds the headers of CorsOrigins. Without
    them, the browser does not send its request.
    """
    if request.method == "OPTIONS" and "access-control-request-method" in request.headers:
        return NoContent()
    raise no_route(request.method, request.raw_path)
