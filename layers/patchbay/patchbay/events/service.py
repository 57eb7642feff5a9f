"""Publish events, and read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, JsonValue

from patchbay import catalogue, compact_json, idempotency, queues, suggestions
from patchbay.api_model import Listing, validate
from patchbay.auth.principal import Principal
from patchbay.catalogue.entries import check_data
from patchbay.clock import from_ms, now_ms
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
    EventWithData,
    ItemError,
    ItemFieldError,
    MatchedEvent,
    PublishedEvent,
    PublishedEvents,
    PublishEvent,
    PublishEvents,
    RejectedItem,
    payload,
)
from patchbay.ids import EventId, WebhookId
from patchbay.observability import logger
from patchbay.rate_limits import ceilings
from patchbay.settings import settings
from patchbay.storage import dynamo

MAX_DATA_BYTES = 256 * 1024
_ROUTE = "POST /api/events"
_BATCH_ROUTE = "POST /api/events/batch"


def publish(
    principal: Principal, body: PublishEvent, *, idempotency_key: str | None = None
) -> PublishedEvent:
    """Queue an event for every webhook that it matches: one SQS call, and one write if there is an
    idempotency key. On the HTTP route, most events skip this queue; see `patchbay.publishing`.

    After this returns, the event reaches each webhook, or its delivery ends FAILED with a reason. A repeat
    with the same key returns the same result and queues the event again, because the first send may have been
    lost. The fan-out drops an event that it has finished already.
    """
    event = accept(principal, body, idempotency_key=idempotency_key)
    enqueue(event)
    return to_published(event)


def publish_batch(
    principal: Principal, body: PublishEvents, *, idempotency_key: str | None = None
) -> PublishedEvents:
    """Queue up to 100 events, ten for each SQS call. Each is checked as in `publish`, under its own
    idempotency key. A rejected event does not affect the others: its item says why it was rejected.

    Only events that pass these checks count against the ceiling. If a workspace's events exceed it, the first
    ones are queued and the rest are `rate_limited`. An event that SQS does not accept is `upstream_failed`:
    it is not queued, so the caller must send it again. If the whole batch ends in an error, some of
    its events may have been queued.

    `idempotency_key` is one key for the batch, at the cost of one write: an event's ID derives from the first
    request with the key and the event's position, unless the event has its own key. A repeat returns the same
    IDs and queues all events again, as in `publish`. With different events, it raises IdempotencyMismatch.
    """
    scope = None
    if idempotency_key is not None:
        content = [_content(item) for item in body.events]
        scope = idempotency.scope(principal, _BATCH_ROUTE, idempotency_key, content)
    drafts: dict[int, EventDraft] = {}
    rejected: dict[int, Problem] = {}
    for index, item in enumerate(body.events):
        try:
            event = _parse_item(item)
            drafts[index] = prepare(principal, event, key=event.idempotency_key)
        except Problem as problem:
            rejected[index] = problem
    rejected |= _exceeding_ceiling(drafts)
    admitted = {index: draft for index, draft in drafts.items() if index not in rejected}
    messages: dict[int, EventMessage] = {}
    if admitted:
        batch = _batch_id(scope)
        for index, draft in admitted.items():
            try:
                messages[index] = to_message(draft, EventId.derived(batch, str(index)), batch.time_ms)
            except Problem as problem:
                rejected[index] = problem
    rejected |= _enqueue_all(messages)
    return PublishedEvents(
        items=[
            _to_rejected_item(rejected[index]) if index in rejected else to_published(messages[index])
            for index in range(len(body.events))
        ]
    )


def announce(
    workspace_id: str,
    type: str,
    data: dict[str, Any],
    *,
    id: EventId,
    depth: int = 0,
    caused_by: EventId | None = None,
) -> None:
    """Queue an operational event, which Patchbay itself publishes. Its ID contains the time when it happened,
    and a repeat with the same ID is the same event. Ceilings do not apply to it.
    """
    event = EventMessage(
        id=id,
        workspace_id=workspace_id,
        type=type,
        timestamp=id.time_ms,
        data=data,
        source="patchbay",
        correlation_id=str(logger.get_correlation_id() or id),
        depth=depth,
        caused_by=caused_by,
    )
    enqueue(event)


def list_events(principal: Principal, query: EventQuery) -> Listing[EventSummary]:
    page = store.page(
        principal.workspace_id,
        EventId.range(query.since, query.until),
        type=query.type,
        status=query.status,
        source=query.source,
        limit=query.limit,
        cursor=query.cursor,
    )
    return Listing.from_page(page.map(_to_summary))


def _to_summary(event: store.ListedEvent | store.StoredEvent) -> EventSummary:
    return EventSummary(
        id=event.id,
        type=event.type,
        timestamp=from_ms(event.timestamp),
        source=event.source,
        status=event.status,
        status_reason=event.reason,
    )


def get(principal: Principal, id: EventId) -> store.StoredEvent:
    """Raises NotFound, including in the seconds between the 202 and the fan-out."""
    event = store.get(principal.workspace_id, id)
    if event is None:
        raise NotFound("No event with this ID. New events appear within seconds.")
    return event


def payloads(workspace_id: str, ids: Iterable[EventId]) -> dict[EventId, str]:
    """The request bodies for receivers of the events that are still stored, and whose data is not erased."""
    return {
        event.id: payload(event.id, event.type, event.timestamp, event.data)
        for event in store.get_many(workspace_id, dict.fromkeys(ids))
        if event.erased_at is None
    }


def list_matched(
    workspace_id: str, between: tuple[EventId, EventId], type: str | None
) -> tuple[list[MatchedEvent], EventId | None]:
    """The events among the newest 100 of a range that matched webhooks, newest first, and the last event that
    was read if there are more. One call, which reads at most 1 MB.
    """
    return store.newest_matched(workspace_id, between, type)


def list_with_data(principal: Principal, limit: int, cursor: str | None) -> Listing[EventWithData]:
    """The workspace's events with their data, newest first. A page is at most 1 MB plus one event."""
    return Listing.from_page(store.page_with_data(principal.workspace_id, limit, cursor).map(_with_data))


