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
import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from patchbay import due as due_index
from patchbay import dynamo
from patchbay.deliveries.models import DeliveryMessage, Status, of_webhook_key, webhook_key
from patchbay.ids import DeliveryId, EventId, RunId, WebhookId
from patchbay.paging import Page
from patchbay.records import kept_until
from patchbay.settings import settings

# A message that was sent for a parked delivery may be lost or late: for so long nobody sends another.
_SENT_AGAIN_MS = 15 * 60_000

# DynamoDB's: a write of up to 1 KB is one unit.
_WRITE_UNIT_BYTES = 1024
_LEAST_BODY_CHARACTERS = 200

# What a recovery sends again.
RECOVERABLE = (Status.FAILED, Status.CANCELLED)

# What a message may take over: what no one has, or has no longer, and nothing of a later generation.
_FREE = (
    "attribute_not_exists(sk) OR (generation <= :generation AND ("
    "(#status = :sending AND leaseUntil <= :now) OR"
    " (#status IN (:retrying, :pending) AND nextAttemptAt <= :now)))"
)
# What every row of a delivery begins with, whoever writes it first.
_BEGIN = (
    "attempts = if_not_exists(attempts, :zero), version = if_not_exists(version, :zero) + :one,"
    " maxAttempts = if_not_exists(earlier, :zero) + :most, eventId = :event, eventType = :type,"
    " createdAt = if_not_exists(createdAt, :now), updatedAt = :now, #ttl = if_not_exists(#ttl, :ttl)"
)
# Due at once, and on its way in the queue.
_PARK = (
    "#status = :retrying, statusKey = :statusKey, nextAttemptAt = :now, updatedAt = :now,"
    " dueShard = :shard, dueAt = :again"
)


class LeaseLost(Exception):
    """The delivery was claimed by another worker in the meantime; nothing was recorded."""


# ── the worker's ─────────────────────────────────────────────────────────────────────────────────────


def claim(
    message: DeliveryMessage, *, owner: str, now: int, lease_until: int, max_attempts: int
) -> dynamo.Row:
    """Take the delivery for one attempt, and return its row. Creates the row the first time.

    Raises ConditionFailed with the row when it is terminal, held, leased, not yet due, or of a later
    generation.
    """
    try:
        return _begin(
            message,
            "#status = :sending, #owner = :owner, leaseUntil = :lease, generation = :generation,"
            " claims = if_not_exists(claims, :zero) + :one",
            removing="dueShard, dueAt, nextAttemptAt, slotAt, heldAt",
            now=now,
            max_attempts=max_attempts,
            names={"#owner": "owner"},
            owner=owner,
            lease=lease_until,
        )
    except dynamo.ConditionFailed as refused:
        # A claim whose answer was lost is sent again by the client, and refused by the first one.
        if refused.row is not None and refused.row.get("owner") == owner:
            return refused.row
        raise


def hold(message: DeliveryMessage, *, reason: str, now: int, max_attempts: int) -> None:
    """Keep the delivery in the table, as the next generation: its message has served. What has no attempt
    in time after it was first held, the sweeper ends. Raises ConditionFailed as `claim` does.
    """
    _begin(
        message,
        "#status = :held, generation = :next, reason = :reason, statusKey = :key, dueShard = :shard,"
        " heldAt = if_not_exists(heldAt, :now), dueAt = if_not_exists(heldAt, :now) + :most_held,"
        " claims = if_not_exists(claims, :zero)",
        removing="#owner, leaseUntil, nextAttemptAt, slotAt",
        now=now,
        max_attempts=max_attempts,
        names={"#owner": "owner"},
        held=Status.HELD,
        next=message.generation + 1,
        reason=reason,
        key=_status_key(webhook_key(message.workspace_id, message.webhook_id), Status.HELD),
        shard=due_index.shard_of(message.id),
        most_held=settings().max_hold_seconds * 1000,
    )


