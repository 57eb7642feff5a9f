"""Erases the data of one event: its row, the responses that its receivers gave, and what is still to be sent.

    the event        its data is removed first, so nothing reads it anymore: no fan-out, feed, replay or
                     retry
    its deliveries   those that have not ended are cancelled (`event_erased`), also those whose message is in
                     the queue and has the body: the row makes that message obsolete. Responses are removed
                     from all

An attempt that is under way at that moment can still reach the receiver. A crash leaves an event without
data, and some deliveries as they were; a repeat of the request does the rest. It can be repeated at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from patchbay.api_model import Empty
from patchbay.auth.principal import Principal
from patchbay.clock import now_ms
from patchbay.deliveries import states, store
from patchbay.deliveries.models import DeliveryMessage
from patchbay.deliveries.stored_delivery import StoredDelivery
from patchbay.errors import write_conflict
from patchbay.events import service as events
from patchbay.ids import DeliveryId, EventId, WebhookId, webhook_key

if TYPE_CHECKING:
    from patchbay.events.store import StoredEvent

_BATCH = 100
_MAX_TRIES = 5


def erase_event(principal: Principal, id: EventId) -> Empty:
    """Erase the data of an event. Its type, times and the states of its deliveries stay. Raises NotFound,
    also in the seconds between the 202 and the fan-out, and Conflict if workers keep changing a delivery.
    """
    event = events.erase_data(principal, id)
    for start in range(0, len(event.webhook_ids), _BATCH):
        _erase_deliveries(principal.workspace_id, event, event.webhook_ids[start : start + _BATCH])
    return Empty()


def _erase_deliveries(workspace_id: str, event: StoredEvent, webhook_ids: Sequence[WebhookId]) -> None:
    ids = {webhook_id: DeliveryId.derived(event.id, webhook_id) for webhook_id in webhook_ids}
    found = store.get_by_keys((webhook_key(workspace_id, webhook_id), id) for webhook_id, id in ids.items())
    stored = {delivery.id: delivery for delivery in found}
    for webhook_id, id in ids.items():
        message = DeliveryMessage(
            id=id,
            workspace_id=workspace_id,
            webhook_id=webhook_id,
            event_id=event.id,
            event_type=event.type,
            body=None,
            generation=0,
            correlation_id=event.id,
        )
        _erase_delivery(stored.get(id), message)


def _erase_delivery(delivery: StoredDelivery | None, message: DeliveryMessage) -> None:
    for _ in range(_MAX_TRIES):
        if delivery is None or not _is_erased(delivery):
            after = states.erased(delivery, message, now_ms())
            try:
                store.write(delivery, after)
            except store.DeliveryChanged as changed:
                delivery = changed.delivery
                continue
            delivery = after
        if delivery.attempts > (delivery.success is not None):
            store.erase_responses(delivery.webhook_key, delivery.id)
        return
    raise write_conflict("delivery")


def _is_erased(delivery: StoredDelivery) -> bool:
    """Whether there is nothing left to erase in the row."""
    success = delivery.success
    return bool(delivery.erased) and (
        success is None or not (success.response_body or success.response_headers)
    )
