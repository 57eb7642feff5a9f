"""The pages of the local stack and of the demo: who has access, and how the fakes respond."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio
import httpx
import pytest

from local import pages, sign_in
from local.asgi import Server, listen
from local.demo import provider, receivers, world
from local.demo.platform import Platform
from local.settings import jwt_secret
from patchbay.catalogue import entries

PORT = 8787
HOST = f"127.0.0.1:{PORT}"
ORIGIN = f"http://{HOST}"
CLIENT = f"{ORIGIN}/api/integrations/int_1/oauth/callback"
AUTHORIZE = {"client_id": "postloom", "redirect_uri": CLIENT, "state": "s-1", "scope": "posts:read"}


def ask(app: Any, method: str, path: str, **more: Any) -> httpx.Response:
    """One request to an ASGI application, as a browser sends it."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
            return await http.request(method, path, **more)

    return anyio.run(send)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    jwt_secret(tmp_path)
    return tmp_path


@pytest.fixture
def signing_in(state: Path) -> Any:
    return sign_in.app(ORIGIN, state)


@pytest.fixture
def platform(state: Path) -> Platform:
    return Platform(PORT, state, jwt_secret(state), "demo", ORIGIN)


def console_path(state: Path) -> str:
    return sign_in.address("", state)


# ── access ───────────────────────────────────────────────────────────────────────────────────────────

