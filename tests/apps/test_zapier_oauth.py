"""The Zapier app's OAuth sign-in in Zapier's platform core, with a certified authorization server."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.apps.test_zapier import DEFINITIONS, SETTINGS, Zapier
from tests.e2e.conftest import Workspace
from tests.oidc.authorization_server import AuthorizationServer, running

REDIRECT_URI = "https://zapier.example/dashboard/auth/oauth/return/App1CLIAPI/"
VERIFIER = secrets.token_urlsafe(48)
CONFIG = "authentication.oauth2Config"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthorizationServer]:
    with running(tmp_path_factory.mktemp("oidc"), [REDIRECT_URI]) as server:
        yield server


@pytest.fixture
def zapier(workspace: Workspace, server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch) -> Zapier:
    """A user who has not signed in. The environment has the client's ID and secret, as at Zapier."""
    client = server.clients["client_secret_post"]
    monkeypatch.setenv("CLIENT_ID", client.client_id)
    monkeypatch.setenv("CLIENT_SECRET", client.client_secret)
    zapier = Zapier(workspace, DEFINITIONS[1])
    zapier.auth = {}
    text = json.dumps(zapier.definition)
    text = text.replace(SETTINGS["oauth2"]["authorizeUrl"], server.authorization_url)
    zapier.definition = json.loads(text.replace(SETTINGS["oauth2"]["tokenUrl"], server.token_url))
    return zapier


def sign_in(zapier: Zapier, server: AuthorizationServer) -> dict[str, Any]:
    """Sign in at the app's authorization URL, consent, and return the tokens."""
    url = zapier(f"{CONFIG}.authorizeUrl", inputData={"state": "a-state", "redirect_uri": REDIRECT_URI})
    query = parse_qs(urlsplit(url).query)
    assert query["state"] == ["a-state"]
    assert query["redirect_uri"] == [REDIRECT_URI]
    assert query["response_type"] == ["code"]
    # Zapier itself adds the scope and the challenge. The scopes of this server differ from a platform's.
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    added = {"scope": "openid", "code_challenge": challenge, "code_challenge_method": "S256"}
    callback = server.authorize(f"{url}&{urlencode(added)}")
    assert callback["state"] == "a-state"
    given = {"code": callback["code"], "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}
    tokens: dict[str, Any] = zapier(f"{CONFIG}.getAccessToken", inputData=given)
    return tokens


def test_user_signs_in_and_the_token_is_refreshed(zapier: Zapier, server: AuthorizationServer) -> None:
    tokens = sign_in(zapier, server)
    assert server.introspect(tokens["access_token"])["active"]
    # Zapier refreshes with the stored data of the connection, including the expired token.
    zapier.auth = {name: tokens[name] for name in ("access_token", "refresh_token")}
    refreshed = zapier(f"{CONFIG}.refreshAccessToken")
    assert refreshed["access_token"] != tokens["access_token"]
    assert refreshed["refresh_token"] != tokens["refresh_token"]
    assert server.introspect(refreshed["access_token"])["active"]


def test_invalid_refresh_token_is_reported(zapier: Zapier, server: AuthorizationServer) -> None:
    tokens = sign_in(zapier, server)
    zapier.auth = {"access_token": tokens["access_token"], "refresh_token": "gone"}
    error = zapier.error(f"{CONFIG}.refreshAccessToken")
    assert error["name"] == "ExpiredAuthError"
    assert "grant request is invalid" in error["message"]


def test_platforms_token_is_accepted_and_an_invalid_one_is_refreshed(
    zapier: Zapier, workspace: Workspace
) -> None:
    zapier.auth = {"access_token": workspace.token}
    assert zapier("authentication.test")["label"] == workspace.name
    zapier.auth = {"access_token": workspace.token + "x"}
    assert zapier.error("authentication.test")["name"] == "RefreshAuthError"
