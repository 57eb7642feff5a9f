from patchbay.api_model import Listing
from patchbay.http import endpoint
from patchbay.integrations import marketplace
from patchbay.integrations.models import Integration, MarketplaceQuery


@endpoint(scope="integrations:read")
def handler(query: MarketplaceQuery) -> Listing[Integration]:
    """List the integrations that can be installed: public integrations, then the built-in templates."""
    return marketplace.browse(query)
