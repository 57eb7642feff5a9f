"""Token endpoints that misbehave, asked through the flow: whatever they do, the caller gets a clear answer in
bounded time and memory, and nothing is stored.
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
    begin,
    bring_back,
    count,
    details,
    integrate,
    log,
    rows,
    token_of,
)
from tests.raw_receivers import LocalDialer

PUBLIC = "93.184.215.14"
GOOD = {"access_token": "access-raw-77", "token_type": "Bearer", "expires_in": 3600}

# What a raw server does once a request has come.
Act = Callable[[socket.socket, bytes], None]


class Raw:
    """A TCP server that does `act` with each request. `connections` counts also those without one."""

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
        """The form of the last request."""
        return dict(parse_qsl(self.requests[-1].partition(b"\r\n\r\n")[2].decode(), keep_blank_values=True))

    def header(self, name: str) -> str | None:
        """A header of the last request, which has it once at most."""
        head = self.requests[-1].partition(b"\r\n\r\n")[0].decode()
        found = re.findall(rf"(?im)^{name}: (.*)\r?$", head)
        assert len(found) <= 1
        return found[0].strip() if found else None


@contextlib.contextmanager
def listening(tls: ssl.SSLContext | None = None) -> Iterator[Raw]:
    made = Raw()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            made.connections += 1
            with contextlib.suppress(OSError, ValueError):
                connection = self.request if tls is None else tls.wrap_socket(self.request, server_side=True)
                connection.settimeout(20)
                data = b""
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536) or data + b"\r\n\r\n"
                length = int(next(iter(re.findall(rb"(?i)\ncontent-length: (\d+)", data)), 0))
                while len(data.partition(b"\r\n\r\n")[2]) < length:
                    data += connection.recv(65536)
                made.requests.append(data)
                made.act(connection, data)
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield made
        made.stopped.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def raw() -> Iterator[Raw]:
    with listening() as made:
        yield made


def sends(*pieces: bytes) -> Act:
    def act(connection: socket.socket, _: bytes) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return act


def http(status: str, *headers: str, body: bytes = b"") -> Act:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return sends("\r\n".join(lines).encode("latin-1") + body)


def answers(payload: Any, status: str = "200 OK", *headers: str) -> Act:
    return http(status, "content-type: application/json", *headers, body=json.dumps(payload).encode())


def good(**changes: Any) -> Act:
    return answers({name: value for name, value in (GOOD | changes).items() if value is not None})


class Asker:
    """Flows of one integration with a raw server."""

    def __init__(self, api: Api, backend: Backend, raw: Raw) -> None:
        self.api, self.backend, self.raw = api, backend, raw
        self.id = integrate(api, raw.base)

    def ask(self, act: Act) -> Answer:
        """A flow whose code is exchanged there; it asks once."""
        self.raw.act = act
        before = len(self.raw.requests)
        answer = bring_back(self.api, begin(self.api, self.id)["state"])
        assert len(self.raw.requests) == before + 1
        return answer

    def refuses(self, act: Act, status: int = 502, code: str = "upstream_failed") -> str:
        """Nothing comes of it; what the caller is told."""
        answer = self.ask(act)
        assert (answer.status, answer.json().get("code")) == (status, code), answer.text
        assert rows(self.backend) == self.backend.rows("OAuthStatesTable") == []
        assert count(self.api, self.id) == 0
        detail: str = answer.json()["detail"]
        assert detail.isprintable()
        assert len(detail) < 700
        assert log(self.api, self.id)[0] == ("oauth.failed", "FAILED", "user:someone")
        return detail


@pytest.fixture
def asker(api: Api, backend: Backend, raw: Raw) -> Asker:
    return Asker(api, backend, raw)


# ── answers that are none ────────────────────────────────────────────────────────────────────────────


def test_answers_that_are_no_token_response(asker: Asker) -> None:
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
    for act, reason in cases:
        assert reason in asker.refuses(act), reason


def test_a_token_is_read_whatever_the_answer_is_called(asker: Asker) -> None:
    """The code is spent: to lose the token would be to lose the grant."""
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
        answer = asker.ask(http("200 OK", f"content-type: {media_type}", body=body))
        assert answer.status == 200, (media_type, body, answer.text)
        assert token_of(asker.api, asker.id).json()["accessToken"] == GOOD["access_token"]
    unnamed = http("201 Created", "content-encoding: gzip", body=gzip.compress(form))
    assert asker.ask(unnamed).status == 200


def test_an_exchange_passes_on_when_to_come_back(asker: Asker) -> None:
    asker.raw.act = answers({}, "429 Slow down", "retry-after: 600")
    answer = bring_back(asker.api, begin(asker.api, asker.id)["state"])
    assert (answer.status, answer.headers["retry-after"]) == (502, "600")


def test_tokens_that_no_header_could_carry(asker: Asker) -> None:
    """RFC 6749, A.12 and A.17. Stored, they would break whatever comes after: refresh, revocation, lists."""
    for bad in ("a\r\nx: y", "a\nb", "tökén", "\ud800", "\x00", "x" * 20_000, "x" * 60_000):
        asker.refuses(good(access_token=bad))
        asker.refuses(good(refresh_token=bad))
    asker.refuses(good(access_token=7, refresh_token="a\x7f"))


def test_odd_fields_beside_a_good_token(asker: Asker) -> None:
    """None of them may make a connection that cannot be shown."""
    api, id = asker.api, asker.id
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
        answer = asker.ask(good(**odd))
        assert answer.status in (200, 502), (odd, answer.text)
        shown = api(f"GET {INTEGRATIONS}/{id}/connections/default")
        if answer.status == 200:
            assert shown.json() == answer.json()
            assert all(scope and scope.isprintable() for scope in shown.json()["scopes"])
            served = token_of(api, id)
            assert served.status == 200, served.text
            kind = served.json()["tokenType"]
            assert kind.isprintable()
            assert 1 <= len(kind) <= 300
        assert api(f"GET {INTEGRATIONS}/{id}/connections").status == 200
    assert asker.ask(good(refresh_token=None, scope=None)).json()["scopes"] == []
    assert count(api, id) == 1


def test_connections_that_end_and_what_is_not_http(asker: Asker) -> None:
    whole = json.dumps(GOOD).encode()
    for act in (
        sends(),
        sends(b"HTTP/1.1 200"),
        sends(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n"),
        sends(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + whole),
        sends(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s" % (len(whole), whole)),
        sends(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n" + whole),
        sends(b"220 mail.example ESMTP\r\n\r\n"),
        sends(b"\x16\x03\x01\x00\xa5\x01" * 20),
        sends(b"HTTP/9 x\r\n\r\n" + whole),
        sends(whole),
        sends(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000 + b"\r\n"),
        sends(b"HTTP/1.1 200 OK\r\nx: " + b"v" * 500_000),
        sends(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n" + whole),
        sends(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello"),
    ):
        asker.refuses(act)
    fine = asker.ask(sends(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + whole))
    assert fine.status == 200, "without a length the end is the end"


def test_redirects_are_not_followed_nor_even_read(asker: Asker) -> None:
    """A token request that is followed would take the code and the client's secret along."""
    with listening() as elsewhere:
        elsewhere.act = good()
        port = elsewhere.port
        for status in ("301", "302", "303", "307", "308"):
            asker.refuses(http(f"{status} Moved", f"location: {elsewhere.base}/t"))
            asker.refuses(answers(GOOD, f"{status} Moved", f"location: {elsewhere.base}/t"))
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
            assert "HTTP 302" in asker.refuses(http("302 Found", f"location: {location}"))
        odd = (f"refresh: 0; url={elsewhere.base}/t", f"location: {elsewhere.base}")
        assert asker.ask(answers(GOOD, "200 OK", *odd)).status == 200
        assert elsewhere.connections == 0


