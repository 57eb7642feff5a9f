"""Which of a webhook's deliveries may be attempted now: its lane, the breaker, its backlog, its rate limit.

A healthy webhook without a limit passes without an AWS call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from patchbay.clock import now_ms
from patchbay.deliveries.batch import Share, Work
from patchbay.receivers import health_store, slots
from patchbay.receivers.lanes import PUT_OFF_RECEIVES, Lane, put_off_seconds
from patchbay.settings import settings

# A lost probe must not keep the breaker open for long; this long one may take at most.
_PROBE_RESERVE_MS = 30_000
_SWEEP_MS = 60_000


@dataclass(frozen=True, slots=True)
class Go:
    """Attempt it, not before `at` (Unix milliseconds; a moment ahead at most)."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """Send it to the slow lane."""


@dataclass(frozen=True, slots=True)
class Sleep:
    """Its slot of the rate limit is `until` then (Unix milliseconds)."""

    until: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep it in the table until the receiver is well, or has caught up."""

    reason: str


@dataclass(frozen=True, slots=True)
class PutOff:
    """Its workspace already uses its share of the slow lane: try again in so many seconds."""

    seconds: int


Pass = Go | Move | Sleep | Hold | PutOff


def is_free(share: Share) -> bool:
    """Whether `admit` makes no AWS call."""
    return not share.is_active or not (
        share.health.is_open(share.resumed_at) or share.health.has_backlog(share.resumed_at) or _limit(share)
    )


def admit(share: Share, lane: Lane) -> list[Pass]:
    """A pass for each of the share's works. Where some are to be held, the sweeper knows of it by then."""
    if not share.is_active:
        return [Go() for _ in share.works]  # to be cancelled: that is no attempt
    now = now_ms()
    passes = [
        _pass_by_hand(lane) if work.delivery.by_hand and isinstance(pass_, Hold) else pass_
        for work, pass_ in zip(share.works, _passes(share, lane, now), strict=True)
    ]
    _tell_sweeper(share, passes, now)
    return passes


def put_off(share: Share, *, is_crowded: bool) -> list[Pass]:
    """Passes for a share whose workspace has no permit for the slow lane. If the queue `is_crowded`, nothing
    more waits in it.
    """
    passes: list[Pass] = [
        Hold("held:slow")
        if is_crowded or work.receives > PUT_OFF_RECEIVES
        else PutOff(put_off_seconds(work.receives))
        for work in share.works
    ]
    _tell_sweeper(share, passes, now_ms())
    return passes


def _tell_sweeper(share: Share, passes: Sequence[Pass], now: int) -> None:
    if any(isinstance(each, Hold) for each in passes):
        health_store.held(share.key, now, now + _SWEEP_MS)


def _pass_by_hand(lane: Lane) -> Pass:
    """A user asked for it now, so it does not wait for its receiver to be well."""
    return Move() if lane is Lane.FAST else Go()


def _passes(share: Share, lane: Lane, now: int) -> list[Pass]:
    health = share.health
    if health.is_open(share.resumed_at):
        held: list[Pass] = [Hold("held:timeouts") for _ in share.works]
        if health.probe_at <= now:
            if lane is Lane.FAST:
                held[0] = Move()
            elif health_store.take_probe(
                share.key,
                health.probe_at,
                now + settings().attempt_timeout_seconds * 1000 + _PROBE_RESERVE_MS,
            ):
                share.probing = True
                held[0] = Go()
        return held
    if lane is Lane.FAST and not share.takes_fast_lane:
        return [Move() for _ in share.works]
    passes: dict[str, Pass] = {}
    if health.has_backlog(share.resumed_at):
        # What has been tried goes on being tried: it is how the backlog ends.
        passes = {
            work.message_id: Hold("held:backlog")
            for work in share.works
            if not (work.row or {}).get("attempts")
        }
    if per_second := _limit(share):
        passes |= _limited(
            share, [work for work in share.works if work.message_id not in passes], per_second, now
        )
    return [passes.get(work.message_id, Go()) for work in share.works]


def _limit(share: Share) -> int | None:
    return share.webhook.get("rateLimitPerSecond") if share.webhook else None


def _limited(share: Share, works: Sequence[Work], per_second: int, now: int) -> dict[str, Pass]:
    """Each in its slot of the rate limit. One that has slept for its slot has it."""
    passes: dict[str, Pass] = {}
    wanting = []
    for work in works:
        if work.row is not None and "slotAt" in work.row:
            passes[work.message_id] = Go(min(work.row["slotAt"], now + slots.NEAR_MS))
        else:
            wanting.append(work)
    if not wanting:
        return passes
    times = health_store.reserve_slots(share.key, len(wanting), per_second, now=now, health=share.health)
    for at, work in enumerate(wanting):
        if times is None:
            passes[work.message_id] = Hold("held:rate_limit")
        elif times[at] <= now + slots.NEAR_MS:
            passes[work.message_id] = Go(times[at])
        else:
            passes[work.message_id] = Sleep(times[at])
    return passes
