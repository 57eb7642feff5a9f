"""Sliding windows that one conditional write keeps exact. Pure.

Time is divided into intervals of the window's length. A row counts the units of the current interval and of
the previous one. The previous interval counts for the part of it that the sliding window still overlaps:

    current + previous × overlap ≤ limit     (overlap: 1 at the start of an interval, 0 at its end)

In a row, a window is always three attributes: w, the interval's number (time // length); n, the current
count; and p, the previous count. A DynamoDB condition cannot calculate, so the caller does, from the counts
that it expects in the row:

    same      SET n = n + cost                     IF w = number     AND p <= previous AND n <= most
    next      SET p = n, n = cost, w = number      IF w = number - 1 AND n <= most
    older     SET p = 0, n = cost, w = number      IF w < number - 1, or there is no window yet

`most` makes each condition equal to the formula above. A wrong expectation only fails the condition: the
refused write returns the row, which shows whether to retry or to refuse. The overlap is in whole milliseconds
and all arithmetic is in integers, so the formula holds exactly.

Time never goes back before the row's interval: a host whose clock lags decides as if at the start of that
interval, where the overlap is 1. So it can refuse too much, but it never refills an interval that has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Window(NamedTuple):
    """A length of time, its name in headers, and the first letter of its attributes."""

    name: str
    length_ms: int
    letter: str


MINUTE = Window("minute", 60_000, "m")
HOUR = Window("hour", 3_600_000, "h")
DAY = Window("day", 86_400_000, "d")


class Quota(NamedTuple):
    """At most `limit` units in a window."""

    window: Window
    limit: int


class Count(NamedTuple):
    """The counts of one window in a row; `number` is the current interval's."""

    number: int
    current: int
    previous: int


# For a row without counts: older than the interval before the first one.
NO_COUNT = Count(-2, 0, 0)


def read(row: Mapping[str, Any] | None, quotas: Sequence[Quota]) -> tuple[Count, ...]:
    """The counts of a row, in the order of `quotas`; NO_COUNT for windows that it does not have."""
    row = row or {}
    return tuple(
        Count(row[letter + "w"], row[letter + "n"], row[letter + "p"]) if letter + "w" in row else NO_COUNT
        for letter in (quota.window.letter for quota in quotas)
    )


class Update(NamedTuple):
    """One attempt to count: the parts of an UpdateItem request, which a caller may extend.

    `numbers[i]` is the interval that the i-th quota counts in, and `starts_interval[i]` says whether this
    write is the first one in it. The values are named `cost`, and the window's letter plus `w`, `o`, `m` or
    `p`.
    """

    condition: str
    assignments: str
    values: dict[str, int]
    numbers: tuple[int, ...]
    starts_interval: tuple[bool, ...]

    def counts_after(self, updated: Mapping[str, Any], quotas: Sequence[Quota]) -> tuple[Count, ...]:
        """The counts of the row after the write, from the attributes that it returned as updated.

        Attributes that the write left unchanged (`w` and `p` within the same interval) are in `values`. If
        the response omits attributes that were set to their old value, `previous` may be too low here: that
        costs the next request one attempt.
        """
        defaults = {quota.window.letter + "n": self.values["cost"] for quota in quotas}
        defaults |= {quota.window.letter + "p": 0 for quota in quotas}
        return read({**defaults, **self.values, **updated}, quotas)


def plan(quotas: Sequence[Quota], expected: Sequence[Count], cost: int, now_ms: int) -> Update:
    """The update that counts `cost` units in all windows or in none, if the row has the expected counts."""
    conditions: list[str] = []
    assignments: list[str] = []
    values = {"cost": cost}
    numbers: list[int] = []
    starts_interval: list[bool] = []
    for (window, limit), count in zip(quotas, expected, strict=True):
        x = window.letter
        number, overlap_ms = _interval(window, count, now_ms)
        numbers.append(number)
        starts_interval.append(count.number != number)
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
            else:  # more than the limit: numbers start at 0, so this condition never holds
                values[x + "o"] = 0
                conditions.append(f"{x}w < :{x}o")
            assignments.append(f"{x}p = :{x}p, {x}n = :cost, {x}w = :{x}w")
    return Update(
        " AND ".join(conditions), ", ".join(assignments), values, tuple(numbers), tuple(starts_interval)
    )


