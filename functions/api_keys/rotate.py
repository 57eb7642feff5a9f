from patchbay.api_keys import service
from patchbay.api_keys.models import ApiKeyWithSecret, RotateApiKey
from patchbay.http import Request, endpoint
from patchbay.ids import ApiKeyId


@endpoint(
    scope="api-keys:write",
    status=201,
    idempotent=True,
    optional_body=True,
    located="/api/integrations/api-keys/{id}",
)
def handler(request: Request, id: ApiKeyId, body: RotateApiKey) -> ApiKeyWithSecret:
    """Rotate an API key. The new key has the same settings; the old key keeps working for `overlapSeconds`.
    Only this response contains `key`.
    """
    return service.rotate(request.principal, id, body, request.if_match, request.once)
