from patchbay.activity import audit
from patchbay.activity.models import AuditEntry, AuditQuery
from patchbay.api_model import Listing
from patchbay.http import Request, endpoint


@endpoint(scope="audit:read")
def handler(request: Request, query: AuditQuery) -> Listing[AuditEntry]:
    """List the workspace's requests for changes and for secrets, newest first."""
    return audit.list_entries(request.principal, query)
