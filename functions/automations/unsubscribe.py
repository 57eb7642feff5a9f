from patchbay.api_model import Empty
from patchbay.automations import hooks
from patchbay.automations.models import AutomationPlatform
from patchbay.http import Request, endpoint
from patchbay.ids import WebhookId


@endpoint(scope="automations:use")
def handler(request: Request, platform: AutomationPlatform, id: WebhookId) -> Empty:
    """Remove a hook."""
    return hooks.unsubscribe(request.principal, platform, id, request.if_match)
