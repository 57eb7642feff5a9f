"""Token refresh: one request at a time, and no token is lost, whatever the provider, AWS or the process does.

The provider is a real, strict server on loopback: a refresh token works once, and using it a second time ends
the grant.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from patchbay import vault
from patchbay.oauth import refresh, token_endpoint
from patchbay.oauth.maintenance import run_due
from patchbay.storage.due_index import IncompleteRun
from tests.catalogued import assert_catalogued
from tests.conftest import REDIRECT_URI, Answer, Api, Backend
from tests.faults import THROTTLED, Clock, failing, killed, meanwhile, one_at_a_time
from tests.problems import assert_problem
from tests.receivers import Answer as Reply
from tests.receivers import Receiver, Request, receiver
from workers.refresh_connections import handler

INTEGRATIONS = "/api/integrations"
JSON = {"content-type": "application/json"}
HOUR = 3600
LEASE = refresh.LEASE_MS / 1000


@dataclass
class Provider:
    """An authorization server with one grant. `script` holds the answers to the next refreshes; None stands
    for the server's own answer.
    """

    receiver: Receiver
    expires_in: int | None = HOUR
    rotates: bool = True
    script: list[Callable[[Provider, dict[str, str]], Reply] | None] = field(default_factory=list)
    issued: int = 0
    live_token: str | None = None
    ended: bool = False
    refreshes: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Reply:
        form = dict(parse_qsl(request.body.decode()))
        with self.lock:
            if request.path.endswith("/revoke"):
                self.revoked.append(form["token"])
                return Reply(200)
            if form["grant_type"] == "authorization_code":
                self.ended = False
                return self.tokens()
            self.refreshes.append(form["refresh_token"])
            step = self.script.pop(0) if self.script else None
            return step(self, form) if step else self.refresh(form)

    def refresh(self, form: dict[str, str]) -> Reply:
        """Answer a refresh as a strict server does, following RFC 6749 and RFC 9700."""
        if self.ended or form["refresh_token"] != self.live_token:
            self.ended = True
            return error_reply("invalid_grant")
        return self.tokens()

    def tokens(self) -> Reply:
        self.issued += 1
        token: dict[str, Any] = {"access_token": f"access-token-{self.issued}", "token_type": "Bearer"}
        if self.rotates or self.live_token is None:
            self.live_token = f"refresh-token-{self.issued}"
            token["refresh_token"] = self.live_token
        if self.expires_in is not None:
            token["expires_in"] = self.expires_in
        return Reply(200, JSON, json.dumps(token).encode())


def error_reply(code: str, status: int = 400) -> Reply:
    return Reply(status, JSON, json.dumps({"error": code, "error_description": "test"}).encode())


def answering(reply: Reply) -> Callable[[Provider, dict[str, str]], Reply]:
    return lambda provider, form: reply


def rotate_and_hang_up(provider: Provider, form: dict[str, str]) -> Reply:
    """Rotate the token, but lose the response."""
    provider.refresh(form)
    return Reply(hang_up=True)


@dataclass
class ConnectedIntegration:
    """A workspace's integration with one connection to the provider."""

    api: Api
    backend: Backend
    clock: Clock
    provider: Provider
    id: str = ""
    seen_messages: set[str] = field(default_factory=set)

    @property
    def path(self) -> str:
        return f"{INTEGRATIONS}/{self.id}"

    def create_integration(self, **config: Any) -> None:
        base = self.provider.receiver.url
        body = {
            "name": "own",
            "type": "CUSTOM",
            "provider": "own",
            "config": {
                "authorizationUrl": f"{base}/authorize",
                "tokenUrl": f"{base}/token",
                "revocationUrl": f"{base}/revoke",
                "clientId": "client",
                "clientSecret": "the-client-secret",
                **config,
            },
        }
        answer = self.api(f"POST {INTEGRATIONS}", json=body)
        assert answer.status == 201, answer
        self.id = answer.json()["id"]

    def connect(self, name: str = "default") -> dict[str, Any]:
        initiate = {"redirectUri": REDIRECT_URI, "connectionId": name}
        started = self.api(f"POST {self.path}/oauth/initiate", json=initiate).json()
        callback = {"state": started["state"], "code": "code"}
        answer = self.api(f"POST {INTEGRATIONS}/oauth/callback", json=callback)
        assert answer.status == 200, answer
        return dict(answer.json())

    def token(self, name: str = "default") -> Answer:
        return self.api(f"GET {self.path}/connections/{name}/token")

    def refresh(self) -> Answer:
        """Force a refresh."""
        return self.api(f"POST {self.path}/oauth/refresh")

    def access_token(self) -> str:
        answer = self.token()
        assert answer.status == 200, answer
        return str(answer.json()["accessToken"])

    def get(self, name: str = "default") -> dict[str, Any]:
        answer = self.api(f"GET {self.path}/connections/{name}")
        assert answer.status == 200, answer
        return dict(answer.json())

    def row(self) -> dict[str, Any]:
        (row,) = self.backend.rows("ConnectionsTable")
        return row

    def events(self) -> list[dict[str, Any]]:
        """Return the events since the last call, without messages that SQS delivers again."""
        messages = {m["messageId"]: json.loads(m["body"]) for m in self.backend.messages("EventsQueue")}
        new = [event for id, event in messages.items() if id not in self.seen_messages]
        self.seen_messages |= messages.keys()
        return new

    def run_maintenance(self, seconds: float = 120) -> dict[str, int]:
        return run_due(lambda: round(seconds * 1000))._asdict()


