"""OAuth connections on the local stack, against a certified authorization server: no mocks anywhere.

The server rotates refresh tokens and ends the grant when one is used twice, so a refresh that raced would
lose the connection.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from local.testing import RunningStack, eventually, stack
from tests.e2e.conftest import Workspace
from tests.oidc.authorization_server import AuthorizationServer
from tests.receivers import receiver

INTEGRATIONS = "/api/integrations"
CALLBACK = f"{INTEGRATIONS}/oauth/callback"
RETURN_ORIGIN = "http://127.0.0.1:3000"
EACH_CLIENT = ("client_secret_basic", "client_secret_post")


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, authorization_server: AuthorizationServer
) -> Iterator[RunningStack]:
    parameters = {"AllowedRedirectUris": authorization_server.redirect_uri}
    with stack(tmp_path_factory.mktemp("stack"), parameters=parameters) as running:
        yield running


class Connecting:
    """A workspace with an integration at that server."""

    def __init__(self, running: RunningStack, server: AuthorizationServer, auth_method: str) -> None:
        self.workspace = Workspace(running, f"w-{uuid.uuid4().hex[:10]}")
        self.server = server
        client = server.clients[auth_method]
        made = self.workspace(
            f"POST {INTEGRATIONS}",
            json={
                "name": "A real one",
                "type": "CUSTOM",
                "provider": "oidc",
                "config": {
                    "authorizationUrl": server.authorization_url,
                    "tokenUrl": server.token_url,
                    "revocationUrl": server.revocation_url,
                    "issuer": server.issuer,
                    "clientId": client.client_id,
                    "clientSecret": client.client_secret,
                    "clientAuth": {"client_secret_basic": "basic", "client_secret_post": "body"}[auth_method],
                },
                "scopes": ["openid", "posts:read"],
            },
        )
        self.id: str = made["id"]
        self.path = f"{INTEGRATIONS}/{self.id}"

    def initiate(self, **more: Any) -> dict[str, Any]:
        body = {"redirectUri": self.server.redirect_uri, **more}
        begun: dict[str, Any] = self.workspace(f"POST {self.path}/oauth/initiate", json=body)
        return begun

    def finish(self, parameters: dict[str, str], **more: Any) -> httpx.Response:
        return self.workspace.ask(f"POST {CALLBACK}", json=parameters, **more)

    def connect(self, **more: Any) -> dict[str, Any]:
        done = self.finish(self.server.authorize(self.initiate(**more)["authorizationUrl"]))
        assert done.status_code == 200, done.text
        return dict(done.json())

    def token(self) -> httpx.Response:
        return self.workspace.ask(f"GET {self.path}/connections/default/token")

    def access_token(self) -> str:
        answer = self.token()
        assert answer.status_code == 200, answer.text
        return str(answer.json()["accessToken"])

    def active(self, token: str) -> bool:
        """Whether the server itself takes the token for good."""
        return bool(self.server.introspect(token)["active"])

    def refreshes(self) -> list[Any]:
        """How each refresh request was answered."""
        requests = self.server.requests()
        return [entry["status"] for entry in requests if entry["grant_type"] == "refresh_token"]


@pytest.fixture(params=EACH_CLIENT)
def line(
    running: RunningStack, authorization_server: AuthorizationServer, request: pytest.FixtureRequest
) -> Connecting:
    return Connecting(running, authorization_server, request.param)


@pytest.fixture
def basic(running: RunningStack, authorization_server: AuthorizationServer) -> Connecting:
    return Connecting(running, authorization_server, "client_secret_basic")


# ── the flow ─────────────────────────────────────────────────────────────────────────────────────────


def test_connect_refresh_and_disconnect(line: Connecting) -> None:
    connection = line.connect()
    assert (connection["status"], connection["authType"]) == ("ACTIVE", "OAUTH2")
    assert set(connection["scopes"]) == {"openid", "posts:read"}
    first = line.access_token()
    assert line.active(first)

    refreshed = line.workspace(f"POST {line.path}/oauth/refresh")
    assert refreshed["lastRefreshedAt"] is not None
    second = line.access_token()
    assert second != first
    assert line.active(second)
    assert line.refreshes() == [200]

    assert line.workspace(f"DELETE {line.path}/connections/default") == {}
    assert not line.active(second)
    assert line.token().status_code == 404
    assert line.workspace(f"GET {line.path}")["connectionCount"] == 0
    actions = [entry["action"] for entry in line.workspace(f"GET {line.path}/logs")["items"]]
    assert actions[:2] == ["connection.revoked", "connection.deleted"]


def test_the_browsers_way_through_our_own_callback(
    running: RunningStack, basic: Connecting, authorization_server: AuthorizationServer
) -> None:
    """The provider's redirect is handed on in the fragment; only the one who began it can use it."""
    begun = basic.initiate(returnUrl=f"{RETURN_ORIGIN}/integrations?tab=crm")
    parameters = authorization_server.authorize(begun["authorizationUrl"])
    sent_back = httpx.get(
        f"{running.url}{basic.path}/oauth/callback", params=parameters, trust_env=False, timeout=40
    )
    assert sent_back.status_code == 303
    where, _, fragment = sent_back.headers["location"].partition("#")
    assert where == f"{RETURN_ORIGIN}/integrations?tab=crm"
    assert dict(httpx.QueryParams(fragment)) == parameters
    assert basic.server.requests() == []
    assert basic.finish(parameters).status_code == 200


