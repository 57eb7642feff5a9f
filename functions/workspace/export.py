from patchbay.http import Request, endpoint
from patchbay.tasks.models import Task
from patchbay.workspaces import service


@endpoint(scope="workspace:export", status=202, idempotent=True, located="/api/tasks/{id}")
def handler(request: Request) -> Task:
    """Start a task that exports all data of the workspace, except secrets, to a downloadable file."""
    return service.export(request.principal, request.once)
