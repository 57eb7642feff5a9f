from patchbay.automations import hooks
from patchbay.automations.models import AutomationPlatform, Triggers
from patchbay.http import endpoint


@endpoint(scope="automations:use")
def handler(platform: AutomationPlatform) -> Triggers:
    """Every event type that an automation may begin with."""
    return hooks.triggers()
