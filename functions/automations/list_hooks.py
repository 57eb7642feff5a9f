from patchbay.api_model import Listing, ListQuery
from patchbay.automations import hooks
from patchbay.automations.models import AutomationPlatform, Hook
from patchbay.http import Request, endpoint


@endpoint(scope="automations:use")
def handler(request: Request, platform: AutomationPlatform, query: ListQuery) -> Listing[Hook]:
    """List the hooks of one automation platform, newest first."""
    return hooks.list_hooks(request.principal, platform, query)
