"""The states of a flow's run and every transition between them. Pure, like `deliveries.states`.

    (no row) ─▶ RUNNING ─▶ SUCCEEDED | STOPPED | FAILED | CANCELLED
                 │  ▲
                 ▼  │
               WAITING         for a time, or for the platform's answer to an action

The worker claims a run for one turn (`claimed`), and then records it: `moved_on` to the next step, `waiting`,
or `ended`. Every record increments `sequence`, so the message of an earlier turn is obsolete.
`store.write_run` stores a state only over the state that it derives from. An open run is always due some time
after its message is sent: if the message is lost, the sweeper sends another. Times are Unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from patchbay.deliveries.models import EVENT_ERASED
from patchbay.deliveries.states import Blocked, Obsolete
from patchbay.flows.models import FlowRunStatus
from patchbay.flows.stored import StepResult, StoredFlow, StoredRun
from patchbay.publishing.flow_message import FlowMessage
from patchbay.storage import due_index

# A run's message may be lost. The sweeper sends another after this long.
RESEND_AFTER_MS = 5 * 60_000
# The redelivery delay of a message whose turn another worker is still recording.
_RECORDING_MS = 5_000


def check_message(run: StoredRun | None, message: FlowMessage, now: int) -> Obsolete | Blocked | None:
    """Why a message's run cannot take its turn now; None if it can."""
    if run is None:
        return None
    if not run.is_open or message.sequence < run.sequence:
        return Obsolete()
    if message.sequence > run.sequence:
        return Blocked(max(run.lease_until or 0, now + _RECORDING_MS))
    if (run.lease_until or 0) > now:
        return Blocked(run.lease_until or 0)
    if run.awaits is None and (run.resumes_at or 0) > now:
        return Blocked(run.resumes_at or 0)
    return None


def claimed(run: StoredRun, *, now: int, until: int) -> StoredRun:
    """The run, leased for one turn until `until`."""
    return _changed(run, now, until + RESEND_AFTER_MS, lease_until=until, claims=run.claims + 1)


def begun(
    flow: StoredFlow, message: FlowMessage, *, key: str, event_type: str, depth: int, now: int, ttl: int
) -> StoredRun:
    """A new run, which has no row yet."""
    return StoredRun(
        flow_key=key,
        id=message.run_id,
        flow_version=flow.version,
        event_id=message.event_id,
        event_type=event_type,
        correlation_id=message.correlation_id,
        depth=depth,
        status="RUNNING",
        definition=flow.definition,
        scopes=flow.scopes,
        turn_at=now,
        started_at=now,
        updated_at=now,
        ttl=ttl,
    )


def moved_on(run: StoredRun, results: Sequence[StepResult], step: str, *, now: int, ttl: int) -> StoredRun:
    """The run after a step is done. The next step is `step`, and the caller sends its message."""
    return _recorded(run, results, now, ttl, due_at=now + RESEND_AFTER_MS, status="RUNNING", step=step)


def waiting(
    run: StoredRun,
    results: Sequence[StepResult],
    *,
    resumes_at: int,
    due_at: int,
    now: int,
    ttl: int,
) -> StoredRun:
    """The run while the last of `results` waits: until `resumes_at`, or at most until then if it waits for an
    action. The sweeper queues the run at `due_at`.
    """
    step = results[-1]["id"]
    after = _recorded(run, results, now, ttl, due_at=due_at, status="WAITING", step=step)
    return replace(after, resumes_at=resumes_at)


def still_waiting(run: StoredRun, *, now: int) -> StoredRun:
    """The run while its action is still running. The message that the action sends at its end stays valid."""
    return _changed(run, now, now + RESEND_AFTER_MS, lease_until=None, claims=0)


def ended(
    run: StoredRun,
    results: Sequence[StepResult],
    status: FlowRunStatus,
    *,
    reason: str | None,
    step: str | None,
    now: int,
    ttl: int,
) -> StoredRun:
    after = _recorded(run, results, now, ttl, due_at=None, status=status, step=step)
    return replace(after, reason=reason, ended_at=now)


def cancelled(run: StoredRun, reason: str, *, now: int, ttl: int) -> StoredRun:
    """The run, ended without another step. A waiting step is stopped."""
    results = list(run.results)
    if results and results[-1]["status"] == "WAITING":
        results[-1] = {**results[-1], "status": "STOPPED", "endedAt": now}
    return ended(run, results, "CANCELLED", reason=reason, step=run.step, now=now, ttl=ttl)


def erased(run: StoredRun, now: int) -> StoredRun:
    """The run without the inputs and outputs of its steps, because the data of its event was erased. An open
    run is cancelled.
    """
    after = run
    if run.is_open:
        after = cancelled(run, EVENT_ERASED, now=now, ttl=run.ttl)
    results = [_without_content(result) for result in after.results]
    return replace(after, results=results, version=run.version + 1, updated_at=now)


def _without_content(result: StepResult) -> StepResult:
    kept = StepResult(
        id=result["id"], type=result["type"], status=result["status"], startedAt=result["startedAt"]
    )
    if "endedAt" in result:
        kept["endedAt"] = result["endedAt"]
    return kept


def _recorded(
    run: StoredRun,
    results: Sequence[StepResult],
    now: int,
    ttl: int,
    *,
    due_at: int | None,
    status: FlowRunStatus,
    step: str | None,
) -> StoredRun:
    return _changed(
        run,
        now,
        due_at,
        results=list(results),
        sequence=run.sequence + 1,
        status=status,
        step=step,
        lease_until=None,
        claims=0,
        resumes_at=None,
        turn_at=now,
        ttl=ttl,
    )


def _changed(run: StoredRun, now: int, due_at: int | None, **changes: Any) -> StoredRun:
    """The run with these changes. Every write increments `version`, which identifies the state of the row."""
    return replace(
        run,
        version=run.version + 1,
        updated_at=now,
        due_at=due_at,
        due_shard=None if due_at is None else due_index.shard_of(run.id),
        **changes,
    )
