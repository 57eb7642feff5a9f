"""The scheduled run: refresh tokens before they expire, announce expiries, finish removals, and clean up
after integrations that were deleted or whose client changed.

Runs every minute (`RefreshConnectionsFunction` in template.yaml). A connection is due when its `dueAt` has
passed: after a refresh, `refresh_policy.scheduled_ms` sets it; after a failure, it is the time of the next
try; for an expiry or a removal, it is now.

Everything stays due until it is done, so a run that dies or overlaps with another does no harm.

A run has one queue for each workspace and kind of job, and takes jobs from the queues in turn. A queue starts
with two jobs at a time and gets one more for each quick job, so slow providers delay only their own
workspace.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Literal, NamedTuple

from patchbay.activity import log as activity
from patchbay.clock import now_ms
from patchbay.errors import Problem
from patchbay.integrations import client
from patchbay.integrations import service as integrations
from patchbay.integrations.stored_integration import Task
from patchbay.oauth import provider_calls, refresh, store
from patchbay.oauth.connections import finish_removal
from patchbay.oauth.models import ConnectionStatus
from patchbay.oauth.store import ConnectionLookup
from patchbay.oauth.stored_connection import StoredConnection
from patchbay.observability import logger
from patchbay.settings import settings
from patchbay.storage import due_index
from patchbay.storage.due_index import IncompleteRun
from patchbay.webhooks import service as webhooks

# A job can take two requests of 10 s, plus its writes.
_RESERVE_MS = 30_000
# How many jobs run concurrently, and how many of them may be in their first SLOW_SECONDS. A job that has run
# for longer is only waiting. More new jobs would compete for the CPU and seem slow themselves.
_THREADS = 64
_MAX_QUICK_JOBS = 16
# How often to check which jobs have run for that long.
_POLL_SECONDS = 0.25
# How many jobs of a queue run concurrently: initially and while the queue is slow, and at most.
_MIN_CONCURRENCY = 2
_MAX_CONCURRENCY = 16
# A slow queue starts no more jobs once its jobs have taken this long in total. The rest stays due.
_SLOW_BUDGET_SECONDS = 90.0
# How many keys to read from each shard of the index. The ceiling of connections limits a workspace's part.
_MAX_KEYS = 10_000
# When to retry a job that failed, if it did not schedule the next attempt itself.
_RETRY_MS = 3_600_000

_random = random.SystemRandom()

# A cleanup announces an expiry or finishes a removal.
JobKind = Literal["task", "cleanup", "refresh"]


class RunSummary(NamedTuple):
    """How many connections were processed, and how many tasks were completed."""

    connections: int = 0
    tasks: int = 0


class Job(NamedTuple):
    """Work that is due. `run` returns whether it was completed."""

    workspace_id: str
    kind: JobKind
    run: Callable[[], bool]


def run_due(remaining_ms: Callable[[], int]) -> RunSummary:
    """Process what is due while time remains. Raises IncompleteRun at the end if some jobs failed."""
    settings()  # fail now if the deployment is misconfigured, instead of in each job
    run = _Run(lambda: remaining_ms() - _RESERVE_MS)
    refreshes = [
        _connection_jobs("refresh", store.due_refresh_keys(shard, now_ms())) for shard in due_index.SHARDS
    ]
    if run.process(run.task_jobs(), _cleanup_jobs(), *refreshes):
        run.process(_cleanup_jobs())  # those that the tasks have made due
        run.process(run.task_jobs())  # those that waited for the cleanups
    if run.failed:
        raise IncompleteRun(f"{run.failed} jobs failed; the next run retries them")
    return run.summary


def _connection_jobs(kind: JobKind, keys: Iterator[tuple[str, str]]) -> Iterator[Job]:
    for key in keys:
        yield Job(key[0].rpartition("#")[0], kind, partial(_process_connection, key))


def _cleanup_jobs() -> Iterator[Job]:
    return _connection_jobs("cleanup", store.due_cleanup_keys(now_ms()))


@dataclass(eq=False)
class _JobQueue:
    """A workspace's jobs of one kind in one run."""

    jobs: deque[Job] = field(default_factory=deque)
    concurrency: int = _MIN_CONCURRENCY
    running: int = 0
    is_slow: bool = False
    seconds: float = 0.0

    @property
    def can_start_job(self) -> bool:
        is_budget_used = self.is_slow and self.seconds >= _SLOW_BUDGET_SECONDS
        return bool(self.jobs) and self.running < self.concurrency and not is_budget_used

    def start_job(self) -> Job:
        self.running += 1
        return self.jobs.popleft()

    def finish_job(self, seconds: float, *, is_busy: bool) -> None:
        """`is_busy` means that the job got no permit to call its provider."""
        self.running -= 1
        self.seconds += seconds
        self.is_slow = self.is_slow or is_busy or seconds > provider_calls.SLOW_SECONDS
        self.concurrency = _MIN_CONCURRENCY if self.is_slow else min(self.concurrency + 1, _MAX_CONCURRENCY)


