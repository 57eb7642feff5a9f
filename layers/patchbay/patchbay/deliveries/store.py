"""The deliveries table.

Key: webhookKey (`<workspace>#<webhook>`), sk. Two kinds of rows:
    dlv_…               a delivery; if it is delivered, also the attempt that succeeded
    try#dlv_…#<nnnn>    an attempt that failed, or one that succeeded before the delivery was sent again
Indexes, both sparse: `byStatus` (statusKey, sk) has the deliveries that are RETRYING (also while they are
being sent), HELD, FAILED or CANCELLED; `due` (dueShard, dueAt) has those that wait in the table until the
sweeper queues them. A delivery that succeeds on its first attempt is in neither, and takes one write. Rows
expire by TTL. Times are Unix milliseconds.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby, islice
from typing import Any, NamedTuple, Required, TypedDict

from patchbay.deliveries.models import DeliveryMessage, Status
from patchbay.deliveries.stored_delivery import (
    OUTCOME_ATTRIBUTES,
    DeliveryOutcome,
    StoredAttempt,
    StoredDelivery,
    status_key,
)
from patchbay.ids import DeliveryId, RunId, WebhookId, webhook_key
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.storage.merged import merge
from patchbay.storage.paging import Page

# DynamoDB bills a write of up to 1 KB as one unit.
_WRITE_UNIT_BYTES = 1024
_MIN_BODY_CHARACTERS = 200

# Limits the reads of one request or one failure to about 1 MB of a webhook's deliveries.
_NEWEST = 1000

# The index `byStatus` has the deliveries with these statuses.
INDEXED = frozenset({Status.RETRYING, Status.HELD, Status.FAILED, Status.CANCELLED})

# The queries of a page whose rows are filtered.
_MAX_READS = 10

# A recovery sends deliveries with these statuses again.
RECOVERABLE = (Status.FAILED, Status.CANCELLED)


class ListedDelivery(NamedTuple):
    """A delivery as an index has it; sorts by age."""

    id: DeliveryId
    event_type: str


class DeliveryChanged(Exception):
    """The row has changed since the transition read it. `delivery` is the current row, or None if there is
    none.
    """

    def __init__(self, delivery: StoredDelivery | None) -> None:
        super().__init__("the delivery has changed")
        self.delivery = delivery


# ── write ────────────────────────────────────────────────────────────────────────────────────────────


def write(
    before: StoredDelivery | None,
    after: StoredDelivery,
    attempt: StoredAttempt | None = None,
    extra_actions: Sequence[dynamo.TransactItem] = (),
) -> None:
    """Store the result of a transition, and a row for an attempt that `after` does not have: a failed one, or
    the success of a delivery that is sent again. `extra_actions` join the transaction. Raises
    DeliveryChanged, and TransactionCanceled if only the condition of an extra action fails.
    """
    table, row = settings().deliveries_table, after.to_row()
    condition = _if_unchanged(before)
    if attempt is None and before is not None and after.success is None:
        attempt = before.success
    try:
        if attempt is None and not extra_actions:
            dynamo.put(table, row, **condition)
            return
        actions = [dynamo.put_action(table, row, **condition)]
        if attempt is not None:
            attempt_row = attempt.to_row() | {
                "webhookKey": after.webhook_key,
                "sk": _attempt_key(after.id, f"{attempt.number:04}"),
                "ttl": after.ttl,
            }
            actions.append(dynamo.put_action(table, attempt_row))
        dynamo.transact([*actions, *extra_actions])
    except dynamo.ConditionFailed as refused:
        found = refused.row
    except dynamo.TransactionCanceled as refused:
        if 0 not in refused.failed:
            raise
        found = refused.rows[0]
    else:
        return
    current = StoredDelivery.from_row(found) if found else None
    # If a response is lost, the AWS client repeats the write, whose condition fails because of the first one.
    if current is None or current.token != after.token:
        raise DeliveryChanged(current)


class _Condition(TypedDict, total=False):
    condition: Required[str]
    names: Mapping[str, str]
    seen: str | int


def _if_unchanged(before: StoredDelivery | None) -> _Condition:
    if before is None:
        return {"condition": "attribute_not_exists(sk)"}
    if before.token is not None:
        return {"condition": "#token = :seen", "names": {"#token": "token"}, "seen": before.token}
    # An earlier release wrote the row.
    condition = "attribute_not_exists(#token) AND version = :seen"
    return {"condition": condition, "names": {"#token": "token"}, "seen": before.version}


def erase_responses(key: str, id: DeliveryId) -> None:
    """Remove the receiver's responses from the rows of a delivery's attempts."""
    rows = dynamo.query(
        settings().deliveries_table,
        "webhookKey = :key AND begins_with(sk, :prefix)",
        attributes=("webhookKey", "sk"),
        key=key,
        prefix=_attempt_key(id, ""),
    )
    for row in rows:
        with suppress(dynamo.ConditionFailed):  # it has expired
            dynamo.update(
                settings().deliveries_table,
                row,
                "SET responseHeaders = :none, responseBody = :empty",
                condition="attribute_exists(sk)",
                returning="NONE",
                none={},
                empty="",
            )


def record_delivered(deliveries: Sequence[StoredDelivery]) -> list[int]:
    """Store deliveries from `states.delivered`, in one call without conditions. Returns the positions of
    those that were not stored.
    """
    table = settings().deliveries_table
    return dynamo.batch_put([(table, _fit_write_unit(delivery)) for delivery in deliveries])


def _fit_write_unit(delivery: StoredDelivery) -> dynamo.Row:
    """The row. If it exceeds 1 KB, which is one write unit, the response's body is cut to fit, but not below
    200 characters.
    """
    row, success = delivery.to_row(), delivery.success
    if success is None:
        return row
    body = success.response_body
    encoded = body.encode()
    free_bytes = _WRITE_UNIT_BYTES - dynamo.size_of(row) + len(encoded)
    if len(encoded) <= free_bytes:
        return row
    cut = max(encoded[: max(free_bytes, 0)].decode(errors="ignore"), body[:_MIN_BODY_CHARACTERS], key=len)
    truncated = success.truncated or cut != body
    return row | {"success": success._replace(response_body=cut, truncated=truncated).to_row()}


def webhook_rows(key: str) -> Iterator[dynamo.Row]:
    """The keys of all rows of a webhook."""
    return dynamo.query(
        settings().deliveries_table, "webhookKey = :key", attributes=("webhookKey", "sk"), key=key
    )


# ── read ─────────────────────────────────────────────────────────────────────────────────────────────


def table_key(message: DeliveryMessage) -> tuple[str, dynamo.Row]:
    """The table key of a message's delivery."""
    return settings().deliveries_table, _key(message.workspace_id, message.webhook_id, message.id)


