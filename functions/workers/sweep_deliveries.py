from typing import Any

from patchbay import aws
from patchbay.deliveries.sweeper import sweep
from patchbay.observability import worker

aws.preload()


@worker
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Queue or end the deliveries that wait in the table and are due."""
    return {"queued": sweep(context.get_remaining_time_in_millis)}
