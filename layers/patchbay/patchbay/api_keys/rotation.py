"""What a key's rotation does next, from its policy, its state and the clock. Pure.

A key is due `every_days` after its creation, and a successor after its own. The key's policy applies, or the
workspace's if the key has none. Without a target, the schedule only sends reminders. With one, it creates a
successor, which is pending until the target has accepted it (the crash table is in `rotate_keys`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from patchbay.api_keys.stored_key import StoredKey
from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY

# The first reminder is sent this long before a key is due, or in the first run with less time left.
_NOTICE_DAYS = 7


class Target(NamedTuple):
    """Where successors go: a webhook's ID, or the ARN of a secret. The `pin` is the fingerprint of what the
    user confirmed: the ARN, or the URL and the headers of the webhook.
    """

    id: str
    pin: str | None = None

    @property
    def is_secret(self) -> bool:
        return self.id.startswith("arn:")


class Policy(NamedTuple):
    """How a key rotates. `every_days` is None for a key that opted out of its workspace's policy."""

    every_days: int | None
    overlap_seconds: int
    target: Target | None = None

    def due_ms(self, key: StoredKey) -> int | None:
        """When the key is due, in Unix milliseconds."""
        return None if self.every_days is None else key.id.time_ms + self.every_days * DAY.length_ms


class Pending(NamedTuple):
    """A successor whose key the target has not accepted yet. `sealed` is that key, encrypted."""

    successor: ApiKeyId
    sealed: str
    target: Target


class Failure(NamedTuple):
    """Why the rotation made no progress at `at_ms`; `announced_ms` is when that was last announced."""

    code: str
    detail: str
    at_ms: int
    announced_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationState:
    """The row of a key's rotation. `policy` is None if the workspace's applies. `reminded` names the last
    reminder that was sent. `due_ms` is when the schedule checks it next; None if that follows from the
    workspace's policy. `version` counts its writes; 0 if it is not stored.
    """

    key_id: ApiKeyId
    workspace_id: str
    policy: Policy | None = None
    pending: Pending | None = field(default=None, repr=False)
    failure: Failure | None = None
    reminded: str | None = None
    due_ms: int | None = None
    version: int = 0

    def is_due(self, now: int) -> bool:
        return self.due_ms is not None and self.due_ms <= now


class DefaultPolicy(NamedTuple):
    """A workspace's policy. `version` counts its writes."""

    workspace_id: str
    policy: Policy
    due_ms: int
    version: int


class Step(Enum):
    FORGET = auto()  # nothing is left to do: the key has ended or was rotated, or no policy applies
    WAIT = auto()  # until `at_ms`, or for a change if that is None
    REMIND = auto()
    START = auto()  # create a successor
    DELIVER = auto()
    COMPLETE = auto()  # the successor was accepted: let the key end
    ABANDON = auto()  # the pending successor ends if it was never used, and another one may follow


class Plan(NamedTuple):
    """The next step, when the schedule checks again, and the name and days of a reminder."""

    step: Step
    at_ms: int | None = None
    reminder: str = ""
    days_left: int = 0


def effective(state: RotationState | None, default: DefaultPolicy | None) -> Policy | None:
    """The policy that applies to a key; None if it does not rotate."""
    own = None if state is None else state.policy
    policy = own or (None if default is None else default.policy)
    return None if policy is None or policy.every_days is None else policy


def next_rotation_ms(key: StoredKey, policy: Policy | None, now: int) -> int | None:
    """When an active key is due; None if it is not to be rotated."""
    if policy is None or key.has_ended(now) or key.rotated_into is not None:
        return None
    return policy.due_ms(key)


def plan(
    key: StoredKey | None,
    state: RotationState,
    policy: Policy | None,
    successor: StoredKey | None,
    now: int,
) -> Plan:
    """The next step for a key (None if its row is gone) that `policy` applies to. `successor` is the row of
    the pending successor.
    """
    if state.pending is not None:
        return Plan(_pending_step(key, state.pending, policy, successor, now))
    if key is None or key.has_ended(now) or key.rotated_into is not None:
        return Plan(Step.FORGET)
    due_ms = None if policy is None else policy.due_ms(key)
    if policy is None or due_ms is None:
        return Plan(Step.FORGET if state.policy is None else Step.WAIT)
    if policy.target is not None:
        return Plan(Step.START) if due_ms <= now else Plan(Step.WAIT, due_ms)
    return _plan_reminder(policy, due_ms, state.reminded, now)


def _pending_step(
    key: StoredKey | None, pending: Pending, policy: Policy | None, successor: StoredKey | None, now: int
) -> Step:
    if successor is None or successor.has_ended(now) or successor.rotated_into is not None:
        return Step.ABANDON
    if key is None or key.has_ended(now) or key.rotated_into is not None:
        return Step.COMPLETE if successor.uses else Step.ABANDON
    # A former target must not have the key that the current one gets, and cannot end the old key.
    if policy is None or policy.target != pending.target:
        return Step.ABANDON
    # Whoever uses the key has accepted it, although the response was lost.
    return Step.COMPLETE if successor.uses else Step.DELIVER


def _plan_reminder(policy: Policy, due_ms: int, reminded: str | None, now: int) -> Plan:
    notice_ms = due_ms - _NOTICE_DAYS * DAY.length_ms
    has_notice = (policy.every_days or 0) > _NOTICE_DAYS
    last = f"{due_ms}"
    notice = f"{due_ms}-{_NOTICE_DAYS}"
    if now >= due_ms:
        return Plan(Step.WAIT) if reminded == last else Plan(Step.REMIND, reminder=last)
    if has_notice and now >= notice_ms and reminded != notice:
        days_left = -((now - due_ms) // DAY.length_ms)
        return Plan(Step.REMIND, due_ms, notice, days_left)
    return Plan(Step.WAIT, notice_ms if has_notice and now < notice_ms else due_ms)
