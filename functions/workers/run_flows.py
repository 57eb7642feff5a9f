from typing import Any

from patchbay import aws
from patchbay.flows.worker import run_batch
from patchbay.observability import worker
from patchbay.queues import BatchResponse, batch_response

aws.preload()


@worker
def handler(event: dict[str, Any], context: Any) -> BatchResponse:
    """Execute one step of a flow's run for each message of an SQS batch."""
    return batch_response(run_batch(event["Records"], context.get_remaining_time_in_millis))
