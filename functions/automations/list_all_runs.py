from patchbay.api_model import Listing
from patchbay.automations import runs
from patchbay.automations.models import AllRunsQuery, AutomationPlatform, Run
from patchbay.http import Request, endpoint


@endpoint(scope="automations:use")
def handler(request: Request, query: AllRunsQuery) -> Listing[Run]:
    """List the runs of all automation platforms, newest first."""
    platform = AutomationPlatform(query.platform) if query.platform else None
    return runs.list_runs(request.principal, platform, query)