def test_the_users_no_is_shown(basic: Connecting) -> None:
    answer = basic.finish(basic.server.deny(basic.initiate()["authorizationUrl"]))
    assert (answer.status_code, answer.json()["code"]) == (422, "authorization_failed")
    assert "access_denied" in answer.json()["detail"]


# ── the thief ────────────────────────────────────────────────────────────────────────────────────────


def test_a_code_does_not_work_with_the_verifier_of_another_flow(basic: Connecting) -> None:
    """Code injection: a stolen code, brought with the thief's own state."""
    stolen = basic.server.authorize(basic.initiate()["authorizationUrl"])["code"]
    own = basic.server.authorize(basic.initiate()["authorizationUrl"])
    answer = basic.finish({**own, "code": stolen})
    assert (answer.status_code, answer.json()["code"]) == (422, "authorization_failed")
    assert "invalid_grant" in answer.json()["detail"]


def test_a_state_works_once(basic: Connecting) -> None:
    parameters = basic.server.authorize(basic.initiate()["authorizationUrl"])
    assert basic.finish(parameters).status_code == 200
    replayed = basic.finish(parameters)
    assert replayed.status_code == 422
    assert replayed.json()["errors"][0]["path"] == "state"


def test_an_expired_state_is_refused_though_its_row_is_there(
    running: RunningStack, basic: Connecting
) -> None:
    parameters = basic.server.authorize(basic.initiate()["authorizationUrl"])
    dynamodb, table = running.client("dynamodb"), running.tables["OAuthStatesTable"]
    (row,) = [
        item for item in dynamodb.scan(TableName=table)["Items"] if item["integrationId"]["S"] == basic.id
    ]
    assert parameters["state"] not in str(row)
    ended = {"N": str(round(time.time() * 1000) - 1)}
    dynamodb.update_item(
        TableName=table,
        Key={"id": row["id"]},
        UpdateExpression="SET expiresAt = :ended",
        ExpressionAttributeValues={":ended": ended},
    )
    assert basic.finish(parameters).status_code == 422
    assert basic.server.requests() == []


def test_a_foreign_workspaces_state_is_refused_and_void(running: RunningStack, basic: Connecting) -> None:
    for thief in (running.token("thief"), running.token(basic.workspace.name, subject="a-colleague")):
        parameters = basic.server.authorize(basic.initiate()["authorizationUrl"])
        assert basic.finish(parameters, token=thief).status_code == 403
        assert basic.finish(parameters).status_code == 422
    assert basic.server.requests() == []


def test_a_wrong_issuer_is_refused(basic: Connecting) -> None:
    basic.server.set(iss="https://another.example")
    answer = basic.finish(basic.server.authorize(basic.initiate()["authorizationUrl"]))
    assert (answer.status_code, answer.json()["code"]) == (422, "authorization_failed")
    assert basic.server.requests() == []


# ── refreshing ───────────────────────────────────────────────────────────────────────────────────────


