"""The worker of the flows queue: one step of a run for each message.

A turn is claim → do → record, as for a delivery. The claim is a lease on the run's row. Then the run passes
its filters and branches, and does one step. The record stores what the step returned, and what is next. Then
the worker sends the message of the next turn. Everything that a step does has an ID that derives from the run
and the step, so a repeat has no further effect. Only a request to a provider is sent again, with the same
Idempotency-Key. If a process dies:
    before the claim            the message is redelivered
    between claim and record    the message is redelivered; after the lease expires, the turn is repeated. It
                                finds what was done: the event with its delivery, or the run of the action.
                                A request is sent again
    between record and send     the run's row is due; the sweeper sends the message of the next turn
    between send and return     the message is redelivered; the row's `sequence` makes it obsolete
    while an action runs        the action's run has the message of the next turn, and sends it at its end or
                                in its sweep. A message that arrives before the record waits for it

A run whose turns keep dying ends as FAILED `internal`. A message goes back to the queue if it exceeds the
workspace's ceiling of steps, or if it comes too late in its batch for a step that may take long.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from patchbay import compact_json, erasure_mark, metrics, queues
from patchbay.automations import runs as actions
from patchbay.automations.models import Run as ActionRun
from patchbay.clock import from_ms, iso, now_ms, to_ms
from patchbay.deliveries.states import Blocked, Obsolete
from patchbay.errors import NotFound, RateLimited
from patchbay.events import store as events
from patchbay.events.models import FLOW, EventMessage
from patchbay.flows import calls, states, steps, store, turn
from patchbay.flows.models import FlowRunStatus
from patchbay.flows.service import STEP_SCOPES
from patchbay.flows.steps import StepFailed
from patchbay.flows.stored import Step, StepResult, StoredFlow, StoredRun, flow_key
from patchbay.ids import DeliveryId, EventId, RunId, WebhookId
from patchbay.observability import logger
from patchbay.publishing import fan_out
from patchbay.publishing.flow_message import FlowMessage
from patchbay.rate_limits import ceilings
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.records import retention_ttl
from patchbay.webhooks import service as webhooks
from patchbay.webhooks import store as webhooks_store

# The type of the events that flows send to webhooks. No webhook can subscribe to it.
SENT_TYPE = "FLOW_SENT"
# Limits chains of flows that start each other: an event of this depth starts no flow.
MAX_DEPTH = 5
# Ends a run whose turns always kill their worker.
_MAX_LOST_CLAIMS = 10
# The limit of all inputs and outputs of a run, as JSON. A row has at most 400 KB.
_MAX_RESULTS_BYTES = 256 * 1024
# The limit with the definition. The rest of the row is for the other fields.
_MAX_ROW_BYTES = 384 * 1024
# The longest time that a request and the refresh of its token take. A lease covers one request in addition to
# other steps, and a turn begins only if this much time is left.
_REQUEST_SECONDS = 35
# The redelivery delay of a message whose run another worker has just claimed.
_COPY_SECONDS = 5
_random = random.SystemRandom()

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The rows that the message of a turn names, from one read."""

    flow: StoredFlow | None
    run: StoredRun | None
    event: events.StoredEvent | None
    workspace: webhooks_store.WorkspaceState


@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn of a `run` under this worker's lease."""

    message: FlowMessage
    run: StoredRun
    event: events.StoredEvent
    retain_days: int | None

    @property
    def content(self) -> dict[str, Any]:
        """The event as values and conditions read it."""
        timestamp = iso(from_ms(self.event.timestamp))
        return {"id": self.event.id, "type": self.event.type, "timestamp": timestamp, "data": self.event.data}

    def ttl(self, time: int) -> int:
        """The TTL of a row that is needed until a time (Unix milliseconds)."""
        return retention_ttl(time, self.retain_days)


def run_batch(records: Iterable[Record], remaining_ms: Callable[[], int]) -> list[str]:
    """Take the turns of an SQS batch. Returns the IDs of the messages to redeliver."""
    failed: list[str] = []
    postponed: list[tuple[str, int]] = []
    for record in records:
        logger.set_correlation_id(None)
        if remaining_ms() < _REQUEST_SECONDS * 1000:
            failed.append(record["messageId"])
            postponed.append((record["receiptHandle"], 0))
            continue
        try:
            message = FlowMessage.read(record["body"])
        except ValueError:
            if not queues.move_to_dlq(settings().flows_dlq_url, record):
                failed.append(record["messageId"])
            continue
        logger.set_correlation_id(message.correlation_id)
        try:
            seconds = _take_turn(record, message)
        except Exception:
            # A bug or an AWS failure. Only this message is redelivered, after the queue's visibility timeout.
            logger.exception("failed to run flow", extra=_log_fields(message))
            failed.append(record["messageId"])
            continue
        if seconds is not None:
            failed.append(record["messageId"])
            postponed.append((record["receiptHandle"], seconds))
    queues.change_visibility(settings().flows_queue_url, postponed)
    return failed


