"""The deliveries table.

Key: webhookKey (`<workspace>#<webhook>`), sk. Two kinds of rows:
    dlv_…               a delivery; of a delivered one it also holds the attempt that succeeded
    try#dlv_…#<nnnn>    a failed attempt
Indexes, both sparse: `byStatus` (statusKey, sk) has what is RETRYING (also while it is being sent), HELD,
FAILED or CANCELLED; `due` (dueShard, dueAt) what is parked until the sweeper queues it. A delivery that
succeeds at once is in neither, and is one write. Rows end by TTL. Times in Unix milliseconds.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from patchbay.deliveries import states
from patchbay.deliveries.models import DeliveryMessage, Status
from patchbay.ids import DeliveryId, RunId, WebhookId, webhook_key
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.storage.paging import Page
from patchbay.storage.records import kept_until

# DynamoDB's: a write of up to 1 KB is one unit.
_WRITE_UNIT_BYTES = 1024
_LEAST_BODY_CHARACTERS = 200

# Limits what one request or one failure reads to about 1 MB of a webhook's deliveries.
_NEWEST = 1000

# What a recovery sends again.
RECOVERABLE = (Status.FAILED, Status.CANCELLED)


class DeliveryChanged(Exception):
    """The row is no longer the one that the step began with. `row` is the one in the table."""

    def __init__(self, row: dynamo.Row | None) -> None:
        super().__init__("the delivery has changed")
        self.row = row


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────


def write(before: dynamo.Row | None, after: dynamo.Row, attempt: dynamo.Row | None = None) -> None:
    """Store a step of `states`, with a failed attempt's own row if there is one. Raises DeliveryChanged."""
    terms = _unchanged(before)
    try:
        if attempt is None:
            dynamo.put(settings().deliveries_table, after, **terms)
            return
        row = {
            "webhookKey": after["webhookKey"],
            "sk": _attempt_key(after["sk"], f"{attempt['number']:04}"),
            "ttl": kept_until(after["updatedAt"]),
            **attempt,
        }
        table = settings().deliveries_table
        dynamo.transact([dynamo.put_action(table, after, **terms), dynamo.put_action(table, row)])
    except dynamo.ConditionFailed as refused:
        found = refused.row
    except dynamo.TransactionRefused as refused:
        found = refused.rows[0]
    else:
        return
    # If an answer is lost, the client sends the write again, and the write's own effect refuses it.
    if found is None or found.get("token") != after["token"]:
        raise DeliveryChanged(found)


def _unchanged(before: dynamo.Row | None) -> dict[str, Any]:
    if before is None:
        return {"condition": "attribute_not_exists(sk)"}
    if "token" in before:
        return {"condition": "#token = :seen", "names": {"#token": "token"}, "seen": before["token"]}
    # A row of an earlier release.
    condition = "attribute_not_exists(#token) AND version = :seen"
    return {"condition": condition, "names": {"#token": "token"}, "seen": before["version"]}


def record_delivered(rows: Sequence[dynamo.Row]) -> list[int]:
    """Store rows from `states.delivered`, in one call without conditions. Returns the positions of the rows
    that were not stored.
    """
    table = settings().deliveries_table
    return dynamo.put_each([(table, _within_a_unit(row)) for row in rows])


def _within_a_unit(row: dynamo.Row) -> dynamo.Row:
    """The row with as much of the answer's body as fits into 1 KB, which is one write unit, but with at least
    200 characters of it.
    """
    success: dynamo.Row = row["success"]
    body: str = success["responseBody"]
    room = _WRITE_UNIT_BYTES - dynamo.size_of(row) + len(body.encode())
    if len(body.encode()) <= room:
        return row
    short = max(body.encode()[: max(room, 0)].decode(errors="ignore"), body[:_LEAST_BODY_CHARACTERS], key=len)
    return row | {
        "success": success | {"responseBody": short, "truncated": success["truncated"] or short != body}
    }


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────


def table_key(message: DeliveryMessage) -> tuple[str, dynamo.Row]:
    """The table and the key of a message's delivery, to be read along with other rows."""
    return settings().deliveries_table, _key(message.workspace_id, message.webhook_id, message.id)


def get(workspace_id: str, webhook_id: WebhookId, id: DeliveryId) -> dynamo.Row | None:
    return dynamo.get(settings().deliveries_table, _key(workspace_id, webhook_id, id))


def of_ids(ids: Iterable[tuple[str, DeliveryId]]) -> list[dynamo.Row]:
    """The rows that exist of up to 100 (webhookKey, id), in that order; strongly consistent."""
    table = settings().deliveries_table
    found = dynamo.get_each([(table, {"webhookKey": key, "sk": id}) for key, id in ids])
    return [row for row in found if row is not None]


def get_many(workspace_id: str, ids: Iterable[tuple[WebhookId, DeliveryId]]) -> dict[DeliveryId, dynamo.Row]:
    """The rows that exist."""
    keys = [_key(workspace_id, webhook_id, id) for webhook_id, id in ids]
    return {DeliveryId(row["sk"]): row for row in dynamo.get_many(settings().deliveries_table, keys)}


def failed_attempts(workspace_id: str, webhook_id: WebhookId, id: DeliveryId, most: int) -> list[dynamo.Row]:
    """The last `most` failed attempts, oldest first."""
    latest = dynamo.query(
        settings().deliveries_table,
        "webhookKey = :key AND begins_with(sk, :prefix)",
        backwards=True,
        key=webhook_key(workspace_id, webhook_id),
        prefix=_attempt_key(id, ""),
    )
    return list(islice(latest, most))[::-1]


