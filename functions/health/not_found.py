from patchbay.errors import NotFound
from patchbay.http import Request, endpoint
from patchbay.schema import Empty


@endpoint(public=True)
def handler(request: Request) -> Empty:
    """Every route that does not exist."""
    raise NotFound("There is no such route. See the list of routes in the documentation.")
