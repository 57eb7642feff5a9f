"""Reads the feed of a pull webhook, and keeps the positions of its consumers.

A position never passes a number whose event may still be written, so a reader that continues at the cursor of
each response gets every event. For the cost of that guarantee, see `store` and `append`.

A request that waits for an event polls once a second. While it waits, it holds one of the workspace's
permits; without one, it responds immediately. An event that arrives during the wait is returned only if the
webhook still exists, and is signed with the webhook's secrets at that time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from patchbay import metrics
from patchbay.api_model import Empty
from patchbay.auth.principal import Principal
from patchbay.clock import from_ms, now_ms
from patchbay.errors import Conflict, NotFound, ValidationFailed
from patchbay.events import service as events
from patchbay.feeds import store
from patchbay.feeds.models import (
    NOT_A_CURSOR,
    Commit,
    Feed,
    FeedConsumer,
    FeedConsumers,
    FeedItem,
    FeedQuery,
)
from patchbay.feeds.store import Entry, Head
from patchbay.ids import DeliveryId, EventId, WebhookId, webhook_key
from patchbay.observability import logger
from patchbay.settings import settings
from patchbay.webhooks import service as webhooks
from patchbay.webhooks import signing
from patchbay.webhooks.stored_webhook import StoredWebhook

# How long a reader waits for the entry of a taken number. Writers take milliseconds. This may be too short: a
# slower writer finds its number closed.
_GAP_MS = 30_000
# The maximum number of gaps that one response closes, with one write each.
_MAX_CLOSED = 100
# The maximum size of a response's payloads, without JSON escapes. One event always fits.
_MAX_PAYLOAD_BYTES = 3 * 1024 * 1024
# How long a request searches past entries without an event.
_SEARCH_SECONDS = 5
_PAUSE_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.25
_POLL_MS = 5_000
_BLOCKED_POLL_MS = 1_000


@dataclass(slots=True)
class _Reading:
    """What a reader found after its position: `entries` with their events, and where it continues.
    `is_blocked` says that it must wait for a gap; `closed` is how many gaps it has closed.
    """

    position: int
    entries: list[Entry] = field(default_factory=list)
    has_more: bool = False
    truncated: bool = False
    is_blocked: bool = False
    closed: int = 0


def read(principal: Principal, id: WebhookId, query: FeedQuery) -> Feed:
    """The events after the reader's position. Raises NotFound, Conflict for a webhook that is not of kind
    pull, ValidationFailed for a cursor beyond the end, and vault.DecryptionFailed.
    """
    started = time.monotonic()
    webhook = _get(principal, id)
    key = webhook_key(principal.workspace_id, id)
    reading = _Reading(_start(key, query))
    reading, payloads = _read_available(
        principal.workspace_id, key, reading, query.limit, started + _SEARCH_SECONDS
    )
    next_poll_ms = 0 if query.wait else _POLL_MS
    if not payloads and query.wait:
        permit = store.acquire_wait(principal.workspace_id, now_ms(), (query.wait + 10) * 1000)
        if permit is None:
            next_poll_ms = _POLL_MS
        else:
            try:
                reading, payloads = _wait(principal.workspace_id, key, reading, query, started + query.wait)
            finally:
                store.release_wait(principal.workspace_id, permit)
            webhook = _get(principal, id)  # it may have changed during the wait
    if reading.has_more:
        next_poll_ms = 0
    elif reading.is_blocked:
        next_poll_ms = min(next_poll_ms, _BLOCKED_POLL_MS)
    return Feed(
        items=list(_items(webhook, reading.entries, payloads)),
        cursor=str(reading.position),
        has_more=reading.has_more,
        next_poll_ms=next_poll_ms,
        truncated=reading.truncated,
    )


def commit(principal: Principal, id: WebhookId, body: Commit) -> FeedConsumer:
    """Store a consumer's position. Idempotent. Raises NotFound; ValidationFailed beyond the end of the feed;
    Conflict if the stored position is further ahead and the body has no `rewind`, or if the feed has the
    maximum number of consumers.
    """
    _get(principal, id)
    key = webhook_key(principal.workspace_id, id)
    head = store.head(key)
    if body.sequence > head.sequence:
        raise ValidationFailed.for_field(
            "sequence", f"is beyond the end of the feed, which is at {head.sequence}"
        )
    try:
        stored = store.commit(key, body.consumer, body.sequence, rewind=body.rewind)
    except store.ConsumerChanged as refused:
        if (further := refused.consumer) is not None:
            raise Conflict(
                f"The consumer {body.consumer} has already committed {further.sequence}. To read the events "
                f"after {body.sequence} again, send rewind: true."
            ) from None
        raise Conflict(
            f"This feed has the maximum of {store.MAX_CONSUMERS} consumers. Delete one that you no longer "
            "use."
        ) from None
    return _to_api(stored, head)


def list_consumers(principal: Principal, id: WebhookId) -> FeedConsumers:
    """The consumers of a feed with their lag. Raises NotFound, Conflict."""
    _get(principal, id)
    consumers, head = store.consumers(webhook_key(principal.workspace_id, id))
    return FeedConsumers(items=[_to_api(each, head) for each in consumers], sequence=head.sequence)


def delete_consumer(principal: Principal, id: WebhookId, name: str) -> Empty:
    """Delete a consumer's position. Raises NotFound, Conflict."""
    _get(principal, id)
    if not store.remove_consumer(webhook_key(principal.workspace_id, id), name):
        raise NotFound("This feed has no consumer with this name.")
    return Empty()


