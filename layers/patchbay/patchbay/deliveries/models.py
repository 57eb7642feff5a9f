"""Deliveries as the API returns them, and as messages of the queue."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from patchbay.api_model import ApiModel, JsonObject, PeriodQuery, Timestamp, check_period_end
from patchbay.events.models import KnownEventType
from patchbay.ids import DeliveryId, EventId, RunId, WebhookId
from patchbay.webhooks.models import EventTypes, Webhook


class Status(StrEnum):
    """The status of a delivery: `(claim) → SENDING → DELIVERED | RETRYING | FAILED`.

    A PENDING delivery waits for its first attempt: it has no row while it is queued, and has one while it
    waits for its webhook's rate limit. A HELD delivery waits in the table until its receiver is healthy
    again, or until its webhook is resumed; then the sweeper queues it. A CANCELLED delivery was not sent
    because its webhook is no longer active, or because the data of its event was erased.
    """

    PENDING = "PENDING"
    SENDING = "SENDING"
    RETRYING = "RETRYING"
    HELD = "HELD"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


# Why an attempt was made.
Trigger = Literal["AUTO", "MANUAL", "TEST", "RECOVER", "REPLAY"]
# The reason of a delivery that is held because its webhook is paused.
HELD_PAUSED = "held:paused"
# The reason of a delivery that is cancelled because the data of its event was erased.
EVENT_ERASED = "event_erased"

TERMINAL = frozenset({Status.DELIVERED, Status.FAILED, Status.CANCELLED})


@dataclass(frozen=True, slots=True)
class DeliveryMessage:
    """The SQS message of one delivery.

    `body` is the request body for the receiver. It is None if it exceeds 64 KB, or if the sweeper or a
    manual retry sent the message; the worker then builds it from the event's row. For a callback,
    `webhook_id` is the ID of its run, and the webhook's row has the body. `generation` increases with each
    new message of the delivery, so that earlier messages are recognized. `by_hand` marks a manual retry,
    which does not wait until the receiver is healthy. `retain_days` is the workspace's own retention, if it
    has one.
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
    retain_days: int | None = None

    @classmethod
    def read(cls, text: str) -> DeliveryMessage:
        """Parse a message. Raises ValueError."""
        return _message().validate_json(text)

    def fields(self) -> dict[str, str | int | None]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.retain_days is None:
            del values["retain_days"]  # most workspaces have none, and every byte of a message is billed
        return values


@cache
def _message() -> TypeAdapter[DeliveryMessage]:
    return TypeAdapter(DeliveryMessage)


class DeliveryQuery(PeriodQuery):
    """`since` and `until` apply to the event's `timestamp`."""

    status: Literal["PENDING", "SENDING", "RETRYING", "HELD", "DELIVERED", "FAILED", "CANCELLED"] | None = (
        None
    )
    event_type: KnownEventType | None = None


class AllDeliveriesQuery(DeliveryQuery):
    """The deliveries of all webhooks and events, or of one of them."""

    webhook_id: WebhookId | None = None
    event_id: EventId | None = None


class Delivery(ApiModel):
    """`statusReason` says why the delivery has not succeeded (yet): `http_500`, `timeout`,
    `retries_exhausted:http_500`, `held:timeouts` …
    """

    id: DeliveryId
    webhook_id: WebhookId
    event_id: EventId
    event_type: str
    status: str
    status_reason: str | None
    attempt_count: int
    max_attempts: int
    next_attempt_at: Timestamp | None
    delivered_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class AttemptError(ApiModel):
    """Why there was no response. `code` is stable, such as `timeout` or `dns_failed`."""

    code: str
    detail: str


class Attempt(ApiModel):
    """One request and its result. `statusCode` is null if there was no response; then `error` says why.

    Patchbay stores up to 16 KB of the decoded response body for a failure or a test, and less than 1 KB for a
    success. If the response is not shown, `withheld` says why, `responseBody` is null and `responseHeaders`
    is empty.
    """

    number: int
    trigger: Trigger
    started_at: Timestamp
    duration_ms: int
    status_code: int | None
    error: AttemptError | None
    request_headers: dict[str, str]
    response_headers: dict[str, str]
    response_body: str | None
    withheld: str | None
    truncated: bool


class ExportedAttempt(Attempt):
    """An attempt in an export."""

    delivery_id: DeliveryId


class DeliveryDetail(Delivery):
    """`payload` is the request body; null if the event is no longer stored or its data was erased. `attempts`
    has the last 100 attempts. If their responses do not fit into one API response, the oldest ones are
    withheld.
    """

    payload: JsonObject | None
    attempts: list[Attempt]


class Recover(ApiModel):
    """The deliveries of events from `since` to `until`, both inclusive. `until` defaults to now."""

    since: Timestamp
    until: Annotated[Timestamp | None, AfterValidator(check_period_end)] = None


class Recovering(ApiModel):
    """`queued` is the number of deliveries that will be resent, oldest first. At most 10,000 are counted."""

    queued: int


class Replay(ApiModel):
    """Which deliveries to resend, for events from `since` to `until` (both inclusive; `until` defaults to
    now) and of `eventTypes` (by default, all types): deliveries with one of the `statuses` and, with
    `missing`, events that match the webhook now but have no delivery. `statuses` defaults to FAILED and
    CANCELLED, or to none with `missing`. `dryRun` only counts the deliveries.
    """

    since: Timestamp
    until: Annotated[Timestamp | None, AfterValidator(check_period_end)] = None
    event_types: EventTypes | None = None
    statuses: Annotated[list[Literal["FAILED", "CANCELLED", "DELIVERED"]], Field(min_length=1)] | None = None
    missing: bool = False
    dry_run: bool = False


class ReplayPreview(ApiModel):
    """The number of deliveries that a replay would queue. If `isComplete` is false, there are more: the count
    stops at 10,000 or after a few seconds.
    """

    http_status: ClassVar[int] = 200

    total: int
    is_complete: bool


class RetryDelivery(ApiModel):
    """`force` also resends a delivery that already succeeded."""

    force: bool = False


class SendTestEvent(ApiModel):
    """`eventType` can be any type, even if the webhook does not subscribe to it. By default, it is the
    webhook's first type.
    """

    event_type: KnownEventType | None = None


class WebhookDetail(Webhook):
    recent_deliveries: list[Delivery] = Field(default_factory=list)
