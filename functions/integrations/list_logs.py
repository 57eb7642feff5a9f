from patchbay.activity.models import LogEntry, LogQuery
from patchbay.api_model import Listing
from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.integrations import service


@endpoint(scope="integrations:read")
def handler(request: Request, id: IntegrationId, query: LogQuery) -> Listing[LogEntry]:
    """List the activity log of an integration, newest first."""
    return service.list_logs(request.principal, id, query)
