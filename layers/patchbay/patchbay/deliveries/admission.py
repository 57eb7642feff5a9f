"""Which of a webhook's deliveries may be attempted now: its lane, the breaker, its backlog, its rate limit.

A healthy webhook without a limit admissions without an AWS call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from patchbay.clock import now_ms
from patchbay.deliveries.batch import QueuedDelivery, WebhookBatch
from patchbay.receivers import health_store, slots
from patchbay.receivers.lanes import MAX_DEFERRALS, Lane, defer_seconds
from patchbay.settings import settings

# A lost probe must not keep the breaker open for long; this long one may take at most.
_PROBE_RESERVE_MS = 30_000
_SWEEP_MS = 60_000


@dataclass(frozen=True, slots=True)
class SendNow:
    """Attempt it, not before `at` (Unix milliseconds; a moment ahead at most)."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class MoveToSlowLane:
    """Send it to the slow lane."""


@dataclass(frozen=True, slots=True)
class WaitForSlot:
    """Its slot of the rate limit is `until` then (Unix milliseconds)."""

    until: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep it in the table until the receiver is well, or has caught up."""

    reason: str


@dataclass(frozen=True, slots=True)
class Defer:
    """Its workspace already uses its share of the slow lane: try again in so many seconds."""

    seconds: int


Admission = SendNow | MoveToSlowLane | WaitForSlot | Hold | Defer


def is_free(share: WebhookBatch) -> bool:
    """Whether `admit` makes no AWS call."""
    return not share.is_active or not (
        share.health.is_open(share.resumed_at) or share.health.has_backlog(share.resumed_at) or _limit(share)
    )


def admit(share: WebhookBatch, lane: Lane) -> list[Admission]:
    """A pass for each of the share's queued. Where some are to be held, the sweeper knows of it by then."""
    if not share.is_active:
        return [SendNow() for _ in share.queued]  # to be cancelled: that is no attempt
    now = now_ms()
    admissions = [
        _requested_by_hand(lane) if work.delivery.by_hand and isinstance(admitted, Hold) else admitted
        for work, admitted in zip(share.queued, _admissions(share, lane, now), strict=True)
    ]
    _tell_sweeper(share, admissions, now)
    return admissions


def defer(share: WebhookBatch, *, is_crowded: bool) -> list[Admission]:
    """Passes for a share whose workspace has no permit for the slow lane. If the queue `is_crowded`, nothing
    more waits in it.
    """
    admissions: list[Admission] = [
        Hold("held:slow")
        if is_crowded or work.receives > MAX_DEFERRALS
        else Defer(defer_seconds(work.receives))
        for work in share.queued
    ]
    _tell_sweeper(share, admissions, now_ms())
    return admissions


def _tell_sweeper(share: WebhookBatch, admissions: Sequence[Admission], now: int) -> None:
    if any(isinstance(each, Hold) for each in admissions):
        health_store.schedule_sweep(share.key, now, now + _SWEEP_MS)


def _requested_by_hand(lane: Lane) -> Admission:
    """A user asked for it now, so it does not wait for its receiver to be well."""
    return MoveToSlowLane() if lane is Lane.FAST else SendNow()


def _admissions(share: WebhookBatch, lane: Lane, now: int) -> list[Admission]:
    health = share.health
    if health.is_open(share.resumed_at):
        held: list[Admission] = [Hold("held:timeouts") for _ in share.queued]
        if health.probe_at <= now:
            if lane is Lane.FAST:
                held[0] = MoveToSlowLane()
            elif health_store.claim_probe(
                share.key,
                health.probe_at,
                now + settings().attempt_timeout_seconds * 1000 + _PROBE_RESERVE_MS,
            ):
                share.probing = True
                held[0] = SendNow()
        return held
    if lane is Lane.FAST and not share.takes_fast_lane:
        return [MoveToSlowLane() for _ in share.queued]
    admissions: dict[str, Admission] = {}
    if health.has_backlog(share.resumed_at):
        # What has been tried goes on being tried: it is how the backlog ends.
        admissions = {
            work.message_id: Hold("held:backlog")
            for work in share.queued
            if not (work.row or {}).get("attempts")
        }
    if per_second := _limit(share):
        admissions |= _limited(
            share, [work for work in share.queued if work.message_id not in admissions], per_second, now
        )
    return [admissions.get(work.message_id, SendNow()) for work in share.queued]


def _limit(share: WebhookBatch) -> int | None:
    return share.webhook.rate_limit_per_second if share.webhook else None


def _limited(
    share: WebhookBatch, queued: Sequence[QueuedDelivery], per_second: int, now: int
) -> dict[str, Admission]:
    """Each in its slot of the rate limit. One that has slept for its slot has it."""
    admissions: dict[str, Admission] = {}
    wanting = []
    for work in queued:
        if work.row is not None and "slotAt" in work.row:
            admissions[work.message_id] = SendNow(min(work.row["slotAt"], now + slots.NEAR_MS))
        else:
            wanting.append(work)
    if not wanting:
        return admissions
    times = health_store.reserve_slots(share.key, len(wanting), per_second, now=now, health=share.health)
    for at, work in enumerate(wanting):
        if times is None:
            admissions[work.message_id] = Hold("held:rate_limit")
        elif times[at] <= now + slots.NEAR_MS:
            admissions[work.message_id] = SendNow(times[at])
        else:
            admissions[work.message_id] = WaitForSlot(times[at])
    return admissions
