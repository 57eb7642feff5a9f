"""Writes the activity log.

Table: integrationKey (`<workspace>#<int_…, whk_… or key_…>`; integrations had a log first), id (`log_…`,
ordered by time). The platform's log of a publication is at `<platform>#<workspace>/<int_…>`. Rows expire by
TTL after 90 days. A change and its entry are one transaction; the entry for a use is written before the
response is sent.

A row with `workspaceId` is also an entry of the audit log (`trail`, `audit`), and expires after 400 days.
Index, sparse: `byWorkspace` (workspaceId, id).
"""

from __future__ import annotations

from typing import Literal

from patchbay.activity import trail as trails
from patchbay.ids import ApiKeyId, IntegrationId, LogId, PublicationRef, WebhookId
from patchbay.settings import settings
from patchbay.storage import dynamo

Outcome = Literal["SUCCEEDED", "FAILED"]
SubjectId = IntegrationId | WebhookId | ApiKeyId | PublicationRef

_KEEP_SECONDS = 90 * 86_400
# The actor if there is no caller: the schedule, the delivery engine, and effects of other changes.
SYSTEM = "patchbay"


def log_action(
    workspace_id: str,
    subject: SubjectId,
    action: str,
    actor: str,
    detail: str | None = None,
    outcome: Outcome = "SUCCEEDED",
    *,
    id: LogId | None = None,
) -> dynamo.TransactItem:
    """An entry, as an action of the transaction that makes the change. A repeat with the same `id` is the
    same entry.
    """
    row, trail = _row(workspace_id, subject, action, actor, detail, outcome, id)
    put = dynamo.put_action(settings().activity_table, row)
    if trail is not None:
        trail.is_in(put)
    return put


def log(
    workspace_id: str,
    subject: SubjectId,
    action: str,
    actor: str,
    detail: str | None = None,
    outcome: Outcome = "SUCCEEDED",
) -> None:
    """Write an entry."""
    row, trail = _row(workspace_id, subject, action, actor, detail, outcome, None)
    dynamo.put(settings().activity_table, row)
    if trail is not None:
        trail.is_logged()


def partition_key(workspace_id: str, subject: SubjectId) -> str:
    """The partition with the entries of an integration, a webhook or an API key."""
    return f"{workspace_id}#{subject}"


def _row(
    workspace_id: str,
    subject: SubjectId,
    action: str,
    actor: str,
    detail: str | None,
    outcome: Outcome,
    id: LogId | None,
) -> tuple[dynamo.Row, trails.Trail | None]:
    """The row, and the trail of the request if the row is also its audit entry."""
    id = id or LogId.new()
    row: dynamo.Row = {
        "integrationKey": partition_key(workspace_id, subject),
        "id": id,
        "action": action,
        "actor": actor,
        "outcome": outcome,
        "detail": detail,
        "ttl": id.time_ms // 1000 + _KEEP_SECONDS,
    }
    trail = trails.current()
    if trail is None or not trail.takes(workspace_id, subject, action, actor, outcome):
        return row, None
    return row | trail.attributes() | {"ttl": id.time_ms // 1000 + trails.KEEP_SECONDS}, trail


def scan_workspace(workspace_id: str, after: dynamo.Row | None) -> tuple[list[dynamo.Row], dynamo.Row | None]:
    """A page of the scan for the keys of a workspace's entries and of its audit log: see `dynamo.scan_page`.
    The log of a deleted subject stays for 90 days, so no list of subjects is complete.
    """
    return dynamo.scan_page(
        settings().activity_table,
        "begins_with(integrationKey, :workspace) OR integrationKey = :audit",
        after,
        attributes=("integrationKey", "id"),
        workspace=f"{workspace_id}#",
        audit=trails.partition(workspace_id),
    )
