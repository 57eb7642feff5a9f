"""One delivery attempt over HTTP.

This drives `httpcore`, the engine under httpx, itself: its `network_backend` is the public place
for the target guard, and a webhook wants none of what httpx adds (a cookie jar shared by all
receivers, redirects, proxies and netrc from the environment, unbounded decoding).
"""

from __future__ import annotations

import asyncio
import codecs
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import anyio
import certifi
import h11
import httpcore

from patchbay.outbound.body import read_body
from patchbay.outbound.dialer import AnswerTooLong, GuardedBackend, NameNotResolved, Resolver, resolve
from patchbay.outbound.target_guard import ForbiddenTarget, InvalidTarget, Target, check_url
from patchbay.webhooks.kept_connections import KeptConnections, Origin
from patchbay.webhooks.retry import ErrorKind, Outcome, parse_retry_after

CONNECT_TIMEOUT_SECONDS = 5.0
TOTAL_TIMEOUT_SECONDS = 15.0
MAX_BODY_BYTES = 16 * 1024
MAX_HEADERS = 50
MAX_HEADERS_BYTES = 8 * 1024

# Shorter than the idle time of common servers and load balancers (60 to 75 s).
_KEEPALIVE_SECONDS = 20.0
_IDLE_CONNECTIONS = 100

# Set here, whatever a webhook's own headers say: they frame the request.
_OWN_HEADERS = {
    "host", "content-length", "transfer-encoding", "connection", "accept-encoding",
    "expect", "te", "trailer", "upgrade",
}  # fmt: skip

