"""Ready-made automations for common uses, as data: what begins one, and what it then does.

Each is a file `templates/<key>.json`. The marketplace lists them; whoever installs one has the plan of what
to build in Zapier, Make or n8n. A step is of another app, in that app's own words, or an action of ours.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator

from patchbay import catalogue
from patchbay.api_model import ApiModel
from patchbay.catalogue import entries
from patchbay.webhooks.filters import Filters

_Words = Annotated[str, StringConstraints(min_length=1, max_length=80)]


def _trigger(key: str) -> str:
    if key not in catalogue.TRIGGERS:
        raise ValueError("must be an event type that automations may begin with")
    return key


class OurTrigger(ApiModel):
    """It begins with an event of ours."""

    event: Annotated[str, AfterValidator(_trigger)]
    filters: Filters = Field(default_factory=list)


class TheirTrigger(ApiModel):
    """It begins in another app."""

    app: _Words
    trigger: _Words


class OurStep(ApiModel):
    """An action of ours. Values may hold `{{…}}` for what an earlier step gave."""

    action: str
    input: dict[str, JsonValue]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.action not in catalogue.ACTIONS:
            raise ValueError("action must be one of the catalogue")
        schema = entries.load_action(self.action).input
        properties, required = schema["properties"], schema["required"]
        if not (isinstance(properties, dict) and isinstance(required, list)):
            raise ValueError("the action's schema names no fields")
        if not set(map(str, required)) <= self.input.keys() <= properties.keys():
            raise ValueError("input must have the fields of the action, and all that it requires")
        return self


class TheirStep(ApiModel):
    """An action of another app."""

    app: _Words
    action: _Words
    fields: dict[str, JsonValue]


class AutomationTemplate(ApiModel):
    """A file of the catalogue."""

    key: str
    name: Annotated[str, StringConstraints(pattern=r"^[A-Z][^.]+$", max_length=100)]
    platform: Literal["zapier", "make", "n8n"]
    description: Annotated[str, StringConstraints(pattern=r"^[A-Z].+\.$", max_length=200)]
    when: OurTrigger | TheirTrigger
    then: Annotated[list[OurStep | TheirStep], Field(min_length=1, max_length=5)]

    @model_validator(mode="after")
    def _uses_us(self) -> Self:
        if not isinstance(self.when, OurTrigger) and not any(isinstance(step, OurStep) for step in self.then):
            raise ValueError("nothing in it is ours")
        return self


@cache
def all_templates() -> tuple[AutomationTemplate, ...]:
    """Every template, in order of their keys."""
    folder = os.path.join(catalogue.FOLDER, "templates")
    found = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                content = {**json.load(file), "key": name.removesuffix(".json")}
            found.append(AutomationTemplate.model_validate(content))
    return tuple(found)