@pytest.fixture
def connected(api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectedIntegration]:
    one_at_a_time(monkeypatch)
    with receiver([200]) as r:
        provider = Provider(r)
        r._script = [provider.answer]
        connected = ConnectedIntegration(api, backend, Clock(monkeypatch), provider)
        connected.create_integration()
        connected.connect()
        yield connected


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────


def test_token_that_is_not_due_is_served_unchanged(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR - 12 * 60 - 1)
    assert connected.access_token() == "access-token-1"
    assert connected.provider.refreshes == []


def test_token_is_refreshed_a_fifth_of_its_life_before_it_expires(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR - 12 * 60)
    assert connected.access_token() == "access-token-2"
    assert connected.provider.refreshes == ["refresh-token-1"]
    connection = connected.get()
    assert (connection["status"], connection["lastError"], connection["version"]) == ("ACTIVE", None, 2)
    connected.clock.move(HOUR)
    assert connected.access_token() == "access-token-3"
    assert connected.provider.refreshes == ["refresh-token-1", "refresh-token-2"]


def test_long_lived_token_is_refreshed_fifteen_minutes_before_it_expires(
    connected: ConnectedIntegration,
) -> None:
    connected.provider.expires_in = 30 * 86_400
    connected.connect()
    connected.clock.move(30 * 86_400 - 15 * 60 - 1)
    assert connected.access_token() == "access-token-2"
    connected.clock.move(1)
    assert connected.access_token() == "access-token-3"


def test_fifty_concurrent_requests_at_expiry_make_one_refresh(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(HOUR + 1)
    connected.provider.script = [lambda provider, form: _slowly(provider.refresh(form))]
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: connected.token(), range(50)))
    assert {(answer.status, answer.json().get("accessToken")) for answer in answers} == {
        (200, "access-token-2")
    }
    assert connected.provider.refreshes == ["refresh-token-1"]


def _slowly(reply: Reply) -> Reply:
    return Reply(reply.status, reply.headers, reply.body, delay=0.5)


def test_valid_token_is_served_without_waiting_for_another_refresh(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(HOUR - 10 * 60)
    _lease(connected, seconds=10)
    started = time.monotonic()
    assert connected.access_token() == "access-token-1"
    assert time.monotonic() - started < 5
    assert connected.provider.refreshes == []


def _lease(connected: ConnectedIntegration, seconds: float, owner: str = "another") -> None:
    """Let another process hold the lease."""
    row = connected.row()
    connected.backend.client("dynamodb").update_item(
        TableName=connected.backend.template.name("ConnectionsTable"),
        Key={"integrationKey": {"S": row["integrationKey"]}, "name": {"S": row["name"]}},
        UpdateExpression="SET leaseOwner = :owner, leaseUntil = :until",
        ExpressionAttributeValues={
            ":owner": {"S": owner},
            ":until": {"N": str(connected.clock.now + round(seconds * 1000))},
        },
    )


def test_request_that_waits_too_long_gets_retry_after(
    connected: ConnectedIntegration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "_WAIT_SECONDS", 0.3)
    connected.clock.move(HOUR)
    _lease(connected, seconds=10)
    answer = connected.token()
    assert_problem(answer, 502, "upstream_failed")
    assert answer.headers["retry-after"] == "5"
    assert connected.provider.refreshes == []


def test_forced_refresh_takes_the_name_or_the_id(connected: ConnectedIntegration) -> None:
    path = f"POST {connected.path}/oauth/refresh"
    for number, ref in enumerate(("default", connected.get()["id"]), 1):
        assert connected.api(path, json={"connectionId": ref}).status == 200
        assert connected.provider.refreshes == [f"refresh-token-{n + 1}" for n in range(number)]
    assert_problem(connected.api(path, json={"connectionId": "a/b"}), 422, "validation_failed")
    assert_problem(connected.api(path, json={"connectionId": "con_0000000000000000000000"}), 404, "not_found")


def test_ten_concurrent_forced_refreshes_never_reuse_a_refresh_token(
    connected: ConnectedIntegration,
) -> None:
    connected.provider.script = [lambda provider, form: _slowly(provider.refresh(form))]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: connected.refresh(), range(10)))
    assert {answer.status for answer in answers} == {200}
    assert connected.provider.refreshes[:1] == ["refresh-token-1"]
    # Requests after the first refresh start another one, each with the newest refresh token.
    assert connected.provider.refreshes == [
        f"refresh-token-{n + 1}" for n in range(len(connected.provider.refreshes))
    ]
    assert not connected.provider.ended


