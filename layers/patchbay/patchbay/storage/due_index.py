"""Rows that a schedule looks at once their time has come: a sparse index `due` by dueShard and dueAt.

What is due comes in waves, and one partition takes 1,000 writes a second: so it is spread over shards.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from patchbay.observability import logger
from patchbay.storage import dynamo

Item = TypeVar("Item")

SHARDS = range(4)


def shard_of(id: str) -> int:
    """The shard of a row, by an id of it."""
    return zlib.crc32(id.encode()) % len(SHARDS)


def rows(table: str, shard: int, now: int) -> Iterator[dynamo.Row]:
    """The keys of a shard's rows that are due by `now` (Unix milliseconds), the longest due first."""
    return dynamo.query(table, "dueShard = :shard AND dueAt <= :now", index="due", shard=shard, now=now)


def in_turns(
    sources: Iterable[Iterator[Item]], remaining_ms: Callable[[], int], reserve_ms: int
) -> Iterator[Item]:
    """What is due of several sources, an item of each in turn, until that much time is left. Much to do in
    one of them, or one that cannot be read, holds up none of the others.
    """
    turns = deque(sources)
    while turns and remaining_ms() > reserve_ms:
        source = turns.popleft()
        try:
            item = next(source)
        except StopIteration:
            continue
        except Exception:
            # Our own fault or AWS's; a later run reads it again.
            logger.exception("what is due could not be read")
            continue
        turns.append(source)
        yield item
