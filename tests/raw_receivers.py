"""Raw TCP receivers, for responses that no HTTP server sends, and a dialer that reaches them.

    async with receiver(b"HTTP/1.1 200 OK\r\n\r\n") as server:
        …                                   # let something POST to server.url
        assert server.connections == 1

`tests.receivers` has well-behaved receivers.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from patchbay.outbound.dialer import connect

HEADERS = [("content-type", "application/json"), ("webhook-id", "msg_1")]
BODY = b'{"id": "evt_1"}'
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
PUBLIC = "93.184.215.14"
WORKSPACE = "acme"

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
Result = TypeVar("Result")


class Receiver:
    """A raw TCP server that calls `answer(request, writer)` for each request."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.add(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                )
                request = head + await reader.readexactly(length)
                self.requests.append(request)
                await self.answer(request, writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the sender has closed the connection
        finally:
            writer.close()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def receiver(answer: bytes | Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    async def answer_bytes(_: bytes, writer: asyncio.StreamWriter) -> None:
        assert isinstance(answer, bytes)
        writer.write(answer)

    receiver = Receiver(answer_bytes if isinstance(answer, bytes) else answer)
    server = await asyncio.start_server(receiver.accept, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await receiver.stop()


def run(scenario: Coroutine[Any, Any, Result]) -> Result:
    """Run a scenario for at most 30 s."""

    async def bounded() -> Result:
        async with asyncio.timeout(30):
            return await scenario

    return asyncio.run(bounded())


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    """An HTTP response, as bytes."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def static_resolver(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    """A resolver that always returns `addresses`."""

    async def resolver(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return resolver


class LocalDialer:
    """Records dialed addresses, and connects to 127.0.0.1 instead. `dead` addresses refuse connections."""

    def __init__(self, dead: Iterable[str] = ()) -> None:
        self.dialed: list[str] = []
        self.dead = set(dead)

    async def __call__(self, address: str, port: int) -> socket.socket:
        self.dialed.append(address)
        if address in self.dead:
            raise ConnectionRefusedError
        return await connect("127.0.0.1", port)
