"""When a connection's token is refreshed, and when it is tried again: pure decisions.

All times are Unix milliseconds.
"""

from __future__ import annotations

from patchbay.oauth.token_response import TokenSet
from patchbay.providers.provider import OAuth, RefreshStrategy

# A token that is handed out is good for this long at least, if it can be had.
GOOD_FOR_MS = 60_000

# The schedule refreshes a connection no more often than this, whatever `expires_in` says. Otherwise, tokens
# that live for a second would fill every run.
SHORTEST_INTERVAL_MS = 5 * 60_000

_FIRST_WAIT_MS = 5_000
_LONGEST_WAIT_MS = 3_600_000
# The longest wait that a provider can ask for: a wrong value must not end its connections.
_LONGEST_ASKED_MS = 6 * 3_600_000

# This many refusals without a known reason, over this long, end a connection. A provider may refuse for some
# hours, and then accept the refresh token again.
_REFUSALS = 8
_REFUSING_FOR_MS = 24 * 3_600_000
# After this many failures in a row (about an hour and a half), a connection is no longer shown as ACTIVE.
_PERSISTENT_FAILURES = 12

_NOT_REFRESHED = frozenset({RefreshStrategy.NEVER_EXPIRES, RefreshStrategy.REAUTHORIZE_ONLY})


def can_refresh(oauth: OAuth, tokens: TokenSet) -> bool:
    """Whether there is something to refresh with."""
    if oauth.refresh is RefreshStrategy.EXCHANGE:
        return True
    return oauth.refresh not in _NOT_REFRESHED and tokens.refresh_token is not None


def expires_ms(oauth: OAuth, tokens: TokenSet, now_ms: int) -> int | None:
    """When an access token that has just arrived ends; None for never or unknown.

    A moment that has passed already comes from a wrong clock. If the token can be refreshed, its end counts
    as unknown: otherwise each fresh token would be refreshed at once. A moment without a timezone may be
    hours too late, so such a token is refreshed after the assumed lifetime at the latest.
    """
    refreshable = can_refresh(oauth, tokens)
    assumed_ms = now_ms + oauth.assumed_lifetime_seconds * 1000
    if tokens.expires_at_ms is not None and (tokens.expires_at_ms > now_ms or not refreshable):
        vague = refreshable and tokens.zone_unknown
        return min(tokens.expires_at_ms, assumed_ms) if vague else tokens.expires_at_ms
    if tokens.expires_in is not None:
        return now_ms + tokens.expires_in * 1000
    return assumed_ms if refreshable else None


def due_ms(oauth: OAuth, tokens: TokenSet, obtained_ms: int, expires_ms: int | None) -> int | None:
    """When a token should be refreshed, or, if it cannot be refreshed, when it ends. None for a token without
    an end.
    """
    if expires_ms is None:
        return None
    if not can_refresh(oauth, tokens):
        return expires_ms
    # A margin longer than its life would have every fresh token due at once, for ever.
    margin = min(oauth.refresh_margin_seconds * 1000, (expires_ms - obtained_ms) // 5)
    earliest = obtained_ms
    if oauth.renewal is not None:
        earliest += oauth.renewal.min_age_seconds * 1000
    return max(obtained_ms, min(expires_ms, max(expires_ms - margin, earliest)))


def scheduled_ms(due_ms: int | None, obtained_ms: int, *, refreshable: bool) -> int | None:
    """When the schedule looks at a connection that is due at `due_ms`. A token that lives for less than the
    shortest interval is refreshed in between when somebody asks for it.
    """
    if due_ms is None or not refreshable:
        return due_ms
    return max(due_ms, obtained_ms + SHORTEST_INTERVAL_MS)


def wait_ms(failures: int, random: float, asked_seconds: int | None = None) -> int:
    """How long to wait after that many failures in a row, the present one included: 5 s, doubled each time up
    to an hour, ±20 %; or, if it is longer, the wait that the provider asked for (`Retry-After`), at most 6 h,
    and up to 10 % more, so that not all come back at once. `random` is in [0, 1).
    """
    doublings = min(max(failures, 1) - 1, 16)
    wait = min(_FIRST_WAIT_MS << doublings, _LONGEST_WAIT_MS)
    return max(round(wait * (0.8 + 0.4 * random)), round(asked_ms(asked_seconds) * (1 + 0.1 * random)))


def asked_ms(seconds: int | None) -> int:
    """The wait that a provider asked for, in ms and capped. Every request for a token keeps to it."""
    return min((seconds or 0) * 1000, _LONGEST_ASKED_MS)


def counted(refusals: int, first_ms: int | None, now_ms: int, *, unclear: bool) -> tuple[int, int | None]:
    """How many refusals without a known reason came in a row, and when the first did, after one more failure.
    Any other failure starts the count again: an outage says nothing about the grant.
    """
    return (refusals + 1, first_ms or now_ms) if unclear else (0, None)


def is_over(refusals: int, first_ms: int, now_ms: int) -> bool:
    """Whether that many refusals in a row, without a known reason, mean that the grant is over."""
    return refusals >= _REFUSALS and now_ms - first_ms >= _REFUSING_FOR_MS


def is_persistent(failures: int) -> bool:
    """Whether that many failures in a row are more than a passing fault of the provider."""
    return failures >= _PERSISTENT_FAILURES
