"""What an integration's config may hold, what of it is secret, and what its provider needs: pure.

A config is kept in two parts: what may be seen, and the rest, under the vault. A field that Patchbay does not
know is a secret: it may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_plus, urlsplit

from patchbay import pasted
from patchbay.api_model import MASK
from patchbay.errors import ValidationFailed
from patchbay.outbound.registration import check_registered_url
from patchbay.providers import error_codes
from patchbay.providers.provider import Errors, OAuth, Provider, RefreshStrategy

Value = str | bool | list[str]

CLIENT_SECRET = "clientSecret"  # noqa: S105  # its name
_MAX_REDIRECT_URIS = 20
_MAX_BYTES = 16 * 1024
_MAX_EXPIRED_ERRORS = 20
_PRINTABLE = re.compile(r"[\x21-\x7e]{1,4096}\Z")
_ERROR_CODE = re.compile(r"[\x20-\x7e]{1,200}")

# A request object (RFC 9101) would override all that Patchbay sends.
REQUEST_OBJECTS = frozenset({"request", "request_uri"})
# The parameters that Patchbay sends itself: in the user's browser, and to the token and revocation endpoints.
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

# Where servers that Patchbay does not know put the token, and the fields in which they explain a refusal.
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
    """A config as it is kept: `public` in the clear, `secret` under the vault."""

    public: dict[str, Value]
    secret: dict[str, str]


def merged(old: Parts, changes: Mapping[str, Value | None], provider: Provider | None) -> Parts:
    """The config with `changes`; None removes. Raises ValidationFailed, naming the field."""
    public, secret = dict(old.public), dict(old.secret)
    known = _fields(provider)
    for name, value in changes.items():
        public.pop(name, None)
        secret.pop(name, None)
        if value is None:
            continue
        if name in known:
            public[name] = known[name](f"config.{name}", value)
        else:
            secret[name] = _secret(
                f"config.{name}", value, is_endpoint=name in _OWN_ADDRESSES, provider=provider
            )
    for name in [name for name in public if name not in known]:
        raise _bad(
            f"config.{name}",
            "does not belong to this provider, whose addresses are its own; send null for it",
        )
    for name in [name for name in secret if name in known]:
        raise _bad(f"config.{name}", "is no secret with this provider; send it anew, or null for it")
    size = sum(len(f"{name}{value}".encode()) for name, value in [*public.items(), *secret.items()])
    if size > _MAX_BYTES:
        raise _bad("config", f"has more than {_MAX_BYTES} bytes")
    return Parts(public, secret)


def shown(public: Mapping[str, Value], secret_names: list[str]) -> dict[str, Any]:
    """A config with its secrets masked."""
    return {**public, **dict.fromkeys(secret_names, MASK)}


def oauth_of(provider: Provider | None, public: Mapping[str, Value]) -> OAuth | None:
    """The provider's OAuth, or the one that the config of an unknown provider describes. None for none, or
    while its addresses are not all there.
    """
    if provider is not None:
        return provider.oauth
    if "authorizationUrl" not in public or "tokenUrl" not in public:
        return None
    revocation, issuer = public.get("revocationUrl"), public.get("issuer")
    addresses = [str(public[name]) for name in ("authorizationUrl", "tokenUrl")]
    ended = public.get("expiredErrors", [])
    # Not validated as a provider's file is: `merged` has checked these, by the deployment's own rules.
    return OAuth.model_construct(
        authorization_url=public["authorizationUrl"],
        token_url=public["tokenUrl"],
        issuer=issuer,
        iss_required=False,
        iss_origins=[] if issuer else [origin for address in addresses if (origin := origin_of(address))],
        client_auth=public.get("clientAuth", "body"),
        pkce=public.get("pkce", True),
        scope_separator=public.get("scopeSeparator", " "),
        refresh=RefreshStrategy(str(public.get("refresh", "rotating"))),
        token_in=_TOKEN_IN,
        revocation=None if revocation is None else _rfc7009(str(revocation)),
        revoke_replaced=public.get("revokeReplaced", False),
        errors=_ERRORS.model_copy(update={"ended": ended}),
    )


def origin_of(url: str) -> str | None:
    """The origin of an http(s) address as browsers write it (RFC 6454, 6.2); None where it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    shown = "" if port in (None, {"http": 80, "https": 443}[parts.scheme]) else f":{port}"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{shown}"


