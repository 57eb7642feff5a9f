from patchbay.automations import runs
from patchbay.automations.models import AutomationPlatform, Run
from patchbay.http import Request, endpoint
from patchbay.ids import RunId


@endpoint(scope="automations:use")
def handler(request: Request, platform: AutomationPlatform, id: RunId) -> Run:
    """How a run stands, and what came of it."""
    return runs.get(request.principal, platform, id)
