"""The deliveries table.

Key: webhookKey (`<workspace>#<webhook>`), sk. Two kinds of rows:
    dlv_…               a delivery; of a delivered one it also holds the attempt that succeeded
    try#dlv_…#<nnnn>    a failed attempt
Indexes, both sparse: `failed` (failedKey, sk) has what ended FAILED; `due` (dueShard, dueAt) what is
parked until the sweeper queues it. Rows end by TTL. Times in Unix milliseconds.

A delivery that succeeds is two writes: `claim` and `delivered`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from patchbay import dynamo
from patchbay.deliveries.models import DeliveryMessage, Status
from patchbay.ids import DeliveryId, EventId, WebhookId
from patchbay.settings import settings

# One partition takes 1,000 writes a second; parked retries come in waves when a receiver is down.
DUE_SHARDS = 4
_PARKED_AGAIN_MS = 15 * 60_000


class LeaseLost(Exception):
    """The delivery was claimed by another worker in the meantime; nothing was recorded."""


def claim(
    message: DeliveryMessage, *, owner: str, now: int, lease_until: int, max_attempts: int
) -> dynamo.Row:
    """Take the delivery for one attempt, and return its row. Creates the row the first time.

    Raises ConditionFailed with the row when it is terminal, leased, not yet due, or of a later generation.
    """
    try:
        return _claim(message, owner, now, lease_until, max_attempts)
    except dynamo.ConditionFailed as refused:
        # A claim whose answer was lost is sent again by botocore, and refused by the first one.
        if refused.row is not None and refused.row.get("owner") == owner:
            return refused.row
        raise


def _claim(message: DeliveryMessage, owner: str, now: int, lease_until: int, max_attempts: int) -> dynamo.Row:
    return dynamo.update(
        settings().deliveries_table,
        _key(message.workspace_id, message.webhook_id, message.id),
        "SET #status = :sending, #owner = :owner, leaseUntil = :lease, generation = :generation,"
        " claims = if_not_exists(claims, :zero) + :one, attempts = if_not_exists(attempts, :zero),"
        " version = if_not_exists(version, :zero) + :one, maxAttempts = :most,"
        " eventId = :event, eventType = :type, createdAt = if_not_exists(createdAt, :now),"
        " updatedAt = :now, #ttl = if_not_exists(#ttl, :ttl)"
        " REMOVE dueShard, dueAt, nextAttemptAt",
        condition="attribute_not_exists(sk) OR (generation <= :generation AND ("
        "(#status = :sending AND leaseUntil <= :now) OR"
        " (#status = :retrying AND nextAttemptAt <= :now)))",
        names={"#status": "status", "#owner": "owner", "#ttl": "ttl"},
        sending=Status.SENDING,
        retrying=Status.RETRYING,
        owner=owner,
        lease=lease_until,
        generation=message.generation,
        most=max_attempts,
        event=message.event_id,
        type=message.event_type,
        now=now,
        ttl=message.id.time_ms // 1000 + settings().retention_days * 86_400,
        zero=0,
        one=1,
    )


def delivered(message: DeliveryMessage, owner: str, attempt: dynamo.Row, now: int) -> None:
    """Record the answer that ends it well. Raises LeaseLost."""
    _settle(
        message,
        owner,
        "SET #status = :status, deliveredAt = :now, updatedAt = :now, success = :success"
        " ADD attempts :one, version :one REMOVE #owner, leaseUntil, reason",
        attempt=None,
        status=Status.DELIVERED,
        success=attempt,
        now=now,
        one=1,
    )


def retrying(
    message: DeliveryMessage,
    owner: str,
    attempt: dynamo.Row,
    *,
    reason: str,
    next_attempt_at: int,
    parked: bool,
    now: int,
) -> None:
    """Record a failed attempt that another follows. A parked one waits for the sweeper instead of in the
    queue, as the next generation: this one's message has served. Raises LeaseLost.
    """
    due = ", dueShard = :shard, dueAt = :next, generation = :generation" if parked else ""
    extra: dynamo.Row = {"shard": _shard(message.id), "generation": message.generation + 1} if parked else {}
    _settle(
        message,
        owner,
        "SET #status = :status, reason = :reason, nextAttemptAt = :next, updatedAt = :now"
        f"{due} ADD attempts :one, version :one REMOVE #owner, leaseUntil",
        attempt=attempt,
        status=Status.RETRYING,
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
    failed = ", failedKey = :key" if status is Status.FAILED else ""
    key: dynamo.Row = {"key": _partition(message.workspace_id, message.webhook_id)} if failed else {}
    _settle(
        message,
        owner,
        f"SET #status = :status, reason = :reason, updatedAt = :now{failed}"
        " ADD attempts :made, version :one REMOVE #owner, leaseUntil",
        attempt=attempt,
        status=status,
        reason=reason,
        now=now,
        made=0 if attempt is None else 1,
        one=1,
        **key,
    )


def get(workspace_id: str, webhook_id: WebhookId, id: DeliveryId) -> dynamo.Row | None:
    return dynamo.get(settings().deliveries_table, _key(workspace_id, webhook_id, id))


def get_many(workspace_id: str, ids: Iterable[tuple[WebhookId, DeliveryId]]) -> dict[DeliveryId, dynamo.Row]:
    """The rows that exist."""
    keys = [_key(workspace_id, webhook_id, id) for webhook_id, id in ids]
    rows = dynamo.get_many(settings().deliveries_table, keys)
    return {DeliveryId(row["sk"]): row for row in rows}


def failed_attempts(workspace_id: str, webhook_id: WebhookId, id: DeliveryId) -> list[dynamo.Row]:
    """In the order they were made."""
    return list(
        dynamo.query(
            settings().deliveries_table,
            "webhookKey = :key AND begins_with(sk, :prefix)",
            key=_partition(workspace_id, webhook_id),
            prefix=_attempt_key(id, ""),
        )
    )


def page(
    workspace_id: str,
    webhook_id: WebhookId,
    between: tuple[DeliveryId, DeliveryId],
    *,
    status: str | None,
    event_type: str | None,
    limit: int,
    cursor: str | None,
) -> dynamo.Page:
    """Newest first. FAILED is read from its own index; other statuses are filtered."""
    partition = _partition(workspace_id, webhook_id)
    tests, values = [], {}
    if event_type is not None:
        tests.append("eventType = :eventType")
        values["eventType"] = event_type
    failed = status == Status.FAILED
    if status is not None and not failed:
        tests.append("#status = :status")
        values["status"] = status
    return dynamo.page(
        settings().deliveries_table,
        ("failedKey" if failed else "webhookKey", partition),
        ("sk", *between),
        index="failed" if failed else None,
        keys=("webhookKey",) if failed else (),
        limit=limit,
        cursor=cursor,
        where=" AND ".join(tests) or None,
        names={"#status": "status"} if "status" in values else None,
        **values,
    )


# ── the sweeper's ────────────────────────────────────────────────────────────────────────────────────


def due(shard: int, now: int) -> Iterator[tuple[str, str]]:
    """The keys (webhookKey, sk) of what is parked and due, the longest waiting first."""
    for row in dynamo.query(
        settings().deliveries_table,
        "dueShard = :shard AND dueAt <= :now",
        index="due",
        shard=shard,
        now=now,
    ):
        yield row["webhookKey"], row["sk"]


def requeue(key: tuple[str, str], now: int) -> DeliveryMessage | None:
    """The message to send for a parked delivery that is due; None if another sweeper has it.

    It stays parked, a quarter of an hour on: the claim takes it out. So a sweeper that dies before it sends
    loses nothing, for a later one finds the row again; and what it sends again is of the same generation, so
    that in a queue that is far behind the first copy to be received counts.
    """
    webhook_key, sk = key
    try:
        row = dynamo.update(
            settings().deliveries_table,
            {"webhookKey": webhook_key, "sk": sk},
            "SET dueAt = :again",
            condition="#status = :retrying AND dueAt <= :now",
            names={"#status": "status"},
            retrying=Status.RETRYING,
            again=now + _PARKED_AGAIN_MS,
            now=now,
        )
    except dynamo.ConditionFailed:
        return None
    workspace_id, _, webhook_id = webhook_key.partition("#")
    return DeliveryMessage(
        id=DeliveryId(sk),
        workspace_id=workspace_id,
        webhook_id=WebhookId(webhook_id),
        event_id=EventId(row["eventId"]),
        event_type=row["eventType"],
        body=None,
        generation=row["generation"],
        correlation_id=row["eventId"],
    )


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _settle(
    message: DeliveryMessage,
    owner: str,
    expression: str,
    *,
    attempt: dynamo.Row | None,
    names: dict[str, str] | None = None,
    **values: Any,
) -> None:
    """One write under our lease; with a failed attempt's own row it is a transaction."""
    table = settings().deliveries_table
    key = _key(message.workspace_id, message.webhook_id, message.id)
    terms: dict[str, Any] = {
        "condition": "#status = :sending AND #owner = :owner",
        "names": {"#status": "status", "#owner": "owner", **(names or {})},
        "sending": Status.SENDING,
        "owner": owner,
        **values,
    }
    try:
        if attempt is None:
            dynamo.update(table, key, expression, **terms)
            return
        row = {
            "webhookKey": key["webhookKey"],
            "sk": _attempt_key(message.id, f"{attempt['number']:04}"),
            "ttl": message.id.time_ms // 1000 + settings().retention_days * 86_400,
            **attempt,
        }
        dynamo.transact([dynamo.updating(table, key, expression, **terms), dynamo.putting(table, row)])
    except (dynamo.ConditionFailed, dynamo.TransactionRefused):
        raise LeaseLost from None


def _partition(workspace_id: str, webhook_id: str) -> str:
    return f"{workspace_id}#{webhook_id}"


def _key(workspace_id: str, webhook_id: WebhookId, id: DeliveryId) -> dynamo.Row:
    return {"webhookKey": _partition(workspace_id, webhook_id), "sk": id}


def _attempt_key(id: DeliveryId, number: str) -> str:
    return f"try#{id}#{number}"


def _shard(id: DeliveryId) -> int:
    return zlib.crc32(id.encode()) % DUE_SHARDS
