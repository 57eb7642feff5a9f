"""A TCP or TLS connection that accounts for every received byte.

The transports of asyncio and the streams of anyio read ahead into buffers, and drop the buffered bytes when a
write fails. A `Connection` reads only when its user asks for bytes. So before the next request, it can detect
bytes that belong to no response (`is_quiet`), and it can read a response from a peer that no longer accepts
the request.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl

# Four times the largest body that is read (64 KB, from a token endpoint), including the head.
MAX_RESPONSE_BYTES = 256 * 1024
_READ_BYTES = 64 * 1024


class InvalidResponse(Exception):
    """The received bytes are not an HTTP response, or there are too many."""


class Connection:
    """Owns a connected, non-blocking socket. Belongs to one event loop, and to one task at a time.

    From one `send` to the next it reads at most MAX_RESPONSE_BYTES from the socket. Otherwise, endless
    interim responses, chunk extensions, and TLS records without content would occupy the CPU until the
    deadline.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._unsent = memoryview(b"")
        self._can_send = True
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._readable_bytes = MAX_RESPONSE_BYTES

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Raises ssl.SSLError, or another OSError."""
        tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._push_outgoing()
                while not self._pull_incoming():
                    await self._wait()
                if self._incoming.eof:
                    raise ConnectionResetError("the connection ended during the TLS handshake") from None
            except ssl.SSLError:
                self._push_outgoing()  # the alert with the reason
                raise
            else:
                self._push_outgoing()
                self._tls = tls
                return

    def send(self, data: bytes) -> None:
        """Start sending. Bytes that the socket does not accept immediately are sent during `receive`."""
        self._readable_bytes = MAX_RESPONSE_BYTES
        if self._tls is None:
            self._push(data)
            return
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        self._push_outgoing()

    async def receive(self) -> bytes:
        """The next received bytes, b"" at the end of the stream.

        Raises InvalidResponse, ssl.SSLError, or another OSError. An error while sending is ignored: the peer
        may have responded before it stopped reading, and that response can still be read.
        """
        if self._tls is None:
            await self._wait()
        while (data := self._pull()) is None:
            await self._wait()
        return data

    @property
    def has_sent_all(self) -> bool:
        return not self._unsent

    def is_quiet(self) -> bool:
        """Whether nothing has arrived since the last byte that was read: neither data nor the end.

        Call it between two exchanges. OpenSSL takes at most one record at a time from `_incoming`, so if
        bytes follow the last record that was read, at least some of them are still there.
        """
        if self._incoming.pending or (self._tls is not None and self._tls.pending()):
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        self._socket.close()

    # ── without waiting ──────────────────────────────────────────────────────────────────────────────

    def _pull(self) -> bytes | None:
        """The available bytes, b"" at the end of the stream, None if nothing is available yet."""
        if self._tls is None:
            return self._read_socket()
        while True:
            try:
                return self._tls.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                self._push_outgoing()
                if not self._pull_incoming():
                    return None
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""  # many servers end without a close_notify

    def _pull_incoming(self) -> bool:
        """Move bytes from the socket to TLS. False if the socket has none yet."""
        data = self._read_socket()
        if data is None:
            return False
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        return True

    def _read_socket(self) -> bytes | None:
        if self._readable_bytes == 0:
            raise InvalidResponse(f"the response has more than {MAX_RESPONSE_BYTES} bytes")
        try:
            data = self._socket.recv(min(_READ_BYTES, self._readable_bytes))
        except BlockingIOError:
            return None
        self._readable_bytes -= len(data)
        return data

    def _push_outgoing(self) -> None:
        if self._outgoing.pending:
            self._push(self._outgoing.read())

    def _push(self, data: bytes = b"") -> None:
        """Write the unsent bytes and then `data`, as much as the socket accepts."""
        self._unsent = memoryview(bytes(self._unsent) + data) if self._unsent else memoryview(data)
        try:
            while self._unsent and self._can_send:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._can_send = False  # see `receive`

    # ── waiting ──────────────────────────────────────────────────────────────────────────────────────

    async def _wait(self) -> None:
        """Wait until the socket is readable, and send unsent bytes in the meantime."""
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        loop.add_reader(self._socket, _resolve, readable)
        is_sending = bool(self._unsent) and self._can_send
        if is_sending:
            loop.add_writer(self._socket, self._send_more, loop)
        try:
            await readable
        finally:
            loop.remove_reader(self._socket)
            if is_sending:
                loop.remove_writer(self._socket)

    def _send_more(self, loop: asyncio.AbstractEventLoop) -> None:
        self._push()
        if not (self._unsent and self._can_send):
            loop.remove_writer(self._socket)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
