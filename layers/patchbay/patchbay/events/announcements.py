"""Patchbay's own events, each announced by the write that makes its transition.

An announcement is a row of the events table: partition `announced#<workspace>` (a workspace ID has no `#`),
id (the event's ID, or the key of `once`). It joins the transaction of the transition, so there is an event
exactly when there was a transition, and no function needs access to the queue. The sweeper publishes it
within a minute. Crash between any two lines:

    before the transaction      neither the transition nor the event
    after the transaction       the announcement is due; the next sweep publishes it
    after the claim             it is due again a minute later
    after the send              it is published again under the same ID, which is the same event
    after `finish`              done. The row stays for two days without its data, so that `once` finds it

`events.service.announce` is for schedules, which keep their own record of what they have announced.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from patchbay import compact_json
from patchbay.clock import now_ms
from patchbay.ids import EventId
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.storage.records import retention_ttl

_PARTITION = "announced#"

Data = Mapping[str, JsonValue]


def action(workspace_id: str, type: str, data: Data) -> dynamo.TransactItem:
    """The announcement of an operational event, for the transaction that makes its transition."""
    id = EventId.new(now_ms())
    return dynamo.put_action(settings().events_table, _row(workspace_id, id, id, type, data))


def once(workspace_id: str, key: str, type: str, data: Data) -> None:
    """Announce an operational event without a transaction. The first call with a `key` announces it; later
    calls do nothing.
    """
    row = _row(workspace_id, key, EventId.new(now_ms()), type, data)
    try:
        dynamo.put(settings().events_table, row, condition="attribute_not_exists(id)")
    except dynamo.ConditionFailed:
        return


def workspace_of(partition: str) -> str | None:
    """The workspace of a partition of announcements; None for another partition of the events table."""
    return partition.removeprefix(_PARTITION) if partition.startswith(_PARTITION) else None


def partition(workspace_id: str) -> str:
    """The partition of a workspace's announcements."""
    return f"{_PARTITION}{workspace_id}"


def key(workspace_id: str, id: str) -> dynamo.Row:
    """The key of an announcement's row."""
    return {"workspaceId": partition(workspace_id), "id": id}


def _row(workspace_id: str, id: str, event_id: EventId, type: str, data: Data) -> dynamo.Row:
    now = now_ms()
    return {
        **key(workspace_id, id),
        "eventId": event_id,
        "type": type,
        "data": compact_json.dumps(dict(data)),
        "dueShard": due_index.shard_of(id),
        "dueAt": now,
        "ttl": retention_ttl(now),
    }
