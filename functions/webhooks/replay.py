from patchbay.deliveries import replay
from patchbay.deliveries.models import Replay, ReplayPreview
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId
from patchbay.tasks.models import Task


@endpoint(scope="webhooks:write", status=202, idempotent=True, located="/api/tasks/{id}")
def handler(request: Request, id: WebhookId, body: Replay) -> Task | ReplayPreview:
    """Start a task that resends deliveries of a time range, or sends events that the webhook missed."""
    return replay.start(request.principal, id, body, request.once)
