"""Providers as data: one TOML file each, beside this module, checked by the models below.

Adding a provider is adding its file here and its recording in tests/providers/recordings. A name in braces in
a URL is a *variable*: in the middle one of the integration's config (`variables`), held against its pattern;
in front a whole address, of the callback (`callback`) or of a token response (`metadata` with `hosts`), held
against a list of hosts. A callback or a token response is not to say where secrets go.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

_FOLDER = Path(__file__).parent
_HTTPS_HOST = re.compile(r"https://([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.ASCII)
_ADDRESS = re.compile(_HTTPS_HOST.pattern + r"(/[\x21-\x7e]*)?", re.ASCII)


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


def _address(url: str) -> str:
    parts = list(Formatter().parse(url))
    if not all(
        name is None or (name.isidentifier() and not spec and not how) for _, name, spec, how in parts
    ):
        raise ValueError("a variable is a name in braces")
    # What the variables stand for is judged where they come from.
    like = "".join(text + ("" if name is None else "x") for text, name, _, _ in parts)
    if url.startswith("{") and like[1:2] in ("", "/"):
        like = f"https://x.example{like[1:]}"
    if not _ADDRESS.fullmatch(like):
        raise ValueError(f"{url} is no https address")
    return url


def _regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern} is no regular expression: {error}") from None
    return pattern


Url = Annotated[str, AfterValidator(_address)]
# The whole text has to match.
Pattern = Annotated[str, AfterValidator(_regex)]
Host = Annotated[str, StringConstraints(pattern=r"^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][A-Za-z0-9]{0,31}$")]
DotPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variable(_Data):
    """A part of the provider's addresses that the integration's config says."""

    pattern: Pattern
    default: str | None = None
    description: str

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.default is not None and not re.fullmatch(self.pattern, self.default):
            raise ValueError(f"the default {self.default} does not fit the pattern")
        return self


class CallbackVariable(_Data):
    """A parameter of the authorization response that becomes a variable: an address at one of `hosts`."""

    parameter: str
    hosts: list[Host]
    default: str  # what it is before the callback, and where the callback does not say

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not at_host(self.default, self.hosts):
            raise ValueError(f"the default {self.default} is at none of the hosts")
        return self


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
    """How a grant is taken back.

    rfc7009     posts `token` (or the other one, where there is none of it) with the client authenticated
    token_only  posts it alone
    bearer      calls the address by `method` with the access token as its bearer
    github      DELETE <url>/<client id>/grant, the access token in JSON, the client authenticated by Basic
    """

    url: Url
    style: Literal["rfc7009", "token_only", "bearer", "github"] = "rfc7009"
    method: Literal["POST", "DELETE"] = "POST"
    token: Literal["refresh_token", "access_token"] = "refresh_token"  # noqa: S105  # a field's name


class Errors(_Data):
    """How the provider says no. `codes` and `descriptions` are the paths where it stands; of each the first
    that holds a text counts. `ended` means that this grant is over, as `invalid_grant` does; `passing`, that
    nothing was done and it may be asked again, as `temporarily_unavailable` does. Both list codes, or
    "code: description" where the code alone says too little. `error_codes` has the codes that all share.
    """

    codes: list[DotPath] = Field(default_factory=lambda: ["error"])
    descriptions: list[DotPath] = Field(default_factory=lambda: ["error_description"])
    ended: list[str] = Field(default_factory=list)
    passing: list[str] = Field(default_factory=list)


class OAuth(_Data):
    """An OAuth 2.0 provider (RFC 6749)."""

    authorization_url: Url
    token_url: Url
    issuer: str | None = None
    iss_required: bool = False  # RFC 9207: it publishes authorization_response_iss_parameter_supported
    # Where the issuer is not known: the origins that an `iss` may have. Empty: any.
    iss_origins: list[str] = Field(default_factory=list)
    client_auth: Literal["body", "basic", "none"] = "body"
    pkce: bool = True
    scope_separator: Literal[" ", ","] = " "
    default_scopes: list[str] = Field(default_factory=list)
    offline_scopes: list[str] = Field(default_factory=list)  # always asked for: they bring the refresh token
    authorize_parameters: dict[str, str] = Field(default_factory=dict)
    refresh: RefreshStrategy
    # Where it does not say how long a token that can be refreshed lives. RFC 6749, 5.1 leaves expires_in out
    # for "other means"; where there are none, an hour is what most give.
    assumed_lifetime_seconds: int = Field(default=3600, gt=0)
    # How long before its end a token is refreshed, or a fifth of its life if that is less.
    refresh_margin_seconds: int = Field(default=15 * 60, gt=0)
    # Objects of the token response that the token may stand in, the first that has one counts.
    token_in: list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.]*$")]] = Field(
        default_factory=lambda: [""]
    )
    scope_path: DotPath = "scope"  # within that object
    account_id: DotPath | None = None
    account_label: DotPath | None = None
    metadata: dict[Name, Kept] = Field(default_factory=dict)
    callback: dict[Name, CallbackVariable] = Field(default_factory=dict)
    long_lived: Exchange | None = None  # right after the code
    renewal: Exchange | None = None  # instead of a refresh token
    follow_ups: list[FollowUp] = Field(default_factory=list)
    revocation: Revocation | None = None
    # Revoke the old grant when a connection is made again. Only for providers that then keep the new grant:
    # many revoke all of a user's grants to a client.
    revoke_replaced: bool = False
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
    pattern: Pattern = r"[\x20-\x7e]{1,4096}"
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
            config, addresses = set(self.variables), set(self.oauth.callback)
            _check_urls([self.oauth.authorization_url, self.oauth.token_url], config, addresses)
            addresses |= {name for name, kept in self.oauth.metadata.items() if kept.hosts}
            later = (self.oauth.long_lived, self.oauth.renewal, self.oauth.revocation, *self.oauth.follow_ups)
            _check_urls([call.url for call in later if call is not None], config, addresses)
        return self


def _check_urls(urls: list[str], config: set[str], addresses: set[str]) -> None:
    for url in urls:
        for text, name, _, _ in Formatter().parse(url):
            # Only an address may say the host and all that comes before it.
            in_front = url.startswith(f"{{{name}}}") and not text
            if name is not None and name not in (addresses if in_front else config):
                raise ValueError(f"{url}: nothing says what {name} is")


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
