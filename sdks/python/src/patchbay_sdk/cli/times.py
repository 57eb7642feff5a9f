"""Times as people write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_time(text: str, now: datetime | None = None) -> datetime:
    """`30m`, `2h`, `7d` ago, or an ISO 8601 time, in the local time zone if it names none. Raises ValueError."""
    if match := re.fullmatch(r"(\d+)([smhd])", text.strip()):
        return (now or datetime.now(timezone.utc)) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        return datetime.fromisoformat(text.strip().replace("Z", "+00:00")).astimezone(timezone.utc)
    except ValueError:
        raise ValueError(f"{text!r} is not a time. Write 30m, 2h or 7d, or 2026-11-27T09:30.") from None
