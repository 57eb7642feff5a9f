"""Counters of an hour, the histogram of latency, and what the API makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.clock import at_ms
from patchbay.stats import counters
from patchbay.stats.counters import BOUNDS_MS, HOUR_MS, Tally

NOW = 1_700_000_000_000


def hour(**counters: object) -> dict[str, object]:
    return {"attempts": 0, **counters}


def test_a_tally_counts_attempts_and_what_ended() -> None:
    tally = Tally()
    tally.add(1, 40, reason=None, ended=True)
    tally.add(2, 70, reason="http_500", ended=False)
    tally.add(3, 70, reason="timeout", ended=True)
    assert (tally.attempts, tally.delivered, tally.failed) == (3, 1, 1)
    assert tally.latency == {counters.bucket(40): 1, counters.bucket(70): 2}
    assert (tally.last_attempt_at, tally.last_success_at, tally.last_error) == (3, 1, (3, "timeout"))


@pytest.mark.parametrize(
    ("ms", "number"), [(0, 0), (10, 0), (11, 1), (25, 1), (15_000, 15), (15_001, 16), (10**9, 16)]
)
def test_a_bucket_holds_its_bound(ms: int, number: int) -> None:
    assert counters.bucket(ms) == number


@given(st.lists(st.integers(0, 15_000), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_lies_in_the_bucket_of_the_true_one(latencies: list[int], share: float) -> None:
    histogram: dict[int, int] = {}
    for ms in latencies:
        histogram[counters.bucket(ms)] = histogram.get(counters.bucket(ms), 0) + 1
    rank = max(-(-round(share * 1000) * len(latencies) // 1000), 1)
    true = sorted(latencies)[rank - 1]
    found = counters.percentile(histogram, share)
    number = counters.bucket(true)
    assert found is not None
    assert (BOUNDS_MS[number - 1] if number else 0) <= found <= BOUNDS_MS[number]


def test_percentiles_of_nothing_and_of_what_is_too_slow_for_a_bucket() -> None:
    assert counters.percentile({}, 0.5) is None
    assert counters.percentile({16: 3}, 0.5) == BOUNDS_MS[-1]


def test_a_summary_is_the_sum_of_its_hours() -> None:
    summary = counters.summary(
        [
            hour(attempts=3, delivered=2, l3=3, lastAttemptAt=NOW - 5, lastError=[NOW - 9, "http_500"]),
            hour(attempts=2, delivered=1, failed=1, l4=2, lastAttemptAt=NOW - 1, lastError=[NOW, "timeout"]),
            hour(lastDeliveredAt=NOW),
        ],
        NOW,
        pending=4,
    )
    assert (summary.deliveries, summary.delivered, summary.failed, summary.pending) == (8, 3, 1, 4)
    assert summary.success_rate == 0.75
    assert summary.last_delivery_at == at_ms(NOW)
    assert summary.last_error is not None
    assert (summary.last_error.at, summary.last_error.reason) == (at_ms(NOW), "timeout")
    assert summary.since is not None
    assert 23 * 3600 < (at_ms(NOW) - summary.since).total_seconds() <= 24 * 3600
    assert summary.latency_ms.p50 is not None
    assert 50 < summary.latency_ms.p50 <= 75


def test_a_summary_of_nothing_claims_nothing() -> None:
    summary = counters.summary([], NOW)
    assert (summary.deliveries, summary.success_rate, summary.last_error) == (0, None, None)
    assert summary.latency_ms.p99 is None


def test_successes_are_counted_once_by_the_worker_or_by_the_roll_up() -> None:
    rows: list[dict[str, Any]] = [
        {"status": "DELIVERED", "deliveredAt": 7, "success": {"durationMs": 40}},
        {"status": "DELIVERED", "deliveredAt": 5, "success": {"durationMs": 70}},
        {"status": "DELIVERED", "deliveredAt": 9, "success": {"durationMs": 40}, "counted": True},
        # Of the release before the roll-up, whose worker counted it.
        {"status": "DELIVERED", "deliveredAt": 9, "success": {"durationMs": 40}, "claims": 1},
        {"status": "FAILED"},
        {"status": "SENDING"},
    ]
    tally = counters.uncounted(rows)
    latency = {f"l{counters.bucket(ms)}": 1 for ms in (40, 70)}
    assert tally.sums() == {"attempts": 2, "delivered": 2, **latency}
    assert tally.last_success_at == 7


@given(st.integers(0, 2 * HOUR_MS), st.integers(0, 2 * HOUR_MS))
def test_an_hour_is_rolled_up_only_when_the_worker_counts_the_rest(event: int, late: int) -> None:
    event += NOW
    recorded = event + late
    if counters.hour_of(event) in counters.to_roll_up(None, recorded, 30):
        assert not counters.counted_by_roll_up(event, recorded)
    if counters.hour_of(recorded - 10 * 60_000) == counters.hour_of(event):
        assert counters.counted_by_roll_up(event, recorded)


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
        (HOUR - 1000, 15, range(HOUR - 15 * 24, HOUR)),  # what was before that is no longer kept
    ],
)
def test_hours_are_rolled_up_in_order_once_they_are_complete(
    through: int | None, minutes: int, hours: range
) -> None:
    assert counters.to_roll_up(through, HOUR * HOUR_MS + minutes * 60_000, kept_days=15) == hours


def test_only_what_did_not_succeed_can_be_waiting() -> None:
    assert not counters.may_have_pending([hour(attempts=3, delivered=3), {"rolledTo": "dlv_…"}])
    assert counters.may_have_pending([hour(attempts=3, delivered=3), hour(attempts=1)])
