from patchbay.api_model import Empty
from patchbay.http import Request, endpoint
from patchbay.http.missing import missing


@endpoint(public=True)
def handler(request: Request) -> Empty:
    """Every route that does not exist, or not with that method."""
    raise missing(request.method, request.raw_path)
