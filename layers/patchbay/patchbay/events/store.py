"""The events table: one row for each event, written by its fan-out.

Key: workspaceId, id. Index: `due` (dueShard, dueAt), sparse: fan-outs that take several sends, until they are
done, and announcements. A rejected event also has `status` and `reason`. A partition `active#<hour>` (a
workspace ID has no `#`) holds a row for each workspace that has deliveries of events of that hour, and
`announced#<workspace>` holds the announcements (`announcements`). Rows expire by TTL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from pydantic import JsonValue

from patchbay import compact_json
from patchbay.clock import now_ms
from patchbay.events import announcements
from patchbay.events.models import EventMessage, EventStatus, MatchedEvent
from patchbay.ids import EventId, FlowId, WebhookId
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.storage.paging import Page
from patchbay.storage.records import retention_ttl

# SQS redelivers the message of an interrupted fan-out within minutes. After this time the message is lost, or
# in the dead-letter queue.
_STALLED_AFTER_MS = 15 * 60_000
# After this time, the sweeper that claimed an announcement has died.
_ANNOUNCED_AFTER_MS = 60_000
# How long a published announcement is remembered. Keys of `announcements.once` have a day at most.
_REMEMBERED_SECONDS = 2 * 86_400
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_MATCHED_READ = 100


# The attributes that a list shows: without the data, which has up to 256 KB for each event.
_LISTED = ("workspaceId", "id", "type", "timestamp", "source", "status", "reason")


@dataclass(frozen=True, slots=True)
class ListedEvent:
    """The part of an event's row that a list shows. Its fields are those of `StoredEvent`."""

    id: EventId
    type: str
    timestamp: int
    source: str
    status: EventStatus
    reason: str | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event's row. `timestamp` is in Unix milliseconds, `webhook_ids` are the webhooks that the event
    matched, `feed_ids` those of kind pull, and `flow_ids` the flows that it starts. `fan_out` is STARTED,
    IN_ONE_SEND or DONE. `reason` says why the event was rejected. `erased_at` is when its data was erased.
    `depth` and `caused_by` come from its message.
    """

    id: EventId
    type: str
    timestamp: int
    source: str
    data_json: str
    fan_out: str
    webhook_ids: tuple[WebhookId, ...]
    feed_ids: tuple[WebhookId, ...]
    status: EventStatus
    reason: str | None
    erased_at: int | None = None
    flow_ids: tuple[FlowId, ...] = ()
    depth: int = 0
    caused_by: EventId | None = None

    @property
    def data(self) -> dict[str, JsonValue]:
        data: dict[str, JsonValue] = compact_json.loads(self.data_json)
        return data

    @property
    def remaining_webhook_ids(self) -> tuple[WebhookId, ...]:
        """The webhooks that the event still has to be sent to: none if its fan-out is known to be done,
        otherwise all that it matched. The row of an event that takes one send never becomes DONE.
        """
        return () if self.fan_out == "DONE" else self.webhook_ids

    @property
    def remaining_feed_ids(self) -> tuple[WebhookId, ...]:
        """Like `remaining_webhook_ids`, for webhooks of kind pull."""
        return () if self.fan_out == "DONE" else self.feed_ids

    @property
    def remaining_flow_ids(self) -> tuple[FlowId, ...]:
        """Like `remaining_webhook_ids`, for flows."""
        return () if self.fan_out == "DONE" else self.flow_ids


def from_row(row: dynamo.Row) -> StoredEvent:
    return StoredEvent(
        id=EventId(row["id"]),
        type=row["type"],
        timestamp=row["timestamp"],
        source=row["source"],
        data_json=row["data"],
        fan_out=row["fanOut"],
        webhook_ids=tuple(WebhookId(id) for id in row["webhookIds"]),
        feed_ids=tuple(WebhookId(id) for id in row.get("feedIds", ())),
        status=row.get("status", "ACCEPTED"),
        reason=row.get("reason"),
        erased_at=row.get("erasedAt"),
        flow_ids=tuple(FlowId(id) for id in row.get("flowIds", ())),
        depth=row.get("depth", 0),
        caused_by=EventId(row["causedBy"]) if "causedBy" in row else None,
    )


def table_key(event: EventMessage) -> tuple[str, dynamo.Row]:
    """The table key of an event."""
    return key_of(event.workspace_id, event.id)


def key_of(workspace_id: str, id: EventId) -> tuple[str, dynamo.Row]:
    """The table key of the event with this ID."""
    return settings().events_table, _key(workspace_id, id)


def new_row(
    event: EventMessage,
    webhook_ids: Sequence[WebhookId],
    feed_ids: Sequence[WebhookId],
    flow_ids: Sequence[FlowId],
    *,
    in_one_send: bool,
    retain_days: int | None,
) -> dynamo.Row:
    """The row of an event whose fan-out starts. `webhook_ids` are the webhooks that it matches, `feed_ids`
    those of kind pull, and `flow_ids` the flows that it starts. `retain_days` is the workspace's own
    retention.
    """
    row = {
        **_row(event, retain_days),
        "webhookIds": list(webhook_ids),
        "feedIds": list(feed_ids) or None,
        "flowIds": list(flow_ids) or None,
    }
    if not webhook_ids and not feed_ids and not flow_ids:
        return row | {"fanOut": "DONE"}
    if in_one_send:
        return row | {"fanOut": "IN_ONE_SEND"}
    return row | {
        "fanOut": "STARTED",
        "dueShard": due_index.shard_of(event.id),
        "dueAt": now_ms() + _STALLED_AFTER_MS,
    }


def write(rows: Sequence[dynamo.Row]) -> list[int]:
    """Write rows of events and active hours, up to 25 in one call. Returns the positions of the rows that
    DynamoDB kept throttling.
    """
    return dynamo.batch_put([(settings().events_table, row) for row in rows])


def hour_of(event: EventMessage) -> int:
    """The hour (since the epoch) that an event's deliveries belong to: their IDs have the time of its ID."""
    return event.id.time_ms // _HOUR_MS


