from patchbay.api_model import Listing
from patchbay.http import endpoint
from patchbay.integrations import reviews
from patchbay.integrations.models import Publication, PublicationQuery


@endpoint(scope="publications:review")
def handler(query: PublicationQuery) -> Listing[Publication]:
    """List the publications of all workspaces: pending reviews first, then the others."""
    return reviews.list_publications(query)
