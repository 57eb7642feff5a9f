"""Quotas of anything that has an id: an integration, a workspace. One row of the RateLimits table counts
them all, and one conditional write admits a use to every window or to none.

(An API key's windows stand in the key's own row, so that one write also decides whether the key lives.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from patchbay.clock import now_ms
from patchbay.rate_limits import sliding_window, store
from patchbay.rate_limits.lru_cache import LruCache
from patchbay.rate_limits.sliding_window import DAY, HOUR, NEVER, Count, Quota, QuotaStatus, Window
from patchbay.rate_limits.throttling import busy, throttling_is_429
from patchbay.storage.dynamo import ConditionFailed

_REMEMBERED = 1_024
# A refused write costs as much as one that counts, so for this long a process refuses by itself.
_REFUSE_MS = 1_000
# A wrong belief costs one try; more is a crowd at the same row.
_TRIES = 5
# A limit that no count reaches, and that DynamoDB still computes with exactly.
_NO_LIMIT = 10**15


class QuotaExceeded(Exception):
    """A quota has no room for that many units; nothing was counted. `statuses` say how they stand."""

    def __init__(self, statuses: Sequence[QuotaStatus]) -> None:
        super().__init__("a quota has no room")
        self.statuses = tuple(statuses)


class _Known(NamedTuple):
    """What one process believes of a row. Never changed, only replaced: threads that race lose a try."""

    counts: Mapping[Window, Count] = {}
    refused_until_ms: int = 0
    refused_cost: int = 0

    def refuses(self, cost: int, now: int) -> bool:
        """Whether the row has just refused as much. A clock that was set back asks again."""
        return 0 < self.refused_until_ms - now <= _REFUSE_MS and cost >= self.refused_cost


class Limiter:
    """What one process remembers of rows. `clock` gives Unix milliseconds."""

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._known: LruCache[str, _Known] = LruCache(_REMEMBERED)

    def admit(self, row_id: str, quotas: Sequence[Quota], cost: int = 1) -> tuple[QuotaStatus, ...]:
        """Count `cost` units against every quota, or none; returns how they stand after it.

        Raises QuotaExceeded, and RateLimited when the row takes no write for now.
        """
        now, known = self._clock(), self._known.get(row_id) or _Known()
        if known.refuses(cost, now):
            raise QuotaExceeded(_statuses(quotas, known, now))
        return self._count(row_id, quotas, cost, known, now)

    def charge(self, row_id: str, windows: Sequence[Window], cost: int) -> None:
        """Count `cost` units that are already used, whether there is room for them or not. Raises RateLimited
        if the row accepts no write at the moment.
        """
        quotas = [Quota(window, _NO_LIMIT) for window in windows]
        self._count(row_id, quotas, cost, self._known.get(row_id) or _Known(), self._clock())

    def _count(
        self, row_id: str, quotas: Sequence[Quota], cost: int, known: _Known, now: int
    ) -> tuple[QuotaStatus, ...]:
        for _ in range(_TRIES):
            update = sliding_window.plan(quotas, _believed(quotas, known), cost, now)
            try:
                with throttling_is_429():
                    updated = store.count(
                        row_id, update, keep_until_ms=_keep_until_ms(quotas, update.numbers)
                    )
            except ConditionFailed as refused:
                known = known._replace(counts=_by_window(quotas, sliding_window.read(refused.row, quotas)))
                statuses = _statuses(quotas, known, now)
                if sliding_window.admits(statuses, cost):
                    continue  # the belief was wrong
                until = sliding_window.refuses_until_ms(statuses, cost, _REFUSE_MS)
                self._known.put(row_id, known._replace(refused_until_ms=until, refused_cost=cost))
                raise QuotaExceeded(statuses) from None
            known = known._replace(counts=_by_window(quotas, update.after(updated, quotas)))
            self._known.put(row_id, known)
            return _statuses(quotas, known, now)
        raise busy()

    def clear(self) -> None:
        self._known.clear()


def _believed(quotas: Sequence[Quota], known: _Known) -> list[Count]:
    return [known.counts.get(quota.window, NEVER) for quota in quotas]


def _by_window(quotas: Sequence[Quota], counts: Sequence[Count]) -> dict[Window, Count]:
    return {quota.window: count for quota, count in zip(quotas, counts, strict=True)}


def _statuses(quotas: Sequence[Quota], known: _Known, now: int) -> tuple[QuotaStatus, ...]:
    return sliding_window.statuses(quotas, _believed(quotas, known), now)


def _keep_until_ms(quotas: Sequence[Quota], numbers: Sequence[int]) -> int:
    """When no window's count means anything any more, not even the longest one's that the row may have had
    before its quotas changed; and an hour, for clocks that differ.
    """
    begun = max(number * quota.window.length_ms for quota, number in zip(quotas, numbers, strict=True))
    return begun + 2 * DAY.length_ms + HOUR.length_ms
