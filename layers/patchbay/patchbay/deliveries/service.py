"""Looking at deliveries (of a webhook, of an event, one with all its attempts), and sending them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from patchbay import answer_size, compact_json, queues
from patchbay.api_model import Listing
from patchbay.auth.principal import Principal
from patchbay.clock import at_ms, now_ms, to_ms
from patchbay.deliveries import states, store
from patchbay.deliveries.models import (
    Attempt,
    Delivery,
    DeliveryDetail,
    DeliveryMessage,
    DeliveryQuery,
    Recover,
    Recovering,
    Status,
    WebhookDetail,
)
from patchbay.errors import Conflict, NotFound, ValidationFailed
from patchbay.events import service as events
from patchbay.events import store as events_store
from patchbay.events.models import Event, EventDelivery, payload
from patchbay.ids import DeliveryId, EventId, WebhookId, webhook_key
from patchbay.receivers import health_store
from patchbay.settings import settings
from patchbay.stats import counters, roll_up
from patchbay.storage import dynamo
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.models import Webhook, WebhookQuery

_RECENT = 10
_READS_ANSWERS = "webhooks:write"
# There is no bound on how often someone sends a delivery again by hand.
_MOST_ATTEMPTS = 100
_NO_ROOM = "The answers to later attempts leave no room for this one in the response."
# A recovery counts that far what it has found.
_COUNTED = 10_000
# A hook that comes back gets the events that it missed for this long, a long weekend; its owner can recover
# older ones. The failures that disable a hook start days before it is disabled, so that moment is no bound.
_BROUGHT_BACK_MS = 4 * 86_400_000
_RETRIED = (Status.FAILED, Status.CANCELLED, Status.RETRYING, Status.HELD)
_NOT_RETRIED = {
    Status.DELIVERED: "It was delivered, and what was delivered is not sent again.",
    Status.SENDING: "It is being sent at this moment.",
    Status.PENDING: "It waits for its webhook's rate limit, and is sent when its turn comes.",
}

Shown = TypeVar("Shown", bound=Webhook)


def list_deliveries(principal: Principal, webhook_id: WebhookId, query: DeliveryQuery) -> Listing[Delivery]:
    """Deliveries of one webhook, newest event first. Raises NotFound for another workspace's webhook."""
    webhooks.get(principal, webhook_id)
    page = store.page(
        principal.workspace_id,
        webhook_id,
        DeliveryId.range(query.since, query.until),
        status=query.status,
        event_type=query.event_type,
        limit=query.limit,
        cursor=query.cursor,
    )
    return Listing.of(page.map(lambda row: _shown(webhook_id, row)))


def get_delivery(principal: Principal, webhook_id: WebhookId, id: DeliveryId) -> DeliveryDetail:
    """One delivery with its payload and its last attempts. Raises NotFound."""
    webhooks.get(principal, webhook_id)
    row = _read(principal, webhook_id, id)
    attempts = store.failed_attempts(principal.workspace_id, webhook_id, id, _MOST_ATTEMPTS)
    if "success" in row:
        attempts.append(row["success"])
    return _fitting(
        DeliveryDetail(
            **dict(_shown(webhook_id, row)),
            payload=_payload(principal.workspace_id, EventId(row["eventId"])),
            attempts=[shown_attempt(principal, attempt) for attempt in attempts],
        )
    )


def _fitting(detail: DeliveryDetail) -> DeliveryDetail:
    """The delivery, without the receiver's oldest answers if not all of them fit into one response."""
    excess = answer_size.of(detail) - answer_size.MAX_BYTES
    attempts = list(detail.attempts)
    for at, attempt in enumerate(detail.attempts):
        if excess <= 0:
            break
        if attempt.withheld is not None:
            continue
        attempts[at] = attempt.model_copy(
            update={"response_headers": {}, "response_body": None, "withheld": _NO_ROOM}
        )
        excess -= answer_size.of(attempt) - answer_size.of(attempts[at])
    return detail.model_copy(update={"attempts": attempts})


