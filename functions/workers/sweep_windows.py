from typing import Any

from patchbay import aws
from patchbay.observability import worker
from patchbay.rate_limits.sweeper import sweep

aws.preload()


@worker
def handler(event: object, context: Any) -> dict[str, int]:
    """Delete expired rate-limit windows that TTL left behind."""
    return {"deleted": sweep(context.get_remaining_time_in_millis)}
