from patchbay.deliveries import test_event
from patchbay.deliveries.models import Attempt, SendTestEvent
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId


@endpoint(scope="webhooks:write", idempotent=True, optional_body=True)
def handler(request: Request, id: WebhookId, body: SendTestEvent) -> Attempt:
    """Send a test event to the receiver now, and return the attempt."""
    return test_event.send_test(request.principal, id, body, request.once)
