from typing import Any

from patchbay import aws
from patchbay.automations.runs import sweep
from patchbay.observability import worker

aws.preload()


@worker
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Process the runs that are due: announce them again, end them, or queue their callbacks."""
    return {"seen": sweep(context.get_remaining_time_in_millis)}
