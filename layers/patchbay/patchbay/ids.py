"""Ids: a prefix that names the kind, then 22 base62 characters that sort by time.

The 22 characters are 128 bits: 48 of Unix milliseconds, 80 random. Base62 in ASCII order, so the order
of the text is the order of time, and a double click selects the whole id.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from datetime import datetime
from typing import Any, ClassVar, Self

from pydantic_core import core_schema

from patchbay.clock import to_ms

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUE = {character: value for value, character in enumerate(ALPHABET)}
_LENGTH = 22
_RANDOM_BITS = 80
_LAST_MS = (1 << 48) - 1
_BODY = re.compile(r"[0-9A-Za-z]{22}\Z", re.ASCII)


def base62(number: int, length: int) -> str:
    """`number` as exactly `length` base62 digits, left-padded with zeros."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    if number:
        raise ValueError(f"the number does not fit into {length} base62 digits")
    return "".join(reversed(digits))


def from_base62(text: str) -> int:
    """The number of a base62 text. Raises KeyError on any other character."""
    number = 0
    for character in text:
        number = number * 62 + _VALUE[character]
    return number


_LAST_BODY = base62((1 << 128) - 1, _LENGTH)


class Id(str):
    """A prefixed, time-ordered id; subclasses fix the prefix."""

    prefix: ClassVar[str]
    __slots__ = ()

    @classmethod
    def new(cls, at_ms: int | None = None) -> Self:
        return cls._make(
            time.time_ns() // 1_000_000 if at_ms is None else at_ms, secrets.randbits(_RANDOM_BITS)
        )

    @classmethod
    def derived(cls, base: Id, *parts: str, at_ms: int | None = None) -> Self:
        """The one id that belongs to `base` and `parts`, ordered in time like `base`, or as of `at_ms`."""
        digest = hashlib.sha256("\n".join((base, *parts)).encode()).digest()
        return cls._make(
            base.time_ms if at_ms is None else at_ms, int.from_bytes(digest[: _RANDOM_BITS // 8], "big")
        )

    @classmethod
    def of_name(cls, *parts: str) -> Self:
        """The id of what is built in: always the same, and older than all others."""
        digest = hashlib.sha256("\n".join(parts).encode()).digest()
        return cls._make(0, int.from_bytes(digest[: _RANDOM_BITS // 8], "big"))

    @classmethod
    def range(cls, since: datetime | None, until: datetime | None) -> tuple[Self, Self]:
        """The lowest and the highest id of a span of time, both ends included; open where None."""
        first = max(to_ms(since), 0) if since else 0
        last = min(max(to_ms(until), 0), _LAST_MS) if until else _LAST_MS
        return cls._make(min(first, _LAST_MS), 0), cls._make(last, (1 << _RANDOM_BITS) - 1)

    @classmethod
    def _make(cls, at_ms: int, low: int) -> Self:
        return cls(f"{cls.prefix}_{base62(at_ms << _RANDOM_BITS | low, _LENGTH)}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """`text` as this kind of id. Raises ValueError when it is none."""
        prefix, _, body = text.partition("_")
        if prefix != cls.prefix or not _BODY.match(body) or body > _LAST_BODY:
            raise ValueError(f"not a {cls.prefix}_ id")
        return cls(text)

    @property
    def body(self) -> str:
        """The 22 characters after the prefix."""
        return self[len(self.prefix) + 1 :]

    @property
    def time_ms(self) -> int:
        """Unix milliseconds of its creation."""
        return from_base62(self.body) >> _RANDOM_BITS

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls.parse,
            core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )


class ApiKeyId(Id):
    prefix = "key"


class WebhookId(Id):
    prefix = "whk"


class EventId(Id):
    prefix = "evt"


class DeliveryId(Id):
    prefix = "dlv"


class IntegrationId(Id):
    prefix = "int"

    @classmethod
    def of_template(cls, provider: str) -> Self:
        """The id of a provider's built-in template."""
        return cls.of_name("template", provider)


class ConnectionId(Id):
    prefix = "con"


class RunId(Id):
    prefix = "run"


class LogId(Id):
    prefix = "log"


def webhook_key(workspace_id: str, webhook_id: str) -> str:
    """The partition of all that belongs to a webhook."""
    return f"{workspace_id}#{webhook_id}"


def of_webhook_key(key: str) -> tuple[str, WebhookId]:
    workspace_id, _, webhook_id = key.partition("#")
    return workspace_id, WebhookId(webhook_id)


_CONNECTION_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


class ConnectionRef(str):
    """How a path names a connection: by the caller's name for it, or by its `con_` id."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError when it can be neither."""
        if not _CONNECTION_NAME.match(text):
            raise ValueError("a connection's name is 1 to 64 letters, digits, _ . or -")
        return cls(text)

    @property
    def id(self) -> ConnectionId | None:
        """The id, where it is one. Names that look like ids are never given."""
        try:
            return ConnectionId.parse(self)
        except ValueError:
            return None


def connection_name(text: str) -> str:
    """`text` as a name for a new connection. Raises ValueError."""
    if ConnectionRef.parse(text).id is not None:
        raise ValueError("looks like an id of Patchbay's; choose another name")
    # HTTP clients resolve these in a path: to delete the connection `..` would delete its integration.
    if text in (".", ".."):
        raise ValueError("means another path; choose another name")
    return text
