"""Shows what a definition would do with an event. Sends and stores nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from patchbay import catalogue, compact_json, event_filters
from patchbay.auth.principal import Principal
from patchbay.catalogue.entries import load_action, load_entry
from patchbay.clock import from_ms, iso, now_ms
from patchbay.events.service import MAX_DATA_BYTES
from patchbay.flows import service, steps, turn
from patchbay.flows.models import DryRun, DryRunEvent, DryRunFlow, DryRunStep, StepError, all_steps
from patchbay.flows.stored import Definition, Step, StepResult
from patchbay.ids import DeliveryId, EventId

_DEFAULT_TYPE = "POST_PUBLISHED"


def dry_run(principal: Principal, body: DryRunFlow) -> DryRun:
    """Try a definition with an event. Its webhooks and connections are not looked up, and its author's rights
    are not checked. Raises ValidationFailed for paths that no event type has, and PayloadTooLarge.
    """
    service.check_paths(principal, body)
    definition = body.to_json()
    types: list[str] = definition["trigger"]["eventTypes"]
    event_type = body.event_type or (_DEFAULT_TYPE if catalogue.ANY in types else types[0])
    data = load_entry(event_type).sample if body.data is None else body.data
    compact_json.check_size("data", data, MAX_DATA_BYTES)
    detail = _why_not(definition, event_type, data)
    tried = [] if detail else _try(definition, event_type, data)
    shown = {step.id: step for step in tried}
    return DryRun(
        event=DryRunEvent(type=event_type, data=data),
        matches=detail is None,
        detail=detail,
        status=None if detail else _end_of(tried),
        steps=[shown.get(step.id) or _skipped(step.id, step.type) for step in all_steps(body.steps)],
    )


def _why_not(definition: Definition, event_type: str, data: dict[str, Any]) -> str | None:
    trigger = definition["trigger"]
    if not {event_type, catalogue.ANY}.intersection(trigger["eventTypes"]):
        return f"The flow does not start for {event_type}."
    return event_filters.explain(trigger["filters"], data)


def _try(definition: Definition, event_type: str, data: dict[str, Any]) -> list[DryRunStep]:
    now = now_ms()
    event = {"id": EventId.new(now), "type": event_type, "timestamp": iso(from_ms(now)), "data": data}
    results: list[StepResult] = []
    shown: list[DryRunStep] = []
    while True:
        position = turn.advance(definition, results, event, now)
        shown += [_decided(result, position) for result in position.results[len(results) :]]
        if position.step is None:
            return shown
        tried = _tried(position.step, turn.content(event, position.results))
        shown.append(tried)
        if tried.status == "FAILED":
            return shown
        done = StepResult(id=tried.id, type=tried.type, status="SUCCEEDED", startedAt=now, endedAt=now)
        results = [*position.results, {**done, "output": tried.output}]


def _end_of(tried: Sequence[DryRunStep]) -> Literal["SUCCEEDED", "STOPPED", "FAILED"]:
    last = tried[-1].status
    return "SUCCEEDED" if last == "SKIPPED" else last


def _decided(result: StepResult, position: turn.Position) -> DryRunStep:
    """The result of a filter or a branch."""
    output = result.get("output")
    if output is not None:
        detail = (
            "All conditions match: continues with `then`." if output["matched"] else "Continues with `else`."
        )
    else:
        detail = "All filters match." if result["status"] == "SUCCEEDED" else str(position.reason)
    return DryRunStep(
        id=result["id"],
        type=result["type"],
        status="STOPPED" if result["status"] == "STOPPED" else "SUCCEEDED",
        input=None,
        output=output,
        error=None,
        detail=detail,
        missing=[],
    )


def _tried(step: Step, content: turn.Content) -> DryRunStep:
    try:
        given = steps.fill(step, content)
    except steps.StepFailed as failed:
        error = StepError(code=failed.code, detail=failed.detail)
        return DryRunStep(
            id=step["id"],
            type=step["type"],
            status="FAILED",
            input=failed.given,
            output=None,
            error=error,
            detail="The run would fail here.",
            missing=[],
        )
    output, detail = _example(step)
    return DryRunStep(
        id=step["id"],
        type=step["type"],
        status="SUCCEEDED",
        input=content["event"]["data"] if given.input is None else given.input,
        output=output,
        error=None,
        detail=detail,
        missing=given.missing,
    )


def _example(step: Step) -> tuple[dict[str, Any], str]:
    """An example of a step's output, and a description of what the step does."""
    if step["type"] == "wait":
        return {}, f"Waits for {step['seconds']} s."
    if step["type"] == "webhook":
        event_id = EventId.new()
        output = {"eventId": event_id, "deliveryId": DeliveryId.derived(event_id, step["webhookId"])}
        return output, f"Sends this to the webhook {step['webhookId']}."
    if step["type"] == "request":
        connection = f"the connection {step['connectionId']} of {step['integrationId']}"
        return {
            "status": 200,
            "body": {},
            "isTruncated": False,
        }, f"Sends this request with the token of {connection}."
    action = load_action(step["action"])
    return dict(action.sample.output), f"Asks the platform: {action.label}."


def _skipped(id: str, type: Any) -> DryRunStep:
    return DryRunStep(
        id=id,
        type=type,
        status="SKIPPED",
        input=None,
        output=None,
        error=None,
        detail="Does not run for this event.",
        missing=[],
    )
