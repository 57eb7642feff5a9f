from patchbay.flows import templates
from patchbay.flows.models import Flow, FlowTemplateKey, InstallFlow
from patchbay.http import Request, endpoint


@endpoint(scope="flows:write", status=201, idempotent=True, located="/api/flows/{id}")
def handler(request: Request, key: FlowTemplateKey, body: InstallFlow) -> Flow:
    """Create a flow from a template and your choices."""
    return templates.install(request.principal, key, body, request.once)
