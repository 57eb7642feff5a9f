"""Publishing events and looking at them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from patchbay import catalogue, compact_json, idempotency, queues
from patchbay.api_model import Listing
from patchbay.auth.principal import Principal
from patchbay.catalogue.entries import check_data
from patchbay.clock import at_ms, now_ms
from patchbay.errors import (
    Forbidden,
    NotFound,
    Problem,
    UpstreamFailed,
    ValidationFailed,
)
from patchbay.events import store
from patchbay.events.models import (
    EventMessage,
    EventQuery,
    EventSummary,
    ItemError,
    ItemFieldError,
    PublishedEvent,
    PublishedEvents,
    PublishEvent,
    PublishEvents,
    RefusedEvent,
)
from patchbay.ids import EventId
from patchbay.observability import logger
from patchbay.rate_limits import ceilings
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.validation import validated

MAX_DATA_BYTES = 256 * 1024
_ROUTE = "POST /api/events"
_BATCH_ROUTE = "POST /api/events/batch"


def publish(
    principal: Principal, body: PublishEvent, *, idempotency_key: str | None = None
) -> PublishedEvent:
    """Queue an event for every webhook that matches: one SQS call, and with an idempotency key one write.
    On the HTTP route, most events skip this queue; see `patchbay.publishing`.

    When this returns, the event will reach each of them or its delivery ends FAILED with the reason. A
    repeat with the same key answers the same and sends again: the first send may have been lost, and the
    fan-out drops what it has done already.
    """
    event = accept(principal, body, idempotency_key=idempotency_key)
    queue(event)
    return published(event)


def publish_batch(
    principal: Principal, body: PublishEvents, *, idempotency_key: str | None = None
) -> PublishedEvents:
    """Queue up to 100 events, ten an SQS call. Each is judged as `publish` judges it, under its own
    idempotency key, and a refused one refuses no other: its item says why.

    The ceiling counts what passed that judgement. Where not all of a workspace's events fit under it, the
    first ones do and the rest are `rate_limited`. What SQS does not take is `upstream_failed`: nobody has
    it, so it is to be sent again. A batch that ends in an error as a whole leaves open what was queued.

    `idempotency_key` is one key for the batch, at the price of one write: an event's id derives from the
    first request under it and the event's place, unless the event has a key of its own. A repeat answers
    the same ids and sends all again, as in `publish`; with other events it raises IdempotencyMismatch.
    """
    scope = None
    if idempotency_key is not None:
        content = [_content(event) for event in body.events]
        scope = idempotency.scope(principal, _BATCH_ROUTE, idempotency_key, content)
    orders: dict[int, Order] = {}
    refused: dict[int, Problem] = {}
    for at, value in enumerate(body.events):
        try:
            event = _event(value)
            orders[at] = judge(principal, event, key=event.idempotency_key)
        except Problem as problem:
            refused[at] = problem
    refused |= _above_ceiling(orders)
    admitted = {at: order for at, order in orders.items() if at not in refused}
    events: dict[int, EventMessage] = {}
    if admitted:
        batch = _batch_id(scope)
        for at, order in admitted.items():
            try:
                events[at] = message(order, EventId.derived(batch, str(at)), batch.time_ms)
            except Problem as problem:
                refused[at] = problem
    refused |= _send(events)
    return PublishedEvents(
        items=[
            _refused(refused[at]) if at in refused else published(events[at])
            for at in range(len(body.events))
        ]
    )


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
    queues.send(settings().events_queue_url, _queued(event))


def list_events(principal: Principal, query: EventQuery) -> Listing[EventSummary]:
    page = store.page(
        principal.workspace_id,
        query.type,
        EventId.range(query.since, query.until),
        limit=query.limit,
        cursor=query.cursor,
    )
    return Listing.of(page.map(_summary))


def _summary(row: dynamo.Row) -> EventSummary:
    return EventSummary(
        id=EventId(row["id"]),
        type=row["type"],
        timestamp=at_ms(row["timestamp"]),
        source=row["source"],
        status=row.get("status", "ACCEPTED"),
        reason=row.get("reason"),
    )


def get(principal: Principal, id: EventId) -> store.StoredEvent:
    """Raises NotFound, also in the seconds between the 202 and the fan-out."""
    event = store.get(principal.workspace_id, id)
    if event is None:
        raise NotFound("There is no such event. One just published appears within seconds.")
    return event


# ── one event, whichever way it came ─────────────────────────────────────────────────────────────────


def accept(principal: Principal, body: PublishEvent, *, idempotency_key: str | None) -> EventMessage:
    """The event to send, judged and counted. Raises what `judge` and `message` raise, and RateLimited."""
    order = judge(principal, body, key=_key(body, idempotency_key))
    ceilings.admit(order.workspace_id, "events")
    now = now_ms()
    return message(order, EventId.new(now), now)


def queue(event: EventMessage) -> None:
    """Queue an event for the fan-out worker."""
    queues.send(settings().events_queue_url, _queued(event))


def published(event: EventMessage) -> PublishedEvent:
    """The answer to its publisher."""
    return PublishedEvent(id=event.id, type=event.type, timestamp=at_ms(event.timestamp))


@dataclass(frozen=True, slots=True)
class Order:
    """An event that may be published. `scope` is where its idempotency key means something."""

    workspace_id: str
    type: str
    data: dict[str, Any]
    scope: idempotency.Scope | None


def judge(principal: Principal, body: PublishEvent, *, key: str | None, route: str = _ROUTE) -> Order:
    """Whether that caller may publish that event. Raises Forbidden, ValidationFailed, PayloadTooLarge."""
    workspace_id = _workspace(principal, body)
    _check(body)
    content = {"type": body.type, "data": body.data, "workspaceId": workspace_id}
    scope = None if key is None else idempotency.scope(principal, route, key, content)
    return Order(workspace_id, body.type, body.data, scope)


def message(
    order: Order, id: EventId, timestamp: int, *, source: str = "api", correlation_id: str | None = None
) -> EventMessage:
    """The event under that id and time, or under those that its idempotency key got first. Raises
    IdempotencyMismatch, Conflict.
    """
    first: dict[str, Any] = {"id": id, "timestamp": timestamp}
    if order.scope is not None:
        first = _first(order.scope, first)
    return EventMessage(
        id=EventId(first["id"]),
        workspace_id=order.workspace_id,
        type=order.type,
        timestamp=first["timestamp"],
        data=order.data,
        source=source,
        correlation_id=correlation_id or str(logger.get_correlation_id() or first["id"]),
    )


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
    compact_json.check_size("data", body.data, MAX_DATA_BYTES)
    check_data(body.type, body.data)


def _key(body: PublishEvent, header: str | None) -> str | None:
    if header is not None and body.idempotency_key not in (None, header):
        raise ValidationFailed.of("idempotencyKey", "differs from the header Idempotency-Key")
    return body.idempotency_key if header is None else header


def _first(scope: idempotency.Scope, answer: dict[str, Any]) -> dict[str, Any]:
    """The first answer under that key; kept as long as the event."""
    return idempotency.remember(scope, answer, keep_seconds=settings().retention_days * 86_400)


def _queued(event: EventMessage) -> queues.Message:
    return queues.Message.of(event.fields(), event.workspace_id)


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────


def _event(value: Any) -> PublishEvent:
    """An item of a batch. Raises the item's own Problem."""
    if isinstance(value, Problem):
        raise value
    return validated(PublishEvent, value)


