"""Refreshing: one request at a time, nothing lost, whatever the provider, AWS or the process does.

The provider is a real server on loopback that keeps tokens as a strict one does: a refresh token works once,
and the second use of one ends the grant.
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
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from patchbay.oauth import refresh, token_endpoint
from patchbay.oauth.maintenance import run_due
from tests.catalogued import assert_catalogued
from tests.conftest import REDIRECT_URI, Answer, Api, Backend
from tests.faults import THROTTLED, Clock, failing, killed, meanwhile, one_at_a_time
from tests.receivers import Answer as Reply
from tests.receivers import Receiver, Request, receiver

INTEGRATIONS = "/api/integrations"
JSON = {"content-type": "application/json"}
HOUR = 3600
LEASE = refresh.LEASE_MS / 1000


@dataclass
class Provider:
    """An authorization server with one grant. `script` holds what the next refreshes meet instead of what the
    server would say; None lets it speak.
    """

    receiver: Receiver
    expires_in: int | None = HOUR
    rotates: bool = True
    script: list[Callable[[Provider, dict[str, str]], Reply] | None] = field(default_factory=list)
    number: int = 0
    live: str | None = None
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
        """What RFC 6749 and 9700 have a strict server do."""
        if self.ended or form["refresh_token"] != self.live:
            self.ended = True
            return no("invalid_grant")
        return self.tokens()

    def tokens(self) -> Reply:
        self.number += 1
        token: dict[str, Any] = {"access_token": f"access-token-{self.number}", "token_type": "Bearer"}
        if self.rotates or self.live is None:
            self.live = f"refresh-token-{self.number}"
            token["refresh_token"] = self.live
        if self.expires_in is not None:
            token["expires_in"] = self.expires_in
        return Reply(200, JSON, json.dumps(token).encode())


def no(code: str, status: int = 400) -> Reply:
    return Reply(status, JSON, json.dumps({"error": code, "error_description": "so it is"}).encode())


def says(reply: Reply) -> Callable[[Provider, dict[str, str]], Reply]:
    return lambda provider, form: reply


def works_and_hangs_up(provider: Provider, form: dict[str, str]) -> Reply:
    """The token is rotated, and nobody is told."""
    provider.refresh(form)
    return Reply(hang_up=True)


@dataclass
class ConnectedIntegration:
    """A workspace's integration with one connection to that provider."""

    api: Api
    backend: Backend
    clock: Clock
    provider: Provider
    id: str = ""
    seen: set[str] = field(default_factory=set)

    @property
    def path(self) -> str:
        return f"{INTEGRATIONS}/{self.id}"

    def integration(self, **config: Any) -> None:
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
        made = self.api(f"POST {INTEGRATIONS}", json=body)
        assert made.status == 201, made
        self.id = made.json()["id"]

    def connect(self, name: str = "default") -> dict[str, Any]:
        begin = {"redirectUri": REDIRECT_URI, "connectionId": name}
        begun = self.api(f"POST {self.path}/oauth/initiate", json=begin).json()
        finish = {"state": begun["state"], "code": "code"}
        done = self.api(f"POST {INTEGRATIONS}/oauth/callback", json=finish)
        assert done.status == 200, done
        return dict(done.json())

    def token(self, name: str = "default") -> Answer:
        return self.api(f"GET {self.path}/connections/{name}/token")

    def access_token(self) -> str:
        answer = self.token()
        assert answer.status == 200, answer
        return str(answer.json()["accessToken"])

    def shown(self, name: str = "default") -> dict[str, Any]:
        answer = self.api(f"GET {self.path}/connections/{name}")
        assert answer.status == 200, answer
        return dict(answer.json())

    def row(self) -> dict[str, Any]:
        (row,) = self.backend.rows("ConnectionsTable")
        return row

    def events(self) -> list[dict[str, Any]]:
        """What was announced since the last look. SQS shows a message again after a while."""
        found = {m["messageId"]: json.loads(m["body"]) for m in self.backend.messages("EventsQueue")}
        new = [event for id, event in found.items() if id not in self.seen]
        self.seen |= found.keys()
        return new

    def schedule(self, seconds: float = 120) -> dict[str, int]:
        return run_due(lambda: round(seconds * 1000))._asdict()


