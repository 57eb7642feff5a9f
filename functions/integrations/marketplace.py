from patchbay.http import endpoint
from patchbay.integrations import marketplace
from patchbay.integrations.models import Integration, MarketplaceQuery
from patchbay.schema import Listing


@endpoint(scope="integrations:read")
def handler(query: MarketplaceQuery) -> Listing[Integration]:
    """What there is to install: public integrations, then the built-in templates."""
    return marketplace.browse(query)
