from patchbay.automations import hooks
from patchbay.automations.models import AutomationPlatform, Subscribe, SubscribedHook
from patchbay.http import Request, endpoint


@endpoint(
    scope="automations:use", status=201, idempotent=True, located="/api/automations/{platform}/hooks/{id}"
)
def handler(request: Request, platform: AutomationPlatform, body: Subscribe) -> SubscribedHook:
    """Subscribe an automation to events. Only this response contains the signing secret."""
    return hooks.subscribe(request.principal, platform, body, request.once)
