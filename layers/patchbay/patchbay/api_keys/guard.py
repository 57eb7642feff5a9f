"""Admits requests that come with an API key.

The first time that a process meets a key it reads the row and runs bcrypt; then it remembers the
token, as an HMAC under a key that only this process knows. From then on a request is one
conditional update of the key's row: it decides active, unexpired, unchanged and within both
windows, and counts the use. So nothing is cached that could outlive a revocation: what a process
remembers about a key may only refuse by itself, and only briefly; to admit takes the write.

What comes without being a key costs little: a bad checksum nothing at all, an unknown id one read,
a wrong secret one read per process and key and no bcrypt (`hashing.mark`). Answers for an unknown
id and a wrong secret may differ in time; ids are no secret.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from functools import cached_property, partial
from typing import Literal, NamedTuple

from patchbay.api_keys import hashing, key_format, store
from patchbay.api_keys.stored_key import KeyState, StoredKey
from patchbay.auth.principal import KeyGrant, Principal
from patchbay.auth.scopes import PLATFORM_ONLY
from patchbay.errors import RateLimited, Unauthenticated
from patchbay.ids import ApiKeyId
from patchbay.rate_limits import sliding_window
from patchbay.rate_limits.headers import headers, retry_after
from patchbay.rate_limits.memory import Memory
from patchbay.rate_limits.sliding_window import Count, Standing
from patchbay.rate_limits.throttling import busy, throttling_is_429
from patchbay.schema import at_ms, now_ms
from patchbay.settings import settings

_REMEMBERED = 1_024
# What cannot change again (an unknown id, a wrong secret, a revoked key) is refused without a call
# for …
_REFUSE_FINAL_MS = 60_000
# … and what can (an expired key, a full window) for:
_REFUSE_BRIEFLY_MS = 1_000
# A wrong belief costs one try, a change of the key another; more is a crowd at the same row.
_TRIES = 5

Reason = Literal["MALFORMED", "NOT_FOUND", "EXPIRED", "REVOKED"]
_DETAILS: dict[Reason, str] = {
    "MALFORMED": "This is not an API key of this deployment, or a part of it is missing.",
    "NOT_FOUND": "There is no such API key.",
    "EXPIRED": "This API key has expired.",
    "REVOKED": "This API key was revoked.",
}


class InvalidKey(Unauthenticated):
    """A key that admits nobody."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(_DETAILS[reason])
        self.reason = reason


class Admission(NamedTuple):
    """A request that was counted, and how the key's windows stand after it."""

    principal: Principal
    standings: tuple[Standing, ...]

    def headers(self) -> dict[str, str]:
        """The rate-limit headers of the response."""
        return headers(self.standings)


class _Known(NamedTuple):
    """A key whose secret was proven in this process, and what is believed about its row. Never
    changed, only replaced: threads that race for it lose a try at most.
    """

    key: StoredKey
    principal: Principal
    counts: tuple[Count, ...]
    refused_until_ms: int = 0
    refused_cost: int = 0

    @classmethod
    def of(cls, state: KeyState) -> _Known:
        return cls(state.key, _principal(state.key), state.counts)

    def standings(self, now: int) -> tuple[Standing, ...]:
        return sliding_window.standings(self.key.quotas, self.counts, now)


class _Refusal(NamedTuple):
    reason: Reason
    until_ms: int


