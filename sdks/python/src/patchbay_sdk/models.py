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
    """When the token expires; null if the provider does not specify it."""
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
    """An action. `input` and `output` are JSON Schemas. A string with `x-choices` takes an ID from that
    list of choices.
    """

    id: str
    """The key of the action, for `POST …/actions/{key}`."""
    label: str
    """The display name."""
    noun: str
    """The noun of its subject, in title case."""
    description: str
    """A description in a sentence or two."""
    input: dict[str, Any]
    """The JSON Schema of the input."""
    output: dict[str, Any]
    """The JSON Schema of the result."""
    sample: Example
    """An example of input and output."""


class Analytics(Model):
    """One series without `groupBy`, otherwise one per group: integrations, webhooks and connections newest
    first, event types by number of attempts. The series cover the period from `since` to `until`. It
    ends with the last complete hour; each hour is added 15 minutes after it ends.
    """

    items: list[Series]
    """The series of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""
    since: datetime
    """The start of the first hour."""
    until: datetime
    """The end of the last hour for which data is complete."""
    by: Literal["hour", "day"]
    """The interval of a point."""


class ApiKey(Model):
    """A key without its secret. `rotatedFrom` is the key that this one replaced.

    `rotation` is the key's own policy; if it is null, the workspace's policy applies. `nextRotationAt`
    is when the key is due under that policy. `lastError` is why its rotation has not succeeded yet.
    """

    id: str
    """The ID."""
    name: str
    """The display name."""
    masked_key: str
    """The masked key."""
    scopes: list[str]
    """The scopes."""
    status: Literal["ACTIVE", "EXPIRED", "REVOKED"]
    """The status."""
    rate_limit_per_hour: int
    """The maximum number of requests in a sliding window of 60 minutes."""
    rate_limit_per_day: int
    """The maximum number of requests in a sliding window of 24 hours."""
    expires_at: datetime | None
    """When it expires; null for never."""
    last_used_at: datetime | None
    """When it was last used, accurate to about a minute."""
    usage: Usage
    """The usage of the key."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    rotation: KeyRotation | None
    """The key's own rotation policy; null if the workspace's policy applies."""
    next_rotation_at: datetime | None
    """When the key is due for rotation, or null."""
    last_error: LastError | None
    """The most recent error, or null."""
    rotated_from: str | None
    """The key that this one replaced, or null."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""


class ApiKeyList(Model):
    items: list[ApiKey]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class ApiKeyWithSecret(Model):
    """A new API key. Only this response contains it."""

    id: str
    """The ID."""
    name: str
    """The display name."""
    masked_key: str
    """The masked key."""
    scopes: list[str]
    """The scopes."""
    status: Literal["ACTIVE", "EXPIRED", "REVOKED"]
    """The status."""
    rate_limit_per_hour: int
    """The maximum number of requests in a sliding window of 60 minutes."""
    rate_limit_per_day: int
    """The maximum number of requests in a sliding window of 24 hours."""
    expires_at: datetime | None
    """When it expires; null for never."""
    last_used_at: datetime | None
    """When it was last used, accurate to about a minute."""
    usage: Usage
    """The usage of the key."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    rotation: KeyRotation | None
    """The key's own rotation policy; null if the workspace's policy applies."""
    next_rotation_at: datetime | None
    """When the key is due for rotation, or null."""
    last_error: LastError | None
    """The most recent error, or null."""
    rotated_from: str | None
    """The key that this one replaced, or null."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""
    key: str
    """The API key. Shown only in this response: store it now."""


class Attempt(Model):
    """One request and its result. `statusCode` is null if there was no response; then `error` says why.

    Patchbay stores up to 16 KB of the decoded response body for a failure or a test, and less than 1 KB
    for a success. If the response is not shown, `withheld` says why, `responseBody` is null and
    `responseHeaders` is empty.
    """

    number: int
    """The number of the attempt, from 1."""
    trigger: Literal["AUTO", "MANUAL", "TEST", "RECOVER", "REPLAY"]
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
    """The request headers. Values of custom headers are masked."""
    response_headers: dict[str, str]
    """The response headers."""
    response_body: str | None
    """The start of the response body, or null."""
    withheld: str | None
    """Why the response is not shown, or null."""
    truncated: bool
    """Whether the stored response body is truncated."""


class AttemptError(Model):
    """Why there was no response. `code` is stable, such as `timeout` or `dns_failed`."""

    code: str
    """The stable code of the error."""
    detail: str
    """What happened, for people."""


class AuditEntry(Model):
    """A request for a change or a secret. Kept for 400 days.

    `action` is the route, such as `webhooks.update`. `actorLabel` says who uses the portal session of
    the request. `target` is the resource in the path, or the created resource. `fields` has the names
    of the fields that the body sets, never their values. `REFUSED` means that the caller does not have
    permission, or that their API key has expired or was revoked. `reason` is the error code of a
    request that was REFUSED or FAILED.
    """

    id: str
    """The ID."""
    action: str
    """The route, such as `webhooks.update`."""
    actor: str
    """The caller: `user:…`, `key_…` for an API key, `session:…`, or `connect:…` for a connect link."""
    actor_label: str | None
    """Who uses the portal session of the request, as its creator entered it; or null."""
    target: str | None
    """The resource in the path, such as `int_…/sales`, or the created resource."""
    fields: list[str]
    """The names of the fields that the body sets."""
    outcome: Literal["SUCCEEDED", "REFUSED", "FAILED"]
    """`SUCCEEDED`, `REFUSED` for missing permissions, or `FAILED`."""
    reason: str | None
    """The code of the error, or null."""
    request_id: str
    """The `x-request-id` of the response."""
    ip: str | None
    """The IP address of the caller."""
    created_at: datetime
    """When it was created."""


class AuditEntryList(Model):
    items: list[AuditEntry]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class Authorization(Model):
    """Where to send the user. The provider returns `state` with them."""

    authorization_url: str
    """The provider's authorization page. Send the user's browser there."""
    state: str
    """The one-time value that the provider returns with the user."""
    expires_at: datetime
    """When the OAuth flow expires. The user must return before then."""


class Caller(Model):
    """The owner of the credentials. `id` has the format of `createdBy`: `user:…`, the ID of the API key,
    or `session:…`.

    A user has a `role` unless their token lists its scopes. A session has no role.
    """

    workspace_id: str
    """The workspace."""
    id: str
    """Who it is: `user:…`, the ID of the API key, or `session:…`."""
    type: Literal["user", "key", "session"]
    """Whether a user, a key or a portal session calls."""
    role: str | None
    """The role of the token, or null."""
    scopes: list[str]
    """What the credentials allow."""
    key: CallerKey | None
    """The API key; null for other callers."""
    session: CallerSession | None
    """The portal session; null for other callers."""


class CallerKey(Model):
    """The API key of the caller. Both limits apply to its requests."""

    id: str
    """The ID."""
    name: str
    """The display name."""
    masked_key: str
    """The masked key."""
    rate_limit_per_hour: int
    """The maximum number of requests in a sliding window of 60 minutes."""
    rate_limit_per_day: int
    """The maximum number of requests in a sliding window of 24 hours."""
    expires_at: datetime | None
    """When it expires; null for never."""


class CallerSession(Model):
    """The portal session of the caller. `returnUrl` is where to send the user when the session ends."""

    id: str
    """The ID."""
    label: str | None
    """Who uses the session, as its creator entered it; or null."""
    read_only: bool
    """Whether it is read-only."""
    theme: Theme
    """The appearance of the console."""
    view: str | None
    """The page that the console opens, or null."""
    return_url: str | None
    """Where to send the user when the session ends, or null."""
    expires_at: datetime
    """When the session ends."""


class Choice(Model):
    id: str
    """The ID that the field takes."""
    label: str
    """What users see."""


class ConnectPage(Model):
    """The contents of a connect link's page."""

    id: str
    """The ID."""
    status: Literal["OPEN", "COMPLETED", "REVOKED", "EXPIRED"]
    """`OPEN`, or `COMPLETED` once the account is connected."""
    workspace_id: str
    """The workspace."""
    workspace_name: str | None
    """The workspace's name, as the link's creator entered it; or null."""
    requested_by: str | None
    """Who requests access, as the link's creator entered it; or null."""
    connection_id: str
    """The name of the connection."""
    return_url: str | None
    """The page of the platform to return to, or null."""
    expires_at: datetime
    """When the link expires."""
    integrations: list[ConnectableIntegration]
    """The integrations that can be connected. The user chooses one."""


