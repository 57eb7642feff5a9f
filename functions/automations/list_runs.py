from patchbay.api_model import Listing
from patchbay.automations import runs
from patchbay.automations.models import AutomationPlatform, Run, RunQuery
from patchbay.http import Request, endpoint


@endpoint(scope="automations:use")
def handler(request: Request, platform: AutomationPlatform, query: RunQuery) -> Listing[Run]:
    """List the runs of one automation platform, newest first."""
    return runs.list_runs(request.principal, platform, query)
