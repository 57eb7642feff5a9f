"""The clock, and conversions of times between Unix milliseconds, `datetime` in UTC and ISO 8601."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

OUT_OF_RANGE = "must be a time of the years 1 to 9999, in UTC"
NOT_A_TIME = "must be an ISO 8601 time with an offset, such as 2026-01-31T12:00:00Z"
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d)(?::([0-5]\d|60)(?:\.(\d+))?)?"
    r"(?:[Zz]|([+-])(\d\d):?(\d\d))",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


def from_ms(milliseconds: int) -> datetime:
    """Unix milliseconds as a `datetime` in UTC. Raises OverflowError outside of the years 1 to 9999."""
    return _EPOCH + milliseconds * _MS


def to_ms(value: datetime) -> int:
    """The Unix milliseconds of a time."""
    return (value - _EPOCH) // _MS


def iso(value: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_time(text: str) -> datetime:
    """Parse a time with an offset; the result is in UTC. Raises ValueError.

    Accepts RFC 3339, section 5.6, and two common variants: an offset without its colon (`+0000`), and a time
    without seconds. A leap second is read as the second after it.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(NOT_A_TIME)
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = match.groups()
    seconds = int(second or 0)
    try:
        value = datetime(
            int(year), int(month), int(day), int(hour), int(minute), min(seconds, 59), tzinfo=UTC
        )
    except ValueError:
        raise ValueError(NOT_A_TIME) from None
    shift = timedelta()
    if sign:
        if int(offset_hours) > 23 or int(offset_minutes) > 59:
            raise ValueError(NOT_A_TIME)
        offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
        shift = -offset if sign == "+" else offset
    try:
        value += shift + timedelta(seconds=seconds - value.second)
    except OverflowError:
        raise ValueError(OUT_OF_RANGE) from None
    if seconds == 60 and (value.hour, value.minute) != (0, 0):
        raise ValueError(NOT_A_TIME)
    return value.replace(microsecond=int(f"{fraction or '':0<6.6}"))


def is_time(text: str) -> bool:
    """Whether `read_time` accepts `text`."""
    try:
        read_time(text)
    except ValueError:
        return False
    return True