def from_row(row: dynamo.Row | None) -> StoredDelivery | None:
    return StoredDelivery.from_row(row) if row else None


def get(workspace_id: str, webhook_id: WebhookId, id: DeliveryId) -> StoredDelivery | None:
    return from_row(dynamo.get(settings().deliveries_table, _key(workspace_id, webhook_id, id)))


def get_by_keys(keys: Iterable[tuple[str, DeliveryId]]) -> list[StoredDelivery]:
    """The deliveries that exist under up to 100 keys (webhookKey, id), in order; strongly consistent."""
    table = settings().deliveries_table
    rows = dynamo.batch_get([(table, {"webhookKey": key, "sk": id}) for key, id in keys])
    return [StoredDelivery.from_row(row) for row in rows if row is not None]


def get_many(
    workspace_id: str, ids: Iterable[tuple[WebhookId, DeliveryId]]
) -> dict[DeliveryId, StoredDelivery]:
    """The deliveries that exist, by ID; eventually consistent."""
    keys = [_key(workspace_id, webhook_id, id) for webhook_id, id in ids]
    rows = dynamo.get_many(settings().deliveries_table, keys, consistent=False)
    return {delivery.id: delivery for delivery in map(StoredDelivery.from_row, rows)}


def attempts(workspace_id: str, webhook_id: WebhookId, id: DeliveryId, limit: int) -> list[StoredAttempt]:
    """The last `limit` attempts that have their own rows, oldest first: all except a success that ended the
    delivery.
    """
    newest_first = dynamo.query(
        settings().deliveries_table,
        "webhookKey = :key AND begins_with(sk, :prefix)",
        descending=True,
        key=webhook_key(workspace_id, webhook_id),
        prefix=_attempt_key(id, ""),
    )
    return [StoredAttempt.from_row(row) for row in islice(newest_first, limit)][::-1]