def sleep(message: DeliveryMessage, *, until: int, now: int, max_attempts: int) -> None:
    """Note the delivery's slot of its webhook's rate limit; its message waits for it in the queue. Raises
    ConditionFailed as `claim` does.
    """
    _begin(
        message,
        "#status = if_not_exists(#status, :pending), generation = :generation, nextAttemptAt = :until,"
        " slotAt = :until, claims = if_not_exists(claims, :zero)",
        removing="dueShard, dueAt",
        now=now,
        max_attempts=max_attempts,
        until=until,
    )


def delivered(
    message: DeliveryMessage,
    before: dynamo.Row | None,
    attempt: dynamo.Row,
    *,
    max_attempts: int,
    counted: bool,
    now: int,
) -> dynamo.Row:
    """The row of a delivery whose attempt was answered well, to be written with `record_delivered`. `before`
    is the row that the attempt's claim returned, None without a claim. `counted` says that its webhook's
    counters have it.
    """
    begun = before or {"attempts": 0, "version": 0, "createdAt": attempt["startedAt"]}
    row = {
        **_key(message.workspace_id, message.webhook_id, message.id),
        "status": Status.DELIVERED,
        "eventId": message.event_id,
        "eventType": message.event_type,
        "generation": message.generation,
        "attempts": begun["attempts"] + 1,
        "maxAttempts": begun.get("maxAttempts", max_attempts),
        "earlier": begun.get("earlier"),
        "trigger": begun.get("trigger"),
        "createdAt": begun["createdAt"],
        "updatedAt": now,
        "deliveredAt": now,
        "version": begun["version"] + 1,
        "counted": counted or None,
        "ttl": kept_until(now),
    }
    return row | {"success": _within(attempt, _WRITE_UNIT_BYTES - dynamo.size_of(row))}


def record_delivered(rows: Sequence[dynamo.Row]) -> list[int]:
    """Write rows that `delivered` gave: one call, one write unit each. Returns the positions of those that
    were not written.

    The write has no condition, because DELIVERED is the truth whatever stands there:
        nothing             nobody else knew of the delivery
        PENDING, RETRYING   another message waits for it: it finds the delivery over
        HELD                the sweeper's release is refused, because it asks for HELD
        SENDING             another worker sends a copy at this moment; its record of a failure is refused,
                            because it asks for its own lease
        FAILED, CANCELLED   another worker had a copy; that the receiver took one of them counts
        DELIVERED           the same, a moment later
    """
    return dynamo.put_each([(settings().deliveries_table, row) for row in rows])


def _within(attempt: dynamo.Row, room: int) -> dynamo.Row:
    """A successful attempt with as much of its answer's body as fits into so many bytes, 200 characters in
    any case: beyond 1 KB, a row costs another write unit.
    """
    body: str = attempt["responseBody"]
    room -= dynamo.size_of({"success": {**attempt, "responseBody": "", "truncated": True}})
    short = body[: max(room, _LEAST_BODY_CHARACTERS)] if body.isascii() else body[:_LEAST_BODY_CHARACTERS]
    return {**attempt, "responseBody": short, "truncated": attempt["truncated"] or short != body}


def retrying(
    message: DeliveryMessage,
    owner: str,
    attempt: dynamo.Row,
    *,
    reason: str,
    next_attempt_at: int,
    parked: bool,
    not_registered_since: int | None = None,
    now: int,
) -> None:
    """Record a failed attempt that another follows. A parked one waits for the sweeper instead of in the
    queue, as the next generation: this one's message has served. `not_registered_since` is when
    the receiver first said that it does not know the hook, if it has said only this since. Raises LeaseLost.
    """
    parking, ending = "", ", notRegisteredAt"
    extra: dynamo.Row = {}
    if not_registered_since is not None:
        parking, ending = ", notRegisteredAt = :since", ""
        extra = {"since": not_registered_since}
    if parked:
        parking += ", dueShard = :shard, dueAt = :next, generation = :generation"
        extra |= {"shard": due_index.shard_of(message.id), "generation": message.generation + 1}
    _settle(
        message,
        owner,
        "SET #status = :status, statusKey = :key, reason = :reason, nextAttemptAt = :next, updatedAt = :now"
        f"{parking} ADD attempts :one, version :one REMOVE #owner, leaseUntil{ending}",
        attempt=attempt,
        status=Status.RETRYING,
        key=_status_key(webhook_key(message.workspace_id, message.webhook_id), Status.RETRYING),
        reason=reason,
        next=next_attempt_at,
        now=now,
        one=1,
        **extra,
    )


