"""The test server itself, with plain httpx: it does what the tests of the OAuth client rely on."""

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


def request_url(server: AuthorizationServer, client: Client = BASIC, **changes: str) -> str:
    """Return the URL of an authorization request. `changes` adds parameters, and "" removes one."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=")
    parameters = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": server.redirect_uri,
        "scope": "openid posts:read",
        "state": STATE,
        "code_challenge": challenge.decode(),
        "code_challenge_method": "S256",
        **changes,
    }
    sent = {name: value for name, value in parameters.items() if value}
    return f"{server.authorization_url}?{urlencode(sent)}"


def post(server: AuthorizationServer, client: Client, url: str = "", **form: str) -> httpx.Response:
    """Send a request as the client to the token endpoint, or to another one."""
    arguments = client.authentication()
    arguments["data"] = {**form, **arguments.get("data", {})}
    return httpx.post(url or server.token_url, timeout=TIMEOUT, trust_env=False, **arguments)


def exchange(server: AuthorizationServer, client: Client, code: str, **fields: str) -> httpx.Response:
    form = {"code": code, "redirect_uri": server.redirect_uri, "code_verifier": VERIFIER, **fields}
    return post(server, client, grant_type="authorization_code", **form)


def refresh(server: AuthorizationServer, client: Client, token: str) -> httpx.Response:
    return post(server, client, grant_type="refresh_token", refresh_token=token)


def log_in(server: AuthorizationServer, client: Client = BASIC, **changes: str) -> dict[str, Any]:
    """Log in, and return the token response."""
    code = server.authorize(request_url(server, client, **changes))["code"]
    answer = exchange(server, client, code)
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


def error_of(answer: httpx.Response) -> str:
    """Return the error of a response with the status 400."""
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"])


# ── logging in ───────────────────────────────────────────────────────────────────────────────────────


@each_client
def test_login_returns_tokens(authorization_server: AuthorizationServer, client: Client) -> None:
    parameters = authorization_server.authorize(request_url(authorization_server, client), login="bob")
    assert parameters == {"code": parameters["code"], "state": STATE, "iss": authorization_server.issuer}
    tokens = exchange(authorization_server, client, parameters["code"]).json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 3600
    assert tokens["scope"] == "openid posts:read"
    assert tokens["refresh_token"]
    introspection = authorization_server.introspect(tokens["access_token"], client)
    assert introspection["active"]
    assert introspection["sub"] == "bob"


def test_scope_without_openid_returns_no_id_token(authorization_server: AuthorizationServer) -> None:
    tokens = log_in(authorization_server, scope="posts:read posts:write")
    assert tokens["scope"] == "posts:read posts:write"
    assert tokens["refresh_token"]
    assert "id_token" not in tokens


def test_offline_access_requires_the_prompt(authorization_server: AuthorizationServer) -> None:
    scope = "openid offline_access"
    assert log_in(authorization_server, scope=scope)["scope"] == "openid"
    assert log_in(authorization_server, scope=scope, prompt="consent")["scope"] == scope


def test_cancel_returns_access_denied(authorization_server: AuthorizationServer) -> None:
    parameters = authorization_server.deny(request_url(authorization_server))
    assert parameters["error"] == "access_denied"
    assert parameters["state"] == STATE
    assert parameters["iss"] == authorization_server.issuer


def test_pkce_is_required(authorization_server: AuthorizationServer) -> None:
    url = request_url(authorization_server, code_challenge="", code_challenge_method="")
    assert authorization_server.authorize(url)["error"] == "invalid_request"


def test_unknown_redirect_uri_is_not_redirected_to(authorization_server: AuthorizationServer) -> None:
    url = request_url(authorization_server, redirect_uri="https://other.example/callback")
    with pytest.raises(AssertionError, match="redirect_uri"):
        authorization_server.authorize(url)


def test_wrong_verifier_is_refused(authorization_server: AuthorizationServer) -> None:
    code = authorization_server.authorize(request_url(authorization_server))["code"]
    answer = exchange(authorization_server, BASIC, code, code_verifier=secrets.token_urlsafe(48))
    assert error_of(answer) == "invalid_grant"


def test_code_used_twice_ends_the_grant(authorization_server: AuthorizationServer) -> None:
    code = authorization_server.authorize(request_url(authorization_server))["code"]
    tokens = exchange(authorization_server, BASIC, code).json()
    assert error_of(exchange(authorization_server, BASIC, code)) == "invalid_grant"
    assert not authorization_server.introspect(tokens["access_token"])["active"]


@pytest.mark.parametrize("iss", ["https://other.example", ""])
def test_iss_can_be_replaced_and_omitted(authorization_server: AuthorizationServer, iss: str) -> None:
    authorization_server.set(iss=iss)
    for browse in (authorization_server.authorize, authorization_server.deny):
        assert browse(request_url(authorization_server)).get("iss", "") == iss


# ── refreshing and revoking ──────────────────────────────────────────────────────────────────────────


@each_client
def test_refresh_rotates_the_refresh_token(authorization_server: AuthorizationServer, client: Client) -> None:
    first = log_in(authorization_server, client)
    second = refresh(authorization_server, client, first["refresh_token"]).json()
    third = refresh(authorization_server, client, second["refresh_token"]).json()
    assert len({tokens["refresh_token"] for tokens in (first, second, third)}) == 3
    assert len({tokens["access_token"] for tokens in (first, second, third)}) == 3


def test_refresh_token_used_twice_ends_the_grant(authorization_server: AuthorizationServer) -> None:
    first = log_in(authorization_server)
    second = refresh(authorization_server, BASIC, first["refresh_token"]).json()
    assert authorization_server.introspect(second["refresh_token"])["active"]
    for used in (first, second):  # the old one, and then the current one
        assert error_of(refresh(authorization_server, BASIC, used["refresh_token"])) == "invalid_grant"
    for token in (first["access_token"], second["access_token"], second["refresh_token"]):
        assert authorization_server.introspect(token) == {"active": False}


def test_revocation_ends_the_grant(authorization_server: AuthorizationServer) -> None:
    tokens = log_in(authorization_server)
    for kind in ("access_token", "refresh_token"):
        assert authorization_server.introspect(tokens[kind])["active"]
    url = authorization_server.revocation_url
    assert post(authorization_server, BASIC, url, token=tokens["refresh_token"]).status_code == 200
    for kind in ("access_token", "refresh_token"):
        assert not authorization_server.introspect(tokens[kind])["active"]


def test_lifetime_of_access_tokens_can_be_set(authorization_server: AuthorizationServer) -> None:
    authorization_server.set(accessTokenSeconds=1)
    tokens = log_in(authorization_server)
    assert tokens["expires_in"] == 1
    deadline = time.monotonic() + 10
    while authorization_server.introspect(tokens["access_token"])["active"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


# ── faults and recorded requests ─────────────────────────────────────────────────────────────────────


def test_drop_after_rotates_and_loses_the_answer(authorization_server: AuthorizationServer) -> None:
    token = log_in(authorization_server)["refresh_token"]
    authorization_server.clear()
    authorization_server.set(fault="drop_after")
    with pytest.raises(httpx.TransportError):
        refresh(authorization_server, BASIC, token)
    assert error_of(refresh(authorization_server, BASIC, token)) == "invalid_grant"
    assert authorization_server.requests() == [
        {"grant_type": "refresh_token", "status": 200, "fault": "drop_after"},
        {"grant_type": "refresh_token", "status": 400, "error": "invalid_grant"},
    ]


def test_drop_before_and_html_500_process_nothing(authorization_server: AuthorizationServer) -> None:
    token = log_in(authorization_server)["refresh_token"]
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
    token = log_in(authorization_server)["refresh_token"]
    authorization_server.set(fault="slow", delaySeconds=0.5)
    started = time.monotonic()
    assert refresh(authorization_server, BASIC, token).status_code == 200
    assert time.monotonic() - started >= 0.5
    assert error_of(refresh(authorization_server, BASIC, token)) == "invalid_grant"


def test_requests_are_recorded(authorization_server: AuthorizationServer) -> None:
    token = log_in(authorization_server)["refresh_token"]
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
def test_client_must_use_its_auth_method(authorization_server: AuthorizationServer, client: Client) -> None:
    (other,) = (c.auth_method for c in CLIENTS if c != client)
    disguised = replace(client, auth_method=other)
    for url in (authorization_server.token_url, authorization_server.revocation_url):
        answer = post(authorization_server, disguised, url, grant_type="refresh_token", token="any")
        assert answer.status_code == 401
        assert answer.json()["error"] == "invalid_client"


@pytest.mark.parametrize("settings", [{"fault": "unheard-of"}, {"faults": "slow"}])
def test_unknown_settings_are_rejected(
    authorization_server: AuthorizationServer, settings: dict[str, str]
) -> None:
    with pytest.raises(AssertionError, match="no such"):
        authorization_server.set(**settings)
