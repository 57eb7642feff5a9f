"""A pool of connections to receivers."""

from __future__ import annotations

from time import monotonic
from typing import NamedTuple

from patchbay.outbound.connection import Connection

# Shorter than the idle time of common servers and load balancers (60 to 75 s).
MAX_IDLE_SECONDS = 20.0


class Route(NamedTuple):
    """The target of a connection, and its workspace. Workspaces never share connections: if a receiver
    sends two responses to one workspace's request, the second must not reach another workspace.
    """

    workspace_id: str
    scheme: str
    host: str
    port: int


class ConnectionPool:
    """Idle connections by route, at most `max_size` in total; the least recently used is closed first.

    Checks only the connection that it returns: with a hundred receivers, checking all of them made up most
    of a delivery's cost. Belongs to one event loop.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._count = 0
        # Each connection with the time of its last use; routes in order of last use. No list is empty.
        self._idle: dict[Route, list[tuple[float, Connection]]] = {}

    def acquire(self, route: Route) -> Connection | None:
        """A connection for one exchange, if one is still open and has no unread data."""
        while connections := self._idle.get(route):
            used_at, connection = connections.pop()
            self._count -= 1
            if not connections:
                del self._idle[route]
            if monotonic() - used_at < MAX_IDLE_SECONDS and connection.is_quiet():
                return connection
            connection.close()
        return None

    def release(self, route: Route, connection: Connection) -> None:
        """Return a connection whose exchange allows another one."""
        self._idle[route] = [*self._idle.pop(route, ()), (monotonic(), connection)]
        self._count += 1
        if self._count > self._max_size:
            oldest_route = next(iter(self._idle))
            (_, oldest), *others = self._idle.pop(oldest_route)
            if others:
                self._idle = {oldest_route: others, **self._idle}
            self._count -= 1
            oldest.close()

    def close(self) -> None:
        for connections in self._idle.values():
            for _, connection in connections:
                connection.close()
        self._idle, self._count = {}, 0
