"""Reads and cancels tasks for the API, and keeps their state for the feature that does their work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import JsonValue

from patchbay import idempotency, metrics
from patchbay.api_model import Listing
from patchbay.auth.principal import Principal
from patchbay.clock import from_ms, now_ms
from patchbay.errors import Conflict, NotFound, write_conflict
from patchbay.ids import TaskId, WebhookId
from patchbay.observability import logger
from patchbay.storage import dynamo
from patchbay.tasks import store
from patchbay.tasks.models import Task, TaskError, TaskQuery, TaskType
from patchbay.tasks.store import StoredTask

if TYPE_CHECKING:
    from patchbay.idempotency import Once

# A slice takes seconds. If its process dies, the next run after this long starts it again.
_CLAIM_MS = 60_000
# How soon a task is due again after a slice. Runs start every minute, so with a full minute here the next run
# could come too early.
_DUE_AGAIN_MS = 30_000
# After so many slices in a row that did not end, the task fails. The scheduled run starts one a minute.
_MAX_CLAIMS = 30
_MAX_TRIES = 3


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
    """Raises NotFound, including for a task of another workspace."""
    return _to_api(_get(principal, id))


def cancel(principal: Principal, id: TaskId) -> Task:
    """Stop a task. What it has queued is still sent, and so is the slice that is being processed. A cancelled
    task stays as it is. Raises NotFound, and Conflict if the task has ended otherwise.
    """
    for _ in range(_MAX_TRIES):
        task = _get(principal, id)
        if task.status == "CANCELLED":
            return _to_api(task)
        if task.status != "RUNNING":
            raise Conflict(f"The task has ended ({task.status}), so there is nothing to cancel.")
        if store.end(task, "CANCELLED", now_ms()):
            return _to_api(_get(principal, id))
    raise write_conflict("task")


# ── for the feature that does a task's work ──────────────────────────────────────────────────────────


def start(
    principal: Principal,
    type: TaskType,
    webhook_id: WebhookId,
    parameters: Mapping[str, JsonValue],
    total: int | None,
    once: Once | None,
) -> Task:
    """Store a new task, which is due at once. Raises Conflict if too many tasks of the workspace run."""
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
        store.create(task, [once.complete_action(response)] if once else [])
    except store.TooManyRunning:
        raise Conflict(
            f"{store.MAX_RUNNING} tasks of this workspace are running, the maximum. Wait until one ends, or "
            "cancel one: POST /api/tasks/{id}/cancel."
        ) from None
    except dynamo.TransactionCanceled:
        raise idempotency.request_in_progress() from None
    return response


def due(shard: int, now: int) -> Iterator[tuple[str, TaskId]]:
    """The tasks (workspace, ID) that are due, longest due first."""
    return store.due(shard, now)


def claim(workspace_id: str, id: TaskId) -> StoredTask | None:
    """Claim a due task for one slice, or return None if it is not due any more. A task whose slices do not
    end fails here.
    """
    now = now_ms()
    task = store.claim(workspace_id, id, now, now + _CLAIM_MS)
    if task is not None and task.claims > _MAX_CLAIMS:
        fail(task, "internal", "The task failed repeatedly because of an error in Patchbay. Start it again.")
        return None
    return task


def advance(task: StoredTask, reached: str | None, done: int) -> None:
    """Record a slice that ended at `reached` and queued `done` deliveries. More is left."""
    now = now_ms()
    store.advance(task, reached, done, now, now + _DUE_AGAIN_MS)
    metrics.add(metrics.TASK_ITEMS_DONE, done)


def wait(task: StoredTask, ms: int = _DUE_AGAIN_MS) -> None:
    """Let a task that cannot continue now be due again in `ms`."""
    now = now_ms()
    store.advance(task, None, 0, now, now + ms)


def succeed(task: StoredTask, done: int) -> None:
    """End a task whose last slice queued `done` deliveries."""
    if store.end(task, "SUCCEEDED", now_ms(), done=done):
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
        error=error,
        created_by=task.created_by,
        created_at=from_ms(task.created_at),
        updated_at=from_ms(task.updated_at),
        ended_at=from_ms(task.ended_at) if task.ended_at else None,
        version=task.version,
    )
