"""What the schedule does for keys that end: says so 7 days and 1 day before, and counts them out after."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from patchbay import aws
from patchbay.api_keys import expiry, key_format, store
from patchbay.clock import at_ms, iso, now_ms
from patchbay.events import service as events
from patchbay.ids import EventId
from patchbay.observability import logger
from patchbay.settings import settings

# Left for what is begun; the next run goes on.
_RESERVE_MS = 10_000


class ExpirySummary(NamedTuple):
    announced: int = 0
    retired: int = 0


class Incomplete(Exception):
    """Some keys could not be looked at; they are due still."""


def expire_keys(remaining_ms: Callable[[], int]) -> ExpirySummary:
    """Announce and retire what is due, as far as the time goes. Two runs at once, or one that died, do no
    harm: a notice is sent before it is noted, under an id that makes a repeat the same event.

    Raises Incomplete, after all the others, when AWS failed for some.
    """
    now, done, failed = now_ms(), ExpirySummary(), 0
    for due in store.due(now):
        if remaining_ms() < _RESERVE_MS:
            logger.warning("not all keys that are due were looked at; the next run goes on")
            break
        try:
            done = _look_at(due, done, now)
        except aws.CallFailed:
            logger.exception("a key could not be looked at", key_id=due.key.id)
            failed += 1
    if failed:
        raise Incomplete(f"{failed} keys could not be looked at; the next run tries again")
    return done


def _look_at(due: store.DueKey, done: ExpirySummary, now: int) -> ExpirySummary:
    key, expires_ms = due.key, due.key.terms.expires_ms
    if expires_ms is None or key.ended(now):  # one without an end is due once it is revoked
        return done._replace(retired=done.retired + store.retire(key, now))
    notice = expiry.notice(expires_ms, now)
    events.announce(
        key.workspace_id,
        "API_KEY_EXPIRING",
        {
            "keyId": key.id,
            "name": key.terms.name,
            "maskedKey": key_format.mask(settings().api_key_prefix, key.id),
            "expiresAt": iso(at_ms(expires_ms)),
            "daysLeft": notice.days,
        },
        id=EventId.derived(key.id, str(expires_ms), str(notice.days), at_ms=notice.due_ms),
    )
    return done._replace(announced=done.announced + store.put_off(due, now))
