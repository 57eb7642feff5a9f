"""The sender with real servers on loopback, most of which misbehave."""

from __future__ import annotations

import asyncio
import errno
import gzip
import socket
import ssl
import threading
import time
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from patchbay.outbound.connection import MAX_RESPONSE_BYTES, Connection
from patchbay.outbound.dialer import GuardedDialer, NameNotResolved, resolve
from patchbay.webhooks.retry import ErrorKind, Outcome
from patchbay.webhooks.sender import MAX_BODY_BYTES, Sender, SendResult
from tests.certificates import self_signed, server_tls
from tests.raw_receivers import (
    BODY,
    HEADERS,
    OK,
    PUBLIC,
    WORKSPACE,
    LocalDialer,
    answer,
    receiver,
    run,
    static_resolver,
)

local_sender = partial(Sender, https_only=False, allow_loopback=True)


async def send_to(
    answer: bytes | Callable[[bytes, asyncio.StreamWriter], Awaitable[None]],
    headers: Iterable[tuple[str, str]] = HEADERS,
    **timeouts: float,
) -> SendResult:
    sender = local_sender()
    try:
        async with receiver(answer) as server:
            return await sender.send(server.url, headers, BODY, workspace_id=WORKSPACE, **timeouts)
    finally:
        await sender.aclose()


# Requests


def test_request_has_the_required_headers_and_body() -> None:
    async def scenario() -> None:
        sender = local_sender()
        async with receiver(OK) as server:
            own = [("X-Own", "v\u00e9"), ("Content-Length", "3"), ("HOST", "evil.example")]
            own += [("Transfer-Encoding", "chunked"), ("Accept-Encoding", "br")]
            own += [("hOST", "evil.example"), ("transfer-encoding", "chunked"), ("X-Blanks", " a b\t")]
            result = await sender.send(
                server.url + "?a=%20;b", [*HEADERS, *own], BODY, workspace_id=WORKSPACE
            )
            assert result.status_code == 200
            [request] = server.requests
            head, _, body = request.partition(b"\r\n\r\n")
            first, *lines = head.split(b"\r\n")
            assert first == b"POST /hook?a=%20;b HTTP/1.1"
            assert sorted(lines) == sorted(
                [
                    f"host: 127.0.0.1:{server.port}".encode(),
                    b"content-length: %d" % len(BODY),
                    b"accept-encoding: identity",
                    b"content-type: application/json",
                    b"webhook-id: msg_1",
                    "X-Own: v\u00e9".encode(),
                    b"X-Blanks: a b",
                ]
            )
            assert body == BODY
        await sender.aclose()

    run(scenario())


@pytest.mark.parametrize(
    "header", [("x-split", "a\r\nx-other: b"), ("x-nul", "\x00"), ("x bad", "a"), ("", "a")]
)
def test_invalid_headers_are_not_sent(header: tuple[str, str]) -> None:
    result = run(send_to(OK, [*HEADERS, header]))
    assert result.error_kind is ErrorKind.INVALID_REQUEST
    assert result.status_code is None


# Responses


@pytest.mark.parametrize("status", [200, 201, 302, 400, 404, 410, 500, 503, 599])
def test_result_has_the_status_headers_and_body(status: int) -> None:
    result = run(send_to(answer(f"{status} Because", "X-A: 1", "X-A: 2", body=b"caf\xc3\xa9")))
    assert result.status_code == status
    assert result.error is None
    assert result.error_kind is None
    assert result.response_body == "caf\u00e9"
    assert not result.truncated
    assert result.response_headers == (("content-length", "5"), ("x-a", "1"), ("x-a", "2"))
    assert result.duration_ms >= 0


def test_204_without_a_body_is_complete() -> None:
    result = run(send_to(b"HTTP/1.1 204 No Content\r\n\r\n"))
    assert (result.status_code, result.response_body, result.truncated) == (204, "", False)


