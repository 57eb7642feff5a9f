"""Decides when a connection's token is refreshed, and when a refresh is retried. Pure.

All times are Unix milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from patchbay.oauth.models import ConnectionStatus
from patchbay.oauth.token_response import TokenSet
from patchbay.providers.provider import OAuth, RefreshStrategy

if TYPE_CHECKING:
    from patchbay.oauth.stored_connection import StoredConnection

# A token that is handed out is valid for at least this long, if one can be obtained.
MIN_VALIDITY_MS = 60_000

# Maintenance refreshes a connection no more often than this, whatever `expires_in` says. Otherwise, tokens
# that live for a second would fill every run.
SHORTEST_INTERVAL_MS = 5 * 60_000

_FIRST_WAIT_MS = 5_000
_LONGEST_WAIT_MS = 3_600_000
# The longest wait that a provider can request: a wrong value must not end its connections.
_LONGEST_REQUESTED_WAIT_MS = 6 * 3_600_000

# This many refusals without a known reason, over at least this time, end a connection. A provider may refuse
# for some hours, and then accept the refresh token again.
_REFUSALS = 8
_REFUSING_FOR_MS = 24 * 3_600_000
# After this many consecutive failures (about an hour and a half), a connection is no longer shown as ACTIVE.
_PERSISTENT_FAILURES = 12

_NOT_REFRESHED = frozenset({RefreshStrategy.NEVER_EXPIRES, RefreshStrategy.REAUTHORIZE_ONLY})


# ── what to do with a connection whose token is requested ────────────────────────────────────────────


class FailReason(StrEnum):
    """Why a connection's token cannot be served."""

    REMOVED = "removed"
    EXPIRED = "expired"
    NOT_REFRESHABLE = "not_refreshable"  # and a refresh was forced
    REFRESHING = "refreshing"  # another process has been refreshing for too long
    BACKING_OFF = "backing_off"


@dataclass(frozen=True, slots=True)
class Serve:
    """Serve the current token."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Another process is refreshing the connection: read it again in a moment."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """Request a new token. If `can_serve_current`, serve the current one if that fails."""

    can_serve_current: bool


@dataclass(frozen=True, slots=True)
class Expire:
    """The token has ended and cannot be refreshed: mark the connection as expired."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Serve no token, and say why."""

    reason: FailReason


Decision = Serve | Wait | Refresh | Expire | Fail


def decide(
    connection: StoredConnection, now: int, *, initial: StoredConnection, forced: bool, can_wait: bool
) -> Decision:
    """What to do when the token of a connection is requested.

    `initial` is the connection as the request first read it: if its tokens have changed since, another
    process has refreshed it. `forced` requests a new token regardless of the current one. `can_wait` means
    that the request may still wait for another process.
    """
    if connection.status == ConnectionStatus.REVOKED:
        return Fail(FailReason.REMOVED)
    if connection.status == ConnectionStatus.EXPIRED:
        return Fail(FailReason.EXPIRED)
    if connection.tokens_version != initial.tokens_version:
        return Serve()
    if not forced and not is_refresh_due(connection, now):
        return Serve()
    if not connection.refreshable:
        return _decide_without_refresh(connection, now, forced=forced)
    can_serve_current = not forced and is_valid_for_a_minute(connection, now)
    if connection.is_leased(now):
        if can_serve_current:
            return Serve()
        return Wait() if can_wait else Fail(FailReason.REFRESHING)
    if _must_back_off(connection, now, initial=initial, forced=forced):
        return Serve() if can_serve_current else Fail(FailReason.BACKING_OFF)
    return Refresh(can_serve_current)


def is_refresh_due(connection: StoredConnection, now: int) -> bool:
    return connection.refresh_at is not None and connection.refresh_at <= now


def is_valid_for_a_minute(connection: StoredConnection, now: int) -> bool:
    """Whether the current token can be handed out."""
    return connection.expires_at is None or connection.expires_at - now >= MIN_VALIDITY_MS


def _decide_without_refresh(connection: StoredConnection, now: int, *, forced: bool) -> Decision:
    if connection.expires_at is not None and connection.expires_at <= now:
        return Expire()
    return Fail(FailReason.NOT_REFRESHABLE) if forced else Serve()


def _must_back_off(
    connection: StoredConnection, now: int, *, initial: StoredConnection, forced: bool
) -> bool:
    """Whether to wait for `retry_at`. A forced refresh waits only if the provider requested it, or if another
    process has failed since the request first read the connection.
    """
    if connection.retry_at is None or connection.retry_at <= now:
        return False
    is_requested = connection.retry_after_until is not None and connection.retry_after_until > now
    return not forced or is_requested or connection.failures > initial.failures


