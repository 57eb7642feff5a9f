from typing import Any

from patchbay import aws
from patchbay.observability import worker
from patchbay.publishing.fan_out import fan_out_batch
from patchbay.queues import BatchResponse, batch_response

aws.preload()


@worker
def handler(event: dict[str, Any], context: Any) -> BatchResponse:
    """Queue the deliveries of each event in an SQS batch. `events.bus` reads EventBridge envelopes."""
    return batch_response(fan_out_batch(event["Records"], context.get_remaining_time_in_millis))
