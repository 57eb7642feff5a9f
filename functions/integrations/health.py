from patchbay.health import service
from patchbay.health.models import HealthList, HealthQuery
from patchbay.http import Request, endpoint


@endpoint(scope="analytics:read")
def handler(request: Request, query: HealthQuery) -> HealthList:
    """List which integrations, webhooks and connections work, why others do not, and what to do."""
    return service.list_health(request.principal, query)
