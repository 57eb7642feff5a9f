"""Test events: one signed request to a webhook's receiver, sent while the caller waits.

This is separate from `service` because it imports the sender and its HTTP client, which routes that only read
deliveries do not need.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from patchbay import catalogue
from patchbay.auth.principal import Principal
from patchbay.catalogue.entries import load_entry
from patchbay.deliveries import attempt, limits
from patchbay.deliveries.attempt import Receiver
from patchbay.deliveries.models import Attempt, SendTestEvent
from patchbay.deliveries.service import attempt_to_api
from patchbay.events.models import payload
from patchbay.ids import DeliveryId, EventId, WebhookId
from patchbay.observability import logger
from patchbay.webhooks import service as webhooks

if TYPE_CHECKING:
    from patchbay.idempotency import Once

_DEFAULT_TYPE = "POST_PUBLISHED"


def send_test(principal: Principal, id: WebhookId, body: SendTestEvent, once: Once | None = None) -> Attempt:
    """Send a sample event to the receiver now, and return the attempt. A failed attempt is not an error.

    Nothing is stored or counted. The webhook may be paused or disabled, and does not change, even if the
    response is 410. Raises NotFound, Conflict for a webhook of kind pull, RateLimited, and
    vault.DecryptionFailed.
    """
    webhook = webhooks.get_stored(principal.workspace_id, id)
    webhooks.check_push(webhook.kind)
    receiver = Receiver.from_webhook(webhook)
    limits.admit_test(principal.workspace_id)
    event_type = body.event_type or _first_type(webhook.event_types)
    event_id = EventId.new()
    event = payload(event_id, event_type, event_id.time_ms, load_entry(event_type).sample)
    completed = attempt.runner().run(
        attempt.send(receiver, DeliveryId.new(), event.encode(), number=1, trigger="TEST")
    )
    logger.info(
        "test event sent",
        webhook_id=id,
        status_code=completed.result.status_code,
        error=completed.result.error_kind,
        ms=completed.result.duration_ms,
    )
    response = attempt_to_api(principal, completed.to_stored(receiver.headers))
    if once:
        once.complete(response)
    return response


def _first_type(event_types: Sequence[str]) -> str:
    """The first subscribed type that can be published; the first one if none can."""
    if catalogue.ANY in event_types:
        return _DEFAULT_TYPE
    return next((type for type in event_types if type in catalogue.PUBLISHABLE), event_types[0])
