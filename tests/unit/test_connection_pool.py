"""Connections kept between attempts: only quiet ones, each for one workspace, and not too many."""

from __future__ import annotations

from typing import Any

import pytest

from patchbay.webhooks import connection_pool
from patchbay.webhooks.connection_pool import MAX_IDLE_SECONDS, ConnectionPool, Route

A, B, C = (Route("acme", "https", host, 443) for host in "abc")


class Connection:
    """As much of a connection as is asked for."""

    def __init__(self) -> None:
        self.quiet, self.closed, self.looks = True, False, 0

    def is_quiet(self) -> bool:
        self.looks += 1
        return self.quiet

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def kept() -> ConnectionPool:
    return ConnectionPool(3)


def give(kept: ConnectionPool, *routes: Route) -> list[Any]:
    """New connections, given back in this order."""
    made: list[Any] = [Connection() for _ in routes]
    for route, connection in zip(routes, made, strict=True):
        kept.give_back(route, connection)
    return made


def test_a_connection_is_used_again_and_by_one_at_a_time(kept: ConnectionPool) -> None:
    first, second = give(kept, A, A)
    assert kept.take(B) is None
    assert kept.take(A) is second  # the last used is the likeliest to be open still
    assert kept.take(A) is first
    assert kept.take(A) is None


@pytest.mark.parametrize(
    "other",
    [
        A._replace(workspace_id="initech"),
        A._replace(scheme="http"),
        A._replace(host="b"),
        A._replace(port=8443),
    ],
)
def test_a_connection_is_kept_for_one_workspace_and_origin(kept: ConnectionPool, other: Route) -> None:
    [connection] = give(kept, A)
    assert kept.take(other) is None
    assert kept.take(A) is connection


def test_a_connection_on_which_something_came_is_closed(kept: ConnectionPool) -> None:
    quiet, noisy = give(kept, A, A)
    noisy.quiet = False
    assert kept.take(A) is quiet
    assert noisy.closed


def test_a_connection_unused_for_long_is_closed(
    kept: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(connection_pool, "monotonic", lambda: now)
    [connection] = give(kept, A)
    now += MAX_IDLE_SECONDS
    assert kept.take(A) is None
    assert connection.closed


def test_the_one_unused_for_longest_gives_way(kept: ConnectionPool) -> None:
    made = give(kept, A, A, B, C)
    assert [connection.closed for connection in made] == [True, False, False, False]
    again = kept.take(A)
    assert again is made[1]
    kept.give_back(A, again)
    give(kept, B._replace(host="d"))
    assert [connection.closed for connection in made] == [True, False, True, False]


def test_only_what_is_taken_is_looked_at(kept: ConnectionPool) -> None:
    made = give(kept, A, B, C)
    kept.take(B)
    assert [connection.looks for connection in made] == [0, 1, 0]


def test_all_are_closed_in_the_end(kept: ConnectionPool) -> None:
    made = give(kept, A, A, B)
    kept.close()
    assert all(connection.closed for connection in made)
    assert kept.take(A) is None
