from patchbay.activity.models import LogEntry, LogQuery
from patchbay.api_keys import service
from patchbay.api_model import Listing
from patchbay.http import Request, endpoint
from patchbay.ids import ApiKeyId


@endpoint(scope="api-keys:read")
def handler(request: Request, id: ApiKeyId, query: LogQuery) -> Listing[LogEntry]:
    """List the activity log of an API key, newest first."""
    return service.list_logs(request.principal, id, query)