class ConnectSession(Model):
    """A connect session without its link. `integrationId` and `connection` are set once it has connected
    an account.
    """

    id: str
    """The ID."""
    status: Literal["OPEN", "COMPLETED", "REVOKED", "EXPIRED"]
    """`OPEN`, `COMPLETED`, `REVOKED` or `EXPIRED`."""
    integrations: list[str]
    """The integrations that the user can choose from."""
    connection_id: str
    """The name of the connection."""
    scopes: list[str] | None
    """The requested scopes; null for those of the integration."""
    workspace_name: str | None
    """The workspace's name on the page, or null."""
    requested_by: str | None
    """Who requests access, or null."""
    return_url: str | None
    """The page of the platform to return to, or null."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    created_at: datetime
    """When it was created."""
    expires_at: datetime
    """When the link expires."""
    completed_at: datetime | None
    """When the account was connected, or null."""
    integration_id: str | None
    """The integration that was connected, or null."""
    connection: str | None
    """The ID of the created connection, or null."""


class ConnectSessionLink(Model):
    """A new session. Only this response contains its link."""

    id: str
    """The ID."""
    status: Literal["OPEN", "COMPLETED", "REVOKED", "EXPIRED"]
    """`OPEN`."""
    integrations: list[str]
    """The integrations that the user can choose from."""
    connection_id: str
    """The name of the connection."""
    scopes: list[str] | None
    """The requested scopes; null for those of the integration."""
    workspace_name: str | None
    """The workspace's name on the page, or null."""
    requested_by: str | None
    """Who requests access, or null."""
    return_url: str | None
    """The page of the platform to return to, or null."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    created_at: datetime
    """When it was created."""
    expires_at: datetime
    """When the link expires."""
    completed_at: datetime | None
    """When the account was connected: null."""
    integration_id: str | None
    """The integration that was connected: null."""
    connection: str | None
    """The ID of the created connection: null."""
    link: str
    """The link. Shown only in this response."""


class ConnectSessionList(Model):
    items: list[ConnectSession]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class ConnectableIntegration(Model):
    """One of the integrations of a link. `provider` is its key, `providerName` its name.

    `isKnown` is true for a built-in provider. If it is false, someone in the workspace entered the
    names and the sign-in page: show `authorizationOrigin`, the origin of that page.

    With OAuth, start a flow with `redirectUri`. Otherwise `credentialsSchema` describes the
    `credentials` of the connection, as JSON Schema 2020-12. `isActive` is false while accounts cannot
    be connected.
    """

    id: str
    """The ID."""
    name: str
    """The display name."""
    description: str
    """A description in a sentence or two."""
    provider: str | None
    """The key of the provider, or null."""
    provider_name: str
    """The provider's name for people."""
    is_known: bool
    """Whether the provider is built in. If not, someone in the workspace entered its name and URLs."""
    authorization_origin: str | None
    """Where people sign in with OAuth; null for a built-in provider."""
    documentation_url: str | None
    """The provider's documentation; null for a custom provider."""
    auth_type: Literal["OAUTH2", "API_KEY", "BASIC"]
    """How an account is connected."""
    scopes: list[RequestedScope]
    """The access that the provider asks the user to grant."""
    redirect_uri: str | None
    """The `redirectUri` of the OAuth flow: Patchbay's callback route. Null without OAuth."""
    credentials_schema: dict[str, Any] | None
    """The JSON Schema of a connection's `credentials`; null with OAuth."""
    is_active: bool
    """Whether an account can be connected now."""


class Connection(Model):
    """`connectionId` is the name that the caller chose."""

    id: str
    """The ID."""
    connection_id: str
    """The name of the connection, chosen by its creator."""
    integration_id: str
    """The integration that it belongs to."""
    provider: str | None
    """The provider, such as `hubspot`."""
    status: Literal["ACTIVE", "EXPIRED", "ERROR", "REVOKED"]
    """`ACTIVE`; `ERROR` while refreshes fail for a reason other than the grant and Patchbay retries them;
    `EXPIRED` when the user must connect again; `REVOKED` while it is being removed.
    """
    auth_type: Literal["OAUTH2", "API_KEY", "BASIC"]
    """How the connection authenticates at the provider."""
    scopes: list[str]
    """The scopes that the user granted."""
    account: Account
    """The account at the provider."""
    expires_at: datetime | None
    """When the access token expires; null if it does not expire or the provider does not specify it."""
    last_refreshed_at: datetime | None
    """When the token was last refreshed."""
    last_error: LastError | None
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
    """The version, also in `ETag`. Each change increases it."""


class ConnectionCredentials(Model):
    """The credentials of a connection without OAuth."""

    credentials: dict[str, str]
    """The credentials by name, such as `apiKey`."""


class ConnectionList(Model):
    items: list[Connection]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class DailyUse(Model):
    """The number of allowed requests on one day (UTC)."""

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
    """`PENDING` until the first attempt; `SENDING` during an attempt; `RETRYING` between attempts; `HELD`
    while the receiver is unhealthy or the webhook is paused; finally `DELIVERED`, `FAILED`, or
    `CANCELLED` because the webhook is no longer active.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    attempt_count: int
    """The number of attempts so far."""
    max_attempts: int
    """The maximum number of attempts."""
    next_attempt_at: datetime | None
    """When the next attempt is due, or null."""
    delivered_at: datetime | None
    """When it was delivered."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""


class DeliveryDetail(Model):
    """`payload` is the request body; null if the event is no longer stored or its data was erased.
    `attempts` has the last 100 attempts. If their responses do not fit into one API response, the
    oldest ones are withheld.
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
    """`PENDING` until the first attempt; `SENDING` during an attempt; `RETRYING` between attempts; `HELD`
    while the receiver is unhealthy or the webhook is paused; finally `DELIVERED`, `FAILED`, or
    `CANCELLED` because the webhook is no longer active.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    attempt_count: int
    """The number of attempts so far."""
    max_attempts: int
    """The maximum number of attempts."""
    next_attempt_at: datetime | None
    """When the next attempt is due, or null."""
    delivered_at: datetime | None
    """When it was delivered."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""
    payload: dict[str, Any] | None
    """The request body; null if the event is no longer stored."""
    attempts: list[Attempt]
    """The attempts, oldest first; the last 100."""


class DeliveryList(Model):
    items: list[Delivery]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class DryRun(Model):
    """`matches` says whether the event starts the flow; if not, `detail` says why. `steps` has all steps,
    in the order of the definition. Nothing was sent or stored.
    """

    event: DryRunEvent
    """The event of the dry run."""
    matches: bool
    """Whether the event starts the flow."""
    detail: str | None
    """Why the event does not start the flow; null if it does."""
    status: Literal["SUCCEEDED", "STOPPED", "FAILED"] | None
    """How the run would end; null if the event does not start the flow."""
    steps: list[DryRunStep]
    """All steps, in the order of the definition."""


class DryRunEvent(Model):
    """The event of the dry run."""

    type: str
    """The event type."""
    data: dict[str, Any]
    """The event's content."""


class DryRunStep(Model):
    """What a step would do. `output` is an example. `detail` describes what would happen. `missing` has
    the paths of values that the event does not have.
    """

    id: str
    """The step's ID."""
    type: Literal["webhook", "action", "request", "wait", "filter", "branch"]
    """The type."""
    status: Literal["SUCCEEDED", "STOPPED", "FAILED", "SKIPPED"]
    """`SUCCEEDED`; `STOPPED` by a filter; `FAILED`; `SKIPPED` because the run does not reach the step with
    this event.
    """
    input: dict[str, Any] | None
    """The input of the step; null if it does not run."""
    output: dict[str, Any] | None
    """An example of its output, or null."""
    error: StepError | None
    """Why the step would fail, or null."""
    detail: str
    """What would happen, in words."""
    missing: list[str]
    """The paths of values that the event does not have. They are null."""


class Empty(Model):
    """`{}`, the response to a DELETE: Zapier's client cannot read a 204."""


class EqualsFilter(Model):
    """The value at `path` equals `value`."""

    path: str
    """A dot path into the event's data; numbers are list indexes."""
    op: Literal["equals"]
    """The comparison."""
    value: str | bool | int | float | None
    """The value to compare with."""


class Event(Model):
    """`unmatched` has up to 50 webhooks that subscribe to the event type but did not get the event, newest
    first; `unmatchedTruncated` says whether there are more. It reflects the current webhooks. It is
    null for callers without the scope webhooks:read. `erasedAt` is when the data was erased; then
    `data` is empty. `depth` is the number of flows in the chain of events that caused this one, and
    `causedBy` is the previous event in that chain.
    """

    id: str
    """The ID."""
    type: str
    """The event type."""
    timestamp: datetime
    """When the event was published."""
    source: str
    """The source."""
    status: Literal["ACCEPTED", "REJECTED"]
    """The status."""
    status_reason: str | None
    """Why it has this status, or null."""
    data: dict[str, Any]
    """The event's content."""
    erased_at: datetime | None
    """When the data was erased, or null."""
    deliveries: list[EventDelivery]
    """The event's deliveries, one for each webhook that it matched."""
    feeds: list[EventFeed]
    """The pull webhooks whose feeds contain the event."""
    flows: list[EventFlow]
    """The flows that the event started, and their runs."""
    depth: int
    """The number of flows in the chain of events that caused this one."""
    caused_by: str | None
    """The event that caused this one, or null."""
    unmatched: list[UnmatchedWebhook] | None
    """The webhooks that subscribe to the event type but did not get the event."""
    unmatched_truncated: bool
    """Whether `unmatched` is incomplete."""


class EventDelivery(Model):
    """`status` is PENDING until the first attempt starts."""

    id: str
    """The ID."""
    webhook_id: str
    """The webhook."""
    webhook_name: str | None
    """The webhook's name; null if the webhook was deleted or you do not have the scope webhooks:read."""
    status: str
    """The status."""
    status_reason: str | None
    """Why it has this status, or null."""
    attempt_count: int
    """The number of attempts so far."""
    max_attempts: int | None
    """The maximum number of attempts; null before the first one."""
    next_attempt_at: datetime | None
    """When the next attempt is due, or null."""
    delivered_at: datetime | None
    """When it was delivered."""


class EventFeed(Model):
    """A pull webhook whose feed has the event. `id` is the `webhook-id` of its item there."""

    id: str
    """The ID."""
    webhook_id: str
    """The webhook."""
    webhook_name: str | None
    """The webhook's name; null if the webhook was deleted or you do not have the scope webhooks:read."""


class EventFlow(Model):
    """A flow that the event started, and its run."""

    flow_id: str
    """The flow."""
    run_id: str
    """The run."""


class EventSummary(Model):
    """An event in a list. `source` is `api`, `bus`, `patchbay`, or `flow` for events that a flow sent to a
    webhook.

    A REJECTED event came from the event bus and is invalid. It is stored with its `statusReason` but
    not delivered. Its `type` is empty if the bus event has no valid type.
    """

    id: str
    """The ID."""
    type: str
    """The type."""
    timestamp: datetime
    """When the event was published."""
    source: str
    """The source."""
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
    """A description in a sentence or two."""
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
    """A dot path into the event's data; numbers are list indexes."""
    op: Literal["exists"]
    """The comparison."""
    value: bool
    """The value to compare with."""


class ExistsFilterInput(Model):
    """A value at `path` exists (`true`) or does not (`false`); null is a value."""

    path: str
    """A dot path into the event's data; numbers are list indexes."""
    op: Literal["exists"]
    """The comparison."""
    value: bool | None = None
    """The value to compare with."""


