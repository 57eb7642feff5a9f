"""Templates of flows: definitions that lack only the choices of the workspace, such as the webhook.

Each is a file `flows/<key>.json`. `flows.templates` creates a flow from one and the user's choices.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator

from patchbay import catalogue
from patchbay.api_model import ApiModel
from patchbay.catalogue import entries
from patchbay.event_filters import Filters

_Sentence = Annotated[str, StringConstraints(pattern=r"^[A-Z].+\.$", max_length=200)]


def _check_event(type: str) -> str:
    if type not in catalogue.TRIGGERS:
        raise ValueError("must be an event type that can start an automation")
    return type


class PlanTrigger(ApiModel):
    """The trigger of the flow, as `FlowTrigger` has it."""

    type: Literal["event"]
    event_types: Annotated[list[Annotated[str, AfterValidator(_check_event)]], Field(min_length=1)]
    filters: Filters = Field(default_factory=list)


class FlowTemplateChoice(ApiModel):
    """What the user who installs the template chooses: a `webhook` of kind push, or an `object` of the
    platform, from its list of choices `resource`. Its ID replaces `{{choices.<key>}}` in the steps.
    """

    key: Annotated[str, StringConstraints(pattern=r"^[a-z][a-zA-Z0-9]{0,31}$")]
    type: Literal["webhook", "object"]
    resource: str | None = None
    label: Annotated[str, StringConstraints(pattern=r"^[A-Z][^.]+$", max_length=80)]
    description: _Sentence

    @model_validator(mode="after")
    def _resource_exists(self) -> Self:
        known = entries.choice_resources() if self.type == "object" else {None}
        if self.resource not in known:
            raise ValueError("resource must be the list of choices of an object, and null for a webhook")
        return self


class FlowPlan(ApiModel):
    """The file of a template. The strings of its steps can be `{{choices.<key>}}`."""

    key: str
    name: Annotated[str, StringConstraints(pattern=r"^[A-Z][^.]+$", max_length=100)]
    description: _Sentence
    trigger: PlanTrigger
    choices: list[FlowTemplateChoice]
    steps: Annotated[list[dict[str, JsonValue]], Field(min_length=1)]


def all_keys() -> list[str]:
    """The keys of all templates, sorted."""
    return sorted(catalogue.keys("flows"))


@cache
def load(key: str) -> FlowPlan:
    """The template with that key. Reads only its file. Raises KeyError."""
    if key not in all_keys():
        raise KeyError(key)
    return FlowPlan.model_validate({**entries.read("flows", key), "key": key})
