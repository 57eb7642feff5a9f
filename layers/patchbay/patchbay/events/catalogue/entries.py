"""What is known of each event type: words for people, the JSON Schema of its data, and a sample.

Adding a type is adding its file. From the same files the catalogue's route answers, and the automation apps
and the docs are made; so a schema keeps to a few keywords that all of these understand.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from patchbay.events import catalogue
from patchbay.schema import ApiModel

Kind = Literal["publishable", "operational", "platform"]
_KINDS: tuple[tuple[Kind, frozenset[str]], ...] = (
    ("publishable", catalogue.PUBLISHABLE),
    ("operational", catalogue.OPERATIONAL),
    ("platform", catalogue.PLATFORM_ONLY),
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Without `$ref`, which could lead elsewhere, and `pattern`, which can take for ever on the wrong text.
_KEYWORDS = {"title", "description", "type", "properties", "required", "items", "enum", "format"}
_TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}
_FORMATS = {"date-time", "uri"}


def _check_schema(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    inner = dict(schema)
    if inner.pop("$schema", None) != DIALECT or inner.get("type") != "object":
        raise ValueError(f"must be of an object, in the dialect {DIALECT}")
    _check_part(inner, "schema")
    return schema


def _check_part(part: Any, where: str) -> None:
    """Whether a schema within a schema keeps to what the module's docstring says."""
    if not isinstance(part, dict) or not part.keys() <= _KEYWORDS:
        raise ValueError(f"{where} must be an object of {sorted(_KEYWORDS)}")
    types = part["type"] if isinstance(part.get("type"), list) else [part.get("type")]
    if not set(types) <= _TYPES:
        raise ValueError(f"{where}.type must be of {sorted(_TYPES)}")
    if part.get("format", "uri") not in _FORMATS:
        raise ValueError(f"{where}.format must be one of {sorted(_FORMATS)}")
    properties = part.get("properties", {})
    if missing := set(part.get("required", ())) - properties.keys():
        raise ValueError(f"{where} requires {sorted(missing)}, which it does not describe")
    for name, inner in properties.items():
        if not isinstance(inner, dict) or not {"title", "description"} <= inner.keys():
            raise ValueError(f"{where}.{name} needs a title and a description")
        _check_part(inner, f"{where}.{name}")
    if "items" in part:
        _check_part(part["items"], f"{where}.items")


# As Zapier's publishing rules ask: Title Case, and a sentence that begins and ends so.
_Title = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]*( [A-Z][A-Za-z]*)*$", max_length=60)]
_Sentence = Annotated[str, StringConstraints(pattern=r"^Triggers when [^.]+\.$", max_length=200)]
_Schema = Annotated[dict[str, JsonValue], AfterValidator(_check_schema)]


class EventTypeInfo(ApiModel):
    """An event type as the catalogue's route tells it. `schema` (JSON Schema 2020-12) and `sample` are of an
    event's `data`; further fields may come along.

    `kind` says whose it is: `publishable` for the platform and its workspaces, `operational` for Patchbay
    itself, `platform` for what goes to the platform's own workspace only.
    """

    key: str
    kind: Kind
    description: _Sentence
    json_schema: Annotated[_Schema, Field(alias="schema")]
    sample: dict[str, JsonValue]


class Entry(EventTypeInfo):
    """A file of the catalogue. `noun` is what the event is about, `label` its name in the automation apps."""

    noun: _Title
    label: _Title

    def info(self) -> EventTypeInfo:
        return EventTypeInfo.model_validate(self.model_dump(exclude={"noun", "label"}))


@cache
def all_entries() -> tuple[Entry, ...]:
    """Every event type: those that are published first, each kind in order of its keys."""
    return tuple(_read(kind, key) for kind, keys in _KINDS for key in sorted(keys))


@cache
def load(key: str) -> Entry:
    """The event type of that key. Only its own file is read. Raises KeyError."""
    for kind, keys in _KINDS:
        if key in keys:
            return _read(kind, key)
    raise KeyError(key)


def _read(kind: Kind, key: str) -> Entry:
    with open(os.path.join(catalogue.FOLDER, kind, f"{key}.json"), encoding="utf-8") as file:
        return Entry.model_validate({**json.load(file), "key": key, "kind": kind})
