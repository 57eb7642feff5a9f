"""Sliding windows that one conditional write keeps exact.

A window counts units over its length: `current` in the present stretch of time, `previous` in the
one before, of which the part still counts that the sliding window overlaps:

    current + previous × overlap ≤ limit     (overlap: 1 at the start of a stretch, 0 at its end)

In a row a window is three attributes, for ever: its number (time // length), current and previous.
A DynamoDB condition cannot calculate, so the caller does, from what it believes stands in the row:

    same      SET n = n + cost                     IF w = number     AND p <= previous AND n <= most
    next      SET p = n, n = cost, w = number      IF w = number - 1 AND n <= most
    older     SET p = 0, n = cost, w = number      IF w < number - 1, or there is no window yet

`most` makes each condition the formula above. A wrong belief only fails the condition; the refused
write brings the row, which says whether to try again or to refuse. Overlap is counted in whole
milliseconds and all arithmetic is in integers, so the formula holds exactly.

Time never runs before the row's window: a host whose clock lags decides as at that window's start,
where the overlap is whole. So it can refuse too much, but never refill a stretch that is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Window(NamedTuple):
    """A length of time, its name in headers, and the letter its attributes begin with."""

    name: str
    length_ms: int
    letter: str


MINUTE = Window("minute", 60_000, "m")
HOUR = Window("hour", 3_600_000, "h")
DAY = Window("day", 86_400_000, "d")


class Quota(NamedTuple):
    """So many units in any stretch of that length."""

    window: Window
    limit: int


class Count(NamedTuple):
    """What a row holds of one window."""

    number: int
    current: int
    previous: int


# Of a row that was never counted in: older than the window before the first one.
NEVER = Count(-2, 0, 0)


def read(row: Mapping[str, Any] | None, quotas: Sequence[Quota]) -> tuple[Count, ...]:
    """The counts of a row, in the order of `quotas`; NEVER where it has none."""
    row = row or {}
    return tuple(
        Count(row[letter + "w"], row[letter + "n"], row[letter + "p"]) if letter + "w" in row else NEVER
        for letter in (quota.window.letter for quota in quotas)
    )


class Update(NamedTuple):
    """One attempt at counting: the parts of an UpdateItem, for a caller to add its own to.

    `numbers[i]` is the window that the i-th quota would count in, and `fresh[i]` says whether this
    write would be the first in it. Values are named `cost`, and `w`, `o`, `m`, `p` after the
    window's letter.
    """

    condition: str
    assignments: str
    values: dict[str, int]
    numbers: tuple[int, ...]
    fresh: tuple[bool, ...]

    def after(self, updated: Mapping[str, Any], quotas: Sequence[Quota]) -> tuple[Count, ...]:
        """The counts of the row once it is written, from what the write says it updated. What it leaves
        as it was (`w` and `p` in the same window) stands in its values. Should the answer leave out what
        was set to the value it had, a belief in `previous` that is too low costs the next request a try.
        """
        known = {quota.window.letter + "n": self.values["cost"] for quota in quotas}
        known |= {quota.window.letter + "p": 0 for quota in quotas}
        return read({**known, **self.values, **updated}, quotas)


def plan(quotas: Sequence[Quota], belief: Sequence[Count], cost: int, now_ms: int) -> Update:
    """The update that admits `cost` units to all windows or none, if the row is as believed."""
    conditions: list[str] = []
    assignments: list[str] = []
    values = {"cost": cost}
    numbers: list[int] = []
    fresh: list[bool] = []
    for (window, limit), count in zip(quotas, belief, strict=True):
        x = window.letter
        number, overlap_ms = _moment(window, count, now_ms)
        numbers.append(number)
        fresh.append(count.number != number)
        values[x + "w"] = number
        if count.number == number:
            allowed_ms = limit * window.length_ms - count.previous * overlap_ms
            values[x + "m"] = allowed_ms // window.length_ms - cost
            values[x + "p"] = count.previous
            conditions.append(f"{x}w = :{x}w AND {x}p <= :{x}p AND {x}n <= :{x}m")
            assignments.append(f"{x}n = {x}n + :cost")
            continue
        values[x + "o"] = number - 1
        if count.number == number - 1:
            values[x + "m"] = (limit - cost) * window.length_ms // overlap_ms
            conditions.append(f"{x}w = :{x}o AND {x}n <= :{x}m")
            assignments.append(f"{x}p = {x}n, {x}n = :cost, {x}w = :{x}w")
        else:
            values[x + "p"] = 0
            if cost <= limit:
                conditions.append(f"(attribute_not_exists({x}w) OR {x}w < :{x}o)")
            else:  # more than any window holds: numbers begin at 0, so no row fits
                values[x + "o"] = 0
                conditions.append(f"{x}w < :{x}o")
            assignments.append(f"{x}p = :{x}p, {x}n = :cost, {x}w = :{x}w")
    return Update(" AND ".join(conditions), ", ".join(assignments), values, tuple(numbers), tuple(fresh))


@dataclass(frozen=True, slots=True)
class QuotaStatus:
    """How one quota stands at `now_ms`, if nothing more is counted."""

    quota: Quota
    count: Count
    now_ms: int

    @property
    def remaining(self) -> int:
        """Units that would be admitted now."""
        (window, limit), count = self.quota, self.count
        number, overlap_ms = _moment(window, count, self.now_ms)
        if count.number == number:
            current, previous = count.current, count.previous
        else:
            current, previous = 0, count.current if count.number == number - 1 else 0
        allowed_ms = limit * window.length_ms - previous * overlap_ms
        return max(allowed_ms // window.length_ms - current, 0)

    @property
    def resets_ms(self) -> int:
        """When the present stretch ends; where nothing remains, when a unit is admitted again."""
        if self.remaining == 0 and (admits := self.admits_ms(1)) is not None:
            return admits
        number, _ = _moment(self.quota.window, self.count, self.now_ms)
        return (number + 1) * self.quota.window.length_ms

    def admits_ms(self, cost: int) -> int | None:
        """The first moment from now on that admits `cost` units; None when that is above the limit."""
        if cost > self.quota.limit:
            return None
        if self.remaining >= cost:
            return self.now_ms
        (window, limit), (number, current, previous) = self.quota, self.count
        length, free = window.length_ms, limit - cost
        # `previous` fades to the end of the stretch that was counted in, `current` to that of the
        # next. What fades has to be down to free - kept.
        for end, kept, fading in (
            ((number + 1) * length, current, previous),
            ((number + 2) * length, 0, current),
        ):
            room = free - kept
            if room < 0 or end <= self.now_ms:
                continue
            overlap_ms = length if room >= fading else room * length // fading
            if overlap_ms:
                return max(end - overlap_ms, self.now_ms)
        return max((number + 2) * length, self.now_ms)


def statuses(quotas: Sequence[Quota], counts: Sequence[Count], now_ms: int) -> tuple[QuotaStatus, ...]:
    """How each quota of a row stands."""
    return tuple(QuotaStatus(quota, count, now_ms) for quota, count in zip(quotas, counts, strict=True))


def admits(statuses: Sequence[QuotaStatus], cost: int) -> bool:
    """Whether every quota has room for `cost` units now."""
    return all(status.remaining >= cost for status in statuses)


def admits_ms(statuses: Sequence[QuotaStatus], cost: int) -> int | None:
    """The first moment that every quota has room: the last of theirs, as room only grows with
    time. None when the cost is above a limit.
    """
    moments = [moment for status in statuses if (moment := status.admits_ms(cost)) is not None]
    return max(moments) if len(moments) == len(statuses) else None


def lowest(statuses: Sequence[QuotaStatus]) -> QuotaStatus:
    """The one with the lowest limit: the one to name when a cost is above it."""
    return min(statuses, key=lambda status: status.quota.limit)


def wait_ms(statuses: Sequence[QuotaStatus], cost: int) -> int | None:
    """How long until every quota has room; None when the cost is above a limit."""
    admits = admits_ms(statuses, cost)
    return None if admits is None else admits - statuses[0].now_ms


def refuses_until_ms(statuses: Sequence[QuotaStatus], cost: int, at_most_ms: int) -> int:
    """How long a process may refuse `cost` by itself after a row has: until the row has room, and no longer
    than `at_most_ms`.
    """
    latest, admits = statuses[0].now_ms + at_most_ms, admits_ms(statuses, cost)
    return latest if admits is None else min(admits, latest)


def most_restrictive(statuses: Sequence[QuotaStatus]) -> QuotaStatus:
    """The one with the least left; of equals, that which resets last."""
    return min(statuses, key=lambda status: (status.remaining, -status.resets_ms))


def _moment(window: Window, count: Count, now_ms: int) -> tuple[int, int]:
    """The window's number at `now_ms`, never before the row's, and its overlap with the one
    before.
    """
    number = max(now_ms // window.length_ms, count.number)
    elapsed_ms = max(now_ms - number * window.length_ms, 0)
    return number, window.length_ms - elapsed_ms