class ExportFile(Model):
    """The file of an export: NDJSON, one record in each line. `url` needs no credentials and works until
    `urlExpiresAt`. Get the task again for a new URL. The file is deleted at `expiresAt`.
    """

    url: str
    """The download URL. It needs no credentials and works until `urlExpiresAt`."""
    url_expires_at: datetime
    """When `url` expires. Get the task again for a new one."""
    expires_at: datetime
    """When the file is deleted."""
    bytes: int
    """The size of the file."""


class Feed(Model):
    """The next events, oldest first. Pass `cursor` to continue. If `hasMore` is true, more events are
    available now; otherwise, read again after `nextPollMs`. `truncated` means that events are missing
    because they are no longer stored.
    """

    items: list[FeedItem]
    """The items of this page."""
    cursor: str
    """Where the next read continues."""
    has_more: bool
    """Whether more events are already available."""
    next_poll_ms: int
    """How long to wait before the next read, in milliseconds."""
    truncated: bool
    """Whether events are missing because they are no longer stored."""


class FeedConsumer(Model):
    """`lag` is the number of feed entries after `sequence`."""

    consumer: str
    """The name of the consumer."""
    sequence: int
    """The number of the entry in the feed."""
    lag: int
    """The number of feed entries after `sequence`."""
    committed_at: datetime
    """When the consumer last committed."""


class FeedConsumers(Model):
    """All consumers that have committed within the retention period, on one page, by name. `sequence` is
    the number of the feed's last entry.
    """

    items: list[FeedConsumer]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""
    sequence: int
    """The number of the feed's last entry."""


class FeedItem(Model):
    """An event as a push receiver would get it: the exact text of the body and the headers of the request,
    signed at the time of this response. `id` is the `webhook-id`. It is the same if an event appears
    twice.
    """

    sequence: int
    """The number of the entry in the feed."""
    id: str
    """The `webhook-id`. It is the same if an event appears twice."""
    event_id: str
    """The event."""
    event_type: str
    """The type of the event."""
    payload: str
    """The exact text of the body. Verify the signature over this text."""
    headers: dict[str, str]
    """The headers that a push request would have, signed at the time of the read."""


class Flow(Model):
    """`scopes` are the scopes that the steps need. `savedBy` had them when they saved the definition, and
    the flow runs with them. In lists, `recentRuns` is null unless you request it with `include`.
    """

    id: str
    """The ID."""
    name: str
    """The display name."""
    description: str
    """A description in a sentence or two."""
    status: Literal["ACTIVE", "INACTIVE"]
    """`ACTIVE` or `INACTIVE`. An inactive flow starts no runs."""
    status_reason: str | None
    """Why it has this status, or null."""
    trigger: FlowTrigger
    """What starts the flow."""
    steps: list[FlowWebhookStep | FlowActionStep | FlowRequestStep | FlowWaitStep | FlowFilterStep | FlowBranchStep]
    """What the flow does, in order."""
    scopes: list[str]
    """The scopes that the steps need."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    saved_by: str
    """Who last saved the definition. The flow runs with their permissions."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    recent_runs: RecentRuns | None
    """The results of the latest runs, in lists with `include=recentRuns`; otherwise null."""
    version: int
    """The version, also in `ETag`. Each change increases it."""


class FlowActionStep(Model):
    """Starts a run of an action and waits until it is completed. `output` is its result."""

    id: str
    """The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow."""
    name: str | None
    """The display name."""
    type: Literal["action"]
    """The type."""
    action: str
    """The key of the action, such as `create_post`."""
    input: dict[str, Any]
    """The action's input. Strings can contain values: `{{event.data.text}}`."""


class FlowActionStepInput(Model):
    """Starts a run of an action and waits until it is completed. `output` is its result."""

    id: str
    """The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow."""
    type: Literal["action"]
    """The type."""
    action: str
    """The key of the action, such as `create_post`."""
    name: str | None = None
    """The display name."""
    input: dict[str, Any] | None = None
    """The action's input. Strings can contain values: `{{event.data.text}}`."""


class FlowBranchStep(Model):
    """Continues with `then` if all filters of `condition` match, otherwise with `else`, and then with the
    steps after the branch. Paths are as in a filter step. `output`: `{matched}`.
    """

    id: str
    """The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow."""
    name: str | None
    """The display name."""
    type: Literal["branch"]
    """The type."""
    condition: list[EqualsFilter | InFilter | ExistsFilter]
    """The conditions. All must match."""
    then: list[FlowWebhookStep | FlowActionStep | FlowRequestStep | FlowWaitStep | FlowFilterStep | FlowBranchStep]
    """The steps to run if all conditions match."""
    else_: list[FlowWebhookStep | FlowActionStep | FlowRequestStep | FlowWaitStep | FlowFilterStep | FlowBranchStep] = (
        Field(alias="else")
    )
    """The steps to run otherwise. None by default."""


class FlowBranchStepInput(Model):
    """Continues with `then` if all filters of `condition` match, otherwise with `else`, and then with the
    steps after the branch. Paths are as in a filter step. `output`: `{matched}`.
    """

    id: str
    """The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow."""
    type: Literal["branch"]
    """The type."""
    condition: list[EqualsFilter | InFilter | ExistsFilterInput]
    """The conditions. All must match."""
    then: list[
        FlowWebhookStepInput
        | FlowActionStepInput
        | FlowRequestStepInput
        | FlowWaitStepInput
        | FlowFilterStepInput
        | FlowBranchStepInput
    ]
    """The steps to run if all conditions match."""
    name: str | None = None
    """The display name."""
    else_: (
        list[
            FlowWebhookStepInput
            | FlowActionStepInput
            | FlowRequestStepInput
            | FlowWaitStepInput
            | FlowFilterStepInput
            | FlowBranchStepInput
        ]
        | None
    ) = Field(default=None, alias="else")
    """The steps to run otherwise. None by default."""


class FlowDefinition(Model):
    """The steps of a flow: at most 20 in total, with branches nested up to three levels."""

    trigger: FlowTrigger
    """What starts the flow."""
    steps: list[FlowWebhookStep | FlowActionStep | FlowRequestStep | FlowWaitStep | FlowFilterStep | FlowBranchStep]
    """What the flow does, in order."""


class FlowFilterStep(Model):
    """Ends the run as STOPPED unless all filters match. Paths start with `event.` or `steps.<id>.output.`,
    such as `event.data.network`.
    """

    id: str
    """The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow."""
    name: str | None
    """The display name."""
    type: Literal["filter"]
    """The type."""
    filters: list[EqualsFilter | InFilter | ExistsFilter]
    """The conditions. All must match, or the run stops."""


class FlowFilterStepInput(Model):
    """Ends the run as STOPPED unless all filters match. Paths start with `event.` or `steps.<id>.output.`,
    such as `event.data.network`.
    """

    id: str
    """The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow."""
    type: Literal["filter"]
    """The type."""
    filters: list[EqualsFilter | InFilter | ExistsFilterInput]
    """The conditions. All must match, or the run stops."""
    name: str | None = None
    """The display name."""


class FlowList(Model):
    items: list[Flow]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class FlowRequestStep(Model):
    """Sends a request to a provider's API with a connection's token. `connectionId` is the connection's
    name or its ID. `url` is a path of that API, or a full URL at one of its hosts. `{{…}}` in a path
    becomes one segment or part of one. A `body` is sent as JSON; a string is sent as text. `output`:
    `{status, body, isTruncated}`.
    """

    id: str
    """The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow."""
    name: str | None
    """The display name."""
    type: Literal["request"]
    """The type."""
    integration_id: str
    """The integration of the connection."""
    connection_id: str
    """The connection's name or its ID."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    """The method of the request."""
    url: str
    """A path of the provider's API, such as `/crm/v3/objects/contacts/{{event.data.id}}`, or a full URL at
    one of its hosts.
    """
    query: dict[str, Any]
    """The query parameters. Strings can contain values. A list repeats the parameter; null omits it."""
    headers: dict[str, str]
    """Additional headers. Strings can contain values. Headers that usually carry credentials are not
    allowed.
    """
    body: Any
    """The body, sent as JSON. A string is sent as text. Strings can contain values: `{{event.data.text}}`."""


class FlowRequestStepInput(Model):
    """Sends a request to a provider's API with a connection's token. `connectionId` is the connection's
    name or its ID. `url` is a path of that API, or a full URL at one of its hosts. `{{…}}` in a path
    becomes one segment or part of one. A `body` is sent as JSON; a string is sent as text. `output`:
    `{status, body, isTruncated}`.
    """

    id: str
    """The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow."""
    type: Literal["request"]
    """The type."""
    integration_id: str
    """The integration of the connection."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    """The method of the request."""
    url: str
    """A path of the provider's API, such as `/crm/v3/objects/contacts/{{event.data.id}}`, or a full URL at
    one of its hosts.
    """
    name: str | None = None
    """The display name."""
    connection_id: str | None = None
    """The connection's name or its ID."""
    query: dict[str, Any] | None = None
    """The query parameters. Strings can contain values. A list repeats the parameter; null omits it."""
    headers: dict[str, str] | None = None
    """Additional headers. Strings can contain values. Headers that usually carry credentials are not
    allowed.
    """
    body: Any | None = None
    """The body, sent as JSON. A string is sent as text. Strings can contain values: `{{event.data.text}}`."""


class FlowRun(Model):
    """One execution of a flow for one event. It is STOPPED by a filter step, and CANCELLED if the flow was
    deactivated or deleted, or the event's data was erased. `step` is the current step, or the step
    where the run ended. While it is WAITING, `resumesAt` is the latest time at which it continues.
    """

    id: str
    """The ID."""
    flow_id: str
    """The flow."""
    flow_version: int
    """The version of the flow."""
    event_id: str
    """The event that started it."""
    event_type: str
    """The type of the event."""
    status: Literal["RUNNING", "WAITING", "SUCCEEDED", "STOPPED", "FAILED", "CANCELLED"]
    """`RUNNING`; `WAITING` for a time or an action; then `SUCCEEDED`, `STOPPED` by a filter, `FAILED`, or
    `CANCELLED` because the flow was deactivated or deleted, or the event's data was erased.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    step: str | None
    """The ID of the current step, or of the step where the run ended; null after the last step."""
    depth: int
    """The number of flows in the chain of events that caused this run. At 5, the run fails."""
    resumes_at: datetime | None
    """The latest time at which a WAITING run resumes; otherwise null."""
    started_at: datetime
    """When it started."""
    ended_at: datetime | None
    """When it ended, or null."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""


