from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.registry import service
from patchbay.registry.models import Integration, RevealQuery


@endpoint(scope="integrations:read")
def handler(request: Request, id: IntegrationId, query: RevealQuery) -> Integration:
    """One integration; secrets are masked unless revealed."""
    return service.get(request.principal, id, reveal=query.reveal)