def page(
    workspace_id: str,
    webhook_id: WebhookId,
    id_range: tuple[DeliveryId, DeliveryId],
    *,
    status: Status | None,
    event_type: str | None,
    limit: int,
    cursor: str | None,
) -> Page[StoredDelivery]:
    """Deliveries, newest first. Four statuses have an index. The others are filtered: most deliveries are
    DELIVERED, and PENDING and SENDING last for seconds.
    """
    partition = webhook_key(workspace_id, webhook_id)
    filters: list[str] = []
    values: dict[str, Any] = {}
    if event_type is not None:
        filters.append("eventType = :eventType")
        values["eventType"] = event_type
    if status is None or status not in INDEXED:
        if status is not None:
            filters.append("#status = :status")
            values["status"] = status
        rows = dynamo.page(
            dynamo.PageQuery(
                settings().deliveries_table,
                partition=("webhookKey", partition),
                sort_range=("sk", *id_range),
                limit=limit,
                cursor=cursor,
                filter=" AND ".join(filters) or None,
                names={"#status": "status"} if status is not None else {},
                values=values,
            )
        )
        return rows.map(StoredDelivery.from_row)
    return page_by_status(
        [partition], id_range, status=status, event_type=event_type, limit=limit, cursor=cursor
    )


def page_with_attempts(
    key: str, limit: int, cursor: str | None
) -> Page[StoredDelivery | tuple[DeliveryId, StoredAttempt]]:
    """The rows of a webhook (webhookKey): deliveries, and attempts with the ID of their delivery."""
    rows = dynamo.page(
        dynamo.PageQuery(
            settings().deliveries_table,
            partition=("webhookKey", key),
            sort_range=("sk", "!", "~"),
            limit=limit,
            cursor=cursor,
        )
    )
    return rows.map(_delivery_or_attempt)


def _delivery_or_attempt(row: dynamo.Row) -> StoredDelivery | tuple[DeliveryId, StoredAttempt]:
    if row["sk"].startswith(f"{DeliveryId.prefix}_"):
        return StoredDelivery.from_row(row)
    return DeliveryId(row["sk"].split("#")[1]), StoredAttempt.from_row(row)


