"""The entries of the catalogue: texts, JSON Schemas and a sample of each event type and each action.

To add one, add its file. The same files feed the catalogue's routes, the validation of published data and
requested actions, the automation apps, and the docs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
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

# Zapier's publishing rules require title case, and sentences with this start and end.
_Title = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]*( [A-Za-z]+)*$", max_length=60)]
_TriggerSentence = Annotated[str, StringConstraints(pattern=r"^Triggers when [^.]+\.$", max_length=200)]
_ActionSentence = Annotated[str, StringConstraints(pattern=r"^[A-Z][a-z]+s [^.]+\.$", max_length=200)]


class EventTypeInfo(ApiModel):
    """An event type as the catalogue's route returns it. `schema` (JSON Schema 2020-12) and `sample` describe
    an event's `data`, which may have further fields.

    `kind`: `publishable` events come from the platform and its workspaces, `operational` events are
    Patchbay's own, and `platform` events go only to the platform's own workspace.
    """

    type: str
    kind: Kind
    description: _TriggerSentence
    json_schema: Annotated[Schema, Field(alias="schema")]
    sample: dict[str, JsonValue]


class Entry(EventTypeInfo):
    """The file of an event type. `noun` is the subject of the event, `label` its name in automation apps."""

    noun: _Title
    label: _Title

    def to_api(self) -> EventTypeInfo:
        return EventTypeInfo.model_validate(self.model_dump(exclude={"noun", "label"}))


class Example(ApiModel):
    """The input of an action and its output."""

    input: dict[str, JsonValue]
    output: dict[str, JsonValue]


class Action(ApiModel):
    """The file of an action. `input` is the schema of the platform's input, `output` of its result."""

    key: str
    noun: _Title
    label: _Title
    description: _ActionSentence
    input: Schema
    output: Schema
    sample: Example


@cache
def all_entries() -> tuple[Entry, ...]:
    """Every event type: publishable ones first, and each kind sorted by name."""
    return tuple(load_entry(type) for _, types in _KINDS for type in sorted(types))


@cache
def load_entry(type: str) -> Entry:
    """An event type's entry. Reads only its file. Raises KeyError."""
    for kind, types in _KINDS:
        if type in types:
            return Entry.model_validate({**read(f"events/{kind}", type), "type": type, "kind": kind})
    raise KeyError(type)


def check_data(type: str, data: object) -> None:
    """Raises ValidationFailed for data that does not match the event type's schema; KeyError."""
    schemas.check(_data_validator(type), data, "data")


@cache
def _data_validator(type: str) -> Validator:
    return schemas.validator(load_entry(type).json_schema)


@cache
def all_actions() -> tuple[Action, ...]:
    """Every action, sorted by key."""
    return tuple(load_action(key) for key in sorted(catalogue.ACTIONS))


@cache
def load_action(key: str) -> Action:
    """The action with that key. Reads only its file. Raises KeyError."""
    if key not in catalogue.ACTIONS:
        raise KeyError(key)
    return Action.model_validate({**read("actions", key), "key": key})


def without_unset(key: str, input: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The input of an action without its fields that are `""` or null: automation platforms send those for
    empty fields. Raises KeyError.
    """
    properties: Any = load_action(key).input["properties"]
    return {name: value for name, value in input.items() if not (name in properties and value in ("", None))}


def check_input(key: str, value: object) -> None:
    """Raises ValidationFailed for a value that does not match the schema of the action's input; KeyError."""
    schemas.check(_input_validator(key), value, "input")


def check_output(key: str, value: object) -> None:
    """Raises ValidationFailed for a value that does not match the schema of the action's output; KeyError."""
    schemas.check(_output_validator(key), value, "output")


@cache
def _input_validator(key: str) -> Validator:
    return schemas.validator(load_action(key).input)


@cache
def _output_validator(key: str) -> Validator:
    return schemas.validator(load_action(key).output)


@cache
def resources() -> frozenset[str]:
    """The names of the lists that the platform fills: those that users choose from, such as `accounts`, and
    those whose IDs actions return, such as `posts`.
    """
    outputs = [action.output for action in all_actions()]
    return choice_resources().union(name for schema in outputs for name in schemas.choices_in(schema))


@cache
def choice_resources() -> frozenset[str]:
    """The lists that users choose from, in a field of an action or in a filter."""
    inputs = [entry.json_schema for entry in all_entries()]
    inputs += [action.input for action in all_actions()]
    return frozenset(name for schema in inputs for name in schemas.choices_in(schema))


def read(folder: str, key: str) -> dict[str, Any]:
    """The content of a file of the catalogue."""
    with open(os.path.join(catalogue.FOLDER, folder, f"{key}.json"), encoding="utf-8") as file:
        content: dict[str, Any] = json.load(file)
    return content