class FlowRunDetail(Model):
    """`definition` is the definition at the start of the run. `steps` has the steps that have started, in
    order, without steps on the other side of a branch or after the end of the run.
    """

    id: str
    """The ID."""
    flow_id: str
    """The flow."""
    flow_version: int
    """The version of the flow."""
    event_id: str
    """The event that started it."""
    event_type: str
    """The type of the event."""
    status: Literal["RUNNING", "WAITING", "SUCCEEDED", "STOPPED", "FAILED", "CANCELLED"]
    """`RUNNING`; `WAITING` for a time or an action; then `SUCCEEDED`, `STOPPED` by a filter, `FAILED`, or
    `CANCELLED` because the flow was deactivated or deleted, or the event's data was erased.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    step: str | None
    """The ID of the current step, or of the step where the run ended; null after the last step."""
    depth: int
    """The number of flows in the chain of events that caused this run. At 5, the run fails."""
    resumes_at: datetime | None
    """The latest time at which a WAITING run resumes; otherwise null."""
    started_at: datetime
    """When it started."""
    ended_at: datetime | None
    """When it ended, or null."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""
    definition: FlowDefinition
    """The trigger and the steps at the start of the run."""
    steps: list[StepRun]
    """The steps that have started, in order."""


class FlowRunList(Model):
    items: list[FlowRun]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class FlowTemplate(Model):
    """A flow that needs only the user's `choices`. Each choice is a push `webhook`, or an `object` of the
    platform from the list of choices `resource`. Its ID replaces `{{choices.<key>}}` in the steps.
    `scopes` are the scopes that the steps need.
    """

    key: str
    """The key that `POST /api/flows/templates/{key}/install` takes."""
    name: str
    """The display name."""
    description: str
    """A description in a sentence or two."""
    trigger: FlowTrigger
    """What starts the flow."""
    choices: list[FlowTemplateChoice]
    """The choices that the user makes during installation."""
    steps: list[dict[str, Any]]
    """The steps of the flow, with `{{choices.<key>}}` as placeholders for the user's choices."""
    scopes: list[str]
    """The scopes that the steps need."""


class FlowTemplateChoice(Model):
    """What the user who installs the template chooses: a `webhook` of kind push, or an `object` of the
    platform, from its list of choices `resource`. Its ID replaces `{{choices.<key>}}` in the steps.
    """

    key: str
    """The key in `choices`."""
    type: Literal["webhook", "object"]
    """`webhook`: the ID of a push webhook. `object`: the ID of one of the platform's objects."""
    resource: str | None
    """The list of choices that contains the objects; null for a webhook."""
    label: str
    """The display name."""
    description: str
    """What the choice is for."""


class FlowTemplateList(Model):
    items: list[FlowTemplate]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class FlowTrigger(Model):
    """A flow runs once for each event of these types whose data passes all filters. Paths are as in a
    webhook's filters, such as `network`.
    """

    type: Literal["event"]
    """The type."""
    event_types: list[str | Literal["*"]]
    """The event types that start the flow, or `*` for all."""
    filters: list[EqualsFilter | InFilter | ExistsFilter]
    """Conditions on the event's data. All must be true."""


class FlowTriggerInput(Model):
    """A flow runs once for each event of these types whose data passes all filters. Paths are as in a
    webhook's filters, such as `network`.
    """

    type: Literal["event"]
    """The type."""
    event_types: list[str | Literal["*"]]
    """The event types that start the flow, or `*` for all."""
    filters: list[EqualsFilter | InFilter | ExistsFilterInput] | None = None
    """Conditions on the event's data. All must be true."""


class FlowWaitStep(Model):
    """Waits."""

    id: str
    """The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow."""
    name: str | None
    """The display name."""
    type: Literal["wait"]
    """The type."""
    seconds: int
    """How long to wait, at most 30 days."""


class FlowWaitStepInput(Model):
    """Waits."""

    id: str
    """The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow."""
    type: Literal["wait"]
    """The type."""
    seconds: int
    """How long to wait, at most 30 days."""
    name: str | None = None
    """The display name."""


class FlowWebhookStep(Model):
    """Sends a message to a push webhook, signed and retried like every delivery. The receiver gets a
    `FLOW_SENT` event with `data`, or with the data of the flow's event. `output`: `{eventId,
    deliveryId}`. The flow does not wait for the receiver.
    """

    id: str
    """The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow."""
    name: str | None
    """The display name."""
    type: Literal["webhook"]
    """The type."""
    webhook_id: str
    """A push webhook. Its event types and filters are ignored here."""
    data: dict[str, Any] | None
    """The data to send. Strings can contain values: `{{event.data.text}}`. By default, the event's data."""


class FlowWebhookStepInput(Model):
    """Sends a message to a push webhook, signed and retried like every delivery. The receiver gets a
    `FLOW_SENT` event with `data`, or with the data of the flow's event. `output`: `{eventId,
    deliveryId}`. The flow does not wait for the receiver.
    """

    id: str
    """The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow."""
    type: Literal["webhook"]
    """The type."""
    webhook_id: str
    """A push webhook. Its event types and filters are ignored here."""
    name: str | None = None
    """The display name."""
    data: dict[str, Any] | None = None
    """The data to send. Strings can contain values: `{{event.data.text}}`. By default, the event's data."""


class Health(Model):
    status: str
    """`ok`."""
    version: str
    """The version of the deployment."""


class HealthItem(Model):
    """The health of one integration, automation platform (its hooks), webhook, connection or flow.

    `detail` says what is wrong and what to do about it; it is null for healthy items. `since` is when
    the state started, if known. A webhook has `deliveries`, a connection has `refreshes`, and an
    integration has both, in total, and the number of its `webhooks` and `connections` by state. An
    automation platform has `deliveries` and `webhooks`, and a flow has none of them.
    """

    kind: Literal["integration", "automation", "webhook", "connection", "flow"]
    """The kind of item."""
    id: str
    """The ID of the integration, webhook or connection, or the key of the automation platform."""
    name: str
    """The display name; for a connection, its `connectionId`."""
    integration_id: str | None
    """The integration that a webhook or connection belongs to."""
    state: Literal["HEALTHY", "DEGRADED", "FAILING", "DISABLED", "PAUSED", "INACTIVE", "UNKNOWN"]
    """`HEALTHY`; `DEGRADED` if some of its work fails or waits; `FAILING` if all or most of it fails;
    `DISABLED` by Patchbay after failures; `PAUSED` or `INACTIVE` by a user; `UNKNOWN` without data.
    """
    reason: (
        Literal[
            "breaker_open",
            "consecutive_failures",
            "success_rate",
            "retries",
            "backlog",
            "slow",
            "disabled",
            "paused",
            "inactive",
            "pull",
            "no_attempts",
            "expired",
            "refresh_fails",
            "revoked",
            "pending_setup",
            "error",
            "parts",
            "no_runs",
        ]
        | None
    )
    """The code of the reason for the state."""
    detail: str | None
    """What is wrong and what to do about it, or null."""
    since: datetime | None
    """When the state started, if known."""
    deliveries: Trend | None
    """The deliveries of the last 24 hours."""
    refreshes: Trend | None
    """The token refreshes of the last 24 hours."""
    webhooks: Parts | None
    """The webhooks of an integration, or the hooks of an automation platform, by state."""
    connections: Parts | None
    """An integration's connections by state."""
    last_error: LastError | None
    """The most recent error, or null."""


class HealthList(Model):
    """Integrations, automation platforms, webhooks, connections and flows, in this order, each newest
    first. States are as of `checkedAt`. Numbers end at `measuredUntil`, because each hour is added 15
    minutes after it ends. A page of a filtered list can be short or empty and still have a
    `nextCursor`.
    """

    items: list[HealthItem]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""
    checked_at: datetime
    """When the states were determined."""
    measured_until: datetime | None
    """The end of the 24 hours that the numbers cover; null before the first roll-up."""


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
    status: Literal["ACTIVE", "PAUSED", "INACTIVE", "DISABLED"]
    """The status."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""


class HookList(Model):
    items: list[Hook]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class HourVolume(Model):
    """The deliveries that ended in the hour that starts at `at`."""

    at: datetime
    """The start of the hour."""
    delivered: int
    """The number of successful deliveries."""
    failed: int
    """The number of failed deliveries."""


class InFilter(Model):
    """The value at `path` equals an entry of `value`."""

    path: str
    """A dot path into the event's data; numbers are list indexes."""
    op: Literal["in"]
    """The comparison."""
    value: list[str | bool | int | float | None]
    """The value to compare with."""


