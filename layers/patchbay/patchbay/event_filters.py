"""Content filters: a webhook gets only events of its types whose data passes its filters.
`webhooks.matching` applies them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
)

MAX_FILTERS = 10
MAX_DEPTH = 8
MAX_VALUES = 50
# How much of a filter or of the event's value an explanation shows.
_VALUES_SHOWN = 3
_TEXT_SHOWN = 60

_SEGMENT = r"[^.\x00-\x1f\x7f]{1,64}"
_PATH = re.compile(rf"{_SEGMENT}(\.{_SEGMENT}){{0,{MAX_DEPTH - 1}}}\Z")


def _check_path(path: str) -> str:
    if not _PATH.match(path):
        raise ValueError(
            f"must be a path in the event's data, such as post.channel or tags.0, with at most {MAX_DEPTH} "
            "names of at most 64 characters"
        )
    return path


Path = Annotated[
    str,
    AfterValidator(_check_path),
    Field(
        description="A dot path into the event's data; numbers are list indexes.",
        examples=["post.channel", "tags.0"],
        json_schema_extra={"pattern": rf"^{_SEGMENT}(\.{_SEGMENT}){{0,{MAX_DEPTH - 1}}}$"},
    ),
]


def _check_storable(value: str | bool | float | None) -> str | bool | float | None:
    # Not declared as a bound of StrictInt, because Scalar would then accept a larger integer as a float.
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise ValueError("an integer must have at most 64 bits")
    # DynamoDB stores numbers up to about 1e±125.
    if isinstance(value, float) and value and not 1e-100 <= abs(value) <= 1e100:
        raise ValueError("a number must be 0, or have a magnitude of 1e-100 to 1e100")
    return value


Scalar = Annotated[
    Annotated[StrictStr, Field(max_length=256)]
    | StrictBool
    | StrictInt
    | Annotated[StrictFloat, Field(allow_inf_nan=False)]
    | None,
    AfterValidator(_check_storable),
]


class _Filter(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path


class EqualsFilter(_Filter):
    """The value at `path` equals `value`."""

    op: Literal["equals"]
    value: Scalar


class InFilter(_Filter):
    """The value at `path` equals an entry of `value`."""

    op: Literal["in"]
    value: Annotated[list[Scalar], Field(min_length=1, max_length=MAX_VALUES)]


class ExistsFilter(_Filter):
    """A value at `path` exists (`true`) or does not (`false`); null is a value."""

    op: Literal["exists"]
    value: StrictBool = True


Filter = Annotated[EqualsFilter | InFilter | ExistsFilter, Field(discriminator="op")]
Filters = Annotated[list[Filter], Field(max_length=MAX_FILTERS)]

# Sentinels for comparisons: in JSON, true does not equal 1 (in Python it does), and no list or object equals
# a filter's value.
_ABSENT, _NULL, _TRUE, _FALSE, _NESTED = (object() for _ in range(5))


class _CompiledFilter(NamedTuple):
    """A compiled filter. `accepted` has the values that pass. If it is None, only `exists` counts."""

    path: str
    accepted: frozenset[object] | None
    exists: bool


Compiled = tuple[_CompiledFilter, ...]


def compile_all(filters: Iterable[Mapping[str, Any]]) -> Compiled:
    """Compile filters in their validated JSON form. Raises ValueError for an unknown `op`."""
    return tuple(_compile(**filter_) for filter_ in filters)


class Content:
    """An event's data (parsed JSON). Looks up each path only once, however many filters read it."""

    def __init__(self, data: JsonValue) -> None:
        self._data = data
        self._values: dict[str, object] = {}

    def passes(self, filters: Compiled) -> bool:
        """Whether the data passes every filter. True if there are none."""
        return self.first_failed(filters) is None

    def first_failed(self, filters: Compiled) -> _CompiledFilter | None:
        """The first filter that the data does not pass, or None if it passes all of them."""
        for filter_ in filters:
            path, accepted, exists = filter_
            value = self._values.get(path)
            if value is None:
                found, value = look_up(self._data, path)
                value = self._values[path] = _comparable(value) if found else _ABSENT
            if accepted is None:
                if (value is not _ABSENT) is not exists:
                    return filter_
            elif value not in accepted:
                return filter_
        return None


def explain(filters: Sequence[Mapping[str, Any]], data: JsonValue) -> str | None:
    """Why the data does not pass filters (as in the API): the first one that it fails, and what it has there.
    None if it passes all of them.
    """
    compiled = compile_all(filters)
    failed = Content(data).first_failed(compiled)
    if failed is None:
        return None
    filter_ = filters[compiled.index(failed)]
    found, value = look_up(data, failed.path)
    shown = _shorten(value) if found else f"no `{failed.path}`"
    return f"filter `{failed.path}` {_condition(filter_)}: the event has {shown}"


def is_path(text: str) -> bool:
    """Whether a text has the form of a path."""
    return _PATH.match(text) is not None


def look_up(data: JsonValue, path: str) -> tuple[bool, JsonValue]:
    """Whether there is a value at a path, and the value; null if there is none."""
    for segment in path.split("."):
        if isinstance(data, dict) and segment in data:
            data = data[segment]
        elif isinstance(data, list) and _is_index(segment) and int(segment) < len(data):
            data = data[int(segment)]
        else:
            return False, None
    return True, data


def _condition(filter_: Mapping[str, Any]) -> str:
    """The operation of a filter and its value."""
    value = filter_.get("value", True)
    if filter_["op"] == "exists":
        return "exists" if value else "does not exist"
    if filter_["op"] == "equals":
        return f"equals {_shorten(value)}"
    others = len(value) - _VALUES_SHOWN
    shown = ", ".join(map(_shorten, value[:_VALUES_SHOWN]))
    return f"is one of {shown}" + (f" or {others} more" if others > 0 else "")


def _shorten(value: object) -> str:
    """A value as JSON, for people: long text is cut, and a list or an object is not shown."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str) and len(value) > _TEXT_SHOWN:
        value = value[:_TEXT_SHOWN] + "…"
    return json.dumps(value, ensure_ascii=False)


def _compile(path: str, op: str, value: Any = True) -> _CompiledFilter:
    match op:
        case "exists":
            return _CompiledFilter(path, None, value)
        case "equals":
            return _CompiledFilter(path, frozenset((_comparable(value),)), True)
        case "in":
            return _CompiledFilter(path, frozenset(map(_comparable, value)), True)
    raise ValueError(f"unknown filter operation {op}")


def _comparable(value: object) -> object:
    """A hashable stand-in for a JSON value: equal only for equal JSON values, and never None."""
    if value is True:
        return _TRUE
    if value is False:
        return _FALSE
    if value is None:
        return _NULL
    return value if isinstance(value, str | int | float) else _NESTED


def _is_index(segment: str) -> bool:
    return segment.isascii() and segment.isdigit() and (segment == "0" or segment[0] != "0")
