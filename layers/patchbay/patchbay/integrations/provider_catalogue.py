"""The providers as the API describes them: what an integration of each needs, for a form or an SDK.

The schemas come from the same data that checks an integration's config and a connection's credentials.
"""

from __future__ import annotations

from typing import NamedTuple

from patchbay import suggestions
from patchbay.api_model import Listing
from patchbay.errors import NotFound
from patchbay.ids import IntegrationId
from patchbay.integrations import client, config, credentials
from patchbay.integrations.config_fields import Schema
from patchbay.integrations.models import (
    Provider,
    ProviderKey,
    ProviderOAuth,
    ProviderQuery,
    ProviderScope,
    ProviderSummary,
)
from patchbay.integrations.stored_integration import StoredIntegration
from patchbay.providers import provider as providers
from patchbay.providers.provider import AuthType, IntegrationType, OAuth
from patchbay.providers.provider import Provider as BuiltIn
from patchbay.settings import settings

# The providers that Patchbay does not know, by the way they authenticate. An integration may have these keys,
# any other name, or null as its provider.
_CUSTOM = {
    "custom": (
        AuthType.OAUTH2,
        "Another OAuth 2.0 provider",
        "Any other OAuth 2.0 server. Set its URLs in config.",
    ),
    "custom_api_key": (
        AuthType.API_KEY,
        "Another provider with API keys",
        "Patchbay stores each account's API key but does not call the API.",
    ),
    "custom_basic": (
        AuthType.BASIC,
        "Another provider with user names and passwords",
        "Patchbay stores each account's user name and password but does not call the API.",
    ),
}


def list_providers(query: ProviderQuery) -> Listing[ProviderSummary]:
    """The built-in providers by key, then the custom ones."""
    every = [*map(_summary, providers.load_all()), *map(_custom_summary, _CUSTOM)]
    return Listing(items=[provider for provider in every if _matches(provider, query)])


def get(key: ProviderKey) -> Provider:
    """What an integration of a provider needs. Raises NotFound."""
    if key in _CUSTOM:
        return _custom(key)
    provider = providers.load(key)
    if provider is None:
        near = suggestions.nearest(key, [*providers.names(), *_CUSTOM])
        hint = "GET /api/integrations/providers lists them" if near is None else f"Did you mean `{near}`?"
        raise NotFound(f"No provider with this key. {hint}")
    oauth, fields = provider.oauth, provider.credentials
    return Provider(
        **dict(_summary(provider)),
        config_schema=config.json_schema(provider),
        credentials_schema=None if fields is None else credentials.json_schema(fields.fields),
        oauth=None if oauth is None else _oauth(provider, oauth),
        hosts=[] if oauth is None else providers.called_hosts(oauth),
        redirect_uris=[] if oauth is None else list(settings().redirect_uris),
    )


class CredentialsForm(NamedTuple):
    """The `credentials` of a connection, as JSON Schema."""

    auth_type: AuthType
    schema: Schema


def credentials_of(integration: StoredIntegration) -> CredentialsForm:
    """The credentials that connect an integration without OAuth. For a provider that Patchbay does not know,
    this is an API key, unless it is `custom_basic`.
    """
    provider = client.provider_for(integration)
    if provider is not None and provider.credentials is not None:
        return CredentialsForm(provider.auth_type, credentials.json_schema(provider.credentials.fields))
    custom = _CUSTOM.get(integration.provider or "")
    is_basic = custom is not None and custom[0] is AuthType.BASIC
    auth_type = AuthType.BASIC if is_basic else AuthType.API_KEY
    return CredentialsForm(auth_type, credentials.json_schema(credentials.CUSTOM[auth_type]))


def _matches(provider: ProviderSummary, query: ProviderQuery) -> bool:
    text = "\n".join((provider.key, provider.name, provider.description)).casefold()
    return (
        query.type in (None, provider.type)
        and query.auth_type in (None, provider.auth_type)
        and (query.search or "").casefold() in text
    )


def _summary(provider: BuiltIn) -> ProviderSummary:
    return ProviderSummary(
        key=provider.name,
        name=provider.label,
        type=provider.type,
        auth_type=provider.auth_type,
        description=provider.description,
        documentation_url=provider.docs,
        template_id=IntegrationId.for_template(provider.name),
    )


def _oauth(provider: BuiltIn, oauth: OAuth) -> ProviderOAuth:
    # The addresses that a callback may change have their defaults. Other variables stay in braces.
    known = {name: f"{{{name}}}" for name in [*provider.variables, *oauth.metadata]}
    known |= {name: variable.default for name, variable in oauth.callback.items()}
    always = set(oauth.offline_scopes)
    return ProviderOAuth(
        authorization_url=providers.expand(oauth.authorization_url, known),
        token_url=providers.expand(oauth.token_url, known),
        revocation_url=None if oauth.revocation is None else providers.expand(oauth.revocation.url, known),
        issuer=oauth.issuer,
        client_auth=oauth.client_auth,
        pkce=oauth.pkce,
        scope_separator=oauth.scope_separator,
        refresh=oauth.refresh,
        scopes=[
            ProviderScope(name=scope, description=oauth.scope_descriptions.get(scope), always=scope in always)
            for scope in dict.fromkeys([*oauth.default_scopes, *oauth.offline_scopes])
        ],
    )


def _custom_summary(key: str) -> ProviderSummary:
    auth_type, name, description = _CUSTOM[key]
    return ProviderSummary(
        key=key,
        name=name,
        type=IntegrationType.CUSTOM,
        auth_type=auth_type,
        description=description,
        documentation_url=None,
        template_id=None,
    )


def _custom(key: str) -> Provider:
    summary = _custom_summary(key)
    fields = credentials.CUSTOM.get(summary.auth_type)
    return Provider(
        **dict(summary),
        config_schema=config.json_schema(None) if fields is None else config.api_schema(),
        credentials_schema=None if fields is None else credentials.json_schema(fields),
        oauth=None,
        hosts=[],
        redirect_uris=list(settings().redirect_uris) if fields is None else [],
    )
