"""The authorization code flow, with PKCE: start it, forward the provider's redirect, complete it.

A state is 256 random bits, stored as a hash, and works once, for 10 minutes, for the principal that started
the flow. The browser's redirect (`redirect_location`) exchanges no code: it passes the parameters on to the
platform's page, and the code is exchanged when the same principal sends them back.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from patchbay import idempotency, return_urls, vault
from patchbay.activity import log as activity
from patchbay.auth.principal import Principal
from patchbay.clock import from_ms, now_ms
from patchbay.errors import (
    AuthorizationFailed,
    Conflict,
    Forbidden,
    NotFound,
    Problem,
    UpstreamFailed,
    ValidationFailed,
    write_conflict,
)
from patchbay.ids import ConnectionRef, IntegrationId
from patchbay.integrations import marketplace
from patchbay.integrations import service as integrations
from patchbay.integrations.client import OAuthClient, check_active, client_for
from patchbay.integrations.config import origin_of
from patchbay.integrations.stored_integration import StoredIntegration
from patchbay.oauth import (
    connections,
    limits,
    provider_calls,
    refresh,
    refresh_policy,
    states,
    store,
    token_endpoint,
)
from patchbay.oauth.models import Authorization, Callback, Connection, Initiate, sent_name
from patchbay.oauth.states import StoredFlow
from patchbay.oauth.store import ProviderCallState
from patchbay.oauth.stored_connection import StoredConnection
from patchbay.oauth.token_response import (
    TokenRequestDenied,
    TokenSet,
    UnusableTokenResponse,
    clause,
    sanitize,
)
from patchbay.oauth.tokens import Encrypt, decrypt_tokens, with_tokens
from patchbay.providers.provider import AuthType, OAuth, is_at_host
from patchbay.rate_limits.headers import retry_after
from patchbay.sessions import links
from patchbay.settings import settings
from patchbay.storage import dynamo

if TYPE_CHECKING:
    from patchbay.idempotency import Once

_MAX_TRIES = 3
# The parameters of a redirect, besides the provider's own `callback` ones (RFC 6749, 4.1.2; RFC 9207).
_RESPONSE_PARAMETERS = {"code", "state", "iss", "error", "error_description", "error_uri", "scope"}
_MAX_PARAMETER_LENGTH = 4096
# The deployment's own page, which hands the parameters of a redirect to the page that started the flow.
_OWN_RETURN_PATH = "/connect/return"


def initiate(
    principal: Principal,
    integration_id: IntegrationId,
    body: Initiate,
    origin: str,
    used: limits.UsedQuotas | None = None,
    once: Once | None = None,
) -> Authorization:
    """Start a flow. Returns where to send the user, and the state that the provider returns with them. Adds
    the integration's quotas to `used`. `origin` is that of this deployment.

    Raises ValidationFailed for a redirect or return URL that is not registered, or scopes beyond the
    integration's; IntegrationInactive; RateLimited; Forbidden for more than the caller's connect link allows.
    """
    links.check_integration(principal, integration_id)
    name = links.connection_name(principal, sent_name(body), body.connection_id)
    wanted = links.scopes(principal, body.scopes)
    integration = integrations.get_stored(principal.workspace_id, integration_id)
    check_active(integration)
    client = client_for(integration)
    _check_redirect_uri(integration, body.redirect_uri, origin)
    returns_here = body.return_url == f"{origin}{_OWN_RETURN_PATH}"
    if not returns_here:
        return_urls.check(body.return_url)
    scopes = requested_scopes(integration, client.oauth, wanted)
    limits.admit(integration, used)
    now = now_ms()
    state = secrets.token_urlsafe(32)
    id = states.hash_state(state)
    # PKCE (RFC 7636, 4.1): 48 bytes become 64 characters, and 43 to 128 are allowed.
    verifier = secrets.token_urlsafe(48) if client.oauth.pkce else None
    stored = StoredFlow(
        id=id,
        workspace_id=principal.workspace_id,
        principal_id=principal.id,
        integration_id=integration_id,
        generation=integration.generation,
        connection_name=name,
        redirect_uri=body.redirect_uri,
        expires_at=now + states.LIFETIME_MS,
        scopes=scopes,
        verifier=None
        if verifier is None
        else vault.encrypt(principal.workspace_id, verifier, encryption_context=_encryption_context(id)),
        return_url=body.return_url,
        returns_here=returns_here,
        callback_parameters=[variable.parameter for variable in client.oauth.callback.values()],
    )
    log_action = activity.log_action(
        principal.workspace_id, integration_id, "oauth.initiated", principal.id, name
    )
    url = token_endpoint.authorization_url(
        client, redirect_uri=body.redirect_uri, scopes=scopes, state=state, code_verifier=verifier
    )
    response = Authorization(authorization_url=url, state=state, expires_at=from_ms(stored.expires_at))
    started = links.start_actions(principal)
    once_actions = [once.complete_action(response)] if once else []
    try:
        dynamo.transact([*started, states.create_action(stored), log_action, *once_actions])
    except dynamo.TransactionCanceled as refused:
        if started and 0 in refused.failed:
            raise links.not_started() from None
        raise idempotency.request_in_progress() from None
    return response


def complete(principal: Principal, body: Callback, once: Once | None = None) -> Connection:
    """Complete a flow: exchange the code for tokens, and store them as a connection. The state is consumed in
    all cases. If the process dies after that, nothing is connected, and the user starts a new flow.

    Raises ValidationFailed for a state that is unknown, used, or expired; Forbidden for another caller's;
    NotFound for a deleted integration; IntegrationInactive; AuthorizationFailed with the provider's error;
    UpstreamFailed for an unusable response; Conflict if the integration has changed, if the connection is
    being removed, or at the ceiling of connections.
    """
    flow = states.consume(states.hash_state(body.state), now_ms())
    if flow is None:
        raise ValidationFailed.for_field(
            "state",
            "is unknown, was already used, or is older than 10 minutes. Start a new flow with initiate",
        )
    if (flow.workspace_id, flow.principal_id) != (principal.workspace_id, principal.id):
        actor = principal.id if principal.workspace_id == flow.workspace_id else "a stranger"
        _log_failure(flow, actor, "another caller returned the state")
        raise Forbidden(
            "Only the caller who started this flow can complete it. The flow has ended. Start a new one."
        )
    name = ConnectionRef(flow.connection_name)
    integration, old, call_state = store.find(flow.workspace_id, flow.integration_id, name)
    if integration is None:
        raise NotFound("No integration with this ID.")
    try:
        links.check_integration(principal, integration.id)
        check_active(integration)
        return _connect(principal, integration, old, call_state, flow, body, once)
    except Problem as problem:
        _log_failure(flow, principal.id, problem.detail)
        raise


def redirect_location(integration_id: IntegrationId, parameters: Mapping[str, str]) -> str:
    """Where the provider's redirect sends the browser: the returnUrl of the flow, with the provider's
    parameters in the fragment, which no server sees. Exchanges no code and consumes no state.

    Raises ValidationFailed for a state that is unknown, expired, or has no returnUrl; NotFound for one of
    another integration.
    """
    flow = states.peek(states.hash_state(parameters.get("state", "")), now_ms())
    if flow is None:
        raise ValidationFailed.for_field("state", "is unknown, was already used, or is older than 10 minutes")
    if flow.integration_id != integration_id:
        raise NotFound("No integration with this ID.")
    if flow.return_url is None:
        raise ValidationFailed.for_field("state", "belongs to a flow that was started without a returnUrl")
    if not flow.returns_here:
        return_urls.check(flow.return_url)
    allowed = {*_RESPONSE_PARAMETERS, *flow.callback_parameters}
    forwarded = {name: value[:_MAX_PARAMETER_LENGTH] for name, value in parameters.items() if name in allowed}
    return f"{flow.return_url}#{urlencode(forwarded)}"


# ── completing ───────────────────────────────────────────────────────────────────────────────────────


def _connect(
    principal: Principal,
    integration: StoredIntegration,
    old: StoredConnection | None,
    call_state: ProviderCallState,
    flow: StoredFlow,
    body: Callback,
    once: Once | None,
) -> Connection:
    if integration.generation != flow.generation:
        raise Conflict(
            "The integration's OAuth client or URLs have changed since this flow started. Start a new flow."
        )
    client = client_for(integration)
    _check_issuer(client, body)
    if body.code is None:
        raise _denial_error(client, body)
    variables = _callback_variables(client, body)
    # Do everything that can fail without the provider before using the code.
    connections.check_replaceable(old)
    encrypt = vault.encryptor(principal.workspace_id)
    verifier = (
        None
        if flow.verifier is None
        else vault.decrypt(
            principal.workspace_id, flow.verifier, encryption_context=_encryption_context(flow.id)
        )
    )
    client = client.with_variables(variables)
    with provider_calls.permit(call_state):
        tokens = _exchange(principal, client, flow, body.code, verifier)
        return _store(principal, integration, flow, client, variables, tokens, encrypt, old, once)


def _denial_error(client: OAuthClient, body: Callback) -> AuthorizationFailed:
    """The error in the provider's redirect."""
    sent_secrets = token_endpoint.secrets_to_mask(client)
    error, description = sanitize(body.error, sent_secrets), sanitize(body.error_description, sent_secrets)
    return AuthorizationFailed(
        f"{client.provider_label} returned {error or 'an error'}"
        + (f": {clause(description)}." if description else ".")
        + " Start a new flow when the cause is fixed."
    )


