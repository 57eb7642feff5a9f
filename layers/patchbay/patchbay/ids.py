"""IDs: a prefix that names the kind, an underscore, and 22 base62 characters that sort by time.

The 22 characters encode 128 bits: 48 bits of Unix milliseconds and 80 random bits. The base62 alphabet is in
ASCII order, so IDs of a kind sort by time, and a double-click selects a whole ID.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from datetime import datetime
from typing import ClassVar, Self

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
        raise ValueError(f"the number needs more than {length} base62 digits")
    return "".join(reversed(digits))


def from_base62(text: str) -> int:
    """The number that `text` encodes. Raises KeyError for any other character."""
    number = 0
    for character in text:
        number = number * 62 + _VALUE[character]
    return number


_LAST_BODY = base62((1 << 128) - 1, _LENGTH)


class Id(str):
    """A prefixed, time-ordered ID. Subclasses set the prefix."""

    prefix: ClassVar[str]
    __slots__ = ()

    @classmethod
    def new(cls, at_ms: int | None = None) -> Self:
        return cls._build(
            time.time_ns() // 1_000_000 if at_ms is None else at_ms, secrets.randbits(_RANDOM_BITS)
        )

    @classmethod
    def derived(cls, base: Id, *parts: str, at_ms: int | None = None) -> Self:
        """The ID derived from `base` and `parts`: always the same. Its time is `at_ms`, or that of `base`."""
        return cls._build(base.time_ms if at_ms is None else at_ms, _hash(base, *parts))

    @classmethod
    def built_in(cls, *parts: str) -> Self:
        """The ID of something built in: always the same for the same `parts`, and older than any other ID."""
        return cls._build(0, _hash(*parts))

    @classmethod
    def range(cls, since: datetime | None, until: datetime | None) -> tuple[Self, Self]:
        """The lowest and the highest ID of a time range, both ends inclusive; None leaves an end open."""
        first = max(to_ms(since), 0) if since else 0
        last = min(max(to_ms(until), 0), _LAST_MS) if until else _LAST_MS
        return cls._build(min(first, _LAST_MS), 0), cls._build(last, (1 << _RANDOM_BITS) - 1)

    @classmethod
    def _build(cls, at_ms: int, low_bits: int) -> Self:
        return cls(f"{cls.prefix}_{base62(at_ms << _RANDOM_BITS | low_bits, _LENGTH)}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """`text` as an ID of this kind. Raises ValueError."""
        prefix, _, body = text.partition("_")
        if prefix != cls.prefix or not _BODY.match(body) or body > _LAST_BODY:
            raise ValueError(f"must be {cls.prefix}_ followed by {_LENGTH} letters or digits")
        return cls(text)

    @property
    def body(self) -> str:
        """The 22 characters after the prefix."""
        return self[len(self.prefix) + 1 :]

    @property
    def time_ms(self) -> int:
        """The creation time in Unix milliseconds."""
        return from_base62(self.body) >> _RANDOM_BITS

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls.parse,
            core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: object, handler: object) -> dict[str, str]:
        return {"type": "string", "pattern": f"^{cls.prefix}_[0-9A-Za-z]{{{_LENGTH}}}$"}


def _hash(*parts: str) -> int:
    """The first `_RANDOM_BITS` bits of the parts' SHA-256."""
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return int.from_bytes(digest[: _RANDOM_BITS // 8], "big")


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
    def for_template(cls, provider: str) -> Self:
        """The ID of a provider's built-in template."""
        return cls.built_in("template", provider)


class ConnectionId(Id):
    prefix = "con"


class RunId(Id):
    prefix = "run"


class FlowId(Id):
    prefix = "flw"


class FlowRunId(Id):
    prefix = "frn"


class LogId(Id):
    prefix = "log"


class TaskId(Id):
    prefix = "tsk"


class PortalSessionId(Id):
    prefix = "pse"


class ConnectSessionId(Id):
    prefix = "cse"


def webhook_key(workspace_id: str, webhook_id: str) -> str:
    """The partition key of everything that belongs to a webhook."""
    return f"{workspace_id}#{webhook_id}"


def parse_webhook_key(key: str) -> tuple[str, WebhookId]:
    """The workspace and the webhook of a `webhook_key`."""
    workspace_id, _, webhook_id = key.partition("#")
    return workspace_id, WebhookId(webhook_id)


class PublicationRef(str):
    """A publication as the platform's logs name it: `<workspace>/<int_…>`."""

    __slots__ = ()

    @classmethod
    def of(cls, workspace_id: str, id: IntegrationId) -> Self:
        return cls(f"{workspace_id}/{id}")


class ConnectionRef(str):
    """A connection in a path: the caller's name for it, or its `con_` ID."""

    __slots__ = ()
    PATTERN = r"^[A-Za-z0-9_.-]{1,64}$"
    MEANING = "a connection's name (1 to 64 letters, digits, _, . or -) or its ID"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError if `text` is neither."""
        if not re.fullmatch(cls.PATTERN, text):
            raise ValueError(f"must be {cls.MEANING}")
        return cls(text)

    @property
    def id(self) -> ConnectionId | None:
        """The ID, or None for a name. `connection_name` rejects names that look like IDs."""
        try:
            return ConnectionId.parse(self)
        except ValueError:
            return None


def connection_name(text: str) -> str:
    """`text` as the name of a new connection. Raises ValueError."""
    if ConnectionRef.parse(text).id is not None:
        raise ValueError("looks like an ID; choose another name")
    # HTTP clients resolve these in a path, so deleting the connection `..` would delete its integration.
    if text in (".", ".."):
        raise ValueError("is a relative path; choose another name")
    return text
