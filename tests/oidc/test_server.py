"""The harness itself, with plain httpx: the server does what the tests of the OAuth client rely on."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.oidc.authorization_server import CLIENTS, TIMEOUT, AuthorizationServer, Client

VERIFIER = secrets.token_urlsafe(48)
STATE = "a-state"
BASIC, POST = CLIENTS
each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.auth_method)


def request_url(server: AuthorizationServer, client: Client = BASIC, **more: str) -> str:
    """An authorization request; `more` adds parameters, and "" takes one away."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=")
    parameters = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": server.redirect_uri,
        "scope": "openid posts:read",
        "state": STATE,
        "code_challenge": challenge.decode(),
        "code_challenge_method": "S256",
        **more,
    }
    sent = {name: value for name, value in parameters.items() if value}
    return f"{server.authorization_url}?{urlencode(sent)}"


def ask(server: AuthorizationServer, client: Client, url: str = "", **form: str) -> httpx.Response:
    """A request of the client to the token endpoint, or to another one."""
    more: dict[str, Any] = client.authentication()
    more["data"] = {**form, **more.get("data", {})}
    return httpx.post(url or server.token_url, timeout=TIMEOUT, trust_env=False, **more)


def exchange(server: AuthorizationServer, client: Client, code: str, **more: str) -> httpx.Response:
    form = {"code": code, "redirect_uri": server.redirect_uri, "code_verifier": VERIFIER, **more}
    return ask(server, client, grant_type="authorization_code", **form)


def refresh(server: AuthorizationServer, client: Client, token: str) -> httpx.Response:
    return ask(server, client, grant_type="refresh_token", refresh_token=token)


def tokens(server: AuthorizationServer, client: Client = BASIC, **more: str) -> dict[str, Any]:
    """What a login brings."""
    code = server.authorize(request_url(server, client, **more))["code"]
    answer = exchange(server, client, code)
    assert answer.status_code == 200, answer.text
    brought: dict[str, Any] = answer.json()
    return brought


def refused(answer: httpx.Response) -> str:
    """The error of an answer that must be a 400 with one."""
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"])


# ── logging in ───────────────────────────────────────────────────────────────────────────────────────


@each_client
def test_a_login_brings_tokens(authorization_server: AuthorizationServer, client: Client) -> None:
    came_back = authorization_server.authorize(request_url(authorization_server, client), login="bob")
    assert came_back == {"code": came_back["code"], "state": STATE, "iss": authorization_server.issuer}
    brought = exchange(authorization_server, client, came_back["code"]).json()
    assert brought["token_type"] == "Bearer"
    assert brought["expires_in"] == 3600
    assert brought["scope"] == "openid posts:read"
    assert brought["refresh_token"]
    said = authorization_server.introspect(brought["access_token"], client)
    assert said["active"]
    assert said["sub"] == "bob"


def test_plain_oauth_without_openid(authorization_server: AuthorizationServer) -> None:
    brought = tokens(authorization_server, scope="posts:read posts:write")
    assert brought["scope"] == "posts:read posts:write"
    assert brought["refresh_token"]
    assert "id_token" not in brought


def test_offline_access_needs_the_prompt(authorization_server: AuthorizationServer) -> None:
    asked = "openid offline_access"
    assert tokens(authorization_server, scope=asked)["scope"] == "openid"
    assert tokens(authorization_server, scope=asked, prompt="consent")["scope"] == asked


def test_cancel(authorization_server: AuthorizationServer) -> None:
    came_back = authorization_server.deny(request_url(authorization_server))
    assert came_back["error"] == "access_denied"
    assert came_back["state"] == STATE
    assert came_back["iss"] == authorization_server.issuer


def test_pkce_is_required(authorization_server: AuthorizationServer) -> None:
    url = request_url(authorization_server, code_challenge="", code_challenge_method="")
    assert authorization_server.authorize(url)["error"] == "invalid_request"


def test_an_unknown_redirect_uri_stays_on_the_server(authorization_server: AuthorizationServer) -> None:
    url = request_url(authorization_server, redirect_uri="https://other.example/callback")
    with pytest.raises(AssertionError, match="redirect_uri"):
        authorization_server.authorize(url)


def test_a_wrong_verifier(authorization_server: AuthorizationServer) -> None:
    code = authorization_server.authorize(request_url(authorization_server))["code"]
    answer = exchange(authorization_server, BASIC, code, code_verifier=secrets.token_urlsafe(48))
    assert refused(answer) == "invalid_grant"


def test_a_code_used_twice_ends_the_grant(authorization_server: AuthorizationServer) -> None:
    code = authorization_server.authorize(request_url(authorization_server))["code"]
    brought = exchange(authorization_server, BASIC, code).json()
    assert refused(exchange(authorization_server, BASIC, code)) == "invalid_grant"
    assert not authorization_server.introspect(brought["access_token"])["active"]


@pytest.mark.parametrize("sent", ["https://other.example", ""])
def test_another_iss(authorization_server: AuthorizationServer, sent: str) -> None:
    authorization_server.set(iss=sent)
    for come_back in (authorization_server.authorize, authorization_server.deny):
        assert come_back(request_url(authorization_server)).get("iss", "") == sent