def ended(
    message: DeliveryMessage,
    owner: str,
    attempt: dynamo.Row | None,
    *,
    status: Status,
    reason: str,
    now: int,
) -> None:
    """Record the end that is no success: FAILED or CANCELLED. `attempt` is None when none was made now.
    Raises LeaseLost.
    """
    _settle(
        message,
        owner,
        "SET #status = :status, statusKey = :key, reason = :reason, updatedAt = :now"
        " ADD attempts :made, version :one REMOVE #owner, leaseUntil",
        attempt=attempt,
        status=status,
        key=_status_key(webhook_key(message.workspace_id, message.webhook_id), status),
        reason=reason,
        now=now,
        made=0 if attempt is None else 1,
        one=1,
    )


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────


def place(message: DeliveryMessage) -> tuple[str, dynamo.Row]:
    """The table and the key of a message's delivery, to be read along with other rows."""
    return settings().deliveries_table, _key(message.workspace_id, message.webhook_id, message.id)


def get(workspace_id: str, webhook_id: WebhookId, id: DeliveryId) -> dynamo.Row | None:
    return dynamo.get(settings().deliveries_table, _key(workspace_id, webhook_id, id))


def get_many(workspace_id: str, ids: Iterable[tuple[WebhookId, DeliveryId]]) -> dict[DeliveryId, dynamo.Row]:
    """The rows that exist."""
    return _rows([_key(workspace_id, webhook_id, id) for webhook_id, id in ids])


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
        ("statusKey", _status_key(partition, status)),
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
    """The deliveries of a webhook that are FAILED or CANCELLED, as `of_status` gives those of one status."""
    return heapq.merge(*(of_status(key, status, after, until) for status in RECOVERABLE))


def of_status(key: str, status: Status, after: str, until: str = "~") -> Iterator[DeliveryId]:
    """The deliveries of a webhook with that status and an id after `after`, up to `until`, oldest first."""
    for row in dynamo.query(
        settings().deliveries_table,
        "statusKey = :key AND sk BETWEEN :after AND :until",
        index="byStatus",
        key=_status_key(key, status),
        after=f"{after}!",  # the least text after it
        until=until,
    ):
        yield DeliveryId(row["sk"])


def oldest(key: str, status: Status, count: int) -> list[DeliveryId]:
    """The oldest deliveries of a webhook with that status."""
    return list(islice(of_status(key, status, ""), count))


# ── the sweeper's and the API's ──────────────────────────────────────────────────────────────────────


def due(shard: int, now: int) -> Iterator[tuple[str, DeliveryId]]:
    """What is parked or held, and due: (webhookKey, id), the longest waiting first."""
    for row in due_index.rows(settings().deliveries_table, shard, now):
        yield row["webhookKey"], DeliveryId(row["sk"])


def requeue(key: str, id: DeliveryId, now: int) -> DeliveryMessage | None:
    """The message to send for a parked delivery that is due; None if another sweeper has it, or it is held.

    It stays parked, a quarter of an hour on: the claim takes it out. So a sweeper that dies before it sends
    loses nothing, for a later one finds the row again; and what it sends again is of the same generation, so
    that in a queue that is far behind the first copy to be received counts.
    """
    return _queued(
        key,
        id,
        "dueAt = :again",
        condition="#status = :retrying AND dueAt <= :now",
        retrying=Status.RETRYING,
        again=now + _SENT_AGAIN_MS,
        now=now,
    )


