"""The states of a delivery and every transition between them. Pure: each transition takes a delivery and
returns it in its next state.

    (no row) ─▶ SENDING ─▶ DELIVERED | FAILED | CANCELLED
                 │  ▲
                 ▼  │
             RETRYING ◀─ HELD          PENDING: waits for its rate limit

The worker claims a delivery (`claimed`), makes it wait (`held`, `waiting_for_slot`), and records the result
of an attempt (`delivered`, `retrying`, `ended`). The sweeper queues deliveries that wait in the table
(`requeued`, `released`), lets them wait longer (`kept`) or ends them (`abandoned`). The sweeper and the API
restart deliveries (`restarted`), and a replay makes new ones for past events (`created`).
`store.write` stores the result only if the row has not changed since the transition read it. Only `delivered`
is stored unconditionally.

A delivery and its message have a `generation`, which increases when a new message takes over the delivery.
Messages of an earlier generation are dropped. Times are Unix milliseconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import TypedDict

from patchbay.deliveries.models import EVENT_ERASED, HELD_PAUSED, TERMINAL, DeliveryMessage, Status, Trigger
from patchbay.deliveries.stored_delivery import StoredAttempt, StoredDelivery, status_key
from patchbay.ids import TaskId, webhook_key
from patchbay.storage import due_index
from patchbay.storage.records import retention_ttl

# A message for a delivery that waits in the table may be lost or late. Another is sent only after this long.
RESEND_AFTER_MS = 15 * 60_000
# If the message of a restarted delivery is lost, the sweeper sends another after this long.
_RESEND_RESTARTED_AFTER_MS = 60_000


class Obsolete:
    """The message is no longer needed: what it is for has ended or is held, or a later message took over."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """What the message is for is leased or waits until `until` (Unix milliseconds)."""

    until: int


def check_message(
    delivery: StoredDelivery | None, message: DeliveryMessage, now: int
) -> Obsolete | Blocked | None:
    """Why a message's delivery cannot be attempted now; None if it can."""
    if delivery is None:
        return None
    if (
        delivery.status in TERMINAL
        or delivery.status is Status.HELD
        or delivery.generation > message.generation
    ):
        return Obsolete()
    until = delivery.blocked_until
    return Blocked(until) if until > now else None


# ── transitions of the worker ─────────────────────────────────────────────────────────────────────────


def claimed(
    delivery: StoredDelivery | None, message: DeliveryMessage, *, now: int, until: int, max_attempts: int
) -> StoredDelivery:
    """Leased for one attempt. The lease ends at `until`."""
    before = delivery or _new(message, now)
    return before._replace(
        **_NO_WAIT,
        **_stamp(before, now),
        status=Status.SENDING,
        generation=message.generation,
        max_attempts=(before.earlier_attempts or 0) + max_attempts,
        lease_until=until,
        claims=(before.claims or 0) + 1,
    )


def held(
    delivery: StoredDelivery | None,
    message: DeliveryMessage,
    *,
    reason: str,
    now: int,
    max_attempts: int,
    max_hold_ms: int,
) -> StoredDelivery:
    """Kept in the table, without a message. It fails if no attempt follows within `max_hold_ms`."""
    before = delivery or _new(message, now)
    held_at = now if before.held_at is None else before.held_at
    return before._replace(
        **_stamp(before, now),
        **_due(before, held_at + max_hold_ms),
        status=Status.HELD,
        status_key=status_key(before.webhook_key, Status.HELD),
        generation=message.generation + 1,
        max_attempts=(before.earlier_attempts or 0) + max_attempts,
        reason=reason,
        held_at=held_at,
        lease_until=None,
        next_attempt_at=None,
        slot_at=None,
    )


def waiting_for_slot(
    delivery: StoredDelivery | None, message: DeliveryMessage, *, until: int, now: int, max_attempts: int
) -> StoredDelivery:
    """Given a slot of its webhook's rate limit, which starts at `until`. Its message waits in the queue."""
    before = delivery or _new(message, now)
    return before._replace(
        **_stamp(before, now),
        generation=message.generation,
        max_attempts=(before.earlier_attempts or 0) + max_attempts,
        next_attempt_at=until,
        slot_at=until,
        due_shard=None,
        due_at=None,
    )


