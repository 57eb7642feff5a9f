"""The query and response models of health and analytics."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from patchbay.api_model import ApiModel, LastError, Listing, ListQuery, Timestamp, check_period_end
from patchbay.events.models import KnownEventType
from patchbay.ids import IntegrationId, WebhookId
from patchbay.webhooks.models import Latency


class HealthState(StrEnum):
    """HEALTHY: it works. DEGRADED: some of its work fails or waits. FAILING: all or most of it fails.
    DISABLED: Patchbay has stopped it after failures. PAUSED and INACTIVE: a user has stopped it. UNKNOWN:
    there is no data.
    """

    HEALTHY = "HEALTHY"
    DEGRADED = "DEGRADED"
    FAILING = "FAILING"
    DISABLED = "DISABLED"
    PAUSED = "PAUSED"
    INACTIVE = "INACTIVE"
    UNKNOWN = "UNKNOWN"


class HealthReason(StrEnum):
    """Why something has its state."""

    BREAKER_OPEN = "breaker_open"
    CONSECUTIVE_FAILURES = "consecutive_failures"
    SUCCESS_RATE = "success_rate"
    RETRIES = "retries"
    BACKLOG = "backlog"
    SLOW = "slow"
    DISABLED = "disabled"
    PAUSED = "paused"
    INACTIVE = "inactive"
    PULL = "pull"
    NO_ATTEMPTS = "no_attempts"
    EXPIRED = "expired"
    REFRESH_FAILS = "refresh_fails"
    REVOKED = "revoked"
    PENDING_SETUP = "pending_setup"
    ERROR = "error"
    PARTS = "parts"
    NO_RUNS = "no_runs"


Kind = Literal["integration", "automation", "webhook", "connection", "flow"]
KINDS: tuple[Kind, ...] = ("integration", "automation", "webhook", "connection", "flow")


def _split(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


# Names, separated by commas.
Kinds = Annotated[list[Kind], Field(min_length=1), BeforeValidator(_split)]
States = Annotated[list[HealthState], Field(min_length=1), BeforeValidator(_split)]


class HealthQuery(ListQuery):
    """`kind` and `state` take one or more values, separated by commas. With `integrationId`, the list has
    that integration, its webhooks and its connections.
    """

    kind: Kinds = Field(default_factory=lambda: list(KINDS))
    state: States = Field(default_factory=lambda: list(HealthState))
    integration_id: IntegrationId | None = None


class Volume(ApiModel):
    """`attempts` is the number of requests, for deliveries or token refreshes. `succeeded` and `failed` are
    the numbers of deliveries or refreshes that ended that way, and `successRate` is the share that succeeded
    (0 to 1; null if none ended). `latencyMs` covers all attempts.
    """

    attempts: int
    succeeded: int
    failed: int
    success_rate: float | None
    latency_ms: Latency


class Trend(ApiModel):
    """The 24 hours that end at `measuredUntil`, compared with the previous 24 hours. `trend` is null if
    either has no rate, and STEADY within one percentage point.
    """

    attempts: int
    succeeded: int
    failed: int
    success_rate: float | None
    previous_success_rate: float | None
    trend: Literal["BETTER", "STEADY", "WORSE"] | None
    latency_ms: Latency


class Parts(ApiModel):
    """The number of an integration's webhooks or connections by state. States without items are omitted."""

    total: int
    states: dict[HealthState, int]


class HealthItem(ApiModel):
    """The health of one integration, automation platform (its hooks), webhook, connection or flow.

    `detail` says what is wrong and what to do about it; it is null for healthy items. `since` is when the
    state started, if known. A webhook has `deliveries`, a connection has `refreshes`, and an integration has
    both, in total, and the number of its `webhooks` and `connections` by state. An automation platform has
    `deliveries` and `webhooks`, and a flow has none of them.
    """

    kind: Kind
    id: str
    name: str
    integration_id: IntegrationId | None
    state: HealthState
    reason: HealthReason | None
    detail: str | None
    since: Timestamp | None
    deliveries: Trend | None
    refreshes: Trend | None
    webhooks: Parts | None
    connections: Parts | None
    last_error: LastError | None


class HealthList(Listing[HealthItem]):
    """Integrations, automation platforms, webhooks, connections and flows, in this order, each newest first.
    States are as of `checkedAt`. Numbers end at `measuredUntil`, because each hour is added 15 minutes after
    it ends. A page of a filtered list can be short or empty and still have a `nextCursor`.
    """

    checked_at: Timestamp
    measured_until: Timestamp | None

    def first(self, count: int) -> Listing[HealthItem]:
        part = super().first(count)
        return self.model_copy(update={"items": part.items, "next_cursor": part.next_cursor})


class AnalyticsQuery(ListQuery):
    """Both ends of the period are inclusive, and extended to whole hours or days (UTC). By default, it is the
    last 24 hours, or with `by=day` the last seven days. `integrationId`, `webhookId` and `eventType` limit
    what is counted; `integrationId` also limits the webhooks or connections of `groupBy`.
    """

    since: Timestamp | None = None
    until: Annotated[Timestamp | None, AfterValidator(check_period_end)] = None
    by: Literal["hour", "day"] = "hour"
    group_by: Literal["integration", "automation", "webhook", "connection", "eventType"] | None = None
    integration_id: IntegrationId | None = None
    webhook_id: WebhookId | None = None
    event_type: KnownEventType | None = None


class Point(ApiModel):
    """One hour or day, which starts at `at`. Intervals without activity are omitted."""

    at: Timestamp
    deliveries: Volume | None
    refreshes: Volume | None


Group = Literal["workspace", "integration", "automation", "webhook", "connection", "eventType"]


class Series(ApiModel):
    """The numbers for a workspace or for one group: in total, and by hour or day, oldest first. `id` is null
    for the workspace, and the name of an event type. `deliveries` is null for a connection, and `refreshes`
    for a webhook, an automation platform and an event type.
    """

    kind: Group
    id: str | None
    name: str
    deliveries: Volume | None
    refreshes: Volume | None
    points: list[Point]


class Analytics(Listing[Series]):
    """One series without `groupBy`, otherwise one per group: integrations, webhooks and connections newest
    first, event types by number of attempts. The series cover the period from `since` to `until`. It ends
    with the last complete hour; each hour is added 15 minutes after it ends.
    """

    since: Timestamp
    until: Timestamp
    by: Literal["hour", "day"]

    def first(self, count: int) -> Listing[Series]:
        part = super().first(count)
        return self.model_copy(update={"items": part.items, "next_cursor": part.next_cursor})
