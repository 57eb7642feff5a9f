from patchbay.activity.models import LogEntry, LogQuery
from patchbay.api_model import Listing
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId
from patchbay.webhooks import service


@endpoint(scope="webhooks:read")
def handler(request: Request, id: WebhookId, query: LogQuery) -> Listing[LogEntry]:
    """List the activity log of a webhook, newest first."""
    return service.list_logs(request.principal, id, query)
