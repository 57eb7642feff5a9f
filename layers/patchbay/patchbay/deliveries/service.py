"""Looking at deliveries: of a webhook, of an event, and one with all its attempts."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from patchbay import dynamo
from patchbay.auth.principal import Principal
from patchbay.deliveries import store
from patchbay.deliveries.models import (
    Attempt,
    Delivery,
    DeliveryDetail,
    DeliveryQuery,
    Status,
    WebhookDetail,
)
from patchbay.errors import NotFound
from patchbay.events import service as events
from patchbay.events import store as events_store
from patchbay.events.models import Event, EventDelivery, payload
from patchbay.ids import DeliveryId, EventId, WebhookId
from patchbay.schema import Listing, at_ms
from patchbay.webhooks import service as webhooks

_RECENT = 10


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
    return Listing(items=[_shown(webhook_id, row) for row in page.rows], next_cursor=page.next_cursor)


def get_delivery(principal: Principal, webhook_id: WebhookId, id: DeliveryId) -> DeliveryDetail:
    """One delivery with its payload and attempts. Raises NotFound."""
    webhooks.get(principal, webhook_id)
    row = store.get(principal.workspace_id, webhook_id, id)
    if row is None:
        raise NotFound("This webhook has no such delivery; one just queued has no row yet.")
    attempts = store.failed_attempts(principal.workspace_id, webhook_id, id)
    if "success" in row:
        attempts.append(row["success"])
    return DeliveryDetail(
        **dict(_shown(webhook_id, row)),
        payload=_payload(principal.workspace_id, EventId(row["eventId"])),
        attempts=[_attempt(attempt) for attempt in attempts],
    )


def webhook_with_recent(principal: Principal, id: WebhookId) -> WebhookDetail:
    """A webhook and its last ten deliveries. Raises NotFound."""
    webhook = webhooks.get(principal, id)
    recent = store.page(
        principal.workspace_id,
        id,
        DeliveryId.range(None, None),
        status=None,
        event_type=None,
        limit=_RECENT,
        cursor=None,
    )
    return WebhookDetail(**dict(webhook), recent_deliveries=[_shown(id, row) for row in recent.rows])


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


def _payload(workspace_id: str, event_id: EventId) -> dict[str, Any] | None:
    """The body that was sent, as long as its event is kept."""
    event = events_store.get(workspace_id, event_id)
    if event is None:
        return None
    body: dict[str, Any] = json.loads(payload(event.id, event.type, event.timestamp, event.data))
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


def _attempt(row: dynamo.Row) -> Attempt:
    return Attempt(
        number=row["number"],
        trigger=row["trigger"],
        started_at=at_ms(row["startedAt"]),
        duration_ms=row["durationMs"],
        status_code=row.get("statusCode"),
        error=row.get("error"),
        request_headers=row["requestHeaders"],
        response_headers=row["responseHeaders"],
        response_body=row["responseBody"],
        truncated=row["truncated"],
    )
