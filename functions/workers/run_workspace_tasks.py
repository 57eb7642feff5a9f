from typing import Any

from patchbay import aws
from patchbay.observability import worker
from patchbay.workspaces.worker import run_due

aws.preload()


@worker
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Advance the exports and erasures of workspaces that are due."""
    return {"advanced": run_due(context.get_remaining_time_in_millis)}
