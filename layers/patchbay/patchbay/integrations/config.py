"""The policy of an integration's config: its fields, which of them are secret, and which the provider needs.

A config is stored in two parts: the public fields in plaintext, and the others encrypted by the vault. A
field that Patchbay does not know is a secret, because it could be anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote_plus, urlsplit

from patchbay import pasted_credentials
from patchbay.api_model import MASK
from patchbay.errors import ValidationFailed
from patchbay.integrations.stored_integration import ConfigValue
from patchbay.outbound.registration import check_registered_url
from patchbay.providers import error_codes
from patchbay.providers.provider import Errors, OAuth, Provider, RefreshStrategy, Revocation

CLIENT_SECRET = "clientSecret"  # noqa: S105  # its name
_MAX_REDIRECT_URIS = 20
_MAX_BYTES = 16 * 1024
_MAX_EXPIRED_ERRORS = 20
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,4096}\Z")
_ERROR_CODE = re.compile(r"[\x20-\x7e]{1,200}")

# A request object (RFC 9101) would override all parameters that Patchbay sends.
REQUEST_OBJECTS = frozenset({"request", "request_uri"})
# The parameters that Patchbay sends itself: through the user's browser, and to the token and revocation
# endpoints.
_AUTHORIZATION_PARAMETERS = REQUEST_OBJECTS | {
    *("response_type", "client_id", "redirect_uri", "scope", "state"),
    *("code_challenge", "code_challenge_method", "nonce"),
}
_TOKEN_PARAMETERS = frozenset(
    {
        *("grant_type", "code", "redirect_uri", "code_verifier", "refresh_token"),
        *("client_id", "client_secret", "token", "token_type_hint"),
    }
)

# Where servers unknown to Patchbay put the token, and the fields in which they describe an error.
_TOKEN_IN = ["", "data", "data.0", "result", "response", "token", "authed_user", "body", "payload"]
_ERRORS = Errors(
    codes=[
        *("error", "error.code", "error.type", "error.error", "error.status", "error.name", "error_code"),
        *("error_type", "errors.0", "errors.0.code", "errors.0.error", "data.error", "data.error.code"),
        *("data.error_code", "code", "errcode", "err_code", "fault.code", "fault.detail.errorcode"),
    ],
    descriptions=[
        *("error_description", "error.message", "error.description", "error.error_description"),
        *("errors.0.message", "errors.0.detail", "data.error_description", "data.message", "message"),
        *("error_message", "errmsg", "err_msg", "msg", "detail", "description", "title", "fault.faultstring"),
    ],
)


class Parts(NamedTuple):
    """A config as it is stored: `public` in plaintext, `secret` encrypted."""

    public: Mapping[str, ConfigValue]
    secret: Mapping[str, str]


class SecretDestinations(NamedTuple):
    """The client and the URLs that stored secrets and tokens are sent to."""

    provider: str | None
    client_id: ConfigValue | None
    urls: tuple[ConfigValue | None, ...]
    variables: tuple[tuple[str, str], ...]


def merge(old: Parts, changes: Mapping[str, ConfigValue | None], provider: Provider | None) -> Parts:
    """The config with `changes`; None removes a field. Raises ValidationFailed, naming the field."""
    public, secret = dict(old.public), dict(old.secret)
    checks = _public_fields(provider)
    for name, value in changes.items():
        public.pop(name, None)
        secret.pop(name, None)
        if value is None:
            continue
        if name in checks:
            public[name] = checks[name](f"config.{name}", value)
        else:
            secret[name] = _secret(
                f"config.{name}", value, is_oauth_field=name in _OAUTH_FIELDS, provider=provider
            )
    for name in public:
        if name not in checks:
            raise _invalid(f"config.{name}", "does not apply to this provider; send null to remove it")
    for name in secret:
        if name in checks:
            raise _invalid(
                f"config.{name}", "is not secret with this provider; send it again, or null to remove it"
            )
    size = sum(len(f"{name}{value}".encode()) for name, value in [*public.items(), *secret.items()])
    if size > _MAX_BYTES:
        raise _invalid("config", f"has more than {_MAX_BYTES} bytes")
    return Parts(public, secret)


def to_api(public: Mapping[str, ConfigValue], secret_names: Sequence[str]) -> dict[str, ConfigValue]:
    """A config with its secrets masked."""
    return {**public, **dict.fromkeys(secret_names, MASK)}


def oauth_for(provider: Provider | None, public: Mapping[str, ConfigValue]) -> OAuth | None:
    """The provider's OAuth, or the OAuth settings in the config of an unknown provider. None if there is
    none, or while its URLs are incomplete.
    """
    if provider is not None:
        return provider.oauth
    if "authorizationUrl" not in public or "tokenUrl" not in public:
        return None
    revocation, issuer = public.get("revocationUrl"), public.get("issuer")
    urls = [str(public[name]) for name in ("authorizationUrl", "tokenUrl")]
    # Not validated as a provider's file is: `merge` has checked the fields, by the rules of this deployment.
    return OAuth.model_construct(
        authorization_url=public["authorizationUrl"],
        token_url=public["tokenUrl"],
        issuer=issuer,
        iss_required=False,
        iss_origins=[] if issuer else [origin for url in urls if (origin := origin_of(url))],
        client_auth=public.get("clientAuth", "body"),
        pkce=public.get("pkce", True),
        scope_separator=public.get("scopeSeparator", " "),
        refresh=RefreshStrategy(str(public.get("refresh", "rotating"))),
        token_in=_TOKEN_IN,
        revocation=None if revocation is None else Revocation.model_construct(url=str(revocation)),
        revoke_replaced=public.get("revokeReplaced", False),
        errors=_ERRORS.model_copy(update={"ended": public.get("expiredErrors", [])}),
    )


def origin_of(url: str) -> str | None:
    """The origin of an http(s) URL as browsers serialize it (RFC 6454, 6.2). None if it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    suffix = "" if port in (None, {"http": 80, "https": 443}[parts.scheme]) else f":{port}"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{suffix}"