def page_by_status(
    keys: Sequence[str],
    id_range: tuple[DeliveryId, DeliveryId],
    *,
    status: Status,
    event_type: str | None,
    limit: int,
    cursor: str | None,
) -> Page[StoredDelivery]:
    """The deliveries of these webhooks (webhookKey) that have this status, one of INDEXED, newest first.
    Takes a query for each webhook; with a type, up to ten for a single webhook.
    """
    after = dynamo.decode_cursor(cursor, 1)[0] if cursor else None
    pages = [
        dynamo.page(
            dynamo.PageQuery(
                settings().deliveries_table,
                partition=("statusKey", status_key(key, status)),
                sort_range=("sk", *id_range),
                index="byStatus",
                extra_key_names=("webhookKey",),
                limit=limit,
                cursor=None if after is None else dynamo.encode_cursor([after, key]),
                filter=None if event_type is None else "eventType = :eventType",
                values={} if event_type is None else {"eventType": event_type},
                max_reads=max(_MAX_READS // len(keys), 1),
            )
        )
        for key in keys
    ]
    merged = merge(pages, "sk", limit)
    rows = dynamo.full_rows(settings().deliveries_table, merged, ("webhookKey", "sk"), consistent=False)
    # A retry stays in the index while it is being sent.
    return rows.map(StoredDelivery.from_row).map(
        lambda delivery: delivery if delivery.status is status else None
    )


def count_queued_retries(key: str) -> int:
    """The number of a webhook's retries that wait in the queue, counted in one page of the index."""
    return _count(key, Status.RETRYING, "attribute_not_exists(dueAt)")


def count_retrying(key: str) -> int:
    """The number of a webhook's RETRYING deliveries, counted in one page of the index."""
    return _count(key, Status.RETRYING, None)


def count_held(key: str) -> int:
    """The number of a webhook's HELD deliveries, counted in one page of the index."""
    return _count(key, Status.HELD, None)


def find_recoverable(key: str, after: str, until: str) -> Iterator[DeliveryId]:
    """The IDs of a webhook's FAILED and CANCELLED deliveries after `after`, up to `until`, oldest first."""
    return (listed.id for listed in find_ended(key, RECOVERABLE, after, until))


def find_ended(key: str, statuses: Collection[Status], after: str, until: str) -> Iterator[ListedDelivery]:
    """A webhook's deliveries that were in one of these final statuses, after `after`, up to `until`, oldest
    first; eventually consistent. Delivered ones have no index: with them, every delivery is read. One whose
    status changes during the read can be in several sources, so each is returned once.
    """
    sources = [_list_by_status(key, status, after, until) for status in statuses if status in INDEXED]
    if Status.DELIVERED in statuses:
        sources.append(_list_delivered(key, after, until))
    return (listed for listed, _ in groupby(heapq.merge(*sources)))


def find_oldest(key: str, status: Status, limit: int) -> list[DeliveryId]:
    """The IDs of a webhook's oldest deliveries with this status."""
    return [listed.id for listed in islice(_list_by_status(key, status, "", "~"), limit)]


def outcomes(key: str, after: str, until: str) -> Iterator[DeliveryOutcome]:
    """The outcomes of a webhook's deliveries with IDs after `after`, up to `until`, oldest first; eventually
    consistent.
    """
    return _outcomes(key, f"{after}!", until, consistent=False)


def newest(key: str, after: str, until: str) -> Iterator[DeliveryOutcome]:
    """The newest 1,000 of the outcomes in this range, newest first; eventually consistent."""
    return islice(_outcomes(key, f"{after}!", until, consistent=False, descending=True), _NEWEST)


def last_success_at(key: str) -> int:
    """The time of the last success among a webhook's newest 1,000 deliveries; 0 if there is none."""
    newest = islice(_outcomes(key, *DeliveryId.range(None, None), descending=True), _NEWEST)
    return max((outcome.delivered_at for outcome in newest if outcome.is_success), default=0)


def find_due(shard: int, now: int) -> Iterator[tuple[str, DeliveryId]]:
    """The deliveries that wait in the table and are due: (webhookKey, id), longest waiting first."""
    for row in due_index.due_keys(settings().deliveries_table, shard, now):
        yield row["webhookKey"], DeliveryId(row["sk"])


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _list_by_status(key: str, status: Status, after: str, until: str) -> Iterator[ListedDelivery]:
    for row in dynamo.query(
        settings().deliveries_table,
        "statusKey = :key AND sk BETWEEN :after AND :until",
        index="byStatus",
        key=status_key(key, status),
        after=f"{after}!",  # the lowest string after it
        until=until,
    ):
        yield ListedDelivery(DeliveryId(row["sk"]), row["eventType"])


def _list_delivered(key: str, after: str, until: str) -> Iterator[ListedDelivery]:
    for row in dynamo.query(
        settings().deliveries_table,
        "webhookKey = :key AND sk BETWEEN :after AND :until",
        attributes=("sk", "status", "eventType"),
        consistent=False,
        key=key,
        after=f"{after}!",
        until=until,
    ):
        if row["status"] == Status.DELIVERED:
            yield ListedDelivery(DeliveryId(row["sk"]), row["eventType"])


def _outcomes(
    key: str, low: str, high: str, *, consistent: bool = True, descending: bool = False
) -> Iterator[DeliveryOutcome]:
    rows = dynamo.query(
        settings().deliveries_table,
        "webhookKey = :key AND sk BETWEEN :low AND :high",
        attributes=OUTCOME_ATTRIBUTES,
        consistent=consistent,
        descending=descending,
        key=key,
        low=low,
        high=high,
    )
    return map(DeliveryOutcome.from_row, rows)


def _count(key: str, status: Status, filter: str | None) -> int:
    return dynamo.count(
        settings().deliveries_table,
        "statusKey = :key",
        index="byStatus",
        filter=filter,
        key=status_key(key, status),
    )


def _key(workspace_id: str, webhook_id: WebhookId | RunId, id: DeliveryId) -> dynamo.Row:
    return {"webhookKey": webhook_key(workspace_id, webhook_id), "sk": id}


def _attempt_key(id: DeliveryId, number: str) -> str:
    return f"try#{id}#{number}"
