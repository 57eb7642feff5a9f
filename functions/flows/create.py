from patchbay.flows import service
from patchbay.flows.models import CreateFlow, Flow
from patchbay.http import Request, endpoint


@endpoint(scope="flows:write", status=201, idempotent=True, located="/api/flows/{id}")
def handler(request: Request, body: CreateFlow) -> Flow:
    """Create a flow: steps that run for each event that matches its trigger."""
    return service.create(request.principal, body, request.once)
