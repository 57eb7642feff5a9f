from patchbay.flows import runs
from patchbay.flows.models import FlowRunDetail
from patchbay.http import Request, endpoint
from patchbay.ids import FlowId, FlowRunId


@endpoint(scope="flows:read")
def handler(request: Request, id: FlowId, run_id: FlowRunId) -> FlowRunDetail:
    """Get a run of a flow, step by step."""
    return runs.get(request.principal, id, run_id)
