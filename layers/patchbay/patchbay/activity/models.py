"""The activity log in the API."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from patchbay.api_model import ApiModel, PeriodQuery, Timestamp
from patchbay.field_errors import pattern
from patchbay.ids import LogId

_Action = Annotated[
    str,
    StringConstraints(
        pattern=pattern(
            r"^[a-z_.]{1,64}$", "an action as entries of the log name it, such as integration.updated"
        )
    ),
]


class LogQuery(PeriodQuery):
    action: _Action | None = None


class LogEntry(ApiModel):
    """An action, its actor and its outcome. Kept for 90 days."""

    id: LogId
    action: str
    actor: str
    outcome: Literal["SUCCEEDED", "FAILED"]
    detail: str | None
    created_at: Timestamp
