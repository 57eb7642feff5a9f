"""Publishing events and looking at them."""

from __future__ import annotations

import json
from typing import Any

from patchbay import idempotency, queues
from patchbay.auth.principal import Principal
from patchbay.errors import Forbidden, NotFound, PayloadTooLarge, ValidationFailed
from patchbay.events import catalogue, store
from patchbay.events.models import (
    EventMessage,
    EventQuery,
    EventSummary,
    PublishedEvent,
    PublishEvent,
)
from patchbay.ids import EventId
from patchbay.observability import logger
from patchbay.rate_limits import ceilings
from patchbay.schema import Listing, at_ms, now_ms
from patchbay.settings import settings

MAX_DATA_BYTES = 256 * 1024
_ROUTE = "POST /api/events"


def publish(
    principal: Principal, body: PublishEvent, *, idempotency_key: str | None = None
) -> PublishedEvent:
    """Queue an event for every webhook that matches: one SQS call, and with an idempotency key one write.

    When this returns, the event will reach each of them or its delivery ends FAILED with the reason. A
    repeat with the same key answers the same and sends again: the first send may have been lost, and the
    fan-out drops what it has done already.
    """
    workspace_id = _workspace(principal, body)
    _check(body)
    key = _key(body, idempotency_key)
    content = {"type": body.type, "data": body.data, "workspaceId": workspace_id}
    scope = None if key is None else idempotency.scope(principal, _ROUTE, key, content)
    ceilings.admit(workspace_id, "events")
    now = now_ms()
    first: dict[str, Any] = {"id": EventId.new(now), "timestamp": now}
    if scope is not None:
        keep_seconds = settings().retention_days * 86_400
        first = idempotency.remember(scope, first, keep_seconds=keep_seconds)
    event = EventMessage(
        id=EventId(first["id"]),
        workspace_id=workspace_id,
        type=body.type,
        timestamp=first["timestamp"],
        data=body.data,
        source="api",
        correlation_id=str(logger.get_correlation_id() or first["id"]),
    )
    queues.send(settings().events_queue_url, queues.Message.of(event.fields(), workspace_id))
    return PublishedEvent(id=event.id, type=event.type, timestamp=at_ms(event.timestamp))


def announce(workspace_id: str, type: str, data: dict[str, Any], *, id: EventId) -> None:
    """Queue an operational event of Patchbay's own. Its id says when it happened, and the same id again is
    the same event. Ceilings are for callers: it passes them.
    """
    event = EventMessage(
        id=id,
        workspace_id=workspace_id,
        type=type,
        timestamp=id.time_ms,
        data=data,
        source="patchbay",
        correlation_id=str(logger.get_correlation_id() or id),
    )
    queues.send(settings().events_queue_url, queues.Message.of(event.fields(), workspace_id))


def list_events(principal: Principal, query: EventQuery) -> Listing[EventSummary]:
    page = store.page(
        principal.workspace_id,
        query.type,
        EventId.range(query.since, query.until),
        limit=query.limit,
        cursor=query.cursor,
    )
    items = [
        EventSummary(
            id=EventId(row["id"]),
            type=row["type"],
            timestamp=at_ms(row["timestamp"]),
            source=row["source"],
        )
        for row in page.rows
    ]
    return Listing(items=items, next_cursor=page.next_cursor)


def get(principal: Principal, id: EventId) -> store.StoredEvent:
    """Raises NotFound, also in the seconds between the 202 and the fan-out."""
    event = store.get(principal.workspace_id, id)
    if event is None:
        raise NotFound("There is no such event. One just published appears within seconds.")
    return event


def _workspace(principal: Principal, body: PublishEvent) -> str:
    if body.workspace_id is None or body.workspace_id == principal.workspace_id:
        return principal.workspace_id
    if not principal.is_platform:
        raise Forbidden("Only the platform publishes for another workspace; leave workspaceId out.")
    return body.workspace_id


def _check(body: PublishEvent) -> None:
    if body.type not in catalogue.PUBLISHABLE:
        reserved = body.type in catalogue.ALL
        raise ValidationFailed.of(
            "type",
            f"{body.type} is Patchbay's own and cannot be published"
            if reserved
            else f"{body.type} is no event type; there are {', '.join(sorted(catalogue.PUBLISHABLE))}",
        )
    size = len(json.dumps(body.data, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_DATA_BYTES:
        raise PayloadTooLarge(f"data has {size} bytes as JSON; {MAX_DATA_BYTES} are the most.")


def _key(body: PublishEvent, header: str | None) -> str | None:
    if header is not None and body.idempotency_key not in (None, header):
        raise ValidationFailed.of("idempotencyKey", "differs from the header Idempotency-Key")
    return body.idempotency_key if header is None else header
