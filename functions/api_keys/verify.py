from patchbay.api_keys import service
from patchbay.api_keys.models import Verification, VerifyApiKey
from patchbay.http import Request, endpoint


@endpoint(
    scope="api-keys:verify", unaudited="it changes nothing, and comes with every request to the platform"
)
def handler(request: Request, body: VerifyApiKey) -> Verification:
    """Verify an API key for a request to one of the platform's own APIs, and count the request if the
    key is valid.
    """
    return service.verify(request.principal, body)