# ── claim ────────────────────────────────────────────────────────────────────────────────────────────


def _take_turn(record: Record, message: FlowMessage) -> int | None:
    """Take a turn. Returns the seconds until SQS redelivers the message; None if it is done."""
    loaded = _load(message)
    if loaded.workspace.mark.covers(erasure_mark.sent_at(message.event_id.time_ms, record)):
        logger.info("flow of an erased workspace dropped", extra=_log_fields(message))
        return None
    run, now = loaded.run, now_ms()
    match states.check_message(run, message, now):
        case Obsolete():
            return None
        case Blocked(until):
            return max(math.ceil((until - now) / 1000), 1)
    needed = _needed(loaded)
    if isinstance(needed, str):
        _cancel(run, needed, loaded.workspace.retain_days)
        return None
    try:
        ceilings.admit(message.workspace_id, "steps")
    except RateLimited as limited:
        return int(limited.headers["retry-after"]) + _random.randint(0, 5)
    claimed = _claim(message, run, *needed, loaded.workspace.retain_days)
    if claimed is None:
        return _COPY_SECONDS
    _do(claimed)
    return None


def _load(message: FlowMessage) -> _Loaded:
    key = flow_key(message.workspace_id, message.flow_id)
    flow, run, event, workspace = dynamo.batch_get(
        [
            store.table_key(message.workspace_id, message.flow_id),
            store.run_table_key(key, message.run_id),
            events.key_of(message.workspace_id, message.event_id),
            webhooks_store.workspace_state_key(message.workspace_id),
        ]
    )
    return _Loaded(
        store.flow_from_row(flow),
        store.run_from_row(run),
        None if event is None else events.from_row(event),
        webhooks_store.workspace_state(workspace),
    )


def _needed(loaded: _Loaded) -> tuple[StoredFlow, events.StoredEvent] | str:
    """The flow and the event of a run, or the reason to cancel it."""
    if loaded.flow is None:
        return "flow_deleted"
    if not loaded.flow.is_active:
        return "flow_inactive"
    if loaded.event is None:
        return "event_expired"
    return "event_erased" if loaded.event.erased_at is not None else (loaded.flow, loaded.event)


def _cancel(run: StoredRun | None, reason: str, retain_days: int | None) -> None:
    """End a run; one that has not begun leaves no trace."""
    if run is not None:
        now = now_ms()
        ttl = retention_ttl(now, retain_days)
        _record_end(run, states.cancelled(run, reason, now=now, ttl=ttl))


def _claim(
    message: FlowMessage,
    run: StoredRun | None,
    flow: StoredFlow,
    event: events.StoredEvent,
    retain_days: int | None,
) -> _Turn | None:
    """A turn under this worker's lease; None if another worker has the run."""
    now = now_ms()
    before = run or states.begun(
        flow,
        message,
        key=flow_key(message.workspace_id, message.flow_id),
        event_type=event.type,
        depth=event.depth,
        now=now,
        ttl=retention_ttl(now, retain_days),
    )
    leased = states.claimed(before, now=now, until=now + _lease_ms())
    try:
        store.write_run(run, leased)
    except store.RunChanged:
        return None
    return _Turn(message, leased, event, retain_days)


def _lease_ms() -> int:
    return (settings().delivery_lease_seconds + _REQUEST_SECONDS) * 1000


# ── do ───────────────────────────────────────────────────────────────────────────────────────────────


def _do(taken: _Turn) -> None:
    """Do the work of a turn, and record it."""
    run = taken.run
    now, results = now_ms(), list(run.results)
    if run.claims > _MAX_LOST_CLAIMS:
        logger.error("too many lost claims", extra=_log_fields(taken.message))
        return _end(taken, results, "FAILED", "internal", run.step)
    if run.depth >= MAX_DEPTH:
        logger.warning("flows start each other", extra=_log_fields(taken.message))
        return _end(taken, results, "FAILED", "loop", None)
    last = results[-1] if results and results[-1]["status"] == "WAITING" else None
    if last is not None and last["type"] == "request":
        return _go_on(taken, results[:-1], last, now)
    if last is not None:
        resolved = _resolve(run, last, now)
        if resolved is None:
            _record(run, states.still_waiting(run, now=now))
            return None
        results[-1] = resolved
        if resolved["status"] == "FAILED":
            return _end(taken, results, "FAILED", resolved["error"]["code"], resolved["id"])
    return _go_on(taken, results, None, now)


