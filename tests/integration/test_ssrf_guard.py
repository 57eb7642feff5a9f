"""Attacks on the SSRF guard: DNS rebinding, odd spellings of addresses, redirects, and proxies.

Nothing here dials the Internet: `LocalDialer` records the addresses, and connects to the receiver on loopback
instead. So everything that the guard accepts reaches that receiver.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest

from patchbay.outbound import dialer
from patchbay.outbound.dialer import GuardedDialer, connect
from patchbay.outbound.ssrf_guard import ForbiddenTarget
from patchbay.settings import settings
from patchbay.webhooks.retry import ErrorKind
from patchbay.webhooks.sender import Sender
from tests import receivers
from tests.certificates import self_signed, server_tls
from tests.conftest import Api
from tests.dns import NXDOMAIN, SILENT, Answer, system_name_server
from tests.integration.conftest import Pipeline
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
from tests.ssrf_vectors import forbidden_urls, permitted_urls

PUBLIC_V6 = "2606:4700::1"
NAME = "hooks.example.com"
REJECTED = (ErrorKind.FORBIDDEN_TARGET, ErrorKind.INVALID_REQUEST)
CLOSING = answer("200 OK", "connection: close")


# ── resolved names: a name server for tests, which the system's resolver queries ─────────────────────


async def send_to_name(
    response: bytes, times: int = 1, **timeouts: float
) -> tuple[list[ErrorKind | None], list[str], int]:
    """Send to NAME as production does. Returns the error kinds, the dialed addresses, and the number of
    connections.
    """
    dialer = LocalDialer()
    sender = Sender(https_only=False, dialer=dialer, ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    async with receiver(response) as server:
        url = f"http://{NAME}:{server.port}/"
        kinds = [
            (await sender.send(url, HEADERS, BODY, workspace_id=WORKSPACE, **timeouts)).error_kind
            for _ in range(times)
        ]
        await sender.aclose()
        return kinds, dialer.dialed, server.connections


def test_dns_rebinding_to_loopback_is_rejected() -> None:
    answers = [[PUBLIC], ["127.0.0.1"], [PUBLIC, "::1"], [PUBLIC]]
    with system_name_server({NAME: answers}) as name_server:
        kinds, dialed, connections = run(send_to_name(CLOSING, times=4))
    forbidden = ErrorKind.FORBIDDEN_TARGET
    assert kinds == [None, forbidden, forbidden, None]
    assert (dialed, connections) == ([PUBLIC, PUBLIC], 2)
    assert name_server.questions.count((NAME, "A")) == name_server.questions.count((NAME, "AAAA")) == 4


def test_name_is_resolved_once_per_dial() -> None:
    """A second query, between the check and the dial, would get the second answer."""
    with system_name_server({NAME: [[PUBLIC], ["127.0.0.1"]]}) as name_server:
        assert run(send_to_name(OK)) == ([None], [PUBLIC], 1)
    assert sorted(name_server.questions) == [(NAME, "A"), (NAME, "AAAA")]


def test_reused_connection_keeps_the_checked_address() -> None:
    """The name is not resolved again, although its address changes."""
    with system_name_server({NAME: [[PUBLIC], ["127.0.0.1"]]}) as name_server:
        assert run(send_to_name(OK, times=3)) == ([None] * 3, [PUBLIC], 1)
    assert len(name_server.questions) == 2


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["127.255.255.254"],
        ["0.0.0.0"],  # noqa: S104 - dialed, not bound
        ["10.0.0.1"],
        ["100.100.100.200"],
        ["169.254.169.254"],
        ["169.254.170.2"],
        ["168.63.129.16"],
        ["::"],
        ["::1"],
        ["::127.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["::ffff:169.254.169.254"],
        ["64:ff9b::127.0.0.1"],
        ["64:ff9b::169.254.169.254"],
        ["64:ff9b::10.0.0.1"],
        ["64:ff9b:1::808:808"],
        ["2002:7f00:1::1"],
        ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
        ["fd00:ec2::254"],
        ["fe80::1"],
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        [PUBLIC, "::1"],
        [PUBLIC_V6, PUBLIC, "10.0.0.1"],
        [PUBLIC_V6, "::ffff:10.0.0.1", PUBLIC],
        [PUBLIC, PUBLIC_V6, "64:ff9b::7f00:1"],
        [PUBLIC, "inner.example.com"],
        ["inner.example.com"],
        ["outer.example.com"],
        [*(f"8.8.{n // 250}.{n % 250}" for n in range(1500)), "127.0.0.1"],
        [*(f"2606:4700::{n:x}" for n in range(1, 1000)), "::1"],
    ],
    ids=lambda found: "huge" if len(found) > 3 else "-".join(found),
)
def test_one_forbidden_address_is_enough_to_reject_a_name(found: Answer) -> None:
    zone: dict[str, list[Answer]] = {
        NAME: [found],
        "outer.example.com": [["inner.example.com"]],
        "inner.example.com": [["127.0.0.1"]],
    }
    with system_name_server(zone):
        assert run(send_to_name(OK)) == ([ErrorKind.FORBIDDEN_TARGET], [], 0)


@pytest.mark.parametrize("found", [[PUBLIC], [PUBLIC_V6], ["::ffff:8.8.8.8"], ["64:ff9b::8.8.8.8"]])
def test_public_addresses_are_dialed(found: list[str]) -> None:
    with system_name_server({NAME: [["alias.example.com"]], "alias.example.com": [found]}):
        kinds, dialed, connections = run(send_to_name(OK))
    assert (kinds, connections) == ([None], 1)
    assert len(dialed) == 1


def test_at_most_eight_addresses_of_a_name_are_dialed() -> None:
    many = [f"8.8.{n // 250}.{n % 250}" for n in range(1500)]
    dialer = LocalDialer(dead=many)

    async def scenario() -> None:
        sender = Sender(dialer=dialer)
        result = await sender.send(f"https://{NAME}/", HEADERS, BODY, workspace_id=WORKSPACE)
        assert result.error_kind is ErrorKind.CONNECTION
        await sender.aclose()

    with system_name_server({NAME: [many]}):
        run(scenario())
    assert 2 <= len(dialer.dialed) <= 8


@pytest.mark.parametrize("found", [NXDOMAIN, []], ids=["no such name", "no address"])
def test_name_without_an_address_is_a_dns_error(found: Answer) -> None:
    with system_name_server({NAME: [found]}):
        assert run(send_to_name(OK)) == ([ErrorKind.DNS], [], 0)


def test_silent_name_server_is_a_timeout() -> None:
    with system_name_server({NAME: [SILENT]}) as name_server:
        assert run(send_to_name(OK, connect_timeout=0.3)) == ([ErrorKind.TIMEOUT], [], 0)
    assert name_server.questions


def test_next_address_is_tried_if_one_does_not_respond() -> None:
    async def scenario() -> None:
        dialer = LocalDialer(dead=["2606:4700::1", "1.1.1.1"])
        sender = Sender(
            https_only=False, resolver=static_resolver("2606:4700::1", "1.1.1.1", PUBLIC), dialer=dialer
        )
        async with receiver(OK) as server:
            assert (
                await sender.send(f"http://{NAME}:{server.port}/", HEADERS, BODY, workspace_id=WORKSPACE)
            ).status_code == 200
        assert dialer.dialed == ["2606:4700::1", "1.1.1.1", PUBLIC]
        await sender.aclose()

    run(scenario())


@pytest.mark.parametrize(
    "found", [["fe80::1%eth0"], [PUBLIC, f"{PUBLIC_V6}%eth0"], ["127.1"], ["text"], [""]]
)
def test_resolved_values_other_than_plain_addresses_are_rejected(found: list[str]) -> None:
    async def scenario() -> None:
        dialer = LocalDialer()
        sender = Sender(https_only=False, resolver=static_resolver(*found), dialer=dialer)
        async with receiver(OK) as server:
            result = await sender.send(f"http://{NAME}:{server.port}/", HEADERS, BODY, workspace_id=WORKSPACE)
            assert result.error_kind is ErrorKind.FORBIDDEN_TARGET
            assert (dialer.dialed, server.connections) == ([], 0)
        await sender.aclose()

    run(scenario())


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "localhost", "::1", "0.0.0.0"],  # noqa: S104 - dialed, not bound
)
def test_dialer_rejects_loopback_without_a_url_check(host: str) -> None:
    """The dialer uses the system's resolver."""

    async def scenario() -> None:
        async with receiver(OK) as server:
            with pytest.raises(ForbiddenTarget):
                await GuardedDialer().dial("http", host, server.port, 5)
            assert server.connections == 0

    run(scenario())


