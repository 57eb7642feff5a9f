from patchbay.api_keys import service
from patchbay.api_keys.models import ApiKey, UpdateApiKey
from patchbay.http import Request, endpoint
from patchbay.ids import ApiKeyId


@endpoint(scope="api-keys:write")
def handler(request: Request, id: ApiKeyId, body: UpdateApiKey) -> ApiKey:
    """Update an API key. Only the fields that you send change, from the next request on."""
    return service.update(request.principal, id, body, request.if_match)