def _exchange(
    principal: Principal, client: OAuthClient, flow: StoredFlow, code: str, verifier: str | None
) -> TokenSet:
    try:
        with provider_calls.track(principal.workspace_id):
            return token_endpoint.exchange_code(
                client, code=code, redirect_uri=flow.redirect_uri, code_verifier=verifier
            )
    except TokenRequestDenied as error:
        raise AuthorizationFailed(
            f"{client.provider_label} did not accept the code: {clause(error)}. Start a new flow. If the "
            "error persists, check the integration's OAuth client."
        ) from None
    except UnusableTokenResponse as error:
        raise UpstreamFailed(
            f"{client.provider_label} returned an unusable response: {clause(error.reason)}. Nothing is "
            "connected. Start a new flow.",
            headers=_retry_after(error),
        ) from None


def _retry_after(error: UnusableTokenResponse) -> dict[str, str]:
    requested_ms = refresh_policy.requested_wait_ms(error.retry_after)
    return retry_after(requested_ms) if requested_ms else {}


def _store(
    principal: Principal,
    integration: StoredIntegration,
    flow: StoredFlow,
    client: OAuthClient,
    variables: Mapping[str, str],
    tokens: TokenSet,
    encrypt: Encrypt,
    old: StoredConnection | None,
    once: Once | None,
) -> Connection:
    for _ in range(_MAX_TRIES):
        connection = connections.new_connection(
            principal, integration, flow.connection_name, AuthType.OAUTH2, old
        )
        connection = replace(connection, scopes=list(flow.scopes), variables=dict(variables))
        new = with_tokens(connection, client.oauth, tokens, encrypt, now_ms())
        log_action = activity.log_action(
            principal.workspace_id,
            integration.id,
            "connection.created" if old is None else "connection.renewed",
            principal.id,
            new.name if new.account_label is None else f"{new.name}: {sanitize(new.account_label)}",
        )
        try:
            response = connections.to_api(integration, new)
            store.connect(
                new,
                old,
                [log_action],
                links.complete_actions(principal, integration.id, new.id),
                once,
                response,
            )
        except store.ConnectionChanged as changed:
            old = changed.current
            continue
        except Conflict:
            refresh.revoke_unstored_grant(client, tokens)
            raise
        if old is not None and client.oauth.revoke_replaced:
            _revoke_replaced(principal, client, old, new, tokens)
        return response
    refresh.revoke_unstored_grant(client, tokens)
    raise write_conflict("connection")


