"""The events that a receiver gets, and their union `Event`.

Generated from openapi.json by `make derived`: change that, not this file.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from patchbay_sdk._model import Model


class ActionRequestedData(Model):
    """The `data` of the event `ACTION_REQUESTED`."""

    run_id: str
    """The run; send the result with this ID."""
    workspace_id: str
    """The workspace that the action is for."""
    platform: Literal["zapier", "make", "n8n", "flow"]
    """Where the automation runs."""
    action: str
    """The action's key."""
    input: dict[str, Any]
    """The input of the action."""
    expires_at: datetime
    """When the run expires; the automation then gets a failure."""


class ActionRequestedEvent(Model):
    """Triggers when an automation asks the platform to do something."""

    id: str
    """The ID."""
    type: Literal["ACTION_REQUESTED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ActionRequestedData
    """The event's content."""


class AlertTriggeredData(Model):
    """The `data` of the event `ALERT_TRIGGERED`."""

    alert_id: str
    """The alert whose condition was met."""
    name: str
    """The alert's name."""
    severity: Literal["info", "warning", "critical"]
    """How serious it is."""
    metric: str | None = None
    """The metric of the alert."""
    value: float | None = None
    """The measured value."""
    threshold: float | None = None
    """The value from which the alert triggers."""
    message: str | None = None
    """A description of the alert."""
    url: str | None = None
    """The alert in the platform."""
    triggered_at: datetime | None = None
    """When the condition was met."""


class AlertTriggeredEvent(Model):
    """Triggers when an alert's condition is met, such as a sudden rise in mentions."""

    id: str
    """The ID."""
    type: Literal["ALERT_TRIGGERED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: AlertTriggeredData
    """The event's content."""


class ApiKeyCreatedData(Model):
    """The `data` of the event `API_KEY_CREATED`."""

    key_id: str
    """The key."""
    name: str
    """Its name."""
    masked_key: str
    """The first characters of the key."""
    scopes: list[str]
    """The scopes of the key."""
    expires_at: datetime | None
    """When it expires; null for never."""
    created_by: str
    """Who created it, in the format of `id` in GET /api/me."""


class ApiKeyCreatedEvent(Model):
    """Triggers when an API key is created."""

    id: str
    """The ID."""
    type: Literal["API_KEY_CREATED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ApiKeyCreatedData
    """The event's content."""


class ApiKeyExpiringData(Model):
    """The `data` of the event `API_KEY_EXPIRING`."""

    key_id: str
    """The key."""
    name: str
    """Its name."""
    masked_key: str
    """The first characters of the key."""
    expires_at: datetime
    """When it expires."""
    days_left: int
    """How many days before the expiration the notice was due."""


class ApiKeyExpiringEvent(Model):
    """Triggers when an API key is about to expire, 7 days and 1 day before."""

    id: str
    """The ID."""
    type: Literal["API_KEY_EXPIRING"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ApiKeyExpiringData
    """The event's content."""


class ApiKeyRevokedData(Model):
    """The `data` of the event `API_KEY_REVOKED`."""

    key_id: str
    """The key."""
    name: str
    """Its name."""
    masked_key: str
    """The first characters of the key."""
    revoked_by: str | None
    """Who revoked it, in the format of `id` in GET /api/me."""
    revoked_at: datetime
    """When it was revoked."""


class ApiKeyRevokedEvent(Model):
    """Triggers when an API key is revoked."""

    id: str
    """The ID."""
    type: Literal["API_KEY_REVOKED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ApiKeyRevokedData
    """The event's content."""


class ApiKeyRotatedData(Model):
    """The `data` of the event `API_KEY_ROTATED`."""

    key_id: str
    """The key."""
    name: str
    """Its name."""
    masked_key: str
    """The first characters of the key."""
    successor_id: str
    """The key that replaces it."""
    ends_at: datetime
    """When it stops working."""
    rotated_by: str
    """Who rotated it, in the format of `id` in GET /api/me."""


class ApiKeyRotatedEvent(Model):
    """Triggers when an API key is rotated."""

    id: str
    """The ID."""
    type: Literal["API_KEY_ROTATED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ApiKeyRotatedData
    """The event's content."""


class ApiKeyRotationDueData(Model):
    """The `data` of the event `API_KEY_ROTATION_DUE`."""

    key_id: str
    """The key."""
    name: str
    """Its name."""
    masked_key: str
    """The first characters of the key."""
    due_at: datetime
    """When the key is due for rotation."""
    days_left: int
    """How many days are left until then; 0 when it is due."""


class ApiKeyRotationDueEvent(Model):
    """Triggers when an API key that Patchbay does not rotate automatically is due for rotation, and 7 days
    before.
    """

    id: str
    """The ID."""
    type: Literal["API_KEY_ROTATION_DUE"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ApiKeyRotationDueData
    """The event's content."""


class ApiKeyRotationFailedData(Model):
    """The `data` of the event `API_KEY_ROTATION_FAILED`."""

    key_id: str
    """The key."""
    name: str
    """Its name."""
    masked_key: str
    """The first characters of the key."""
    status_reason: str
    """The code of the error."""
    detail: str
    """Why it failed, and what to do."""
    failed_at: datetime
    """When it failed."""


class ApiKeyRotationFailedEvent(Model):
    """Triggers when an API key is due for rotation but the new key cannot be delivered, once a day."""

    id: str
    """The ID."""
    type: Literal["API_KEY_ROTATION_FAILED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ApiKeyRotationFailedData
    """The event's content."""


class ApprovalCompletedData(Model):
    """The `data` of the event `APPROVAL_COMPLETED`."""

    approval_id: str
    """The platform's ID of the approval."""
    post_id: str
    """The post that was approved or rejected."""
    decision: Literal["approved", "rejected"]
    """The decision."""
    network: str | None = None
    """The social network, in lowercase."""
    text: str | None = None
    """The text of the post."""
    decided_by: str | None = None
    """The user who decided."""
    comment: str | None = None
    """Their comment."""
    completed_at: datetime | None = None
    """When it was decided."""


class ApprovalCompletedEvent(Model):
    """Triggers when a post is approved or rejected."""

    id: str
    """The ID."""
    type: Literal["APPROVAL_COMPLETED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ApprovalCompletedData
    """The event's content."""


class ApprovalRequestedData(Model):
    """The `data` of the event `APPROVAL_REQUESTED`."""

    approval_id: str
    """The platform's ID of the approval."""
    post_id: str
    """The post that was approved or rejected."""
    network: str | None = None
    """The social network, in lowercase."""
    text: str | None = None
    """The text of the post."""
    requested_by: str | None = None
    """The user who requested it."""
    approver_ids: list[str] | None = None
    """The users who can decide."""
    due_at: datetime | None = None
    """When the decision is due."""
    url: str | None = None
    """The approval in the platform."""
    requested_at: datetime | None = None
    """When it was requested."""


class ApprovalRequestedEvent(Model):
    """Triggers when someone asks for a post to be approved."""

    id: str
    """The ID."""
    type: Literal["APPROVAL_REQUESTED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ApprovalRequestedData
    """The event's content."""


class CampaignCompletedData(Model):
    """The `data` of the event `CAMPAIGN_COMPLETED`."""

    campaign_id: str
    """The platform's ID of the campaign."""
    name: str
    """The campaign's name."""
    networks: list[str] | None = None
    """The social networks that it runs on."""
    posts_published: int | None = None
    """How many posts were published."""
    impressions: int | None = None
    """How often the posts were seen."""
    engagements: int | None = None
    """Likes, comments, shares and clicks."""
    started_at: datetime | None = None
    """When it started."""
    completed_at: datetime | None = None
    """When it ended."""


class CampaignCompletedEvent(Model):
    """Triggers when a campaign has ended."""

    id: str
    """The ID."""
    type: Literal["CAMPAIGN_COMPLETED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: CampaignCompletedData
    """The event's content."""


class CampaignStartedData(Model):
    """The `data` of the event `CAMPAIGN_STARTED`."""

    campaign_id: str
    """The platform's ID of the campaign."""
    name: str
    """The campaign's name."""
    networks: list[str] | None = None
    """The social networks that it runs on."""
    post_count: int | None = None
    """How many posts are planned."""
    started_at: datetime | None = None
    """When it started."""
    ends_at: datetime | None = None
    """When it will end, if known."""


class CampaignStartedEvent(Model):
    """Triggers when a campaign starts."""

    id: str
    """The ID."""
    type: Literal["CAMPAIGN_STARTED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: CampaignStartedData
    """The event's content."""


class ConnectionCreatedData(Model):
    """The `data` of the event `CONNECTION_CREATED`."""

    connection_id: str
    """The connection, by its name."""
    id: str
    """The connection, by Patchbay's ID."""
    integration_id: str
    """The integration that it belongs to."""
    provider: str | None
    """The provider of the account."""
    account_label: str | None
    """The account's name at the provider."""
    created_by: str
    """Who connected it, in the format of `id` in GET /api/me."""


class ConnectionCreatedEvent(Model):
    """Triggers when an account is connected."""

    id: str
    """The ID."""
    type: Literal["CONNECTION_CREATED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ConnectionCreatedData
    """The event's content."""


class ConnectionExpiredData(Model):
    """The `data` of the event `CONNECTION_EXPIRED`."""

    connection_id: str
    """The connection, by its name."""
    id: str
    """The connection, by Patchbay's ID."""
    integration_id: str
    """The integration that it belongs to."""
    provider: str | None
    """The provider of the account."""
    account_label: str | None
    """The account's name at the provider."""
    status_reason: str | None
    """The code of the reason."""


class ConnectionExpiredEvent(Model):
    """Triggers when a connected account must be connected again."""

    id: str
    """The ID."""
    type: Literal["CONNECTION_EXPIRED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ConnectionExpiredData
    """The event's content."""


class ConnectionRecoveredData(Model):
    """The `data` of the event `CONNECTION_RECOVERED`."""

    connection_id: str
    """The connection, by its name."""
    id: str
    """The connection, by Patchbay's ID."""
    integration_id: str
    """The integration that it belongs to."""
    provider: str | None
    """The provider of the account."""
    account_label: str | None
    """The account's name at the provider."""
    previous_status: Literal["EXPIRED", "ERROR"]
    """The previous status: EXPIRED or ERROR."""


class ConnectionRecoveredEvent(Model):
    """Triggers when a connection that had expired or failed works again."""

    id: str
    """The ID."""
    type: Literal["CONNECTION_RECOVERED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ConnectionRecoveredData
    """The event's content."""


class ConnectionRevokedData(Model):
    """The `data` of the event `CONNECTION_REVOKED`."""

    connection_id: str
    """The connection, by its name."""
    id: str
    """The connection, by Patchbay's ID."""
    integration_id: str
    """The integration that it belongs to."""
    provider: str | None
    """The provider of the account."""
    account_label: str | None
    """The account's name at the provider."""
    status_reason: Literal["connection_deleted", "integration_deleted"]
    """Why: connection_deleted or integration_deleted."""


class ConnectionRevokedEvent(Model):
    """Triggers when a connection or its integration is deleted."""

    id: str
    """The ID."""
    type: Literal["CONNECTION_REVOKED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ConnectionRevokedData
    """The event's content."""


class ConversationAssignedData(Model):
    """The `data` of the event `CONVERSATION_ASSIGNED`."""

    conversation_id: str
    """The platform's ID of the conversation."""
    assignee_id: str
    """The user or team that it is assigned to."""
    network: str | None = None
    """The social network, in lowercase."""
    account_id: str | None = None
    """The connected account that it belongs to."""
    account_name: str | None = None
    """The account's name on the network."""
    customer_name: str | None = None
    """The name of the customer."""
    assignee_name: str | None = None
    """Their name."""
    assigned_by: str | None = None
    """The user who assigned it; null for a rule."""
    assigned_at: datetime | None = None
    """When it was assigned."""


class ConversationAssignedEvent(Model):
    """Triggers when a conversation is assigned to a member or a team."""

    id: str
    """The ID."""
    type: Literal["CONVERSATION_ASSIGNED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: ConversationAssignedData
    """The event's content."""


class DeliveryFailedData(Model):
    """The `data` of the event `DELIVERY_FAILED`."""

    delivery_id: str
    """The first delivery of the webhook that failed in this hour."""
    webhook_id: str
    """The webhook."""
    name: str
    """Its name."""
    url: str
    """The URL of the webhook."""
    event_id: str
    """The event that was not delivered."""
    event_type: str
    """The event's type."""
    status_reason: str
    """The code of the error."""
    failed_at: datetime
    """When it failed."""


class DeliveryFailedEvent(Model):
    """Triggers when a delivery fails after all retries, at most once an hour per webhook."""

    id: str
    """The ID."""
    type: Literal["DELIVERY_FAILED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: DeliveryFailedData
    """The event's content."""


class MentionReceivedData(Model):
    """The `data` of the event `MENTION_RECEIVED`."""

    mention_id: str
    """The platform's ID of the mention."""
    network: str
    """The social network, in lowercase."""
    text: str
    """The text of the mention."""
    account_id: str | None = None
    """The connected account that it belongs to."""
    account_name: str | None = None
    """The account's name on the network."""
    author_name: str | None = None
    """The author's name, as the network shows it."""
    author_handle: str | None = None
    """Their handle on the network."""
    author_followers: int | None = None
    """How many followers the author has."""
    url: str | None = None
    """Where the mention can be seen."""
    sentiment: Literal["positive", "neutral", "negative"] | None = None
    """The sentiment of the mention."""
    mentioned_at: datetime | None = None
    """When it was written."""


class MentionReceivedEvent(Model):
    """Triggers when someone mentions one of the workspace's accounts or keywords."""

    id: str
    """The ID."""
    type: Literal["MENTION_RECEIVED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: MentionReceivedData
    """The event's content."""


class MessageReceivedData(Model):
    """The `data` of the event `MESSAGE_RECEIVED`."""

    message_id: str
    """The platform's ID of the message."""
    conversation_id: str
    """The conversation that it is part of."""
    network: str
    """The social network, in lowercase."""
    text: str
    """The text of the message."""
    account_id: str | None = None
    """The connected account that it belongs to."""
    account_name: str | None = None
    """The account's name on the network."""
    author_name: str | None = None
    """The author's name, as the network shows it."""
    author_handle: str | None = None
    """Their handle on the network."""
    kind: Literal["direct_message", "comment", "review"] | None = None
    """The kind of message."""
    attachment_urls: list[str] | None = None
    """Images and files attached to the message."""
    received_at: datetime | None = None
    """When it was received."""


class MessageReceivedEvent(Model):
    """Triggers when a direct message or a comment is received."""

    id: str
    """The ID."""
    type: Literal["MESSAGE_RECEIVED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: MessageReceivedData
    """The event's content."""


class PostFailedData(Model):
    """The `data` of the event `POST_FAILED`."""

    post_id: str
    """The platform's ID of the post."""
    network: str
    """The social network, in lowercase."""
    error_code: str
    """The platform's error code."""
    account_id: str | None = None
    """The connected account that it belongs to."""
    account_name: str | None = None
    """The account's name on the network."""
    text: str | None = None
    """The text of the post."""
    campaign_id: str | None = None
    """The campaign that the post belongs to, if any."""
    error_message: str | None = None
    """The error message."""
    will_retry: bool | None = None
    """Whether the platform retries automatically."""
    failed_at: datetime | None = None
    """When the attempt failed."""


class PostFailedEvent(Model):
    """Triggers when a post could not be published."""

    id: str
    """The ID."""
    type: Literal["POST_FAILED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: PostFailedData
    """The event's content."""


class PostPublishedData(Model):
    """The `data` of the event `POST_PUBLISHED`."""

    post_id: str
    """The platform's ID of the post."""
    network: str
    """The social network, in lowercase."""
    account_id: str | None = None
    """The connected account that it belongs to."""
    account_name: str | None = None
    """The account's name on the network."""
    text: str | None = None
    """The text of the post."""
    media_urls: list[str] | None = None
    """Images and videos of the post."""
    url: str | None = None
    """Where the post can be seen."""
    campaign_id: str | None = None
    """The campaign that the post belongs to, if any."""
    published_at: datetime | None = None
    """When it was published."""


class PostPublishedEvent(Model):
    """Triggers when a post is published on a social network."""

    id: str
    """The ID."""
    type: Literal["POST_PUBLISHED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: PostPublishedData
    """The event's content."""


class PostScheduledData(Model):
    """The `data` of the event `POST_SCHEDULED`."""

    post_id: str
    """The platform's ID of the post."""
    network: str
    """The social network, in lowercase."""
    scheduled_for: datetime
    """The scheduled publication time."""
    account_id: str | None = None
    """The connected account that it belongs to."""
    account_name: str | None = None
    """The account's name on the network."""
    text: str | None = None
    """The text of the post."""
    media_urls: list[str] | None = None
    """Images and videos of the post."""
    campaign_id: str | None = None
    """The campaign that the post belongs to, if any."""
    scheduled_by: str | None = None
    """The user who scheduled it."""


class PostScheduledEvent(Model):
    """Triggers when a post is scheduled or rescheduled."""

    id: str
    """The ID."""
    type: Literal["POST_SCHEDULED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: PostScheduledData
    """The event's content."""


class RateLimitNearData(Model):
    """The `data` of the event `RATE_LIMIT_NEAR`."""

    key_id: str
    """The key."""
    name: str
    """Its name."""
    masked_key: str
    """The first characters of the key."""
    window: Literal["hour", "day"]
    """The limit's length: hour or day."""
    limit: int
    """The limit, in requests."""
    used: int
    """The number of requests used."""
    resets_at: datetime
    """When the hour or the day ends."""


class RateLimitNearEvent(Model):
    """Triggers when an API key has used 80 percent of a limit, once per hour or day."""

    id: str
    """The ID."""
    type: Literal["RATE_LIMIT_NEAR"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: RateLimitNearData
    """The event's content."""


class WebhookDisabledData(Model):
    """The `data` of the event `WEBHOOK_DISABLED`."""

    webhook_id: str
    """The webhook."""
    name: str
    """Its name."""
    url: str
    """The URL of the webhook."""
    status_reason: str
    """The code of the reason."""
    consecutive_failures: int
    """The number of consecutive failed deliveries."""
    disabled_at: datetime
    """When it was disabled."""


class WebhookDisabledEvent(Model):
    """Triggers when a webhook is disabled because its receiver is gone or keeps failing."""

    id: str
    """The ID."""
    type: Literal["WEBHOOK_DISABLED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: WebhookDisabledData
    """The event's content."""


class WebhookFailingData(Model):
    """The `data` of the event `WEBHOOK_FAILING`."""

    webhook_id: str
    """The webhook."""
    name: str
    """Its name."""
    url: str
    """The URL of the webhook."""
    percent: int
    """The percentage of disableAfter that was reached: 50 or 80."""
    consecutive_failures: int
    """The number of consecutive failed deliveries."""
    disable_after: int
    """The number of consecutive failures that disables the webhook."""
    status_reason: str
    """The code of the last error."""


class WebhookFailingEvent(Model):
    """Triggers when a webhook reaches 50 percent, and again 80 percent, of the consecutive failures that
    disable it.
    """

    id: str
    """The ID."""
    type: Literal["WEBHOOK_FAILING"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: WebhookFailingData
    """The event's content."""


class WebhookRecoveredData(Model):
    """The `data` of the event `WEBHOOK_RECOVERED`."""

    webhook_id: str
    """The webhook."""
    name: str
    """Its name."""
    url: str
    """The URL of the webhook."""
    failing_since: datetime
    """When it was last reported as failing."""
    recovered_at: datetime
    """When the delivery succeeded."""


class WebhookRecoveredEvent(Model):
    """Triggers when a webhook that was failing accepts a delivery again."""

    id: str
    """The ID."""
    type: Literal["WEBHOOK_RECOVERED"]
    """The type."""
    timestamp: datetime
    """When the event was published."""
    data: WebhookRecoveredData
    """The event's content."""


ActionRequestedDataPlatform: TypeAlias = Literal["zapier", "make", "n8n", "flow"]

AlertTriggeredDataSeverity: TypeAlias = Literal["info", "warning", "critical"]

ApprovalCompletedDataDecision: TypeAlias = Literal["approved", "rejected"]

ConnectionRecoveredDataPreviousStatus: TypeAlias = Literal["EXPIRED", "ERROR"]

ConnectionRevokedDataStatusReason: TypeAlias = Literal["connection_deleted", "integration_deleted"]

MessageReceivedDataKind: TypeAlias = Literal["direct_message", "comment", "review"]

RateLimitNearDataWindow: TypeAlias = Literal["hour", "day"]


class UnknownEvent(Model):
    """An event whose type this release of the SDK does not know: `event_type` has it.

    `type` is a constant, so that a comparison with a type tells the events apart.
    """

    type: ClassVar[Literal["UNKNOWN"]] = "UNKNOWN"
    event_type: str = Field(alias="type")
    """The type."""
    id: str
    timestamp: datetime
    data: dict[str, Any]


EVENT_TYPES: dict[str, type[Model]] = {
    "ACTION_REQUESTED": ActionRequestedEvent,
    "ALERT_TRIGGERED": AlertTriggeredEvent,
    "API_KEY_CREATED": ApiKeyCreatedEvent,
    "API_KEY_EXPIRING": ApiKeyExpiringEvent,
    "API_KEY_REVOKED": ApiKeyRevokedEvent,
    "API_KEY_ROTATED": ApiKeyRotatedEvent,
    "API_KEY_ROTATION_DUE": ApiKeyRotationDueEvent,
    "API_KEY_ROTATION_FAILED": ApiKeyRotationFailedEvent,
    "APPROVAL_COMPLETED": ApprovalCompletedEvent,
    "APPROVAL_REQUESTED": ApprovalRequestedEvent,
    "CAMPAIGN_COMPLETED": CampaignCompletedEvent,
    "CAMPAIGN_STARTED": CampaignStartedEvent,
    "CONNECTION_CREATED": ConnectionCreatedEvent,
    "CONNECTION_EXPIRED": ConnectionExpiredEvent,
    "CONNECTION_RECOVERED": ConnectionRecoveredEvent,
    "CONNECTION_REVOKED": ConnectionRevokedEvent,
    "CONVERSATION_ASSIGNED": ConversationAssignedEvent,
    "DELIVERY_FAILED": DeliveryFailedEvent,
    "MENTION_RECEIVED": MentionReceivedEvent,
    "MESSAGE_RECEIVED": MessageReceivedEvent,
    "POST_FAILED": PostFailedEvent,
    "POST_PUBLISHED": PostPublishedEvent,
    "POST_SCHEDULED": PostScheduledEvent,
    "RATE_LIMIT_NEAR": RateLimitNearEvent,
    "WEBHOOK_DISABLED": WebhookDisabledEvent,
    "WEBHOOK_FAILING": WebhookFailingEvent,
    "WEBHOOK_RECOVERED": WebhookRecoveredEvent,
}

Event: TypeAlias = "ActionRequestedEvent | AlertTriggeredEvent | ApiKeyCreatedEvent | ApiKeyExpiringEvent | ApiKeyRevokedEvent | ApiKeyRotatedEvent | ApiKeyRotationDueEvent | ApiKeyRotationFailedEvent | ApprovalCompletedEvent | ApprovalRequestedEvent | CampaignCompletedEvent | CampaignStartedEvent | ConnectionCreatedEvent | ConnectionExpiredEvent | ConnectionRecoveredEvent | ConnectionRevokedEvent | ConversationAssignedEvent | DeliveryFailedEvent | MentionReceivedEvent | MessageReceivedEvent | PostFailedEvent | PostPublishedEvent | PostScheduledEvent | RateLimitNearEvent | WebhookDisabledEvent | WebhookFailingEvent | WebhookRecoveredEvent | UnknownEvent"
