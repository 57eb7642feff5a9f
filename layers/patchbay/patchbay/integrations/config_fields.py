"""The fields of an integration's config: for each one, the check and the JSON Schema of its value.

One declaration has both, so that a form that is generated from the schema sends what the check accepts. Where
JSON Schema cannot say everything (which hosts are private), the schema allows more than the check.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote_plus, urlsplit

from pydantic import JsonValue

from patchbay import pasted_credentials
from patchbay.errors import ValidationFailed
from patchbay.integrations.stored_integration import ConfigValue
from patchbay.outbound import api_paths, header_fields
from patchbay.outbound.registration import check_registered_url, url_schema
from patchbay.providers import error_codes
from patchbay.providers.provider import Provider

CLIENT_SECRET = "clientSecret"  # noqa: S105  # the name of a field, not a secret
_MAX_REDIRECT_URIS = 20
_MAX_EXPIRED_ERRORS = 20
_PRINTABLE = r"[\x21-\x7e]{1,4096}"
_ERROR_CODE = r"[\x20-\x7e]{1,200}"

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

Schema = dict[str, JsonValue]
# Returns the value to store. Raises ValidationFailed with the path.
Check = Callable[[str, object], ConfigValue]


class Field(NamedTuple):
    """A public field of a config."""

    check: Check
    schema: Schema


def public_fields(provider: Provider | None) -> dict[str, Field]:
    """The public fields of a provider's config; None means an OAuth provider that Patchbay does not know."""
    fields = {
        "clientId": _field(
            _client_id,
            "Client ID",
            "The ID of your OAuth client, from the provider's developer console.",
            **{**pasted_credentials.SCHEMA, "pattern": f"^{_PRINTABLE}$"},
        ),
        "redirectUris": _field(
            _redirect_uris,
            "Redirect URIs",
            (
                "The URIs that the provider can redirect users to. Register the same URIs at the "
                "provider. By default, those of the deployment."
            ),
            type="array",
            items=_REDIRECT_URI_SCHEMA,
            maxItems=_MAX_REDIRECT_URIS,
        ),
    }
    if provider is None:
        return {**fields, **_oauth_fields()}
    for name, variable in provider.variables.items():
        default: Schema = {} if variable.default is None else {"default": variable.default}
        fields[name] = _field(
            _matching(variable.pattern, variable.description),
            _title(name),
            variable.description,
            type="string",
            pattern=f"^(?:{variable.pattern})$",
            **default,
        )
    return fields


def is_oauth_field(name: str) -> bool:
    """Whether a field is one of a provider's OAuth settings, which only an unknown provider's config has."""
    return name in _OAUTH_FIELDS


def names(provider: Provider | None) -> list[str]:
    """Every field that Patchbay knows."""
    variables = [] if provider is None else list(provider.variables)
    return [*variables, "clientId", CLIENT_SECRET, "redirectUris", *_OAUTH_FIELDS]


def secret_schema() -> Schema:
    """The schema of the client secret."""
    return {
        "title": "Client secret",
        "description": "The secret of your OAuth client. Stored encrypted, and shown as ********.",
        "writeOnly": True,
        **pasted_credentials.SCHEMA,
    }


def check_secret(path: str, value: object) -> str:
    """The value of a secret field. A field that Patchbay does not know can have several lines: Patchbay does
    not send it, and it may be a private key.
    """
    return _credential(path, value, multiline=path != f"config.{CLIENT_SECRET}")


def parameter_name(pair: str) -> str:
    """The name in `name=value` of a query, as the most lenient server reads it: `State`, `state[]`,
    `st%61te`.
    """
    name = unquote_plus(pair.partition("=")[0]).strip().lower().partition("[")[0]
    return re.sub(r"[. ]", "_", name)


def invalid(path: str, message: str) -> ValidationFailed:
    return ValidationFailed.for_field(path, message)


# ── checks ───────────────────────────────────────────────────────────────────────────────────────────


