"""What the API takes and gives of API keys."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from patchbay.auth.scopes import Scope
from patchbay.ids import ApiKeyId
from patchbay.schema import ApiModel, Name, Timestamp

MAX_PER_HOUR = 1_000_000
# A day of full hours.
MAX_PER_DAY = 24 * MAX_PER_HOUR


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


class CreateApiKey(ApiModel):
    """A new key. Limits count requests in any hour and any day; `expiresAt` may be left out."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=50), AfterValidator(_distinct)]
    rate_limit_per_hour: Annotated[int, Field(ge=1, le=MAX_PER_HOUR)] = 1_000
    rate_limit_per_day: Annotated[int, Field(ge=1, le=MAX_PER_DAY)] = 10_000
    expires_at: Annotated[Timestamp, AfterValidator(_in_future)] | None = None


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