class Integration(Model):
    """Secrets in `config` are masked unless revealed. `installedFrom` is the public integration or built-
    in template that this one was installed from. `statusReason` is `missing_config: <fields>` while
    setup is incomplete, a code if Patchbay changed the status, or the owner's text. `reviewReason` is
    the platform's text, or `unpublished: <text>`. `withdrawn` means that the platform has withdrawn it
    from the marketplace and stopped its copies until it approves a later version. `createdBy` is null
    for an integration of another workspace.
    """

    id: str
    """The ID."""
    name: str
    """The display name."""
    type: Literal["ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"]
    """The type."""
    provider: str | None
    """The provider, such as `hubspot`."""
    description: str
    """A description in a sentence or two."""
    logo_url: str | None
    """The URL of an image (https)."""
    status: Literal["PENDING_SETUP", "ACTIVE", "INACTIVE", "ERROR"]
    """`PENDING_SETUP` until `config` has all required fields; `ACTIVE`; `INACTIVE` while it is
    deactivated; `ERROR` when its owner or Patchbay has set this status.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    config: dict[str, str | bool | list[str]]
    """The provider's settings by name, such as the OAuth client. Secrets are masked."""
    scopes: list[str]
    """The scopes."""
    rate_limit_per_hour: int | None
    """The maximum number of requests in a sliding window of 60 minutes."""
    rate_limit_per_day: int | None
    """The maximum number of requests in a sliding window of 24 hours."""
    is_public: bool
    """Whether the marketplace lists it once the platform has approved it."""
    review_status: Literal["PENDING", "APPROVED", "REJECTED"] | None
    """The platform's decision on publishing it, or null."""
    review_reason: str | None
    """The reason for the platform's decision, or null."""
    withdrawn: bool
    """Whether the platform has withdrawn it from the marketplace and stopped its copies."""
    publisher: Publisher | None
    """The publisher of the integration."""
    installed_from: str | None
    """The integration or template that this one was installed from, or null."""
    metadata: dict[str, Any]
    """Your own data: any object of at most 8 KiB."""
    connection_count: int
    """The number of connections."""
    created_by: str | None
    """Who created it: `user:…` or `key:…`."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""


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
    """The path of the field, such as `data.postId`."""
    message: str
    """What is wrong."""


class KeyRotation(Model):
    """When the key is rotated: `everyDays` after its creation. With `deliverTo`, Patchbay rotates it, and
    the old key keeps working for `overlapSeconds` after the new one was delivered. Without it, Patchbay
    only publishes API_KEY_ROTATION_DUE, 7 days before and when the key is due. `everyDays: null` means
    never, even if the workspace has a policy.
    """

    every_days: int | None
    """The number of days after creation when a key is due for rotation, from 1 to 365; null for never."""
    overlap_seconds: int
    """How long the old key keeps working after the new one was delivered."""
    deliver_to: WebhookTarget | SecretTarget | None
    """Where to deliver new keys; null to send only a reminder."""


class KeyRotationInput(Model):
    """When the key is rotated: `everyDays` after its creation. With `deliverTo`, Patchbay rotates it, and
    the old key keeps working for `overlapSeconds` after the new one was delivered. Without it, Patchbay
    only publishes API_KEY_ROTATION_DUE, 7 days before and when the key is due. `everyDays: null` means
    never, even if the workspace has a policy.
    """

    every_days: int | None
    """The number of days after creation when a key is due for rotation, from 1 to 365; null for never."""
    overlap_seconds: int | None = None
    """How long the old key keeps working after the new one was delivered."""
    deliver_to: WebhookTargetInput | SecretTargetInput | None = None
    """Where to deliver new keys; null to send only a reminder."""


class KnownHook(Model):
    """A hook that already existed."""

    id: str
    """The ID."""
    secret: None
    """The signing secret, `whsec_…`. Shown only in this response: store it now."""


class LastError(Model):
    """The latest failure of something that continues. `code` is stable, `detail` is sanitized, for people."""

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
    """An action, its actor and its outcome. Kept for at least 90 days."""

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


class Parts(Model):
    """The number of an integration's webhooks or connections by state. States without items are omitted."""

    total: int
    """The number of items."""
    states: dict[str, int]
    """The number of items by state. States without items are omitted."""


class Point(Model):
    """One hour or day, which starts at `at`. Intervals without activity are omitted."""

    at: datetime
    """The start of the hour or day."""
    deliveries: Volume | None
    """The deliveries; null for a connection."""
    refreshes: Volume | None
    """The token refreshes; null for items without them."""


class PortalSession(Model):
    """A session without its secrets."""

    id: str
    """The ID."""
    status: Literal["OPEN", "ACTIVE", "ENDED", "EXPIRED"]
    """`OPEN` until the link is used, then `ACTIVE`; `ENDED` or `EXPIRED`."""
    label: str | None
    """Who uses the session, as its creator entered it; or null."""
    capabilities: list[str]
    """The scopes of the session."""
    read_only: bool
    """Whether it is read-only."""
    theme: Theme
    """The appearance of the console."""
    view: str | None
    """The page that the console opens, or null."""
    return_url: str | None
    """Where to send the user when the session ends, or null."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    created_at: datetime
    """When it was created."""
    opened_at: datetime | None
    """When its link was used, or null."""
    ended_at: datetime | None
    """When someone ended the session, or null."""
    expires_at: datetime
    """When it ends."""


class PortalSessionLink(Model):
    """A new session. Only this response contains its link."""

    id: str
    """The ID."""
    link: str
    """The link that opens the console. Shown only in this response."""
    expires_at: datetime
    """When the session ends."""
    code_expires_at: datetime
    """When the link expires, after five minutes. It works once."""
    capabilities: list[str]
    """The scopes of the session."""
    read_only: bool
    """Whether it is read-only."""


class PortalSessionList(Model):
    items: list[PortalSession]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class PortalSessionToken(Model):
    """The bearer token of a session, valid for its whole lifetime. Keep it in memory only."""

    id: str
    """The ID."""
    token: str
    """The bearer token. Shown only in this response: keep it in memory."""
    workspace_id: str
    """The workspace."""
    expires_at: datetime
    """When the session ends."""
    capabilities: list[str]
    """The scopes of the session."""
    read_only: bool
    """Whether it is read-only."""
    label: str | None
    """Who uses the session, as its creator entered it; or null."""
    theme: Theme
    """The appearance of the console."""
    view: str | None
    """The page that the console opens, or null."""
    return_url: str | None
    """Where to send the user when the session ends, or null."""


class Provider(Model):
    """What an integration of a provider needs. `configSchema` describes its `config`, `credentialsSchema`
    the `credentials` of a connection (null with OAuth), as JSON Schema 2020-12. `oauth` is null without
    OAuth and for a custom provider, whose config has these settings. `hosts` are the hosts that
    Patchbay calls; `*.x` means any subdomain of x. `redirectUris` are the redirect URIs for an
    integration without `config.redirectUris`: register them at the provider.
    """

    key: str
    """The API key. Shown only in this response: store it now."""
    name: str
    """The display name."""
    type: Literal["ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"]
    """The type."""
    auth_type: Literal["OAUTH2", "API_KEY", "BASIC"]
    """How the connection authenticates at the provider."""
    description: str
    """A description in a sentence or two."""
    documentation_url: str | None
    """The provider's documentation."""
    template_id: str | None
    """The integration to install, or null."""
    config_schema: dict[str, Any]
    """The JSON Schema of an integration's `config`."""
    credentials_schema: dict[str, Any] | None
    """The JSON Schema of a connection's `credentials`; null with OAuth."""
    oauth: ProviderOAuth | None
    """The OAuth settings; null for a provider with credentials."""
    hosts: list[str]
    """The hosts that Patchbay calls. `*.x` means any subdomain of x."""
    redirect_uris: list[str]
    """The redirect URIs to register at the provider."""


class ProviderOAuth(Model):
    """A provider's OAuth settings, which an integration cannot change. A name in braces in a URL is a
    field of `config`, or a value from the provider's response. Without a `revocationUrl`, a grant
    cannot be revoked.
    """

    authorization_url: str
    """The provider's authorization page. Send the user's browser there."""
    token_url: str
    """The token endpoint."""
    revocation_url: str | None
    """The revocation endpoint, or null."""
    issuer: str | None
    """The issuer that the provider names (RFC 9207)."""
    client_auth: str
    """How the client authenticates at the token endpoint."""
    pkce: bool
    """Whether the flow uses PKCE (RFC 7636)."""
    scope_separator: str
    """What separates scopes in a request."""
    refresh: Literal["rotating", "static", "exchange", "never_expires", "reauthorize_only"]
    """How tokens are refreshed."""
    scopes: list[ProviderScope]
    """The scopes."""


class ProviderScope(Model):
    """An OAuth scope that Patchbay requests `always`, or if the integration does not set its own scopes."""

    name: str
    """The scope, as the provider names it."""
    description: str | None
    """A description in a sentence or two."""
    always: bool
    """Whether Patchbay requests this scope even if the integration sets its own scopes."""


class ProviderSummary(Model):
    """A built-in provider, or a type of custom provider (`custom…`). `key` is the `provider` of an
    integration. `templateId` is the template to install; null for a custom provider.
    """

    key: str
    """The key, which is the `provider` of an integration."""
    name: str
    """The display name."""
    type: Literal["ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"]
    """The type."""
    auth_type: Literal["OAUTH2", "API_KEY", "BASIC"]
    """How the connection authenticates at the provider."""
    description: str
    """A description in a sentence or two."""
    documentation_url: str | None
    """The provider's documentation."""
    template_id: str | None
    """The integration to install, or null."""


class ProviderSummaryList(Model):
    items: list[ProviderSummary]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class Publication(Model):
    """A published integration, as the platform reviews it. `id` is the integration's ID. The platform sets
    `publisherName` and `verified`, not the publisher. `submitted` is the current version; null if it is
    no longer public. `listed` is the version in the marketplace, approved at `listedAt`, or null.
    `waitingSince` is null unless a review is pending. The copies of a `withdrawn` integration do not
    work.
    """

    id: str
    """The integration."""
    workspace_id: str
    """The publisher's workspace."""
    publisher_name: str | None
    """The publisher's name in the marketplace, or null."""
    verified: bool
    """Whether the platform has verified the publisher."""
    review_status: Literal["PENDING", "APPROVED", "REJECTED"] | None
    """The platform's decision on the submitted version; null if it is no longer public."""
    review_reason: str | None
    """The platform's reason for its latest decision, or null."""
    waiting_since: datetime | None
    """When it was submitted for the pending review, or null."""
    withdrawn: bool
    """Whether the platform has withdrawn it from the marketplace and stopped its copies."""
    submitted: PublishedFields | None
    """The current version, which an approval would list; null if it is no longer public."""
    listed: PublishedFields | None
    """The version in the marketplace, or null."""
    listed_at: datetime | None
    """When that version was approved, or null."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""


class PublicationDetail(Model):
    """A publication with the number of its installed copies, counted up to 1,000, and with the platform's
    latest decisions, newest first.
    """

    id: str
    """The integration."""
    workspace_id: str
    """The publisher's workspace."""
    publisher_name: str | None
    """The publisher's name in the marketplace, or null."""
    verified: bool
    """Whether the platform has verified the publisher."""
    review_status: Literal["PENDING", "APPROVED", "REJECTED"] | None
    """The platform's decision on the submitted version; null if it is no longer public."""
    review_reason: str | None
    """The platform's reason for its latest decision, or null."""
    waiting_since: datetime | None
    """When it was submitted for the pending review, or null."""
    withdrawn: bool
    """Whether the platform has withdrawn it from the marketplace and stopped its copies."""
    submitted: PublishedFields | None
    """The current version, which an approval would list; null if it is no longer public."""
    listed: PublishedFields | None
    """The version in the marketplace, or null."""
    listed_at: datetime | None
    """When that version was approved, or null."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""
    copy_count: int
    """The number of copies that other workspaces have installed, counted up to 1,000."""
    decisions: list[LogEntry]
    """The platform's latest decisions, newest first; kept for at least 90 days."""


