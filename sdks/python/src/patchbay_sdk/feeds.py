"""Reads the feed of a pull webhook, for receivers that cannot be reached from outside."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass

from patchbay_sdk._client import AsyncPatchbay, Patchbay
from patchbay_sdk._errors import ApiError, ConnectionFailed, PatchbayError
from patchbay_sdk.models import Feed, FeedItem

logger = logging.getLogger("patchbay_sdk")

_WAIT_SECONDS = 20
_MAX_PAUSE_SECONDS = 10.0
_MIN_PAUSE_SECONDS = 0.1


def follow(
    client: Patchbay,
    webhook_id: str,
    *,
    consumer: str,
    limit: int = 20,
    wait: int = _WAIT_SECONDS,
    on_interruption: Callable[[PatchbayError], None] | None = None,
) -> Generator[FeedItem, None, None]:
    """Yields the events of a pull webhook, oldest first, without end.

    An event counts as processed when the loop requests the next one. Processed events are committed before the next
    request and when the loop ends. After a crash, the next loop starts at the first event that was not committed: no
    event is lost, but one can appear twice, with the same `id`. While Patchbay cannot be reached, the loop waits and
    retries; `on_interruption` gets the error. Raises ApiError for a permanent error, such as a deleted webhook.

    `wait` is how many seconds a request waits for an event: it must be less than the timeout of the client.
    """
    position = _Position(on_interruption or _log)

    def commit() -> None:
        if (sequence := position.uncommitted) is not None:
            client.webhooks.commit_feed(webhook_id, consumer=consumer, sequence=sequence)
            position.committed = sequence

    while True:
        try:
            commit()
            cursor = position.cursor
            feed = client.webhooks.read_feed(webhook_id, consumer=consumer, limit=limit, wait=wait, **cursor)
        except (ConnectionFailed, ApiError) as error:
            time.sleep(position.pause_after_error(error))
            continue
        position.on_read(feed)
        is_ended = True
        try:
            for item in feed.items:
                yield item
                position.done = item.sequence
            is_ended = False
        finally:
            if is_ended:
                try:
                    commit()
                except PatchbayError as error:
                    _log_lost_commit(error)
        if not feed.items:
            time.sleep(_pause_after(feed))


async def follow_async(
    client: AsyncPatchbay,
    webhook_id: str,
    *,
    consumer: str,
    limit: int = 20,
    wait: int = _WAIT_SECONDS,
    on_interruption: Callable[[PatchbayError], None] | None = None,
) -> AsyncGenerator[FeedItem, None]:
    """`follow` for asyncio.

    Python does not close an asynchronous generator when you leave its loop early. To commit the last event in that
    case, put the loop into `async with aclosing(follow_async(…)) as items` (contextlib).
    """
    position = _Position(on_interruption or _log)

    async def commit() -> None:
        if (sequence := position.uncommitted) is not None:
            await client.webhooks.commit_feed(webhook_id, consumer=consumer, sequence=sequence)
            position.committed = sequence

    while True:
        try:
            await commit()
            cursor = position.cursor
            feed = await client.webhooks.read_feed(webhook_id, consumer=consumer, limit=limit, wait=wait, **cursor)
        except (ConnectionFailed, ApiError) as error:
            await asyncio.sleep(position.pause_after_error(error))
            continue
        position.on_read(feed)
        is_ended = True
        try:
            for item in feed.items:
                yield item
                position.done = item.sequence
            is_ended = False
        finally:
            if is_ended:
                try:
                    await commit()
                except PatchbayError as error:
                    _log_lost_commit(error)
        if not feed.items:
            await asyncio.sleep(_pause_after(feed))


@dataclass
class _Position:
    """The position of a loop: the sequence numbers of the last processed event, and of the last committed one."""

    on_interruption: Callable[[PatchbayError], None]
    done: int | None = None
    committed: int | None = None
    interruptions: int = 0

    @property
    def uncommitted(self) -> int | None:
        """The sequence number to commit, if any."""
        return self.done if self.done != self.committed else None

    @property
    def cursor(self) -> dict[str, str]:
        """Where to continue reading; at first, the consumer's position."""
        return {} if self.done is None else {"cursor": str(self.done)}

    def pause_after_error(self, error: ConnectionFailed | ApiError) -> float:
        """Seconds before the next attempt. Raises the error if it is permanent."""
        if isinstance(error, ApiError) and error.status < 500 and error.status != 429:
            raise error
        self.interruptions += 1
        self.on_interruption(error)
        return min(2.0**self.interruptions, _MAX_PAUSE_SECONDS) * random.uniform(0.5, 1)

    def on_read(self, feed: Feed) -> None:
        self.interruptions = 0
        if feed.truncated:
            logger.warning("Events of the feed are missing, because they are no longer stored.")


def _pause_after(feed: Feed) -> float:
    """Seconds before the next request, after one that returned nothing."""
    return max(feed.next_poll_ms / 1000, _MIN_PAUSE_SECONDS)


def _log_lost_commit(error: PatchbayError) -> None:
    """Log, at the end of a loop, that the events since the last commit will come again."""
    logger.warning("The position in the feed was not committed: %s", error)


def _log(error: PatchbayError) -> None:
    logger.warning("Reading the feed failed; retrying: %s", error)
