from patchbay.deliveries import service
from patchbay.deliveries.models import Recover, Recovering
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId


@endpoint(scope="webhooks:write", status=202, idempotent=True)
def handler(request: Request, id: WebhookId, body: Recover) -> Recovering:
    """Resend the failed and canceled deliveries of a time range."""
    return service.recover(request.principal, id, body, request.once)
