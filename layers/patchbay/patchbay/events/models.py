"""Events as the API takes and gives them, and as they travel through the queues."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    SkipValidation,
    StringConstraints,
    TypeAdapter,
    model_serializer,
)

from patchbay import compact_json
from patchbay.api_model import ApiModel, JsonObject, ListQuery, Timestamp, WorkspaceId
from patchbay.clock import at_ms, iso
from patchbay.ids import DeliveryId, EventId, WebhookId

EventType = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]


class PublishEvent(ApiModel):
    """`data` is the event's own content, an object of at most 256 KB as JSON.

    `workspaceId` is for the platform's workspace, which publishes for others.
    """

    type: EventType
    data: JsonObject
    idempotency_key: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    workspace_id: WorkspaceId | None = None


class PublishedEvent(ApiModel):
    id: EventId
    type: str
    timestamp: Timestamp


class PublishEvents(ApiModel):
    """A batch. Its events come as they were sent: each is validated by itself, so that one which does not
    fit refuses no other. A MalformedJson stands for an event whose JSON is not accepted.
    """

    judged_by_item: ClassVar[str] = "events"

    events: Annotated[list[SkipValidation[PublishEvent]], Field(min_length=1, max_length=100)]


class ItemFieldError(ApiModel):
    path: str
    message: str


class ItemError(ApiModel):
    """Why one item of a batch was refused, as the same request alone would be told (problem+json's `code`
    and `detail`; `errors` with `validation_failed`).
    """

    code: str
    detail: str
    errors: list[ItemFieldError] | None = None

    @model_serializer(mode="wrap")
    def _without_null(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        shape: dict[str, object] = handler(self)
        if self.errors is None:
            del shape["errors"]
        return shape


class RefusedEvent(ApiModel):
    error: ItemError


class PublishedEvents(ApiModel):
    """One item per event, in the order in which they were sent."""

    items: list[PublishedEvent | RefusedEvent]


class EventQuery(ListQuery):
    type: EventType | None = None
    since: Timestamp | None = None
    until: Timestamp | None = None


class EventSummary(PublishedEvent):
    """An event in a list. `source` is `api`, `bus` or `patchbay`.

    REJECTED is what came over the bus and is no event: it is kept for the `reason`, and goes nowhere. Its
    `type` is empty when what it had there cannot be one.
    """

    source: str
    status: Literal["ACCEPTED", "REJECTED"] = "ACCEPTED"
    reason: str | None = None


class EventDelivery(ApiModel):
    """`status` is PENDING until the first attempt begins."""

    id: DeliveryId
    webhook_id: WebhookId
    status: str


class Event(EventSummary):
    data: JsonObject
    deliveries: list[EventDelivery] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EventMessage:
    """An event on its way to the fan-out. `timestamp` in Unix milliseconds."""

    id: EventId
    workspace_id: str
    type: str
    timestamp: int
    data: dict[str, Any]
    source: str
    correlation_id: str

    @classmethod
    def read(cls, body: str) -> EventMessage:
        """Raises ValueError when the text is no event."""
        return _message().validate_python(compact_json.loads(body))

    def fields(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def payload(self) -> str:
        """The body that receivers get; the same text on every attempt."""
        return payload(self.id, self.type, self.timestamp, self.data)


@cache
def _message() -> TypeAdapter[EventMessage]:
    return TypeAdapter(EventMessage)


def payload(id: EventId, type: str, timestamp: int, data: dict[str, Any]) -> str:
    """`{"id", "type", "timestamp", "data"}` as compact JSON."""
    return compact_json.dumps({"id": id, "type": type, "timestamp": iso(at_ms(timestamp)), "data": data})
