"""Request and response models of API keys."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from patchbay.api_model import ApiModel, LastError, Name, Timestamp, distinct
from patchbay.auth.scopes import Scope, ScopeName
from patchbay.ids import ApiKeyId, WebhookId
from patchbay.updates import VOLATILE, ReadOnly, Update

MAX_PER_HOUR = 1_000_000
MAX_PER_DAY = 24 * MAX_PER_HOUR
MAX_OVERLAP_SECONDS = 30 * 86_400
DEFAULT_OVERLAP_SECONDS = 86_400
MAX_ROTATION_DAYS = 365


class KeyStatus(StrEnum):
    """Computed on each read, because nothing writes to a row at the moment of its expiry."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


def _in_future(moment: datetime) -> datetime:
    if moment <= datetime.now(UTC):
        raise ValueError("must not be in the past")
    return moment


OverlapSeconds = Annotated[int, Field(ge=0, le=MAX_OVERLAP_SECONDS)]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=50), AfterValidator(distinct)]


class WebhookTarget(ApiModel):
    """Patchbay sends the new key to this webhook, which must be ACTIVE, in a signed request. `pin` identifies
    the webhook's URL and headers at the time the policy was set. If they have changed when the key is due, it
    does not rotate until you send the policy without `pin`, which confirms the current URL and headers.
    """

    type: Literal["webhook"]
    webhook_id: WebhookId
    pin: Annotated[str, Field(max_length=64)] | None = None


class SecretTarget(ApiModel):
    """Patchbay stores the new key as the current value of this AWS Secrets Manager secret. Its name must
    start with `patchbay/<stack>/<workspace>/`, in the account and region of the deployment. `pin` identifies
    the confirmed secret; omit it to confirm this one.
    """

    type: Literal["secretsManager"]
    secret_arn: Annotated[str, Field(min_length=1, max_length=2048)]
    pin: Annotated[str, Field(max_length=64)] | None = None


class RotationPolicy(ApiModel):
    """Keys are due for rotation `everyDays` after their creation. With `deliverTo`, Patchbay rotates them,
    and the old key keeps working for `overlapSeconds` after the new one was delivered. Without it, Patchbay
    only publishes API_KEY_ROTATION_DUE, 7 days before and when a key is due.
    """

    every_days: Annotated[int, Field(ge=1, le=MAX_ROTATION_DAYS)]
    overlap_seconds: OverlapSeconds = DEFAULT_OVERLAP_SECONDS
    deliver_to: WebhookTarget | None = None


class KeyRotation(ApiModel):
    """When the key is rotated: `everyDays` after its creation. With `deliverTo`, Patchbay rotates it, and the
    old key keeps working for `overlapSeconds` after the new one was delivered. Without it, Patchbay only
    publishes API_KEY_ROTATION_DUE, 7 days before and when the key is due. `everyDays: null` means never, even
    if the workspace has a policy.
    """

    every_days: Annotated[int, Field(ge=1, le=MAX_ROTATION_DAYS)] | None
    overlap_seconds: OverlapSeconds = DEFAULT_OVERLAP_SECONDS
    deliver_to: Annotated[WebhookTarget | SecretTarget, Field(discriminator="type")] | None = None


class CreateApiKey(ApiModel):
    """A new key. The limits apply to sliding windows of an hour and a day. By default, the key never expires,
    and the workspace's rotation policy applies.
    """

    name: Name
    scopes: Scopes
    rate_limit_per_hour: Annotated[int, Field(ge=1, le=MAX_PER_HOUR)] = 1_000
    rate_limit_per_day: Annotated[int, Field(ge=1, le=MAX_PER_DAY)] = 10_000
    expires_at: Annotated[Timestamp, AfterValidator(_in_future)] | None = None
    rotation: KeyRotation | None = None


class RotateApiKey(ApiModel):
    """How many seconds the old key keeps working alongside the new one; 0 ends it immediately."""

    overlap_seconds: OverlapSeconds = DEFAULT_OVERLAP_SECONDS


class DailyUse(ApiModel):
    """The number of allowed requests on one day (UTC)."""

    date: date
    count: int


class Usage(ApiModel):
    """The number of allowed requests in total, today (UTC), and on each of the last 30 days, ending today. In
    a list, `daily` is null.
    """

    total: int
    today: int
    daily: list[DailyUse] | None


class ApiKey(ApiModel):
    """A key without its secret. `rotatedFrom` is the key that this one replaced.

    `rotation` is the key's own policy; if it is null, the workspace's policy applies. `nextRotationAt` is
    when the key is due under that policy. `lastError` is why its rotation has not succeeded yet.
    """

    id: ApiKeyId
    name: str
    masked_key: str
    scopes: list[str]
    status: KeyStatus
    rate_limit_per_hour: int
    rate_limit_per_day: int
    expires_at: Timestamp | None
    last_used_at: Annotated[Timestamp | None, VOLATILE]
    usage: Annotated[Usage, VOLATILE]
    created_by: str
    rotation: KeyRotation | None
    next_rotation_at: Annotated[Timestamp | None, VOLATILE]
    last_error: Annotated[LastError | None, VOLATILE]
    rotated_from: ApiKeyId | None
    created_at: Timestamp
    updated_at: Annotated[Timestamp, VOLATILE]
    version: int


class UpdateApiKey(Update, CreateApiKey):
    """Only the fields that you send change; the defaults here are placeholders. `expiresAt: null` removes the
    expiration, and `rotation: null` removes the key's own policy.
    """

    read_only = ReadOnly(
        ApiKey, "API key", see={"status": "DELETE revokes the key; a revoked key cannot be used again"}
    )

    name: Name = ""
    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=50)] = Field(default_factory=list)


class ApiKeyWithSecret(ApiKey):
    """A new API key. Only this response contains it."""

    key: Annotated[str, Field(repr=False)]


class CallerKey(ApiModel):
    """The API key of the caller. Both limits apply to its requests."""

    id: ApiKeyId
    name: str
    masked_key: str
    rate_limit_per_hour: int
    rate_limit_per_day: int
    expires_at: Timestamp | None


class VerifyApiKey(ApiModel):
    """Check a key from a request to one of the platform's own APIs: whether it is valid, has the `scopes`,
    and has `cost` units left. If so, the units are counted.
    """

    key: Annotated[str, Field(max_length=256, repr=False)]
    scopes: Annotated[list[ScopeName], Field(max_length=50)] = Field(default_factory=list)
    cost: Annotated[int, Field(ge=1, le=1_000)] = 1


class VerificationCode(StrEnum):
    VALID = "VALID"
    MALFORMED = "MALFORMED"
    NOT_FOUND = "NOT_FOUND"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    INSUFFICIENT_SCOPES = "INSUFFICIENT_SCOPES"
    RATE_LIMITED = "RATE_LIMITED"
    COST_EXCEEDS_LIMIT = "COST_EXCEEDS_LIMIT"


class RateLimit(ApiModel):
    """The more restrictive of the key's two windows. `resetAt` is when that window ends or, if the cost is
    above `remaining`, when the cost will be allowed. It is null if the cost is above `limit`, because waiting
    does not help.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_at: Timestamp | None


class Verification(ApiModel):
    """Whether to accept a request with the key. Only `VALID` counts the cost. `workspaceId` and `keyId` are
    set if the key is known, and `rateLimit` if its limits were checked.
    """

    valid: bool
    code: VerificationCode
    workspace_id: str | None = None
    key_id: ApiKeyId | None = None
    scopes: list[str] = Field(default_factory=list)
    rate_limit: RateLimit | None = None
