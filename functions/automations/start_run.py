from patchbay.automations import runs
from patchbay.automations.models import ActionKey, AutomationPlatform, Run, StartRun
from patchbay.http import Request, endpoint


@endpoint(
    scope="automations:use", status=202, idempotent=True, located="/api/automations/{platform}/runs/{id}"
)
def handler(request: Request, platform: AutomationPlatform, key: ActionKey, body: StartRun) -> Run:
    """Start a run of an action. The platform completes it within 15 minutes."""
    return runs.start(request.principal, platform, key, body, request.once)