def _url(path: str, value: object) -> str:
    if not isinstance(value, str):
        raise invalid(path, "must be a URL, https://…")
    check_registered_url(path, value)
    if "{" in value or "}" in value:
        raise invalid(path, "must not contain braces; percent-encode them")
    return value


def _url_without(parameters: frozenset[str]) -> Check:
    """A check for a URL without `parameters` in its query, so that none is sent twice (RFC 6749, 3.1)."""

    def check(path: str, value: object) -> str:
        url = _url(path, value)
        for pair in re.split("[&;]", url.partition("?")[2]):
            name = parameter_name(pair)
            if name in parameters:
                raise invalid(path, f"must not have {name} in its query, because Patchbay adds it; remove it")
        return url

    return check


def _issuer(path: str, value: object) -> str:
    """RFC 8414, 2: a URL without a query or fragment."""
    url = _url(path, value)
    if "?" in url:
        raise invalid(path, "must not have a query")
    return url


def _api_url(path: str, value: object) -> str:
    """Paths are appended to this URL, so it must not have a query or an ambiguous path."""
    url = _url(path, value)
    if "?" in url:
        raise invalid(path, "must not have a query")
    if not api_paths.is_plain_path(urlsplit(url).path.removesuffix("/")):
        raise invalid(path, f"must have a path {api_paths.RULE}")
    return url.removesuffix("/")


def _header_name(path: str, value: object) -> str:
    if not isinstance(value, str) or not header_fields.is_name(value) or header_fields.is_reserved(value):
        raise invalid(
            path, "must be the name of a header such as X-Api-Key, which Patchbay does not set itself"
        )
    return value


