"""Reads and cancels tasks for the API, and keeps their state for the feature that does their work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import JsonValue

from patchbay import idempotency, metrics
from patchbay.api_model import Listing
from patchbay.auth.principal import Principal
from patchbay.clock import from_ms, now_ms
from patchbay.errors import Conflict, NotFound, write_conflict
from patchbay.ids import TaskId, WebhookId
from patchbay.observability import logger
from patchbay.storage import dynamo, objects
from patchbay.tasks import store
from patchbay.tasks.models import ExportFile, Task, TaskError, TaskQuery, TaskType
from patchbay.tasks.store import StoredTask

if TYPE_CHECKING:
    from patchbay.idempotency import Once

# A slice takes seconds. If its process dies, the next run after this long starts it again.
CLAIM_MS = 60_000
# How soon a task is due again after a slice. Runs start every minute, so with a full minute here the next run
# could come too early.
DUE_AGAIN_MS = 30_000
# After this many consecutive slices that did not end, the task fails. The scheduled run starts one a minute.
_MAX_CLAIMS = 30
_MAX_TRIES = 3
EXPORT_SCOPE = "workspace:export"
_LINK_SECONDS = 15 * 60


# ── for the API ──────────────────────────────────────────────────────────────────────────────────────


def list_tasks(principal: Principal, query: TaskQuery) -> Listing[Task]:
    """The workspace's tasks, newest first."""
    page = store.page(
        principal.workspace_id,
        status=query.status,
        webhook_id=query.webhook_id,
        limit=query.limit,
        cursor=query.cursor,
    )
    return Listing.from_page(page.map(_to_api))


