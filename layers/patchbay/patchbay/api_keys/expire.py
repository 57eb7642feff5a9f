"""What the schedule does for keys that expire: says so 7 days and 1 day before, and counts them out after."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from patchbay.api_keys import key_format, store
from patchbay.api_keys.expiry import Notice, Retire, plan
from patchbay.events import service as events
from patchbay.ids import EventId
from patchbay.observability import logger
from patchbay.schema import at_ms, iso, now_ms
from patchbay.settings import settings

# Left for what is begun; the next run goes on.
_RESERVE_MS = 10_000


class Done(NamedTuple):
    announced: int
    retired: int


def expire(remaining_ms: Callable[[], int]) -> Done:
    """Announce and retire what is due, as far as the time goes. Two runs at once, or one that died, do no
    harm: a notice is sent before it is noted, under an id that makes a repeat the same event.
    """
    now, announced, retired = now_ms(), 0, 0
    for due in store.due(now):
        if remaining_ms() < _RESERVE_MS:
            logger.warning("not all keys that are due were looked at; the next run goes on")
            break
        match plan(due.expires_ms, now):
            case Notice() as notice:
                _announce(due, notice)
                store.put_off(due, now)
                announced += 1
            case Retire():
                store.retire(due.key, now)
                retired += 1
    return Done(announced, retired)


def _announce(due: store.DueKey, notice: Notice) -> None:
    key = due.key
    events.announce(
        key.workspace_id,
        "API_KEY_EXPIRING",
        {
            "keyId": key.id,
            "name": key.terms.name,
            "maskedKey": key_format.mask(settings().api_key_prefix, key.id),
            "expiresAt": iso(at_ms(due.expires_ms)),
            "daysLeft": notice.days,
        },
        id=EventId.derived(key.id, str(due.expires_ms), str(notice.days), at_ms=notice.due_ms),
    )
