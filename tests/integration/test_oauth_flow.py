"""The authorization code flow with a provider on loopback, and with attackers.

Promise 5: a state works once, for 10 minutes, for the principal that started the flow.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from patchbay import vault
from patchbay.ids import ConnectionId, IntegrationId
from patchbay.integrations.client import OAuthClient
from patchbay.oauth import store, token_endpoint
from patchbay.oauth.stored_connection import StoredConnection
from patchbay.outbound.transport import GuardedTransport
from patchbay.providers.provider import OAuth
from patchbay.settings import settings
from tests.conftest import OWNER, REDIRECT_URI, RETURN_ORIGIN, Answer, Api, Backend, jwt_for
from tests.faults import REFUSED, THROTTLED, Clock, failing, killed, meanwhile, one_at_a_time
from tests.integration.oauth_fakes import (
    CALLBACK,
    CLIENT_ID,
    CODE,
    INTEGRATIONS,
    PROVIDER_FILE,
    PROVIDER_URL,
    SECRET,
    Provider,
    activity_details,
    activity_log,
    authorization_parameters,
    complete_flow,
    config,
    connect,
    connection_count,
    connection_rows,
    create_integration,
    create_known_integration,
    get_token,
    initiate,
    json_answer,
    known_provider,
    provider,
    start_flow,
    token_answer,
)
from tests.problems import assert_problem
from tests.receivers import Request

RETURN_URL = f"{RETURN_ORIGIN}/connected?tab=2"
COLLEAGUE = {"sub": "colleague"}


@pytest.fixture
def crm() -> Iterator[Provider]:
    with provider() as crm:
        yield crm


def states(backend: Backend) -> list[dict[str, Any]]:
    return backend.rows("OAuthStatesTable")


def is_void(api: Api, state: str, token: str = OWNER) -> bool:
    """Whether a state no longer works."""
    answer = complete_flow(api, state, token=token)
    return answer.status == 422 and answer.json()["errors"][0]["path"] == "state"


# ── initiate ─────────────────────────────────────────────────────────────────────────────────────────


def test_flow_sends_s256_challenge_and_verifier(api: Api, crm: Provider, clock: Clock) -> None:
    id = create_integration(api, crm, scopes=["contacts.read", "deals:write"])
    started = start_flow(api, id)
    assert started.keys() == {"authorizationUrl", "state", "expiresAt"}
    assert started["authorizationUrl"].startswith(f"{crm.base}/a?")
    challenge = authorization_parameters(started)["code_challenge"]
    assert authorization_parameters(started) == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "scope": "contacts.read deals:write",
        "state": started["state"],
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    answer = complete_flow(api, started["state"])
    assert answer.status == 200, answer.text
    (sent,) = crm.token_requests
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", sent["code_verifier"])
    digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge
    assert sent == {
        "grant_type": "authorization_code",
        "code": CODE,
        "redirect_uri": REDIRECT_URI,
        "code_verifier": sent["code_verifier"],
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
    }
    connection = answer.json()
    assert connection == {
        "id": ConnectionId.parse(connection["id"]),
        "connectionId": "default",
        "integrationId": id,
        "provider": "acme-crm",
        "status": "ACTIVE",
        "authType": "OAUTH2",
        "scopes": ["contacts.read", "deals:write"],
        "account": {"id": None, "label": None},
        "expiresAt": connection["expiresAt"],
        "lastRefreshedAt": None,
        "lastError": None,
        "metadata": {},
        "createdBy": "user:someone",
        "createdAt": connection["createdAt"],
        "updatedAt": connection["createdAt"],
        "version": 1,
    }
    assert api(f"GET {INTEGRATIONS}/{id}/connections/default").json() == connection
    assert get_token(api, id).json()["accessToken"] == "access-1-7d1f"
    assert [entry[:2] for entry in activity_log(api, id)] == [
        ("token.issued", "SUCCEEDED"),
        ("connection.created", "SUCCEEDED"),
        ("oauth.initiated", "SUCCEEDED"),
        ("integration.created", "SUCCEEDED"),
    ]


def test_state_is_stored_as_a_hash_and_the_verifier_encrypted(
    api: Api, crm: Provider, backend: Backend, clock: Clock
) -> None:
    id = create_integration(api, crm)
    flows = [start_flow(api, id) for _ in range(2)]
    by_id = {row["id"]: row for row in states(backend)}
    raw = json.dumps(list(by_id.values()))
    for flow in flows:
        assert len(base64.urlsafe_b64decode(flow["state"] + "=")) * 8 >= 256
        row = by_id[hashlib.sha256(flow["state"].encode()).hexdigest()]
        assert row["ttl"] == (clock.now + 600_000) // 1000
        assert row["verifier"].startswith("v1.")
        assert flow["state"] not in raw
        complete_flow(api, flow["state"])
    first, second = crm.token_requests
    assert first["code_verifier"] != second["code_verifier"]
    for sent in (first, second):
        assert sent["code_verifier"] not in raw
        assert base64.b64encode(sent["code_verifier"].encode()).decode() not in raw


def test_verifier_moved_to_another_state_cannot_be_decrypted(
    api: Api, crm: Provider, backend: Backend
) -> None:
    id = create_integration(api, crm)
    one, other = start_flow(api, id), start_flow(api, id)
    by_id = {row["id"]: row for row in states(backend)}
    of_one, of_other = (by_id[hashlib.sha256(flow["state"].encode()).hexdigest()] for flow in (one, other))
    from patchbay.storage import dynamo

    dynamo.put(settings().oauth_states_table, {**of_one, "verifier": of_other["verifier"]})
    answer = complete_flow(api, one["state"])
    assert answer.status == 500
    assert "cannot be decrypted" in answer.json()["detail"]
    assert crm.token_requests == []


def test_initiate_rejects_redirect_uri_without_exact_match(
    api: Api, crm: Provider, backend: Backend, subtests: pytest.Subtests
) -> None:
    id = create_integration(api, crm)
    for uri in (
        REDIRECT_URI + "/",
        REDIRECT_URI + "?",
        REDIRECT_URI + "?a=b",
        REDIRECT_URI + "#",
        REDIRECT_URI + "/evil",
        REDIRECT_URI[:-1],
        REDIRECT_URI.upper(),
        REDIRECT_URI.replace("https://app", "https://APP"),
        REDIRECT_URI.replace("https", "http"),
        REDIRECT_URI.replace("platform.test", "platform.test:443"),
        REDIRECT_URI.replace("platform.test", "platform.test."),
        REDIRECT_URI.replace("app.", "app.platform.test@evil."),
        REDIRECT_URI.replace("/callback", "/../callback"),
        REDIRECT_URI.replace("/callback", "//callback"),
        REDIRECT_URI.replace("/callback", "/%63allback"),
        f" {REDIRECT_URI}",
        f"{REDIRECT_URI}\n",
        f"{REDIRECT_URI},{REDIRECT_URI}",
        f"{crm.base}/a",
        RETURN_ORIGIN,
    ):
        with subtests.test(uri=uri):
            assert_problem(initiate(api, id, redirectUri=uri), 422, paths=["redirectUri"])
    for invalid in ("", None, 7, [REDIRECT_URI], "https://" + "a" * 2048):
        with subtests.test(uri=invalid):
            assert_problem(initiate(api, id, redirectUri=invalid), 422, paths=["redirectUri"])
    assert states(backend) == []
    assert [entry[0] for entry in activity_log(api, id)] == ["integration.created"]


def test_redirect_uris_of_an_integration_replace_the_parameter(api: Api, crm: Provider) -> None:
    own = "https://own.platform.test/back"
    id = create_integration(api, crm, settings={"redirectUris": [own]})
    assert authorization_parameters(start_flow(api, id, redirectUri=own))["redirect_uri"] == own
    assert_problem(initiate(api, id), 422, None, "config.redirectUris", paths=["redirectUri"])
    other = create_integration(api, crm)
    assert_problem(initiate(api, other, redirectUri=own), 422, paths=["redirectUri"])
    started = start_flow(api, id, redirectUri=own)
    complete_flow(api, started["state"])
    assert crm.token_requests[0]["redirect_uri"] == own, "as in the authorization request"


def test_initiate_rejects_return_url_of_another_origin(
    api: Api, crm: Provider, backend: Backend, subtests: pytest.Subtests
) -> None:
    id = create_integration(api, crm)
    for url in (RETURN_ORIGIN, RETURN_URL, f"{RETURN_ORIGIN}/a/b?c=%0A", f"{RETURN_ORIGIN}?next=//evil.test"):
        assert initiate(api, id, returnUrl=url).status == 200, url
    before = len(states(backend))
    host = RETURN_ORIGIN.removeprefix("https://")
    for invalid in (
        f"https://{host}@evil.test/",
        f"https://{host}:x@evil.test/",
        f"https://user@{host}/",
        f"https://{host}.evil.test/",
        f"https://evil.test/{RETURN_ORIGIN}",
        f"https://evil.test?{host}",
        f"https://evil{host}/",
        f"https://{host}:8443/",
        f"https://{host}\\@evil.test/",
        f"https://{host}\\.evil.test/",
        f"https:\\\\{host}\\",
        f"https://evil.test\\@{host}/",
        f"https:/{host}/",
        f"https:///{host}/",
        f"//{host}/",
        RETURN_URL.replace("https", "HTTPS"),
        f"http://{host}/",
        f"javascript://{host}/%0aalert(1)",
        f"data:text/html,{RETURN_ORIGIN}",
        f"{RETURN_ORIGIN}#token",
        f"{RETURN_ORIGIN}/#",
        f" {RETURN_URL}",
        f"\t{RETURN_URL}",
        f"\x00{RETURN_URL}",
        f"{RETURN_ORIGIN}/\r\nset-cookie: sid=1",
        f"ht\ntps://{host}/",
        f"https://{host[:3]}\n{host[3:]}/",
        f"{RETURN_ORIGIN}/a b",
        f"{RETURN_ORIGIN}/\x7f",
        f"{RETURN_ORIGIN}/\u2028",
        f"{RETURN_ORIGIN}\u3002evil.test/",
        RETURN_ORIGIN.replace("p.", "\uff50."),
        "https://[::1",
        f"https://[{host}]/",
        "/connected",
        "x",
        f"{RETURN_ORIGIN}/" + "a" * 2048,
        "",
    ):
        with subtests.test(url=invalid[:80]):
            assert_problem(initiate(api, id, returnUrl=invalid), 422, paths=["returnUrl"])
    assert len(states(backend)) == before


@pytest.mark.parameters(AllowedReturnOrigins="")
def test_initiate_rejects_every_return_url_without_allowed_origins(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    assert initiate(api, id).status == 200
    for url in (RETURN_URL, "://", "x:", "//"):
        assert_problem(initiate(api, id, returnUrl=url), 422, paths=["returnUrl"])


def test_initiate_rejects_scopes_beyond_those_of_the_integration(
    api: Api, crm: Provider, subtests: pytest.Subtests
) -> None:
    listed = create_integration(api, crm, scopes=["a", "b", "c"])
    assert authorization_parameters(start_flow(api, listed))["scope"] == "a b c"
    assert authorization_parameters(start_flow(api, listed, scopes=["c", "a", "c"]))["scope"] == "c a"
    assert "scope" not in authorization_parameters(start_flow(api, listed, scopes=[]))
    for beyond in (["d"], ["a", "d"], ["A"], ["a b"], ["a,b"], ["a\nb"], [""], "a", [7], ["a"] * 101):
        with subtests.test(scopes=beyond):
            answer = initiate(api, listed, scopes=beyond)
            assert assert_problem(answer, 422)["detail"].startswith("scopes")
    open_ = create_integration(api, crm, settings={"scopeSeparator": ","})
    assert "scope" not in authorization_parameters(start_flow(api, open_))
    assert authorization_parameters(start_flow(api, open_, scopes=["x", "y"]))["scope"] == "x,y"


def test_initiate_rejects_invalid_connection_name(
    api: Api, crm: Provider, backend: Backend, subtests: pytest.Subtests
) -> None:
    id = create_integration(api, crm)
    for good in ("default", "A", "user_4.shop-1", "con_short", "...", "x" * 64):
        assert initiate(api, id, connectionId=good).status == 200, good
    before = len(states(backend))
    taken = str(ConnectionId.new())
    for bad in ("", "x" * 65, "a/b", "a b", "ä", "a\n", "a%20b", "a#b", taken, ".", "..", 7, None):
        with subtests.test(name=bad):
            answer = initiate(api, id, connectionId=bad)
            assert_problem(answer, 422, paths=["connectionId"])
    assert len(states(backend)) == before


def test_initiate_requires_active_integration(api: Api, crm: Provider, backend: Backend) -> None:
    pending = create_integration(api, crm, settings={"clientSecret": None})
    assert_problem(initiate(api, pending), 409, "integration_inactive", "clientSecret")
    id = create_integration(api, crm)
    for status in ("INACTIVE", "ERROR"):
        api(f"PUT {INTEGRATIONS}/{id}/status", json={"status": status, "statusReason": "maintenance"})
        assert_problem(initiate(api, id), 409, "integration_inactive", status, "maintenance")
    api(f"PUT {INTEGRATIONS}/{id}/status", json={"status": "ACTIVE"})
    assert initiate(api, id).status == 200
    api(f"DELETE {INTEGRATIONS}/{id}")
    assert_problem(initiate(api, id), 404)
    mail = api(f"POST {INTEGRATIONS}", json={"name": "Mail", "type": "CUSTOM"}).json()["id"]
    assert_problem(initiate(api, mail), 409, None, "does not use OAuth")
    assert len(states(backend)) == 1


def test_initiate_counts_against_the_integration_limits(api: Api, crm: Provider, clock: Clock) -> None:
    hourly = create_integration(api, crm, rateLimitPerHour=2, rateLimitPerDay=100)
    daily = create_integration(api, crm, rateLimitPerHour=100, rateLimitPerDay=1)
    for id, limit, window, longest in ((hourly, 2, "hour", 7200), (daily, 1, "day", 2 * 86_400)):
        # A rejected request does not count.
        assert_problem(initiate(api, id, redirectUri="https://evil.test/"), 422, paths=["redirectUri"])
        for _ in range(limit):
            assert initiate(api, id).status == 200
        answer = initiate(api, id)
        assert_problem(answer, 429, "rate_limited", f"limit of {limit}", window)
        assert 1 <= int(answer.headers["retry-after"]) <= longest
    clock.move(2 * 3600)
    assert initiate(api, hourly).status == 200
    assert initiate(api, daily).status == 429


def test_initiate_requires_scope_and_own_workspace(api: Api, crm: Provider, backend: Backend) -> None:
    id = create_integration(api, crm)
    assert_problem(initiate(api, id, token=jwt_for("globex")), 404)
    assert_problem(initiate(api, id, token=jwt_for("acme", role="viewer")), 403, None, "connections:write")
    assert_problem(initiate(api, id, token=None), 401)
    assert initiate(api, id, token=jwt_for("acme", role="member")).status == 200
    for unknown in (IntegrationId.new(), ConnectionId.new(), "int_short", "..", id.lower()):
        assert_problem(initiate(api, unknown), 404)
    assert_problem(initiate(api, id, state="mine"), 422, paths=["state"])
    assert len(states(backend)) == 1


def test_flow_without_pkce_sends_no_verifier(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm, settings={"pkce": False})
    started = start_flow(api, id)
    assert not any(name.startswith("code_challenge") for name in authorization_parameters(started))
    complete_flow(api, started["state"])
    assert "code_verifier" not in crm.token_requests[0]


def test_authorization_url_keeps_its_own_query(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm, settings={"authorizationUrl": f"{crm.base}/a?tenant=4%2F7&x="})
    sent = authorization_parameters(start_flow(api, id))
    assert (sent["tenant"], sent["x"], sent["client_id"]) == ("4/7", "", CLIENT_ID)


@pytest.mark.parametrize(
    ("scopes", "verifier", "sent"),
    [
        ((), None, {"scope": "all", "nonce": "n", "code_challenge": "theirs"}),
        (("a", "b"), None, {"scope": "a b", "nonce": "n", "code_challenge": "theirs"}),
        ((), "v" * 43, {"scope": "all", "nonce": "n", "code_challenge_method": "S256"}),
    ],
)
def test_authorization_url_of_an_older_integration_repeats_no_parameter(
    scopes: tuple[str, ...], verifier: str | None, sent: dict[str, str]
) -> None:
    """Creating an integration rejects such a URL, but an older integration may have one."""
    own = "response_type=token&tenant=4%2F7&State=theirs&scope=all&nonce=n&code_challenge=theirs&request=r"
    oauth = OAuth.model_construct(
        authorization_url=f"https://a.example/a?{own}", token_url="https://a.example/t"
    )
    url = token_endpoint.authorization_url(
        OAuthClient("Acme", oauth, CLIENT_ID, SECRET),
        redirect_uri=REDIRECT_URI,
        scopes=scopes,
        state="ours",
        code_verifier=verifier,
    )
    parameters = authorization_parameters({"authorizationUrl": url})
    if verifier is not None:
        assert parameters.pop("code_challenge") != "theirs"
    assert parameters == {
        **sent,
        "tenant": "4/7",
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "state": "ours",
    }


def test_create_integration_rejects_authorization_url_with_reserved_parameters(
    api: Api, crm: Provider
) -> None:
    fields = config(crm, authorizationUrl=f"{crm.base}/a?tenant=4&response_type=token")
    body = {"name": "CRM", "type": "CUSTOM", "provider": "acme-crm", "config": fields}
    assert_problem(
        api(f"POST {INTEGRATIONS}", json=body), 422, None, "response_type", paths=["config.authorizationUrl"]
    )


# ── callback: the state ──────────────────────────────────────────────────────────────────────────────


def test_state_works_once(api: Api, crm: Provider, backend: Backend) -> None:
    id = create_integration(api, crm)
    state = start_flow(api, id)["state"]
    assert complete_flow(api, state).status == 200
    assert states(backend) == []
    for invalid in (state, state + "=", state[:-1], "", "a" * 43, hashlib.sha256(state.encode()).hexdigest()):
        assert_problem(complete_flow(api, invalid), 422, paths=["state"])
    assert len(crm.token_requests) == 1
    assert connection_count(api, id) == 1


def test_one_of_twenty_concurrent_callbacks_succeeds(
    api: Api, crm: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_at_a_time(monkeypatch)
    id = create_integration(api, crm)
    state = start_flow(api, id)["state"]
    together = threading.Barrier(20)

    def callback(_: int) -> int:
        together.wait()
        return complete_flow(api, state).status

    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(callback, range(20)))
    assert statuses == [200] + [422] * 19
    assert len(crm.token_requests) == 1
    assert connection_count(api, id) == 1


def test_expired_state_is_rejected_although_its_row_exists(
    api: Api, crm: Provider, backend: Backend, clock: Clock
) -> None:
    id = create_integration(api, crm)
    token = jwt_for("acme", claims={"exp": clock.now // 1000 + 7200})
    in_time, late = (start_flow(api, id, returnUrl=RETURN_URL)["state"] for _ in range(2))
    clock.move(599.999)
    assert redirect(api, id, state=late).status == 303
    assert complete_flow(api, in_time, token=token).status == 200
    clock.move(0.001)
    assert len(states(backend)) == 1
    assert_problem(redirect(api, id, state=late), 422, paths=["state"])
    assert_problem(complete_flow(api, late, token=token), 422, paths=["state"])
    assert states(backend) == []
    assert len(crm.token_requests) == 1


def test_state_of_another_principal_is_rejected_and_void(api: Api, crm: Provider, backend: Backend) -> None:
    id = create_integration(api, crm)
    key = api(f"POST {INTEGRATIONS}/api-keys", json={"name": "CI", "scopes": ["connections:write"]}).json()[
        "key"
    ]
    colleague, stranger = jwt_for("acme", claims=COLLEAGUE), jwt_for("globex")
    callers = [(OWNER, colleague), (OWNER, stranger), (OWNER, key), (key, OWNER), (colleague, key)]
    for owner, other in callers:
        state = start_flow(api, id, token=owner)["state"]
        detail = assert_problem(complete_flow(api, state, token=other), 403)["detail"]
        assert "someone" not in detail
        assert states(backend) == []
        assert_problem(complete_flow(api, state, token=owner), 422, paths=["state"])
    assert crm.requests == []
    assert connection_rows(backend) == []
    # The log names the caller, unless the caller belongs to another workspace.
    actors = [actor for action, outcome, actor in activity_log(api, id) if action == "oauth.failed"]
    assert actors[0].startswith("key_")
    assert actors[1] == "user:someone"
    assert actors[2].startswith("key_")
    assert actors[3:] == ["a stranger", "user:colleague"]
    # Each caller can complete its own flow.
    for caller in (OWNER, colleague, key):
        assert complete_flow(api, start_flow(api, id, token=caller)["state"], token=caller).status == 200


def test_unauthorized_callback_does_not_consume_the_state(api: Api, crm: Provider) -> None:
    """The request is rejected before its state is read."""
    state = start_flow(api, create_integration(api, crm))["state"]
    assert_problem(complete_flow(api, state, token=jwt_for("acme", role="viewer")), 403)
    assert_problem(complete_flow(api, state, token="nonsense"), 401)
    assert complete_flow(api, state).status == 200


def test_callback_accepts_a_bounded_number_of_extra_parameters(
    api: Api, crm: Provider, subtests: pytest.Subtests
) -> None:
    id = create_integration(api, crm)
    extra = {f"x_{number}": "y" * 4096 for number in range(30)}
    assert complete_flow(api, start_flow(api, id)["state"], **extra).status == 200
    state = start_flow(api, id)["state"]
    for invalid in (
        {**extra, "one_more": ""},
        {"x": "y" * 4097},
        {"x": 7},
        {"x": None},
        {"x": ["y"]},
        {"x": {"y": "z"}},
        {"iss": 7},
        {"iss": "y" * 4097},
        {"error": "denied"},
        {"error_description": ["x"]},
    ):
        with subtests.test(parameters=str(invalid)[:80]):
            assert_problem(complete_flow(api, state, **invalid), 422)
    for invalid_code in (7, "y" * 4097, ["x"], True, "ünï", "a\r\nb", "\x00"):
        with subtests.test(code=str(invalid_code)[:80]):
            assert_problem(api(CALLBACK, json={"state": state, "code": invalid_code}), 422, paths=["code"])
    assert_problem(complete_flow(api, state, None), 422)
    assert_problem(complete_flow(api, state, ""), 422, paths=["code"])
    assert_problem(api(CALLBACK, json={"code": CODE}), 422, paths=["state"])
    for invalid_state in (7, None, [state], "y" * 4097):
        with subtests.test(state=str(invalid_state)[:80]):
            answer = api(CALLBACK, json={"code": CODE, "state": invalid_state})
            assert_problem(answer, 422, paths=["state"])
    assert len(crm.token_requests) == 1
    assert complete_flow(api, state).status == 200, "an invalid request does not consume the state"


def test_unusual_codes_reach_the_provider_unchanged(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    codes = ["4/0Ab&client_id=evil", "a b+c%20=", " ", "~'\"\\;#?", "y" * 4096]
    for code in codes:
        assert complete_flow(api, start_flow(api, id)["state"], code).status == 200
    assert [sent["code"] for sent in crm.token_requests] == codes
    assert {sent["client_id"] for sent in crm.token_requests} == {CLIENT_ID}


# ── callback: the provider's response ────────────────────────────────────────────────────────────────


def test_provider_error_is_sanitized_and_consumes_the_state(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    state = start_flow(api, id)["state"]
    answer = complete_flow(
        api,
        state,
        None,
        error="access_denied",
        error_description=f"no\r\n\x1b[31m\u202e{SECRET}\u2028" + "x" * 4000,
        error_uri="https://evil.test/",
    )
    detail = assert_problem(answer, 422, "authorization_failed")["detail"]
    assert detail.startswith("acme-crm returned access_denied: no [31m")
    assert SECRET not in detail
    assert detail.isprintable()
    assert len(detail) < 500
    assert is_void(api, state)
    assert activity_details(api, id, "oauth.failed") == [f"default: {detail}"]
    for unusual in ("", "\n", "x" * 4096, "\u202e"):
        answer = complete_flow(api, start_flow(api, id)["state"], None, error=unusual)
        detail = assert_problem(answer, 422, "authorization_failed")["detail"]
        assert detail.isprintable()
        assert len(detail) < 500
    assert crm.requests == []


ISSUER = "https://login.acme-crm.test"


def test_callback_rejects_another_issuer(api: Api, crm: Provider, subtests: pytest.Subtests) -> None:
    """RFC 9207: the mix-up attack, with a provider that is not known to send its issuer."""
    id = create_integration(api, crm, settings={"issuer": ISSUER})
    for wrong in ("https://login.evil.test", f"{ISSUER}/", ISSUER.upper(), "", f"{ISSUER}?", f" {ISSUER}"):
        with subtests.test(iss=wrong):
            state = start_flow(api, id)["state"]
            assert_problem(complete_flow(api, state, iss=wrong), 422, "authorization_failed", "iss")
            assert is_void(api, state)
    state = start_flow(api, id)["state"]
    mixed = complete_flow(
        api, state, None, error="denied", error_description="text of the attacker", iss=wrong
    )
    assert "text of the attacker" not in assert_problem(mixed, 422, "authorization_failed")["detail"]
    assert crm.requests == []
    assert complete_flow(api, start_flow(api, id)["state"], iss=ISSUER).status == 200
    assert complete_flow(api, start_flow(api, id)["state"]).status == 200, "not required"


def test_callback_rejects_issuer_of_another_origin_if_none_is_configured(
    api: Api, crm: Provider, subtests: pytest.Subtests
) -> None:
    id = create_integration(api, crm, settings={"authorizationUrl": "https://login.acme-crm.test/a"})
    for wrong in (
        "https://login.evil.test",
        "http://login.acme-crm.test",
        "https://login.acme-crm.test:8443",
        "https://login.acme-crm.test@evil.test",
        "https://acme-crm.test",
        "login.acme-crm.test",
        "",
    ):
        with subtests.test(iss=wrong):
            state = start_flow(api, id)["state"]
            detail = assert_problem(complete_flow(api, state, iss=wrong), 422, "authorization_failed")[
                "detail"
            ]
            assert "config.issuer" in detail
            assert is_void(api, state)
    mixed = complete_flow(
        api, start_flow(api, id)["state"], None, error="denied", error_description="evil", iss="x"
    )
    assert "evil" not in assert_problem(mixed, 422, "authorization_failed")["detail"]
    assert crm.requests == []
    for right in ("https://login.acme-crm.test/tenant", "https://LOGIN.acme-crm.test:443", crm.base):
        with subtests.test(iss=right):
            assert complete_flow(api, start_flow(api, id)["state"], iss=right).status == 200, right


def test_callback_requires_issuer_if_the_provider_always_sends_it(
    api: Api, crm: Provider, tmp_path: Path
) -> None:
    file = PROVIDER_FILE + f'issuer = "{ISSUER}"\niss_required = true\n'
    with known_provider(tmp_path, crm, "strict-crm", file):
        id = create_known_integration(api, "strict-crm")
        state = start_flow(api, id)["state"]
        assert_problem(complete_flow(api, state), 422, "authorization_failed", "(iss)")
        assert is_void(api, state)
        state = start_flow(api, id)["state"]
        assert_problem(complete_flow(api, state, None, error="access_denied"), 422, "authorization_failed")
        assert is_void(api, state)
        assert_problem(complete_flow(api, start_flow(api, id)["state"], iss="x"), 422, "authorization_failed")
        assert crm.requests == []
        assert complete_flow(api, start_flow(api, id)["state"], iss=ISSUER).status == 200


def test_callback_rejects_addresses_outside_the_provider(
    api: Api, crm: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """Zoho names its data center's host in the callback. A forged one would get code and client secret."""
    file = PROVIDER_FILE.replace(f"{PROVIDER_URL}/t", "{accounts}/t") + (
        '[oauth.callback.accounts]\nparameter = "accounts-server"\n'
        'hosts = ["accounts.crm.test", "*.eu.crm.test"]\ndefault = "https://accounts.crm.test"\n'
    )
    looked_up: list[str] = []

    async def resolver(host: str, _port: int) -> list[str]:
        looked_up.append(host)
        return ["10.0.0.1"]

    monkeypatch.setattr(
        token_endpoint, "_transport", lambda: GuardedTransport(max_bytes=1000, resolver=resolver)
    )
    with known_provider(tmp_path, crm, "zone-crm", file):
        id = create_known_integration(api, "zone-crm")
        for forged in (
            "https://accounts.evil.test",
            "http://accounts.crm.test",
            "https://accounts.crm.test.evil.test",
            "https://accounts.crm.test@evil.test",
            "https://accounts.crm.test:8443",
            "https://accounts.crm.test/x",
            "https://accounts.crm.test//",
            "https://accounts.crm.test?",
            "https://accounts.crm.test#",
            "https://accounts.crm.test\n",
            "https://ACCOUNTS.crm.test",
            "https://.eu.crm.test",
            "https://eu.crm.test",
            "accounts.crm.test",
            "{base}",
            "",
        ):
            with subtests.test(address=forged):
                state = start_flow(api, id)["state"]
                answer = complete_flow(api, state, **{"accounts-server": forged})
                assert_problem(answer, 422, "authorization_failed", "accounts-server")
                assert is_void(api, state)
        assert looked_up == []
        for parameters, host in (
            ({}, "accounts.crm.test"),
            ({"accounts-server": "https://accounts.crm.test/"}, "accounts.crm.test"),
            ({"accounts-server": "https://a.eu.crm.test"}, "a.eu.crm.test"),
            ({"accounts": "https://evil.test"}, "accounts.crm.test"),
        ):
            with subtests.test(parameters=parameters):
                assert_problem(
                    complete_flow(api, start_flow(api, id)["state"], **parameters), 502, "upstream_failed"
                )
                assert looked_up.pop() == host
        assert looked_up == []


