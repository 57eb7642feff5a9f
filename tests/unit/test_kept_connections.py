"""Connections kept between attempts: the last used first, closed ones never, and not too many."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from patchbay.webhooks.kept_connections import KeptConnections, Origin

A, B, C = (("https", host, 443) for host in "abc")


class Connection:
    """As much of an httpcore connection as is asked for."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.idle, self.expired, self.closed = True, False, False
        self.looks = 0

    def is_idle(self) -> bool:
        return self.idle

    def is_closed(self) -> bool:
        return self.closed

    def has_expired(self) -> bool:
        self.looks += 1
        return self.expired

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def kept() -> KeptConnections:
    return KeptConnections(Connection, 3)  # type: ignore[arg-type]  # a stand-in


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_a_connection_is_used_again_and_by_one_at_a_time(kept: KeptConnections) -> None:
    async def scenario() -> None:
        first, second = await kept.take(A), await kept.take(A)
        assert first is not second
        await kept.give_back(A, first)
        await kept.give_back(A, second)
        assert await kept.take(A) is second  # the last used is the likeliest to be open still
        assert await kept.take(B) is not first
        assert await kept.take(A) is first
        assert await kept.take(A) not in (first, second)

    run(scenario())


def test_what_is_closed_or_in_the_middle_of_an_answer_is_not_kept(kept: KeptConnections) -> None:
    async def scenario() -> None:
        broken: Any = await kept.take(A)
        broken.idle = False
        await kept.give_back(A, broken)
        assert broken.closed
        expired: Any = await kept.take(A)
        assert expired is not broken
        await kept.give_back(A, expired)
        expired.expired = True
        assert await kept.take(A) is not expired
        assert expired.closed
        failed: Any = await kept.take(B)
        failed.closed = True
        await kept.give_back(B, failed)
        assert await kept.take(B) is not failed

    run(scenario())


def test_what_was_used_longest_ago_gives_way(kept: KeptConnections) -> None:
    async def scenario() -> None:
        taken: list[Any] = [await kept.take(origin) for origin in (A, A, B, C)]
        for connection in taken:
            await kept.give_back(connection.origin, connection)
        assert [connection.closed for connection in taken] == [True, False, False, False]
        assert await kept.take(A) is taken[1]
        await kept.give_back(A, taken[1])
        extra: Any = await kept.take(("https", "d", 443))
        await kept.give_back(extra.origin, extra)
        assert [connection.closed for connection in taken] == [True, False, True, False]

    run(scenario())


def test_only_what_is_taken_is_looked_at(kept: KeptConnections) -> None:
    async def scenario() -> None:
        others: list[Any] = [await kept.take(origin) for origin in (A, B, C)]
        for connection in others:
            await kept.give_back(connection.origin, connection)
        await kept.take(B)
        assert [connection.looks for connection in others] == [0, 1, 0]

    run(scenario())


def test_all_are_closed_in_the_end(kept: KeptConnections) -> None:
    async def scenario() -> None:
        taken: list[Any] = [await kept.take(origin) for origin in (A, A, B)]
        for connection in taken:
            await kept.give_back(connection.origin, connection)
        await kept.aclose()
        assert all(connection.closed for connection in taken)
        assert await kept.take(A) not in taken

    run(scenario())
