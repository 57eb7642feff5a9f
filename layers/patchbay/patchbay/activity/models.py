"""The activity log in the API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from patchbay.api_model import ApiModel, ListQuery, Timestamp
from patchbay.ids import LogId


class LogQuery(ListQuery):
    action: Annotated[str, StringConstraints(pattern=r"^[a-z_.]{1,64}$")] | None = None
    since: Timestamp | None = None
    until: Timestamp | None = None


class LogEntry(ApiModel):
    """An action, its actor and its outcome. Kept for 90 days."""

    id: LogId
    action: str
    actor: str
    outcome: Literal["SUCCEEDED", "FAILED"]
    detail: str | None
    created_at: Timestamp