_MESSAGES = {
    ErrorKind.TIMEOUT: "The receiver did not answer in time.",
    ErrorKind.CONNECTION: "The connection was refused, or closed before an answer.",
    ErrorKind.DNS: "The host's name could not be resolved.",
    ErrorKind.TLS: "The TLS handshake failed",
    ErrorKind.INVALID_RESPONSE: "The answer was not valid HTTP.",
    ErrorKind.INVALID_REQUEST: "The webhook's headers cannot be sent.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """What one attempt met: a status code, or an error with its kind.

    A status code counts once it has come, also when the body after it is cut off by the deadline,
    the cap or the receiver; then `truncated` is true. `response_body` is text from at most 16 KB
    of the decoded body; it is empty for content encodings other than gzip and deflate.
    `retry_after` is the header's raw value.
    """

    duration_ms: int
    status_code: int | None = None
    error_kind: ErrorKind | None = None
    error: str | None = None
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: str = ""
    truncated: bool = False
    retry_after: str | None = None

    def outcome(self, now: datetime) -> Outcome:
        """What `retry.plan` takes."""
        return Outcome(self.status_code, self.error_kind, parse_retry_after(self.retry_after, now))


@dataclass(slots=True)
class _Reply:
    """Filled as the answer comes in, so that what had come stays when the rest is cut off."""

    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Sender:
    """Sends attempts and keeps connections between them. Belongs to one event loop.

    `https_only` and `allow_loopback` are the target guard's; the guard judges the URL at every
    send and the addresses at every dial. `ssl_context` replaces the default trust in certifi's
    authorities.
    """

    def __init__(
        self,
        *,
        https_only: bool = True,
        allow_loopback: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        resolver: Resolver = resolve,
        dialer: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._https_only = https_only
        self._allow_loopback = allow_loopback
        self._ssl_context = ssl_context or ssl.create_default_context(cafile=certifi.where())
        self._backend = GuardedBackend(allow_loopback=allow_loopback, resolver=resolver, dialer=dialer)
        self._connections = KeptConnections(self._dial, _IDLE_CONNECTIONS)

    def _dial(self, origin: Origin) -> httpcore.AsyncHTTPConnection:
        scheme, host, port = origin
        return httpcore.AsyncHTTPConnection(
            httpcore.Origin(scheme.encode(), host.encode(), port),
            ssl_context=self._ssl_context,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=self._backend,
        )

    async def aclose(self) -> None:
        """Close the kept connections."""
        await self._connections.aclose()

    async def send(
        self,
        url: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        *,
        connect_timeout: float = CONNECT_TIMEOUT_SECONDS,
        total_timeout: float = TOTAL_TIMEOUT_SECONDS,
    ) -> SendResult:
        """POST `body` to `url`. Timeouts in seconds; the total one covers all, the body included.

        Never raises for what a receiver, its DNS or its certificate does. Cancellation passes.
        """
        started = time.monotonic()
        reply = _Reply()
        kind: ErrorKind | None = None
        error: str | None = None
        try:
            target = check_url(url, https_only=self._https_only, allow_loopback=self._allow_loopback)
            async with asyncio.timeout(total_timeout):
                await self._post(target, headers, body, connect_timeout, reply)
        except (
            ForbiddenTarget,
            InvalidTarget,
            OSError,  # TimeoutError of the deadline; ssl.SSLError after the handshake
            anyio.EndOfStream,  # httpcore does not map it when a TLS write meets the end
            httpcore.TimeoutException,
            httpcore.NetworkError,
            httpcore.ProtocolError,
        ) as fault:
            if reply.status is None:
                kind, error = _explain(fault)
        return SendResult(
            duration_ms=round((time.monotonic() - started) * 1000),
            status_code=reply.status,
            error_kind=kind,
            error=error,
            response_headers=_bounded(reply.headers),
            # An incremental decoder drops a character that the cap cut in two.
            response_body=codecs.getincrementaldecoder("utf-8")("replace").decode(
                bytes(reply.body), final=reply.complete
            ),
            truncated=reply.status is not None and not reply.complete,
            retry_after=reply.header("retry-after"),
        )

    async def _post(
        self,
        target: Target,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        connect_timeout: float,
        reply: _Reply,
    ) -> None:
        """Exchange one request and answer, on a kept connection if there is one.

        A server may close a kept connection at the very moment we write to it. Nobody can tell
        from outside whether it read the request (RFC 9110 section 9.2.2), but every attempt of a
        delivery has the same `webhook-id`, so it is safe to repeat. Hence: if a *reused*
        connection closes before an answer, the request goes out once more on a new connection,
        within the same deadline. Failures of a new connection count against the receiver.
        """
        dialled: httpcore.AsyncNetworkStream | None = None  # none: a kept connection was used

        async def trace(event: str, info: dict[str, Any]) -> None:
            nonlocal dialled
            if event == "connection.connect_tcp.complete":
                dialled = info["return_value"]

        request = httpcore.Request(
            "POST",
            httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path),
            headers=[
                (b"host", target.authority.encode()),
                (b"content-length", str(len(body)).encode()),
                (b"accept-encoding", b"identity"),
                *(
                    # Blanks around a value are no part of it (RFC 9110, 5.5), and h11 refuses them.
                    (name.encode("utf-8", "replace"), value.strip(" \t").encode("utf-8", "replace"))
                    for name, value in headers
                    if name.lower() not in _OWN_HEADERS
                ),
            ],
            content=body,
            extensions={"timeout": {"connect": connect_timeout}, "trace": trace},
        )
        origin = (target.scheme, target.host, target.port)
        try:
            try:
                await self._exchange(origin, request, reply)
            except (httpcore.ReadError, httpcore.RemoteProtocolError) as fault:
                if dialled is not None or reply.status is not None or not _closed_early(fault):
                    raise
                await self._exchange(origin, request, reply, fresh=True)
        except asyncio.CancelledError:
            # Of the deadline or the caller. httpcore would leak a socket in its TLS handshake.
            if dialled is not None:
                await dialled.aclose()
            raise

    async def _exchange(
        self, origin: Origin, request: httpcore.Request, reply: _Reply, *, fresh: bool = False
    ) -> None:
        """On a kept connection, or a `fresh` one; that is not kept: such a receiver closes them early."""
        connection = self._dial(origin) if fresh else await self._connections.take(origin)
        try:
            response = await connection.handle_async_request(request)
            try:
                reply.headers = [
                    (name.decode("latin-1").lower(), value.decode("latin-1"))
                    for name, value in response.headers
                ]
                reply.status = response.status
                reply.complete = await read_body(
                    response, reply.header("content-encoding"), MAX_BODY_BYTES, reply.body
                )
            finally:
                await response.aclose()
        finally:
            await (connection.aclose() if fresh else self._connections.give_back(origin, connection))


def _closed_early(fault: Exception) -> bool:
    """The connection ended before an answer, rather than bringing something that is not HTTP."""
    too_long = isinstance(fault, AnswerTooLong)
    return not (too_long or any(isinstance(arg, h11.RemoteProtocolError) for arg in fault.args))


def _explain(fault: Exception) -> tuple[ErrorKind, str]:
    tls = next((e for e in (fault, *fault.args) if isinstance(e, ssl.SSLError)), None)
    if isinstance(fault, ForbiddenTarget):
        return ErrorKind.FORBIDDEN_TARGET, str(fault)
    if isinstance(fault, InvalidTarget):
        return ErrorKind.INVALID_REQUEST, str(fault)
    if tls is not None:
        detail = getattr(tls, "verify_message", None) or tls.reason
        return ErrorKind.TLS, f"{_MESSAGES[ErrorKind.TLS]}: {detail}."
    if isinstance(fault, NameNotResolved):
        kind = ErrorKind.DNS
    elif isinstance(fault, TimeoutError | httpcore.TimeoutException):
        kind = ErrorKind.TIMEOUT
    elif isinstance(fault, httpcore.LocalProtocolError):
        kind = ErrorKind.INVALID_REQUEST
    elif isinstance(fault, httpcore.RemoteProtocolError) and not _closed_early(fault):
        kind = ErrorKind.INVALID_RESPONSE
    else:
        kind = ErrorKind.CONNECTION
    return kind, _MESSAGES[kind]


def _bounded(headers: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    kept: list[tuple[str, str]] = []
    size = 0
    for name, value in headers[:MAX_HEADERS]:
        size += len(name) + len(value)
        if size > MAX_HEADERS_BYTES:
            break
        kept.append((name, value))
    return tuple(kept)
