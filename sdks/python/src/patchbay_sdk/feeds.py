"""Reads the feed of a pull webhook, for receivers that cannot be reached from outside."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Generator

from patchbay_sdk._client import Patchbay
from patchbay_sdk._errors import ApiError, ConnectionFailed, PatchbayError
from patchbay_sdk.models import FeedItem

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
    """The events of a pull webhook, oldest first, without end.

    An event is done when the loop asks for the next one. What is done is committed before the next request, and when
    the loop ends. After a crash, the next loop starts with the first event that was not committed: an event may come
    twice, with the same `id`, and none is lost. While Patchbay cannot be reached, the loop waits and tries again;
    `on_interruption` gets the error. Raises ApiError for a problem that does not pass, such as a deleted webhook.

    `wait` is how many seconds a request waits for an event: it must be less than the timeout of the client.
    """
    done: int | None = None  # the sequence number of the last event that is done
    committed: int | None = None
    interruptions = 0

    def commit() -> None:
        nonlocal committed
        if done is not None and done != committed:
            client.webhooks.commit_feed(webhook_id, consumer=consumer, sequence=done)
            committed = done

    while True:
        try:
            commit()
            start = {} if done is None else {"cursor": str(done)}
            feed = client.webhooks.read_feed(webhook_id, consumer=consumer, limit=limit, wait=wait, **start)
        except (ConnectionFailed, ApiError) as error:
            if isinstance(error, ApiError) and error.status < 500 and error.status != 429:
                raise
            interruptions += 1
            (on_interruption or _log)(error)
            time.sleep(min(2.0**interruptions, _MAX_PAUSE_SECONDS) * random.uniform(0.5, 1))
            continue
        interruptions = 0
        if feed.truncated:
            logger.warning("Events of the feed are missing, because they are no longer stored.")
        is_ended = True
        try:
            for item in feed.items:
                yield item
                done = item.sequence
            is_ended = False
        finally:
            if is_ended:
                _try(commit)
        if not feed.items:
            time.sleep(max(feed.next_poll_ms / 1000, _MIN_PAUSE_SECONDS))


def _try(commit: Callable[[], None]) -> None:
    """Commit at the end of the loop. Without it, the events since the last commit come again."""
    try:
        commit()
    except PatchbayError as error:
        logger.warning("The position in the feed was not committed: %s", error)


def _log(error: PatchbayError) -> None:
    logger.warning("Reading the feed failed; trying again: %s", error)
