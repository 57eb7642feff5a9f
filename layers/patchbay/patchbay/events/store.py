"""The events table: one row per event, written by its fan-out.

Key: workspaceId, id. Index `byType`: typeKey (`<workspace>#<type>`), id; without the data. Rows end by TTL.
What was rejected has `status` and `reason` besides.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from patchbay import dynamo
from patchbay.events.models import EventMessage
from patchbay.ids import EventId, WebhookId
from patchbay.schema import now_ms
from patchbay.settings import settings


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as kept; `timestamp` in Unix milliseconds, `webhook_ids` those that it went out to. `reason`
    is why it was rejected, None for one that was not.
    """

    id: EventId
    type: str
    timestamp: int
    source: str
    data: dict[str, Any]
    webhook_ids: tuple[WebhookId, ...]
    reason: str | None


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """What came over the bus and is no event; `type` is empty when it has none that could be one."""

    id: EventId
    workspace_id: str
    type: str
    timestamp: int
    data: dict[str, Any]
    source: str
    reason: str


def begin_fan_out(event: EventMessage, matched: Sequence[WebhookId]) -> Sequence[WebhookId]:
    """Store the event with the webhooks it goes to, and return those that are to be sent.

    Of an event that is stored already, its own list counts: all of it when its fan-out was cut down, and
    none of it when it is done.
    """
    row = {
        **_row(event),
        "webhookIds": list(matched),
        "fanOut": "STARTED" if matched else "DONE",
    }
    try:
        dynamo.put(settings().events_table, row, condition="attribute_not_exists(id)")
    except dynamo.ConditionFailed as stored:
        if stored.row is None:
            raise  # gone between the refused write and its answer: the message comes again
        if stored.row["fanOut"] == "DONE":
            return ()
        return [WebhookId(id) for id in stored.row["webhookIds"]]
    return matched


def finish_fan_out(event: EventMessage) -> None:
    """Every delivery is queued: a repeat of the event's message is dropped from now on."""
    dynamo.update(
        settings().events_table,
        {"workspaceId": event.workspace_id, "id": event.id},
        "SET fanOut = :done",
        condition="attribute_exists(id)",
        done="DONE",
    )


def reject(event: RejectedEvent) -> bool:
    """Keep an event that goes nowhere, with the reason; False when it is kept already."""
    row = {**_row(event), "webhookIds": [], "fanOut": "DONE", "status": "REJECTED", "reason": event.reason}
    if not event.type:
        del row["typeKey"]
    try:
        dynamo.put(settings().events_table, row, condition="attribute_not_exists(id)")
    except dynamo.ConditionFailed:
        return False
    return True


def get(workspace_id: str, id: EventId) -> StoredEvent | None:
    row = dynamo.get(settings().events_table, {"workspaceId": workspace_id, "id": id})
    if row is None:
        return None
    return StoredEvent(
        id=EventId(row["id"]),
        type=row["type"],
        timestamp=row["timestamp"],
        source=row["source"],
        data=json.loads(row["data"]),
        webhook_ids=tuple(WebhookId(id) for id in row["webhookIds"]),
        reason=row.get("reason"),
    )


def page(
    workspace_id: str,
    type: str | None,
    between: tuple[EventId, EventId],
    *,
    limit: int,
    cursor: str | None,
) -> dynamo.Page:
    """Rows without their data, newest first."""
    if type is None:
        return dynamo.page(
            settings().events_table,
            ("workspaceId", workspace_id),
            ("id", *between),
            limit=limit,
            cursor=cursor,
        )
    return dynamo.page(
        settings().events_table,
        ("typeKey", _type_key(workspace_id, type)),
        ("id", *between),
        index="byType",
        keys=("workspaceId",),
        limit=limit,
        cursor=cursor,
    )


def _row(event: EventMessage | RejectedEvent) -> dynamo.Row:
    """What the row of every event holds. How long it is kept counts from now: on the bus an event may have
    any time.
    """
    return {
        "workspaceId": event.workspace_id,
        "id": event.id,
        "typeKey": _type_key(event.workspace_id, event.type),
        "type": event.type,
        "timestamp": event.timestamp,
        "source": event.source,
        "data": json.dumps(event.data, ensure_ascii=False, separators=(",", ":")),
        "ttl": now_ms() // 1000 + settings().retention_days * 86_400,
    }


def _type_key(workspace_id: str, type: str) -> str:
    return f"{workspace_id}#{type}"
