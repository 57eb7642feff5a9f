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
    """Patchbay sends the new key to this webhook, which must be ACTIVE, in a signed request. `pin` stands for
    the URL and the headers of the webhook when the policy was set. If they differ when the key is due, it
    does not rotate until you send the policy without `pin`, which confirms what the webhook has now.
    """

    type: Literal["webhook"]
    webhook_id: WebhookId
    pin: Annotated[str, Field(max_length=64)] | None = None


class SecretTarget(ApiModel):
    """Patchbay stores the new key as the current value of this secret of AWS Secrets Manager. Its name must
    begin with `patchbay/<stack>/<workspace>/`, in the account and region of the deployment. `pin` stands for
    the secret that was confirmed; omit it to confirm this one.
    """

    type: Literal["secretsManager"]
    secret_arn: Annotated[str, Field(min_length=1, max_length=2048)]
    pin: Annotated[str, Field(max_length=64)] | None = None


class RotationPolicy(ApiModel):
    """Keys are due `everyDays` after their creation. With `deliverTo`, Patchbay then rotates them, and the
    old key keeps working for `overlapSeconds` after the new one was accepted. Without it, Patchbay only
    announces API_KEY_ROTATION_DUE, 7 days before and when a key is due.
    """

    every_days: Annotated[int, Field(ge=1, le=MAX_ROTATION_DAYS)]
    overlap_seconds: OverlapSeconds = DEFAULT_OVERLAP_SECONDS
    deliver_to: WebhookTarget | None = None


class KeyRotation(ApiModel):
    """When the key is rotated: `everyDays` after its creation. With `deliverTo`, Patchbay then rotates it,
    and the old key keeps working for `overlapSeconds` after the new one was accepted. Without it, Patchbay
    only announces API_KEY_ROTATION_DUE, 7 days before and when the key is due. `everyDays: null` means never,
    even if the workspace has a policy.
    """

    every_days: Annotated[int, Field(ge=1, le=MAX_ROTATION_DAYS)] | None
    overlap_seconds: OverlapSeconds = DEFAULT_OVERLAP_SECONDS
    deliver_to: Annotated[WebhookTarget | SecretTarget, Field(discriminator="type")] | None = None


class CreateApiKey(ApiModel):
    """A new key. The limits apply to any hour and any day. Without `expiresAt`, it never expires. Without
    `rotation`, the policy of the workspace applies.
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
    """The number of requests admitted on one day (UTC)."""

    date: date
    count: int


class Usage(ApiModel):
    """The number of requests admitted in total, today (UTC), and on each of the last 30 days, ending with
    today. In a list, `daily` is null.
    """

    total: int
    today: int
    daily: list[DailyUse] | None


class ApiKey(ApiModel):
    """A key without its secret. `rotatedFrom` is the key that this one replaces.

    `rotation` is the key's own policy; if it is null, that of the workspace applies. `nextRotationAt` is when
    the key is due by either. `lastError` is why its rotation has not succeeded yet.
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
    """Only the fields that are sent change; the defaults here are placeholders. `expiresAt: null` removes the
    expiry, and `rotation: null` the key's own policy. The service checks the scopes that the key does not
    have yet.
    """

    read_only = ReadOnly(
        ApiKey, "API key", see={"status": "DELETE revokes the key; a revoked key cannot be used again"}
    )

    name: Name = ""
    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=50)] = Field(default_factory=list)


class ApiKeyWithSecret(ApiKey):
    """The response to the creation of a key, the only one that contains it."""

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
    """Check a key that came with a request to one of the platform's own APIs: is it valid, does it have
    `scopes`, and does it have `cost` units left? If so, they are counted. Every well-formed scope is
    accepted, because existing keys may have scopes that are refused for new keys.
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
    above `remaining`, when the cost is admitted. It is null if the cost is above `limit`: waiting does not
    help.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_at: Timestamp | None


class Verification(ApiModel):
    """Whether to serve a request that came with the key. Only `VALID` counts the cost. `workspaceId` and
    `keyId` are set if the key is identified, `rateLimit` if its windows were checked.
    """

    valid: bool
    code: VerificationCode
    workspace_id: str | None = None
    key_id: ApiKeyId | None = None
    scopes: list[str] = Field(default_factory=list)
    rate_limit: RateLimit | None = None
