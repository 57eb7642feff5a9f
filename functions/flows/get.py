from patchbay.flows import service
from patchbay.flows.models import Flow
from patchbay.http import Request, endpoint
from patchbay.ids import FlowId


@endpoint(scope="flows:read")
def handler(request: Request, id: FlowId) -> Flow:
    """Get a flow."""
    return service.get(request.principal, id)
