"""What is known of each event type and each action: words for people, JSON Schemas, and a sample.

Adding one is adding its file. From the same files the catalogue's routes answer, what is published and asked
for is checked, and the automation apps and the docs are made.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, JsonValue, StringConstraints

from patchbay import catalogue
from patchbay.api_model import ApiModel
from patchbay.catalogue import schemas
from patchbay.catalogue.schemas import Schema

if TYPE_CHECKING:
    from jsonschema_rs import Validator

Kind = Literal["publishable", "operational", "platform"]
_KINDS: tuple[tuple[Kind, frozenset[str]], ...] = (
    ("publishable", catalogue.PUBLISHABLE),
    ("operational", catalogue.OPERATIONAL),
    ("platform", catalogue.PLATFORM_ONLY),
)

# As Zapier's publishing rules ask: Title Case, and a sentence that begins and ends so.
_Title = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]*( [A-Za-z]+)*$", max_length=60)]
_Trigger = Annotated[str, StringConstraints(pattern=r"^Triggers when [^.]+\.$", max_length=200)]
_Doing = Annotated[str, StringConstraints(pattern=r"^[A-Z][a-z]+s [^.]+\.$", max_length=200)]


class EventTypeInfo(ApiModel):
    """An event type as the catalogue's route tells it. `schema` (JSON Schema 2020-12) and `sample` are of an
    event's `data`; further fields may come along.

    `kind` says whose it is: `publishable` for the platform and its workspaces, `operational` for Patchbay
    itself, `platform` for what goes to the platform's own workspace only.
    """

    key: str
    kind: Kind
    description: _Trigger
    json_schema: Annotated[Schema, Field(alias="schema")]
    sample: dict[str, JsonValue]


class Entry(EventTypeInfo):
    """A file of an event type. `noun` is what the event is about, `label` its name in the automation apps."""

    noun: _Title
    label: _Title

    def info(self) -> EventTypeInfo:
        return EventTypeInfo.model_validate(self.model_dump(exclude={"noun", "label"}))


class Example(ApiModel):
    """What an action is given, and what comes of it."""

    input: dict[str, JsonValue]
    output: dict[str, JsonValue]


class Action(ApiModel):
    """A file of an action. `input` is the schema of what the platform is given, `output` of its answer."""

    key: str
    noun: _Title
    label: _Title
    description: _Doing
    input: Schema
    output: Schema
    sample: Example


@cache
def all_entries() -> tuple[Entry, ...]:
    """Every event type: those that are published first, each kind in order of its keys."""
    return tuple(load(key) for _, keys in _KINDS for key in sorted(keys))


@cache
def load(key: str) -> Entry:
    """The event type of that key. Only its own file is read. Raises KeyError."""
    for kind, keys in _KINDS:
        if key in keys:
            return Entry.model_validate({**_read(f"events/{kind}", key), "key": key, "kind": kind})
    raise KeyError(key)


def check_data(key: str, data: Any) -> None:
    """Raises ValidationFailed when data are not what an event of that type has; KeyError."""
    schemas.check(_data_validator(key), data, "data")


@cache
def _data_validator(key: str) -> Validator:
    return schemas.validator(load(key).json_schema)


@cache
def all_actions() -> tuple[Action, ...]:
    """Every action, in order of their keys."""
    return tuple(load_action(key) for key in sorted(catalogue.ACTIONS))


@cache
def load_action(key: str) -> Action:
    """The action of that key. Only its own file is read. Raises KeyError."""
    if key not in catalogue.ACTIONS:
        raise KeyError(key)
    return Action.model_validate({**_read("actions", key), "key": key})


def check_input(key: str, value: Any) -> None:
    """Raises ValidationFailed when that is not what the action takes; KeyError."""
    schemas.check(_input_validator(key), value, "input")


def check_output(key: str, value: Any) -> None:
    """Raises ValidationFailed when that is not what the action gives; KeyError."""
    schemas.check(_output_validator(key), value, "output")


@cache
def _input_validator(key: str) -> Validator:
    return schemas.validator(load_action(key).input)


@cache
def _output_validator(key: str) -> Validator:
    return schemas.validator(load_action(key).output)


@cache
def resources() -> frozenset[str]:
    """The names of the lists that the platform fills: those to choose from, such as `accounts`, and those
    whose ids actions return, such as `posts`.
    """
    outputs = [action.output for action in all_actions()]
    return chosen().union(name for part in outputs for name in schemas.choices_in(part))


@cache
def chosen() -> frozenset[str]:
    """The lists whose ids users choose, in a field of an action or in a filter."""
    parts = [entry.json_schema for entry in all_entries()]
    parts += [action.input for action in all_actions()]
    return frozenset(name for part in parts for name in schemas.choices_in(part))


def _read(folder: str, key: str) -> dict[str, Any]:
    with open(os.path.join(catalogue.FOLDER, folder, f"{key}.json"), encoding="utf-8") as file:
        content: dict[str, Any] = json.load(file)
    return content