def test_interim_responses_are_skipped_and_an_upgrade_is_invalid() -> None:
    result = run(send_to(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + OK))
    assert result.status_code == 200
    result = run(send_to(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"))
    assert result.error_kind is ErrorKind.INVALID_RESPONSE


def test_outcome_has_retry_after_in_seconds() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    result = run(send_to(answer("503 Busy", "Retry-After: Mon, 23 Nov 2026 12:01:00 GMT")))
    assert result.outcome(now) == Outcome(503, retry_after=60)
    assert result.outcome(now + timedelta(hours=1)) == Outcome(503, retry_after=0)
    timeout = SendResult(duration_ms=1, error_kind=ErrorKind.TIMEOUT, error="late")
    assert timeout.outcome(now) == Outcome(error=ErrorKind.TIMEOUT)


# Limits


def test_result_has_at_most_50_headers_and_8_kb() -> None:
    many = run(send_to(answer("200 OK", *(f"x-{n}: {n}" for n in range(100)))))
    assert len(many.response_headers) == 50
    large = run(send_to(answer("200 OK", *(f"x-{n}: {'v' * 1000}" for n in range(20)))))
    assert 0 < sum(len(a) + len(b) for a, b in large.response_headers) <= 8192
    assert large.status_code == 200
    huge = run(send_to(b"HTTP/1.1 200 OK\r\n" + b"x: " + b"v" * 500_000))
    assert huge.error_kind is ErrorKind.INVALID_RESPONSE


@pytest.mark.parametrize(
    ("size", "truncated"),
    [(MAX_BODY_BYTES - 1, False), (MAX_BODY_BYTES, False), (MAX_BODY_BYTES + 1, True)],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate"])
def test_result_has_at_most_16_kb_of_the_body(size: int, truncated: bool, encoding: str) -> None:
    body = b"a" * size
    packed = {"identity": body, "gzip": gzip.compress(body), "deflate": zlib.compress(body)}
    result = run(send_to(answer("200 OK", f"content-encoding: {encoding}", body=packed[encoding])))
    assert result.response_body == "a" * min(size, MAX_BODY_BYTES)
    assert result.truncated is truncated


def test_character_at_the_size_limit_is_dropped() -> None:
    result = run(send_to(answer("200 OK", body=b"a" + "\u00e9".encode() * MAX_BODY_BYTES)))
    assert result.response_body == "a" + "\u00e9" * (MAX_BODY_BYTES // 2 - 1)
    assert result.truncated


def test_binary_body_is_decoded_with_replacement_characters() -> None:
    result = run(send_to(answer("200 OK", body=b"\xff\xfea\xc3")))
    assert result.response_body == "\ufffd\ufffda\ufffd"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", b"\x0b\x02\x80ok\x03"),
        ("zstd", b"ok"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"ok"))),
        ("gzip", b"not gzip"),
    ],
    ids=["br", "zstd", "twice", "broken"],
)
def test_body_in_an_unsupported_encoding_is_omitted(encoding: str, body: bytes) -> None:
    result = run(send_to(answer("200 OK", f"content-encoding: {encoding}", body=body)))
    assert (result.status_code, result.response_body, result.truncated) == (200, "", True)


def test_incomplete_or_trailing_compressed_data_is_marked_truncated() -> None:
    packed = gzip.compress(b"ok")
    for body, text in [(packed[:-9], "ok"), (packed + b"more", "ok"), (packed * 2, "ok")]:
        result = run(send_to(answer("200 OK", "content-encoding: gzip", body=body)))
        assert (result.status_code, result.truncated) == (200, True)
        assert text.startswith(result.response_body)
    empty = run(send_to(answer("200 OK", "content-encoding: gzip")))
    assert (empty.response_body, empty.truncated) == ("", False)


