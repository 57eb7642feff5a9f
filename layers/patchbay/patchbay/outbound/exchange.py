"""One HTTP/1.1 request and its response (RFC 9112) on a connection.

h11 decides where a response ends. A filter in front of it tolerates the harmless mistakes of real servers: it
drops malformed header lines, unless another parser could read such a line as a framing header. Reuse of the
connection follows the opposite rule: only a response without any mistake allows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Self

import h11

from patchbay.outbound.connection import Connection, InvalidResponse

_MAX_HEAD_BYTES = 100 * 1024

Headers = Sequence[tuple[bytes, bytes]]

# The grammar is h11's: RFC 9110, 5.1 and 5.5, with control characters in values.
_FIELD = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]++:[^\0\n\v\f\r]*+"
_field = re.compile(_FIELD)
_clean_head = re.compile(rb"HTTP/1\.1 [0-9]{3}(?: [^\0\n\v\f\r]*+)?\r\n(?:" + _FIELD + rb"\r\n)*+\r\n")
_head_end = re.compile(rb"\n\r?\n")
_framing = re.compile(rb"^(content-length|transfer-encoding):([^\n]*+)\n", re.IGNORECASE | re.MULTILINE)
# A malformed line with a second interpretation: a bare CR or a NUL may end it, or it may be a disguised
# framing header or another status line.
_suspect = re.compile(
    rb"[\0\r]|^[^a-z]*+(?:content[^a-z]*+length|transfer[^a-z]*+encoding)[^a-z:]*+(?::|$)|^[ \t]*+http/",
    re.IGNORECASE,
)


class NotHttpResponse(InvalidResponse):
    """The first bytes are not the start of an HTTP response."""


class Exchange:
    """A request, and after `start`, an asynchronous iterator over the body of its response.

    Raises h11.LocalProtocolError for headers that cannot be sent.
    """

    def __init__(self, method: str, target: str, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        events = (
            h11.Request(method=method, target=target, headers=list(headers)),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        self._request = b"".join(self._h11.send(event) or b"" for event in events)
        self._connection: Connection
        self._unambiguous = True

    async def start(self, connection: Connection) -> tuple[int, Headers]:
        """Send the request. Returns the status and the headers of the response, with names in lowercase.

        If the response arrives before the whole request is sent, the rest is not sent. Raises
        NotHttpResponse, InvalidResponse, or an OSError; ConnectionError if the connection ends before a
        response.
        """
        self._connection = connection
        connection.send(self._request)
        received = bytearray()
        while True:
            head = await self._read_head(connection, received)
            self._h11.receive_data(self._filter(head))
            event = self._next_event()
            if isinstance(event, h11.Response):
                if received:
                    self._h11.receive_data(bytes(received))
                return event.status_code, list(event.headers)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while (event := self._next_event()) is h11.NEED_DATA:
            self._h11.receive_data(await self._connection.receive())
        if isinstance(event, h11.Data):
            return bytes(event.data)
        raise StopAsyncIteration

    @property
    def closes_connection(self) -> bool:
        """Whether the head of the response announces the end of the connection."""
        return self._h11.our_state is h11.MUST_CLOSE

    @property
    def can_reuse_connection(self) -> bool:
        """Whether the connection can be used for another request: the response was read to its unambiguous
        end, nothing followed it, and the whole request was sent.
        """
        return (
            self._unambiguous
            and self._h11.our_state is self._h11.their_state is h11.DONE
            and self._h11.trailing_data == (b"", False)
            and self._connection.has_sent_all
        )

    async def _read_head(self, connection: Connection, received: bytearray) -> bytes:
        """Read a status line and its headers, with the blank line, from `received` and the connection."""
        searched = 0
        while True:
            if received.startswith((b"\r", b"\n")):
                self._unambiguous = False
                received[:] = received.lstrip(b"\r\n")
            if not b"HTTP/".startswith(bytes(received[:5])):
                raise NotHttpResponse("the response does not start with a status line")
            if end := _head_end.search(received, searched):
                head = bytes(received[: end.end()])
                del received[: end.end()]
                return head
            if len(received) > _MAX_HEAD_BYTES:
                raise InvalidResponse("the response's headers are too long")
            searched = max(0, len(received) - 2)
            data = await connection.receive()
            if not data:
                raise ConnectionResetError("the connection ended before a response")
            received += data

    def _filter(self, head: bytes) -> bytes:
        """`head` without the harmless mistakes that h11 rejects."""
        if not _clean_head.fullmatch(head):
            self._unambiguous = False
            head = _without_malformed_lines(head)
        framing = [(name.lower(), value.strip(b" \t\r").lower()) for name, value in _framing.findall(head)]
        self._unambiguous &= _is_unambiguous(head, framing)
        codings = {value for name, value in framing if name == b"transfer-encoding"}
        if codings == {b"identity"}:  # RFC 2616: no coding
            head = _framing.sub(
                lambda line: b"" if line[1].lower() == b"transfer-encoding" else line[0], head
            )
        return head

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise InvalidResponse(str(error)) from error


def _without_malformed_lines(head: bytes) -> bytes:
    """`head` with CRLF line endings and only its well-formed header lines."""
    lines = [line.removesuffix(b"\r") for line in head.split(b"\n")[:-2]]
    well_formed = lines[:1]
    for line in lines[1:]:
        if line[:1] in (b" ", b"\t") and _framing.match(well_formed[-1] + b"\n"):
            raise InvalidResponse("a framing header is folded")
        if _field.fullmatch(line):
            well_formed.append(line)
        elif _suspect.search(line):
            raise InvalidResponse("a malformed header line may be a framing header")
    return b"\r\n".join([*well_formed, b"", b""])


def _is_unambiguous(head: bytes, framing: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether every parser finds the same end of the response."""
    never_has_body = head[9:10] == b"1" or head[9:12] in (b"204", b"304")
    match framing:
        case []:
            return True
        case [(b"content-length", length)] if length.isdigit():
            return not never_has_body or not length.strip(b"0")
        case [(b"transfer-encoding", b"chunked")]:
            return not never_has_body
    return False
