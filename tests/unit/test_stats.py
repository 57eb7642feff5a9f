"""Hourly counters, the latency histogram, and the statistics that the API returns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.clock import from_ms
from patchbay.deliveries import roll_up
from patchbay.deliveries.stored_delivery import DeliveryOutcome
from patchbay.stats import counters, store, summary
from patchbay.stats.counters import BOUNDS_MS, BUCKETS, HOUR_MS, AttemptCounts, HourCounters

NOW = 1_700_000_000_000


def hour(**row: object) -> HourCounters:
    """The counters of a row."""
    return store.from_row(row)


def test_add_counts_attempts_and_ended_deliveries() -> None:
    counts = AttemptCounts()
    counts.add(1, 40, event_type="POST_PUBLISHED", reason=None, ended=True)
    counts.add(2, 70, event_type="POST_PUBLISHED", reason="http_500", ended=False)
    counts.add(3, 70, event_type="POST_FAILED", reason="timeout", ended=True)
    assert (counts.attempts, counts.delivered, counts.failed) == (3, 1, 1)
    assert counts.latency == {counters.bucket(40): 1, counters.bucket(70): 2}
    assert (counts.last_attempt_at, counts.last_success_at, counts.last_error) == (3, 1, (3, "timeout"))


@pytest.mark.parametrize(
    ("ms", "number"), [(0, 0), (10, 0), (11, 1), (25, 1), (15_000, 15), (15_001, 16), (10**9, 16)]
)
def test_bucket_includes_its_upper_bound(ms: int, number: int) -> None:
    assert counters.bucket(ms) == number


@given(st.lists(st.integers(0, 15_000), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_percentile_is_in_the_bucket_of_the_exact_percentile(latencies: list[int], share: float) -> None:
    histogram = [0] * BUCKETS
    for ms in latencies:
        histogram[counters.bucket(ms)] += 1
    rank = max(-(-round(share * 1000) * len(latencies) // 1000), 1)
    exact = sorted(latencies)[rank - 1]
    estimate = counters.percentile(histogram, share)
    number = counters.bucket(exact)
    assert estimate is not None
    assert (BOUNDS_MS[number - 1] if number else 0) <= estimate <= BOUNDS_MS[number]


def test_percentile_of_an_empty_histogram_and_of_the_open_bucket() -> None:
    assert counters.percentile([0] * BUCKETS, 0.5) is None
    assert counters.percentile([*[0] * 16, 3], 0.5) == BOUNDS_MS[-1]


def test_summarize_adds_up_the_hours() -> None:
    result = summary.summarize(
        [
            hour(attempts=3, delivered=2, l3=3, lastAttemptAt=NOW - 5, lastError=[NOW - 9, "http_500"]),
            hour(attempts=2, delivered=1, failed=1, l4=2, lastAttemptAt=NOW - 1, lastError=[NOW, "timeout"]),
            hour(lastDeliveredAt=NOW),
        ],
        NOW,
        pending=4,
    )
    assert (result.deliveries, result.delivered, result.failed, result.pending) == (8, 3, 1, 4)
    assert result.success_rate == 0.75
    assert result.last_delivery_at == from_ms(NOW)
    assert result.last_error is not None
    assert (result.last_error.at, result.last_error.code) == (from_ms(NOW), "timeout")
    assert result.since is not None
    assert 23 * 3600 < (from_ms(NOW) - result.since).total_seconds() <= 24 * 3600
    assert result.latency_ms.p50 is not None
    assert 50 < result.latency_ms.p50 <= 75


def test_summarize_has_the_volume_of_each_hour_in_which_something_ended() -> None:
    current = counters.hour_of(NOW)
    hours = [
        hour(delivered=2, failed=1)._replace(hour=current - 3),
        hour(attempts=4)._replace(hour=current - 2),
        hour(failed=5)._replace(hour=current),
        hour(delivered=7)._replace(hour=current),
        hour(delivered=1)._replace(hour=current - 3),
    ]
    volumes = summary.summarize(hours, NOW).hours
    assert [(volume.at, volume.delivered, volume.failed) for volume in volumes] == [
        (from_ms((current - 3) * HOUR_MS), 3, 1),
        (from_ms(current * HOUR_MS), 7, 5),
    ]


def test_summarize_without_hours_has_no_rates() -> None:
    result = summary.summarize([], NOW)
    assert (result.deliveries, result.success_rate, result.last_error) == (0, None, None)
    assert result.latency_ms.p99 is None


def test_count_successes_skips_those_that_a_worker_counted() -> None:
    rows: list[dict[str, Any]] = [
        {
            "sk": "dlv_1",
            "eventType": "POST_PUBLISHED",
            "status": "DELIVERED",
            "deliveredAt": 7,
            "success": {"durationMs": 40},
        },
        {
            "sk": "dlv_1",
            "eventType": "POST_PUBLISHED",
            "status": "DELIVERED",
            "deliveredAt": 5,
            "success": {"durationMs": 70},
        },
        {
            "sk": "dlv_1",
            "eventType": "POST_PUBLISHED",
            "status": "DELIVERED",
            "deliveredAt": 9,
            "success": {"durationMs": 40},
            "counted": True,
        },
        # Written by the release before the roll-up, whose worker counted it.
        {
            "sk": "dlv_1",
            "eventType": "POST_PUBLISHED",
            "status": "DELIVERED",
            "deliveredAt": 9,
            "success": {"durationMs": 40},
            "claims": 1,
        },
        {"sk": "dlv_1", "eventType": "POST_PUBLISHED", "status": "FAILED"},
        {"sk": "dlv_1", "eventType": "POST_PUBLISHED", "status": "SENDING"},
    ]
    counts = roll_up.count_successes(map(DeliveryOutcome.from_row, rows))
    latency = {f"l{counters.bucket(ms)}": 1 for ms in (40, 70)}
    assert counts.sums() == {"attempts": 2, "delivered": 2, **latency}
    assert counts.last_success_at == 7


@given(st.integers(0, 2 * HOUR_MS), st.integers(0, 2 * HOUR_MS))
def test_hour_is_rolled_up_only_after_the_worker_counts_its_later_successes(event: int, late: int) -> None:
    event += NOW
    recorded = event + late
    if counters.hour_of(event) in counters.hours_to_roll_up(None, recorded, 30):
        assert not counters.is_counted_by_roll_up(event, recorded)
    if counters.hour_of(recorded - 10 * 60_000) == counters.hour_of(event):
        assert counters.is_counted_by_roll_up(event, recorded)


HOUR = 500_000


@pytest.mark.parametrize(
    ("through", "minutes", "hours"),
    [
        (None, 14, range(HOUR - 2, HOUR - 1)),
        (None, 15, range(HOUR - 1, HOUR)),
        (HOUR - 2, 14, range(0)),
        (HOUR - 2, 15, range(HOUR - 1, HOUR)),
        (HOUR - 4, 15, range(HOUR - 3, HOUR)),
        (HOUR - 1, 15, range(0)),
        (HOUR - 1000, 15, range(HOUR - 15 * 24, HOUR)),  # earlier deliveries have expired
    ],
)
def test_hours_to_roll_up_are_complete_and_in_order(through: int | None, minutes: int, hours: range) -> None:
    assert counters.hours_to_roll_up(through, HOUR * HOUR_MS + minutes * 60_000, retention_days=15) == hours


def test_may_have_pending_only_after_a_failed_attempt() -> None:
    assert not counters.may_have_pending([hour(attempts=3, delivered=3), hour(rolledTo="dlv_…")])
    assert counters.may_have_pending([hour(attempts=3, delivered=3), hour(attempts=1)])
