from typing import Any

from patchbay import aws
from patchbay.deliveries.sweeper import sweep

aws.preload()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Queue or end the deliveries that wait in the table and are due."""
    return {"queued": sweep(context.get_remaining_time_in_millis)}
