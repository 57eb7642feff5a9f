"""The sweeper: queues what was parked in the table, once it is due. Two of them at once do no harm.

Only the sweeper re-queues; a delivery worker that sent to its own queue would be stopped by Lambda's
loop detection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from patchbay import queues
from patchbay.deliveries import store
from patchbay.observability import logger
from patchbay.schema import now_ms
from patchbay.settings import settings

_BATCH = 100
# What one batch may take; the next run, a minute later, goes on.
_RESERVE_MS = 15_000


def sweep(remaining_ms: Callable[[], int]) -> int:
    """Queue what is due, as far as the time goes; returns how many."""
    sent = 0
    for shard in range(store.DUE_SHARDS):
        due = store.due(shard, now_ms())
        while remaining_ms() > _RESERVE_MS:
            keys = list(islice(due, _BATCH))
            if not keys:
                break
            messages = list(_messages(keys))
            queues.send_all(settings().deliveries_queue_url, messages)
            sent += len(messages)
    if sent:
        logger.info("parked deliveries queued", count=sent)
    return sent


def _messages(keys: list[tuple[str, str]]) -> Iterator[queues.Message]:
    for key in keys:
        delivery = store.requeue(key, now_ms())
        if delivery is not None:
            yield queues.Message.of(delivery.fields(), delivery.webhook_id)
