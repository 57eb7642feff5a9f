"""Refresh a connection's tokens: one request to the provider at a time, and no token is lost.

The process that refreshes holds a lease on the row that lasts longer than its requests. Other processes wait
and read the new token. Everything that can fail without the provider (the client, the keys) happens before
the provider is called. A process can die:
    before the lease        nothing has happened
    with the lease          the lease runs out; the next holder knows that a response may be lost (`in_doubt`)
    after the response      as above: a rotating refresh token may be used up. If the provider refuses the
                            next attempt, Patchbay assumes that the response was lost, not that the user
                            revoked the grant
    after the write         the next reader finds the new token
    after an expiry         the row stays due until its event is sent; a repeated event has the same ID
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from patchbay import aws, metrics, vault
from patchbay.activity import log as activity
from patchbay.clock import now_ms
from patchbay.errors import ConnectionExpired, NotFound, Problem, UpstreamFailed
from patchbay.events import service as events
from patchbay.ids import EventId, webhook_key
from patchbay.integrations.client import OAuthClient, client_for
from patchbay.integrations.stored_integration import StoredIntegration
from patchbay.oauth import announcements, provider_calls, refresh_policy, store, token_endpoint
from patchbay.oauth.models import ConnectionStatus
from patchbay.oauth.refresh_policy import Expire, Fail, FailReason, Refresh, Serve, Wait
from patchbay.oauth.store import ProviderCallState
from patchbay.oauth.stored_connection import StoredConnection
from patchbay.oauth.token_response import TokenRequestDenied, TokenSet, UnusableTokenResponse, clause
from patchbay.oauth.tokens import Encrypt, decrypt_tokens, with_tokens
from patchbay.observability import logger
from patchbay.providers.provider import RefreshStrategy
from patchbay.rate_limits.headers import retry_after
from patchbay.stats import store as stats

# Longer than a refresh (10 s), one repeat after a lost response, and the writes.
LEASE_MS = 25_000
# How long a request waits for another process's refresh. While the workspace's provider calls are slow, a
# request does not wait: it would only occupy an execution.
_WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.15
# A response lost sooner than this leaves time for a second request under the same lease.
_REPEAT_WITHIN_SECONDS = 5.0
_MAX_STORE_TRIES = 3

RESPONSE_LOST = "refresh_response_lost"
REFUSED = "refresh_refused"
CLIENT_CHANGED = "client_changed"
CLIENT_CHANGED_DETAIL = "the integration's OAuth client or URLs have changed since the connection was created"
TOKEN_EXPIRED = "access_token_expired"  # noqa: S105  # a reason, not a token
_TOKEN_EXPIRED_DETAIL = "the access token has expired, and the provider issued no refresh token"  # noqa: S105  # as above

_random = random.SystemRandom().random


class _RefreshInputs(NamedTuple):
    """Everything that a refresh needs before the provider is called."""

    client: OAuthClient
    tokens: TokenSet
    encrypt: Encrypt


def ensure_fresh(
    integration: StoredIntegration,
    connection: StoredConnection,
    call_state: ProviderCallState,
    actor: str,
    *,
    forced: bool = False,
) -> StoredConnection:
    """The connection with a token that is not due for a refresh; `forced` also replaces a token that is still
    valid. Unless `forced`, a token that is valid for at least a minute is served unchanged while another
    process refreshes, the provider fails, or the workspace has no permit for another call.

    Raises ConnectionExpired, UpstreamFailed (also as ProvidersBusy), IntegrationInactive, NotFound.
    """
    initial = connection
    deadline = time.monotonic() + (0 if call_state.is_slow(now_ms()) else _WAIT_SECONDS)
    while True:
        now = now_ms()
        can_wait = time.monotonic() <= deadline
        match refresh_policy.decide(connection, now, initial=initial, forced=forced, can_wait=can_wait):
            case Serve():
                return connection
            case Wait():
                time.sleep(_POLL_SECONDS * (0.5 + _random()))
                connection = _reload(connection)
            case Expire():
                expire(connection, TOKEN_EXPIRED, _TOKEN_EXPIRED_DETAIL)
                connection = _reload(connection)
            case Fail(reason):
                raise _error_for(connection, reason, now)
            case Refresh(can_serve_current):
                prepared = _prepare(integration, connection)
                try:
                    with provider_calls.permit(call_state):
                        owner = secrets.token_hex(8)
                        leased = store.acquire_lease(connection, owner, now, now + LEASE_MS)
                        return _refresh(leased, prepared, actor, can_serve_current=can_serve_current)
                except store.ConnectionChanged as changed:
                    connection = _require(changed.current)
                except provider_calls.ProvidersBusy:
                    if can_serve_current:
                        return connection
                    raise


def expire(connection: StoredConnection, code: str, detail: str) -> None:
    """Mark a connection as expired, and announce it. Does nothing if the connection has changed."""
    try:
        connection = store.mark_expired(connection, _as_expired(connection, code, detail, now_ms()))
    except store.ConnectionChanged:
        return
    _log_activity(connection, "connection.expired", activity.SYSTEM, f"{code}: {detail}", outcome="FAILED")
    _try_announce_expiry(connection)


def announce_expiry(connection: StoredConnection) -> None:
    """Publish CONNECTION_EXPIRED for an expired connection whose event is due. A repeated event has the same
    ID.
    """
    events.announce(
        connection.workspace_id,
        "CONNECTION_EXPIRED",
        {**announcements.describe(connection), "statusReason": connection.error_code},
        id=EventId.derived(
            connection.id, "expired", str(connection.tokens_version), at_ms=connection.updated_at
        ),
    )
    store.reschedule(connection, None)


def revoke_unstored_grant(client: OAuthClient, tokens: TokenSet) -> None:
    """Revoke a grant whose tokens could not be stored. A failure is only logged."""
    try:
        token_endpoint.revoke(client, tokens)
    except (TokenRequestDenied, UnusableTokenResponse) as error:
        logger.warning("failed to revoke unstored grant", reason=str(error))


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────


def connection_not_found() -> NotFound:
    return NotFound("No connection with this name or ID.")


def expired_error(connection: StoredConnection) -> ConnectionExpired:
    """The error when the token of an expired connection is requested."""
    detail = "" if connection.last_error is None else f": {connection.last_error['detail']}"
    return ConnectionExpired(
        f"This connection has expired ({connection.error_code}{detail}). Ask the user to connect again: "
        "POST /api/integrations/{id}/oauth/initiate with the same connectionId."
    )


def _error_for(connection: StoredConnection, reason: FailReason, now: int) -> Problem:
    match reason:
        case FailReason.REMOVED:
            return connection_not_found()
        case FailReason.EXPIRED:
            return expired_error(connection)
        case FailReason.NOT_REFRESHABLE:
            return ConnectionExpired(
                "The provider issued no refresh token for this connection. Its access token stays valid "
                "until it expires."
            )
        case FailReason.REFRESHING:
            return UpstreamFailed(
                "Another request is still refreshing this connection. Try again in a moment.",
                headers=retry_after(5_000),
            )
        case FailReason.BACKING_OFF:
            return _backoff_error(connection, now)


def _backoff_error(connection: StoredConnection, now: int) -> UpstreamFailed:
    detail = "" if connection.last_error is None else f" ({connection.last_error['detail']})"
    seconds = max(-(-((connection.retry_at or now) - now) // 1000), 1)
    return UpstreamFailed(
        f"The provider is currently failing to refresh this connection{detail}. Patchbay retries in "
        f"{seconds} s.",
        headers=retry_after(seconds * 1000),
    )


# ── refreshing ───────────────────────────────────────────────────────────────────────────────────────


def _prepare(integration: StoredIntegration, connection: StoredConnection) -> _RefreshInputs:
    client = client_for(integration).with_variables(connection.variables)
    return _RefreshInputs(client, decrypt_tokens(connection), vault.encryptor(connection.workspace_id))


def _refresh(
    leased: StoredConnection, prepared: _RefreshInputs, actor: str, *, can_serve_current: bool
) -> StoredConnection:
    """Request new tokens under the lease, and record the result."""
    rotates = prepared.client.oauth.refresh is RefreshStrategy.ROTATING
    in_doubt = leased.in_doubt and rotates
    started = time.monotonic()
    while True:
        try:
            with provider_calls.track(leased.workspace_id):
                tokens = token_endpoint.refresh(prepared.client, prepared.tokens)
        except UnusableTokenResponse as error:
            is_lost = rotates and error.may_have_succeeded
            # Repeat it once with the same refresh token: some providers accept it twice within a short time.
            is_early = time.monotonic() - started < _REPEAT_WITHIN_SECONDS and error.retry_after is None
            if is_lost and not in_doubt and is_early:
                in_doubt = True
                continue
            return _record_failure(
                leased,
                error,
                REFUSED if error.grant_may_have_ended else "upstream_failed",
                error.reason,
                actor,
                in_doubt=in_doubt or is_lost,
                can_serve_current=can_serve_current,
            )
        except TokenRequestDenied as error:
            if error.grant_ended:
                return _expire_ended_grant(leased, error, actor, in_doubt=in_doubt)
            return _record_failure(
                leased,
                error,
                error.code,
                str(error),
                actor,
                in_doubt=in_doubt,
                can_serve_current=can_serve_current,
            )
        return _store_tokens(leased, prepared, tokens, actor)


def _store_tokens(
    leased: StoredConnection, prepared: _RefreshInputs, tokens: TokenSet, actor: str
) -> StoredConnection:
    now = now_ms()
    new = replace(
        with_tokens(leased, prepared.client.oauth, tokens, prepared.encrypt, now),
        tokens_version=leased.tokens_version + 1,
        version=leased.version + 1,
        last_refreshed_at=now,
    )
    try:
        new = _store_with_retries(lambda: store.store_tokens(leased, new))
    except store.ConnectionChanged as changed:
        if changed.current is None or changed.current.status == ConnectionStatus.REVOKED:
            revoke_unstored_grant(prepared.client, tokens)  # the connection was removed in the meantime
        connection = _require(changed.current)
        _check_usable(connection)
        return connection
    metrics.add(metrics.REFRESHES_SUCCEEDED)
    _log_activity(new, "token.refreshed", actor)
    _count_refresh(leased, None)
    return new


def _store_with_retries(write: Callable[[], StoredConnection]) -> StoredConnection:
    """Retry a write of tokens that exist nowhere else."""
    for attempt in range(1, _MAX_STORE_TRIES):
        try:
            return write()
        except aws.CallFailed:
            logger.exception("failed to store tokens; retrying")
            time.sleep(0.2 * attempt)
    return write()


def _record_failure(
    leased: StoredConnection,
    error: UnusableTokenResponse | TokenRequestDenied,
    code: str,
    detail: str,
    actor: str,
    *,
    in_doubt: bool,
    can_serve_current: bool,
) -> StoredConnection:
    """Record that the refresh failed and when to retry, and serve the current token if it is still valid.
    Enough refusals without a known reason end the connection.
    """
    now = now_ms()
    metrics.add(metrics.REFRESHES_FAILED)
    failures = leased.failures + 1
    refusals, refused_since = refresh_policy.count_refusals(
        leased.refusals, leased.refused_since, now, has_unknown_reason=error.grant_may_have_ended
    )
    if refused_since is not None and refresh_policy.has_grant_ended(refusals, refused_since, now):
        detail = f"the provider has refused {refusals} consecutive requests: {detail}"
        return _expire_leased(leased, RESPONSE_LOST if in_doubt else REFUSED, detail, actor)
    shows_error = (
        isinstance(error, TokenRequestDenied)
        or error.grant_may_have_ended
        or refresh_policy.is_persistent(failures)
    )
    requested_wait_ms = refresh_policy.requested_wait_ms(error.retry_after)
    retry_at = now + refresh_policy.wait_ms(failures, _random(), error.retry_after)
    new = replace(
        leased,
        status=ConnectionStatus.ERROR if shows_error else leased.status,
        version=leased.version + 1,
        updated_at=now,
        last_error={"code": code, "detail": detail, "at": now},
        failures=failures,
        retry_at=retry_at,
        retry_after_until=now + requested_wait_ms if requested_wait_ms else None,
        refusals=refusals,
        refused_since=refused_since,
        in_doubt=in_doubt,
    ).with_due_at(retry_at)
    try:
        new = store.release_lease(leased, new)
    except store.ConnectionChanged as changed:
        new = _require(changed.current)
        if _is_replaced(new, leased):
            _check_usable(new)
            return new
        # Only the lease was lost: the refresh of these tokens has still failed.
    _log_activity(new, "token.refreshed", actor, f"{code}: {detail}", outcome="FAILED")
    _count_refresh(leased, code)
    if can_serve_current:
        return new
    raise UpstreamFailed(
        f"The provider did not refresh the token: {clause(detail)}. Patchbay retries automatically.",
        headers=retry_after(retry_at - now),
    )


def _expire_ended_grant(
    leased: StoredConnection, refusal: TokenRequestDenied, actor: str, *, in_doubt: bool
) -> StoredConnection:
    """Expire a connection whose grant the provider has ended. Raises ConnectionExpired, unless the connection
    has been replaced in the meantime.
    """
    metrics.add(metrics.REFRESHES_FAILED)
    if not in_doubt:
        return _expire_leased(leased, refusal.code, str(refusal), actor)
    detail = f"the response to a refresh was lost, and then the provider returned {refusal}"
    return _expire_leased(leased, RESPONSE_LOST, detail, actor)


def _expire_leased(leased: StoredConnection, code: str, detail: str, actor: str) -> StoredConnection:
    """Expire a connection, release its lease, and announce it. Raises ConnectionExpired, unless the
    connection has been replaced in the meantime: then it returns the current one, or raises NotFound.
    """
    expired = _as_expired(leased, code, detail, now_ms())
    try:
        expired = store.release_lease(leased, expired)
    except store.ConnectionChanged as changed:
        current = _require(changed.current)
        if _is_replaced(current, leased):
            _check_usable(current)
            return current
        # Only the lease was lost: the grant of these tokens has still ended, and the next refresh records it.
        raise expired_error(expired) from None
    _log_activity(expired, "connection.expired", actor, f"{code}: {detail}", outcome="FAILED")
    _count_refresh(leased, code)
    _try_announce_expiry(expired)
    raise expired_error(expired)


def _is_replaced(current: StoredConnection, leased: StoredConnection) -> bool:
    """Whether a connection was removed or got other tokens since the lease was taken."""
    return current.tokens_version != leased.tokens_version or current.status == ConnectionStatus.REVOKED


def _as_expired(connection: StoredConnection, code: str, detail: str, now: int) -> StoredConnection:
    return replace(
        connection,
        status=ConnectionStatus.EXPIRED,
        version=connection.version + 1,
        updated_at=now,
        last_error={"code": code, "detail": detail, "at": now},
        retry_at=None,
    ).with_due_at(now)


def _try_announce_expiry(connection: StoredConnection) -> None:
    """Announce an expiry now. If that fails, maintenance does it."""
    try:
        announce_expiry(connection)
    except aws.CallFailed:
        logger.exception("failed to announce expiry", connection_id=connection.id)


def _log_activity(
    connection: StoredConnection,
    action: str,
    actor: str,
    detail: str | None = None,
    outcome: activity.Outcome = "SUCCEEDED",
) -> None:
    text = connection.name if detail is None else f"{connection.name}: {detail}"
    activity.log(connection.workspace_id, connection.integration_id, action, actor, text, outcome)


def _count_refresh(leased: StoredConnection, error: str | None) -> None:
    """Add the refresh under this lease to the connection's counters, with the time since the lease was taken.
    A refresh whose process dies before this is not counted.
    """
    now = now_ms()
    duration_ms = max(now - (leased.lease_until or now) + LEASE_MS, 0)
    try:
        key = webhook_key(leased.workspace_id, leased.id)
        stats.add_refresh(key, leased.integration_id, now, duration_ms, error)
    except aws.CallFailed:
        logger.exception("failed to count a refresh", connection_id=leased.id)


def _check_usable(connection: StoredConnection) -> None:
    """Raises NotFound, ConnectionExpired."""
    if connection.status == ConnectionStatus.REVOKED:
        raise connection_not_found()
    if connection.status == ConnectionStatus.EXPIRED:
        raise expired_error(connection)


def _reload(connection: StoredConnection) -> StoredConnection:
    return _require(store.get(connection.workspace_id, connection.integration_id, connection.name))


def _require(connection: StoredConnection | None) -> StoredConnection:
    if connection is None:
        raise connection_not_found()
    return connection
