"""Reads the feed of a pull webhook, for receivers that cannot be reached from outside."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator

from patchbay_sdk._client import Patchbay
from patchbay_sdk._errors import ApiError, ConnectionFailed, PatchbayError
from patchbay_sdk.models import FeedItem

logger = logging.getLogger("patchbay_sdk")

_WAIT_SECONDS = 20
_MAX_PAUSE_SECONDS = 30.0


def follow(
    client: Patchbay,
    webhook_id: str,
    *,
    consumer: str,
    limit: int = 20,
    wait: int = _WAIT_SECONDS,
    on_interruption: Callable[[PatchbayError], None] | None = None,
) -> Iterator[FeedItem]:
    """The events of a pull webhook, oldest first, without end.

    An event is done when the loop asks for the next one. What is done is committed before the next request, and when
    the loop ends. After a crash, the next loop starts with the first event that was not committed: an event may come
    twice, with the same `id`, and none is lost. While Patchbay cannot be reached, the loop waits and tries again;
    `on_interruption` gets the error. Raises ApiError for a problem that does not pass, such as a deleted webhook.
    """
    position = _Position()
    interruptions = 0
    while True:
        try:
            start = {} if position.done is None else {"cursor": str(position.done)}
            feed = client.webhooks.read_feed(webhook_id, consumer=consumer, limit=limit, wait=wait, **start)
            interruptions = 0
            try:
                for item in feed.items:
                    yield item
                    position.done = item.sequence
            finally:
                if position.done is not None and position.done != position.committed:
                    client.webhooks.commit_feed(webhook_id, consumer=consumer, sequence=position.done)
                    position.committed = position.done
            if not feed.items:
                time.sleep(feed.next_poll_ms / 1000)
        except (ConnectionFailed, ApiError) as error:
            if isinstance(error, ApiError) and error.status < 500 and error.status != 429:
                raise
            interruptions += 1
            (on_interruption or _log)(error)
            time.sleep(min(2.0**interruptions, _MAX_PAUSE_SECONDS) * random.uniform(0.5, 1))


class _Position:
    """The sequence numbers of the last event that is done, and of the last one that was committed."""

    done: int | None = None
    committed: int | None = None


def _log(error: PatchbayError) -> None:
    logger.warning("Reading the feed failed; trying again: %s", error)
