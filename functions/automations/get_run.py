from patchbay.automations import runs
from patchbay.automations.models import AutomationPlatform, Run
from patchbay.http import Request, endpoint
from patchbay.ids import RunId


@endpoint(scope="automations:use")
def handler(request: Request, platform: AutomationPlatform, id: RunId) -> Run:
    """Get a run with its status and result."""
    return runs.get(request.principal, platform, id)