def _revoke_replaced(
    principal: Principal, client: OAuthClient, old: StoredConnection, new: StoredConnection, tokens: TokenSet
) -> None:
    """Revoke the grant that a new one has replaced, once the new one is stored. A failure is only logged,
    because the user is connected.
    """
    if old.auth_type != AuthType.OAUTH2 or old.generation != new.generation:
        return
    outcome: activity.Outcome = "SUCCEEDED"
    detail = "the replaced grant was revoked at the provider"
    try:
        replaced = decrypt_tokens(old)
        current = {tokens.access_token, tokens.refresh_token} - {None}
        if current & {replaced.access_token, replaced.refresh_token}:
            return  # the provider issued the same tokens again
        if not token_endpoint.revoke(client.with_variables(old.variables), replaced):
            return
    except (TokenRequestDenied, UnusableTokenResponse, Problem) as error:
        outcome, detail = "FAILED", f"the replaced grant was not revoked at the provider: {error}"
    activity.log(
        new.workspace_id,
        new.integration_id,
        "connection.revoked",
        principal.id,
        f"{new.name}: {detail}",
        outcome,
    )


def _check_issuer(client: OAuthClient, body: Callback) -> None:
    """Reject an authorization response from a server other than the one this flow started at (mix-up attack,
    RFC 9207, 2.4).
    """
    issuer, origins = client.oauth.issuer, client.oauth.iss_origins
    if issuer is None:
        if origins and body.iss is not None and origin_of(body.iss) not in origins:
            raise AuthorizationFailed(
                f"The response comes from a server (iss {sanitize(body.iss)!r}) that neither "
                f"authorizationUrl nor tokenUrl names. Start a new flow. If {client.provider_label} "
                "documents that issuer, set config.issuer."
            )
        return
    if body.iss is None:
        if client.oauth.iss_required:
            raise AuthorizationFailed(
                "The response does not say which server it comes from (iss). Start a new flow."
            )
    elif body.iss != issuer:
        raise AuthorizationFailed(
            f"The response comes from a server other than {client.provider_label}'s (iss). Start a new flow."
        )