def pack(data: bytes, times: int, wbits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return b"".join(packer.compress(data) for _ in range(times)) + packer.flush()


BOMB = pack(bytes(1_000_000), 100, 31)  # unpacks to 100 MB, a ratio of about 1000:1


@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [("gzip", BOMB), ("x-gzip", pack(BOMB, 1000, 31)), ("deflate", pack(bytes(1_000_000), 100, 15))],
    ids=["gzip", "nested", "deflate"],
)
def test_decompression_bomb_takes_little_memory(encoding: str, bomb: bytes) -> None:
    tracemalloc.start()
    try:
        result = run(send_to(answer("200 OK", f"content-encoding: {encoding}", body=bomb)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (result.status_code, result.truncated) == (200, True)
    assert result.response_body
    assert peak < 5_000_000  # of 100 MB unpacked; includes the test's server and client


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
GZIP = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n"
FLOODS = {
    "interim responses": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", None),
    "interim responses with headers": (b"", b"HTTP/1.1 103 Hints\r\n" + b"link: a\r\n" * 50 + b"\r\n", None),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n", None),
    "a folded header": (b"HTTP/1.1 200 OK\r\na: b\r\n", b" b\r\n", None),
    "a header's value": (b"HTTP/1.1 200 OK\r\na: ", b"b" * 1000, None),
    "the status line": (b"HTTP/1.1 200 ", b"O" * 1000, None),
    "blank lines": (b"", b"\r\n", None),
    "chunk extensions": (CHUNKED, b"1;" + b"x" * 50_000 + b"\r\na\r\n", 200),
    "one chunk extension": (CHUNKED + b"1;", b"x" * 1000, 200),
    "trailers": (CHUNKED + b"0\r\n", b"a: b\r\n", 200),
    "empty compressed blocks": (GZIP + gzip.compress(b"")[:10], b"\0\0\0\xff\xff", 200),
    "the name in a gzip header": (GZIP + b"\x1f\x8b\x08\x08\0\0\0\0\0\0", b"x" * 1000, 200),
    "a body of many GB": (b"HTTP/1.1 200 OK\r\ncontent-length: 9000000000000\r\n\r\n", b"x" * 1000, 200),
    "a body until the end": (b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 1000, 200),
    "a body after a 204": (b"HTTP/1.1 204 No Content\r\n\r\n", b"x" * 1000, 204),
}


@pytest.mark.parametrize(("first", "endless", "status"), FLOODS.values(), ids=FLOODS)
def test_flood_is_cut_off_before_the_deadline(first: bytes, endless: bytes, status: int | None) -> None:
    """The flood never pauses, so with only a deadline it would use the CPU until then."""

    async def flood(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        piece = endless * (50_000 // len(endless) + 1)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()

    tracemalloc.start()
    try:
        result = run(send_to(flood, total_timeout=25))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.status_code == status
    assert result.error_kind is (None if status else ErrorKind.INVALID_RESPONSE)
    assert result.duration_ms < 20_000
    assert len(result.response_body) <= MAX_BODY_BYTES
    assert peak < 5_000_000


def test_flood_over_tls_is_cut_off(certificate: Path) -> None:
    async def flood(_: bytes, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
            await writer.drain()

    async def scenario() -> None:
        sender = Sender(
            resolver=static_resolver(PUBLIC), dialer=LocalDialer(), ssl_context=trusting(certificate)
        )
        async with receiver(flood, server_tls(certificate)) as server:
            url = f"https://hooks.example.com:{server.port}/"
            result = await sender.send(url, HEADERS, BODY, workspace_id=WORKSPACE, total_timeout=25)
            assert result.error_kind is ErrorKind.INVALID_RESPONSE
        await sender.aclose()

    run(scenario())


def test_workspaces_do_not_share_connections() -> None:
    async def scenario() -> None:
        sender = local_sender()
        async with receiver(OK) as server:
            for workspace_id in ("acme", "globex", "acme", "globex"):
                await sender.send(server.url, HEADERS, BODY, workspace_id=workspace_id)
            assert server.connections == 2
        await sender.aclose()

    run(scenario())


def test_size_limit_applies_to_each_response_of_a_connection() -> None:
    """The most expensive encoding of a 16 KB body uses chunks of one byte."""
    long = CHUNKED + b"1\r\na\r\n" * MAX_BODY_BYTES + b"0\r\n\r\n"

    async def scenario() -> None:
        sender = local_sender()
        async with receiver(long) as server:
            for _ in range(4):
                result = await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)
                assert (result.response_body, result.truncated) == ("a" * MAX_BODY_BYTES, False)
            assert 4 * len(long) > MAX_RESPONSE_BYTES
            assert server.connections == 1
        await sender.aclose()

    run(scenario())


def test_flood_on_a_reused_connection_is_not_repeated() -> None:
    async def scenario() -> None:
        sender = local_sender()

        async def then_flood(_: bytes, writer: asyncio.StreamWriter) -> None:
            if len(server.requests) == 1:
                writer.write(OK)
                return
            while not writer.is_closing():
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
                await writer.drain()

        async with receiver(then_flood) as server:
            assert (await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)).status_code == 200
            result = await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)
            assert result.error_kind is ErrorKind.INVALID_RESPONSE
            assert (server.connections, len(server.requests)) == (1, 2)
        await sender.aclose()

    run(scenario())


def test_endless_body_is_cut_off_and_its_connection_closed() -> None:
    closed = asyncio.Event()

    async def endless(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b"400\r\n" + b"x" * 0x400 + b"\r\n")
                await writer.drain()
        finally:
            closed.set()

    async def scenario() -> None:
        sender = local_sender()
        async with receiver(endless) as server:
            result = await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)
            assert (result.status_code, result.truncated) == (200, True)
            assert result.response_body == "x" * MAX_BODY_BYTES
            await closed.wait()
        await sender.aclose()

    run(scenario())


# Timeouts


async def drip(data: bytes, writer: asyncio.StreamWriter) -> None:
    for byte in data * 1000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


def test_slow_headers_time_out_at_the_total_deadline() -> None:
    started = time.monotonic()
    result = run(send_to(lambda _, writer: drip(b"HTTP/1.1 200 OK\r\n", writer), total_timeout=0.5))
    assert result.error_kind is ErrorKind.TIMEOUT
    assert result.status_code is None
    assert 0.5 <= time.monotonic() - started < 4
    assert result.duration_ms >= 500


def test_slow_body_keeps_the_received_status() -> None:
    async def slow_body(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        await drip(b"x", writer)

    result = run(send_to(slow_body, total_timeout=0.5))
    assert (result.status_code, result.error_kind, result.truncated) == (200, None, True)
    assert set(result.response_body) == {"x"}


def test_receiver_that_never_responds_times_out() -> None:
    async def silent(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(20)

    result = run(send_to(silent, total_timeout=0.3))
    assert (result.error_kind, result.error) == (
        ErrorKind.TIMEOUT,
        "The receiver did not respond in time.",
    )


def test_receiver_that_never_reads_times_out() -> None:
    async def scenario() -> None:
        done = asyncio.Event()

        async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await done.wait()
            writer.close()

        server = await asyncio.start_server(hold, "127.0.0.1", 0, limit=1)
        sender = local_sender()
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        result = await sender.send(url, HEADERS, bytes(50_000_000), workspace_id=WORKSPACE, total_timeout=0.5)
        assert result.error_kind is ErrorKind.TIMEOUT
        done.set()
        server.close()
        await sender.aclose()

    run(scenario())


def test_slow_dns_lookup_times_out_at_the_connect_timeout() -> None:
    async def slow(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(20)
        return [PUBLIC]

    async def scenario() -> None:
        sender = Sender(resolver=slow)
        result = await sender.send(
            "https://example.com/", HEADERS, BODY, workspace_id=WORKSPACE, connect_timeout=0.1
        )
        assert result.error_kind is ErrorKind.TIMEOUT
        assert result.duration_ms < 10_000
        await sender.aclose()

    run(scenario())


def test_cancellation_propagates() -> None:
    async def scenario() -> None:
        arrived = asyncio.Event()

        async def silent(_: bytes, writer: asyncio.StreamWriter) -> None:
            arrived.set()
            await asyncio.sleep(20)

        sender = local_sender()
        async with receiver(silent) as server:
            task = asyncio.create_task(sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE))
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await sender.aclose()

    run(scenario())


def test_requests_are_sent_concurrently() -> None:
    async def half_a_second(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        writer.write(OK)

    async def scenario() -> None:
        sender = local_sender()
        async with receiver(half_a_second) as server:
            started = time.monotonic()
            results = await asyncio.gather(
                *(sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE) for _ in range(10))
            )
            took = time.monotonic() - started
        assert [result.status_code for result in results] == [200] * 10
        assert took < 2.5  # sequential requests would take 5 s
        await sender.aclose()

    run(scenario())


# Connections


def test_connections_are_reused() -> None:
    async def scenario() -> None:
        sender = local_sender()
        async with receiver(OK) as server:
            for _ in range(5):
                assert (
                    await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)
                ).status_code == 200
            assert len(server.requests) == 5
            assert server.connections == 1
        await sender.aclose()

    run(scenario())


def test_request_is_repeated_when_a_reused_connection_closes() -> None:
    """Each connection answers one request, and closes when the second one arrives."""

    async def scenario() -> None:
        sender = local_sender()
        answered: set[asyncio.StreamWriter] = set()

        async def once(_: bytes, writer: asyncio.StreamWriter) -> None:
            if writer in answered:
                writer.close()
            else:
                answered.add(writer)
                writer.write(OK)

        async with receiver(once) as server:
            for _ in range(4):
                result = await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)
                assert (result.status_code, result.response_body) == (200, "ok")
            assert (server.connections, len(server.requests)) == (4, 6)
            assert len(set(server.requests)) == 1
        await sender.aclose()

    run(scenario())


@pytest.mark.parametrize("body", [b'{"a":1}', b'{"text": "a b c"}', bytes(70_000)], ids=["501", "400", "414"])
def test_unread_body_does_not_fail_the_next_request(body: bytes) -> None:
    """http.server mistakes the unread body for the start of the next request, and rejects that."""
    refusals: list[int] = []

    class Deaf(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            refusals.append(code)
            super().send_error(code, message, explain)

        def log_message(self, *_: Any) -> None:
            pass

    async def scenario(url: str) -> list[int | None]:
        sender = local_sender()
        results = [await sender.send(url, HEADERS, body, workspace_id=WORKSPACE) for _ in range(4)]
        await sender.aclose()
        return [result.status_code for result in results]

    with ThreadingHTTPServer(("127.0.0.1", 0), Deaf) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            assert run(scenario(f"http://127.0.0.1:{server.server_port}/hook")) == [200] * 4
        finally:
            server.shutdown()
    assert refusals, "no reused connection had an unread body"


@pytest.mark.parametrize(
    ("refusal", "requests"),
    [
        (answer("400 Bad Request", "connection: close"), 3),
        (answer("408 Request Timeout", "connection: close"), 3),
        (answer("400 Bad Request", "connection: close").replace(b"1.1", b"1.0"), 3),
        (answer("400 Bad Request"), 2),
        (answer("422 Invalid", "connection: close"), 2),
        (answer("500 Oops", "connection: close"), 2),
    ],
)
def test_request_is_repeated_after_a_rejection_that_closes_a_reused_connection(
    refusal: bytes, requests: int
) -> None:
    """The second response counts, even if it is the same."""

    async def scenario() -> None:
        sender = local_sender()

        async def then_refuse(_: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(OK if len(server.requests) == 1 else refusal)

        async with receiver(then_refuse) as server:
            assert (await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)).status_code == 200
            result = await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)
            assert result.status_code == int(refusal.split()[1])
            assert len(server.requests) == requests
        await sender.aclose()

    run(scenario())


def test_request_is_repeated_only_once() -> None:
    async def scenario() -> None:
        sender = local_sender()
        count = 0

        async def first_only(_: bytes, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            count += 1
            if count == 1:
                writer.write(OK)
            else:
                writer.close()

        async with receiver(first_only) as server:
            assert (await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)).status_code == 200
            result = await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)
            assert result.error_kind is ErrorKind.CONNECTION
            assert count == 3
        await sender.aclose()

    run(scenario())


