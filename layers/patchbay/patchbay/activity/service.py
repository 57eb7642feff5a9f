"""Lists the activity log."""

from __future__ import annotations

from collections.abc import Callable

from patchbay.activity.log import SubjectId, partition_key
from patchbay.activity.models import LogEntry, LogQuery
from patchbay.api_model import Listing
from patchbay.clock import from_ms
from patchbay.ids import LogId
from patchbay.settings import settings
from patchbay.storage import dynamo


def list_entries(
    workspace_id: str, subject: SubjectId, query: LogQuery, check_exists: Callable[[], object]
) -> Listing[LogEntry]:
    """Entries, newest first. The log outlives its subject until its entries expire. `check_exists` raises
    NotFound if the workspace has no such subject; it is called only if there are no entries.
    """
    page = dynamo.page(
        dynamo.PageQuery(
            settings().activity_table,
            partition=("integrationKey", partition_key(workspace_id, subject)),
            sort_range=("id", *LogId.range(query.since, query.until)),
            limit=query.limit,
            cursor=query.cursor,
            filter=None if query.action is None else "#action = :action",
            names={} if query.action is None else {"#action": "action"},
            values={} if query.action is None else {"action": query.action},
        )
    )
    if not page.entries and query.cursor is None:
        check_exists()
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
