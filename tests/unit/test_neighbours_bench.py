"""The report of the neighbours benchmark."""

from __future__ import annotations

from collections import Counter

from benchmarks.neighbours import Ending, Phase, Result, recovered, report

COMPLETE = Ending(expected=10, rows=Counter(DELIVERED=6, HELD=4), waiting=0, dead=0)


def constant(seconds: float, count: int = 100) -> list[tuple[float, float]]:
    return [(1000 + at / 10, seconds) for at in range(count)]


def phase(arrivals: list[tuple[float, float]], *, lost: int = 0) -> Phase:
    return Phase(1000, arrivals, lost, newcomers=[0.2, 0.3])


def test_report_has_the_ratio_and_the_percentiles() -> None:
    beside = phase([*constant(0.1, 94), *[(1009.4 + at / 10, 0.5) for at in range(6)]])
    lines = report(Result(phase(constant(0.1)), beside, COMPLETE))
    assert lines[0].startswith("alone   p50    100  p95    100  p99    100 ms")
    assert lines[1].startswith("beside  p50    100  p95    500  p99    500 ms")
    assert "new webhooks 200, 300 ms" in lines[1]
    assert "5.00 × alone" in lines[2]
    assert "4 HELD" in lines[3]


def test_missing_delivery_counts_as_the_longest_wait() -> None:
    lines = report(Result(phase(constant(0.1)), phase(constant(0.1, 80), lost=20), COMPLETE))
    assert "p95  90000" in lines[1]
    assert "20 undelivered" in lines[2]


def test_delivery_without_a_row_or_a_message_is_lost() -> None:
    assert COMPLETE.lost == 0
    assert Ending(expected=12, rows=Counter(HELD=4), waiting=5, dead=0).lost == 3


def test_recovery_follows_the_last_slow_second() -> None:
    # Events that are published in seconds 2 and 3 of the phase are slow; a single later one is noise.
    slow = {at for at in range(100) if 20 <= at < 40}
    arrivals = [(1000 + at / 10, 2.0 if at in slow or at == 70 else 0.1) for at in range(100)]
    assert recovered(phase(arrivals), 0.2) == 4.0
    assert recovered(phase(constant(0.1)), 0.2) == 0.0
