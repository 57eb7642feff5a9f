"""Providers as data: one TOML file each, next to this module, validated by the models below.

The package's docstring says how to add a provider. A name in braces in a URL is a *variable*. In the middle
of a URL, it comes from the integration's config (`variables`), and must match its pattern. At the start, it
is a whole URL that comes from the callback (`callback`) or from a token response (`metadata` with `hosts`),
and must be at one of its hosts. So neither a callback nor a token response can decide where secrets go.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal, Self, TypeGuard

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

_FOLDER = Path(__file__).parent
_HTTPS_HOST = re.compile(r"https://([a-z0-9-]+(?:\.[a-z0-9-]+)+)", re.ASCII)
_LEADING_VARIABLE = re.compile(r"{(\w+)}")
_HTTPS_URL = re.compile(_HTTPS_HOST.pattern + r"(/[\x21-\x7e]*)?", re.ASCII)


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


class AuthType(StrEnum):
    """How a connection gets access: an OAuth grant, or credentials that its owner enters."""

    OAUTH2 = "OAUTH2"
    API_KEY = "API_KEY"
    BASIC = "BASIC"


class RefreshStrategy(StrEnum):
    """How a connection gets its next access token.

    - `rotating`: with a refresh token that works once. The response contains the next one.
    - `static`: with a refresh token that works repeatedly.
    - `exchange`: it exchanges the access token for a new one while it is valid.
    - `never_expires`: it needs none, because the token is valid until it is revoked.
    - `reauthorize_only`: it gets none. When the token expires, the user must connect again.
    """

    ROTATING = "rotating"
    STATIC = "static"
    EXCHANGE = "exchange"
    NEVER_EXPIRES = "never_expires"
    REAUTHORIZE_ONLY = "reauthorize_only"


def _validate_url(url: str) -> str:
    parts = list(Formatter().parse(url))
    if not all(
        name is None or (name.isidentifier() and not spec and not conversion)
        for _, name, spec, conversion in parts
    ):
        raise ValueError("a variable must be a name in braces")
    # The values of variables are validated at their source.
    example = "".join(text + ("" if name is None else "x") for text, name, _, _ in parts)
    if url.startswith("{") and example[1:2] in ("", "/"):
        example = f"https://x.example{example[1:]}"
    if not _HTTPS_URL.fullmatch(example):
        raise ValueError(f"{url} is not an https URL")
    return url


def _validate_regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern} is not a regular expression: {error}") from None
    return pattern


Url = Annotated[str, AfterValidator(_validate_url)]
# The pattern must match the whole text.
Pattern = Annotated[str, AfterValidator(_validate_regex)]
Host = Annotated[str, StringConstraints(pattern=r"^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][A-Za-z0-9]{0,31}$")]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
DotPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variable(_Data):
    """A part of the provider's URLs that comes from the integration's config."""

    pattern: Pattern
    default: str | None = None
    description: str

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.default is not None and not re.fullmatch(self.pattern, self.default):
            raise ValueError(f"the default {self.default} does not match the pattern")
        return self


class CallbackVariable(_Data):
    """A parameter of the authorization response that becomes a variable: a URL at one of `hosts`."""

    parameter: str
    hosts: list[Host]
    default: str  # before the callback, and if the callback has no such parameter

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not is_at_host(self.default, self.hosts):
            raise ValueError(f"the default {self.default} is not at one of the hosts")
        return self


class MetadataField(_Data):
    """A value of a response that is stored as metadata. With `hosts`, it must be an https URL at one of
    them. Otherwise the whole response is rejected.
    """

    path: DotPath
    hosts: list[Host] | None = None


class FollowUpRequest(_Data):
    """A request after the token request, for facts that the token response does not have.

    `auth`: the access token in the header as `bearer` or `oauth` (Mailchimp's scheme), or `introspection`
    (RFC 7662: the token in the body, the client authenticated). If a `required` one fails, the whole session
    fails. If another one fails, the connection lacks its facts. Paths refer to its JSON response.
    """

    url: Url
    auth: Literal["bearer", "oauth", "introspection"] = "bearer"
    required: bool = False
    on_refresh: bool = False
    account_id: DotPath | None = None
    account_label: DotPath | None = None
    expires_at: DotPath | None = None  # Unix seconds
    metadata: dict[Name, MetadataField] = Field(default_factory=dict)


class TokenExchange(_Data):
    """Exchanges an access token for one that lives longer, with a GET, as Meta requires."""

    url: Url
    grant_type: str
    token_parameter: str
    send_client_id: bool = False
    send_client_secret: bool = False
    min_age_seconds: int = 0  # a younger access token is not exchanged yet


class Revocation(_Data):
    """How a grant is revoked.

    rfc7009     POST with `token` (or the other token, if it is missing), the client authenticated
    token_only  POST with that token alone
    bearer      `method` with the access token as the bearer token
    github      DELETE <url>/<client id>/grant, the access token in JSON, the client authenticated with Basic
    """

    url: Url
    style: Literal["rfc7009", "token_only", "bearer", "github"] = "rfc7009"
    method: Literal["POST", "DELETE"] = "POST"
    token: Literal["refresh_token", "access_token"] = "refresh_token"  # noqa: S105  # a field's name


class Errors(_Data):
    """How the provider reports errors. `codes` and `descriptions` are paths; the first of each that has a
    text is used. `ended`: this grant has ended, as with `invalid_grant`. `passing`: nothing was done and the
    request may be repeated, as with `temporarily_unavailable`. Both list codes, or "code: description" if the
    code alone is ambiguous. `error_codes` has the codes that all providers share.
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
    iss_required: bool = False  # RFC 9207: its metadata has authorization_response_iss_parameter_supported
    # If the issuer is unknown, the origins that an `iss` may have. Empty means any.
    iss_origins: list[str] = Field(default_factory=list)
    # How token requests send the client's secret: in the body, as HTTP Basic, or not at all.
    client_auth: Literal["body", "basic", "none"] = "body"
    pkce: bool = True  # send a code challenge (RFC 7636, S256); false only if the provider refuses it
    scope_separator: Literal[" ", ","] = " "
    default_scopes: list[str] = Field(default_factory=list)  # requested unless the integration lists others
    offline_scopes: list[str] = Field(default_factory=list)  # always requested, to get a refresh token
    # What the scopes above allow, in the provider's words or in fewer.
    scope_descriptions: dict[str, str] = Field(default_factory=dict)
    authorize_parameters: dict[str, str] = Field(default_factory=dict)  # extra authorization URL parameters
    refresh: RefreshStrategy
    # The lifetime of a token that can be refreshed, if the response does not say. RFC 6749, 5.1 then leaves
    # it to "other means". Without those, an hour is the most common.
    assumed_lifetime_seconds: int = Field(default=3600, gt=0)
    # How long before its expiry a token is refreshed, or a fifth of its lifetime if that is less.
    refresh_margin_seconds: int = Field(default=15 * 60, gt=0)
    # The objects of the token response that may contain the token. The first one with a token is used.
    token_in: list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.]*$")]] = Field(
        default_factory=lambda: [""]
    )
    scope_path: DotPath = "scope"  # within that object
    account_id: DotPath | None = None
    account_label: DotPath | None = None
    metadata: dict[Name, MetadataField] = Field(default_factory=dict)
    callback: dict[Name, CallbackVariable] = Field(default_factory=dict)
    long_lived: TokenExchange | None = None  # right after the code exchange
    renewal: TokenExchange | None = None  # instead of a refresh token
    follow_ups: list[FollowUpRequest] = Field(default_factory=list)
    revocation: Revocation | None = None
    # Revoke the old grant when its owner connects again. Only for providers that then keep the new grant:
    # many revoke all of a user's grants to a client.
    revoke_replaced: bool = False
    errors: Errors = Field(default_factory=Errors)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.refresh is RefreshStrategy.EXCHANGE) is not (self.renewal is not None):
            raise ValueError("the strategy exchange and `renewal` require each other")
        if self.iss_required and not self.issuer:
            raise ValueError("iss_required requires the issuer")
        if unknown := self.scope_descriptions.keys() - {*self.default_scopes, *self.offline_scopes}:
            raise ValueError(f"described, but never requested: {', '.join(unknown)}")
        return self


