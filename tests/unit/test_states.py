"""The transitions of a delivery: which messages can have it attempted after each one, and when."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from patchbay.deliveries import states
from patchbay.deliveries.models import DeliveryMessage, Status
from patchbay.deliveries.stored_delivery import StoredDelivery
from patchbay.ids import DeliveryId, EventId, WebhookId
from patchbay.storage import dynamo
from tests.stored_attempts import stored_attempt

NOW = 1_700_000_000_000
MESSAGE = DeliveryMessage(
    id=DeliveryId.derived(EventId.new(NOW), WebhookId.new()),
    workspace_id="acme",
    webhook_id=WebhookId.new(),
    event_id=EventId.new(NOW),
    event_type="POST_PUBLISHED",
    body=None,
    generation=0,
    correlation_id="c",
)
OBSOLETE = "obsolete"


def claimed() -> StoredDelivery:
    return states.claimed(None, MESSAGE, now=NOW, until=NOW + 45_000, max_attempts=4)


def held() -> StoredDelivery:
    return states.held(None, MESSAGE, reason="held:timeouts", now=NOW, max_attempts=4, max_hold_ms=86_400_000)


def waiting_for_slot() -> StoredDelivery:
    return states.waiting_for_slot(None, MESSAGE, until=NOW + 5_000, now=NOW, max_attempts=4)


def retrying(*, is_parked: bool) -> StoredDelivery:
    at = NOW + 60_000
    return states.retrying(
        claimed(), reason="http_500", at=at, is_parked=is_parked, not_registered_since=None, now=NOW
    )


def ended() -> StoredDelivery:
    return states.ended(claimed(), status=Status.FAILED, reason="http_404", attempted=True, now=NOW)


def delivered() -> StoredDelivery:
    attempt = stored_attempt(NOW, status_code=200)
    return states.delivered(claimed(), MESSAGE, attempt, counted=True, now=NOW, max_attempts=4)


def restarted(delivery: StoredDelivery) -> StoredDelivery:
    return applied(states.restarted(delivery, (Status.FAILED, Status.RETRYING), "MANUAL", NOW))


def applied(after: StoredDelivery | None) -> StoredDelivery:
    """The result of a transition that fits the delivery's state."""
    assert after is not None
    return after


def wait_seconds(delivery: StoredDelivery, generation: int) -> int | str | None:
    """How many seconds a message of that generation waits after a transition; None if it does not wait."""
    match states.check_message(delivery, dataclasses.replace(MESSAGE, generation=generation), NOW):
        case states.Obsolete():
            return OBSOLETE
        case states.Blocked(until):
            return (until - NOW) // 1000
    return None


@pytest.fixture(autouse=True)
def retention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "retention_ttl", lambda now, days: now // 1000 + 86_400)


@pytest.mark.parametrize(
    ("transition", "own", "later"),
    [
        (claimed, 45, 45),
        (waiting_for_slot, 5, 5),
        (lambda: retrying(is_parked=False), 60, 60),
        # A later message takes over these deliveries, so their own is not needed anymore.
        (lambda: retrying(is_parked=True), OBSOLETE, 60),
        (held, OBSOLETE, OBSOLETE),
        (lambda: applied(states.released(held(), NOW)), OBSOLETE, None),
        (lambda: restarted(ended()), OBSOLETE, None),
        (lambda: restarted(retrying(is_parked=False)), OBSOLETE, None),
        (ended, OBSOLETE, OBSOLETE),
    ],
    ids=["claimed", "slot", "retry", "parked", "held", "released", "restarted", "sent now", "ended"],
)
def test_each_transition_determines_which_messages_may_attempt(
    transition: Callable[[], StoredDelivery], own: int | str | None, later: int | str | None
) -> None:
    assert (wait_seconds(transition(), 0), wait_seconds(transition(), 1)) == (own, later)


def test_waiting_delivery_is_queued_once_when_due() -> None:
    parked = retrying(is_parked=True)
    due = NOW + 60_000
    assert states.requeued(parked, due - 1) is None
    requeued = applied(states.requeued(parked, due))
    assert states.requeued(requeued, due + states.RESEND_AFTER_MS - 1) is None
    assert states.requeued(retrying(is_parked=False), due) is None
    late = NOW + 86_400_000
    assert states.released(held(), late - 1) is not None
    assert states.released(held(), late) is None


@pytest.mark.parametrize(
    "transition",
    [
        claimed,
        held,
        waiting_for_slot,
        lambda: retrying(is_parked=True),
        ended,
        delivered,
        lambda: restarted(ended()),
    ],
    ids=["claimed", "held", "slot", "parked", "ended", "delivered", "restarted"],
)
def test_stored_delivery_survives_its_row(transition: Callable[[], StoredDelivery]) -> None:
    delivery = transition()
    assert StoredDelivery.from_row(stored(delivery)) == delivery


def test_transitions_keep_attributes_of_a_later_release() -> None:
    delivery = StoredDelivery.from_row(stored(held()) | {"priority": 7})
    delivery = applied(states.released(delivery, NOW))
    delivery = states.claimed(delivery, MESSAGE, now=NOW, until=NOW, max_attempts=4)
    assert stored(delivery)["priority"] == 7
    success = delivered().success
    assert success is not None
    delivery = states.delivered(delivery, MESSAGE, success, counted=False, now=NOW, max_attempts=4)
    assert stored(delivery)["priority"] == 7


def stored(delivery: StoredDelivery) -> dynamo.Row:
    """The row as DynamoDB returns it."""
    return dynamo.unpack_row(dynamo.pack_row(delivery.to_row()))
