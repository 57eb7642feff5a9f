"""The steps of a delivery: which messages may work it after each, and when."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from patchbay.deliveries import states
from patchbay.deliveries.models import DeliveryMessage, Status
from patchbay.ids import DeliveryId, EventId, WebhookId
from patchbay.storage import dynamo

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
OVER = "over"


def leased() -> dynamo.Row:
    return states.leased(None, MESSAGE, now=NOW, until=NOW + 45_000, max_attempts=4)


def held() -> dynamo.Row:
    terms: dict[str, Any] = {"now": NOW, "max_attempts": 4, "most_held_ms": 86_400_000}
    return states.held(None, MESSAGE, reason="held:timeouts", **terms)


def asleep() -> dynamo.Row:
    return states.asleep(None, MESSAGE, until=NOW + 5_000, now=NOW, max_attempts=4)


def retrying(*, parked: bool) -> dynamo.Row:
    at = NOW + 60_000
    return states.retrying(
        leased(), reason="http_500", at=at, parked=parked, not_registered_since=None, now=NOW
    )


def ended() -> dynamo.Row:
    return states.ended(leased(), status=Status.FAILED, reason="http_404", attempted=True, now=NOW)


def taken(row: dynamo.Row | None) -> dynamo.Row:
    assert row is not None
    return row


def restarted(row: dynamo.Row) -> dynamo.Row:
    return taken(states.restarted(row, (Status.FAILED, Status.RETRYING), "MANUAL", NOW))


def after(row: dynamo.Row, generation: int) -> int | str | None:
    """How long a message of that generation waits after a step, in seconds; None if it may go."""
    match states.obstacle(row, dataclasses.replace(MESSAGE, generation=generation), NOW):
        case states.Obsolete():
            return OVER
        case states.Blocked(until):
            return (until - NOW) // 1000
    return None


@pytest.fixture(autouse=True)
def retention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "kept_until", lambda now: now // 1000 + 86_400)


@pytest.mark.parametrize(
    ("row", "own", "later"),
    [
        (leased, 45, 45),
        (asleep, 5, 5),
        (lambda: retrying(parked=False), 60, 60),
        # Another message is to work these: the one of before has served.
        (lambda: retrying(parked=True), OVER, 60),
        (held, OVER, OVER),
        (lambda: taken(states.released(held(), NOW)), OVER, None),
        (lambda: restarted(ended()), OVER, None),
        (lambda: restarted(retrying(parked=False)), OVER, None),
        (ended, OVER, OVER),
    ],
    ids=["leased", "asleep", "retry", "parked", "held", "released", "restarted", "sent now", "ended"],
)
def test_which_message_may_work_a_delivery_after_a_step(
    row: Callable[[], dynamo.Row], own: int | str | None, later: int | str | None
) -> None:
    assert (after(row(), 0), after(row(), 1)) == (own, later)


def test_what_waits_in_the_table_is_queued_when_it_is_due_and_once() -> None:
    row = retrying(parked=True)
    due = NOW + 60_000
    assert states.requeued(row, due - 1) is None
    again = taken(states.requeued(row, due))
    assert states.requeued(again, due + states.SENT_AGAIN_MS - 1) is None
    assert states.requeued(retrying(parked=False), due) is None
    late = NOW + 86_400_000
    assert states.released(held(), late - 1) is not None
    assert states.released(held(), late) is None
