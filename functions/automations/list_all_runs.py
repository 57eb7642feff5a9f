from patchbay.api_model import Listing
from patchbay.automations import runs
from patchbay.automations.models import AllRunsQuery, Run
from patchbay.http import Request, endpoint


@endpoint(scope="automations:use")
def handler(request: Request, query: AllRunsQuery) -> Listing[Run]:
    """List the runs of all automation platforms, newest first."""
    return runs.list_runs(request.principal, query.platform, query)
