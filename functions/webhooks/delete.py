from patchbay.api_model import Empty
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId
from patchbay.webhooks import service


@endpoint(scope="webhooks:write")
def handler(request: Request, id: WebhookId) -> Empty:
    """Remove a webhook; what still waits for it is cancelled."""
    return service.delete(request.principal, id, request.if_match)
