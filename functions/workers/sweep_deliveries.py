from typing import Any

from patchbay.deliveries.sweeper import sweep


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Queue the parked deliveries that are due."""
    return {"queued": sweep(context.get_remaining_time_in_millis)}
