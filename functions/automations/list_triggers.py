from patchbay.automations import hooks
from patchbay.automations.models import AutomationPlatform, Triggers
from patchbay.http import endpoint


@endpoint(scope="automations:use")
def handler(platform: AutomationPlatform) -> Triggers:
    """List the event types that can start an automation."""
    return hooks.triggers()
