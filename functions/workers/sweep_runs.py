from typing import Any

from patchbay import aws
from patchbay.automations.runs import sweep

aws.preload()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """See to the runs that are due: tell of them again, end them, have them called back."""
    return {"seen": sweep(context.get_remaining_time_in_millis)}
