"""Ceilings of a workspace: requests and events per minute (`MaxRequestsPerMinute`, `MaxEventsPerMinute`), and
steps of flows, as many as events.

A write per request to one row would limit a busy workspace (an item accepts about 1,000 writes per second),
and requests with an API key already write to the key's row. So a process reserves a block of units with one
write, a five-hundredth of the ceiling, and serves the following requests of the same minute from it without a
call. The rest of the block expires with the minute.

Reserved units count immediately, so the ceiling is never exceeded. The price is the units that expire unused:
near the ceiling, at most one block per process. If no block is free, the process tries the exact cost. A
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

Kind = Literal["requests", "events", "steps"]

# Explains how units are counted where the caller cannot know it.
_COST_NOTES = {
    "requests": "",
    "events": "An event counts once for every 10 webhooks that it is sent to. ",
    "steps": "",
}
_BLOCKS = 500
_CACHE_SIZE = 1_024


@dataclass(slots=True)
class _Reservation:
    """Units of one ceiling that a process reserved in `minute` and has not used."""

    minute: int = -1
    remaining: int = 0

    def take(self, cost: int, at_ms: int) -> bool:
        """Take `cost` units, if there are enough and the minute has not ended."""
        if self.remaining < cost or at_ms // MINUTE.length_ms > self.minute:
            return False
        self.remaining -= cost
        return True

    def add(self, units: int, minute: int) -> None:
        """Add the units that a write reserved beyond its own cost."""
        if minute > self.minute:
            self.minute, self.remaining = minute, 0
        if minute == self.minute:
            self.remaining += units


class Ceilings:
    """The reservations of one process. `clock` returns Unix milliseconds."""

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._limiter = Limiter(clock)
        self._reservations: LruCache[str, _Reservation] = LruCache(_CACHE_SIZE)
        self._lock = Lock()

    def admit(self, workspace_id: str, kind: Kind, cost: int = 1) -> None:
        """Count `cost` units against the workspace's ceiling.

        Raises RateLimited, or CostExceedsLimit if `cost` is above the ceiling.
        """
        quota, row_id = _quota(kind), f"{kind}#{workspace_id}"
        with self._lock:
            reservation = self._reservations.get(row_id)
            if reservation is None:
                reservation = _Reservation()
                self._reservations.put(row_id, reservation)
            if reservation.take(cost, self._clock()):
                return
        block = max(cost, quota.limit // _BLOCKS)
        for units in dict.fromkeys((block, cost)):
            try:
                (status,) = self._limiter.admit(row_id, [quota], units)
            except QuotaExceeded as exceeded:
                (full,) = exceeded.statuses
                if full.remaining < cost:
                    break
                continue
            with self._lock:
                reservation.add(units - cost, status.count.number)
            return
        raise _refusal(kind, full, cost)

    def record_usage(self, workspace_id: str, kind: Kind, cost: int) -> None:
        """Count `cost` units even above the ceiling. Later units are refused instead."""
        self._limiter.record_usage(f"{kind}#{workspace_id}", [MINUTE], cost)

    def clear(self) -> None:
        self._reservations.clear()
        self._limiter.clear()


def _quota(kind: Kind) -> Quota:
    limits = {
        "requests": settings().max_requests_per_minute,
        "events": settings().max_events_per_minute,
        "steps": settings().max_events_per_minute,
    }
    return Quota(MINUTE, limits[kind])


def _refusal(kind: Kind, status: QuotaStatus, cost: int) -> RateLimited | CostExceedsLimit:
    available_at_ms = status.available_at_ms(cost)
    if available_at_ms is None:
        return CostExceedsLimit(
            f"This workspace has a limit of {status.quota.limit} {kind} per minute, so a request for "
            f"{cost} is never allowed. Send fewer at a time."
        )
    headers = retry_after(available_at_ms - status.now_ms)
    return RateLimited(
        f"This workspace has reached its limit of {status.quota.limit} {kind} per minute. "
        f"{_COST_NOTES[kind]}Try again in {headers['retry-after']} s.",
        headers=headers,
    )


# The functions of a process share one instance.
_process = Ceilings()


def admit(workspace_id: str, kind: Kind, cost: int = 1) -> None:
    """Count `cost` requests or events against the workspace's ceiling.

    Raises RateLimited, which names the ceiling and has Retry-After, or CostExceedsLimit if `cost` is above
    the ceiling.
    """
    _process.admit(workspace_id, kind, cost)


def record_usage(workspace_id: str, kind: Kind, cost: int) -> None:
    """Count `cost` units that were not known when the request was admitted, even above the ceiling."""
    _process.record_usage(workspace_id, kind, cost)


def admit_up_to(
    workspace_id: str, kind: Kind, cost: int
) -> tuple[int, RateLimited | CostExceedsLimit | None]:
    """Count as many of `cost` requests or events as there is room for. Returns their number, and the error
    for the rest, or None if all fit.

    Takes one write if all fit. Otherwise it halves the number until some fit: about a dozen writes for 100
    events, and only at the ceiling.
    """
    admitted, step = 0, cost
    refusal: RateLimited | CostExceedsLimit | None = None
    while step:
        try:
            admit(workspace_id, kind, step)
            admitted += step
        except (RateLimited, CostExceedsLimit) as error:
            refusal, step = error, step // 2
        step = min(step, cost - admitted)
    return admitted, refusal if admitted < cost else None


def clear_cache() -> None:
    """Empty this process's cache, for tests that change the backend."""
    _process.clear()
