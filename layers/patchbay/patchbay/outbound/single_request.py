"""One HTTP request for each connection, so that no response can contain bytes of another one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from patchbay.outbound.body import read_body
from patchbay.outbound.connection import Connection
from patchbay.outbound.exchange import Exchange, Headers
from patchbay.outbound.ssrf_guard import Target

_OWN_HEADERS = frozenset({b"host", b"accept-encoding", b"connection"})


class RawResponse(NamedTuple):
    """A response; names of headers are in lowercase. `body` is decoded, and only its beginning unless
    `is_whole`.
    """

    status: int
    headers: Headers
    body: bytes
    is_whole: bool


def prepare(target: Target, method: str, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Exchange:
    """A request to a checked URL. Raises h11.LocalProtocolError for headers that cannot be sent."""
    return Exchange(
        method,
        target.path,
        [
            (b"host", target.authority.encode()),
            (b"accept-encoding", b"identity"),
            (b"connection", b"close"),
            *((name, value) for name, value in headers if name.lower() not in _OWN_HEADERS),
        ],
        body,
    )


async def run(exchange: Exchange, connection: Connection, *, max_bytes: int) -> RawResponse:
    """Send a prepared request, read at most `max_bytes` bytes of the decoded response, and close the
    connection. Follows no redirect. The total deadline is the caller's. Raises as `Exchange.start` does.
    """
    received = bytearray()
    try:
        status, headers = await exchange.start(connection)
        encoding = b", ".join(value for name, value in headers if name == b"content-encoding")
        is_whole = await read_body(exchange, encoding.decode("latin-1") or None, max_bytes, received)
    finally:
        connection.close()
    return RawResponse(status, headers, bytes(received), is_whole)
