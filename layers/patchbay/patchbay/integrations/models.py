"""Integrations as the API takes and gives them."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from patchbay import compact_json
from patchbay.api_model import ApiModel, JsonObject, ListQuery, Name, Plain, QueryModel, Timestamp
from patchbay.ids import IntegrationId, LogId
from patchbay.providers.provider import IntegrationType

MAX_METADATA_BYTES = 8 * 1024
MAX_SCOPES = 100
_MAX_PER_HOUR = 1_000_000


class IntegrationStatus(StrEnum):
    """PENDING_SETUP until what the provider needs is there."""

    PENDING_SETUP = "PENDING_SETUP"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    ERROR = "ERROR"


class ReviewStatus(StrEnum):
    """What the platform says of a public integration as it stands."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        size = compact_json.size(metadata)
    except TypeError as error:  # only from callers in our own process
        raise ValueError(str(error)) from None
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"has {size} bytes as JSON; {MAX_METADATA_BYTES} are the most")
    return metadata


def _https(url: str) -> str:
    if not re.match(r"https://[A-Za-z0-9]", url):
        raise ValueError("must begin with https:// and a host")
    return url


def _distinct(scopes: list[str]) -> list[str]:
    return list(dict.fromkeys(scopes))


ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
# RFC 6749, 3.3: printable ASCII but for space, quote and backslash; and no comma, which separates at some.
OAuthScope = Annotated[str, StringConstraints(pattern=r"^[!#-+\--\[\]-~]{1,256}$")]
OAuthScopes = Annotated[list[OAuthScope], Field(max_length=MAX_SCOPES), AfterValidator(_distinct)]
ConfigName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
# What each field may hold is the service's to check: it depends on the provider. null removes.
Config = Annotated[dict[ConfigName, str | bool | list[str] | None], Field(max_length=50, repr=False)]
Metadata = Annotated[JsonObject, AfterValidator(_small)]
LogoUrl = Annotated[
    str, StringConstraints(max_length=2048, pattern=r"^[!#-;=?-\[\]_a-z~]+$"), AfterValidator(_https)
]
PerHour = Annotated[int, Field(ge=1, le=_MAX_PER_HOUR)]
PerDay = Annotated[int, Field(ge=1, le=24 * _MAX_PER_HOUR)]


class CreateIntegration(ApiModel):
    """`config` holds the OAuth client (`clientId`, `clientSecret`, `redirectUris`) and, for a provider that
    Patchbay does not know, its addresses. What is not known to be public there is kept as a secret.
    """

    name: Name
    type: IntegrationType = Field(strict=False)
    provider: ProviderName | None = None
    description: Annotated[Plain, StringConstraints(max_length=2000)] = ""
    logo_url: LogoUrl | None = None
    config: Config = Field(default_factory=dict)
    scopes: OAuthScopes = Field(default_factory=list)
    rate_limit_per_hour: PerHour | None = None
    rate_limit_per_day: PerDay | None = None
    is_public: bool = False
    metadata: Metadata = Field(default_factory=dict)


class UpdateIntegration(CreateIntegration):
    """Only what is sent changes; `config` and `metadata` merge by key, null removes. The values here stand
    for what is not sent.
    """

    name: Name = ""
    type: IntegrationType = Field(default=IntegrationType.CUSTOM, strict=False)


class SetIntegrationStatus(ApiModel):
    status: Literal["ACTIVE", "INACTIVE", "ERROR"]
    reason: Annotated[Plain, StringConstraints(max_length=500)] | None = None


class IntegrationQuery(ListQuery):
    """`includePublic` adds what the marketplace has of other workspaces, after one's own."""

    type: IntegrationType | None = None
    status: IntegrationStatus | None = None
    provider: ProviderName | None = None
    include_public: bool = False


class MarketplaceQuery(ListQuery):
    type: IntegrationType | None = None
    search: Annotated[str, StringConstraints(max_length=100)] | None = None


class RevealQuery(QueryModel):
    reveal: bool = False


class LogQuery(ListQuery):
    action: Annotated[str, StringConstraints(pattern=r"^[a-z_.]{1,64}$")] | None = None
    since: Timestamp | None = None
    until: Timestamp | None = None


class Publisher(ApiModel):
    """Who publishes an integration. Name and mark are the platform's words, not the publisher's."""

    workspace_id: str
    name: str | None
    verified: bool


class Integration(ApiModel):
    """Secrets in `config` are masked unless revealed. `installedFrom` names the public integration, or the
    built-in template, that this one is a copy of.
    """

    id: IntegrationId
    name: str
    type: IntegrationType
    provider: str | None
    description: str
    logo_url: str | None
    status: IntegrationStatus
    status_reason: str | None
    config: dict[str, Any] = Field(repr=False)
    scopes: list[str]
    rate_limit_per_hour: int | None
    rate_limit_per_day: int | None
    is_public: bool
    review_status: ReviewStatus | None
    publisher: Publisher | None
    installed_from: IntegrationId | None
    metadata: JsonObject
    connection_count: int
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class LogEntry(ApiModel):
    """What was done, by whom, and how it went. Kept for 90 days."""

    id: LogId
    action: str
    actor: str
    outcome: Literal["SUCCEEDED", "FAILED"]
    detail: str | None
    created_at: Timestamp


class ReviewPublication(ApiModel):
    """The platform's word on a public integration, for its operators: there is no route, only a function,
    and the right to invoke it is the authority. APPROVE and REJECT answer what waits, as it was looked at
    (`version`); WITHDRAW takes back what was approved, at any version, and stops its copies. Without any of
    them: what waits.
    """

    workspace_id: str | None = None
    integration_id: IntegrationId | None = None
    version: int | None = None
    decision: Literal["APPROVE", "REJECT", "WITHDRAW"] | None = None
    publisher_name: Name | None = None
    verified: bool = False
    reason: Annotated[Plain, StringConstraints(max_length=500)] | None = None