# ── time and memory ──────────────────────────────────────────────────────────────────────────────────


def test_slow_endpoints_meet_the_total_deadline(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_endpoint, "TOTAL_SECONDS", 0.4)
    stopped = asker.raw.stopped

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
        assert "no answer within" in asker.refuses(act)
        assert 0.4 <= time.monotonic() - started < 3
    assert asker.ask(good()).status == 200


def test_large_answers_and_bombs_cost_little(asker: Asker) -> None:
    most = token_endpoint.MAX_ANSWER_BYTES
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(50)) + packer.flush()
    twice = gzip.compress(gzip.compress(json.dumps(GOOD).encode()))
    small = gzip.compress(json.dumps(GOOD).encode())
    padded = json.dumps(GOOD | {"x": "y" * most}).encode()

    def endless(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while not asker.raw.stopped.is_set():
            connection.sendall(b"4000\r\n" + b" " * 0x4000 + b"\r\n")

    asker.refuses(http("500"))  # what is imported and kept at first use is not counted
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
            detail = asker.refuses(act)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert f"more than {most} bytes" in detail
        assert peak < 12_000_000  # of 50 MB; the whole stack, and this test's own server, are in it
        assert time.monotonic() - started < 8
    assert asker.ask(http("200 OK", "content-encoding: gzip", body=small)).status == 200
    exact = json.dumps(GOOD | {"x": ""}).encode()
    exact = exact[:-2] + b"y" * (most - len(exact)) + exact[-2:]
    assert asker.ask(http("200 OK", body=exact)).status == 200


# ── the provider's no ────────────────────────────────────────────────────────────────────────────────


def test_a_real_oauth_error_is_told_in_the_providers_words(asker: Asker) -> None:
    no = {"error": "invalid_grant", "error_description": "Code\r\nexpired\u202e\x1b[1m"}
    for status in ("400 Bad Request", "401 Unauthorized", "403 Forbidden", "200 OK"):
        detail = asker.refuses(answers(no, status), 422, "authorization_failed")
        assert "invalid_grant: Code expired [1m." in detail
    for error in ("invalid_client", "unauthorized_client", "x" * 60_000, "\u202e\n", 7):
        asker.refuses(answers({"error": error}, "400 Bad Request"), 422, "authorization_failed")
    for passing in ("temporarily_unavailable", "server_error"):
        assert passing in asker.refuses(answers({"error": passing}, "400 Bad Request"))


def test_an_endpoint_that_echoes_tells_nobody_our_secrets(asker: Asker) -> None:
    api, raw = asker.api, asker.raw
    secret = "s3cr:et/+%=c0ffee"
    echoes: list[Callable[[str, dict[str, str]], str]] = [
        lambda body, _: body[-290:],
        lambda body, _: unquote_plus(body)[-290:],
        lambda _, __: f"you sent {raw.header('authorization')}",
        lambda _, form: f"{form.get('client_secret')} is wrong",
        lambda _, form: f"no such code: {form['code']}",
        lambda _, form: f"verifier {form['code_verifier']}" + "x" * 5000,
    ]
    for auth in ("body", "basic"):
        asker.id = integrate(api, raw.base, settings={"clientAuth": auth, "clientSecret": secret})
        basic = base64.b64encode(f"{CLIENT_ID}:{quote_plus(secret)}".encode()).decode()
        masked = 0
        for echo in echoes:

            def act(connection: socket.socket, request: bytes, echo: Any = echo) -> None:
                said = echo(request.partition(b"\r\n\r\n")[2].decode(), raw.form())
                no = {"error": "invalid_request", "error_description": said}
                answers(no, "400 Bad Request")(connection, request)

            detail = asker.refuses(act, 422, "authorization_failed")
            logged = details(api, asker.id, "oauth.failed")[0]
            assert detail in logged
            masked += "********" in detail
            form = raw.form()
            for hidden in (secret, CODE, form["code_verifier"], basic):
                for form_of_it in (hidden, quote(hidden, safe=""), quote_plus(hidden)):
                    assert form_of_it not in logged
        assert masked >= 4


# ── where it goes ────────────────────────────────────────────────────────────────────────────────────


def test_a_name_is_judged_by_its_addresses_at_the_dial(
    api: Api, backend: Backend, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses: list[list[str]] = []
    dialer = LocalDialer()

    async def resolver(_host: str, _port: int) -> list[str]:
        return addresses.pop()

    def transport() -> GuardedTransport:
        return GuardedTransport(most=65_536, https_only=False, resolver=resolver, dialer=dialer)

    monkeypatch.setattr(token_endpoint, "_transport", transport)
    id = integrate(api, f"http://login.crm.test:{raw.port}")
    raw.act = good()
    for bad in (
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["0.0.0.0"],  # noqa: S104 - dialled, not bound
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
        answer = bring_back(api, begin(api, id)["state"])
        assert (answer.status, answer.json()["code"]) == (502, "upstream_failed")
        assert not any(address in answer.text for address in bad)
    assert (raw.connections, dialer.dialled, rows(backend)) == (0, [], [])
    addresses.append([PUBLIC])
    assert bring_back(api, begin(api, id)["state"]).status == 200
    assert (raw.connections, dialer.dialled) == (1, [PUBLIC])
    assert raw.header("host") == f"login.crm.test:{raw.port}"


def test_this_machine_is_not_reached_where_it_is_not_allowed(
    asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for an address that was registered under other rules, or by another way than ours."""
    begun = [begin(asker.api, asker.id)["state"] for _ in range(2)]
    monkeypatch.setenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS", "0")
    settings.cache_clear()
    answer = bring_back(asker.api, begun.pop())
    assert (answer.status, answer.json()["code"]) == (502, "upstream_failed")
    monkeypatch.setenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS", "1")
    monkeypatch.setenv("HTTPS_ONLY", "true")
    settings.cache_clear()
    answer = bring_back(asker.api, begun.pop())
    assert "https://" in answer.json()["detail"]
    assert asker.raw.connections == 0


def test_proxies_of_the_environment_are_ignored(
    asker: Asker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
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
        assert asker.ask(good()).status == 200
        assert proxy.connections == 0
    assert asker.raw.header("authorization") is None


def test_an_endpoint_that_is_not_there(api: Api, backend: Backend) -> None:
    with listening() as gone:
        base = gone.base
    id = integrate(api, base)
    answer = bring_back(api, begin(api, id)["state"])
    assert (answer.status, answer.json()["code"]) == (502, "upstream_failed")
    assert "ConnectionRefusedError" in answer.json()["detail"]


def test_an_address_that_is_well_written_and_yet_no_name(api: Api, backend: Backend) -> None:
    for host in ("xn--a.example", "xn--zz--.example", "xn--0.xn--1", "xn--ls8h.example"):
        id = integrate(api, f"https://{host}")
        answer = bring_back(api, begin(api, id)["state"])
        assert (answer.status, answer.json()["code"]) == (502, "upstream_failed")
    assert rows(backend) == backend.rows("OAuthStatesTable") == []


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """TLS of a server whose certificate nobody has signed but itself."""
    return server_tls(self_signed(tmp_path, "localhost"))


def test_no_secret_goes_to_a_server_that_cannot_prove_its_name(
    api: Api, backend: Backend, certificate: ssl.SSLContext
) -> None:
    with listening(certificate) as impostor:
        id = integrate(api, f"https://localhost:{impostor.port}")
        answer = bring_back(api, begin(api, id)["state"])
        assert (answer.status, answer.json()["code"]) == (502, "upstream_failed")
        assert (impostor.connections, impostor.requests) == (1, [])
    assert rows(backend) == []


# ── how the client shows who it is ───────────────────────────────────────────────────────────────────


def test_a_client_authenticates_as_its_provider_wants(api: Api, raw: Raw) -> None:
    """RFC 6749, 2.3.1: for Basic both parts are form-encoded first."""
    raw.act = good(refresh_token="refresh-raw-88")
    odd_id, odd_secret = "cl:i+ent%41/~=&?", 's3cr:et +%2B&=é\u2603"\\'
    for auth in ("body", "basic", "none"):
        own: dict[str, Any] = {"clientId": odd_id, "clientSecret": odd_secret, "clientAuth": auth}
        if auth == "none":
            own["clientSecret"] = None
        id = integrate(api, raw.base, settings=own)
        assert bring_back(api, begin(api, id)["state"]).status == 200
        exchange = raw.form(), raw.header("authorization")
        raw.act = http("200 OK")
        assert api(f"DELETE {INTEGRATIONS}/{id}/connections/default").status == 200
        revocation = raw.form(), raw.header("authorization")
        raw.act = good(refresh_token="refresh-raw-88")
        assert exchange[0].pop("grant_type") == "authorization_code"
        assert revocation[0].pop("token") == "refresh-raw-88"
        for form, header in (exchange, revocation):
            if auth == "basic":
                kind, _, packed = (header or "").partition(" ")
                assert kind == "Basic"
                name, _, password = base64.b64decode(packed, validate=True).decode("ascii").partition(":")
                assert (unquote_plus(name), unquote_plus(password)) == (odd_id, odd_secret)
                assert not {"client_id", "client_secret"} & form.keys()
            else:
                assert header is None
                assert form.get("client_id") == odd_id
                assert form.get("client_secret") == (odd_secret if auth == "body" else None)


def test_what_a_token_request_looks_like(api: Api, raw: Raw) -> None:
    raw.act = answers(GOOD, "200 OK", "set-cookie: sid=1; path=/")
    id = integrate(api, raw.base, settings={"tokenUrl": f"{raw.base}/t;v=1/%7Ex?tenant=4%2F7&a=b+c"})
    for _ in range(2):
        assert bring_back(api, begin(api, id)["state"]).status == 200
        assert raw.requests[-1].startswith(b"POST /t;v=1/%7Ex?tenant=4%2F7&a=b+c HTTP/1.1\r\n")
        assert raw.header("cookie") is None
    assert raw.header("host") == f"127.0.0.1:{raw.port}"
    assert (raw.header("content-type") or "").startswith("application/x-www-form-urlencoded")
    assert raw.header("accept") == "application/json"
    assert raw.header("accept-encoding") == "identity"
    assert (raw.header("user-agent") or "").startswith("Patchbay/")
    assert raw.header("referer") is None
