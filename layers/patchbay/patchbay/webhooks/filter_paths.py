"""Rejects filters whose path is in no schema of the webhook's event types. Such a path is most likely a typo,
and would silently block all events.

A schema describes a path if its `properties` and `items` lead there. An object that the schema does not
describe further has every path inside it. Data may have fields that its schema does not name: to allow a
filter on such a field, the platform adds it to the catalogue. This module loads the catalogue, so import it
only where filters change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from patchbay import catalogue, suggestions
from patchbay.catalogue import schemas
from patchbay.catalogue.entries import load_entry
from patchbay.errors import FieldError
from patchbay.field_errors import validation_failed

_INDEX = re.compile(r"(0|[1-9][0-9]*)\Z", re.ASCII)
_DATA = "data."
_FIELDS_SHOWN = 10
_PATH_SHOWN = 80


def check(
    event_types: Iterable[str],
    paths: Sequence[str],
    accepted: Iterable[str] = (),
    *,
    field: str = "filters.{}.path",
    noun: str = "webhook",
) -> None:
    """Raises ValidationFailed for filter paths that no schema of the types has, except the `accepted` ones.
    An error names `field`, with the path's position, and the `noun` that has the types.
    """
    described = _schemas(event_types)
    kept = set(accepted)
    errors = [
        FieldError(field.format(number), _message(path, described, noun))
        for number, path in enumerate(paths)
        if path not in kept and not _is_described(path, described)
    ]
    if errors:
        raise validation_failed(errors)


def undescribed(event_types: Iterable[str], paths: Iterable[str]) -> list[str]:
    """The paths that no schema of the types has."""
    described = _schemas(event_types)
    return [path for path in paths if not _is_described(path, described)]


def _schemas(event_types: Iterable[str]) -> list[Mapping[str, Any]]:
    types = set(event_types)
    if catalogue.ANY in types:
        types = set(catalogue.ALL)
    return [load_entry(type).json_schema for type in sorted(types & catalogue.ALL)]


def _is_described(path: str, described: Iterable[Mapping[str, Any]]) -> bool:
    segments = path.split(".")
    return any(_has(schema, segments) for schema in described)


def _has(schema: Mapping[str, Any], segments: Sequence[str]) -> bool:
    if not segments:
        return True
    first, rest = segments[0], segments[1:]
    types = schemas.allowed_types(schema)
    if "object" in types or types == [None]:
        properties = schema.get("properties")
        if properties is None or (first in properties and _has(properties[first], rest)):
            return True
    if "array" in types and _INDEX.match(first):
        return "items" not in schema or _has(schema["items"], rest)
    return False


def _message(path: str, described: Sequence[Mapping[str, Any]], noun: str) -> str:
    shown = path if len(path) <= _PATH_SHOWN else f"{path[:_PATH_SHOWN]}…"
    known = list(dict.fromkeys(found for schema in described for found in _paths(schema)))
    inside = path.removeprefix(_DATA)
    near = inside if _is_described(inside, described) else suggestions.nearest(inside, known)
    hint = f"did you mean `{near}`?" if near else ""
    if inside != path or path == "data":
        return f"`{shown}`: paths start inside data" + (f"; {hint}" if hint else "")
    if hint:
        return f"no event type of this {noun} has `{shown}`; {hint}"
    fields = ", ".join(f"`{name}`" for name in known[:_FIELDS_SHOWN])
    more = ", …" if len(known) > _FIELDS_SHOWN else ""
    return f"no event type of this {noun} has `{shown}`; its events have {fields}{more}"


def _paths(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The paths that a schema describes, with 0 for list indexes."""
    inner = dict(schema.get("properties", {}))
    if "items" in schema:
        inner["0"] = schema["items"]
    for name, subschema in inner.items():
        yield prefix + name
        yield from _paths(subschema, f"{prefix}{name}.")
