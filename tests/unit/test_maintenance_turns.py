"""How the schedule shares a run among workspaces, with jobs that only sleep."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from patchbay.oauth import calls, maintenance
from patchbay.oauth.maintenance import Job, _Lane, _Run


class Work:
    """Jobs that note in which order they end, and how many of a workspace run at once."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.order: list[str] = []
        self.most: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    def before(self, workspace: str) -> list[str]:
        """The jobs that ended before the last one of a workspace."""
        return self.order[: len(self.order) - 1 - self.order[::-1].index(workspace)]

    def jobs(self, workspace: str, count: int, seconds: float, *, busy: bool = False) -> list[Job]:
        def work() -> bool:
            with self._lock:
                self._running[workspace] += 1
                self.most[workspace] = max(self.most[workspace], self._running[workspace])
            time.sleep(seconds)
            with self._lock:
                self._running[workspace] -= 1
                self.done[workspace] += 1
                self.order.append(workspace)
            if busy:
                raise calls.ProvidersBusy
            return True

        return [Job(workspace, "refresh", work)] * count


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    monkeypatch.setattr(calls, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(maintenance, "_SHARE_SECONDS", 1.5)
    return Work()


def run(*jobs: list[Job], left_ms: Callable[[], int] = lambda: 60_000) -> _Run:
    made = _Run(left_ms)
    made.work(*map(iter, jobs))
    return made


def test_a_slow_workspace_uses_up_its_own_share_of_the_run_and_nothing_else(work: Work) -> None:
    made = run(work.jobs("slow", 400, 0.4), work.jobs("healthy", 1, 0))
    assert work.before("healthy") == []
    assert work.most["slow"] == 2
    assert 2 <= work.done["slow"] <= 6
    assert (made.done.connections, made.failed) == (work.done.total(), 0)


def test_many_slow_workspaces_leave_turns_for_a_healthy_one(work: Work) -> None:
    """More than there are threads: each gets one turn before any gets a second."""
    slow = [work.jobs(f"slow {at}", 2, 0.4) for at in range(70)]
    run(*slow, work.jobs("healthy", 1, 0))
    assert len(work.before("healthy")) <= 70


def test_a_workspace_that_turns_slow_holds_a_quarter_of_the_threads_at_most(work: Work) -> None:
    run(work.jobs("turncoat", 40, 0) + work.jobs("turncoat", 400, 0.5), work.jobs("healthy", 100, 0.001))
    assert work.most["turncoat"] <= maintenance._AT_MOST == maintenance._THREADS // 4
    assert work.done["healthy"] == 100
    assert work.before("healthy").count("turncoat") <= 40 + maintenance._AT_MOST


def test_refreshes_and_removals_of_one_workspace_do_not_wait_for_each_other(work: Work) -> None:
    slow = [job._replace(kind="ending") for job in work.jobs("slow", 5, 0.4)]
    quick = [job._replace(workspace_id="slow") for job in work.jobs("the same", 1, 0)]
    run(slow, quick)
    assert work.before("the same") == []


def test_a_healthy_workspace_may_use_more_and_more_of_the_run(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "SLOW_SECONDS", 5)  # a busy machine is no slow provider
    run(work.jobs("healthy", 300, 0.01))
    assert work.most["healthy"] > 4
    assert work.done["healthy"] == 300


def test_jobs_without_a_place_stay_due_and_are_no_faults(work: Work) -> None:
    made = run(work.jobs("busy", 20, 0, busy=True), work.jobs("healthy", 3, 0))
    assert work.done["busy"] == 20
    assert work.most["busy"] == 2
    assert (made.done.connections, made.failed) == (3, 0)


def test_a_source_that_cannot_be_read_and_a_job_that_fails_hold_up_no_others(work: Work) -> None:
    def unreadable(_: object) -> Job:
        raise OSError

    def fails() -> bool:
        raise OSError

    made = _Run(lambda: 60_000)
    broken = iter([Job("a", "refresh", fails)])
    made.work(map(unreadable, [1]), broken, iter(work.jobs("healthy", 3, 0)))
    assert (made.done.connections, made.failed) == (3, 2)


def test_nothing_begins_without_time(work: Work) -> None:
    run(work.jobs("healthy", 3, 0), left_ms=lambda: 0)
    assert work.done == {}
    ends = time.monotonic() + 0.6
    run(work.jobs("slow", 30, 0.4), left_ms=lambda: round(1000 * (ends - time.monotonic())))
    assert 1 <= work.done["slow"] <= 4


@pytest.mark.parametrize(
    ("ends", "at_once", "goes_on"),
    [
        ([], 2, True),
        ([(0.1, False)] * 3, 5, True),
        ([(0.1, False)] * 30, 16, True),
        ([(0.1, False)] * 30 + [(2.5, False)], 2, True),
        ([(2.5, False)] + [(0.1, False)] * 30, 2, True),  # slow for the rest of the run
        ([(0.1, True)], 2, True),
        ([(10, False)] * 8, 2, True),
        ([(10, False)] * 9, 2, False),
        ([(0.3, False)] * 1000, 16, True),  # a healthy one has no share
    ],
)
def test_how_many_jobs_of_a_lane_run_at_once(
    ends: list[tuple[float, bool]], at_once: int, goes_on: bool
) -> None:
    lane = _Lane()
    lane.jobs.extend([Job("w", "refresh", lambda: True)] * 2000)
    for seconds, refused in ends:
        lane.begin()
        lane.end(seconds, refused=refused)
    assert (lane.at_once, lane.goes_on) == (at_once, goes_on)
