"""Fan-out: one queued delivery for each webhook that an event matches.

The event's row is written first, with the webhooks; then the deliveries are sent. Cut down anywhere, the
event's message comes back, and the stored list is sent again: delivery ids derive from event and webhook, so
what was sent twice is delivered once. What goes out in one send has no more to it: a repeat is dropped by
each delivery's claim. For more, the row says `STARTED` until all is sent, then `DONE`, and a repeat is
dropped at once; one that stopped for good, the sweeper queues again.

Two kinds of message are in the queue: events that were published through the API or announced by Patchbay
itself, and envelopes of the EventBridge bus, of which some are rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from patchbay import queues
from patchbay.deliveries.models import DeliveryMessage
from patchbay.events import store as events
from patchbay.events.models import EventMessage
from patchbay.ids import DeliveryId, WebhookId
from patchbay.observability import flush_metrics, logger, metrics
from patchbay.settings import settings
from patchbay.webhooks import service as webhooks

if TYPE_CHECKING:
    from patchbay.events.bus import Envelope

# A larger body is left out of the messages and read from the event's row at each attempt.
MAX_BODY_BYTES = 64 * 1024
# What one event's fan-out may take (500 webhooks are 50 batches); with less time left, the rest goes back.
_RESERVE_MS = 10_000


def fan_out_batch(records: Iterable[Mapping[str, Any]], remaining_ms: Callable[[], int]) -> list[str]:
    """Fan out each event of an SQS batch; returns the ids of the messages that must come again."""
    again = []
    for record in records:
        message_id: str = record["messageId"]
        logger.set_correlation_id(None)  # log lines before this message is read must not have the last one's
        try:
            message = _read(record["body"])
        except ValueError:
            if not queues.set_aside(settings().events_dlq_url, record):
                again.append(message_id)
            continue
        if remaining_ms() < _RESERVE_MS:
            again.append(message_id)
            continue
        try:
            event = message if isinstance(message, EventMessage) else _admit(message)
            if event is not None:
                fan_out(event)
        except Exception:
            # Our own fault or AWS's: this event comes again, the others of the batch go on.
            logger.exception("fan-out failed", message_id=message_id, id=message.id)
            again.append(message_id)
    flush_metrics()
    return again


def fan_out(event: EventMessage) -> None:
    """Queue the deliveries of one event. Safe to repeat."""
    logger.set_correlation_id(event.correlation_id)
    matched = webhooks.match(event.workspace_id, event.type, event.data)
    webhook_ids = events.begin_fan_out(event, matched, in_one_send=len(matched) <= queues.MAX_ENTRIES)
    if not webhook_ids:
        return
    payload = event.payload()
    body = payload if len(payload.encode()) <= MAX_BODY_BYTES else None
    queues.send_all(
        settings().deliveries_queue_url,
        (
            queues.Message.of(_message(event, webhook_id, body).fields(), webhook_id)
            for webhook_id in webhook_ids
        ),
    )
    if len(webhook_ids) > queues.MAX_ENTRIES:
        events.finish_fan_out(event)
    metrics().add_metric("DeliveriesQueued", "Count", len(webhook_ids))
    logger.info("fanned out", event_id=event.id, type=event.type, webhooks=len(webhook_ids))


def _read(body: str) -> EventMessage | Envelope:
    """Raises ValueError when the text is neither. An envelope's id is no event's, so it is not taken for
    one, whatever its detail holds.
    """
    try:
        return EventMessage.read(body)
    except ValueError:
        # Imported where it is used: it would be a twentieth of every cold start.
        from patchbay.events import bus

        return bus.read(body)


def _admit(envelope: Envelope) -> EventMessage | None:
    """The event in it, or None when it is rejected."""
    from patchbay.events import bus

    return bus.admit(envelope)


def _message(event: EventMessage, webhook_id: WebhookId, body: str | None) -> DeliveryMessage:
    return DeliveryMessage(
        id=DeliveryId.derived(event.id, webhook_id),
        workspace_id=event.workspace_id,
        webhook_id=webhook_id,
        event_id=event.id,
        event_type=event.type,
        body=body,
        generation=0,
        correlation_id=event.correlation_id,
    )
