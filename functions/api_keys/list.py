from patchbay.api_keys import service
from patchbay.api_keys.models import ApiKey
from patchbay.api_model import Listing, ListQuery
from patchbay.http import Request, endpoint


@endpoint(scope="api-keys:read")
def handler(request: Request, query: ListQuery) -> Listing[ApiKey]:
    """List the workspace's API keys, newest first, without their daily usage. Ended keys stay listed for 30
    days.
    """
    return service.list_keys(request.principal, query)
