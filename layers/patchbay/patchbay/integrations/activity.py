"""The activity log: every use and change of an integration, by whom, when, and how it went; secrets never.

Table: integrationKey (`<workspace>#<int_…>`), id (`log_…`, ordered in time). Rows end by TTL after 90 days. A
change and its entry are one transaction; a use is entered before its answer goes out.
"""

from __future__ import annotations

from typing import Literal

from patchbay.api_model import Listing
from patchbay.clock import at_ms
from patchbay.ids import IntegrationId, LogId
from patchbay.integrations.models import LogEntry, LogQuery
from patchbay.settings import settings
from patchbay.storage import dynamo

Outcome = Literal["SUCCEEDED", "FAILED"]

_KEEP_SECONDS = 90 * 86_400
# Who acts where nobody asked: the schedule, and what follows from others' changes.
SYSTEM = "patchbay"


def entering(
    workspace_id: str,
    integration_id: IntegrationId,
    action: str,
    actor: str,
    detail: str | None = None,
    outcome: Outcome = "SUCCEEDED",
) -> dynamo.TransactItem:
    """An entry as one action of the transaction that makes the change."""
    return dynamo.put_action(
        settings().activity_table, _row(workspace_id, integration_id, action, actor, detail, outcome)
    )


def enter(
    workspace_id: str,
    integration_id: IntegrationId,
    action: str,
    actor: str,
    detail: str | None = None,
    outcome: Outcome = "SUCCEEDED",
) -> None:
    """Write an entry now."""
    dynamo.put(settings().activity_table, _row(workspace_id, integration_id, action, actor, detail, outcome))


def page(workspace_id: str, integration_id: IntegrationId, query: LogQuery) -> Listing[LogEntry]:
    """Entries, newest first."""
    found = dynamo.page(
        settings().activity_table,
        ("integrationKey", _key(workspace_id, integration_id)),
        ("id", *LogId.range(query.since, query.until)),
        limit=query.limit,
        cursor=query.cursor,
        where=None if query.action is None else "#action = :action",
        names=None if query.action is None else {"#action": "action"},
        **({} if query.action is None else {"action": query.action}),
    )
    return Listing.of(found.map(_entry))


def _entry(row: dynamo.Row) -> LogEntry:
    id = LogId(row["id"])
    return LogEntry(
        id=id,
        action=row["action"],
        actor=row["actor"],
        outcome=row["outcome"],
        detail=row.get("detail"),
        created_at=at_ms(id.time_ms),
    )


def _row(
    workspace_id: str,
    integration_id: IntegrationId,
    action: str,
    actor: str,
    detail: str | None,
    outcome: Outcome,
) -> dynamo.Row:
    id = LogId.new()
    return {
        "integrationKey": _key(workspace_id, integration_id),
        "id": id,
        "action": action,
        "actor": actor,
        "outcome": outcome,
        "detail": detail,
        "ttl": id.time_ms // 1000 + _KEEP_SECONDS,
    }


def _key(workspace_id: str, integration_id: IntegrationId) -> str:
    return f"{workspace_id}#{integration_id}"
