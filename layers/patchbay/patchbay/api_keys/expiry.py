"""When to announce that an API key expires: once 7 days before, and once 1 day before. Pure.

A key that expires has one time at which the schedule processes it next (`next_due_ms`). The notice then
depends only on the expiry and the clock (`latest_notice`). So a run that is late, or that follows an
interrupted one, continues where the last one stopped. If both notices are due, only the later one is sent.
"""

from __future__ import annotations

from typing import NamedTuple

from patchbay.rate_limits.sliding_window import DAY

_NOTICE_DAYS = (7, 1)


class Notice(NamedTuple):
    """The notice that the key expires in `days`, due at `due_ms`."""

    days: int
    due_ms: int


def next_due_ms(expires_ms: int | None, after_ms: int) -> int | None:
    """When the key is next due after `after_ms`: for a notice, or else at its expiry, even if that has
    passed. None for a key that never expires.
    """
    if expires_ms is None:
        return None
    notices = (_notice_ms(expires_ms, days) for days in _NOTICE_DAYS)
    return next((notice for notice in notices if notice > after_ms), expires_ms)


def latest_notice(expires_ms: int, now_ms: int) -> Notice:
    """The latest notice that is due at `now_ms`. Raises ValueError before the first one."""
    days = min(days for days in _NOTICE_DAYS if _notice_ms(expires_ms, days) <= now_ms)
    return Notice(days, _notice_ms(expires_ms, days))


def _notice_ms(expires_ms: int, days: int) -> int:
    return expires_ms - days * DAY.length_ms
