"""OAuth connections on the local stack, with a certified authorization server and no mocks.

The server rotates refresh tokens and ends the grant if one is used twice, so a race between refreshes would
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
AUTH_METHODS = ("client_secret_basic", "client_secret_post")


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, authorization_server: AuthorizationServer
) -> Iterator[RunningStack]:
    parameters = {"AllowedRedirectUris": authorization_server.redirect_uri}
    with stack(tmp_path_factory.mktemp("stack"), parameters=parameters) as running:
        yield running


class ConnectedIntegration:
    """A workspace with an integration that uses the authorization server."""

    def __init__(self, running: RunningStack, server: AuthorizationServer, auth_method: str) -> None:
        self.workspace = Workspace(running, f"w-{uuid.uuid4().hex[:10]}")
        self.server = server
        client = server.clients[auth_method]
        integration = self.workspace(
            f"POST {INTEGRATIONS}",
            json={
                "name": "oidc-provider",
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
        self.id: str = integration["id"]
        self.path = f"{INTEGRATIONS}/{self.id}"

    def initiate(self, **fields: Any) -> dict[str, Any]:
        body = {"redirectUri": self.server.redirect_uri, **fields}
        started: dict[str, Any] = self.workspace(f"POST {self.path}/oauth/initiate", json=body)
        return started

    def authorize(self) -> dict[str, str]:
        """Start a flow, and consent. Returns the parameters of the redirect back."""
        return self.server.authorize(self.initiate()["authorizationUrl"])

    def complete(self, parameters: dict[str, str], **arguments: Any) -> httpx.Response:
        return self.workspace.ask(f"POST {CALLBACK}", json=parameters, **arguments)

    def connect(self) -> dict[str, Any]:
        answer = self.complete(self.authorize())
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def token(self) -> httpx.Response:
        return self.workspace.ask(f"GET {self.path}/connections/default/token")

    def access_token(self) -> str:
        answer = self.token()
        assert answer.status_code == 200, answer.text
        return str(answer.json()["accessToken"])

    def is_active(self, token: str) -> bool:
        """Return whether the server accepts the token."""
        return bool(self.server.introspect(token)["active"])

    def refreshes(self) -> list[Any]:
        """Return the status of each refresh request."""
        requests = self.server.requests()
        return [entry["status"] for entry in requests if entry["grant_type"] == "refresh_token"]


@pytest.fixture(params=AUTH_METHODS)
def connected(
    running: RunningStack, authorization_server: AuthorizationServer, request: pytest.FixtureRequest
) -> ConnectedIntegration:
    return ConnectedIntegration(running, authorization_server, request.param)


@pytest.fixture
def basic(running: RunningStack, authorization_server: AuthorizationServer) -> ConnectedIntegration:
    return ConnectedIntegration(running, authorization_server, "client_secret_basic")


# ── the flow ─────────────────────────────────────────────────────────────────────────────────────────


def test_connect_refresh_and_disconnect(connected: ConnectedIntegration) -> None:
    connection = connected.connect()
    assert (connection["status"], connection["authType"]) == ("ACTIVE", "OAUTH2")
    assert set(connection["scopes"]) == {"openid", "posts:read"}
    first = connected.access_token()
    assert connected.is_active(first)

    refreshed = connected.workspace(f"POST {connected.path}/oauth/refresh")
    assert refreshed["lastRefreshedAt"] is not None
    second = connected.access_token()
    assert second != first
    assert connected.is_active(second)
    assert connected.refreshes() == [200]

    assert connected.workspace(f"DELETE {connected.path}/connections/default") == {}
    assert not connected.is_active(second)
    assert connected.token().status_code == 404
    assert connected.workspace(f"GET {connected.path}")["connectionCount"] == 0
    actions = [entry["action"] for entry in connected.workspace(f"GET {connected.path}/logs")["items"]]
    assert actions[:2] == ["connection.revoked", "connection.deleted"]


def test_redirect_through_the_callback_route(
    running: RunningStack, basic: ConnectedIntegration, authorization_server: AuthorizationServer
) -> None:
    """The fragment has the parameters, and only the caller that started the flow can use them."""
    started = basic.initiate(returnUrl=f"{RETURN_ORIGIN}/integrations?tab=crm")
    parameters = authorization_server.authorize(started["authorizationUrl"])
    redirect = httpx.get(
        f"{running.url}{basic.path}/oauth/callback", params=parameters, trust_env=False, timeout=40
    )
    assert redirect.status_code == 303
    location, _, fragment = redirect.headers["location"].partition("#")
    assert location == f"{RETURN_ORIGIN}/integrations?tab=crm"
    assert dict(httpx.QueryParams(fragment)) == parameters
    assert basic.server.requests() == []
    assert basic.complete(parameters).status_code == 200


def test_denied_consent_is_reported(basic: ConnectedIntegration) -> None:
    answer = basic.complete(basic.server.deny(basic.initiate()["authorizationUrl"]))
    assert (answer.status_code, answer.json()["code"]) == (422, "authorization_failed")
    assert "access_denied" in answer.json()["detail"]


# ── attacks ──────────────────────────────────────────────────────────────────────────────────────────


def test_code_of_another_flow_is_rejected(basic: ConnectedIntegration) -> None:
    """Code injection: an attacker sends a stolen code with their own state."""
    stolen = basic.authorize()["code"]
    own = basic.authorize()
    answer = basic.complete({**own, "code": stolen})
    assert (answer.status_code, answer.json()["code"]) == (422, "authorization_failed")
    assert "invalid_grant" in answer.json()["detail"]


def test_state_works_once(basic: ConnectedIntegration) -> None:
    parameters = basic.authorize()
    assert basic.complete(parameters).status_code == 200
    replayed = basic.complete(parameters)
    assert replayed.status_code == 422
    assert replayed.json()["errors"][0]["path"] == "state"


def test_expired_state_is_rejected_although_its_row_exists(
    running: RunningStack, basic: ConnectedIntegration
) -> None:
    parameters = basic.authorize()
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
    assert basic.complete(parameters).status_code == 422
    assert basic.server.requests() == []


def test_state_of_another_caller_is_rejected_and_void(
    running: RunningStack, basic: ConnectedIntegration
) -> None:
    for other in (running.token("attacker"), running.token(basic.workspace.name, subject="a-colleague")):
        parameters = basic.authorize()
        assert basic.complete(parameters, token=other).status_code == 403
        assert basic.complete(parameters).status_code == 422
    assert basic.server.requests() == []


def test_wrong_issuer_is_rejected(basic: ConnectedIntegration) -> None:
    basic.server.set(iss="https://another.example")
    answer = basic.complete(basic.authorize())
    assert (answer.status_code, answer.json()["code"]) == (422, "authorization_failed")
    assert basic.server.requests() == []


# ── refreshing ───────────────────────────────────────────────────────────────────────────────────────


def test_fifty_concurrent_requests_at_expiry_make_one_refresh(connected: ConnectedIntegration) -> None:
    connected.server.set(accessTokenSeconds=2)
    connected.connect()
    first = connected.access_token()
    connected.server.set(accessTokenSeconds=600)
    time.sleep(2)
    connected.server.clear()
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: connected.token(), range(50)))
    assert {answer.status_code for answer in answers} == {200}, answers
    tokens = {answer.json()["accessToken"] for answer in answers}
    assert len(tokens) == 1
    assert connected.refreshes() == [200]
    (token,) = tokens
    assert token != first
    assert connected.is_active(token), "the grant is alive: no refresh token was used twice"


def test_maintenance_refreshes_before_a_request(running: RunningStack, basic: ConnectedIntegration) -> None:
    basic.server.set(accessTokenSeconds=5)
    basic.connect()
    basic.server.set(accessTokenSeconds=600)
    time.sleep(4)
    _pass_the_shortest_interval(running, basic)
    for _ in range(2):
        running.invoke("RefreshConnectionsFunction")
    assert basic.refreshes() == [200]
    basic.server.clear()
    assert basic.is_active(basic.access_token())
    assert basic.refreshes() == []


def _pass_the_shortest_interval(running: RunningStack, connected: ConnectedIntegration) -> None:
    """Make the refresh due: maintenance would refresh a five-second token only after five minutes."""
    dynamodb, table = running.client("dynamodb"), running.tables["ConnectionsTable"]
    (key,) = (
        {name: item[name] for name in ("integrationKey", "name")}
        for item in dynamodb.scan(TableName=table)["Items"]
        if item["integrationKey"]["S"].endswith(connected.id)
    )
    dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET dueAt = refreshAt",
    )


def test_lost_rotation_expires_the_connection_and_serves_the_access_token(
    running: RunningStack, basic: ConnectedIntegration
) -> None:
    """Promise 6: the refresh is repeated once and refused. The expiry is announced once."""
    with receiver() as r:
        basic.workspace.webhook(r.url, eventTypes=["CONNECTION_EXPIRED"])
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
        assert request.json()["data"]["statusReason"] == "refresh_response_lost"
        assert basic.connect()["status"] == "ACTIVE"
        assert len(r.requests) == 1


@pytest.mark.parametrize("fault", ["html_500", "drop_before"])
def test_failed_refresh_is_retried(basic: ConnectedIntegration, fault: str) -> None:
    basic.connect()
    basic.server.set(fault=fault, times=2)
    answer = basic.workspace.ask(f"POST {basic.path}/oauth/refresh")
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream_failed")
    assert basic.workspace(f"GET {basic.path}/connections/default")["status"] == "ACTIVE"
    basic.server.set(fault=None)
    eventually(lambda: basic.workspace.ask(f"POST {basic.path}/oauth/refresh").status_code == 200)
    assert basic.is_active(basic.access_token())


def test_process_killed_before_the_response_arrives(
    running: RunningStack, basic: ConnectedIntegration
) -> None:
    """SIGKILL arrives while the server, which has rotated the token, delays its response. After the lease,
    the next process uses the same refresh token, is refused, and knows why.
    """
    basic.connect()
    basic.server.set(fault="slow", times=1, delaySeconds=3)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(basic.workspace.ask, f"POST {basic.path}/oauth/refresh")
        eventually(basic.refreshes)
        running.kill("RefreshConnectionFunction")
        assert pending.result().status_code >= 500

    def is_refused() -> bool:
        answer = basic.workspace.ask(f"POST {basic.path}/oauth/refresh")
        assert answer.status_code in (409, 502), answer.text
        return answer.status_code == 409

    eventually(is_refused, seconds=60)
    shown = basic.workspace(f"GET {basic.path}/connections/default")
    assert (shown["status"], shown["lastError"]["code"]) == ("EXPIRED", "refresh_response_lost")
