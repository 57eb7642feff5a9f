"""Connections to receivers, kept between attempts."""

from __future__ import annotations

from time import monotonic
from typing import NamedTuple

from patchbay.outbound.connection import Connection

# Shorter than the idle time of common servers and load balancers (60 to 75 s).
MAX_IDLE_SECONDS = 20.0


class Route(NamedTuple):
    """Where a connection leads, and for whom. A receiver that answers one workspace's request twice must not
    answer another's: connections are never shared between workspaces.
    """

    workspace_id: str
    scheme: str
    host: str
    port: int


class ConnectionPool:
    """Idle connections by route, at most `most` in all; the one unused for longest gives way first.

    Only the connection that is taken is checked: with a hundred receivers, checking all of them was most of
    a delivery's cost. Belongs to one event loop.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        # With the time of their last use. No empty lists; last used last.
        self._idle: dict[Route, list[tuple[float, Connection]]] = {}

    def take(self, route: Route) -> Connection | None:
        """A connection for one exchange, if one is still open and has received nothing."""
        while kept := self._idle.get(route):
            used_at, connection = kept.pop()
            self._count -= 1
            if not kept:
                del self._idle[route]
            if monotonic() - used_at < MAX_IDLE_SECONDS and connection.is_quiet():
                return connection
            connection.close()
        return None

    def give_back(self, route: Route, connection: Connection) -> None:
        """Keep a connection whose exchange allows another."""
        self._idle[route] = [*self._idle.pop(route, ()), (monotonic(), connection)]
        self._count += 1
        if self._count > self._most:
            longest_unused = next(iter(self._idle))
            (_, oldest), *others = self._idle.pop(longest_unused)
            if others:
                self._idle = {longest_unused: others, **self._idle}
            self._count -= 1
            oldest.close()

    def close(self) -> None:
        for each in self._idle.values():
            for _, connection in each:
                connection.close()
        self._idle, self._count = {}, 0