# ── spellings ────────────────────────────────────────────────────────────────────────────────────────


def test_forbidden_urls_cannot_be_registered(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"name": "test", "url": "http://127.0.0.1:8788/hook", "eventTypes": ["POST_PUBLISHED"]}
    allowed = api("POST /api/integrations/webhooks", json=body)
    assert allowed.status == 201  # allowed on the local stack
    monkeypatch.delenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS")
    settings.cache_clear()
    urls = forbidden_urls(8788)
    assert len(set(urls)) >= 150
    routes = ["POST /api/integrations/webhooks", f"PUT /api/integrations/webhooks/{allowed.json()['id']}"]
    wrong = []
    for url in urls:
        for route in routes:
            response = api(route, json=body | {"url": url})
            paths = [error["path"] for error in response.json().get("errors", ())]
            if (response.status, paths) != (422, ["url"]):
                wrong.append((route, url, response.status, paths))
    assert wrong == []


def test_forbidden_urls_are_not_dialed_if_stored() -> None:
    """A stored URL can be older than the rule that forbids it."""

    async def scenario() -> None:
        async with receiver(OK) as server:
            urls = forbidden_urls(server.port)
            assert len(set(urls)) >= 150
            dialer = LocalDialer()
            sender = Sender(https_only=False, dialer=dialer)
            kinds = {
                url: (await sender.send(url, HEADERS, BODY, workspace_id=WORKSPACE)).error_kind
                for url in urls
            }
            assert [url for url, kind in kinds.items() if kind not in REJECTED] == []
            assert (dialer.dialed, server.connections) == ([], 0)
            await sender.aclose()
            sender = Sender(https_only=False, allow_loopback=True)
            assert (await sender.send(server.url, HEADERS, BODY, workspace_id=WORKSPACE)).status_code == 200
            assert server.connections == 1  # the receiver is reachable
            await sender.aclose()

    run(scenario())


