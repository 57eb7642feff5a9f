"""The objects of the API.

Generated from openapi.json by `make derived`: change that, not this file.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

from pydantic import Field

from patchbay_sdk._model import Model


class AccessToken(Model):
    """An access token that is valid for at least a minute, if the provider issues such tokens."""

    access_token: str
    """The access token for the provider's API."""
    token_type: str
    """The type of the token, usually `Bearer`."""
    expires_at: datetime | None
    """When the token expires; null if the provider does not say."""
    scopes: list[str]
    """The scopes that the user granted."""
    metadata: dict[str, Any]
    """What the provider returned with the token, such as the URL of its API."""


class Account(Model):
    """The account at the provider."""

    id: str | None
    """The account's ID at the provider."""
    label: str | None
    """The account's name at the provider."""


class ActionInfo(Model):
    """An action. `input` and `output` are JSON Schemas; a string with `x-choices` takes an ID of its list."""

    id: str
    """The key of the action, for `POST …/actions/{key}`."""
    label: str
    """The name for people."""
    noun: str
    """What it is about, in title case."""
    description: str
    """What it is, in a sentence or two."""
    input: dict[str, Any]
    """The JSON Schema of the input."""
    output: dict[str, Any]
    """The JSON Schema of the result."""
    sample: Example
    """An example of input and output."""


class ApiKey(Model):
    """A key without its secret. `rotatedFrom` is the key that this one replaces."""

    id: str
    """The ID."""
    name: str
    """The name for people."""
    masked_key: str
    """The key with its secret masked."""
    scopes: list[str]
    """The scopes."""
    status: Literal["ACTIVE", "EXPIRED", "REVOKED"]
    """The status."""
    rate_limit_per_hour: int
    """The most requests in any 60 minutes."""
    rate_limit_per_day: int
    """The most requests in any 24 hours."""
    expires_at: datetime | None
    """When it expires; null for never."""
    last_used_at: datetime | None
    """When it was last used, to the minute or so."""
    usage: Usage
    """How much the key was used."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    rotated_from: str | None
    """The key that this one replaces, or null."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, which each change increases; also the `ETag`."""


class ApiKeyList(Model):
    items: list[ApiKey]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class ApiKeyWithSecret(Model):
    """The response to the creation of a key, the only one that contains it."""

    id: str
    """The ID."""
    name: str
    """The name for people."""
    masked_key: str
    """The key with its secret masked."""
    scopes: list[str]
    """The scopes."""
    status: Literal["ACTIVE", "EXPIRED", "REVOKED"]
    """The status."""
    rate_limit_per_hour: int
    """The most requests in any 60 minutes."""
    rate_limit_per_day: int
    """The most requests in any 24 hours."""
    expires_at: datetime | None
    """When it expires; null for never."""
    last_used_at: datetime | None
    """When it was last used, to the minute or so."""
    usage: Usage
    """How much the key was used."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    rotated_from: str | None
    """The key that this one replaces, or null."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, which each change increases; also the `ETag`."""
    key: str
    """The API key. Shown only in this response: store it now."""


class Attempt(Model):
    """One request and its result. `statusCode` is null if there was no response; then `error` says why.

    Up to 16 KB of the decoded response body are stored for a failure or a test, less than 1 KB for a
    success. If the response is not shown, `withheld` says why, `responseBody` is null and
    `responseHeaders` is empty.
    """

    number: int
    """The number of the attempt, from 1."""
    trigger: Literal["AUTO", "MANUAL", "TEST", "RECOVER"]
    """Why the attempt was made."""
    started_at: datetime
    """When the attempt started."""
    duration_ms: int
    """The duration of the attempt in milliseconds."""
    status_code: int | None
    """The status of the receiver's response, or null if there was none."""
    error: AttemptError | None
    """Why there was no response, or null."""
    request_headers: dict[str, str]
    """The headers that were sent. Values of the webhook's own headers are masked."""
    response_headers: dict[str, str]
    """The headers of the response."""
    response_body: str | None
    """The start of the response's body, or null."""
    withheld: str | None
    """Why the response is not shown, or null."""
    truncated: bool
    """Whether the response's body was longer than what is stored."""


