"""The deliveries of a whole workspace.

No index has all of them. There are three ways to find them, and each takes a bounded number of calls to AWS:

- With `webhookId` and without `eventId`: the webhook's own list.
- RETRYING, HELD, FAILED and CANCELLED deliveries have an index for each webhook. Up to 100 of these lists are
  merged, at one query each. They have the deliveries of existing webhooks only.
- Otherwise a walk over the workspace's events, newest first: an event's row has the webhooks that it matched,
  and so the IDs of its deliveries, which are read 100 at a time. The walk stops after 10 reads of events or
  20 of deliveries, and the cursor continues there. So a page can be short or empty, but makes progress.

The callbacks of runs are not in this list: they belong to no webhook, and have no event.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from patchbay.deliveries import store
from patchbay.deliveries.models import AllDeliveriesQuery, Status
from patchbay.deliveries.stored_delivery import StoredDelivery
from patchbay.events import service as events
from patchbay.events.models import MatchedEvent
from patchbay.ids import DeliveryId, EventId, WebhookId, webhook_key
from patchbay.storage import dynamo
from patchbay.storage.paging import Page
from patchbay.webhooks import service as webhooks

_MAX_MERGED = 100
_MAX_EVENT_READS = 10
_MAX_DELIVERY_READS = 20
_DELIVERIES_PER_READ = 100  # BatchGetItem's limit
_AFTER_ALL = "~"  # higher than every ID


class _Expected(NamedTuple):
    """A delivery that an event has, whether it has a row or not."""

    id: DeliveryId
    webhook_id: WebhookId
    event_id: EventId
    event_type: str

    @property
    def cursor(self) -> str:
        """The cursor that continues after this delivery."""
        return dynamo.encode_cursor([self.event_id, self.id])


def page(workspace_id: str, query: AllDeliveriesQuery) -> Page[StoredDelivery]:
    """One page of the workspace's deliveries, newest event first. Raises ValidationFailed for the cursor of
    another list.
    """
    status = Status(query.status) if query.status else None
    id_range = DeliveryId.range(query.since, query.until)
    if query.event_id is not None:
        only = None if query.webhook_id is None else (query.webhook_id,)
        return _walk(workspace_id, query, status, only)
    if query.webhook_id is not None:
        return store.page(
            workspace_id,
            query.webhook_id,
            id_range,
            status=status,
            event_type=query.event_type,
            limit=query.limit,
            cursor=query.cursor,
        )
    if status not in store.INDEXED:
        return _walk(workspace_id, query, status, None)
    webhook_ids = webhooks.list_ids(workspace_id)
    if len(webhook_ids) > _MAX_MERGED:
        return _walk(workspace_id, query, status, frozenset(webhook_ids))
    return store.page_by_status(
        [webhook_key(workspace_id, id) for id in webhook_ids],
        id_range,
        status=status,
        event_type=query.event_type,
        limit=query.limit,
        cursor=query.cursor,
    )


def _walk(
    workspace_id: str, query: AllDeliveriesQuery, status: Status | None, only: Collection[WebhookId] | None
) -> Page[StoredDelivery]:
    """The deliveries of the workspace's events to the webhooks `only`, or to all of them."""
    low, high, after = _start(query)
    entries: list[tuple[StoredDelivery, str]] = []
    reads_left = _MAX_DELIVERY_READS
    for _ in range(_MAX_EVENT_READS):
        matched, last_read = events.list_matched(workspace_id, (low, high), query.event_type)
        expected = [each for each in _expected(matched, only) if each.event_id != high or each.id < after]
        while expected and reads_left and len(entries) < query.limit:
            # Without a status, each of them is an item of the page.
            count = _DELIVERIES_PER_READ if status else query.limit - len(entries)
            chunk, expected = expected[:count], expected[count:]
            entries += _read(workspace_id, chunk, status)
            reads_left -= 1
            high, after = chunk[-1].event_id, chunk[-1].id
        if expected or last_read is None or len(entries) >= query.limit:
            break
        high, after = last_read, ""
    shown = entries[: query.limit]
    if len(entries) > len(shown):
        cursor: str | None = shown[-1][1]
    else:
        cursor = dynamo.encode_cursor([high, after]) if expected or last_read else None
    return Page(_with_max_attempts(workspace_id, shown), cursor)


def _start(query: AllDeliveriesQuery) -> tuple[EventId, EventId, str]:
    """The range of events, and the delivery of its newest event that the page begins after. Raises
    ValidationFailed for a cursor outside of the range.
    """
    low, high = EventId.range(query.since, query.until)
    if query.event_id is not None:
        low, high = max(low, query.event_id), min(high, query.event_id)
    if not query.cursor:
        return low, high, _AFTER_ALL
    event_id, after = dynamo.decode_cursor(query.cursor, 2)
    if not low <= event_id <= high:
        raise dynamo.invalid_cursor()
    return low, EventId(event_id), after


def _expected(matched: Iterable[MatchedEvent], only: Collection[WebhookId] | None) -> Iterator[_Expected]:
    """The deliveries of the events, by event and then by ID, newest first."""
    for event in matched:
        yield from sorted(
            (
                _Expected(DeliveryId.derived(event.id, webhook_id), webhook_id, event.id, event.type)
                for webhook_id in event.webhook_ids
                if only is None or webhook_id in only
            ),
            reverse=True,
        )


def _read(
    workspace_id: str, expected: Sequence[_Expected], status: Status | None
) -> Iterator[tuple[StoredDelivery, str]]:
    """The deliveries with this status, or all of them, each with the cursor that continues after it."""
    found = store.get_many(workspace_id, ((each.webhook_id, each.id) for each in expected))
    for each in expected:
        delivery = found.get(each.id) or _queued(workspace_id, each)
        if status is None or delivery.status is status:
            yield delivery, each.cursor


def _queued(workspace_id: str, expected: _Expected) -> StoredDelivery:
    """A delivery that has no row, because its first attempt has not begun."""
    created_at = expected.event_id.time_ms
    return StoredDelivery(
        webhook_key=webhook_key(workspace_id, expected.webhook_id),
        id=expected.id,
        event_id=expected.event_id,
        event_type=expected.event_type,
        status=Status.PENDING,
        generation=0,
        attempts=0,
        max_attempts=0,
        created_at=created_at,
        updated_at=created_at,
        version=0,
        ttl=0,
    )


def _with_max_attempts(
    workspace_id: str, entries: Sequence[tuple[StoredDelivery, str]]
) -> list[tuple[StoredDelivery, str]]:
    """The entries, with the maximum of their webhooks' attempts for deliveries without a row."""
    queued = {delivery.webhook_id for delivery, _ in entries if delivery.version == 0}
    maximums = webhooks.max_attempts(workspace_id, queued)
    return [
        (
            delivery._replace(max_attempts=maximums.get(delivery.webhook_id, 0))
            if delivery.version == 0
            else delivery,
            cursor,
        )
        for delivery, cursor in entries
    ]
