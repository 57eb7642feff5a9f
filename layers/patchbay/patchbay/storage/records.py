"""Dataclasses as rows and back: a field `created_at` is the attribute `createdAt`, unless the field's
metadata names another `attribute`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from functools import cache
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_type_hints

from pydantic.alias_generators import to_camel

from patchbay.ids import Id
from patchbay.settings import settings
from patchbay.storage.dynamo import Row


class Record(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Kept = TypeVar("Kept", bound=Record)


def to_row(record: Record) -> Row:
    """Every field under its camelCase name; `dynamo` leaves out those that are None."""
    return {name: getattr(record, attribute) for attribute, name, _ in _columns(type(record))}


def from_row(kind: type[Kept], row: Mapping[str, Any]) -> Kept:
    """The record of a row; what the row does not have takes its default, ids take their type."""
    values = {
        attribute: row[name] if id_type is None else id_type(row[name])
        for attribute, name, id_type in _columns(kind)
        if name in row
    }
    return kind(**values)


def kept_until(now: int) -> int:
    """The TTL (Unix seconds) of a row that is kept for RetentionDays from `now` (Unix milliseconds) on."""
    return now // 1000 + settings().retention_days * 86_400


@cache
def _columns(kind: type[Record]) -> list[tuple[str, str, type[Id] | None]]:
    hints = get_type_hints(kind)
    columns: list[tuple[str, str, type[Id] | None]] = []
    for field in fields(kind):
        hint = hints[field.name]
        ids = [kind for kind in (hint, *get_args(hint)) if isinstance(kind, type) and issubclass(kind, Id)]
        attribute = field.metadata.get("attribute", to_camel(field.name))
        columns.append((field.name, attribute, ids[0] if ids else None))
    return columns
