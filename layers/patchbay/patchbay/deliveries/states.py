"""The states of a delivery and every step between them. Pure: a row goes in, the next row comes out.

    (no row) ─▶ SENDING ─▶ DELIVERED | FAILED | CANCELLED
                 │  ▲
                 ▼  │
             RETRYING ◀─ HELD          PENDING: waits for its rate limit

The worker takes a delivery (`leased`), makes it wait (`held`, `asleep`), and records the result of an attempt
(`delivered`, `retrying`, `ended`). The sweeper queues what waits in the table (`requeued`, `released`) or
ends it (`given_up`). The sweeper and the API restart deliveries (`restarted`). `store.write` stores a step
only if the row is still the one that the step began with. Only `delivered` overwrites any row.

A row and its message have a `generation`, which rises whenever a new message takes over the delivery.
Messages of an earlier generation are dropped. Times in Unix milliseconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from patchbay.deliveries.models import TERMINAL, DeliveryMessage, Status, Trigger
from patchbay.ids import webhook_key
from patchbay.storage import due_index, dynamo
from patchbay.storage.records import kept_until

# A message that was sent for a parked delivery may be lost or late. No other is sent for this long.
SENT_AGAIN_MS = 15 * 60_000
# If the message of a retry by hand is lost, the sweeper sends another after this long.
_BY_HAND_AGAIN_MS = 60_000

_WAITING = ("dueShard", "dueAt", "nextAttemptAt", "slotAt", "heldAt")


class Obsolete:
    """The message is not needed any more: its delivery has ended or is held, or a later message has it."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The delivery is leased, or waits, until `until`."""

    until: int


def obstacle(row: dynamo.Row | None, message: DeliveryMessage, now: int) -> Obsolete | Blocked | None:
    """What keeps a message from its delivery; None if nothing does."""
    if row is None:
        return None
    if row["status"] in TERMINAL or row["status"] == Status.HELD or row["generation"] > message.generation:
        return Obsolete()
    until: int = row["leaseUntil"] if row["status"] == Status.SENDING else row["nextAttemptAt"]
    return Blocked(until) if until > now else None


# ── the worker's ─────────────────────────────────────────────────────────────────────────────────────


def leased(
    row: dynamo.Row | None, message: DeliveryMessage, *, now: int, until: int, max_attempts: int
) -> dynamo.Row:
    """Under a lease for one attempt."""
    begun = _begun(row, message, now, max_attempts)
    return _without(begun, *_WAITING) | {
        "status": Status.SENDING,
        "generation": message.generation,
        "leaseUntil": until,
        "claims": begun["claims"] + 1,
    }


def held(
    row: dynamo.Row | None,
    message: DeliveryMessage,
    *,
    reason: str,
    now: int,
    max_attempts: int,
    most_held_ms: int,
) -> dynamo.Row:
    """Kept in the table, without a message. It ends if no attempt follows in time."""
    begun = _begun(row, message, now, max_attempts)
    held_at = begun.get("heldAt", now)
    return _without(begun, "leaseUntil", "nextAttemptAt", "slotAt") | {
        "status": Status.HELD,
        "generation": message.generation + 1,
        "reason": reason,
        "heldAt": held_at,
        **_due(message.id, held_at + most_held_ms),
        **_indexed(begun, Status.HELD),
    }


def asleep(
    row: dynamo.Row | None, message: DeliveryMessage, *, until: int, now: int, max_attempts: int
) -> dynamo.Row:
    """Given a slot of its webhook's rate limit; its message waits for it in the queue."""
    begun = _begun(row, message, now, max_attempts)
    return (
        {"status": Status.PENDING}
        | _without(begun, "dueShard", "dueAt")
        | {
            "generation": message.generation,
            "nextAttemptAt": until,
            "slotAt": until,
        }
    )


def delivered(
    row: dynamo.Row | None,
    message: DeliveryMessage,
    attempt: dynamo.Row,
    *,
    counted: bool,
    now: int,
    max_attempts: int,
) -> dynamo.Row:
    """Taken by the receiver. `row` is under the attempt's lease, or None for a new delivery that was sent
    without a lease. `counted` says whether the webhook's counters include it.

    This may overwrite any row, because the receiver has the delivery. If the table has
        no row              no other worker knew of the delivery
        PENDING, RETRYING   another message waits for the delivery; when it comes, it is dropped
        HELD                the sweeper's release is refused, because the row has changed
        SENDING             another worker has a copy; its record of a failure is refused
        FAILED, CANCELLED   another worker had a copy; the receiver took one, and that counts
        DELIVERED           the row says the same, a moment later
    """
    begun = _begun(row, message, row["createdAt"] if row else attempt["startedAt"], max_attempts)
    return _without(begun, *_WAITING, *_OF_OPEN) | {
        "status": Status.DELIVERED,
        "generation": message.generation,
        "attempts": begun["attempts"] + 1,
        "updatedAt": now,
        "deliveredAt": now,
        "success": attempt,
        "ttl": kept_until(now),
        **({"counted": True} if counted else {}),
    }