class Guard:
    """What one process remembers of API keys. `clock` gives Unix milliseconds."""

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._known: Memory[bytes, _Known] = Memory(_REMEMBERED)
        self._refused: Memory[bytes, _Refusal] = Memory(_REMEMBERED)
        # Of keys that wrong secrets came for: hash and mark, which never change.
        self._marks: Memory[ApiKeyId, tuple[str, int]] = Memory(_REMEMBERED)

    def admit(self, token: str, *, cost: int = 1) -> Admission:
        """Count a request of `cost` units. Raises InvalidKey, and RateLimited with all headers."""
        now = self._clock()
        digest, known = self._recognise(token, now)
        if now < known.refused_until_ms and cost >= known.refused_cost:
            raise _full(known, cost, now)
        for _ in range(_TRIES):
            update = sliding_window.plan(known.key.quotas, known.counts, cost, now)
            try:
                with throttling_is_429(partial(_headers, known, now)):
                    counts = store.count(known.key, update, now)
            except store.Refused as refused:
                known = self._reconsider(digest, known, refused.state, cost, now)
                continue
            known = known._replace(counts=counts)
            self._known.put(digest, known)
            return Admission(known.principal, known.standings(now))
        raise busy(_headers(known, now))

    def forget(self) -> None:
        for memory in (self._known, self._refused, self._marks):
            memory.clear()

    def _recognise(self, token: str, now: int) -> tuple[bytes, _Known]:
        """The key whose token this is, with what it is remembered by. Raises InvalidKey."""
        parsed = key_format.parse(settings().api_key_prefix, token)
        if parsed is None:
            raise InvalidKey("MALFORMED")
        digest = hmac.digest(self._secret, token.encode("ascii"), hashlib.sha256)
        known = self._known.get(digest)
        if known is None:
            known = self._meet(parsed, digest, now)
            self._known.put(digest, known)
        return digest, known

    def _meet(self, parsed: key_format.ParsedKey, digest: bytes, now: int) -> _Known:
        """First sight of a token in this process: read the row, then prove the secret."""
        refused = self._refused.get(digest)
        if refused and now < refused.until_ms:
            raise InvalidKey(refused.reason)
        mark = self._marks.get(parsed.id)
        if mark and hashing.mark(parsed.secret, mark[0]) != mark[1]:
            raise InvalidKey("NOT_FOUND")
        with throttling_is_429():
            state = store.state(parsed.id)
        if state is None:
            raise self._refuse(digest, "NOT_FOUND", now)
        key = state.key
        if hashing.mark(parsed.secret, key.secret_hash) != key.secret_mark:
            self._marks.put(key.id, (key.secret_hash, key.secret_mark))
            raise InvalidKey("NOT_FOUND")
        self._check_alive(key, digest, now)
        if not hashing.matches(parsed.secret, key.secret_hash):
            raise self._refuse(digest, "NOT_FOUND", now)
        return _Known.of(state)

    def _reconsider(
        self, digest: bytes, known: _Known, state: KeyState | None, cost: int, now: int
    ) -> _Known:
        """What to believe after a refused write, to try again. Raises when the row itself refuses."""
        if state is None or state.key.secret_hash != known.key.secret_hash:
            raise self._refuse(digest, "NOT_FOUND", now)
        self._check_alive(state.key, digest, now)
        known = _Known.of(state)
        standings = known.standings(now)
        if sliding_window.admits(standings, cost):
            return known
        until = min(sliding_window.admits_ms(standings, cost), now + _REFUSE_BRIEFLY_MS)
        known = known._replace(refused_until_ms=until, refused_cost=cost)
        self._known.put(digest, known)
        raise _full(known, cost, now)

    def _check_alive(self, key: StoredKey, digest: bytes, now: int) -> None:
        if key.revoked_ms is not None:
            raise self._refuse(digest, "REVOKED", now)
        if key.expired(now):
            raise self._refuse(digest, "EXPIRED", now)

    def _refuse(self, digest: bytes, reason: Reason, now: int) -> InvalidKey:
        self._known.forget(digest)
        lasting = _REFUSE_BRIEFLY_MS if reason == "EXPIRED" else _REFUSE_FINAL_MS
        self._refused.put(digest, _Refusal(reason, now + lasting))
        return InvalidKey(reason)

    @cached_property
    def _secret(self) -> bytes:
        """Made at first use, so that no two processes started from one snapshot share it."""
        return secrets.token_bytes(32)


def _principal(key: StoredKey) -> Principal:
    scopes = frozenset(key.scopes)
    if key.workspace_id != settings().platform_workspace_id:
        scopes -= PLATFORM_ONLY
    grant = KeyGrant(
        rate_limit_per_hour=key.rate_limit_per_hour,
        rate_limit_per_day=key.rate_limit_per_day,
        expires_at=None if key.expires_ms is None else at_ms(key.expires_ms),
    )
    return Principal(key.workspace_id, key.id, scopes, key=grant)


def _headers(known: _Known, now: int) -> dict[str, str]:
    return headers(known.standings(now))


def _full(known: _Known, cost: int, now: int) -> RateLimited:
    standings = known.standings(now)
    full = [standing.quota for standing in standings if standing.remaining < cost]
    spent = " and ".join(f"{limit} requests per {window.name}" for window, limit in full)
    return RateLimited(
        f"This API key has used its {spent}.",
        headers=headers(standings) | retry_after(standings, cost),
    )


# Of this process: functions share it, and it begins empty.
_process = Guard()


def admit(token: str, *, cost: int = 1) -> Admission:
    """Count a request of `cost` units that comes with that API key, and say whose it is.

    Raises InvalidKey (401), and RateLimited (429) with the rate-limit headers and Retry-After.
    """
    return _process.admit(token, cost=cost)


def forget() -> None:
    """Give up what this process remembers, for tests that change the backend."""
    _process.forget()
