"""Builds the input of a step, with all values filled in, and checks it. Shared by runs and dry runs."""

from __future__ import annotations

from typing import Any, NamedTuple

from patchbay.catalogue.entries import check_input, without_unset
from patchbay.errors import ValidationFailed
from patchbay.flows import requests, values
from patchbay.flows.stored import Step
from patchbay.flows.turn import Content

# The maximum size of a step's input, and of its output.
MAX_BYTES = 64 * 1024


class StepFailed(Exception):
    """A step failed, and so did the run. `code` is stable; `given` is the step's input if it was built, and
    `output` is what the step returned despite the failure.
    """

    def __init__(self, code: str, detail: str, given: Any = None, output: Any = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.given = given
        self.output = output


class Given(NamedTuple):
    """The input of a step, and the paths of values that do not exist. A webhook step without `data` has
    None: it sends the event's data.
    """

    input: dict[str, Any] | None
    missing: list[str]


def fill(step: Step, content: Content) -> Given:
    """Build a step's input. Raises StepFailed if it is too large, or if the action or a URL rejects it."""
    if step["type"] == "wait":
        return Given({"seconds": step["seconds"]}, [])
    try:
        if step["type"] == "request":
            return Given(*requests.fill(step, content, MAX_BYTES))
        template = step.get("data") if step["type"] == "webhook" else step["input"]
        if template is None:
            return Given(None, [])
        filled, missing = values.fill(template, content, MAX_BYTES)
    except requests.InvalidRequest as invalid:
        raise StepFailed("invalid_input", str(invalid)) from None
    except values.TooLarge:
        raise StepFailed(
            "input_too_large",
            f"With its values filled in, the input has more than {MAX_BYTES} bytes as JSON.",
        ) from None
    if step["type"] == "action":
        try:
            filled = without_unset(step["action"], filled)
            check_input(step["action"], filled)
        except ValidationFailed as invalid:
            raise StepFailed("invalid_input", _first(invalid), filled) from None
        except KeyError:
            raise StepFailed("unknown_action", f"The action {step['action']} no longer exists.") from None
    return Given(filled, missing)


def _first(invalid: ValidationFailed) -> str:
    if not invalid.errors:
        return invalid.detail
    first, *others = invalid.errors
    return f"{first.path}: {first.message}" + (f" (and {len(others)} more)" if others else "")
