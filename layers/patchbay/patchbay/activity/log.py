"""Writes the activity log.

Table: integrationKey (`<workspace>#<int_…, whk_… or key_…>`; integrations had a log first), id (`log_…`,
ordered by time). Rows expire by TTL after 90 days. A change and its entry are one transaction; the entry for
a use is written before the response is sent.
"""

from __future__ import annotations

from typing import Literal

from patchbay.ids import ApiKeyId, IntegrationId, LogId, WebhookId
from patchbay.settings import settings
from patchbay.storage import dynamo

Outcome = Literal["SUCCEEDED", "FAILED"]
SubjectId = IntegrationId | WebhookId | ApiKeyId

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
    return dynamo.put_action(
        settings().activity_table, _row(workspace_id, subject, action, actor, detail, outcome, id)
    )


def log(
    workspace_id: str,
    subject: SubjectId,
    action: str,
    actor: str,
    detail: str | None = None,
    outcome: Outcome = "SUCCEEDED",
) -> None:
    """Write an entry."""
    dynamo.put(settings().activity_table, _row(workspace_id, subject, action, actor, detail, outcome, None))


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
) -> dynamo.Row:
    id = id or LogId.new()
    return {
        "integrationKey": partition_key(workspace_id, subject),
        "id": id,
        "action": action,
        "actor": actor,
        "outcome": outcome,
        "detail": detail,
        "ttl": id.time_ms // 1000 + _KEEP_SECONDS,
    }


def scan_workspace(workspace_id: str, after: dynamo.Row | None) -> tuple[list[dynamo.Row], dynamo.Row | None]:
    """The keys of a workspace's entries in the next 1 MB of the table, and the key to go on after; None at
    the end. The log of a deleted subject stays for 90 days, so no list of subjects is complete.
    """
    return dynamo.scan_page(
        settings().activity_table,
        "begins_with(integrationKey, :workspace)",
        after,
        attributes=("integrationKey", "id"),
        workspace=f"{workspace_id}#",
    )
