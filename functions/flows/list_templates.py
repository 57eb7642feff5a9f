from patchbay.api_model import Listing
from patchbay.flows import templates
from patchbay.flows.models import FlowTemplate
from patchbay.http import endpoint


@endpoint(scope="flows:read")
def handler() -> Listing[FlowTemplate]:
    """List the flow templates, with the choices that each one needs."""
    return templates.list_templates()