def retrying(
    row: dynamo.Row,
    *,
    reason: str,
    at: int,
    parked: bool,
    not_registered_since: int | None,
    now: int,
) -> dynamo.Row:
    """Failed once more, to be tried again at the time `at`. A parked delivery waits in the table for the
    sweeper, not in the queue. `not_registered_since` is when the receiver first said that it does not know
    the hook, if it has said nothing else since.
    """
    generation = row["generation"]
    return _without(row, "leaseUntil", "notRegisteredAt") | {
        **_written(row, now),
        "attempts": row["attempts"] + 1,
        "status": Status.RETRYING,
        "reason": reason,
        "nextAttemptAt": at,
        **_indexed(row, Status.RETRYING),
        **({} if not_registered_since is None else {"notRegisteredAt": not_registered_since}),
        **({"generation": generation + 1, **_due(row["sk"], at)} if parked else {}),
    }


def ended(row: dynamo.Row, *, status: Status, reason: str, attempted: bool, now: int) -> dynamo.Row:
    """FAILED or CANCELLED; `attempted` says whether it was tried just now."""
    return _without(row, "leaseUntil") | {
        **_written(row, now),
        "attempts": row["attempts"] + attempted,
        "status": status,
        "reason": reason,
        **_indexed(row, status),
    }


# ── the sweeper's and the API's; None if the step does not fit the row any more ──────────────────────


def requeued(row: dynamo.Row, now: int) -> dynamo.Row | None:
    """Parked and due: the caller sends a message for it now.

    The delivery stays parked for another 15 minutes, unless it is claimed before. If the sweeper dies before
    it sends the message, a later run finds the row again. That run's message has the same generation, so if
    the queue is far behind, the first copy counts.
    """
    if row["status"] != Status.RETRYING or row.get("dueAt", now + 1) > now:
        return None
    return row | {**_written(row, row["updatedAt"]), "dueAt": now + SENT_AGAIN_MS}


def released(row: dynamo.Row, now: int) -> dynamo.Row | None:
    """Held, and not for too long: the caller sends a message for it now."""
    if row["status"] != Status.HELD or row["dueAt"] <= now:
        return None
    return _parked(row, now, SENT_AGAIN_MS)


def restarted(row: dynamo.Row, of: Collection[Status], trigger: Trigger, now: int) -> dynamo.Row | None:
    """Tried again from the start, with all the retries of its webhook; the caller sends a message for it now.
    The delivery has a status in `of`, or a lease or a slot that is over: its message may be in the
    dead-letter queue.
    """
    is_stuck = (row["status"] == Status.SENDING and row["leaseUntil"] <= now) or (
        row["status"] == Status.PENDING and row["nextAttemptAt"] <= now
    )
    if row["status"] not in of and not is_stuck:
        return None
    gone = ("heldAt", "slotAt", "reason", "notRegisteredAt", "leaseUntil")
    return _without(_parked(row, now, _BY_HAND_AGAIN_MS), *gone) | {
        "trigger": trigger,
        "earlier": row["attempts"],
        "claims": row["attempts"],
        "generation": row["generation"] + 1,
    }


def given_up(row: dynamo.Row, status: Status, reason: str, now: int) -> dynamo.Row | None:
    """Ended without another attempt, from RETRYING or HELD."""
    if row["status"] not in (Status.RETRYING, Status.HELD):
        return None
    return _without(ended(row, status=status, reason=reason, attempted=False, now=now), *_WAITING)


# ─────────────────────────────────────────────────────────────────────────────────────────────────────

_OF_OPEN = ("token", "leaseUntil", "claims", "reason", "statusKey", "notRegisteredAt")


def _begun(row: dynamo.Row | None, message: DeliveryMessage, now: int, max_attempts: int) -> dynamo.Row:
    """The row with which a message takes over its delivery."""
    before = row or {
        "webhookKey": webhook_key(message.workspace_id, message.webhook_id),
        "sk": message.id,
        "eventId": message.event_id,
        "eventType": message.event_type,
        "createdAt": now,
        "version": 0,
        "attempts": 0,
        "claims": 0,
        "ttl": kept_until(now),  # not by its id: an event that came over the bus may be weeks old
    }
    return before | _written(before, now) | {"maxAttempts": before.get("earlier", 0) + max_attempts}


def _parked(row: dynamo.Row, now: int, again_ms: int) -> dynamo.Row:
    return row | {
        **_written(row, now),
        "status": Status.RETRYING,
        "nextAttemptAt": now,
        **_indexed(row, Status.RETRYING),
        **_due(row["sk"], now + again_ms),
    }


def _written(row: dynamo.Row, now: int) -> dynamo.Row:
    """What every step changes. Each write has a `token` of its own, which identifies the row's state."""
    return {"version": row["version"] + 1, "updatedAt": now, "token": secrets.token_hex(4)}


def _indexed(row: dynamo.Row, status: Status) -> dynamo.Row:
    return {"statusKey": status_key(row["webhookKey"], status)}


def _due(id: str, at: int) -> dynamo.Row:
    return {"dueShard": due_index.shard_of(id), "dueAt": at}


def status_key(key: str, status: str) -> str:
    """The partition of the index `byStatus`."""
    return f"{key}#{status}"


def _without(row: dynamo.Row, *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
