"""An httpx transport under the SSRF guard, for what speaks to token endpoints through Authlib."""

from __future__ import annotations

import ssl

import h11
import httpx

from patchbay.outbound.body import read_body
from patchbay.outbound.connection import InvalidAnswer
from patchbay.outbound.dialer import Dialer, GuardedDialer, Resolver, resolve
from patchbay.outbound.exchange import Exchange
from patchbay.outbound.ssrf_guard import TargetError, check_url

CONNECT_TIMEOUT_SECONDS = 5.0

# What a request meets that no usable answer follows. `OSError` holds the deadline's TimeoutError, and
# ssl.SSLError.
FAULTS = (TargetError, OSError, InvalidAnswer, h11.LocalProtocolError, httpx.DecodingError)


class AnswerTooLarge(OSError):
    """The answer has more bytes than whoever asked takes."""


class GuardedTransport(httpx.AsyncBaseTransport):
    """Judges the URL at every request and the addresses at every dial; follows no redirect, uses no proxy,
    keeps no cookie, and reads at most `most` bytes of a decoded answer. Each request has a connection of its
    own, so no answer can hold bytes left over from another request.

    Raises one of FAULTS. The total deadline is the caller's: `asyncio.timeout`.
    """

    def __init__(
        self,
        *,
        most: int,
        https_only: bool = True,
        allow_loopback: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        resolver: Resolver = resolve,
        dialer: Dialer | None = None,
    ) -> None:
        self._most = most
        self._https_only = https_only
        self._allow_loopback = allow_loopback
        self.sent = False  # whether a request may have reached the other side
        self._dialer = GuardedDialer(
            allow_loopback=allow_loopback, ssl_context=ssl_context, resolver=resolver, dialer=dialer
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target = check_url(str(request.url), https_only=self._https_only, allow_loopback=self._allow_loopback)

        own = {b"host", b"accept-encoding", b"connection"}
        exchange = Exchange(
            request.method,
            target.path,
            [
                (b"host", target.authority.encode()),
                (b"accept-encoding", b"identity"),
                (b"connection", b"close"),
                *((name, value) for name, value in request.headers.raw if name.lower() not in own),
            ],
            await request.aread(),
        )
        connection = await self._dialer.dial(target.scheme, target.host, target.port, CONNECT_TIMEOUT_SECONDS)
        body = bytearray()
        try:
            self.sent = True
            status, raw_headers = await exchange.begin(connection)
            headers = httpx.Headers(list(raw_headers))
            if not await read_body(exchange, headers.get("content-encoding"), self._most, body):
                raise AnswerTooLarge(f"the answer has more than {self._most} bytes, or cannot be unpacked")
        finally:
            connection.close()
        # What is decoded here, and what httpx would act upon: it parses a Location that it does not follow.
        for name in ("content-encoding", "content-length", "location", "set-cookie"):
            headers.pop(name, None)
        return httpx.Response(status, headers=headers, content=bytes(body), request=request)
