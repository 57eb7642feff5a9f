"""The shapes of events in the API, and in the queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    SkipValidation,
    StringConstraints,
    TypeAdapter,
    model_serializer,
)

from patchbay import catalogue, compact_json, suggestions
from patchbay.api_model import ApiModel, JsonObject, PeriodQuery, Timestamp, WorkspaceId
from patchbay.clock import from_ms, iso
from patchbay.field_errors import pattern
from patchbay.ids import DeliveryId, EventId, FlowId, FlowRunId, WebhookId

EventStatus = Literal["ACCEPTED", "REJECTED"]
EventSource = Literal["api", "bus", "patchbay", "flow"]
# The source of events that a flow sends to a webhook. The webhook gets them regardless of its subscriptions.
FLOW: EventSource = "flow"
EventType = Annotated[
    str,
    StringConstraints(
        pattern=pattern(r"^[A-Z][A-Z0-9_]{0,63}$", "an event type in capitals, such as POST_PUBLISHED")
    ),
]


def _check_known(type: object) -> object:
    if isinstance(type, str) and type not in catalogue.ALL:
        raise ValueError(suggestions.one_of(type, catalogue.ALL, "an event type"))
    return type


# A type of the catalogue.
KnownEventType = Annotated[EventType, BeforeValidator(_check_known)]


# A key that `idempotency.scope` accepts, checked here so that the error names the field.
IdempotencyKey = Annotated[
    str, StringConstraints(pattern=pattern(r"^[ -~]{1,255}$", "1 to 255 printable ASCII characters"))
]


class PublishEvent(ApiModel):
    """`data` is the event's content, an object of at most 256 KB as JSON.

    Only the platform's workspace can set `workspaceId`, to publish for another workspace. `causedBy` is the
    event that caused this one, such as the ACTION_REQUESTED event of an action. Patchbay uses it to detect
    loops of flows.
    """

    type: EventType
    data: JsonObject
    idempotency_key: IdempotencyKey | None = None
    workspace_id: WorkspaceId | None = None
    caused_by: EventId | None = None


class PublishedEvent(ApiModel):
    id: EventId
    type: str
    timestamp: Timestamp


class PublishEvents(ApiModel):
    """A batch. Each event is validated separately, so an invalid event does not affect the others."""

    validated_per_item: ClassVar[str] = "events"

    events: Annotated[list[SkipValidation[PublishEvent]], Field(min_length=1, max_length=100)]


class ItemFieldError(ApiModel):
    path: str
    message: str


class ItemError(ApiModel):
    """Why one item of a batch was rejected: the problem+json fields that a request with this item alone would
    get (`code` and `detail`, and `errors` with `validation_failed`).
    """

    code: str
    detail: str
    errors: list[ItemFieldError] | None = None

    @model_serializer(mode="wrap")
    def _omit_null_errors(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        serialized: dict[str, object] = handler(self)
        if self.errors is None:
            del serialized["errors"]
        return serialized


class RejectedItem(ApiModel):
    error: ItemError


class PublishedEvents(ApiModel):
    """One item for each event, in the order of the request."""

    items: list[PublishedEvent | RejectedItem]


class EventQuery(PeriodQuery):
    """`since` and `until` apply to the events' `timestamp`."""

    type: KnownEventType | None = None
    status: EventStatus | None = None
    source: EventSource | None = None


class EventSummary(PublishedEvent):
    """An event in a list. `source` is `api`, `bus`, `patchbay`, or `flow` for events that a flow sent to a
    webhook.

    A REJECTED event came from the event bus and is invalid. It is stored with its `statusReason` but not
    delivered. Its `type` is empty if the bus event has no valid type.
    """

    source: str
    status: EventStatus = "ACCEPTED"
    status_reason: str | None = None


class EventDelivery(ApiModel):
    """`status` is PENDING until the first attempt starts."""

    id: DeliveryId
    webhook_id: WebhookId
    webhook_name: str | None = None
    status: str
    status_reason: str | None = None
    attempt_count: int = 0
    max_attempts: int | None = None
    next_attempt_at: Timestamp | None = None
    delivered_at: Timestamp | None = None


class EventFlow(ApiModel):
    """A flow that the event started, and its run."""

    flow_id: FlowId
    run_id: FlowRunId


class EventFeed(ApiModel):
    """A pull webhook whose feed has the event. `id` is the `webhook-id` of its item there."""

    id: DeliveryId
    webhook_id: WebhookId
    webhook_name: str | None = None


UnmatchedCode = Literal["created_later", "inactive", "disabled", "filter_mismatch", "changed_later"]


class UnmatchedReason(ApiModel):
    """Why a webhook did not get an event. `filter_mismatch`: `detail` has the first filter that does not
    match. `changed_later`: the webhook matches the event now, but did not when it was published.
    """

    code: UnmatchedCode
    detail: str


class UnmatchedWebhook(ApiModel):
    """A webhook that subscribes to the event's type, but did not get the event."""

    webhook_id: WebhookId
    name: str
    reason: UnmatchedReason


class Event(EventSummary):
    """`unmatched` has up to 50 webhooks that subscribe to the event type but did not get the event, newest
    first; `unmatchedTruncated` says whether there are more. It reflects the current webhooks. It is null for
    callers without the scope webhooks:read. `erasedAt` is when the data was erased; then `data` is empty.
    `depth` is the number of flows in the chain of events that caused this one, and `causedBy` is the previous
    event in that chain.
    """

    data: JsonObject
    erased_at: Timestamp | None = None
    deliveries: list[EventDelivery] = Field(default_factory=list)
    feeds: list[EventFeed] = Field(default_factory=list)
    flows: list[EventFlow] = Field(default_factory=list)
    depth: int = 0
    caused_by: EventId | None = None
    unmatched: list[UnmatchedWebhook] | None = None
    unmatched_truncated: bool = False


class EventWithData(EventSummary):
    """An event in an export."""

    data: JsonObject
    erased_at: Timestamp | None


class MatchedEvent(NamedTuple):
    """The parts of an event that its deliveries' IDs depend on. `webhook_ids` is not empty."""

    id: EventId
    type: str
    webhook_ids: tuple[WebhookId, ...]


@dataclass(frozen=True, slots=True)
class EventMessage:
    """An event in the events queue. `timestamp` is in Unix milliseconds. `depth` is the number of flows in
    the chain of events that led to it, and `caused_by` the event before it.
    """

    id: EventId
    workspace_id: str
    type: str
    timestamp: int
    data: JsonObject
    source: str
    correlation_id: str
    depth: int = 0
    caused_by: EventId | None = None

    @classmethod
    def read(cls, body: str) -> EventMessage:
        """Raises ValueError if the text is not an event."""
        return _adapter().validate_python(compact_json.loads(body))

    def fields(self) -> dict[str, object]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("depth", "caused_by"):
            if not values[name]:
                del values[name]  # most events have none, and every byte of a message is billed
        return values

    def payload(self) -> str:
        """The request body for receivers, the same text on every attempt."""
        return payload(self.id, self.type, self.timestamp, self.data)


@cache
def _adapter() -> TypeAdapter[EventMessage]:
    return TypeAdapter(EventMessage)


def payload(id: EventId, type: str, timestamp: int, data: Mapping[str, object]) -> str:
    """`{"id", "type", "timestamp", "data"}` as compact JSON."""
    return compact_json.dumps({"id": id, "type": type, "timestamp": iso(from_ms(timestamp)), "data": data})
