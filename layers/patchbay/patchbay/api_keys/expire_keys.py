"""The scheduled run for API keys: announces their expiry 7 days and 1 day before, and retires ended keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from patchbay import aws
from patchbay.api_keys import announcements, expiry, store
from patchbay.api_keys.stored_key import StoredKey
from patchbay.clock import from_ms, iso, now_ms
from patchbay.events import service as events
from patchbay.ids import EventId
from patchbay.observability import logger
from patchbay.storage.due_index import IncompleteRun

# Enough to finish the key in progress. The next run continues.
_RESERVE_MS = 10_000


class ExpirySummary(NamedTuple):
    announced: int = 0
    retired: int = 0


def expire_keys(remaining_ms: Callable[[], int]) -> ExpirySummary:
    """Process the keys that are due until time runs short. Concurrent or interrupted runs do no harm: a
    notice is published before it is recorded, under an ID that makes a repeated notice the same event.

    Raises IncompleteRun, after all other keys, if AWS failed for some.
    """
    now, summary, failed = now_ms(), ExpirySummary(), 0
    for key in store.list_due(now):
        if remaining_ms() < _RESERVE_MS:
            logger.warning("key expiry out of time; the next run continues")
            break
        try:
            summary = _process(key, summary, now)
        except aws.CallFailed:
            logger.exception("key expiry failed", key_id=key.id)
            failed += 1
    if failed:
        raise IncompleteRun(f"{failed} keys could not be processed; the next run retries")
    return summary


def _process(key: StoredKey, summary: ExpirySummary, now: int) -> ExpirySummary:
    expires_ms = key.terms.expires_ms
    if expires_ms is None or key.has_ended(now):  # a key that never expires is due only if it was revoked
        return summary._replace(retired=summary.retired + store.retire(key, now))
    notice = expiry.latest_notice(expires_ms, now)
    events.announce(
        key.workspace_id,
        "API_KEY_EXPIRING",
        {
            **announcements.describe(key),
            "expiresAt": iso(from_ms(expires_ms)),
            "daysLeft": notice.days,
        },
        id=EventId.derived(key.id, str(expires_ms), str(notice.days), at_ms=notice.due_ms),
    )
    return summary._replace(announced=summary.announced + store.reschedule(key, now))
