"""Times and filters as people write them."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_time(text: str, now: datetime | None = None, *, ahead: bool = False) -> datetime:
    """`30m`, `2h`, `7d` ago (or from now, if `ahead`), or an ISO 8601 time, in the local time zone if it names none.
    Raises ValueError.
    """
    if match := re.fullmatch(r"(\d+)([smhd])", text.strip()):
        distance = timedelta(**{_UNITS[match[2]]: int(match[1])})
        return (now or datetime.now(timezone.utc)) + (distance if ahead else -distance)
    try:
        return datetime.fromisoformat(text.strip().replace("Z", "+00:00")).astimezone(timezone.utc)
    except ValueError:
        raise ValueError(f"{text!r} is not a time. Write 30m, 2h or 7d, or 2026-11-27T09:30.") from None


def equals_filter(text: str) -> dict[str, object]:
    """`PATH=VALUE` as a filter of a webhook. A value that is a JSON scalar counts as such. Raises ValueError."""
    path, separator, value = text.partition("=")
    if not separator or not path:
        raise ValueError(f"--filter {text}: write PATH=VALUE, such as network=linkedin.")
    return {"path": path, "op": "equals", "value": json_or_text(value)}


def json_or_text(text: str) -> Any:
    """The value of JSON, or the text itself: `3` is a number, and `linkedin` a string."""
    try:
        return json.loads(text)
    except ValueError:
        return text
