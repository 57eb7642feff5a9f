"""Quotas of anything with an ID, such as an integration or a workspace. One row of the RateLimits table has
the counts of all its windows, and one conditional write counts a use in every window or in none.

(The windows of an API key are in the key's own row, so that the same write checks that the key is active:
`api_keys.guard`.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from patchbay.clock import now_ms
from patchbay.errors import WorkspaceErasing
from patchbay.rate_limits import sliding_window, store
from patchbay.rate_limits.lru_cache import LruCache
from patchbay.rate_limits.sliding_window import DAY, HOUR, NO_COUNT, Count, Quota, QuotaStatus, Window
from patchbay.rate_limits.throttling import throttled, throttling_as_429
from patchbay.storage.dynamo import ConditionFailed

_CACHE_SIZE = 1_024
# A refused write costs as much as one that counts, so a process refuses without a write for this long.
_REFUSAL_MS = 1_000
# A stale cache entry costs one attempt. More attempts mean contention for the row.
_TRIES = 5
# A limit that no count reaches, and that DynamoDB's numbers still represent exactly.
_NO_LIMIT = 10**15


class QuotaExceeded(Exception):
    """A quota has no room for the cost, and nothing was counted. `statuses` has the status of every quota."""

    def __init__(self, statuses: Sequence[QuotaStatus]) -> None:
        super().__init__("a quota is exceeded")
        self.statuses = tuple(statuses)


class _CachedRow(NamedTuple):
    """A row as last seen by this process. Entries are replaced, not changed: a race costs one attempt."""

    counts: Mapping[Window, Count] = {}
    refused_until_ms: int = 0
    refused_cost: int = 0

    def refuses(self, cost: int, now: int) -> bool:
        """Whether the row has just refused this cost. False if the clock was set back."""
        return 0 < self.refused_until_ms - now <= _REFUSAL_MS and cost >= self.refused_cost


class Limiter:
    """The rows that one process has cached. `clock` returns Unix milliseconds."""

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._cache: LruCache[str, _CachedRow] = LruCache(_CACHE_SIZE)

    def admit(self, row_id: str, quotas: Sequence[Quota], cost: int = 1) -> tuple[QuotaStatus, ...]:
        """Count `cost` units against every quota, or against none. Returns the statuses after this use.

        Raises QuotaExceeded, RateLimited if the row is throttled, or WorkspaceErasing.
        """
        now, cached = self._clock(), self._cache.get(row_id) or _CachedRow()
        if cached.refuses(cost, now):
            raise QuotaExceeded(_statuses(quotas, cached, now))
        return self._count(row_id, quotas, cost, cached, now)

    def record_usage(self, row_id: str, windows: Sequence[Window], cost: int) -> None:
        """Count `cost` units that are already used, even if there is no room for them.

        Raises RateLimited if the row is throttled.
        """
        quotas = [Quota(window, _NO_LIMIT) for window in windows]
        self._count(row_id, quotas, cost, self._cache.get(row_id) or _CachedRow(), self._clock())

    def _count(
        self, row_id: str, quotas: Sequence[Quota], cost: int, cached: _CachedRow, now: int
    ) -> tuple[QuotaStatus, ...]:
        for _ in range(_TRIES):
            update = sliding_window.plan(quotas, _expected_counts(quotas, cached), cost, now)
            try:
                with throttling_as_429():
                    updated = store.count(
                        row_id, update, keep_until_ms=_keep_until_ms(quotas, update.numbers)
                    )
            except ConditionFailed as error:
                if error.row is not None and "erasing" in error.row:
                    raise WorkspaceErasing from None
                cached = cached._replace(counts=_by_window(quotas, sliding_window.read(error.row, quotas)))
                statuses = _statuses(quotas, cached, now)
                if sliding_window.has_room(statuses, cost):
                    continue  # the cache entry was stale
                until = sliding_window.refusal_expires_ms(statuses, cost, _REFUSAL_MS)
                self._cache.put(row_id, cached._replace(refused_until_ms=until, refused_cost=cost))
                raise QuotaExceeded(statuses) from None
            cached = cached._replace(counts=_by_window(quotas, update.counts_after(updated, quotas)))
            self._cache.put(row_id, cached)
            return _statuses(quotas, cached, now)
        raise throttled()

    def clear(self) -> None:
        self._cache.clear()


def _expected_counts(quotas: Sequence[Quota], cached: _CachedRow) -> list[Count]:
    return [cached.counts.get(quota.window, NO_COUNT) for quota in quotas]


def _by_window(quotas: Sequence[Quota], counts: Sequence[Count]) -> dict[Window, Count]:
    return {quota.window: count for quota, count in zip(quotas, counts, strict=True)}


def _statuses(quotas: Sequence[Quota], cached: _CachedRow, now: int) -> tuple[QuotaStatus, ...]:
    return sliding_window.statuses(quotas, _expected_counts(quotas, cached), now)


def _keep_until_ms(quotas: Sequence[Quota], numbers: Sequence[int]) -> int:
    """When the counts of all windows have expired, including a daily window that the row may have had before
    its quotas changed, plus an hour because clocks differ.
    """
    start_ms = max(number * quota.window.length_ms for quota, number in zip(quotas, numbers, strict=True))
    return start_ms + 2 * DAY.length_ms + HOUR.length_ms
