"""Refreshing a connection's tokens: one request to the provider at a time, whoever asks, and nothing lost.

Whoever refreshes holds the row by a lease that outlives its requests; the others wait and read the winner's
token. All that can fail without the provider (the client, the keys) is done before it is asked. Where a
process may die:
    before the lease        nothing has happened
    with the lease          it runs out, and the next holder knows that an answer may be lost (`in_doubt`)
    after the answer        as above: a rotating refresh token may be used up, and the provider's no to the
                            next try then means that the answer was lost, not that the user took it back
    after the record        the next reader finds the new token
    after an expiry         the row is due until its event is out; the event's id makes a repeat the same one
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from patchbay import aws, vault
from patchbay.clock import now_ms
from patchbay.errors import ConnectionExpired, NotFound, UpstreamFailed
from patchbay.events import service as events
from patchbay.ids import EventId
from patchbay.integrations import activity
from patchbay.integrations.client import OAuthClient, client_of
from patchbay.integrations.store import StoredIntegration
from patchbay.oauth import calls, refresh_policy, store, token_endpoint
from patchbay.oauth.models import ConnectionStatus
from patchbay.oauth.store import Calls, StoredConnection
from patchbay.oauth.token_response import TokenRequestDenied, TokenSet, UnusableTokenResponse
from patchbay.oauth.tokens import Seal, tokens_of, with_tokens
from patchbay.observability import logger
from patchbay.providers.provider import RefreshStrategy
from patchbay.rate_limits.headers import retry_after

# Two requests of 10 s, the second for a lost answer, and the writes around them.
LEASE_MS = 25_000
# How long a request waits for another one's refresh. If the provider is slow, it does not wait, because it
# would only occupy an execution.
_WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.15
# An answer lost sooner than this leaves time to ask once more under the same lease.
_ASK_AGAIN_WITHIN_SECONDS = 5.0
_STORE_TRIES = 3

RESPONSE_LOST = "refresh_response_lost"
REFUSED = "refresh_refused"
CLIENT_CHANGED = "client_changed"
CLIENT_CHANGED_DETAIL = "the integration's client or addresses have changed since it was made"
ENDED = "access_token_expired"

_random = random.SystemRandom().random


class _Prepared(NamedTuple):
    """All that a refresh needs before the provider is asked."""

    client: OAuthClient
    tokens: TokenSet
    seal: Seal


def fresh(
    integration: StoredIntegration,
    connection: StoredConnection,
    workspace: Calls,
    actor: str,
    *,
    forced: bool = False,
) -> StoredConnection:
    """The connection with a token that need not be refreshed now; `forced` gets a new one in any case. A
    token that is good for a minute is served as it is while another process refreshes, the provider fails,
    or the `workspace` has no place for another call.

    Raises ConnectionExpired, UpstreamFailed (also as calls.ProvidersBusy), IntegrationInactive, NotFound.
    """
    first = connection
    patience = time.monotonic() + (0 if workspace.slow(now_ms()) else _WAIT_SECONDS)
    while True:
        now = now_ms()
        _check_alive(connection)
        if connection.tokens_version != first.tokens_version:
            return connection  # the winner's
        if not forced and not _wants_refresh(connection, now):
            return connection
        if not connection.refreshable:
            return _not_refreshable(connection, now, forced=forced)
        serves = not forced and _good(connection, now)
        if connection.lease_owner is not None and (connection.lease_until or 0) >= now:
            if serves:
                return connection
            if time.monotonic() > patience:
                raise UpstreamFailed(
                    "Another request is refreshing this connection and has not come to an end. Try again "
                    "in a moment.",
                    headers={"Retry-After": "5"},
                )
            time.sleep(_POLL_SECONDS * (0.5 + _random()))
            connection = _reread(connection)
            continue
        backing_off = connection.retry_at is not None and connection.retry_at > now
        told_to_wait = connection.told_until is not None and connection.told_until > now
        if backing_off and (not forced or told_to_wait or connection.failures > first.failures):
            if serves:
                return connection
            raise _failing(connection, now)
        prepared = _prepare(integration, connection)
        try:
            with calls.admitted(workspace):
                held = store.lease(connection, secrets.token_hex(8), now, now + LEASE_MS)
                return _refresh(held, prepared, actor, serves=serves)
        except store.ConnectionChanged as changed:
            connection = _present(changed.now)
        except calls.ProvidersBusy:
            if serves:
                return connection
            raise


def expire(connection: StoredConnection, code: str, detail: str) -> None:
    """Say of a connection that nobody holds that it has to be made again; nothing when it has changed."""
    try:
        connection = store.expire(connection, _expired(connection, code, detail, now_ms()))
    except store.ConnectionChanged:
        return
    _note(connection, "connection.expired", activity.SYSTEM, f"{code}: {detail}", outcome="FAILED")
    _tell(connection)


def announce(connection: StoredConnection) -> None:
    """Send CONNECTION_EXPIRED for an expired connection that is due for it; the same event however often."""
    events.announce(
        connection.workspace_id,
        "CONNECTION_EXPIRED",
        {
            "connectionId": connection.name,
            "id": connection.id,
            "integrationId": connection.integration_id,
            "provider": connection.provider,
            "reason": connection.error_code,
            "accountLabel": connection.account_label,
        },
        id=EventId.derived(
            connection.id, "expired", str(connection.tokens_version), at_ms=connection.updated_at
        ),
    )
    store.settle(connection, None)


# ── deciding ─────────────────────────────────────────────────────────────────────────────────────────


def _check_alive(connection: StoredConnection) -> None:
    if connection.status == ConnectionStatus.REVOKED:
        raise NotFound("There is no such connection.")
    if connection.status == ConnectionStatus.EXPIRED:
        raise gone(connection)


def gone(connection: StoredConnection) -> ConnectionExpired:
    """The answer to whoever asks for the token of an expired connection."""
    detail = "" if connection.last_error is None else f": {connection.last_error['detail']}"
    return ConnectionExpired(
        f"This connection has expired ({connection.error_code}{detail}). Have the user connect again: "
        "POST /api/integrations/{id}/oauth/initiate with the same connectionId."
    )


def _wants_refresh(connection: StoredConnection, now: int) -> bool:
    return connection.refresh_at is not None and connection.refresh_at <= now


def _good(connection: StoredConnection, now: int) -> bool:
    return connection.expires_at is None or connection.expires_at - now >= refresh_policy.GOOD_FOR_MS


def _not_refreshable(connection: StoredConnection, now: int, *, forced: bool) -> StoredConnection:
    if connection.expires_at is not None and connection.expires_at <= now:
        detail = "the access token has ended, and the provider gave nothing to refresh it with"
        expire(connection, ENDED, detail)
        raise gone(_present(store.get(connection.workspace_id, connection.integration_id, connection.name)))
    if forced:
        raise ConnectionExpired(
            "The provider gave nothing to refresh this connection with. Its token serves until it ends."
        )
    return connection


def _failing(connection: StoredConnection, now: int) -> UpstreamFailed:
    detail = "" if connection.last_error is None else f" ({connection.last_error['detail']})"
    seconds = max(-(-((connection.retry_at or now) - now) // 1000), 1)
    return UpstreamFailed(
        f"The provider does not refresh this connection at the moment{detail}. It is tried again in "
        f"{seconds} s.",
        headers=retry_after(seconds * 1000),
    )


# ── refreshing ───────────────────────────────────────────────────────────────────────────────────────


def _prepare(integration: StoredIntegration, connection: StoredConnection) -> _Prepared:
    client = client_of(integration).at(connection.variables)
    return _Prepared(client, tokens_of(connection), vault.sealer(connection.workspace_id))


def _refresh(held: StoredConnection, prepared: _Prepared, actor: str, *, serves: bool) -> StoredConnection:
    """Ask the provider under the lease, and record what it says."""
    rotates = prepared.client.oauth.refresh is RefreshStrategy.ROTATING
    doubt = held.in_doubt and rotates
    started = time.monotonic()
    while True:
        try:
            with calls.watched(held.workspace_id):
                tokens = token_endpoint.refresh(prepared.client, prepared.tokens)
        except UnusableTokenResponse as fault:
            lost = rotates and fault.may_have_succeeded
            # Once more with the same refresh token: some providers take it again for a moment.
            soon = time.monotonic() - started < _ASK_AGAIN_WITHIN_SECONDS and fault.retry_after is None
            if lost and not doubt and soon:
                doubt = True
                continue
            code = REFUSED if fault.grant_may_have_ended else "upstream_failed"
            return _failed(held, fault, code, fault.reason, actor, doubt=doubt or lost, serves=serves)
        except TokenRequestDenied as no:
            if no.grant_ended:
                raise _lost(held, no, actor, doubt=doubt) from None
            return _failed(held, no, no.code, str(no), actor, doubt=doubt, serves=serves)
        return _record(held, prepared, tokens, actor)


def _record(held: StoredConnection, prepared: _Prepared, tokens: TokenSet, actor: str) -> StoredConnection:
    now = now_ms()
    new = replace(
        with_tokens(held, prepared.client.oauth, tokens, prepared.seal, now),
        tokens_version=held.tokens_version + 1,
        version=held.version + 1,
        last_refreshed_at=now,
    )
    try:
        new = _insist(lambda: store.refreshed(held, new))
    except store.ConnectionChanged as changed:
        if changed.now is None or changed.now.status == ConnectionStatus.REVOKED:
            _revoke(prepared.client, tokens)  # it was removed meanwhile, and this grant with it
        connection = _present(changed.now)
        _check_alive(connection)
        return connection
    _note(new, "token.refreshed", actor)
    return new


def _insist(write: Callable[[], StoredConnection]) -> StoredConnection:
    """A write that must not be given up lightly: what it holds exists nowhere else."""
    for attempt in range(1, _STORE_TRIES):
        try:
            return write()
        except aws.CallFailed:
            logger.exception("fresh tokens not stored; trying again")
            time.sleep(0.2 * attempt)
    return write()


def _failed(
    held: StoredConnection,
    no: UnusableTokenResponse | TokenRequestDenied,
    code: str,
    detail: str,
    actor: str,
    *,
    doubt: bool,
    serves: bool,
) -> StoredConnection:
    """Record that no fresh token came, wait a while, and serve the present one if it is good. Enough refusals
    without a known reason end the connection.
    """
    now = now_ms()
    failures = held.failures + 1
    refusals, refused_since = refresh_policy.counted(
        held.refusals, held.refused_since, now, unclear=no.grant_may_have_ended
    )
    if refused_since is not None and refresh_policy.is_over(refusals, refused_since, now):
        detail = f"the provider has refused {refusals} times in a row: {detail}"
        raise _end(held, RESPONSE_LOST if doubt else REFUSED, detail, actor)
    is_error = (
        isinstance(no, TokenRequestDenied)
        or no.grant_may_have_ended
        or refresh_policy.is_persistent(failures)
    )
    asked = refresh_policy.asked_ms(no.retry_after)
    retry_at = now + refresh_policy.wait_ms(failures, _random(), no.retry_after)
    new = replace(
        held,
        status=ConnectionStatus.ERROR if is_error else held.status,
        version=held.version + 1,
        updated_at=now,
        last_error={"code": code, "detail": detail, "at": now},
        failures=failures,
        retry_at=retry_at,
        told_until=now + asked if asked else None,
        refusals=refusals,
        refused_since=refused_since,
        in_doubt=doubt,
    ).due(retry_at)
    try:
        new = store.release(held, new)
    except store.ConnectionChanged as changed:
        new = _present(changed.now)
        if new.tokens_version != held.tokens_version:
            _check_alive(new)
            return new
    _note(new, "token.refreshed", actor, f"{code}: {detail}", outcome="FAILED")
    if serves:
        return new
    raise UpstreamFailed(
        f"The provider did not refresh the token: {detail}. Nothing is lost; it is tried again.",
        headers=retry_after(retry_at - now),
    )


def _lost(held: StoredConnection, no: TokenRequestDenied, actor: str, *, doubt: bool) -> ConnectionExpired:
    """The provider's no is for good: the connection has to be made again."""
    code = RESPONSE_LOST if doubt else no.code
    detail = f"the answer to a refresh was lost, and then the provider said {no}" if doubt else str(no)
    return _end(held, code, detail, actor)


