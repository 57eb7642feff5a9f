from patchbay.flows import service
from patchbay.flows.models import Flow, UpdateFlow
from patchbay.http import Request, endpoint
from patchbay.ids import FlowId


@endpoint(scope="flows:write")
def handler(request: Request, id: FlowId, body: UpdateFlow) -> Flow:
    """Update a flow. Only the fields that you send change."""
    return service.update(request.principal, id, body, request.if_match)
