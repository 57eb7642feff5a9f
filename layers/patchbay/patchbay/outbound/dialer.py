"""Dialling under the target guard: the address that was judged is the address that is dialled."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import httpcore

from patchbay.outbound.target_guard import check_address

Resolver = Callable[[str, int], Awaitable[list[str]]]

# The loop's own executor has about six threads here. A few names whose servers never answer would
# hold all of them, and so delay the lookups of every other receiver.
_lookups = ThreadPoolExecutor(max_workers=64, thread_name_prefix="lookup")


class NameNotResolved(httpcore.ConnectError):
    """The host's name has no address, or its name server did not answer."""


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of `host`, in the order in which the system wants them tried."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.run_in_executor(
            _lookups, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
    except (OSError, UnicodeError) as error:  # UnicodeError: a label that DNS cannot hold
        raise NameNotResolved("the host's name could not be resolved") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a host once, refuses it if any of its addresses is forbidden, dials only those.

    One bad address condemns the name: a mixed answer is what an attack looks like. TLS still
    verifies the name, because httpcore takes that from the URL.

    Raises `ForbiddenTarget`, `NameNotResolved`, `httpcore.ConnectTimeout`, `httpcore.ConnectError`.
    """

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        resolver: Resolver = resolve,
        dialer: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._resolver = resolver
        self._dialer = dialer or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolver(host, port)
                for address in addresses:
                    check_address(address, allow_loopback=self._allow_loopback)
                # An address that does not answer leaves time for the next ones; 1 s is what one
                # lost SYN costs.
                share = None if timeout is None else max(1.0, timeout / max(1, len(addresses)))
                failure: Exception = NameNotResolved("the host's name has no address")
                for address in addresses:
                    try:
                        return await self._dialer.connect_tcp(
                            address, port, share, local_address, socket_options
                        )
                    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                        failure = error
                raise failure
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("no connection in time") from error

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("webhooks are not sent to Unix sockets")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
