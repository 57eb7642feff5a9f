from patchbay.api_model import Empty
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId
from patchbay.webhooks import service


@endpoint(scope="webhooks:write")
def handler(request: Request, id: WebhookId) -> Empty:
    """Delete a webhook and cancel its waiting deliveries."""
    return service.delete(request.principal, id, request.if_match)