@dataclass(frozen=True, slots=True)
class QuotaStatus:
    """The status of one quota at `now_ms`, if nothing more is counted."""

    quota: Quota
    count: Count
    now_ms: int

    @property
    def remaining(self) -> int:
        """The units that are available now."""
        (window, limit), count = self.quota, self.count
        number, overlap_ms = _interval(window, count, self.now_ms)
        if count.number == number:
            current, previous = count.current, count.previous
        else:
            current, previous = 0, count.current if count.number == number - 1 else 0
        allowed_ms = limit * window.length_ms - previous * overlap_ms
        return max(allowed_ms // window.length_ms - current, 0)

    @property
    def resets_ms(self) -> int:
        """When the current interval ends or, if nothing remains, when the next unit is available."""
        if self.remaining == 0 and (available_at_ms := self.available_at_ms(1)) is not None:
            return available_at_ms
        number, _ = _interval(self.quota.window, self.count, self.now_ms)
        return (number + 1) * self.quota.window.length_ms

    def available_at_ms(self, cost: int) -> int | None:
        """The earliest time, from now on, with room for `cost` units. None if `cost` is above the limit."""
        if cost > self.quota.limit:
            return None
        if self.remaining >= cost:
            return self.now_ms
        (window, limit), (number, current, previous) = self.quota, self.count
        length, free = window.length_ms, limit - cost
        # The weight of `previous` falls to 0 by the end of the counted interval, that of `current` by the end
        # of the next one. There is room once the weighted count is at most `free - constant`.
        for end, constant, fading in (
            ((number + 1) * length, current, previous),
            ((number + 2) * length, 0, current),
        ):
            room = free - constant
            if room < 0 or end <= self.now_ms:
                continue
            overlap_ms = length if room >= fading else room * length // fading
            if overlap_ms:
                return max(end - overlap_ms, self.now_ms)
        return max((number + 2) * length, self.now_ms)


def statuses(quotas: Sequence[Quota], counts: Sequence[Count], now_ms: int) -> tuple[QuotaStatus, ...]:
    """The status of each quota of a row."""
    return tuple(QuotaStatus(quota, count, now_ms) for quota, count in zip(quotas, counts, strict=True))


def has_room(statuses: Sequence[QuotaStatus], cost: int) -> bool:
    """Whether every quota has room for `cost` units now."""
    return all(status.remaining >= cost for status in statuses)


def available_at_ms(statuses: Sequence[QuotaStatus], cost: int) -> int | None:
    """The earliest time at which every quota has room: the latest of the quotas' own times, because room only
    grows. None if `cost` is above a limit.
    """
    moments = [moment for status in statuses if (moment := status.available_at_ms(cost)) is not None]
    return max(moments) if len(moments) == len(statuses) else None


def lowest_limit(statuses: Sequence[QuotaStatus]) -> QuotaStatus:
    """The status with the lowest limit, which the error for an excessive cost names."""
    return min(statuses, key=lambda status: status.quota.limit)


def wait_ms(statuses: Sequence[QuotaStatus], cost: int) -> int | None:
    """The time until every quota has room. None if `cost` is above a limit."""
    moment = available_at_ms(statuses, cost)
    return None if moment is None else moment - statuses[0].now_ms


def refusal_expires_ms(statuses: Sequence[QuotaStatus], cost: int, at_most_ms: int) -> int:
    """When a process must stop refusing `cost` without a write, after the row refused it: when the row has
    room, or after `at_most_ms` at the latest.
    """
    latest, moment = statuses[0].now_ms + at_most_ms, available_at_ms(statuses, cost)
    return latest if moment is None else min(moment, latest)


def most_restrictive(statuses: Sequence[QuotaStatus]) -> QuotaStatus:
    """The status with the least remaining; of equal ones, the one that resets last."""
    return min(statuses, key=lambda status: (status.remaining, -status.resets_ms))


def _interval(window: Window, count: Count, now_ms: int) -> tuple[int, int]:
    """The interval's number at `now_ms`, never before the row's, and the overlap with the previous one."""
    number = max(now_ms // window.length_ms, count.number)
    elapsed_ms = max(now_ms - number * window.length_ms, 0)
    return number, window.length_ms - elapsed_ms
