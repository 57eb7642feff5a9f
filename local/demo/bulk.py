"""Thousands of events and their deliveries to one webhook, for long lists.

The product's own transitions make the rows, and its stores write them, in batches instead of one by one.
Write them before the history, so that its roll-ups count them.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from local.demo import receivers, world

if TYPE_CHECKING:
    from local.demo.product import Product
    from patchbay.deliveries.stored_delivery import StoredAttempt
    from patchbay.events.models import EventMessage

NAME = "Firehose"
_CHUNK = 500
_BATCH = 25  # rows that one call writes
_FAILED_EVERY = 50
_HOUR = 3_600_000
_MAX_ATTEMPTS = 4


def write(
    product: Product,
    webhook_id: str,
    url: str,
    count: int,
    *,
    start: int,
    end: int,
    seed: int,
    say: Callable[[float, str], None],
) -> None:
    """Write `count` events between `start` and `end` (Unix milliseconds), each with a delivery to the
    webhook at `url`. Every fiftieth delivery has failed.
    """
    from patchbay.deliveries import store as deliveries
    from patchbay.events import store as events
    from patchbay.ids import EventId, WebhookId

    random, id = Random(seed), WebhookId(webhook_id)
    for first in range(0, count, _CHUNK):
        say(first / count, f"writing {count:,} events")
        delivered, rows = [], []
        for number in range(first, min(first + _CHUNK, count)):
            at = start + (end - start) * number // count
            event = _event(product.workspace, EventId.new(at), at, random)
            rows.append(events.new_row(event, [id], [], [], in_one_send=True, retain_days=None))
            message = _message(event, id)
            answer = _attempt(url, seed, message, event)
            if number % _FAILED_EVERY == _FAILED_EVERY - 1:
                _fail(message, answer, at)
            else:
                delivered.append(_delivered(message, answer, at))
        _write_events(rows)
        deliveries.record_delivered(delivered)
    hours = range(start // _HOUR, end // _HOUR + 1)
    _write_events([events.active_hour_row(product.workspace, hour) for hour in hours])


def _write_events(rows: list[Any]) -> None:
    from patchbay.events import store

    for first in range(0, len(rows), _BATCH):
        throttled = store.write(rows[first : first + _BATCH])
        assert not throttled, "the emulator throttles no writes"


def _event(workspace: str, id: Any, at: int, random: Random) -> EventMessage:
    from patchbay.events.models import EventMessage

    kind, data = world.event(random, world.iso(at))
    return EventMessage(
        id=id,
        workspace_id=workspace,
        type=kind,
        timestamp=at,
        data=data,
        source="import",
        correlation_id=id,
    )


def _message(event: EventMessage, webhook_id: Any) -> Any:
    from patchbay.deliveries.models import DeliveryMessage
    from patchbay.ids import DeliveryId

    return DeliveryMessage(
        id=DeliveryId.derived(event.id, webhook_id),
        workspace_id=event.workspace_id,
        webhook_id=webhook_id,
        event_id=event.id,
        event_type=event.type,
        body=None,
        generation=1,
        correlation_id=event.id,
    )


def _attempt(url: str, seed: int, message: Any, event: EventMessage) -> StoredAttempt:
    from patchbay.deliveries.stored_delivery import StoredAttempt

    answer = receivers.reply(url, f"{seed} {message.id}", event.payload().encode())
    assert answer is not None, f"{url} closes connections"
    return StoredAttempt(
        number=1,
        trigger="AUTO",
        started_at=event.timestamp,
        duration_ms=answer.ms,
        request_headers={"webhook-id": message.id, "webhook-timestamp": str(event.timestamp // 1000)},
        response_headers=dict(answer.headers),
        response_body=answer.body.decode(),
        truncated=False,
        status_code=answer.status,
    )


def _delivered(message: Any, attempt: StoredAttempt, at: int) -> Any:
    from patchbay.deliveries import states

    return states.delivered(
        None, message, attempt, counted=False, now=at + attempt.duration_ms, max_attempts=_MAX_ATTEMPTS
    )


def _fail(message: Any, attempt: StoredAttempt, at: int) -> None:
    """Record a permanent failure of the only attempt, in the table and in the webhook's counters."""
    from patchbay.deliveries import states, store
    from patchbay.deliveries.models import Status
    from patchbay.ids import webhook_key
    from patchbay.stats import store as stats
    from patchbay.stats.counters import AttemptCounts

    refused = attempt._replace(status_code=422, response_body='{"error": "unknown_account"}')
    leased = states.claimed(None, message, now=at, until=at + 45_000, max_attempts=_MAX_ATTEMPTS)
    ended = states.ended(leased, status=Status.FAILED, reason="http_422", attempted=True, now=at)
    store.write(None, ended, refused)
    counts = AttemptCounts()
    counts.add(at, attempt.duration_ms, event_type=message.event_type, reason="http_422", ended=True)
    stats.add_counts(webhook_key(message.workspace_id, message.webhook_id), counts)
