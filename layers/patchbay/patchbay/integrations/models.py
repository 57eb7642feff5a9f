"""The request and response models of integrations."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from patchbay import compact_json
from patchbay.activity.models import LogEntry
from patchbay.api_model import (
    WORKSPACE_ID_PATTERN,
    ApiModel,
    JsonObject,
    ListQuery,
    Name,
    PlainText,
    QueryModel,
    Timestamp,
    distinct,
)
from patchbay.field_errors import pattern
from patchbay.ids import ConnectionRef, IntegrationId, connection_name
from patchbay.integrations.stored_integration import CONFIG_NAME, ConfigValue
from patchbay.providers.provider import AuthType, IntegrationType, RefreshStrategy
from patchbay.updates import VOLATILE, ReadOnly, Update

MAX_METADATA_BYTES = 8 * 1024
MAX_SCOPES = 100
_MAX_PER_HOUR = 1_000_000


class IntegrationStatus(StrEnum):
    """PENDING_SETUP until the config has all fields that the provider needs."""

    PENDING_SETUP = "PENDING_SETUP"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    ERROR = "ERROR"


class ReviewStatus(StrEnum):
    """The platform's decision on the current version of a public integration."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


def _check_metadata_size(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        size = compact_json.size(metadata)
    except TypeError as error:  # only from callers in our own process
        raise ValueError(str(error)) from None
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"has {size} bytes as JSON; the maximum is {MAX_METADATA_BYTES}")
    return metadata


def _check_https(url: str) -> str:
    if not re.match(r"https://[A-Za-z0-9]", url):
        raise ValueError("must start with https:// and a host")
    return url


PROVIDER_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
ProviderName = Annotated[
    str,
    StringConstraints(
        pattern=pattern(
            PROVIDER_PATTERN,
            "a name of 1 to 64 lowercase letters, digits, _ or -, such as hubspot",
        )
    ),
]
# RFC 6749, 3.3: printable ASCII except space, quote and backslash. No comma: some providers separate scopes
# with it.
OAuthScope = Annotated[
    str,
    StringConstraints(
        pattern=pattern(
            r"^[!#-+\--\[\]-~]{1,256}$",
            "one scope: 1 to 256 ASCII characters without spaces, commas, quotes and backslashes",
        )
    ),
]
ConnectionName = Annotated[
    str,
    StringConstraints(pattern=pattern(ConnectionRef.PATTERN, "1 to 64 letters, digits, _, . or -")),
    AfterValidator(connection_name),
]
OAuthScopes = Annotated[list[OAuthScope], Field(max_length=MAX_SCOPES), AfterValidator(distinct)]
ConfigName = Annotated[
    str,
    StringConstraints(pattern=pattern(CONFIG_NAME, "1 to 64 letters, digits and _, beginning with a letter")),
]
# The service checks the value of each field, because it depends on the provider. null removes the field.
Config = Annotated[dict[ConfigName, str | bool | list[str] | None], Field(max_length=50, repr=False)]
Metadata = Annotated[JsonObject, AfterValidator(_check_metadata_size)]
LogoUrl = Annotated[
    str,
    StringConstraints(
        max_length=2048,
        pattern=pattern(
            r"^[!#-;=?-\[\]_a-z~]+$",
            "a URL in ASCII, with quotes and spaces percent-encoded",
        ),
    ),
    AfterValidator(_check_https),
    Field(json_schema_extra={"pattern": r"^https://[A-Za-z0-9][!#-;=?-\[\]_a-z~]*$"}),
]
PerHour = Annotated[int, Field(ge=1, le=_MAX_PER_HOUR)]
PerDay = Annotated[int, Field(ge=1, le=24 * _MAX_PER_HOUR)]


