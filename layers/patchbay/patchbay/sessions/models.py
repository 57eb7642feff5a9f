"""Portal sessions, and the caller, as the API receives and returns them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints

from patchbay.api_keys.models import CallerKey, Scopes
from patchbay.api_model import ApiModel, Name, Timestamp
from patchbay.field_errors import pattern
from patchbay.ids import PortalSessionId
from patchbay.return_urls import Url

DEFAULT_SECONDS = 3_600
MAX_SECONDS = 86_400


_Color = Annotated[str, StringConstraints(pattern=pattern(r"^#[0-9A-Fa-f]{6}$", "a color such as #3366ff"))]
_View = Annotated[
    str,
    StringConstraints(
        max_length=200,
        pattern=pattern(r"^(/[A-Za-z0-9_-]+)+$", "a path of the console such as /webhooks, without a query"),
    ),
]


class Theme(ApiModel):
    """The appearance of the console. `auto` follows the browser. Without `primaryColor`, the console uses its
    default color."""

    color_scheme: Literal["light", "dark", "auto"] = "auto"
    primary_color: _Color | None = None


class PortalSessionStatus(StrEnum):
    """OPEN until the link is used, then ACTIVE until someone ends the session (ENDED) or it expires
    (EXPIRED). A session also ends with the API key that created it, which its status does not show.
    """

    OPEN = "OPEN"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"
    EXPIRED = "EXPIRED"


class CreatePortalSession(ApiModel):
    """A new console session. `capabilities` are scopes that you can grant; by default, all of your scopes
    that Patchbay defines, except `credentials:…`, `workspace:…` and `actions:…`. `credentials:read` is never
    allowed, because access tokens must not reach a browser. With `readOnly`, the session has only read scopes
    and cannot make changes.
    """

    capabilities: Scopes | None = None
    read_only: bool = False
    theme: Theme = Field(default_factory=Theme)
    view: _View | None = None
    label: Name | None = None
    return_url: Url | None = None
    expires_in: Annotated[int, Field(ge=60, le=MAX_SECONDS)] = DEFAULT_SECONDS


class PortalSessionLink(ApiModel):
    """A new session. Only this response contains its link."""

    id: PortalSessionId
    link: Annotated[str, Field(repr=False)]
    expires_at: Timestamp
    code_expires_at: Timestamp
    capabilities: list[str]
    read_only: bool


class PortalSession(ApiModel):
    """A session without its secrets."""

    id: PortalSessionId
    status: PortalSessionStatus
    label: str | None
    capabilities: list[str]
    read_only: bool
    theme: Theme
    view: str | None
    return_url: str | None
    created_by: str
    created_at: Timestamp
    opened_at: Timestamp | None
    ended_at: Timestamp | None
    expires_at: Timestamp


class ExchangeCode(ApiModel):
    """The code is in the fragment of the link."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=256), Field(repr=False)]


class PortalSessionToken(ApiModel):
    """The bearer token of a session, valid for its whole lifetime. Keep it in memory only."""

    id: PortalSessionId
    token: Annotated[str, Field(repr=False)]
    workspace_id: str
    expires_at: Timestamp
    capabilities: list[str]
    read_only: bool
    label: str | None
    theme: Theme
    view: str | None
    return_url: str | None


class PortalSessionRef(str):
    """A portal session in a path: its ID, or `current`, the caller's own."""

    __slots__ = ()
    CURRENT = "current"
    PATTERN = rf"^({CURRENT}|{PortalSessionId.prefix}_[0-9A-Za-z]{{22}})$"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError if `text` is neither."""
        if text != cls.CURRENT:
            try:
                PortalSessionId.parse(text)
            except ValueError as error:
                raise ValueError(f"{error}, or {cls.CURRENT}") from None
        return cls(text)

    @property
    def id(self) -> PortalSessionId | None:
        """The ID, or None for the caller's own session."""
        return None if self == self.CURRENT else PortalSessionId(self)


class CallerSession(ApiModel):
    """The portal session of the caller. `returnUrl` is where to send the user when the session ends."""

    id: PortalSessionId
    label: str | None
    read_only: bool
    theme: Theme
    view: str | None
    return_url: str | None
    expires_at: Timestamp


class Caller(ApiModel):
    """The owner of the credentials. `id` has the format of `createdBy`: `user:…`, the ID of the API key, or
    `session:…`.

    A user has a `role` unless their token lists its scopes. A session has no role.
    """

    workspace_id: str
    id: str
    type: Literal["user", "key", "session"]
    role: str | None
    scopes: list[str]
    key: CallerKey | None
    session: CallerSession | None
