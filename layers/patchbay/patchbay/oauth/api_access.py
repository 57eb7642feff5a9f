"""Where a connection's API is, and the headers of its requests. The credentials stay in the process.

The provider's file names the hosts that may get a token: its own, or one that the provider named when the
account was connected. For a provider that Patchbay does not know, it is that of the integration's API URL.
Like its other URLs, it belongs to the grant: if its origin changes, accounts must be reconnected.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from patchbay.ids import ConnectionRef, IntegrationId
from patchbay.integrations import config
from patchbay.integrations import credentials as credential_fields
from patchbay.integrations.client import provider_for
from patchbay.integrations.stored_integration import StoredIntegration
from patchbay.oauth import connections, provider_calls, store
from patchbay.oauth.store import ProviderCallState
from patchbay.oauth.stored_connection import StoredConnection
from patchbay.oauth.token_endpoint import MIN_SECRET_LENGTH
from patchbay.oauth.tokens import decrypt_credentials, decrypt_tokens
from patchbay.outbound import api_paths
from patchbay.providers.provider import Api, AuthType, Provider, address_hosts, expand, is_at_host


class ApiUnknown(Exception):
    """Patchbay does not know where the API of a connection is."""


class UrlRefused(ValueError):
    """A URL that must not get the connection's token. The message says why, for people."""


@dataclass(frozen=True, slots=True)
class ApiLocation:
    """Paths are relative to `base`, which may have a path itself. `hosts` may get the token, too; `*.x` means
    any name below x.
    """

    base: str
    hosts: Sequence[str] = ()

    def resolve(self, url: str) -> str:
        """The URL for a path, or for an absolute URL at one of the hosts. Raises UrlRefused."""
        if url.startswith("/"):
            path = url
            resolved = self.base + url
        else:
            origin, path = _split(url)
            is_allowed = origin == config.origin_of(self.base) or is_at_host(origin, list(self.hosts))
            if not is_allowed:
                allowed = ", ".join([self.base, *(f"https://{host}" for host in self.hosts)])
                raise UrlRefused(f"{origin} is not a host of this connection's API; it has {allowed}")
            resolved = url
        if not api_paths.is_plain_path(path):
            raise UrlRefused(f"the URL must have a path {api_paths.RULE}")
        return resolved


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """The API of the connection `name`, with the headers that authenticate its requests. `secrets` are the
    texts that must not appear anywhere else. `tokens_version` changes with the token. Uses are logged as uses
    by `actor`. `call_state` says whether a request needs a permit.
    """

    workspace_id: str
    integration_id: IntegrationId
    name: str
    actor: str
    location: ApiLocation
    headers: Mapping[str, str] = field(repr=False)
    secrets: Sequence[str] = field(repr=False)
    tokens_version: int
    can_refresh: bool
    call_state: ProviderCallState


def locate(workspace_id: str, integration_id: IntegrationId, ref: ConnectionRef) -> ApiLocation | None:
    """Where a connection's API is, without its credentials; None if only they say where. Raises NotFound, and
    ApiUnknown.
    """
    integration, connection, _ = connections.find(workspace_id, integration_id, ref)
    api = _api_of(integration, connection)
    provider = provider_for(integration)
    if provider is not None and provider.credentials is not None and "{" in api.base:
        return None
    return _location(api, provider, connection, {})


