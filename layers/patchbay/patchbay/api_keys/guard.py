"""Admits requests that carry an API key.

When a process sees a key for the first time, it reads the key's row and runs bcrypt. It then caches the
token, as an HMAC under a secret that only this process knows. From then on, a request is one conditional
update of the key's row. The condition requires that the key is active, unexpired and unchanged, and that both
windows have room; the update counts the use. So no cache can outlive a revocation. A cache entry alone can
only refuse a request, and only briefly; admission always requires the write.

Invalid keys are cheap: a wrong checksum costs nothing, an unknown ID one read, a wrong secret one read per
process and key, and almost never bcrypt (`hashing.fingerprint`). Response times may differ between an
unknown ID and a wrong secret, because IDs are not secret.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Sequence
from functools import cached_property, partial
from typing import Literal, NamedTuple

from patchbay import aws
from patchbay.api_keys import announcements, hashing, key_format, store
from patchbay.api_keys.stored_key import KeyState, StoredKey
from patchbay.auth.principal import KeyLimits, Principal
from patchbay.auth.scopes import usable
from patchbay.clock import from_ms, now_ms
from patchbay.errors import CostExceedsLimit, Forbidden, RateLimited, Unauthenticated
from patchbay.ids import ApiKeyId
from patchbay.observability import logger
from patchbay.rate_limits import sliding_window
from patchbay.rate_limits.headers import rate_limit_headers, retry_after
from patchbay.rate_limits.lru_cache import LruCache
from patchbay.rate_limits.sliding_window import Count, QuotaStatus, most_restrictive
from patchbay.rate_limits.throttling import THROTTLED_DETAIL, throttling_as_429
from patchbay.settings import settings

# An entry takes 2 KB. A dropped entry costs another read and another bcrypt.
_CACHE_SIZE = 8_192
# How long a process rejects, without a call, a key in a final state: unknown ID, wrong secret, revoked key.
_FINAL_REJECTION_MS = 60_000
# How long a process refuses, without a call, a request in a state that can change: expired key, full window.
_RECHECK_MS = 1_000
# A stale cache entry costs one try, a change to the key costs another. More tries mean contention for the
# row.
_TRIES = 5

Reason = Literal["MALFORMED", "NOT_FOUND", "EXPIRED", "REVOKED"]
_DETAILS: dict[Reason, str] = {
    "MALFORMED": "This is not an API key of this deployment, or the key is incomplete.",
    "NOT_FOUND": "This API key does not exist.",
    "EXPIRED": "This API key has expired. Use the key that replaced it, or create a new one.",
    "REVOKED": "This API key was revoked. Use another key.",
}


class InvalidKey(Unauthenticated):
    """The token is not a valid API key. `key` is the stored key, if it is known."""

    def __init__(self, reason: Reason, key: StoredKey | None = None) -> None:
        super().__init__(_DETAILS[reason])
        self.reason = reason
        self.key = key


class InsufficientScopes(Forbidden):
    """The key is active but lacks requested scopes. Nothing was counted."""

    def __init__(self, principal: Principal, missing: Collection[str]) -> None:
        scopes = ", ".join(sorted(missing))
        super().__init__(f"This API key does not have the scopes {scopes}. Use a key that has them.")
        self.principal = principal


class KeyRateLimited(RateLimited):
    """The key is active, but a window is full or its row is throttled. The same request is admitted from
    `available_at_ms` on, if no other request comes first.
    """

    def __init__(
        self, detail: str, principal: Principal, statuses: Sequence[QuotaStatus], available_at_ms: int
    ) -> None:
        wait_ms = available_at_ms - statuses[0].now_ms
        super().__init__(detail, headers=rate_limit_headers(statuses) | retry_after(wait_ms))
        self.principal = principal
        self.statuses = statuses
        self.available_at_ms = available_at_ms


class KeyCostExceedsLimit(CostExceedsLimit):
    """The cost is above a limit of the active key, so waiting does not help. Nothing was counted."""

    def __init__(self, principal: Principal, quota_status: QuotaStatus, cost: int) -> None:
        window, limit = quota_status.quota
        super().__init__(
            f"A cost of {cost} is above this API key's limit of {limit} per {window.name}, so it is "
            "never allowed. Split the request, or raise the limit."
        )
        self.principal = principal
        self.quota_status = quota_status


class AdmittedRequest(NamedTuple):
    """A request that was counted, and the statuses of the key's quotas after it."""

    principal: Principal
    statuses: tuple[QuotaStatus, ...]

    def headers(self) -> dict[str, str]:
        """The rate-limit headers of the response."""
        return rate_limit_headers(self.statuses)


