"""The activity log and the audit log in the API."""

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
    """An action, its actor and its outcome. Kept for at least 90 days."""

    id: LogId
    action: str
    actor: str
    outcome: Literal["SUCCEEDED", "FAILED"]
    detail: str | None
    created_at: Timestamp


AuditOutcome = Literal["SUCCEEDED", "REFUSED", "FAILED"]

_AuditAction = Annotated[
    str,
    StringConstraints(
        pattern=pattern(
            r"^[a-z_]{1,32}\.[a-z_]{1,32}$", "an action of the audit log, such as webhooks.update"
        )
    ),
]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class AuditQuery(PeriodQuery):
    """`target` also matches sub-resources: an integration's ID matches the entries of its connections."""

    actor: _Name | None = None
    action: _AuditAction | None = None
    target: _Name | None = None
    outcome: AuditOutcome | None = None


class AuditEntry(ApiModel):
    """A request for a change or a secret. Kept for 400 days.

    `action` is the route, such as `webhooks.update`. `actorLabel` says who uses the portal session of the
    request. `target` is the resource in the path, or the created resource. `fields` has the names of the
    fields that the body sets, never their values. `REFUSED` means that the caller does not have permission,
    or that their API key has expired or was revoked. `reason` is the error code of a request that was REFUSED
    or FAILED.
    """

    id: LogId
    action: str
    actor: str
    actor_label: str | None
    target: str | None
    fields: list[str]
    outcome: AuditOutcome
    reason: str | None
    request_id: str
    ip: str | None
    created_at: Timestamp