# ── refreshing and revoking ──────────────────────────────────────────────────────────────────────────


@each_client
def test_a_refresh_rotates(authorization_server: AuthorizationServer, client: Client) -> None:
    first = tokens(authorization_server, client)
    second = refresh(authorization_server, client, first["refresh_token"]).json()
    third = refresh(authorization_server, client, second["refresh_token"]).json()
    assert len({brought["refresh_token"] for brought in (first, second, third)}) == 3
    assert len({brought["access_token"] for brought in (first, second, third)}) == 3


def test_a_refresh_token_used_twice_ends_the_grant(authorization_server: AuthorizationServer) -> None:
    first = tokens(authorization_server)
    second = refresh(authorization_server, BASIC, first["refresh_token"]).json()
    assert authorization_server.introspect(second["refresh_token"])["active"]
    for used in (first, second):  # the old one, and then the one that was good
        assert refused(refresh(authorization_server, BASIC, used["refresh_token"])) == "invalid_grant"
    for token in (first["access_token"], second["access_token"], second["refresh_token"]):
        assert authorization_server.introspect(token) == {"active": False}


def test_revocation(authorization_server: AuthorizationServer) -> None:
    brought = tokens(authorization_server)
    for kind in ("access_token", "refresh_token"):
        assert authorization_server.introspect(brought[kind])["active"]
    url = authorization_server.revocation_url
    assert ask(authorization_server, BASIC, url, token=brought["refresh_token"]).status_code == 200
    for kind in ("access_token", "refresh_token"):
        assert not authorization_server.introspect(brought[kind])["active"]


def test_the_lifetime_of_access_tokens(authorization_server: AuthorizationServer) -> None:
    authorization_server.set(accessTokenSeconds=1)
    brought = tokens(authorization_server)
    assert brought["expires_in"] == 1
    deadline = time.monotonic() + 10
    while authorization_server.introspect(brought["access_token"])["active"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


# ── faults, and what the server notes ────────────────────────────────────────────────────────────────


def test_drop_after_rotates_and_loses_the_answer(authorization_server: AuthorizationServer) -> None:
    token = tokens(authorization_server)["refresh_token"]
    authorization_server.clear()
    authorization_server.set(fault="drop_after")
    with pytest.raises(httpx.TransportError):
        refresh(authorization_server, BASIC, token)
    assert refused(refresh(authorization_server, BASIC, token)) == "invalid_grant"
    assert authorization_server.requests() == [
        {"grant_type": "refresh_token", "status": 200, "fault": "drop_after"},
        {"grant_type": "refresh_token", "status": 400, "error": "invalid_grant"},
    ]


def test_faults_without_processing(authorization_server: AuthorizationServer) -> None:
    token = tokens(authorization_server)["refresh_token"]
    authorization_server.clear()
    authorization_server.set(fault="drop_before", times=2)
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            refresh(authorization_server, BASIC, token)
    authorization_server.set(fault="html_500")
    answer = refresh(authorization_server, BASIC, token)
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert refresh(authorization_server, BASIC, token).status_code == 200
    dropped = {"grant_type": "refresh_token", "status": None, "fault": "drop_before"}
    assert authorization_server.requests() == [
        dropped,
        dropped,
        {"grant_type": "refresh_token", "status": 500, "fault": "html_500"},
        {"grant_type": "refresh_token", "status": 200},
    ]


def test_slow_rotates_before_it_waits(authorization_server: AuthorizationServer) -> None:
    token = tokens(authorization_server)["refresh_token"]
    authorization_server.set(fault="slow", delaySeconds=0.5)
    begun = time.monotonic()
    assert refresh(authorization_server, BASIC, token).status_code == 200
    assert time.monotonic() - begun >= 0.5
    assert refused(refresh(authorization_server, BASIC, token)) == "invalid_grant"


def test_requests_are_counted(authorization_server: AuthorizationServer) -> None:
    token = tokens(authorization_server)["refresh_token"]
    refresh(authorization_server, BASIC, token)
    wrong = replace(BASIC, client_secret="wrong")
    assert refresh(authorization_server, wrong, token).status_code == 401
    assert authorization_server.requests() == [
        {"grant_type": "authorization_code", "status": 200},
        {"grant_type": "refresh_token", "status": 200},
        {"grant_type": "refresh_token", "status": 401, "error": "invalid_client"},
    ]
    authorization_server.clear()
    assert authorization_server.requests() == []


@each_client
def test_a_client_has_to_use_its_method(authorization_server: AuthorizationServer, client: Client) -> None:
    (other,) = (one.auth_method for one in CLIENTS if one != client)
    disguised = replace(client, auth_method=other)
    for url in (authorization_server.token_url, authorization_server.revocation_url):
        answer = ask(authorization_server, disguised, url, grant_type="refresh_token", token="any")
        assert answer.status_code == 401
        assert answer.json()["error"] == "invalid_client"


@pytest.mark.parametrize("settings", [{"fault": "unheard-of"}, {"faults": "slow"}])
def test_settings_that_do_not_exist(
    authorization_server: AuthorizationServer, settings: dict[str, str]
) -> None:
    with pytest.raises(AssertionError, match="no such"):
        authorization_server.set(**settings)
