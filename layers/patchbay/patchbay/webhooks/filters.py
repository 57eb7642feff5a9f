"""Content filters: which events of a subscribed type a webhook wants."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
)

MAX_FILTERS = 10
MAX_DEPTH = 8
MAX_VALUES = 50

_SEGMENT = r"[^.\x00-\x1f\x7f]{1,64}"
_PATH = re.compile(rf"{_SEGMENT}(\.{_SEGMENT}){{0,{MAX_DEPTH - 1}}}\Z")


def _check_path(path: str) -> str:
    if not _PATH.match(path):
        raise ValueError(
            "must be names in the event's data with dots between, as post.channel or tags.0; "
            f"up to {MAX_DEPTH}, each of up to 64 characters"
        )
    return path


Path = Annotated[
    str,
    AfterValidator(_check_path),
    Field(
        description="A dot path into the event's data; a number picks from a list.",
        examples=["post.channel", "tags.0"],
    ),
]


def _storable(value: str | bool | float | None) -> str | bool | float | None:
    # Not a bound on the integer type itself: a larger one would then quietly pass as a float.
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise ValueError("an integer has at most 64 bits")
    # DynamoDB's numbers end at about 1e±125.
    if isinstance(value, float) and value and not 1e-100 <= abs(value) <= 1e100:
        raise ValueError("a number is 0 or between 1e-100 and 1e100, with either sign")
    return value


Scalar = Annotated[
    Annotated[StrictStr, Field(max_length=256)]
    | StrictBool
    | StrictInt
    | Annotated[StrictFloat, Field(allow_inf_nan=False)]
    | None,
    AfterValidator(_storable),
]


class _Filter(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path


class EqualsFilter(_Filter):
    """The value at `path` is this one."""

    op: Literal["equals"]
    value: Scalar


class InFilter(_Filter):
    """The value at `path` is one of these."""

    op: Literal["in"]
    value: Annotated[list[Scalar], Field(min_length=1, max_length=MAX_VALUES)]


class ExistsFilter(_Filter):
    """There is (`true`) or is not (`false`) a value at `path`; null is a value."""

    op: Literal["exists"]
    value: StrictBool = True


Filter = Annotated[EqualsFilter | InFilter | ExistsFilter, Field(discriminator="op")]
Filters = Annotated[list[Filter], Field(max_length=MAX_FILTERS)]

_ABSENT = object()


def matches(filters: Iterable[Filter], data: Any) -> bool:
    """Whether `data` (an event's data, as parsed JSON) passes every filter; none let all pass."""
    return all(_passes(filter_, _value_at(data, filter_.path)) for filter_ in filters)


def _passes(filter_: Filter, found: Any) -> bool:
    match filter_:
        case ExistsFilter(value=wanted):
            return (found is not _ABSENT) is wanted
        case EqualsFilter(value=wanted):
            return _same(found, wanted)
        case InFilter(value=values):
            return any(_same(found, wanted) for wanted in values)


def _value_at(data: Any, path: str) -> Any:
    for segment in path.split("."):
        if isinstance(data, dict) and segment in data:
            data = data[segment]
        elif isinstance(data, list) and _is_index(segment) and int(segment) < len(data):
            data = data[int(segment)]
        else:
            return _ABSENT
    return data


def _is_index(segment: str) -> bool:
    return segment.isascii() and segment.isdigit() and (segment == "0" or segment[0] != "0")


def _same(found: Any, wanted: str | bool | float | None) -> bool:
    """Equality of JSON: 1 is 1.0, but true is not 1 (in Python it is)."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, int | float) and isinstance(wanted, int | float):
        return found == wanted
    return type(found) is type(wanted) and found == wanted
