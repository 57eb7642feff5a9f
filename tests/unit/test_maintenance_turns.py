"""How a maintenance run is shared among workspaces, with jobs that only sleep."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from patchbay.oauth import maintenance, provider_calls
from patchbay.oauth.maintenance import Job, _JobQueue, _Run


class JobRecorder:
    """Creates jobs that record in which order they finish, and how many of a workspace run at a time."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.order: list[str] = []
        self.most: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    def before(self, workspace: str) -> list[str]:
        """The workspaces of the jobs that finished before the last one of a workspace."""
        return self.order[: len(self.order) - 1 - self.order[::-1].index(workspace)]

    def jobs(self, workspace: str, count: int, seconds: float, *, busy: bool = False) -> list[Job]:
        def run() -> bool:
            with self._lock:
                self._running[workspace] += 1
                self.most[workspace] = max(self.most[workspace], self._running[workspace])
            time.sleep(seconds)
            with self._lock:
                self._running[workspace] -= 1
                self.done[workspace] += 1
                self.order.append(workspace)
            if busy:
                raise provider_calls.ProvidersBusy
            return True

        return [Job(workspace, "refresh", run)] * count


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> JobRecorder:
    monkeypatch.setattr(provider_calls, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(maintenance, "_SLOW_BUDGET_SECONDS", 1.5)
    return JobRecorder()


def process(*jobs: list[Job], time_left_ms: Callable[[], int] = lambda: 60_000) -> _Run:
    run = _Run(time_left_ms)
    run.process(*map(iter, jobs))
    return run


def test_slow_workspace_uses_only_its_own_share_of_the_run(recorder: JobRecorder) -> None:
    run = process(recorder.jobs("slow", 400, 0.4), recorder.jobs("healthy", 1, 0))
    assert recorder.before("healthy") == []
    assert recorder.most["slow"] == 2
    assert 2 <= recorder.done["slow"] <= 6
    assert (run.summary.connections, run.failed) == (recorder.done.total(), 0)


def test_many_slow_workspaces_leave_turns_for_a_healthy_one(recorder: JobRecorder) -> None:
    """There are more workspaces than threads, and each gets one turn before any gets a second."""
    slow = [recorder.jobs(f"slow {index}", 2, 0.4) for index in range(70)]
    process(*slow, recorder.jobs("healthy", 1, 0))
    assert len(recorder.before("healthy")) <= 70


def test_workspace_that_turns_slow_holds_a_quarter_of_the_threads_at_most(recorder: JobRecorder) -> None:
    process(
        recorder.jobs("turncoat", 40, 0) + recorder.jobs("turncoat", 400, 0.5),
        recorder.jobs("healthy", 100, 0.001),
    )
    assert recorder.most["turncoat"] <= maintenance._MAX_CONCURRENCY == maintenance._THREADS // 4
    assert recorder.done["healthy"] == 100
    assert recorder.before("healthy").count("turncoat") <= 40 + maintenance._MAX_CONCURRENCY


def test_refreshes_and_removals_of_a_workspace_do_not_wait_for_each_other(recorder: JobRecorder) -> None:
    slow = [job._replace(kind="cleanup") for job in recorder.jobs("slow", 5, 0.4)]
    quick = [job._replace(workspace_id="slow") for job in recorder.jobs("the same", 1, 0)]
    process(slow, quick)
    assert recorder.before("the same") == []


def test_healthy_workspace_gets_more_concurrency(
    recorder: JobRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_calls, "SLOW_SECONDS", 5)  # a busy machine is not a slow provider
    process(recorder.jobs("healthy", 300, 0.01))
    assert recorder.most["healthy"] > 4
    assert recorder.done["healthy"] == 300


def test_jobs_without_a_permit_stay_due_and_are_not_failures(recorder: JobRecorder) -> None:
    run = process(recorder.jobs("busy", 20, 0, busy=True), recorder.jobs("healthy", 3, 0))
    assert recorder.done["busy"] == 20
    assert recorder.most["busy"] == 2
    assert (run.summary.connections, run.failed) == (3, 0)


def test_failing_source_and_failing_job_do_not_stop_others(recorder: JobRecorder) -> None:
    def unreadable(_: object) -> Job:
        raise OSError

    def fails() -> bool:
        raise OSError

    run = _Run(lambda: 60_000)
    failing = iter([Job("a", "refresh", fails)])
    run.process(map(unreadable, [1]), failing, iter(recorder.jobs("healthy", 3, 0)))
    assert (run.summary.connections, run.failed) == (3, 2)


def test_no_job_starts_without_time(recorder: JobRecorder) -> None:
    process(recorder.jobs("healthy", 3, 0), time_left_ms=lambda: 0)
    assert recorder.done == {}
    end = time.monotonic() + 0.6
    process(recorder.jobs("slow", 30, 0.4), time_left_ms=lambda: round(1000 * (end - time.monotonic())))
    assert 1 <= recorder.done["slow"] <= 4


@pytest.mark.parametrize(
    ("finished", "concurrency", "can_start_job"),
    [
        ([], 2, True),
        ([(0.1, False)] * 3, 5, True),
        ([(0.1, False)] * 30, 16, True),
        ([(0.1, False)] * 30 + [(2.5, False)], 2, True),
        ([(2.5, False)] + [(0.1, False)] * 30, 2, True),  # slow for the rest of the run
        ([(0.1, True)], 2, True),
        ([(10, False)] * 8, 2, True),
        ([(10, False)] * 9, 2, False),
        ([(0.3, False)] * 1000, 16, True),  # a healthy workspace has no budget
    ],
)
def test_concurrency_of_a_queue(
    finished: list[tuple[float, bool]], concurrency: int, can_start_job: bool
) -> None:
    queue = _JobQueue()
    queue.jobs.extend([Job("w", "refresh", lambda: True)] * 2000)
    for seconds, is_busy in finished:
        queue.start_job()
        queue.finish_job(seconds, is_busy=is_busy)
    assert (queue.concurrency, queue.can_start_job) == (concurrency, can_start_job)