class Api(_Data):
    """Where the provider's API is, and which headers a request with a connection's token needs.

    `base` has no path; like other URLs, it may begin with a variable, or with a field of the credentials.
    `hosts` may get the token, too: only hosts where no one else's code runs. In `headers`, `{token}` is the
    access token, `{client_id}` the client's ID, and any other name a field of the credentials.
    """

    base: Url
    hosts: list[Host] = Field(default_factory=list)
    headers: dict[HeaderName, str] = Field(default_factory=lambda: {"authorization": "Bearer {token}"})

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if "/" in self.base.removeprefix("https://"):
            raise ValueError(f"the base {self.base} has a path")
        return self


class CredentialField(_Data):
    """One field of a connection's credentials. Without a pattern, it may have any text."""

    label: str
    secret: bool = True
    pattern: Pattern | None = r"[\x20-\x7e]{1,4096}"
    description: str = ""


class CredentialSchema(_Data):
    """The credentials of a connection to a provider without OAuth."""

    kind: Literal["API_KEY", "BASIC"]
    fields: dict[FieldName, CredentialField]
    account_label: FieldName | None = None


class Provider(_Data):
    """One provider, with either `oauth` or `credentials`."""

    name: str
    label: str
    type: IntegrationType
    description: str
    docs: Annotated[str, StringConstraints(pattern=r"^https://")]
    variables: dict[FieldName, Variable] = Field(default_factory=dict)
    oauth: OAuth | None = None
    credentials: CredentialSchema | None = None
    api: Api | None = None

    @property
    def auth_type(self) -> AuthType:
        return AuthType.OAUTH2 if self.credentials is None else AuthType(self.credentials.kind)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.oauth is None) is (self.credentials is None):
            raise ValueError("a provider must have either oauth or credentials")
        if self.oauth is not None:
            config, addresses = set(self.variables), set(self.oauth.callback)
            _check_urls([self.oauth.authorization_url, self.oauth.token_url], config, addresses)
            addresses = set(address_hosts(self.oauth))
            later_requests = (
                self.oauth.long_lived,
                self.oauth.renewal,
                self.oauth.revocation,
                *self.oauth.follow_ups,
            )
            _check_urls([request.url for request in later_requests if request is not None], config, addresses)
            known = {"token", "client_id"}
        else:
            fields = {} if self.credentials is None else self.credentials.fields
            known = set(fields)
            addresses = {name for name, field in fields.items() if not field.secret and field.pattern}
        if self.api is not None:
            _check_urls([self.api.base], set(), addresses)
            used = {name for text in self.api.headers.values() for _, name, _, _ in Formatter().parse(text)}
            if unknown := used - known - {None}:
                raise ValueError(f"the API's headers have unknown names: {', '.join(map(str, unknown))}")
        return self


