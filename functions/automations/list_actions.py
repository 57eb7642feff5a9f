from patchbay.automations import runs
from patchbay.automations.models import Actions, AutomationPlatform
from patchbay.http import endpoint


@endpoint(scope="automations:use")
def handler(platform: AutomationPlatform) -> Actions:
    """List the actions that an automation can start."""
    return runs.list_actions()
