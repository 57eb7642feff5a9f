"""The policy of an integration's config: its fields, which of them are secret, and which the provider needs.

A config is stored in two parts: the public fields in plaintext, and the others encrypted by the vault. A
field that Patchbay does not know is a secret, because it could be anything. A built-in provider's settings
are never stored, even if a caller sends them, because a release may correct them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import JsonValue

from patchbay import pasted_credentials, suggestions
from patchbay.api_model import MASK
from patchbay.errors import FieldError
from patchbay.field_errors import validation_failed
from patchbay.integrations import config_fields
from patchbay.integrations.config_fields import CLIENT_SECRET, Schema, invalid, public_fields
from patchbay.integrations.stored_integration import CONFIG_NAME, ConfigValue
from patchbay.providers import provider as providers
from patchbay.providers.provider import Errors, OAuth, Provider, RefreshStrategy, Revocation

_MAX_BYTES = 16 * 1024

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
    """The config with `changes`; None removes a field. Raises ValidationFailed, naming the fields."""
    public, secret = dict(old.public), dict(old.secret)
    fields = public_fields(provider)
    settings: dict[str, ConfigValue] = {}
    for name, value in changes.items():
        public.pop(name, None)
        secret.pop(name, None)
        if value is None:
            continue
        if name in fields:
            public[name] = fields[name].check(f"config.{name}", value)
        elif config_fields.is_oauth_field(name):
            settings[name] = value
        else:
            if name not in old.secret:
                _check_spelling(name, provider)
            secret[name] = config_fields.check_secret(f"config.{name}", value)
    errors = [
        FieldError(f"config.{name}", "does not apply to this provider; send null to remove it")
        for name in public
        if name not in fields
    ]
    errors += [
        FieldError(f"config.{name}", "is not secret with this provider; send it again, or null to remove it")
        for name in secret
        if name in fields
    ]
    if errors:
        raise validation_failed(errors)
    if provider is not None and settings:
        _check_built_in_settings(provider, public, settings)
    size = sum(len(f"{name}{value}".encode()) for name, value in [*public.items(), *secret.items()])
    if size > _MAX_BYTES:
        raise invalid("config", f"has more than {_MAX_BYTES} bytes")
    return Parts(public, secret)


def _check_spelling(name: str, provider: Provider | None) -> None:
    """Raises ValidationFailed for a misspelled field name. Other unknown fields are the owner's own."""
    near = suggestions.misspelled(name, config_fields.names(provider))
    if near is not None:
        raise invalid(
            f"config.{name}",
            f"is not a field of config; did you mean `{near}`? Custom fields need a different name",
        )


def check_provider(name: str, public: Mapping[str, ConfigValue]) -> None:
    """Raises ValidationFailed for an unknown provider whose name may be misspelled: without its own URLs, its
    connections could only have credentials.
    """
    near = suggestions.misspelled(name, providers.names())
    if near is not None and not ("authorizationUrl" in public or "tokenUrl" in public):
        raise invalid(
            "provider",
            f"is not a built-in provider; did you mean `{near}`? Another provider needs "
            "config.authorizationUrl and config.tokenUrl, or a more distinct name",
        )


def _check_built_in_settings(
    provider: Provider, public: Mapping[str, ConfigValue], sent: Mapping[str, ConfigValue]
) -> None:
    """Accept the OAuth settings that repeat those of a built-in provider."""
    built_in = built_in_settings(provider, public)
    for name, value in sent.items():
        expected = built_in.get(name)
        if expected is not None and _is_same(value, expected):
            continue
        if isinstance(expected, str) and expected:
            advice = f"it must be {expected!r}, or omitted"
        else:
            advice = "omit it"
        raise invalid(
            f"config.{name}", f"cannot be changed: Patchbay uses {provider.label}'s settings; {advice}"
        )


def built_in_settings(provider: Provider, public: Mapping[str, ConfigValue]) -> dict[str, ConfigValue | None]:
    """A built-in provider's OAuth settings, by their names in the config of an unknown provider. URLs have
    the values of their variables, and are None while those are unknown.
    """
    oauth = provider.oauth
    if oauth is None:
        return {}
    values = variables(provider, public)

    def url(template: str) -> str | None:
        try:
            return providers.expand(template, values)
        except KeyError:
            return None

    return {
        "authorizationUrl": url(oauth.authorization_url),
        "tokenUrl": url(oauth.token_url),
        "revocationUrl": None if oauth.revocation is None else url(oauth.revocation.url),
        "issuer": oauth.issuer,
        "clientAuth": oauth.client_auth,
        "pkce": oauth.pkce,
        "scopeSeparator": oauth.scope_separator,
        "refresh": oauth.refresh.value,
        "expiredErrors": oauth.errors.ended,
        "revokeReplaced": oauth.revoke_replaced,
    }


