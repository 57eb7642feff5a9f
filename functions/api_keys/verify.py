from patchbay.api_keys import service
from patchbay.api_keys.models import Verification, VerifyApiKey
from patchbay.http import Request, endpoint


@endpoint(scope="api-keys:verify")
def handler(request: Request, body: VerifyApiKey) -> Verification:
    """Check a key for a request to one of the platform's own APIs, and count the request if it is valid."""
    return service.verify(request.principal, body)