# ── the response of the provider ─────────────────────────────────────────────────────────────────────


def test_response_without_refresh_token_keeps_the_old_one(connected: ConnectedIntegration) -> None:
    connected.provider.rotates = False
    for expected in ("access-token-2", "access-token-3"):
        connected.clock.move(HOUR)
        assert connected.access_token() == expected
    assert connected.provider.refreshes == ["refresh-token-1"] * 2


def test_token_without_lifetime_is_refreshed_every_hour(connected: ConnectedIntegration) -> None:
    connected.provider.expires_in = None
    connected.connect()
    connected.clock.move(HOUR - 12 * 60 - 1)
    assert connected.access_token() == "access-token-2"
    connected.clock.move(1)
    assert connected.access_token() == "access-token-3"


def test_revoked_grant_expires_the_connection_once(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.provider.ended = True
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: connected.token(), range(10)))
    for answer in answers:
        assert_problem(answer, 409, "connection_expired")
    connection = connected.get()
    assert (connection["status"], connection["lastError"]["code"]) == ("EXPIRED", "invalid_grant")
    (event,) = connected.events()
    assert (event["type"], event["workspace_id"]) == ("CONNECTION_EXPIRED", "acme")
    assert event["data"] == {
        "connectionId": "default",
        "id": connection["id"],
        "integrationId": connected.id,
        "provider": "own",
        "statusReason": "invalid_grant",
        "accountLabel": None,
    }
    assert_catalogued(event["type"], event["data"])
    for _ in range(3):
        connected.clock.move(2 * HOUR)
        assert connected.token().status == 409
        assert connected.refresh().status == 409
        assert connected.run_maintenance()["connections"] == 0
    assert connected.provider.refreshes == ["refresh-token-1"]
    assert connected.events() == []
    assert connected.connect()["status"] == "ACTIVE"
    assert connected.access_token() == "access-token-2"


def test_access_token_of_a_revoked_grant_is_not_served(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR - 10 * 60)
    connected.provider.ended = True
    assert connected.token().status == 409
    assert connected.token().status == 409


