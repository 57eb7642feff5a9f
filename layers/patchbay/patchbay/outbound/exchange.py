"""One HTTP/1.1 request and its answer (RFC 9112) on a connection.

h11 decides where an answer ends. A filter in front of it tolerates the harmless mistakes of real servers: it
drops malformed header lines, unless another parser could read such a line as one that frames the answer.
Reuse of the connection follows the opposite rule: only an answer without any mistake allows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Self

import h11

from patchbay.outbound.connection import Connection, InvalidAnswer

_MAX_HEAD_BYTES = 100 * 1024

Headers = Sequence[tuple[bytes, bytes]]

# The grammar is h11's: RFC 9110, 5.1 and 5.5, with control characters in values.
_FIELD = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]++:[^\0\n\v\f\r]*+"
_field = re.compile(_FIELD)
_clean_head = re.compile(rb"HTTP/1\.1 [0-9]{3}(?: [^\0\n\v\f\r]*+)?\r\n(?:" + _FIELD + rb"\r\n)*+\r\n")
_head_end = re.compile(rb"\n\r?\n")
_framing = re.compile(rb"^(content-length|transfer-encoding):([^\n]*+)\n", re.IGNORECASE | re.MULTILINE)
# A malformed line with a second reading: a bare CR or a NUL may end it, it may be a header that frames the
# answer in disguise, or another status line.
_suspect = re.compile(
    rb"[\0\r]|^[^a-z]*+(?:content[^a-z]*+length|transfer[^a-z]*+encoding)[^a-z:]*+(?::|$)|^[ \t]*+http/",
    re.IGNORECASE,
)


class NoAnswer(InvalidAnswer):
    """The first bytes are not the beginning of an HTTP answer."""


class Exchange:
    """A request, and once it has begun, an asynchronous iterator over the body of its answer.

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

    async def begin(self, connection: Connection) -> tuple[int, Headers]:
        """Send the request; the status and the headers of its answer, names in lower case.

        If the answer comes before the whole request went out, the rest is not sent. Raises NoAnswer,
        InvalidAnswer, or an OSError; ConnectionError when the connection ends before an answer.
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
    def is_last(self) -> bool:
        """Whether the head of the answer announces the end of the connection."""
        return self._h11.our_state is h11.MUST_CLOSE

    @property
    def allows_another(self) -> bool:
        """Whether the connection may serve another request: the answer was read to its unambiguous end,
        nothing came behind it, and the whole request went out.
        """
        return (
            self._unambiguous
            and self._h11.our_state is self._h11.their_state is h11.DONE
            and self._h11.trailing_data == (b"", False)
            and self._connection.has_sent_all
        )

    async def _read_head(self, connection: Connection, received: bytearray) -> bytes:
        """Take a status line and its headers, blank line included, from `received` and what comes next."""
        searched = 0
        while True:
            if received.startswith((b"\r", b"\n")):
                self._unambiguous = False
                received[:] = received.lstrip(b"\r\n")
            if not b"HTTP/".startswith(bytes(received[:5])):
                raise NoAnswer("the answer does not begin with a status line")
            if end := _head_end.search(received, searched):
                head = bytes(received[: end.end()])
                del received[: end.end()]
                return head
            if len(received) > _MAX_HEAD_BYTES:
                raise InvalidAnswer("the answer's headers are too long")
            searched = max(0, len(received) - 2)
            data = await connection.receive()
            if not data:
                raise ConnectionResetError("the connection ended before an answer")
            received += data

    def _filter(self, head: bytes) -> bytes:
        """`head` without the harmless mistakes that h11 refuses."""
        if not _clean_head.fullmatch(head):
            self._unambiguous = False
            head = _without_malformed_lines(head)
        framing = [(name.lower(), value.strip(b" \t\r").lower()) for name, value in _framing.findall(head)]
        self._unambiguous &= _has_one_reading(head, framing)
        codings = {value for name, value in framing if name == b"transfer-encoding"}
        if codings == {b"identity"}:  # of RFC 2616: no coding at all
            head = _framing.sub(
                lambda line: b"" if line[1].lower() == b"transfer-encoding" else line[0], head
            )
        return head

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise InvalidAnswer(str(error)) from error


def _without_malformed_lines(head: bytes) -> bytes:
    """`head` with CRLF line ends, and of its header lines only those that are well-formed."""
    lines = [line.removesuffix(b"\r") for line in head.split(b"\n")[:-2]]
    kept = lines[:1]
    for line in lines[1:]:
        if line[:1] in (b" ", b"\t") and _framing.match(kept[-1] + b"\n"):
            raise InvalidAnswer("a header that frames the answer is folded")
        if _field.fullmatch(line):
            kept.append(line)
        elif _suspect.search(line):
            raise InvalidAnswer("a malformed header line may frame the answer")
    return b"\r\n".join([*kept, b"", b""])


def _has_one_reading(head: bytes, framing: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether every party finds the same end of the answer."""
    never_has_body = head[9:10] == b"1" or head[9:12] in (b"204", b"304")
    match framing:
        case []:
            return True
        case [(b"content-length", length)] if length.isdigit():
            return not never_has_body or not length.strip(b"0")
        case [(b"transfer-encoding", b"chunked")]:
            return not never_has_body
    return False