def test_public_addresses_can_be_registered_and_dialed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS")
    settings.cache_clear()

    async def scenario() -> None:
        dialer = LocalDialer(dead=["127.0.0.1"])
        sender = Sender(https_only=False, dialer=dialer)
        async with receiver(CLOSING) as server:
            for url in permitted_urls():
                body = {"name": "test", "url": url, "eventTypes": ["POST_PUBLISHED"]}
                assert api("POST /api/integrations/webhooks", json=body).status == 201, url
                result = await sender.send(
                    url.replace("https", "http").replace("8443", str(server.port)),
                    HEADERS,
                    BODY,
                    workspace_id=WORKSPACE,
                )
                assert result.status_code == 200, url
            assert len(dialer.dialed) == len(permitted_urls()) == server.connections
        await sender.aclose()

    run(scenario())


@pytest.mark.parameters(Environment="prod")
def test_production_accepts_only_https(api: Api) -> None:
    for scheme, status in (("https", 201), ("http", 422), ("HTTP", 422)):
        body = {"name": "test", "url": f"{scheme}://{NAME}/", "eventTypes": ["POST_PUBLISHED"]}
        assert api("POST /api/integrations/webhooks", json=body).status == status


# ── the checked address is dialed, with the name ─────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"), NAME)


def test_tls_verifies_the_name_of_the_dialed_address(certificate: Path) -> None:
    async def scenario() -> None:
        server_names: list[str] = []
        context = server_tls(certificate)
        context.sni_callback = lambda _socket, name, _context: server_names.append(name)
        dialer = LocalDialer()
        trust = ssl.create_default_context(cafile=str(certificate))
        sender = Sender(dialer=dialer, ssl_context=trust)
        async with receiver(OK, context) as server:
            url = f"https://{NAME}:{server.port}/"
            for _ in range(2):
                assert (
                    await sender.send(url, [*HEADERS, ("hOsT", "evil.example")], BODY, workspace_id=WORKSPACE)
                ).status_code == 200
            assert (server_names, dialer.dialed) == ([NAME], [PUBLIC])
            assert server.connections == 1
            for request in server.requests:
                lines = request.lower().split(b"\r\n")
                hosts = [line for line in lines if line.startswith(b"host:")]
                assert hosts == [f"host: {NAME}:{server.port}".encode()]
            wrong = await sender.send(
                f"https://other.example.com:{server.port}/", HEADERS, BODY, workspace_id=WORKSPACE
            )
            assert wrong.error_kind is ErrorKind.TLS
            assert "other.example.com" in (wrong.error or "")
            assert len(server.requests) == 2
        await sender.aclose()

    with system_name_server({NAME: [[PUBLIC]], "other.example.com": [[PUBLIC]]}):
        run(scenario())


