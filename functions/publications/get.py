from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.integrations import reviews
from patchbay.integrations.models import PublicationDetail, PublisherKey


@endpoint(scope="publications:review")
def handler(request: Request, workspace_id: PublisherKey, id: IntegrationId) -> PublicationDetail:
    """Get a publication: what is submitted, what is listed, its copies, and the decisions on it."""
    return reviews.get(request.principal, workspace_id, id)
