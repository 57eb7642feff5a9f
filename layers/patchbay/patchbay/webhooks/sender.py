"""One delivery attempt over HTTP.

Deliveries must not use the extras of HTTP clients (a cookie jar shared by all receivers, redirects, proxies
and netrc from the environment, unbounded decoding), and need stricter checks before a connection is reused:
see `outbound.exchange` and `outbound.connection`.
"""

from __future__ import annotations

import asyncio
import codecs
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import h11

from patchbay.outbound.body import read_body
from patchbay.outbound.connection import Connection, InvalidResponse
from patchbay.outbound.dialer import Dialer, GuardedDialer, NameNotResolved, Resolver, resolve
from patchbay.outbound.exchange import Exchange, NotHttpResponse
from patchbay.outbound.retry_after import parse_retry_after
from patchbay.outbound.ssrf_guard import ForbiddenTarget, InvalidTarget, Target, check_url
from patchbay.webhooks import failures
from patchbay.webhooks.connection_pool import ConnectionPool, Route
from patchbay.webhooks.retry import ErrorKind, Outcome

CONNECT_TIMEOUT_SECONDS = 5.0
TOTAL_TIMEOUT_SECONDS = 15.0
MAX_BODY_BYTES = 16 * 1024
MAX_HEADERS = 50
MAX_HEADERS_BYTES = 8 * 1024

_IDLE_CONNECTIONS = 100

# Headers that frame the request. A webhook's own headers cannot override them.
_OWN_HEADERS = {
    "host", "content-length", "transfer-encoding", "connection", "accept-encoding",
    "expect", "te", "trailer", "upgrade",
}  # fmt: skip

