from patchbay.http import Request, endpoint
from patchbay.tasks.models import Task
from patchbay.workspaces import service
from patchbay.workspaces.models import EraseQuery


@endpoint(scope="workspace:delete", status=202, located="/api/tasks/{id}", during_erasure=True)
def handler(request: Request, query: EraseQuery) -> Task:
    """Start a task that erases all data of the workspace. It cannot be stopped or undone. A workspace can
    be erased once a day.
    """
    return service.erase(request.principal, query)