class _Run:
    """One run and its results. `time_left_ms` returns the time in which jobs may still start."""

    def __init__(self, time_left_ms: Callable[[], int]) -> None:
        self.summary = RunSummary()
        self.failed = 0
        self._time_left_ms = time_left_ms

    def task_jobs(self) -> Iterator[Job]:
        for task in integrations.tasks():
            yield Job(task.workspace_id, "task", partial(_run_task, task, self._time_left_ms))

    def process(self, *sources: Iterator[Job]) -> bool:
        """Run the jobs of all sources, the queues in turn. Returns whether any job was a task."""
        with ThreadPoolExecutor(_THREADS) as pool:
            queues = self._read(pool, sources)
            turns = list(queues.values())
            _random.shuffle(turns)  # so that no workspace is always the last one
            self._process_in_turn(pool, deque(turns))
        return any(kind == "task" for _, kind in queues)

    def _read(
        self, pool: ThreadPoolExecutor, sources: Iterable[Iterator[Job]]
    ) -> dict[tuple[str, JobKind], _JobQueue]:
        queues: dict[tuple[str, JobKind], _JobQueue] = {}
        if self._time_left_ms() <= 0:
            return queues
        for future in [pool.submit(list, islice(source, _MAX_KEYS)) for source in sources]:
            if self._has_succeeded(future):
                for job in future.result():
                    queues.setdefault((job.workspace_id, job.kind), _JobQueue()).jobs.append(job)
        return queues

    def _process_in_turn(self, pool: ThreadPoolExecutor, turns: deque[_JobQueue]) -> None:
        """`turns` holds the queues that can start a job now. A finished job may put its queue back."""
        running: dict[Future[bool], tuple[_JobQueue, Job, float]] = {}
        while True:
            while turns and self._has_capacity([started for _, _, started in running.values()]):
                queue = turns.popleft()
                job = queue.start_job()
                running[pool.submit(job.run)] = queue, job, time.monotonic()
                if queue.can_start_job:
                    turns.append(queue)
            if not running:
                return
            for future in wait(running, _POLL_SECONDS, FIRST_COMPLETED).done:
                queue, job, started = running.pop(future)
                was_waiting = not queue.can_start_job
                is_busy = isinstance(future.exception(), provider_calls.ProvidersBusy)
                queue.finish_job(time.monotonic() - started, is_busy=is_busy)
                if was_waiting and queue.can_start_job:
                    turns.append(queue)
                elif not was_waiting and not queue.can_start_job:
                    turns.remove(queue)
                if self._has_succeeded(future) and future.result():
                    self._count(job)

    def _has_capacity(self, start_times: Sequence[float]) -> bool:
        quick = sum(1 for start in start_times if time.monotonic() - start < provider_calls.SLOW_SECONDS)
        return len(start_times) < _THREADS and quick < _MAX_QUICK_JOBS and self._time_left_ms() > 0

    def _has_succeeded(self, future: Future[bool] | Future[list[Job]]) -> bool:
        """Also counts and logs a failure."""
        error = future.exception()
        if error is None:
            return True
        if not isinstance(error, Exception):
            raise error  # the process must end
        if not isinstance(error, provider_calls.ProvidersBusy):  # not a failure; the job stays due
            # Whatever the error is, one job must not delay the others. The run fails at the end.
            logger.error("maintenance job failed", exc_info=error)
            self.failed += 1
        return False

    def _count(self, job: Job) -> None:
        connections, tasks = self.summary
        if job.kind == "task":
            self.summary = RunSummary(connections, tasks + 1)
        else:
            self.summary = RunSummary(connections + 1, tasks)


