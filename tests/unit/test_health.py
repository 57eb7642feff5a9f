"""What is known of a receiver: failures in a row, timeouts in a row, how long a breaker waits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.ids import DeliveryId
from patchbay.receivers import health
from patchbay.receivers.health import Health, failure

IDS = [DeliveryId.new(at) for at in range(1, 6)]


def failures(*entries: tuple[int, DeliveryId]) -> frozenset[str]:
    return frozenset(failure(at, id) for at, id in entries)


def test_failures_are_counted_by_delivery() -> None:
    known = Health(failures=failures((10, IDS[0]), (20, IDS[0]), (30, IDS[1])))
    assert known.consecutive_failures(0) == 2


@pytest.mark.parametrize(
    ("succeeded_at", "since", "left"),
    [(0, 0, 3), (10, 0, 2), (0, 20, 1), (25, 10, 1), (30, 0, 0), (0, 99, 0)],
)
def test_a_success_forgets_the_failures_before_it_and_no_others(
    succeeded_at: int, since: int, left: int
) -> None:
    known = Health(failures=failures((10, IDS[0]), (20, IDS[1]), (30, IDS[2])), succeeded_at=succeeded_at)
    assert known.consecutive_failures(since) == left
    assert len(known.stale_failures(since)) == 3 - left


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 50)), max_size=20, unique_by=lambda each: each[1]),
    st.randoms(),
)
def test_the_order_of_writing_does_not_matter(story: list[tuple[bool, int]], random: object) -> None:
    """Successes and failures that reach the row in any order leave the count that their times tell."""
    told = sorted(story, key=lambda each: each[1])
    expected = 0
    for failed, _ in told:
        expected = expected + 1 if failed else 0

    known = Health()
    shuffled = list(story)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for failed, at in shuffled:
        if failed:
            known = Health(
                failures=known.failures | {failure(at, DeliveryId.new(at))}, succeeded_at=known.succeeded_at
            )
        elif at > known.succeeded_at:  # the condition of the write
            known = Health(failures=known.failures - known.stale_failures(at), succeeded_at=at)
    assert known.consecutive_failures(0) == expected


def test_a_row_is_clean_when_a_success_changes_nothing() -> None:
    assert Health().is_clean()
    assert Health(failures=failures((10, IDS[0])), succeeded_at=10).is_clean()
    assert not Health(failures=failures((11, IDS[0])), succeeded_at=10).is_clean()
    assert not Health(timeouts=1).is_clean()
    assert not Health(opened_at=5).is_clean()


def test_enabling_a_webhook_closes_its_breaker() -> None:
    known = Health(opened_at=10, backlog_at=10)
    assert known.is_open(9)
    assert known.has_backlog(9)
    assert not known.is_open(10)
    assert not known.has_backlog(10)


@pytest.mark.parametrize(
    ("ended", "in_a_row"), [("", 0), ("a", 0), ("t", 1), ("at", 1), ("ta", 0), ("attt", 3), ("tat", 1)]
)
def test_timeouts_in_a_row(ended: str, in_a_row: int) -> None:
    assert health.timeouts_in_a_row([letter == "t" for letter in ended]) == in_a_row


def test_probes_come_ever_more_seldom_but_they_come() -> None:
    delays = [health.probe_delay_seconds(probes, 60) for probes in range(100)]
    assert delays[:5] == [60, 120, 240, 480, 900]
    assert delays == sorted(delays)
    assert delays[-1] == timedelta(minutes=15).total_seconds()