def active_hour_row(workspace_id: str, hour: int) -> dynamo.Row:
    """The row that marks a workspace as active in an hour. Safe to write again."""
    return {**active_hour_table_key(workspace_id, hour)[1], "ttl": retention_ttl(now_ms())}


def active_workspaces(hour: int) -> Iterator[str]:
    """The workspaces that have deliveries of events of an hour (since the epoch)."""
    for row in dynamo.query(settings().events_table, "workspaceId = :hour", hour=f"active#{hour}"):
        yield row["id"]


def active_hour_table_key(workspace_id: str, hour: int) -> tuple[str, dynamo.Row]:
    """The table key of the row that marks a workspace as active in an hour."""
    return settings().events_table, _key(f"active#{hour}", workspace_id)


def finish_fan_out(event: EventMessage) -> None:
    """Record that every delivery is queued. From now on, another copy of the event's message is dropped."""
    dynamo.update(
        settings().events_table,
        _key(event.workspace_id, event.id),
        "SET fanOut = :done REMOVE dueShard, dueAt",
        condition="attribute_exists(id)",
        returning="NONE",
        done="DONE",
    )


def due(shard: int, now: int) -> Iterator[tuple[str, str]]:
    """The keys (partition, id) of announcements, and of fan-outs that were started and not finished in time,
    oldest first.
    """
    for row in due_index.due_keys(settings().events_table, shard, now):
        yield row["workspaceId"], row["id"]


def claim_announcement(workspace_id: str, id: str, now: int) -> EventMessage | None:
    """Claim an announcement and return its event, or None if it is published, or another sweeper has it. It
    is due again in a minute.
    """
    try:
        row = dynamo.update(
            settings().events_table,
            announcements.key(workspace_id, id),
            "SET dueAt = :next",
            condition="dueAt <= :now",
            next=now + _ANNOUNCED_AFTER_MS,
            now=now,
        )
    except dynamo.ConditionFailed:
        return None
    event_id = EventId(row["eventId"])
    return EventMessage(
        id=event_id,
        workspace_id=workspace_id,
        type=row["type"],
        timestamp=event_id.time_ms,
        data=compact_json.loads(row["data"]),
        source="patchbay",
        correlation_id=event_id,
    )


def finish_announcement(workspace_id: str, id: str, now: int) -> None:
    """Record that an announcement is published, unless it was erased since. Idempotent."""
    with suppress(dynamo.ConditionFailed):
        dynamo.update(
            settings().events_table,
            announcements.key(workspace_id, id),
            "SET #ttl = :ttl REMOVE dueShard, dueAt, #data",
            condition="attribute_exists(id)",
            names={"#ttl": "ttl", "#data": "data"},
            returning="NONE",
            ttl=now // 1000 + _REMEMBERED_SECONDS,
        )