class AttemptError(Model):
    """Why there was no response. `code` is stable, such as `timeout` or `dns_failed`."""

    code: str
    """The stable code of the error."""
    detail: str
    """What happened, for people."""


class Authorization(Model):
    """Where to send the user. The provider returns `state` with them."""

    authorization_url: str
    """Where to send the user's browser."""
    state: str
    """The one-time value that the provider returns with the user."""
    expires_at: datetime
    """When the flow ends: the user must have returned by then."""


class Choice(Model):
    id: str
    """The ID that the field takes."""
    label: str
    """What users see."""


class Connection(Model):
    """`connectionId` is the name that the caller chose."""

    id: str
    """The ID."""
    connection_id: str
    """The name of the connection, which its creator chose."""
    integration_id: str
    """The integration that it belongs to."""
    provider: str | None
    """The provider, such as `hubspot`."""
    status: Literal["ACTIVE", "EXPIRED", "ERROR", "REVOKED"]
    """`ACTIVE`; `ERROR` while the provider refuses for a reason other than the grant, and Patchbay
    retries; `EXPIRED` when the user must connect again; `REVOKED` while it is being removed.
    """
    auth_type: Literal["OAUTH2", "API_KEY", "BASIC"]
    """How the connection signs in at the provider."""
    scopes: list[str]
    """The scopes that the user granted."""
    account: Account
    """The account at the provider."""
    expires_at: datetime | None
    """When the access token expires; null if it does not, or if the provider does not say."""
    last_refreshed_at: datetime | None
    """When the token was last refreshed."""
    last_error: ConnectionError | None
    """The most recent error, or null."""
    metadata: dict[str, Any]
    """What the provider returned with the token, such as the URL of its API."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, which each change increases; also the `ETag`."""


class ConnectionCredentials(Model):
    """The credentials of a connection without OAuth."""

    credentials: dict[str, str]
    """The credentials by name, such as `apiKey`."""


class ConnectionError(Model):
    """The most recent error. Text from the provider is sanitized."""

    code: str
    """The stable code of the error."""
    detail: str
    """What happened, for people."""
    at: datetime
    """When it happened."""


class ConnectionList(Model):
    items: list[Connection]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class DailyUse(Model):
    """The number of requests admitted on one day (UTC)."""

    date: str
    """The day, in UTC."""
    count: int
    """The number of requests."""


class Delivery(Model):
    """`statusReason` says why the delivery has not succeeded (yet): `http_500`, `timeout`,
    `retries_exhausted:http_500`, `held:timeouts` …
    """

    id: str
    """The ID."""
    webhook_id: str
    """The webhook."""
    event_id: str
    """The event."""
    event_type: str
    """The type of the event."""
    status: str
    """`PENDING` until the first attempt, `SENDING` during an attempt, `RETRYING` between attempts, `HELD`
    while its receiver is not healthy; finally `DELIVERED`, `FAILED`, or `CANCELLED` because the webhook
    is no longer active.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    attempt_count: int
    """The number of attempts so far."""
    max_attempts: int
    """The most attempts of this delivery."""
    next_attempt_at: datetime | None
    """When the next attempt is due, or null."""
    delivered_at: datetime | None
    """When it was delivered."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, which each change increases; also the `ETag`."""