def test_wrong_client_secret_is_an_error_until_it_is_fixed(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [answering(error_reply("invalid_client", 401))] * 2
    answer = connected.token()
    assert_problem(answer, 502, "upstream_failed", "invalid_client")
    connection = connected.get()
    assert (connection["status"], connection["lastError"]["code"]) == ("ERROR", "invalid_client")
    connected.clock.move(10)
    assert connected.token().status == 502
    connected.clock.move(20)
    assert connected.access_token() == "access-token-2"
    connection = connected.get()
    assert (connection["status"], connection["lastError"]) == ("ACTIVE", None)
    assert connected.events() == []


def form(text: str, status: int = 200) -> Reply:
    return Reply(status, {"content-type": "application/x-www-form-urlencoded"}, text.encode())


def as_form(provider: Provider, form_: dict[str, str]) -> Reply:
    """Return the rotated tokens as a form with the content type text/plain."""
    token = json.loads(provider.refresh(form_).body)
    return Reply(200, {"content-type": "text/plain"}, urlencode(token).encode())


def in_utf_16(provider: Provider, form_: dict[str, str]) -> Reply:
    body = provider.refresh(form_).body.decode().encode("utf-16")
    return Reply(200, {"content-type": "application/json; charset=utf-16"}, body)


@pytest.mark.parametrize("answer", [as_form, in_utf_16])
def test_rotated_token_is_read_whatever_the_content_type(
    connected: ConnectedIntegration, answer: Any
) -> None:
    connected.provider.script = [answer]
    connected.clock.move(HOUR)
    assert connected.access_token() == "access-token-2"
    connected.clock.move(HOUR)
    assert connected.access_token() == "access-token-3", "with the rotated refresh token"
    assert connected.events() == []


def test_expires_at_without_expires_in_is_used(connected: ConnectedIntegration) -> None:
    def with_expires_at(provider: Provider, _: dict[str, str]) -> Reply:
        expires_at = connected.clock.now // 1000 + 100
        return Reply(200, JSON, json.dumps({"access_token": "short", "expires_at": expires_at}).encode())

    connected.clock.move(HOUR)
    connected.provider.script = [with_expires_at]
    assert connected.access_token() == "short"
    connected.clock.move(125)
    assert connected.access_token() == "access-token-2"


@pytest.mark.parametrize(
    "reply",
    [
        error_reply("INVALID_GRANT"),
        error_reply("invalid_token", 401),
        error_reply("bad_refresh_token"),
        error_reply("custom_code"),
        form("error=invalid_grant&error_description=test", 400),
        Reply(401, JSON, b'{"error": {"code": "invalid_grant"}}'),
    ],
    ids=["upper case", "invalid_token", "bad_refresh_token", "named in config", "a form", "nested"],
)
def test_equivalents_of_invalid_grant_expire_the_connection_at_once(
    connected: ConnectedIntegration, reply: Reply
) -> None:
    connected.create_integration(expiredErrors=["custom_code"])
    connected.connect()
    connected.clock.move(HOUR)
    connected.provider.script = [answering(reply)]
    answer = connected.token()
    assert_problem(answer, 409, "connection_expired")
    connection = connected.get()
    assert (connection["status"], connection["lastError"]["code"]) == ("EXPIRED", "invalid_grant")
    assert len(connected.events()) == 1


def test_refusals_without_known_reason_expire_the_connection_after_a_day(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [answering(Reply(401, JSON, b'{"message": "Unauthorized"}'))] * 1000
    assert connected.token().status == 502
    connection = connected.get()
    assert (connection["status"], connection["lastError"]["code"]) == ("ERROR", "refresh_refused")
    assert "Unauthorized" in connection["lastError"]["detail"]
    for _ in range(20):
        assert connected.refresh().status == 502, "often is not long"
    for _ in range(22):
        connected.clock.move(HOUR)
        connected.run_maintenance()
    assert connected.get()["status"] == "ERROR"
    assert connected.events() == []
    for _ in range(3):
        connected.clock.move(1.2 * HOUR)
        connected.run_maintenance()
    connection = connected.get()
    assert (connection["status"], connection["lastError"]["code"]) == ("EXPIRED", "refresh_refused")
    (event,) = connected.events()
    assert event["data"]["statusReason"] == "refresh_refused"
    assert_catalogued(event["type"], event["data"])


def test_outage_restarts_the_count_of_refusals(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    refused = answering(Reply(403, JSON, b'{"message": "Forbidden"}'))
    connected.provider.script = [refused] * 8
    for _ in range(8):
        assert connected.refresh().status == 502
    connected.provider.script = [answering(Reply(503)), refused]
    for _ in range(2):
        connected.clock.move(13 * HOUR)
        assert connected.token().status == 502
    assert connected.provider.script == []
    assert connected.get()["status"] == "ERROR"
    assert connected.events() == []
    assert (connected.row()["refusals"], connected.row()["failures"]) == (1, 10)


@pytest.mark.parametrize(
    "body", [b"access_token: fresh-access\nrefresh_token: fresh-refresh", b'"fresh-0123456789abcdef"']
)
def test_token_in_an_unreadable_response_is_shown_nowhere(
    connected: ConnectedIntegration, backend: Backend, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [answering(Reply(200, {"content-type": "text/plain"}, body))] * 2
    answer = connected.token()
    assert answer.status == 502
    stored = str([backend.rows(table) for table in ("ConnectionsTable", "ActivityTable")])
    assert "neither a token nor an error" in stored
    assert "fresh-" not in answer.text + stored + str(connected.get()) + caplog.text


@pytest.mark.parametrize(
    "reply",
    [
        error_reply("invalid_client", 401),
        Reply(401, {"content-type": "text/html"}, b"<html>401</html>"),
        Reply(500, JSON, b'{"error": "invalid_grant"}'),
        Reply(404, JSON, b'{"message": "no route"}'),
    ],
    ids=["our client", "a page", "500", "404"],
)
def test_errors_unrelated_to_the_grant_set_the_status_error_but_never_expire_it(
    connected: ConnectedIntegration, reply: Reply
) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [answering(reply)] * 1000
    for _ in range(40):
        connected.run_maintenance()
        connected.clock.move(1.2 * HOUR)
    assert connected.get()["status"] == "ERROR"
    connected.provider.script = []
    assert connected.access_token() == "access-token-2"
    assert connected.get()["status"] == "ACTIVE"
    assert connected.events() == []


@pytest.mark.parametrize("status", [429, 503, 400])
@pytest.mark.parametrize("dated", [False, True], ids=["seconds", "date"])
def test_retry_after_is_respected_and_forwarded(
    connected: ConnectedIntegration, status: int, dated: bool
) -> None:
    connected.clock.move(HOUR)
    retry_at = datetime.fromtimestamp(connected.clock.now / 1000 + 600, UTC)
    header = format_datetime(retry_at, usegmt=True) if dated else "600"
    body = b'{"error": "slow_down"}'
    connected.provider.script = [answering(Reply(status, {**JSON, "retry-after": header}, body))]
    answer = connected.token()
    assert answer.status == 502
    assert 595 <= int(answer.headers["retry-after"]) <= 661
    connected.clock.move(590)
    for answer in (connected.token(), connected.refresh()):
        assert answer.status == 502
        assert 1 <= int(answer.headers["retry-after"]) <= 75
    assert len(connected.provider.refreshes) == 1
    connected.clock.move(75)
    assert connected.access_token() == "access-token-2"


def test_gateway_error_with_retry_after_is_not_repeated_at_once(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [answering(Reply(504, {"retry-after": "60"}))]
    assert connected.token().status == 502
    assert len(connected.provider.refreshes) == 1


# ── unusable responses ───────────────────────────────────────────────────────────────────────────────

BAD_ANSWERS: dict[str, Callable[[], Reply]] = {
    "HTML": lambda: Reply(200, {"content-type": "text/html"}, b"<html>welcome</html>"),
    "500": lambda: Reply(500, {"content-type": "text/html"}, b"<html>oops</html>"),
    "503": lambda: error_reply("temporarily_unavailable", 503),
    "429": lambda: Reply(429, JSON, b"{}"),
    "10 MB": lambda: Reply(200, JSON, b'{"access_token": "' + b"x" * 10_000_000 + b'"}'),
    "a redirect": lambda: Reply(302, {"location": "http://169.254.169.254/"}),
    "a hang-up": lambda: Reply(hang_up=True),
    "silence": lambda: Reply(200, JSON, b"{}", delay=3),
    "half an answer": lambda: Reply(200, {"content-length": "9999"}, b'{"access_'),
    "no token": lambda: Reply(200, JSON, b'{"token_type": "Bearer"}'),
}


@pytest.mark.parametrize(
    ("kind", "refresh_strategy"),
    [*((kind, "rotating") for kind in BAD_ANSWERS), ("HTML", "static"), ("a hang-up", "static")],
)
def test_unusable_response_changes_nothing_and_is_retried(
    connected: ConnectedIntegration, monkeypatch: pytest.MonkeyPatch, kind: str, refresh_strategy: str
) -> None:
    monkeypatch.setattr(token_endpoint, "TOTAL_SECONDS", 1.0)
    connected.provider.rotates = refresh_strategy == "rotating"
    connected.create_integration(refresh=refresh_strategy)
    connected.provider.live_token = None
    connected.connect()
    before = next(
        row for row in connected.backend.rows("ConnectionsTable") if connected.id in row["integrationKey"]
    )
    connected.clock.move(HOUR)
    connected.provider.script = [answering(BAD_ANSWERS[kind]())] * 2
    answer = connected.token()
    assert_problem(answer, 502, "upstream_failed")
    connection = connected.get()
    assert (connection["status"], connection["lastError"]["code"]) == ("ACTIVE", "upstream_failed")
    after = next(
        row for row in connected.backend.rows("ConnectionsTable") if connected.id in row["integrationKey"]
    )
    assert after["sealed"] == before["sealed"]
    assert "leaseOwner" not in after
    assert connected.events() == []
    # No request calls the provider for a while.
    requests = len(connected.provider.refreshes)
    assert connected.token().status == 502
    assert len(connected.provider.refreshes) == requests
    connected.provider.script = []
    connected.clock.move(15)
    assert connected.token().status == 200
    assert set(connected.provider.refreshes) == {connected.provider.refreshes[0]}


def test_token_valid_for_a_minute_is_served_while_the_provider_fails(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(HOUR - 5 * 60)
    connected.provider.script = [answering(Reply(500))] * 100
    for _ in range(4):
        assert connected.access_token() == "access-token-1"
        connected.clock.move(30)
    assert 2 <= len(connected.provider.refreshes) <= 4
    connected.clock.move(2 * 60)  # 59 s are left
    connected.clock.move(1)
    assert connected.token().status == 502


def test_waits_grow_while_the_provider_is_down(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [answering(Reply(500))] * 1000
    asked_at: list[int] = []
    for _ in range(12 * 30):
        before = len(connected.provider.refreshes)
        connected.run_maintenance()
        if len(connected.provider.refreshes) > before:
            asked_at.append(connected.clock.now)
        connected.clock.move(120)
    gaps = [(b - a) / 1000 for a, b in itertools.pairwise(asked_at)]
    assert 12 < len(asked_at) < 30
    assert max(gaps) <= 1.2 * HOUR + 120
    assert gaps[-1] >= 0.8 * HOUR
    connected.provider.script = []
    connected.clock.move(2 * HOUR)
    connected.run_maintenance()
    assert connected.get()["status"] == "ACTIVE"
    assert connected.access_token() == "access-token-2"


# ── lost responses (promise 6) ───────────────────────────────────────────────────────────────────────


def test_refresh_is_repeated_once_if_the_response_is_lost(connected: ConnectedIntegration) -> None:
    """Some providers accept the same refresh token again for a short time."""
    connected.clock.move(HOUR)
    connected.provider.script = [answering(Reply(hang_up=True)), None]
    assert connected.access_token() == "access-token-2"
    assert connected.provider.refreshes == ["refresh-token-1"] * 2
    assert connected.events() == []


def test_lost_rotation_that_the_provider_then_refuses_expires_the_connection(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(HOUR - 10 * 60)
    connected.provider.script = [rotate_and_hang_up]
    answer = connected.token()
    assert_problem(answer, 409, "connection_expired")
    assert connected.provider.refreshes == ["refresh-token-1"] * 2
    connection = connected.get()
    assert (connection["status"], connection["lastError"]["code"]) == ("EXPIRED", "refresh_response_lost")
    (event,) = connected.events()
    assert event["data"]["statusReason"] == "refresh_response_lost"
    # The current access token is served until it expires.
    for _ in range(2):
        assert connected.access_token() == "access-token-1"
        connected.clock.move(4 * 60)
    connected.clock.move(2 * 60)
    assert connected.token().status == 409
    assert len(connected.provider.refreshes) == 2
    assert connected.events() == []


def test_static_refresh_token_is_never_in_doubt(connected: ConnectedIntegration) -> None:
    connected.provider.rotates = False
    connected.provider.live_token = None
    connected.create_integration(refresh="static")
    connected.connect()
    connected.clock.move(HOUR)
    connected.provider.script = [answering(Reply(hang_up=True)), answering(error_reply("invalid_grant"))]
    assert connected.token().status == 502
    connected.clock.move(30)
    assert connected.token().status == 409
    assert connected.get()["lastError"]["code"] == "invalid_grant"


@pytest.mark.parametrize("grace", [False, True], ids=["strict", "accepts_it_twice"])
def test_next_process_repeats_the_refresh_of_one_that_died_with_the_response(
    connected: ConnectedIntegration, grace: bool
) -> None:
    """The process dies before the write. If the provider refuses the refresh token, the response is lost."""
    connected.clock.move(HOUR)
    with killed("dynamodb.PutItem"):
        connected.token()
    assert connected.provider.refreshes == ["refresh-token-1"]
    assert connected.row()["leaseOwner"]
    connected.clock.move(LEASE + 1)
    if grace:
        connected.provider.script = [lambda provider, form: provider.tokens()]
        assert connected.access_token() == "access-token-3"
        assert connected.provider.refreshes == ["refresh-token-1"] * 2
        assert connected.events() == []
        return
    answer = connected.token()
    assert_problem(answer, 409, "connection_expired")
    assert connected.get()["lastError"]["code"] == "refresh_response_lost"
    assert connected.provider.refreshes == ["refresh-token-1"] * 2
    assert len(connected.events()) == 1


def test_process_that_dies_before_its_request_loses_nothing(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    with killed("dynamodb.UpdateItem", after=True):  # after it takes the lease
        connected.token()
    assert connected.provider.refreshes == []
    connected.clock.move(LEASE + 1)
    assert connected.access_token() == "access-token-2"


def test_process_that_dies_after_the_write_has_completed_the_refresh(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    with killed("dynamodb.PutItem", after=True):
        connected.token()
    assert connected.access_token() == "access-token-2"
    assert connected.provider.refreshes == ["refresh-token-1"]


# ── AWS failures ─────────────────────────────────────────────────────────────────────────────────────


def test_tokens_are_stored_although_dynamodb_throttles(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    with failing("dynamodb.PutItem", error=THROTTLED, times=2):  # the client runs out of retries twice
        assert connected.access_token() == "access-token-2"
    assert connected.access_token() == "access-token-2"
    assert connected.provider.refreshes == ["refresh-token-1"]


def test_write_of_tokens_whose_response_is_lost_is_recognized(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    with failing("dynamodb.PutItem", lost=True, tries=1):
        assert connected.access_token() == "access-token-2"
    assert connected.row()["tokensVersion"] == 2


def test_lease_whose_response_is_lost_is_recognized(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    with failing("dynamodb.UpdateItem", lost=True, tries=1):
        assert connected.access_token() == "access-token-2"
    assert connected.provider.refreshes == ["refresh-token-1"]


def test_provider_is_not_called_while_kms_fails(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    vault.clear_cache()
    with failing("kms.Decrypt", error="refused"):
        answer = connected.token()
    assert_problem(answer, 502, "upstream_failed")
    assert connected.provider.refreshes == []
    assert "leaseOwner" not in connected.row()
    assert connected.access_token() == "access-token-2"


# ── concurrent changes ───────────────────────────────────────────────────────────────────────────────


def test_connection_removed_during_a_refresh_leaves_no_grant(
    connected: ConnectedIntegration,
) -> None:
    """The tokens that arrive too late are revoked at the provider."""
    connected.clock.move(HOUR)

    def delayed(provider: Provider, form: dict[str, str]) -> Reply:
        reply = provider.refresh(form)
        threading.Thread(target=refreshed.set).start()
        return Reply(reply.status, reply.headers, reply.body, delay=0.8)

    refreshed = threading.Event()
    connected.provider.script = [delayed]
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(connected.token)
        assert refreshed.wait(20)
        assert connected.api(f"DELETE {connected.path}/connections/default").status == 200
        assert pending.result().status == 404
    assert connected.provider.revoked == ["refresh-token-1", "refresh-token-2"]
    assert connected.backend.rows("ConnectionsTable") == []


@pytest.mark.parametrize("seconds", [HOUR, HOUR - 300], ids=["expired token", "valid token"])
def test_connection_removed_during_a_failing_refresh_serves_no_token(
    connected: ConnectedIntegration, seconds: int
) -> None:
    connected.clock.move(seconds)

    def delayed(provider: Provider, form: dict[str, str]) -> Reply:
        threading.Thread(target=requested.set).start()
        return Reply(503, delay=0.8)

    requested = threading.Event()
    connected.provider.script = [delayed]
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(connected.token)
        assert requested.wait(20)
        assert connected.api(f"DELETE {connected.path}/connections/default").status == 200
        assert pending.result().status == 404


def test_connection_removed_while_its_grant_ends_is_not_found(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [answering(error_reply("invalid_grant"))]

    def remove() -> None:
        assert connected.api(f"DELETE {connected.path}/connections/default").status == 200

    with meanwhile("dynamodb.PutItem", remove):
        assert connected.token().status == 404
    assert connected.events() == []


def test_connection_replaced_while_its_grant_ends_serves_the_new_token(
    connected: ConnectedIntegration,
) -> None:
    """The user connects again while a refresh of the old tokens is refused."""
    connected.clock.move(HOUR)
    connected.provider.script = [answering(error_reply("invalid_grant"))]
    with meanwhile("dynamodb.PutItem", connected.connect):
        answer = connected.token()
    assert answer.status == 200
    assert answer.json()["accessToken"] == "access-token-2"
    assert connected.get()["status"] == "ACTIVE"
    assert connected.events() == []


def test_grant_that_ends_under_another_lease_is_reported(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [answering(error_reply("invalid_grant"))]
    with meanwhile("dynamodb.PutItem", lambda: _lease(connected, seconds=10)):
        problem = assert_problem(connected.token(), 409, "connection_expired")
    assert "invalid_grant" in problem["detail"]
    assert connected.get()["status"] == "ACTIVE", "the holder of the lease decides"


def test_connection_replaced_during_a_refresh_keeps_the_new_tokens(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(HOUR)
    client = connected.backend.client("dynamodb")
    table = connected.backend.template.name("ConnectionsTable")
    with meanwhile("dynamodb.PutItem", lambda: _bump(client, table, connected.row())):
        answer = connected.token()
    assert answer.status == 200
    assert connected.row()["tokensVersion"] == 7
    assert answer.json()["accessToken"] == "access-token-1", "the row's, not the one that arrived too late"


def _bump(client: Any, table: str, row: dict[str, Any]) -> None:
    client.update_item(
        TableName=table,
        Key={"integrationKey": {"S": row["integrationKey"]}, "name": {"S": row["name"]}},
        UpdateExpression="SET tokensVersion = :seven REMOVE leaseOwner, leaseUntil",
        ExpressionAttributeValues={":seven": {"N": "7"}},
    )


def test_tokens_are_stored_although_the_lease_has_run_out(
    connected: ConnectedIntegration,
) -> None:
    """Another process now holds the lease."""
    connected.clock.move(HOUR)
    with meanwhile("dynamodb.PutItem", lambda: _lease(connected, seconds=10)):
        assert connected.access_token() == "access-token-2"
    row = connected.row()
    assert row["tokensVersion"] == 2
    assert "leaseOwner" not in row


# ── maintenance ──────────────────────────────────────────────────────────────────────────────────────


def test_maintenance_refreshes_only_what_is_due(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR - 12 * 60 - 1)
    connected.connect("younger")
    assert connected.run_maintenance() == {"connections": 0, "tasks": 0}
    connected.clock.move(1)
    assert connected.run_maintenance() == {"connections": 1, "tasks": 0}
    assert connected.provider.refreshes == ["refresh-token-1"]


def test_refreshes_are_counted(connected: ConnectedIntegration, capsys: pytest.CaptureFixture[str]) -> None:
    """This applies to scheduled refreshes and to those for a token request."""
    connected.clock.move(HOUR)
    handler({}, SimpleNamespace(get_remaining_time_in_millis=lambda: 90_000))
    assert '"RefreshesSucceeded":1}' in capsys.readouterr().out
    connected.clock.move(2 * HOUR)
    connected.provider.ended = True
    connected.token()
    assert '"RefreshesFailed":1}' in capsys.readouterr().out


def test_two_concurrent_runs_refresh_once(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [lambda provider, form: _slowly(provider.refresh(form))]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: connected.run_maintenance(), range(2)))
    assert connected.provider.refreshes == ["refresh-token-1"]
    assert connected.access_token() == "access-token-2"


def test_run_without_time_starts_nothing(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    assert connected.run_maintenance(seconds=29) == {"connections": 0, "tasks": 0}
    assert connected.provider.refreshes == []


def test_connections_of_an_inactive_integration_are_refreshed(connected: ConnectedIntegration) -> None:
    assert connected.api(f"PUT {connected.path}/status", json={"status": "INACTIVE"}).status == 200
    connected.clock.move(HOUR)
    assert_problem(connected.token(), 409, "integration_inactive")
    assert connected.run_maintenance()["connections"] == 1
    assert connected.provider.refreshes == ["refresh-token-1"]


def test_expiry_of_a_token_that_cannot_be_refreshed_is_announced(connected: ConnectedIntegration) -> None:
    connected.create_integration(refresh="reauthorize_only")
    connected.connect()
    connected.clock.move(HOUR - 1)
    assert connected.run_maintenance()["connections"] <= 1  # that of the first integration
    assert connected.access_token() == "access-token-2"
    assert_problem(connected.refresh(), 409, "connection_expired")
    assert connected.get()["status"] == "ACTIVE"
    connected.events()
    connected.clock.move(1)
    connected.run_maintenance()
    connection = connected.get()
    assert (connection["status"], connection["lastError"]["code"]) == ("EXPIRED", "access_token_expired")
    (event,) = connected.events()
    assert event["data"]["statusReason"] == "access_token_expired"
    connected.run_maintenance()
    assert connected.events() == []


def test_token_that_never_expires_is_never_due(connected: ConnectedIntegration) -> None:
    connected.provider.expires_in = None
    connected.create_integration(refresh="never_expires")
    connected.connect()
    connected.clock.move(10 * 365 * 86_400)
    assert connected.access_token() == "access-token-2"
    assert connected.get()["expiresAt"] is None
    row = next(
        row for row in connected.backend.rows("ConnectionsTable") if connected.id in row["integrationKey"]
    )
    assert "dueAt" not in row


def test_next_run_completes_one_that_died_anywhere(
    connected: ConnectedIntegration, subtests: pytest.Subtests
) -> None:
    """The provider ends the grant. Whichever AWS call the run dies at, the result is one event."""
    handler = importlib.import_module("workers.refresh_connections").handler
    assert callable(handler)
    for operation, after in (
        *(("dynamodb.Query", after) for after in (False, True)),
        *(("dynamodb.BatchGetItem", after) for after in (False, True)),
        *(("dynamodb.UpdateItem", after) for after in (False, True)),
        *(("dynamodb.PutItem", after) for after in (False, True)),
        *(("sqs.SendMessage", after) for after in (False, True)),
    ):
        for number in (1, 2):
            with subtests.test(f"{operation} {number} {'after' if after else 'before'}"):
                connected.connect()
                connected.events()
                connected.clock.move(HOUR)
                connected.provider.ended = True
                # A run that calls the operation fewer times completes.
                with contextlib.suppress(AssertionError), killed(operation, number, after=after):
                    connected.run_maintenance()
                for _ in range(3):
                    connected.clock.move(LEASE + 60)
                    connected.run_maintenance()
                assert connected.get()["status"] == "EXPIRED"
                events = connected.events()
                assert len({event["id"] for event in events}) == 1
                assert len(events) <= 2  # the fan-out drops a repeated event
                assert "dueAt" not in connected.row()


def test_aws_failure_for_one_connection_does_not_stop_the_others(connected: ConnectedIntegration) -> None:
    for name in "abc":
        connected.connect(name)
    connected.provider.script = [lambda provider, form: provider.tokens()] * 10  # there are four grants now
    connected.clock.move(HOUR)
    with failing("dynamodb.BatchGetItem", error="refused"), pytest.raises(IncompleteRun):
        connected.run_maintenance()
    assert len(connected.provider.refreshes) >= 2
    connected.clock.move(60)
    connected.run_maintenance()
    assert all(
        "dueAt" in row and row["dueAt"] > connected.clock.now
        for row in connected.backend.rows("ConnectionsTable")
    )


def test_bug_for_one_connection_does_not_stop_the_others(
    connected: ConnectedIntegration, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        connected.connect(name)
    connected.provider.script = [lambda provider, form: provider.tokens()] * 10
    connected.clock.move(HOUR)
    original = token_endpoint.refresh

    def fail_once(*arguments: Any) -> Any:
        monkeypatch.setattr(token_endpoint, "refresh", original)
        raise RuntimeError("a bug")

    monkeypatch.setattr(token_endpoint, "refresh", fail_once)
    with pytest.raises(IncompleteRun):
        connected.run_maintenance()
    assert len(connected.provider.refreshes) == 3


def test_no_token_is_stored_in_the_clear(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.access_token()
    stored = str([connected.backend.rows(table.logical_id) for table in _tables(connected)])
    for secret in ("access-token", "refresh-token", "the-client-secret"):
        assert secret not in stored


def _tables(connected: ConnectedIntegration) -> Any:
    return connected.backend.template.of_type("AWS::DynamoDB::Table")
