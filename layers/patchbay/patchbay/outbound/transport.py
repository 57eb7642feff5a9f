"""An httpx transport under the target guard, for what speaks to token endpoints through Authlib."""

from __future__ import annotations

import ssl
from functools import cache

import anyio
import certifi
import httpcore
import httpx

from patchbay.outbound.body import read_body
from patchbay.outbound.dialer import GuardedBackend, Resolver, resolve
from patchbay.outbound.target_guard import TargetError, check_url

CONNECT_TIMEOUT_SECONDS = 5.0

# What a request meets that no usable answer follows. `OSError` holds the deadline's TimeoutError, and
# ssl.SSLError after the handshake.
FAULTS = (
    TargetError,
    OSError,
    anyio.EndOfStream,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpx.DecodingError,
)


class AnswerTooLarge(OSError):
    """The answer has more bytes than whoever asked takes."""


class GuardedTransport(httpx.AsyncBaseTransport):
    """Judges the URL at every request and the addresses at every dial; follows no redirect, uses no proxy,
    keeps no cookie, and reads at most `most` bytes of a decoded answer.

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
        dialer: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._most = most
        self._https_only = https_only
        self._allow_loopback = allow_loopback
        self.sent = False  # whether a request may have reached the other side
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context or _default_trust(),
            network_backend=GuardedBackend(allow_loopback=allow_loopback, resolver=resolver, dialer=dialer),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target = check_url(str(request.url), https_only=self._https_only, allow_loopback=self._allow_loopback)

        async def trace(event: str, info: object) -> None:
            if event.endswith("send_request_headers.started"):
                self.sent = True

        own = {b"host", b"accept-encoding", b"connection"}
        response = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path),
                headers=[
                    (b"host", target.authority.encode()),
                    (b"accept-encoding", b"identity"),
                    *((name, value) for name, value in request.headers.raw if name.lower() not in own),
                ],
                content=await request.aread(),
                extensions={"timeout": {"connect": CONNECT_TIMEOUT_SECONDS}, "trace": trace},
            )
        )
        body = bytearray()
        try:
            headers = httpx.Headers(response.headers)
            if not await read_body(response, headers.get("content-encoding"), self._most, body):
                raise AnswerTooLarge(f"the answer has more than {self._most} bytes, or cannot be unpacked")
        finally:
            await response.aclose()
        # What is decoded here, and what httpx would act upon: it parses a Location that it does not follow.
        for name in ("content-encoding", "content-length", "location", "set-cookie"):
            headers.pop(name, None)
        return httpx.Response(response.status, headers=headers, content=bytes(body), request=request)

    async def aclose(self) -> None:
        await self._pool.aclose()


@cache
def _default_trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())
