"""Actions: what an automation asks the platform to do, and how it ends.

A run is stored before anybody hears of it. The platform is told by an ACTION_REQUESTED event in its own
workspace, whose id derives from the run's; told twice, that is one event. Where a process dies between the
two, or between a run's end and its callback, the sweep does what is left, within a minute:
    pending     told once more after a minute, for the first telling may be lost; FAILED at `expiresAt`
    ended       its callback is queued; the delivery's id derives from the run's, so that is one delivery
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from patchbay import aws, catalogue, compact_json, queues
from patchbay.api_model import Listing
from patchbay.auth.principal import Principal
from patchbay.automations import store
from patchbay.automations.models import (
    ActionInfo,
    ActionKey,
    Actions,
    AnswerRun,
    AutomationPlatform,
    Run,
    RunQuery,
    StartRun,
    Succeeded,
)
from patchbay.automations.store import StoredRun
from patchbay.catalogue.entries import Action, all_actions, check_input, check_output, load_action
from patchbay.clock import at_ms, iso, now_ms
from patchbay.deliveries.models import DeliveryMessage
from patchbay.errors import Conflict, NotFound, check_version
from patchbay.events import service as events
from patchbay.ids import DeliveryId, EventId, RunId
from patchbay.observability import logger
from patchbay.outbound.registration import check_registered_url
from patchbay.settings import settings
from patchbay.storage import due_index
from patchbay.webhooks import service as webhooks

if TYPE_CHECKING:
    from patchbay.idempotency import Once

_ANSWER_MS = 15 * 60_000
_TELL_AGAIN_MS = 60_000
# Of an input, and of an output.
_MAX_BYTES = 64 * 1024
_NOT_ANSWERED = "The platform did not answer within 15 minutes."
# What one run of the sweep may take at most; the next, a minute later, goes on.
_RESERVE_MS = 10_000


def list_actions() -> Actions:
    """What automations may ask for."""
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
    """Ask the platform for an action. Raises ValidationFailed for an input that does not fit, or a URL that
    is not called; PayloadTooLarge.
    """
    action = load_action(key)
    given = _filled_in(action, body.input)
    check_input(key, given)
    compact_json.check_size("input", given, _MAX_BYTES)
    if body.callback_url is not None:
        check_registered_url("callbackUrl", body.callback_url)
    now = now_ms()
    id = RunId.new(now)
    run = StoredRun(
        id=id,
        workspace_id=principal.workspace_id,
        platform=platform,
        action=key,
        input=given,
        status="PENDING",
        callback_url=body.callback_url,
        expires_at=now + _ANSWER_MS,
        created_at=now,
        updated_at=now,
    )
    shown = _shown(run)
    store.create(run, principal.id, now + _TELL_AGAIN_MS, once.completing(shown) if once else ())
    _unless_aws_fails(lambda: _tell(run), "action not announced; the sweep will")
    return shown


def list_runs(principal: Principal, platform: AutomationPlatform, query: RunQuery) -> Listing[Run]:
    page = store.page(
        principal.workspace_id, platform, status=query.status, limit=query.limit, cursor=query.cursor
    )
    return Listing.of(page.map(_shown))


def get(principal: Principal, platform: AutomationPlatform, id: RunId) -> Run:
    """Raises NotFound, also for another workspace's, or another platform's."""
    run = store.get(id)
    if run is None or (run.workspace_id, run.platform) != (principal.workspace_id, platform):
        raise NotFound(f"There is no such run of {platform.label}.")
    return _shown(run)


def answer(id: RunId, body: AnswerRun, if_match: int | None = None) -> Run:
    """The platform's word on a run of any workspace. The same word again is answered the same.

    Raises NotFound, ValidationFailed for an output that does not fit, PayloadTooLarge, Conflict for a run
    that has ended otherwise, or when `if_match` is not the version of one that is pending.
    """
    run = _read(id)
    said = body.root
    if isinstance(said, Succeeded):
        if run.action in catalogue.ACTIONS:
            check_output(run.action, said.output)
        compact_json.check_size("output", said.output, _MAX_BYTES)
        ended = replace(run, status=said.status, output=said.output)
    else:
        ended = replace(run, status=said.status, error=said.error)
    if run.status == "PENDING":
        check_version("run", run.version, if_match)
        if now_ms() >= run.expires_at:
            raise Conflict("This run has expired: it was to be answered within 15 minutes.")
        try:
            return _shown(_finish(ended))
        except store.RunChanged:
            run = _read(id)
    if (run.status, run.output, run.error) != (ended.status, ended.output, ended.error):
        raise Conflict(f"This run has ended {run.status} already, and stays so.")
    return _shown(run)


def sweep(remaining_ms: Callable[[], int]) -> int:
    """See to the runs that are due; returns how many. What fails is due again by itself."""
    seen = 0
    due = [store.due(shard, now_ms()) for shard in due_index.SHARDS]
    for id in due_index.in_turns(due, remaining_ms, _RESERVE_MS):
        try:
            _see_to(id)
        except Exception:
            # Our own fault or AWS's: the others go on, and this one is looked at again.
            logger.exception("run not seen to", run_id=id)
        seen += 1
    return seen


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(id: RunId) -> StoredRun:
    run = store.get(id)
    if run is None:
        raise NotFound("There is no such run.")
    return run


def _see_to(id: RunId) -> None:
    run = store.get(id)
    if run is None:
        return
    if run.status != "PENDING":
        # Without a callback the index was behind: there is nothing to do for one that has ended.
        if run.callback_url is not None:
            _call_back(run)
    elif now_ms() < run.expires_at:
        _tell(run)
        store.put_off(run, run.expires_at)
    else:
        try:
            _finish(replace(run, status="FAILED", error=_NOT_ANSWERED))
        except store.RunChanged:
            return  # answered in the last moment


def _tell(run: StoredRun) -> None:
    data = {
        "runId": run.id,
        "workspaceId": run.workspace_id,
        "platform": run.platform,
        "action": run.action,
        "input": run.input,
        "expiresAt": iso(at_ms(run.expires_at)),
    }
    platform = settings().platform_workspace_id
    events.announce(platform, "ACTION_REQUESTED", data, id=EventId.derived(run.id, "requested"))


def _finish(ended: StoredRun) -> StoredRun:
    """Store how a run ended, and have it called back. Raises store.RunChanged."""
    ended = replace(ended, updated_at=now_ms(), version=ended.version + 1)
    if ended.callback_url is None:
        store.finish(ended, ())
        return ended
    body = compact_json.dumps(
        {"runId": ended.id, "status": ended.status, "output": ended.output, "error": ended.error}
    )
    receiver = webhooks.adding_callback(ended.workspace_id, ended.id, ended.callback_url, body)
    store.finish(ended, [receiver])
    _unless_aws_fails(lambda: _call_back(ended), "callback not queued; the sweep will")
    return ended


def _call_back(ended: StoredRun) -> None:
    """Queue the one delivery of a run's callback. Safe to repeat."""
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
    # One workspace's callbacks are one group: those that hang keep the queue from others as little as may be.
    queues.send(settings().slow_deliveries_queue_url, queues.Message.of(message.fields(), ended.workspace_id))
    store.settled(ended)


def _unless_aws_fails(step: Callable[[], None], what_then: str) -> None:
    """Do the second half of what is stored already. If AWS fails now, the caller need not know: repeating
    the request would ask for it twice.
    """
    try:
        step()
    except aws.CallFailed:
        logger.exception(what_then)


def _filled_in(action: Action, given: dict[str, Any]) -> dict[str, Any]:
    """The input without the fields that nobody filled in: automation platforms send those as `""` or null."""
    properties: Any = action.input["properties"]
    return {name: value for name, value in given.items() if not (name in properties and value in ("", None))}


def _shown(run: StoredRun) -> Run:
    return Run.model_validate(
        {
            "id": run.id,
            "platform": run.platform,
            "action": run.action,
            "input": run.input,
            "status": run.status,
            "output": run.output,
            "error": run.error,
            "expiresAt": at_ms(run.expires_at),
            "createdAt": at_ms(run.created_at),
            "updatedAt": at_ms(run.updated_at),
            "version": run.version,
        }
    )
