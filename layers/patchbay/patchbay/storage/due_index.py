"""Rows that a schedule processes when they are due: a sparse index `due` by dueShard and dueAt.

Many rows fall due at the same time, and one partition accepts 1,000 writes per second, so rows are spread
over shards.
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


class IncompleteRun(Exception):
    """A scheduled run could not finish. The rest stays due for the next run."""


def shard_of(id: str) -> int:
    """The shard of the row with this id."""
    return zlib.crc32(id.encode()) % len(SHARDS)


def due_keys(table: str, shard: int, now: int) -> Iterator[dynamo.Row]:
    """The keys of a shard's rows that are due at `now` (Unix milliseconds), longest overdue first."""
    return dynamo.query(table, "dueShard = :shard AND dueAt <= :now", index="due", shard=shard, now=now)


def in_turns(items: Iterable[Item], group: Callable[[Item], str]) -> Iterator[Item]:
    """The items, one of each group in turn, so that a group with many items does not delay the others. Reads
    all of `items` first.
    """
    groups: dict[str, deque[Item]] = {}
    for item in items:
        groups.setdefault(group(item), deque()).append(item)
    turns = deque(groups.values())
    while turns:
        items_of_group = turns.popleft()
        yield items_of_group.popleft()
        if items_of_group:
            turns.append(items_of_group)


def round_robin(
    sources: Iterable[Iterator[Item]], remaining_ms: Callable[[], int], reserve_ms: int
) -> Iterator[Item]:
    """One item of each source in turn, until at most `reserve_ms` remain. Neither a long source nor an
    unreadable one delays the others.
    """
    turns = deque(sources)
    while turns and remaining_ms() > reserve_ms:
        source = turns.popleft()
        try:
            item = next(source)
        except StopIteration:
            continue
        except Exception:
            # Our own bug, or an AWS failure: the next run reads the source again.
            logger.exception("failed to read due rows")
            continue
        turns.append(source)
        yield item
