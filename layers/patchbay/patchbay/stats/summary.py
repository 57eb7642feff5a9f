"""Counters as the API returns them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from patchbay.api_model import LastError
from patchbay.clock import from_ms
from patchbay.stats import counters
from patchbay.stats.counters import HourCounters
from patchbay.webhooks import failures
from patchbay.webhooks.models import HourVolume, Latency, WebhookStats


def summarize(hours: Sequence[HourCounters], now: int, pending: int = 0) -> WebhookStats:
    """The hours of a window as the API returns them."""
    delivered = sum(hour.delivered for hour in hours)
    failed = sum(hour.failed for hour in hours)
    histogram = [sum(bucket) for bucket in zip(*(hour.latency for hour in hours), strict=True)]
    last_error = max((hour.last_error for hour in hours if hour.last_error), default=None)
    last = max((max(hour.last_attempt_at, hour.last_delivered_at) for hour in hours), default=0)
    return WebhookStats(
        since=from_ms(counters.window(now).start * counters.HOUR_MS),
        deliveries=delivered + failed + pending,
        delivered=delivered,
        failed=failed,
        pending=pending,
        success_rate=success_rate(delivered, failed),
        latency_ms=latency(histogram),
        last_delivery_at=from_ms(last) if last else None,
        last_error=describe_error(last_error),
        hours=by_hour(hours),
    )


def by_hour(hours: Sequence[HourCounters]) -> list[HourVolume]:
    """What ended in each hour, oldest first. Hours in which nothing ended are left out."""
    delivered: Counter[int] = Counter()
    failed: Counter[int] = Counter()
    for counted in hours:
        if counted.hour is not None:
            delivered[counted.hour] += counted.delivered
            failed[counted.hour] += counted.failed
    return [
        HourVolume(at=from_ms(hour * counters.HOUR_MS), delivered=delivered[hour], failed=failed[hour])
        for hour in sorted(delivered)
        if delivered[hour] or failed[hour]
    ]


def latency(histogram: Sequence[int]) -> Latency:
    """The percentiles of a histogram of latencies."""
    return Latency(
        p50=counters.percentile(histogram, 0.5),
        p95=counters.percentile(histogram, 0.95),
        p99=counters.percentile(histogram, 0.99),
    )


def success_rate(delivered: int, failed: int) -> float | None:
    """The share of successes among those that ended, or None if none has ended."""
    return round(delivered / (delivered + failed), 4) if delivered + failed else None


def describe_error(error: tuple[int, str] | None) -> LastError | None:
    """The last error (time, reason) of attempts."""
    if error is None:
        return None
    return LastError(code=error[1], detail=failures.describe(error[1]), at=from_ms(error[0]))