def test_fifty_at_once_at_expiry_make_one_refresh_and_all_get_the_new_token(line: Connecting) -> None:
    line.server.set(accessTokenSeconds=2)
    line.connect()
    first = line.access_token()
    line.server.set(accessTokenSeconds=600)
    time.sleep(2)
    line.server.clear()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: line.token(), range(50)))
    assert {answer.status_code for answer in answers} == {200}, answers
    tokens = {answer.json()["accessToken"] for answer in answers}
    assert len(tokens) == 1
    assert line.refreshes() == [200]
    (token,) = tokens
    assert token != first
    assert line.active(token), "the grant is alive: nobody used a refresh token twice"


def test_the_schedule_refreshes_before_anybody_asks(running: RunningStack, basic: Connecting) -> None:
    basic.server.set(accessTokenSeconds=5)
    basic.connect()
    basic.server.set(accessTokenSeconds=600)
    time.sleep(4)
    _pass_the_shortest_interval(running, basic)
    for _ in range(2):
        running.invoke("RefreshConnectionsFunction")
    assert basic.refreshes() == [200]
    basic.server.clear()
    assert basic.active(basic.access_token())
    assert basic.refreshes() == []


def _pass_the_shortest_interval(running: RunningStack, line: Connecting) -> None:
    """The schedule would look at a token that lives for five seconds after five minutes."""
    dynamodb, table = running.client("dynamodb"), running.tables["ConnectionsTable"]
    (key,) = (
        {name: item[name] for name in ("integrationKey", "name")}
        for item in dynamodb.scan(TableName=table)["Items"]
        if item["integrationKey"]["S"].endswith(line.id)
    )
    dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET dueAt = refreshAt",
    )


def test_a_rotation_whose_answer_was_lost(running: RunningStack, basic: Connecting) -> None:
    """Promise 6: asked once more, refused, expired, announced once; the access token serves until it ends."""
    with receiver() as r:
        basic.workspace.webhook(r.url, events=["CONNECTION_EXPIRED"])
        basic.server.set(accessTokenSeconds=100)
        basic.connect()
        before = basic.access_token()
        basic.server.set(fault="drop_after", times=1)
        answer = basic.workspace.ask(f"POST {basic.path}/oauth/refresh")
        assert (answer.status_code, answer.json()["code"]) == (409, "connection_expired")
        assert basic.refreshes() == [200, 400]
        shown = basic.workspace(f"GET {basic.path}/connections/default")
        assert (shown["status"], shown["lastError"]["code"]) == ("EXPIRED", "refresh_response_lost")
        assert basic.access_token() == before
        running.invoke("RefreshConnectionsFunction")
        (request,) = r.wait_for(1)
        assert request.json()["data"]["reason"] == "refresh_response_lost"
        assert basic.connect()["status"] == "ACTIVE"
        assert len(r.requests) == 1


@pytest.mark.parametrize("fault", ["html_500", "drop_before"])
def test_a_provider_that_fails_is_tried_again(basic: Connecting, fault: str) -> None:
    basic.connect()
    basic.server.set(fault=fault, times=2)
    answer = basic.workspace.ask(f"POST {basic.path}/oauth/refresh")
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream_failed")
    assert basic.workspace(f"GET {basic.path}/connections/default")["status"] == "ACTIVE"
    basic.server.set(fault=None)
    eventually(lambda: basic.workspace.ask(f"POST {basic.path}/oauth/refresh").status_code == 200)
    assert basic.active(basic.access_token())


def test_a_process_that_is_killed_with_the_answer_on_its_way(
    running: RunningStack, basic: Connecting
) -> None:
    """SIGKILL while the server takes its time: it has rotated, and nobody heard. After the lease the next one
    asks with the same token, is refused, and knows why.
    """
    basic.connect()
    basic.server.set(fault="slow", times=1, delaySeconds=3)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(basic.workspace.ask, f"POST {basic.path}/oauth/refresh")
        eventually(basic.refreshes)
        running.kill("RefreshConnectionFunction")
        assert asked.result().status_code >= 500

    def refused() -> bool:
        answer = basic.workspace.ask(f"POST {basic.path}/oauth/refresh")
        assert answer.status_code in (409, 502), answer.text
        return answer.status_code == 409

    eventually(refused, seconds=60)
    shown = basic.workspace(f"GET {basic.path}/connections/default")
    assert (shown["status"], shown["lastError"]["code"]) == ("EXPIRED", "refresh_response_lost")
