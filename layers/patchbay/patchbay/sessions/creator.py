"""What a session inherits from the caller who creates it."""

from __future__ import annotations

from patchbay.auth.principal import Principal
from patchbay.clock import to_ms
from patchbay.errors import Forbidden
from patchbay.ids import ApiKeyId


def check_not_session(principal: Principal) -> None:
    """Raises Forbidden for a portal session, because what it creates could outlive it."""
    if principal.session is not None:
        raise Forbidden("A session cannot list or create sessions. Use a user's token or an API key.")


def expiry_ms(principal: Principal, now: int, seconds: int) -> int:
    """When a session of this many seconds ends: no later than the API key that creates it."""
    expires_at = now + seconds * 1000
    if principal.key is not None and principal.key.expires_at is not None:
        expires_at = min(expires_at, to_ms(principal.key.expires_at))
    return expires_at


def key_of(principal: Principal) -> ApiKeyId | None:
    """The API key whose end also ends the caller's sessions."""
    return None if principal.key is None else principal.key.id