@pytest.fixture
def connected(api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectedIntegration]:
    one_at_a_time(monkeypatch)
    with receiver([200]) as r:
        provider = Provider(r)
        r._script = [provider.answer]
        connected = ConnectedIntegration(api, backend, Clock(monkeypatch), provider)
        connected.integration()
        connected.connect()
        yield connected


# ── on demand ────────────────────────────────────────────────────────────────────────────────────────


def test_a_good_token_is_served_as_it_is(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR - 12 * 60 - 1)
    assert connected.access_token() == "access-token-1"
    assert connected.provider.refreshes == []


def test_a_token_is_refreshed_a_fifth_of_its_life_before_its_end(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR - 12 * 60)
    assert connected.access_token() == "access-token-2"
    assert connected.provider.refreshes == ["refresh-token-1"]
    shown = connected.shown()
    assert (shown["status"], shown["lastError"], shown["version"]) == ("ACTIVE", None, 2)
    connected.clock.move(HOUR)
    assert connected.access_token() == "access-token-3"
    assert connected.provider.refreshes == ["refresh-token-1", "refresh-token-2"]


def test_of_a_long_life_fifteen_minutes_are_left(connected: ConnectedIntegration) -> None:
    connected.provider.expires_in = 30 * 86_400
    connected.connect()
    connected.clock.move(30 * 86_400 - 15 * 60 - 1)
    assert connected.access_token() == "access-token-2"
    connected.clock.move(1)
    assert connected.access_token() == "access-token-3"


def test_fifty_at_once_at_expiry_make_one_request_and_get_the_new_token(
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


def test_while_another_refreshes_a_good_token_is_served_without_waiting(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(HOUR - 10 * 60)
    _lease(connected, seconds=10)
    started = time.monotonic()
    assert connected.access_token() == "access-token-1"
    assert time.monotonic() - started < 5
    assert connected.provider.refreshes == []


def _lease(connected: ConnectedIntegration, seconds: float, owner: str = "another") -> None:
    """Another process holds the connection."""
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


def test_whoever_waits_in_vain_is_told_to_come_back(
    connected: ConnectedIntegration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "_WAIT_SECONDS", 0.3)
    connected.clock.move(HOUR)
    _lease(connected, seconds=10)
    answer = connected.token()
    assert (answer.status, answer.json()["code"]) == (502, "upstream_failed")
    assert answer.headers["Retry-After"] == "5"
    assert connected.provider.refreshes == []


def test_a_forced_refresh_asks_whatever_the_token_and_ten_at_once_ask_once(
    connected: ConnectedIntegration,
) -> None:
    connected.provider.script = [lambda provider, form: _slowly(provider.refresh(form))]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: connected.api(f"POST {connected.path}/oauth/refresh"), range(10)))
    assert {answer.status for answer in answers} == {200}
    assert connected.provider.refreshes[:1] == ["refresh-token-1"]
    # Those that came after the first had ended asked anew, each with the token that it got.
    assert connected.provider.refreshes == [
        f"refresh-token-{n + 1}" for n in range(len(connected.provider.refreshes))
    ]
    assert not connected.provider.ended


# ── what the answer says ─────────────────────────────────────────────────────────────────────────────


def test_a_refresh_token_that_stays_away_keeps_the_old_one(connected: ConnectedIntegration) -> None:
    connected.provider.rotates = False
    for expected in ("access-token-2", "access-token-3"):
        connected.clock.move(HOUR)
        assert connected.access_token() == expected
    assert connected.provider.refreshes == ["refresh-token-1"] * 2


def test_a_provider_that_does_not_say_how_long_is_asked_every_hour(connected: ConnectedIntegration) -> None:
    connected.provider.expires_in = None
    connected.connect()
    connected.clock.move(HOUR - 12 * 60 - 1)
    assert connected.access_token() == "access-token-2"
    connected.clock.move(1)
    assert connected.access_token() == "access-token-3"