class CreateIntegration(ApiModel):
    """`config` has the OAuth client (`clientId`, `clientSecret`, `redirectUris`) and, for a custom provider,
    its URLs. Unknown fields of `config` are stored as secrets.
    """

    name: Name
    type: IntegrationType = Field(strict=False)
    provider: ProviderName | None = None
    description: Annotated[PlainText, StringConstraints(max_length=2000)] = ""
    logo_url: LogoUrl | None = None
    config: Config = Field(default_factory=dict)
    scopes: OAuthScopes = Field(default_factory=list)
    rate_limit_per_hour: PerHour | None = None
    rate_limit_per_day: PerDay | None = None
    is_public: bool = False
    metadata: Metadata = Field(default_factory=dict)


class SetIntegrationStatus(ApiModel):
    status: Literal["ACTIVE", "INACTIVE", "ERROR"]
    status_reason: Annotated[PlainText, StringConstraints(max_length=500)] | None = None


class IntegrationQuery(ListQuery):
    """`includePublic` adds the marketplace's integrations of other workspaces, after the workspace's own."""

    type: IntegrationType | None = None
    status: IntegrationStatus | None = None
    provider: ProviderName | None = None
    include_public: bool = False


class MarketplaceQuery(ListQuery):
    type: IntegrationType | None = None
    provider: ProviderName | None = None
    search: Annotated[str, StringConstraints(max_length=100)] | None = None


class RevealQuery(QueryModel):
    reveal: bool = False


class Publisher(ApiModel):
    """The publisher of an integration. The platform sets `name` and `verified`, not the publisher."""

    workspace_id: str
    name: str | None
    verified: bool


class Integration(ApiModel):
    """Secrets in `config` are masked unless revealed. `installedFrom` is the public integration or built-in
    template that this one was installed from. `statusReason` is `missing_config: <fields>` while setup is
    incomplete, a code if Patchbay changed the status, or the owner's text. `reviewReason` is the platform's
    text, or `unpublished: <text>`. `withdrawn` means that the platform has withdrawn it from the marketplace
    and stopped its copies until it approves a later version. `createdBy` is null for an integration of
    another workspace.
    """

    id: IntegrationId
    name: str
    type: IntegrationType
    provider: str | None
    description: str
    logo_url: str | None
    status: IntegrationStatus
    status_reason: str | None
    config: dict[str, ConfigValue] = Field(repr=False)
    scopes: list[str]
    rate_limit_per_hour: int | None
    rate_limit_per_day: int | None
    is_public: bool
    review_status: ReviewStatus | None
    review_reason: str | None
    withdrawn: bool
    publisher: Publisher | None
    installed_from: IntegrationId | None
    metadata: JsonObject
    connection_count: Annotated[int, VOLATILE]
    created_by: str | None
    created_at: Timestamp
    updated_at: Annotated[Timestamp, VOLATILE]
    version: int


class UpdateIntegration(Update, CreateIntegration):
    """Only the fields that you send change. `config` and `metadata` are merged by key, and null removes a
    key. A secret whose value is the mask does not change. The defaults here are placeholders.
    """

    read_only = ReadOnly(
        Integration,
        "integration",
        see=dict.fromkeys(
            ("status", "statusReason"), "change the status with PUT /api/integrations/{id}/status"
        ),
    )

    name: Name = ""
    type: IntegrationType = Field(default=IntegrationType.CUSTOM, strict=False)


# ── reviews of publications ──────────────────────────────────────────────────────────────────────────


