from patchbay.flows import service
from patchbay.flows.models import Flow, SetFlowStatus
from patchbay.http import Request, endpoint
from patchbay.ids import FlowId


@endpoint(scope="flows:write")
def handler(request: Request, id: FlowId, body: SetFlowStatus) -> Flow:
    """Activate or deactivate a flow."""
    return service.set_status(request.principal, id, body, request.if_match)
