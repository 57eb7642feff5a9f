"""When a connection's token is refreshed, and when it is tried again: pure decisions.

All times are Unix milliseconds.
"""

from __future__ import annotations

from patchbay.oauth.token_response import TokenSet
from patchbay.providers.provider import OAuth, RefreshStrategy

# A token that is handed out is good for this long at least, if it can be had.
GOOD_FOR_MS = 60_000

_FIRST_WAIT_MS = 5_000
_LONGEST_WAIT_MS = 3_600_000

_NOT_REFRESHED = frozenset({RefreshStrategy.NEVER_EXPIRES, RefreshStrategy.REAUTHORIZE_ONLY})


def can_refresh(oauth: OAuth, tokens: TokenSet) -> bool:
    """Whether there is something to refresh with."""
    if oauth.refresh is RefreshStrategy.EXCHANGE:
        return True
    return oauth.refresh not in _NOT_REFRESHED and tokens.refresh_token is not None


def expires_ms(oauth: OAuth, tokens: TokenSet, now_ms: int) -> int | None:
    """When an access token that came just now ends; None for never, or nobody knows."""
    if tokens.expires_at_ms is not None:
        return tokens.expires_at_ms
    if tokens.expires_in is not None:
        return now_ms + tokens.expires_in * 1000
    if not can_refresh(oauth, tokens):
        return None
    return now_ms + oauth.assumed_lifetime_seconds * 1000


def due_ms(oauth: OAuth, tokens: TokenSet, obtained_ms: int, expires_ms: int | None) -> int | None:
    """When the schedule looks at a connection next: to refresh it, or, where that cannot be, to say that it
    has ended. None for a token without an end.
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


def wait_ms(failures: int, random: float) -> int:
    """How long to wait after that many failures in a row, the present one included: 5 s, doubled each time up
    to an hour, ±20 % (`random` is in [0, 1)).
    """
    doublings = min(max(failures, 1) - 1, 16)
    wait = min(_FIRST_WAIT_MS << doublings, _LONGEST_WAIT_MS)
    return round(wait * (0.8 + 0.4 * random))
