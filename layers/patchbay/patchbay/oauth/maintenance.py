"""What the schedule does for connections: refreshes them before they end, announces those that have ended,
finishes removals, and clears up after integrations that were deleted or whose client changed.

Everything stays due until it is done, so it does no harm if a run dies or overlaps with another.

A run works in lanes, one for each workspace and kind of work, which take turns. A lane starts with two jobs
at a time and gets one more for each quick job, so slow providers delay only their own workspace.
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
from typing import Any, Literal, NamedTuple

from patchbay.clock import now_ms
from patchbay.errors import Problem
from patchbay.integrations import activity, client
from patchbay.integrations import store as integrations_store
from patchbay.integrations.store import Task
from patchbay.oauth import calls, refresh, store
from patchbay.oauth.connections import finish_removal
from patchbay.oauth.models import ConnectionStatus
from patchbay.oauth.store import Found, StoredConnection
from patchbay.observability import logger
from patchbay.settings import settings
from patchbay.storage import due_index
from patchbay.webhooks import service as webhooks

# A job that has begun can take two requests of 10 s, and its writes.
_RESERVE_MS = 30_000
# How many jobs run at once, and how many of them may be quick. A job that has run for longer than a quick
# provider takes only waits. If more jobs were quick, they would compete for the CPU and look slow themselves.
_THREADS = 64
_QUICK = 16
# How often to check which jobs have become ones that only wait.
_LOOK_SECONDS = 0.25
# How many jobs of a lane run at once: at first and while it is slow, and at most.
_CAREFULLY = 2
_AT_MOST = 16
# A slow lane starts no more jobs once its jobs have taken this long in total. The rest stays due for the next
# run.
_SHARE_SECONDS = 90.0
# How many keys to read from each shard of the index. The ceiling of connections limits a workspace's part.
_MOST_KEYS = 10_000

_random = random.SystemRandom()

Kind = Literal["task", "ending", "refresh"]


class RunSummary(NamedTuple):
    """How many connections were looked at, and how many tasks were done."""

    connections: int = 0
    tasks: int = 0


class Incomplete(Exception):
    """Some things could not be done; they are due still."""


class Job(NamedTuple):
    """Something due. `work` returns whether it was done."""

    workspace_id: str
    kind: Kind
    work: Callable[[], bool]


def run_due(remaining_ms: Callable[[], int]) -> RunSummary:
    """Do what is due, as far as the time goes. Raises Incomplete, after all the others, when some could not
    be done.
    """
    settings()  # wrongly set up, it stops here: that is no fault of one job
    run = _Run(lambda: remaining_ms() - _RESERVE_MS)
    shards = [_connections("refresh", store.refreshes_due(shard, now_ms())) for shard in due_index.SHARDS]
    if run.work(run.tasks(), _endings(), *shards):
        run.work(_endings())  # what the tasks have marked
        run.work(run.tasks())  # those that waited for the endings
    if run.failed:
        raise Incomplete(f"{run.failed} things could not be done; the next run tries again")
    return run.done


def _connections(kind: Kind, keys: Iterator[tuple[str, str]]) -> Iterator[Job]:
    for key in keys:
        yield Job(key[0].rpartition("#")[0], kind, partial(_look_at, key))


def _endings() -> Iterator[Job]:
    return _connections("ending", store.endings_due(now_ms()))


@dataclass(eq=False)
class _Lane:
    """A workspace's jobs of one kind in one run."""

    jobs: deque[Job] = field(default_factory=deque)
    at_once: int = _CAREFULLY
    running: int = 0
    slow: bool = False
    seconds: float = 0.0

    @property
    def goes_on(self) -> bool:
        """Whether another of its jobs may begin now."""
        spent = self.slow and self.seconds >= _SHARE_SECONDS
        return bool(self.jobs) and self.running < self.at_once and not spent

    def begin(self) -> Job:
        self.running += 1
        return self.jobs.popleft()

    def end(self, seconds: float, *, refused: bool) -> None:
        self.running -= 1
        self.seconds += seconds
        self.slow = self.slow or refused or seconds > calls.SLOW_SECONDS
        self.at_once = _CAREFULLY if self.slow else min(self.at_once + 1, _AT_MOST)