class _CachedKey(NamedTuple):
    """A key whose secret this process has verified, and its row as last seen. Entries are replaced, never
    changed: threads that race lose at most one try.
    """

    key: StoredKey
    principal: Principal
    counts: tuple[Count, ...]
    refused_until_ms: int = 0
    refused_cost: int = 0

    @classmethod
    def from_state(cls, state: KeyState) -> _CachedKey:
        return cls(state.key, _principal(state.key), state.counts)

    def statuses(self, now: int) -> tuple[QuotaStatus, ...]:
        return sliding_window.statuses(self.key.quotas, self.counts, now)

    def refuses(self, cost: int, now: int) -> bool:
        """Whether the row has just refused this cost. Returns False if the clock was set back."""
        return 0 < self.refused_until_ms - now <= _RECHECK_MS and cost >= self.refused_cost


class _Rejection(NamedTuple):
    reason: Reason
    key: StoredKey | None
    until_ms: int


class Guard:
    """Authenticates and counts the requests of API keys, with the caches of one process.

    `clock` returns Unix milliseconds.
    """

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._keys: LruCache[bytes, _CachedKey] = LruCache(_CACHE_SIZE)
        self._rejections: LruCache[bytes, _Rejection] = LruCache(_CACHE_SIZE)
        # For keys that got wrong secrets: their hash and fingerprint, which never change.
        self._fingerprints: LruCache[ApiKeyId, tuple[str, int]] = LruCache(_CACHE_SIZE)
        # The limits that were announced as nearly used up, in their hour or day.
        self._announced: LruCache[str, bool] = LruCache(_CACHE_SIZE)

    def admit(
        self,
        token: str,
        *,
        cost: int = 1,
        scopes: Collection[str] = (),
        workspace_id: str | None = None,
    ) -> AdmittedRequest:
        """Count a request of `cost` units, if the key has `scopes` and belongs to the workspace.

        Raises InvalidKey (also for a key of another workspace), InsufficientScopes, KeyCostExceedsLimit or
        KeyRateLimited; RateLimited if the row cannot even be read. If it raises, nothing was counted.
        """
        now = self._clock()
        try:
            digest, cached = self._authenticate(token, now)
            if workspace_id not in (None, cached.key.workspace_id):
                raise InvalidKey("NOT_FOUND")
            return self._count(digest, cached, cost, frozenset(scopes), now)
        except InvalidKey as error:
            if error.key and workspace_id not in (None, error.key.workspace_id):
                raise InvalidKey("NOT_FOUND") from None
            raise

    def admit_session(self, id: ApiKeyId, workspace_id: str) -> AdmittedRequest:
        """Count a request of a session that this key made, as if the key itself had made it.

        Raises InvalidKey if the key has ended, and KeyRateLimited.
        """
        now = self._clock()
        digest = self._digest(id)
        cached = self._keys.get(digest)
        if cached is None:
            cached = _CachedKey.from_state(self._read_active(id, workspace_id, digest, now))
            self._keys.put(digest, cached)
        return self._count(digest, cached, 1, frozenset(), now)

    def principal_of(self, id: ApiKeyId, workspace_id: str) -> Principal:
        """The principal of an active key. Reads its row, and counts nothing. Raises InvalidKey."""
        digest = self._digest(id)
        return _principal(self._read_active(id, workspace_id, digest, self._clock()).key)

    def clear(self) -> None:
        for cache in (self._keys, self._rejections, self._fingerprints, self._announced):
            cache.clear()

    def _authenticate(self, token: str, now: int) -> tuple[bytes, _CachedKey]:
        """The key of this token, and the digest that it is cached under. Raises InvalidKey."""
        parsed = key_format.parse(settings().api_key_prefix, token)
        if parsed is None:
            raise InvalidKey("MALFORMED")
        digest = self._digest(token)
        cached = self._keys.get(digest)
        if cached is None:
            cached = self._load(parsed, digest, now)
            self._keys.put(digest, cached)
        return digest, cached

    def _load(self, parsed: key_format.ParsedKey, digest: bytes, now: int) -> _CachedKey:
        """Read the row of a key that is not cached, and verify the secret. Raises InvalidKey."""
        rejection = self._rejections.get(digest)
        if rejection and now < rejection.until_ms:
            raise InvalidKey(rejection.reason, rejection.key)
        fingerprint = self._fingerprints.get(parsed.id)
        if fingerprint and hashing.fingerprint(parsed.secret, fingerprint[0]) != fingerprint[1]:
            raise InvalidKey("NOT_FOUND")
        with throttling_as_429():
            state = store.get_state(parsed.id)
        if state is None:
            raise self._reject(digest, "NOT_FOUND", None, now)
        key = state.key
        if hashing.fingerprint(parsed.secret, key.secret_hash) != key.secret_fingerprint:
            self._fingerprints.put(key.id, (key.secret_hash, key.secret_fingerprint))
            raise InvalidKey("NOT_FOUND")
        self._check_active(key, digest, now)
        if not hashing.matches(parsed.secret, key.secret_hash):
            raise self._reject(digest, "NOT_FOUND", None, now)
        return _CachedKey.from_state(state)

    def _read_active(self, id: ApiKeyId, workspace_id: str, digest: bytes, now: int) -> KeyState:
        """The row of an active key of the workspace. Raises InvalidKey."""
        with throttling_as_429():
            state = store.get_state(id)
        if state is None or state.key.workspace_id != workspace_id:
            raise self._reject(digest, "NOT_FOUND", None, now)
        self._check_active(state.key, digest, now)
        return state

    def _count(
        self, digest: bytes, cached: _CachedKey, cost: int, scopes: frozenset[str], now: int
    ) -> AdmittedRequest:
        """Admit the request with one write. The write requires the version of the cached key, so every
        earlier check of the cached key still holds.
        """
        if scopes - cached.principal.scopes:  # they may have been added since
            with throttling_as_429(partial(_throttled, cached, now)):
                cached = self._refresh(digest, cached, store.get_state(cached.key.id), now)
            _check_scopes(cached, scopes)
        if cached.refuses(cost, now):
            raise _refusal(cached.principal, cached.statuses(now), cost)
        successor_statuses: tuple[QuotaStatus, ...] = ()
        for _ in range(_TRIES):
            successor_id = cached.key.shares_with
            if (
                successor_id
                and not successor_statuses
                and sliding_window.has_room(cached.statuses(now), cost)
            ):
                successor_statuses = self._count_shared(successor_id, digest, cached, cost, now)
            update = sliding_window.plan(cached.key.quotas, cached.counts, cost, now)
            try:
                with throttling_as_429(partial(_throttled, cached, now)):
                    counts = store.count(cached.key, update, now)
            except store.NotCounted as error:
                cached = self._refresh(digest, cached, error.state, now)
                _check_scopes(cached, scopes)
                statuses = cached.statuses(now)
                if sliding_window.has_room(statuses, cost):
                    continue
                until = sliding_window.refusal_expires_ms(statuses, cost, _RECHECK_MS)
                self._keys.put(digest, cached._replace(refused_until_ms=until, refused_cost=cost))
                raise _refusal(cached.principal, statuses, cost) from None
            cached = cached._replace(counts=counts)
            self._keys.put(digest, cached)
            statuses = cached.statuses(now)
            self._announce_near(cached.key, statuses)
            if successor_statuses:
                statuses = _more_restrictive(statuses, successor_statuses)
            return AdmittedRequest(cached.principal, statuses)
        raise _throttled(cached, now)

    def _announce_near(self, key: StoredKey, statuses: Sequence[QuotaStatus]) -> None:
        """Announce limits that are nearly used up: one write per process in each hour or day. The request is
        admitted even if that fails, and a later one announces them.
        """
        for status in statuses:
            if not announcements.is_near(status):
                continue
            near = announcements.near_key(key, status)
            if self._announced.get(near):
                continue
            try:
                announcements.announce_near(key, status)
                self._announced.put(near, True)
            except aws.CallFailed:
                logger.exception("failed to announce rate limit", key_id=key.id)

    def _count_shared(
        self, id: ApiKeyId, digest: bytes, cached: _CachedKey, cost: int, now: int
    ) -> tuple[QuotaStatus, ...]:
        """Count the request in the successor's windows too. A key that rotated itself shares its limits with
        its successor until it ends. Returns the statuses of the successor's windows after this request.

        This costs an additional read and write while both keys work. The write comes before the key's own: if
        the key is revoked in between, the successor loses one request and never gains one. The write requires
        the successor's version. So after the successor has rotated itself in turn, no request is counted in
        it that its own successor would miss.
        """
        with throttling_as_429(partial(_throttled, cached, now)):
            state = store.get_state(id)
        for _ in range(_TRIES):
            if state is None:  # deleted a month after its end
                return cached.statuses(now)
            successor = state.key
            if successor.rotated_itself:
                raise self._reject(digest, "EXPIRED", cached.key, now)
            statuses = sliding_window.statuses(successor.quotas, state.counts, now)
            if not sliding_window.has_room(statuses, cost):
                raise _refusal(cached.principal, statuses, cost)
            update = sliding_window.plan(successor.quotas, state.counts, cost, now)
            try:
                with throttling_as_429(partial(_throttled, cached, now)):
                    counts = store.count_shared(successor, update)
            except store.NotCounted as error:
                state = error.state
                continue
            return sliding_window.statuses(successor.quotas, counts, now)
        raise _throttled(cached, now)

    def _refresh(self, digest: bytes, cached: _CachedKey, state: KeyState | None, now: int) -> _CachedKey:
        """Replace the cache entry with the current row. Raises InvalidKey."""
        if state is None or state.key.secret_hash != cached.key.secret_hash:
            raise self._reject(digest, "NOT_FOUND", None, now)
        self._check_active(state.key, digest, now)
        cached = _CachedKey.from_state(state)
        self._keys.put(digest, cached)
        return cached

    def _check_active(self, key: StoredKey, digest: bytes, now: int) -> None:
        if key.is_revoked:
            raise self._reject(digest, "REVOKED", key, now)
        if key.has_ended(now):
            raise self._reject(digest, "EXPIRED", key, now)

    def _reject(self, digest: bytes, reason: Reason, key: StoredKey | None, now: int) -> InvalidKey:
        """Cache a rejection, and return the error to raise."""
        self._keys.remove(digest)
        duration_ms = _RECHECK_MS if reason == "EXPIRED" else _FINAL_REJECTION_MS
        self._rejections.put(digest, _Rejection(reason, key, now + duration_ms))
        return InvalidKey(reason, key)

    def _digest(self, text: str) -> bytes:
        """The name of a key in the caches. `text` is its token, or its ID if the caller is a session."""
        return hmac.digest(self._cache_secret, text.encode("ascii"), hashlib.sha256)

    @cached_property
    def _cache_secret(self) -> bytes:
        """The secret of the cached digests. It is created at first use, so that two processes that start from
        one snapshot (Lambda SnapStart) do not share it.
        """
        return secrets.token_bytes(32)


