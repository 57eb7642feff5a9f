"""The pool has a bounded number of connections, each without unread data and for one workspace."""

from __future__ import annotations

from typing import Any

import pytest

from patchbay.webhooks import connection_pool
from patchbay.webhooks.connection_pool import MAX_IDLE_SECONDS, ConnectionPool, Route

A, B, C = (Route("acme", "https", host, 443) for host in "abc")


class Connection:
    """A fake with the methods that the pool calls."""

    def __init__(self) -> None:
        self.quiet, self.closed, self.checks = True, False, 0

    def is_quiet(self) -> bool:
        self.checks += 1
        return self.quiet

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def pool() -> ConnectionPool:
    return ConnectionPool(3)


def add(pool: ConnectionPool, *routes: Route) -> list[Any]:
    """Add new connections, in this order."""
    connections: list[Any] = [Connection() for _ in routes]
    for route, connection in zip(routes, connections, strict=True):
        pool.release(route, connection)
    return connections


def test_take_returns_each_idle_connection_once(pool: ConnectionPool) -> None:
    first, second = add(pool, A, A)
    assert pool.acquire(B) is None
    assert pool.acquire(A) is second  # the most recently used is the most likely to be open
    assert pool.acquire(A) is first
    assert pool.acquire(A) is None


@pytest.mark.parametrize(
    "other",
    [
        A._replace(workspace_id="initech"),
        A._replace(scheme="http"),
        A._replace(host="b"),
        A._replace(port=8443),
    ],
)
def test_connection_is_reused_only_by_its_workspace_and_origin(pool: ConnectionPool, other: Route) -> None:
    [connection] = add(pool, A)
    assert pool.acquire(other) is None
    assert pool.acquire(A) is connection


def test_connection_with_unread_data_is_closed(pool: ConnectionPool) -> None:
    quiet, noisy = add(pool, A, A)
    noisy.quiet = False
    assert pool.acquire(A) is quiet
    assert noisy.closed


def test_connection_is_closed_after_the_idle_limit(
    pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(connection_pool, "monotonic", lambda: now)
    [connection] = add(pool, A)
    now += MAX_IDLE_SECONDS
    assert pool.acquire(A) is None
    assert connection.closed


def test_full_pool_closes_the_least_recently_used_connection(pool: ConnectionPool) -> None:
    connections = add(pool, A, A, B, C)
    assert [connection.closed for connection in connections] == [True, False, False, False]
    again = pool.acquire(A)
    assert again is connections[1]
    pool.release(A, again)
    add(pool, B._replace(host="d"))
    assert [connection.closed for connection in connections] == [True, False, True, False]


def test_take_checks_only_the_connection_that_it_returns(pool: ConnectionPool) -> None:
    connections = add(pool, A, B, C)
    pool.acquire(B)
    assert [connection.checks for connection in connections] == [0, 1, 0]


def test_close_closes_all_connections(pool: ConnectionPool) -> None:
    connections = add(pool, A, A, B)
    pool.close()
    assert all(connection.closed for connection in connections)
    assert pool.acquire(A) is None
