"""Connections and the OAuth flow as the API takes and gives them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from patchbay.api_model import ApiModel, ListQuery, Timestamp
from patchbay.ids import ConnectionId, IntegrationId, connection_name
from patchbay.integrations.models import OAuthScopes

DEFAULT = "default"
_MAX_PARAMETERS = 30


Name = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$"),
    AfterValidator(connection_name),
]
# Printable ASCII (RFC 3986, 2): parsers pass over the rest in ways of their own.
Uri = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,2048}$")]
Parameter = Annotated[str, StringConstraints(max_length=4096)]
# RFC 6749, A.11.
Code = Annotated[str, StringConstraints(pattern=r"^[ -~]{1,4096}$")]


class ConnectionStatus(StrEnum):
    """ERROR: the provider refuses for a reason that is not the grant's; it is tried again. EXPIRED: to be
    connected anew. REVOKED: on its way out.
    """

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    ERROR = "ERROR"
    REVOKED = "REVOKED"


class AuthType(StrEnum):
    OAUTH2 = "OAUTH2"
    API_KEY = "API_KEY"
    BASIC = "BASIC"


class Initiate(ApiModel):
    """`redirectUri` is one of those registered, to the letter. `returnUrl` is where the browser goes after
    our own callback route; it needs none where `redirectUri` is the platform's.
    """

    redirect_uri: Uri
    connection_id: Name = DEFAULT
    scopes: OAuthScopes | None = None
    return_url: Uri | None = None


class Authorization(ApiModel):
    """Where to send the user, until when. `state` comes back with them."""

    authorization_url: str
    state: str = Field(repr=False)
    expires_at: Timestamp


class Callback(ApiModel):
    """What the provider sent the browser back with; parameters of its own are welcome."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Parameter] = Field(init=False)

    state: Parameter = Field(repr=False)
    code: Code | None = Field(default=None, repr=False)
    iss: Parameter | None = None
    error: Parameter | None = None
    error_description: Parameter | None = Field(default=None, alias="error_description")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.code is None) is (self.error is None):
            raise ValueError("send the code or the error that the provider came back with")
        if len(self.__pydantic_extra__ or {}) > _MAX_PARAMETERS:
            raise ValueError(f"at most {_MAX_PARAMETERS} parameters of the provider's own")
        return self


class RefreshConnection(ApiModel):
    connection_id: Name = DEFAULT


class CreateConnection(ApiModel):
    """For providers without OAuth. `credentials` has the fields that the provider asks for; of one that
    Patchbay does not know, `apiKey`, or `username` and `password`.
    """

    connection_id: Name = DEFAULT
    credentials: Annotated[dict[str, Parameter], Field(min_length=1, max_length=20, repr=False)]


class ConnectionQuery(ListQuery):
    status: ConnectionStatus | None = None


class Account(ApiModel):
    """Whose account it is, at the provider."""

    id: str | None
    label: str | None


class ConnectionError(ApiModel):
    """The last thing that went wrong; the provider's words are cleaned."""

    code: str
    detail: str
    at: Timestamp


class Connection(ApiModel):
    """`connectionId` is the caller's name for it."""

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
    last_error: ConnectionError | None
    metadata: dict[str, JsonValue]
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class AccessToken(ApiModel):
    """An access token that is good for a minute at least, if the provider gives such."""

    access_token: str = Field(repr=False)
    token_type: str
    expires_at: Timestamp | None
    scopes: list[str]
    metadata: dict[str, JsonValue]


class ConnectionCredentials(ApiModel):
    """What a connection without OAuth was made with."""

    credentials: dict[str, Any] = Field(repr=False)
