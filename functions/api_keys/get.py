from patchbay.api_keys import service
from patchbay.api_keys.models import ApiKey
from patchbay.http import Request, endpoint
from patchbay.ids import ApiKeyId


@endpoint(scope="api-keys:read")
def handler(request: Request, id: ApiKeyId) -> ApiKey:
    """Get an API key with its usage."""
    return service.get(request.principal, id)