def test_request_is_repeated_when_a_reused_connection_times_out_in_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The socket raises a TimeoutError (ETIMEDOUT), as the deadline does."""

    async def lost(_: Connection) -> bytes:
        monkeypatch.undo()
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

    async def scenario() -> None:
        sender = local_sender()
        async with receiver(OK) as server:
            assert (await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)).status_code == 200
            monkeypatch.setattr(Connection, "receive", lost)
            assert (await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)).status_code == 200
            assert server.connections == 2
        await sender.aclose()

    run(scenario())


def test_timeout_on_a_reused_connection_is_not_repeated() -> None:
    async def scenario() -> None:
        sender = local_sender()
        count = 0

        async def then_silent(_: bytes, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            count += 1
            if count == 1:
                writer.write(OK)
            else:
                await asyncio.sleep(10)

        async with receiver(then_silent) as server:
            assert (await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)).status_code == 200
            result = await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE, total_timeout=0.3)
            assert result.error_kind is ErrorKind.TIMEOUT
            assert count == 2
        await sender.aclose()

    run(scenario())


def test_new_connection_that_closes_without_a_response_is_not_repeated() -> None:
    async def scenario() -> None:
        sender = local_sender()

        async def close(_: bytes, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with receiver(close) as server:
            result = await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)
            assert result.error_kind is ErrorKind.CONNECTION
            assert server.connections == 1
        await sender.aclose()

    run(scenario())


def test_connection_closed_within_the_response() -> None:
    async def in_the_head(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nx-half")
        await writer.drain()
        writer.close()

    async def in_the_body(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    assert run(send_to(in_the_head)).error_kind is ErrorKind.CONNECTION
    result = run(send_to(in_the_body))
    assert (result.status_code, result.response_body, result.truncated) == (200, "half", True)


@pytest.mark.parametrize(
    "response", [b"220 mail.example ESMTP\r\n\r\n", b"\x00\x01\x02\r\n\r\n", b"HTTP/9 x\r\n\r\n"]
)
def test_response_that_is_not_http_is_invalid(response: bytes) -> None:
    result = run(send_to(response))
    assert (result.status_code, result.error_kind) == (None, ErrorKind.INVALID_RESPONSE)


def test_refused_connection_is_an_error() -> None:
    async def scenario() -> None:
        sender = local_sender()
        async with receiver(OK) as server:
            url = server.url
        result = await sender.send(url, HEADERS, BODY, workspace_id=WORKSPACE)
        assert result.error_kind is ErrorKind.CONNECTION
        assert result.error
        await sender.aclose()

    run(scenario())


# DNS


def test_unknown_host_name_is_a_dns_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def scenario() -> None:
        sender = Sender()
        result = await sender.send("https://does-not-exist.example/", HEADERS, BODY, workspace_id=WORKSPACE)
        assert result.error_kind is ErrorKind.DNS
        assert result.error == "The host name could not be resolved."
        await sender.aclose()

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    run(scenario())


def test_host_name_without_addresses_or_with_too_long_a_label_is_not_resolved() -> None:
    async def scenario() -> None:
        with pytest.raises(NameNotResolved):
            await GuardedDialer(resolver=static_resolver()).dial("https", "example.com", 443, 5)
        with pytest.raises(NameNotResolved):
            await resolve("a" * 64 + ".invalid", 443)

    run(scenario())


def test_hanging_dns_lookups_do_not_delay_others(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def lookup(host: str, *_: Any, **__: Any) -> list[Any]:
        if host.startswith("slow"):
            release.wait(20)
        return [(2, 1, 6, "", (PUBLIC, 443))]

    async def scenario() -> None:
        slow = [asyncio.create_task(resolve(f"slow{n}.example", 443)) for n in range(40)]
        await asyncio.sleep(0)
        assert await resolve("quick.example", 443) == [PUBLIC]
        assert not any(task.done() for task in slow)
        release.set()
        await asyncio.gather(*slow)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    run(scenario())


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for hooks.example.com, and its key, in one file."""
    return self_signed(tmp_path_factory.mktemp("tls"), "hooks.example.com")


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