class DeliveryDetail(Model):
    """`payload` is the body that was sent; null if its event is no longer stored. `attempts` has the last
    100 attempts. If their responses do not all fit into one API response, the oldest ones are withheld.
    """

    id: str
    """The ID."""
    webhook_id: str
    """The webhook."""
    event_id: str
    """The event."""
    event_type: str
    """The type of the event."""
    status: str
    """`PENDING` until the first attempt, `SENDING` during an attempt, `RETRYING` between attempts, `HELD`
    while its receiver is not healthy; finally `DELIVERED`, `FAILED`, or `CANCELLED` because the webhook
    is no longer active.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    attempt_count: int
    """The number of attempts so far."""
    max_attempts: int
    """The most attempts of this delivery."""
    next_attempt_at: datetime | None
    """When the next attempt is due, or null."""
    delivered_at: datetime | None
    """When it was delivered."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, which each change increases; also the `ETag`."""
    payload: dict[str, Any] | None
    """The body that was sent; null if the event is no longer stored."""
    attempts: list[Attempt]
    """The attempts, oldest first; the last 100."""


class DeliveryList(Model):
    items: list[Delivery]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class Empty(Model):
    """`{}`, the response to a DELETE: Zapier's client cannot read a 204."""


class EqualsFilter(Model):
    """The value at `path` equals `value`."""

    path: str
    """A dot path into the event's data; a number is a list index."""
    op: Literal["equals"]
    """The comparison."""
    value: str | bool | int | float | None
    """What to compare with."""


class Event(Model):
    id: str
    """The ID."""
    type: str
    """The type."""
    timestamp: datetime
    """When the event was published."""
    source: str
    """Where it came from."""
    status: Literal["ACCEPTED", "REJECTED"]
    """The status."""
    status_reason: str | None
    """Why it has this status, or null."""
    data: dict[str, Any]
    """The event's content."""
    deliveries: list[EventDelivery]
    """The event's deliveries, one for each webhook that it matched."""


class EventDelivery(Model):
    """`status` is PENDING until the first attempt starts."""

    id: str
    """The ID."""
    webhook_id: str
    """The webhook."""
    status: str
    """The status."""


class EventSummary(Model):
    """An event in a list. `source` is `api`, `bus` or `patchbay`.

    A REJECTED event came over the bus and is invalid. It is stored with its `statusReason`, but not
    delivered. Its `type` is empty if the bus event has no valid one.
    """

    id: str
    """The ID."""
    type: str
    """The type."""
    timestamp: datetime
    """When the event was published."""
    source: str
    """Where it came from."""
    status: Literal["ACCEPTED", "REJECTED"]
    """The status."""
    status_reason: str | None
    """Why it has this status, or null."""


class EventSummaryList(Model):
    items: list[EventSummary]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class EventTypeInfo(Model):
    """An event type as the catalogue's route returns it. `schema` (JSON Schema 2020-12) and `sample`
    describe an event's `data`, which may have further fields.

    `kind`: `publishable` events come from the platform and its workspaces, `operational` events are
    Patchbay's own, and `platform` events go only to the platform's own workspace.
    """

    type: str
    """The type."""
    kind: Literal["publishable", "operational", "platform"]
    """Who publishes it: `publishable`, `operational` or `platform`."""
    description: str
    """What it is, in a sentence or two."""
    json_schema: dict[str, Any] = Field(alias="schema")
    """The JSON Schema of an event's data."""
    sample: dict[str, Any]
    """An example of an event's data."""


class EventTypeInfoList(Model):
    items: list[EventTypeInfo]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class Example(Model):
    """The input of an action and its output."""

    input: dict[str, Any]
    """An example of the input."""
    output: dict[str, Any]
    """An example of the result."""


class ExistsFilter(Model):
    """A value at `path` exists (`true`) or does not (`false`); null is a value."""

    path: str
    """A dot path into the event's data; a number is a list index."""
    op: Literal["exists"]
    """The comparison."""
    value: bool
    """What to compare with."""


class ExistsFilterInput(Model):
    """A value at `path` exists (`true`) or does not (`false`); null is a value."""

    path: str
    """A dot path into the event's data; a number is a list index."""
    op: Literal["exists"]
    """The comparison."""
    value: bool | None = None
    """What to compare with."""


class Health(Model):
    status: str
    """`ok`."""
    version: str
    """The version of the deployment."""