def open_access(
    workspace_id: str,
    integration_id: IntegrationId,
    ref: ConnectionRef,
    actor: str,
    *,
    refused: int | None = None,
) -> ApiAccess:
    """A connection's API, with a token that is refreshed if it is due. `refused` is the `tokens_version` of a
    token that the API refused, which forces a refresh. Counts one use of the integration, unless no permit is
    free: requests that wait for one do not use up its limit.

    Raises NotFound, IntegrationInactive, ConnectionExpired, RateLimited, UpstreamFailed, ProvidersBusy,
    ApiUnknown.
    """
    requests_state = store.get_call_state(workspace_id, "requests")
    provider_calls.check_capacity(requests_state)
    integration, connection, call_state = connections.find_usable(workspace_id, integration_id, ref, None)
    api, provider = _api_of(integration, connection), provider_for(integration)
    if connection.auth_type == AuthType.OAUTH2:
        connection = connections.fresh(
            integration, connection, call_state, actor, forced=connection.tokens_version == refused
        )
        values = {"token": decrypt_tokens(connection).access_token, "client_id": _client_id(integration)}
        secrets, public = [values["token"]], {}
    else:
        connections.check_not_removed(connection)
        credentials = decrypt_credentials(connection)
        basic = f"{credentials.get('username', '')}:{credentials.get('password', '')}"
        values = {**credentials, "basic": base64.b64encode(basic.encode()).decode()}
        public = {} if provider is None or provider.credentials is None else credentials
        fields = (
            credential_fields.CUSTOM[AuthType(connection.auth_type)]
            if provider is None or provider.credentials is None
            else provider.credentials.fields
        )
        secrets = [value for name, value in values.items() if name == "basic" or fields[name].secret]
    return ApiAccess(
        workspace_id=workspace_id,
        integration_id=integration_id,
        name=connection.name,
        actor=actor,
        location=_location(api, provider, connection, public),
        headers={name: expand(text, values) for name, text in api.headers.items()},
        secrets=[text for text in secrets if len(text) >= MIN_SECRET_LENGTH],
        tokens_version=connection.tokens_version,
        can_refresh=connection.refreshable,
        call_state=requests_state,
    )


def _api_of(integration: StoredIntegration, connection: StoredConnection) -> Api:
    """Raises ApiUnknown."""
    provider = provider_for(integration)
    if provider is not None:
        if provider.api is None:
            raise ApiUnknown(f"Patchbay does not know the API URL of {provider.label}.")
        return provider.api
    base = config.api_url(integration.config)
    if base is None:
        raise ApiUnknown("The integration has no config.apiUrl. Set it, then create the connection again.")
    headers = {"authorization": "Bearer {token}"}
    if connection.auth_type == AuthType.BASIC:
        headers = {"authorization": "Basic {basic}"}
    elif connection.auth_type == AuthType.API_KEY:
        name = integration.config.get("apiKeyHeader")
        headers = {"authorization": "Bearer {apiKey}"} if name is None else {str(name).lower(): "{apiKey}"}
    # Skip the validation of providers' files: `config.merge` has checked the fields.
    return Api.model_construct(base=base, hosts=[], headers=headers)


def _location(
    api: Api, provider: Provider | None, connection: StoredConnection, credentials: Mapping[str, str]
) -> ApiLocation:
    """Raises ApiUnknown if the connection lacks the address, or the provider's file no longer allows it."""
    if "{" not in api.base:
        return ApiLocation(api.base, tuple(api.hosts))
    oauth = None if provider is None else provider.oauth
    named = {**json.loads(connection.metadata), **connection.variables}
    addresses = {
        name: named[name].removesuffix("/")
        for name, hosts in ({} if oauth is None else address_hosts(oauth)).items()
        if is_at_host(named.get(name), hosts)
    }
    try:
        return ApiLocation(expand(api.base, {**credentials, **addresses}), tuple(api.hosts))
    except KeyError:
        raise ApiUnknown(
            "The connection does not have the URL of the provider's API. Ask its owner to connect again."
        ) from None


def _client_id(integration: StoredIntegration) -> str:
    return (integration.source_client_id if integration.is_copy else integration.client_id) or ""


def _split(url: str) -> tuple[str, str]:
    """The origin and the path of a URL whose host is in lowercase, without a user or a default port."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    origin = f"{scheme}://{authority}"
    if not separator or config.origin_of(origin) != origin:
        raise UrlRefused("the URL must start with / or with https:// and a lowercase host")
    return origin, slash + path
