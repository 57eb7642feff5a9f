from patchbay.api_model import Listing
from patchbay.flows import recent
from patchbay.flows.models import Flow, FlowQuery
from patchbay.http import Request, endpoint


@endpoint(scope="flows:read")
def handler(request: Request, query: FlowQuery) -> Listing[Flow]:
    """List the workspace's flows, newest first."""
    return recent.list_flows(request.principal, query)