class PublicationList(Model):
    items: list[Publication]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class PublishEvent(Model):
    """`data` is the event's content, an object of at most 256 KB as JSON.

    Only the platform's workspace can set `workspaceId`, to publish for another workspace. `causedBy` is
    the event that caused this one, such as the ACTION_REQUESTED event of an action. Patchbay uses it to
    detect loops of flows.
    """

    type: str
    """The event type, such as `POST_PUBLISHED`."""
    data: dict[str, Any]
    """The content: an object of at most 256 KiB that matches the type's schema."""
    idempotency_key: str | None = None
    """Like the `Idempotency-Key` header, for this event."""
    workspace_id: str | None = None
    """The workspace to publish for. Only the platform's workspace can set it."""
    caused_by: str | None = None
    """The event that caused this one, if any."""


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


class PublishedFields(Model):
    """The visible fields of a public integration, and the OAuth client that its copies use."""

    version: int
    """The version, also in `ETag`. Each change increases it."""
    name: str
    """The display name."""
    type: Literal["ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"]
    """The type."""
    provider: str | None
    """The provider, such as `hubspot`."""
    description: str
    """A description in a sentence or two."""
    logo_url: str | None
    """The URL of an image (https)."""
    scopes: list[str]
    """The scopes."""
    client_id: str | None
    """The OAuth client ID that the copies use, or null."""
    rate_limit_per_hour: int | None
    """The maximum number of requests in a sliding window of 60 minutes."""
    rate_limit_per_day: int | None
    """The maximum number of requests in a sliding window of 24 hours."""


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
    above `remaining`, when the cost will be allowed. It is null if the cost is above `limit`, because
    waiting does not help.
    """

    allowed: bool
    """Whether the cost is within the limit."""
    limit: int
    """The limit of the window."""
    remaining: int
    """The remaining units of the limit."""
    reset_at: datetime | None
    """When the window ends."""


class Receiver(Model):
    """The current health of the receiver.

    While the `breaker` is OPEN, new deliveries are HELD until a probe gets a response; the next one is
    at `nextProbeAt`. The SLOW `lane` is for receivers that are not known to be fast yet (`laneReason`
    is `unproven`), took more than two seconds at `slowAt` (`slow`), or share a workspace with many slow
    receivers (`slow_workspace`). `slowdowns` is the number of recent slowdowns, `backlogSince` is since
    when too many retries are waiting, and `held` is the number of HELD deliveries.
    """

    breaker: Literal["CLOSED", "OPEN"]
    """The circuit breaker: `OPEN` while the receiver is unhealthy and gets only probes."""
    opened_at: datetime | None
    """When the breaker opened, or null."""
    next_probe_at: datetime | None
    """When Patchbay sends the next probe, or null."""
    lane: Literal["FAST", "SLOW"]
    """The lane of its deliveries: `FAST`, or `SLOW` for new and slow receivers."""
    lane_reason: Literal["unproven", "slow", "slow_workspace"] | None
    """Why it uses the slow lane, or null."""
    slow_at: datetime | None
    """When the receiver was last slow, or null."""
    slowdowns: int
    """The number of recent slowdowns."""
    backlog_since: datetime | None
    """Since when too many retries are waiting, or null."""
    held: int
    """The number of deliveries that wait until the receiver is healthy."""


class RecentRuns(Model):
    """The results of a flow's latest runs: `count` runs, at most 10. `failed` is the number of FAILED runs
    among them, and `last` is the latest run.
    """

    count: int
    """The number of runs, at most 10."""
    failed: int
    """The number of `FAILED` runs among them."""
    last: FlowRun | None
    """The latest run, or null."""


class Recovering(Model):
    """`queued` is the number of deliveries that will be resent, oldest first. At most 10,000 are counted."""

    queued: int
    """The number of deliveries that will be resent."""


class RejectedItem(Model):
    error: ItemError
    """Why it failed."""


class ReplayPreview(Model):
    """The number of deliveries that a replay would queue. If `isComplete` is false, there are more: the
    count stops at 10,000 or after a few seconds.
    """

    total: int
    """The number of deliveries that the replay would queue."""
    is_complete: bool
    """Whether everything was counted."""


class RequestedScope(Model):
    """An OAuth scope that the provider will ask the user to grant, with Patchbay's description of it."""

    name: str
    """The scope, as the provider names it."""
    description: str | None
    """A description of the scope; null if unknown."""


class RetryConfig(Model):
    """Delays of initialDelaySeconds × backoffMultiplier^(n−1), or a named schedule instead."""

    max_retries: int | None = None
    """The maximum number of retries after the first attempt."""
    backoff_multiplier: float | None = None
    """The backoff multiplier: each delay is the previous one times this."""
    initial_delay_seconds: int | None = None
    """The delay before the first retry."""
    schedule: Literal["standard"] | None = None
    """`standard`: 7 retries over about 28 hours, as Standard Webhooks recommends. Cannot be combined with
    the other fields.
    """


class RotationPolicy(Model):
    """Keys are due for rotation `everyDays` after their creation. With `deliverTo`, Patchbay rotates them,
    and the old key keeps working for `overlapSeconds` after the new one was delivered. Without it,
    Patchbay only publishes API_KEY_ROTATION_DUE, 7 days before and when a key is due.
    """

    every_days: int
    """The number of days after creation when a key is due for rotation, from 1 to 365; null for never."""
    overlap_seconds: int
    """How long the old key keeps working after the new one was delivered."""
    deliver_to: WebhookTarget | None
    """Where to deliver new keys; null to send only a reminder."""


class RotationPolicyInput(Model):
    """Keys are due for rotation `everyDays` after their creation. With `deliverTo`, Patchbay rotates them,
    and the old key keeps working for `overlapSeconds` after the new one was delivered. Without it,
    Patchbay only publishes API_KEY_ROTATION_DUE, 7 days before and when a key is due.
    """

    every_days: int
    """The number of days after creation when a key is due for rotation, from 1 to 365; null for never."""
    overlap_seconds: int | None = None
    """How long the old key keeps working after the new one was delivered."""
    deliver_to: WebhookTargetInput | None = None
    """Where to deliver new keys; null to send only a reminder."""


class Run(Model):
    """An execution of an action. It fails if the platform does not respond by `expiresAt`. `platform` is
    the automation platform that started it, or `flow`.
    """

    id: str
    """The ID."""
    platform: str
    """The automation platform."""
    action: str
    """The key of the action."""
    input: dict[str, Any]
    """The input that the automation sent."""
    status: Literal["PENDING", "SUCCEEDED", "FAILED"]
    """`PENDING` until the platform responds, then `SUCCEEDED` or `FAILED`."""
    output: dict[str, Any] | None
    """The platform's result; null until the run succeeds."""
    error: RunError | None
    """Why it failed."""
    expires_at: datetime
    """When the run fails if the platform has not responded."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""


class RunError(Model):
    """Why a run failed. `code` is `timed_out` if the platform did not respond by `expiresAt`; otherwise it
    is the platform's code, by default `action_failed`. `detail` is a message for the automation's
    owner.
    """

    code: str
    """The stable code of the error."""
    detail: str
    """What happened, for people."""


class RunErrorInput(Model):
    """Why a run failed. `code` is `timed_out` if the platform did not respond by `expiresAt`; otherwise it
    is the platform's code, by default `action_failed`. `detail` is a message for the automation's
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
    """An event in exactly the format that hooks receive."""

    id: str
    """The ID."""
    type: str
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: dict[str, Any]
    """The event's content."""


class SecretTarget(Model):
    """Patchbay stores the new key as the current value of this AWS Secrets Manager secret. Its name must
    start with `patchbay/<stack>/<workspace>/`, in the account and region of the deployment. `pin`
    identifies the confirmed secret; omit it to confirm this one.
    """

    type: Literal["secretsManager"]
    """The type."""
    secret_arn: str
    """The ARN of the secret. Its name must start with `patchbay/<stack>/<workspace>/`."""
    pin: str | None
    """The fingerprint of the webhook's confirmed URL and headers. Omit it to confirm the webhook's current
    URL and headers. Send the value that you read to keep the confirmation.
    """


class SecretTargetInput(Model):
    """Patchbay stores the new key as the current value of this AWS Secrets Manager secret. Its name must
    start with `patchbay/<stack>/<workspace>/`, in the account and region of the deployment. `pin`
    identifies the confirmed secret; omit it to confirm this one.
    """

    type: Literal["secretsManager"]
    """The type."""
    secret_arn: str
    """The ARN of the secret. Its name must start with `patchbay/<stack>/<workspace>/`."""
    pin: str | None = None
    """The fingerprint of the webhook's confirmed URL and headers. Omit it to confirm the webhook's current
    URL and headers. Send the value that you read to keep the confirmation.
    """


class Series(Model):
    """The numbers for a workspace or for one group: in total, and by hour or day, oldest first. `id` is
    null for the workspace, and the name of an event type. `deliveries` is null for a connection, and
    `refreshes` for a webhook, an automation platform and an event type.
    """

    kind: Literal["workspace", "integration", "automation", "webhook", "connection", "eventType"]
    """The kind of item."""
    id: str | None
    """The ID or key of the item; null for the workspace."""
    name: str
    """The display name."""
    deliveries: Volume | None
    """The deliveries in the whole period; null for a connection."""
    refreshes: Volume | None
    """The token refreshes in the whole period; null for items without them."""
    points: list[Point]
    """The points by hour or day, oldest first. Intervals without activity are omitted."""


