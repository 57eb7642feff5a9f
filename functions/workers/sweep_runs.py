from typing import Any

from patchbay import aws
from patchbay.automations import runs
from patchbay.flows import sweeper
from patchbay.observability import worker

aws.preload()


@worker
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Process the runs that are due. Of actions: announce them again, end them, or report their end. Of
    flows: queue their next step.
    """
    remaining_ms = context.get_remaining_time_in_millis
    half_ms = remaining_ms() // 2
    seen = runs.sweep(lambda: remaining_ms() - half_ms)
    return {"seen": seen + sweeper.sweep(remaining_ms)}
