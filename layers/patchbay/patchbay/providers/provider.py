"""Providers as data: one TOML file each, beside this module, checked by the models below.

Adding a provider is adding its file here and its recorded exchange in tests/providers. A name in braces in a
URL is a *variable*: one of the integration's config (`variables`), of the callback's parameters (`callback`),
or what was kept of a token response (`metadata`). Each of them is held against a pattern or a list of hosts
before it goes into a URL: a callback or a token response is not to say where secrets go.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

_FOLDER = Path(__file__).parent
_HTTPS_HOST = re.compile(r"https://([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.ASCII)


class IntegrationType(StrEnum):
    ZAPIER = "ZAPIER"
    MAKE = "MAKE"
    N8N = "N8N"
    CRM = "CRM"
    DESIGN_TOOL = "DESIGN_TOOL"
    MARKETING_AUTOMATION = "MARKETING_AUTOMATION"
    SOCIAL = "SOCIAL"
    CUSTOM = "CUSTOM"
    WEBHOOK = "WEBHOOK"


class RefreshStrategy(StrEnum):
    """How a connection gets its next access token.

    rotating          a refresh token that works once; its answer brings the next one
    static            a refresh token that works again and again
    exchange          the access token itself is exchanged for a fresh one, while it is valid
    never_expires     not at all: the token ends when it is revoked
    reauthorize_only  not at all: when the token ends, its owner has to connect again
    """

    ROTATING = "rotating"
    STATIC = "static"
    EXCHANGE = "exchange"
    NEVER_EXPIRES = "never_expires"
    REAUTHORIZE_ONLY = "reauthorize_only"


def _variables(url: str) -> str:
    names = {name for _, name, spec, conversion in Formatter().parse(url) if name is not None}
    if not all(name.isidentifier() for name in names):
        raise ValueError("a variable is a name in braces")
    start = url.split("}", 1)[0] if url.startswith("{") else url
    if not (url.startswith("{") or _HTTPS_HOST.match(url) or url.startswith("https://{")):
        raise ValueError(f"{start} is no https address")
    return url


Url = Annotated[str, AfterValidator(_variables)]
Host = Annotated[str, StringConstraints(pattern=r"^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][A-Za-z0-9]{0,31}$")]
DotPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variable(_Data):
    """A part of the provider's addresses that the integration's config says."""

    pattern: str
    default: str | None = None
    description: str


class CallbackVariable(_Data):
    """A parameter of the authorization response that becomes a variable; an https address at one of `hosts`."""

    parameter: str
    hosts: list[Host]
    default: str


class Kept(_Data):
    """What is kept of a response as metadata. With `hosts` it must be an https address at one of them, or the
    whole response is refused.
    """

    path: DotPath
    hosts: list[Host] | None = None


class FollowUp(_Data):
    """A call after the token came, for what the token response does not tell.

    `auth`: the access token as `bearer` or `oauth` (Mailchimp's spelling) in the header, or `introspection`
    (RFC 7662: the token in the body, the client authenticated). A `required` one that fails, fails the whole;
    without it the connection lacks what it would have told. Paths lead into its JSON answer.
    """

    url: Url
    auth: Literal["bearer", "oauth", "introspection"] = "bearer"
    required: bool = False
    on_refresh: bool = False
    headers: dict[str, str] = Field(default_factory=dict)
    account_id: DotPath | None = None
    account_label: DotPath | None = None
    expires_at: DotPath | None = None  # Unix seconds
    metadata: dict[Name, Kept] = Field(default_factory=dict)


class Exchange(_Data):
    """Turns one access token into another that lives longer: a GET, as Meta makes it."""

    url: Url
    grant_type: str
    token_parameter: str
    send_client_id: bool = False
    send_client_secret: bool = False
    min_age_seconds: int = 0  # an access token younger than this is not exchanged yet


class Revocation(_Data):
    """How a grant is taken back. `rfc7009` posts `token` with the client authenticated; `bearer` calls the
    address with the access token as a bearer token and nothing else; `query` posts the token in the query.
    """

    url: Url
    style: Literal["rfc7009", "bearer", "query", "github"] = "rfc7009"
    method: Literal["POST", "GET", "DELETE"] = "POST"
    token: Literal["refresh_token", "access_token"] = "refresh_token"  # noqa: S105  # a field's name


class Errors(_Data):
    """How the provider says no. `codes` are the paths where it stands, the first that holds a text counts;
    `ended` are codes that mean: this grant is over, as `invalid_grant` does.
    """

    codes: list[DotPath] = Field(default_factory=lambda: ["error"])
    descriptions: list[DotPath] = Field(default_factory=lambda: ["error_description"])
    ended: list[str] = Field(default_factory=list)


class OAuth(_Data):
    """An OAuth 2.0 provider (RFC 6749)."""

    authorization_url: Url
    token_url: Url
    issuer: str | None = None
    iss_required: bool = False  # RFC 9207: it publishes authorization_response_iss_parameter_supported
    client_auth: Literal["body", "basic", "none"] = "body"
    pkce: bool = True
    scope_separator: Literal[" ", ","] = " "
    scope_parameter: str = "scope"
    default_scopes: list[str] = Field(default_factory=list)
    offline_scopes: list[str] = Field(default_factory=list)  # always asked for: they bring the refresh token
    authorize_parameters: dict[str, str] = Field(default_factory=dict)
    refresh: RefreshStrategy
    # Where it does not say how long a token lives.
    assumed_lifetime_seconds: int | None = None
    # How long before its end a token is refreshed; None: 15 minutes, or a fifth of its life if that is less.
    refresh_margin_seconds: int | None = None
    # Objects of the token response that the token may stand in, the first that has one counts.
    token_in: list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.]*$")]] = Field(
        default_factory=lambda: [""]
    )
    scope_path: str = "scope"
    account_id: DotPath | None = None
    account_label: DotPath | None = None
    metadata: dict[Name, Kept] = Field(default_factory=dict)
    callback: dict[Name, CallbackVariable] = Field(default_factory=dict)
    long_lived: Exchange | None = None  # right after the code
    renewal: Exchange | None = None  # instead of a refresh token
    follow_ups: list[FollowUp] = Field(default_factory=list)
    revocation: Revocation | None = None
    errors: Errors = Field(default_factory=Errors)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.refresh is RefreshStrategy.EXCHANGE) is not (self.renewal is not None):
            raise ValueError("the strategy exchange and `renewal` go together")
        if self.iss_required and not self.issuer:
            raise ValueError("iss_required needs the issuer")
        return self


class CredentialField(_Data):
    """One field of the credentials that a connection is made with."""

    label: str
    secret: bool = True
    pattern: str = r"^[\x20-\x7e]{1,4096}$"
    description: str = ""


class Credentials(_Data):
    """A provider without OAuth: what a connection's credentials are."""

    kind: Literal["API_KEY", "BASIC"]
    fields: dict[FieldName, CredentialField]
    account_label: FieldName | None = None


class Provider(_Data):
    """One provider: either `oauth` or `credentials`."""

    name: str
    label: str
    type: IntegrationType
    description: str
    docs: Annotated[str, StringConstraints(pattern=r"^https://")]
    variables: dict[FieldName, Variable] = Field(default_factory=dict)
    oauth: OAuth | None = None
    credentials: Credentials | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.oauth is None) is (self.credentials is None):
            raise ValueError("a provider has either oauth or credentials")
        if self.oauth is not None:
            before = {*self.variables, *self.oauth.callback}
            for url, known in self._urls(self.oauth, before):
                unknown = {name for _, name, _, _ in Formatter().parse(url) if name} - known
                if unknown:
                    raise ValueError(f"{url}: nothing says what {sorted(unknown)} is")
        for name, variable in self.variables.items():
            if variable.default is not None and not re.fullmatch(variable.pattern, variable.default):
                raise ValueError(f"the default of {name} does not fit its pattern")
        return self

    @staticmethod
    def _urls(oauth: OAuth, before: set[str]) -> Iterator[tuple[str, set[str]]]:
        after = before | {name for name, kept in oauth.metadata.items() if kept.hosts}
        yield oauth.authorization_url, before
        yield oauth.token_url, before
        for later in (oauth.long_lived, oauth.renewal, oauth.revocation, *oauth.follow_ups):
            if later is not None:
                yield later.url, after


@cache
def names() -> tuple[str, ...]:
    """The names of all providers, in order."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.toml")))


@cache
def load(name: str) -> Provider | None:
    """The provider of that name, or None. Only its own file is read."""
    if name not in names():
        return None
    return read(_FOLDER / f"{name}.toml")


def read(file: Path) -> Provider:
    """A provider's file. Raises pydantic's ValidationError when it does not fit."""
    return Provider.model_validate({"name": file.stem, **tomllib.loads(file.read_text("utf-8"))})


def fill(url: str, variables: Mapping[str, str]) -> str:
    """An address with its variables in place. Raises KeyError for one that nothing says."""
    return url.format_map(variables)


def at_host(url: Any, hosts: list[str]) -> bool:
    """Whether `url` is an https address, without port, user, path or anything else but a slash behind it, at
    one of `hosts`; `*.x` stands for any name below x.
    """
    if not isinstance(url, str):
        return False
    match = _HTTPS_HOST.fullmatch(url.removesuffix("/"))
    if match is None:
        return False
    host = match[1]
    return any(
        host.endswith(known[1:]) and len(host) > len(known) - 1 if known.startswith("*.") else host == known
        for known in hosts
    )


def origin(url: str) -> str:
    """Scheme, host and port, in lower case."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