class Hook(Model):
    id: str
    """The ID."""
    platform: str
    """The automation platform."""
    url: str
    """The receiver's URL."""
    event_type: str
    """The type of the event."""
    filters: list[EqualsFilter | InFilter | ExistsFilter]
    """Conditions on an event's data. All must be true."""
    status: Literal["ACTIVE", "INACTIVE", "DISABLED"]
    """The status."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, which each change increases; also the `ETag`."""


class HookList(Model):
    items: list[Hook]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class InFilter(Model):
    """The value at `path` equals an entry of `value`."""

    path: str
    """A dot path into the event's data; a number is a list index."""
    op: Literal["in"]
    """The comparison."""
    value: list[str | bool | int | float | None]
    """What to compare with."""


class Integration(Model):
    """Secrets in `config` are masked unless revealed. `installedFrom` is the public integration or the
    built-in template that this one is a copy of.
    """

    id: str
    """The ID."""
    name: str
    """The name for people."""
    type: Literal[
        "ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"
    ]
    """The type."""
    provider: str | None
    """The provider, such as `hubspot`."""
    description: str
    """What it is, in a sentence or two."""
    logo_url: str | None
    """An image, by https."""
    status: Literal["PENDING_SETUP", "ACTIVE", "INACTIVE", "ERROR"]
    """`PENDING_SETUP` until the config has all fields that the provider needs; `ACTIVE`; `INACTIVE` while
    it is switched off; `ERROR` when its owner or Patchbay says so.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    config: dict[str, str | bool | list[str]]
    """The provider's settings by name: the OAuth client, and whatever else it needs. Secrets are masked."""
    scopes: list[str]
    """The scopes."""
    rate_limit_per_hour: int | None
    """The most requests in any 60 minutes."""
    rate_limit_per_day: int | None
    """The most requests in any 24 hours."""
    is_public: bool
    """Whether it is offered in the marketplace, once the platform has approved it."""
    review_status: Literal["PENDING", "APPROVED", "REJECTED"] | None
    """The platform's decision on publishing it, or null."""
    publisher: Publisher | None
    """Who published the integration."""
    installed_from: str | None
    """The integration or template that this one is a copy of, or null."""
    metadata: dict[str, Any]
    """Any object of yours, at most 8 KiB."""
    connection_count: int
    """The number of connections."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, which each change increases; also the `ETag`."""


class IntegrationList(Model):
    items: list[Integration]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class ItemError(Model):
    """Why one item of a batch was rejected: the problem+json fields that a request with this item alone
    would get (`code` and `detail`, and `errors` with `validation_failed`).
    """

    code: str
    """The stable code of the error."""
    detail: str
    """What happened, for people."""
    errors: list[ItemFieldError] | None = None
    """With `validation_failed`: the invalid fields."""


class ItemFieldError(Model):
    path: str
    """The field, with dots, such as `data.postId`."""
    message: str
    """What is wrong."""


class KnownHook(Model):
    """A hook that already existed."""

    id: str
    """The ID."""
    secret: None
    """The signing secret, `whsec_…`. Shown only in this response: store it now."""


class LastError(Model):
    """The latest failed attempt. `code` is a stable code, such as `http_500` or `timeout`."""

    code: str
    """The stable code of the error."""
    detail: str
    """What happened, for people."""
    at: datetime
    """When it happened."""


class Latency(Model):
    """Percentiles in milliseconds, from a histogram; null if there were no attempts."""

    p50: int | None
    """Half of the attempts took at most this long."""
    p95: int | None
    """95% of the attempts took at most this long."""
    p99: int | None
    """99% of the attempts took at most this long."""


class LogEntry(Model):
    """An action, its actor and its outcome. Kept for 90 days."""

    id: str
    """The ID."""
    action: str
    """What happened, such as `integration.updated`."""
    actor: str
    """Who did it: `user:…`, `key:…` or `patchbay`."""
    outcome: Literal["SUCCEEDED", "FAILED"]
    """Whether it succeeded."""
    detail: str | None
    """More about it, or null."""
    created_at: datetime
    """When it was created."""


