"""The activity log: who used or changed an integration, when, and the outcome. It contains no secrets.

Table: integrationKey (`<workspace>#<int_…>`), id (`log_…`, ordered by time). Rows expire by TTL after 90
days. A change and its entry are one transaction; the entry for a use is written before the response is sent.
"""

from __future__ import annotations

from typing import Literal

from patchbay.api_model import Listing
from patchbay.clock import from_ms
from patchbay.ids import IntegrationId, LogId
from patchbay.integrations.models import LogEntry, LogQuery
from patchbay.settings import settings
from patchbay.storage import dynamo

Outcome = Literal["SUCCEEDED", "FAILED"]

_KEEP_SECONDS = 90 * 86_400
# The actor if there is no caller: the schedule, and effects of other workspaces' changes.
SYSTEM = "patchbay"


def log_action(
    workspace_id: str,
    integration_id: IntegrationId,
    action: str,
    actor: str,
    detail: str | None = None,
    outcome: Outcome = "SUCCEEDED",
) -> dynamo.TransactItem:
    """An entry, as an action of the transaction that makes the change."""
    return dynamo.put_action(
        settings().activity_table, _row(workspace_id, integration_id, action, actor, detail, outcome)
    )


def log(
    workspace_id: str,
    integration_id: IntegrationId,
    action: str,
    actor: str,
    detail: str | None = None,
    outcome: Outcome = "SUCCEEDED",
) -> None:
    """Write an entry."""
    dynamo.put(settings().activity_table, _row(workspace_id, integration_id, action, actor, detail, outcome))


def list_entries(workspace_id: str, integration_id: IntegrationId, query: LogQuery) -> Listing[LogEntry]:
    """Entries, newest first."""
    page = dynamo.page(
        dynamo.PageQuery(
            settings().activity_table,
            partition=("integrationKey", _key(workspace_id, integration_id)),
            sort_range=("id", *LogId.range(query.since, query.until)),
            limit=query.limit,
            cursor=query.cursor,
            filter=None if query.action is None else "#action = :action",
            names={} if query.action is None else {"#action": "action"},
            values={} if query.action is None else {"action": query.action},
        )
    )
    return Listing.from_page(page.map(_to_api))


def _to_api(row: dynamo.Row) -> LogEntry:
    id = LogId(row["id"])
    return LogEntry(
        id=id,
        action=row["action"],
        actor=row["actor"],
        outcome=row["outcome"],
        detail=row.get("detail"),
        created_at=from_ms(id.time_ms),
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
