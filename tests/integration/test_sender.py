"""The sender against real servers on loopback, most of them badly behaved."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import threading
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpcore
import pytest

from patchbay.outbound.dialer import GuardedBackend, NameNotResolved, resolve
from patchbay.outbound.target_guard import ForbiddenTarget
from patchbay.webhooks.retry import ErrorKind, Outcome
from patchbay.webhooks.sender import MAX_BODY_BYTES, Sender, SendResult
from tests.certificates import self_signed, server_tls

BODY = b'{"id": "evt_1"}'
HEADERS = [("content-type", "application/json"), ("webhook-id", "msg_1")]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
PUBLIC = "93.184.215.14"


class Receiver:
    """A raw TCP server. `answer(request, writer)` is called for each request it reads."""

    def __init__(self, answer: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0
        self.tasks: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.add(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                )
                request = head + await reader.readexactly(length)
                self.requests.append(request)
                await self.answer(request, writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the sender has closed the connection
        finally:
            writer.close()

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def receiver(
    answer: bytes | Callable[[bytes, asyncio.StreamWriter], Awaitable[None]],
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Receiver]:
    async def fixed(_: bytes, writer: asyncio.StreamWriter) -> None:
        assert isinstance(answer, bytes)
        writer.write(answer)

    made = Receiver(fixed if isinstance(answer, bytes) else answer)
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.stop()


local_sender = partial(Sender, https_only=False, allow_loopback=True)


async def send_to(
    answer: bytes | Callable[[bytes, asyncio.StreamWriter], Awaitable[None]],
    headers: Iterable[tuple[str, str]] = HEADERS,
    **timeouts: float,
) -> SendResult:
    sender = local_sender()
    try:
        async with receiver(answer) as server:
            return await sender.send(server.url, headers, BODY, **timeouts)
    finally:
        await sender.aclose()


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(30):
            return await scenario

    return asyncio.run(bounded())


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def answers(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    """A resolver that knows one answer."""

    async def resolver(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return resolver


class LocalDialer(httpcore.AsyncNetworkBackend):
    """Notes which addresses are dialled, and connects to 127.0.0.1 in their place."""

    def __init__(self, dead: Iterable[str] = ()) -> None:
        self.dialled: list[str] = []
        self.dead = set(dead)

    async def connect_tcp(self, host: str, port: int, *rest: Any) -> httpcore.AsyncNetworkStream:
        self.dialled.append(host)
        if host in self.dead:
            raise httpcore.ConnectError("refused")
        return await httpcore.AnyIOBackend().connect_tcp("127.0.0.1", port, *rest)


# What is sent


def test_the_request() -> None:
    async def scenario() -> None:
        sender = local_sender()
        async with receiver(OK) as server:
            own = [("X-Own", "v\u00e9"), ("Content-Length", "3"), ("HOST", "evil.example")]
            own += [("Transfer-Encoding", "chunked"), ("Accept-Encoding", "br")]
            result = await sender.send(server.url + "?a=%20;b", [*HEADERS, *own], BODY)
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
                ]
            )
            assert body == BODY
        await sender.aclose()

    run(scenario())


@pytest.mark.parametrize(
    "header", [("x-split", "a\r\nx-other: b"), ("x-nul", "\x00"), ("x bad", "a"), ("", "a")]
)
def test_headers_that_cannot_be_sent_are_not(header: tuple[str, str]) -> None:
    result = run(send_to(OK, [*HEADERS, header]))
    assert result.error_kind is ErrorKind.INVALID_REQUEST
    assert result.status_code is None


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with receiver(OK) as proxy, receiver(OK) as server:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
                monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{proxy.port}")
            monkeypatch.delenv("NO_PROXY", raising=False)
            monkeypatch.delenv("no_proxy", raising=False)
            sender = local_sender()
            assert (await sender.send(server.url, HEADERS, BODY)).status_code == 200
            assert len(server.requests) == 1
            assert proxy.connections == 0
            await sender.aclose()

    run(scenario())


# Answers


@pytest.mark.parametrize("status", [200, 201, 302, 400, 404, 410, 500, 503, 599])
def test_a_status_and_its_body(status: int) -> None:
    result = run(send_to(answer(f"{status} Because", "X-A: 1", "X-A: 2", body=b"caf\xc3\xa9")))
    assert result.status_code == status
    assert result.error is None
    assert result.error_kind is None
    assert result.response_body == "caf\u00e9"
    assert not result.truncated
    assert result.response_headers == (("content-length", "5"), ("x-a", "1"), ("x-a", "2"))
    assert result.duration_ms >= 0


def test_a_204_has_no_body_and_is_complete() -> None:
    result = run(send_to(b"HTTP/1.1 204 No Content\r\n\r\n"))
    assert (result.status_code, result.response_body, result.truncated) == (204, "", False)


def test_redirects_are_not_followed() -> None:
    async def scenario() -> None:
        sender = local_sender()
        async with receiver(OK) as elsewhere:
            moved = answer("301 Moved", f"location: {elsewhere.url}")
            async with receiver(moved) as server:
                result = await sender.send(server.url, HEADERS, BODY)
            assert result.status_code == 301
            assert elsewhere.connections == 0
        await sender.aclose()

    run(scenario())


def test_interim_answers_are_passed_over_and_an_upgrade_is_not_an_answer() -> None:
    result = run(send_to(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + OK))
    assert result.status_code == 200
    result = run(send_to(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"))
    assert result.error_kind is ErrorKind.INVALID_RESPONSE


def test_retry_after_reaches_the_outcome() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    result = run(send_to(answer("503 Busy", "Retry-After: Mon, 23 Nov 2026 12:01:00 GMT")))
    assert result.outcome(now) == Outcome(503, retry_after=60)
    assert result.outcome(now + timedelta(hours=1)) == Outcome(503, retry_after=0)
    timeout = SendResult(duration_ms=1, error_kind=ErrorKind.TIMEOUT, error="late")
    assert timeout.outcome(now) == Outcome(error=ErrorKind.TIMEOUT)


# Bounds


def test_headers_are_kept_up_to_fifty_and_8_kb() -> None:
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
def test_the_body_is_kept_up_to_16_kb(size: int, truncated: bool, encoding: str) -> None:
    body = b"a" * size
    packed = {"identity": body, "gzip": gzip.compress(body), "deflate": zlib.compress(body)}
    result = run(send_to(answer("200 OK", f"content-encoding: {encoding}", body=packed[encoding])))
    assert result.response_body == "a" * min(size, MAX_BODY_BYTES)
    assert result.truncated is truncated


def test_a_character_cut_by_the_cap_is_dropped() -> None:
    result = run(send_to(answer("200 OK", body=b"a" + "\u00e9".encode() * MAX_BODY_BYTES)))
    assert result.response_body == "a" + "\u00e9" * (MAX_BODY_BYTES // 2 - 1)
    assert result.truncated


def test_a_body_that_is_no_text() -> None:
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
def test_a_body_that_cannot_be_decoded_is_left_out(encoding: str, body: bytes) -> None:
    result = run(send_to(answer("200 OK", f"content-encoding: {encoding}", body=body)))
    assert (result.status_code, result.response_body, result.truncated) == (200, "", True)


def test_a_packed_body_with_too_little_or_too_much_is_marked() -> None:
    packed = gzip.compress(b"ok")
    for body, text in [(packed[:-9], "ok"), (packed + b"more", "ok"), (packed * 2, "ok")]:
        result = run(send_to(answer("200 OK", "content-encoding: gzip", body=body)))
        assert (result.status_code, result.truncated) == (200, True)
        assert text.startswith(result.response_body)
    empty = run(send_to(answer("200 OK", "content-encoding: gzip")))
    assert (empty.response_body, empty.truncated) == ("", False)


def test_a_gzip_bomb_costs_little_memory() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()
    tracemalloc.start()
    try:
        result = run(send_to(answer("200 OK", "content-encoding: gzip", body=bomb)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (result.status_code, result.truncated) == (200, True)
    assert len(result.response_body) == MAX_BODY_BYTES
    assert peak < 5_000_000  # of 100 MB; the test's own server and client are in it


def test_an_endless_body_is_cut_and_its_connection_closed() -> None:
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
            result = await sender.send(server.url, HEADERS, BODY)
            assert (result.status_code, result.truncated) == (200, True)
            assert result.response_body == "x" * MAX_BODY_BYTES
            await closed.wait()
        await sender.aclose()

    run(scenario())


# Time


async def drip(data: bytes, writer: asyncio.StreamWriter) -> None:
    for byte in data * 1000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


def test_a_drip_of_headers_meets_the_total_deadline() -> None:
    started = time.monotonic()
    result = run(send_to(lambda _, writer: drip(b"HTTP/1.1 200 OK\r\n", writer), total_timeout=0.5))
    assert result.error_kind is ErrorKind.TIMEOUT
    assert result.status_code is None
    assert 0.5 <= time.monotonic() - started < 10
    assert result.duration_ms >= 500


def test_a_drip_of_body_keeps_the_status_that_had_come() -> None:
    async def slow_body(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        await drip(b"x", writer)

    result = run(send_to(slow_body, total_timeout=0.5))
    assert (result.status_code, result.error_kind, result.truncated) == (200, None, True)
    assert set(result.response_body) == {"x"}


def test_a_receiver_that_never_answers() -> None:
    async def silent(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(20)

    result = run(send_to(silent, total_timeout=0.3))
    assert (result.error_kind, result.error) == (
        ErrorKind.TIMEOUT,
        "The receiver did not answer in time.",
    )


def test_a_receiver_that_never_reads() -> None:
    async def scenario() -> None:
        done = asyncio.Event()

        async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await done.wait()
            writer.close()

        server = await asyncio.start_server(hold, "127.0.0.1", 0, limit=1)
        sender = local_sender()
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        result = await sender.send(url, HEADERS, bytes(50_000_000), total_timeout=0.5)
        assert result.error_kind is ErrorKind.TIMEOUT
        done.set()
        server.close()
        await sender.aclose()

    run(scenario())


def test_a_slow_name_server_meets_the_connect_timeout() -> None:
    async def slow(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(20)
        return [PUBLIC]

    async def scenario() -> None:
        sender = Sender(resolver=slow)
        result = await sender.send("https://example.com/", HEADERS, BODY, connect_timeout=0.1)
        assert result.error_kind is ErrorKind.TIMEOUT
        assert result.duration_ms < 10_000
        await sender.aclose()

    run(scenario())


def test_cancellation_passes() -> None:
    async def scenario() -> None:
        arrived = asyncio.Event()

        async def silent(_: bytes, writer: asyncio.StreamWriter) -> None:
            arrived.set()
            await asyncio.sleep(20)

        sender = local_sender()
        async with receiver(silent) as server:
            task = asyncio.create_task(sender.send(server.url, HEADERS, BODY))
            await arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await sender.aclose()

    run(scenario())


def test_a_batch_is_sent_concurrently() -> None:
    async def half_a_second(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        writer.write(OK)

    async def scenario() -> None:
        sender = local_sender()
        async with receiver(half_a_second) as server:
            started = time.monotonic()
            results = await asyncio.gather(*(sender.send(server.url, HEADERS, BODY) for _ in range(10)))
            took = time.monotonic() - started
        assert [result.status_code for result in results] == [200] * 10
        assert took < 2.5  # one after the other it would be 5 s
        await sender.aclose()

    run(scenario())


# Connections


def test_connections_are_kept_and_used_again() -> None:
    async def scenario() -> None:
        sender = local_sender()
        async with receiver(OK) as server:
            for _ in range(5):
                assert (await sender.send(server.url, HEADERS, BODY)).status_code == 200
            assert len(server.requests) == 5
            assert server.connections == 1
        await sender.aclose()

    run(scenario())


def test_a_kept_connection_that_closes_as_we_write_is_not_the_receivers_fault() -> None:
    """Each connection answers once, and closes only when the second request has come."""

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
                result = await sender.send(server.url, HEADERS, BODY)
                assert (result.status_code, result.response_body) == (200, "ok")
            assert (server.connections, len(server.requests)) == (4, 6)
            assert len(set(server.requests)) == 1
        await sender.aclose()

    run(scenario())


def test_it_is_repeated_once_only() -> None:
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
            assert (await sender.send(server.url, HEADERS, BODY)).status_code == 200
            result = await sender.send(server.url, HEADERS, BODY)
            assert result.error_kind is ErrorKind.CONNECTION
            assert count == 3
        await sender.aclose()

    run(scenario())


def test_a_late_answer_on_a_kept_connection_is_not_repeated() -> None:
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
            assert (await sender.send(server.url, HEADERS, BODY)).status_code == 200
            result = await sender.send(server.url, HEADERS, BODY, total_timeout=0.3)
            assert result.error_kind is ErrorKind.TIMEOUT
            assert count == 2
        await sender.aclose()

    run(scenario())


def test_a_connection_that_closes_without_an_answer_is_tried_once() -> None:
    async def scenario() -> None:
        sender = local_sender()

        async def close(_: bytes, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with receiver(close) as server:
            result = await sender.send(server.url, HEADERS, BODY)
            assert result.error_kind is ErrorKind.CONNECTION
            assert server.connections == 1
        await sender.aclose()

    run(scenario())


def test_a_connection_dropped_inside_the_answer() -> None:
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
    "reply", [b"220 mail.example ESMTP\r\n\r\n", b"\x00\x01\x02\r\n\r\n", b"HTTP/9 x\r\n\r\n"]
)
def test_what_is_not_http(reply: bytes) -> None:
    result = run(send_to(reply))
    assert (result.status_code, result.error_kind) == (None, ErrorKind.INVALID_RESPONSE)


def test_connection_refused() -> None:
    async def scenario() -> None:
        sender = local_sender()
        async with receiver(OK) as server:
            url = server.url
        result = await sender.send(url, HEADERS, BODY)
        assert result.error_kind is ErrorKind.CONNECTION
        assert result.error
        await sender.aclose()

    run(scenario())


# Names


def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def scenario() -> None:
        sender = Sender()
        result = await sender.send("https://does-not-exist.example/", HEADERS, BODY)
        assert result.error_kind is ErrorKind.DNS
        assert result.error == "The host's name could not be resolved."
        await sender.aclose()

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    run(scenario())


def test_a_name_without_addresses_and_a_label_too_long_for_dns() -> None:
    async def scenario() -> None:
        with pytest.raises(NameNotResolved):
            await GuardedBackend(resolver=answers()).connect_tcp("example.com", 443)
        with pytest.raises(NameNotResolved):
            await resolve("a" * 64 + ".invalid", 443)

    run(scenario())


def test_lookups_that_hang_do_not_delay_others(monkeypatch: pytest.MonkeyPatch) -> None:
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


# The target guard at the dial


def test_a_name_is_resolved_once_and_its_address_dialled() -> None:
    async def scenario() -> None:
        dialer = LocalDialer()
        sender = Sender(https_only=False, resolver=answers(PUBLIC), dialer=dialer)
        async with receiver(OK) as server:
            url = f"http://hooks.example.com:{server.port}/"
            assert (await sender.send(url, HEADERS, BODY)).status_code == 200
            assert dialer.dialled == [PUBLIC]
            host = f"\r\nhost: hooks.example.com:{server.port}\r\n".encode()
            assert host in server.requests[0]
        await sender.aclose()

    run(scenario())


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async def scenario() -> None:
        dialer = LocalDialer(dead=["2606:4700::1", "1.1.1.1"])
        names = answers("2606:4700::1", "1.1.1.1", PUBLIC)
        sender = Sender(https_only=False, resolver=names, dialer=dialer)
        async with receiver(OK) as server:
            url = f"http://example.com:{server.port}/"
            assert (await sender.send(url, HEADERS, BODY)).status_code == 200
        assert dialer.dialled == ["2606:4700::1", "1.1.1.1", PUBLIC]
        await sender.aclose()

    run(scenario())


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["0.0.0.0"],  # noqa: S104 - dialled, not bound
        ["169.254.169.254"],
        ["fd00:ec2::254"],
        ["10.0.0.1"],
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        ["2606:4700::1", PUBLIC, "fe80::1%eth0"],
    ],
)
def test_one_forbidden_address_condemns_the_name(addresses: list[str]) -> None:
    async def scenario() -> None:
        dialer = LocalDialer()
        sender = Sender(https_only=False, resolver=answers(*addresses), dialer=dialer)
        async with receiver(OK) as server:
            url = f"http://example.com:{server.port}/"
            result = await sender.send(url, HEADERS, BODY)
            assert result.error_kind is ErrorKind.FORBIDDEN_TARGET
            assert not any(address in (result.error or "") for address in addresses)
            assert dialer.dialled == []
            assert server.connections == 0
        await sender.aclose()

    run(scenario())


def test_a_name_that_turns_to_loopback_after_the_first_dial_is_refused() -> None:
    async def scenario() -> None:
        turns = [[PUBLIC], ["127.0.0.1"], [PUBLIC, "::1"], [PUBLIC]]

        async def rebinding(_host: str, _port: int) -> list[str]:
            return turns.pop(0)

        dialer = LocalDialer()
        sender = Sender(https_only=False, resolver=rebinding, dialer=dialer)
        async with receiver(answer("200 OK", "connection: close")) as server:
            url = f"http://example.com:{server.port}/"
            kinds = [(await sender.send(url, HEADERS, BODY)).error_kind for _ in range(4)]
            assert kinds == [None, ErrorKind.FORBIDDEN_TARGET, ErrorKind.FORBIDDEN_TARGET, None]
            assert dialer.dialled == [PUBLIC, PUBLIC]
            assert len(server.requests) == 2
        await sender.aclose()

    run(scenario())


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0177.0.0.1",
        "0x7f000001",
        "2130706433",
        "0.0.0.0",  # noqa: S104 - dialled, not bound
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "localhost",
        "a.localhost",
        "localhost.",
        "user@127.0.0.1",
        "example.com@127.0.0.1",
        "\uff11\uff12\uff17.0.0.1",
    ],
)
def test_by_default_nothing_on_this_machine_is_ever_reached(host: str) -> None:
    async def scenario() -> None:
        sender = Sender(https_only=False)
        async with receiver(OK) as server:
            result = await sender.send(f"http://{host}:{server.port}/", HEADERS, BODY)
            assert result.error_kind in (ErrorKind.FORBIDDEN_TARGET, ErrorKind.INVALID_REQUEST)
            assert server.connections == 0
        await sender.aclose()

    run(scenario())


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "localhost", "::1", "0.0.0.0"],  # noqa: S104 - dialled, not bound
)
def test_the_dialer_alone_refuses_this_machine(host: str) -> None:
    """Also for a URL that nobody had checked, with the system's resolver."""

    async def scenario() -> None:
        async with receiver(OK) as server:
            with pytest.raises(ForbiddenTarget):
                await GuardedBackend().connect_tcp(host, server.port, 5)
            with pytest.raises(httpcore.ConnectError):
                await GuardedBackend().connect_unix_socket("receiver.sock")
            assert server.connections == 0

    run(scenario())


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for hooks.example.com, and its key, in one file."""
    return self_signed(tmp_path_factory.mktemp("tls"), "hooks.example.com")


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


def test_tls_verifies_the_name_though_an_address_is_dialled(certificate: Path) -> None:
    async def scenario() -> None:
        seen: list[str] = []
        context = server_tls(certificate)
        context.sni_callback = lambda _socket, name, _context: seen.append(name)
        dialer = LocalDialer()
        sender = Sender(resolver=answers(PUBLIC), dialer=dialer, ssl_context=trusting(certificate))
        async with receiver(OK, context) as server:
            for _ in range(2):
                url = f"https://hooks.example.com:{server.port}/"
                assert (await sender.send(url, HEADERS, BODY)).status_code == 200
            assert (seen, dialer.dialled) == (["hooks.example.com"], [PUBLIC])
            assert server.connections == 1
            wrong = await sender.send(f"https://other.example.com:{server.port}/", HEADERS, BODY)
            assert wrong.error_kind is ErrorKind.TLS
            assert "other.example.com" in (wrong.error or "")
            assert len(server.requests) == 2
        await sender.aclose()

    run(scenario())


def test_a_self_signed_certificate_is_refused(certificate: Path) -> None:
    async def scenario() -> None:
        sender = local_sender()
        async with receiver(OK, server_tls(certificate)) as server:
            result = await sender.send(f"https://localhost:{server.port}/", HEADERS, BODY)
            assert result.error_kind is ErrorKind.TLS
            assert result.error == "The TLS handshake failed: self-signed certificate."
            assert server.requests == []
        await sender.aclose()

    run(scenario())


def test_a_server_that_asks_for_a_client_certificate(certificate: Path) -> None:
    """With TLS 1.3 its refusal comes after the handshake, in place of an answer."""

    async def scenario() -> None:
        context = server_tls(certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate)
        sender = Sender(resolver=answers(PUBLIC), dialer=LocalDialer(), ssl_context=trusting(certificate))
        async with receiver(OK, context) as server:
            url = f"https://hooks.example.com:{server.port}/"
            result = await sender.send(url, HEADERS, BODY)
            assert result.error_kind in (ErrorKind.TLS, ErrorKind.CONNECTION)
            assert server.requests == []
        await sender.aclose()

    run(scenario())


def test_a_server_that_speaks_no_tls() -> None:
    async def scenario() -> None:
        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        sender = local_sender()
        result = await sender.send(f"https://127.0.0.1:{port}/", HEADERS, BODY)
        assert result.error_kind is ErrorKind.TLS
        server.close()
        await sender.aclose()

    run(scenario())


def test_a_handshake_that_never_ends() -> None:
    async def scenario() -> None:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()  # until the sender gives up and closes
            writer.close()
            closed.set()

        closed = asyncio.Event()
        server = await asyncio.start_server(hold, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        sender = local_sender()
        result = await sender.send(
            f"https://127.0.0.1:{port}/", HEADERS, BODY, connect_timeout=60, total_timeout=0.6
        )
        assert result.error_kind is ErrorKind.TIMEOUT
        await closed.wait()
        server.close()
        await sender.aclose()

    run(scenario())


def test_a_tls_connection_cut_before_the_answer(certificate: Path) -> None:
    async def cut(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async def scenario() -> None:
        sender = Sender(resolver=answers(PUBLIC), dialer=LocalDialer(), ssl_context=trusting(certificate))
        async with receiver(cut, server_tls(certificate)) as server:
            url = f"https://hooks.example.com:{server.port}/"
            result = await sender.send(url, HEADERS, BODY)
            assert result.error_kind is ErrorKind.CONNECTION
        await sender.aclose()

    run(scenario())
