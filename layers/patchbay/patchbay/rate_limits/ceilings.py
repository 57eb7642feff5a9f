"""Ceilings of a workspace: requests and events a minute.

A write per request to one row would make it the narrowest place of a busy workspace (an item takes
about 1,000 writes a second), and a second write beside the API key's own. So a process reserves a
block of units with one write, a five-hundredth of the ceiling, and serves from it, without a call,
what follows in the same minute; with the minute the rest of the block lapses. What is reserved is
counted at once, so the ceiling is never passed; what lapses unused is the price, near the ceiling
at most a block per process. Where no block is free any more, the exact cost is still tried. A
ceiling below 1,000 has blocks of one: every request is a write, and the count is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Literal

from patchbay.clock import now_ms
from patchbay.errors import CostExceedsLimit, RateLimited
from patchbay.rate_limits.headers import retry_after
from patchbay.rate_limits.limiter import Limiter, QuotaExceeded
from patchbay.rate_limits.lru_cache import LruCache
from patchbay.rate_limits.sliding_window import MINUTE, Quota, QuotaStatus
from patchbay.settings import settings

Kind = Literal["requests", "events"]

# Explains how units are counted, if the caller cannot know.
_COUNTING = {"requests": "", "events": "An event counts once for every 10 webhooks that it goes to. "}
_BLOCKS = 500
_REMEMBERED = 1_024


@dataclass(slots=True)
class _Share:
    """What one process holds of one ceiling: units reserved in the minute `number`."""

    number: int = -1
    left: int = 0

    def take(self, cost: int, at_ms: int) -> bool:
        """Serve `cost` units from the reservation, if it has them and its minute is not over."""
        if self.left < cost or at_ms // MINUTE.length_ms > self.number:
            return False
        self.left -= cost
        return True

    def keep(self, units: int, number: int) -> None:
        """Keep what a write reserved beyond its own cost."""
        if number > self.number:
            self.number, self.left = number, 0
        if number == self.number:
            self.left += units


class Ceilings:
    """The shares of one process. `clock` gives Unix milliseconds."""

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._limiter = Limiter(clock)
        self._shares: LruCache[str, _Share] = LruCache(_REMEMBERED)
        self._lock = Lock()

    def admit(self, workspace_id: str, kind: Kind, cost: int = 1) -> None:
        """Count `cost` units against the workspace's ceiling. Raises RateLimited, and CostExceedsLimit when
        the ceiling has no room for them in any minute.
        """
        quota, row_id = _quota(kind), f"{kind}#{workspace_id}"
        with self._lock:
            share = self._shares.get(row_id)
            if share is None:
                share = _Share()
                self._shares.put(row_id, share)
            if share.take(cost, self._clock()):
                return
        block = max(cost, quota.limit // _BLOCKS)
        for units in dict.fromkeys((block, cost)):
            try:
                (status,) = self._limiter.admit(row_id, [quota], units)
            except QuotaExceeded as refused:
                (full,) = refused.statuses
                if full.remaining < cost:
                    break
                continue
            with self._lock:
                share.keep(units - cost, status.count.number)
            return
        raise _refusal(kind, full, cost)

    def charge(self, workspace_id: str, kind: Kind, cost: int) -> None:
        """Count `cost` units, even above the ceiling; then later units are refused."""
        self._limiter.charge(f"{kind}#{workspace_id}", [MINUTE], cost)

    def clear(self) -> None:
        self._shares.clear()
        self._limiter.clear()


def _quota(kind: Kind) -> Quota:
    limits = {
        "requests": settings().max_requests_per_minute,
        "events": settings().max_events_per_minute,
    }
    return Quota(MINUTE, limits[kind])


def _refusal(kind: Kind, status: QuotaStatus, cost: int) -> RateLimited | CostExceedsLimit:
    admits_ms = status.admits_ms(cost)
    if admits_ms is None:
        return CostExceedsLimit(
            f"This workspace has a ceiling of {status.quota.limit} {kind} a minute: "
            f"{cost} at once are never admitted. Send fewer at a time."
        )
    later = retry_after(admits_ms - status.now_ms)
    return RateLimited(
        f"This workspace has reached its ceiling of {status.quota.limit} {kind} a minute. {_COUNTING[kind]}"
        f"Try again in {later['retry-after']} s.",
        headers=later,
    )


# Of this process: functions share it, and it begins empty.
_process = Ceilings()


def admit(workspace_id: str, kind: Kind, cost: int = 1) -> None:
    """Count `cost` requests or events against the ceiling of the workspace. Raises RateLimited,
    which names the ceiling and says when to come back, and CostExceedsLimit for more than it ever admits.
    """
    _process.admit(workspace_id, kind, cost)


def charge(workspace_id: str, kind: Kind, cost: int) -> None:
    """Count `cost` units that were not known when the request was admitted, even above the ceiling."""
    _process.charge(workspace_id, kind, cost)


def admit_some(workspace_id: str, kind: Kind, cost: int) -> tuple[int, RateLimited | CostExceedsLimit | None]:
    """Count as many of `cost` requests or events as there is room for: how many, and what the rest hears.

    One write where all fit. Where they do not, their number is halved until some do: about a dozen writes
    for a hundred, and only at the ceiling.
    """
    admitted, step = 0, cost
    refusal: RateLimited | CostExceedsLimit | None = None
    while step:
        try:
            admit(workspace_id, kind, step)
            admitted += step
        except (RateLimited, CostExceedsLimit) as refused:
            refusal, step = refused, step // 2
        step = min(step, cost - admitted)
    return admitted, refusal if admitted < cost else None


def clear_cache() -> None:
    """Give up what this process holds, for tests that change the backend."""
    _process.clear()
