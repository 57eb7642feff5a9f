from typing import Any

from patchbay import aws
from patchbay.deliveries.worker import deliver_batch
from patchbay.observability import worker
from patchbay.queues import BatchResponse, batch_response
from patchbay.receivers.lanes import Lane

aws.preload()


@worker
def handler(event: dict[str, Any], context: Any) -> BatchResponse:
    """Make one attempt of each delivery in an SQS batch of the slow lane."""
    return batch_response(deliver_batch(event["Records"], Lane.SLOW))
