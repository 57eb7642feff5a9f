"""Templates of automations: plans for common uses, with a trigger and steps.

Each is a file `templates/<key>.json`. The marketplace lists them, and an installed one has the plan to build
in Zapier, Make or n8n. A step is an action from the catalogue, or one of another app, in that app's terms.
Some name a flow template, which needs no other platform: the flow sends to a webhook of the workspace what
the plan gives to the other app.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator

from patchbay import catalogue
from patchbay.api_model import ApiModel
from patchbay.catalogue import entries, flow_templates
from patchbay.event_filters import Filters

_ShortText = Annotated[str, StringConstraints(min_length=1, max_length=80)]


def _check_event(key: str) -> str:
    if key not in catalogue.TRIGGERS:
        raise ValueError("must be an event type that can start an automation")
    return key


class EventTrigger(ApiModel):
    """A Patchbay event starts it."""

    event: Annotated[str, AfterValidator(_check_event)]
    filters: Filters = Field(default_factory=list)


class AppTrigger(ApiModel):
    """Another app starts it."""

    app: _ShortText
    trigger: _ShortText


class ActionStep(ApiModel):
    """An action from the catalogue. Values may contain `{{…}}` for the results of earlier steps."""

    action: str
    input: dict[str, JsonValue]

    @model_validator(mode="after")
    def _matches_catalogue(self) -> Self:
        if self.action not in catalogue.ACTIONS:
            raise ValueError("action must be in the catalogue")
        schema = entries.load_action(self.action).input
        properties, required = schema["properties"], schema["required"]
        if not (isinstance(properties, dict) and isinstance(required, list)):
            raise ValueError("the action's schema names no fields")
        if not set(map(str, required)) <= self.input.keys() <= properties.keys():
            raise ValueError("input must have only fields of the action, and all required ones")
        return self


class AppStep(ApiModel):
    """An action of another app."""

    app: _ShortText
    action: _ShortText
    fields: dict[str, JsonValue]


class AutomationTemplate(ApiModel):
    """The file of a template."""

    key: str
    name: Annotated[str, StringConstraints(pattern=r"^[A-Z][^.]+$", max_length=100)]
    platform: Literal["zapier", "make", "n8n"]
    description: Annotated[str, StringConstraints(pattern=r"^[A-Z].+\.$", max_length=200)]
    when: EventTrigger | AppTrigger
    then: Annotated[list[ActionStep | AppStep], Field(min_length=1, max_length=5)]
    flow: str | None = None

    @model_validator(mode="after")
    def _uses_patchbay(self) -> Self:
        steps = [self.when, *self.then]
        if not any(isinstance(step, EventTrigger | ActionStep) for step in steps):
            raise ValueError("must have a Patchbay event or an action from the catalogue")
        return self

    @model_validator(mode="after")
    def _flow_has_the_same_trigger(self) -> Self:
        if self.flow is None:
            return self
        if self.flow not in flow_templates.all_keys():
            raise ValueError("flow must be the key of a template of a flow")
        trigger = flow_templates.load(self.flow).trigger
        same = EventTrigger.model_construct(event=trigger.event_types[0], filters=trigger.filters)
        if len(trigger.event_types) > 1 or self.when != same:
            raise ValueError("the flow must begin with the same event")
        return self


@cache
def all_templates() -> tuple[AutomationTemplate, ...]:
    """Every template, sorted by key."""
    return tuple(
        AutomationTemplate.model_validate({**entries.read("templates", key), "key": key})
        for key in sorted(catalogue.keys("templates"))
    )
