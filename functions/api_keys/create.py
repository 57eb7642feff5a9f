from patchbay.api_keys import service
from patchbay.api_keys.models import ApiKeyWithSecret, CreateApiKey
from patchbay.http import Request, endpoint


@endpoint(scope="api-keys:write", status=201, idempotent=True, located="/api/integrations/api-keys/{id}")
def handler(request: Request, body: CreateApiKey) -> ApiKeyWithSecret:
    """Create an API key. Only this response contains `key`."""
    return service.create(request.principal, body, request.once)
