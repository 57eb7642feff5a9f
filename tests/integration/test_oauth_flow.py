"""The authorization code flow against a provider on loopback, and against people who cheat.

Promise 5: a state works once, for 10 minutes, for the principal that began it.
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
from patchbay.oauth import token_endpoint
from patchbay.outbound.transport import GuardedTransport
from patchbay.providers.provider import OAuth
from patchbay.settings import settings
from tests.conftest import OWNER, REDIRECT_URI, RETURN_ORIGIN, Answer, Api, Backend, jwt_for
from tests.faults import REFUSED, THROTTLED, Clock, failing, killed, meanwhile, one_at_a_time
from tests.integration.oauth_fakes import (
    CALLBACK,
    CLIENT_ID,
    CODE,
    HOME,
    INTEGRATIONS,
    PROVIDER_FILE,
    SECRET,
    Provider,
    asked,
    begin,
    bring_back,
    config,
    connect,
    count,
    details,
    initiate,
    integrate,
    integrate_known,
    known_provider,
    log,
    provider,
    refused,
    rows,
    says,
    token_of,
    tokens,
)
from tests.receivers import Request

RETURN_URL = f"{RETURN_ORIGIN}/connected?tab=2"
COLLEAGUE = {"sub": "colleague"}


@pytest.fixture
def crm() -> Iterator[Provider]:
    with provider() as made:
        yield made


def states(backend: Backend) -> list[dict[str, Any]]:
    return backend.rows("OAuthStatesTable")


def is_void(api: Api, state: str, token: str = OWNER) -> bool:
    """Whether a state is good for nothing any more."""
    answer = bring_back(api, state, token=token)
    return answer.status == 422 and answer.json()["errors"][0]["path"] == "state"


# ── initiate ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_whole_flow_proves_who_asks_by_pkce(api: Api, crm: Provider, clock: Clock) -> None:
    id = integrate(api, crm, scopes=["contacts.read", "deals:write"])
    begun = begin(api, id)
    assert begun.keys() == {"authorizationUrl", "state", "expiresAt"}
    assert begun["authorizationUrl"].startswith(f"{crm.base}/a?")
    challenge = asked(begun)["code_challenge"]
    assert asked(begun) == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "scope": "contacts.read deals:write",
        "state": begun["state"],
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    answer = bring_back(api, begun["state"])
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
    made = answer.json()
    assert made == {
        "id": ConnectionId.parse(made["id"]),
        "connectionId": "default",
        "integrationId": id,
        "provider": "acme-crm",
        "status": "ACTIVE",
        "authType": "OAUTH2",
        "scopes": ["contacts.read", "deals:write"],
        "account": {"id": None, "label": None},
        "expiresAt": made["expiresAt"],
        "lastRefreshedAt": None,
        "lastError": None,
        "metadata": {},
        "createdBy": "user:someone",
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
        "version": 1,
    }
    assert api(f"GET {INTEGRATIONS}/{id}/connections/default").json() == made
    assert token_of(api, id).json()["accessToken"] == "access-1-7d1f"
    assert [entry[:2] for entry in log(api, id)] == [
        ("token.issued", "SUCCEEDED"),
        ("connection.created", "SUCCEEDED"),
        ("oauth.initiated", "SUCCEEDED"),
        ("integration.created", "SUCCEEDED"),
    ]


@pytest.fixture
def clock(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_state_is_kept_as_its_hash_and_the_verifier_under_the_vault(
    api: Api, crm: Provider, backend: Backend, clock: Clock
) -> None:
    id = integrate(api, crm)
    begun = [begin(api, id) for _ in range(2)]
    kept = {row["id"]: row for row in states(backend)}
    raw = json.dumps(list(kept.values()))
    for each in begun:
        assert len(base64.urlsafe_b64decode(each["state"] + "=")) * 8 >= 256
        row = kept[hashlib.sha256(each["state"].encode()).hexdigest()]
        assert row["ttl"] == (clock.now + 600_000) // 1000
        assert row["verifier"].startswith("v1.")
        assert each["state"] not in raw
        bring_back(api, each["state"])
    first, second = crm.token_requests
    assert first["code_verifier"] != second["code_verifier"]
    for sent in (first, second):
        assert sent["code_verifier"] not in raw
        assert base64.b64encode(sent["code_verifier"].encode()).decode() not in raw


def test_a_verifier_moved_to_another_state_does_not_open(api: Api, crm: Provider, backend: Backend) -> None:
    id = integrate(api, crm)
    one, other = begin(api, id), begin(api, id)
    by_state = {row["id"]: row for row in states(backend)}
    of_one, of_other = (by_state[hashlib.sha256(each["state"].encode()).hexdigest()] for each in (one, other))
    from patchbay.storage import dynamo

    dynamo.put(settings().oauth_states_table, {**of_one, "verifier": of_other["verifier"]})
    answer = bring_back(api, one["state"])
    assert answer.status == 500
    assert "does not open" in answer.json()["detail"]
    assert crm.token_requests == []


def test_a_redirect_uri_is_registered_to_the_letter(api: Api, crm: Provider, backend: Backend) -> None:
    id = integrate(api, crm)
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
        refused(initiate(api, id, redirectUri=uri), 422, "validation_failed", "redirectUri")
    for odd in ("", None, 7, [REDIRECT_URI], "https://" + "a" * 2048):
        refused(initiate(api, id, redirectUri=odd), 422, "validation_failed", "redirectUri")
    assert states(backend) == []
    assert [entry[0] for entry in log(api, id)] == ["integration.created"]


def test_an_integrations_own_redirect_uris_replace_the_parameter(api: Api, crm: Provider) -> None:
    own = "https://own.platform.test/back"
    id = integrate(api, crm, settings={"redirectUris": [own]})
    assert asked(begin(api, id, redirectUri=own))["redirect_uri"] == own
    detail = refused(initiate(api, id), 422, "validation_failed", "redirectUri")
    assert "config.redirectUris" in detail
    other = integrate(api, crm)
    refused(initiate(api, other, redirectUri=own), 422, "validation_failed", "redirectUri")
    begun = begin(api, id, redirectUri=own)
    bring_back(api, begun["state"])
    assert crm.token_requests[0]["redirect_uri"] == own, "the same as the user was sent with"


def test_a_return_url_stays_at_an_allowed_origin(api: Api, crm: Provider, backend: Backend) -> None:
    id = integrate(api, crm)
    for url in (RETURN_ORIGIN, RETURN_URL, f"{RETURN_ORIGIN}/a/b?c=%0A", f"{RETURN_ORIGIN}?next=//evil.test"):
        assert initiate(api, id, returnUrl=url).status == 200, url
    before = len(states(backend))
    host = RETURN_ORIGIN.removeprefix("https://")
    for url in (
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
        refused(initiate(api, id, returnUrl=url), 422, "validation_failed", "returnUrl")
    assert len(states(backend)) == before


@pytest.mark.parameters(AllowedReturnOrigins="")
def test_without_allowed_origins_there_is_no_return_url(api: Api, crm: Provider) -> None:
    id = integrate(api, crm)
    assert initiate(api, id).status == 200
    for url in (RETURN_URL, "://", "x:", "//"):
        refused(initiate(api, id, returnUrl=url), 422, "validation_failed", "returnUrl")


def test_scopes_are_at_most_those_of_the_integration(api: Api, crm: Provider) -> None:
    listed = integrate(api, crm, scopes=["a", "b", "c"])
    assert asked(begin(api, listed))["scope"] == "a b c"
    assert asked(begin(api, listed, scopes=["c", "a", "c"]))["scope"] == "c a"
    assert "scope" not in asked(begin(api, listed, scopes=[]))
    for beyond in (["d"], ["a", "d"], ["A"], ["a b"], ["a,b"], ["a\nb"], [""], "a", [7], ["a"] * 101):
        answer = initiate(api, listed, scopes=beyond)
        assert refused(answer, 422, "validation_failed").startswith("scopes")
    open_ = integrate(api, crm, settings={"scopeSeparator": ","})
    assert "scope" not in asked(begin(api, open_))
    assert asked(begin(api, open_, scopes=["x", "y"]))["scope"] == "x,y"


def test_a_connection_is_named_so_that_a_path_can_name_it(api: Api, crm: Provider, backend: Backend) -> None:
    id = integrate(api, crm)
    for good in ("default", "A", "user_4.shop-1", "con_short", "...", "x" * 64):
        assert initiate(api, id, connectionId=good).status == 200, good
    before = len(states(backend))
    taken = str(ConnectionId.new())
    for bad in ("", "x" * 65, "a/b", "a b", "ä", "a\n", "a%20b", "a#b", taken, ".", "..", 7, None):
        answer = initiate(api, id, connectionId=bad)
        refused(answer, 422, "validation_failed", "connectionId")
    assert len(states(backend)) == before


def test_only_an_active_integration_begins_flows(api: Api, crm: Provider, backend: Backend) -> None:
    pending = integrate(api, crm, settings={"clientSecret": None})
    assert "clientSecret" in refused(initiate(api, pending), 409, "integration_inactive")
    id = integrate(api, crm)
    for status in ("INACTIVE", "ERROR"):
        api(f"PUT {INTEGRATIONS}/{id}/status", json={"status": status, "reason": "moving house"})
        detail = refused(initiate(api, id), 409, "integration_inactive")
        assert status in detail
        assert "moving house" in detail
    api(f"PUT {INTEGRATIONS}/{id}/status", json={"status": "ACTIVE"})
    assert initiate(api, id).status == 200
    api(f"DELETE {INTEGRATIONS}/{id}")
    refused(initiate(api, id), 404, "not_found")
    keys = api(f"POST {INTEGRATIONS}", json={"name": "Mail", "type": "CUSTOM"}).json()["id"]
    assert "not one for OAuth" in refused(initiate(api, keys), 409, "conflict")
    assert len(states(backend)) == 1


def test_an_integrations_limits_are_counted_and_named(api: Api, crm: Provider, clock: Clock) -> None:
    hourly = integrate(api, crm, rateLimitPerHour=2, rateLimitPerDay=100)
    daily = integrate(api, crm, rateLimitPerHour=100, rateLimitPerDay=1)
    for id, most, name, longest in ((hourly, 2, "hour", 7200), (daily, 1, "day", 2 * 86_400)):
        # What is refused for itself counts as no use.
        refused(initiate(api, id, redirectUri="https://evil.test/"), 422, "validation_failed", "redirectUri")
        for _ in range(most):
            assert initiate(api, id).status == 200
        answer = initiate(api, id)
        detail = refused(answer, 429, "rate_limited")
        assert f"limit of {most}" in detail
        assert name in detail
        assert 1 <= int(answer.headers["retry-after"]) <= longest
    clock.move(2 * 3600)
    assert initiate(api, hourly).status == 200
    assert initiate(api, daily).status == 429


def test_who_may_begin_a_flow(api: Api, crm: Provider, backend: Backend) -> None:
    id = integrate(api, crm)
    refused(initiate(api, id, token=jwt_for("globex")), 404, "not_found")
    assert "connections:write" in refused(
        initiate(api, id, token=jwt_for("acme", role="viewer")), 403, "forbidden"
    )
    refused(initiate(api, id, token=None), 401, "unauthenticated")
    assert initiate(api, id, token=jwt_for("acme", role="member")).status == 200
    for nothing in (IntegrationId.new(), ConnectionId.new(), "int_short", "..", id.lower()):
        refused(initiate(api, nothing), 404, "not_found")
    refused(initiate(api, id, state="mine"), 422, "validation_failed", "state")
    assert len(states(backend)) == 1


def test_a_flow_without_pkce_sends_no_verifier(api: Api, crm: Provider) -> None:
    id = integrate(api, crm, settings={"pkce": False})
    begun = begin(api, id)
    assert not any(name.startswith("code_challenge") for name in asked(begun))
    bring_back(api, begun["state"])
    assert "code_verifier" not in crm.token_requests[0]


def test_an_authorization_url_keeps_its_own_query(api: Api, crm: Provider) -> None:
    id = integrate(api, crm, settings={"authorizationUrl": f"{crm.base}/a?tenant=4%2F7&x="})
    sent = asked(begin(api, id))
    assert (sent["tenant"], sent["x"], sent["client_id"]) == ("4/7", "", CLIENT_ID)


@pytest.mark.parametrize(
    ("scopes", "verifier", "sent"),
    [
        ((), None, {"scope": "all", "nonce": "n", "code_challenge": "theirs"}),
        (("a", "b"), None, {"scope": "a b", "nonce": "n", "code_challenge": "theirs"}),
        ((), "v" * 43, {"scope": "all", "nonce": "n", "code_challenge_method": "S256"}),
    ],
)
def test_an_authorization_url_of_before_sends_nothing_twice(
    scopes: tuple[str, ...], verifier: str | None, sent: dict[str, str]
) -> None:
    """Registering refuses such an address; an integration may have had it before it did."""
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
    parameters = asked({"authorizationUrl": url})
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


def test_an_authorization_url_with_what_we_send_is_refused(api: Api, crm: Provider) -> None:
    own = config(crm, authorizationUrl=f"{crm.base}/a?tenant=4&response_type=token")
    body = {"name": "CRM", "type": "CUSTOM", "provider": "acme-crm", "config": own}
    detail = refused(
        api(f"POST {INTEGRATIONS}", json=body), 422, "validation_failed", "config.authorizationUrl"
    )
    assert "response_type" in detail


# ── callback: who, when and how often ────────────────────────────────────────────────────────────────


def test_a_state_works_once(api: Api, crm: Provider, backend: Backend) -> None:
    id = integrate(api, crm)
    state = begin(api, id)["state"]
    assert bring_back(api, state).status == 200
    assert states(backend) == []
    for made_up in (state, state + "=", state[:-1], "", "a" * 43, hashlib.sha256(state.encode()).hexdigest()):
        refused(bring_back(api, made_up), 422, "validation_failed", "state")
    assert len(crm.token_requests) == 1
    assert count(api, id) == 1


def test_of_twenty_callbacks_at_once_one_wins(
    api: Api, crm: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_at_a_time(monkeypatch)
    id = integrate(api, crm)
    state = begin(api, id)["state"]
    together = threading.Barrier(20)

    def callback(_: int) -> int:
        together.wait()
        return bring_back(api, state).status

    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(callback, range(20)))
    assert statuses == [200] + [422] * 19
    assert len(crm.token_requests) == 1
    assert count(api, id) == 1


def test_a_state_ends_by_the_clock_though_its_row_lies_there(
    api: Api, crm: Provider, backend: Backend, clock: Clock
) -> None:
    id = integrate(api, crm)
    token = jwt_for("acme", claims={"exp": clock.now // 1000 + 7200})
    in_time, late = (begin(api, id, returnUrl=RETURN_URL)["state"] for _ in range(2))
    clock.move(599.999)
    assert redirect(api, id, state=late).status == 303
    assert bring_back(api, in_time, token=token).status == 200
    clock.move(0.001)
    assert len(states(backend)) == 1
    refused(redirect(api, id, state=late), 422, "validation_failed", "state")
    refused(bring_back(api, late, token=token), 422, "validation_failed", "state")
    assert states(backend) == []
    assert len(crm.token_requests) == 1


def test_another_than_who_began_it_burns_the_state_and_gets_nothing(
    api: Api, crm: Provider, backend: Backend
) -> None:
    id = integrate(api, crm)
    key = api(f"POST {INTEGRATIONS}/api-keys", json={"name": "CI", "scopes": ["connections:write"]}).json()[
        "key"
    ]
    colleague, stranger = jwt_for("acme", claims=COLLEAGUE), jwt_for("globex")
    thieves = [(OWNER, colleague), (OWNER, stranger), (OWNER, key), (key, OWNER), (colleague, key)]
    for rightful, thief in thieves:
        state = begin(api, id, token=rightful)["state"]
        detail = refused(bring_back(api, state, token=thief), 403, "forbidden")
        assert "someone" not in detail
        assert states(backend) == []
        refused(bring_back(api, state, token=rightful), 422, "validation_failed", "state")
    assert crm.requests == []
    assert rows(backend) == []
    # The log says who, but of no other workspace.
    actors = [actor for action, outcome, actor in log(api, id) if action == "oauth.failed"]
    assert actors[0].startswith("key_")
    assert actors[1] == "user:someone"
    assert actors[2].startswith("key_")
    assert actors[3:] == ["a stranger", "user:colleague"]
    # Each of them may finish what they began.
    for who in (OWNER, colleague, key):
        assert bring_back(api, begin(api, id, token=who)["state"], token=who).status == 200


def test_who_may_not_connect_burns_no_state(api: Api, crm: Provider) -> None:
    """Who gets no further than the door has not brought the state back."""
    state = begin(api, integrate(api, crm))["state"]
    refused(bring_back(api, state, token=jwt_for("acme", role="viewer")), 403, "forbidden")
    refused(bring_back(api, state, token="nonsense"), 401, "unauthenticated")
    assert bring_back(api, state).status == 200


def test_what_the_provider_adds_is_taken_and_bounded(api: Api, crm: Provider) -> None:
    id = integrate(api, crm)
    extra = {f"x_{number}": "y" * 4096 for number in range(30)}
    assert bring_back(api, begin(api, id)["state"], **extra).status == 200
    state = begin(api, id)["state"]
    for wrong in (
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
        refused(bring_back(api, state, **wrong), 422, "validation_failed")
    for wrong_code in (7, "y" * 4097, ["x"], True, "ünï", "a\r\nb", "\x00"):
        refused(api(CALLBACK, json={"state": state, "code": wrong_code}), 422, "validation_failed", "code")
    refused(bring_back(api, state, None), 422, "validation_failed")
    refused(bring_back(api, state, ""), 422, "validation_failed", "code")
    refused(api(CALLBACK, json={"code": CODE}), 422, "validation_failed", "state")
    for wrong_state in (7, None, [state], "y" * 4097):
        answer = api(CALLBACK, json={"code": CODE, "state": wrong_state})
        refused(answer, 422, "validation_failed", "state")
    assert len(crm.token_requests) == 1
    assert bring_back(api, state).status == 200, "what could not be read has used up nothing"


def test_odd_codes_reach_the_provider_as_they_are(api: Api, crm: Provider) -> None:
    id = integrate(api, crm)
    codes = ["4/0Ab&client_id=evil", "a b+c%20=", " ", "~'\"\\;#?", "y" * 4096]
    for code in codes:
        assert bring_back(api, begin(api, id)["state"], code).status == 200
    assert [sent["code"] for sent in crm.token_requests] == codes
    assert {sent["client_id"] for sent in crm.token_requests} == {CLIENT_ID}


# ── callback: what the provider says ─────────────────────────────────────────────────────────────────


def test_a_providers_no_is_shown_cleaned_and_uses_the_state_up(api: Api, crm: Provider) -> None:
    id = integrate(api, crm)
    state = begin(api, id)["state"]
    answer = bring_back(
        api,
        state,
        None,
        error="access_denied",
        error_description=f"no\r\n\x1b[31m\u202e{SECRET}\u2028" + "x" * 4000,
        error_uri="https://evil.test/",
    )
    detail = refused(answer, 422, "authorization_failed")
    assert detail.startswith("acme-crm answered access_denied: no [31m")
    assert SECRET not in detail
    assert detail.isprintable()
    assert len(detail) < 500
    assert is_void(api, state)
    assert details(api, id, "oauth.failed") == [f"default: {detail}"]
    for odd in ("", "\n", "x" * 4096, "\u202e"):
        answer = bring_back(api, begin(api, id)["state"], None, error=odd)
        detail = refused(answer, 422, "authorization_failed")
        assert detail.isprintable()
        assert len(detail) < 500
    assert crm.requests == []


ISSUER = "https://login.acme-crm.test"


def test_an_answer_of_another_server_is_refused(api: Api, crm: Provider) -> None:
    """RFC 9207: the mix-up attack, when the provider is not known to say who it is."""
    id = integrate(api, crm, settings={"issuer": ISSUER})
    for wrong in ("https://login.evil.test", f"{ISSUER}/", ISSUER.upper(), "", f"{ISSUER}?", f" {ISSUER}"):
        state = begin(api, id)["state"]
        assert "iss" in refused(bring_back(api, state, iss=wrong), 422, "authorization_failed")
        assert is_void(api, state)
    state = begin(api, id)["state"]
    mixed = bring_back(api, state, None, error="denied", error_description="words of evil", iss=wrong)
    assert "words of evil" not in refused(mixed, 422, "authorization_failed")
    assert crm.requests == []
    assert bring_back(api, begin(api, id)["state"], iss=ISSUER).status == 200
    assert bring_back(api, begin(api, id)["state"]).status == 200, "not required"


def test_without_an_issuer_an_answer_of_another_origin_is_refused(api: Api, crm: Provider) -> None:
    id = integrate(api, crm, settings={"authorizationUrl": "https://login.acme-crm.test/a"})
    for wrong in (
        "https://login.evil.test",
        "http://login.acme-crm.test",
        "https://login.acme-crm.test:8443",
        "https://login.acme-crm.test@evil.test",
        "https://acme-crm.test",
        "login.acme-crm.test",
        "",
    ):
        state = begin(api, id)["state"]
        detail = refused(bring_back(api, state, iss=wrong), 422, "authorization_failed")
        assert "config.issuer" in detail
        assert is_void(api, state)
    mixed = bring_back(api, begin(api, id)["state"], None, error="denied", error_description="evil", iss="x")
    assert "evil" not in refused(mixed, 422, "authorization_failed")
    assert crm.requests == []
    for right in ("https://login.acme-crm.test/tenant", "https://LOGIN.acme-crm.test:443", crm.base):
        assert bring_back(api, begin(api, id)["state"], iss=right).status == 200, right


def test_an_answer_must_name_its_server_where_the_provider_always_does(
    api: Api, crm: Provider, tmp_path: Path
) -> None:
    file = PROVIDER_FILE + f'issuer = "{ISSUER}"\niss_required = true\n'
    with known_provider(tmp_path, crm, "strict-crm", file):
        id = integrate_known(api, "strict-crm")
        state = begin(api, id)["state"]
        assert "(iss)" in refused(bring_back(api, state), 422, "authorization_failed")
        assert is_void(api, state)
        state = begin(api, id)["state"]
        refused(bring_back(api, state, None, error="access_denied"), 422, "authorization_failed")
        assert is_void(api, state)
        refused(bring_back(api, begin(api, id)["state"], iss="x"), 422, "authorization_failed")
        assert crm.requests == []
        assert bring_back(api, begin(api, id)["state"], iss=ISSUER).status == 200


def test_a_callback_names_an_address_of_the_providers_own_or_none(
    api: Api, crm: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zoho names its data centre's host in the callback; a forged one would get code and client secret."""
    file = PROVIDER_FILE.replace(f"{HOME}/t", "{accounts}/t") + (
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
        id = integrate_known(api, "zone-crm")
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
            state = begin(api, id)["state"]
            answer = bring_back(api, state, **{"accounts-server": forged})
            assert "accounts-server" in refused(answer, 422, "authorization_failed")
            assert is_void(api, state)
        assert looked_up == []
        for named, host in (
            ({}, "accounts.crm.test"),
            ({"accounts-server": "https://accounts.crm.test/"}, "accounts.crm.test"),
            ({"accounts-server": "https://a.eu.crm.test"}, "a.eu.crm.test"),
            ({"accounts": "https://evil.test"}, "accounts.crm.test"),
        ):
            refused(bring_back(api, begin(api, id)["state"], **named), 502, "upstream_failed")
            assert looked_up.pop() == host
        assert looked_up == []


# ── callback: what changes meanwhile ─────────────────────────────────────────────────────────────────


def test_a_code_never_goes_to_a_client_or_address_that_came_later(api: Api, crm: Provider) -> None:
    id = integrate(api, crm)
    with provider() as elsewhere:
        for change in (
            {"tokenUrl": f"{elsewhere.base}/t"},
            {"authorizationUrl": f"{elsewhere.base}/a"},
            {"clientId": "another"},
        ):
            state = begin(api, id)["state"]
            changed = {"config": change | {"clientSecret": SECRET}}
            assert api(f"PUT {INTEGRATIONS}/{id}", json=changed).status == 200
            assert "Begin anew" in refused(bring_back(api, state), 409, "conflict")
            assert is_void(api, state)
            assert api(f"PUT {INTEGRATIONS}/{id}", json={"config": config(crm)}).status == 200
        assert elsewhere.requests == crm.requests == []
        assert bring_back(api, begin(api, id)["state"]).status == 200


def test_a_change_during_the_exchange_connects_nothing_and_gives_the_grant_back(
    api: Api, backend: Backend
) -> None:
    changes: list[Callable[[], Any]] = []

    def slow(_: Request) -> Any:
        changes.pop()()
        return tokens(1)

    with provider([slow]) as crm, provider() as elsewhere:
        id = integrate(api, crm)
        moved = {"config": config(elsewhere)}
        for change, status in (
            (lambda: api(f"PUT {INTEGRATIONS}/{id}", json=moved), 409),
            (lambda: api(f"DELETE {INTEGRATIONS}/{id}"), 409),
        ):
            api(f"PUT {INTEGRATIONS}/{id}", json={"config": config(crm)})
            changes.append(change)
            state = begin(api, id)["state"]
            refused(bring_back(api, state), status, "conflict")
            assert is_void(api, state)
            assert rows(backend) == []
        assert elsewhere.requests == []
        assert [sent["token"] for sent in crm.revocations] == ["refresh-1-0a3b"] * 2


def test_an_integration_deleted_or_paused_meanwhile_ends_the_flow(api: Api, crm: Provider) -> None:
    id = integrate(api, crm)
    state = begin(api, id)["state"]
    api(f"PUT {INTEGRATIONS}/{id}/status", json={"status": "INACTIVE"})
    refused(bring_back(api, state), 409, "integration_inactive")
    api(f"PUT {INTEGRATIONS}/{id}/status", json={"status": "ACTIVE"})
    assert is_void(api, state)
    state = begin(api, id)["state"]
    api(f"DELETE {INTEGRATIONS}/{id}")
    refused(bring_back(api, state), 404, "not_found")
    assert is_void(api, state)
    assert crm.requests == []


def test_connecting_again_goes_on_under_the_same_id(api: Api, backend: Backend) -> None:
    first, again = tokens(1, scope="a b"), tokens(2, refresh_token=None, expires_in=None, scope="b")
    with provider([first, again]) as crm:
        id = integrate(api, crm)
        made = connect(api, id)
        other = connect(api, id, "other")
        renewed = connect(api, id, token=jwt_for("acme", claims=COLLEAGUE))
    assert other["id"] != made["id"]
    assert renewed["id"] == made["id"]
    assert renewed["version"] == made["version"] + 1
    assert (renewed["createdBy"], renewed["createdAt"]) == (made["createdBy"], made["createdAt"])
    assert (made["scopes"], renewed["scopes"]) == (["a", "b"], ["b"])
    assert renewed["expiresAt"] is None, "nothing of the one before stays"
    assert count(api, id) == len(rows(backend)) == 2
    assert token_of(api, id).json()["accessToken"] == "access-2-7d1f"
    assert "refresh-1-0a3b" not in json.dumps(rows(backend))
    assert [entry[0] for entry in log(api, id) if entry[0].startswith("connection.")] == [
        "connection.renewed",
        "connection.created",
        "connection.created",
    ]


def test_a_replaced_grant_is_left_alone_unless_its_provider_ends_it_alone(api: Api) -> None:
    """Many providers revoke all that the user granted to the client, the new grant with it."""
    with provider() as crm:
        id = integrate(api, crm)
        connect(api, id)
        connect(api, id)
        assert crm.revocations == []
        id = integrate(api, crm, settings={"revokeReplaced": True})
        connect(api, id)
        assert crm.revocations == []
        connect(api, id)
        assert [asked["token"] for asked in crm.revocations] == ["refresh-3-0a3b"]
        assert token_of(api, id).json()["accessToken"] == "access-4-7d1f"
    assert details(api, id, "connection.revoked") == [
        "default: the replaced grant was revoked at the provider"
    ]


def test_a_replaced_grant_that_cannot_be_revoked_is_logged(api: Api) -> None:
    with provider(revoke=[500]) as crm:
        id = integrate(api, crm, settings={"revokeReplaced": True})
        connect(api, id)
        assert connect(api, id)["status"] == "ACTIVE"
        assert len(crm.revocations) == 1
    (entry,) = log(api, id)[:1]
    assert entry == ("connection.revoked", "FAILED", "user:someone")


def test_tokens_that_the_provider_gives_again_are_not_revoked(api: Api) -> None:
    same = tokens(1)
    with provider([same]) as crm:
        id = integrate(api, crm, settings={"revokeReplaced": True})
        connect(api, id)
        connect(api, id)
        assert crm.revocations == []


def test_two_flows_that_finish_at_once_keep_one_whole_row(api: Api, backend: Backend) -> None:
    def by_code(request: Request) -> Any:
        number = 2 if b"code=second" in request.body else 1
        return tokens(number, scope=f"s{number}")

    with provider([by_code]) as crm:
        id = integrate(api, crm)
        for before in (0, 1):
            one, other = begin(api, id), begin(api, id)
            answers: list[Answer] = []
            with meanwhile(
                "dynamodb.TransactWriteItems",
                lambda other=other, answers=answers: answers.append(  # type: ignore[misc]
                    bring_back(api, other["state"], "second")
                ),
            ):
                answers.append(bring_back(api, one["state"], "first"))
            assert [answer.status for answer in answers] == [200, 200]
            faster, slower = (answer.json() for answer in answers)
            assert faster["id"] == slower["id"]
            assert slower["version"] == faster["version"] + 1
            (row,) = rows(backend)
            assert row["id"] == slower["id"]
            assert count(api, id) == 1, f"with {before} before"
            assert token_of(api, id).json()["accessToken"] == "access-1-7d1f"
            assert api(f"GET {INTEGRATIONS}/{id}/connections/default").json() == slower


def test_a_refresh_under_way_does_not_overwrite_a_new_grant(api: Api, backend: Backend) -> None:
    begun: list[str] = []

    def refresh_meets_a_new_flow(request: Request) -> Any:
        if b"grant_type=refresh_token" in request.body:
            assert bring_back(api, begun.pop(), "second").status == 200
            return tokens(9)
        return tokens(2 if b"code=second" in request.body else 1)

    with provider([refresh_meets_a_new_flow]) as crm:
        id = integrate(api, crm)
        connect(api, id)
        begun.append(begin(api, id)["state"])
        assert api(f"POST {INTEGRATIONS}/{id}/oauth/refresh", json={}).status == 200
        assert begun == []
    assert token_of(api, id).json()["accessToken"] == "access-2-7d1f"
    assert count(api, id) == len(rows(backend)) == 1


def test_a_connection_deleted_as_it_is_renewed_is_made_anew(
    api: Api, crm: Provider, backend: Backend
) -> None:
    id = integrate(api, crm)
    first, state = connect(api, id), begin(api, id)["state"]
    with meanwhile(
        "dynamodb.TransactWriteItems", lambda: api(f"DELETE {INTEGRATIONS}/{id}/connections/default")
    ):
        answer = bring_back(api, state)
    assert answer.status == 200
    assert answer.json()["id"] != first["id"]
    assert answer.json()["version"] == 1
    assert count(api, id) == len(rows(backend)) == 1
    assert [sent["token"] for sent in crm.revocations] == ["refresh-1-0a3b"]
    assert token_of(api, id).json()["accessToken"] == "access-2-7d1f"


def test_a_connection_on_its_way_out_is_not_connected_again_until_it_is_gone(
    api: Api, crm: Provider, backend: Backend
) -> None:
    """Its grant is still to be revoked; a code that could not be stored is not used."""
    id = integrate(api, crm)
    connect(api, id)
    vault.clear_cache()
    with failing("kms.Decrypt", error=REFUSED):
        assert api(f"DELETE {INTEGRATIONS}/{id}/connections/default").status == 502
    state = begin(api, id)["state"]
    assert "removed" in refused(bring_back(api, state), 409, "conflict")
    assert len(crm.token_requests) == 1
    assert api(f"DELETE {INTEGRATIONS}/{id}/connections/default").status == 200
    assert bring_back(api, begin(api, id)["state"]).status == 200
    assert count(api, id) == 1


# ── callback: what fails ─────────────────────────────────────────────────────────────────────────────


def test_a_process_that_dies_anywhere_connects_whole_or_not_at_all(
    api: Api, crm: Provider, backend: Backend
) -> None:
    id = integrate(api, crm)
    begun = begin(api, id, connectionId="whole")
    vault.clear_cache()
    backend.calls.clear()
    assert bring_back(api, begun["state"]).status == 200
    made = list(backend.calls.made)
    assert {"dynamodb.DeleteItem", "kms.Decrypt", "dynamodb.TransactWriteItems"} <= set(made)
    connected = 1
    for at, operation in enumerate(made):
        for after in (False, True):
            name = f"at-{at}-{after}"
            state = begin(api, id, connectionId=name)["state"]
            vault.clear_cache()
            asked_before = len(crm.token_requests)
            with killed(operation, at=made[: at + 1].count(operation), after=after):
                bring_back(api, state)
            shown = api(f"GET {INTEGRATIONS}/{id}/connections/{name}")
            asked_once = len(crm.token_requests) - asked_before
            committed = operation == "dynamodb.TransactWriteItems" and after
            assert shown.status == (200 if committed else 404), (operation, at, after)
            if shown.status == 200:
                connected += 1
                assert token_of(api, id, name).status == 200
            again = bring_back(api, state)
            consumed = made.index("dynamodb.DeleteItem")
            if at < consumed or (at == consumed and not after):
                # It died before the state was touched, so that nothing at all has happened.
                assert (again.status, asked_once) == (200, 0)
                connected += 1
            else:
                refused(again, 422, "validation_failed", "state")
                assert asked_once <= 1
            assert count(api, id) == len(rows(backend)) == connected


def test_the_code_is_not_used_when_the_key_cannot_be(api: Api, crm: Provider, backend: Backend) -> None:
    id = integrate(api, crm)
    for error, status in ((REFUSED, 502), (THROTTLED, 429)):
        state = begin(api, id)["state"]
        vault.clear_cache()
        with failing("kms.Decrypt", error=error):
            answer = bring_back(api, state)
        assert answer.status == status
        assert SECRET not in answer.text
        assert is_void(api, state)
    # With no secret and no verifier to open, the key is needed for the tokens alone.
    public = integrate(api, crm, settings={"clientAuth": "none", "clientSecret": None, "pkce": False})
    state = begin(api, public)["state"]
    vault.clear_cache()
    with failing("kms.Decrypt", error=REFUSED):
        refused(bring_back(api, state), 502, "upstream_failed")
    assert crm.requests == []
    assert rows(backend) == []
    assert bring_back(api, begin(api, id)["state"]).status == 200


def test_a_write_whose_answer_is_lost_connects_once(api: Api, crm: Provider, backend: Backend) -> None:
    id = integrate(api, crm)
    state = begin(api, id)["state"]
    with failing("dynamodb.TransactWriteItems", lost=True, tries=1):
        answer = bring_back(api, state)
    assert answer.status == 200
    assert count(api, id) == len(rows(backend)) == len(crm.token_requests) == 1
    assert token_of(api, id).status == 200
    state = begin(api, id)["state"]
    with failing("dynamodb.TransactWriteItems", error=REFUSED):
        assert bring_back(api, state).status == 500
    assert is_void(api, state)
    assert token_of(api, id).json()["accessToken"] == "access-1-7d1f", "the one before is as it was"


def test_what_goes_wrong_is_in_the_log(api: Api) -> None:
    with provider([says({"error": "invalid_grant", "error_description": "code expired"}, 400), 500]) as crm:
        id = integrate(api, crm)
        refused(bring_back(api, begin(api, id)["state"]), 422, "authorization_failed")
        refused(bring_back(api, begin(api, id)["state"]), 502, "upstream_failed")
    upstream, no = details(api, id, "oauth.failed")
    assert "HTTP 500" in upstream
    assert "invalid_grant: code expired" in no


# ── the provider's redirect to our own route ─────────────────────────────────────────────────────────


def redirect(api: Api, id: str, query: str = "", /, *, token: str | None = None, **parameters: str) -> Answer:
    """The browser, sent by the provider; it has no credentials."""
    pairs = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters.items())
    return api(f"GET {INTEGRATIONS}/{id}/oauth/callback?{query or pairs}", token=token)