def _get(principal: Principal, id: WebhookId) -> StoredWebhook:
    webhook = webhooks.get_stored(principal.workspace_id, id)
    if not webhook.is_pull:
        raise Conflict(
            "This is a push webhook: Patchbay sends its events to its url. Only pull webhooks have a feed."
        )
    return webhook


def _start(key: str, query: FeedQuery) -> int:
    if query.cursor is not None:
        return int(query.cursor)
    return store.committed(key, query.consumer) if query.consumer is not None else 0


def _to_api(consumer: store.StoredConsumer, head: Head) -> FeedConsumer:
    return FeedConsumer(
        consumer=consumer.name,
        sequence=consumer.sequence,
        lag=max(head.sequence - consumer.sequence, 0),
        committed_at=from_ms(consumer.committed_at),
    )


def _items(
    webhook: StoredWebhook, entries: Sequence[Entry], payloads: dict[EventId, str]
) -> Iterator[FeedItem]:
    """The entries as a receiver gets them. Entries without a payload are left out."""
    if not payloads:
        return
    secrets, now = webhooks.decrypt_secrets(webhook), now_ms() // 1000
    for entry in entries:
        if entry.event_id not in payloads:
            continue
        id, payload = DeliveryId.derived(entry.event_id, webhook.id), payloads[entry.event_id]
        yield FeedItem(
            sequence=entry.sequence,
            id=id,
            event_id=entry.event_id,
            event_type=entry.event_type,
            payload=payload,
            headers={
                "content-type": "application/json",
                "webhook-id": id,
                "webhook-timestamp": str(now),
                "webhook-signature": signing.sign(secrets, id, now, payload.encode()),
            },
        )


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────


def _read_available(
    workspace_id: str, key: str, reading: _Reading, limit: int, stop_at: float
) -> tuple[_Reading, dict[EventId, str]]:
    """What follows a reading, with the payloads by event. Until `stop_at`, searches past entries without an
    event, so that a consumer never gets stuck at them.
    """
    while True:
        truncated = reading.truncated
        reading = _read_once(key, reading.position, limit)
        ids = [entry.event_id for entry in reading.entries if entry.event_id is not None]
        payloads = events.payloads(workspace_id, ids) if ids else {}
        reading.truncated |= truncated or len(payloads) < len(set(ids))
        if payloads or not reading.has_more or time.monotonic() > stop_at:
            return reading, payloads


def _wait(
    workspace_id: str, key: str, reading: _Reading, query: FeedQuery, stop_at: float
) -> tuple[_Reading, dict[EventId, str]]:
    """Read again until there is an event, or until `stop_at`."""
    pause = _FIRST_PAUSE_SECONDS
    while (left := stop_at - time.monotonic()) > 0:
        time.sleep(min(pause, left))
        pause = min(pause * 2, _PAUSE_SECONDS)
        reading, payloads = _read_available(workspace_id, key, reading, query.limit, stop_at)
        if payloads:
            return reading, payloads
    return reading, {}


def _read_once(key: str, position: int, limit: int) -> _Reading:
    """Read up to `limit` rows after a position, and close the gaps between them."""
    now = now_ms()
    reading = _Reading(position)
    rows, head = store.entries_after(key, position, limit + 1)
    if not rows and (head.sequence if head else 0) < position:
        _check_position(key, position)
    for row in rows[:limit]:
        if not _pass_gap(key, reading, row, now):
            return reading
        if _is_full(reading, row):
            reading.has_more = True
            return reading
        _take(reading, row, now)
    if head is not None and len(rows) <= limit:
        end = Entry(head.sequence + 1, head.sequence + 1, head.at, head.at, None, "", 0, 0)
        _pass_gap(key, reading, end, now)
    reading.has_more |= len(rows) > limit
    return reading


def _check_position(key: str, position: int) -> None:
    """Raises ValidationFailed if a position is beyond the end of the feed: events will take its numbers, and
    the reader would miss them.
    """
    if position > store.head(key).sequence:
        raise ValidationFailed.for_field("cursor", NOT_A_CURSOR)


def _is_full(reading: _Reading, entry: Entry) -> bool:
    size = sum(each.size for each in reading.entries)
    return bool(reading.entries) and size + entry.size > _MAX_PAYLOAD_BYTES


def _take(reading: _Reading, entry: Entry, now: int) -> None:
    """Move past an entry. A void entry has no event, and the event of an expired one may be gone."""
    reading.position = entry.sequence
    if entry.event_id is None:
        return
    if entry.ttl * 1000 <= now:
        reading.truncated = True
    else:
        reading.entries.append(entry)


def _pass_gap(key: str, reading: _Reading, entry: Entry, now: int) -> bool:
    """Move up to an entry. Returns False if the reading ends before it: it must wait for a number, or it has
    closed the maximum number of gaps.
    """
    while (number := reading.position + 1) < entry.sequence:
        taken_at, end = (entry.before, entry.first) if number < entry.first else (entry.at, entry.sequence)
        age = now - taken_at
        if age < _GAP_MS:
            reading.is_blocked = True
            return False
        if age >= settings().retention_ms:
            # Their entries have expired. A writer does not take that long.
            reading.position, reading.truncated = end - 1, True
        elif reading.closed == _MAX_CLOSED:
            reading.has_more = True
            return False
        else:
            _close_gap(key, reading, number, taken_at, now)
    return True


def _close_gap(key: str, reading: _Reading, number: int, taken_at: int, now: int) -> None:
    """Move past a number, with its entry if it has one by now."""
    entry = store.close_gap(key, number, taken_at, now)
    if entry is not None:
        _take(reading, entry, now)
        return
    reading.position = number
    reading.closed += 1
    metrics.add(metrics.FEED_GAPS_CLOSED)
    logger.warning("gap in a feed closed", webhook=key, sequence=number)