def _callback_variables(client: OAuthClient, body: Callback) -> dict[str, str]:
    """The URLs in the provider's redirect. Raises AuthorizationFailed if one is not the provider's."""
    extra = body.__pydantic_extra__ or {}
    variables = {}
    for name, variable in client.oauth.callback.items():
        value = extra.get(variable.parameter)
        if value is None:
            continue
        if not is_at_host(value, list(variable.hosts)):
            raise AuthorizationFailed(
                f"{variable.parameter} is not one of {client.provider_label}'s own URLs. Start a new flow."
            )
        variables[name] = value.rstrip("/")
    return variables


# ── starting ─────────────────────────────────────────────────────────────────────────────────────────


def own_redirect_uri(integration: StoredIntegration, origin: str) -> str:
    """The URI of Patchbay's own callback route: the registered one, which may be at another domain of this
    deployment, or else the one at `origin`.
    """
    path = f"/api/integrations/{integration.id}/oauth/callback"
    return next((uri for uri in _redirect_uris(integration) if uri.endswith(path)), f"{origin}{path}")


def _redirect_uris(integration: StoredIntegration) -> Sequence[str]:
    """The registered URIs. A copy can use only the platform's: with the publisher's URIs, the publisher would
    receive other workspaces' codes.
    """
    own = integration.redirect_uris
    return own if own and not integration.is_copy else settings().redirect_uris


def _check_redirect_uri(integration: StoredIntegration, uri: str, origin: str) -> None:
    """Require an exact match (RFC 9700, 2.1) with a registered URI, or with Patchbay's own callback route,
    which exchanges nothing and forwards only to an allowed page.
    """
    own = integration.redirect_uris
    if uri not in (*_redirect_uris(integration), own_redirect_uri(integration, origin)):
        where = "config.redirectUris" if own else "the deployment's parameter AllowedRedirectUris"
        raise ValidationFailed.for_field("redirectUri", f"must be exactly one of the URIs in {where}")


def requested_scopes(
    integration: StoredIntegration, oauth: OAuth, requested: list[str] | None
) -> tuple[str, ...]:
    """The scopes of a flow: the requested ones, which must be within the integration's list if it has one,
    plus those that the provider needs to issue a refresh token.
    """
    listed = list(integration.scopes)
    if integration.is_copy:
        # A copy uses the publisher's client, so it gets only approved scopes, even if it lists none.
        approved = marketplace.with_approved_limits(integration).approved_scopes or ()
        listed = [scope for scope in listed or approved if scope in approved]
        if approved and requested == []:
            raise ValidationFailed.for_field("scopes", "must contain at least one scope")
    if requested is not None and (listed or integration.is_copy):
        disallowed = [scope for scope in requested if scope not in listed]
        if disallowed:
            raise ValidationFailed.for_field(
                "scopes", f"{disallowed[0]} is not one of the integration's scopes"
            )
    chosen = requested if requested is not None else listed
    if not (chosen or integration.is_copy or requested is not None):
        chosen = list(oauth.default_scopes)
    return tuple(dict.fromkeys([*chosen, *oauth.offline_scopes]))


def _log_failure(flow: StoredFlow, actor: str, detail: str) -> None:
    """Log a failure in the activity log of the flow's integration."""
    activity.log(
        flow.workspace_id,
        flow.integration_id,
        "oauth.failed",
        actor,
        f"{flow.connection_name}: {detail}",
        "FAILED",
    )


def _encryption_context(id: str) -> str:
    return f"oauth_states/{id}/verifier"
