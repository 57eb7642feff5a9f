"""Connections to receivers, kept between attempts.

httpcore's own pool looks at every connection it keeps, several times a request, and asks the socket of each:
with a hundred receivers that was most of what a delivery cost. Here one is looked at when it is taken.
"""

from __future__ import annotations

from collections.abc import Callable

import httpcore

# Scheme, host, port.
Origin = tuple[str, str, int]


class KeptConnections:
    """Idle connections by origin, at most `most` in all; what was used longest ago gives way first.
    `dial` makes a connection, which connects with its first request. Belongs to one event loop.
    """

    def __init__(self, dial: Callable[[Origin], httpcore.AsyncHTTPConnection], most: int) -> None:
        self._dial = dial
        self._most = most
        self._count = 0
        self._idle: dict[Origin, list[httpcore.AsyncHTTPConnection]] = {}  # no empty lists; last used last

    async def take(self, origin: Origin) -> httpcore.AsyncHTTPConnection:
        """A connection for one exchange: one that is kept and still open, or a new one."""
        while kept := self._idle.get(origin):
            connection = kept.pop()
            self._count -= 1
            if not kept:
                del self._idle[origin]
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return self._dial(origin)

    async def give_back(self, origin: Origin, connection: httpcore.AsyncHTTPConnection) -> None:
        """After the exchange: keep the connection if its answer was read to the end, else it is closed."""
        if connection.is_closed() or not connection.is_idle():
            await connection.aclose()
            return
        self._idle[origin] = [*self._idle.pop(origin, ()), connection]
        self._count += 1
        if self._count > self._most:
            longest_unused = next(iter(self._idle))
            oldest, *others = self._idle.pop(longest_unused)
            if others:
                self._idle = {longest_unused: others, **self._idle}
            self._count -= 1
            await oldest.aclose()

    async def aclose(self) -> None:
        kept = [connection for each in self._idle.values() for connection in each]
        self._idle, self._count = {}, 0
        for connection in kept:
            await connection.aclose()
