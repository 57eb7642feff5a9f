"""The API models of tasks."""

from __future__ import annotations

from typing import Literal

from patchbay.api_model import ApiModel, JsonObject, ListQuery, Timestamp
from patchbay.ids import TaskId, WebhookId

TaskType = Literal["webhook.replay", "workspace.erase", "workspace.export"]
TaskStatus = Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]


class TaskError(ApiModel):
    """Why a task failed. `code` is stable, such as `webhook_disabled` or `internal`."""

    code: str
    detail: str


class ExportFile(ApiModel):
    """The file of an export: NDJSON, one record in each line. `url` needs no credentials and works until
    `urlExpiresAt`. Get the task again for a new URL. The file is deleted at `expiresAt`.
    """

    url: str
    url_expires_at: Timestamp
    expires_at: Timestamp
    bytes: int


class Task(ApiModel):
    """`type` is `webhook.replay`, `workspace.export` or `workspace.erase`. `done` is the number of deliveries
    queued, records exported, or rows erased so far; it can be too low after a crash. `total` is the number at
    the start; null if unknown. `step` is the current step of an erasure or export. `parameters` is the
    request that started the task, with its defaults. `webhookId` is null for a task of the whole workspace.
    `file` is the result of an export, for callers with the scope workspace:export.
    """

    id: TaskId
    type: TaskType
    status: TaskStatus
    webhook_id: WebhookId | None
    parameters: JsonObject
    done: int
    total: int | None
    step: str | None
    file: ExportFile | None
    error: TaskError | None
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp
    ended_at: Timestamp | None
    version: int


class TaskQuery(ListQuery):
    status: TaskStatus | None = None
    webhook_id: WebhookId | None = None