def delivered(
    delivery: StoredDelivery | None,
    message: DeliveryMessage,
    attempt: StoredAttempt,
    *,
    counted: bool,
    now: int,
    max_attempts: int,
) -> StoredDelivery:
    """Accepted by the receiver. `delivery` is under the attempt's lease, or None for a new delivery that was
    sent without a lease. `counted` says whether the webhook's counters include it.

    This may overwrite any row, because the receiver has the delivery. If the table has
        no row              no other worker knew of the delivery
        PENDING, RETRYING   another message waits for the delivery; when it arrives, it is dropped
        HELD                the sweeper's release is refused, because the row has changed
        SENDING             another worker has a copy; its record of a failure is refused
        FAILED, CANCELLED   another worker had a copy; the receiver accepted one, and that counts
        DELIVERED           the new row says the same, with slightly later times
    """
    before = delivery or _new(message, attempt.started_at)
    # The attributes of an open delivery are dropped: lease, claims, wait, reason and index keys. Because the
    # token is dropped too, later writes of other workers are refused.
    return StoredDelivery(
        webhook_key=before.webhook_key,
        id=before.id,
        event_id=before.event_id,
        event_type=before.event_type,
        status=Status.DELIVERED,
        generation=message.generation,
        attempts=before.attempts + 1,
        max_attempts=(before.earlier_attempts or 0) + max_attempts,
        created_at=before.created_at,
        updated_at=now,
        version=before.version + 1,
        ttl=now // 1000 + before.ttl - before.created_at // 1000,  # the same retention, from now on
        earlier_attempts=before.earlier_attempts,
        trigger=before.trigger,
        task=before.task,
        delivered_at=now,
        success=attempt,
        counted=counted or None,
        unknown=before.unknown,
    )


def retrying(
    delivery: StoredDelivery,
    *,
    reason: str,
    at: int,
    is_parked: bool,
    not_registered_since: int | None,
    now: int,
) -> StoredDelivery:
    """Failed again, with a retry at `at`. A parked retry waits in the table for the sweeper, not in the
    queue. `not_registered_since` is when the current unbroken series of NOT_REGISTERED responses began.
    """
    after = delivery._replace(
        **_stamp(delivery, now),
        status=Status.RETRYING,
        status_key=status_key(delivery.webhook_key, Status.RETRYING),
        attempts=delivery.attempts + 1,
        reason=reason,
        lease_until=None,
        next_attempt_at=at,
        not_registered_at=not_registered_since,
    )
    return after._replace(**_due(after, at), generation=after.generation + 1) if is_parked else after


def ended(
    delivery: StoredDelivery, *, status: Status, reason: str, attempted: bool, now: int
) -> StoredDelivery:
    """FAILED or CANCELLED. `attempted` says whether an attempt was just made."""
    return delivery._replace(
        **_stamp(delivery, now),
        status=status,
        status_key=status_key(delivery.webhook_key, status),
        attempts=delivery.attempts + attempted,
        reason=reason,
        lease_until=None,
    )


# ── transitions of the sweeper and the API; None if it does not apply to the delivery's state ─────────


def requeued(delivery: StoredDelivery, now: int) -> StoredDelivery | None:
    """Parked and due: the caller sends a message for it now.

    The delivery stays parked for another 15 minutes, unless it is claimed sooner. If the sweeper dies before
    it sends the message, a later run finds the delivery again. That run's message has the same generation, so
    if the queue is far behind, the copy that arrives first counts.
    """
    if delivery.status is not Status.RETRYING or delivery.due_at is None or delivery.due_at > now:
        return None
    return delivery._replace(**_stamp(delivery, delivery.updated_at), due_at=now + RESEND_AFTER_MS)


def released(delivery: StoredDelivery, now: int) -> StoredDelivery | None:
    """Held, but not for too long: the caller sends a message for it now. The time of a pause does not count
    against later holds.
    """
    if delivery.status is not Status.HELD or (delivery.due_at or 0) <= now:
        return None
    held_at = None if delivery.reason == HELD_PAUSED else delivery.held_at
    return _queued(delivery, now, RESEND_AFTER_MS)._replace(held_at=held_at)


def kept(
    delivery: StoredDelivery, now: int, *, since: int, max_hold_ms: int, reason: str | None
) -> StoredDelivery | None:
    """Held for longer, because its webhook is or was paused: the hold counts from `since`."""
    if delivery.status is not Status.HELD or since + max_hold_ms <= now:
        return None
    after = delivery._replace(**_stamp(delivery, now), **_due(delivery, since + max_hold_ms))
    return after._replace(reason=reason, held_at=since)


