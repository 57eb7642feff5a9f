"""The authorization code flow: begin it, take the provider's redirect, finish it.

A state is 256 random bits, kept as a hash, and works once, for 10 minutes, for the principal that began it.
The callback of a browser (`return_to`) never exchanges anything: it hands the parameters on to the platform's
page, and the code is exchanged when the same principal brings them back.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from patchbay import vault
from patchbay.auth.principal import Principal
from patchbay.clock import at_ms, now_ms
from patchbay.errors import (
    AuthorizationFailed,
    Conflict,
    Forbidden,
    NotFound,
    Problem,
    UpstreamFailed,
    ValidationFailed,
    contended,
)
from patchbay.ids import ConnectionRef, IntegrationId
from patchbay.integrations import activity, marketplace
from patchbay.integrations import service as integrations
from patchbay.integrations.client import OAuthClient, client_of
from patchbay.integrations.config import origin_of
from patchbay.integrations.store import StoredIntegration
from patchbay.oauth import calls, connections, limits, refresh_policy, states, store, token_endpoint
from patchbay.oauth.models import Authorization, AuthType, Callback, Connection, Initiate
from patchbay.oauth.states import State
from patchbay.oauth.store import Calls, StoredConnection
from patchbay.oauth.token_response import TokenRequestDenied, TokenSet, UnusableTokenResponse, sanitize
from patchbay.oauth.tokens import Seal, tokens_of, with_tokens
from patchbay.observability import logger
from patchbay.providers.provider import is_at_host
from patchbay.rate_limits.headers import retry_after
from patchbay.settings import settings
from patchbay.storage import dynamo

_TRIES = 3
# What a provider may come back with, besides its own `callback` parameters (RFC 6749, 4.1.2; RFC 9207).
_RESPONSE_PARAMETERS = {"code", "state", "iss", "error", "error_description", "error_uri", "scope"}
_MAX_PARAMETER = 4096
# Read by its letters: a parser that forgives, as urlsplit does, sees another origin than a browser does.
_RETURN_URL = re.compile(r"(?P<origin>https?://[A-Za-z0-9.:\[\]-]+)(?:[/?][!-~]*)?")


def initiate(principal: Principal, integration_id: IntegrationId, body: Initiate) -> Authorization:
    """Begin a flow: where to send the user, and the state that they come back with.

    Raises ValidationFailed for a redirect or return address that is not registered, or scopes beyond the
    integration's; IntegrationInactive; RateLimited.
    """
    integration = integrations.read(principal.workspace_id, integration_id)
    connections.check_active(integration)
    client = client_of(integration)
    _check_redirect_uri(integration, body.redirect_uri)
    _check_return_url(body.return_url)
    scopes = _scopes(integration, client, body.scopes)
    limits.admit(integration)
    now = now_ms()
    state = secrets.token_urlsafe(32)
    id = states.id_of(state)
    # RFC 7636, 4.1: 43 to 128 characters.
    verifier = secrets.token_urlsafe(48) if client.oauth.pkce else None
    row = State(
        id=id,
        workspace_id=principal.workspace_id,
        principal_id=principal.id,
        integration_id=integration_id,
        generation=integration.generation,
        connection_name=body.connection_id,
        redirect_uri=body.redirect_uri,
        expires_at=now + states.LIFETIME_MS,
        scopes=scopes,
        verifier=None
        if verifier is None
        else vault.encrypt(principal.workspace_id, verifier, encryption_context=_encryption_context(id)),
        return_url=body.return_url,
        callback_parameters=[variable.parameter for variable in client.oauth.callback.values()],
    )
    entry = activity.entering(
        principal.workspace_id, integration_id, "oauth.initiated", principal.id, body.connection_id
    )
    dynamo.transact([states.storing(row), entry])
    url = token_endpoint.authorization_url(
        client, redirect_uri=body.redirect_uri, scopes=scopes, state=state, code_verifier=verifier
    )
    return Authorization(authorization_url=url, state=state, expires_at=at_ms(row.expires_at))


def complete(principal: Principal, body: Callback) -> Connection:
    """Finish a flow: the state is used up whatever happens; the code becomes a connection.

    Raises ValidationFailed for a state that is unknown, used or too old; Forbidden for another's;
    AuthorizationFailed with the provider's own words; UpstreamFailed when it gave no usable answer; Conflict
    at the ceiling of connections.
    """
    state = states.consume(states.id_of(body.state), now_ms())
    if state is None:
        raise ValidationFailed.of(
            "state", "is unknown, was used before, or is older than 10 minutes: begin again with initiate"
        )
    if (state.workspace_id, state.principal_id) != (principal.workspace_id, principal.id):
        _note(
            state, principal.id, "brought back by another than who began it", workspace=principal.workspace_id
        )
        raise Forbidden("Another has begun this; only they can finish it. It is void now: begin your own.")
    name = ConnectionRef(state.connection_name)
    integration, old, workspace = store.find(state.workspace_id, state.integration_id, name)
    if integration is None:
        raise NotFound("There is no such integration.")
    try:
        connections.check_active(integration)
        return _connect(principal, integration, old, workspace, state, body)
    except Problem as problem:
        _note(state, principal.id, problem.detail)
        raise


def return_to(integration_id: IntegrationId, parameters: Mapping[str, str]) -> str:
    """Where the provider's redirect goes on to: the returnUrl of the flow, with what the provider said in the
    fragment, which no server sees. Nothing is exchanged or used up.

    Raises ValidationFailed for a state that is unknown, too old, or has no returnUrl; NotFound for one of
    another integration.
    """
    state = states.peek(states.id_of(parameters.get("state", "")), now_ms())
    if state is None:
        raise ValidationFailed.of("state", "is unknown, was used before, or is older than 10 minutes")
    if state.integration_id != integration_id:
        raise NotFound("There is no such integration.")
    if state.return_url is None:
        raise ValidationFailed.of("state", "was begun without a returnUrl: there is nowhere to go on to")
    _check_return_url(state.return_url)
    known = {*_RESPONSE_PARAMETERS, *state.callback_parameters}
    said = {name: value[:_MAX_PARAMETER] for name, value in parameters.items() if name in known}
    return f"{state.return_url}#{urlencode(said)}"


# ── finishing ────────────────────────────────────────────────────────────────────────────────────────


def _connect(
    principal: Principal,
    integration: StoredIntegration,
    old: StoredConnection | None,
    workspace: Calls,
    state: State,
    body: Callback,
) -> Connection:
    if integration.generation != state.generation:
        raise Conflict("The integration's client or addresses have changed since this was begun. Begin anew.")
    client = client_of(integration)
    _check_issuer(client, body)
    if body.code is None:
        hidden = token_endpoint.secrets_to_mask(client)
        said, more = sanitize(body.error, hidden), sanitize(body.error_description, hidden)
        raise AuthorizationFailed(
            f"{client.provider} answered {said or 'an error'}"
            + (f": {more}." if more else ".")
            + " Begin again when it is mended."
        )
    named = _named(client, body)
    # Whatever could fail without the provider comes before the code is used.
    connections.check_replaceable(old)
    seal = vault.sealer(principal.workspace_id)
    verifier = (
        None
        if state.verifier is None
        else vault.decrypt(
            principal.workspace_id, state.verifier, encryption_context=_encryption_context(state.id)
        )
    )
    client = client.at(named)
    with calls.admitted(workspace):
        tokens = _exchange(principal, client, state, body.code, verifier)
        return _store(principal, integration, state, client, named, tokens, seal, old)


def _exchange(
    principal: Principal, client: OAuthClient, state: State, code: str, verifier: str | None
) -> TokenSet:
    try:
        with calls.watched(principal.workspace_id):
            return token_endpoint.exchange_code(
                client, code=code, redirect_uri=state.redirect_uri, code_verifier=verifier
            )
    except TokenRequestDenied as no:
        raise AuthorizationFailed(
            f"{client.provider} did not take the code: {no}. Begin again; if it stays so, look at the "
            "integration's client."
        ) from None
    except UnusableTokenResponse as fault:
        raise UpstreamFailed(
            f"{client.provider} gave no usable answer: {fault.reason}. Nothing is connected; begin again.",
            headers=_retry_after(fault),
        ) from None


def _retry_after(fault: UnusableTokenResponse) -> dict[str, str]:
    asked = refresh_policy.asked_ms(fault.retry_after)
    return retry_after(asked) if asked else {}


def _store(
    principal: Principal,
    integration: StoredIntegration,
    state: State,
    client: OAuthClient,
    named: Mapping[str, str],
    tokens: TokenSet,
    seal: Seal,
    old: StoredConnection | None,
) -> Connection:
    for _ in range(_TRIES):
        bare = connections.new_connection(principal, integration, state.connection_name, AuthType.OAUTH2, old)
        bare = replace(bare, scopes=list(state.scopes), variables=dict(named))
        new = with_tokens(bare, client.oauth, tokens, seal, now_ms())
        entry = activity.entering(
            principal.workspace_id,
            integration.id,
            "connection.created" if old is None else "connection.renewed",
            principal.id,
            new.name if new.account_label is None else f"{new.name}: {sanitize(new.account_label)}",
        )
        try:
            store.connect(new, old, [entry])
        except store.ConnectionChanged as changed:
            old = changed.now
            continue
        except Conflict:
            _give_back(client, tokens)
            raise
        if old is not None and client.oauth.revoke_replaced:
            _revoke_replaced(principal, client, old, new, tokens)
        return connections.shown(integration, new)
    raise contended("connection")


def _revoke_replaced(
    principal: Principal, client: OAuthClient, old: StoredConnection, new: StoredConnection, tokens: TokenSet
) -> None:
    """Revoke the grant that a new one has replaced, once the new one is stored. A failure is only logged: the
    user is connected.
    """
    if old.auth_type != AuthType.OAUTH2 or old.generation != new.generation:
        return
    outcome: activity.Outcome = "SUCCEEDED"
    detail = "the replaced grant was revoked at the provider"
    try:
        replaced = tokens_of(old)
        ours = {tokens.access_token, tokens.refresh_token} - {None}
        if ours & {replaced.access_token, replaced.refresh_token}:
            return  # the provider gave the same tokens again
        if not token_endpoint.revoke(client.at(old.variables), replaced):
            return
    except (TokenRequestDenied, UnusableTokenResponse, Problem) as fault:
        outcome, detail = "FAILED", f"the replaced grant was not revoked at the provider: {fault}"
    activity.enter(
        new.workspace_id,
        new.integration_id,
        "connection.revoked",
        principal.id,
        f"{new.name}: {detail}",
        outcome,
    )


def _give_back(client: OAuthClient, tokens: TokenSet) -> None:
    """Revoke a grant that nothing came of: its integration was deleted or moved as the provider answered."""
    try:
        token_endpoint.revoke(client, tokens)
    except (TokenRequestDenied, UnusableTokenResponse) as fault:
        logger.warning("grant that could not be stored not revoked", reason=str(fault))


def _check_issuer(client: OAuthClient, body: Callback) -> None:
    """RFC 9207, 2.4: an answer of another server than the one that was asked is refused (mix-up)."""
    issuer, origins = client.oauth.issuer, client.oauth.iss_origins
    if issuer is None:
        if origins and body.iss is not None and origin_of(body.iss) not in origins:
            raise AuthorizationFailed(
                f"The answer comes from a server (iss {sanitize(body.iss)!r}) that neither authorizationUrl "
                f"nor tokenUrl names. Begin again. If {client.provider} documents that issuer, "
                "set config.issuer."
            )
        return
    if body.iss is None:
        if client.oauth.iss_required:
            raise AuthorizationFailed(
                "The answer does not say which server it comes from (iss). Begin again."
            )
    elif body.iss != issuer:
        raise AuthorizationFailed(
            f"The answer comes from another server (iss) than {client.provider}'s. Begin again."
        )


def _named(client: OAuthClient, body: Callback) -> dict[str, str]:
    """The addresses that the provider's redirect names, if they are its own."""
    extra = body.__pydantic_extra__ or {}
    found = {}
    for name, variable in client.oauth.callback.items():
        value = extra.get(variable.parameter)
        if value is None:
            continue
        if not is_at_host(value, list(variable.hosts)):
            raise AuthorizationFailed(
                f"{variable.parameter} is not one of {client.provider}'s own addresses. Begin again."
            )
        found[name] = value.rstrip("/")
    return found