def release(key: str, id: DeliveryId, now: int) -> DeliveryMessage | None:
    """The message to send for a held delivery, which is parked from now on; None if it is no longer held, or
    has been for too long.
    """
    return _queued(
        key,
        id,
        _PARK,
        condition="#status = :held AND dueAt > :now",
        held=Status.HELD,
        retrying=Status.RETRYING,
        statusKey=_status_key(key, Status.RETRYING),
        shard=due_index.shard_of(id),
        again=now + _SENT_AGAIN_MS,
        now=now,
    )


def restart(
    key: str, id: DeliveryId, *, of: Sequence[Status], trigger: str, now: int, version: int | None = None
) -> DeliveryMessage | None:
    """The message to send for a delivery that is tried anew, with all the retries of its webhook; it is
    parked from now on. None if its status is not one `of` these, or its version another one. One whose lease
    or slot is over may be, too: its message may be in the dead-letter queue, and nothing else would send it.
    """
    guard = " AND version = :version" if version is not None else ""
    values: dynamo.Row = {"version": version} if version is not None else {}
    return _queued(
        key,
        id,
        f"{_PARK}, #trigger = :trigger, earlier = attempts, claims = attempts,"
        " generation = generation + :one ADD version :one"
        " REMOVE heldAt, slotAt, reason, notRegisteredAt, #owner, leaseUntil",
        condition=f"(#status IN ({', '.join(f':of{at}' for at in range(len(of)))})"
        " OR (#status = :sending AND leaseUntil <= :now)"
        f" OR (#status = :pending AND nextAttemptAt <= :now)){guard}",
        names={"#trigger": "trigger", "#owner": "owner"},
        sending=Status.SENDING,
        pending=Status.PENDING,
        retrying=Status.RETRYING,
        statusKey=_status_key(key, Status.RETRYING),
        shard=due_index.shard_of(id),
        again=now + 60_000,
        now=now,
        trigger=trigger,
        one=1,
        **{f"of{at}": status for at, status in enumerate(of)},
        **values,
    )


def end_waiting(
    key: str, id: DeliveryId, *, status: Status, reason: str, now: int, overdue: bool = False
) -> bool:
    """End a delivery that is RETRYING or HELD without another attempt; of `overdue` ones only what was held
    for too long. Whether that was so.
    """
    condition = "#status = :held AND dueAt <= :now" if overdue else "#status IN (:held, :retrying)"
    others: dynamo.Row = {} if overdue else {"retrying": Status.RETRYING}
    try:
        dynamo.update(
            settings().deliveries_table,
            {"webhookKey": key, "sk": id},
            "SET #status = :status, statusKey = :key, reason = :reason, updatedAt = :now"
            " ADD version :one REMOVE dueShard, dueAt, nextAttemptAt, heldAt, slotAt",
            condition=condition,
            names={"#status": "status"},
            returning="NONE",
            status=status,
            held=Status.HELD,
            key=_status_key(key, status),
            reason=reason,
            now=now,
            one=1,
            **others,
        )
    except dynamo.ConditionFailed:
        return False
    return True


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _counted(key: str, status: Status, where: str | None) -> int:
    return dynamo.count(
        settings().deliveries_table,
        "statusKey = :key",
        index="byStatus",
        where=where,
        key=_status_key(key, status),
    )


_INDEXED = frozenset({Status.RETRYING, Status.HELD, Status.FAILED, Status.CANCELLED})


