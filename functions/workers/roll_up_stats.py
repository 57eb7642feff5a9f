from typing import Any

from patchbay import aws
from patchbay.deliveries.roll_up import roll_up
from patchbay.observability import worker

aws.preload()


@worker
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Add the successes of the hours that have ended to the webhooks' counters."""
    return {"rolledUp": roll_up(context.get_remaining_time_in_millis)}