class LogEntryList(Model):
    items: list[LogEntry]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class Me(Model):
    """The owner of the credentials; `label` names the connection in the automation platform."""

    workspace_id: str
    """The workspace."""
    label: str
    """The name of the connection in the automation platform."""


class PublishEvent(Model):
    """`data` is the event's content, an object of at most 256 KB as JSON.

    Only the platform's workspace can set `workspaceId`, to publish for another workspace.
    """

    type: str
    """The type."""
    data: dict[str, Any]
    """The content: an object of at most 256 KiB, which matches the type's schema."""
    idempotency_key: str | None = None
    """As the header `Idempotency-Key`, for this event."""
    workspace_id: str | None = None
    """The workspace to publish for. Only the platform's workspace can set it."""


class PublishedEvent(Model):
    id: str
    """The ID."""
    type: str
    """The type."""
    timestamp: datetime
    """When the event was published."""


class PublishedEvents(Model):
    """One item for each event, in the order of the request."""

    items: list[PublishedEvent | RejectedItem]
    """The items of this page."""


class Publisher(Model):
    """The publisher of an integration. The platform sets `name` and `verified`, not the publisher."""

    workspace_id: str
    """The workspace."""
    name: str | None
    """The publisher's name, if the platform has set it."""
    verified: bool
    """Whether the platform has verified the publisher."""


class RateLimit(Model):
    """The more restrictive of the key's two windows. `resetAt` is when that window ends or, if the cost is
    above `remaining`, when the cost is admitted. It is null if the cost is above `limit`: waiting does
    not help.
    """

    allowed: bool
    """Whether the cost is within the limit."""
    limit: int
    """The limit of the window."""
    remaining: int
    """What remains of the limit."""
    reset_at: datetime | None
    """When the window ends."""


class Recovering(Model):
    """`queued` is the number of deliveries that are sent again, oldest first. At most 10,000 are counted."""

    queued: int
    """The number of deliveries that are sent again."""


class RejectedItem(Model):
    error: ItemError
    """Why it failed."""


class RetryConfig(Model):
    """Delays of initialDelaySeconds × backoffMultiplier^(n−1), or a named schedule instead."""

    max_retries: int | None = None
    """The most retries after the first attempt."""
    backoff_multiplier: float | None = None
    """The factor from one delay to the next."""
    initial_delay_seconds: int | None = None
    """The delay before the first retry."""
    schedule: Literal["standard"] | None = None
    """`standard`: retries over three days, as Standard Webhooks recommends. Excludes the other fields."""


class Run(Model):
    """An execution of an action. Ends FAILED when the platform has not answered by `expiresAt`."""

    id: str
    """The ID."""
    platform: str
    """The automation platform."""
    action: str
    """The key of the action."""
    input: dict[str, Any]
    """The input that the automation sent."""
    status: Literal["PENDING", "SUCCEEDED", "FAILED"]
    """`PENDING` until the platform answers."""
    output: dict[str, Any] | None
    """The platform's result; null until the run succeeds."""
    error: RunError | None
    """Why it failed."""
    expires_at: datetime
    """When the run ends `FAILED` if the platform has not answered."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, which each change increases; also the `ETag`."""


class RunError(Model):
    """Why a run failed. `code` is `timed_out` if the platform did not answer by `expiresAt`; otherwise it
    is the platform's own code, `action_failed` by default. `detail` is a message for the automation's
    owner.
    """

    code: str
    """The stable code of the error."""
    detail: str
    """What happened, for people."""


class RunErrorInput(Model):
    """Why a run failed. `code` is `timed_out` if the platform did not answer by `expiresAt`; otherwise it
    is the platform's own code, `action_failed` by default. `detail` is a message for the automation's
    owner.
    """

    detail: str
    """What happened, for people."""
    code: str | None = None
    """The stable code of the error."""


