"""Actions that an automation asks the platform to perform, and their runs.

A run is stored first. Then an ACTION_REQUESTED event in the platform's workspace announces it. The event's ID
derives from the run's, so a repeated announcement is one event. If the process crashes between these steps,
or between a run's end and its callback, the sweep completes the rest within a minute:
    pending     announced again after a minute, because the first announcement may be lost; FAILED at
                `expiresAt`
    ended       its callback is queued; the delivery's ID derives from the run's, so it is one delivery. If a
                flow waits for the run, its message is queued instead; the flow takes each step once
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from patchbay import aws, catalogue, compact_json, queues
from patchbay.api_model import Listing
from patchbay.auth.principal import Principal
from patchbay.automations import store
from patchbay.automations.models import (
    FLOW,
    RUN_ORIGINS,
    ActionInfo,
    ActionKey,
    Actions,
    AnswerRun,
    AutomationPlatform,
    Failed,
    Run,
    RunQuery,
    StartRun,
    Succeeded,
)
from patchbay.automations.store import StoredRun
from patchbay.catalogue.entries import all_actions, check_input, check_output, without_unset
from patchbay.clock import from_ms, iso, now_ms
from patchbay.deliveries.models import DeliveryMessage
from patchbay.errors import Conflict, NotFound, check_version
from patchbay.events import service as events
from patchbay.ids import DeliveryId, EventId, FlowId, RunId
from patchbay.observability import logger
from patchbay.outbound.registration import check_registered_url
from patchbay.settings import settings
from patchbay.storage import due_index
from patchbay.webhooks import service as webhooks

if TYPE_CHECKING:
    from pydantic import JsonValue

    from patchbay.idempotency import Once

_EXPIRES_AFTER_MS = 15 * 60_000
_REANNOUNCE_AFTER_MS = 60_000
# The size of an input, and of an output.
_MAX_BYTES = 64 * 1024
_TIMEOUT_ERROR = {"code": "timed_out", "detail": "The platform did not respond within 15 minutes."}
# The sweep stops when its function has less time left; the next sweep, a minute later, continues.
_RESERVE_MS = 10_000


def list_actions() -> Actions:
    """Every action that an automation can start."""
    return Actions(
        [
            ActionInfo(
                id=action.key,
                label=action.label,
                noun=action.noun,
                description=action.description,
                input=action.input,
                output=action.output,
                sample=action.sample,
            )
            for action in all_actions()
        ]
    )


def start(
    principal: Principal,
    platform: AutomationPlatform,
    key: ActionKey,
    body: StartRun,
    once: Once | None = None,
) -> Run:
    """Start a run of an action. Raises ValidationFailed for an input that does not match the action's schema,
    or for a URL that Patchbay does not call; PayloadTooLarge.
    """
    input = without_unset(key, body.input)
    check_input(key, input)
    compact_json.check_size("input", input, _MAX_BYTES)
    if body.callback_url is not None:
        check_registered_url("callbackUrl", body.callback_url)
    run = replace(
        _new(principal.workspace_id, principal.id, RunId.new(now_ms()), platform, key, input),
        callback_url=body.callback_url,
    )
    response = _to_api(run)
    store.create(run, run.created_at + _REANNOUNCE_AFTER_MS, [once.complete_action(response)] if once else ())
    _try_before_sweep(lambda: _announce(run), "run not announced")
    return response


def start_for_flow(
    workspace_id: str,
    flow_id: FlowId,
    id: RunId,
    key: str,
    input: dict[str, JsonValue],
    *,
    resume: str,
    depth: int,
    caused_by: EventId,
) -> Run:
    """Start a run of an action for a flow, which has checked the input and its own rights. `resume` is the
    message of the flows queue that is sent when the run ends. Idempotent: `id` derives from the step.
    """
    run = replace(
        _new(workspace_id, flow_id, id, FLOW, key, input), resume=resume, depth=depth, caused_by=caused_by
    )
    if not store.create_once(run, run.created_at + _REANNOUNCE_AFTER_MS):
        return _to_api(_get_stored(id))  # the sweep has announced it, or will
    _try_before_sweep(lambda: _announce(run), "run not announced")
    return _to_api(run)


def find_for_flow(workspace_id: str, id: RunId) -> Run | None:
    """The run that a flow of this workspace started."""
    run = store.get(id)
    return None if run is None or run.workspace_id != workspace_id else _to_api(run)


def erase_for_flow(workspace_id: str, id: RunId) -> None:
    """Remove the input and the output of a run that a flow started. Idempotent."""
    store.erase_content(id, workspace_id)


def list_runs(principal: Principal, platform: AutomationPlatform | None, query: RunQuery) -> Listing[Run]:
    """The runs of one automation platform, or of all of them and of flows, newest first."""
    page = store.page(
        principal.workspace_id,
        RUN_ORIGINS if platform is None else [platform],
        RunId.range(query.since, query.until),
        status=query.status,
        limit=query.limit,
        cursor=query.cursor,
    )
    return Listing.from_page(page.map(_to_api))


def get(principal: Principal, platform: AutomationPlatform, id: RunId) -> Run:
    """Raises NotFound, including for a run of another workspace or platform."""
    run = store.get(id)
    if run is None or (run.workspace_id, run.platform) != (principal.workspace_id, platform):
        raise NotFound(f"No run of {platform.label} with this ID.")
    return _to_api(run)


def answer(id: RunId, body: AnswerRun, if_match: int | None = None) -> Run:
    """End a run of any workspace with the platform's answer. Repeating an answer gets the same response.

    Raises NotFound, ValidationFailed for an output that does not match the action's schema, PayloadTooLarge,
    Conflict for a run that has ended with another answer or has expired, and PreconditionFailed when
    `if_match` is not the version of a pending run.
    """
    run = _get_stored(id)
    ended = _with_answer(run, body.root)
    if run.status == "PENDING":
        check_version("run", run.version, if_match)
        if now_ms() >= run.expires_at:
            raise Conflict("This run has expired: the platform must respond within 15 minutes.")
        try:
            return _to_api(_finish(ended))
        except store.RunChanged:
            run = _get_stored(id)
    if (run.status, run.output, run.error) != (ended.status, ended.output, ended.error):
        raise Conflict(f"This run has already ended with the status {run.status}, which cannot be changed.")
    return _to_api(run)


def sweep(remaining_ms: Callable[[], int]) -> int:
    """Process the runs that are due. Returns their number; a run that fails stays due."""
    count = 0
    due = [store.due(shard, now_ms()) for shard in due_index.SHARDS]
    for id in due_index.round_robin(due, remaining_ms, _RESERVE_MS):
        try:
            _process_due(id)
        except Exception:
            # A bug, or a failed call to AWS. The next sweep retries this run.
            logger.exception("run not processed", run_id=id)
        count += 1
    return count


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _get_stored(id: RunId) -> StoredRun:
    run = store.get(id)
    if run is None:
        raise NotFound("No run with this ID.")
    return run


def _with_answer(run: StoredRun, answer: Succeeded | Failed) -> StoredRun:
    """Raises ValidationFailed, PayloadTooLarge."""
    if isinstance(answer, Failed):
        return replace(run, status=answer.status, error=answer.error.model_dump())
    if run.action in catalogue.ACTIONS:
        check_output(run.action, answer.output)
    compact_json.check_size("output", answer.output, _MAX_BYTES)
    return replace(run, status=answer.status, output=answer.output)


def _process_due(id: RunId) -> None:
    run = store.get(id)
    if run is None:
        return
    if run.status != "PENDING":
        # An ended run without a callback is here only because the index is eventually consistent.
        if run.is_awaited:
            _report_end(run)
    elif now_ms() < run.expires_at:
        _announce(run)
        store.set_due(run, run.expires_at)
    else:
        try:
            _finish(replace(run, status="FAILED", error=_TIMEOUT_ERROR))
        except store.RunChanged:
            return  # answered at the last moment


def _new(
    workspace_id: str, creator: str, id: RunId, platform: str, action: str, input: dict[str, JsonValue]
) -> StoredRun:
    now = now_ms()
    return StoredRun(
        id=id,
        workspace_id=workspace_id,
        platform=platform,
        action=action,
        input=input,
        status="PENDING",
        created_by=creator,
        expires_at=now + _EXPIRES_AFTER_MS,
        created_at=now,
        updated_at=now,
    )


def _announce(run: StoredRun) -> None:
    data = {
        "runId": run.id,
        "workspaceId": run.workspace_id,
        "platform": run.platform,
        "action": run.action,
        "input": run.input,
        "expiresAt": iso(from_ms(run.expires_at)),
    }
    platform = settings().platform_workspace_id
    id = EventId.derived(run.id, "requested")
    events.announce(platform, "ACTION_REQUESTED", data, id=id, depth=run.depth, caused_by=run.caused_by)


def _finish(ended: StoredRun) -> StoredRun:
    """Store the end of a run and queue its callback. Raises store.RunChanged."""
    ended = replace(ended, updated_at=now_ms(), version=ended.version + 1)
    if ended.callback_url is None:
        store.finish(ended, ())
        if ended.resume is not None:
            _try_before_sweep(lambda: _report_end(ended), "flow not resumed")
        return ended
    body = compact_json.dumps(
        {"runId": ended.id, "status": ended.status, "output": ended.output, "error": ended.error}
    )
    action = webhooks.callback_action(ended.workspace_id, ended.id, ended.callback_url, body)
    store.finish(ended, [action])
    _try_before_sweep(lambda: _report_end(ended), "callback not queued")
    return ended


def _report_end(ended: StoredRun) -> None:
    """Notify whatever waits for a run that the run has ended. Idempotent."""
    if ended.resume is not None:
        queues.send(settings().flows_queue_url, queues.Message(ended.resume, ended.workspace_id))
        store.clear_due(ended)
    else:
        _queue_callback(ended)


def _queue_callback(ended: StoredRun) -> None:
    """Queue the delivery of a run's callback. Idempotent."""
    message = DeliveryMessage(
        id=DeliveryId.derived(ended.id, "callback"),
        workspace_id=ended.workspace_id,
        webhook_id=ended.id,
        event_id=EventId.derived(ended.id, "ended"),
        event_type="ACTION_ENDED",
        body=None,
        generation=0,
        correlation_id=ended.id,
    )
    # A workspace's callbacks are one message group, so that slow ones delay other workspaces as little as
    # possible.
    queues.send(
        settings().slow_deliveries_queue_url, queues.Message.from_value(message.fields(), ended.workspace_id)
    )
    store.clear_due(ended)


def _try_before_sweep(step: Callable[[], None], log_message: str) -> None:
    """Call a step that follows the run's write. If AWS fails, the sweep repeats the step. The caller gets no
    error, because they would repeat the request and start a second run.
    """
    try:
        step()
    except aws.CallFailed:
        logger.exception(log_message)


def _to_api(run: StoredRun) -> Run:
    return Run.model_validate(
        {
            "id": run.id,
            "platform": run.platform,
            "action": run.action,
            "input": run.input,
            "status": run.status,
            "output": run.output,
            "error": run.error,
            "expiresAt": from_ms(run.expires_at),
            "createdBy": run.created_by,
            "createdAt": from_ms(run.created_at),
            "updatedAt": from_ms(run.updated_at),
            "version": run.version,
        }
    )
