"""Queues the runs that wait in the table when they are due: after a long wait, or if their message was lost.
Several sweepers can run concurrently.

Before a run's message is sent, the run is set to be due again later. So if the sweeper dies, a later sweep
sends the message. A second message for the same turn becomes obsolete.
"""

from __future__ import annotations

from collections.abc import Callable

from patchbay import queues
from patchbay.clock import now_ms
from patchbay.flows import states, store
from patchbay.ids import FlowRunId
from patchbay.observability import logger
from patchbay.publishing.flow_message import FlowMessage
from patchbay.settings import settings
from patchbay.storage import due_index

# The sweep stops when its function has less time left; the next sweep, a minute later, continues.
_RESERVE_MS = 10_000


def sweep(remaining_ms: Callable[[], int]) -> int:
    """Queue the runs that are due. Returns their number; a run that fails stays due."""
    count = 0
    due = [store.due(shard, now_ms()) for shard in due_index.SHARDS]
    for key, id in due_index.round_robin(due, remaining_ms, _RESERVE_MS):
        try:
            count += _requeue(key, id)
        except Exception:
            # A bug, or a failed call to AWS. The run becomes due again.
            logger.exception("run not queued", run_id=id)
    return count


def _requeue(key: str, id: FlowRunId) -> bool:
    now = now_ms()
    run = store.claim_due(key, id, now, now + states.RESEND_AFTER_MS)
    if run is None or not run.is_open:
        return False
    message = FlowMessage(run.workspace_id, run.flow_id, run.event_id, run.correlation_id, run.sequence)
    queues.send(settings().flows_queue_url, message.to_queue())
    return True
