from patchbay.api_keys import service
from patchbay.api_keys.models import ApiKey
from patchbay.http import Request, endpoint
from patchbay.schema import Listing, ListQuery


@endpoint(scope="api-keys:read")
def handler(request: Request, query: ListQuery) -> Listing[ApiKey]:
    """The workspace's API keys, newest first; revoked ones for 30 days."""
    return service.list_keys(request.principal, query)