def restarted(
    delivery: StoredDelivery,
    statuses: Collection[Status],
    trigger: Trigger,
    now: int,
    task: TaskId | None = None,
) -> StoredDelivery | None:
    """Attempted again from the start, with all of its webhook's retries: the caller sends a message for it
    now. The delivery must have one of the `statuses`, or an expired lease or slot: then its message may be in
    the dead-letter queue.
    `task` is the replay that restarts it. A delivery whose event no longer has data cannot be restarted.
    """
    if delivery.erased:
        return None
    is_stuck = delivery.status in (Status.SENDING, Status.PENDING) and delivery.blocked_until <= now
    if delivery.status not in statuses and not is_stuck:
        return None
    return _queued(delivery, now, _RESEND_RESTARTED_AFTER_MS)._replace(
        generation=delivery.generation + 1,
        trigger=trigger,
        earlier_attempts=delivery.attempts,
        claims=delivery.attempts,
        reason=None,
        lease_until=None,
        slot_at=None,
        held_at=None,
        not_registered_at=None,
        delivered_at=None,
        success=None,
        counted=None,
        task=task,
    )


def created(message: DeliveryMessage, task: TaskId, *, now: int, max_attempts: int) -> StoredDelivery:
    """The delivery of a past event that its webhook did not get: the caller sends a message for it now. A
    message that is on its way to the same delivery becomes obsolete.
    """
    return _queued(_new(message, now), now, _RESEND_RESTARTED_AFTER_MS)._replace(
        generation=message.generation + 1, max_attempts=max_attempts, trigger="REPLAY", task=task
    )


def erased(delivery: StoredDelivery | None, message: DeliveryMessage, now: int) -> StoredDelivery:
    """Without the receiver's response, because the data of its event was erased. If the delivery had not
    ended, it is cancelled, and the messages on their way to it are obsolete. If an attempt is under way, a
    success is recorded, and a failure is not. The row is kept for RetentionDays, also if the workspace's own
    retention is shorter: a message with the data can wait in a queue for 14 days, and must find it.
    """
    before = delivery or _new(message, now)
    if before.status in TERMINAL:
        after = before._replace(**_stamp(before, now))
    else:
        after = ended(before, status=Status.CANCELLED, reason=EVENT_ERASED, attempted=False, now=now)
        after = after._replace(**_NO_WAIT)
    success = before.success
    if success is not None:
        success = success._replace(response_headers={}, response_body="")
    return after._replace(erased=True, success=success, ttl=max(after.ttl, retention_ttl(now)))


def abandoned(delivery: StoredDelivery, status: Status, reason: str, now: int) -> StoredDelivery | None:
    """Ended without another attempt while RETRYING or HELD."""
    if delivery.status not in (Status.RETRYING, Status.HELD):
        return None
    after = ended(delivery, status=status, reason=reason, attempted=False, now=now)
    return after._replace(**_NO_WAIT)


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


class _Wait(TypedDict):
    due_shard: int | None
    due_at: int | None
    next_attempt_at: int | None
    slot_at: int | None
    held_at: int | None


class _Due(TypedDict):
    due_shard: int
    due_at: int


class _Stamp(TypedDict):
    version: int
    updated_at: int
    token: str


_NO_WAIT = _Wait(due_shard=None, due_at=None, next_attempt_at=None, slot_at=None, held_at=None)


def _new(message: DeliveryMessage, now: int) -> StoredDelivery:
    """A delivery that has no row yet, from its message. The transition sets the remaining fields."""
    return StoredDelivery(
        webhook_key=webhook_key(message.workspace_id, message.webhook_id),
        id=message.id,
        event_id=message.event_id,
        event_type=message.event_type,
        status=Status.PENDING,
        generation=message.generation,
        attempts=0,
        max_attempts=0,
        claims=0,
        created_at=now,
        updated_at=now,
        version=0,
        # Not from its ID: an event from the bus may be weeks old.
        ttl=retention_ttl(now, message.retain_days),
        correlation_id=None if message.correlation_id == message.event_id else message.correlation_id,
    )


def _queued(delivery: StoredDelivery, now: int, resend_after_ms: int) -> StoredDelivery:
    """RETRYING, and due now. If its message is lost, the sweeper sends another after `resend_after_ms`."""
    return delivery._replace(
        **_stamp(delivery, now),
        **_due(delivery, now + resend_after_ms),
        status=Status.RETRYING,
        status_key=status_key(delivery.webhook_key, Status.RETRYING),
        next_attempt_at=now,
    )


def _stamp(delivery: StoredDelivery, now: int) -> _Stamp:
    """The changes that every transition makes. Each write has a new `token`, which identifies the row's
    state.
    """
    return {"version": delivery.version + 1, "updated_at": now, "token": secrets.token_hex(4)}


def _due(delivery: StoredDelivery, at: int) -> _Due:
    return {"due_shard": due_index.shard_of(delivery.id), "due_at": at}
