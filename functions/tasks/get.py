from patchbay.http import Request, endpoint
from patchbay.ids import TaskId
from patchbay.tasks import service
from patchbay.tasks.models import Task


@endpoint(scope="webhooks:read", during_erasure=True)
def handler(request: Request, id: TaskId) -> Task:
    """Get a task and its progress."""
    return service.get_task(request.principal, id)