class StepError(Model):
    """Why a step failed. `code` is stable; for actions, the platform defines it."""

    code: str
    """The error code. For actions, the platform defines it."""
    detail: str
    """What happened, for people."""


class StepRun(Model):
    """One step of a run. `input` is its input with all values filled in, and `output` is its result. A
    request that is WAITING for a retry has the `error` of its last attempt.
    """

    id: str
    """The step's ID."""
    type: Literal["webhook", "action", "request", "wait", "filter", "branch"]
    """The type."""
    status: Literal["WAITING", "SUCCEEDED", "STOPPED", "FAILED"]
    """`RUNNING`, `WAITING`, `SUCCEEDED`, `FAILED`, or `STOPPED` for the filter that ended the run."""
    input: dict[str, Any] | None
    """The input, with all values filled in; null for the event's data, and for filters and branches."""
    output: dict[str, Any] | None
    """Its result, or null."""
    error: StepError | None
    """Why the step failed, or null."""
    started_at: datetime
    """When it started."""
    ended_at: datetime | None
    """When it ended, or null."""


class SubscribedHook(Model):
    """`secret` signs the hook's deliveries (Standard Webhooks); null if the hook already existed."""

    id: str
    """The ID."""
    secret: str | None
    """The signing secret, `whsec_…`. Shown only in this response: store it now."""


class Task(Model):
    """`type` is `webhook.replay`, `workspace.export` or `workspace.erase`. `done` is the number of
    deliveries queued, records exported, or rows erased so far; it can be too low after a crash. `total`
    is the number at the start; null if unknown. `step` is the current step of an erasure or export.
    `parameters` is the request that started the task, with its defaults. `webhookId` is null for a task
    of the whole workspace. `file` is the result of an export, for callers with the scope
    workspace:export.
    """

    id: str
    """The ID."""
    type: Literal["webhook.replay", "workspace.erase", "workspace.export"]
    """The type."""
    status: Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]
    """The status."""
    webhook_id: str | None
    """The webhook of a replay; null for tasks of the whole workspace."""
    parameters: dict[str, Any]
    """The parameters of the request."""
    done: int
    """The number of deliveries queued, records exported or rows erased so far. It can be too low after a
    crash.
    """
    total: int | None
    """The number of deliveries that it will queue; null if unknown."""
    step: str | None
    """The current step of a running export or erasure."""
    file: ExportFile | None
    """The result of an export, if you get this single task with the scope workspace:export; otherwise
    null.
    """
    error: TaskError | None
    """Why the task failed, or null."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    ended_at: datetime | None
    """When it ended, or null."""
    version: int
    """The version, also in `ETag`. Each change increases it."""


class TaskError(Model):
    """Why a task failed. `code` is stable, such as `webhook_disabled` or `internal`."""

    code: str
    """The stable code of the error."""
    detail: str
    """What happened, for people."""


class TaskList(Model):
    items: list[Task]
    """The items of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last."""


class Theme(Model):
    """The appearance of the console. `auto` follows the browser. Without `primaryColor`, the console uses
    its default color.
    """

    color_scheme: Literal["light", "dark", "auto"]
    """`light`, `dark`, or `auto`, which follows the browser."""
    primary_color: str | None
    """The color of buttons and links, such as `#3366ff`; null for the default."""


class ThemeInput(Model):
    """The appearance of the console. `auto` follows the browser. Without `primaryColor`, the console uses
    its default color.
    """

    color_scheme: Literal["light", "dark", "auto"] | None = None
    """`light`, `dark`, or `auto`, which follows the browser."""
    primary_color: str | None = None
    """The color of buttons and links, such as `#3366ff`; null for the default."""


class Trend(Model):
    """The 24 hours that end at `measuredUntil`, compared with the previous 24 hours. `trend` is null if
    either has no rate, and STEADY within one percentage point.
    """

    attempts: int
    """The number of requests. A delivery or refresh can take several."""
    succeeded: int
    """The number of successful deliveries or refreshes."""
    failed: int
    """The number of failed deliveries or refreshes."""
    success_rate: float | None
    """The share of ended deliveries that succeeded, from 0 to 1; null if none ended."""
    previous_success_rate: float | None
    """The success rate of the 24 hours before."""
    trend: Literal["BETTER", "STEADY", "WORSE"] | None
    """`BETTER` or `WORSE` if the success rate changed by more than one percentage point, otherwise
    `STEADY`.
    """
    latency_ms: Latency
    """The latency of attempts, in milliseconds."""


class Trigger(Model):
    """An event type as a trigger. `schema` and `sample` describe an event's `data`."""

    id: str
    """The event type."""
    label: str
    """The display name."""
    noun: str
    """The noun of its subject, in title case."""
    description: str
    """A description in a sentence or two."""
    json_schema: dict[str, Any] = Field(alias="schema")
    """The JSON Schema of an event's data."""
    sample: dict[str, Any]
    """An example of an event's data."""


class UnmatchedReason(Model):
    """Why a webhook did not get an event. `filter_mismatch`: `detail` has the first filter that does not
    match. `changed_later`: the webhook matches the event now, but did not when it was published.
    """

    code: Literal["created_later", "inactive", "disabled", "filter_mismatch", "changed_later"]
    """The stable code of the error."""
    detail: str
    """What happened, for people."""


class UnmatchedWebhook(Model):
    """A webhook that subscribes to the event's type, but did not get the event."""

    webhook_id: str
    """The webhook."""
    name: str
    """The display name."""
    reason: UnmatchedReason
    """Why the webhook did not get the event."""


class Usage(Model):
    """The number of allowed requests in total, today (UTC), and on each of the last 30 days, ending today.
    In a list, `daily` is null.
    """

    total: int
    """The total number of allowed requests."""
    today: int
    """The number of allowed requests today (UTC)."""
    daily: list[DailyUse] | None
    """The number of requests on each of the last 30 days, ending today."""


class Verification(Model):
    """Whether to accept a request with the key. Only `VALID` counts the cost. `workspaceId` and `keyId`
    are set if the key is known, and `rateLimit` if its limits were checked.
    """

    valid: bool
    """Whether to accept the request."""
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
    """`VALID`, or the reason to reject the request."""
    workspace_id: str | None
    """The workspace."""
    key_id: str | None
    """The ID of the key."""
    scopes: list[str]
    """The scopes of the key."""
    rate_limit: RateLimit | None
    """The state of the key's limit."""


class Volume(Model):
    """`attempts` is the number of requests, for deliveries or token refreshes. `succeeded` and `failed`
    are the numbers of deliveries or refreshes that ended that way, and `successRate` is the share that
    succeeded (0 to 1; null if none ended). `latencyMs` covers all attempts.
    """

    attempts: int
    """The number of requests. A delivery or refresh can take several."""
    succeeded: int
    """The number of successful deliveries or refreshes."""
    failed: int
    """The number of failed deliveries or refreshes."""
    success_rate: float | None
    """The share of ended deliveries that succeeded, from 0 to 1; null if none ended."""
    latency_ms: Latency
    """The latency of attempts, in milliseconds."""


class Webhook(Model):
    """`source` is `api` or the automation platform that created it; header values are masked. In lists,
    `stats`, `consecutiveFailures` and `receiver` are null unless you request them with `include`.

    A webhook of kind `pull` has no `url` and no `receiver`; `retryConfig` and `disableAfter` have no
    effect on it.
    """

    id: str
    """The ID."""
    kind: Literal["push", "pull"]
    """`push`: Patchbay sends requests to `url`. `pull`: the receiver reads the feed. It never changes."""
    name: str
    """The display name."""
    url: str | None
    """The receiver's URL."""
    event_types: list[str]
    """The subscribed event types, or `*` for all."""
    filters: list[EqualsFilter | InFilter | ExistsFilter]
    """Conditions on an event's data. All must be true."""
    integration_id: str | None
    """The integration that it belongs to."""
    source: str
    """The source."""
    headers: dict[str, str]
    """Custom headers of every request to the receiver. Responses mask their values."""
    retry_config: RetryConfig
    """The retry policy."""
    rate_limit_per_second: int | None
    """The maximum number of requests per second to the receiver; null for no limit."""
    disable_after: int
    """The number of consecutive failures that disables the webhook."""
    status: Literal["ACTIVE", "PAUSED", "INACTIVE", "DISABLED"]
    """`ACTIVE`; `PAUSED`, while its events are kept until it is resumed; `INACTIVE`, while it gets no
    events; `DISABLED` by Patchbay after failures or after a 410 response.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    disabled_at: datetime | None
    """When Patchbay disabled it, or null."""
    expires_at: datetime | None
    """When it expires; null for never."""
    consecutive_failures: int | None
    """The number of failed deliveries since the last success."""
    stats: WebhookStats | None
    """The statistics of the last 24 hours."""
    receiver: Receiver | None
    """The current health of the receiver."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""


