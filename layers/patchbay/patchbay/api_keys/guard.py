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
from collections.abc import Callable, Collection, Sequence
from functools import cached_property, partial
from typing import Literal, NamedTuple

from patchbay.api_keys import hashing, key_format, store
from patchbay.api_keys.stored_key import KeyState, StoredKey
from patchbay.auth.principal import KeyGrant, Principal
from patchbay.auth.scopes import PLATFORM_ONLY
from patchbay.clock import at_ms, now_ms
from patchbay.errors import CostExceedsLimit, Forbidden, RateLimited, Unauthenticated
from patchbay.ids import ApiKeyId
from patchbay.rate_limits import sliding_window
from patchbay.rate_limits.headers import headers, retry_after
from patchbay.rate_limits.lru_cache import LruCache
from patchbay.rate_limits.sliding_window import Count, QuotaStatus, most_restrictive
from patchbay.rate_limits.throttling import BUSY, throttling_is_429
from patchbay.settings import settings

# An entry is 2 KB, and a key that is forgotten costs a read and bcrypt again.
_REMEMBERED = 8_192
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
    """A key that admits nobody. `key` is the one that it was, where there is or was one."""

    def __init__(self, reason: Reason, key: StoredKey | None = None) -> None:
        super().__init__(_DETAILS[reason])
        self.reason = reason
        self.key = key


class InsufficientScopes(Forbidden):
    """A live key without all the scopes that were asked for. Nothing was counted."""

    def __init__(self, principal: Principal, missing: Collection[str]) -> None:
        super().__init__(f"This API key does not have {', '.join(sorted(missing))}.")
        self.principal = principal


class Exhausted(RateLimited):
    """A live key whose windows are full, or whose row takes no write for now: from `admits_ms` on, what
    was asked for is admitted, if nothing else comes.
    """

    def __init__(
        self, detail: str, principal: Principal, statuses: Sequence[QuotaStatus], admits_ms: int
    ) -> None:
        wait_ms = admits_ms - statuses[0].now_ms
        super().__init__(detail, headers=headers(statuses) | retry_after(wait_ms))
        self.principal = principal
        self.statuses = statuses
        self.admits_ms = admits_ms


class NeverAdmitted(CostExceedsLimit):
    """The cost is above one of the live key's limits, so no wait helps. Nothing was counted."""

    def __init__(self, principal: Principal, quota_status: QuotaStatus, cost: int) -> None:
        window, limit = quota_status.quota
        super().__init__(
            f"A cost of {cost} is above this API key's limit of {limit} per {window.name}: it is never "
            "admitted. Split the request, or raise the limit."
        )
        self.principal = principal
        self.quota_status = quota_status


class Admission(NamedTuple):
    """A request that was counted, and how the key's windows stand after it."""

    principal: Principal
    statuses: tuple[QuotaStatus, ...]

    def headers(self) -> dict[str, str]:
        """The rate-limit headers of the response."""
        return headers(self.statuses)


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

    def statuses(self, now: int) -> tuple[QuotaStatus, ...]:
        return sliding_window.statuses(self.key.quotas, self.counts, now)

    def refuses(self, cost: int, now: int) -> bool:
        """Whether the row has just refused as much. A clock that was set back asks again."""
        return 0 < self.refused_until_ms - now <= _REFUSE_BRIEFLY_MS and cost >= self.refused_cost


class _Refusal(NamedTuple):
    reason: Reason
    key: StoredKey | None
    until_ms: int


