from patchbay.http import Request, endpoint
from patchbay.ids import IntegrationId
from patchbay.integrations import service
from patchbay.integrations.models import Integration, RevealQuery


@endpoint(scope="integrations:read", revealed_by="reveal")
def handler(request: Request, id: IntegrationId, query: RevealQuery) -> Integration:
    """Get an integration. Secrets are masked unless revealed."""
    return service.get(request.principal, id, reveal=query.reveal)