def parameter_name(pair: str) -> str:
    """The name in `name=value` of a query, as the loosest server reads it: `State`, `state[]`, `st%61te`."""
    name = unquote_plus(pair.partition("=")[0]).strip().lower().partition("[")[0]
    return re.sub(r"[. ]", "_", name)


def variables(provider: Provider | None, public: Mapping[str, Value]) -> dict[str, str]:
    """What stands for the names in the provider's addresses, as far as the config says."""
    if provider is None:
        return {}
    found = {}
    for name, variable in provider.variables.items():
        value = public.get(name, variable.default)
        if value is not None:
            found[name] = str(value)
    if provider.oauth is not None:
        found |= {name: known.default for name, known in provider.oauth.callback.items()}
    return found


def missing(
    provider: Provider | None, parts_public: Mapping[str, Value], secret_names: list[str]
) -> list[str]:
    """The config's fields that a connection cannot be made without; empty when it is set up."""
    if provider is not None and provider.oauth is None:
        return []
    if provider is None and not any(
        name in parts_public for name in ("authorizationUrl", "tokenUrl", "clientId")
    ):
        return []  # not OAuth at all
    needed = ["clientId"]
    if provider is None:
        needed = ["authorizationUrl", "tokenUrl", "clientId"]
    else:
        needed += [name for name, variable in provider.variables.items() if variable.default is None]
    absent = [name for name in needed if name not in parts_public]
    oauth = oauth_of(provider, parts_public)
    is_public_client = (oauth.client_auth if oauth else parts_public.get("clientAuth")) == "none"
    if not is_public_client and CLIENT_SECRET not in secret_names:
        absent.append(CLIENT_SECRET)
    return absent


def where_secrets_go(provider: Provider | None, public: Mapping[str, Value]) -> tuple[Any, ...]:
    """What must not change under stored secrets and tokens: the client, and where they are sent."""
    name = None if provider is None else provider.name
    addresses = tuple(public.get(field) for field in ("authorizationUrl", "tokenUrl", "revocationUrl"))
    return (name, public.get("clientId"), addresses, tuple(sorted(variables(provider, public).items())))


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────

_Check = Callable[[str, Any], Value]


def _fields(provider: Provider | None) -> dict[str, _Check]:
    """The public fields of a provider's config, each with its check."""
    known: dict[str, _Check] = {"clientId": _client_id, "redirectUris": _redirect_uris}
    if provider is None:
        return {**known, **_OWN_ADDRESSES}
    for name, variable in provider.variables.items():
        known[name] = _matching(variable.pattern, variable.description)
    return known


