"""Connections and the OAuth flow, as the API receives and returns them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from patchbay.api_model import ApiModel, LastError, ListQuery, Timestamp
from patchbay.field_errors import pattern
from patchbay.ids import ConnectionId, ConnectionRef, IntegrationId
from patchbay.integrations.models import ConnectionName, OAuthScopes, ProviderName
from patchbay.providers.provider import AuthType
from patchbay.return_urls import Url

DEFAULT_NAME = "default"
_MAX_PARAMETERS = 30


Parameter = Annotated[str, StringConstraints(max_length=4096)]
# RFC 6749, A.11.
Code = Annotated[
    str, StringConstraints(pattern=pattern(r"^[ -~]{1,4096}$", "1 to 4,096 printable ASCII characters"))
]


class ConnectionStatus(StrEnum):
    """ERROR: refreshes fail for a reason other than the grant, and Patchbay retries. EXPIRED: the user must
    connect again. REVOKED: being removed.
    """

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    ERROR = "ERROR"
    REVOKED = "REVOKED"


class Initiate(ApiModel):
    """`redirectUri` must exactly match a registered redirect URI. `returnUrl` is where Patchbay's callback
    route redirects the browser; it is not needed with a `redirectUri` of the platform.
    """

    redirect_uri: Url
    connection_id: ConnectionName = DEFAULT_NAME
    scopes: OAuthScopes | None = None
    return_url: Url | None = None


def sent_name(body: Initiate | CreateConnection) -> str | None:
    """The connection's name, if the caller sent one."""
    return body.connection_id if "connection_id" in body.model_fields_set else None


class Authorization(ApiModel):
    """Where to send the user. The provider returns `state` with them."""

    authorization_url: str
    state: str = Field(repr=False)
    expires_at: Timestamp


class Callback(ApiModel):
    """The query parameters of the provider's redirect, including provider-specific ones."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Parameter] = Field(init=False)

    state: Parameter = Field(repr=False)
    code: Code | None = Field(default=None, repr=False)
    iss: Parameter | None = None
    error: Parameter | None = None
    error_description: Parameter | None = Field(default=None, alias="error_description")

    @model_validator(mode="after")
    def _has_code_or_error(self) -> Self:
        if (self.code is None) is (self.error is None):
            raise ValueError("must contain either the code or the error that the provider returned")
        if len(self.__pydantic_extra__ or {}) > _MAX_PARAMETERS:
            raise ValueError(f"must contain at most {_MAX_PARAMETERS} additional parameters")
        return self


class RefreshConnection(ApiModel):
    """`connectionId` is the connection's name or its ID."""

    connection_id: Annotated[
        str, StringConstraints(pattern=pattern(ConnectionRef.PATTERN, ConnectionRef.MEANING))
    ] = DEFAULT_NAME


class CreateConnection(ApiModel):
    """For providers without OAuth. `credentials` has the fields that the provider requires. For a custom
    provider: `apiKey`, or `username` and `password`.
    """

    connection_id: ConnectionName = DEFAULT_NAME
    credentials: Annotated[dict[str, Parameter], Field(min_length=1, max_length=20, repr=False)]


class ConnectionQuery(ListQuery):
    status: ConnectionStatus | None = None


class WorkspaceConnectionQuery(ConnectionQuery):
    """`connectionId` is the name that the caller chose, and `accountId` the account's at the provider."""

    integration_id: IntegrationId | None = None
    provider: ProviderName | None = None
    connection_id: Annotated[str, StringConstraints(pattern=ConnectionRef.PATTERN)] | None = None
    account_id: Annotated[str, StringConstraints(max_length=1024)] | None = None


class Account(ApiModel):
    """The account at the provider."""

    id: str | None
    label: str | None


class Connection(ApiModel):
    """`connectionId` is the name that the caller chose."""

    id: ConnectionId
    connection_id: str
    integration_id: IntegrationId
    provider: str | None
    status: ConnectionStatus
    auth_type: AuthType
    scopes: list[str]
    account: Account
    expires_at: Timestamp | None
    last_refreshed_at: Timestamp | None
    last_error: LastError | None
    metadata: dict[str, JsonValue]
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class AccessToken(ApiModel):
    """An access token that is valid for at least a minute, if the provider issues such tokens."""

    access_token: str = Field(repr=False)
    token_type: str
    expires_at: Timestamp | None
    scopes: list[str]
    metadata: dict[str, JsonValue]


class ConnectionCredentials(ApiModel):
    """The credentials of a connection without OAuth."""

    credentials: dict[str, str] = Field(repr=False)