def test_the_users_no_expires_the_connection_once_and_for_all(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.provider.ended = True
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: connected.token(), range(10)))
    assert {(answer.status, answer.json()["code"]) for answer in answers} == {(409, "connection_expired")}
    shown = connected.shown()
    assert (shown["status"], shown["lastError"]["code"]) == ("EXPIRED", "invalid_grant")
    (event,) = connected.events()
    assert (event["type"], event["workspace_id"]) == ("CONNECTION_EXPIRED", "acme")
    assert event["data"] == {
        "connectionId": "default",
        "id": shown["id"],
        "integrationId": connected.id,
        "provider": "own",
        "reason": "invalid_grant",
        "accountLabel": None,
    }
    assert_catalogued(event["type"], event["data"])
    for _ in range(3):
        connected.clock.move(2 * HOUR)
        assert connected.token().status == 409
        assert connected.api(f"POST {connected.path}/oauth/refresh").status == 409
        assert connected.schedule()["connections"] == 0
    assert connected.provider.refreshes == ["refresh-token-1"]
    assert connected.events() == []
    assert connected.connect()["status"] == "ACTIVE"
    assert connected.access_token() == "access-token-2"


def test_an_access_token_of_a_user_who_said_no_is_not_served_on(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR - 10 * 60)
    connected.provider.ended = True
    assert connected.token().status == 409
    assert connected.token().status == 409