class PublisherKey(str):
    """A publisher's workspace in a path."""

    __slots__ = ()
    PATTERN = WORKSPACE_ID_PATTERN

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError if no workspace can have this ID."""
        if not re.fullmatch(cls.PATTERN, text):
            raise ValueError("must be a workspace ID: 1 to 64 letters, digits, _ or -")
        return cls(text)


class PublicationQuery(ListQuery):
    review_status: ReviewStatus | None = None


class PublishedFields(ApiModel):
    """The visible fields of a public integration, and the OAuth client that its copies use."""

    version: int
    name: str
    type: IntegrationType
    provider: str | None
    description: str
    logo_url: str | None
    scopes: list[str]
    client_id: str | None
    rate_limit_per_hour: int | None
    rate_limit_per_day: int | None


class Publication(ApiModel):
    """A published integration, as the platform reviews it. `id` is the integration's ID. The platform sets
    `publisherName` and `verified`, not the publisher. `submitted` is the current version; null if it is no
    longer public. `listed` is the version in the marketplace, approved at `listedAt`, or null. `waitingSince`
    is null unless a review is pending. The copies of a `withdrawn` integration do not work.
    """

    id: IntegrationId
    workspace_id: str
    publisher_name: str | None
    verified: bool
    review_status: ReviewStatus | None
    review_reason: str | None
    waiting_since: Timestamp | None
    withdrawn: bool
    submitted: PublishedFields | None
    listed: PublishedFields | None
    listed_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class PublicationDetail(Publication):
    """A publication with the number of its installed copies, counted up to 1,000, and with the platform's
    latest decisions, newest first.
    """

    copy_count: int
    decisions: list[LogEntry]


class _DecisionFields(ApiModel):
    version: int | None = None
    publisher_name: Name | None = None
    verified: bool = False
    review_reason: Annotated[PlainText, StringConstraints(max_length=500)] | None = None


class DecidePublication(_DecisionFields):
    """The platform's decision on a public integration. APPROVE and REJECT need the reviewed `version` and
    complete its pending review. WITHDRAW revokes an approval at any version and stops the copies. An approval
    sets `publisherName` and `verified`.
    """

    decision: Literal["APPROVE", "REJECT", "WITHDRAW"]


class ReviewPublication(_DecisionFields):
    """The input of the function of the platform's operators: a decision, as in DecidePublication, or nothing,
    which lists the pending reviews. The right to invoke the function is the right to decide.
    """

    workspace_id: str | None = None
    integration_id: IntegrationId | None = None
    decision: Literal["APPROVE", "REJECT", "WITHDRAW"] | None = None


# ── providers ────────────────────────────────────────────────────────────────────────────────────────


class ProviderKey(str):
    """A provider in a path."""

    __slots__ = ()
    PATTERN = PROVIDER_PATTERN

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError if no provider can have this key."""
        if not re.fullmatch(cls.PATTERN, text):
            raise ValueError("must be a provider key: lowercase letters, digits, _ or -")
        return cls(text)


class ProviderQuery(QueryModel):
    """`search` is part of the key, the name or the description, ignoring case."""

    type: IntegrationType | None = None
    auth_type: AuthType | None = None
    search: Annotated[str, StringConstraints(max_length=100)] | None = None


class ProviderSummary(ApiModel):
    """A built-in provider, or a type of custom provider (`custom…`). `key` is the `provider` of an
    integration. `templateId` is the template to install; null for a custom provider.
    """

    key: str
    name: str
    type: IntegrationType
    auth_type: AuthType
    description: str
    documentation_url: str | None
    template_id: IntegrationId | None


class ProviderScope(ApiModel):
    """An OAuth scope that Patchbay requests `always`, or if the integration does not set its own scopes."""

    name: str
    description: str | None
    always: bool


class ProviderOAuth(ApiModel):
    """A provider's OAuth settings, which an integration cannot change. A name in braces in a URL is a field
    of `config`, or a value from the provider's response. Without a `revocationUrl`, a grant cannot be
    revoked.
    """

    authorization_url: str
    token_url: str
    revocation_url: str | None
    issuer: str | None
    client_auth: str
    pkce: bool
    scope_separator: str
    refresh: RefreshStrategy
    scopes: list[ProviderScope]


class Provider(ProviderSummary):
    """What an integration of a provider needs. `configSchema` describes its `config`, `credentialsSchema` the
    `credentials` of a connection (null with OAuth), as JSON Schema 2020-12. `oauth` is null without OAuth and
    for a custom provider, whose config has these settings. `hosts` are the hosts that Patchbay calls; `*.x`
    means any subdomain of x. `redirectUris` are the redirect URIs for an integration without
    `config.redirectUris`: register them at the provider.
    """

    config_schema: JsonObject
    credentials_schema: JsonObject | None
    oauth: ProviderOAuth | None
    hosts: list[str]
    redirect_uris: list[str]
