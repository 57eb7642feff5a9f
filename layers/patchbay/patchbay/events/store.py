"""The events table: one row per event, written by its fan-out.

Key: workspaceId, id. Index: `due` (dueShard, dueAt), sparse: fan-outs that take several sends, until they are
done. What was rejected has `status` and `reason` besides. A partition `active#<hour>` (no workspace has a `#`
in its name) holds a row for each workspace with deliveries of events of that hour. Rows end by TTL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from patchbay import compact_json
from patchbay.clock import now_ms
from patchbay.events.models import EventMessage
from patchbay.ids import EventId, WebhookId
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.storage.paging import Page
from patchbay.storage.records import kept_until

# A message that was cut down comes back within minutes by itself; after so long it is lost, or in the
# dead-letter queue.
_STOPPED_MS = 15 * 60_000
_HOUR_MS = 3_600_000


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


def table_key(event: EventMessage) -> tuple[str, dynamo.Row]:
    """The table and the key of an event, to be read along with other rows."""
    return settings().events_table, {"workspaceId": event.workspace_id, "id": event.id}


def left_to_send(row: dynamo.Row) -> list[WebhookId]:
    """The webhooks that a stored event still has to be sent to: none if its fan-out is known to be done,
    otherwise all that it matched. For an event that takes one send, that is never known.
    """
    return [] if row["fanOut"] == "DONE" else [WebhookId(id) for id in row["webhookIds"]]


def begun(event: EventMessage, matched: Sequence[WebhookId], *, in_one_send: bool) -> dynamo.Row:
    """The row of an event whose fan-out begins."""
    row = {**_row(event), "webhookIds": list(matched)}
    if not matched:
        return row | {"fanOut": "DONE"}
    if in_one_send:
        return row | {"fanOut": "IN_ONE_SEND"}
    return row | {
        "fanOut": "STARTED",
        "dueShard": due_index.shard_of(event.id),
        "dueAt": now_ms() + _STOPPED_MS,
    }


def write(rows: Sequence[dynamo.Row]) -> list[int]:
    """Write rows of events and markers, up to 25 in one call; returns the positions of those that DynamoDB
    kept throttling.
    """
    return dynamo.put_each([(settings().events_table, row) for row in rows])


def hour_of(event: EventMessage) -> int:
    """The number of the hour that an event's deliveries belong to: their ids have the time of its id."""
    return event.id.time_ms // _HOUR_MS


def activity(workspace_id: str, hour: int) -> dynamo.Row:
    """The row that marks a workspace as active in an hour. Safe to write again."""
    return {**activity_table_key(workspace_id, hour)[1], "ttl": kept_until(now_ms())}


def active(hour: int) -> Iterator[str]:
    """The workspaces that have deliveries of events of an hour (Unix time in hours)."""
    for row in dynamo.query(settings().events_table, "workspaceId = :hour", hour=f"active#{hour}"):
        yield row["id"]


def activity_table_key(workspace_id: str, hour: int) -> tuple[str, dynamo.Row]:
    """The table and the key of the row that marks a workspace as active in an hour, to be read along with
    other rows.
    """
    return settings().events_table, {"workspaceId": f"active#{hour}", "id": workspace_id}


def finish_fan_out(event: EventMessage) -> None:
    """Every delivery is queued: a repeat of the event's message is dropped from now on."""
    dynamo.update(
        settings().events_table,
        {"workspaceId": event.workspace_id, "id": event.id},
        "SET fanOut = :done REMOVE dueShard, dueAt",
        condition="attribute_exists(id)",
        returning="NONE",
        done="DONE",
    )


def stopped(shard: int, now: int) -> Iterator[tuple[str, EventId]]:
    """The fan-outs (workspace, event) that were begun and not finished in time, the oldest first."""
    for row in due_index.rows(settings().events_table, shard, now):
        yield row["workspaceId"], EventId(row["id"])


def take_stopped(workspace_id: str, id: EventId, now: int) -> EventMessage | None:
    """The message of a fan-out that stopped, which is looked at again later; None if it has gone on, or
    another sweeper has it.
    """
    try:
        row = dynamo.update(
            settings().events_table,
            {"workspaceId": workspace_id, "id": id},
            "SET dueAt = :again",
            condition="dueAt <= :now",
            again=now + _STOPPED_MS,
            now=now,
        )
    except dynamo.ConditionFailed:
        return None
    return EventMessage(
        id=id,
        workspace_id=workspace_id,
        type=row["type"],
        timestamp=row["timestamp"],
        data=compact_json.loads(row["data"]),
        source=row["source"],
        correlation_id=id,
    )


def reject(event: EventMessage, reason: str) -> bool:
    """Keep what is no event, with the reason; False when it is kept already. Its type is empty when what it
    had there cannot be one.
    """
    row = {**_row(event), "webhookIds": [], "fanOut": "DONE", "status": "REJECTED", "reason": reason}
    try:
        dynamo.put(settings().events_table, row, condition="attribute_not_exists(id)")
    except dynamo.ConditionFailed:
        return False
    return True


def get(workspace_id: str, id: EventId) -> StoredEvent | None:
    row = dynamo.get(settings().events_table, {"workspaceId": workspace_id, "id": id})
    return None if row is None else _stored(row)


def _stored(row: dynamo.Row) -> StoredEvent:
    return StoredEvent(
        id=EventId(row["id"]),
        type=row["type"],
        timestamp=row["timestamp"],
        source=row["source"],
        data=compact_json.loads(row["data"]),
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
) -> Page[dynamo.Row]:
    """Rows, newest first. A page of one type may be short, because it is filtered from all types."""
    return _page(workspace_id, type, between, limit, cursor)


def newest(workspace_id: str, type: str, count: int) -> list[StoredEvent]:
    """The last accepted events of a type, newest first. Looks through at most the last 1,000 events of a
    workspace, or 10 MB of them.
    """
    found = _page(workspace_id, type, EventId.range(None, None), count, None, accepted=True)
    return [_stored(row) for row in found.items]


def _page(
    workspace_id: str,
    type: str | None,
    between: tuple[EventId, EventId],
    limit: int,
    cursor: str | None,
    *,
    accepted: bool = False,
) -> Page[dynamo.Row]:
    tests = {"type": "#type = :type"} if type else {}
    tests |= {"status": "attribute_not_exists(#status)"} if accepted else {}
    return dynamo.page(
        settings().events_table,
        ("workspaceId", workspace_id),
        ("id", *between),
        limit=limit,
        cursor=cursor,
        where=" AND ".join(tests.values()) or None,
        names={f"#{name}": name for name in tests} or None,
        **({"type": type} if type else {}),
    )


def _row(event: EventMessage) -> dynamo.Row:
    """What the row of every event holds. How long it is kept counts from now: on the bus an event may have
    any time.
    """
    return {
        "workspaceId": event.workspace_id,
        "id": event.id,
        "type": event.type,
        "timestamp": event.timestamp,
        "source": event.source,
        "data": compact_json.dumps(event.data),
        "ttl": kept_until(now_ms()),
    }
