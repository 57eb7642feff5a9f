"""The base of all models that the API takes and gives, and the field types that they share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    PrivateAttr,
    SerializationInfo,
    SkipValidation,
    StringConstraints,
)
from pydantic.alias_generators import to_camel

from patchbay import compact_json, invisible
from patchbay.clock import NO_TIME, iso, read_time
from patchbay.storage.paging import Page


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
    """`text`. Raises ValueError when it holds control or invisible characters."""
    if text.isascii() and text.isprintable():
        return text
    for found in invisible.HIDDEN.finditer(text):
        if not found["meant"]:
            raise ValueError(f"must not hold control or invisible characters (U+{ord(found[0]):04X})")
    return text


def named(text: str) -> str:
    """`text` as a name. Raises ValueError as `plain` does, and when no character is visible."""
    if not invisible.VISIBLE.search(plain(text)):
        raise ValueError("must have a visible character")
    return text


def tidy(text: str) -> str:
    """`text` from another system, on one line and without the characters that `named` refuses: blanks replace
    controls and separators, nothing replaces a mark without a width. Empty when no visible character is left.
    """
    shown = invisible.HIDDEN.sub(lambda found: found["meant"] or (" " if found["separator"] else ""), text)
    shown = " ".join(shown.split())
    return shown if invisible.VISIBLE.search(shown) else ""


def _moment(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError(NO_TIME)
    return read_time(value)


def _to_ms(value: datetime) -> datetime:
    try:
        value = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def _as_written(value: Any, info: SerializationInfo) -> Any:
    splice = info.context
    return splice.hold(compact_json.dumps(value)) if isinstance(splice, compact_json.Splice) else value


def to_json(model: BaseModel) -> str:
    """A model as JSON, as the API sends it."""
    splice = compact_json.Splice()
    return splice.fill(model.model_dump_json(by_alias=True, context=splice))


# What stands for a secret that is there; sent back, it is refused: it would overwrite the secret.
MASK = "********"

Plain = Annotated[str, AfterValidator(plain)]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(named),
]
Timestamp = Annotated[
    AwareDatetime,
    Field(strict=False),
    BeforeValidator(_moment),
    AfterValidator(_to_ms),
    PlainSerializer(iso, when_used="json"),
]
# An object of the caller's own, left as it was read, with numbers as they were written.
JsonObject = Annotated[dict[str, SkipValidation[JsonValue]], PlainSerializer(_as_written, when_used="json")]
WorkspaceId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
