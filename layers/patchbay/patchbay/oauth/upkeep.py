"""What the schedule does for connections: refreshes them before they end, says which have ended, finishes
removals, and clears up after integrations that were deleted or whose client changed.

Each thing is due until it is done, so a run that died, or two at once, do no harm; the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from patchbay import aws
from patchbay import due as due_index
from patchbay.errors import Problem
from patchbay.oauth import refresh, store
from patchbay.oauth.connections import finish_removal
from patchbay.oauth.models import ConnectionStatus
from patchbay.oauth.store import StoredConnection
from patchbay.observability import logger
from patchbay.registry import activity, client
from patchbay.registry import store as integrations
from patchbay.registry.store import Task
from patchbay.schema import now_ms
from patchbay.webhooks import service as webhooks

# What is begun may take two requests of 10 s, and its writes.
_RESERVE_MS = 30_000
# Providers are slow, and each of these mostly waits.
_THREADS = 16
_BATCH = 64


class Done(NamedTuple):
    """How many connections were looked at, and how many tasks were done."""

    connections: int = 0
    tasks: int = 0


class Incomplete(Exception):
    """Some things could not be done; they are due still."""


def keep_up(remaining_ms: Callable[[], int]) -> Done:
    """Do what is due, as far as the time goes. Raises Incomplete, after all the others, when some could not
    be done.
    """
    run = _Run(remaining_ms)
    # Tasks only mark connections, and what they mark is due with all the others: so none holds up a refresh.
    run.do_tasks(until_ms=remaining_ms() * 2 // 3)
    run.do_connections(until_ms=_RESERVE_MS)
    run.do_tasks(until_ms=_RESERVE_MS // 2)  # those that waited for connections to go
    if run.failed:
        raise Incomplete(f"{run.failed} things could not be done; the next run tries again")
    return run.done


class _Run:
    """One run of the schedule, and what it got done."""

    def __init__(self, remaining_ms: Callable[[], int]) -> None:
        self.done = Done()
        self.failed = 0
        self._remaining_ms = remaining_ms

    def do_tasks(self, *, until_ms: int) -> None:
        for task in integrations.tasks():
            if self._remaining_ms() < until_ms:
                return
            try:
                if _work(task, lambda: self._remaining_ms() - until_ms):
                    integrations.task_done(task)
                    self.done = self.done._replace(tasks=self.done.tasks + 1)
            except aws.CallFailed:
                logger.exception("task not done", kind=task.kind, integration_id=task.integration_id)
                self.failed += 1

    def do_connections(self, *, until_ms: int) -> None:
        with ThreadPoolExecutor(_THREADS) as pool:
            for shard in due_index.SHARDS:
                due = store.due(shard, now_ms())
                while self._remaining_ms() > until_ms and (batch := list(islice(due, _BATCH))):
                    for future in as_completed([pool.submit(_look_at, key) for key in batch]):
                        self._note(future.exception())

    def _note(self, error: BaseException | None) -> None:
        if error is None:
            self.done = self.done._replace(connections=self.done.connections + 1)
        else:
            # Whatever it is: one connection is not to hold up those of all others. The run fails in the end.
            logger.error("a connection could not be looked at", exc_info=error)
            self.failed += 1


def _look_at(key: tuple[str, str]) -> None:
    """One connection that the index says is due; its row says whether that is still so."""
    connection = store.get_by_key(key)
    now = now_ms()
    if connection is None or connection.due_at is None or connection.due_at > now:
        return
    try:
        _do(connection, now)
    except Problem as problem:
        # Its row has it, and when to look again; what has no row to say it in is looked at an hour later.
        logger.info("connection not refreshed", connection_id=connection.id, detail=problem.detail)
        later = store.get_by_key(key)
        if later is not None and later.due_at == connection.due_at:
            store.settle(later, now + 3_600_000)


def _do(connection: StoredConnection, now: int) -> None:
    match connection.status:
        case ConnectionStatus.REVOKED:
            finish_removal(connection, activity.SYSTEM)
        case ConnectionStatus.EXPIRED:
            refresh.announce(connection)
        case _:
            integration = integrations.get(connection.workspace_id, connection.integration_id)
            if integration is None:
                store.settle(connection, None)  # its removal is a task
            elif integration.generation != connection.generation:
                refresh.expire(connection, refresh.CLIENT_CHANGED, refresh.CLIENT_CHANGED_DETAIL)
            else:
                refresh.fresh(integration, connection, activity.SYSTEM)


# ── after integrations ───────────────────────────────────────────────────────────────────────────────


def _work(task: Task, left_ms: Callable[[], int]) -> bool:
    """Whether the task is done. One that ran out of time, or waits for connections, is gone on with later."""
    match task.kind:
        case "expire":
            return _expire_all(task, left_ms)
        case "remove":
            return _remove_all(task, left_ms)
        case "withdraw":
            return _stop_copies(task, client.WITHDRAWN, left_ms)


def _expire_all(task: Task, left_ms: Callable[[], int]) -> bool:
    integration = integrations.get(task.workspace_id, task.integration_id)
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
    integration = integrations.get_with_deleted(task.workspace_id, task.integration_id)
    if integration is None:
        return True
    gone = webhooks.delete_of_integration(task.workspace_id, task.integration_id)
    if not _stop_copies(task, client.PUBLISHER_REMOVED, left_ms):
        return False
    for connection in store.all_of(task.workspace_id, task.integration_id):
        if left_ms() < 0:
            return False
        gone = False
        if connection.status != ConnectionStatus.REVOKED:
            with suppress(store.Changed):  # a refresh was faster; the next run takes it as it is then
                store.begin_removal(connection, now_ms(), [])
    if gone:
        integrations.forget(integration)
    return gone


def _stop_copies(task: Task, reason: str, left_ms: Callable[[], int]) -> bool:
    for workspace_id, copy in integrations.installs(task.integration_id):
        if left_ms() < 0:
            return False
        client.put_out_of_service(workspace_id, copy, reason)
    return True