def _go_on(taken: _Turn, results: Sequence[StepResult], waited: StepResult | None, now: int) -> None:
    """Pass filters and branches, do the step that follows, and record both. `waited` is the result of that
    step's previous attempt, if any.
    """
    run, event = taken.run, taken.content
    position = turn.advance(run.definition, results, event, now)
    if position.step is None:
        return _end_at(taken, position)
    step = position.step
    try:
        done = _perform(run, step, turn.content(event, position.results), waited, now)
        done_results = [*position.results, done.result]
        if not _fits(run, done_results):
            raise StepFailed("run_too_large", "The inputs and outputs of this run exceed 256 KB.")
    except StepFailed as failed:
        failure = _failure(step, failed, run.turn_at if waited is None else waited["startedAt"])
        failed_results = [*position.results, failure]
        if not _fits(run, failed_results):
            failure.pop("output", None)
        if not _fits(run, failed_results):
            failure.pop("input", None)
        return _end(taken, failed_results, "FAILED", failed.code, step["id"])
    metrics.add(metrics.FLOW_STEPS)
    if done.resumes_at is not None:
        return _wait(taken, done_results, done.resumes_at)
    following = turn.advance(run.definition, done_results, event, now)
    if following.step is None:
        return _end_at(taken, following)
    next_step = following.step["id"]
    after = states.moved_on(run, following.results, next_step, now=now_ms(), ttl=taken.ttl(now))
    if _record(run, after):
        queues.send(settings().flows_queue_url, _next(taken.message, after).to_queue())
    return None


def _fits(run: StoredRun, results: Sequence[StepResult]) -> bool:
    """Whether a run's row has room for these results in addition to its definition."""
    size = compact_json.size(results)
    return size <= _MAX_RESULTS_BYTES and size + compact_json.size(run.definition) <= _MAX_ROW_BYTES


@dataclass(frozen=True, slots=True)
class _Done:
    """What a step did, and the time until which it waits, if any."""

    result: StepResult
    resumes_at: int | None = None


def _perform(run: StoredRun, step: Step, content: turn.Content, waited: StepResult | None, now: int) -> _Done:
    """Do a step. Idempotent, except for a request. Raises StepFailed."""
    scope = STEP_SCOPES.get(step["type"])
    if scope is not None and scope not in run.scopes:
        raise StepFailed("forbidden", f"The user who saved this flow did not have the scope {scope}.")
    given = steps.fill(step, content)
    result = StepResult(id=step["id"], type=step["type"], status="SUCCEEDED", startedAt=run.turn_at)
    if given.input is not None:
        result["input"] = given.input
    match step["type"]:
        case "wait":
            return _Done({**result, "status": "WAITING"}, resumes_at=now + step["seconds"] * 1000)
        case "webhook":
            data = content["event"]["data"] if given.input is None else given.input
            return _Done({**result, "output": _send(run, step, data), "endedAt": now})
        case "action":
            started = _start_action(run, step, given.input or {})
            return _Done({**result, "status": "WAITING", "runId": started.id}, to_ms(started.expires_at))
        case "request":
            return _request(run, step, result, waited)
    raise StepFailed("unknown_step", f"This release does not know steps of the type {step['type']}.")


def _request(run: StoredRun, step: Step, begun: StepResult, waited: StepResult | None) -> _Done:
    if waited is not None:
        begun["startedAt"] = waited["startedAt"]
    try:
        output = calls.perform(run, step, begun["input"], waited)
    except calls.TryAgain as failure:
        error = {"code": failure.code, "detail": failure.detail}
        result: StepResult = {**begun, "status": "WAITING", "error": error, "tries": failure.tries}
        earlier = None if waited is None else waited.get("refused")
        refused = earlier if failure.refused is None else failure.refused
        if refused is not None:
            result["refused"] = refused
        return _Done(result, resumes_at=now_ms() + round(failure.seconds * 1000))
    return _Done({**begun, "output": output, "endedAt": now_ms()})


def _send(run: StoredRun, step: Step, data: dict[str, Any]) -> dict[str, Any]:
    """Queue the delivery of an event that only this webhook gets. Returns the step's output."""
    id, workspace_id = WebhookId(step["webhookId"]), run.workspace_id
    try:
        webhook = webhooks.get_stored(workspace_id, id)
    except NotFound:
        raise StepFailed("webhook_deleted", f"The webhook {id} was deleted.") from None
    if reason := webhooks.inactive_reason(webhook):
        raise StepFailed(reason, f"The webhook {id} is {webhook.status}. Set its status to ACTIVE.")
    event = EventMessage(
        id=sent_event_id(run, step["id"]),
        workspace_id=workspace_id,
        type=SENT_TYPE,
        timestamp=run.turn_at,
        data=data,
        source=FLOW,
        correlation_id=run.correlation_id,
        depth=run.depth + 1,
        caused_by=run.event_id,
    )
    if not fan_out.send_to(event, id):
        raise _NotSent(f"the delivery to {id} was not queued")
    return {"eventId": event.id, "deliveryId": DeliveryId.derived(event.id, id)}


