from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.integrations import reviews
from patchbay.integrations.models import PublicationDetail, PublisherKey


@endpoint(scope="publications:review")
def handler(request: Request, workspace_id: PublisherKey, id: IntegrationId) -> PublicationDetail:
    """Get a publication: its submitted and listed versions, its copies, and its decisions."""
    return reviews.get(request.principal, workspace_id, id)
