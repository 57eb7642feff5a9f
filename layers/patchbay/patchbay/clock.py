"""The time: the clock, and times as Unix milliseconds, as `datetime` in UTC and as text."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

NO_TIME = "must be a time in ISO 8601 with its offset, as 2026-01-31T12:00:00Z"
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


def at_ms(milliseconds: int) -> datetime:
    """The moment of Unix milliseconds. Raises OverflowError outside of the years 1 to 9999."""
    return _EPOCH + milliseconds * _MS


def to_ms(moment: datetime) -> int:
    """Unix milliseconds of a moment."""
    return (moment - _EPOCH) // _MS


def iso(value: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_time(text: str) -> datetime:
    """The moment of a time with its offset, in UTC. Raises ValueError.

    Reads RFC 3339, section 5.6, and two common variants: an offset without its colon (`+0000`), and no
    seconds. A leap second is the second after it.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(NO_TIME)
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    seconds = int(second or 0)
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), min(seconds, 59), tzinfo=UTC
        )
    except ValueError:
        raise ValueError(NO_TIME) from None
    moved = timedelta()
    if sign:
        if int(hours) > 23 or int(minutes) > 59:
            raise ValueError(NO_TIME)
        moved = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "+" else 1)
    try:
        moment += moved + timedelta(seconds=seconds - moment.second)
    except OverflowError:
        raise ValueError("is out of range") from None
    if seconds == 60 and (moment.hour, moment.minute) != (0, 0):
        raise ValueError(NO_TIME)
    return moment.replace(microsecond=int(f"{fraction or '':0<6.6}"))


def is_time(text: str) -> bool:
    """Whether `read_time` can read it."""
    try:
        read_time(text)
    except ValueError:
        return False
    return True