# ── beginning ────────────────────────────────────────────────────────────────────────────────────────


def _check_redirect_uri(integration: StoredIntegration, uri: str) -> None:
    """To the letter (RFC 9700, 2.1). Of a copy only the platform's own count: its publisher's would hand the
    codes of others to them.
    """
    own = integration.config.get("redirectUris")
    registered = own if own and integration.source_workspace_id is None else settings().redirect_uris
    if uri not in registered:
        where = "config.redirectUris" if own else "the parameter AllowedRedirectUris"
        raise ValidationFailed.of("redirectUri", f"is not one of those in {where}, to the letter")


def _check_return_url(url: str | None) -> None:
    if url is None:
        return
    parts = _RETURN_URL.fullmatch(url)
    if parts is None or parts["origin"] not in settings().return_origins or "#" in url:
        raise ValidationFailed.of(
            "returnUrl", "its origin is not one of those in the parameter AllowedReturnOrigins"
        )


def _scopes(integration: StoredIntegration, client: OAuthClient, asked: list[str] | None) -> tuple[str, ...]:
    """What is asked of the provider: no more than the integration lists, where it lists any; and whatever
    brings a refresh token.
    """
    listed = list(integration.scopes)
    copied = integration.source_workspace_id is not None
    if copied:  # with another's client: no scope beyond the approved ones, even if none is listed
        approved = marketplace.bounded(integration).approved_scopes or ()
        listed = [scope for scope in listed or approved if scope in approved]
        if approved and asked == []:
            raise ValidationFailed.of("scopes", "must name a scope: without any, the provider would choose")
    if asked is not None and (listed or copied):
        beyond = [scope for scope in asked if scope not in listed]
        if beyond:
            raise ValidationFailed.of("scopes", f"{beyond[0]} is not one of the integration's scopes")
    chosen = asked if asked is not None else listed
    if not (chosen or copied or asked is not None):
        chosen = list(client.oauth.default_scopes)
    return tuple(dict.fromkeys([*chosen, *client.oauth.offline_scopes]))


def _note(state: State, actor: str, detail: str, *, workspace: str | None = None) -> None:
    """What went wrong, in the log of whom it concerns."""
    who = actor if workspace in (None, state.workspace_id) else "a stranger"
    activity.enter(
        state.workspace_id,
        state.integration_id,
        "oauth.failed",
        who,
        f"{state.connection_name}: {detail}",
        "FAILED",
    )


def _encryption_context(id: str) -> str:
    return f"oauth_states/{id}/verifier"