def _expired_errors(path: str, value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > _MAX_EXPIRED_ERRORS:
        raise invalid(path, f"must be a list of at most {_MAX_EXPIRED_ERRORS} error codes")
    for index, code in enumerate(value):
        if (
            not isinstance(code, str)
            or not re.fullmatch(_ERROR_CODE, code)
            or not error_codes.normalize(code)
        ):
            raise invalid(
                f"{path}.{index}", "must be an error code, or code: description, in printable ASCII"
            )
        if error_codes.is_temporary_or_client_fault(code):
            raise invalid(
                f"{path}.{index}",
                "must be a code for an ended grant, not for a temporary error or a client error",
            )
    return list(dict.fromkeys(value))


def _redirect_uris(path: str, value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > _MAX_REDIRECT_URIS:
        raise invalid(path, f"must be a list of at most {_MAX_REDIRECT_URIS} URLs")
    for index, uri in enumerate(value):
        _check_redirect_uri(f"{path}.{index}", uri)
    return list(dict.fromkeys(value))


_REDIRECT_URI_SCHEMA: Schema = {
    "type": "string",
    "format": "uri",
    "maxLength": 4096,
    "pattern": r"^([Hh][Tt][Tt][Pp][Ss]://[^/?#@\s]+|[Hh][Tt][Tt][Pp]://"
    r'([Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]|127\.0\.0\.1|\[::1\])(:[0-9]*)?)([/?][!-"$-~]*)?$',
}


def _check_redirect_uri(path: str, uri: object) -> None:
    """RFC 9700, 2.1 and RFC 6749, 3.1.2: absolute, without a fragment, and https except for loopback."""
    parts = None
    if isinstance(uri, str) and re.fullmatch(_PRINTABLE, uri) and "#" not in uri:
        try:
            parts = urlsplit(uri)
        except ValueError:  # brackets around something other than an IPv6 address
            parts = None
    if parts is None or parts.hostname is None or "@" in parts.netloc:
        raise invalid(path, "must be an absolute URL without a fragment")
    if parts.scheme != "https" and not (
        parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    ):
        raise invalid(path, "must start with https://")


def _client_id(path: str, value: object) -> str:
    client_id = _credential(path, value)
    if not re.fullmatch(_PRINTABLE, client_id):
        raise invalid(path, "must be printable ASCII without spaces")
    return client_id


def _credential(path: str, value: object, *, multiline: bool = False) -> str:
    if not isinstance(value, str):
        raise invalid(path, "must be a string")
    try:
        pasted_credentials.check(value, multiline=multiline)
    except ValueError as error:
        raise invalid(path, str(error)) from None
    return value


def _one_of(*values: str | bool) -> Check:
    def check(path: str, value: object) -> ConfigValue:
        for allowed in values:
            if value == allowed and isinstance(value, bool) is isinstance(allowed, bool):
                return allowed
        raise invalid(path, f"must be one of {', '.join(map(json.dumps, values))}")

    return check


def _matching(pattern: str, description: str) -> Check:
    def check(path: str, value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise invalid(path, f"must be {description.removesuffix('.')}")
        return value

    return check


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────


def _field(check: Check, title: str, description: str, **keywords: JsonValue) -> Field:
    return Field(check, {"title": title, "description": description, **keywords})


def _choice(title: str, description: str, *values: str | bool) -> Field:
    """One of `values`; the first is the default."""
    return _field(_one_of(*values), title, description, enum=list(values), default=values[0])


def _title(name: str) -> str:
    """`apiUrl` → `Api url`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


_OAUTH_FIELDS: Mapping[str, Field] = {
    "authorizationUrl": _field(
        _url_without(_AUTHORIZATION_PARAMETERS),
        "Authorization URL",
        "Where the user grants access (RFC 6749, 3.1).",
    ),
    "tokenUrl": _field(
        _url_without(_TOKEN_PARAMETERS), "Token URL", "Where Patchbay gets tokens (RFC 6749, 3.2)."
    ),
    "revocationUrl": _field(
        _url_without(_TOKEN_PARAMETERS),
        "Revocation URL",
        (
            "Where Patchbay revokes the grant of a deleted connection (RFC 7009). Without it, grants are "
            "not revoked."
        ),
    ),
    "issuer": _field(_issuer, "Issuer", "The server's issuer, compared with iss in the callback (RFC 9207)."),
    "apiUrl": _field(
        _api_url,
        "API URL",
        (
            "The base URL of the provider's API, for flow steps that send requests. By default, the "
            "origin of the token URL."
        ),
    ),
    "apiKeyHeader": _field(
        _header_name,
        "API key header",
        "The header for a connection's API key. By default, Authorization: Bearer.",
        type="string",
        pattern=header_fields.NAME_PATTERN,
    ),
    "clientAuth": _choice(
        "Client authentication",
        "How Patchbay sends the client secret: in the body, in an Authorization header, or not at all.",
        *("body", "basic", "none"),
    ),
    "pkce": _choice("PKCE", "Whether Patchbay sends a code challenge (RFC 7636).", True, False),
    "scopeSeparator": _choice("Scope separator", "The separator between scopes.", " ", ","),
    "refresh": _choice(
        "Refresh",
        "rotating: a refresh token works once. static: it works repeatedly. never_expires: access tokens do "
        "not expire. reauthorize_only: when a token expires, its owner connects again.",
        *("rotating", "static", "never_expires", "reauthorize_only"),
    ),
    "expiredErrors": _field(
        _expired_errors,
        "Errors of an ended grant",
        "Error codes, or code: description, that this server returns when a grant has ended.",
        type="array",
        items={"type": "string", "pattern": f"^{_ERROR_CODE}$"},
        maxItems=_MAX_EXPIRED_ERRORS,
    ),
    "revokeReplaced": _choice(
        "Revoke replaced grants",
        "Whether Patchbay revokes the old grant when its owner connects again.",
        *(False, True),
    ),
}


def _oauth_fields() -> dict[str, Field]:
    """The OAuth settings, with the rules of this deployment for URLs."""
    url = url_schema()
    return {
        name: field
        if "type" in field.schema or "enum" in field.schema
        else field._replace(schema={**field.schema, **url})
        for name, field in _OAUTH_FIELDS.items()
    }
