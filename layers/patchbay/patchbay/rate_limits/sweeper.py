"""Deletes expired rows that TTL left behind. DynamoDB deletes them within days; other stores may never do so.

Correctness does not depend on it: a row whose windows have expired does not count, whether it is deleted or
not.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from patchbay.clock import now_ms
from patchbay.observability import logger
from patchbay.rate_limits import store
from patchbay.rate_limits.sliding_window import DAY

_GRACE_MS = 2 * DAY.length_ms
_RESERVE_MS = 20_000
# If a run has no time for the whole table, it finishes some parts. Each run takes them in a random order.
_PARTS = 16


def sweep(remaining_ms: Callable[[], int]) -> int:
    """Delete rows that expired more than 2 days ago until time runs short. Returns their number."""
    before_ms, deleted = now_ms() - _GRACE_MS, 0
    for part in random.sample(range(_PARTS), _PARTS):
        for row_ids in store.list_expired(before_ms, part, _PARTS):
            if remaining_ms() < _RESERVE_MS:
                logger.warning("sweep out of time; the next run continues")
                return deleted
            for row_id in row_ids:
                deleted += store.delete_expired(row_id, before_ms)
    return deleted
