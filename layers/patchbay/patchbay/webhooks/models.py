"""The API models of webhooks."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from patchbay import catalogue, pasted_credentials
from patchbay.api_model import ApiModel, ListQuery, Name, PlainText, Timestamp
from patchbay.event_filters import Filters
from patchbay.events.models import EventType
from patchbay.ids import IntegrationId, WebhookId
from patchbay.webhooks import retry

MAX_EVENT_TYPES = 40  # all subscriptions of a webhook change in one transaction (100 actions)
MAX_OVERLAP_SECONDS = 7 * 86_400
MAX_EXPIRY_SECONDS = 86_400
_MAX_HEADERS = 20
_MAX_HEADER_BYTES = 4096
_MAX_FILTERS_BYTES = 8192  # each subscription's row has a copy
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}\Z")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[\x20-\x7e]*\Z")  # RFC 9110, 5.5, without obs-text
# Patchbay's own, hop-by-hop headers (RFC 9110, 7.6.1), and headers that frame or route the request.
_RESERVED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)


def _check_headers(headers: dict[str, str]) -> dict[str, str]:
    if len(headers) > _MAX_HEADERS:
        raise ValueError(f"must have at most {_MAX_HEADERS} headers")
    if len({name.lower() for name in headers}) != len(headers):
        raise ValueError("must not name a header twice")
    if sum(len(name) + len(value) for name, value in headers.items()) > _MAX_HEADER_BYTES:
        raise ValueError(f"must have at most {_MAX_HEADER_BYTES} bytes in total")
    for name, value in headers.items():
        if not _TOKEN.match(name):
            raise ValueError(f"{name!r} is not a valid header name")
        if name.lower() in _RESERVED or name.lower().startswith("webhook-"):
            raise ValueError(f"{name} is set by Patchbay")
        if value:
            _check_value(name, value)
    return headers


def _check_value(name: str, value: str) -> None:
    try:
        pasted_credentials.check(value)
    except ValueError as error:
        raise ValueError(f"the value of {name} {error}") from None
    if not _VALUE.match(value):
        raise ValueError(
            f"the value of {name} has characters that are not allowed in a header; use printable ASCII"
        )


def _check_event_types(event_types: list[str]) -> list[str]:
    unknown = set(event_types) - catalogue.ALL - {catalogue.ANY}
    if unknown:
        raise ValueError(
            f"unknown event type {', '.join(sorted(unknown))}; must be one of "
            f"{', '.join(sorted(catalogue.ALL))}, or * for all"
        )
    return sorted(set(event_types))


def _check_filters(filters: Filters) -> Filters:
    size = sum(len(filter.model_dump_json()) for filter in filters)
    if size > _MAX_FILTERS_BYTES:
        raise ValueError(f"must have at most {_MAX_FILTERS_BYTES} bytes in total as JSON")
    return filters


Headers = Annotated[dict[str, str], AfterValidator(_check_headers)]
BoundedFilters = Annotated[Filters, AfterValidator(_check_filters)]
EventTypes = Annotated[
    list[EventType | Literal["*"]],
    Field(min_length=1, max_length=MAX_EVENT_TYPES),
    AfterValidator(_check_event_types),
]
# The service calls the SSRF guard, whose rules depend on the deployment.
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Kind = Literal["push", "pull"]


class RetryConfig(ApiModel):
    """Delays of initialDelaySeconds × backoffMultiplier^(n−1), or a named schedule instead."""

    max_retries: Annotated[int, Field(ge=0, le=15)] = 3
    backoff_multiplier: Annotated[float, Field(ge=1, le=10)] = 2
    initial_delay_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    schedule: Literal["standard"] | None = None

    @model_validator(mode="after")
    def _check_schedule(self) -> Self:
        if self.schedule is not None and self.model_fields_set - {"schedule"}:
            raise ValueError("schedule cannot be combined with other fields; send schedule alone, or omit it")
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


class CreateWebhook(ApiModel):
    """Every request to the receiver has the `headers`; the API never returns their values.

    A webhook of kind `pull` has no `url` and nothing else about requests: its receiver reads its feed.
    With `expiresInSeconds`, it is temporary; an update with it extends that time, and null ends it.
    """

    kind: Kind = "push"
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


class UpdateWebhook(CreateWebhook):
    """Changes only the fields that are sent; the defaults are placeholders for the others."""

    name: Name = ""
    event_types: EventTypes = Field(default_factory=list)


class SetWebhookStatus(ApiModel):
    """Events match an ACTIVE or PAUSED webhook. A PAUSED one holds its deliveries until it is ACTIVE again.
    `statusReason` says why a webhook is PAUSED or INACTIVE.
    """

    status: Literal["ACTIVE", "PAUSED", "INACTIVE"]
    status_reason: Annotated[PlainText, StringConstraints(max_length=500)] | None = None


class RotateSecret(ApiModel):
    """`overlapSeconds` is how long the older secrets sign alongside the new one; 0 ends them immediately."""

    overlap_seconds: Annotated[int, Field(ge=0, le=MAX_OVERLAP_SECONDS)] = 86_400


class WebhookQuery(ListQuery):
    status: Literal["ACTIVE", "PAUSED", "INACTIVE", "DISABLED"] | None = None
    event_type: EventType | None = None


class Latency(ApiModel):
    """Percentiles in milliseconds, from a histogram; null if there were no attempts."""

    p50: int | None = None
    p95: int | None = None
    p99: int | None = None


class LastError(ApiModel):
    """The latest failed attempt. `code` is a stable code, such as `http_500` or `timeout`."""

    code: str
    detail: str
    at: Timestamp


class WebhookStats(ApiModel):
    """The last 24 hours, by the hour: deliveries that ended since `since`, and those now `pending`.
    `successRate` is the share of ended deliveries that succeeded (0 to 1); latency covers all attempts.
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


class Webhook(ApiModel):
    """`source` is `api` or the automation platform that created it; header values are masked.

    A webhook of kind `pull` has no `url`; `retryConfig` and `disableAfter` have no effect on it.
    """

    id: WebhookId
    kind: Kind
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
    consecutive_failures: int = 0
    stats: WebhookStats = Field(default_factory=WebhookStats)
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class WebhookWithSecret(Webhook):
    """The only response with the new signing secret. It has no stats, because a repeated request under the
    same Idempotency-Key must get the same response.
    """

    consecutive_failures: int = Field(default=0, exclude=True)
    stats: WebhookStats = Field(default_factory=WebhookStats, exclude=True)
    secret: str = Field(repr=False)
