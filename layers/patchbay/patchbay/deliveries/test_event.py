"""Trying a receiver: one signed request, made while the caller waits.

A module of its own, apart from `service`: it needs the sender and its HTTP client, which routes that only
look at deliveries are not to import.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchbay import catalogue
from patchbay.auth.principal import Principal
from patchbay.catalogue.entries import load
from patchbay.deliveries import attempt, limits
from patchbay.deliveries.attempt import Receiver
from patchbay.deliveries.models import Attempt, SendTestEvent
from patchbay.deliveries.service import shown_attempt
from patchbay.events.models import payload
from patchbay.ids import DeliveryId, EventId, WebhookId
from patchbay.observability import logger
from patchbay.webhooks import service as webhooks

_TYPE_OF_ANY = "POST_PUBLISHED"


def send_test(principal: Principal, id: WebhookId, body: SendTestEvent) -> Attempt:
    """Send the receiver a made-up event now, and say what came of it; what the receiver does is no error.

    Nothing is stored, and nothing counts: the webhook may be paused or disabled, and stays as it is, also
    when the answer is 410. Raises NotFound, RateLimited, and vault.DecryptionFailed.
    """
    webhook = webhooks.get_stored(principal.workspace_id, id)
    receiver = Receiver.of(webhook)
    limits.admit_test(principal.workspace_id)
    event_type = body.event_type or _first(webhook.events)
    event_id = EventId.new()
    event = payload(event_id, event_type, event_id.time_ms, load(event_type).sample)
    made = attempt.runner().run(
        attempt.make(receiver, DeliveryId.new(), event.encode(), number=1, trigger="TEST")
    )
    logger.info(
        "test event",
        webhook_id=id,
        status_code=made.result.status_code,
        error=made.result.error_kind,
        ms=made.result.duration_ms,
    )
    return shown_attempt(principal, made.row(receiver.headers))


def _first(events: Sequence[str]) -> str:
    """The first subscribed type that is published; without one, the first."""
    if catalogue.ANY in events:
        return _TYPE_OF_ANY
    return next((event for event in events if event in catalogue.PUBLISHABLE), events[0])
