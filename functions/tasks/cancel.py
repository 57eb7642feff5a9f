from patchbay.http import Request, endpoint
from patchbay.ids import TaskId
from patchbay.tasks import service
from patchbay.tasks.models import Task


@endpoint(scope="webhooks:write")
def handler(request: Request, id: TaskId) -> Task:
    """Cancel a running task. Deliveries that it already queued are still sent."""
    return service.cancel(request.principal, id)