def _is_same(value: ConfigValue, expected: ConfigValue) -> bool:
    """Whether two settings are equal; URLs as RFC 3986, 6.2.2.1 and 6.2.3 compare them."""
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    if isinstance(value, str) and isinstance(expected, str) and origin_of(expected) is not None:
        return _normalized(value) == _normalized(expected)
    return value == expected


def _normalized(url: str) -> tuple[str | None, str, str, str]:
    """The parts that distinguish URLs: the case of scheme and host and a default port do not."""
    origin = origin_of(url)
    if origin is None:
        return None, url, "", ""
    parts = urlsplit(url)
    return origin, parts.path or "/", parts.query, parts.fragment


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
    # Skip the validation of providers' files: `merge` has checked the fields by this deployment's rules.
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


def api_url(public: Mapping[str, ConfigValue]) -> str | None:
    """The API URL of a provider that Patchbay does not know. The default is the origin of its token URL,
    which gets more than an access token anyway.
    """
    url = public.get("apiUrl")
    return str(url) if url is not None else origin_of(str(public.get("tokenUrl", "")))


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


def variables(provider: Provider | None, public: Mapping[str, ConfigValue]) -> dict[str, str]:
    """The values of the variables in the provider's URLs, where the config or a default has them."""
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
    needed = _needed_fields(provider)
    if provider is None and not any(name in public for name in needed):
        return []  # not OAuth
    missing = [name for name in needed if name not in public]
    if needed and CLIENT_SECRET not in secret_names and not _is_public_client(provider, public):
        missing.append(CLIENT_SECRET)
    return missing


def _needed_fields(provider: Provider | None) -> list[str]:
    """The public fields that an OAuth client needs; none for a provider without OAuth."""
    if provider is None:
        return ["authorizationUrl", "tokenUrl", "clientId"]
    if provider.oauth is None:
        return []
    return ["clientId", *(name for name, variable in provider.variables.items() if variable.default is None)]


def _is_public_client(provider: Provider | None, public: Mapping[str, ConfigValue]) -> bool:
    """Whether the client has no secret (RFC 6749, 2.1)."""
    if provider is not None:
        return provider.oauth is not None and provider.oauth.client_auth == "none"
    return public.get("clientAuth") == "none"


def json_schema(provider: Provider | None) -> Schema:
    """The JSON Schema 2020-12 of a complete config; None means an OAuth provider that Patchbay does not know.
    Additional fields are the caller's own, and secret.
    """
    needed = _needed_fields(provider)
    if not needed:
        return OWN_FIELDS_SCHEMA
    properties: dict[str, JsonValue] = {name: field.schema for name, field in public_fields(provider).items()}
    schema: Schema = {**OWN_FIELDS_SCHEMA, "properties": properties, "required": list(needed)}
    properties[CLIENT_SECRET] = config_fields.secret_schema()
    if provider is None:
        public_client: Schema = {"properties": {"clientAuth": {"const": "none"}}, "required": ["clientAuth"]}
        return {**schema, "if": public_client, "else": {"required": [CLIENT_SECRET]}}
    if not _is_public_client(provider, {}):
        schema["required"] = [*needed, CLIENT_SECRET]
    return schema


# The schema of a config without fields that Patchbay knows.
OWN_FIELDS_SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {},
    "required": [],
    "propertyNames": {"pattern": CONFIG_NAME},
    "additionalProperties": {
        "type": "string",
        "minLength": 1,
        "maxLength": pasted_credentials.MAX_LENGTH,
        "writeOnly": True,
    },
}


def api_schema() -> Schema:
    """The JSON Schema 2020-12 of the config for a provider that Patchbay does not know and whose connections
    use credentials.
    """
    fields = public_fields(None)
    known: dict[str, JsonValue] = {name: fields[name].schema for name in ("apiUrl", "apiKeyHeader")}
    return {**OWN_FIELDS_SCHEMA, "properties": known}


def secret_destinations(provider: Provider | None, public: Mapping[str, ConfigValue]) -> SecretDestinations:
    """Where a config sends stored secrets and tokens."""
    return SecretDestinations(
        provider=None if provider is None else provider.name,
        client_id=public.get("clientId"),
        urls=(
            *(public.get(field) for field in ("authorizationUrl", "tokenUrl", "revocationUrl")),
            None if (api := api_url(public)) is None else origin_of(api),
        ),
        variables=tuple(sorted(variables(provider, public).items())),
    )