def _start_action(run: StoredRun, step: Step, input: dict[str, Any]) -> ActionRun:
    resume = FlowMessage(
        run.workspace_id, run.flow_id, run.event_id, run.correlation_id, run.sequence + 1
    ).to_queue()
    return actions.start_for_flow(
        run.workspace_id,
        run.flow_id,
        action_run_id(run, step["id"]),
        step["action"],
        input,
        resume=resume.body,
        depth=run.depth + 1,
        caused_by=run.event_id,
    )


def sent_event_id(run: StoredRun, step_id: str) -> EventId:
    """The event of a webhook step in the current turn of a run."""
    return EventId.derived(run.id, step_id, at_ms=run.turn_at)


def action_run_id(run: StoredRun, step_id: str) -> RunId:
    """The run of an action step in the current turn of a run."""
    return RunId.derived(run.id, step_id, at_ms=run.turn_at)


def _resolve(run: StoredRun, waiting: StepResult, now: int) -> StepResult | None:
    """The final result of a waiting step; None if it still waits."""
    if run.awaits is None:
        return {**waiting, "status": "SUCCEEDED", "output": {}, "endedAt": now}
    action = actions.find_for_flow(run.workspace_id, run.awaits)
    if action is not None and action.status == "PENDING":
        return None
    if action is not None and action.output is not None:
        return {**waiting, "status": "SUCCEEDED", "output": action.output, "endedAt": now}
    error = {"code": "action_lost", "detail": "The run of the action is no longer stored."}
    if action is not None and action.error is not None:
        error = action.error.model_dump()
    return {**waiting, "status": "FAILED", "error": error, "endedAt": now}


class _NotSent(Exception):
    """AWS did not accept a message. The turn is repeated."""


# ── record ───────────────────────────────────────────────────────────────────────────────────────────


def _wait(taken: _Turn, results: Sequence[StepResult], resumes_at: int) -> None:
    """Record a waiting step. A short wait uses a delayed message. After a long wait, the sweeper sends the
    message. An action sends its own message when it ends.
    """
    now = now_ms()
    delay_seconds = max(math.ceil((resumes_at - now) / 1000), 0)
    is_action = "runId" in results[-1]
    has_message = not is_action and delay_seconds <= queues.MAX_DELAY_SECONDS
    after = states.waiting(
        taken.run,
        results,
        resumes_at=resumes_at,
        due_at=resumes_at + states.RESEND_AFTER_MS if has_message or is_action else resumes_at,
        now=now,
        ttl=taken.ttl(resumes_at),
    )
    if _record(taken.run, after) and has_message:
        message = _next(taken.message, after).to_queue()
        queues.send(settings().flows_queue_url, message, delay_seconds=delay_seconds)


def _end_at(taken: _Turn, position: turn.Position) -> None:
    _end(taken, position.results, position.ended, position.reason, position.ended_at_step)


def _end(
    taken: _Turn, results: Sequence[StepResult], status: FlowRunStatus, reason: str | None, step: str | None
) -> None:
    now = now_ms()
    after = states.ended(taken.run, results, status, reason=reason, step=step, now=now, ttl=taken.ttl(now))
    _record_end(taken.run, after)


def _record_end(before: StoredRun, after: StoredRun) -> None:
    if not _record(before, after):
        return
    if after.status == "FAILED":
        metrics.add(metrics.FLOW_RUNS_FAILED)
    logger.info(
        "flow run ended",
        status=after.status,
        reason=after.reason,
        step=after.step,
        flow_id=after.flow_id,
        run_id=after.id,
        workspace=after.workspace_id,
    )


def _record(before: StoredRun, after: StoredRun) -> bool:
    """Store the end of a turn. Returns False if something else has changed the run. Then that change wins;
    the effects of this turn are idempotent.
    """
    try:
        store.write_run(before, after)
    except store.RunChanged:
        logger.info("run changed concurrently", run_id=before.id, workspace=before.workspace_id)
        return False
    return True


def _failure(step: Step, failed: StepFailed, started_at: int) -> StepResult:
    result = StepResult(
        id=step["id"],
        type=step["type"],
        status="FAILED",
        startedAt=started_at,
        endedAt=now_ms(),
        error={"code": failed.code, "detail": failed.detail},
    )
    if failed.given is not None:
        result["input"] = failed.given
    if failed.output is not None:
        result["output"] = failed.output
    return result


def _next(message: FlowMessage, after: StoredRun) -> FlowMessage:
    return replace(message, sequence=after.sequence)


def _log_fields(message: FlowMessage) -> dict[str, str]:
    return {
        "correlation_id": message.correlation_id,
        "event_id": message.event_id,
        "flow_id": message.flow_id,
        "run_id": message.run_id,
        "workspace": message.workspace_id,
    }
