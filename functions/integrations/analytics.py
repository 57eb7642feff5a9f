from patchbay.health import analytics
from patchbay.health.models import Analytics, AnalyticsQuery
from patchbay.http import Request, endpoint


@endpoint(scope="analytics:read")
def handler(request: Request, query: AnalyticsQuery) -> Analytics:
    """Get analytics for a period: volumes, success rates and latencies, by hour or day."""
    return analytics.analyze(request.principal, query)
