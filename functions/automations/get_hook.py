from patchbay.automations import hooks
from patchbay.automations.models import AutomationPlatform, Hook
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId


@endpoint(scope="automations:use")
def handler(request: Request, platform: AutomationPlatform, id: WebhookId) -> Hook:
    """Get a hook."""
    return hooks.get(request.principal, platform, id)
