"""The API models of webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from patchbay import catalogue, pasted_credentials, suggestions
from patchbay.api_model import MASK, ApiModel, LastError, ListQuery, Name, PlainText, Timestamp
from patchbay.event_filters import Filters
from patchbay.events.models import EventType, KnownEventType
from patchbay.ids import IntegrationId, WebhookId
from patchbay.outbound import header_fields
from patchbay.updates import VOLATILE, ReadOnly, Update
from patchbay.webhooks import retry, signing

MAX_EVENT_TYPES = 40  # all subscriptions of a webhook change in one transaction (100 actions)
MAX_OVERLAP_SECONDS = 7 * 86_400
MAX_EXPIRY_SECONDS = 86_400
_MAX_HEADERS = 20
_MAX_HEADER_BYTES = 4096
_MAX_FILTERS_BYTES = 8192  # each subscription's row has a copy


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Return `headers`. Raises ValueError for headers that cannot be sent to a receiver."""
    for name, value in _check_masked_headers(headers).items():
        if value == MASK:
            _check_value(name, value)
    return headers


def _check_masked_headers(headers: dict[str, str]) -> dict[str, str]:
    if len(headers) > _MAX_HEADERS:
        raise ValueError(f"must have at most {_MAX_HEADERS} headers")
    if len({name.lower() for name in headers}) != len(headers):
        raise ValueError("must not contain the same header twice")
    if sum(len(name) + len(value) for name, value in headers.items()) > _MAX_HEADER_BYTES:
        raise ValueError(f"must have at most {_MAX_HEADER_BYTES} bytes in total")
    for name, value in headers.items():
        if not header_fields.is_name(name):
            raise ValueError(f"{name!r} is not a valid header name")
        if _is_reserved(name):
            raise ValueError(f"{name} is set by Patchbay")
        if value and value != MASK:
            _check_value(name, value)
    return headers


def _is_reserved(name: str) -> bool:
    lower = name.lower()
    return header_fields.is_reserved(name) or lower == "content-type" or lower.startswith("webhook-")


def _check_value(name: str, value: str) -> None:
    try:
        pasted_credentials.check(value)
    except ValueError as error:
        raise ValueError(f"the value of {name} {error}") from None
    if not header_fields.is_value(value):
        raise ValueError(
            f"the value of {name} contains characters that are not allowed in a header; use printable ASCII"
        )


def _check_event_type(event_type: object) -> object:
    if isinstance(event_type, str) and event_type not in catalogue.ALL and event_type != catalogue.ANY:
        known = catalogue.ALL | {catalogue.ANY}
        raise ValueError(suggestions.one_of(event_type, known, "an event type or * for all"))
    return event_type


def _distinct(event_types: list[str]) -> list[str]:
    return sorted(set(event_types))


def check_filters(filters: Filters) -> Filters:
    """Return `filters`. Raises ValueError when they are too large in total."""
    size = sum(len(filter.model_dump_json()) for filter in filters)
    if size > _MAX_FILTERS_BYTES:
        raise ValueError(f"must have at most {_MAX_FILTERS_BYTES} bytes in total as JSON")
    return filters


class FlowSubscription(NamedTuple):
    """What an active flow subscribes to: event types, and filters as JSON."""

    event_types: Sequence[str]
    filters: Sequence[Mapping[str, JsonValue]]


Headers = Annotated[dict[str, str], AfterValidator(check_headers)]
# A value may be the mask that the API shows in place of the stored one.
MaskedHeaders = Annotated[dict[str, str], AfterValidator(_check_masked_headers)]
BoundedFilters = Annotated[Filters, AfterValidator(check_filters)]
EventTypes = Annotated[
    list[Annotated[EventType | Literal["*"], BeforeValidator(_check_event_type)]],
    Field(min_length=1, max_length=MAX_EVENT_TYPES),
    AfterValidator(_distinct),
]
# The service calls the SSRF guard, whose rules depend on the deployment.
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Kind = Literal["push", "pull"]
_KIND = "`push`: Patchbay sends requests to `url`. `pull`: the receiver reads the feed. It never changes."


