from patchbay.api_keys import service
from patchbay.api_keys.models import ApiKeyWithSecret, RotateApiKey
from patchbay.http import Request, endpoint
from patchbay.ids import ApiKeyId


@endpoint(scope="api-keys:write", status=201, idempotent=True, optional_body=True)
def handler(request: Request, id: ApiKeyId, body: RotateApiKey) -> ApiKeyWithSecret:
    """Make a new key like this one, which goes on for `overlapSeconds`; `key` is in this response only."""
    return service.rotate(request.principal, id, body, request.if_match, request.once)