class Guard:
    """What one process remembers of API keys. `clock` gives Unix milliseconds."""

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._known: LruCache[bytes, _Known] = LruCache(_REMEMBERED)
        self._refused: LruCache[bytes, _Refusal] = LruCache(_REMEMBERED)
        # Of keys that wrong secrets came for: hash and mark, which never change.
        self._marks: LruCache[ApiKeyId, tuple[str, int]] = LruCache(_REMEMBERED)

    def admit(
        self,
        token: str,
        *,
        cost: int = 1,
        scopes: Collection[str] = (),
        workspace_id: str | None = None,
    ) -> Admission:
        """Count a request of `cost` units, if the key has `scopes` and is of that workspace.

        Raises InvalidKey (also for another workspace's), InsufficientScopes, NeverAdmitted, Exhausted;
        RateLimited when the row cannot even be read. Whatever it raises, nothing was counted.
        """
        now = self._clock()
        try:
            digest, known = self._recognise(token, now)
            if workspace_id not in (None, known.key.workspace_id):
                raise InvalidKey("NOT_FOUND")
            return self._count(digest, known, cost, frozenset(scopes), now)
        except InvalidKey as refused:
            if refused.key and workspace_id not in (None, refused.key.workspace_id):
                raise InvalidKey("NOT_FOUND") from None
            raise

    def clear(self) -> None:
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
            raise InvalidKey(refused.reason, refused.key)
        mark = self._marks.get(parsed.id)
        if mark and hashing.mark(parsed.secret, mark[0]) != mark[1]:
            raise InvalidKey("NOT_FOUND")
        with throttling_is_429():
            state = store.state(parsed.id)
        if state is None:
            raise self._refuse(digest, "NOT_FOUND", None, now)
        key = state.key
        if hashing.mark(parsed.secret, key.secret_hash) != key.secret_mark:
            self._marks.put(key.id, (key.secret_hash, key.secret_mark))
            raise InvalidKey("NOT_FOUND")
        self._check_alive(key, digest, now)
        if not hashing.matches(parsed.secret, key.secret_hash):
            raise self._refuse(digest, "NOT_FOUND", None, now)
        return _Known.of(state)

    def _count(self, digest: bytes, known: _Known, cost: int, scopes: frozenset[str], now: int) -> Admission:
        """The write that admits. It is conditional on the key's version, so what was checked of `known`
        before it is true when it is written.
        """
        if scopes - known.principal.scopes:  # or they were given since
            with throttling_is_429(partial(_busy, known, now)):
                known = self._reconsider(digest, known, store.state(known.key.id), now)
            _check_scopes(known, scopes)
        if known.refuses(cost, now):
            raise _refusal(known.principal, known.statuses(now), cost)
        shared: tuple[QuotaStatus, ...] = ()
        for _ in range(_TRIES):
            successor = known.key.shares_with
            if successor and not shared and sliding_window.admits(known.statuses(now), cost):
                shared = self._count_in_successor(successor, digest, known, cost, now)
            update = sliding_window.plan(known.key.quotas, known.counts, cost, now)
            try:
                with throttling_is_429(partial(_busy, known, now)):
                    counts = store.count(known.key, update, now)
            except store.Refused as refused:
                known = self._reconsider(digest, known, refused.state, now)
                _check_scopes(known, scopes)
                statuses = known.statuses(now)
                if sliding_window.admits(statuses, cost):
                    continue
                until = sliding_window.refuses_until_ms(statuses, cost, _REFUSE_BRIEFLY_MS)
                self._known.put(digest, known._replace(refused_until_ms=until, refused_cost=cost))
                raise _refusal(known.principal, statuses, cost) from None
            known = known._replace(counts=counts)
            self._known.put(digest, known)
            statuses = known.statuses(now)
            return Admission(known.principal, _tighter(statuses, shared) if shared else statuses)
        raise _busy(known, now)

    def _count_in_successor(
        self, id: ApiKeyId, digest: bytes, known: _Known, cost: int, now: int
    ) -> tuple[QuotaStatus, ...]:
        """Count a request of a key that rotated itself in its successor's windows too: until the old key
        ends, the two keys share one limit. Returns the statuses of these windows after this request.

        This costs one more read and write while both keys work. The write comes before the key's own: if the
        key is revoked in between, the successor loses one request and never gains one. The write requires the
        successor's version. So once the successor has rotated itself too, nothing is counted there that its
        own successor does not know of.
        """
        with throttling_is_429(partial(_busy, known, now)):
            state = store.state(id)
        for _ in range(_TRIES):
            if state is None:  # deleted, a month after its end
                return known.statuses(now)
            successor = state.key
            if successor.rotated_itself:
                raise self._refuse(digest, "EXPIRED", known.key, now)
            statuses = sliding_window.statuses(successor.quotas, state.counts, now)
            if not sliding_window.admits(statuses, cost):
                raise _refusal(known.principal, statuses, cost)
            update = sliding_window.plan(successor.quotas, state.counts, cost, now)
            try:
                with throttling_is_429(partial(_busy, known, now)):
                    counts = store.count_for_predecessor(successor, update)
            except store.Refused as refused:
                state = refused.state
                continue
            return sliding_window.statuses(successor.quotas, counts, now)
        raise _busy(known, now)

    def _reconsider(self, digest: bytes, known: _Known, state: KeyState | None, now: int) -> _Known:
        """What to believe of the key by its row as it stands. Raises InvalidKey."""
        if state is None or state.key.secret_hash != known.key.secret_hash:
            raise self._refuse(digest, "NOT_FOUND", None, now)
        self._check_alive(state.key, digest, now)
        known = _Known.of(state)
        self._known.put(digest, known)
        return known

    def _check_alive(self, key: StoredKey, digest: bytes, now: int) -> None:
        if key.revoked:
            raise self._refuse(digest, "REVOKED", key, now)
        if key.ended(now):
            raise self._refuse(digest, "EXPIRED", key, now)

    def _refuse(self, digest: bytes, reason: Reason, key: StoredKey | None, now: int) -> InvalidKey:
        self._known.remove(digest)
        lasting = _REFUSE_BRIEFLY_MS if reason == "EXPIRED" else _REFUSE_FINAL_MS
        self._refused.put(digest, _Refusal(reason, key, now + lasting))
        return InvalidKey(reason, key)

    @cached_property
    def _secret(self) -> bytes:
        """Made at first use, so that no two processes started from one snapshot share it."""
        return secrets.token_bytes(32)


