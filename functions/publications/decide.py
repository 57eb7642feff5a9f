from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.integrations import reviews
from patchbay.integrations.models import DecidePublication, PublicationDetail, PublisherKey


@endpoint(scope="publications:review")
def handler(
    request: Request, workspace_id: PublisherKey, id: IntegrationId, body: DecidePublication
) -> PublicationDetail:
    """Decide on a publication: approve or reject the reviewed version, or withdraw the publication."""
    return reviews.decide(request.principal, workspace_id, id, body, request.if_match)