def _check_urls(urls: list[str], config: set[str], addresses: set[str]) -> None:
    for url in urls:
        for text, name, _, _ in Formatter().parse(url):
            # Only a URL may decide the scheme and the host.
            is_at_start = url.startswith(f"{{{name}}}") and not text
            if name is not None and name not in (addresses if is_at_start else config):
                raise ValueError(f"{url}: the variable {name} is not defined")


@cache
def names() -> tuple[str, ...]:
    """The names of all providers, sorted."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.toml")))


@cache
def load(name: str) -> Provider | None:
    """The provider with that name, or None. Reads only its file."""
    if name not in names():
        return None
    return read(_FOLDER / f"{name}.toml")


def load_all() -> list[Provider]:
    """Every provider, by name."""
    loaded = (load(name) for name in names())
    return [provider for provider in loaded if provider is not None]


def read(file: Path) -> Provider:
    """Read a provider's file. Raises pydantic's ValidationError if it is invalid."""
    return Provider.model_validate({"name": file.stem, **tomllib.loads(file.read_text("utf-8"))})


def expand(url: str, variables: Mapping[str, str]) -> str:
    """`url` with the values of its variables. Raises KeyError for an unknown variable."""
    return url.format_map(variables)


def address_hosts(oauth: OAuth) -> dict[str, list[str]]:
    """For each URL that callbacks and responses can name, the hosts at which it may be."""
    addresses = {name: variable.hosts for name, variable in oauth.callback.items()}
    for metadata in (oauth.metadata, *(follow_up.metadata for follow_up in oauth.follow_ups)):
        addresses |= {name: field.hosts for name, field in metadata.items() if field.hosts}
    return addresses


def called_hosts(oauth: OAuth) -> list[str]:
    """The hosts that Patchbay calls, sorted; `*.x` means any name below x. The authorization URL is not among
    them: the user's browser opens it.
    """
    later_requests = (oauth.long_lived, oauth.renewal, oauth.revocation, *oauth.follow_ups)
    urls = [oauth.token_url, *(request.url for request in later_requests if request is not None)]
    addresses = address_hosts(oauth)
    found: set[str] = set()
    for url in urls:
        variable = _LEADING_VARIABLE.match(url)
        if variable is not None:
            found.update(addresses[variable[1]])
        else:
            found.add(re.sub(r"{\w+}", "*", url.split("/")[2]))
    return sorted(found)


def is_at_host(url: object, hosts: list[str]) -> TypeGuard[str]:
    """Whether `url` is an https URL at one of `hosts`, with nothing after the host except a slash, and
    without a port or user. `*.x` means any name below x.
    """
    if not isinstance(url, str):
        return False
    match = _HTTPS_HOST.fullmatch(url.removesuffix("/"))
    if match is None:
        return False
    host = match[1]
    return any(
        host.endswith(allowed[1:]) and len(host) > len(allowed) - 1
        if allowed.startswith("*.")
        else host == allowed
        for allowed in hosts
    )
