"""One HTTP exchange with AWS over a reused connection.

This replaces http.client and urllib3, which take most of a call's CPU. It reads responses as AWS sends them,
with a Content-Length or in chunks, and rejects everything else.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from patchbay.tls import client_context

Response = tuple[int, dict[str, str], bytes]

_CONNECT_SECONDS = 1.0
_RESPONSE_SECONDS = 2.0
_IDLE_SECONDS = 15.0  # AWS closes a connection that is idle for longer
_MAX_IDLE = 20  # per endpoint: a batch of deliveries makes calls concurrently
_MAX_HEAD_BYTES = 64 * 1024
_MAX_BODY_BYTES = 16 * 1024 * 1024  # the largest response is that of DynamoDB's BatchGetItem


class MalformedResponse(OSError):
    """The response is not HTTP as AWS sends it, or it is too large."""


class _Closed(ConnectionError):
    """The server closed the connection before the response started."""


class Endpoint(NamedTuple):
    """The address of a URL, and the host and path of a request to it."""

    tls: bool
    address: tuple[str, int]
    host: str
    path: str


@lru_cache(maxsize=64)
def parse_endpoint(url: str) -> Endpoint:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    address = (parts.hostname or "", parts.port or (443 if tls else 80))
    return Endpoint(tls, address, parts.netloc.rpartition("@")[2], parts.path or "/")


# The most recently used connection is reused first. list.append and list.pop are atomic.
_idle: defaultdict[Endpoint, list[tuple[socket.socket, float]]] = defaultdict(list)


def exchange(url: str, headers: Mapping[str, str], body: bytes) -> Response:
    """POST `body` and return (status, headers with names in lowercase, body). Raises OSError.

    An exchange takes at most 2 s, plus at most 1 s each for the connection and the TLS handshake.
    """
    target = parse_endpoint(url)
    head = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    request = f"POST {target.path} HTTP/1.1\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body
    if sock := _take(target):
        try:
            return _exchange(sock, target, request)
        except _Closed:
            pass  # It was closed while it was idle. A new connection shows whether the server is healthy.
    return _exchange(_connect(target), target, request)


def close_idle_connections() -> None:
    for connections in _idle.values():
        while connections:
            connections.pop()[0].close()


def _take(target: Endpoint) -> socket.socket | None:
    """An idle connection that is still usable, or None."""
    connections = _idle[target]
    while connections:
        try:
            sock, idle_since = connections.pop()
        except IndexError:  # another thread took it
            return None
        # The wall clock, because the monotonic clock can stop while AWS Lambda freezes the process.
        if 0 <= time.time() - idle_since < _IDLE_SECONDS and _is_quiet(sock):
            return sock
        sock.close()
    return None


def _is_quiet(sock: socket.socket) -> bool:
    """Whether there is nothing to read: neither a close nor unexpected bytes."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return not poll.poll(0)


def _connect(target: Endpoint) -> socket.socket:
    sock = socket.create_connection(target.address, _CONNECT_SECONDS)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if target.tls:
            context = client_context(os.environ.get("AWS_CA_BUNDLE"))
            return context.wrap_socket(sock, server_hostname=target.address[0])
    except BaseException:
        sock.close()
        raise
    return sock


def _exchange(sock: socket.socket, target: Endpoint, request: bytes) -> Response:
    reader = _Reader(sock, time.monotonic() + _RESPONSE_SECONDS)
    can_reuse = False
    try:
        reader.send(request)
        status, headers = reader.head()
        body = reader.body(headers)
        can_reuse = not reader.buffer and headers.get("connection", "").lower() != "close"
        return status, headers, body
    except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        if reader.has_received:
            raise
        raise _Closed("the server closed the connection") from error
    finally:
        if can_reuse and len(_idle[target]) < _MAX_IDLE:
            _idle[target].append((sock, time.time()))
        else:
            sock.close()


class _Reader:
    """Sends a request and reads its response before a deadline, which slow responses do not extend."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline
        self.buffer = bytearray()
        self.has_received = False

    def send(self, request: bytes) -> None:
        unsent = memoryview(request)
        while unsent:
            self._set_timeout()
            unsent = unsent[self._sock.send(unsent) :]

    def head(self) -> tuple[int, dict[str, str]]:
        lines = self._until(b"\r\n\r\n", _MAX_HEAD_BYTES).decode("latin-1").split("\r\n")
        version, _, status = lines[0].partition(" ")
        if version != "HTTP/1.1" or not (status[:3].isdecimal() and status[3:4] in ("", " ")):
            raise MalformedResponse("the response is not HTTP/1.1")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(status[:3]), headers

    def body(self, headers: Mapping[str, str]) -> bytes:
        coding, length = headers.get("transfer-encoding", "").lower(), headers.get("content-length", "")
        if coding == "chunked":
            return self._chunks()
        if coding or not (length.isascii() and length.isdecimal()):
            raise MalformedResponse("the response has neither a Content-Length nor chunks")
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        body = bytearray()
        while True:
            line = self._until(b"\r\n", _MAX_HEAD_BYTES).partition(b";")[0].strip()
            try:
                size = int(line, 16)
            except ValueError:
                raise MalformedResponse("the size of a chunk is not a number") from None
            if not 0 <= size <= _MAX_BODY_BYTES - len(body):
                raise MalformedResponse("the response is too large")
            if not size:
                while self._until(b"\r\n", _MAX_HEAD_BYTES):
                    pass  # trailers
                return bytes(body)
            body += self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise MalformedResponse("a chunk is longer than its declared size")

    def _until(self, end: bytes, max_bytes: int) -> bytes:
        while (index := self.buffer.find(end)) < 0:
            if len(self.buffer) > max_bytes:
                raise MalformedResponse("the head of the response is too large")
            self._receive()
        data = bytes(self.buffer[:index])
        del self.buffer[: index + len(end)]
        return data

    def _exactly(self, size: int) -> bytes:
        if size > _MAX_BODY_BYTES:
            raise MalformedResponse("the response is too large")
        while len(self.buffer) < size:
            self._receive()
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def _receive(self) -> None:
        self._set_timeout()
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self.has_received = True
        self.buffer += data

    def _set_timeout(self) -> None:
        """Limit the next operation on the socket to the deadline."""
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the response took too long")
        self._sock.settimeout(remaining)
