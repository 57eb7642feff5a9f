"""The Retry-After header of an answer."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def parse_retry_after(value: str | None, now: datetime) -> int | None:
    """The seconds that a Retry-After header asks for (RFC 9110 section 10.2.3).

    Takes a number of seconds or an HTTP-date in any of its three forms; a date in the past is 0.
    `None` if there is no header or it makes no sense. `now` is an aware time.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= 12 else None
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if at.tzinfo is None:  # the asctime form names no zone: it is UTC
        at = at.replace(tzinfo=UTC)
    return max(0, math.ceil((at - now).total_seconds()))