def _address(path: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _bad(path, "must be an address, https://…")
    check_registered_url(path, value)
    if "{" in value or "}" in value:
        raise _bad(path, "must not have braces; write them percent-encoded")
    return value


def _address_without(names: frozenset[str]) -> _Check:
    """An address whose query has none of `names`, so no parameter is sent twice (RFC 6749, 3.1)."""

    def check(path: str, value: Any) -> str:
        address = _address(path, value)
        for pair in re.split("[&;]", address.partition("?")[2]):
            name = parameter_name(pair)
            if name in names:
                raise _bad(path, f"must not have {name} in its query, which Patchbay adds; remove it")
        return address

    return check


def _issuer(path: str, value: Any) -> str:
    """RFC 8414, 2: an address without query and fragment."""
    if "?" in _address(path, value):
        raise _bad(path, "an issuer has no query")
    return str(value)


def _expired_errors(path: str, value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > _MAX_EXPIRED_ERRORS:
        raise _bad(path, f"must be a list of at most {_MAX_EXPIRED_ERRORS} error codes")
    for at, code in enumerate(value):
        if not isinstance(code, str) or not _ERROR_CODE.fullmatch(code) or not error_codes.normalize(code):
            raise _bad(f"{path}.{at}", "must be an error code, or code: description, in printable ASCII")
        if error_codes.is_temporary_or_client_fault(code):
            raise _bad(f"{path}.{at}", "must be a code that ends a grant, not a temporary or client fault")
    return list(dict.fromkeys(value))


def _redirect_uris(path: str, value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > _MAX_REDIRECT_URIS:
        raise _bad(path, f"must be a list of at most {_MAX_REDIRECT_URIS} addresses")
    for at, uri in enumerate(value):
        check_redirect_uri(f"{path}.{at}", uri)
    return list(dict.fromkeys(value))


def check_redirect_uri(path: str, uri: Any) -> None:
    """RFC 9700, 2.1 and RFC 6749, 3.1.2: absolute, without fragment; https but on one's own machine."""
    try:
        parts = urlsplit(uri) if isinstance(uri, str) and _PRINTABLE.match(uri) else None
    except ValueError:  # brackets that hold no IPv6 address
        parts = None
    if parts is None or "#" in uri or parts.hostname is None or "@" in parts.netloc:
        raise _bad(path, "must be an absolute address without a fragment")
    if parts.scheme != "https" and not (
        parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    ):
        raise _bad(path, "must begin with https://")


def _client_id(path: str, value: Any) -> str:
    if not _PRINTABLE.match(_pasted(path, value)):
        raise _bad(path, "must be a text of printable ASCII characters without spaces")
    return str(value)


def _pasted(path: str, value: Any, *, lines: bool = False) -> str:
    if not isinstance(value, str):
        raise _bad(path, "must be a text")
    try:
        pasted.check(value, lines=lines)
    except ValueError as error:
        raise _bad(path, str(error)) from None
    return value


def _secret(path: str, value: Any, *, is_endpoint: bool, provider: Provider | None) -> str:
    if is_endpoint and provider is not None:
        raise _bad(path, f"cannot be set: Patchbay has {provider.label}'s settings; leave it out")
    # Patchbay does not send a field that it does not know, and such a field may be a private key.
    return _pasted(path, value, lines=path != f"config.{CLIENT_SECRET}")


def _one_of(*values: Value) -> _Check:
    def check(path: str, value: Any) -> Value:
        if value not in values or isinstance(value, bool) is not isinstance(values[0], bool):
            raise _bad(path, f"must be one of {', '.join(map(repr, values))}")
        return value  # type: ignore[no-any-return]

    return check


def _matching(pattern: str, description: str) -> _Check:
    def check(path: str, value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise _bad(path, f"is not what it should be: {description}")
        return value

    return check


def _bad(path: str, message: str) -> ValidationFailed:
    return ValidationFailed.of(path, message)


_OWN_ADDRESSES: dict[str, _Check] = {
    "authorizationUrl": _address_without(_AUTHORIZATION_PARAMETERS),
    "tokenUrl": _address_without(_TOKEN_PARAMETERS),
    "revocationUrl": _address_without(_TOKEN_PARAMETERS),
    "issuer": _issuer,
    "clientAuth": _one_of("body", "basic", "none"),
    "pkce": _one_of(True, False),
    "scopeSeparator": _one_of(" ", ","),
    "refresh": _one_of("rotating", "static", "never_expires", "reauthorize_only"),
    "expiredErrors": _expired_errors,
    "revokeReplaced": _one_of(True, False),
}


def _rfc7009(url: str) -> Any:
    from patchbay.providers.provider import Revocation

    return Revocation.model_construct(url=url)
