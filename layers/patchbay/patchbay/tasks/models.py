"""The API models of tasks."""

from __future__ import annotations

from typing import Literal

from patchbay.api_model import ApiModel, JsonObject, ListQuery, Timestamp
from patchbay.ids import TaskId, WebhookId

TaskType = Literal["webhook.replay"]
TaskStatus = Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]


class TaskError(ApiModel):
    """Why a task failed. `code` is stable, such as `webhook_disabled` or `internal`."""

    code: str
    detail: str


class Task(ApiModel):
    """`done` is the number of deliveries that were queued so far; after a crash, it can be too low. `total`
    is how many there were to queue at the start, null if there were too many to count. `parameters` is the
    request that started the task, with its defaults.
    """

    id: TaskId
    type: TaskType
    status: TaskStatus
    webhook_id: WebhookId
    parameters: JsonObject
    done: int
    total: int | None
    error: TaskError | None
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp
    ended_at: Timestamp | None
    version: int


class TaskQuery(ListQuery):
    status: TaskStatus | None = None
    webhook_id: WebhookId | None = None
