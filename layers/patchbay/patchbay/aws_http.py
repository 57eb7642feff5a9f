"""One HTTP exchange with AWS over a kept connection.

This replaces http.client and urllib3, which take most of a call's CPU. It reads what AWS sends, a
Content-Length or chunks, and gives up on everything else.
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

from patchbay.tls import trust

Answer = tuple[int, dict[str, str], bytes]

_CONNECT_SECONDS = 1.0
_ANSWER_SECONDS = 2.0
_IDLE_SECONDS = 15.0  # AWS closes connections that are idle for longer
_MAX_KEPT = 20  # for each endpoint: a batch of deliveries makes calls at the same time
_MAX_HEAD_BYTES = 64 * 1024
_MAX_BODY_BYTES = 16 * 1024 * 1024  # DynamoDB's BatchGetItem, the largest answer


class InvalidAnswer(OSError):
    """The answer is not HTTP as AWS sends it, or it is too large."""


class _Closed(ConnectionError):
    """The server closed the connection before the answer began."""


class Endpoint(NamedTuple):
    """Where a URL leads to, and what a request to it names as its host and path."""

    tls: bool
    address: tuple[str, int]
    host: str
    path: str


@lru_cache(maxsize=64)
def endpoint(url: str) -> Endpoint:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    address = (parts.hostname or "", parts.port or (443 if tls else 80))
    return Endpoint(tls, address, parts.netloc.rpartition("@")[2], parts.path or "/")


# The most recently used connection is used again first. list.append and list.pop are atomic.
_kept: defaultdict[Endpoint, list[tuple[socket.socket, float]]] = defaultdict(list)


def exchange(url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """POST `body` and return (status, headers with names in lower case, body). Raises OSError.

    An exchange takes 2 s at most, and 1 s more each to connect and for the TLS handshake.
    """
    target = endpoint(url)
    head = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    request = f"POST {target.path} HTTP/1.1\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body
    if sock := _take(target):
        try:
            return _exchange(sock, target, request)
        except _Closed:
            pass  # It was closed while it was idle. A new connection shows whether the server is well.
    return _exchange(_connect(target), target, request)


def close_kept() -> None:
    """Close the connections that are kept."""
    for kept in _kept.values():
        while kept:
            kept.pop()[0].close()


def _take(target: Endpoint) -> socket.socket | None:
    """A kept connection that is still good."""
    kept = _kept[target]
    while kept:
        try:
            sock, since = kept.pop()
        except IndexError:  # another thread took it
            return None
        # By the wall clock: the monotonic one can stand still while Lambda freezes the process.
        if 0 <= time.time() - since < _IDLE_SECONDS and _is_quiet(sock):
            return sock
        sock.close()
    return None


def _is_quiet(sock: socket.socket) -> bool:
    """Whether there is nothing to read: no close, and no unexpected bytes."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return not poll.poll(0)


def _connect(target: Endpoint) -> socket.socket:
    sock = socket.create_connection(target.address, _CONNECT_SECONDS)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if target.tls:
            context = trust(os.environ.get("AWS_CA_BUNDLE"))
            return context.wrap_socket(sock, server_hostname=target.address[0])
    except BaseException:
        sock.close()
        raise
    return sock


def _exchange(sock: socket.socket, target: Endpoint, request: bytes) -> Answer:
    reader = _Reader(sock, time.monotonic() + _ANSWER_SECONDS)
    keep = False
    try:
        reader.send(request)
        status, headers = reader.head()
        body = reader.body(headers)
        keep = not reader.rest and headers.get("connection", "").lower() != "close"
        return status, headers, body
    except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        if reader.begun:
            raise
        raise _Closed("the server closed the connection") from error
    finally:
        if keep and len(_kept[target]) < _MAX_KEPT:
            _kept[target].append((sock, time.time()))
        else:
            sock.close()


class _Reader:
    """Sends a request and reads its answer, until a deadline that slow bytes do not put off."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline
        self.rest = bytearray()
        self.begun = False

    def send(self, request: bytes) -> None:
        left = memoryview(request)
        while left:
            self._wait()
            left = left[self._sock.send(left) :]

    def head(self) -> tuple[int, dict[str, str]]:
        lines = self._until(b"\r\n\r\n", _MAX_HEAD_BYTES).decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        if version != "HTTP/1.1" or not (rest[:3].isdecimal() and rest[3:4] in ("", " ")):
            raise InvalidAnswer("the answer is not HTTP/1.1")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(rest[:3]), headers

    def body(self, headers: Mapping[str, str]) -> bytes:
        coding, length = headers.get("transfer-encoding", "").lower(), headers.get("content-length", "")
        if coding == "chunked":
            return self._chunks()
        if coding or not (length.isascii() and length.isdecimal()):
            raise InvalidAnswer("the answer has neither a length nor chunks")
        return self._exactly(int(length))

    def _chunks(self) -> bytes:
        body = bytearray()
        while True:
            line = self._until(b"\r\n", _MAX_HEAD_BYTES).partition(b";")[0].strip()
            try:
                size = int(line, 16)
            except ValueError:
                raise InvalidAnswer("the size of a chunk is not a number") from None
            if not 0 <= size <= _MAX_BODY_BYTES - len(body):
                raise InvalidAnswer("the answer is too large")
            if not size:
                while self._until(b"\r\n", _MAX_HEAD_BYTES):
                    pass  # trailers
                return bytes(body)
            body += self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise InvalidAnswer("a chunk is longer than it says")

    def _until(self, end: bytes, most: int) -> bytes:
        while (at := self.rest.find(end)) < 0:
            if len(self.rest) > most:
                raise InvalidAnswer("the head of the answer is too large")
            self._receive()
        found = bytes(self.rest[:at])
        del self.rest[: at + len(end)]
        return found

    def _exactly(self, size: int) -> bytes:
        if size > _MAX_BODY_BYTES:
            raise InvalidAnswer("the answer is too large")
        while len(self.rest) < size:
            self._receive()
        found = bytes(self.rest[:size])
        del self.rest[:size]
        return found

    def _receive(self) -> None:
        self._wait()
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self.begun = True
        self.rest += data

    def _wait(self) -> None:
        """Let the next operation on the socket wait until the deadline."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
