"""Malformed responses: each one counts for its own request and for no other.

Every receiver here answers its first request as the test defines, and each later one with 500. So a 2xx for a
later request consists of bytes left over from the first response.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from patchbay.outbound.transport import GuardedTransport
from patchbay.webhooks.retry import ErrorKind
from patchbay.webhooks.sender import Sender, SendResult
from tests.certificates import self_signed, server_tls
from tests.raw_receivers import (
    BODY,
    HEADERS,
    OK,
    PUBLIC,
    WORKSPACE,
    Answer,
    LocalDialer,
    Receiver,
    answer,
    receiver,
    run,
    static_resolver,
)

FAILED = answer("500 Oops")
NAME = "hooks.example.com"


def with_line(line: bytes) -> bytes:
    """A 200 with an extra header line between two valid ones."""
    return OK.replace(b"\r\n", b"\r\ncontent-type: text/plain\r\n" + line + b"\r\n", 1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), NAME)


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, certificate: Path) -> Path | None:
    """Runs a test without TLS and with TLS."""
    return certificate if request.param == "tls" else None


@dataclass(frozen=True)
class Pair:
    """A sender and its receiver."""

    sender: Sender
    receiver: Receiver
    url: str

    async def send(
        self, workspace_id: str = WORKSPACE, body: bytes = BODY, seconds: float = 10
    ) -> SendResult:
        return await self.sender.send(
            self.url, HEADERS, body, workspace_id=workspace_id, total_timeout=seconds
        )


@asynccontextmanager
async def sender_and_receiver(first: bytes | Answer, certificate: Path | None = None) -> AsyncIterator[Pair]:
    async def then_fail(request: bytes, writer: asyncio.StreamWriter) -> None:
        if len(server.requests) > 1:
            writer.write(FAILED)
        elif isinstance(first, bytes):
            writer.write(first)
        else:
            await first(request, writer)

    trust = ssl.create_default_context(cafile=str(certificate)) if certificate else None
    sender = Sender(
        https_only=False, ssl_context=trust, resolver=static_resolver(PUBLIC), dialer=LocalDialer()
    )
    async with receiver(then_fail, server_tls(certificate) if certificate else None) as server:
        yield Pair(sender, server, f"http{'s' if certificate else ''}://{NAME}:{server.port}/hook")
        await sender.aclose()


def send_twice(first: bytes | Answer, certificate: Path | None = None) -> tuple[SendResult, int | None, int]:
    """Send two requests. Returns the first result, the second status, and the number of connections."""

    async def scenario() -> tuple[SendResult, int | None, int]:
        async with sender_and_receiver(first, certificate) as pair:
            result = await pair.send()
            return result, (await pair.send()).status_code, pair.receiver.connections

    return run(scenario())


# ── bytes after a response ───────────────────────────────────────────────────────────────────────────

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
WITH_EXTRA_BYTES = {
    "204 with an empty chunked body": (
        b"HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "204 that declares a chunked body": b"HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n",
    "204 that declares a body": b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n",
    "204 with a body": b"HTTP/1.1 204 No Content\r\n\r\nok",
    "characters counted instead of bytes": (
        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n" + "reçu ✓".encode()
    ),
    "two responses": OK + OK,
    "three responses": OK * 3,
    "an interim response after it": OK + b"HTTP/1.1 100 Continue\r\n\r\n",
    "a blank line after it": OK + b"\r\n",
    "a response after a chunked one": CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + OK,
    "a response after trailers": CHUNKED + b"2\r\nok\r\n0\r\na: b\r\n\r\n" + OK,
    "a response after a compressed one": answer(
        "200 OK", "content-encoding: gzip", body=gzip.compress(b"ok") + b"more"
    )
    + OK,
    "a response after one with an unknown encoding": answer("200 OK", "content-encoding: br", body=b"x") + OK,
    "a second length": with_line(b"content-length: 2"),
    "length and chunks": CHUNKED.replace(b"\r\n\r\n", b"\r\ncontent-length: 30\r\n\r\n")
    + b"2\r\nok\r\n0\r\n\r\n",
    "chunks of HTTP/1.0": CHUNKED.replace(b"1.1", b"1.0") + b"2\r\nok\r\n0\r\n\r\n",
    "bare line feeds": OK.replace(b"\r\n", b"\n"),
    "another version": OK.replace(b"1.1", b"1.2"),
}


@pytest.mark.parametrize("first", WITH_EXTRA_BYTES.values(), ids=WITH_EXTRA_BYTES)
def test_bytes_after_a_response_are_never_the_next_response(first: bytes, tls: Path | None) -> None:
    result, second_status, connections = send_twice(first, tls)
    assert result.status_code in (200, 204)
    assert (second_status, connections) == (500, 2)


def test_tls_records_after_a_response_are_detected(certificate: Path) -> None:
    """The TCP socket is already empty: the response and the bytes after it arrive in one read."""

    async def in_records(_: bytes, writer: asyncio.StreamWriter) -> None:
        for record in (OK[:-1], OK[-1:], OK):
            writer.write(record)

    async def and_half_a_record(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        raw = writer.transport._ssl_protocol._transport  # type: ignore[attr-defined]
        raw.write(b"\x17\x03\x03\x00\x20half")

    for first in (in_records, and_half_a_record):
        result, second_status, connections = send_twice(first, certificate)
        assert (result.status_code, second_status, connections) == (200, 500, 2)


def test_tls_failure_of_a_reused_connection_does_not_fail_the_delivery(certificate: Path) -> None:
    async def then_alert(receiver: Receiver, _: bytes, writer: asyncio.StreamWriter) -> None:
        if len(receiver.requests) == 2:
            raw = writer.transport._ssl_protocol._transport  # type: ignore[attr-defined]
            raw.write(b"\x15\x03\x03\x00\x02\x02\x50")  # the alert internal_error
        else:
            writer.write(OK)

    async def scenario() -> None:
        async with sender_and_receiver(OK, certificate) as pair:
            pair.receiver.answer = partial(then_alert, pair.receiver)
            for _ in range(2):
                result = await pair.send()
                assert (result.status_code, result.error) == (200, None)
            assert (pair.receiver.connections, len(pair.receiver.requests)) == (2, 3)

    run(scenario())


@pytest.mark.parametrize(
    "late", [OK, b"\r\n", b"x", b""], ids=["a response", "a blank line", "a byte", "the end"]
)
def test_bytes_on_an_idle_connection_close_it(late: bytes, tls: Path | None) -> None:
    async def scenario() -> None:
        async def and_later(_: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write(OK)
            await answered.wait()
            writer.write(late)
            if not late:
                writer.close()
            was_late.set()

        answered, was_late = asyncio.Event(), asyncio.Event()
        async with sender_and_receiver(and_later, tls) as pair:
            assert (await pair.send()).status_code == 200
            answered.set()
            await was_late.wait()
            assert (await pair.send()).status_code == 500
            assert (pair.receiver.connections, len(pair.receiver.requests)) == (2, 2)

    run(scenario())


def test_late_byte_of_a_response_does_not_fail_the_next_request() -> None:
    async def scenario() -> None:
        async def rest_first(_: bytes, writer: asyncio.StreamWriter) -> None:
            writer.write({1: OK, 2: b"\x93"}.get(len(pair.receiver.requests), FAILED))

        async with sender_and_receiver(rest_first) as pair:
            pair.receiver.answer = rest_first
            assert (await pair.send()).status_code == 200
            assert (await pair.send()).status_code == 500
            assert (pair.receiver.connections, len(pair.receiver.requests)) == (2, 3)

    run(scenario())


def test_workspaces_do_not_share_connections(tls: Path | None) -> None:
    async def scenario() -> None:
        async with sender_and_receiver(OK, tls) as pair:
            for workspace_id in ("acme", "initech", "acme", "initech"):
                await pair.send(workspace_id)
            assert (pair.receiver.connections, len(pair.receiver.requests)) == (2, 4)

    run(scenario())


def test_second_response_of_a_token_endpoint_is_never_the_next_response() -> None:
    async def scenario() -> None:
        transport = GuardedTransport(
            max_bytes=1000, https_only=False, resolver=static_resolver(PUBLIC), dialer=LocalDialer()
        )
        async with sender_and_receiver(OK + OK) as pair, httpx.AsyncClient(transport=transport) as client:
            received = [(await client.post(pair.url, data={"a": "b"})).status_code for _ in range(2)]
            assert (received, pair.receiver.connections) == ([200, 500], 2)

    run(scenario())


# ── harmless mistakes ────────────────────────────────────────────────────────────────────────────────

HARMLESS = {
    "coding identity": with_line(b"transfer-encoding: identity"),
    "coding identity, twice": with_line(b"Transfer-Encoding: Identity\r\ntransfer-encoding:identity "),
    "a name with a slash": with_line(b"x-cache/result: hit"),
    "a name with spaces": with_line(b"X Served By: a"),
    "a space before the colon": with_line(b"x-cache : hit"),
    "a name in UTF-8": with_line("x-réponse: oui".encode()),
    "no name": with_line(b": hit"),
    "no colon": with_line(b"hit"),
    "a form feed in a value": with_line(b"x-cache: h\fit"),
    "a folded value": with_line(b"x-cache: hit\r\n\tor miss"),
    "a folded list of names": with_line(b"access-control-expose-headers: etag,\r\n content-length, date"),
    "a folded line without a name": with_line(b"x/y: hit\r\n or miss"),
    "a folded line before all": OK.replace(b"\r\n", b"\r\n x: y\r\ncontent-type: text/plain\r\n", 1),
    "a blank line before": b"\r\n" + with_line(b"x: y"),
    "blank lines before": b"\r\n\n\r\n" + with_line(b"x: y"),
    "an interim response with one": b"HTTP/1.1 103 Hints\r\nx/y: z\r\n\r\n" + with_line(b"x: y"),
    "a blank line after an interim response": b"HTTP/1.1 100 Continue\r\n\r\n\r\n" + with_line(b"x: y"),
}


@pytest.mark.parametrize("first", HARMLESS.values(), ids=HARMLESS)
def test_tolerated_framing_error_does_not_fail_a_delivery(first: bytes) -> None:
    result, second_status, connections = send_twice(first)
    assert (result.status_code, result.response_body, result.truncated) == (200, "ok", False)
    assert ("content-type", "text/plain") in result.response_headers
    assert (second_status, connections) == (500, 2)  # the connection is still not reused


def test_body_with_the_coding_identity_may_end_with_the_connection() -> None:
    async def and_close(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nok")
        writer.close()

    result, second_status, _ = send_twice(and_close)
    assert (result.status_code, result.response_body, result.truncated, second_status) == (
        200,
        "ok",
        False,
        500,
    )


# ── responses that two parsers could read differently ────────────────────────────────────────────────

AMBIGUOUS = {
    "two lengths": b"content-length: 3",
    "two lengths in one": b"content-length: 2, 3",
    "a signed length": b"content-length: +2",
    "a negative length": b"content-length: -2",
    "a hexadecimal length": b"content-length: 0x2",
    "a length with a space": b"content-length: 2 2",
    "no length": b"content-length:",
    "a very long length": b"content-length: " + b"9" * 5000,
    "an unknown coding": b"transfer-encoding: gzip",
    "two codings": b"transfer-encoding: gzip, chunked",
    "identity after chunked": b"transfer-encoding: chunked, identity",
    "chunked twice": b"transfer-encoding: chunked\r\ntransfer-encoding: chunked",
    "identity and chunked": b"transfer-encoding: identity\r\ntransfer-encoding: chunked",
    "no coding": b"transfer-encoding:",
    "a space after a length": b"content-length : 2",
    "a space before a length": b"x: y\r\n content-length: 2",
    "a tab after a coding": b"Transfer-Encoding\t: chunked",
    "a control character before a coding": b"\x0btransfer-encoding: chunked",
    "a length without a hyphen": b"content length: 2",
    "a length without a colon": b"content-length 2",
    "a quoted length": b'"content-length": 2',
    "a folded length": b"content-length:\r\n 2",
    "a folded coding": b"transfer-encoding:\r\n chunked",
    "a coding after a carriage return": b"x: y\rtransfer-encoding: chunked",
    "a NUL": b"x: \0y",
    "a second status line": b"HTTP/1.1 500 Oops",
}


@pytest.mark.parametrize("line", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_ambiguous_framing_is_rejected(line: bytes) -> None:
    for first in (with_line(line), OK.replace(b"\r\n", b"\r\n" + line + b"\r\n", 1)):
        result, second_status, connections = send_twice(first)
        assert (result.status_code, result.error_kind) == (None, ErrorKind.INVALID_RESPONSE)
        assert (second_status, connections) == (500, 2)


def test_body_of_an_interim_response_is_rejected() -> None:
    for coding, body in (("content-length: 2", b"ok"), ("transfer-encoding: chunked", b"0\r\n\r\n")):
        first = f"HTTP/1.1 103 Hints\r\n{coding}\r\n\r\n".encode() + body + OK
        result, second_status, connections = send_twice(first)
        assert (result.error_kind, second_status, connections) == (ErrorKind.INVALID_RESPONSE, 500, 2)


@pytest.mark.parametrize(
    "body", [b"0x2\r\nok", b"-2\r\nok", b"2 2\r\nok", b"2\nok", b"2;a\nb\r\nok", b"2\r\nokk\r\n", b"\r\nok"]
)
def test_nothing_is_read_after_malformed_chunks(body: bytes) -> None:
    result, second_status, connections = send_twice(CHUNKED + body + b"\r\n0\r\n\r\n" + OK)
    assert (result.status_code, result.truncated) == (200, True)
    assert (second_status, connections) == (500, 2)


def test_random_bytes_in_a_response_never_change_the_next_one() -> None:
    """After each of 300 responses with random bytes, the next request gets its own response."""
    rng = random.Random(13)
    pieces = [
        OK,
        CHUNKED,
        b"2\r\nok\r\n",
        b"0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"\r\n",
        b"\n",
        b"\0",
    ]
    pieces += [b"HTTP/1.1 103 Hints\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"content-length: 2\r\n", b" ", b"ok"]
    pieces += [
        b"transfer-encoding: identity\r\n",
        b"transfer-encoding: chunked\r\n",
        b"x y: z\r\n",
        b"\x17\x03\x03",
    ]

    def random_bytes() -> bytes:
        data = bytearray().join(rng.choices(pieces, k=rng.randint(0, 3)))
        if data and rng.random() < 0.3:
            data[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(data)

    async def scenario() -> None:
        responses: list[bytes] = []

        async def by_path(request: bytes, writer: asyncio.StreamWriter) -> None:
            number, _, again = request.partition(b"/hook?")[2].partition(b" ")[0].partition(b"/")
            writer.write(FAILED if again else responses[int(number)])

        for number in range(300):
            piece = rng.choice([OK, CHUNKED + b"2\r\nok\r\n0\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"])
            cut = rng.randrange(len(piece)) if number % 3 == 0 else 0
            responses.append(random_bytes() + piece[:cut] + random_bytes() + piece[cut:] + random_bytes())
        async with sender_and_receiver(OK) as pair:
            pair.receiver.answer = by_path

            async def twice(number: int) -> tuple[int | None, int | None]:
                first, second = [
                    await pair.sender.send(
                        f"{pair.url}?{number}{again}",
                        HEADERS,
                        BODY,
                        workspace_id=f"ws_{number}",
                        total_timeout=seconds,
                    )
                    for again, seconds in (("", 0.3), ("/again", 10))
                ]
                return first.status_code, second.status_code

            results = [
                result
                for start in range(0, 300, 50)
                for result in await asyncio.gather(*map(twice, range(start, start + 50)))
            ]
        assert [responses[n] for n, (_, second) in enumerate(results) if second != 500] == []
        assert {first for first, _ in results} >= {None, 200, 204}

    run(scenario())


# ── responses before the request is read ─────────────────────────────────────────────────────────────

TOO_LARGE = answer("413 Content Too Large", body=b"too large")


@pytest.mark.parametrize("size", [100_000, 20_000_000])
@pytest.mark.parametrize("closes", [True, False], ids=["and closes", "and stays"])
def test_response_sent_before_the_body_is_read_counts(size: int, closes: bool, tls: Path | None) -> None:
    async def reject(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(TOO_LARGE)
        if not closes:
            await asyncio.sleep(20)
        writer.transport.abort()  # with unread bytes, so the sender gets a reset

    async def scenario() -> None:
        async with sender_and_receiver(OK, tls) as pair:
            pair.receiver.serve = reject  # type: ignore[method-assign]
            result = await pair.send(body=bytes(size))
            assert (result.status_code, result.response_body) == (413, "too large")

    run(scenario())