# Requests from another website or another port, with DNS rebinding, and from a frame.
FOREIGN = {
    "rebound": {"host": "evil.example"},
    "rebound with the port": {"host": f"evil.example:{PORT}"},
    "another port": {"host": "127.0.0.1:9999"},
    "cross-site": {"sec-fetch-site": "cross-site"},
    "same-site": {"sec-fetch-site": "same-site"},
    "origin": {"origin": "https://evil.example"},
    "origin of another port": {"origin": "http://127.0.0.1:9999"},
    "opaque origin": {"origin": "null"},
    "frame": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_sign_in_refuses_other_sites(signing_in: Any, state: Path, headers: dict[str, str]) -> None:
    answer = ask(signing_in, "GET", console_path(state), headers=headers)
    assert answer.status_code in (403, 421)
    assert "location" not in answer.headers


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_platform_gives_no_session_to_other_sites(platform: Platform, headers: dict[str, str]) -> None:
    sent = {"x-key": platform.key, **headers}
    answer = ask(platform.app(), "POST", "/session", headers=sent, json={"person": "usr_maren"})
    assert answer.status_code in (403, 421)


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_provider_takes_no_decision_from_other_sites(headers: dict[str, str]) -> None:
    fake = provider.Provider(PORT)
    form = {"account": "acct_juniper", "decision": "approve"}
    answer = ask(fake.app(), "POST", f"/chirrup/authorize?{urlencode(AUTHORIZE)}", data=form, headers=headers)
    assert answer.status_code in (403, 421)
    assert not fake.codes


@pytest.mark.parametrize("key", ["", "0" * 32, "é"])
def test_sign_in_needs_the_key_of_the_state_directory(signing_in: Any, key: str) -> None:
    answer = ask(signing_in, "GET", f"{sign_in.PATH}?{urlencode({'key': key})}")
    assert (answer.status_code, "location" in answer.headers) == (403, False)


def test_keys_differ_by_purpose_and_secret() -> None:
    keys = {
        pages.key_for(secret, purpose) for secret in ("one", "two") for purpose in ("console", "platform")
    }
    assert len(keys) == 4


@pytest.mark.parametrize("change", ["workspace=a%20b", "role=root", "workspace="])
def test_sign_in_refuses_another_workspace_or_role(signing_in: Any, state: Path, change: str) -> None:
    answer = ask(signing_in, "GET", f"{console_path(state)}&{change}")
    assert answer.status_code == 422


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
def test_sign_in_takes_only_get(signing_in: Any, state: Path, method: str) -> None:
    assert ask(signing_in, method, console_path(state)).status_code == 405


def test_sign_in_says_why_there_is_no_session(state: Path) -> None:
    with listen(0) as unused:
        port = unused.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    app = sign_in.app(url, state)
    answer = ask(app, "GET", console_path(state), headers={"host": f"127.0.0.1:{port}"})
    assert answer.status_code == 502
    assert "did not respond" in answer.text


def test_pages_cannot_be_framed_or_stored(platform: Platform) -> None:
    answer = ask(platform.app(), "GET", "/", headers={"sec-fetch-site": "none"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert f"frame-src {ORIGIN}" in policy
    assert "unsafe" not in policy
    assert platform.key not in answer.text


def test_another_page_may_lead_to_the_platform(platform: Platform) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert ask(platform.app(), "GET", "/", headers=headers).status_code == 200


@pytest.mark.parametrize("key", [None, "0" * 32])
def test_platform_needs_its_key(platform: Platform, key: str | None) -> None:
    headers = {"x-key": key} if key else {}
    answer = ask(platform.app(), "POST", "/session", headers=headers, json={"person": "usr_maren"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"person": 1}', 400),
        (b'{"person": "usr_nobody"}', 422),
        (b'{"person": "usr_maren", "colorScheme": "red"}', 422),
        (b"x" * (pages.MAX_BODY + 1), 413),
    ],
)
def test_platform_refuses_malformed_requests(platform: Platform, body: bytes, status: int) -> None:
    answer = ask(platform.app(), "POST", "/session", headers={"x-key": platform.key}, content=body)
    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/platform.js", "/platform.css", "/favicon.svg"])
def test_platform_serves_its_files(platform: Platform, path: str) -> None:
    assert ask(platform.app(), "GET", path).status_code == 200


@pytest.mark.parametrize("path", ["/authorize.html", "/../platform.py", "/%2e%2e/platform.py"])
def test_platform_serves_nothing_else(platform: Platform, path: str) -> None:
    assert ask(platform.app(), "GET", path).status_code == 404


# ── the provider ─────────────────────────────────────────────────────────────────────────────────────


class Client:
    """An OAuth client of the fake provider, with PKCE."""

    verifier = "v" * 43

    def __init__(self) -> None:
        self.provider = provider.Provider(PORT)
        self.app = self.provider.app()

    def authorize(self, account: str, decision: str = "approve", **changes: str) -> dict[str, str]:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        query = urlencode({**AUTHORIZE, "code_challenge": challenge, **changes})
        page = ask(self.app, "GET", f"/chirrup/authorize?{query}")
        assert page.status_code == 200
        form = {"account": account, "decision": decision}
        answer = ask(self.app, "POST", f"/chirrup/authorize?{query}", data=form, headers={"origin": ORIGIN})
        assert answer.status_code == 303
        address, _, query = answer.headers["location"].partition("?")
        assert address == CLIENT
        return dict(parse_qsl(query))

    def token(self, **form: str) -> httpx.Response:
        return ask(self.app, "POST", "/chirrup/token", data=form)

    def exchange(self, code: str, **changes: str) -> httpx.Response:
        form = {"code": code, "redirect_uri": CLIENT, "code_verifier": self.verifier, **changes}
        return self.token(grant_type="authorization_code", **form)

    def refresh(self, token: str) -> httpx.Response:
        return self.token(grant_type="refresh_token", refresh_token=token)

    def userinfo(self, token: str) -> httpx.Response:
        return ask(self.app, "GET", "/chirrup/userinfo", headers={"authorization": f"Bearer {token}"})


def test_approval_leads_to_tokens_that_work_once() -> None:
    client = Client()
    answer = client.authorize("acct_juniper")
    assert answer["state"] == "s-1"
    first = client.exchange(answer["code"]).json()
    assert client.exchange(answer["code"]).json()["error"] == "invalid_grant"
    assert client.userinfo(first["access_token"]).json() == {"id": "acct_juniper", "name": "Juniper & Rye"}
    second = client.refresh(first["refresh_token"]).json()
    assert client.userinfo(first["access_token"]).status_code == 401
    assert client.userinfo(second["access_token"]).status_code == 200
    assert client.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"


def test_denial_leads_back_without_a_code() -> None:
    answer = Client().authorize("acct_juniper", "deny")
    assert (answer["error"], answer["state"], "code" in answer) == ("access_denied", "s-1", False)


@pytest.mark.parametrize("change", [{"code_verifier": "w" * 43}, {"redirect_uri": f"{ORIGIN}/other"}])
def test_code_is_bound_to_verifier_and_redirect(change: dict[str, str]) -> None:
    client = Client()
    answer = client.exchange(client.authorize("acct_juniper")["code"], **change)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("account", "seconds", "refreshed"),
    [
        ("acct_ryelab", 3600, 200),
        ("acct_harbour", 120, 200),
        ("acct_former", 900, 400),
        ("acct_shaky", 900, 503),
    ],
)
def test_account_decides_what_becomes_of_access(account: str, seconds: int, refreshed: int) -> None:
    client = Client()
    issued = client.exchange(provider.direct_code(account)).json()
    assert issued["expires_in"] == seconds
    assert client.refresh(issued["refresh_token"]).status_code == refreshed


def test_revoked_access_ends() -> None:
    client = Client()
    issued = client.exchange(provider.direct_code("acct_juniper")).json()
    assert (
        ask(client.app, "POST", "/chirrup/revoke", data={"token": issued["refresh_token"]}).status_code == 200
    )
    assert client.userinfo(issued["access_token"]).status_code == 401
    assert client.refresh(issued["refresh_token"]).json()["error"] == "invalid_grant"


def test_provider_api_repeats_the_call() -> None:
    client = Client()
    token = client.exchange(provider.direct_code("acct_juniper")).json()["access_token"]
    headers = {"authorization": f"Bearer {token}"}
    answer = ask(client.app, "POST", "/chirrup/api/notes?x=1", json={"text": "hi"}, headers=headers)
    call = {"method": "POST", "path": "/api/notes", "query": {"x": "1"}, "body": {"text": "hi"}}
    assert answer.json() == {"ok": True, "account": "acct_juniper", "received": call}
    assert ask(client.app, "POST", "/chirrup/api/notes").status_code == 401


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://evil.example\\@127.0.0.1/",  # a browser reads the backslash as a slash
        "http://user@localhost/",
        "http://127.0.0.1/\r\nx-injected: 1",
        "javascript:alert(1)",
        "",
    ],
)
def test_provider_redirects_only_to_this_machine(uri: str) -> None:
    query = urlencode({**AUTHORIZE, "redirect_uri": uri})
    for method in ("GET", "POST"):
        answer = ask(provider.Provider(PORT).app(), method, f"/chirrup/authorize?{query}")
        assert (answer.status_code, "location" in answer.headers) == (400, False)


