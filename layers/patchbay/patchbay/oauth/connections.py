"""Connections: show them, hand out their tokens, make those without OAuth, take them back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from patchbay import pasted, vault
from patchbay.api_model import Empty, Listing
from patchbay.auth.principal import Principal
from patchbay.clock import at_ms, now_ms
from patchbay.errors import (
    Conflict,
    IntegrationInactive,
    NotFound,
    Problem,
    ValidationFailed,
    check_version,
    contended,
)
from patchbay.ids import ConnectionId, ConnectionRef, IntegrationId
from patchbay.integrations import activity
from patchbay.integrations import service as integrations
from patchbay.integrations import store as integrations_store
from patchbay.integrations.client import client_of, provider_of
from patchbay.integrations.models import IntegrationStatus
from patchbay.integrations.store import StoredIntegration
from patchbay.oauth import calls, limits, refresh, store, token_endpoint
from patchbay.oauth.models import (
    AccessToken,
    Account,
    AuthType,
    Connection,
    ConnectionCredentials,
    ConnectionError,
    ConnectionQuery,
    ConnectionStatus,
    CreateConnection,
    RefreshConnection,
)
from patchbay.oauth.store import Calls, StoredConnection
from patchbay.oauth.token_response import TokenRequestDenied, UnusableTokenResponse, sanitize
from patchbay.oauth.tokens import open_sealed, tokens_of, with_credentials
from patchbay.observability import logger

if TYPE_CHECKING:
    from patchbay.idempotency import Once

_TRIES = 3
# What the credentials of a provider that Patchbay does not know look like.
_OWN_CREDENTIALS = {AuthType.API_KEY: {"apiKey"}, AuthType.BASIC: {"username", "password"}}


def list_connections(
    principal: Principal, integration_id: IntegrationId, query: ConnectionQuery
) -> Listing[Connection]:
    integration = integrations.read(principal.workspace_id, integration_id)
    page = store.page(
        principal.workspace_id,
        integration_id,
        status=query.status,
        limit=query.limit,
        cursor=query.cursor,
    )
    return Listing.of(page.map(lambda connection: shown(integration, connection)))


def get(principal: Principal, integration_id: IntegrationId, ref: ConnectionRef) -> Connection:
    """Raises NotFound, also for another workspace's."""
    integration, connection, _ = _find(principal, integration_id, ref)
    return shown(integration, connection)


def token(
    principal: Principal, integration_id: IntegrationId, ref: ConnectionRef
) -> AccessToken | ConnectionCredentials:
    """The access token, refreshed if need be, or the credentials; each time entered in the log.

    Raises ConnectionExpired, IntegrationInactive, RateLimited, UpstreamFailed, NotFound.
    """
    integration, connection, workspace = _find(principal, integration_id, ref)
    check_active(integration)
    _check_generation(integration, connection)
    limits.admit(integration)
    if connection.auth_type != AuthType.OAUTH2:
        if connection.status == ConnectionStatus.REVOKED:
            raise _not_found()
        answer = ConnectionCredentials(credentials=open_sealed(connection)["credentials"])
        _note(principal, connection, "credentials.issued")
        return answer
    if not _serves_until_its_end(connection):
        connection = refresh.fresh(integration, connection, workspace, principal.id)
    tokens = tokens_of(connection)
    _note(principal, connection, "token.issued")
    return AccessToken(
        access_token=tokens.access_token,
        token_type=tokens.token_type,
        expires_at=None if connection.expires_at is None else at_ms(connection.expires_at),
        scopes=list(connection.scopes),
        metadata=json.loads(connection.metadata),
    )


def refresh_now(principal: Principal, integration_id: IntegrationId, body: RefreshConnection) -> Connection:
    """A fresh token now, whether or not the present one is good. Raises as `token`."""
    integration, connection, workspace = _find(principal, integration_id, ConnectionRef(body.connection_id))
    check_active(integration)
    _check_generation(integration, connection)
    limits.admit(integration)
    if connection.auth_type != AuthType.OAUTH2:
        raise Conflict("This connection has credentials that do not change; there is nothing to refresh.")
    fresh = refresh.fresh(integration, connection, workspace, principal.id, forced=True)
    return shown(integration, fresh)


def create(
    principal: Principal, integration_id: IntegrationId, body: CreateConnection, once: Once | None = None
) -> Connection:
    """A connection by API key or basic credentials, in place of the one of that name if there is one. Raises
    ValidationFailed for credentials that are not what the provider asks for, Conflict where it wants OAuth or
    at the workspace's ceiling.
    """
    integration = integrations.read(principal.workspace_id, integration_id)
    check_active(integration)
    auth_type, label = _check_credentials(integration, body.credentials)
    limits.admit(integration)
    old = store.get(principal.workspace_id, integration_id, body.connection_id)
    check_replaceable(old)
    for _ in range(_TRIES):
        new = with_credentials(
            new_connection(principal, integration, body.connection_id, auth_type, old),
            body.credentials,
            label,
        )
        answer = shown(integration, new)
        detail = f"{new.name}, by {auth_type.value.lower().replace('_', ' ')}"
        entry = activity.entering(
            principal.workspace_id, integration_id, "connection.created", principal.id, detail
        )
        try:
            store.connect(new, old, [entry], once, answer)
        except store.ConnectionChanged as changed:
            old = changed.now
            continue
        return answer
    raise contended("connection")