# ── when a token expires and is refreshed ────────────────────────────────────────────────────────────


def can_refresh(oauth: OAuth, tokens: TokenSet) -> bool:
    """Whether there is a token to refresh with."""
    if oauth.refresh is RefreshStrategy.EXCHANGE:
        return True
    return oauth.refresh not in _NOT_REFRESHED and tokens.refresh_token is not None


def expires_ms(oauth: OAuth, tokens: TokenSet, now_ms: int) -> int | None:
    """When an access token that was just received expires; None for never or unknown.

    A time in the past comes from a wrong clock. If the token can be refreshed, that time counts as unknown:
    otherwise each fresh token would be refreshed immediately. A time without a timezone may be hours too
    late, so the token is refreshed after the assumed lifetime at the latest.
    """
    refreshable = can_refresh(oauth, tokens)
    assumed_ms = now_ms + oauth.assumed_lifetime_seconds * 1000
    if tokens.expires_at_ms is not None and (tokens.expires_at_ms > now_ms or not refreshable):
        is_vague = refreshable and tokens.zone_unknown
        return min(tokens.expires_at_ms, assumed_ms) if is_vague else tokens.expires_at_ms
    if tokens.expires_in is not None:
        return now_ms + tokens.expires_in * 1000
    return assumed_ms if refreshable else None


def due_ms(oauth: OAuth, tokens: TokenSet, obtained_ms: int, expires_ms: int | None) -> int | None:
    """When to refresh a token, or, if it cannot be refreshed, when it expires. None for a token that never
    expires.
    """
    if expires_ms is None:
        return None
    if not can_refresh(oauth, tokens):
        return expires_ms
    # A margin longer than the token's lifetime would make every fresh token due immediately.
    margin = min(oauth.refresh_margin_seconds * 1000, (expires_ms - obtained_ms) // 5)
    earliest = obtained_ms
    if oauth.renewal is not None:
        earliest += oauth.renewal.min_age_seconds * 1000
    return max(obtained_ms, min(expires_ms, max(expires_ms - margin, earliest)))


def scheduled_ms(due_ms: int | None, obtained_ms: int, *, refreshable: bool) -> int | None:
    """When maintenance processes a connection that is due at `due_ms`. Between runs, requests refresh a token
    that lives for less than the shortest interval.
    """
    if due_ms is None or not refreshable:
        return due_ms
    return max(due_ms, obtained_ms + SHORTEST_INTERVAL_MS)


# ── after a failure ──────────────────────────────────────────────────────────────────────────────────


def wait_ms(failures: int, random: float, requested_seconds: int | None = None) -> int:
    """How long to wait after `failures` consecutive failures, including this one: 5 s, doubled each time up
    to an hour, ±20 %. Or, if longer, the wait that the provider requested (`Retry-After`), at most 6 h, and
    up to 10 % more, to spread the retries. `random` is in [0, 1).
    """
    doublings = min(max(failures, 1) - 1, 16)
    wait = min(_FIRST_WAIT_MS << doublings, _LONGEST_WAIT_MS)
    requested = requested_wait_ms(requested_seconds)
    return max(round(wait * (0.8 + 0.4 * random)), round(requested * (1 + 0.1 * random)))


def requested_wait_ms(seconds: int | None) -> int:
    """The wait that a provider requested, in ms and capped. Every request for a token respects it."""
    return min((seconds or 0) * 1000, _LONGEST_REQUESTED_WAIT_MS)


def count_refusals(
    refusals: int, first_ms: int | None, now_ms: int, *, has_unknown_reason: bool
) -> tuple[int, int | None]:
    """The number of consecutive refusals without a known reason, and the time of the first, after one more
    failure. Any other failure restarts the count: an outage says nothing about the grant.
    """
    return (refusals + 1, first_ms or now_ms) if has_unknown_reason else (0, None)


def has_grant_ended(refusals: int, first_ms: int, now_ms: int) -> bool:
    """Whether `refusals` consecutive refusals, without a known reason, mean that the grant has ended."""
    return refusals >= _REFUSALS and now_ms - first_ms >= _REFUSING_FOR_MS


def is_persistent(failures: int) -> bool:
    """Whether `failures` consecutive failures are more than a temporary fault of the provider."""
    return failures >= _PERSISTENT_FAILURES