def _with_data(event: store.StoredEvent) -> EventWithData:
    return EventWithData(
        **dict(_to_summary(event)),
        data=event.data,
        erased_at=None if event.erased_at is None else from_ms(event.erased_at),
    )


def list_newest(principal: Principal, type: str, count: int) -> list[store.StoredEvent]:
    """The last accepted events of a type, newest first. Searches the last 1,000 events of the workspace."""
    newest = store.newest(principal.workspace_id, type, count)
    return [event for event in newest if event.erased_at is None]


def erase_data(principal: Principal, id: EventId) -> store.StoredEvent:
    """Remove the data of an event, so that it is no longer sent. Raises NotFound. The event's deliveries keep
    the responses of receivers.
    """
    event = store.erase_data(principal.workspace_id, id, now_ms())
    if event is None:
        raise NotFound("No event with this ID. New events appear within seconds.")
    return event


def oldest_first(workspace_id: str, after: str, until: str) -> Iterator[store.StoredEvent]:
    """A workspace's events with IDs after `after`, up to `until`; eventually consistent."""
    return store.oldest_first(workspace_id, after, until)


def add_webhook(workspace_id: str, id: EventId, webhook_id: WebhookId) -> None:
    """Record that an event also goes to this webhook. Idempotent."""
    store.add_webhook(workspace_id, id, webhook_id)


def mark_active_hours(workspace_id: str, hours: Iterable[int]) -> None:
    """Record that the workspace has deliveries of events of these hours (since the epoch). Raises
    dynamo.Throttled.
    """
    if store.write([store.active_hour_row(workspace_id, hour) for hour in sorted(set(hours))]):
        raise dynamo.Throttled("the active hours were not recorded")


# ── one event, from any source ───────────────────────────────────────────────────────────────────────


def accept(principal: Principal, body: PublishEvent, *, idempotency_key: str | None) -> EventMessage:
    """The event to queue, checked and counted against the ceiling. Raises the errors of `prepare` and
    `to_message`, and RateLimited.
    """
    draft = prepare(principal, body, key=_key(body, idempotency_key))
    ceilings.admit(draft.workspace_id, "events")
    now = now_ms()
    return to_message(draft, EventId.new(now), now)


def enqueue(event: EventMessage) -> None:
    """Queue an event for the fan-out worker."""
    queues.send(settings().events_queue_url, _queue_message(event))