def _end(held: StoredConnection, code: str, detail: str, actor: str) -> ConnectionExpired:
    try:
        connection = store.release(held, _expired(held, code, detail, now_ms()))
    except store.ConnectionChanged as changed:
        return gone(_present(changed.now))
    _note(connection, "connection.expired", actor, f"{code}: {detail}", outcome="FAILED")
    _tell(connection)
    return gone(connection)


def _expired(connection: StoredConnection, code: str, detail: str, now: int) -> StoredConnection:
    return replace(
        connection,
        status=ConnectionStatus.EXPIRED,
        version=connection.version + 1,
        updated_at=now,
        last_error={"code": code, "detail": detail, "at": now},
        retry_at=None,
    ).due(now)


def _tell(connection: StoredConnection) -> None:
    """Announce an expiry now; what fails here the schedule makes good."""
    try:
        announce(connection)
    except aws.CallFailed:
        logger.exception("expiry not announced yet", connection_id=connection.id)


def _revoke(client: OAuthClient, tokens: TokenSet) -> None:
    try:
        token_endpoint.revoke(client, tokens)
    except (TokenRequestDenied, UnusableTokenResponse) as fault:
        logger.warning("grant of a removed connection not revoked", reason=str(fault))


def _note(
    connection: StoredConnection,
    action: str,
    actor: str,
    detail: str | None = None,
    outcome: activity.Outcome = "SUCCEEDED",
) -> None:
    what = connection.name if detail is None else f"{connection.name}: {detail}"
    activity.enter(connection.workspace_id, connection.integration_id, action, actor, what, outcome)


def _reread(connection: StoredConnection) -> StoredConnection:
    return _present(store.get(connection.workspace_id, connection.integration_id, connection.name))


def _present(connection: StoredConnection | None) -> StoredConnection:
    if connection is None:
        raise NotFound("There is no such connection.")
    return connection
