from patchbay.http import Request, endpoint
from patchbay.http.missing import missing
from patchbay.schema import Empty


@endpoint(public=True)
def handler(request: Request) -> Empty:
    """Every route that does not exist, or not with that method."""
    raise missing(request.method, request.raw_path)