def test_the_redirect_hands_on_and_uses_nothing_up(api: Api, crm: Provider, backend: Backend) -> None:
    id = integrate(api, crm)
    state = begin(api, id, returnUrl=RETURN_URL)["state"]
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
    no = redirect(
        api, id, state=state, error="access_denied", error_description="a\r\nb", error_uri="https://e"
    )
    assert dict(parse_qsl(no.headers["location"].partition("#")[2])) == {
        "state": state,
        "error": "access_denied",
        "error_description": "a\r\nb",
        "error_uri": "https://e",
    }
    assert states(backend) == before
    assert crm.requests == []
    assert rows(backend) == []
    assert [entry[0] for entry in log(api, id)] == ["oauth.initiated", "integration.created"]
    assert bring_back(api, state).status == 200
    refused(redirect(api, id, state=state), 422, "validation_failed", "state")


def test_the_redirect_leads_nowhere_but_to_the_return_url(api: Api, crm: Provider) -> None:
    id = integrate(api, crm)
    state = begin(api, id, returnUrl=RETURN_URL)["state"]
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
    refused(redirect(api, id, f"state={state}&state={state}"), 422, "validation_failed", "state")


def test_a_return_url_that_is_no_longer_allowed_leads_nowhere(
    api: Api, crm: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = integrate(api, crm)
    state = begin(api, id, returnUrl=RETURN_URL)["state"]
    monkeypatch.setenv("ALLOWED_RETURN_ORIGINS", "https://new.platform.test")
    settings.cache_clear()
    refused(redirect(api, id, state=state), 422, "validation_failed", "returnUrl")


def test_the_redirect_knows_only_states_of_its_integration(api: Api, crm: Provider) -> None:
    id, other = integrate(api, crm), integrate(api, crm)
    state = begin(api, id, returnUrl=RETURN_URL)["state"]
    foreign = integrate(api, crm, token=jwt_for("globex"))
    for elsewhere in (other, foreign, str(IntegrationId.new()), "int_x"):
        answer = redirect(api, elsewhere, state=state)
        refused(answer, 404, "not_found")
        assert "location" not in answer.headers
    for nothing in ({}, {"state": ""}, {"state": "x" * 5000}, {"state": "\x00"}):
        refused(redirect(api, id, **nothing), 422, "validation_failed", "state")
    without = begin(api, id)["state"]
    refused(redirect(api, id, state=without), 422, "validation_failed", "state")
    assert redirect(api, id, state=state, token="nonsense").status == 303
    assert bring_back(api, without).status == 200


def test_the_redirect_hands_on_what_the_provider_is_known_to_say(
    api: Api, crm: Provider, tmp_path: Path
) -> None:
    file = PROVIDER_FILE + (
        '[oauth.callback.accounts]\nparameter = "accounts-server"\n'
        'hosts = ["accounts.crm.test"]\ndefault = "https://accounts.crm.test"\n'
    )
    with known_provider(tmp_path, crm, "zone-crm", file):
        id = integrate_known(api, "zone-crm")
        state = begin(api, id, returnUrl=RETURN_URL)["state"]
        answer = redirect(
            api, id, **{"state": state, "accounts-server": "https://evil.test", "location": "eu"}
        )
        fragment = dict(parse_qsl(urlsplit(answer.headers["location"]).fragment))
        assert fragment == {"state": state, "accounts-server": "https://evil.test"}
        # Handed on as it came; whoever brings it back is told.
        refused(
            bring_back(api, state, **{"accounts-server": "https://evil.test"}), 422, "authorization_failed"
        )