def _principal(key: StoredKey) -> Principal:
    is_platform = key.workspace_id == settings().platform_workspace_id
    scopes = usable(frozenset(key.terms.scopes), platform=is_platform)
    limits = KeyLimits(
        id=key.id,
        version=key.version,
        rate_limit_per_hour=key.terms.rate_limit_per_hour,
        rate_limit_per_day=key.terms.rate_limit_per_day,
        expires_at=None if key.terms.expires_ms is None else from_ms(key.terms.expires_ms),
    )
    return Principal(key.workspace_id, key.id, scopes, key=limits)


def _check_scopes(cached: _CachedKey, scopes: frozenset[str]) -> None:
    if missing := scopes - cached.principal.scopes:
        raise InsufficientScopes(cached.principal, missing)


def _more_restrictive(
    own: Sequence[QuotaStatus], successor: Sequence[QuotaStatus]
) -> tuple[QuotaStatus, ...]:
    """For each window, the status with less remaining."""
    return tuple(most_restrictive(pair) for pair in zip(own, successor, strict=True))


def _refusal(
    principal: Principal, statuses: Sequence[QuotaStatus], cost: int
) -> KeyRateLimited | KeyCostExceedsLimit:
    """The error for windows that have no room for `cost`."""
    available_at_ms = sliding_window.available_at_ms(statuses, cost)
    if available_at_ms is None:
        return KeyCostExceedsLimit(principal, sliding_window.lowest_limit(statuses), cost)
    full = [status.quota for status in statuses if status.remaining < cost]
    limits = " and ".join(f"{limit} requests per {window.name}" for window, limit in full)
    problem = (
        f"has reached its limit of {limits}"
        if cost == 1
        else f"does not have enough units left for a cost of {cost}; its limit is {limits}"
    )
    seconds = retry_after(available_at_ms - statuses[0].now_ms)["retry-after"]
    return KeyRateLimited(
        f"This API key {problem}. Try again in {seconds} s.", principal, statuses, available_at_ms
    )