def delete(
    principal: Principal, integration_id: IntegrationId, ref: ConnectionRef, if_match: int | None = None
) -> Empty:
    """Take a connection back: here at once, and at the provider if it can be reached."""
    for _ in range(_TRIES):
        _, connection, workspace = _find(principal, integration_id, ref)
        check_version("connection", connection.version, if_match)
        entry = activity.entering(
            principal.workspace_id, integration_id, "connection.deleted", principal.id, connection.name
        )
        try:
            connection = store.begin_removal(connection, now_ms(), [entry])
        except store.ConnectionChanged:
            continue
        with suppress(calls.ProvidersBusy):  # the schedule finishes it
            finish_removal(connection, workspace, principal.id)
        return Empty()
    raise contended("connection")


def finish_removal(connection: StoredConnection, workspace: Calls, actor: str) -> None:
    """Revoke a connection's grant at the provider, then forget it. A provider that cannot be reached, or has
    no way to, is entered in the log and blocks nothing. Raises calls.ProvidersBusy.
    """
    outcome: activity.Outcome = "SUCCEEDED"
    detail = "the provider has no way to revoke"
    try:
        if connection.auth_type != AuthType.OAUTH2:
            detail = "credentials are revoked at the provider by hand"
        elif _revoke(connection, workspace):
            detail = "revoked at the provider"
    except (TokenRequestDenied, UnusableTokenResponse) as fault:
        outcome, detail = "FAILED", f"not revoked at the provider: {fault}"
    except (vault.KeyUnavailable, calls.ProvidersBusy):
        raise  # temporary: the grant must not be forgotten until it passes
    except Problem as problem:
        outcome, detail = "FAILED", f"not revoked at the provider: {problem.detail}"
    logger.info("connection removed", connection_id=connection.id, outcome=outcome)
    activity.enter(
        connection.workspace_id,
        connection.integration_id,
        "connection.revoked",
        actor,
        f"{connection.name}: {detail}",
        outcome,
    )
    store.remove(connection)


def _revoke(connection: StoredConnection, workspace: Calls) -> bool:
    integration = integrations_store.get_with_deleted(connection.workspace_id, connection.integration_id)
    if integration is None or integration.generation != connection.generation:
        raise UnusableTokenResponse("the client that it was made with is gone", may_have_succeeded=False)
    client = client_of(integration).at(connection.variables)
    tokens = tokens_of(connection)
    with calls.admitted(workspace), calls.watched(connection.workspace_id):
        return token_endpoint.revoke(client, tokens)


# ── shared with the flow ─────────────────────────────────────────────────────────────────────────────


def check_active(integration: StoredIntegration) -> None:
    """Raises IntegrationInactive."""
    if integration.status == IntegrationStatus.ACTIVE:
        return
    reason = "" if integration.status_reason is None else f" ({integration.status_reason})"
    advice = {
        IntegrationStatus.PENDING_SETUP.value: "Give it what its provider needs: config.clientId, "
        "config.clientSecret and, for a provider of one's own, its addresses.",
        IntegrationStatus.INACTIVE.value: "Activate it: PUT /api/integrations/{id}/status.",
        IntegrationStatus.ERROR.value: "Mend it, then activate it: PUT /api/integrations/{id}/status.",
    }[integration.status]
    raise IntegrationInactive(f"This integration is {integration.status}{reason}. {advice}")


def check_replaceable(old: StoredConnection | None) -> None:
    """Raises Conflict for a connection that is being removed: its grant is still to be revoked."""
    if old is not None and old.status == ConnectionStatus.REVOKED:
        raise Conflict(
            "The connection of that name is being removed, and its grant revoked at the provider. Try again "
            "in some minutes, or choose another connectionId."
        )


def new_connection(
    principal: Principal,
    integration: StoredIntegration,
    name: str,
    auth_type: AuthType,
    old: StoredConnection | None,
) -> StoredConnection:
    """A connection without its tokens yet; one of the same name goes on under its id."""
    now = now_ms()
    connection = StoredConnection(
        workspace_id=principal.workspace_id,
        integration_id=integration.id,
        name=name,
        id=ConnectionId.new(now),
        provider=integration.provider,
        status=ConnectionStatus.ACTIVE,
        auth_type=auth_type,
        generation=integration.generation,
        created_by=principal.id,
        created_at=now,
        updated_at=now,
        sealed="",
        obtained_at=now,
    )
    if old is None:
        return connection
    return replace(
        connection,
        id=old.id,
        created_by=old.created_by,
        created_at=old.created_at,
        version=old.version + 1,
        tokens_version=old.tokens_version + 1,
    )


