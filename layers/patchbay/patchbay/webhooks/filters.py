"""Content filters: which events of a subscribed type a webhook wants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

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

# Stand-ins for values in comparisons: in JSON, true does not equal 1 (in Python it does), and no list or
# object equals a filter's value.
_ABSENT, _NULL, _TRUE, _FALSE, _NESTED = (object() for _ in range(5))


class _Test(NamedTuple):
    """A filter ready for use. `accepted` holds what the value may be; None asks only whether it `exists`."""

    path: str
    accepted: frozenset[Any] | None
    exists: bool


Compiled = tuple[_Test, ...]


def compiled(filters: Iterable[Mapping[str, Any]]) -> Compiled:
    """Filters in their JSON form, which the API has validated. Raises ValueError for any other `op`."""
    return tuple(_test(**filter_) for filter_ in filters)


class Content:
    """An event's data (parsed JSON), which many filters read: each path is looked up once."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self._found: dict[str, Any] = {}

    def passes(self, filters: Compiled) -> bool:
        """Whether the data passes every filter; without filters it does."""
        for path, accepted, exists in filters:
            found = self._found.get(path)
            if found is None:
                found = self._found[path] = _comparable(_value_at(self._data, path))
            if accepted is None:
                if (found is not _ABSENT) is not exists:
                    return False
            elif found not in accepted:
                return False
        return True


def _test(path: str, op: str, value: Any = True) -> _Test:
    match op:
        case "exists":
            return _Test(path, None, value)
        case "equals":
            return _Test(path, frozenset((_comparable(value),)), True)
        case "in":
            return _Test(path, frozenset(map(_comparable, value)), True)
    raise ValueError(f"{op} is no operation of a filter")


def _comparable(value: Any) -> Any:
    """A hashable value that is equal for two JSON values if they are the same. Never None."""
    if value is True:
        return _TRUE
    if value is False:
        return _FALSE
    if value is None:
        return _NULL
    return value if isinstance(value, str | int | float) or value is _ABSENT else _NESTED


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
