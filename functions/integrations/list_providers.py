from patchbay.api_model import Listing
from patchbay.http import endpoint
from patchbay.integrations import provider_catalogue
from patchbay.integrations.models import ProviderQuery, ProviderSummary


@endpoint(scope="integrations:read")
def handler(query: ProviderQuery) -> Listing[ProviderSummary]:
    """List the built-in providers, and the types of custom providers."""
    return provider_catalogue.list_providers(query)
