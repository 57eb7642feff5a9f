"""The scheduled run for API key rotation: sends reminders, and rotates keys whose policy has a target.

A rotation has three durable steps:

    start     one transaction: the successor's row, and the pending successor with its key, encrypted. The old
              key keeps working, and its expiry stays
    deliver   the key goes to the target: a signed request to a webhook, or a new version of a secret
    complete  after a 2xx, one transaction: the encrypted key is deleted, the old key ends after the overlap,
              API_KEY_ROTATED is announced, and the successor gets the policy

Crash between any two lines; the next run, an hour later, finds the row in the index `due`:

    before the start               nothing; it starts then
    after the start                a successor whose key no one has; it is delivered then
    after the request              the same. The repeat has the same ID and body, so for the receiver it is
                                   the same message; a secret gets no second version
    after the completion           done: that is one transaction, which happens once
    after a successor is revoked,  a pending successor that has ended; it is forgotten, and a new one is
    before that is recorded        created

Two concurrent runs do no harm: both may deliver, but each transaction requires the versions that were read.

A key is never stored or logged in plain text: it is in memory, in the ciphertext, and in the request. The old
key never ends before the target has accepted its successor. What happens to a successor if, before then,

    the target refuses it          delivered again in each run; API_KEY_ROTATION_FAILED at most once a day
    the successor is used          complete: the target has accepted it, though the response was lost
    the key is updated             the same edit applies to the successor, in one transaction (`service`)
    the policy gets another        revoked, because a former target may have the key, or kept as a normal
    target, or is confirmed        key if it is used; a new one is created if the policy requires it
    the key is revoked or expires  revoked
    the key is rotated manually    ends with the key (`service`), and the policy goes to the new key
    the successor ends or rotates  forgotten, and another one is created
    the workspace is erased        nothing is sent; the erasure deletes the rows
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from itertools import islice
from typing import NamedTuple

from patchbay import vault
from patchbay.activity.log import SYSTEM
from patchbay.api_keys import announcements, minting, rotation, rotation_delivery, rotation_store, store
from patchbay.api_keys.models import DEFAULT_OVERLAP_SECONDS
from patchbay.api_keys.rotation import DefaultPolicy, Failure, Pending, Plan, Policy, RotationState, Step
from patchbay.api_keys.rotation_delivery import Handover, Refused
from patchbay.api_keys.stored_key import StoredKey
from patchbay.aws import CallFailed
from patchbay.clock import now_ms
from patchbay.errors import Conflict
from patchbay.ids import ApiKeyId
from patchbay.observability import logger
from patchbay.rate_limits.sliding_window import DAY, HOUR
from patchbay.storage.due_index import IncompleteRun, in_turns
from patchbay.webhooks import service as webhooks

# How many keys are delivered concurrently. A batch takes the longest of its requests.
_BATCH = 10
# How many rows a run processes. The next run continues.
_MOST = 1_000
# Enough for a batch whose receivers take the maximum time. A run that is killed does no harm.
_RESERVE_MS = 25_000
# Runs are an hour apart, so the next day's failure is announced in the 24th run.
_ANNOUNCE_AGAIN_MS = DAY.length_ms - HOUR.length_ms // 2
# A row without a time for its next step is checked again after this time.
_LOOK_AGAIN_MS = 30 * DAY.length_ms
_TRIES = 3


class RotationSummary(NamedTuple):
    reminded: int = 0
    rotated: int = 0


class _Run:
    """The state of one run: its time, its results, and the workspaces that it has read."""

    def __init__(self, remaining_ms: Callable[[], int]) -> None:
        self._remaining_ms = remaining_ms
        self.now = now_ms()
        self.reminded = 0
        self.rotated = 0
        self.failed = 0
        self.default = cache(rotation_store.get_default)

    def has_time(self) -> bool:
        return self._remaining_ms() > _RESERVE_MS

    def guarded(self, key_id: ApiKeyId, work: Callable[[], Handover | None]) -> Handover | None:
        """Do the work for one key. A failure, of AWS or in our code, does not affect the other keys."""
        try:
            return work()
        except rotation_store.StateChanged:
            logger.info("api key rotation changed concurrently", key_id=key_id)
        except Exception:
            logger.exception("api key rotation failed", key_id=key_id)
            self.failed += 1
            self._postpone(key_id)
        return None

    def _postpone(self, key_id: ApiKeyId) -> None:
        """Let other keys go first in the next run, so that keys that always fail do not delay them."""
        with suppress(rotation_store.StateChanged, CallFailed):
            state = rotation_store.get(key_id)
            if state is not None:
                rotation_store.write(replace(state, due_ms=self.now))


def rotate_keys(remaining_ms: Callable[[], int]) -> RotationSummary:
    """Process the rotations that are due until time runs short, one of each workspace in turn. Raises
    IncompleteRun, after all others, if some failed.
    """
    run = _Run(remaining_ms)
    states, defaults = rotation_store.list_due(run.now, _MOST)
    for default in defaults:
        if not run.has_time():
            break
        states += _look_at_workspace(run, default)
    work = in_turns(states, lambda state: state.workspace_id)
    while run.has_time() and (batch := list(islice(work, _BATCH))):
        _hand_over(run, list(_prepared(run, batch)))
    if next(work, None) is not None:
        logger.warning("api key rotation out of time; the next run continues")
    if run.failed:
        raise IncompleteRun(f"{run.failed} rotations could not be processed; the next run retries")
    return RotationSummary(run.reminded, run.rotated)


def _look_at_workspace(run: _Run, default: DefaultPolicy) -> list[RotationState]:
    """Send reminders for the keys of a workspace that its policy applies to. Keys that must be rotated get
    separate rows, which are returned. The workspace is checked again when the next key is due, at least once
    a day.
    """
    due: list[RotationState] = []
    next_ms = run.now + DAY.length_ms
    try:
        if webhooks.is_erasing(default.workspace_id):
            return []
        for key, stored in rotation_store.iter_active(default.workspace_id, run.now):
            if stored is not None and (stored.policy is not None or stored.is_due(run.now)):
                continue  # the run finds it by its own row
            state = stored or RotationState(key_id=key.id, workspace_id=key.workspace_id)
            plan = rotation.plan(key, state, rotation.effective(state, default), None, run.now)
            if plan.step is Step.START:
                due.append(rotation_store.write(replace(state, due_ms=run.now)))
            elif plan.step is Step.REMIND:
                _remind(run, key, state, default.policy, plan)
            next_ms = min(next_ms, plan.at_ms or next_ms)
        rotation_store.write_default(default, next_ms)
    except rotation_store.StateChanged:
        logger.info("api key rotation changed concurrently", workspace=default.workspace_id)
    except Exception:
        logger.exception("api key rotation failed", workspace=default.workspace_id)
        run.failed += 1
    return due


# ── one key ──────────────────────────────────────────────────────────────────────────────────────────


def _prepared(run: _Run, batch: list[RotationState]) -> Iterator[Handover]:
    for state in batch:
        handover = run.guarded(state.key_id, partial(_advance, run, state))
        if handover is not None:
            yield handover


def _advance(run: _Run, state: RotationState) -> Handover | None:
    """Take the steps of a key up to its next delivery, which is returned. Raises StateChanged."""
    # Read for each key: an erasure waits only for the longest call of an API function, not for a whole run.
    if webhooks.is_erasing(state.workspace_id):
        return None
    key = store.get(state.workspace_id, state.key_id)
    policy = rotation.effective(state, run.default(state.workspace_id))
    successor = _successor(state)
    plan = rotation.plan(key, state, policy, successor, run.now)
    if plan.step is Step.ABANDON:
        state = _abandon(state, successor)
        plan = rotation.plan(key, state, policy, None, run.now)
    if plan.step is Step.COMPLETE and successor is not None:
        _complete(run, state, key, successor, policy)
    elif plan.step is Step.FORGET or key is None:
        rotation_store.forget(state)
    elif plan.step is Step.START and policy is not None:
        return _start(run, key, state, policy)
    elif plan.step is Step.DELIVER and successor is not None:
        return _deliver(run, key, state, successor)
    elif plan.step is Step.REMIND and policy is not None:
        _remind(run, key, state, policy, plan)
    else:
        _wait(run, state, plan.at_ms)
    return None


def _successor(state: RotationState) -> StoredKey | None:
    return None if state.pending is None else store.get(state.workspace_id, state.pending.successor)


def _wait(run: _Run, state: RotationState, at_ms: int | None) -> None:
    """Do nothing until `at_ms`."""
    if state.policy is None and state.reminded is None:
        rotation_store.forget(state)
    else:
        rotation_store.write(replace(state, due_ms=_next_look_ms(run, state, at_ms), failure=None))


def _next_look_ms(run: _Run, state: RotationState, at_ms: int | None) -> int:
    """When a row is checked next. A key that follows its workspace's policy is found through that policy; its
    row is checked only to delete it when the key has ended.
    """
    return run.now + _LOOK_AGAIN_MS if state.policy is None or at_ms is None else at_ms


def _remind(run: _Run, key: StoredKey, state: RotationState, policy: Policy, plan: Plan) -> None:
    announced = announcements.rotation_due(key, policy.due_ms(key) or 0, plan.days_left)
    due_ms = _next_look_ms(run, state, plan.at_ms)
    new = replace(state, reminded=plan.reminder, due_ms=due_ms, failure=None)
    rotation_store.write(new, [announced])
    run.reminded += 1


def _start(run: _Run, key: StoredKey, state: RotationState, policy: Policy) -> Handover | None:
    """Create a successor, if the target may receive it."""
    target = policy.target
    if target is None:
        return None
    try:
        webhook = rotation_delivery.check(key.workspace_id, target)
        successor, text = minting.mint(key.workspace_id, SYSTEM, key.terms, key.id)
        sealed = vault.encrypt(key.workspace_id, text, encryption_context=_encryption_context(successor.id))
        pending = Pending(successor.id, sealed, target)
        state = rotation_store.start(key, successor, replace(state, pending=pending, due_ms=run.now))
    except Refused as refused:
        _record_failure(run, key, state, refused)
        return None
    except Conflict as conflict:
        _record_failure(run, key, state, Refused("too_many_api_keys", conflict.detail))
        return None
    return Handover(state, successor.id, text, target, webhook)


def _deliver(run: _Run, key: StoredKey, state: RotationState, successor: StoredKey) -> Handover | None:
    """Deliver a pending successor again."""
    pending = state.pending
    if pending is None:
        return None
    try:
        webhook = rotation_delivery.check(key.workspace_id, pending.target)
        context = _encryption_context(successor.id)
        text = vault.decrypt(key.workspace_id, pending.sealed, encryption_context=context)
    except Refused as refused:
        _record_failure(run, key, state, refused)
        return None
    except vault.DecryptionFailed:
        logger.exception("pending api key decryption failed", key_id=key.id)
        _abandon(state, successor)  # the next run creates another one
        return None
    return Handover(state, successor.id, text, pending.target, webhook)


def _abandon(state: RotationState, successor: StoredKey | None) -> RotationState:
    """Revoke a pending successor, unless it has ended or was used, and forget it. Raises StateChanged."""
    if successor is not None and successor.retired_ms is None and not successor.uses:
        try:
            store.revoke(successor, SYSTEM, only_unused=True)
        except store.KeyChanged:
            raise rotation_store.StateChanged from None
    return rotation_store.write(replace(state, pending=None))


# ── after the delivery ───────────────────────────────────────────────────────────────────────────────


def _hand_over(run: _Run, handovers: list[Handover]) -> None:
    results = asyncio.run(rotation_delivery.send_all(handovers)) if handovers else []
    for handover, result in zip(handovers, results, strict=True):
        run.guarded(handover.state.key_id, partial(_record, run, handover, result))


def _record(run: _Run, handover: Handover, result: BaseException | None) -> None:
    """Record the result of a delivery. Raises a failure that the target did not cause."""
    state = handover.state
    if result is None:
        _complete_delivered(run, handover)
        return
    if isinstance(result, vault.DecryptionFailed):
        result = Refused("webhook_unreadable", "The secrets of the webhook cannot be decrypted. Rotate them.")
    if not isinstance(result, Refused):
        raise result
    key = store.get(state.workspace_id, state.key_id)
    if key is not None and not key.has_ended(run.now):
        _record_failure(run, key, state, result)


def _complete_delivered(run: _Run, handover: Handover) -> None:
    """Complete a rotation whose successor was accepted. A change of the key in the meantime does not undo
    that: the rotation is read again. If it must wait for the next run, the successor is delivered again.
    """
    for _ in range(_TRIES):
        state = rotation_store.get(handover.state.key_id)
        if state is None or state.pending is None or state.pending.successor != handover.successor:
            return  # it was completed, abandoned, or its key was rotated manually
        key, successor = store.get(state.workspace_id, state.key_id), _successor(state)
        if key is None or successor is None or key.has_ended(run.now) or successor.has_ended(run.now):
            return
        policy = rotation.effective(state, rotation_store.get_default(state.workspace_id))
        if policy is None or policy.target != state.pending.target:
            return
        try:
            _complete(run, state, key, successor, policy)
        except rotation_store.StateChanged:
            continue
        return


def _complete(
    run: _Run, state: RotationState, key: StoredKey | None, successor: StoredKey, policy: Policy | None
) -> None:
    """Let the key end, and pass its own policy on to the successor, unless the successor has one."""
    inherited: RotationState | None = None
    if state.policy is not None and rotation_store.get(successor.id) is None:
        inherited = RotationState(
            key_id=successor.id, workspace_id=state.workspace_id, policy=state.policy, due_ms=run.now
        )
    overlap = DEFAULT_OVERLAP_SECONDS if policy is None else policy.overlap_seconds
    rotation_store.complete(key, successor, state, inherited, overlap, now_ms())
    run.rotated += 1
    logger.info("api key rotated", key_id=state.key_id, workspace=state.workspace_id, successor=successor.id)


def _record_failure(run: _Run, key: StoredKey, state: RotationState, refused: Refused) -> None:
    """Record why a key does not rotate, and announce it, at most once a day. The next run tries again."""
    now = now_ms()
    announced_ms = 0 if state.failure is None else state.failure.announced_ms
    actions = []
    if now - announced_ms >= _ANNOUNCE_AGAIN_MS:
        announced_ms = now
        actions.append(announcements.rotation_failed(key, refused.code, refused.detail, now))
    failure = Failure(refused.code, refused.detail, now, announced_ms)
    rotation_store.write(replace(state, failure=failure, due_ms=run.now), actions)
    logger.warning("api key rotation refused", key_id=key.id, workspace=key.workspace_id, reason=refused.code)


def _encryption_context(successor: ApiKeyId) -> str:
    return f"api_keys/{successor}/key"
