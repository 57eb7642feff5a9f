"""When an API key's end is announced: 7 days before it and 1 day before it, once each.

A key that expires has one moment at which the schedule looks at it next (`next_due_ms`); what is to be said
then follows from the expiry and the clock alone (`notice`). So a schedule that was late, or died half way,
goes on where it was; of two notices that are both due, the later one says it all.
"""

from __future__ import annotations

from typing import NamedTuple

from patchbay.rate_limits.sliding_window import DAY

_NOTICE_DAYS = (7, 1)


class Notice(NamedTuple):
    """Say that the key ends in `days`; it was due at `due_ms`."""

    days: int
    due_ms: int


def next_due_ms(expires_ms: int | None, after_ms: int) -> int | None:
    """The first moment after `after_ms` at which something is to be done; at the latest the end, also when
    that is over. None for a key without an end.
    """
    if expires_ms is None:
        return None
    notices = (_noticed_ms(expires_ms, days) for days in _NOTICE_DAYS)
    return next((moment for moment in notices if moment > after_ms), expires_ms)


def notice(expires_ms: int, now_ms: int) -> Notice:
    """What is to be said at `now_ms`. Raises ValueError before the first notice."""
    days = min(days for days in _NOTICE_DAYS if _noticed_ms(expires_ms, days) <= now_ms)
    return Notice(days, _noticed_ms(expires_ms, days))


def _noticed_ms(expires_ms: int, days: int) -> int:
    return expires_ms - days * DAY.length_ms