def webhook_with_recent(principal: Principal, id: WebhookId) -> WebhookDetail:
    """A webhook, how it does, and its last ten deliveries. Raises NotFound."""
    webhook = with_stats(principal, webhooks.get(principal, id))
    recent = store.page(
        principal.workspace_id,
        id,
        DeliveryId.range(None, None),
        status=None,
        event_type=None,
        limit=_RECENT,
        cursor=None,
    )
    return WebhookDetail(**dict(webhook), recent_deliveries=[_shown(id, row) for row in recent.items])


def list_webhooks(principal: Principal, query: WebhookQuery) -> Listing[Webhook]:
    """The workspace's webhooks with how they do, newest first."""
    page = webhooks.page(principal, query)
    complete = {webhook.id: webhook for webhook in _with_stats(principal.workspace_id, page.items)}
    return Listing.of(page.map(lambda webhook: complete[webhook.id]))


def with_stats(principal: Principal, webhook: Shown) -> Shown:
    """A webhook as its own service gives it, with its stats and its count of failures."""
    return _with_stats(principal.workspace_id, [webhook])[0]


def retry(principal: Principal, webhook_id: WebhookId, id: DeliveryId) -> Delivery:
    """Send a delivery anew, now and with all the retries of its webhook; whatever it waits for, it waits no
    longer. Raises NotFound, Conflict for one that was delivered or is being sent, and for a webhook that is
    not active.
    """
    _active(principal, webhook_id)
    row = _read(principal, webhook_id, id)
    again = states.restarted(row, _RETRIED, "MANUAL", now_ms())
    try:
        if again is None:
            raise Conflict(_NOT_RETRIED[row["status"]])
        store.write(row, again)
    except store.DeliveryChanged:
        raise Conflict("The delivery has just changed. Look, and try again.") from None
    by_hand = replace(DeliveryMessage.of(again), by_hand=True)
    queues.send(
        settings().slow_deliveries_queue_url, queues.Message.of(by_hand.fields(), principal.workspace_id)
    )
    return _shown(webhook_id, again)


def recover(principal: Principal, webhook_id: WebhookId, body: Recover) -> Recovering:
    """Send again what failed or was cancelled, of the events of a span of time: the sweeper does, the oldest
    first, as fast as the webhook's receiver takes it. Raises NotFound, Conflict for a webhook that is not
    active or is being recovered, ValidationFailed.
    """
    _active(principal, webhook_id)
    now = now_ms()
    until = body.until or at_ms(now)
    if until < body.since:
        if body.until is None:
            raise ValidationFailed.of("since", "is in the future")
        raise ValidationFailed.of("until", "must not be before since")
    if to_ms(body.since) < now - settings().retention_days * 86_400_000:
        raise ValidationFailed.of("since", f"deliveries are kept for {settings().retention_days} days")
    key = webhook_key(principal.workspace_id, webhook_id)
    between = DeliveryId.range(body.since, until)
    queued = sum(1 for _ in islice(store.ended_badly(key, *between), _COUNTED))
    if queued and not health_store.start_recovery(key, between, now):
        raise Conflict("A recovery of this webhook is still running. Try again when it has ended.")
    return Recovering(queued=queued)


def recovering(workspace_id: str, webhook_id: WebhookId) -> list[dynamo.TransactItem]:
    """For the transaction that brings back an automation's disabled webhook: recovers the last days'
    deliveries that its receiver did not take.
    """
    now = now_ms()
    between = DeliveryId.range(at_ms(now - _BROUGHT_BACK_MS), at_ms(now))
    return [health_store.start_recovery_action(webhook_key(workspace_id, webhook_id), between, now)]


