from patchbay.api_model import Empty
from patchbay.flows import service
from patchbay.http import Request, endpoint
from patchbay.ids import FlowId


@endpoint(scope="flows:write")
def handler(request: Request, id: FlowId) -> Empty:
    """Delete a flow. You can still get its runs until they expire."""
    return service.delete(request.principal, id, request.if_match)
