from patchbay.automations import hooks
from patchbay.automations.models import AutomationPlatform, Me
from patchbay.http import Request, endpoint


@endpoint(scope="automations:use")
def handler(request: Request, platform: AutomationPlatform) -> Me:
    """Get the workspace that the credentials belong to."""
    return hooks.me(request.principal)