# ── callback: concurrent changes ─────────────────────────────────────────────────────────────────────


def test_code_is_not_sent_to_a_client_or_address_changed_since_the_start(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    with provider() as elsewhere:
        for change in (
            {"tokenUrl": f"{elsewhere.base}/t"},
            {"authorizationUrl": f"{elsewhere.base}/a"},
            {"clientId": "another"},
        ):
            state = start_flow(api, id)["state"]
            changed = {"config": change | {"clientSecret": SECRET}}
            assert api(f"PUT {INTEGRATIONS}/{id}", json=changed).status == 200
            assert_problem(complete_flow(api, state), 409, None, "Start a new flow")
            assert is_void(api, state)
            assert api(f"PUT {INTEGRATIONS}/{id}", json={"config": config(crm)}).status == 200
        assert elsewhere.requests == crm.requests == []
        assert complete_flow(api, start_flow(api, id)["state"]).status == 200


def test_change_during_the_exchange_connects_nothing_and_revokes_the_grant(
    api: Api, backend: Backend
) -> None:
    changes: list[Callable[[], Any]] = []

    def slow(_: Request) -> Any:
        changes.pop()()
        return token_answer(1)

    with provider([slow]) as crm, provider() as elsewhere:
        id = create_integration(api, crm)
        moved = {"config": config(elsewhere)}
        for change, status in (
            (lambda: api(f"PUT {INTEGRATIONS}/{id}", json=moved), 409),
            (lambda: api(f"DELETE {INTEGRATIONS}/{id}"), 409),
        ):
            api(f"PUT {INTEGRATIONS}/{id}", json={"config": config(crm)})
            changes.append(change)
            state = start_flow(api, id)["state"]
            assert_problem(complete_flow(api, state), status, "conflict")
            assert is_void(api, state)
            assert connection_rows(backend) == []
        assert elsewhere.requests == []
        assert [sent["token"] for sent in crm.revocations] == ["refresh-1-0a3b"] * 2


def test_callback_requires_an_active_integration(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    state = start_flow(api, id)["state"]
    api(f"PUT {INTEGRATIONS}/{id}/status", json={"status": "INACTIVE"})
    assert_problem(complete_flow(api, state), 409, "integration_inactive")
    api(f"PUT {INTEGRATIONS}/{id}/status", json={"status": "ACTIVE"})
    assert is_void(api, state)
    state = start_flow(api, id)["state"]
    api(f"DELETE {INTEGRATIONS}/{id}")
    assert_problem(complete_flow(api, state), 404)
    assert is_void(api, state)
    assert crm.requests == []


def test_connecting_again_keeps_the_id(api: Api, backend: Backend) -> None:
    first, again = (
        token_answer(1, scope="a b"),
        token_answer(2, refresh_token=None, expires_in=None, scope="b"),
    )
    with provider([first, again]) as crm:
        id = create_integration(api, crm)
        connection = connect(api, id)
        other = connect(api, id, "other")
        renewed = connect(api, id, token=jwt_for("acme", claims=COLLEAGUE))
    assert other["id"] != connection["id"]
    assert renewed["id"] == connection["id"]
    assert renewed["version"] == connection["version"] + 1
    assert (renewed["createdBy"], renewed["createdAt"]) == (connection["createdBy"], connection["createdAt"])
    assert (connection["scopes"], renewed["scopes"]) == (["a", "b"], ["b"])
    assert renewed["expiresAt"] is None, "nothing of the previous connection remains"
    assert connection_count(api, id) == len(connection_rows(backend)) == 2
    assert get_token(api, id).json()["accessToken"] == "access-2-7d1f"
    assert "refresh-1-0a3b" not in json.dumps(connection_rows(backend))
    assert [entry[0] for entry in activity_log(api, id) if entry[0].startswith("connection.")] == [
        "connection.renewed",
        "connection.created",
        "connection.created",
    ]


def test_replaced_grant_is_revoked_only_if_configured(api: Api) -> None:
    """Many providers revoke every grant of the user to the client, including the new one."""
    with provider() as crm:
        id = create_integration(api, crm)
        connect(api, id)
        connect(api, id)
        assert crm.revocations == []
        id = create_integration(api, crm, settings={"revokeReplaced": True})
        connect(api, id)
        assert crm.revocations == []
        connect(api, id)
        assert [sent["token"] for sent in crm.revocations] == ["refresh-3-0a3b"]
        assert get_token(api, id).json()["accessToken"] == "access-4-7d1f"
    assert activity_details(api, id, "connection.revoked") == [
        "default: the replaced grant was revoked at the provider"
    ]


def test_failed_revocation_of_a_replaced_grant_is_logged(api: Api) -> None:
    with provider(revoke=[500]) as crm:
        id = create_integration(api, crm, settings={"revokeReplaced": True})
        connect(api, id)
        assert connect(api, id)["status"] == "ACTIVE"
        assert len(crm.revocations) == 1
    (entry,) = activity_log(api, id)[:1]
    assert entry == ("connection.revoked", "FAILED", "user:someone")


def test_tokens_that_the_provider_issues_again_are_not_revoked(api: Api) -> None:
    same = token_answer(1)
    with provider([same]) as crm:
        id = create_integration(api, crm, settings={"revokeReplaced": True})
        connect(api, id)
        connect(api, id)
        assert crm.revocations == []


def test_two_concurrent_flows_leave_one_consistent_row(api: Api, backend: Backend) -> None:
    def by_code(request: Request) -> Any:
        number = 2 if b"code=second" in request.body else 1
        return token_answer(number, scope=f"s{number}")

    with provider([by_code]) as crm:
        id = create_integration(api, crm)
        for existing in (0, 1):
            one, other = start_flow(api, id), start_flow(api, id)
            answers: list[Answer] = []
            with meanwhile(
                "dynamodb.TransactWriteItems",
                lambda other=other, answers=answers: answers.append(  # type: ignore[misc]
                    complete_flow(api, other["state"], "second")
                ),
            ):
                answers.append(complete_flow(api, one["state"], "first"))
            assert [answer.status for answer in answers] == [200, 200]
            faster, slower = (answer.json() for answer in answers)
            assert faster["id"] == slower["id"]
            assert slower["version"] == faster["version"] + 1
            (row,) = connection_rows(backend)
            assert row["id"] == slower["id"]
            assert connection_count(api, id) == 1, f"with {existing} existing"
            assert get_token(api, id).json()["accessToken"] == "access-1-7d1f"
            assert api(f"GET {INTEGRATIONS}/{id}/connections/default").json() == slower


def test_refresh_in_progress_does_not_overwrite_a_new_grant(api: Api, backend: Backend) -> None:
    started: list[str] = []

    def refresh_meets_a_new_flow(request: Request) -> Any:
        if b"grant_type=refresh_token" in request.body:
            assert complete_flow(api, started.pop(), "second").status == 200
            return token_answer(9)
        return token_answer(2 if b"code=second" in request.body else 1)

    with provider([refresh_meets_a_new_flow]) as crm:
        id = create_integration(api, crm)
        connect(api, id)
        started.append(start_flow(api, id)["state"])
        assert api(f"POST {INTEGRATIONS}/{id}/oauth/refresh", json={}).status == 200
        assert started == []
    assert get_token(api, id).json()["accessToken"] == "access-2-7d1f"
    assert connection_count(api, id) == len(connection_rows(backend)) == 1


def test_connection_deleted_while_it_is_renewed_is_created_again(
    api: Api, crm: Provider, backend: Backend
) -> None:
    id = create_integration(api, crm)
    first, state = connect(api, id), start_flow(api, id)["state"]
    with meanwhile(
        "dynamodb.TransactWriteItems", lambda: api(f"DELETE {INTEGRATIONS}/{id}/connections/default")
    ):
        answer = complete_flow(api, state)
    assert answer.status == 200
    assert answer.json()["id"] != first["id"]
    assert answer.json()["version"] == 1
    assert connection_count(api, id) == len(connection_rows(backend)) == 1
    assert [sent["token"] for sent in crm.revocations] == ["refresh-1-0a3b"]
    assert get_token(api, id).json()["accessToken"] == "access-2-7d1f"


def test_connection_being_removed_cannot_be_connected_again(
    api: Api, crm: Provider, backend: Backend
) -> None:
    """Its grant is not revoked yet. The code is not used, because its tokens could not be stored."""
    id = create_integration(api, crm)
    connect(api, id)
    vault.clear_cache()
    with failing("kms.Decrypt", error=REFUSED):
        assert api(f"DELETE {INTEGRATIONS}/{id}/connections/default").status == 502
    state = start_flow(api, id)["state"]
    assert_problem(complete_flow(api, state), 409, None, "removed")
    assert len(crm.token_requests) == 1
    assert api(f"DELETE {INTEGRATIONS}/{id}/connections/default").status == 200
    assert complete_flow(api, start_flow(api, id)["state"]).status == 200
    assert connection_count(api, id) == 1


def test_callback_that_loses_every_race_revokes_the_new_grant(
    api: Api, crm: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = create_integration(api, crm)
    connect(api, id)
    state = start_flow(api, id)["state"]

    def changed(new: StoredConnection, old: StoredConnection | None, *_: object) -> None:
        raise store.ConnectionChanged(old)

    with monkeypatch.context() as busy:
        busy.setattr(store, "connect", changed)
        assert_problem(complete_flow(api, state), 409)
    assert [sent["token"] for sent in crm.revocations] == ["refresh-2-0a3b"]
    assert get_token(api, id).json()["accessToken"] == "access-1-7d1f"


# ── callback: failures ───────────────────────────────────────────────────────────────────────────────


def test_callback_that_dies_leaves_a_whole_connection_or_none(
    api: Api, crm: Provider, backend: Backend
) -> None:
    id = create_integration(api, crm)
    started = start_flow(api, id, connectionId="whole")
    vault.clear_cache()
    backend.calls.clear()
    assert complete_flow(api, started["state"]).status == 200
    operations = list(backend.calls.made)
    assert {"dynamodb.DeleteItem", "kms.Decrypt", "dynamodb.TransactWriteItems"} <= set(operations)
    connected = 1
    for index, operation in enumerate(operations):
        for after in (False, True):
            name = f"at-{index}-{after}"
            state = start_flow(api, id, connectionId=name)["state"]
            vault.clear_cache()
            requests_before = len(crm.token_requests)
            with killed(operation, at=operations[: index + 1].count(operation), after=after):
                complete_flow(api, state)
            shown = api(f"GET {INTEGRATIONS}/{id}/connections/{name}")
            requests = len(crm.token_requests) - requests_before
            committed = operation == "dynamodb.TransactWriteItems" and after
            assert shown.status == (200 if committed else 404), (operation, index, after)
            if shown.status == 200:
                connected += 1
                assert get_token(api, id, name).status == 200
            again = complete_flow(api, state)
            consumed = operations.index("dynamodb.DeleteItem")
            if index < consumed or (index == consumed and not after):
                # The process died before it consumed the state, so nothing has happened.
                assert (again.status, requests) == (200, 0)
                connected += 1
            else:
                assert_problem(again, 422, paths=["state"])
                assert requests <= 1
            assert connection_count(api, id) == len(connection_rows(backend)) == connected


def test_code_is_not_used_if_the_encryption_key_is_unavailable(
    api: Api, crm: Provider, backend: Backend
) -> None:
    id = create_integration(api, crm)
    for error, status in ((REFUSED, 502), (THROTTLED, 429)):
        state = start_flow(api, id)["state"]
        vault.clear_cache()
        with failing("kms.Decrypt", error=error):
            answer = complete_flow(api, state)
        assert answer.status == status
        assert SECRET not in answer.text
        assert is_void(api, state)
    # Without a secret and a verifier to decrypt, only the tokens need the key.
    public = create_integration(
        api, crm, settings={"clientAuth": "none", "clientSecret": None, "pkce": False}
    )
    state = start_flow(api, public)["state"]
    vault.clear_cache()
    with failing("kms.Decrypt", error=REFUSED):
        assert_problem(complete_flow(api, state), 502, "upstream_failed")
    assert crm.requests == []
    assert connection_rows(backend) == []
    assert complete_flow(api, start_flow(api, id)["state"]).status == 200


def test_write_whose_response_is_lost_connects_once(api: Api, crm: Provider, backend: Backend) -> None:
    id = create_integration(api, crm)
    state = start_flow(api, id)["state"]
    with failing("dynamodb.TransactWriteItems", lost=True, tries=1):
        answer = complete_flow(api, state)
    assert answer.status == 200
    assert connection_count(api, id) == len(connection_rows(backend)) == len(crm.token_requests) == 1
    assert get_token(api, id).status == 200
    state = start_flow(api, id)["state"]
    with failing("dynamodb.TransactWriteItems", error=REFUSED):
        assert complete_flow(api, state).status == 500
    assert is_void(api, state)
    assert get_token(api, id).json()["accessToken"] == "access-1-7d1f", "the previous connection is unchanged"


def test_failed_callback_is_logged_in_the_activity_log(api: Api) -> None:
    with provider(
        [json_answer({"error": "invalid_grant", "error_description": "code expired"}, 400), 500]
    ) as crm:
        id = create_integration(api, crm)
        assert_problem(complete_flow(api, start_flow(api, id)["state"]), 422, "authorization_failed")
        assert_problem(complete_flow(api, start_flow(api, id)["state"]), 502, "upstream_failed")
    upstream, refusal = activity_details(api, id, "oauth.failed")
    assert "HTTP 500" in upstream
    assert "invalid_grant: code expired" in refusal


# ── the provider's redirect to Patchbay ──────────────────────────────────────────────────────────────


def redirect(api: Api, id: str, query: str = "", /, *, token: str | None = None, **parameters: str) -> Answer:
    """Send a request as a browser does after the provider's redirect: without credentials."""
    pairs = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters.items())
    return api(f"GET {INTEGRATIONS}/{id}/oauth/callback?{query or pairs}", token=token)


def test_redirect_forwards_parameters_and_consumes_nothing(api: Api, crm: Provider, backend: Backend) -> None:
    id = create_integration(api, crm)
    state = start_flow(api, id, returnUrl=RETURN_URL)["state"]
    before = states(backend)
    for _ in range(3):
        answer = redirect(
            api, id, state=state, code="4/0A b&c=d#e", iss=ISSUER, scope="a b", hd="x", evil="y"
        )
        assert answer.status == 303
        assert answer.text == ""
        location, _, fragment = answer.headers["location"].partition("#")
        assert location == RETURN_URL
        assert dict(parse_qsl(fragment)) == {
            "state": state,
            "code": "4/0A b&c=d#e",
            "iss": ISSUER,
            "scope": "a b",
        }
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not any(name.startswith("access-control-") for name in answer.headers)
    denied = redirect(
        api, id, state=state, error="access_denied", error_description="a\r\nb", error_uri="https://e"
    )
    assert dict(parse_qsl(denied.headers["location"].partition("#")[2])) == {
        "state": state,
        "error": "access_denied",
        "error_description": "a\r\nb",
        "error_uri": "https://e",
    }
    assert states(backend) == before
    assert crm.requests == []
    assert connection_rows(backend) == []
    assert [entry[0] for entry in activity_log(api, id)] == ["oauth.initiated", "integration.created"]
    assert complete_flow(api, state).status == 200
    assert_problem(redirect(api, id, state=state), 422, paths=["state"])


def test_redirect_leads_only_to_the_return_url(api: Api, crm: Provider, subtests: pytest.Subtests) -> None:
    id = create_integration(api, crm)
    state = start_flow(api, id, returnUrl=RETURN_URL)["state"]
    for query in (
        "returnUrl=https://evil.test",
        "return_url=//evil.test&redirect_uri=https://evil.test&next=https://evil.test",
        "code=%0d%0aset-cookie:%20sid=1",
        "code=%0d%0alocation:%20https://evil.test",
        "error=%23%2F%2Fevil.test&error_description=%3Cscript%3E",
        "code=%F0%9F%92%A9%ff%00",
        "code=" + "x" * 9000,
        "scope=a&scope=b",
        "code",
        "%0d%0ax=y&=&&&;",
    ):
        with subtests.test(query=query[:80]):
            answer = redirect(api, id, f"{query}&state={state}")
            assert answer.status == 303, answer.text
            location = answer.headers["location"]
            assert location.startswith(f"{RETURN_URL}#")
            assert re.fullmatch(r"[!-~]+", location)
            assert location.count("#") == 1
            assert len(location) < 5000
            fragment = dict(parse_qsl(location.partition("#")[2], keep_blank_values=True))
            assert fragment.keys() <= {"code", "state", "error", "error_description", "scope"}
            assert not any(name.startswith("set-cookie") for name in answer.headers)
    assert_problem(redirect(api, id, f"state={state}&state={state}"), 422, paths=["state"])


def test_redirect_rejects_return_url_that_is_no_longer_allowed(
    api: Api, crm: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = create_integration(api, crm)
    state = start_flow(api, id, returnUrl=RETURN_URL)["state"]
    monkeypatch.setenv("ALLOWED_RETURN_ORIGINS", "https://new.platform.test")
    settings.cache_clear()
    assert_problem(redirect(api, id, state=state), 422, paths=["returnUrl"])


def test_redirect_rejects_states_of_other_integrations(api: Api, crm: Provider) -> None:
    id, other = create_integration(api, crm), create_integration(api, crm)
    state = start_flow(api, id, returnUrl=RETURN_URL)["state"]
    foreign = create_integration(api, crm, token=jwt_for("globex"))
    for elsewhere in (other, foreign, str(IntegrationId.new()), "int_x"):
        answer = redirect(api, elsewhere, state=state)
        assert_problem(answer, 404)
        assert "location" not in answer.headers
    for invalid in ({}, {"state": ""}, {"state": "x" * 5000}, {"state": "\x00"}):
        assert_problem(redirect(api, id, **invalid), 422, paths=["state"])
    without = start_flow(api, id)["state"]
    assert_problem(redirect(api, id, state=without), 422, paths=["state"])
    assert redirect(api, id, state=state, token="nonsense").status == 303
    assert complete_flow(api, without).status == 200


def test_redirect_forwards_known_parameters_of_the_provider(api: Api, crm: Provider, tmp_path: Path) -> None:
    file = PROVIDER_FILE + (
        '[oauth.callback.accounts]\nparameter = "accounts-server"\n'
        'hosts = ["accounts.crm.test"]\ndefault = "https://accounts.crm.test"\n'
    )
    with known_provider(tmp_path, crm, "zone-crm", file):
        id = create_known_integration(api, "zone-crm")
        state = start_flow(api, id, returnUrl=RETURN_URL)["state"]
        answer = redirect(
            api, id, **{"state": state, "accounts-server": "https://evil.test", "location": "eu"}
        )
        fragment = dict(parse_qsl(urlsplit(answer.headers["location"]).fragment))
        assert fragment == {"state": state, "accounts-server": "https://evil.test"}
        # The parameter is forwarded unchanged, but completing the flow with it fails.
        assert_problem(
            complete_flow(api, state, **{"accounts-server": "https://evil.test"}), 422, "authorization_failed"
        )