def _process_connection(key: tuple[str, str]) -> bool:
    """Process a connection that the index lists as due, if its row confirms that. Raises ProvidersBusy."""
    lookup = store.find_by_key(key)
    connection, now = lookup.connection, now_ms()
    if connection is None or connection.due_at is None or connection.due_at > now:
        return True
    try:
        _process_due(lookup, connection, now)
    except provider_calls.ProvidersBusy:
        raise
    except Problem as problem:
        # Usually, the row now has the error and the time of the next attempt.
        logger.info("connection not refreshed", connection_id=connection.id, detail=problem.detail)
        current = store.get_by_key(key)
        if current is not None and current.due_at == connection.due_at:
            store.reschedule(current, now + _RETRY_MS)
    return True


def _process_due(lookup: ConnectionLookup, connection: StoredConnection, now: int) -> None:
    match connection.status:
        case ConnectionStatus.REVOKED:
            finish_removal(connection, lookup.call_state, activity.SYSTEM)
        case ConnectionStatus.EXPIRED:
            refresh.announce_expiry(connection)
        case _ if lookup.integration is None:
            store.reschedule(connection, None)  # a task removes it
        case _ if lookup.integration.generation != connection.generation:
            refresh.expire(connection, refresh.CLIENT_CHANGED, refresh.CLIENT_CHANGED_DETAIL)
        case _ if not connection.is_leased(now):
            provider_calls.check_capacity(lookup.call_state)
            refresh.ensure_fresh(lookup.integration, connection, lookup.call_state, activity.SYSTEM)
        case _:
            pass  # another process is refreshing it


# ── tasks ────────────────────────────────────────────────────────────────────────────────────────────


def _run_task(task: Task, time_left_ms: Callable[[], int]) -> bool:
    """Run a task, and return whether it is completed. A later run continues one that ran out of time or waits
    for its connections.
    """
    match task.kind:
        case "expire":
            done = _expire_connections(task, time_left_ms)
        case "remove":
            done = _remove_integration(task, time_left_ms)
        case "withdraw":
            done = _disable_copies(task, client.WITHDRAWN, time_left_ms)
    if done:
        integrations.finish_task(task)
    return done


def _expire_connections(task: Task, time_left_ms: Callable[[], int]) -> bool:
    integration = integrations.find_stored(task.workspace_id, task.integration_id)
    if integration is None:
        return True  # deleted in the meantime; its removal is a separate task
    for connection in store.iter_connections(task.workspace_id, task.integration_id):
        if time_left_ms() < 0:
            return False
        if connection.generation != integration.generation and connection.status in (
            ConnectionStatus.ACTIVE,
            ConnectionStatus.ERROR,
        ):
            refresh.expire(connection, refresh.CLIENT_CHANGED, refresh.CLIENT_CHANGED_DETAIL)
    return True


def _remove_integration(task: Task, time_left_ms: Callable[[], int]) -> bool:
    """Delete the integration's webhooks, disable its copies, and start the removal of its connections. Once
    all are gone, delete its tombstone.
    """
    integration = integrations.find_stored(task.workspace_id, task.integration_id, with_deleted=True)
    if integration is None:
        return True
    is_empty = webhooks.delete_for_integration(task.workspace_id, task.integration_id)
    if not _disable_copies(task, client.PUBLISHER_REMOVED, time_left_ms):
        return False
    for connection in store.iter_connections(task.workspace_id, task.integration_id):
        if time_left_ms() < 0:
            return False
        is_empty = False
        if connection.status != ConnectionStatus.REVOKED:
            with suppress(store.ConnectionChanged):  # by a refresh; the next run starts it
                store.start_removal(connection, now_ms(), "integration_deleted")
    if is_empty:
        integrations.finish_deletion(integration)
    return is_empty


def _disable_copies(task: Task, reason: str, time_left_ms: Callable[[], int]) -> bool:
    for workspace_id, copy in integrations.copies(task.integration_id):
        if time_left_ms() < 0:
            return False
        client.deactivate_copy(workspace_id, copy, reason)
    return True
