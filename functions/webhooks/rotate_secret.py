from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId
from patchbay.webhooks import service
from patchbay.webhooks.models import RotateSecret, WebhookWithSecret


@endpoint(scope="webhooks:write", idempotent=True, optional_body=True)
def handler(request: Request, id: WebhookId, body: RotateSecret) -> WebhookWithSecret:
    """Make a new signing secret, shown in this response only; the old one signs too for `overlapSeconds`."""
    return service.rotate_secret(request.principal, id, body, request.if_match, request.once)