def parameter_name(pair: str) -> str:
    """The name in `name=value` of a query, as the most lenient server reads it: `State`, `state[]`,
    `st%61te`.
    """
    name = unquote_plus(pair.partition("=")[0]).strip().lower().partition("[")[0]
    return re.sub(r"[. ]", "_", name)


def variables(provider: Provider | None, public: Mapping[str, ConfigValue]) -> dict[str, str]:
    """The values of the variables in the provider's URLs, as far as the config or a default has them."""
    if provider is None:
        return {}
    values = {}
    for name, variable in provider.variables.items():
        value = public.get(name, variable.default)
        if value is not None:
            values[name] = str(value)
    if provider.oauth is not None:
        values |= {name: variable.default for name, variable in provider.oauth.callback.items()}
    return values


def missing_fields(
    provider: Provider | None, public: Mapping[str, ConfigValue], secret_names: Sequence[str]
) -> list[str]:
    """The config fields that a connection needs but that are missing; empty when setup is complete."""
    if provider is not None and provider.oauth is None:
        return []
    if provider is None:
        needed = ["authorizationUrl", "tokenUrl", "clientId"]
        if not any(name in public for name in needed):
            return []  # not OAuth
    else:
        needed = ["clientId"]
        needed += [name for name, variable in provider.variables.items() if variable.default is None]
    missing = [name for name in needed if name not in public]
    oauth = oauth_for(provider, public)
    is_public_client = (oauth.client_auth if oauth else public.get("clientAuth")) == "none"
    if not is_public_client and CLIENT_SECRET not in secret_names:
        missing.append(CLIENT_SECRET)
    return missing


def secret_destinations(provider: Provider | None, public: Mapping[str, ConfigValue]) -> SecretDestinations:
    """Where a config sends stored secrets and tokens."""
    return SecretDestinations(
        provider=None if provider is None else provider.name,
        client_id=public.get("clientId"),
        urls=tuple(public.get(field) for field in ("authorizationUrl", "tokenUrl", "revocationUrl")),
        variables=tuple(sorted(variables(provider, public).items())),
    )


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────

_Check = Callable[[str, object], ConfigValue]


def _public_fields(provider: Provider | None) -> dict[str, _Check]:
    """The public fields of a provider's config, each with its check."""
    checks: dict[str, _Check] = {"clientId": _client_id, "redirectUris": _redirect_uris}
    if provider is None:
        return {**checks, **_OAUTH_FIELDS}
    for name, variable in provider.variables.items():
        checks[name] = _matching(variable.pattern, variable.description)
    return checks


def _url(path: str, value: object) -> str:
    if not isinstance(value, str):
        raise _invalid(path, "must be a URL, https://…")
    check_registered_url(path, value)
    if "{" in value or "}" in value:
        raise _invalid(path, "must not contain braces; percent-encode them")
    return value