def _content(item: Any) -> Any:
    """The content of a batch's item, for comparison under the batch's idempotency key."""
    if isinstance(item, Problem):
        return item.detail
    return item.model_dump(by_alias=True) if isinstance(item, BaseModel) else item


def _above_ceiling(orders: Mapping[int, Order]) -> dict[int, Problem]:
    """The events that their workspaces' ceilings have no room for: the last ones of each."""
    places: dict[str, list[int]] = defaultdict(list)
    for at, order in orders.items():
        places[order.workspace_id].append(at)
    refused: dict[int, Problem] = {}
    for workspace_id, its in places.items():
        admitted, refusal = ceilings.admit_up_to(workspace_id, "events", len(its))
        if refusal is not None:
            refused |= dict.fromkeys(its[admitted:], refusal)
    return refused


def _batch_id(scope: idempotency.Scope | None) -> EventId:
    """What the events' ids derive from: new, or that of the first batch under its key."""
    id = EventId.new(now_ms())
    return id if scope is None else EventId(_first(scope, {"id": id})["id"])


def _send(events: Mapping[int, EventMessage]) -> dict[int, Problem]:
    """Queue them; those that SQS does not take. Two under one idempotency key are one message."""
    messages = {at: _queued(event) for at, event in events.items()}
    try:
        queues.send_all(settings().events_queue_url, dict.fromkeys(messages.values()))
    except queues.BatchSendFailed as failure:
        logger.exception("events not queued", count=len(failure.messages))
        left = set(failure.messages)
        problem = UpstreamFailed("The queue did not take this event, so nobody gets it. Send it again.")
        return {at: problem for at, queued in messages.items() if queued in left}
    return {}


def _refused(problem: Problem) -> RefusedEvent:
    errors = None
    if isinstance(problem, ValidationFailed):
        errors = [ItemFieldError(path=error.path, message=error.message) for error in problem.errors]
    return RefusedEvent(error=ItemError(code=problem.code, detail=problem.detail, errors=errors))
