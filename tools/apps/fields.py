"""Shared by the generators of the apps: the fields of a schema, for forms and lists of outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from patchbay import catalogue
from patchbay.automations import hooks
from patchbay.catalogue.entries import Entry, all_entries
from patchbay.catalogue.schemas import CHOICES, MULTILINE, allowed_types


@dataclass(frozen=True)
class Field:
    """A property of a schema. `kind` is its JSON type without null, or for a list the type of its items."""

    name: str
    title: str
    description: str
    kind: str
    format: str | None
    is_list: bool
    is_required: bool
    choices: str | None
    options: tuple[str, ...]
    is_multiline: bool


def fields_of(schema: dict[str, Any]) -> Iterator[Field]:
    """Yield the properties of an object's schema, in the schema's order."""
    for name, part in schema["properties"].items():
        is_list = "array" in allowed_types(part)
        inner = part["items"] if is_list else part
        (kind,) = [kind for kind in allowed_types(inner) if kind != "null"]
        yield Field(
            name=name,
            title=part["title"],
            description=part["description"],
            kind=kind,
            format=inner.get("format"),
            is_list=is_list,
            is_required=name in schema["required"],
            choices=part.get(CHOICES),
            options=tuple(inner.get("enum", ())),
            is_multiline=part.get(MULTILINE, False),
        )


def triggers() -> list[Entry]:
    """The event types that can start an automation, by key."""
    return [entry for entry in all_entries() if entry.type in catalogue.TRIGGERS]


def sample_of(entry: Entry) -> dict[str, object]:
    """The catalogue's sample of an event, as a hook receives it and the samples route returns it."""
    return hooks.sample(entry.type).model_dump(mode="json", by_alias=True)


def title_of(option: str) -> str:
    """The title of an enum's option: `pending_approval` becomes Pending Approval."""
    return option.replace("_", " ").title()