def _throttled(cached: _CachedKey, now: int) -> KeyRateLimited:
    return KeyRateLimited(THROTTLED_DETAIL, cached.principal, cached.statuses(now), now + 1_000)


# The functions of a process share one instance.
_process = Guard()


def admit(
    token: str, *, cost: int = 1, scopes: Collection[str] = (), workspace_id: str | None = None
) -> AdmittedRequest:
    """Authenticate a request that carries an API key, and count `cost` units. The key must have `scopes` and,
    if `workspace_id` is given, belong to that workspace.

    Raises InvalidKey (401), InsufficientScopes (403), RateLimited (429) with the rate-limit headers and
    Retry-After, or KeyCostExceedsLimit (422) if the cost is above one of the key's limits.
    """
    return _process.admit(token, cost=cost, scopes=scopes, workspace_id=workspace_id)


def admit_session(id: ApiKeyId, workspace_id: str) -> AdmittedRequest:
    """Count a request of a session that this key made. Raises InvalidKey if the key has ended, and
    RateLimited with the rate-limit headers.
    """
    return _process.admit_session(id, workspace_id)


def principal_of(id: ApiKeyId, workspace_id: str) -> Principal:
    """The principal of an active key of the workspace. Counts nothing. Raises InvalidKey."""
    return _process.principal_of(id, workspace_id)


def clear_cache() -> None:
    """Empty this process's cache, for tests that change the backend."""
    _process.clear()
