"""The part of a run that needs no AWS: which step is next, and what filters and branches decide.

Steps, results and definitions are JSON, in their stored form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from patchbay import event_filters
from patchbay.flows.stored import OPEN, Definition, Step, StepResult

# What values and conditions can read: `{event: {id, type, timestamp, data}, steps: {<id>: {output}}}`.
Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run is after its filters and branches: at a `step` that does something, or at its end, with the
    status `ended`.
    """

    results: Sequence[StepResult]
    step: Step | None
    ended: Literal["SUCCEEDED", "STOPPED"] = "SUCCEEDED"
    reason: str | None = None
    ended_at_step: str | None = None


def content(event: Mapping[str, Any], results: Sequence[StepResult]) -> Content:
    """What values can read after these results. `event` is `{id, type, timestamp, data}`."""
    outputs = {result["id"]: {"output": result.get("output")} for result in results}
    return {"event": event, "steps": outputs}


def advance(
    definition: Definition, results: Sequence[StepResult], event: Mapping[str, Any], now: int
) -> Position:
    """Pass all filters and branches up to the next step that does something."""
    done = list(results)
    while True:
        step = _next(definition["steps"], {result["id"]: result for result in done})
        if step is None:
            return Position(done, None)
        if step["type"] == "filter":
            failed = event_filters.explain(step["filters"], content(event, done))
            done.append(_decided(step, "SUCCEEDED" if failed is None else "STOPPED", None, now))
            if failed is not None:
                return Position(done, None, "STOPPED", failed, step["id"])
        elif step["type"] == "branch":
            matched = event_filters.explain(step["condition"], content(event, done)) is None
            done.append(_decided(step, "SUCCEEDED", {"matched": matched}, now))
        else:
            return Position(done, step)


def all_steps(steps: Sequence[Step]) -> Iterator[Step]:
    """Every step, including those inside branches, in order."""
    for step in steps:
        yield step
        yield from all_steps(step.get("then", ()))
        yield from all_steps(step.get("else", ()))


def _next(steps: Sequence[Step], results: Mapping[str, StepResult]) -> Step | None:
    """The first step that has not ended, on the side that each branch took."""
    for step in steps:
        result = results.get(step["id"])
        if result is None or result["status"] in OPEN:
            return step
        if step["type"] == "branch":
            inner = _next(step["then" if result["output"]["matched"] else "else"], results)
            if inner is not None:
                return inner
    return None


def _decided(
    step: Step, status: Literal["SUCCEEDED", "STOPPED"], output: dict[str, Any] | None, now: int
) -> StepResult:
    result = StepResult(id=step["id"], type=step["type"], status=status, startedAt=now, endedAt=now)
    return result if output is None else {**result, "output": output}
