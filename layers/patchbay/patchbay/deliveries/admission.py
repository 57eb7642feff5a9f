"""Decides which of a webhook's deliveries may be attempted now, from its breaker, lane, backlog and rate
limit.

For a healthy webhook without a rate limit, this makes no AWS call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from patchbay.clock import now_ms
from patchbay.deliveries.batch import QueuedDelivery, WebhookBatch
from patchbay.deliveries.models import HELD_PAUSED
from patchbay.receivers import health_store, slots
from patchbay.receivers.lanes import MAX_DEFERRALS, Lane, defer_seconds
from patchbay.settings import settings

# A probe reserves the time of an attempt plus this much: a lost probe must not keep the breaker open for
# long.
_PROBE_RESERVE_MS = 30_000
_SWEEP_MS = 60_000
# A paused webhook's holds are recorded at most this often. It must be well below the sweeper's `_QUIET_MS`.
_RECORD_PAUSED_MS = 120_000


@dataclass(frozen=True, slots=True)
class SendNow:
    """Attempt it, but not before `at` (Unix milliseconds, at most one second ahead)."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class MoveToSlowLane:
    """Send it to the slow lane."""


@dataclass(frozen=True, slots=True)
class WaitForSlot:
    """Its slot of the rate limit starts at `until` (Unix milliseconds)."""

    until: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep it in the table until the receiver is healthy or has caught up, or the webhook is resumed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Defer:
    """Its workspace already uses its share of the slow lane: try again after `seconds`."""

    seconds: int


Admission = SendNow | MoveToSlowLane | WaitForSlot | Hold | Defer


def max_hold_ms(reason: str | None) -> int:
    """How long a delivery can be held: while its webhook is paused, as long as its event is kept."""
    return settings().retention_ms if reason == HELD_PAUSED else settings().max_hold_seconds * 1000


def calls_aws(batch: WebhookBatch) -> bool:
    """Whether `admit` makes AWS calls."""
    return batch.is_active and (
        batch.is_paused
        or batch.health.is_open(batch.resumed_at)
        or batch.health.has_backlog(batch.resumed_at)
        or bool(batch.rate_limit_per_second)
    )


def admit(batch: WebhookBatch, lane: Lane) -> list[Admission]:
    """An admission for each delivery of the batch. If any are held, the sweeper is scheduled first."""
    if not batch.is_active:
        return [SendNow() for _ in batch.deliveries]  # they are cancelled, without an attempt
    now = now_ms()
    admissions = [
        _admit_by_hand(lane) if isinstance(admission, Hold) and _is_by_hand(batch, queued) else admission
        for queued, admission in zip(batch.deliveries, _admit_active(batch, lane, now), strict=True)
    ]
    _schedule_sweep(batch, admissions, now)
    return admissions


def defer(batch: WebhookBatch, *, has_many_in_flight: bool) -> list[Admission]:
    """Admissions for a batch whose workspace has no permit for the slow lane. If the queue has
    many messages in flight, deliveries are held instead of deferred. Those of a paused webhook are held
    anyway.
    """
    admissions: list[Admission] = [
        Hold(HELD_PAUSED)
        if batch.is_paused and not _is_by_hand(batch, queued)
        else Hold("held:slow")
        if has_many_in_flight or queued.receive_count > MAX_DEFERRALS
        else Defer(defer_seconds(queued.receive_count))
        for queued in batch.deliveries
    ]
    _schedule_sweep(batch, admissions, now_ms())
    return admissions


def _schedule_sweep(batch: WebhookBatch, admissions: Sequence[Admission], now: int) -> None:
    if not any(isinstance(admission, Hold) for admission in admissions):
        return
    is_recorded = batch.health.due_at and now - batch.health.held_at < _RECORD_PAUSED_MS
    if not (batch.is_paused and is_recorded):
        health_store.schedule_sweep(batch.key, now, now + _SWEEP_MS)


def _is_by_hand(batch: WebhookBatch, queued: QueuedDelivery) -> bool:
    """Whether a user asked for this attempt. While the webhook is paused, that is only the first one: its
    retries wait until the webhook is resumed.
    """
    return queued.message.by_hand and (queued.is_untried or not batch.is_paused)


def _admit_by_hand(lane: Lane) -> Admission:
    """A user asked for the delivery now, so it does not wait until its receiver is healthy, or until the
    webhook is resumed.
    """
    return MoveToSlowLane() if lane is Lane.FAST else SendNow()


def _admit_active(batch: WebhookBatch, lane: Lane, now: int) -> list[Admission]:
    if batch.is_paused:
        return [Hold(HELD_PAUSED) for _ in batch.deliveries]
    if batch.health.is_open(batch.resumed_at):
        return _admit_probe(batch, lane, now)
    if lane is Lane.FAST and not batch.takes_fast_lane:
        return [MoveToSlowLane() for _ in batch.deliveries]
    admissions: dict[str, Admission] = {}
    if batch.health.has_backlog(batch.resumed_at):
        admissions |= _hold_untried(batch.deliveries)
    if per_second := batch.rate_limit_per_second:
        remaining = [queued for queued in batch.deliveries if queued.message_id not in admissions]
        admissions |= _admit_at_rate(batch, remaining, per_second, now)
    return [admissions.get(queued.message_id, SendNow()) for queued in batch.deliveries]


def _admit_probe(batch: WebhookBatch, lane: Lane, now: int) -> list[Admission]:
    """The breaker is open: hold all deliveries, except one if a probe is due. Probes take the slow lane."""
    admissions: list[Admission] = [Hold("held:timeouts") for _ in batch.deliveries]
    probe_at = batch.health.probe_at
    if probe_at > now:
        return admissions
    if lane is Lane.FAST:
        admissions[0] = MoveToSlowLane()
        return admissions
    reserved_until = now + settings().attempt_timeout_seconds * 1000 + _PROBE_RESERVE_MS
    if health_store.claim_probe(batch.key, probe_at, reserved_until):
        batch.is_probing = True
        admissions[0] = SendNow()
    return admissions


def _hold_untried(deliveries: Sequence[QueuedDelivery]) -> dict[str, Admission]:
    """The receiver has a backlog. Retries continue, because they reduce the backlog."""
    return {
        queued.message_id: Hold("held:backlog")
        for queued in deliveries
        if queued.delivery is None or not queued.delivery.attempts
    }


def _admit_at_rate(
    batch: WebhookBatch, deliveries: Sequence[QueuedDelivery], per_second: int, now: int
) -> dict[str, Admission]:
    """Give each delivery a slot of the rate limit. A delivery that has waited for its slot keeps it."""
    admissions: dict[str, Admission] = {}
    without_slot = []
    for queued in deliveries:
        if queued.delivery is None or queued.delivery.slot_at is None:
            without_slot.append(queued)
        else:
            admissions[queued.message_id] = SendNow(min(queued.delivery.slot_at, now + slots.NEAR_MS))
    if not without_slot:
        return admissions
    times = health_store.reserve_slots(batch.key, len(without_slot), per_second, now=now, health=batch.health)
    if times is None:
        return admissions | {queued.message_id: Hold("held:rate_limit") for queued in without_slot}
    for queued, at in zip(without_slot, times, strict=True):
        admissions[queued.message_id] = SendNow(at) if at <= now + slots.NEAR_MS else WaitForSlot(at)
    return admissions
