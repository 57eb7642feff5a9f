"""Which of a webhook's deliveries may be attempted now: the breaker, a receiver that hangs, the rate limit.

A healthy webhook without a limit passes without an AWS call.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from patchbay import dynamo
from patchbay.deliveries import health_store, slots, store
from patchbay.deliveries.batch import Share, Work
from patchbay.deliveries.health import PUT_OFF_RECEIVES, PUT_OFF_SECONDS
from patchbay.deliveries.models import TERMINAL
from patchbay.ids import DeliveryId
from patchbay.schema import now_ms
from patchbay.settings import settings

# A lost probe must not keep the breaker open for long; this long one may take at most.
_PROBE_RESERVE_MS = 30_000
_SWEEP_MS = 60_000


@dataclass(frozen=True, slots=True)
class Go:
    """Attempt it, not before `at` (Unix milliseconds; a moment ahead at most)."""

    at: int = 0


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
    """The receiver is hanging at this moment: look again in so many seconds."""

    seconds: int


Pass = Go | Sleep | Hold | PutOff


def admit(share: Share) -> list[Pass]:
    """A pass for each of the share's works. Where some are to be held, the sweeper knows of it by then."""
    if not share.is_active:
        return [Go() for _ in share.works]  # to be cancelled: that is no attempt
    now = now_ms()
    passes = [
        Go() if isinstance(pass_, Hold | PutOff) and work.delivery.by_hand else pass_
        for work, pass_ in zip(share.works, _passes(share, now), strict=True)
    ]
    if any(isinstance(each, Hold) for each in passes):
        health_store.held(share.key, now, now + _SWEEP_MS)
    return passes


def _passes(share: Share, now: int) -> list[Pass]:
    health = share.health
    if health.is_open(share.resumed_at):
        held: list[Pass] = [Hold("held:timeouts") for _ in share.works]
        if health.probe_at <= now and health_store.take_probe(
            share.key, health.probe_at, now + settings().attempt_timeout_seconds * 1000 + _PROBE_RESERVE_MS
        ):
            share.probing = True
            held[0] = Go()
        return held
    if health.is_slow(now):
        return [_put_off(work) for work in share.works]
    per_second = (share.webhook or {}).get("rateLimitPerSecond")
    backlog = health.has_backlog(share.resumed_at)
    if per_second is None and not backlog:
        return [Go() for _ in share.works]
    rows = store.of_messages(work.delivery for work in share.works)
    passes: dict[str, Pass] = {}
    if backlog:
        # What has been tried goes on being tried: it is how the backlog ends.
        passes = {
            work.message_id: Hold("held:backlog")
            for work in share.works
            if not rows.get(work.delivery.id, {}).get("attempts")
        }
    if per_second is not None:
        passes |= _limited(
            share, [work for work in share.works if work.message_id not in passes], rows, per_second, now
        )
    return [passes.get(work.message_id, Go()) for work in share.works]


def _put_off(work: Work) -> PutOff | Hold:
    if work.receives > PUT_OFF_RECEIVES:
        return Hold("held:slow")
    # Spread, so that they do not all come back at once.
    return PutOff(PUT_OFF_SECONDS + random.randint(0, 2))  # noqa: S311  # a jitter is no secret


def _limited(
    share: Share,
    works: Sequence[Work],
    rows: Mapping[DeliveryId, dynamo.Row],
    per_second: int,
    now: int,
) -> dict[str, Pass]:
    """Each in its slot of the rate limit. One that has slept for its slot has it; what is over needs none."""
    passes: dict[str, Pass] = {}
    wanting = []
    for work in works:
        row = rows.get(work.delivery.id)
        if row is not None and (row["status"] in TERMINAL or row["generation"] > work.delivery.generation):
            continue
        if row is not None and "slotAt" in row:
            passes[work.message_id] = Go(min(row["slotAt"], now + slots.NEAR_MS))
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
