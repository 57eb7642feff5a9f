"""What the API takes and gives of API keys."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from patchbay.api_model import ApiModel, Name, Timestamp
from patchbay.auth.scopes import HeldScope, Scope
from patchbay.ids import ApiKeyId

MAX_PER_HOUR = 1_000_000
# A day of full hours.
MAX_PER_DAY = 24 * MAX_PER_HOUR
MAX_OVERLAP_SECONDS = 30 * 86_400


class KeyStatus(StrEnum):
    """Computed when read: a row does not notice that its time is over."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


def _in_future(moment: datetime) -> datetime:
    if moment <= datetime.now(UTC):
        raise ValueError("must not be in the past")
    return moment


def _distinct(scopes: list[str]) -> list[str]:
    return list(dict.fromkeys(scopes))


Scopes = Annotated[list[Scope], Field(min_length=1, max_length=50), AfterValidator(_distinct)]


class CreateApiKey(ApiModel):
    """A new key. Limits count requests in any hour and any day; `expiresAt` may be left out."""

    name: Name
    scopes: Scopes
    rate_limit_per_hour: Annotated[int, Field(ge=1, le=MAX_PER_HOUR)] = 1_000
    rate_limit_per_day: Annotated[int, Field(ge=1, le=MAX_PER_DAY)] = 10_000
    expires_at: Annotated[Timestamp, AfterValidator(_in_future)] | None = None


class UpdateApiKey(CreateApiKey):
    """Only what is sent changes; the values here stand for what is not sent. `expiresAt: null` lets the key
    live on without end. The service checks the scopes that the key does not hold yet.
    """

    name: Name = ""
    scopes: Annotated[list[HeldScope], Field(min_length=1, max_length=50)] = Field(default_factory=list)


class RotateApiKey(ApiModel):
    """For how many seconds the old key goes on beside the new one; 0 ends it at once."""

    overlap_seconds: Annotated[int, Field(ge=0, le=MAX_OVERLAP_SECONDS)] = 86_400


class DailyUse(ApiModel):
    """Requests admitted on one day, UTC."""

    date: date
    count: int


class Usage(ApiModel):
    """Requests admitted in all, and on each of the last 30 days, today last."""

    total: int
    daily: list[DailyUse]


class ApiKey(ApiModel):
    """A key as it may be shown. `rotatedFrom` is the key that this one replaces."""

    id: ApiKeyId
    name: str
    masked_key: str
    scopes: list[str]
    status: KeyStatus
    rate_limit_per_hour: int
    rate_limit_per_day: int
    expires_at: Timestamp | None
    last_used_at: Timestamp | None
    usage: Usage
    created_by: str
    rotated_from: ApiKeyId | None
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class ApiKeyWithSecret(ApiKey):
    """The answer that creates a key: the only one that holds it."""

    key: Annotated[str, Field(repr=False)]


class VerifyApiKey(ApiModel):
    """A key that came with a request to one of the platform's own APIs: is it good for `scopes`, and has it
    `cost` units left? They are counted if so. Any well-formed scope may be asked for: keys hold names that
    would be refused for a new key.
    """

    key: Annotated[str, Field(max_length=256, repr=False)]
    scopes: Annotated[list[HeldScope], Field(max_length=50)] = Field(default_factory=list)
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
    """The tighter of the key's two windows. `resetAt` is when that window ends; where the cost is more than
    what remains, when it would be admitted. It is null when the cost is above `limit`: no wait helps.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_at: Timestamp | None


class Verification(ApiModel):
    """Whether to serve a request that came with the key. Only `VALID` counts its cost. `workspaceId` and
    `keyId` are there once it is known which key it is, `rateLimit` where the windows were asked.
    """

    valid: bool
    code: VerificationCode
    workspace_id: str | None = None
    key_id: ApiKeyId | None = None
    scopes: list[str] = Field(default_factory=list)
    rate_limit: RateLimit | None = None