def test_a_wrong_client_secret_is_an_error_that_heals(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [says(no("invalid_client", 401))] * 2
    answer = connected.token()
    assert (answer.status, answer.json()["code"]) == (502, "upstream_failed")
    assert "invalid_client" in answer.json()["detail"]
    shown = connected.shown()
    assert (shown["status"], shown["lastError"]["code"]) == ("ERROR", "invalid_client")
    connected.clock.move(10)
    assert connected.token().status == 502
    connected.clock.move(20)
    assert connected.access_token() == "access-token-2"
    shown = connected.shown()
    assert (shown["status"], shown["lastError"]) == ("ACTIVE", None)
    assert connected.events() == []


def form(text: str, status: int = 200) -> Reply:
    return Reply(status, {"content-type": "application/x-www-form-urlencoded"}, text.encode())


def as_a_form(provider: Provider, form_: dict[str, str]) -> Reply:
    """The rotated tokens, in a form that is called text/plain."""
    token = json.loads(provider.refresh(form_).body)
    return Reply(200, {"content-type": "text/plain"}, urlencode(token).encode())


def in_utf_16(provider: Provider, form_: dict[str, str]) -> Reply:
    body = provider.refresh(form_).body.decode().encode("utf-16")
    return Reply(200, {"content-type": "application/json; charset=utf-16"}, body)


@pytest.mark.parametrize("answer", [as_a_form, in_utf_16])
def test_a_rotated_token_is_read_whatever_the_answer_is_called(
    connected: ConnectedIntegration, answer: Any
) -> None:
    connected.provider.script = [answer]
    connected.clock.move(HOUR)
    assert connected.access_token() == "access-token-2"
    connected.clock.move(HOUR)
    assert connected.access_token() == "access-token-3", "with the refresh token of the form"
    assert connected.events() == []


def test_expires_at_alone_says_when_a_token_ends(connected: ConnectedIntegration) -> None:
    def until(provider: Provider, _: dict[str, str]) -> Reply:
        moment = connected.clock.now // 1000 + 100
        return Reply(200, JSON, json.dumps({"access_token": "short", "expires_at": moment}).encode())

    connected.clock.move(HOUR)
    connected.provider.script = [until]
    assert connected.access_token() == "short"
    connected.clock.move(125)
    assert connected.access_token() == "access-token-2"


@pytest.mark.parametrize(
    "reply",
    [
        no("INVALID_GRANT"),
        no("invalid_token", 401),
        no("bad_refresh_token"),
        no("our_own_word"),
        form("error=invalid_grant&error_description=so+it+is", 400),
        Reply(401, JSON, b'{"error": {"code": "invalid_grant"}}'),
    ],
    ids=["upper case", "invalid_token", "bad_refresh_token", "named in config", "a form", "nested"],
)
def test_an_end_in_other_words_expires_the_connection_at_once(
    connected: ConnectedIntegration, reply: Reply
) -> None:
    connected.integration(expiredErrors=["our_own_word"])
    connected.connect()
    connected.clock.move(HOUR)
    connected.provider.script = [says(reply)]
    answer = connected.token()
    assert (answer.status, answer.json()["code"]) == (409, "connection_expired")
    shown = connected.shown()
    assert (shown["status"], shown["lastError"]["code"]) == ("EXPIRED", "invalid_grant")
    assert len(connected.events()) == 1


def test_refusals_without_a_known_reason_end_the_connection_after_a_day(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [says(Reply(401, JSON, b'{"message": "Unauthorized"}'))] * 1000
    assert connected.token().status == 502
    shown = connected.shown()
    assert (shown["status"], shown["lastError"]["code"]) == ("ERROR", "refresh_refused")
    assert "Unauthorized" in shown["lastError"]["detail"]
    for _ in range(20):
        assert connected.api(f"POST {connected.path}/oauth/refresh").status == 502, "often is not long"
    for _ in range(22):
        connected.clock.move(HOUR)
        connected.schedule()
    assert connected.shown()["status"] == "ERROR"
    assert connected.events() == []
    for _ in range(3):
        connected.clock.move(1.2 * HOUR)
        connected.schedule()
    shown = connected.shown()
    assert (shown["status"], shown["lastError"]["code"]) == ("EXPIRED", "refresh_refused")
    (event,) = connected.events()
    assert event["data"]["reason"] == "refresh_refused"
    assert_catalogued(event["type"], event["data"])


def test_refusals_around_an_outage_do_not_add_up(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    refused = says(Reply(403, JSON, b'{"message": "Forbidden"}'))
    connected.provider.script = [refused] * 8
    for _ in range(8):
        assert connected.api(f"POST {connected.path}/oauth/refresh").status == 502
    connected.provider.script = [says(Reply(503)), refused]
    for _ in range(2):
        connected.clock.move(13 * HOUR)
        assert connected.token().status == 502
    assert connected.provider.script == []
    assert connected.shown()["status"] == "ERROR"
    assert connected.events() == []
    assert (connected.row()["refusals"], connected.row()["failures"]) == (1, 10)


@pytest.mark.parametrize(
    "body", [b"access_token: fresh-access\nrefresh_token: fresh-refresh", b'"fresh-0123456789abcdef"']
)
def test_a_token_in_an_answer_that_is_not_understood_is_shown_nowhere(
    connected: ConnectedIntegration, backend: Backend, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [says(Reply(200, {"content-type": "text/plain"}, body))] * 2
    answer = connected.token()
    assert answer.status == 502
    kept = str([backend.rows(table) for table in ("ConnectionsTable", "ActivityTable")])
    assert "neither a token nor an error" in kept
    assert "fresh-" not in answer.text + kept + str(connected.shown()) + caplog.text


@pytest.mark.parametrize(
    "reply",
    [
        no("invalid_client", 401),
        Reply(401, {"content-type": "text/html"}, b"<html>401</html>"),
        Reply(500, JSON, b'{"error": "invalid_grant"}'),
        Reply(404, JSON, b'{"message": "no route"}'),
    ],
    ids=["our client", "a page", "500", "404"],
)
def test_what_says_nothing_of_the_grant_never_ends_it_but_shows_in_time(
    connected: ConnectedIntegration, reply: Reply
) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [says(reply)] * 1000
    for _ in range(40):
        connected.schedule()
        connected.clock.move(1.2 * HOUR)
    assert connected.shown()["status"] == "ERROR"
    connected.provider.script = []
    assert connected.access_token() == "access-token-2"
    assert connected.shown()["status"] == "ACTIVE"
    assert connected.events() == []


@pytest.mark.parametrize("status", [429, 503, 400])
@pytest.mark.parametrize("dated", [False, True], ids=["seconds", "date"])
def test_retry_after_is_kept_to_and_passed_on(
    connected: ConnectedIntegration, status: int, dated: bool
) -> None:
    connected.clock.move(HOUR)
    at = datetime.fromtimestamp(connected.clock.now / 1000 + 600, UTC)
    asked = format_datetime(at, usegmt=True) if dated else "600"
    body = b'{"error": "slow_down"}'
    connected.provider.script = [says(Reply(status, {**JSON, "retry-after": asked}, body))]
    answer = connected.token()
    assert answer.status == 502
    assert 595 <= int(answer.headers["retry-after"]) <= 661
    connected.clock.move(590)
    for answer in (connected.token(), connected.api(f"POST {connected.path}/oauth/refresh")):
        assert answer.status == 502
        assert 1 <= int(answer.headers["retry-after"]) <= 75
    assert len(connected.provider.refreshes) == 1
    connected.clock.move(75)
    assert connected.access_token() == "access-token-2"


def test_a_gateway_that_says_when_to_come_back_is_not_asked_again_at_once(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [says(Reply(504, {"retry-after": "60"}))]
    assert connected.token().status == 502
    assert len(connected.provider.refreshes) == 1


# ── a provider that does not answer as it should ─────────────────────────────────────────────────────

BAD_ANSWERS: dict[str, Callable[[], Reply]] = {
    "HTML": lambda: Reply(200, {"content-type": "text/html"}, b"<html>welcome</html>"),
    "500": lambda: Reply(500, {"content-type": "text/html"}, b"<html>oops</html>"),
    "503": lambda: no("temporarily_unavailable", 503),
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
def test_no_usable_answer_changes_nothing_and_is_tried_again(
    connected: ConnectedIntegration, monkeypatch: pytest.MonkeyPatch, kind: str, refresh_strategy: str
) -> None:
    monkeypatch.setattr(token_endpoint, "TOTAL_SECONDS", 1.0)
    connected.provider.rotates = refresh_strategy == "rotating"
    connected.integration(refresh=refresh_strategy)
    connected.provider.live = None
    connected.connect()
    before = next(
        row for row in connected.backend.rows("ConnectionsTable") if connected.id in row["integrationKey"]
    )
    connected.clock.move(HOUR)
    connected.provider.script = [says(BAD_ANSWERS[kind]())] * 2
    answer = connected.token()
    assert (answer.status, answer.json()["code"]) == (502, "upstream_failed"), answer
    shown = connected.shown()
    assert (shown["status"], shown["lastError"]["code"]) == ("ACTIVE", "upstream_failed")
    after = next(
        row for row in connected.backend.rows("ConnectionsTable") if connected.id in row["integrationKey"]
    )
    assert after["sealed"] == before["sealed"]
    assert "leaseOwner" not in after
    assert connected.events() == []
    # For a while nobody asks again.
    asked = len(connected.provider.refreshes)
    assert connected.token().status == 502
    assert len(connected.provider.refreshes) == asked
    connected.provider.script = []
    connected.clock.move(15)
    assert connected.token().status == 200
    assert set(connected.provider.refreshes) == {connected.provider.refreshes[0]}


def test_a_token_that_is_good_for_a_minute_is_served_while_the_provider_fails(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(HOUR - 5 * 60)
    connected.provider.script = [says(Reply(500))] * 100
    for _ in range(4):
        assert connected.access_token() == "access-token-1"
        connected.clock.move(30)
    assert 2 <= len(connected.provider.refreshes) <= 4
    connected.clock.move(2 * 60)  # 59 s are left
    connected.clock.move(1)
    assert connected.token().status == 502


def test_waits_grow_while_the_provider_stays_down(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [says(Reply(500))] * 1000
    asked_at: list[int] = []
    for _ in range(12 * 30):
        before = len(connected.provider.refreshes)
        connected.schedule()
        if len(connected.provider.refreshes) > before:
            asked_at.append(connected.clock.now)
        connected.clock.move(120)
    gaps = [(b - a) / 1000 for a, b in itertools.pairwise(asked_at)]
    assert 12 < len(asked_at) < 30
    assert max(gaps) <= 1.2 * HOUR + 120
    assert gaps[-1] >= 0.8 * HOUR
    connected.provider.script = []
    connected.clock.move(2 * HOUR)
    connected.schedule()
    assert connected.shown()["status"] == "ACTIVE"
    assert connected.access_token() == "access-token-2"


# ── an answer that was lost (promise 6) ──────────────────────────────────────────────────────────────


def test_a_lost_answer_is_asked_for_once_more_at_once(connected: ConnectedIntegration) -> None:
    """Some providers take a refresh token twice for a moment."""
    connected.clock.move(HOUR)
    connected.provider.script = [says(Reply(hang_up=True)), None]
    assert connected.access_token() == "access-token-2"
    assert connected.provider.refreshes == ["refresh-token-1"] * 2
    assert connected.events() == []


def test_a_lost_rotation_that_the_provider_then_refuses_expires_the_connection(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(HOUR - 10 * 60)
    connected.provider.script = [works_and_hangs_up]
    answer = connected.token()
    assert (answer.status, answer.json()["code"]) == (409, "connection_expired")
    assert connected.provider.refreshes == ["refresh-token-1"] * 2
    shown = connected.shown()
    assert (shown["status"], shown["lastError"]["code"]) == ("EXPIRED", "refresh_response_lost")
    (event,) = connected.events()
    assert event["data"]["reason"] == "refresh_response_lost"
    # The access token that is there serves until it ends.
    for _ in range(2):
        assert connected.access_token() == "access-token-1"
        connected.clock.move(4 * 60)
    connected.clock.move(2 * 60)
    assert connected.token().status == 409
    assert len(connected.provider.refreshes) == 2
    assert connected.events() == []


def test_a_static_refresh_token_is_never_lost(connected: ConnectedIntegration) -> None:
    connected.provider.rotates = False
    connected.provider.live = None
    connected.integration(refresh="static")
    connected.connect()
    connected.clock.move(HOUR)
    connected.provider.script = [says(Reply(hang_up=True)), says(no("invalid_grant"))]
    assert connected.token().status == 502
    connected.clock.move(30)
    assert connected.token().status == 409
    assert connected.shown()["lastError"]["code"] == "invalid_grant"


@pytest.mark.parametrize("grace", [False, True], ids=["strict", "takes_it_twice"])
def test_a_process_that_dies_with_the_answer_is_followed_by_one_that_asks_again(
    connected: ConnectedIntegration, grace: bool
) -> None:
    """It dies before the record. If the provider takes the token again, well; if not, the answer was lost."""
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
    assert (answer.status, answer.json()["code"]) == (409, "connection_expired")
    assert connected.shown()["lastError"]["code"] == "refresh_response_lost"
    assert connected.provider.refreshes == ["refresh-token-1"] * 2
    assert len(connected.events()) == 1


def test_a_process_that_dies_before_it_asks_costs_nothing(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    with killed("dynamodb.UpdateItem", after=True):  # the lease
        connected.token()
    assert connected.provider.refreshes == []
    connected.clock.move(LEASE + 1)
    assert connected.access_token() == "access-token-2"


def test_a_process_that_dies_after_the_record_has_done_its_work(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    with killed("dynamodb.PutItem", after=True):
        connected.token()
    assert connected.access_token() == "access-token-2"
    assert connected.provider.refreshes == ["refresh-token-1"]


# ── AWS that fails in between ────────────────────────────────────────────────────────────────────────


def test_fresh_tokens_are_stored_though_dynamodb_throttles(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    with failing("dynamodb.PutItem", error=THROTTLED, times=2):  # the client gives up, twice
        assert connected.access_token() == "access-token-2"
    assert connected.access_token() == "access-token-2"
    assert connected.provider.refreshes == ["refresh-token-1"]


def test_a_record_whose_answer_was_lost_is_recognised(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    with failing("dynamodb.PutItem", lost=True, tries=1):
        assert connected.access_token() == "access-token-2"
    assert connected.row()["tokensVersion"] == 2


def test_a_lease_whose_answer_was_lost_is_recognised(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    with failing("dynamodb.UpdateItem", lost=True, tries=1):
        assert connected.access_token() == "access-token-2"
    assert connected.provider.refreshes == ["refresh-token-1"]


def test_nothing_is_asked_of_the_provider_while_kms_fails(connected: ConnectedIntegration) -> None:
    from patchbay import vault

    connected.clock.move(HOUR)
    vault.clear_cache()
    with failing("kms.Decrypt", error="refused"):
        answer = connected.token()
    assert (answer.status, answer.json()["code"]) == (502, "upstream_failed")
    assert connected.provider.refreshes == []
    assert "leaseOwner" not in connected.row()
    assert connected.access_token() == "access-token-2"


# ── others, meanwhile ────────────────────────────────────────────────────────────────────────────────


def test_a_connection_that_is_removed_while_it_is_refreshed_leaves_no_grant(
    connected: ConnectedIntegration,
) -> None:
    """The tokens that came too late are given back to the provider."""
    connected.clock.move(HOUR)

    def removed(provider: Provider, form: dict[str, str]) -> Reply:
        reply = provider.refresh(form)
        threading.Thread(target=done.set).start()
        return Reply(reply.status, reply.headers, reply.body, delay=0.8)

    done = threading.Event()
    connected.provider.script = [removed]
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(connected.token)
        assert done.wait(20)
        assert connected.api(f"DELETE {connected.path}/connections/default").status == 200
        assert asked.result().status == 404
    assert connected.provider.revoked == ["refresh-token-1", "refresh-token-2"]
    assert connected.backend.rows("ConnectionsTable") == []


def test_a_connection_that_is_made_anew_while_it_is_refreshed_keeps_the_new_tokens(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(HOUR)
    client = connected.backend.client("dynamodb")
    table = connected.backend.template.name("ConnectionsTable")
    with meanwhile("dynamodb.PutItem", lambda: _bump(client, table, connected.row())):
        answer = connected.token()
    assert answer.status == 200
    assert connected.row()["tokensVersion"] == 7
    assert answer.json()["accessToken"] == "access-token-1", "the row's, not the one that came too late"


def _bump(client: Any, table: str, row: dict[str, Any]) -> None:
    client.update_item(
        TableName=table,
        Key={"integrationKey": {"S": row["integrationKey"]}, "name": {"S": row["name"]}},
        UpdateExpression="SET tokensVersion = :seven REMOVE leaseOwner, leaseUntil",
        ExpressionAttributeValues={":seven": {"N": "7"}},
    )


def test_a_lease_that_ran_out_while_its_holder_was_slow_loses_nothing(
    connected: ConnectedIntegration,
) -> None:
    """Its tokens came, so they are stored, whoever has the lease by now."""
    connected.clock.move(HOUR)
    with meanwhile("dynamodb.PutItem", lambda: _lease(connected, seconds=10)):
        assert connected.access_token() == "access-token-2"
    row = connected.row()
    assert row["tokensVersion"] == 2
    assert "leaseOwner" not in row


# ── the schedule ─────────────────────────────────────────────────────────────────────────────────────


def test_the_schedule_refreshes_what_is_due_and_nothing_else(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR - 12 * 60 - 1)
    connected.connect("younger")
    assert connected.schedule() == {"connections": 0, "tasks": 0}
    connected.clock.move(1)
    assert connected.schedule() == {"connections": 1, "tasks": 0}
    assert connected.provider.refreshes == ["refresh-token-1"]


def test_two_schedules_at_once_refresh_once(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.provider.script = [lambda provider, form: _slowly(provider.refresh(form))]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: connected.schedule(), range(2)))
    assert connected.provider.refreshes == ["refresh-token-1"]
    assert connected.access_token() == "access-token-2"


def test_a_schedule_without_time_begins_nothing(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    assert connected.schedule(seconds=29) == {"connections": 0, "tasks": 0}
    assert connected.provider.refreshes == []


def test_a_paused_integration_keeps_its_connections_alive(connected: ConnectedIntegration) -> None:
    assert connected.api(f"PUT {connected.path}/status", json={"status": "INACTIVE"}).status == 200
    connected.clock.move(HOUR)
    assert connected.token().json()["code"] == "integration_inactive"
    assert connected.schedule()["connections"] == 1
    assert connected.provider.refreshes == ["refresh-token-1"]


def test_a_token_that_cannot_be_refreshed_is_announced_when_it_ends(connected: ConnectedIntegration) -> None:
    connected.integration(refresh="reauthorize_only")
    connected.connect()
    connected.clock.move(HOUR - 1)
    assert connected.schedule()["connections"] <= 1  # the first integration's
    assert connected.access_token() == "access-token-2"
    assert connected.api(f"POST {connected.path}/oauth/refresh").json()["code"] == "connection_expired"
    assert connected.shown()["status"] == "ACTIVE"
    connected.events()
    connected.clock.move(1)
    connected.schedule()
    shown = connected.shown()
    assert (shown["status"], shown["lastError"]["code"]) == ("EXPIRED", "access_token_expired")
    (event,) = connected.events()
    assert event["data"]["reason"] == "access_token_expired"
    connected.schedule()
    assert connected.events() == []


def test_a_token_that_never_expires_is_never_due(connected: ConnectedIntegration) -> None:
    connected.provider.expires_in = None
    connected.integration(refresh="never_expires")
    connected.connect()
    connected.clock.move(10 * 365 * 86_400)
    assert connected.access_token() == "access-token-2"
    assert connected.shown()["expiresAt"] is None
    row = next(
        row for row in connected.backend.rows("ConnectionsTable") if connected.id in row["integrationKey"]
    )
    assert "dueAt" not in row


def test_a_run_that_dies_anywhere_is_finished_by_the_next(
    connected: ConnectedIntegration, subtests: pytest.Subtests
) -> None:
    """The provider ends the grant; whichever AWS call is the run's last, there is one event in the end."""
    handler = importlib.import_module("workers.refresh_connections").handler
    assert callable(handler)
    for operation, after in (
        *(("dynamodb.Query", after) for after in (False, True)),
        *(("dynamodb.BatchGetItem", after) for after in (False, True)),
        *(("dynamodb.UpdateItem", after) for after in (False, True)),
        *(("dynamodb.PutItem", after) for after in (False, True)),
        *(("sqs.SendMessage", after) for after in (False, True)),
    ):
        for at in (1, 2):
            with subtests.test(f"{operation} {at} {'after' if after else 'before'}"):
                connected.connect()
                connected.events()
                connected.clock.move(HOUR)
                connected.provider.ended = True
                # A run that gets on without that many calls of the operation just does its work.
                with contextlib.suppress(AssertionError), killed(operation, at, after=after):
                    connected.schedule()
                for _ in range(3):
                    connected.clock.move(LEASE + 60)
                    connected.schedule()
                assert connected.shown()["status"] == "EXPIRED"
                events = connected.events()
                assert len({event["id"] for event in events}) == 1
                assert len(events) <= 2  # the same one again is dropped by the fan-out
                assert "dueAt" not in connected.row()


def test_one_connection_that_aws_fails_does_not_stop_the_others(connected: ConnectedIntegration) -> None:
    from patchbay.oauth.maintenance import Incomplete

    for name in "abc":
        connected.connect(name)
    connected.provider.script = [lambda provider, form: provider.tokens()] * 10  # it is four grants now
    connected.clock.move(HOUR)
    with failing("dynamodb.BatchGetItem", error="refused"), pytest.raises(Incomplete):
        connected.schedule()
    assert len(connected.provider.refreshes) >= 2
    connected.clock.move(60)
    connected.schedule()
    assert all(
        "dueAt" in row and row["dueAt"] > connected.clock.now
        for row in connected.backend.rows("ConnectionsTable")
    )


def test_one_connection_that_breaks_the_code_does_not_stop_the_others(
    connected: ConnectedIntegration, monkeypatch: pytest.MonkeyPatch
) -> None:
    from patchbay.oauth.maintenance import Incomplete

    for name in "abc":
        connected.connect(name)
    connected.provider.script = [lambda provider, form: provider.tokens()] * 10
    connected.clock.move(HOUR)
    whole = token_endpoint.refresh

    def breaks_once(*given: Any) -> Any:
        monkeypatch.setattr(token_endpoint, "refresh", whole)
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(token_endpoint, "refresh", breaks_once)
    with pytest.raises(Incomplete):
        connected.schedule()
    assert len(connected.provider.refreshes) == 3


def test_no_token_lies_in_the_clear(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.access_token()
    kept = str([connected.backend.rows(table.logical_id) for table in _tables(connected)])
    for secret in ("access-token", "refresh-token", "the-client-secret"):
        assert secret not in kept


def _tables(connected: ConnectedIntegration) -> Any:
    return connected.backend.template.of_type("AWS::DynamoDB::Table")
