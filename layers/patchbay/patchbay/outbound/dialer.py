"""Dials under the SSRF guard: the address that was checked is the address that is dialed."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from patchbay.outbound.connection import Connection
from patchbay.outbound.ssrf_guard import check_address
from patchbay.tls import client_context

Resolver = Callable[[str, int], Awaitable[list[str]]]
Dialer = Callable[[str, int], Awaitable[socket.socket]]

# A name may have thousands of addresses. One attempt does not try them all.
_MAX_DIALS = 8

# The loop's default executor has about six threads in AWS Lambda. A few names whose name servers never
# respond would occupy all of them and delay the lookups of every other receiver.
_lookups = ThreadPoolExecutor(max_workers=64, thread_name_prefix="lookup")


class NameNotResolved(OSError):
    """The host's name has no address, or its name server did not respond."""


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of `host`, in the order of the system's preference."""
    loop = asyncio.get_running_loop()
    try:
        entries = await loop.run_in_executor(
            _lookups, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
    except (OSError, UnicodeError) as error:  # UnicodeError: an invalid DNS label
        raise NameNotResolved("the host's name could not be resolved") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


async def connect(address: str, port: int) -> socket.socket:
    """A non-blocking socket that is connected to an IP address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


class GuardedDialer:
    """Resolves a host once, rejects it if any of its addresses is forbidden, and dials only those addresses.

    One forbidden address is enough: a mixed DNS response looks like an attack. TLS still verifies the name. A
    reused connection leads to the address that was checked, even if the name has a different address by then.
    `ssl_context` replaces the default trust in certifi's authorities; `dialer` connects a socket.
    """

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        resolver: Resolver = resolve,
        dialer: Dialer | None = None,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._ssl_context = ssl_context or client_context()
        self._ssl_context.set_alpn_protocols(["http/1.1"])
        self._resolver = resolver
        self._dialer = dialer or connect

    async def dial(self, scheme: str, host: str, port: int, timeout: float) -> Connection:  # noqa: ASYNC109  # applies to each of two steps
        """A new connection, with TLS for https. `timeout` is in seconds, and applies separately to the
        connection and to TLS.

        Raises ForbiddenTarget, NameNotResolved, ssl.SSLError, TimeoutError, or another OSError.
        """
        async with asyncio.timeout(timeout):
            connection = Connection(await self._connect(host, port, timeout))
        if scheme == "https":
            try:
                async with asyncio.timeout(timeout):
                    await connection.start_tls(self._ssl_context, host)
            except BaseException:
                connection.close()
                raise
        return connection

    async def _connect(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ASYNC109  # divided among the addresses
        addresses = await self._resolver(host, port)
        for address in addresses:
            check_address(address, allow_loopback=self._allow_loopback)
        candidates = addresses[:_MAX_DIALS]
        # Leaves time for the next addresses if one does not respond. One lost SYN costs 1 s.
        address_timeout = max(1.0, timeout / max(1, len(candidates)))
        failure: OSError = NameNotResolved("the host's name has no address")
        for address in candidates:
            try:
                async with asyncio.timeout(address_timeout):
                    return await self._dialer(address, port)
            except OSError as error:  # TimeoutError too
                failure = error
        raise failure
