"""Rows that a schedule looks at once their time has come: a sparse index `due` by dueShard and dueAt.

What is due comes in waves, and one partition takes 1,000 writes a second: so it is spread over shards.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from patchbay import dynamo

SHARDS = range(4)


def shard_of(id: str) -> int:
    """The shard of a row, by an id of it."""
    return zlib.crc32(id.encode()) % len(SHARDS)


def rows(table: str, shard: int, now: int) -> Iterator[dynamo.Row]:
    """The keys of a shard's rows that are due by `now` (Unix milliseconds), the longest due first."""
    return dynamo.query(table, "dueShard = :shard AND dueAt <= :now", index="due", shard=shard, now=now)