def test_proxies_in_the_environment_are_ignored(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        tls, trust = server_tls(certificate), ssl.create_default_context(cafile=str(certificate))
        async with receiver(OK) as proxy, receiver(CLOSING) as plain, receiver(CLOSING, tls) as secure:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            for count, no_proxy in enumerate((None, "", "example.org"), 1):
                for name in ("NO_PROXY", "no_proxy"):
                    monkeypatch.delenv(name, raising=False)
                    if no_proxy is not None:
                        monkeypatch.setenv(name, no_proxy)
                dialer = LocalDialer()
                sender = Sender(
                    https_only=False, ssl_context=trust, resolver=static_resolver(PUBLIC), dialer=dialer
                )
                for url in (f"http://{NAME}:{plain.port}/", f"https://{NAME}:{secure.port}/"):
                    assert (await sender.send(url, HEADERS, BODY, workspace_id=WORKSPACE)).status_code == 200
                await sender.aclose()
                assert dialer.dialed == [PUBLIC, PUBLIC]
                assert (len(plain.requests), len(secure.requests)) == (count, count)
            assert proxy.connections == 0

    run(scenario())


# ── through the worker ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def dialed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The addresses that every sender of this process dials. They all lead to 127.0.0.1."""
    dialed: list[tuple[str, int]] = []

    async def connect_locally(address: str, port: int) -> socket.socket:
        dialed.append((address, port))
        return await connect("127.0.0.1", port)

    monkeypatch.setattr(dialer, "connect", connect_locally)
    return dialed


def publish(pipeline: Pipeline, *urls: str) -> None:
    """Register a webhook for each URL, and publish an event that all of them get."""
    for url in urls:
        pipeline.webhook(url)
    pipeline.publish()


def test_redirects_are_not_followed(pipeline: Pipeline, dialed: list[tuple[str, int]]) -> None:
    statuses = (301, 302, 303, 307, 308)
    with ExitStack() as stack:
        elsewhere = stack.enter_context(receivers.receiver())
        locations = ("http://169.254.169.254/latest/meta-data/", elsewhere.url)
        redirecting = [
            stack.enter_context(receivers.receiver([receivers.Answer(status, {"location": location})]))
            for status in statuses
            for location in locations
        ]
        publish(pipeline, *(r.url for r in redirecting))
        pipeline.run(days=1 / 24)
        assert pipeline.ends() == sorted(
            ("FAILED", f"redirect_{status}") for status in statuses for _ in locations
        )
        assert [len(r.requests) for r in redirecting] == [1] * 10
        assert sorted(f"http://{host}:{port}/hook" for host, port in dialed) == sorted(
            r.url for r in redirecting
        )
        assert elsewhere.requests == []


def test_dns_rebinding_after_registration_is_rejected(
    pipeline: Pipeline, dialed: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is public at registration and at the first attempt, and loopback at the retry."""
    monkeypatch.delenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS")
    settings.cache_clear()
    failing = receivers.Answer(500, {"connection": "close"})
    with system_name_server({NAME: [[PUBLIC], ["127.0.0.1"]]}), receivers.receiver([failing]) as r:
        port = int(r.url.rpartition(":")[2].partition("/")[0])
        publish(pipeline, f"http://{NAME}:{port}/")
        pipeline.run(days=1 / 24)
        assert pipeline.ends() == [("FAILED", "forbidden_target")]
        assert dialed == [(PUBLIC, port)]
        assert len(r.requests) == 1