def test_authorize_page_escapes_what_it_shows() -> None:
    query = urlencode({**AUTHORIZE, "client_id": "<script>alert(1)</script>", "scope": '"><img src=x>'})
    answer = ask(provider.Provider(PORT).app(), "GET", f"/chirrup/authorize?{query}")
    assert "<script" not in answer.text
    assert "<img" not in answer.text


# ── the receivers ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("behavior", "statuses"),
    [
        ("good", {200}),
        ("flaky", {200, 500}),
        ("slow", {200}),
        ("busy", {200, 429}),
        ("gone", {410}),
        ("odd", {200}),
    ],
)
def test_receiver_behaves_as_its_path_says(behavior: str, statuses: set[int]) -> None:
    replies = [receivers.reply(f"/{behavior}/name", f"request {number}", b"{}") for number in range(300)]
    assert {reply.status for reply in replies if reply} == statuses
    assert all(reply is not None and 0 < reply.ms < 4_000 for reply in replies)


def test_flaky_receiver_fails_a_fifth_of_the_time() -> None:
    replies = [receivers.reply("/flaky/name", f"request {number}", b"{}") for number in range(2_000)]
    assert 0.15 < sum(reply is not None and reply.status == 500 for reply in replies) / 2_000 < 0.25


def test_strict_receiver_refuses_some_networks() -> None:
    bodies = [json.dumps({"data": {"network": each}}).encode() for each in ("instagram", "tiktok")]
    replies = [receivers.reply("/strict/name", "request", body) for body in bodies]
    assert [reply and reply.status for reply in replies] == [200, 422]


def test_receiver_answers_the_same_to_the_same_request() -> None:
    assert receivers.reply("/flaky/a", "key", b"") == receivers.reply(
        "http://127.0.0.1:1/flaky/a", "key", b""
    )


@pytest.fixture(scope="module")
def receiving() -> Iterator[str]:
    """The receivers in uvicorn, as the demo runs them."""
    with anyio.from_thread.start_blocking_portal() as portal:
        server = portal.call(Server.start, receivers.app, listen(0))
        yield server.url
        portal.call(server.stop)


@pytest.mark.parametrize(
    ("behavior", "status"), [("good", 200), ("gone", 410), ("odd", 200), ("unknown", 404)]
)
def test_running_receiver_answers(receiving: str, behavior: str, status: int) -> None:
    answer = httpx.post(f"{receiving}/{behavior}/x", content=b"{}", headers={"webhook-id": "dlv_1"})
    assert answer.status_code == status


def test_receiver_that_is_down_refuses_connections() -> None:
    assert receivers.reply(f"{receivers.DOWN_URL}/x", "key", b"") is None
    with pytest.raises(httpx.ConnectError):
        httpx.post(f"{receivers.DOWN_URL}/x", content=b"{}")


def test_odd_receiver_answers_a_page_with_scripts(receiving: str) -> None:
    answer = httpx.post(f"{receiving}/odd/x", content=b"{}")
    assert answer.headers["content-type"].startswith("text/html")
    assert "<script>" in answer.text


# ── the sample data ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", world.WEIGHTS)
def test_sample_data_matches_the_catalogue(kind: str) -> None:
    sample = entries.load_entry(kind).sample
    for seed in range(50):
        data = world.data(kind, Random(seed), "2026-03-02T09:30:00.000Z")
        entries.check_data(kind, data)  # raises if the data is invalid
        assert data.keys() == sample.keys()


@pytest.mark.parametrize("number", range(6))
def test_sample_run_matches_the_catalogue(number: int) -> None:
    _, action, given, output = world.run(number)
    entries.check_input(action, given)
    entries.check_output(action, output)


def test_addresses_are_samples() -> None:
    random = Random(1)
    for _ in range(300):
        _, data = world.event(random, "2026-03-02T09:30:00.000Z")
        for value in data.values():
            if isinstance(value, str) and value.startswith("http"):
                assert str(urlsplit(value).hostname).endswith(".example")