def _principal(key: StoredKey) -> Principal:
    scopes = frozenset(key.terms.scopes)
    if key.workspace_id != settings().platform_workspace_id:
        scopes -= PLATFORM_ONLY
    grant = KeyGrant(
        version=key.version,
        rate_limit_per_hour=key.terms.rate_limit_per_hour,
        rate_limit_per_day=key.terms.rate_limit_per_day,
        expires_at=None if key.terms.expires_ms is None else at_ms(key.terms.expires_ms),
    )
    return Principal(key.workspace_id, key.id, scopes, key=grant)


def _check_scopes(known: _Known, scopes: frozenset[str]) -> None:
    if missing := scopes - known.principal.scopes:
        raise InsufficientScopes(known.principal, missing)


def _tighter(own: Sequence[QuotaStatus], shared: Sequence[QuotaStatus]) -> tuple[QuotaStatus, ...]:
    """For each window, the status with less left."""
    return tuple(most_restrictive(pair) for pair in zip(own, shared, strict=True))


def _refusal(principal: Principal, statuses: Sequence[QuotaStatus], cost: int) -> Exhausted | NeverAdmitted:
    """The error for windows that have no room for `cost`."""
    admits_ms = sliding_window.admits_ms(statuses, cost)
    if admits_ms is None:
        return NeverAdmitted(principal, sliding_window.lowest(statuses), cost)
    full = [status.quota for status in statuses if status.remaining < cost]
    limits = " and ".join(f"{limit} requests per {window.name}" for window, limit in full)
    return Exhausted(
        f"This API key does not have {cost} left of its {limits}.", principal, statuses, admits_ms
    )


def _busy(known: _Known, now: int) -> Exhausted:
    return Exhausted(BUSY, known.principal, known.statuses(now), now + 1_000)


# Of this process: functions share it, and it begins empty.
_process = Guard()


def admit(
    token: str, *, cost: int = 1, scopes: Collection[str] = (), workspace_id: str | None = None
) -> Admission:
    """Count a request of `cost` units that comes with that API key, and say whose it is; only if the key
    has `scopes`, and is of that workspace where one is given.

    Raises InvalidKey (401), InsufficientScopes (403), RateLimited (429) with the rate-limit headers and
    Retry-After, and NeverAdmitted (422) for a cost above one of its limits.
    """
    return _process.admit(token, cost=cost, scopes=scopes, workspace_id=workspace_id)


def clear_cache() -> None:
    """Give up what this process remembers, for tests that change the backend."""
    _process.clear()
