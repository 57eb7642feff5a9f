"""Erases the data of one event and what flows made of it.

    the event, its deliveries    see `deliveries.erase`
    its runs                     what their steps got and returned is removed; a run that is open is cancelled
    what the runs did            the events that they sent to webhooks, with their deliveries, and the inputs
                                 and outputs of actions

The platform has the input of an action that it was asked for, as an event of its own workspace. A step that
is in progress can still send. A crash leaves some of the data in place; repeating the request erases the
rest.
"""

from __future__ import annotations

from contextlib import suppress

from patchbay.api_model import Empty
from patchbay.auth.principal import Principal
from patchbay.automations import runs as actions
from patchbay.clock import now_ms
from patchbay.deliveries import erase
from patchbay.errors import NotFound, write_conflict
from patchbay.events import service as events
from patchbay.flows import states, store, turn
from patchbay.flows.stored import StepResult, StoredRun, flow_key
from patchbay.flows.worker import action_run_id, sent_event_id
from patchbay.ids import EventId, FlowRunId, RunId

_MAX_TRIES = 5


def erase_event(principal: Principal, id: EventId) -> Empty:
    """Erase the data of an event. Raises NotFound and Conflict as `deliveries.erase.erase_event` does."""
    erase.erase_event(principal, id)
    for flow_id in events.get(principal, id).flow_ids:
        _erase_run(principal, flow_key(principal.workspace_id, flow_id), FlowRunId.derived(id, flow_id))
    return Empty()


def _erase_run(principal: Principal, key: str, id: FlowRunId) -> None:
    for _ in range(_MAX_TRIES):
        run = store.get_run(key, id)
        if run is None:
            return
        # The effects first: after the run is erased, nothing says what they were.
        _erase_effects(principal, run)
        try:
            store.write_run(run, states.erased(run, now_ms()))
        except store.RunChanged:
            continue
        return
    raise write_conflict("run")


def _erase_effects(principal: Principal, run: StoredRun) -> None:
    sent = [EventId(result["output"]["eventId"]) for result in run.results if _has_sent(result)]
    asked = [RunId(result["runId"]) for result in run.results if "runId" in result]
    if run.is_open:
        # An unrecorded turn may have done any of the other steps.
        done = {result["id"] for result in run.results}
        others = [step["id"] for step in turn.all_steps(run.definition["steps"]) if step["id"] not in done]
        sent += [sent_event_id(run, id) for id in others]
        asked += [action_run_id(run, id) for id in others]
    for event_id in sent:
        with suppress(NotFound):
            erase.erase_event(principal, event_id)
    for run_id in asked:
        actions.erase_for_flow(principal.workspace_id, run_id)


def _has_sent(result: StepResult) -> bool:
    return result["type"] == "webhook" and bool(result.get("output"))