class WebhookDetail(Model):
    id: str
    """The ID."""
    kind: Literal["push", "pull"]
    """`push`: Patchbay sends requests to `url`. `pull`: the receiver reads the feed. It never changes."""
    name: str
    """The display name."""
    url: str | None
    """The receiver's URL."""
    event_types: list[str]
    """The subscribed event types, or `*` for all."""
    filters: list[EqualsFilter | InFilter | ExistsFilter]
    """Conditions on an event's data. All must be true."""
    integration_id: str | None
    """The integration that it belongs to."""
    source: str
    """The source."""
    headers: dict[str, str]
    """Custom headers of every request to the receiver. Responses mask their values."""
    retry_config: RetryConfig
    """The retry policy."""
    rate_limit_per_second: int | None
    """The maximum number of requests per second to the receiver; null for no limit."""
    disable_after: int
    """The number of consecutive failures that disables the webhook."""
    status: Literal["ACTIVE", "PAUSED", "INACTIVE", "DISABLED"]
    """`ACTIVE`; `PAUSED`, while its events are kept until it is resumed; `INACTIVE`, while it gets no
    events; `DISABLED` by Patchbay after failures or after a 410 response.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    disabled_at: datetime | None
    """When Patchbay disabled it, or null."""
    expires_at: datetime | None
    """When it expires; null for never."""
    consecutive_failures: int | None
    """The number of failed deliveries since the last success."""
    stats: WebhookStats | None
    """The statistics of the last 24 hours."""
    receiver: Receiver | None
    """The current health of the receiver."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""
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
    `hours` has the numbers by hour. Hours without ended deliveries are omitted.
    """

    since: datetime | None
    """The start of the statistics."""
    deliveries: int
    """The number of deliveries that ended."""
    delivered: int
    """The number of successful deliveries."""
    failed: int
    """The number of failed deliveries."""
    pending: int
    """The number of deliveries that have not ended yet."""
    success_rate: float | None
    """The share of ended deliveries that succeeded, from 0 to 1; null if none ended."""
    latency_ms: Latency
    """The latency of attempts, in milliseconds."""
    last_delivery_at: datetime | None
    """When a delivery last ended."""
    last_error: LastError | None
    """The most recent error, or null."""
    hours: list[HourVolume]
    """The numbers by hour, oldest first. Hours without ended deliveries are omitted."""


class WebhookTarget(Model):
    """Patchbay sends the new key to this webhook, which must be ACTIVE, in a signed request. `pin`
    identifies the webhook's URL and headers at the time the policy was set. If they have changed when
    the key is due, it does not rotate until you send the policy without `pin`, which confirms the
    current URL and headers.
    """

    type: Literal["webhook"]
    """The type."""
    webhook_id: str
    """The webhook."""
    pin: str | None
    """The fingerprint of the webhook's confirmed URL and headers. Omit it to confirm the webhook's current
    URL and headers. Send the value that you read to keep the confirmation.
    """


class WebhookTargetInput(Model):
    """Patchbay sends the new key to this webhook, which must be ACTIVE, in a signed request. `pin`
    identifies the webhook's URL and headers at the time the policy was set. If they have changed when
    the key is due, it does not rotate until you send the policy without `pin`, which confirms the
    current URL and headers.
    """

    type: Literal["webhook"]
    """The type."""
    webhook_id: str
    """The webhook."""
    pin: str | None = None
    """The fingerprint of the webhook's confirmed URL and headers. Omit it to confirm the webhook's current
    URL and headers. Send the value that you read to keep the confirmation.
    """


class WebhookWithSecret(Model):
    """A webhook with its new signing secret. Only this response contains the secret. It has no stats,
    because a repeated request with the same Idempotency-Key must get the same response.
    """

    id: str
    """The ID."""
    kind: Literal["push", "pull"]
    """`push`: Patchbay sends requests to `url`. `pull`: the receiver reads the feed. It never changes."""
    name: str
    """The display name."""
    url: str | None
    """The receiver's URL."""
    event_types: list[str]
    """The subscribed event types, or `*` for all."""
    filters: list[EqualsFilter | InFilter | ExistsFilter]
    """Conditions on an event's data. All must be true."""
    integration_id: str | None
    """The integration that it belongs to."""
    source: str
    """The source."""
    headers: dict[str, str]
    """Custom headers of every request to the receiver. Responses mask their values."""
    retry_config: RetryConfig
    """The retry policy."""
    rate_limit_per_second: int | None
    """The maximum number of requests per second to the receiver; null for no limit."""
    disable_after: int
    """The number of consecutive failures that disables the webhook."""
    status: Literal["ACTIVE", "PAUSED", "INACTIVE", "DISABLED"]
    """`ACTIVE`; `PAUSED`, while its events are kept until it is resumed; `INACTIVE`, while it gets no
    events; `DISABLED` by Patchbay after failures or after a 410 response.
    """
    status_reason: str | None
    """Why it has this status, or null."""
    disabled_at: datetime | None
    """When Patchbay disabled it, or null."""
    expires_at: datetime | None
    """When it expires; null for never."""
    created_by: str
    """Who created it: `user:…` or `key:…`."""
    created_at: datetime
    """When it was created."""
    updated_at: datetime
    """When it was last changed."""
    version: int
    """The version, also in `ETag`. Each change increases it."""
    secret: str
    """The signing secret, `whsec_…`. Shown only in this response: store it now."""


class Workspace(Model):
    """`retainDays` is how long events, deliveries, attempts and feed entries are kept. A change applies to
    new data. It is at most `maxRetainDays`, which is also the default. `status` is ERASING while the
    workspace is being erased. `apiKeyRotation` is the policy for API keys without their own policy.
    """

    id: str
    """The ID."""
    status: Literal["ACTIVE", "ERASING"]
    """`ACTIVE`, or `ERASING` while the workspace is being erased."""
    retain_days: int
    """The number of days to keep events, deliveries and feed entries after they are written."""
    max_retain_days: int
    """The limit and the default of `retainDays`."""
    api_key_rotation: RotationPolicy | None
    """The rotation policy for API keys without their own policy, or null."""
    updated_at: datetime | None
    """When the settings were last changed, or null."""
    version: int
    """The version, also in `ETag`. Each change increases it."""


Actions: TypeAlias = list[ActionInfo]

AnalyticsBy: TypeAlias = Literal["hour", "day"]

AttemptTrigger: TypeAlias = Literal["AUTO", "MANUAL", "TEST", "RECOVER", "REPLAY"]

AuditEntryOutcome: TypeAlias = Literal["SUCCEEDED", "REFUSED", "FAILED"]

AuthType: TypeAlias = Literal["OAUTH2", "API_KEY", "BASIC"]

AutomationPlatform: TypeAlias = Literal["zapier", "make", "n8n"]

CallerType: TypeAlias = Literal["user", "key", "session"]

Choices: TypeAlias = list[Choice]

ConnectSessionStatus: TypeAlias = Literal["OPEN", "COMPLETED", "REVOKED", "EXPIRED"]

ConnectionStatus: TypeAlias = Literal["ACTIVE", "EXPIRED", "ERROR", "REVOKED"]

DecidePublicationDecision: TypeAlias = Literal["APPROVE", "REJECT", "WITHDRAW"]

DryRunStepStatus: TypeAlias = Literal["SUCCEEDED", "STOPPED", "FAILED", "SKIPPED"]

DryRunStepType: TypeAlias = Literal["webhook", "action", "request", "wait", "filter", "branch"]

EventStatus: TypeAlias = Literal["ACCEPTED", "REJECTED"]

EventTypeInfoKind: TypeAlias = Literal["publishable", "operational", "platform"]

FlowRequestStepMethod: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

FlowRunStatus: TypeAlias = Literal["RUNNING", "WAITING", "SUCCEEDED", "STOPPED", "FAILED", "CANCELLED"]

FlowStatus: TypeAlias = Literal["ACTIVE", "INACTIVE"]

FlowTemplateChoiceType: TypeAlias = Literal["webhook", "object"]

HealthItemKind: TypeAlias = Literal["integration", "automation", "webhook", "connection", "flow"]

HealthReason: TypeAlias = Literal[
    "breaker_open",
    "consecutive_failures",
    "success_rate",
    "retries",
    "backlog",
    "slow",
    "disabled",
    "paused",
    "inactive",
    "pull",
    "no_attempts",
    "expired",
    "refresh_fails",
    "revoked",
    "pending_setup",
    "error",
    "parts",
    "no_runs",
]

HealthState: TypeAlias = Literal["HEALTHY", "DEGRADED", "FAILING", "DISABLED", "PAUSED", "INACTIVE", "UNKNOWN"]

HookStatus: TypeAlias = Literal["ACTIVE", "PAUSED", "INACTIVE", "DISABLED"]

InstallFlowStatus: TypeAlias = Literal["ACTIVE", "INACTIVE"]

IntegrationStatus: TypeAlias = Literal["PENDING_SETUP", "ACTIVE", "INACTIVE", "ERROR"]

IntegrationType: TypeAlias = Literal[
    "ZAPIER", "MAKE", "N8N", "CRM", "DESIGN_TOOL", "MARKETING_AUTOMATION", "SOCIAL", "CUSTOM", "WEBHOOK"
]

JsonValue: TypeAlias = "Any"

KeyStatus: TypeAlias = Literal["ACTIVE", "EXPIRED", "REVOKED"]

LogEntryOutcome: TypeAlias = Literal["SUCCEEDED", "FAILED"]

PortalSessionStatus: TypeAlias = Literal["OPEN", "ACTIVE", "ENDED", "EXPIRED"]

ReceiverBreaker: TypeAlias = Literal["CLOSED", "OPEN"]

ReceiverLane: TypeAlias = Literal["FAST", "SLOW"]

RefreshStrategy: TypeAlias = Literal["rotating", "static", "exchange", "never_expires", "reauthorize_only"]

ReviewStatus: TypeAlias = Literal["PENDING", "APPROVED", "REJECTED"]

RunStatus: TypeAlias = Literal["PENDING", "SUCCEEDED", "FAILED"]

Samples: TypeAlias = list[Sample]

SeriesKind: TypeAlias = Literal["workspace", "integration", "automation", "webhook", "connection", "eventType"]

StepRunStatus: TypeAlias = Literal["WAITING", "SUCCEEDED", "STOPPED", "FAILED"]

StepRunType: TypeAlias = Literal["webhook", "action", "request", "wait", "filter", "branch"]

TaskStatus: TypeAlias = Literal["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]

TaskType: TypeAlias = Literal["webhook.replay", "workspace.erase", "workspace.export"]

ThemeColorScheme: TypeAlias = Literal["light", "dark", "auto"]

Triggers: TypeAlias = list[Trigger]

UnmatchedReasonCode: TypeAlias = Literal["created_later", "inactive", "disabled", "filter_mismatch", "changed_later"]

VerificationCode: TypeAlias = Literal[
    "VALID", "MALFORMED", "NOT_FOUND", "REVOKED", "EXPIRED", "INSUFFICIENT_SCOPES", "RATE_LIMITED", "COST_EXCEEDS_LIMIT"
]

WebhookKind: TypeAlias = Literal["push", "pull"]

WebhookStatus: TypeAlias = Literal["ACTIVE", "PAUSED", "INACTIVE", "DISABLED"]

WorkspaceStatus: TypeAlias = Literal["ACTIVE", "ERASING"]
