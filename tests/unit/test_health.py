"""The health of a receiver (failures and timeouts in a row, the breaker's probe delays) and of a flow."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.clock import from_ms
from patchbay.flows.models import Flow, FlowRun
from patchbay.health import states
from patchbay.ids import DeliveryId, FlowId
from patchbay.receivers import health
from patchbay.receivers.health import Health, failure_entry

IDS = [DeliveryId.new(at) for at in range(1, 6)]


def failures(*entries: tuple[int, DeliveryId]) -> frozenset[str]:
    return frozenset(failure_entry(at, id) for at, id in entries)


def test_two_failures_of_one_delivery_count_once() -> None:
    state = Health(failures=failures((10, IDS[0]), (20, IDS[0]), (30, IDS[1])))
    assert state.consecutive_failures(0) == 2


@pytest.mark.parametrize(
    ("succeeded_at", "since", "remaining"),
    [(0, 0, 3), (10, 0, 2), (0, 20, 1), (25, 10, 1), (30, 0, 0), (0, 99, 0)],
)
def test_success_resets_only_the_failures_before_it(succeeded_at: int, since: int, remaining: int) -> None:
    state = Health(failures=failures((10, IDS[0]), (20, IDS[1]), (30, IDS[2])), succeeded_at=succeeded_at)
    assert state.consecutive_failures(since) == remaining
    assert len(state.stale_failures(since)) == 3 - remaining


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 50)), max_size=20, unique_by=lambda result: result[1]),
    st.randoms(),
)
def test_consecutive_failures_do_not_depend_on_the_order_of_writes(
    results: list[tuple[bool, int]], random: object
) -> None:
    """Successes and failures can reach the row in any order: the count follows their times."""
    expected = 0
    for failed, _ in sorted(results, key=lambda result: result[1]):
        expected = expected + 1 if failed else 0

    state = Health()
    shuffled = list(results)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for failed, at in shuffled:
        if failed:
            state = Health(
                failures=state.failures | {failure_entry(at, DeliveryId.new(at))},
                succeeded_at=state.succeeded_at,
            )
        elif at > state.succeeded_at:  # the condition of the write
            state = Health(failures=state.failures - state.stale_failures(at), succeeded_at=at)
    assert state.consecutive_failures(0) == expected


def test_health_is_clean_if_a_success_has_nothing_to_reset() -> None:
    assert Health().is_clean()
    assert Health(failures=failures((10, IDS[0])), succeeded_at=10).is_clean()
    assert not Health(failures=failures((11, IDS[0])), succeeded_at=10).is_clean()
    assert not Health(timeouts=1).is_clean()
    assert not Health(opened_at=5).is_clean()


def test_resuming_a_webhook_closes_its_breaker_and_ends_its_backlog() -> None:
    state = Health(opened_at=10, backlog_at=10)
    assert state.is_open(9)
    assert state.has_backlog(9)
    assert not state.is_open(10)
    assert not state.has_backlog(10)


@pytest.mark.parametrize(
    ("attempts", "count"), [("", 0), ("a", 0), ("t", 1), ("at", 1), ("ta", 0), ("attt", 3), ("tat", 1)]
)
def test_only_timeouts_after_the_last_other_result_count(attempts: str, count: int) -> None:
    assert health.trailing_timeouts([letter == "t" for letter in attempts]) == count


def test_probe_delay_doubles_up_to_15_minutes() -> None:
    delays = [health.probe_delay_seconds(probes, 60) for probes in range(100)]
    assert delays[:5] == [60, 120, 240, 480, 900]
    assert delays == sorted(delays)
    assert delays[-1] == timedelta(minutes=15).total_seconds()


# ── flows ────────────────────────────────────────────────────────────────────────────────────────────


def flow_of(status: str, version: int = 2) -> Flow:
    return Flow.model_construct(id=FlowId.new(), status=status, status_reason=None, version=version)


def runs_of(letters: str) -> list[FlowRun]:
    """Runs, newest first: Failed, Succeeded, sTopped, Cancelled, Waiting; Old: failed before a change."""
    statuses = {
        "F": "FAILED",
        "O": "FAILED",
        "S": "SUCCEEDED",
        "T": "STOPPED",
        "C": "CANCELLED",
        "W": "WAITING",
    }
    return [
        FlowRun.model_construct(
            status=statuses[letter], flow_version=1 if letter == "O" else 2, updated_at=from_ms(1_000 - at)
        )
        for at, letter in enumerate(letters)
    ]


@pytest.mark.parametrize(
    ("runs", "state", "reason", "since"),
    [
        ("", "UNKNOWN", "no_runs", None),
        ("WC", "UNKNOWN", "no_runs", None),
        ("OOO", "UNKNOWN", "no_runs", None),
        ("S", "HEALTHY", None, None),
        ("TFF", "HEALTHY", None, None),
        ("SOOO", "HEALTHY", None, None),
        ("F", "DEGRADED", "consecutive_failures", 1_000),
        ("FFS", "DEGRADED", "consecutive_failures", 999),
        ("FFOO", "DEGRADED", "consecutive_failures", 999),
        ("SFFSF", "DEGRADED", "success_rate", None),
        ("FFF", "FAILING", "consecutive_failures", 998),
        ("FWFCFS", "FAILING", "consecutive_failures", 996),
    ],
)
def test_flow_is_judged_by_runs_since_its_last_change(
    runs: str, state: str, reason: str | None, since: int | None
) -> None:
    flow = flow_of("ACTIVE")
    verdict = states.of_flow(flow, states.ended_runs(flow, runs_of(runs)))
    assert (verdict.state, verdict.reason, verdict.since) == (state, reason, since)
    off = flow_of("INACTIVE")
    verdict = states.of_flow(off, states.ended_runs(off, runs_of(runs)))
    assert (verdict.state, verdict.reason) == ("INACTIVE", "inactive")