def claim_stalled(workspace_id: str, id: EventId, now: int) -> EventMessage | None:
    """Claim a stalled fan-out and return its event, or None if it has finished, or another sweeper has it. It
    is due again later.
    """
    try:
        row = dynamo.update(
            settings().events_table,
            _key(workspace_id, id),
            "SET dueAt = :next",
            condition="dueAt <= :now",
            next=now + _STALLED_AFTER_MS,
            now=now,
        )
    except dynamo.ConditionFailed:
        return None
    event = from_row(row)
    return EventMessage(
        id=id,
        workspace_id=workspace_id,
        type=event.type,
        timestamp=event.timestamp,
        data=event.data,
        source=event.source,
        correlation_id=id,
        depth=event.depth,
        caused_by=event.caused_by,
    )


def reject(event: EventMessage, reason: str, retain_days: int | None) -> bool:
    """Store an invalid event with the reason. Returns False if it is stored already."""
    row = {
        **_row(event, retain_days),
        "webhookIds": [],
        "fanOut": "DONE",
        "status": "REJECTED",
        "reason": reason,
    }
    try:
        dynamo.put(settings().events_table, row, condition="attribute_not_exists(id)")
    except dynamo.ConditionFailed:
        return False
    return True


def get(workspace_id: str, id: EventId) -> StoredEvent | None:
    row = dynamo.get(settings().events_table, _key(workspace_id, id))
    return None if row is None else from_row(row)


def depth_of(workspace_ids: Iterable[str], id: EventId) -> int:
    """The depth of an event of one of these workspaces; 0 if it is not stored."""
    keys = [key_of(workspace_id, id) for workspace_id in workspace_ids]
    return max((row.get("depth", 0) for row in dynamo.batch_get(keys) if row is not None), default=0)


def get_many(workspace_id: str, ids: Iterable[EventId]) -> list[StoredEvent]:
    """The events with these IDs that are stored, in no particular order. The IDs must be distinct."""
    keys = [_key(workspace_id, id) for id in ids]
    return [from_row(row) for row in dynamo.get_many(settings().events_table, keys, consistent=True)]


def page(
    workspace_id: str,
    between: tuple[EventId, EventId],
    *,
    type: str | None,
    status: EventStatus | None,
    source: str | None,
    limit: int,
    cursor: str | None,
) -> Page[ListedEvent]:
    """Events, newest first. A page with a filter can be short, because it is filtered from all events."""
    query = _query(workspace_id, between, type, status, source, limit, cursor)
    return dynamo.page(replace(query, attributes=_LISTED)).map(
        lambda row: ListedEvent(
            id=EventId(row["id"]),
            type=row["type"],
            timestamp=row["timestamp"],
            source=row["source"],
            status=row.get("status", "ACCEPTED"),
            reason=row.get("reason"),
        )
    )


def page_with_data(workspace_id: str, limit: int, cursor: str | None) -> Page[StoredEvent]:
    """All events with their data, newest first."""
    query = _query(workspace_id, EventId.range(None, None), None, None, None, limit, cursor)
    return dynamo.page(query).map(from_row)


def newest(workspace_id: str, type: str, count: int) -> list[StoredEvent]:
    """The last accepted events of a type, newest first. Searches at most the last 1,000 events of a
    workspace, or 10 MB of them.
    """
    query = _query(workspace_id, EventId.range(None, None), type, "ACCEPTED", None, count, None)
    return dynamo.page(query).map(from_row).items


def oldest_first(workspace_id: str, after: str, until: str) -> Iterator[StoredEvent]:
    """A workspace's events with IDs after `after`, up to `until`; eventually consistent."""
    rows = dynamo.query(
        settings().events_table,
        "workspaceId = :workspace AND id BETWEEN :after AND :until",
        consistent=False,
        workspace=workspace_id,
        after=f"{after}!",  # the lowest string after it
        until=until,
    )
    return map(from_row, rows)


def add_webhook(workspace_id: str, id: EventId, webhook_id: WebhookId) -> None:
    """Add a webhook to those of an event. Does nothing if it is already there, or if the event expired."""
    try:
        dynamo.update(
            settings().events_table,
            _key(workspace_id, id),
            "SET webhookIds = list_append(webhookIds, :added)",
            condition="attribute_exists(id) AND NOT contains(webhookIds, :webhook)",
            returning="NONE",
            added=[webhook_id],
            webhook=webhook_id,
        )
    except dynamo.ConditionFailed:
        return


