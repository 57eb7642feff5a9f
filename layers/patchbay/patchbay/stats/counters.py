"""Outcomes of a webhook's deliveries: counters by the hour, a histogram of latency, percentiles. Pure.

Two writers add to the row of an hour. The worker counts failures, retries, and late successes, once per
webhook and batch. If it dies before that, the counters lack the batch, but the deliveries' rows have it.
The roll-up counts all other successes by reading their rows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from patchbay.clock import at_ms
from patchbay.deliveries.models import Status
from patchbay.webhooks.models import LastError, Latency, WebhookStats

# The upper bounds of the buckets, in milliseconds; the last one is open. Rows hold their numbers: bounds
# may be added at the end only.
BOUNDS_MS = (10, 25, 50, 75, 100, 150, 250, 400, 600, 1000, 1500, 2500, 4000, 6000, 10_000, 15_000)
HOUR_MS = 3_600_000
WINDOW_HOURS = 24
# The roll-up reads an hour's deliveries once. A success that is recorded later would be missed, so the worker
# counts it. The gap between the two is more than the worker's timeout and any difference between clocks.
_COUNTED_BY_ROLL_UP_MS = 10 * 60_000
_ROLLED_UP_AFTER_MS = 15 * 60_000


@dataclass(slots=True)
class Tally:
    """One webhook's attempts of a batch. `last_error` is (time, reason); times in Unix milliseconds."""

    attempts: int = 0
    delivered: int = 0
    failed: int = 0
    latency: Counter[int] = field(default_factory=Counter)
    last_attempt_at: int = 0
    last_success_at: int = 0
    last_error: tuple[int, str] | None = None

    def add(self, at: int, duration_ms: int, *, reason: str | None, ended: bool) -> None:
        """Add an attempt. `reason` is None for a success; `ended` says whether it ended the delivery."""
        self.attempts += 1
        self.latency[bucket(duration_ms)] += 1
        self.last_attempt_at = max(self.last_attempt_at, at)
        if reason is None:
            self.delivered += 1
            self.last_success_at = max(self.last_success_at, at)
        else:
            self.failed += ended
            self.last_error = (at, reason)

    def sums(self) -> dict[str, int]:
        """The counters as a row has them, without zeros."""
        sums = {"attempts": self.attempts, "delivered": self.delivered, "failed": self.failed}
        sums |= {f"l{number}": count for number, count in self.latency.items()}
        return {name: value for name, value in sums.items() if value}


def uncounted(deliveries: Iterable[Mapping[str, Any]]) -> Tally:
    """The successes among rows of deliveries that the worker did not count. An earlier release counted all of
    its own; their rows still have `claims`.
    """
    tally = Tally()
    for row in deliveries:
        if row["status"] == Status.DELIVERED and not row.keys() & {"counted", "claims"}:
            tally.add(row["deliveredAt"], row["success"]["durationMs"], reason=None, ended=True)
    return tally


def counted_by_roll_up(event_time: int, now: int) -> bool:
    """Whether a first-attempt success recorded `now` is left to the roll-up; otherwise the worker counts it.
    Both times are Unix milliseconds.
    """
    return now <= (hour_of(event_time) + 1) * HOUR_MS + _COUNTED_BY_ROLL_UP_MS


def to_roll_up(through: int | None, now: int, kept_days: int) -> range:
    """The hours to roll up now: those after `through`, as far back as deliveries are kept. The first run
    takes one hour, because in earlier hours the workers of an earlier version counted all successes.
    """
    last = hour_of(now - _ROLLED_UP_AFTER_MS) - 1
    first = last if through is None else through + 1
    return range(max(first, hour_of(now) - kept_days * 24), last + 1)


def bucket(duration_ms: int) -> int:
    """The number of the bucket that a duration falls into."""
    return bisect_left(BOUNDS_MS, duration_ms)


def hour_of(at: int) -> int:
    """The hour (since the epoch) of a time in Unix milliseconds."""
    return at // HOUR_MS


def window(now: int) -> range:
    """The hours that stats are made of: this one, and as many before it as make a day."""
    this = hour_of(now)
    return range(this - WINDOW_HOURS + 1, this + 1)


def percentile(histogram: Mapping[int, int], share: float) -> int | None:
    """The latency in ms below which that share of the attempts lies; None of no attempts. Within a bucket
    attempts are taken to lie evenly, and in the open one at its bound.
    """
    rank = share * sum(histogram.values())
    seen = 0
    for number in sorted(histogram):
        count = histogram[number]
        if count and seen + count >= rank:
            low = BOUNDS_MS[number - 1] if number else 0
            high = BOUNDS_MS[min(number, len(BOUNDS_MS) - 1)]
            return round(low + (high - low) * (rank - seen) / count)
        seen += count
    return None


def summary(hours: Sequence[Mapping[str, Any]], now: int, pending: int = 0) -> WebhookStats:
    """The rows of a window's hours as the API shows them."""
    delivered, failed = _sum(hours, "delivered"), _sum(hours, "failed")
    histogram = {number: _sum(hours, f"l{number}") for number in range(len(BOUNDS_MS) + 1)}
    errors = sorted((tuple(row["lastError"]) for row in hours if "lastError" in row), reverse=True)
    last = max(
        (row.get(name, 0) for row in hours for name in ("lastAttemptAt", "lastDeliveredAt")), default=0
    )
    return WebhookStats(
        since=at_ms(window(now).start * HOUR_MS),
        deliveries=delivered + failed + pending,
        delivered=delivered,
        failed=failed,
        pending=pending,
        success_rate=round(delivered / (delivered + failed), 4) if delivered + failed else None,
        latency_ms=Latency(
            p50=percentile(histogram, 0.5), p95=percentile(histogram, 0.95), p99=percentile(histogram, 0.99)
        ),
        last_delivery_at=at_ms(last) if last else None,
        last_error=LastError(at=at_ms(errors[0][0]), reason=errors[0][1]) if errors else None,
    )


def may_have_pending(hours: Iterable[Mapping[str, Any]]) -> bool:
    """Whether any attempt did not succeed: only then something can be waiting for a retry."""
    return any(row.get("attempts", 0) > row.get("delivered", 0) for row in hours)


def _sum(hours: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(row.get(name, 0) for row in hours)
