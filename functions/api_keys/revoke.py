from patchbay.api_keys import service
from patchbay.api_model import Empty
from patchbay.http import Request, endpoint
from patchbay.ids import ApiKeyId


@endpoint(scope="api-keys:write")
def handler(request: Request, id: ApiKeyId) -> Empty:
    """Revoke an API key. Patchbay rejects its next request."""
    return service.revoke(request.principal, id, request.if_match)