def to_published(event: EventMessage) -> PublishedEvent:
    """An event in the form that its publisher gets."""
    return PublishedEvent(id=event.id, type=event.type, timestamp=from_ms(event.timestamp))


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event that passed all checks, before it gets an ID. `scope` is that of its idempotency key, and
    `depth` that of the event that caused it.
    """

    workspace_id: str
    type: str
    data: dict[str, JsonValue]
    scope: idempotency.Scope | None
    depth: int = 0
    caused_by: EventId | None = None


def prepare(principal: Principal, body: PublishEvent, *, key: str | None, route: str = _ROUTE) -> EventDraft:
    """Check that the caller can publish the event. Raises Forbidden, ValidationFailed, PayloadTooLarge."""
    workspace_id = _target_workspace(principal, body)
    _check(body)
    content = {"type": body.type, "data": body.data, "workspaceId": workspace_id}
    scope = None if key is None else idempotency.scope(principal, route, key, content)
    depth = 0
    if body.caused_by is not None:
        # The platform may name an event of its own, such as the ACTION_REQUESTED that it carried out.
        depth = store.depth_of({workspace_id, principal.workspace_id}, body.caused_by)
    return EventDraft(workspace_id, body.type, body.data, scope, depth, body.caused_by)


def to_message(
    draft: EventDraft,
    id: EventId,
    timestamp: int,
    *,
    source: str = "api",
    correlation_id: str | None = None,
) -> EventMessage:
    """The event with this ID and time, or those of the first request with its idempotency key. Raises
    IdempotencyMismatch, Conflict.
    """
    if draft.scope is not None:
        first = _remember(draft.scope, {"id": id, "timestamp": timestamp})
        id, timestamp = EventId(first["id"]), first["timestamp"]
    return EventMessage(
        id=id,
        workspace_id=draft.workspace_id,
        type=draft.type,
        timestamp=timestamp,
        data=draft.data,
        source=source,
        correlation_id=correlation_id or str(logger.get_correlation_id() or id),
        depth=draft.depth,
        caused_by=draft.caused_by,
    )


def _target_workspace(principal: Principal, body: PublishEvent) -> str:
    if body.workspace_id is None or body.workspace_id == principal.workspace_id:
        return principal.workspace_id
    if not principal.is_platform:
        raise Forbidden("Only the platform can publish for another workspace. Omit workspaceId.")
    return body.workspace_id


def _check(body: PublishEvent) -> None:
    if body.type not in catalogue.PUBLISHABLE:
        reserved = body.type in catalogue.ALL
        raise ValidationFailed.for_field(
            "type",
            "is an event type that only Patchbay publishes"
            if reserved
            else suggestions.one_of(body.type, catalogue.PUBLISHABLE, "an event type"),
        )
    compact_json.check_size("data", body.data, MAX_DATA_BYTES)
    check_data(body.type, body.data)


def _key(body: PublishEvent, header: str | None) -> str | None:
    if header is not None and body.idempotency_key not in (None, header):
        raise ValidationFailed.for_field("idempotencyKey", "must match the header Idempotency-Key")
    return body.idempotency_key if header is None else header


def _remember(scope: idempotency.Scope, result: dict[str, Any]) -> dict[str, Any]:
    """The first result under this idempotency key, which is kept as long as the event."""
    return idempotency.get_or_store(scope, result, keep_seconds=settings().retention_days * 86_400)


def _queue_message(event: EventMessage) -> queues.Message:
    return queues.Message.from_value(event.fields(), event.workspace_id)


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────


def _parse_item(item: object) -> PublishEvent:
    """An item of a batch. Raises the Problem with this item."""
    if isinstance(item, Problem):
        raise item
    return validate(PublishEvent, item)


def _content(item: object) -> object:
    """The content of a batch's item, for comparison under the batch's idempotency key."""
    if isinstance(item, Problem):
        return item.detail
    return item.model_dump(by_alias=True) if isinstance(item, BaseModel) else item


def _exceeding_ceiling(drafts: Mapping[int, EventDraft]) -> dict[int, Problem]:
    """The events beyond their workspace's ceiling: the workspace's last ones in the batch."""
    indexes: dict[str, list[int]] = defaultdict(list)
    for index, draft in drafts.items():
        indexes[draft.workspace_id].append(index)
    rejected: dict[int, Problem] = {}
    for workspace_id, its_indexes in indexes.items():
        admitted, problem = ceilings.admit_up_to(workspace_id, "events", len(its_indexes))
        if problem is not None:
            rejected |= dict.fromkeys(its_indexes[admitted:], problem)
    return rejected


def _batch_id(scope: idempotency.Scope | None) -> EventId:
    """The ID that the events' IDs derive from: a new one, or that of the first batch with this key."""
    id = EventId.new(now_ms())
    return id if scope is None else EventId(_remember(scope, {"id": id})["id"])


def _enqueue_all(events: Mapping[int, EventMessage]) -> dict[int, Problem]:
    """Queue the events, and return those that SQS does not accept. Two events with the same
    idempotency key are one message.
    """
    messages = {index: _queue_message(event) for index, event in events.items()}
    try:
        queues.send_all(settings().events_queue_url, dict.fromkeys(messages.values()))
    except queues.BatchSendFailed as failure:
        logger.exception("failed to queue events", count=len(failure.messages))
        unsent = set(failure.messages)
        problem = UpstreamFailed("The event was not queued, so it will not be delivered. Publish it again.")
        return {index: problem for index, message in messages.items() if message in unsent}
    return {}


def _to_rejected_item(problem: Problem) -> RejectedItem:
    errors = None
    if isinstance(problem, ValidationFailed):
        errors = [ItemFieldError(path=error.path, message=error.message) for error in problem.errors]
    return RejectedItem(error=ItemError(code=problem.code, detail=problem.detail, errors=errors))
