from patchbay.health import service
from patchbay.health.models import HealthList, HealthQuery
from patchbay.http import Request, endpoint


@endpoint(scope="analytics:read")
def handler(request: Request, query: HealthQuery) -> HealthList:
    """List the health of integrations, webhooks and connections, and how to fix problems."""
    return service.list_health(request.principal, query)
