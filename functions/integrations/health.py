from patchbay.health import service
from patchbay.health.models import HealthList, HealthQuery
from patchbay.http import Request, endpoint


@endpoint(scope="analytics:read")
def handler(request: Request, query: HealthQuery) -> HealthList:
    """List the health of integrations: what works, what does not, why, and what to do about it."""
    return service.list_health(request.principal, query)
