"""Deletes what TTL has left behind: DynamoDB promises it within days, other stores not at all.

Nothing depends on it. A row whose windows are over counts for nothing, whether it is still there or not.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from patchbay.clock import now_ms
from patchbay.observability import logger
from patchbay.rate_limits import store
from patchbay.rate_limits.sliding_window import DAY

_LATE_MS = 2 * DAY.length_ms
_RESERVE_MS = 20_000
# A run that has no time for the whole table has it for some parts, and each run takes them in another order.
_PARTS = 16


def sweep(remaining_ms: Callable[[], int]) -> int:
    """Delete rows that ended more than 2 days ago, as far as the time goes; returns how many."""
    before_ms, deleted = now_ms() - _LATE_MS, 0
    for part in random.sample(range(_PARTS), _PARTS):
        for row_ids in store.ended(before_ms, part, _PARTS):
            if remaining_ms() < _RESERVE_MS:
                logger.warning("not all windows that have ended were deleted; the next run goes on")
                return deleted
            for row_id in row_ids:
                deleted += store.delete_ended(row_id, before_ms)
    return deleted
