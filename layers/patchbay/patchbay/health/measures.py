"""Counters as health and analytics return them. Pure."""

from __future__ import annotations

from typing import Literal

from patchbay.health.models import Trend, Volume
from patchbay.stats import counters, summary
from patchbay.stats.counters import Tally

# A change of the success rate up to this is not a trend.
_STEADY = 0.01


def volume(tally: Tally) -> Volume:
    """A tally for the API."""
    histogram = counters.histogram_of(tally)
    succeeded, failed = tally.get("d", 0), tally.get("f", 0)
    return Volume(
        attempts=sum(histogram),
        succeeded=succeeded,
        failed=failed,
        success_rate=summary.success_rate(succeeded, failed),
        latency_ms=summary.latency(histogram),
    )


def trend(day: Tally, previous: Tally) -> Trend:
    """The tally of a day compared with that of the day before."""
    now, before = volume(day), volume(previous)
    return Trend(
        attempts=now.attempts,
        succeeded=now.succeeded,
        failed=now.failed,
        success_rate=now.success_rate,
        previous_success_rate=before.success_rate,
        trend=_direction(before.success_rate, now.success_rate),
        latency_ms=now.latency_ms,
    )


def _direction(before: float | None, now: float | None) -> Literal["BETTER", "STEADY", "WORSE"] | None:
    if before is None or now is None:
        return None
    if abs(now - before) <= _STEADY:
        return "STEADY"
    return "BETTER" if now > before else "WORSE"
