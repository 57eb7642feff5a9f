"""Statistics of a webhook's deliveries: counters by the hour, a latency histogram, percentiles. Pure.

Two writers add to the counters of an hour. The worker counts failures, retries, and late successes, once per
webhook and batch. If it dies before that, the counters lack the batch, but the deliveries' rows have it. The
roll-up counts all other successes by reading their rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Never

# The upper bounds of the buckets, in milliseconds. The last bucket is open. Rows hold bucket numbers, so
# bounds can be added only at the end.
BOUNDS_MS = (10, 25, 50, 75, 100, 150, 250, 400, 600, 1000, 1500, 2500, 4000, 6000, 10_000, 15_000)
BUCKETS = len(BOUNDS_MS) + 1
HOUR_MS = 3_600_000
WINDOW_HOURS = 24
# The roll-up reads an hour's deliveries once. It would miss successes that are recorded later, so the worker
# counts those. The gap between the two is longer than the worker's timeout and any difference between clocks.
_COUNTED_BY_ROLL_UP_MS = 10 * 60_000
_ROLLED_UP_AFTER_MS = 15 * 60_000


# A tally counts attempts of one kind: `d` those that succeeded, `f` those that failed and ended their
# delivery, and `0`, `1` … all attempts by the bucket of their latency. Tallies add up, name by name, and
# nothing is lost.
Tally = Mapping[str, int]
_NONE: Mapping[str, Never] = MappingProxyType({})


@dataclass(slots=True)
class AttemptCounts:
    """One webhook's attempts of a batch, in total and as a tally for each event type. `last_error` is (time,
    reason). Times are Unix milliseconds.
    """

    attempts: int = 0
    delivered: int = 0
    failed: int = 0
    latency: Counter[int] = field(default_factory=Counter)
    types: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    last_attempt_at: int = 0
    last_success_at: int = 0
    last_error: tuple[int, str] | None = None

    def add(
        self, time_ms: int, duration_ms: int, *, event_type: str, reason: str | None, ended: bool
    ) -> None:
        """Add an attempt. `reason` is None for a success; `ended` says whether it ended the delivery."""
        tally, number = self.types[event_type], bucket(duration_ms)
        self.attempts += 1
        self.latency[number] += 1
        tally[str(number)] += 1
        self.last_attempt_at = max(self.last_attempt_at, time_ms)
        if reason is None:
            self.delivered += 1
            tally["d"] += 1
            self.last_success_at = max(self.last_success_at, time_ms)
            return
        self.last_error = (time_ms, reason)
        if ended:
            self.failed += 1
            tally["f"] += 1

    def sums(self) -> dict[str, int]:
        """The counters under their names in a row, without zeros."""
        sums = {"attempts": self.attempts, "delivered": self.delivered, "failed": self.failed}
        sums |= {f"l{number}": count for number, count in self.latency.items()}
        return {name: value for name, value in sums.items() if value}


class HourCounters(NamedTuple):
    """The counters of one hour: of a webhook's attempts, of a connection's refreshes, or the total of an
    integration or a workspace. `latency` has the attempts by bucket, `last_error` (time, reason).

    `types` has a tally for each event type, and `rolled_types` the part of it that the roll-up has added.
    `refreshes` is the tally of the connections of a total. `rolled_to` is the delivery ID up to which the
    roll-up has added successes, None before the first. `owner` is the integration of a connection. `hour` is
    None in a total.
    """

    attempts: int = 0
    delivered: int = 0
    failed: int = 0
    latency: Sequence[int] = (0,) * BUCKETS
    types: Mapping[str, Tally] = _NONE
    rolled_types: Mapping[str, Tally] = _NONE
    refreshes: Tally = _NONE
    last_attempt_at: int = 0
    last_delivered_at: int = 0
    last_error: tuple[int, str] | None = None
    rolled_to: str | None = None
    owner: str | None = None
    hour: int | None = None

    @property
    def tally(self) -> Counter[str]:
        """The attempts as a tally."""
        tally = Counter({str(number): count for number, count in enumerate(self.latency) if count})
        tally.update({name: count for name, count in self._ended() if count})
        return tally

    def _ended(self) -> Sequence[tuple[str, int]]:
        return ("d", self.delivered), ("f", self.failed)


def total(hours: Iterable[HourCounters], refreshes: Iterable[HourCounters]) -> HourCounters:
    """The sum of the counters of webhooks, with those of connections as its `refreshes`."""
    hours = list(hours)
    return HourCounters(
        attempts=sum(hour.attempts for hour in hours),
        delivered=sum(hour.delivered for hour in hours),
        failed=sum(hour.failed for hour in hours),
        latency=[sum(hour.latency[number] for hour in hours) for number in range(BUCKETS)],
        types=add_types(hour.types for hour in hours),
        refreshes=add_tallies(hour.tally for hour in refreshes),
        last_attempt_at=max((hour.last_attempt_at for hour in hours), default=0),
        last_delivered_at=max((hour.last_delivered_at for hour in hours), default=0),
        last_error=max((hour.last_error for hour in hours if hour.last_error), default=None),
    )


def add_tallies(tallies: Iterable[Tally]) -> Counter[str]:
    """The sum of tallies."""
    result: Counter[str] = Counter()
    for tally in tallies:
        result.update(tally)
    return result


def add_types(hours: Iterable[Mapping[str, Tally]]) -> dict[str, Counter[str]]:
    """The sum of the tallies of each event type."""
    result: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for types in hours:
        for event_type, tally in types.items():
            result[event_type].update(tally)
    return dict(result)


def histogram_of(tally: Tally) -> list[int]:
    """The attempts of a tally by bucket."""
    return [tally.get(str(number), 0) for number in range(BUCKETS)]


def is_counted_by_roll_up(event_time: int, now: int) -> bool:
    """Whether the roll-up counts a first-attempt success recorded `now`; otherwise the worker counts it. Both
    times are Unix milliseconds.
    """
    return now <= (hour_of(event_time) + 1) * HOUR_MS + _COUNTED_BY_ROLL_UP_MS


def hours_to_roll_up(through: int | None, now: int, retention_days: int) -> range:
    """The hours to roll up now: those after `through`, as far back as deliveries are kept. The first run
    takes one hour, because in earlier hours the workers of an earlier release counted all successes.
    """
    last = hour_of(now - _ROLLED_UP_AFTER_MS) - 1
    first = last if through is None else through + 1
    return range(max(first, hour_of(now) - retention_days * 24), last + 1)


def bucket(duration_ms: int) -> int:
    """The number of the bucket that a duration falls into."""
    return bisect_left(BOUNDS_MS, duration_ms)


def hour_of(time_ms: int) -> int:
    """The hour (since the epoch) of a time in Unix milliseconds."""
    return time_ms // HOUR_MS


def window(now: int) -> range:
    """The hours that statistics cover: the current one and the 23 before it."""
    current = hour_of(now)
    return range(current - WINDOW_HOURS + 1, current + 1)


def percentile(histogram: Sequence[int], share: float) -> int | None:
    """The latency in milliseconds that this share of the attempts does not exceed, or None without attempts.
    Assumes that attempts are spread evenly within a bucket, and lie at the lower bound of the open one.
    """
    rank = share * sum(histogram)
    seen = 0
    for number, count in enumerate(histogram):
        if count and seen + count >= rank:
            low = BOUNDS_MS[number - 1] if number else 0
            high = BOUNDS_MS[min(number, len(BOUNDS_MS) - 1)]
            return round(low + (high - low) * (rank - seen) / count)
        seen += count
    return None


def may_have_pending(hours: Iterable[HourCounters]) -> bool:
    """Whether any attempt failed. Only then can a delivery be waiting for a retry."""
    return any(hour.attempts > hour.delivered for hour in hours)