class RetryConfig(ApiModel):
    """Delays of initialDelaySeconds × backoffMultiplier^(n−1), or a named schedule instead."""

    max_retries: Annotated[int, Field(ge=0, le=15)] = 3
    backoff_multiplier: Annotated[float, Field(ge=1, le=10)] = 2
    initial_delay_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    schedule: Literal["standard"] | None = None

    @model_validator(mode="after")
    def _check_schedule(self) -> Self:
        if self.schedule is not None and self.model_fields_set - {"schedule"}:
            raise ValueError("schedule cannot be combined with other fields; send only schedule, or omit it")
        return self

    @model_serializer(mode="wrap")
    def _serialize(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        shape: dict[str, object] = handler(self)
        schedule = shape.pop("schedule")
        return {"schedule": schedule} if schedule else shape

    def to_policy(self) -> retry.RetryPolicy:
        return retry.RetryPolicy(
            self.max_retries,
            self.backoff_multiplier,
            self.initial_delay_seconds,
            retry.SCHEDULES[self.schedule] if self.schedule else None,
        )


class WebhookSettings(ApiModel):
    """Patchbay sends the custom `headers` with every request; the API never returns their values.

    A webhook of kind `pull` has no `url` and no settings for requests: its receiver reads its feed. With
    `expiresInSeconds`, it is temporary. An update extends that time, or removes it with null.
    """

    kind: Annotated[Kind, Field(description=_KIND)] = "push"
    name: Name
    url: Url | None = None
    event_types: EventTypes
    filters: BoundedFilters = Field(default_factory=list)
    integration_id: IntegrationId | None = None
    headers: Headers = Field(default_factory=dict)
    retry_config: RetryConfig = Field(default_factory=RetryConfig)
    rate_limit_per_second: Annotated[int, Field(ge=1, le=1000)] | None = None
    disable_after: Annotated[int, Field(ge=1, le=1000)] = 10
    expires_in_seconds: Annotated[int, Field(ge=60, le=MAX_EXPIRY_SECONDS)] | None = None


def _check_secret(secret: str) -> str:
    pasted_credentials.check(secret)
    signing.check_own_secret(secret)
    return secret


OwnSecret = Annotated[
    str,
    AfterValidator(_check_secret),
    Field(
        description="Your own signing secret, `whsec_…`. By default, Patchbay generates one.",
        # The base64 of 24 to 64 bytes.
        json_schema_extra={"pattern": r"^whsec_[A-Za-z0-9+/]{32,86}={0,2}$"},
    ),
]


class CreateWebhook(WebhookSettings):
    """`secret` is your own signing secret, for example when you migrate from another system: `whsec_` and the
    base64 of 24 to 64 random bytes (Standard Webhooks). By default, Patchbay generates one.
    """

    secret: OwnSecret | None = Field(default=None, repr=False)


class SetWebhookStatus(ApiModel):
    """Events match an ACTIVE or PAUSED webhook. The deliveries of a PAUSED webhook are kept (HELD) until it
    is ACTIVE again. `statusReason` says why a webhook is PAUSED or INACTIVE.
    """

    status: Literal["ACTIVE", "PAUSED", "INACTIVE"]
    status_reason: Annotated[PlainText, StringConstraints(max_length=500)] | None = None


class RotateSecret(ApiModel):
    """`overlapSeconds` is how long the old secrets sign alongside the new one; 0 ends them immediately.
    `secret` is your own new secret, as at creation. By default, Patchbay generates one.
    """

    overlap_seconds: Annotated[int, Field(ge=0, le=MAX_OVERLAP_SECONDS)] = 86_400
    secret: OwnSecret | None = Field(default=None, repr=False)


def _split(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


Part = Literal["stats", "receiver"]
# Names, separated by commas.
Include = Annotated[list[Part], Field(min_length=1), BeforeValidator(_split)]


class WebhookQuery(ListQuery):
    """`include` adds `stats`, `receiver` or both (`stats,receiver`) to each webhook."""

    status: Literal["ACTIVE", "PAUSED", "INACTIVE", "DISABLED"] | None = None
    event_type: KnownEventType | None = None
    include: Include = Field(default_factory=list)


class Latency(ApiModel):
    """Percentiles in milliseconds, from a histogram; null if there were no attempts."""

    p50: int | None = None
    p95: int | None = None
    p99: int | None = None


class HourVolume(ApiModel):
    """The deliveries that ended in the hour that starts at `at`."""

    at: Timestamp
    delivered: int
    failed: int


class WebhookStats(ApiModel):
    """The last 24 hours, by the hour: deliveries that ended since `since`, and those now `pending`.
    `successRate` is the share of ended deliveries that succeeded (0 to 1); latency covers all attempts.
    `hours` has the numbers by hour. Hours without ended deliveries are omitted.
    """

    since: Timestamp | None = None
    deliveries: int = 0
    delivered: int = 0
    failed: int = 0
    pending: int = 0
    success_rate: float | None = None
    latency_ms: Latency = Field(default_factory=Latency)
    last_delivery_at: Timestamp | None = None
    last_error: LastError | None = None
    hours: list[HourVolume] = Field(default_factory=list)


class Receiver(ApiModel):
    """The current health of the receiver.

    While the `breaker` is OPEN, new deliveries are HELD until a probe gets a response; the next one is at
    `nextProbeAt`. The SLOW `lane` is for receivers that are not known to be fast yet (`laneReason` is
    `unproven`), took more than two seconds at `slowAt` (`slow`), or share a workspace with many slow
    receivers (`slow_workspace`). `slowdowns` is the number of recent slowdowns, `backlogSince` is since when
    too many retries are waiting, and `held` is the number of HELD deliveries.
    """

    breaker: Literal["CLOSED", "OPEN"]
    opened_at: Timestamp | None
    next_probe_at: Timestamp | None
    lane: Literal["FAST", "SLOW"]
    lane_reason: Literal["unproven", "slow", "slow_workspace"] | None
    slow_at: Timestamp | None
    slowdowns: int
    backlog_since: Timestamp | None
    held: int


class Webhook(ApiModel):
    """`source` is `api` or the automation platform that created it; header values are masked. In lists,
    `stats`, `consecutiveFailures` and `receiver` are null unless you request them with `include`.

    A webhook of kind `pull` has no `url` and no `receiver`; `retryConfig` and `disableAfter` have no effect
    on it.
    """

    id: WebhookId
    kind: Annotated[Kind, Field(description=_KIND)]
    name: str
    url: str | None
    event_types: list[str]
    filters: Filters
    integration_id: IntegrationId | None
    source: str
    headers: dict[str, str]
    retry_config: RetryConfig
    rate_limit_per_second: int | None
    disable_after: int
    status: Literal["ACTIVE", "PAUSED", "INACTIVE", "DISABLED"]
    status_reason: str | None
    disabled_at: Timestamp | None
    resumed_at: Timestamp | None = Field(exclude=True)
    expires_at: Timestamp | None
    consecutive_failures: Annotated[int | None, VOLATILE] = None
    stats: Annotated[WebhookStats | None, VOLATILE] = None
    receiver: Annotated[Receiver | None, VOLATILE] = None
    created_by: str
    created_at: Timestamp
    updated_at: Annotated[Timestamp, VOLATILE]
    version: int


class UpdateWebhook(Update, WebhookSettings):
    """Only the fields that you send change; the defaults here are placeholders. A header whose value is the
    mask does not change.
    """

    read_only = ReadOnly(
        Webhook,
        "webhook",
        see=dict.fromkeys(
            ("status", "statusReason"), "change the status with PUT /api/integrations/webhooks/{id}/status"
        )
        | {"expiresAt": "change it with expiresInSeconds"},
        volatile=frozenset({"recentDeliveries"}),
    )

    name: Name = ""
    event_types: EventTypes = Field(default_factory=list)
    headers: MaskedHeaders = Field(default_factory=dict)


class WebhookWithSecret(Webhook):
    """A webhook with its new signing secret. Only this response contains the secret. It has no stats, because
    a repeated request with the same Idempotency-Key must get the same response.
    """

    consecutive_failures: int | None = Field(default=None, exclude=True)
    stats: WebhookStats | None = Field(default=None, exclude=True)
    receiver: Receiver | None = Field(default=None, exclude=True)
    secret: str = Field(repr=False)
