"""Connections: list and get them, hand out tokens, create those without OAuth, and delete them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from patchbay import api_model, vault
from patchbay.activity import log as activity
from patchbay.api_model import Empty, Listing
from patchbay.auth.principal import Principal
from patchbay.clock import from_ms, now_ms
from patchbay.errors import (
    Conflict,
    NotFound,
    Problem,
    ValidationFailed,
    check_version,
    write_conflict,
)
from patchbay.ids import ConnectionId, ConnectionRef, IntegrationId
from patchbay.integrations import credentials
from patchbay.integrations import service as integrations
from patchbay.integrations.client import check_active, client_for, provider_for
from patchbay.integrations.stored_integration import StoredIntegration
from patchbay.oauth import limits, provider_calls, refresh, store, token_endpoint
from patchbay.oauth.models import (
    AccessToken,
    Account,
    Connection,
    ConnectionCredentials,
    ConnectionQuery,
    ConnectionStatus,
    CreateConnection,
    RefreshConnection,
    WorkspaceConnectionQuery,
    sent_name,
)
from patchbay.oauth.store import ProviderCallState
from patchbay.oauth.stored_connection import LastError, StoredConnection
from patchbay.oauth.token_response import TokenRequestDenied, UnusableTokenResponse, sanitize
from patchbay.oauth.tokens import decrypt_credentials, decrypt_tokens, with_credentials
from patchbay.observability import logger
from patchbay.providers.provider import AuthType
from patchbay.sessions import links
from patchbay.storage import dynamo
from patchbay.storage.paging import Page

if TYPE_CHECKING:
    from patchbay.idempotency import Once

_MAX_TRIES = 3
# A page with a filter reads up to 10 × 100 rows to find its items, and 100 keys of an integration at a time.
_ROWS_PER_READ = 100
_MAX_READS = 10


def list_connections(
    principal: Principal, integration_id: IntegrationId, query: ConnectionQuery
) -> Listing[Connection]:
    integration = integrations.get_stored(principal.workspace_id, integration_id)
    page = store.list_connections(
        principal.workspace_id, integration_id, limit=query.limit, cursor=query.cursor
    )

    def shown(stored: StoredConnection) -> Connection | None:
        connection = to_api(integration, stored)
        return connection if query.status in (None, connection.status) else None

    return Listing.from_page(page.map(shown))


def list_all(principal: Principal, query: WorkspaceConnectionQuery) -> Listing[Connection]:
    """The connections of all integrations of the workspace: see `page_all`."""
    return Listing.from_page(page_all(principal.workspace_id, query))


def page_all(workspace_id: str, query: WorkspaceConnectionQuery) -> Page[Connection]:
    """The connections of all integrations of the workspace, newest first. Raises ValidationFailed for an
    integration that the workspace does not have.

    The table has a partition for each integration, so a page costs a query of the keys for each integration
    that has connections, besides the rows that it shows. A page with a filter reads at most 1,000 rows.
    """
    integrations_by_id = {
        integration.id: integration for integration in _integrations_of(workspace_id, query.integration_id)
    }
    entries: list[tuple[Connection, str]] = []
    last: ConnectionId | None = None
    listed = store.newest_first(
        workspace_id,
        [id for id, integration in integrations_by_id.items() if integration.connection_count > 0],
        before=_cursor(query.cursor),
        per_read=query.limit + 1 if not (query.connection_id or _reads_rows(query)) else _ROWS_PER_READ,
    )
    named = (entry for entry in listed if query.connection_id in (None, entry.name))
    for _ in range(_MAX_READS):
        count = _ROWS_PER_READ if _reads_rows(query) else query.limit - len(entries)
        batch = list(islice(named, count))
        connections = store.get_listed(workspace_id, batch)
        for position, entry in enumerate(batch, 1):
            last = entry.id
            connection = connections.get(entry.id)
            if connection is None:
                continue
            shown = to_api(integrations_by_id[entry.integration_id], connection)
            if _matches(shown, query):
                entries.append((shown, dynamo.encode_cursor([last])))
            if len(entries) == query.limit:
                is_last = position == len(batch) and next(named, None) is None
                return Page(entries, None if is_last else dynamo.encode_cursor([entry.id]))
        if len(batch) < count:
            return Page(entries, None)
    return Page(entries, None if last is None else dynamo.encode_cursor([last]))


def list_of_integration(workspace_id: str, id: IntegrationId) -> list[Connection]:
    """All connections of an integration, or none if it is deleted; the workspace's ceiling bounds their
    number.
    """
    integration = integrations.find_stored(workspace_id, id)
    if integration is None:
        return []
    return [to_api(integration, connection) for connection in store.iter_connections(workspace_id, id)]


def _integrations_of(workspace_id: str, id: IntegrationId | None) -> Iterator[StoredIntegration]:
    if id is None:
        yield from integrations.iter_stored(workspace_id)
        return
    integration = integrations.find_stored(workspace_id, id)
    if integration is None:
        raise ValidationFailed.for_field("integrationId", "no integration with this ID in this workspace")
    yield integration


def _cursor(text: str | None) -> ConnectionId | None:
    """The last connection that was read. Raises ValidationFailed."""
    try:
        return None if text is None else ConnectionId.parse(dynamo.decode_cursor(text, 1)[0])
    except ValueError:
        raise dynamo.invalid_cursor() from None


def _reads_rows(query: WorkspaceConnectionQuery) -> bool:
    """Whether a filter needs more than the keys of a connection."""
    return any(value is not None for value in (query.status, query.provider, query.account_id))


def _matches(connection: Connection, query: WorkspaceConnectionQuery) -> bool:
    return (
        query.status in (None, connection.status)
        and query.provider in (None, connection.provider)
        and query.account_id in (None, connection.account.id)
    )


def get(principal: Principal, integration_id: IntegrationId, ref: ConnectionRef) -> Connection:
    """Raises NotFound, also for a connection of another workspace."""
    integration, connection, _ = find(principal.workspace_id, integration_id, ref)
    return to_api(integration, connection)


def token(
    principal: Principal,
    integration_id: IntegrationId,
    ref: ConnectionRef,
    used: limits.UsedQuotas | None = None,
) -> AccessToken | ConnectionCredentials:
    """The access token, refreshed if it is due, or the credentials. Logs each use. Adds the integration's
    quotas to `used`.

    Raises ConnectionExpired, IntegrationInactive, RateLimited, UpstreamFailed, NotFound.
    """
    integration, connection, call_state = find_usable(principal.workspace_id, integration_id, ref, used)
    if connection.auth_type != AuthType.OAUTH2:
        check_not_removed(connection)
        response = ConnectionCredentials(credentials=decrypt_credentials(connection))
        _log_activity(principal, connection, "credentials.issued")
        return response
    connection = fresh(integration, connection, call_state, principal.id)
    tokens = decrypt_tokens(connection)
    _log_activity(principal, connection, "token.issued")
    return AccessToken(
        access_token=tokens.access_token,
        token_type=tokens.token_type,
        expires_at=None if connection.expires_at is None else from_ms(connection.expires_at),
        scopes=list(connection.scopes),
        metadata=json.loads(connection.metadata),
    )


def refresh_now(
    principal: Principal,
    integration_id: IntegrationId,
    body: RefreshConnection,
    used: limits.UsedQuotas | None = None,
) -> Connection:
    """Refresh the token now, even if the current one is still good. Adds to `used` and raises errors as
    `token` does.
    """
    ref = ConnectionRef(body.connection_id)
    integration, connection, call_state = find_usable(principal.workspace_id, integration_id, ref, used)
    if connection.auth_type != AuthType.OAUTH2:
        raise Conflict("This connection uses credentials, which do not need to be refreshed.")
    refreshed = refresh.ensure_fresh(integration, connection, call_state, principal.id, forced=True)
    return to_api(integration, refreshed)


def create(
    principal: Principal,
    integration_id: IntegrationId,
    body: CreateConnection,
    once: Once | None = None,
    used: limits.UsedQuotas | None = None,
) -> Connection:
    """Create a connection with an API key or basic credentials. Replaces an existing one of that name. Adds
    the integration's quotas to `used`.

    Raises ValidationFailed for credentials other than those that the provider requires, and Conflict if it
    requires OAuth or at the workspace's ceiling. A connect link allows only its integrations and name.
    """
    links.check_integration(principal, integration_id)
    name = links.connection_name(principal, sent_name(body), body.connection_id)
    integration = integrations.get_stored(principal.workspace_id, integration_id)
    check_active(integration)
    auth_type, label = _check_credentials(integration, body.credentials)
    limits.admit(integration, used)
    old = store.get(principal.workspace_id, integration_id, name)
    check_replaceable(old)
    for _ in range(_MAX_TRIES):
        new = with_credentials(
            new_connection(principal, integration, name, auth_type, old),
            body.credentials,
            label,
        )
        response = to_api(integration, new)
        detail = f"{new.name}, by {auth_type.value.lower().replace('_', ' ')}"
        log_action = activity.log_action(
            principal.workspace_id, integration_id, "connection.created", principal.id, detail
        )
        try:
            store.connect(
                new,
                old,
                [log_action],
                links.complete_actions(principal, integration_id, new.id),
                once,
                response,
            )
        except store.ConnectionChanged as changed:
            old = changed.current
            continue
        return response
    raise write_conflict("connection")


def delete(
    principal: Principal, integration_id: IntegrationId, ref: ConnectionRef, if_match: int | None = None
) -> Empty:
    """Delete a connection immediately, and revoke its grant if the provider can be reached."""
    for _ in range(_MAX_TRIES):
        _, connection, call_state = find(principal.workspace_id, integration_id, ref)
        check_version("connection", connection.version, if_match)
        log_action = activity.log_action(
            principal.workspace_id, integration_id, "connection.deleted", principal.id, connection.name
        )
        try:
            connection = store.start_removal(connection, now_ms(), "connection_deleted", [log_action])
        except store.ConnectionChanged:
            continue
        with suppress(provider_calls.ProvidersBusy):  # maintenance finishes the removal
            finish_removal(connection, call_state, principal.id)
        return Empty()
    raise write_conflict("connection")


def finish_removal(connection: StoredConnection, call_state: ProviderCallState, actor: str) -> None:
    """Revoke a connection's grant at the provider, then delete its row. If the provider cannot be reached or
    has no revocation, the activity log says so, and the row is deleted anyway. Raises ProvidersBusy.
    """
    outcome: activity.Outcome = "SUCCEEDED"
    detail = "the provider does not support revocation"
    try:
        if connection.auth_type != AuthType.OAUTH2:
            detail = "the credentials must be revoked manually at the provider"
        elif _revoke(connection, call_state):
            detail = "revoked at the provider"
    except (TokenRequestDenied, UnusableTokenResponse) as error:
        outcome, detail = "FAILED", f"not revoked at the provider: {error}"
    except (vault.KeyUnavailable, provider_calls.ProvidersBusy):
        raise  # temporary: keep the row, so that the grant can still be revoked
    except Problem as problem:
        outcome, detail = "FAILED", f"not revoked at the provider: {problem.detail}"
    logger.info("connection removed", connection_id=connection.id, outcome=outcome)
    activity.log(
        connection.workspace_id,
        connection.integration_id,
        "connection.revoked",
        actor,
        f"{connection.name}: {detail}",
        outcome,
    )
    store.delete(connection)


def _revoke(connection: StoredConnection, call_state: ProviderCallState) -> bool:
    """Revoke the grant; False if the provider has no revocation. Raises TokenRequestDenied,
    UnusableTokenResponse, Problem.
    """
    integration = integrations.find_stored(
        connection.workspace_id, connection.integration_id, with_deleted=True
    )
    if integration is None or integration.generation != connection.generation:
        raise UnusableTokenResponse(
            "the OAuth client that created it no longer exists", may_have_succeeded=False
        )
    client = client_for(integration).with_variables(connection.variables)
    tokens = decrypt_tokens(connection)
    with provider_calls.permit(call_state), provider_calls.track(connection.workspace_id):
        return token_endpoint.revoke(client, tokens)


# ── shared with the OAuth flow and with requests to APIs ─────────────────────────────────────────────


def check_replaceable(old: StoredConnection | None) -> None:
    """Raises Conflict for a connection that is being removed, because its grant is not revoked yet."""
    if old is not None and old.status == ConnectionStatus.REVOKED:
        raise Conflict(
            "The connection with this name is being removed and its grant revoked. Try again in a few "
            "minutes, or choose another connectionId."
        )


def check_not_removed(connection: StoredConnection) -> None:
    """Raises NotFound for a connection that is being removed."""
    if connection.status == ConnectionStatus.REVOKED:
        raise refresh.connection_not_found()


def new_connection(
    principal: Principal,
    integration: StoredIntegration,
    name: str,
    auth_type: AuthType,
    old: StoredConnection | None,
) -> StoredConnection:
    """A connection that has no tokens yet. It keeps the ID of `old`, a connection of the same name."""
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


def to_api(integration: StoredIntegration, connection: StoredConnection) -> Connection:
    """The connection for the API. If its client has changed, it is expired, even before its row says so."""
    status, error = ConnectionStatus(connection.status), connection.last_error
    if connection.generation != integration.generation and status != ConnectionStatus.REVOKED:
        status = ConnectionStatus.EXPIRED
        error = error or _client_changed(integration)
    return Connection(
        id=connection.id,
        connection_id=connection.name,
        integration_id=connection.integration_id,
        provider=connection.provider,
        status=status,
        auth_type=AuthType(connection.auth_type),
        scopes=list(connection.scopes),
        account=Account(id=connection.account_id, label=connection.account_label),
        expires_at=None if connection.expires_at is None else from_ms(connection.expires_at),
        last_refreshed_at=(
            None if connection.last_refreshed_at is None else from_ms(connection.last_refreshed_at)
        ),
        last_error=(
            None
            if error is None
            else api_model.LastError(code=error["code"], detail=error["detail"], at=from_ms(error["at"]))
        ),
        metadata=json.loads(connection.metadata),
        created_by=connection.created_by,
        created_at=from_ms(connection.created_at),
        updated_at=from_ms(connection.updated_at),
        version=connection.version,
    )


def find(
    workspace_id: str, integration_id: IntegrationId, ref: ConnectionRef
) -> tuple[StoredIntegration, StoredConnection, ProviderCallState]:
    """A connection with its integration. Raises NotFound, also for a connection of another workspace."""
    integration, connection, call_state = store.find(workspace_id, integration_id, ref)
    if integration is None:
        raise NotFound("No integration with this ID.")
    if connection is None:
        raise refresh.connection_not_found()
    if (connection.workspace_id, connection.integration_id) != (workspace_id, integration_id):
        # Someone who can write to the table copied another workspace's row here. Its ciphertext could be
        # decrypted, because the row names its own workspace.
        raise vault.DecryptionFailed(f"connections/{connection.id}/sealed")
    return integration, connection, call_state


def find_usable(
    workspace_id: str,
    integration_id: IntegrationId,
    ref: ConnectionRef,
    used: limits.UsedQuotas | None,
) -> tuple[StoredIntegration, StoredConnection, ProviderCallState]:
    """A connection whose integration is active and still has the client that the connection was made with.
    Counts one use, and adds the integration's quotas to `used`.

    Raises NotFound, IntegrationInactive, ConnectionExpired, RateLimited.
    """
    integration, connection, call_state = find(workspace_id, integration_id, ref)
    check_active(integration)
    if connection.generation != integration.generation:
        raise refresh.expired_error(replace(connection, last_error=_client_changed(integration)))
    limits.admit(integration, used)
    return integration, connection, call_state


def fresh(
    integration: StoredIntegration,
    connection: StoredConnection,
    call_state: ProviderCallState,
    actor: str,
    *,
    forced: bool = False,
) -> StoredConnection:
    """The connection with a token that can be used: see `refresh.ensure_fresh`."""
    if not forced and _is_served_until_expiry(connection):
        return connection
    return refresh.ensure_fresh(integration, connection, call_state, actor, forced=forced)


def _client_changed(integration: StoredIntegration) -> LastError:
    return {
        "code": refresh.CLIENT_CHANGED,
        "detail": refresh.CLIENT_CHANGED_DETAIL,
        "at": integration.updated_at,
    }


def _is_served_until_expiry(connection: StoredConnection) -> bool:
    """Whether a connection that has expired still serves its access token: the refresh token was lost, or
    refused without a known reason, which leaves the access token valid.
    """
    return (
        connection.status == ConnectionStatus.EXPIRED
        and connection.error_code in (refresh.RESPONSE_LOST, refresh.REFUSED)
        and connection.expires_at is not None
        and connection.expires_at > now_ms()
    )


def _check_credentials(
    integration: StoredIntegration, sent: Mapping[str, str]
) -> tuple[AuthType, str | None]:
    """The type of the credentials, and the label of their account. Raises ValidationFailed, which never
    repeats a value, and Conflict.
    """
    provider = provider_for(integration)
    if (provider is not None and provider.oauth is not None) or "tokenUrl" in integration.config:
        raise Conflict("This provider requires OAuth: POST /api/integrations/{id}/oauth/initiate.")
    if provider is None or provider.credentials is None:
        for auth_type, fields in credentials.CUSTOM.items():
            if sent.keys() == fields.keys():
                credentials.check(fields, sent)
                return auth_type, sanitize(sent.get("username")) or None
        raise ValidationFailed.for_field("credentials", "must have apiKey, or username and password")
    credentials.check(provider.credentials.fields, sent)
    label = provider.credentials.account_label
    return provider.auth_type, None if label is None else sanitize(sent[label]) or None


def _log_activity(principal: Principal, connection: StoredConnection, action: str) -> None:
    activity.log(connection.workspace_id, connection.integration_id, action, principal.id, connection.name)
