"""Misbehaving token endpoints, through the OAuth flow: the caller always gets a clear response in bounded
time and memory, and nothing is stored.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import re
import socket
import socketserver
import ssl
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote_plus

import pytest

from patchbay.oauth import token_endpoint
from patchbay.outbound.transport import GuardedTransport
from patchbay.settings import settings
from tests.certificates import self_signed, server_tls
from tests.conftest import Answer, Api, Backend
from tests.integration.oauth_fakes import (
    CLIENT_ID,
    CODE,
    INTEGRATIONS,
    SECRET,
    activity_details,
    activity_log,
    complete_flow,
    connection_count,
    connection_rows,
    create_integration,
    get_token,
    start_flow,
)
from tests.problems import assert_problem
from tests.raw_receivers import LocalDialer

PUBLIC = "93.184.215.14"
GOOD = {"access_token": "access-raw-77", "token_type": "Bearer", "expires_in": 3600}

# The function that a raw server calls for each request.
Act = Callable[[socket.socket, bytes], None]
# Returns an endpoint's error description, made from the body and the form of the request.
Echo = Callable[[str, dict[str, str]], str]


class Raw:
    """A TCP server that calls `act` for each request. `connections` includes those without a request."""

    def __init__(self) -> None:
        self.act: Act = lambda _socket, _request: None
        self.connections = 0
        self.requests: list[bytes] = []
        self.stopped = threading.Event()
        self.port = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def form(self) -> dict[str, str]:
        """Return the form of the last request."""
        return dict(parse_qsl(self.requests[-1].partition(b"\r\n\r\n")[2].decode(), keep_blank_values=True))

    def header(self, name: str) -> str | None:
        """Return a header of the last request, which must not have it twice."""
        head = self.requests[-1].partition(b"\r\n\r\n")[0].decode()
        values = re.findall(rf"(?im)^{name}: (.*)\r?$", head)
        assert len(values) <= 1
        return values[0].strip() if values else None


@contextlib.contextmanager
def listening(tls: ssl.SSLContext | None = None) -> Iterator[Raw]:
    raw = Raw()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            raw.connections += 1
            with contextlib.suppress(OSError, ValueError):
                connection = self.request if tls is None else tls.wrap_socket(self.request, server_side=True)
                connection.settimeout(20)
                data = b""
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536) or data + b"\r\n\r\n"
                length = int(next(iter(re.findall(rb"(?i)\ncontent-length: (\d+)", data)), 0))
                while len(data.partition(b"\r\n\r\n")[2]) < length:
                    data += connection.recv(65536)
                raw.requests.append(data)
                raw.act(connection, data)
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        raw.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield raw
        raw.stopped.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def raw() -> Iterator[Raw]:
    with listening() as server:
        yield server


def sends(*pieces: bytes) -> Act:
    def act(connection: socket.socket, _: bytes) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return act


def http(status: str, *headers: str, body: bytes = b"") -> Act:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return sends("\r\n".join(lines).encode("latin-1") + body)


def answers(payload: object, status: str = "200 OK", *headers: str) -> Act:
    return http(status, "content-type: application/json", *headers, body=json.dumps(payload).encode())


def good(**changes: Any) -> Act:
    return answers({name: value for name, value in (GOOD | changes).items() if value is not None})


class Flow:
    """OAuth flows of one integration with a raw server."""

    def __init__(self, api: Api, backend: Backend, raw: Raw) -> None:
        self.api, self.backend, self.raw = api, backend, raw
        self.id = create_integration(api, raw.base)

    def run(self, act: Act) -> Answer:
        """Run a flow that exchanges its code at the server with one request."""
        self.raw.act = act
        before = len(self.raw.requests)
        answer = complete_flow(self.api, start_flow(self.api, self.id)["state"])
        assert len(self.raw.requests) == before + 1
        return answer

    def fails(self, act: Act, status: int = 502, code: str = "upstream_failed") -> str:
        """Run a flow that fails and stores nothing. Returns the detail of the problem."""
        detail: str = assert_problem(self.run(act), status, code)["detail"]
        assert connection_rows(self.backend) == self.backend.rows("OAuthStatesTable") == []
        assert connection_count(self.api, self.id) == 0
        assert detail.isprintable()
        assert len(detail) < 700
        assert activity_log(self.api, self.id)[0] == ("oauth.failed", "FAILED", "user:someone")
        return detail


@pytest.fixture
def flow(api: Api, backend: Backend, raw: Raw) -> Flow:
    return Flow(api, backend, raw)


# ── unusable responses ───────────────────────────────────────────────────────────────────────────────


def test_unusable_responses_fail_with_their_reason(flow: Flow, subtests: pytest.Subtests) -> None:
    page = b"<!doctype html><title>Sign in</title>" + SECRET.encode()
    html = "content-type: text/html"
    cases: list[tuple[Act, str]] = [
        (http("200 OK", html, body=page), "HTTP 200 without a readable body"),
        (http("200 OK"), "HTTP 200 with neither"),
        (sends(b"HTTP/1.1 204 No Content\r\n\r\n"), "HTTP 204 with neither"),
        (http("401 Unauthorized", html, body=page), "HTTP 401 without"),
        (http("404 Not Found", html, body=page), "HTTP 404 without"),
        (http("500 Oops", html, body=page), "HTTP 500"),
        (answers(GOOD, "500 Oops"), "HTTP 500"),
        (answers(GOOD, "503 Busy", "retry-after: 1"), "HTTP 503"),
        (answers(GOOD, "429 Slow down"), "HTTP 429"),
        (answers(GOOD, "400 Bad"), "HTTP 400 with neither"),
        (answers([GOOD, GOOD]), "without a readable body"),
        (answers("access_token"), "neither"),
        (answers(None), "without a readable body"),
        (answers({}), "neither a token nor an error"),
        (answers({"access_token": ""}), "neither"),
        (answers({"access_token": None}), "neither"),
        (answers({"access_token": False}), "neither"),
        (answers({"access_token": ["x"]}), "neither"),
        (answers({"access_token": {"a": "b"}}), "neither"),
        (answers({"error": ""}), "neither"),
        (http("200 OK", body=b'{"access_token": "x"'), "without a readable body"),
        (http("200 OK", body=b'{"access_token": "x"} {}'), "without a readable body"),
        (http("200 OK", body=b"\xff\xfe{}\x00"), "without a readable body"),
        (http("200 OK", body=b"[" * 60_000), "without a readable body"),
        (http("200 OK", body=b'{"a":' * 10_000 + b"1" + b"}" * 10_000), "without a readable body"),
        (http("200 OK", body=b'{"access_token": ' + b"9" * 5000 + b"}"), "neither"),
    ]
    for number, (act, reason) in enumerate(cases):
        with subtests.test(reason, number=number):
            assert reason in flow.fails(act)


def test_token_is_read_with_any_content_type(flow: Flow) -> None:
    """The code is already used, so the grant would be lost without the token."""
    text = json.dumps(GOOD)
    form = f"access_token={GOOD['access_token']}&token_type=Bearer&expires_in=3600".encode()
    for media_type, body in (
        ("application/x-www-form-urlencoded", form),
        ("text/plain; charset=utf-8", form),
        ("text/html", form),
        ("application/json", form),
        ("text/plain", text.encode()),
        ("text/html", b"\xef\xbb\xbf" + text.encode()),
        ("application/json; charset=utf-16", text.encode("utf-16")),
        ("application/json", text.encode("utf-16-le")),
        ("application/json; charset=iso-8859-1", (text[:-1] + ', "name": "Réné"}').encode("latin-1")),
        ("application/octet-stream", json.dumps({"data": GOOD}).encode()),
    ):
        response = flow.run(http("200 OK", f"content-type: {media_type}", body=body))
        assert response.status == 200, (media_type, body, response.text)
        assert get_token(flow.api, flow.id).json()["accessToken"] == GOOD["access_token"]
    without_type = http("201 Created", "content-encoding: gzip", body=gzip.compress(form))
    assert flow.run(without_type).status == 200


def test_retry_after_of_the_provider_is_passed_on(flow: Flow) -> None:
    flow.raw.act = answers({}, "429 Slow down", "retry-after: 600")
    response = complete_flow(flow.api, start_flow(flow.api, flow.id)["state"])
    assert (response.status, response.headers["retry-after"]) == (502, "600")


def test_tokens_that_do_not_fit_into_a_header_are_rejected(flow: Flow) -> None:
    """RFC 6749, A.12 and A.17. If stored, they would break everything later: refresh, revocation, lists."""
    for bad in ("a\r\nx: y", "a\nb", "tökén", "\ud800", "\x00", "x" * 20_000, "x" * 60_000):
        flow.fails(good(access_token=bad))
        flow.fails(good(refresh_token=bad))
    flow.fails(good(access_token=7, refresh_token="a\x7f"))


def test_odd_fields_next_to_a_valid_token_make_a_readable_connection(flow: Flow) -> None:
    api, id = flow.api, flow.id
    for odd in (
        {"expires_in": 10**30},
        {"expires_in": -1},
        {"expires_in": 0},
        {"expires_in": 1e300},
        {"expires_in": float("nan")},
        {"expires_in": "3600"},
        {"expires_in": "soon"},
        {"expires_in": True},
        {"expires_in": [1]},
        {"scope": ""},
        {"scope": " , "},
        {"scope": ["a", 7, None, "b"]},
        {"scope": {"a": 1}},
        {"scope": "x" * 50_000},
        {"scope": "\ud800 a\x00"},
        {"token_type": "\r\n"},
        {"token_type": None},
        {"token_type": 7},
        {"token_type": "x" * 50_000},
        {"refresh_token": None},
        {"refresh_token": ""},
        {"refresh_token": 7},
        {"id_token": "x" * 50_000},
        {"error": ""},
        {"\ud800": "\ud800"},
    ):
        response = flow.run(good(**odd))
        assert response.status in (200, 502), (odd, response.text)
        connection = api(f"GET {INTEGRATIONS}/{id}/connections/default")
        if response.status == 200:
            assert connection.json() == response.json()
            assert all(scope and scope.isprintable() for scope in connection.json()["scopes"])
            token = get_token(api, id)
            assert token.status == 200, token.text
            token_type = token.json()["tokenType"]
            assert token_type.isprintable()
            assert 1 <= len(token_type) <= 300
        assert api(f"GET {INTEGRATIONS}/{id}/connections").status == 200
    assert flow.run(good(refresh_token=None, scope=None)).json()["scopes"] == []
    assert connection_count(api, id) == 1


def test_connection_failures_and_malformed_http_are_upstream_failures(flow: Flow) -> None:
    payload = json.dumps(GOOD).encode()
    for act in (
        sends(),
        sends(b"HTTP/1.1 200"),
        sends(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n"),
        sends(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + payload),
        sends(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s" % (len(payload), payload)),
        sends(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n" + payload),
        sends(b"220 mail.example ESMTP\r\n\r\n"),
        sends(b"\x16\x03\x01\x00\xa5\x01" * 20),
        sends(b"HTTP/9 x\r\n\r\n" + payload),
        sends(payload),
        sends(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000 + b"\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nx: " + b"v" * 500_000),
        sends(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n" + payload),
        sends(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello"),
    ):
        flow.fails(act)
    complete = flow.run(
        sends(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + payload)
    )
    assert complete.status == 200, "without a length, the end of the connection ends the body"


def test_redirects_are_neither_followed_nor_parsed(flow: Flow) -> None:
    """A redirected token request would send the code and the client secret elsewhere."""
    with listening() as elsewhere:
        elsewhere.act = good()
        port = elsewhere.port
        for status in ("301", "302", "303", "307", "308"):
            flow.fails(http(f"{status} Moved", f"location: {elsewhere.base}/t"))
            flow.fails(answers(GOOD, f"{status} Moved", f"location: {elsewhere.base}/t"))
        for location in (
            f"//127.0.0.1:{port}/t",
            "http://169.254.169.254/latest/meta-data/",
            "http://[bad",
            "https://xn--a/",
            "http://\x80/",
            "http://a:99999999/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "//",
            "\ufffd".encode().decode("latin-1"),
            "x" * 60_000,
        ):
            assert "HTTP 302" in flow.fails(http("302 Found", f"location: {location}"))
        odd = (f"refresh: 0; url={elsewhere.base}/t", f"location: {elsewhere.base}")
        assert flow.run(answers(GOOD, "200 OK", *odd)).status == 200
        assert elsewhere.connections == 0


# ── time and memory ──────────────────────────────────────────────────────────────────────────────────


def test_slow_endpoint_ends_at_the_total_deadline(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_endpoint, "TOTAL_SECONDS", 0.4)
    stopped = flow.raw.stopped

    def silent(_: socket.socket, __: bytes) -> None:
        stopped.wait(20)

    def drip(head: bytes, piece: bytes) -> Act:
        def act(connection: socket.socket, _: bytes) -> None:
            connection.sendall(head)
            while not stopped.wait(0.05):
                connection.sendall(piece)

        return act

    head = b"HTTP/1.1 200 OK\r\n"
    for act in (
        silent,
        drip(head, b"x: y\r\n"),
        drip(head + b"content-length: 100000\r\n\r\n", b" "),
        drip(head + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drip(head + b"content-encoding: gzip\r\n\r\n", b""),
    ):
        started = time.monotonic()
        assert "no response within" in flow.fails(act)
        assert 0.4 <= time.monotonic() - started < 3
    assert flow.run(good()).status == 200


def test_large_responses_and_decompression_bombs_use_little_memory(flow: Flow) -> None:
    max_bytes = token_endpoint.MAX_RESPONSE_BYTES
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(compressor.compress(bytes(1_000_000)) for _ in range(50)) + compressor.flush()
    twice = gzip.compress(gzip.compress(json.dumps(GOOD).encode()))
    small = gzip.compress(json.dumps(GOOD).encode())
    padded = json.dumps(GOOD | {"x": "y" * max_bytes}).encode()

    def endless(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not flow.raw.stopped.is_set():
            connection.sendall(b"4000\r\n" + b" " * 0x4000 + b"\r\n")

    flow.fails(http("500"))  # keeps first-use imports and caches out of the measurement
    for act in (
        sends(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n", *[b" " * 1_000_000] * 10),
        endless,
        http("200 OK", body=padded),
        http("200 OK", "content-encoding: gzip", body=bomb),
        http("200 OK", "content-encoding: deflate", body=zlib.compress(padded)),
        http("200 OK", "content-encoding: gzip, gzip", body=twice),
        http("200 OK", "content-encoding: gzip", "content-encoding: gzip", body=twice),
        http("200 OK", "content-encoding: br", body=b"\x0b\x02\x80ok\x03"),
        http("200 OK", "content-encoding: gzip", body=b"not gzip"),
        http("200 OK", "content-encoding: gzip", body=small[:-4]),
        http("200 OK", "content-encoding: gzip", body=small + b"more"),
    ):
        started = time.monotonic()
        tracemalloc.start()
        try:
            detail = flow.fails(act)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert f"more than {max_bytes} bytes" in detail
        assert peak < 12_000_000  # of 50 MB unpacked; includes the whole stack and this test's server
        assert time.monotonic() - started < 8
    assert flow.run(http("200 OK", "content-encoding: gzip", body=small)).status == 200
    exact = json.dumps(GOOD | {"x": ""}).encode()
    exact = exact[:-2] + b"y" * (max_bytes - len(exact)) + exact[-2:]
    assert flow.run(http("200 OK", body=exact)).status == 200


# ── denials ──────────────────────────────────────────────────────────────────────────────────────────


def test_oauth_error_is_reported_in_the_providers_words(flow: Flow) -> None:
    error_body = {"error": "invalid_grant", "error_description": "Code\r\nexpired\u202e\x1b[1m"}
    for status in ("400 Bad Request", "401 Unauthorized", "403 Forbidden", "200 OK"):
        detail = flow.fails(answers(error_body, status), 422, "authorization_failed")
        assert "invalid_grant: Code expired [1m." in detail
    for error in ("invalid_client", "unauthorized_client", "x" * 60_000, "\u202e\n", 7):
        flow.fails(answers({"error": error}, "400 Bad Request"), 422, "authorization_failed")
    for temporary in ("temporarily_unavailable", "server_error"):
        assert temporary in flow.fails(answers({"error": temporary}, "400 Bad Request"))


def test_secrets_that_an_endpoint_echoes_are_masked(flow: Flow) -> None:
    api, raw = flow.api, flow.raw
    secret = "s3cr:et/+%=c0ffee"
    echoes: list[Echo] = [
        lambda body, _: body[-290:],
        lambda body, _: unquote_plus(body)[-290:],
        lambda _, __: f"you sent {raw.header('authorization')}",
        lambda _, form: f"{form.get('client_secret')} is wrong",
        lambda _, form: f"no such code: {form['code']}",
        lambda _, form: f"verifier {form['code_verifier']}" + "x" * 5000,
    ]
    for auth in ("body", "basic"):
        flow.id = create_integration(api, raw.base, settings={"clientAuth": auth, "clientSecret": secret})
        basic = base64.b64encode(f"{CLIENT_ID}:{quote_plus(secret)}".encode()).decode()
        masked = 0
        for echo in echoes:

            def act(connection: socket.socket, request: bytes, echo: Echo = echo) -> None:
                description = echo(request.partition(b"\r\n\r\n")[2].decode(), raw.form())
                error_body = {"error": "invalid_request", "error_description": description}
                answers(error_body, "400 Bad Request")(connection, request)

            detail = flow.fails(act, 422, "authorization_failed")
            logged = activity_details(api, flow.id, "oauth.failed")[0]
            assert detail in logged
            masked += "********" in detail
            form = raw.form()
            for value in (secret, CODE, form["code_verifier"], basic):
                for spelling in (value, quote(value, safe=""), quote_plus(value)):
                    assert spelling not in logged
        assert masked >= 4


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────


def test_forbidden_addresses_of_a_name_are_not_dialed(
    api: Api, backend: Backend, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses: list[list[str]] = []
    dialer = LocalDialer()

    async def resolver(_host: str, _port: int) -> list[str]:
        return addresses.pop()

    def transport() -> GuardedTransport:
        return GuardedTransport(max_bytes=65_536, https_only=False, resolver=resolver, dialer=dialer)

    monkeypatch.setattr(token_endpoint, "_transport", transport)
    id = create_integration(api, f"http://login.crm.test:{raw.port}")
    raw.act = good()
    for bad in (
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["0.0.0.0"],  # noqa: S104 - dialed, not bound
        ["10.1.2.3"],
        ["172.16.0.1"],
        ["192.168.0.1"],
        ["169.254.169.254"],
        ["169.254.170.2"],
        ["fd00:ec2::254"],
        ["100.100.100.200"],
        ["64:ff9b::a00:1"],
        [PUBLIC, "127.0.0.1"],
        ["10.0.0.1", PUBLIC],
        [],
    ):
        addresses.append(bad)
        response = complete_flow(api, start_flow(api, id)["state"])
        assert_problem(response, 502, "upstream_failed")
        assert not any(address in response.text for address in bad)
    assert (raw.connections, dialer.dialed, connection_rows(backend)) == (0, [], [])
    addresses.append([PUBLIC])
    assert complete_flow(api, start_flow(api, id)["state"]).status == 200
    assert (raw.connections, dialer.dialed) == (1, [PUBLIC])
    assert raw.header("host") == f"login.crm.test:{raw.port}"


def test_loopback_is_not_dialed_unless_allowed(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """This also applies to a URL that was registered under other rules."""
    states = [start_flow(flow.api, flow.id)["state"] for _ in range(2)]
    monkeypatch.setenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS", "0")
    settings.cache_clear()
    assert_problem(complete_flow(flow.api, states.pop()), 502, "upstream_failed")
    monkeypatch.setenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS", "1")
    monkeypatch.setenv("HTTPS_ONLY", "true")
    settings.cache_clear()
    assert "https://" in complete_flow(flow.api, states.pop()).json()["detail"]
    assert flow.raw.connections == 0


def test_proxies_in_the_environment_are_ignored(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with listening() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name.lower(), proxy.base)
            monkeypatch.setenv(name, proxy.base)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert flow.run(good()).status == 200
        assert proxy.connections == 0
    assert flow.raw.header("authorization") is None


def test_unreachable_endpoint_is_an_upstream_failure(api: Api) -> None:
    with listening() as stopped:
        base = stopped.base
    id = create_integration(api, base)
    assert_problem(
        complete_flow(api, start_flow(api, id)["state"]), 502, "upstream_failed", "ConnectionRefusedError"
    )


def test_invalid_xn_names_are_upstream_failures(api: Api, backend: Backend) -> None:
    for host in ("xn--a.example", "xn--zz--.example", "xn--0.xn--1", "xn--ls8h.example"):
        id = create_integration(api, f"https://{host}")
        assert_problem(complete_flow(api, start_flow(api, id)["state"]), 502, "upstream_failed")
    assert connection_rows(backend) == backend.rows("OAuthStatesTable") == []


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """Return the TLS context of a server with a self-signed certificate."""
    return server_tls(self_signed(tmp_path, "localhost"))


def test_no_secret_is_sent_without_a_trusted_certificate(
    api: Api, backend: Backend, certificate: ssl.SSLContext
) -> None:
    with listening(certificate) as impostor:
        id = create_integration(api, f"https://localhost:{impostor.port}")
        assert_problem(complete_flow(api, start_flow(api, id)["state"]), 502, "upstream_failed")
        assert (impostor.connections, impostor.requests) == (1, [])
    assert connection_rows(backend) == []


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────


def test_client_authenticates_with_the_method_of_its_provider(api: Api, raw: Raw) -> None:
    """RFC 6749, 2.3.1: for Basic, both parts are form-encoded first."""
    raw.act = good(refresh_token="refresh-raw-88")
    odd_id, odd_secret = "cl:i+ent%41/~=&?", 's3cr:et +%2B&=é\u2603"\\'
    for auth in ("body", "basic", "none"):
        client: dict[str, Any] = {"clientId": odd_id, "clientSecret": odd_secret, "clientAuth": auth}
        if auth == "none":
            client["clientSecret"] = None
        id = create_integration(api, raw.base, settings=client)
        assert complete_flow(api, start_flow(api, id)["state"]).status == 200
        exchange = raw.form(), raw.header("authorization")
        raw.act = http("200 OK")
        assert api(f"DELETE {INTEGRATIONS}/{id}/connections/default").status == 200
        revocation = raw.form(), raw.header("authorization")
        raw.act = good(refresh_token="refresh-raw-88")
        assert exchange[0].pop("grant_type") == "authorization_code"
        assert revocation[0].pop("token") == "refresh-raw-88"
        for form, header in (exchange, revocation):
            if auth == "basic":
                scheme, _, credentials = (header or "").partition(" ")
                assert scheme == "Basic"
                name, _, password = (
                    base64.b64decode(credentials, validate=True).decode("ascii").partition(":")
                )
                assert (unquote_plus(name), unquote_plus(password)) == (odd_id, odd_secret)
                assert not {"client_id", "client_secret"} & form.keys()
            else:
                assert header is None
                assert form.get("client_id") == odd_id
                assert form.get("client_secret") == (odd_secret if auth == "body" else None)


def test_token_request_has_only_the_expected_headers(api: Api, raw: Raw) -> None:
    raw.act = answers(GOOD, "200 OK", "set-cookie: sid=1; path=/")
    id = create_integration(api, raw.base, settings={"tokenUrl": f"{raw.base}/t;v=1/%7Ex?tenant=4%2F7&a=b+c"})
    for _ in range(2):
        assert complete_flow(api, start_flow(api, id)["state"]).status == 200
        assert raw.requests[-1].startswith(b"POST /t;v=1/%7Ex?tenant=4%2F7&a=b+c HTTP/1.1\r\n")
        assert raw.header("cookie") is None
    assert raw.header("host") == f"127.0.0.1:{raw.port}"
    assert (raw.header("content-type") or "").startswith("application/x-www-form-urlencoded")
    assert raw.header("accept") == "application/json"
    assert raw.header("accept-encoding") == "identity"
    assert (raw.header("user-agent") or "").startswith("Patchbay/")
    assert raw.header("referer") is None