# How servers reject bytes that are not a request, or close a connection that was idle for too long.
_MALFORMED_STATUSES = {400, 408, 414, 501, 505}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """The result of one attempt: a status code, or an error with its kind.

    A received status code counts even if the deadline, the size limit or the receiver cuts off the body;
    then `truncated` is true. `response_body` is the text of at most 16 KB of the decoded body, and empty for
    content encodings other than gzip and deflate. `retry_after` is the header's raw value.
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
        return Outcome(self.status_code, self.error_kind, parse_retry_after(self.retry_after, now))


class _StaleResponse(NotHttpResponse):
    """A response on a reused connection, probably to the unread rest of an earlier request."""


@dataclass(slots=True)
class _Response:
    """Filled as data arrives, so that a cut-off response keeps its first part."""

    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Sender:
    """Sends attempts over a pool of connections. Belongs to one event loop.

    `https_only` and `allow_loopback` configure the SSRF guard, which checks the URL of every request and the
    addresses of every new connection. `ssl_context` replaces the default, which trusts certifi's authorities.
    """

    def __init__(
        self,
        *,
        https_only: bool = True,
        allow_loopback: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        resolver: Resolver = resolve,
        dialer: Dialer | None = None,
    ) -> None:
        self._https_only = https_only
        self._allow_loopback = allow_loopback
        self._dialer = GuardedDialer(
            allow_loopback=allow_loopback, ssl_context=ssl_context, resolver=resolver, dialer=dialer
        )
        self._pool = ConnectionPool(_IDLE_CONNECTIONS)

    async def aclose(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    async def send(
        self,
        url: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        *,
        workspace_id: str,
        connect_timeout: float = CONNECT_TIMEOUT_SECONDS,
        total_timeout: float = TOTAL_TIMEOUT_SECONDS,
    ) -> SendResult:
        """POST `body` to `url`. Timeouts are in seconds; `total_timeout` includes the response's body. Only
        requests of the same workspace reuse the connection.

        Never raises because of the receiver, its DNS or its certificate. Propagates cancellation.
        """
        started = time.monotonic()
        response = _Response()
        kind: ErrorKind | None = None
        error: str | None = None
        try:
            target = check_url(url, https_only=self._https_only, allow_loopback=self._allow_loopback)
            async with asyncio.timeout(total_timeout):
                await self._post(workspace_id, target, headers, body, connect_timeout, response)
        except (
            ForbiddenTarget,
            InvalidTarget,
            InvalidResponse,
            OSError,  # includes TimeoutError (the deadline) and ssl.SSLError
            h11.LocalProtocolError,
        ) as failure:
            if response.status is None:
                kind, error = _explain(failure)
        return SendResult(
            duration_ms=round((time.monotonic() - started) * 1000),
            status_code=response.status,
            error_kind=kind,
            error=error,
            response_headers=_bounded(response.headers),
            # An incremental decoder drops a character that the size limit cut in two.
            response_body=codecs.getincrementaldecoder("utf-8")("replace").decode(
                bytes(response.body), final=response.complete
            ),
            truncated=response.status is not None and not response.complete,
            retry_after=response.header("retry-after"),
        )

    async def _post(
        self,
        workspace_id: str,
        target: Target,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        connect_timeout: float,
        response: _Response,
    ) -> None:
        """Make one exchange, on an idle connection if the pool has one.

        A server may close an idle connection at the moment of a write. A client cannot know whether the
        server read the request (RFC 9110 section 9.2.2), but every attempt of a delivery has the same
        `webhook-id`, so it is safe to repeat. Therefore, if a *reused* connection closes before a response,
        the request is repeated once on a new connection, within the same deadline. The same applies if TLS
        fails there, or if the rest of an earlier response arrives. Failures of a new connection count against
        the receiver.

        A server that responds without reading the body mistakes that body for the start of the next request,
        rejects it and closes the connection. A rejection of this kind on a reused connection says nothing
        about this request, so the request is repeated too.
        """
        request_headers = [
            (b"host", target.authority.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"accept-encoding", b"identity"),
            *(
                # Whitespace around a value is not part of it (RFC 9110, 5.5), and h11 rejects it.
                (name.encode("utf-8", "replace"), value.strip(" \t").encode("utf-8", "replace"))
                for name, value in headers
                if name.lower() not in _OWN_HEADERS
            ),
        ]
        exchange = Exchange("POST", target.path, request_headers, body)
        route = Route(workspace_id, target.scheme, target.host, target.port)
        if idle := self._pool.acquire(route):
            try:
                await self._exchange(exchange, idle, response, route, is_reused=True)
                return
            # The deadline raises CancelledError here; a TimeoutError comes from the socket.
            except (OSError, NotHttpResponse):
                if response.status is not None:
                    raise
            exchange = Exchange("POST", target.path, request_headers, body)
        connection = await self._dialer.dial(target.scheme, target.host, target.port, connect_timeout)
        # Do not pool the connection of a repeated request: this receiver closes its connections early.
        await self._exchange(exchange, connection, response, None if idle else route)

    async def _exchange(
        self,
        exchange: Exchange,
        connection: Connection,
        response: _Response,
        pool_as: Route | None,
        *,
        is_reused: bool = False,
    ) -> None:
        """Raises _StaleResponse on a reused connection, before `response` changes."""
        is_pooled = False
        try:
            status, headers = await exchange.start(connection)
            if is_reused and status in _MALFORMED_STATUSES and exchange.closes_connection:
                raise _StaleResponse
            response.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
            response.status = status
            response.complete = await read_body(
                exchange, response.header("content-encoding"), MAX_BODY_BYTES, response.body
            )
            if pool_as and exchange.can_reuse_connection:
                self._pool.release(pool_as, connection)
                is_pooled = True
        finally:
            if not is_pooled:
                connection.close()


def _explain(error: Exception) -> tuple[ErrorKind, str]:
    match error:
        case ForbiddenTarget():
            return ErrorKind.FORBIDDEN_TARGET, str(error)
        case InvalidTarget():
            return ErrorKind.INVALID_REQUEST, str(error)
        case ssl.SSLError():
            detail = getattr(error, "verify_message", None) or error.reason
            return ErrorKind.TLS, f"The TLS handshake failed: {detail}."
        case NameNotResolved():
            kind = ErrorKind.DNS
        case TimeoutError():
            kind = ErrorKind.TIMEOUT
        case h11.LocalProtocolError():
            kind = ErrorKind.INVALID_REQUEST
        case InvalidResponse():
            kind = ErrorKind.INVALID_RESPONSE
        case _:
            kind = ErrorKind.CONNECTION
    return kind, failures.DETAILS[kind]


def _bounded(headers: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    bounded: list[tuple[str, str]] = []
    size = 0
    for name, value in headers[:MAX_HEADERS]:
        size += len(name) + len(value)
        if size > MAX_HEADERS_BYTES:
            break
        bounded.append((name, value))
    return tuple(bounded)