class RunList(Model):
    items: list[Run]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class Sample(Model):
    """An event in exactly the shape that a hook gets."""

    id: str
    """The ID."""
    type: str
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: dict[str, Any]
    """The event's content."""


class Trigger(Model):
    """An event type as a trigger. `schema` and `sample` describe an event's `data`."""

    id: str
    """The event type."""
    label: str
    """The name for people."""
    noun: str
    """What it is about, in title case."""
    description: str
    """What it is, in a sentence or two."""
    json_schema: dict[str, Any] = Field(alias="schema")
    """The JSON Schema of an event's data."""
    sample: dict[str, Any]
    """An example of an event's data."""


class Usage(Model):
    """The number of requests admitted in total, and on each of the last 30 days, ending with today."""

    total: int
    """The requests admitted so far."""
    daily: list[DailyUse]
    """The requests of each of the last 30 days, ending with today."""


class Verification(Model):
    """Whether to serve a request that came with the key. Only `VALID` counts the cost. `workspaceId` and
    `keyId` are set if the key is identified, `rateLimit` if its windows were checked.
    """

    valid: bool
    """Whether to serve the request."""
    code: Literal[
        "VALID",
        "MALFORMED",
        "NOT_FOUND",
        "REVOKED",
        "EXPIRED",
        "INSUFFICIENT_SCOPES",
        "RATE_LIMITED",
        "COST_EXCEEDS_LIMIT",
    ]
    """`VALID`, or why the key must be refused."""
    workspace_id: str | None
    """The workspace."""
    key_id: str | None
    """The ID of the key."""
    scopes: list[str]
    """The scopes of the key."""
    rate_limit: RateLimit | None
    """The state of the key's limit."""


class Webhook(Model):
    """`source` is `api` or the automation platform that created it; header values are masked."""

    id: str
    """The ID."""
    name: str
    """The name for people."""
    url: str
    """The receiver's URL."""
    event_types: list[str]
    """The event types that it gets, or `*` for all."""
    filters: list[EqualsFilter | InFilter | ExistsFilter]
    """Conditions on an event's data. All must be true."""
    integration_id: str | None
    """The integration that it belongs to."""
    source: str
    """Where it came from."""
    headers: dict[str, str]
    """Headers of every request to the receiver. Responses mask their values."""
    retry_config: RetryConfig
    """When failed attempts are repeated."""
    rate_limit_per_second: int | None
    """The most requests per second to the receiver; null for no limit."""
    disable_after: int
    """The number of consecutive failures that disables the webhook."""
    status: Literal["ACTIVE", "INACTIVE", "DISABLED"]
    """`ACTIVE`; `PAUSED` while what it misses is kept for it; `INACTIVE` while it matches nothing;
    `DISABLED` by Patchbay after failures, or by its receiver's 410.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    disabled_at: datetime | None
    """When Patchbay disabled it, or null."""
    consecutive_failures: int
    """The deliveries that have failed since the last success."""
    stats: WebhookStats
    """The statistics of the last 24 hours."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, which each change increases; also the `ETag`."""


class WebhookDetail(Model):
    id: str
    """The ID."""
    name: str
    """The name for people."""
    url: str
    """The receiver's URL."""
    event_types: list[str]
    """The event types that it gets, or `*` for all."""
    filters: list[EqualsFilter | InFilter | ExistsFilter]
    """Conditions on an event's data. All must be true."""
    integration_id: str | None
    """The integration that it belongs to."""
    source: str
    """Where it came from."""
    headers: dict[str, str]
    """Headers of every request to the receiver. Responses mask their values."""
    retry_config: RetryConfig
    """When failed attempts are repeated."""
    rate_limit_per_second: int | None
    """The most requests per second to the receiver; null for no limit."""
    disable_after: int
    """The number of consecutive failures that disables the webhook."""
    status: Literal["ACTIVE", "INACTIVE", "DISABLED"]
    """`ACTIVE`; `PAUSED` while what it misses is kept for it; `INACTIVE` while it matches nothing;
    `DISABLED` by Patchbay after failures, or by its receiver's 410.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    disabled_at: datetime | None
    """When Patchbay disabled it, or null."""
    consecutive_failures: int
    """The deliveries that have failed since the last success."""
    stats: WebhookStats
    """The statistics of the last 24 hours."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, which each change increases; also the `ETag`."""
    recent_deliveries: list[Delivery]
    """The latest deliveries."""


