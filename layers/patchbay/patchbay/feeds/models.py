"""The API models of feeds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints

from patchbay.api_model import ApiModel, Listing, QueryModel, Timestamp
from patchbay.field_errors import pattern
from patchbay.ids import DeliveryId, EventId

MAX_WAIT_SECONDS = 20
LAST_NUMBER = 10**16 - 1  # 16 digits
_CONSUMER = r"^[A-Za-z0-9_-]{1,64}$"
_CURSOR = re.compile(r"[0-9]{1,16}\Z")
NOT_A_CURSOR = "is not a cursor of this feed; omit it to start with the oldest event"


class ConsumerName(str):
    """The name of a consumer in a path."""

    __slots__ = ()
    PATTERN = _CONSUMER

    @classmethod
    def parse(cls, text: str) -> ConsumerName:
        """Raises ValueError."""
        if not re.fullmatch(_CONSUMER, text):
            raise ValueError("must be a consumer name: 1 to 64 letters, digits, _ or -")
        return cls(text)


def _check_cursor(text: str) -> str:
    if not _CURSOR.match(text):
        raise ValueError(NOT_A_CURSOR)
    return text


Consumer = Annotated[
    str, StringConstraints(pattern=pattern(_CONSUMER, "a name of 1 to 64 letters, digits, _ or -"))
]
Cursor = Annotated[str, AfterValidator(_check_cursor)]


class FeedQuery(QueryModel):
    """The read starts after `cursor`, or else after the `consumer`'s committed position, or else at the
    oldest event. If there are no events, the response waits up to `wait` seconds for the first one.
    """

    consumer: Consumer | None = None
    cursor: Cursor | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    wait: Annotated[int, Field(ge=0, le=MAX_WAIT_SECONDS)] = 0


class FeedItem(ApiModel):
    """An event as a push receiver would get it: the exact text of the body and the headers of the request,
    signed at the time of this response. `id` is the `webhook-id`. It is the same if an event appears twice.
    """

    sequence: int
    id: DeliveryId
    event_id: EventId
    event_type: str
    payload: str
    headers: dict[str, str]


class Feed(ApiModel):
    """The next events, oldest first. Pass `cursor` to continue. If `hasMore` is true, more events are
    available now; otherwise, read again after `nextPollMs`. `truncated` means that events are missing because
    they are no longer stored.
    """

    items: list[FeedItem]
    cursor: str
    has_more: bool
    next_poll_ms: int
    truncated: bool

    def parts(self) -> Sequence[FeedItem]:
        return self.items

    def first(self, count: int) -> Self:
        """The response with only its first `count` items."""
        if count >= len(self.items):
            return self
        items = self.items[:count]
        changes = {"items": items, "cursor": str(items[-1].sequence), "has_more": True, "next_poll_ms": 0}
        return self.model_copy(update=changes)


class Commit(ApiModel):
    """The `consumer` has processed all events up to `sequence`. `rewind` allows it to move backward."""

    consumer: Consumer
    sequence: Annotated[int, Field(ge=0, le=LAST_NUMBER)]
    rewind: bool = False


class FeedConsumer(ApiModel):
    """`lag` is the number of feed entries after `sequence`."""

    consumer: str
    sequence: int
    lag: int
    committed_at: Timestamp


class FeedConsumers(Listing[FeedConsumer]):
    """All consumers that have committed within the retention period, on one page, by name. `sequence` is the
    number of the feed's last entry.
    """

    sequence: int
