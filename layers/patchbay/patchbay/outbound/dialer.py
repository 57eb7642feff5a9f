"""Dialling under the target guard: the address that was judged is the address that is dialled."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore

from patchbay.outbound.target_guard import check_address

Resolver = Callable[[str, int], Awaitable[list[str]]]

# Four times the largest body that anyone reads here (64 KB, of a token endpoint), head included.
MAX_ANSWER_BYTES = 256 * 1024
# A name may have thousands of addresses; one attempt does not knock on all those doors.
_MAX_DIALS = 8

# The loop's own executor has about six threads here. A few names whose servers never answer would
# hold all of them, and so delay the lookups of every other receiver.
_lookups = ThreadPoolExecutor(max_workers=64, thread_name_prefix="lookup")


class NameNotResolved(httpcore.ConnectError):
    """The host's name has no address, or its name server did not answer."""


class AnswerTooLong(httpcore.RemoteProtocolError):
    """One answer had more than MAX_ANSWER_BYTES on the wire."""


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
    verifies the name, because httpcore takes that from the URL. A kept connection leads to the
    address that was judged, wherever its name points by then.

    Raises `ForbiddenTarget`, `NameNotResolved`, `httpcore.ConnectTimeout`, `httpcore.ConnectError`;
    reading from a connection raises `AnswerTooLong`.
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
                tried = addresses[:_MAX_DIALS]
                # An address that does not answer leaves time for the next ones; 1 s is what one
                # lost SYN costs.
                share = None if timeout is None else max(1.0, timeout / max(1, len(tried)))
                failure: Exception = NameNotResolved("the host's name has no address")
                for address in tried:
                    try:
                        stream = await self._dialer.connect_tcp(
                            address, port, share, local_address, socket_options
                        )
                        return _MeteredStream(stream)
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


class _MeteredStream(httpcore.AsyncNetworkStream):
    """Bounds what one answer may bring, from one written request to the next: MAX_ANSWER_BYTES.

    Interim answers without end, chunk extensions and packed blocks that unpack to nothing never fill
    whoever reads an answer: without a bound here they would hold the processor until the deadline.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left = MAX_ANSWER_BYTES

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        if self._left == 0:
            raise AnswerTooLong(f"the answer has more than {MAX_ANSWER_BYTES} bytes")
        data = await self._stream.read(min(max_bytes, self._left), timeout)
        self._left -= len(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._left = MAX_ANSWER_BYTES
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return _MeteredStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
