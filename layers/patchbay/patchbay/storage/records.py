"""Dataclasses to rows and back: the field `created_at` is the attribute `createdAt`, unless the field's
metadata names another `attribute`.
"""

from __future__ import annotations

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


Stored = TypeVar("Stored", bound=Record)


def to_row(record: Record) -> Row:
    """A row with an attribute for every field. `dynamo` leaves out the fields that are None."""
    return {attribute: getattr(record, field) for field, attribute, _ in _columns(type(record))}


def from_row(kind: type[Stored], row: Row) -> Stored:
    """A row as a `kind`. Absent attributes take the field's default, and IDs are converted to their type."""
    values = {
        field: row[attribute] if id_type is None else id_type(row[attribute])
        for field, attribute, id_type in _columns(kind)
        if attribute in row
    }
    return kind(**values)


def retention_ttl(now: int, days: int | None = None) -> int:
    """The TTL (Unix seconds) of a row that is kept from `now` (Unix milliseconds) for `days`, the workspace's
    own retention, or else for RetentionDays.
    """
    return now // 1000 + min(days or settings().retention_days, settings().retention_days) * 86_400


@cache
def _columns(kind: type[Record]) -> list[tuple[str, str, type[Id] | None]]:
    """(field, attribute, ID type if any) of each field of a dataclass."""
    hints = get_type_hints(kind)
    columns: list[tuple[str, str, type[Id] | None]] = []
    for field in fields(kind):
        hint = hints[field.name]
        types = (hint, *get_args(hint))  # `Id`, or the members of `Id | None`
        id_types = [member for member in types if isinstance(member, type) and issubclass(member, Id)]
        attribute = field.metadata.get("attribute", to_camel(field.name))
        columns.append((field.name, attribute, id_types[0] if id_types else None))
    return columns
