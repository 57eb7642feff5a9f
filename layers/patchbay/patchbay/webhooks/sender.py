"""One delivery attempt over HTTP.

A webhook must not have the extras of HTTP clients (a cookie jar shared by all receivers, redirects, proxies
and netrc from the environment, unbounded decoding), and needs stricter checks than theirs before a connection
is used again: see `outbound.exchange` and `outbound.connection`.
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
from patchbay.webhooks.connection_pool import ConnectionPool, Route
from patchbay.webhooks.retry import ErrorKind, Outcome

CONNECT_TIMEOUT_SECONDS = 5.0
TOTAL_TIMEOUT_SECONDS = 15.0
MAX_BODY_BYTES = 16 * 1024
MAX_HEADERS = 50
MAX_HEADERS_BYTES = 8 * 1024

_IDLE_CONNECTIONS = 100

# Set here, whatever a webhook's own headers say: they frame the request.
_OWN_HEADERS = {
    "host", "content-length", "transfer-encoding", "connection", "accept-encoding",
    "expect", "te", "trailer", "upgrade",
}  # fmt: skip

# What servers answer to bytes that are no request, and to a connection that was idle for too long.
_NOT_A_REQUEST = {400, 408, 414, 501, 505}

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


class _NotOurs(NotHttpResponse):
    """An answer on a kept connection that is probably for the unread rest of an earlier request."""


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

    `https_only` and `allow_loopback` are the SSRF guard's; the guard judges the URL at every
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
        dialer: Dialer | None = None,
    ) -> None:
        self._https_only = https_only
        self._allow_loopback = allow_loopback
        self._dialer = GuardedDialer(
            allow_loopback=allow_loopback, ssl_context=ssl_context, resolver=resolver, dialer=dialer
        )
        self._kept = ConnectionPool(_IDLE_CONNECTIONS)

    async def aclose(self) -> None:
        """Close the kept connections."""
        self._kept.close()

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
        """POST `body` to `url`. Timeouts in seconds; the total one covers all, the body included. Connections
        are kept for the workspace alone.

        Never raises for what a receiver, its DNS or its certificate does. Cancellation passes.
        """
        started = time.monotonic()
        reply = _Reply()
        kind: ErrorKind | None = None
        error: str | None = None
        try:
            target = check_url(url, https_only=self._https_only, allow_loopback=self._allow_loopback)
            async with asyncio.timeout(total_timeout):
                await self._post(workspace_id, target, headers, body, connect_timeout, reply)
        except (
            ForbiddenTarget,
            InvalidTarget,
            InvalidResponse,
            OSError,  # with the deadline's TimeoutError, and ssl.SSLError
            h11.LocalProtocolError,
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
        workspace_id: str,
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
        within the same deadline. The same holds if TLS fails there, or if the rest of an earlier
        answer arrives. Failures of a new connection count against the receiver.

        A server that answers without reading the body takes that body for the start of the next
        request, refuses it and closes. Such a refusal on a reused connection says nothing about our
        request, so it is repeated too.
        """
        lines = [
            (b"host", target.authority.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"accept-encoding", b"identity"),
            *(
                # Blanks around a value are not part of it (RFC 9110, 5.5), and h11 refuses them.
                (name.encode("utf-8", "replace"), value.strip(" \t").encode("utf-8", "replace"))
                for name, value in headers
                if name.lower() not in _OWN_HEADERS
            ),
        ]
        exchange = Exchange("POST", target.path, lines, body)
        route = Route(workspace_id, target.scheme, target.host, target.port)
        if kept := self._kept.take(route):
            try:
                await self._exchange(exchange, kept, reply, route, is_reused=True)
                return
            # The deadline arrives here as a cancellation: a TimeoutError is the socket's own.
            except (OSError, NotHttpResponse):
                if reply.status is not None:
                    raise
            exchange = Exchange("POST", target.path, lines, body)
        dialled = await self._dialer.dial(target.scheme, target.host, target.port, connect_timeout)
        # After a repetition, keep no connection: this receiver closes its connections early.
        await self._exchange(exchange, dialled, reply, None if kept else route)

    async def _exchange(
        self,
        exchange: Exchange,
        connection: Connection,
        reply: _Reply,
        keep_for: Route | None,
        *,
        is_reused: bool = False,
    ) -> None:
        """Raises _NotOurs on a reused connection, before anything of that answer is in `reply`."""
        kept = False
        try:
            status, headers = await exchange.start(connection)
            if is_reused and status in _NOT_A_REQUEST and exchange.closes_connection:
                raise _NotOurs
            reply.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
            reply.status = status
            reply.complete = await read_body(
                exchange, reply.header("content-encoding"), MAX_BODY_BYTES, reply.body
            )
            if keep_for and exchange.can_reuse_connection:
                self._kept.give_back(keep_for, connection)
                kept = True
        finally:
            if not kept:
                connection.close()


def _explain(fault: Exception) -> tuple[ErrorKind, str]:
    match fault:
        case ForbiddenTarget():
            return ErrorKind.FORBIDDEN_TARGET, str(fault)
        case InvalidTarget():
            return ErrorKind.INVALID_REQUEST, str(fault)
        case ssl.SSLError():
            detail = getattr(fault, "verify_message", None) or fault.reason
            return ErrorKind.TLS, f"{_MESSAGES[ErrorKind.TLS]}: {detail}."
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