def _begin(
    message: DeliveryMessage,
    setting: str,
    *,
    removing: str,
    now: int,
    max_attempts: int,
    names: dict[str, str] | None = None,
    **values: Any,
) -> dynamo.Row:
    """The write by which a message takes hold of its delivery."""
    return dynamo.update(
        settings().deliveries_table,
        _key(message.workspace_id, message.webhook_id, message.id),
        f"SET {setting}, {_BEGIN} REMOVE {removing}",
        condition=_FREE,
        names={"#status": "status", "#ttl": "ttl", **(names or {})},
        sending=Status.SENDING,
        retrying=Status.RETRYING,
        pending=Status.PENDING,
        generation=message.generation,
        most=max_attempts,
        event=message.event_id,
        type=message.event_type,
        now=now,
        ttl=kept_until(now),  # not by its id: an event that came over the bus may be weeks old
        zero=0,
        one=1,
        **values,
    )


def _settle(
    message: DeliveryMessage,
    owner: str,
    expression: str,
    *,
    attempt: dynamo.Row | None,
    now: int,
    **values: Any,
) -> None:
    """One write under our lease; with the attempt's own row it is a transaction."""
    table = settings().deliveries_table
    key = _key(message.workspace_id, message.webhook_id, message.id)
    terms: dict[str, Any] = {
        "condition": "#status = :sending AND #owner = :owner",
        "names": {"#status": "status", "#owner": "owner"},
        "sending": Status.SENDING,
        "owner": owner,
        "now": now,
        **values,
    }
    try:
        if attempt is None:
            _update_once(table, key, expression, **terms)
            return
        row = {
            "webhookKey": key["webhookKey"],
            "sk": _attempt_key(message.id, f"{attempt['number']:04}"),
            "ttl": kept_until(now),
            **attempt,
        }
        dynamo.transact([dynamo.updating(table, key, expression, **terms), dynamo.putting(table, row)])
    except (dynamo.ConditionFailed, dynamo.TransactionRefused):
        raise LeaseLost from None


def _update_once(
    table: str, row_key: dynamo.Row, expression: str, *, now: int, status: Status, **terms: Any
) -> None:
    """An update that sets `updatedAt` and `status`. One whose answer was lost is sent again by the client,
    and refused by what it has done itself.
    """
    try:
        dynamo.update(table, row_key, expression, returning="NONE", now=now, status=status, **terms)
    except dynamo.ConditionFailed as refused:
        row = refused.row or {}
        if (row.get("status"), row.get("updatedAt")) != (status, now):
            raise


def _queued(
    key: str, id: DeliveryId, setting: str, *, names: dict[str, str] | None = None, **terms: Any
) -> DeliveryMessage | None:
    """The write that takes a delivery in hand to queue it, and its message; None if it is refused."""
    # A write whose answer was lost is sent again by the client, and refused by the first one.
    token = secrets.token_hex(4)
    try:
        row: dynamo.Row | None = dynamo.update(
            settings().deliveries_table,
            {"webhookKey": key, "sk": id},
            f"SET queuedBy = :token, {setting}",
            names={"#status": "status", **(names or {})},
            token=token,
            **terms,
        )
    except dynamo.ConditionFailed as refused:
        row = refused.row
    if row is None or row.get("queuedBy") != token:
        return None
    workspace_id, webhook_id = of_webhook_key(key)
    return DeliveryMessage(
        id=id,
        workspace_id=workspace_id,
        webhook_id=webhook_id,
        event_id=EventId(row["eventId"]),
        event_type=row["eventType"],
        body=None,
        generation=row["generation"],
        correlation_id=row["eventId"],
    )


def _rows(keys: list[dynamo.Row], **options: Any) -> dict[DeliveryId, dynamo.Row]:
    rows = dynamo.get_many(settings().deliveries_table, keys, **options)
    return {DeliveryId(row["sk"]): row for row in rows}


def _key(workspace_id: str, webhook_id: WebhookId | RunId, id: DeliveryId) -> dynamo.Row:
    return {"webhookKey": webhook_key(workspace_id, webhook_id), "sk": id}


def _attempt_key(id: DeliveryId, number: str) -> str:
    return f"try#{id}#{number}"


def _status_key(key: str, status: str) -> str:
    return f"{key}#{status}"