def test_self_signed_certificate_is_rejected(certificate: Path) -> None:
    async def scenario() -> None:
        sender = local_sender()
        async with receiver(OK, server_tls(certificate)) as server:
            result = await sender.send(
                f"https://localhost:{server.port}/", HEADERS, BODY, workspace_id=WORKSPACE
            )
            assert result.error_kind is ErrorKind.TLS
            assert result.error == "The TLS handshake failed: self-signed certificate."
            assert server.requests == []
        await sender.aclose()

    run(scenario())


def test_server_that_requires_a_client_certificate_is_an_error(certificate: Path) -> None:
    """With TLS 1.3, the server rejects the client after the handshake, instead of responding."""

    async def scenario() -> None:
        context = server_tls(certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate)
        sender = Sender(
            resolver=static_resolver(PUBLIC), dialer=LocalDialer(), ssl_context=trusting(certificate)
        )
        async with receiver(OK, context) as server:
            url = f"https://hooks.example.com:{server.port}/"
            result = await sender.send(url, HEADERS, BODY, workspace_id=WORKSPACE)
            assert result.error_kind in (ErrorKind.TLS, ErrorKind.CONNECTION)
            assert server.requests == []
        await sender.aclose()

    run(scenario())


def test_server_without_tls_is_a_tls_error() -> None:
    async def scenario() -> None:
        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        sender = local_sender()
        result = await sender.send(f"https://127.0.0.1:{port}/", HEADERS, BODY, workspace_id=WORKSPACE)
        assert result.error_kind is ErrorKind.TLS
        server.close()
        await sender.aclose()

    run(scenario())


def test_endless_tls_handshake_times_out() -> None:
    async def scenario() -> None:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()  # until the sender closes the connection
            writer.close()
            closed.set()

        closed = asyncio.Event()
        server = await asyncio.start_server(hold, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        sender = local_sender()
        result = await sender.send(
            f"https://127.0.0.1:{port}/",
            HEADERS,
            BODY,
            workspace_id=WORKSPACE,
            connect_timeout=60,
            total_timeout=0.6,
        )
        assert result.error_kind is ErrorKind.TIMEOUT
        await closed.wait()
        server.close()
        await sender.aclose()

    run(scenario())


def test_tls_connection_aborted_before_the_response_is_an_error(certificate: Path) -> None:
    async def cut(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async def scenario() -> None:
        sender = Sender(
            resolver=static_resolver(PUBLIC), dialer=LocalDialer(), ssl_context=trusting(certificate)
        )
        async with receiver(cut, server_tls(certificate)) as server:
            url = f"https://hooks.example.com:{server.port}/"
            result = await sender.send(url, HEADERS, BODY, workspace_id=WORKSPACE)
            assert result.error_kind is ErrorKind.CONNECTION
        await sender.aclose()

    run(scenario())