def page(
    workspace_id: str,
    webhook_id: WebhookId,
    between: tuple[DeliveryId, DeliveryId],
    *,
    status: str | None,
    event_type: str | None,
    limit: int,
    cursor: str | None,
) -> Page[dynamo.Row]:
    """Newest first. Four statuses have an index; DELIVERED is what most are, and the other two pass within
    seconds: those are filtered.
    """
    partition = webhook_key(workspace_id, webhook_id)
    tests: list[str] = []
    values: dict[str, Any] = {}
    if event_type is not None:
        tests.append("eventType = :eventType")
        values["eventType"] = event_type
    if status is not None and status not in _INDEXED:
        tests.append("#status = :status")
        values["status"] = status
    if status is None or status not in _INDEXED:
        return dynamo.page(
            settings().deliveries_table,
            ("webhookKey", partition),
            ("sk", *between),
            limit=limit,
            cursor=cursor,
            where=" AND ".join(tests) or None,
            names={"#status": "status"} if "status" in values else None,
            **values,
        )
    found = dynamo.page(
        settings().deliveries_table,
        ("statusKey", states.status_key(partition, status)),
        ("sk", *between),
        index="byStatus",
        keys=("webhookKey",),
        limit=limit,
        cursor=cursor,
        where=" AND ".join(tests) or None,
        **values,
    )
    rows = dynamo.whole(settings().deliveries_table, found, "webhookKey", "sk")
    # The index keeps a retry while it is being sent.
    return rows.map(lambda row: row if row["status"] == status else None)


def waiting(key: str) -> int:
    """How many retries of a webhook wait in the queue; at most as many as one page of the index holds."""
    return _counted(key, Status.RETRYING, "attribute_not_exists(dueAt)")


def pending(key: str) -> int:
    """How many deliveries of a webhook are RETRYING or HELD; of each at most as many as a page holds."""
    return sum(_counted(key, status, None) for status in (Status.RETRYING, Status.HELD))


def ended_badly(key: str, after: str, until: str) -> Iterator[DeliveryId]:
    """The deliveries of a webhook that are FAILED or CANCELLED, as `list_by_status` gives those of one status."""
    return heapq.merge(*(list_by_status(key, status, after, until) for status in RECOVERABLE))


def list_by_status(key: str, status: Status, after: str, until: str = "~") -> Iterator[DeliveryId]:
    """The deliveries of a webhook with that status and an id after `after`, up to `until`, oldest first."""
    for row in dynamo.query(
        settings().deliveries_table,
        "statusKey = :key AND sk BETWEEN :after AND :until",
        index="byStatus",
        key=states.status_key(key, status),
        after=f"{after}!",  # the least text after it
        until=until,
    ):
        yield DeliveryId(row["sk"])


def oldest(key: str, status: Status, count: int) -> list[DeliveryId]:
    """The oldest deliveries of a webhook with that status."""
    return list(islice(list_by_status(key, status, ""), count))


def outcomes(key: str, after: str, until: str) -> Iterator[dynamo.Row]:
    """The outcomes of a webhook's deliveries with ids after `after`, up to `until`; oldest first, and
    eventually consistent.
    """
    return _outcomes(key, f"{after}!", until, eventually=True)


def newest(key: str, after: str, until: str) -> Iterator[dynamo.Row]:
    """The newest 1,000 of these, newest first."""
    return islice(_outcomes(key, f"{after}!", until, eventually=True, backwards=True), _NEWEST)


def last_success(key: str) -> int:
    """When the last success was, of the newest 1,000 deliveries of a webhook; 0 if there was none."""
    newest = islice(_outcomes(key, *DeliveryId.range(None, None), backwards=True), _NEWEST)
    return max((row["deliveredAt"] for row in newest if row["status"] == Status.DELIVERED), default=0)


def due(shard: int, now: int) -> Iterator[tuple[str, DeliveryId]]:
    """What is parked or held, and due: (webhookKey, id), the longest waiting first."""
    for row in due_index.rows(settings().deliveries_table, shard, now):
        yield row["webhookKey"], DeliveryId(row["sk"])


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _outcomes(key: str, low: str, high: str, **options: Any) -> Iterator[dynamo.Row]:
    return dynamo.query(
        settings().deliveries_table,
        "webhookKey = :key AND sk BETWEEN :low AND :high",
        attributes=("sk", "status", "counted", "claims", "deliveredAt", "success.durationMs"),
        key=key,
        low=low,
        high=high,
        **options,
    )


def _counted(key: str, status: Status, where: str | None) -> int:
    return dynamo.count(
        settings().deliveries_table,
        "statusKey = :key",
        index="byStatus",
        where=where,
        key=states.status_key(key, status),
    )


_INDEXED = frozenset({Status.RETRYING, Status.HELD, Status.FAILED, Status.CANCELLED})


def _key(workspace_id: str, webhook_id: WebhookId | RunId, id: DeliveryId) -> dynamo.Row:
    return {"webhookKey": webhook_key(workspace_id, webhook_id), "sk": id}


def _attempt_key(id: DeliveryId, number: str) -> str:
    return f"try#{id}#{number}"
