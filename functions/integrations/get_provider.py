from patchbay.http import endpoint
from patchbay.integrations import provider_catalogue
from patchbay.integrations.models import Provider, ProviderKey


@endpoint(scope="integrations:read")
def handler(key: ProviderKey) -> Provider:
    """Get what an integration of a provider needs: config, credentials, scopes, hosts."""
    return provider_catalogue.get(key)
