"""The base class of the API's request and response models, and the field types that they share."""

from __future__ import annotations

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
    JsonValue,
    PlainSerializer,
    PrivateAttr,
    SerializationInfo,
    SkipValidation,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from patchbay import compact_json, field_errors, invisible
from patchbay.clock import NOT_A_TIME, OUT_OF_RANGE, iso, read_time
from patchbay.field_errors import pattern
from patchbay.storage.paging import Page


class ApiModel(BaseModel):
    """camelCase in JSON, snake_case in Python. Unknown fields are rejected, and types are not coerced."""

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
    """One page of a list, newest first; `nextCursor` is null on the last page. A page may have fewer items
    than `limit` and still have a `nextCursor`, because the size of a response is limited too.
    """

    items: list[Item]
    next_cursor: str | None = None
    # The cursor that continues after each item.
    _cursors: Sequence[str] = PrivateAttr(default=())

    @classmethod
    def from_page(cls, page: Page[Item]) -> Listing[Item]:
        listing = cls(items=page.items, next_cursor=page.next_cursor)
        listing._cursors = [cursor for _, cursor in page.entries]
        return listing

    def parts(self) -> Sequence[Item]:
        return self.items

    def first(self, count: int) -> Listing[Item]:
        """The page with only its first `count` items, and the cursor after them. A list without cursors stays
        complete.
        """
        if not self._cursors:
            return self
        entries = list(zip(self.items, self._cursors, strict=True))[:count]
        return Listing.from_page(Page(entries, entries[-1][1]))


class Empty(ApiModel):
    """`{}`, the response to a DELETE: Zapier's client cannot read a 204."""


class QueryModel(ApiModel):
    """A query string: types are parsed from text."""

    model_config = ConfigDict(strict=False)


class ListQuery(QueryModel):
    """The query string of every list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, StringConstraints(max_length=1024)] | None = None


Model = TypeVar("Model", bound=BaseModel)


def validate(model: type[Model], value: object) -> Model:
    """Validate `value`, parsed from JSON or a query string, as a `model`. Raises ValidationFailed."""
    # Not model_validate_json: it accepts fields by their Python names and drops them (pydantic-core 2.13).
    try:
        return model.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        noun = "parameter" if issubclass(model, QueryModel) else "field"
        raise field_errors.from_pydantic(error, value, model, noun) from None


def check_plain_text(text: str) -> str:
    """Return `text`. Raises ValueError when it contains control or invisible characters."""
    if text.isascii() and text.isprintable():
        return text
    for match in invisible.HIDDEN.finditer(text):
        if not match["visible_effect"]:
            raise ValueError(f"must not contain control or invisible characters (U+{ord(match[0]):04X})")
    return text


def check_name(text: str) -> str:
    """Return `text`. Raises ValueError as `check_plain_text` does, if no character is visible, and for
    stacked combining marks, which could cover other text on a page.
    """
    if not invisible.VISIBLE.search(check_plain_text(text)):
        raise ValueError("must have at least one visible character")
    if invisible.unstacked(text) != text:
        raise ValueError(f"must not have more than {invisible.MOST_MARKS} combining marks per letter")
    return text


def to_label(text: str) -> str:
    """Text from another system, on one line and without the characters that `check_name` rejects: control
    characters and separators become spaces, and zero-width characters and stacked marks are removed. Empty if
    no character is visible.
    """
    label = invisible.HIDDEN.sub(
        lambda match: match["visible_effect"] or (" " if match["separator"] else ""),
        invisible.unstacked(text),
    )
    label = " ".join(label.split())
    return label if invisible.VISIBLE.search(label) else ""


def distinct(items: list[Item]) -> list[Item]:
    """The items without duplicates, in the same order."""
    return list(dict.fromkeys(items))


def _parse_timestamp(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError(NOT_A_TIME)
    return read_time(value)


def _to_utc_ms(value: datetime) -> datetime:
    try:
        value = value.astimezone(UTC)
    except OverflowError:
        raise ValueError(OUT_OF_RANGE) from None
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def check_period_end(until: datetime | None, info: ValidationInfo) -> datetime | None:
    """Return `until`. Raises ValueError if the field `since` before it is later."""
    since = info.data.get("since")
    if since is not None and until is not None and until < since:
        raise ValueError("must not be before since")
    return until


def _serialize_json(value: object, info: SerializationInfo) -> object:
    fragments = info.context
    if not isinstance(fragments, compact_json.RawFragments):
        return value
    return fragments.placeholder(compact_json.dumps(value))


def to_json(model: BaseModel) -> str:
    """A model as the JSON that the API sends."""
    fragments = compact_json.RawFragments()
    return fragments.insert(model.model_dump_json(by_alias=True, context=fragments))


# Shown in place of a stored secret. A request that sends it back is rejected: it would overwrite the secret.
MASK = "********"

PlainText = Annotated[str, AfterValidator(check_plain_text)]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    AfterValidator(check_name),
]
Timestamp = Annotated[
    AwareDatetime,
    Field(strict=False),
    BeforeValidator(_parse_timestamp),
    AfterValidator(_to_utc_ms),
    PlainSerializer(iso, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
# Any object from the caller, stored unchanged: even its numbers keep their notation.
JsonObject = Annotated[
    dict[str, SkipValidation[JsonValue]],
    PlainSerializer(_serialize_json, when_used="json"),
    WithJsonSchema({"type": "object", "additionalProperties": True}),
]
WORKSPACE_ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
WorkspaceId = Annotated[
    str, StringConstraints(pattern=pattern(WORKSPACE_ID_PATTERN, "1 to 64 letters, digits, _ or -"))
]


class LastError(ApiModel):
    """The latest failure of something that continues. `code` is stable, `detail` is sanitized, for people."""

    code: str
    detail: str
    at: Timestamp


class PeriodQuery(ListQuery):
    """The query string of a list that can be limited to a period; both ends are inclusive."""

    since: Timestamp | None = None
    until: Annotated[Timestamp | None, AfterValidator(check_period_end)] = None