def shown(integration: StoredIntegration, connection: StoredConnection) -> Connection:
    """A connection as it may be shown. One whose client has changed is over, also before its row says so."""
    status, error = ConnectionStatus(connection.status), connection.last_error
    if connection.generation != integration.generation and status != ConnectionStatus.REVOKED:
        status = ConnectionStatus.EXPIRED
        error = error or {
            "code": refresh.CLIENT_CHANGED,
            "detail": refresh.CLIENT_CHANGED_DETAIL,
            "at": integration.updated_at,
        }
    return Connection(
        id=connection.id,
        connection_id=connection.name,
        integration_id=connection.integration_id,
        provider=connection.provider,
        status=status,
        auth_type=AuthType(connection.auth_type),
        scopes=list(connection.scopes),
        account=Account(id=connection.account_id, label=connection.account_label),
        expires_at=None if connection.expires_at is None else at_ms(connection.expires_at),
        last_refreshed_at=(
            None if connection.last_refreshed_at is None else at_ms(connection.last_refreshed_at)
        ),
        last_error=(
            None
            if error is None
            else ConnectionError(code=error["code"], detail=error["detail"], at=at_ms(error["at"]))
        ),
        metadata=json.loads(connection.metadata),
        created_by=connection.created_by,
        created_at=at_ms(connection.created_at),
        updated_at=at_ms(connection.updated_at),
        version=connection.version,
    )


def _find(
    principal: Principal, integration_id: IntegrationId, ref: ConnectionRef
) -> tuple[StoredIntegration, StoredConnection, Calls]:
    integration, connection, workspace = store.find(principal.workspace_id, integration_id, ref)
    if integration is None:
        raise NotFound("There is no such integration.")
    if connection is None:
        raise _not_found()
    if (connection.workspace_id, connection.integration_id) != (principal.workspace_id, integration_id):
        # Another's row, copied here by who can write the table: its ciphertext would open under its own name.
        raise vault.DecryptionFailed(f"connections/{connection.id}/sealed")
    return integration, connection, workspace


def _not_found() -> NotFound:
    return NotFound("There is no such connection.")


def _check_generation(integration: StoredIntegration, connection: StoredConnection) -> None:
    if connection.generation != integration.generation:
        error = {"code": refresh.CLIENT_CHANGED, "detail": refresh.CLIENT_CHANGED_DETAIL}
        raise refresh.gone(replace(connection, last_error=error))


def _serves_until_its_end(connection: StoredConnection) -> bool:
    """If a refresh token is lost, or refused without a known reason, its connection ends, but the access
    token still works.
    """
    return (
        connection.status == ConnectionStatus.EXPIRED
        and connection.error_code in (refresh.RESPONSE_LOST, refresh.REFUSED)
        and connection.expires_at is not None
        and connection.expires_at > now_ms()
    )


def _check_credentials(
    integration: StoredIntegration, credentials: Mapping[str, str]
) -> tuple[AuthType, str | None]:
    """What kind they are, and whose. Raises ValidationFailed, never repeating a value."""
    provider = provider_of(integration)
    if (provider is not None and provider.oauth is not None) or "tokenUrl" in integration.config:
        raise Conflict("This provider wants OAuth: POST /api/integrations/{id}/oauth/initiate.")
    if provider is None or provider.credentials is None:
        for auth_type, names in _OWN_CREDENTIALS.items():
            if credentials.keys() == names:
                _check_pasted(credentials)
                return auth_type, sanitize(credentials.get("username")) or None
        raise ValidationFailed.of("credentials", "must be apiKey, or username and password")
    wanted = provider.credentials.fields
    for name in credentials.keys() - wanted.keys():
        raise ValidationFailed.of(f"credentials.{name[:64]}", f"there are {', '.join(wanted)}")
    _check_pasted(credentials)
    for name, field in wanted.items():
        if not re.fullmatch(field.pattern, credentials.get(name, "")):
            raise ValidationFailed.of(f"credentials.{name}", f"must be {field.description or field.label}")
    label = provider.credentials.account_label
    return AuthType(provider.credentials.kind), None if label is None else sanitize(
        credentials[label]
    ) or None


def _check_pasted(credentials: Mapping[str, str]) -> None:
    for name, value in credentials.items():
        try:
            pasted.check(value)
        except ValueError as error:
            raise ValidationFailed.of(f"credentials.{name}", str(error)) from None


def _note(principal: Principal, connection: StoredConnection, action: str) -> None:
    activity.enter(connection.workspace_id, connection.integration_id, action, principal.id, connection.name)
