from patchbay.api_model import Listing
from patchbay.flows import runs
from patchbay.flows.models import FlowRun, FlowRunQuery
from patchbay.http import Request, endpoint
from patchbay.ids import FlowId


@endpoint(scope="flows:read")
def handler(request: Request, id: FlowId, query: FlowRunQuery) -> Listing[FlowRun]:
    """List the runs of a flow, newest event first."""
    return runs.list_runs(request.principal, id, query)
