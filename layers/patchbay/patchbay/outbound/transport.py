"""An httpx transport under the SSRF guard, for requests to token endpoints."""

from __future__ import annotations

import ssl

import h11
import httpx

from patchbay.outbound import single_request
from patchbay.outbound.connection import InvalidResponse
from patchbay.outbound.dialer import Dialer, GuardedDialer, Resolver, resolve
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
        content = await request.aread()
        exchange = single_request.prepare(target, request.method, request.headers.raw, content)
        connection = await self._dialer.dial(target.scheme, target.host, target.port, CONNECT_TIMEOUT_SECONDS)
        self.sent = True
        response = await single_request.run(exchange, connection, max_bytes=self._max_bytes)
        if not response.is_whole:
            raise ResponseTooLarge(
                f"the response has more than {self._max_bytes} bytes, or cannot be decoded"
            )
        headers = httpx.Headers(list(response.headers))
        # The body is already decoded, and httpx would act on the other headers: it parses even a Location
        # that it does not follow.
        for name in ("content-encoding", "content-length", "location", "set-cookie"):
            headers.pop(name, None)
        return httpx.Response(response.status, headers=headers, content=response.body, request=request)