def get_task(principal: Principal, id: TaskId) -> Task:
    """The task, with the link to its file if the caller may export the workspace. Raises NotFound, including
    for a task of another workspace.
    """
    task = _get(principal, id)
    response = _to_api(task)
    if task.file_bytes is None or EXPORT_SCOPE not in principal.scopes:
        return response
    now = now_ms()
    expires_at = (task.ended_at or task.updated_at) + objects.KEPT_DAYS * 86_400_000
    if expires_at <= now:
        return response
    link_seconds = min(_LINK_SECONDS, (expires_at - now) // 1000)
    url = objects.link(export_key(task), _file_name(task), link_seconds)
    if url is None:
        return response
    file = ExportFile(
        url=url,
        url_expires_at=from_ms(now + link_seconds * 1000),
        expires_at=from_ms(expires_at),
        bytes=task.file_bytes,
    )
    return response.model_copy(update={"file": file})


def cancel(principal: Principal, id: TaskId) -> Task:
    """Stop a task. What it has queued is still sent, and so is the slice in progress. A cancelled task does
    not change. An erasure cannot be cancelled, and only a caller who may export the workspace can cancel its
    export. Raises NotFound, Forbidden, and Conflict if the task has ended in another way.
    """
    for _ in range(_MAX_TRIES):
        task = _get(principal, id)
        if task.type == "workspace.erase":
            raise Conflict("An erasure cannot be canceled, because part of the workspace is already erased.")
        if task.type == "workspace.export":
            principal.require(EXPORT_SCOPE)
        if task.status == "CANCELLED":
            return _to_api(task)
        if task.status != "RUNNING":
            raise Conflict(f"The task has ended ({task.status}), so it cannot be canceled.")
        if store.end(task, "CANCELLED", now_ms()):
            return _to_api(_get(principal, id))
    raise write_conflict("task")


# ── for the feature that does a task's work ──────────────────────────────────────────────────────────


def start(
    principal: Principal,
    type: TaskType,
    webhook_id: WebhookId | None,
    parameters: Mapping[str, JsonValue],
    total: int | None,
    once: Once | None,
    actions: Callable[[TaskId], Sequence[dynamo.TransactItem]] = lambda id: (),
) -> Task:
    """Store a new task, due immediately, with further `actions` in the same transaction. Raises Conflict if
    the workspace has too many running tasks, and TransactionCanceled if the condition of an action fails.
    """
    now = now_ms()
    task = StoredTask(
        workspace_id=principal.workspace_id,
        id=TaskId.new(now),
        type=type,
        status="RUNNING",
        webhook_id=webhook_id,
        parameters=parameters,
        total=total,
        created_by=principal.id,
        created_at=now,
        updated_at=now,
    )
    response = _to_api(task)
    try:
        store.create(task, [*actions(task.id), *([once.complete_action(response)] if once else [])])
    except store.TooManyRunning:
        raise Conflict(
            f"{store.MAX_RUNNING} tasks of this workspace are running, which is the maximum. Wait until one "
            f"ends, or cancel one: POST /api/tasks/{{id}}/cancel."
        ) from None
    except dynamo.TransactionCanceled:
        if once is None:
            raise
        raise idempotency.request_in_progress() from None
    return response


def due(shard: int, now: int) -> Iterator[tuple[str, TaskId]]:
    """The tasks (workspace, ID) that are due, longest due first."""
    return store.due(shard, now)


def due_of_workspaces(now: int) -> Iterator[tuple[str, TaskId]]:
    """The tasks of whole workspaces that are due, longest due first."""
    return store.due(store.WORKSPACE_SHARD, now)


def find_running(workspace_id: str, type: TaskType) -> TaskId | None:
    """The running task of this type, if there is one."""
    task = store.running(workspace_id, type)
    return None if task is None else task.id


def claim(workspace_id: str, id: TaskId) -> StoredTask | None:
    """Claim a due task for one slice, or return None if it is no longer due. A task whose slices do not end
    fails here, except an erasure: it must end, however long that takes.
    """
    now = now_ms()
    task = store.claim(workspace_id, id, now, now + CLAIM_MS)
    if task is not None and task.claims > _MAX_CLAIMS and task.is_counted:
        fail(task, "internal", "The task failed repeatedly because of an internal error. Start it again.")
        return None
    return task


def advance(
    task: StoredTask, reached: str | None, done: int, due_in_ms: int = DUE_AGAIN_MS
) -> StoredTask | None:
    """Record a slice, or a part of one, that ended at `reached` and did `done` units of work. The task is not
    complete yet. Returns the task as it is now, or None if it has ended or another process has it.
    """
    now = now_ms()
    if not store.advance(task, reached, done, now, now + due_in_ms):
        return None
    metrics.add(metrics.TASK_ITEMS_DONE, done)
    return replace(task, reached=reached or task.reached, done=task.done + done)


def wait(task: StoredTask, ms: int = DUE_AGAIN_MS) -> None:
    """Make a task that cannot continue now due again in `ms`."""
    now = now_ms()
    store.advance(task, None, 0, now, now + ms)


def succeed(
    task: StoredTask,
    done: int,
    *,
    size: int | None = None,
    actions: Sequence[dynamo.TransactItem] = (),
) -> None:
    """End a task whose last slice did `done` units of work, with the `size` of its file if it has one, and
    further `actions` in the same transaction.
    """
    if store.end(task, "SUCCEEDED", now_ms(), done=done, size=size, extra_actions=actions):
        metrics.add(metrics.TASK_ITEMS_DONE, done)
        logger.info("task succeeded", task=task.id, workspace=task.workspace_id, done=task.done + done)


def fail(task: StoredTask, code: str, detail: str) -> None:
    """End a task that cannot be completed."""
    if store.end(task, "FAILED", now_ms(), error=(code, detail)):
        metrics.add(metrics.TASKS_FAILED)
        logger.warning("task failed", task=task.id, workspace=task.workspace_id, code=code)


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _get(principal: Principal, id: TaskId) -> StoredTask:
    task = store.get(principal.workspace_id, id)
    if task is None:
        raise NotFound("No task with this ID. Tasks are kept for 30 days.")
    return task


def _to_api(task: StoredTask) -> Task:
    error = None
    if task.error_code is not None:
        error = TaskError(code=task.error_code, detail=task.error_detail or "")
    return Task(
        id=task.id,
        type=task.type,
        status=task.status,
        webhook_id=task.webhook_id,
        parameters=dict(task.parameters),
        done=task.done,
        total=task.total,
        step=_step(task),
        file=None,
        error=error,
        created_by=task.created_by,
        created_at=from_ms(task.created_at),
        updated_at=from_ms(task.updated_at),
        ended_at=from_ms(task.ended_at) if task.ended_at else None,
        version=task.version,
    )


def export_key(task: StoredTask) -> str:
    """The key of an export's file."""
    return f"{task.workspace_id}/{task.id}.ndjson"


def _file_name(task: StoredTask) -> str:
    """The name under which a browser saves the file."""
    return f"{task.workspace_id}-{from_ms(task.created_at):%Y-%m-%d}.ndjson"


def _step(task: StoredTask) -> str | None:
    if not task.is_of_workspace or task.status != "RUNNING":
        return None
    return "starting" if task.reached is None else str(json.loads(task.reached)["step"])