class WebhookList(Model):
    items: list[Webhook]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class WebhookStats(Model):
    """The last 24 hours, by the hour: deliveries that ended since `since`, and those now `pending`.
    `successRate` is the share of ended deliveries that succeeded (0 to 1); latency covers all attempts.
    """

    since: datetime | None
    """Where the statistics begin."""
    deliveries: int
    """The deliveries that ended."""
    delivered: int
    """The deliveries that succeeded."""
    failed: int
    """The deliveries that failed."""
    pending: int
    """The deliveries that have not ended yet."""
    success_rate: float | None
    """The share of ended deliveries that succeeded, 0 to 1; null if none ended."""
    latency_ms: Latency
    """How long attempts took."""
    last_delivery_at: datetime | None
    """When a delivery last ended."""
    last_error: LastError | None
    """The most recent error, or null."""


class WebhookWithSecret(Model):
    """The only response with the new signing secret. It has no stats, because a repeated request under the
    same Idempotency-Key must get the same response.
    """

    id: str
    """The ID."""
    name: str
    """The name for people."""
    url: str
    """The receiver's URL."""
    event_types: list[str]
    """The event types that it gets, or `*` for all."""
    filters: list[EqualsFilter | InFilter | ExistsFilter]
    """Conditions on an event's data. All must be true."""
    integration_id: str | None
    """The integration that it belongs to."""
    source: str
    """Where it came from."""
    headers: dict[str, str]
    """Headers of every request to the receiver. Responses mask their values."""
    retry_config: RetryConfig
    """When failed attempts are repeated."""
    rate_limit_per_second: int | None
    """The most requests per second to the receiver; null for no limit."""
    disable_after: int
    """The number of consecutive failures that disables the webhook."""
    status: Literal["ACTIVE", "INACTIVE", "DISABLED"]
    """`ACTIVE`; `PAUSED` while what it misses is kept for it; `INACTIVE` while it matches nothing;
    `DISABLED` by Patchbay after failures, or by its receiver's 410.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    disabled_at: datetime | None
    """When Patchbay disabled it, or null."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, which each change increases; also the `ETag`."""
    secret: str
    """The signing secret, `whsec_…`. Shown only in this response: store it now."""


Actions: TypeAlias = list[ActionInfo]

AuthType: TypeAlias = Literal["OAUTH2", "API_KEY", "BASIC"]

Choices: TypeAlias = list[Choice]

ConnectionStatus: TypeAlias = Literal["ACTIVE", "EXPIRED", "ERROR", "REVOKED"]

IntegrationStatus: TypeAlias = Literal["PENDING_SETUP", "ACTIVE", "INACTIVE", "ERROR"]

IntegrationType: TypeAlias = Literal[
    "ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"
]

JsonValue: TypeAlias = "Any"

KeyStatus: TypeAlias = Literal["ACTIVE", "EXPIRED", "REVOKED"]

ReviewStatus: TypeAlias = Literal["PENDING", "APPROVED", "REJECTED"]

Samples: TypeAlias = list[Sample]

Triggers: TypeAlias = list[Trigger]

VerificationCode: TypeAlias = Literal[
    "VALID",
    "MALFORMED",
    "NOT_FOUND",
    "REVOKED",
    "EXPIRED",
    "INSUFFICIENT_SCOPES",
    "RATE_LIMITED",
    "COST_EXCEEDS_LIMIT",
]
