"""What the isolation bench makes of the arrivals that it saw."""

from __future__ import annotations

from benchmarks.isolation import Phase, recovered, report


def even(seconds: float, count: int = 100) -> list[tuple[float, float]]:
    return [(1000 + at / 10, seconds) for at in range(count)]


def test_the_ratio_and_the_percentiles() -> None:
    without = Phase(even(0.1))
    beside = Phase([*even(0.1, 94), *[(1009.4 + at / 10, 0.5) for at in range(6)]], hung=1000.0)
    lines = report([without], [beside])
    assert lines[0].startswith("without  p50    100  p95    100  p99    100 ms")
    assert lines[1].startswith("with it  p50    100  p95    500  p99    500 ms")
    assert "5.00 × that without" in lines[2]


def test_what_never_came_counts_as_the_longest_wait() -> None:
    lines = report([Phase(even(0.1))], [Phase(even(0.1, 80), lost=20, hung=1000.0)])
    assert "p95 120000" in lines[1]
    assert "20 not within 120 s" in lines[1]


def test_the_onset_ends_with_the_last_slow_second() -> None:
    # Slow are those published in the seconds 2 and 3 after the first hanging attempt; one late one is noise.
    slow = {at for at in range(100) if 20 <= at < 40}
    arrivals = [(1000 + at / 10, 2.0 if at in slow or at == 70 else 0.1) for at in range(100)]
    assert recovered(Phase(arrivals, hung=1000.0), 0.2) == 4.0
    assert recovered(Phase(even(0.1), hung=1000.0), 0.2) == 0.0
    # What was slow before it hung has another reason.
    assert recovered(Phase(arrivals, hung=1005.0), 0.2) == 0.0
