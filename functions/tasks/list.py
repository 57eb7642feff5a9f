from patchbay.api_model import Listing
from patchbay.http import Request, endpoint
from patchbay.tasks import service
from patchbay.tasks.models import Task, TaskQuery


@endpoint(scope="webhooks:read", during_erasure=True)
def handler(request: Request, query: TaskQuery) -> Listing[Task]:
    """List the workspace's tasks, newest first."""
    return service.list_tasks(request.principal, query)