def event_with_deliveries(principal: Principal, id: EventId) -> Event:
    """An event, its data, and where it went. Raises NotFound."""
    event = events.get(principal, id)
    ids = {webhook_id: DeliveryId.derived(id, webhook_id) for webhook_id in event.webhook_ids}
    rows = store.get_many(principal.workspace_id, ids.items())
    return Event(
        id=event.id,
        type=event.type,
        timestamp=at_ms(event.timestamp),
        source=event.source,
        status="ACCEPTED" if event.reason is None else "REJECTED",
        reason=event.reason,
        data=event.data,
        deliveries=[
            EventDelivery(
                id=delivery_id,
                webhook_id=webhook_id,
                status=rows[delivery_id]["status"] if delivery_id in rows else Status.PENDING,
            )
            for webhook_id, delivery_id in ids.items()
        ],
    )


def _read(principal: Principal, webhook_id: WebhookId, id: DeliveryId) -> dynamo.Row:
    row = store.get(principal.workspace_id, webhook_id, id)
    if row is None:
        raise NotFound("This webhook has no such delivery; one just queued has no row yet.")
    return row


def _active(principal: Principal, webhook_id: WebhookId) -> None:
    if webhooks.get(principal, webhook_id).status != "ACTIVE":
        raise Conflict("The webhook is not active; set its status to ACTIVE first.")


def _with_stats(workspace_id: str, shown: Sequence[Shown]) -> list[Shown]:
    now = now_ms()
    keys = [webhook_key(workspace_id, webhook.id) for webhook in shown]
    activities = roll_up.activities(workspace_id, keys, now)
    complete = []
    for webhook, key, (health, hours) in zip(shown, keys, activities, strict=True):
        # One that only ever succeeded has nothing waiting, and that need not be counted.
        pending = store.pending(key) if counters.may_have_pending(hours) or health.due_at else 0
        resumed_at = to_ms(webhook.resumed_at) if webhook.resumed_at else 0
        complete.append(
            webhook.model_copy(
                update={
                    "stats": counters.summarize(hours, now, pending),
                    "consecutive_failures": health.consecutive_failures(resumed_at),
                }
            )
        )
    return complete


def _payload(workspace_id: str, event_id: EventId) -> dict[str, Any] | None:
    """The body that was sent, as long as its event is kept."""
    event = events_store.get(workspace_id, event_id)
    if event is None:
        return None
    body: dict[str, Any] = compact_json.loads(payload(event.id, event.type, event.timestamp, event.data))
    return body


def _shown(webhook_id: WebhookId, row: dynamo.Row) -> Delivery:
    def moment(name: str) -> datetime | None:
        return at_ms(row[name]) if name in row else None

    return Delivery(
        id=DeliveryId(row["sk"]),
        webhook_id=webhook_id,
        event_id=EventId(row["eventId"]),
        event_type=row["eventType"],
        status=row["status"],
        reason=row.get("reason"),
        attempt_count=row["attempts"],
        max_attempts=row["maxAttempts"],
        next_attempt_at=moment("nextAttemptAt"),
        delivered_at=moment("deliveredAt"),
        created_at=at_ms(row["createdAt"]),
        updated_at=at_ms(row["updatedAt"]),
        version=row["version"],
    )


def shown_attempt(principal: Principal, row: dynamo.Row) -> Attempt:
    """A stored attempt as the API shows it. Answers may contain more than a viewer should see, so they are
    shown to callers who may change webhooks.
    """
    withheld = None
    if _READS_ANSWERS not in principal.scopes:
        withheld = f"The receiver's answer is shown to callers with the scope {_READS_ANSWERS}."
    elif row.get("withheld"):
        withheld = "The answer repeats part of a header value that this webhook sends, so it was not stored."
    return Attempt(
        number=row["number"],
        trigger=row["trigger"],
        started_at=at_ms(row["startedAt"]),
        duration_ms=row["durationMs"],
        status_code=row.get("statusCode"),
        error=row.get("error"),
        request_headers=row["requestHeaders"],
        response_headers=row["responseHeaders"] if withheld is None else {},
        response_body=row["responseBody"] if withheld is None else None,
        withheld=withheld,
        truncated=row["truncated"],
    )
