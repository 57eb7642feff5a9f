"""Shared by the HTTP servers of this package: uvicorn in this event loop, and reading a request."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from local.settings import HOST, Problem


class Server(uvicorn.Server):
    """A server on an already bound socket. It leaves signals to the runner."""

    url: str
    task: asyncio.Task[None]

    @classmethod
    async def start(cls, app: Any, listener: socket.socket) -> Server:
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        server = cls(config)
        server.url = "http://{}:{}".format(*listener.getsockname())
        server.task = asyncio.create_task(server.serve(sockets=[listener]))
        await server.accepting.wait()
        return server

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def stop(self) -> None:
        self.should_exit = True
        await self.task


def listen(port: int, variable: str = "PORT") -> socket.socket:
    """Return a listening socket on the loopback interface. Port 0 selects a free port."""
    # asyncio sets TCP_NODELAY only if the protocol is explicit. Without it, each response on a kept-alive
    # connection would wait 40 ms for the acknowledgment of its headers.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        why = "is in use" if error.errno == errno.EADDRINUSE else f"is not available ({error.strerror})"
        raise Problem(f"port {port} {why}: choose another with {variable}=…") from None
    return listener


async def read_body(receive: Any, limit: int) -> bytes | None:
    """Read the request's body. Returns None if it exceeds the limit; the rest is read and dropped."""
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        size += len(message.get("body", b""))
        if size <= limit:
            chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks) if size <= limit else None


async def respond(send: Any, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    """Send a complete response."""
    raw = [(name.encode(), value.encode()) for name, value in headers]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