def _url_without(names: frozenset[str]) -> _Check:
    """Checks for a URL without `names` in its query, so that no parameter is sent twice (RFC 6749, 3.1)."""

    def check(path: str, value: object) -> str:
        url = _url(path, value)
        for pair in re.split("[&;]", url.partition("?")[2]):
            name = parameter_name(pair)
            if name in names:
                raise _invalid(path, f"must not have {name} in its query: Patchbay adds it; remove it")
        return url

    return check


def _issuer(path: str, value: object) -> str:
    """RFC 8414, 2: a URL without a query or fragment."""
    url = _url(path, value)
    if "?" in url:
        raise _invalid(path, "must not have a query")
    return url


def _expired_errors(path: str, value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > _MAX_EXPIRED_ERRORS:
        raise _invalid(path, f"must be a list of at most {_MAX_EXPIRED_ERRORS} error codes")
    for index, code in enumerate(value):
        if not isinstance(code, str) or not _ERROR_CODE.fullmatch(code) or not error_codes.normalize(code):
            raise _invalid(
                f"{path}.{index}", "must be an error code, or code: description, in printable ASCII"
            )
        if error_codes.is_temporary_or_client_fault(code):
            raise _invalid(
                f"{path}.{index}",
                "must be a code that ends a grant, not a temporary error or one of the client",
            )
    return list(dict.fromkeys(value))


def _redirect_uris(path: str, value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > _MAX_REDIRECT_URIS:
        raise _invalid(path, f"must be a list of at most {_MAX_REDIRECT_URIS} URLs")
    for index, uri in enumerate(value):
        _check_redirect_uri(f"{path}.{index}", uri)
    return list(dict.fromkeys(value))


def _check_redirect_uri(path: str, uri: object) -> None:
    """RFC 9700, 2.1 and RFC 6749, 3.1.2: absolute, without a fragment, and https except for loopback."""
    parts = None
    if isinstance(uri, str) and _PRINTABLE.match(uri) and "#" not in uri:
        try:
            parts = urlsplit(uri)
        except ValueError:  # brackets around something other than an IPv6 address
            parts = None
    if parts is None or parts.hostname is None or "@" in parts.netloc:
        raise _invalid(path, "must be an absolute URL without a fragment")
    if parts.scheme != "https" and not (
        parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    ):
        raise _invalid(path, "must start with https://")


def _client_id(path: str, value: object) -> str:
    client_id = _credential(path, value)
    if not _PRINTABLE.match(client_id):
        raise _invalid(path, "must be printable ASCII without spaces")
    return client_id


def _credential(path: str, value: object, *, multiline: bool = False) -> str:
    if not isinstance(value, str):
        raise _invalid(path, "must be a string")
    try:
        pasted_credentials.check(value, multiline=multiline)
    except ValueError as error:
        raise _invalid(path, str(error)) from None
    return value


def _secret(path: str, value: object, *, is_oauth_field: bool, provider: Provider | None) -> str:
    if is_oauth_field and provider is not None:
        raise _invalid(path, f"cannot be set: Patchbay uses {provider.label}'s settings; leave it out")
    # Patchbay does not send a field that it does not know, and such a field may be a private key.
    return _credential(path, value, multiline=path != f"config.{CLIENT_SECRET}")


def _one_of(*values: str | bool) -> _Check:
    def check(path: str, value: object) -> ConfigValue:
        for allowed in values:
            if value == allowed and isinstance(value, bool) is isinstance(allowed, bool):
                return allowed
        raise _invalid(path, f"must be one of {', '.join(map(json.dumps, values))}")

    return check


def _matching(pattern: str, description: str) -> _Check:
    def check(path: str, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise _invalid(path, f"must be {description.removesuffix('.')}")
        return value

    return check


def _invalid(path: str, message: str) -> ValidationFailed:
    return ValidationFailed.for_field(path, message)


_OAUTH_FIELDS: dict[str, _Check] = {
    "authorizationUrl": _url_without(_AUTHORIZATION_PARAMETERS),
    "tokenUrl": _url_without(_TOKEN_PARAMETERS),
    "revocationUrl": _url_without(_TOKEN_PARAMETERS),
    "issuer": _issuer,
    "clientAuth": _one_of("body", "basic", "none"),
    "pkce": _one_of(True, False),
    "scopeSeparator": _one_of(" ", ","),
    "refresh": _one_of("rotating", "static", "never_expires", "reauthorize_only"),
    "expiredErrors": _expired_errors,
    "revokeReplaced": _one_of(True, False),
}