class _Run:
    """One run of the schedule, and what it got done. `left_ms` is the time in which jobs may begin."""

    def __init__(self, left_ms: Callable[[], int]) -> None:
        self.done = RunSummary()
        self.failed = 0
        self._left_ms = left_ms

    def tasks(self) -> Iterator[Job]:
        for task in integrations_store.tasks():
            yield Job(task.workspace_id, "task", partial(_work, task, self._left_ms))

    def work(self, *sources: Iterator[Job]) -> bool:
        """Do the jobs of all sources, the lanes in turn. Returns whether there were tasks among them."""
        with ThreadPoolExecutor(_THREADS) as pool:
            lanes = self._lanes(pool, sources)
            turns = [lane for lane in lanes.values() if lane.jobs]
            _random.shuffle(turns)  # so that no workspace is always the last one
            self._take_turns(pool, deque(turns))
        return any(kind == "task" for _, kind in lanes)

    def _lanes(
        self, pool: ThreadPoolExecutor, sources: Iterable[Iterator[Job]]
    ) -> dict[tuple[str, Kind], _Lane]:
        lanes: dict[tuple[str, Kind], _Lane] = {}
        if self._left_ms() <= 0:
            return lanes
        for future in [pool.submit(list, islice(source, _MOST_KEYS)) for source in sources]:
            if self._went_well(future):
                for job in future.result():
                    lanes.setdefault((job.workspace_id, job.kind), _Lane()).jobs.append(job)
        return lanes

    def _take_turns(self, pool: ThreadPoolExecutor, turns: deque[_Lane]) -> None:
        """`turns` holds the lanes that may begin a job now. The end of a job may put its lane back."""
        running: dict[Future[bool], tuple[_Lane, Job, float]] = {}
        while True:
            while turns and self._has_room([began for _, _, began in running.values()]):
                lane = turns.popleft()
                job = lane.begin()
                running[pool.submit(job.work)] = lane, job, time.monotonic()
                if lane.goes_on:
                    turns.append(lane)
            if not running:
                return
            for future in wait(running, _LOOK_SECONDS, FIRST_COMPLETED).done:
                lane, job, began = running.pop(future)
                waited = not lane.goes_on
                lane.end(
                    time.monotonic() - began, refused=isinstance(future.exception(), calls.ProvidersBusy)
                )
                if waited and lane.goes_on:
                    turns.append(lane)
                elif not waited and not lane.goes_on:
                    turns.remove(lane)
                if self._went_well(future) and future.result():
                    count = "tasks" if job.kind == "task" else "connections"
                    self.done = self.done._replace(**{count: getattr(self.done, count) + 1})

    def _has_room(self, began: Sequence[float]) -> bool:
        quick = sum(1 for at in began if time.monotonic() - at < calls.SLOW_SECONDS)
        return len(began) < _THREADS and quick < _QUICK and self._left_ms() > 0

    def _went_well(self, future: Future[Any]) -> bool:
        error = future.exception()
        if error is None:
            return True
        if not isinstance(error, Exception):
            raise error  # the process must end
        if not isinstance(error, calls.ProvidersBusy):  # not a fault; the job stays due
            # Whatever it is, one job must not delay the others. The run fails in the end.
            logger.error("something due could not be done", exc_info=error)
            self.failed += 1
        return False


def _look_at(key: tuple[str, str]) -> bool:
    """Look at a connection that is due by the index; its row says whether it still is. Raises ProvidersBusy."""
    found = store.find_by_key(key)
    connection, now = found.connection, now_ms()
    if connection is None or connection.due_at is None or connection.due_at > now:
        return True
    try:
        _do(found, connection, now)
    except calls.ProvidersBusy:
        raise
    except Problem as problem:
        # Its row has it, and when to look again; what has no row to say it in is looked at an hour later.
        logger.info("connection not refreshed", connection_id=connection.id, detail=problem.detail)
        later = store.get_by_key(key)
        if later is not None and later.due_at == connection.due_at:
            store.settle(later, now + 3_600_000)
    return True


def _do(found: Found, connection: StoredConnection, now: int) -> None:
    match connection.status:
        case ConnectionStatus.REVOKED:
            finish_removal(connection, found.calls, activity.SYSTEM)
        case ConnectionStatus.EXPIRED:
            refresh.announce(connection)
        case _ if found.integration is None:
            store.settle(connection, None)  # its removal is a task
        case _ if found.integration.generation != connection.generation:
            refresh.expire(connection, refresh.CLIENT_CHANGED, refresh.CLIENT_CHANGED_DETAIL)
        case _ if connection.lease_owner is None or (connection.lease_until or 0) < now:
            calls.check(found.calls)
            refresh.fresh(found.integration, connection, found.calls, activity.SYSTEM)
        case _:
            pass  # another process refreshes it


# ── after integrations ───────────────────────────────────────────────────────────────────────────────


def _work(task: Task, left_ms: Callable[[], int]) -> bool:
    """Whether the task is done. One that ran out of time, or waits for connections, is gone on with later."""
    match task.kind:
        case "expire":
            done = _expire_all(task, left_ms)
        case "remove":
            done = _remove_all(task, left_ms)
        case "withdraw":
            done = _stop_copies(task, client.WITHDRAWN, left_ms)
    if done:
        integrations_store.task_done(task)
    return done


def _expire_all(task: Task, left_ms: Callable[[], int]) -> bool:
    integration = integrations_store.get(task.workspace_id, task.integration_id)
    if integration is None:
        return True  # deleted since; its removal is a task of its own
    for connection in store.all_of(task.workspace_id, task.integration_id):
        if left_ms() < 0:
            return False
        if connection.generation != integration.generation and connection.status in (
            ConnectionStatus.ACTIVE,
            ConnectionStatus.ERROR,
        ):
            refresh.expire(connection, refresh.CLIENT_CHANGED, refresh.CLIENT_CHANGED_DETAIL)
    return True


def _remove_all(task: Task, left_ms: Callable[[], int]) -> bool:
    """Webhooks are removed, copies put out of service, connections marked to be revoked; once those are gone,
    the tombstone goes.
    """
    integration = integrations_store.get_with_deleted(task.workspace_id, task.integration_id)
    if integration is None:
        return True
    gone = webhooks.delete_for_integration(task.workspace_id, task.integration_id)
    if not _stop_copies(task, client.PUBLISHER_REMOVED, left_ms):
        return False
    for connection in store.all_of(task.workspace_id, task.integration_id):
        if left_ms() < 0:
            return False
        gone = False
        if connection.status != ConnectionStatus.REVOKED:
            with suppress(
                store.ConnectionChanged
            ):  # a refresh was faster; the next run takes it as it is then
                store.begin_removal(connection, now_ms(), [])
    if gone:
        integrations_store.forget(integration)
    return gone


def _stop_copies(task: Task, reason: str, left_ms: Callable[[], int]) -> bool:
    for workspace_id, copy in integrations_store.installs(task.integration_id):
        if left_ms() < 0:
            return False
        client.put_out_of_service(workspace_id, copy, reason)
    return True
