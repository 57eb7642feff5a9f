"""Deliveries as the API gives them, and as they travel through the queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from patchbay import catalogue
from patchbay.api_model import ApiModel, JsonObject, ListQuery, Timestamp
from patchbay.events.models import EventType
from patchbay.ids import DeliveryId, EventId, RunId, WebhookId, of_webhook_key
from patchbay.webhooks.models import Webhook


class Status(StrEnum):
    """Where a delivery stands: `(claim) → SENDING → DELIVERED | RETRYING | FAILED`.

    PENDING waits for its first attempt: one that is queued has no row yet, one that waits for its webhook's
    rate limit has. HELD waits in the table until its webhook's receiver is well again; the sweeper queues it.
    CANCELLED was not sent because its webhook is no longer active.
    """

    PENDING = "PENDING"
    SENDING = "SENDING"
    RETRYING = "RETRYING"
    HELD = "HELD"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


# What an attempt was made for.
Trigger = Literal["AUTO", "MANUAL", "TEST", "RECOVER"]

TERMINAL = frozenset({Status.DELIVERED, Status.FAILED, Status.CANCELLED})


@dataclass(frozen=True, slots=True)
class DeliveryMessage:
    """One delivery on its way to the worker.

    `body` is what receivers get; None when it is over 64 KB, or the sweeper sent the message: then it is
    built from the event's row. A callback's webhook is its run, and has the body. `generation` is raised each
    time it is parked, so that the messages of before are known. `by_hand` is what somebody asked for now, and
    does not wait for its receiver to be well.
    """

    id: DeliveryId
    workspace_id: str
    webhook_id: WebhookId | RunId
    event_id: EventId
    event_type: str
    body: str | None
    generation: int
    correlation_id: str
    by_hand: bool = False

    @classmethod
    def read(cls, text: str) -> DeliveryMessage:
        """Raises ValueError when the text is no delivery."""
        return _message().validate_json(text)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> DeliveryMessage:
        """The message for a delivery that waits in the table."""
        workspace_id, webhook_id = of_webhook_key(row["webhookKey"])
        return cls(
            id=DeliveryId(row["sk"]),
            workspace_id=workspace_id,
            webhook_id=webhook_id,
            event_id=EventId(row["eventId"]),
            event_type=row["eventType"],
            body=None,
            generation=row["generation"],
            correlation_id=row["eventId"],
        )

    def fields(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@cache
def _message() -> TypeAdapter[DeliveryMessage]:
    return TypeAdapter(DeliveryMessage)


class DeliveryQuery(ListQuery):
    status: Literal["PENDING", "SENDING", "RETRYING", "HELD", "DELIVERED", "FAILED", "CANCELLED"] | None = (
        None
    )
    event_type: EventType | None = None
    since: Timestamp | None = None
    until: Timestamp | None = None


class Delivery(ApiModel):
    """`reason` says why it is not (yet) delivered: `http_500`, `timeout`, `retries_exhausted:http_500`,
    `held:timeouts` …
    """

    id: DeliveryId
    webhook_id: WebhookId
    event_id: EventId
    event_type: str
    status: str
    reason: str | None
    attempt_count: int
    max_attempts: int
    next_attempt_at: Timestamp | None
    delivered_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class Attempt(ApiModel):
    """One request and what came of it. `statusCode` is null when no answer came; then `error` says why.

    Up to 16 KB of the decoded answer are kept for a failure or a test, less than 1 KB for a success. If
    `withheld` says why the answer is not shown, `responseBody` is null and `responseHeaders` is empty.
    """

    number: int
    trigger: Trigger
    started_at: Timestamp
    duration_ms: int
    status_code: int | None
    error: str | None
    request_headers: dict[str, str]
    response_headers: dict[str, str]
    response_body: str | None
    withheld: str | None
    truncated: bool


class DeliveryDetail(Delivery):
    """`payload` is the body that was sent; null when its event is no longer kept. `attempts` has the last
    100. If their answers do not all fit into one response, the oldest ones are withheld.
    """

    payload: JsonObject | None
    attempts: list[Attempt]


class Recover(ApiModel):
    """Deliveries of events from `since` until `until` (left out: until now), both included."""

    since: Timestamp
    until: Timestamp | None = None


class Recovering(ApiModel):
    """`queued` deliveries are sent again, the oldest first; of more than 10,000 it says 10,000."""

    queued: int


def _known(event_type: str) -> str:
    if event_type not in catalogue.ALL:
        raise ValueError(f"no such event type; there are {', '.join(sorted(catalogue.ALL))}")
    return event_type


class SendTestEvent(ApiModel):
    """`eventType` may be one that the webhook is not subscribed to; by default it is its first."""

    event_type: Annotated[EventType, AfterValidator(_known)] | None = None


class WebhookDetail(Webhook):
    recent_deliveries: list[Delivery] = Field(default_factory=list)
