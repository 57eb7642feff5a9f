from patchbay.api_keys import service
from patchbay.api_keys.models import Verification, VerifyApiKey
from patchbay.http import Request, endpoint


@endpoint(scope="api-keys:verify")
def handler(request: Request, body: VerifyApiKey) -> Verification:
    """Whether a key is good for a request to one of the platform's own APIs; counts it if so."""
    return service.verify(request.principal, body)
