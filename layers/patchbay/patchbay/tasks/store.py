"""The tasks table.

Key: workspaceId, id. Two kinds of rows:
    tsk_…       a task; that of an erasure outlives everything else of its workspace
    running     `tasks`: the IDs of the workspace's running tasks, whose number is limited
Index, sparse: `due` (dueShard, dueAt) has the running tasks. Those of whole workspaces have their own shard,
because another function does their work. A task expires by TTL 30 days after its last slice. A task and the
row `running` change in one transaction. Times are Unix milliseconds.

After a rollback, the table can have tasks of types that this release does not know. It leaves them alone:
they are not listed, not found and not claimed, and stay due until the newer release is back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from pydantic import JsonValue

from patchbay.ids import TaskId, WebhookId
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.storage.paging import Page
from patchbay.storage.records import from_row, to_row
from patchbay.tasks.models import TaskStatus, TaskType

MAX_RUNNING = 5
# The shard of the index `due` for tasks of whole workspaces.
WORKSPACE_SHARD = len(due_index.SHARDS)
_RUNNING = "running"
# `createdBy` of an erasure that has ended.
ERASED = "erased"
_KEEP_SECONDS = 30 * 86_400
# The types that this release knows, as values of a condition.
_TYPES = {f"type{number}": type for number, type in enumerate(get_args(TaskType))}


class TooManyRunning(Exception):
    """The workspace has MAX_RUNNING running tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTask:
    """A task's row. `reached` is where the last slice ended; its feature defines it. `claims` counts the
    slices that have started since one last ended. `file_bytes` is the size of an export's file.
    """

    workspace_id: str
    id: TaskId
    type: TaskType
    status: TaskStatus
    webhook_id: WebhookId | None = None
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)
    done: int = 0
    total: int | None = None
    reached: str | None = None
    claims: int = 0
    file_bytes: int | None = None
    error_code: str | None = None
    error_detail: str | None = None
    created_by: str
    created_at: int
    updated_at: int
    ended_at: int | None = None
    version: int = 1

    @property
    def is_of_workspace(self) -> bool:
        return self.type in ("workspace.erase", "workspace.export")

    @property
    def is_counted(self) -> bool:
        """Whether it counts against MAX_RUNNING. Nothing may prevent an erasure."""
        return self.type != "workspace.erase"


def create(task: StoredTask, extra_actions: Sequence[dynamo.TransactItem]) -> None:
    """Store a new task; `extra_actions` join the transaction. Raises TooManyRunning, and TransactionCanceled
    if the condition of an extra action fails.
    """
    row = to_row(task) | {
        "dueShard": WORKSPACE_SHARD if task.is_of_workspace else due_index.shard_of(task.id),
        "dueAt": task.created_at,
        "ttl": _ttl(task.created_at),
    }
    running = dynamo.update_action(
        settings().tasks_table,
        _key(task.workspace_id, _RUNNING),
        "ADD tasks :id",
        condition="attribute_not_exists(tasks) OR size(tasks) < :most",
        id=frozenset((task.id,)),
        most=MAX_RUNNING,
    )
    new = dynamo.put_action(settings().tasks_table, row, condition="attribute_not_exists(id)")
    if not task.is_counted:
        dynamo.transact([new, *extra_actions])
        return
    try:
        dynamo.transact([running, new, *extra_actions])
    except dynamo.TransactionCanceled as refused:
        if 0 in refused.failed:
            raise TooManyRunning from None
        raise


def get(workspace_id: str, id: TaskId) -> StoredTask | None:
    row = dynamo.get(settings().tasks_table, _key(workspace_id, id))
    return _from_row(row) if row else None


def page(
    workspace_id: str,
    *,
    status: TaskStatus | None,
    webhook_id: WebhookId | None,
    limit: int,
    cursor: str | None,
) -> Page[StoredTask]:
    """Tasks, newest first."""
    filters = {"status": status, "webhookId": webhook_id}
    values = {name: value for name, value in filters.items() if value is not None}
    rows = dynamo.page(
        dynamo.PageQuery(
            settings().tasks_table,
            partition=("workspaceId", workspace_id),
            sort_range=("id", *TaskId.range(None, None)),
            limit=limit,
            cursor=cursor,
            filter=" AND ".join(f"#{name} = :{name}" for name in values) or None,
            names={f"#{name}": name for name in values},
            values=values,
        )
    )
    return rows.map(_from_row)


def running(workspace_id: str, type: TaskType) -> StoredTask | None:
    """The running task of this type, if there is one, among the newest 100 tasks."""
    tasks = page(workspace_id, status="RUNNING", webhook_id=None, limit=100, cursor=None).items
    return next((task for task in tasks if task.type == type), None)


