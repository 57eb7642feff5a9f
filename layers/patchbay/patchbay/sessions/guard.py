"""Admits requests that carry the token of a portal session or of a connect link.

The row of the session is read, or written, on each request, so ending one takes effect immediately. A session
that an API key created also needs that key: a portal session uses the key's limits and has no scope that the
key lacks, a link needs the key's scope for connections, and both kinds end with it.

Final refusals are remembered for a minute, so that requests with a dead link make no call to AWS.
"""

from __future__ import annotations

from collections.abc import Mapping

from patchbay.api_keys import guard as api_keys
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import usable
from patchbay.clock import now_ms
from patchbay.errors import Unauthenticated
from patchbay.ids import PortalSessionId
from patchbay.rate_limits.lru_cache import LruCache
from patchbay.rate_limits.throttling import throttling_as_429
from patchbay.sessions import store, tokens
from patchbay.sessions.stored_session import StoredConnectSession
from patchbay.sessions.tokens import ParsedToken
from patchbay.settings import settings

_FINAL_MS = 60_000
_CACHE_SIZE = 4_096
# A refused token → the reason, and until when it is remembered.
_refusals: LruCache[ParsedToken, tuple[str, int]] = LruCache(_CACHE_SIZE)

_AGAIN = "Open the page from your platform again."
_NO_SESSION = f"This session does not exist. {_AGAIN}"
_ENDED = f"This session was ended. {_AGAIN}"
_EXPIRED = f"This session has expired. {_AGAIN}"
_KEY_ENDED = f"This session ended because the API key that created it no longer works. {_AGAIN}"
_ASK = "Ask the sender for a new one."
_NO_LINK = f"This connect link does not exist or is incomplete. {_ASK}"
_LINK_REVOKED = f"This connect link was revoked. {_ASK}"
_LINK_EXPIRED = f"This connect link has expired. {_ASK}"
_LINK_USED_UP = f"This connect link was opened too often. {_ASK}"
_LINK_KEY_ENDED = f"This connect link ended because the API key that created it no longer works. {_ASK}"
_LINK_KEY_NARROWED = f"The API key that created this connect link can no longer connect accounts. {_ASK}"
# The scope that creating a link requires, and using it too.
_LINK_SCOPE = "connections:write"


def admit_portal(token: str) -> tuple[Principal, Mapping[str, str]]:
    """The caller with this portal session token, and the rate-limit headers if an API key created it.

    Raises Unauthenticated, and RateLimited at a limit of that key.
    """
    parsed, now = _parse("pses", token, _NO_SESSION), now_ms()
    with throttling_as_429():
        session = store.get_portal(parsed.workspace_id, parsed.id(PortalSessionId))
    if session is None or not tokens.matches(parsed, session.token_hash):
        raise _refuse(parsed, _NO_SESSION, now)
    if session.ended_at is not None:
        raise _refuse(parsed, _ENDED, now)
    if session.expires_at <= now:
        raise _refuse(parsed, _EXPIRED, now)
    is_platform = session.workspace_id == settings().platform_workspace_id
    scopes = usable(frozenset(session.capabilities), platform=is_platform)
    key, headers = None, {}
    if session.key_id is not None:
        try:
            admitted = api_keys.admit_session(session.key_id, session.workspace_id)
        except api_keys.InvalidKey:
            raise _refuse(parsed, _KEY_ENDED, now) from None
        key, headers = admitted.principal.key, admitted.headers()
        scopes &= admitted.principal.scopes
    return Principal(
        session.workspace_id, f"session:{session.id}", scopes, key=key, session=session.grant
    ), headers


def admit_link(token: str) -> Principal:
    """The caller with this connect link token. The link may already be completed: `links` checks what it may
    do. Raises Unauthenticated.
    """
    parsed, now = _parse("cses", token, _NO_LINK), now_ms()
    try:
        with throttling_as_429():
            session = store.count_request(parsed, now)
    except store.LinkRefused as refused:
        raise _refuse(parsed, _why_link_is_refused(parsed, refused.session, now), now) from None
    if session.key_id is not None:
        try:
            key = api_keys.principal_of(session.key_id, session.workspace_id)
        except api_keys.InvalidKey:
            raise _refuse(parsed, _LINK_KEY_ENDED, now) from None
        if _LINK_SCOPE not in key.scopes:
            raise _refuse(parsed, _LINK_KEY_NARROWED, now)
    return Principal(session.workspace_id, f"connect:{session.id}", link=session.grant)


def _parse(kind: tokens.Kind, token: str, unknown: str) -> ParsedToken:
    """The token's parts. Raises Unauthenticated if it is malformed, or was refused in the last minute."""
    parsed = tokens.parse(kind, token)
    if parsed is None:
        raise Unauthenticated(unknown)
    reason, until_ms = _refusals.get(parsed) or ("", 0)
    if now_ms() < until_ms:
        raise Unauthenticated(reason)
    return parsed


def _refuse(token: ParsedToken, reason: str, now: int) -> Unauthenticated:
    _refusals.put(token, (reason, now + _FINAL_MS))
    return Unauthenticated(reason)


def _why_link_is_refused(token: ParsedToken, session: StoredConnectSession | None, now: int) -> str:
    if session is None or not tokens.matches(token, session.token_hash):
        return _NO_LINK
    if session.status == "REVOKED":
        return _LINK_REVOKED
    return _LINK_EXPIRED if session.expires_at <= now else _LINK_USED_UP


def clear_cache() -> None:
    """Empty this process's cache."""
    _refusals.clear()
