"""A webhook's row as a typed object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict

from patchbay.ids import IntegrationId, RunId, WebhookId
from patchbay.storage.dynamo import Row

if TYPE_CHECKING:
    from pydantic import JsonValue

WebhookStatus = Literal["ACTIVE", "PAUSED", "INACTIVE", "DISABLED"]

# An automation's receiver may be down for a weekend, and a workflow that fails on some events must not miss
# all others.
HOOK_RETRY_CONFIG: Mapping[str, JsonValue] = {"schedule": "standard"}
HOOK_DISABLE_AFTER = 50
_OLD_HOOK_RETRY_CONFIG = {"maxRetries": 3, "backoffMultiplier": 2, "initialDelaySeconds": 30}
_OLD_HOOK_DISABLE_AFTER = 10


class StoredSecret(TypedDict):
    """An encrypted signing secret. A rotated one has `endsAt` (Unix milliseconds)."""

    sealed: str
    endsAt: NotRequired[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWebhook:
    """A webhook (`whk_…`), or the receiver of one run's callback (`run_…`), which alone has `body` and `ttl`
    (Unix seconds). Other times are Unix milliseconds.

    One of kind pull has no `url`, and may expire. `headers` is a ciphertext. A hook has `hook_key`, and
    `subscribed_at` is when its automation last subscribed; 0 if that is unknown. `row` is the row as read, so
    that `to_row` keeps attributes that a later release wrote.
    """

    workspace_id: str
    id: WebhookId | RunId
    source: str
    url: str
    status: WebhookStatus
    secrets: Sequence[StoredSecret] = field(repr=False)
    retry_config: Mapping[str, JsonValue]
    kind: Literal["push", "pull"] = "push"
    expires_at: int | None = None
    name: str = ""
    event_types: Sequence[str] = ()
    filters: Sequence[Mapping[str, JsonValue]] = ()
    integration_id: IntegrationId | None = None
    headers: str | None = field(default=None, repr=False)
    header_names: Sequence[str] = ()
    rate_limit_per_second: int | None = None
    disable_after: int = 0
    status_reason: str | None = None
    disabled_at: int | None = None
    resumed_at: int = 0
    subscribed_at: int | None = None
    hook_key: str | None = None
    body: str | None = field(default=None, repr=False)
    ttl: int | None = None
    created_by: str = ""
    created_at: int = 0
    updated_at: int = 0
    version: int = 0
    filter_bytes: int | None = None
    row: Row = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_pull(self) -> bool:
        return self.kind == "pull"

    def has_expired(self, now: int) -> bool:
        """Whether this is an expired temporary webhook. To callers, it no longer exists."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def is_active(self) -> bool:
        return self.status == "ACTIVE"

    @property
    def is_paused(self) -> bool:
        """Whether events match it, but its deliveries are held."""
        return self.status == "PAUSED"

    @property
    def is_subscribed(self) -> bool:
        """Whether events match it."""
        return self.is_active or self.is_paused

    def live_secrets(self, now: int) -> list[StoredSecret]:
        """The secrets that sign at `now`, newest first."""
        return [secret for secret in self.secrets if secret.get("endsAt", now + 1) > now]

    def was_renewed_since(self, time: int | None) -> bool:
        """Whether an automation subscribed this webhook, or a user enabled it, after `time`."""
        return time is not None and max(self.subscribed_at or 0, self.resumed_at) > time

    @classmethod
    def from_row(cls, row: Row) -> StoredWebhook:
        """Old hooks have no `subscribedAt` and were created with the default retries of a webhook: if nobody
        changed those, they become a hook's retries. The next write of the webhook stores the change.
        """
        if "hookKey" in row and "subscribedAt" not in row:
            row = {**row, "subscribedAt": 0}
            retries = (row["retryConfig"], row["disableAfter"])
            if retries == (_OLD_HOOK_RETRY_CONFIG, _OLD_HOOK_DISABLE_AFTER):
                row |= {"retryConfig": HOOK_RETRY_CONFIG, "disableAfter": HOOK_DISABLE_AFTER}
        get = row.get
        id, integration_id = row["sk"], get("integrationId")
        return cls(
            workspace_id=row["workspaceId"],
            id=RunId(id) if id.startswith("run_") else WebhookId(id),
            source=row["source"],
            url=get("url", ""),
            status=row["status"],
            secrets=row["secrets"],
            retry_config=row["retryConfig"],
            kind=get("kind", "push"),
            expires_at=get("expiresAt"),
            name=get("name", ""),
            event_types=get("eventTypes", ()),
            filters=get("filters", ()),
            integration_id=None if integration_id is None else IntegrationId(integration_id),
            headers=get("headers"),
            header_names=get("headerNames", ()),
            rate_limit_per_second=get("rateLimitPerSecond"),
            disable_after=get("disableAfter", 0),
            status_reason=get("statusReason"),
            disabled_at=get("disabledAt"),
            resumed_at=get("resumedAt", 0),
            subscribed_at=get("subscribedAt"),
            hook_key=get("hookKey"),
            body=get("body"),
            ttl=get("ttl"),
            created_by=get("createdBy", ""),
            created_at=get("createdAt", 0),
            updated_at=get("updatedAt", 0),
            version=get("version", 0),
            filter_bytes=get("filterBytes"),
            row=row,
        )

    def to_row(self) -> Row:
        """The row to store. `dynamo` leaves out the attributes that are None."""
        row = self.row | {
            "workspaceId": self.workspace_id,
            "sk": self.id,
            "source": self.source,
            "url": self.url or None,
            "status": self.status,
            "secrets": self.secrets,
            "retryConfig": self.retry_config,
        }
        if isinstance(self.id, RunId):
            return row | {"body": self.body, "ttl": self.ttl}
        return row | {
            "kind": self.kind if self.is_pull else None,
            "expiresAt": self.expires_at,
            "name": self.name,
            "eventTypes": self.event_types,
            "filters": self.filters,
            "integrationId": self.integration_id,
            "headers": self.headers,
            "headerNames": self.header_names,
            "rateLimitPerSecond": self.rate_limit_per_second,
            "disableAfter": self.disable_after,
            "statusReason": self.status_reason,
            "disabledAt": self.disabled_at,
            "resumedAt": self.resumed_at or None,
            "subscribedAt": self.subscribed_at,
            "hookKey": self.hook_key,
            "createdBy": self.created_by,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "version": self.version,
            "filterBytes": self.filter_bytes,
        }