def workspace_keys(workspace_id: str, keep: TaskId) -> Iterator[dynamo.Row]:
    """The keys of all rows of a workspace, except the task `keep`."""
    for row in dynamo.query(
        settings().tasks_table,
        "workspaceId = :workspace",
        attributes=("workspaceId", "id"),
        workspace=workspace_id,
    ):
        if row["id"] != keep:
            yield row


def due(shard: int, now: int) -> Iterator[tuple[str, TaskId]]:
    """The running tasks (workspace, ID) that are due, longest due first."""
    for row in due_index.due_keys(settings().tasks_table, shard, now):
        yield row["workspaceId"], TaskId(row["id"])


def claim(workspace_id: str, id: TaskId, now: int, next_due_at: int) -> StoredTask | None:
    """Claim a due task and return it, or None if another process has it, or if it has ended. It is due again
    at `next_due_at`.
    """
    try:
        row = dynamo.update(
            settings().tasks_table,
            _key(workspace_id, id),
            "SET dueAt = :next, #ttl = :ttl ADD claims :one",
            condition=f"dueAt <= :now AND #type IN (:{', :'.join(_TYPES)})",
            names={"#ttl": "ttl", "#type": "type"},
            next=next_due_at,
            now=now,
            ttl=_ttl(now),
            one=1,
            **_TYPES,
        )
    except dynamo.ConditionFailed:
        return None
    return from_row(StoredTask, row)


def advance(seen: StoredTask, reached: str | None, done: int, now: int, due_at: int) -> bool:
    """Record a slice that did `done` units of work. Does nothing and returns False if the task has ended, or
    if another process recorded a slice since `seen` was read.
    """
    updates = "SET claims = :none, updatedAt = :now, dueAt = :due"
    try:
        dynamo.update(
            settings().tasks_table,
            _key(seen.workspace_id, seen.id),
            f"{updates}{', reached = :reached' if reached else ''} ADD done :done, version :one",
            condition=f"#status = :running AND {_unmoved(seen)}",
            names={"#status": "status"},
            returning="NONE",
            running="RUNNING",
            none=0,
            now=now,
            due=due_at,
            done=done,
            one=1,
            **_values(seen, reached),
        )
    except dynamo.ConditionFailed:
        return False
    return True


def end(
    seen: StoredTask,
    status: TaskStatus,
    now: int,
    *,
    done: int = 0,
    error: tuple[str, str] | None = None,
    size: int | None = None,
    extra_actions: Sequence[dynamo.TransactItem] = (),
) -> bool:
    """End a running task, with the work of its last slice, an error (code, detail) or the `size` of its
    file; `extra_actions` join the transaction. Returns False if it has ended already, or if another process
    recorded a slice since `seen` was read. The row of an erasure forgets who started it.
    """
    result = ", errorCode = :code, errorDetail = :detail" if error else ""
    values: dict[str, object] = {"code": error[0], "detail": error[1]} if error else {}
    if size is not None:
        result, values["size"] = f"{result}, fileBytes = :size", size
    if not seen.is_counted:
        result, values["nobody"] = f"{result}, createdBy = :nobody", ERASED
    ended = dynamo.update_action(
        settings().tasks_table,
        _key(seen.workspace_id, seen.id),
        f"SET #status = :status, updatedAt = :now, endedAt = :now, #ttl = :ttl{result} "
        "REMOVE dueShard, dueAt, claims ADD done :done, version :one",
        condition=f"#status = :running AND {_unmoved(seen)}",
        names={"#status": "status", "#ttl": "ttl"},
        status=status,
        running="RUNNING",
        now=now,
        ttl=_ttl(now),
        done=done,
        one=1,
        **_values(seen, None),
        **values,
    )
    freed = dynamo.update_action(
        settings().tasks_table,
        _key(seen.workspace_id, _RUNNING),
        "DELETE tasks :id",
        id=frozenset((seen.id,)),
    )
    try:
        dynamo.transact([ended, *([freed] if seen.is_counted else []), *extra_actions])
    except dynamo.TransactionCanceled:
        return False
    return True


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _from_row(row: dynamo.Row) -> StoredTask | None:
    """The task of a row; None if this release does not know its type."""
    return from_row(StoredTask, row) if row["type"] in _TYPES.values() else None


def _unmoved(seen: StoredTask) -> str:
    return "attribute_not_exists(reached)" if seen.reached is None else "reached = :seen"


def _values(seen: StoredTask, reached: str | None) -> dict[str, str]:
    values = {"seen": seen.reached, "reached": reached}
    return {name: value for name, value in values.items() if value is not None}


def _key(workspace_id: str, id: str) -> dynamo.Row:
    return {"workspaceId": workspace_id, "id": id}


def _ttl(now: int) -> int:
    return now // 1000 + _KEEP_SECONDS
