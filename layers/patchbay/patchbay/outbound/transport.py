"""An httpx transport under the SSRF guard, for requests to token endpoints."""

from __future__ import annotations

import ssl

import h11
import httpx

from patchbay.outbound.body import read_body
from patchbay.outbound.connection import InvalidResponse
from patchbay.outbound.dialer import Dialer, GuardedDialer, Resolver, resolve
from patchbay.outbound.exchange import Exchange
from patchbay.outbound.ssrf_guard import TargetError, check_url

CONNECT_TIMEOUT_SECONDS = 5.0

# The failures of a request without a usable response. `OSError` includes the deadline's TimeoutError and
# ssl.SSLError.
FAULTS = (TargetError, OSError, InvalidResponse, h11.LocalProtocolError, httpx.DecodingError)


class ResponseTooLarge(OSError):
    """The response is larger than the limit."""


class GuardedTransport(httpx.AsyncBaseTransport):
    """Checks the URL of every request and the addresses of every dial. Follows no redirect, uses no proxy,
    stores no cookie, and reads at most `max_bytes` bytes of a decoded response. Each request has its own
    connection, so no response can contain bytes from another request.

    Raises one of FAULTS. The total deadline is the caller's: `asyncio.timeout`.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        https_only: bool = True,
        allow_loopback: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        resolver: Resolver = resolve,
        dialer: Dialer | None = None,
    ) -> None:
        self._max_bytes = max_bytes
        self._https_only = https_only
        self._allow_loopback = allow_loopback
        self.sent = False  # whether a request may have reached the peer
        self._dialer = GuardedDialer(
            allow_loopback=allow_loopback, ssl_context=ssl_context, resolver=resolver, dialer=dialer
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target = check_url(str(request.url), https_only=self._https_only, allow_loopback=self._allow_loopback)

        own_headers = {b"host", b"accept-encoding", b"connection"}
        exchange = Exchange(
            request.method,
            target.path,
            [
                (b"host", target.authority.encode()),
                (b"accept-encoding", b"identity"),
                (b"connection", b"close"),
                *((name, value) for name, value in request.headers.raw if name.lower() not in own_headers),
            ],
            await request.aread(),
        )
        connection = await self._dialer.dial(target.scheme, target.host, target.port, CONNECT_TIMEOUT_SECONDS)
        body = bytearray()
        try:
            self.sent = True
            status, raw_headers = await exchange.start(connection)
            headers = httpx.Headers(list(raw_headers))
            if not await read_body(exchange, headers.get("content-encoding"), self._max_bytes, body):
                raise ResponseTooLarge(
                    f"the response has more than {self._max_bytes} bytes, or cannot be decoded"
                )
        finally:
            connection.close()
        # The body is already decoded, and httpx would act on the other headers: it parses even a Location
        # that it does not follow.
        for name in ("content-encoding", "content-length", "location", "set-cookie"):
            headers.pop(name, None)
        return httpx.Response(status, headers=headers, content=bytes(body), request=request)