def erase_data(workspace_id: str, id: EventId, now: int) -> StoredEvent | None:
    """Remove an event's data, and end its fan-out. Returns the event, or None if there is none. The row is
    kept for RetentionDays from now, so that a message with the data, which can wait for 14 days, finds it.
    """
    try:
        row = dynamo.update(
            settings().events_table,
            _key(workspace_id, id),
            "SET #data = :empty, erasedAt = if_not_exists(erasedAt, :now), fanOut = :done, #ttl = :ttl "
            "REMOVE dueShard, dueAt",
            condition="attribute_exists(id)",
            names={"#data": "data", "#ttl": "ttl"},
            ttl=retention_ttl(now),
            empty="{}",
            now=now,
            done="DONE",
        )
    except dynamo.ConditionFailed:
        return None
    return from_row(row)


def workspace_keys(workspace_id: str) -> Iterator[dynamo.Row]:
    """The keys of a workspace's events and announcements."""
    for partition in (workspace_id, announcements.partition(workspace_id)):
        yield from dynamo.query(
            settings().events_table,
            "workspaceId = :partition",
            attributes=("workspaceId", "id"),
            partition=partition,
        )


def days_of_active_hours(now: int) -> range:
    """The days (since the epoch) whose hours can be marked as active. A mark is kept for RetentionDays, and
    an event from the bus or of a replay can be that old when its hour is marked.
    """
    return range(now // _DAY_MS - 2 * settings().retention_days, (now + _HOUR_MS) // _DAY_MS + 1)


def active_hour_keys(workspace_id: str, day: int) -> list[dynamo.Row]:
    """The keys of the rows that mark a workspace as active in the hours of a day; not all of them exist."""
    return [active_hour_table_key(workspace_id, hour)[1] for hour in range(day * 24, day * 24 + 24)]


def newest_matched(
    workspace_id: str, between: tuple[EventId, EventId], type: str | None
) -> tuple[list[MatchedEvent], EventId | None]:
    """The events among the newest 100 of a range that matched webhooks, newest first, and the last event that
    was read if there are more. One call, which reads at most 1 MB.
    """
    query = _query(workspace_id, between, type, None, None, _MATCHED_READ, None)
    page = dynamo.page(
        replace(
            query,
            # TTL may delete the deliveries of an expired event before the event.
            filter=" AND ".join(filter(None, (query.filter, "size(webhookIds) > :zero AND #ttl > :now"))),
            names={**query.names, "#ttl": "ttl"},
            values={**query.values, "zero": 0, "now": now_ms() // 1000},
            attributes=("id", "type", "webhookIds"),
            max_reads=1,
        )
    )
    events = [
        MatchedEvent(EventId(row["id"]), row["type"], tuple(map(WebhookId, row["webhookIds"])))
        for row in page.items
    ]
    return events, EventId(dynamo.decode_cursor(page.next_cursor)[0]) if page.next_cursor else None


def _query(
    workspace_id: str,
    between: tuple[EventId, EventId],
    type: str | None,
    status: EventStatus | None,
    source: str | None,
    limit: int,
    cursor: str | None,
) -> dynamo.PageQuery:
    values = {name: value for name, value in (("type", type), ("source", source)) if value is not None}
    filters = [f"#{name} = :{name}" for name in values]
    # Only a rejected event has a status.
    if status is not None:
        filters.append(f"attribute_{'not_' if status == 'ACCEPTED' else ''}exists(#status)")
    return dynamo.PageQuery(
        settings().events_table,
        partition=("workspaceId", workspace_id),
        sort_range=("id", *between),
        limit=limit,
        cursor=cursor,
        filter=" AND ".join(filters) or None,
        names={f"#{name}": name for name in (*values, *(["status"] if status else []))},
        values=values,
    )


def _key(workspace_id: str, id: str) -> dynamo.Row:
    return {"workspaceId": workspace_id, "id": id}


def _row(event: EventMessage, retain_days: int | None) -> dynamo.Row:
    """The attributes of every event's row. The retention starts now, because a bus event can have any
    time.
    """
    return {
        "workspaceId": event.workspace_id,
        "id": event.id,
        "type": event.type,
        "timestamp": event.timestamp,
        "source": event.source,
        "data": compact_json.dumps(event.data),
        "depth": event.depth or None,
        "causedBy": event.caused_by,
        "ttl": retention_ttl(now_ms(), retain_days),
    }
