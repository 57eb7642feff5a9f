from patchbay.http import endpoint
from patchbay.ids import IntegrationId
from patchbay.integrations import marketplace
from patchbay.integrations.models import Integration


@endpoint(scope="integrations:read")
def handler(id: IntegrationId) -> Integration:
    """Get a public integration or a built-in template from the marketplace."""
    return marketplace.get(id)
