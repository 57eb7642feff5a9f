"""The Retry-After header of a response."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def parse_retry_after(value: str | None, now: datetime) -> int | None:
    """The wait in seconds that a Retry-After header asks for (RFC 9110 section 10.2.3).

    Accepts a number of seconds, or an HTTP-date in any of its three formats. A date in the past is 0. None if
    the header is missing or invalid. `now` is timezone-aware.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= 12 else None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:  # the asctime format has no timezone: it is UTC
        date = date.replace(tzinfo=UTC)
    return max(0, math.ceil((date - now).total_seconds()))
