from patchbay.automations import runs
from patchbay.automations.models import Actions, AutomationPlatform
from patchbay.http import endpoint


@endpoint(scope="automations:use")
def handler(platform: AutomationPlatform) -> Actions:
    """Every action that an automation may ask the platform for."""
    return runs.list_actions()
