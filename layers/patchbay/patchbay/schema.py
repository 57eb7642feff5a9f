"""The base of all models that the API takes and gives, and the field types that they share."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    StringConstraints,
)
from pydantic.alias_generators import to_camel

from patchbay.paging import Page


class ApiModel(BaseModel):
    """camelCase outside, snake_case inside; unknown fields are refused, types are not coerced."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
        defer_build=True,
    )


Item = TypeVar("Item")


class Listing(ApiModel, Generic[Item]):
    """One page of a list, newest first; `nextCursor` is null on the last. A page may have fewer items than
    `limit` and still have a `nextCursor`, because an answer is also bounded in bytes.
    """

    items: list[Item]
    next_cursor: str | None = None
    # The cursor that continues after each item.
    _cursors: Sequence[str] = PrivateAttr(default=())

    @classmethod
    def of(cls, page: Page[Item]) -> Listing[Item]:
        listing = cls(items=page.items, next_cursor=page.next_cursor)
        listing._cursors = [cursor for _, cursor in page.entries]
        return listing

    def parts(self) -> Sequence[Item]:
        return self.items

    def first(self, count: int) -> Listing[Item]:
        """A shorter page: the next one continues after its last item. A list without cursors stays whole."""
        if not self._cursors:
            return self
        entries = list(zip(self.items, self._cursors, strict=True))[:count]
        return Listing.of(Page(entries, entries[-1][1]))


class Empty(ApiModel):
    """`{}`: a DELETE answers it, because Zapier's client cannot read a 204."""


class QueryModel(ApiModel):
    """A query string: text, so types are read from it, and what is unknown is passed over."""

    model_config = ConfigDict(extra="ignore", strict=False)


class ListQuery(QueryModel):
    """The query string of every list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, StringConstraints(max_length=1024)] | None = None


def plain(text: str) -> str:
    """`text`. Raises ValueError when it holds control characters."""
    if _CONTROL.search(text):
        raise ValueError("must not hold control characters")
    return text


def _text(value: object) -> object:
    if not isinstance(value, datetime) and not (isinstance(value, str) and _DATE_TIME.match(value)):
        raise ValueError("must be a time in ISO 8601 with its offset, as 2026-01-31T12:00:00Z")
    return value


def _to_ms(value: datetime) -> datetime:
    try:
        value = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def iso(value: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Pydantic alone would also take bare dates and Unix times.
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d", re.ASCII)

# C0, DEL and C1, and the marks that turn the direction of text: what can make one name look like another.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

# What stands for a secret that is there; sent back, it is refused: it would overwrite the secret.
MASK = "********"

Plain = Annotated[str, AfterValidator(plain)]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(plain),
]
Timestamp = Annotated[
    AwareDatetime,
    Field(strict=False),
    BeforeValidator(_text),
    AfterValidator(_to_ms),
    PlainSerializer(iso, when_used="json"),
]
WorkspaceId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


def at_ms(milliseconds: int) -> datetime:
    """The moment of Unix milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def to_ms(moment: datetime) -> int:
    """Unix milliseconds of a moment."""
    return round(moment.timestamp() * 1000)
