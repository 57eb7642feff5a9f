"""Integrations of a workspace, through the endpoints that template.yaml names: what is taken and shown, what
changes together with what, what a deletion leaves, and every way to send a stored secret elsewhere.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from local import gateway
from patchbay import ids
from patchbay.api_model import MASK
from patchbay.clock import at_ms, iso
from patchbay.ids import IntegrationId, LogId
from patchbay.integrations.models import MAX_METADATA_BYTES
from patchbay.oauth.maintenance import RunSummary, run_due
from tests.conftest import OWNER, REDIRECT_URI, Answer, Api, Backend, jwt_for
from tests.faults import Clock, dying, killed, meanwhile, one_at_a_time, watched
from tests.receivers import Answer as Said
from tests.receivers import Receiver, Request, receiver

PATH = "/api/integrations"
WEBHOOKS = "/api/integrations/webhooks"
CALLBACK = "/api/integrations/oauth/callback"
SECRET = "the-clients-own-secret-5f2c"
FRESH = "a-fresh-secret-of-the-client-77aa"
ACCESS, REFRESH = "access-token-91d0-of-a-user", "refresh-token-4e1b-of-a-user"
DAY = 86_400
HUBSPOT: dict[str, Any] = {
    "provider": "hubspot",
    "type": "CRM",
    "config": {"clientId": "hub-1", "clientSecret": SECRET},
}
OWN: dict[str, Any] = {
    "authorizationUrl": "https://provider.example/authorize",
    "tokenUrl": "https://provider.example/token",
    "revocationUrl": "https://provider.example/revoke",
    "clientId": "client-1",
    "clientSecret": SECRET,
}


def create(api: Api, token: str = OWNER, headers: dict[str, str] | None = None, **changes: Any) -> Answer:
    body = {"name": "CRM", "type": "CUSTOM"} | changes
    return api(f"POST {PATH}", json=body, token=token, headers=headers)


def make(api: Api, token: str = OWNER, **changes: Any) -> Any:
    answer = create(api, token, **changes)
    assert answer.status == 201, answer.text
    return answer.json()


def get(api: Api, integration: Any, query: str = "", token: str = OWNER) -> Any:
    answer = api(f"GET {PATH}/{integration['id']}{query}", token=token)
    assert answer.status == 200, answer.text
    return answer.json()


def put(
    api: Api, integration: Any, token: str = OWNER, headers: dict[str, str] | None = None, **body: Any
) -> Answer:
    return api(f"PUT {PATH}/{integration['id']}", json=body, token=token, headers=headers)


def changed(api: Api, integration: Any, token: str = OWNER, **body: Any) -> Any:
    answer = put(api, integration, token, **body)
    assert answer.status == 200, answer.text
    return answer.json()


def set_status(api: Api, integration: Any, status: str, **more: Any) -> Answer:
    return api(f"PUT {PATH}/{integration['id']}/status", json={"status": status, **more})


def delete(api: Api, integration: Any, **more: Any) -> Answer:
    return api(f"DELETE {PATH}/{integration['id']}", **more)


def items(answer: Answer) -> list[Any]:
    assert answer.status == 200, answer.text
    found: list[Any] = answer.json()["items"]
    return found


def pages(api: Api, line: str, limit: int) -> list[Any]:
    """All of a list, page by page; none is larger than asked for."""
    found, cursor = [], ""
    while True:
        page = api(f"{line}{'&' if '?' in line else '?'}limit={limit}{cursor}").json()
        assert len(page["items"]) <= limit
        found += page["items"]
        if page["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['nextCursor']}"


def log(api: Api, integration: Any, query: str = "") -> list[Any]:
    """The entries, oldest first."""
    return items(api(f"GET {PATH}/{integration['id']}/logs{query}"))[::-1]


def actions(api: Api, integration: Any) -> list[str]:
    return [entry["action"] for entry in log(api, integration)]


def row(backend: Backend, integration: Any) -> dict[str, Any]:
    (found,) = (row for row in backend.rows("IntegrationsTable") if row["sk"] == integration["id"])
    return found


def entries(backend: Backend) -> list[str]:
    """The actions of all entries of all integrations."""
    return sorted(row["action"] for row in backend.rows("ActivityTable"))


def tables(backend: Backend) -> dict[str, list[str]]:
    """Every row but those that count requests and hold data keys."""
    names = {table.logical_id for table in backend.template.of_type("AWS::DynamoDB::Table")}
    kept = names - {"RateLimitsTable", "DataKeysTable"}
    return {name: sorted(map(repr, backend.rows(name))) for name in kept}


def refused(answer: Answer, status: int, *named: str) -> None:
    codes = {403: "forbidden", 404: "not_found", 409: "conflict", 422: "validation_failed"}
    assert (answer.status, answer.json().get("code")) == (status, codes[status]), answer.text
    for text in named:
        assert text in answer.json()["detail"], answer.text


def path_of(answer: Answer) -> str:
    """The first field that is refused."""
    refused(answer, 422)
    path: str = answer.json()["errors"][0]["path"]
    return path


def thief() -> str:
    """Whoever may change integrations and connect, but neither read nor write credentials."""
    scopes = "integrations:read integrations:write integrations:publish connections:read connections:write"
    return jwt_for("acme", scope=scopes)


# ── a provider, and connections to it ────────────────────────────────────────────────────────────────


def answering(_: Request) -> Said:
    tokens = {"access_token": ACCESS, "refresh_token": REFRESH, "token_type": "Bearer", "expires_in": 3600}
    return Said(200, {"content-type": "application/json"}, json.dumps(tokens).encode())


@pytest.fixture
def provider() -> Iterator[Receiver]:
    """A provider that gives tokens for whatever comes."""
    with receiver([answering]) as made:
        yield made


def at(provider: Receiver, **more: Any) -> dict[str, Any]:
    """The config of a provider of one's own on this machine."""
    here = provider.url.removesuffix("/hook")
    return {
        **OWN,
        **{f"{name}Url": f"{here}/{name}" for name in ("authorization", "token", "revocation")},
        **more,
    }


def connect(api: Api, integration: Any, name: str = "default", token: str = OWNER) -> Answer:
    """The whole flow: begun, and brought back with a code."""
    body = {"redirectUri": REDIRECT_URI, "connectionId": name}
    begun = api(f"POST {PATH}/{integration['id']}/oauth/initiate", json=body, token=token)
    if begun.status != 200:
        return begun
    return api(f"POST {CALLBACK}", json={"code": "a-code", "state": begun.json()["state"]}, token=token)


def connected(api: Api, integration: Any, name: str = "default") -> Any:
    answer = connect(api, integration, name)
    assert answer.status == 200, answer.text
    return answer.json()


def got(provider: Receiver) -> str:
    """All that a provider was sent, credentials in base64 opened."""
    seen = []
    for request in provider.requests:
        headers = dict(request.headers)
        scheme, _, sent = headers.get("authorization", "").partition(" ")
        opened = base64.b64decode(sent).decode() if scheme == "Basic" else ""
        seen.append(f"{request.path} {headers} {request.body.decode()} {opened}")
    return "\n".join(seen)


def plenty() -> int:
    return 900_000


def kept_up() -> RunSummary:
    """One run of the schedule with time enough."""
    return run_due(plenty)


@contextlib.contextmanager
def each_time(operation: str, act: Callable[[], object], times: int) -> Iterator[None]:
    """Another process is a moment faster, again and again: `act` itself makes one call of the operation."""
    with contextlib.ExitStack() as stack:
        for number in range(times):
            stack.enter_context(meanwhile(operation, act, at=1 + 2 * number))
        yield


# ── create and show ──────────────────────────────────────────────────────────────────────────────────


def test_an_integration_is_kept_as_it_was_sent_but_for_its_secrets(api: Api) -> None:
    answer = create(
        api,
        name="  Our CRM ",
        type="CRM",
        provider="our_crm",
        description="Contacts, ünd more",
        logoUrl="https://cdn.example/logo.png?v=1",
        config={**OWN, "apiKey": "k", "redirectUris": [REDIRECT_URI, REDIRECT_URI], "pkce": False},
        scopes=["read", "write", "read"],
        rateLimitPerHour=1_000_000,
        rateLimitPerDay=24_000_000,
        metadata={"team": "news", "gone": None, "nested": {"null": None}, "big": 2**70, "float": 0.1},
    )
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    assert made == {
        "id": made["id"],
        "name": "Our CRM",
        "type": "CRM",
        "provider": "our_crm",
        "description": "Contacts, ünd more",
        "logoUrl": "https://cdn.example/logo.png?v=1",
        "status": "ACTIVE",
        "statusReason": None,
        "config": {
            **OWN, "clientSecret": MASK, "apiKey": MASK, "redirectUris": [REDIRECT_URI], "pkce": False,
        },
        "scopes": ["read", "write"],
        "rateLimitPerHour": 1_000_000,
        "rateLimitPerDay": 24_000_000,
        "isPublic": False,
        "reviewStatus": None,
        "publisher": None,
        "installedFrom": None,
        "metadata": {"team": "news", "nested": {"null": None}, "big": 2**70, "float": 0.1},
        "connectionCount": 0,
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
        "version": 1,
    }  # fmt: skip
    assert IntegrationId.parse(made["id"])
    assert get(api, made) == made
    assert items(api(f"GET {PATH}")) == [made]
    bare = make(api)
    assert {name: bare[name] for name in ("provider", "description", "logoUrl", "config", "scopes")} == {
        "provider": None, "description": "", "logoUrl": None, "config": {}, "scopes": [],
    }  # fmt: skip
    assert (bare["rateLimitPerHour"], bare["metadata"], bare["status"]) == (None, {}, "ACTIVE")


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"name": "a\u202eb"}, "name"),
    ({"name": "\u3164"}, "name"),
    ({"description": "a\u200bb"}, "description"),
    ({"name": None}, "name"),
    ({"type": "OTHER"}, "type"),
    ({"type": "crm"}, "type"),
    ({"provider": ""}, "provider"),
    ({"provider": "HubSpot"}, "provider"),
    ({"provider": "../hubspot"}, "provider"),
    ({"provider": "x" * 65}, "provider"),
    ({"description": "x" * 2001}, "description"),
    ({"description": "a\x00b"}, "description"),
    ({"description": "a\x9fb"}, "description"),
    ({"description": None}, "description"),
    ({"logoUrl": "http://cdn.example/x.png"}, "logoUrl"),
    ({"logoUrl": "//cdn.example/x.png"}, "logoUrl"),
    ({"logoUrl": "data:image/png;base64,AAAA"}, "logoUrl"),
    ({"logoUrl": "javascript:alert(1)//https://"}, "logoUrl"),
    ({"logoUrl": "https://cdn.example/\"onerror='x'"}, "logoUrl"),
    ({"logoUrl": "https://cdn.example/<script>"}, "logoUrl"),
    ({"logoUrl": "https://cdn.example/a b"}, "logoUrl"),
    ({"logoUrl": "https://cdn.example/\n"}, "logoUrl"),
    ({"logoUrl": "https://"}, "logoUrl"),
    ({"logoUrl": "https:///x.png"}, "logoUrl"),
    ({"logoUrl": "https://cdn.example/" + "x" * 2048}, "logoUrl"),
    ({"scopes": "read"}, "scopes"),
    ({"scopes": [""]}, "scopes.0"),
    ({"scopes": ["read", "a b"]}, "scopes.1"),
    ({"scopes": ["a,b"]}, "scopes.0"),
    ({"scopes": ['a"b']}, "scopes.0"),
    ({"scopes": ["a\\b"]}, "scopes.0"),
    ({"scopes": ["x" * 257]}, "scopes.0"),
    ({"scopes": [f"s{n}" for n in range(101)]}, "scopes"),
    ({"scopes": None}, "scopes"),
    ({"rateLimitPerHour": 0}, "rateLimitPerHour"),
    ({"rateLimitPerHour": 1_000_001}, "rateLimitPerHour"),
    ({"rateLimitPerHour": "10"}, "rateLimitPerHour"),
    ({"rateLimitPerHour": True}, "rateLimitPerHour"),
    ({"rateLimitPerDay": 24_000_001}, "rateLimitPerDay"),
    ({"rateLimitPerDay": 1.5}, "rateLimitPerDay"),
    ({"isPublic": "true"}, "isPublic"),
    ({"isPublic": None}, "isPublic"),
    ({"metadata": []}, "metadata"),
    ({"metadata": None}, "metadata"),
    ({"metadata": {"x": "y" * MAX_METADATA_BYTES}}, "metadata"),
    ({"metadata": {"x": "ä" * (MAX_METADATA_BYTES // 2)}}, "metadata"),
    ({"config": []}, "config"),
    ({"config": None}, "config"),
    ({"config": {"clientId": 7}}, "config.clientId"),
    ({"config": {"clientId": {"a": "b"}}}, "config.clientId"),
    ({"config": {"clientSecret": MASK}}, "config.clientSecret"),
    ({"config": {"clientId": MASK}}, "config.clientId"),
    ({"config": {"apiKey": MASK}}, "config.apiKey"),
    ({"config": {"a": "b", "c d": "e"}}, "config.c d"),
    ({"config": {"": "e"}}, "config."),
    ({"config": {"x" * 65: "e"}}, "config." + "x" * 65),
    ({"config": {"a": [1]}}, "config.a"),
    ({"config": {f"a{n}": "b" for n in range(51)}}, "config"),
    ({"config": {f"a{n}": "b" * 4096 for n in range(4)}}, "config"),
    ({"config": {"tokenUrl": "https://169.254.169.254/token"}}, "config.tokenUrl"),
    ({"config": {"redirectUris": ["https://["]}}, "config.redirectUris.0"),
    ({"provider": "hubspot", "config": {"tokenUrl": OWN["tokenUrl"]}}, "config.tokenUrl"),
    ({"provider": "salesforce", "config": {"domain": "evil.example/"}}, "config.domain"),
    ({"workspaceId": "globex"}, "workspaceId"),
    ({"status": "ACTIVE"}, "status"),
    ({"reviewStatus": "APPROVED"}, "reviewStatus"),
    ({"publisher": {"name": "Patchbay", "verified": True}}, "publisher"),
    ({"installedFrom": "int_0"}, "installedFrom"),
    ({"connectionCount": 0}, "connectionCount"),
    ({"generation": 1}, "generation"),
    ({"logo_url": "https://cdn.example/x.png"}, "logo_url"),
]


def test_what_does_not_fit_is_refused_and_nothing_is_stored_or_changed(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    kept = make(api, config=OWN)
    before = tables(backend)
    for body, path in UNFIT:
        with subtests.test(str(body)[:80]):
            assert path_of(create(api, **body)) == path
            if path != "config.tokenUrl" or "provider" not in body:
                assert path_of(put(api, kept, **body)) in (path, "config.authorizationUrl")
    assert path_of(api(f"POST {PATH}", json={"type": "CRM"})) == "name"
    assert path_of(api(f"POST {PATH}", json={"name": "x"})) == "type"
    for body in ({"status": "PENDING_SETUP"}, {"status": "INACTIVE", "reason": "a\nb"}, {}, {"status": None}):
        assert api(f"PUT {PATH}/{kept['id']}/status", json=body).status == 422
    assert tables(backend) == before


def test_sizes_are_taken_up_to_their_bounds_also_after_merging(api: Api) -> None:
    filler = "ä" * ((MAX_METADATA_BYTES - len('{"a":{},"b":""}')) // 2)
    full = {"a": {}, "b": filler}
    assert len(json.dumps(full, ensure_ascii=False, separators=(",", ":")).encode()) >= MAX_METADATA_BYTES - 1
    made = make(
        api,
        name="x" * 100,
        description="ä" * 2000,
        metadata=full,
        scopes=[f"s{n:03}" + "x" * 252 for n in range(100)],
        config={f"a{n}": "b" * 4094 for n in range(4)},
        logoUrl="https://cdn.example/" + "x" * 2028,
    )
    assert path_of(put(api, made, metadata={"c": 1})) == "metadata"
    assert path_of(put(api, made, config={"c": "d"})) == "config"
    assert changed(api, made, metadata={"c": 1, "b": None})["metadata"] == {"a": {}, "c": 1}
    config = changed(api, made, config={"a0": None, "c": "d"})["config"]
    assert config == dict.fromkeys(("a1", "a2", "a3", "c"), MASK)


@pytest.mark.parameters(Environment="prod")
def test_in_production_a_provider_s_addresses_are_public_and_https(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(api, config=OWN)
    for name in ("authorizationUrl", "tokenUrl", "revocationUrl", "issuer"):
        for url in (
            "http://provider.example/x",
            "https://10.0.0.1/x",
            "https://[fd00:ec2::254]/",
            "https://a/",
        ):
            assert path_of(create(api, config={**OWN, name: url})) == f"config.{name}", url
            assert path_of(put(api, made, config={name: url})) == f"config.{name}", url
    monkeypatch.delenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS")
    from patchbay.settings import settings

    settings.cache_clear()
    for url in ("https://127.0.0.1/x", "https://localhost/x", "https://[::1]/x"):
        assert path_of(create(api, config={**OWN, "tokenUrl": url})) == "config.tokenUrl"
    assert path_of(create(api, config={"redirectUris": ["http://app.example/"]})) == "config.redirectUris.0"
    assert make(api, config={"redirectUris": ["http://localhost:3000/"]})


# ── who may, and whose it is ─────────────────────────────────────────────────────────────────────────


def test_members_look_and_admins_change(api: Api) -> None:
    made = make(api)
    id = made["id"]
    for role, writes in (("viewer", False), ("member", False), ("admin", True)):
        token = jwt_for("acme", role=role)
        for line in (f"GET {PATH}", f"GET {PATH}/{id}", f"GET {PATH}/{id}/logs", f"GET {PATH}/marketplace"):
            assert api(line, token=token).status == 200, (role, line)
        for line, body in (
            (f"PUT {PATH}/{id}", {"name": role}),
            (f"PUT {PATH}/{id}/status", {"status": "ACTIVE"}),
            (f"POST {PATH}", {"name": "x", "type": "CUSTOM"}),
            (f"POST {PATH}/{IntegrationId.of_template('hubspot')}/install", {}),
            (f"DELETE {PATH}/{id}", None),
        ):
            answer = api(line, json=body, token=token)
            if writes:
                assert answer.status in (200, 201), answer.text
            else:
                refused(answer, 403, "integrations:write")
    assert api(f"GET {PATH}", token=None).status == 401


def test_another_workspace_sees_and_touches_nothing(api: Api, backend: Backend) -> None:
    made = make(api, **HUBSPOT)
    before = tables(backend)
    for workspace in ("globex", "platform", "acm", "ACME"):
        stranger = jwt_for(workspace)
        for line, body in (
            ("GET {}", None),
            ("GET {}?reveal=true", None),
            ("GET {}/logs", None),
            ("PUT {}", {"name": "x"}),
            ("PUT {}", {"isPublic": True}),
            ("PUT {}/status", {"status": "INACTIVE"}),
            ("POST {}/install", {}),
            ("DELETE {}", None),
            ("POST {}/oauth/initiate", {"redirectUri": REDIRECT_URI}),
            ("GET {}/connections", None),
        ):
            method, _, path = line.partition(" ")
            answer = api(f"{method} {PATH}/{path.format(made['id'])}", json=body, token=stranger)
            refused(answer, 404)
            nowhere = path.format(IntegrationId.new())
            unknown = api(f"{method} {PATH}/{nowhere}", json=body, token=stranger)
            assert unknown.json()["detail"] == answer.json()["detail"], "as if it did not exist"
        for query in ("", "?includePublic=true", "?provider=hubspot"):
            assert items(api(f"GET {PATH}{query}", token=stranger)) == []
    assert tables(backend) == before
    for id in ("whk_" + made["id"][4:], made["id"][:-1], made["id"] + "0", "int_~", "count", "%23tasks"):
        assert api(f"GET {PATH}/{id}").status == 404


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────


def test_secrets_are_masked_and_revealed_only_to_whom_may_read_them_and_that_is_logged(
    api: Api, backend: Backend
) -> None:
    made = make(api, config={**OWN, "apiKey": "k-77", "note": "not public either"})
    masked = {**OWN, "clientSecret": MASK, "apiKey": MASK, "note": MASK}
    assert made["config"] == masked
    for query in ("", "?reveal=false", "?Reveal=true"):
        assert get(api, made, query)["config"] == masked
    for token in (thief(), jwt_for("acme", role="admin"), jwt_for("acme", role="viewer")):
        refused(api(f"GET {PATH}/{made['id']}?reveal=true", token=token), 403, "credentials:read")
    assert actions(api, made) == ["integration.created"]
    reader = jwt_for("acme", scope="integrations:read credentials:read", claims={"sub": "ada"})
    answer = api(f"GET {PATH}/{made['id']}?reveal=true", token=reader)
    assert answer.json()["config"] == {**OWN, "apiKey": "k-77", "note": "not public either"}
    assert answer.headers["cache-control"] == "no-store"
    entry = log(api, made)[-1]
    assert (entry["action"], entry["actor"], entry["outcome"]) == (
        "credentials.revealed",
        "user:ada",
        "SUCCEEDED",
    )
    assert set(entry["detail"].split(", ")) == {"config.clientSecret", "config.apiKey", "config.note"}
    revealed = []
    with killed("dynamodb.PutItem"):
        revealed.append(api(f"GET {PATH}/{made['id']}?reveal=true"))
    assert revealed == [], "what is not in the log is not revealed"
    everything = "".join(text for rows in tables(backend).values() for text in rows)
    for secret in (SECRET, "k-77", "not public either"):
        assert secret not in everything
        assert base64.b64encode(secret.encode()).decode().rstrip("=")[:-1] not in everything
        assert secret not in api(f"GET {PATH}/{made['id']}/logs").text


def test_numbers_in_metadata_stay_as_they_were_written(api: Api) -> None:
    body = json.dumps({"name": "Own", "type": "CUSTOM", "metadata": {"a": 0}}).replace('"a": 0', '"a":1.10')
    made = api(f"POST {PATH}", body=body.encode())
    assert '"metadata":{"a":1.10}' in made.text
    changed = api(f"PUT {PATH}/{made.json()['id']}", body=b'{"metadata":{"b":-0}}')
    assert '"metadata":{"a":1.10,"b":-0}' in changed.text


def test_config_and_metadata_merge_by_key_and_null_removes(api: Api, backend: Backend) -> None:
    made = make(api, config={**OWN, "apiKey": "k"}, metadata={"a": 1, "b": {"c": 2}})
    new = changed(api, made, config={"apiKey": None, "extra": "e"}, metadata={"b": {"d": 3}, "a": None})
    assert new["config"] == {**OWN, "clientSecret": MASK, "extra": MASK}
    assert new["metadata"] == {"b": {"d": 3}}
    sealed = row(backend, made)["secrets"]
    new = changed(api, made, config={"redirectUris": [REDIRECT_URI]}, metadata={})
    assert row(backend, made)["secrets"] == sealed, "what does not change is not written anew"
    assert new["metadata"] == {"b": {"d": 3}}
    revealed = get(api, made, "?reveal=true")["config"]
    assert revealed == {**OWN, "extra": "e", "redirectUris": [REDIRECT_URI]}
    # What was read is sent back: the mask would overwrite the secret.
    assert path_of(put(api, made, config=new["config"])) in ("config.clientSecret", "config.extra")
    assert get(api, made, "?reveal=true")["config"] == revealed
    assert path_of(put(api, made, config=dict.fromkeys(revealed))) == "config.clientSecret", "it goes first"
    changed(api, made, config={"clientSecret": None, "extra": None})
    assert changed(api, made, config=dict.fromkeys(revealed))["config"] == {}
    assert "secrets" not in row(backend, made)


def test_a_change_to_what_is_there_already_is_none(api: Api, backend: Backend) -> None:
    made = make(api, **HUBSPOT, metadata={"a": 1}, scopes=["x"])
    before = tables(backend)
    names = ("name", "type", "provider", "description", "logoUrl", "scopes", "isPublic", "metadata")
    same = {name: made[name] for name in names}
    bodies: list[dict[str, Any]] = [{}, same, {"config": {}}, {"config": HUBSPOT["config"]}]
    for body in [*bodies, {"metadata": {"zzz": None}}]:
        answer = put(api, made, headers={"If-Match": '"1"'}, **body)
        assert answer.status == 200, answer.text
        assert answer.json() == made
    assert tables(backend) == before


def test_what_was_a_secret_under_one_provider_stays_one(api: Api) -> None:
    """`domain` is public at Salesforce; of a provider that nobody knows it may be anything."""
    made = make(api, config={"domain": "my-secret-domain"})
    config = {"clientId": "c", "clientSecret": SECRET}
    assert path_of(put(api, made, provider="salesforce", config=config)) == "config.domain"
    new = changed(api, made, provider="salesforce", config={**config, "domain": "test"})
    assert new["config"] == {"clientId": "c", "clientSecret": MASK, "domain": "test"}
    assert get(api, made, "?reveal=true")["config"] == {
        "clientId": "c",
        "clientSecret": SECRET,
        "domain": "test",
    }
    assert path_of(put(api, made, provider=None, config={"clientSecret": FRESH})) == "config.domain"
    back = changed(api, made, provider=None, config={"clientSecret": FRESH, "domain": "a-secret"})
    assert back["config"]["domain"] == MASK


def test_known_providers_addresses_cannot_be_set(api: Api) -> None:
    own = {
        "authorizationUrl": OWN["authorizationUrl"],
        "tokenUrl": OWN["tokenUrl"],
        "revocationUrl": OWN["revocationUrl"],
        "issuer": "https://provider.example",
        "clientAuth": "none",
        "pkce": False,
        "scopeSeparator": ",",
        "refresh": "static",
    }
    made = make(api, **HUBSPOT)
    for name, value in own.items():
        body = {**HUBSPOT, "config": {**HUBSPOT["config"], name: value}}
        assert path_of(create(api, **body)) == f"config.{name}"
        assert path_of(put(api, made, config={name: value})) == f"config.{name}"
        mine = make(api, config={name: value})
        assert path_of(put(api, mine, provider="hubspot")) == f"config.{name}"
        assert changed(api, mine, provider="hubspot", config={name: None})["config"] == {}
    begun = api(f"POST {PATH}/{made['id']}/oauth/initiate", json={"redirectUri": REDIRECT_URI}).json()
    assert begun["authorizationUrl"].startswith("https://app.hubspot.com/oauth/authorize?")


# ── statuses ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_integration_is_active_while_what_its_provider_needs_is_there(api: Api) -> None:
    made = make(api, provider="salesforce", type="CRM")
    assert made["status"] == "PENDING_SETUP"
    refused(set_status(api, made, "ACTIVE"), 409, "config.clientId", "config.clientSecret")
    answer = connect(api, made)
    assert (answer.status, answer.json()["code"]) == (409, "integration_inactive")
    assert changed(api, made, config={"clientId": "c"})["status"] == "PENDING_SETUP"
    assert changed(api, made, config={"clientSecret": SECRET})["status"] == "ACTIVE"
    assert changed(api, made, config={"clientSecret": None})["status"] == "PENDING_SETUP"
    for field in ("authorizationUrl", "tokenUrl", "clientId", "clientSecret"):
        config = {name: value for name, value in OWN.items() if name != field}
        partial = make(api, config=config)
        assert partial["status"] == "PENDING_SETUP", field
        with_it = {field: OWN[field], "clientSecret": SECRET}
        assert changed(api, partial, config=with_it)["status"] == "ACTIVE"
        without = {"clientSecret": SECRET} | {field: None}
        assert changed(api, partial, config=without)["status"] == "PENDING_SETUP"
    public = {name: value for name, value in OWN.items() if name != "clientSecret"}
    assert make(api, config={**public, "clientAuth": "none"})["status"] == "ACTIVE"
    assert make(api, provider="activecampaign")["status"] == "ACTIVE", "its connections bring their own keys"


def test_a_status_that_somebody_set_stays_until_somebody_sets_another(api: Api) -> None:
    made = make(api, **HUBSPOT)
    for status in ("INACTIVE", "ERROR"):
        answer = set_status(api, made, status, reason="Ünder repair")
        assert (answer.json()["status"], answer.json()["statusReason"]) == (status, "Ünder repair")
        assert connect(api, made).json()["code"] == "integration_inactive"
        assert changed(api, made, config={"clientSecret": None})["status"] == status
        refused(set_status(api, made, "ACTIVE"), 409, "config.clientSecret")
        assert changed(api, made, config={"clientSecret": SECRET})["status"] == status
    answer = set_status(api, made, "ACTIVE")
    assert (answer.json()["status"], answer.json()["statusReason"]) == ("ACTIVE", None)
    assert connect(api, made).status != 409
    before = get(api, made)
    assert set_status(api, made, "ACTIVE").json() == before, "nothing happened, nothing is entered"
    refused(api(f"PUT {PATH}/{made['id']}/status", json={"status": "ERROR"}, headers={"If-Match": "1"}), 409)
    details = [entry["detail"] for entry in log(api, made, "?action=integration.status_changed")]
    assert details == ["INACTIVE: Ünder repair", "ERROR: Ünder repair", "ACTIVE"]


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_list_is_newest_first_in_pages_and_filters(api: Api) -> None:
    made = [
        make(api, name="0"),
        make(api, name="1", **HUBSPOT),
        make(api, name="2", provider="hubspot", type="CRM"),
        make(api, name="3", provider="google", type="CUSTOM"),
        make(api, name="4", **HUBSPOT),
        make(api, name="5"),
    ]
    set_status(api, made[5], "INACTIVE")
    delete(api, made[4])
    make(api, jwt_for("globex"), name="theirs")

    def names(query: str, limit: int = 100) -> str:
        return "".join(one["name"] for one in pages(api, f"GET {PATH}{query}", limit))

    for limit in (1, 2, 5, 100):
        assert names("", limit) == "53210"
    assert names("?type=CRM", 1) == "21"
    assert names("?provider=hubspot") == "21"
    assert names("?provider=hubspot&status=ACTIVE") == "1"
    assert names("?status=PENDING_SETUP") == "32"
    assert names("?status=INACTIVE", 1) == "5"
    assert names("?type=SOCIAL") == ""
    for query in (
        "type=crm", "status=x", "provider=X", "limit=0", "limit=101", "cursor=x", "cursor=0.x", "cursor=9.",
        "cursor=1.", "cursor=-1.", "cursor=%C2%B2.", "includePublic=7",
    ):  # fmt: skip
        refused(api(f"GET {PATH}?{query}"), 422)


# ── two at once ──────────────────────────────────────────────────────────────────────────────────────


def test_two_changes_at_once_both_hold_or_one_is_refused(api: Api) -> None:
    made = make(api, config=OWN, metadata={"a": 1})

    def other() -> None:
        changed(api, made, config={"x": "theirs"}, metadata={"b": 2}, description="theirs")

    with meanwhile("dynamodb.TransactWriteItems", other):
        answer = put(api, made, config={"y": "mine"}, metadata={"a": 9}, name="mine")
    assert answer.status == 200
    new = get(api, made, "?reveal=true")
    assert new["config"] == {**OWN, "x": "theirs", "y": "mine"}
    assert (new["metadata"], new["name"], new["description"]) == ({"a": 9, "b": 2}, "mine", "theirs")
    assert new["version"] == 3
    with meanwhile("dynamodb.TransactWriteItems", lambda: changed(api, made, name="theirs")):
        refused(put(api, made, headers={"If-Match": "3"}, name="mine again"), 409, "version 4")
    assert get(api, made)["name"] == "theirs"
    numbers = iter(range(9))
    with each_time(
        "dynamodb.TransactWriteItems", lambda: changed(api, made, name=f"{next(numbers)}"), times=3
    ):
        refused(put(api, made, name="mine"), 409, "at the same time")
    assert get(api, made)["name"] == "2"
    assert actions(api, made).count("integration.updated") == 6
    for match in ("x", "-1", "1.5", "*"):
        assert path_of(put(api, made, headers={"If-Match": match}, name="x")) == "If-Match"
    with meanwhile("dynamodb.TransactWriteItems", lambda: delete(api, made)):
        refused(put(api, made, name="mine"), 404)


def test_a_deletion_and_a_change_at_once(api: Api) -> None:
    made = make(api)
    with meanwhile("dynamodb.TransactWriteItems", lambda: changed(api, made, name="b")):
        refused(delete(api, made, headers={"If-Match": "1"}), 409)
    with meanwhile("dynamodb.TransactWriteItems", lambda: changed(api, made, name="c")):
        assert delete(api, made).status == 200
    refused(delete(api, made), 404)


def test_connections_are_counted_beside_a_change(api: Api, backend: Backend, provider: Receiver) -> None:
    made = make(api, config=at(provider))
    with meanwhile("dynamodb.TransactWriteItems", lambda: connected(api, made)):
        assert put(api, made, name="b", headers={"If-Match": "1"}).status == 200
    assert (get(api, made)["connectionCount"], get(api, made)["name"]) == (1, "b")
    with meanwhile("dynamodb.TransactWriteItems", lambda: changed(api, made, name="c"), at=2):
        assert connect(api, made, "second").status == 200
    assert (get(api, made)["connectionCount"], get(api, made)["name"]) == (2, "c")
    for name in ("default", "second"):
        assert api(f"DELETE {PATH}/{made['id']}/connections/{name}").status == 200
    assert get(api, made)["connectionCount"] == 0
    assert backend.rows("ConnectionsTable") == []


# ── ceiling ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxIntegrations=2)
def test_the_ceiling_holds_for_creating_and_installing_and_deleting_makes_room(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = IntegrationId.of_template("hubspot")
    first = make(api)
    assert api(f"POST {PATH}/{template}/install").status == 201
    for answer in (create(api), api(f"POST {PATH}/{template}/install")):
        refused(answer, 409, "2 integrations, its ceiling")
    make(api, jwt_for("globex"))
    delete(api, first)
    second = make(api)
    refused(create(api), 409)
    # Once refused is not used up.
    once = {"Idempotency-Key": "k"}
    refused(create(api, headers=once), 409, "ceiling")
    assert kept_up().tasks == 1
    refused(create(api, headers=once), 409, "ceiling")
    delete(api, second)
    one_at_a_time(monkeypatch)
    with ThreadPoolExecutor(6) as pool:
        statuses = [answer.status for answer in pool.map(lambda _: create(api), range(6))]
    assert sorted(statuses) == [201, *[409] * 5]
    assert len(items(api(f"GET {PATH}"))) == 2
    (count,) = (
        row
        for row in backend.rows("IntegrationsTable")
        if row["sk"] == "count" and row["workspaceId"] == "acme"
    )
    assert count["integrations"] == 2


# ── once ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_repeated_create_or_install_gives_the_same_again(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    template = IntegrationId.of_template("hubspot")
    lines: list[tuple[str, Any]] = [
        (f"POST {PATH}", {"name": "CRM", **HUBSPOT}),
        (f"POST {PATH}/{template}/install", None),
    ]
    for line, body in lines:

        def ask(key: str, token: str = OWNER, line: str = line, body: Any = body) -> Answer:
            return api(line, json=body, headers={"Idempotency-Key": key}, token=token)

        first, again = ask("one"), ask("one")
        assert (first.status, again.status) == (201, 201)
        assert again.json() == first.json()
        assert again.headers["idempotent-replayed"] == "true"
        assert SECRET not in again.text
        assert ask("two").json()["id"] != first.json()["id"]
        for token in (jwt_for("acme", claims={"sub": "another"}), jwt_for("globex")):
            assert ask("one", token).json()["id"] != first.json()["id"]
        before = tables(backend)
        with killed("dynamodb.TransactWriteItems"):
            ask("three")
        after = tables(backend)
        assert (after["IntegrationsTable"], after["ActivityTable"]) == (
            before["IntegrationsTable"],
            before["ActivityTable"],
        )
        refused(ask("three"), 409)
        clock.move(31)
        assert ask("three").status == 201
        with killed("dynamodb.TransactWriteItems", after=True):
            ask("four")
        after = tables(backend)
        answer = ask("four")
        assert answer.headers["idempotent-replayed"] == "true"
        assert tables(backend) == after
    answer = create(api, headers={"Idempotency-Key": "one"})
    assert (answer.status, answer.json()["code"]) == (422, "idempotency_mismatch")


# ── the log ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_and_its_entry_are_one(api: Api, backend: Backend) -> None:
    """The process dies before or after the write: both are there, or neither."""
    made = make(api, **HUBSPOT)
    id = made["id"]
    changes: list[tuple[str, str, Any, str]] = [
        (f"POST {PATH}", "integration.created", {"name": "b", "type": "CUSTOM"}, "Put"),
        (f"POST {PATH}/{IntegrationId.of_template('hubspot')}/install", "integration.installed", {}, "Put"),
        (f"PUT {PATH}/{id}", "integration.updated", {"name": "b", "config": {"apiKey": "k"}}, "Update"),
        (f"PUT {PATH}/{id}", "integration.updated", {"isPublic": True}, "Update"),
        (f"PUT {PATH}/{id}/status", "integration.status_changed", {"status": "INACTIVE"}, "Update"),
        (f"DELETE {PATH}/{id}", "integration.deleted", None, "Update"),
    ]
    for line, action, body, kind in changes:
        before, said = tables(backend), entries(backend)
        with killed("dynamodb.TransactWriteItems"):
            api(line, json=body)
        assert tables(backend) == before, line
        with (
            killed("dynamodb.TransactWriteItems", after=True),
            watched("dynamodb.TransactWriteItems") as seen,
        ):
            api(line, json=body)
        assert entries(backend) == sorted([*said, action]), line
        assert tables(backend)["IntegrationsTable"] != before["IntegrationsTable"]
        (transaction,) = seen
        assert sum("ActivityTable" in str(step) for step in transaction["TransactItems"]) <= 1
        assert any(kind in step for step in transaction["TransactItems"])
    # A change that met another one is entered once all the same.
    other = make(api)
    with meanwhile("dynamodb.TransactWriteItems", lambda: changed(api, other, name="theirs")):
        changed(api, other, description="mine")
    assert [entry["detail"] for entry in log(api, other)] == [None, "name", "description"]


def test_an_entry_says_who_did_what_and_never_a_value(api: Api, backend: Backend) -> None:
    ada = jwt_for("acme", claims={"sub": "ada"}, role="owner")
    made = make(api, ada, config=OWN)
    changed(
        api,
        made,
        ada,
        name="b",
        metadata={"note": "private words"},
        config={"apiKey": "k-1", "clientSecret": FRESH},
    )
    key = api("POST /api/integrations/api-keys", json={"name": "k", "scopes": ["integrations:write"]}).json()
    api(f"PUT {PATH}/{made['id']}/status", json={"status": "INACTIVE", "reason": "x"}, token=key["key"])
    put(api, made, name="")  # refused: nothing was done
    put(api, made, thief(), config={"tokenUrl": "https://evil.example/"})
    assert [(entry["action"], entry["actor"], entry["detail"]) for entry in log(api, made)] == [
        ("integration.created", "user:ada", None),
        ("integration.updated", "user:ada", "metadata, name, config.apiKey, config.clientSecret"),
        ("integration.status_changed", key["id"], "INACTIVE: x"),
    ]
    text = api(f"GET {PATH}/{made['id']}/logs").text + repr(backend.rows("ActivityTable"))
    for value in (SECRET, FRESH, "k-1", "private words"):
        assert value not in text
    for entry in log(api, made):
        assert entry.keys() == {"id", "action", "actor", "outcome", "detail", "createdAt"}
        assert entry["outcome"] == "SUCCEEDED"
    for stored in backend.rows("ActivityTable"):
        assert stored["ttl"] == LogId(stored["id"]).time_ms // 1000 + 90 * DAY


def test_the_log_is_filtered_by_action_and_time_and_comes_in_pages(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: clock.now * 1_000_000))
    made = make(api)
    other = make(api)
    start = clock.now
    for number in range(6):
        clock.move(60)
        changed(api, made, name=f"{number}")
        if number % 2:
            set_status(api, made, "ACTIVE" if number == 3 else "INACTIVE")
    changed(api, other, name="x")
    line = f"GET {PATH}/{made['id']}/logs"
    whole = pages(api, line, 100)
    assert len(whole) == 10
    assert pages(api, line, 1) == pages(api, line, 3) == whole
    assert [entry["createdAt"] for entry in whole] == sorted((e["createdAt"] for e in whole), reverse=True)
    moved = pages(api, f"{line}?action=integration.status_changed", 1)
    assert [entry["detail"] for entry in moved] == ["INACTIVE", "ACTIVE", "INACTIVE"]
    since, until = iso(at_ms(start + 120_000)), iso(at_ms(start + 240_000))
    assert len(pages(api, f"{line}?since={since}&until={until}", 2)) == 5
    assert len(pages(api, f"{line}?since={until}&action=integration.updated", 1)) == 3
    assert pages(api, f"{line}?since={until}&until={since}", 2) == []
    for query in ("action=X", "action=", "since=yesterday", "until=1", "cursor=x", "limit=0"):
        refused(api(f"{line}?{query}"), 422)
    cursor = api(f"GET {PATH}/{other['id']}/logs?limit=1").json()["nextCursor"]
    assert {entry["id"] for entry in items(api(f"{line}?cursor={cursor}"))} <= {
        entry["id"] for entry in whole
    }


# ── a deletion ───────────────────────────────────────────────────────────────────────────────────────


def test_a_deleted_integration_is_gone_at_once_everywhere(
    api: Api, backend: Backend, provider: Receiver, subtests: pytest.Subtests
) -> None:
    made = make(api, config=at(provider))
    connection = connected(api, made)
    body = {"redirectUri": REDIRECT_URI}
    state = api(f"POST {PATH}/{made['id']}/oauth/initiate", json=body).json()["state"]
    assert delete(api, made).status == 200
    asked = len(provider.requests)
    bodies = {
        "oauth/initiate": body,
        "oauth/refresh": {},
        "connections": {"credentials": {"apiKey": "k"}},
        "status": {"status": "ACTIVE"},
    }
    seen = 0
    for route in gateway.read(backend.template).routes:
        if not route.path.startswith(f"{PATH}/{{id}}"):
            continue
        seen += 1
        target = route.path.replace("{id}", made["id"]).replace("{connectionId}", connection["id"])
        sent = (
            bodies.get(target.partition(f"{made['id']}/")[2], {}) if route.method in ("PUT", "POST") else None
        )
        with subtests.test(route.key):
            if target.endswith("oauth/callback"):
                target += f"?state={state}&code=x"
                assert api(f"GET {target}", token=None).status in (404, 422)
            else:
                refused(api(f"{route.method} {target}", json=sent), 404)
    assert seen >= 12
    refused(api(f"POST {CALLBACK}", json={"code": "x", "state": state}), 404)
    assert items(api(f"GET {PATH}")) == items(api(f"GET {PATH}?includePublic=true")) == []
    webhook = {"name": "w", "url": "https://example.com/", "events": ["*"], "integrationId": made["id"]}
    assert path_of(api(f"POST {WEBHOOKS}", json=webhook)) == "integrationId"
    assert len(provider.requests) == asked, "nothing is sent for it any more"


def test_a_webhook_belongs_to_an_integration_that_is_there(api: Api) -> None:
    made = make(api)
    theirs = make(api, jwt_for("globex"))
    body = {"name": "w", "url": "https://example.com/", "events": ["*"]}
    webhook = api(f"POST {WEBHOOKS}", json={**body, "integrationId": made["id"]}).json()
    assert webhook["integrationId"] == made["id"]
    for id in (
        theirs["id"],
        IntegrationId.new(),
        IntegrationId.of_template("hubspot"),
        "int_x",
        made["id"][4:],
    ):
        assert path_of(api(f"POST {WEBHOOKS}", json={**body, "integrationId": id})) == "integrationId"
        answer = api(f"PUT {WEBHOOKS}/{webhook['id']}", json={"integrationId": id})
        assert path_of(answer) == "integrationId"


def test_the_schedule_clears_up_after_a_deletion_wherever_it_dies(
    api: Api, backend: Backend, provider: Receiver
) -> None:
    bystander = make(api, config=at(provider))
    connected(api, bystander)
    body = {"name": "w", "url": "https://example.com/", "events": ["*", "POST_PUBLISHED"]}
    api(f"POST {WEBHOOKS}", json=body)
    api(f"POST {WEBHOOKS}", json={**body, "integrationId": bystander["id"]})

    def rows(name: str) -> list[str]:
        """Without the version of the subscriptions, which each change raises."""
        found = [{**row, "subscriptions": None} for row in backend.rows(name)]
        return sorted(map(repr, found))

    kept = {name: rows(name) for name in ("ConnectionsTable", "WebhooksTable", "IntegrationsTable")}
    call, died = 0, True
    while died:
        call += 1
        made = make(api, config=at(provider))
        connected(api, made)
        for _ in range(2):
            api(f"POST {WEBHOOKS}", json={**body, "integrationId": made["id"]})
        provider.requests.clear()
        delete(api, made)
        with dying(call) as process:
            kept_up()
        died = process.died
        kept_up()
        revoked = [request for request in provider.requests if request.path == "/revocation"]
        assert 1 <= len(revoked) <= 2, f"died before call {call}"
        assert REFRESH in revoked[0].body.decode()
        assert {name: rows(name) for name in kept} == kept, f"died before call {call}"
        assert kept_up().tasks == 0
    assert call > 15


def test_a_webhook_that_is_changed_at_that_moment_does_not_outlive_its_integration(
    api: Api, backend: Backend
) -> None:
    made = make(api)
    body = {"name": "w", "url": "https://example.com/", "events": ["*"], "integrationId": made["id"]}
    id = api(f"POST {WEBHOOKS}", json=body).json()["id"]
    delete(api, made)

    def rename() -> None:
        assert api(f"PUT {WEBHOOKS}/{id}", json={"name": "renamed"}).status == 200

    with meanwhile("dynamodb.TransactWriteItems", rename):
        assert kept_up().tasks in (0, 1)
    kept_up()
    assert api(f"GET {WEBHOOKS}/{id}").status == 404
    assert kept_up().tasks == 0


def test_the_schedule_goes_on_where_its_time_ran_out(api: Api, backend: Backend, provider: Receiver) -> None:
    made = make(api, config=at(provider))
    for name in ("a", "b", "c"):
        connected(api, made, name)
    delete(api, made)
    assert run_due(lambda: 0).tasks == 0
    looks, done = 0, 0
    while not done:
        looks += 1
        assert looks < 40
        left = iter([900_000] * looks)
        done = run_due(lambda left=left: next(left, 0)).tasks  # type: ignore[misc]  # nothing to infer
    assert looks > 3
    assert backend.rows("ConnectionsTable") == []
    assert [row["sk"] for row in backend.rows("IntegrationsTable")] == ["count"]


# ── protected changes ────────────────────────────────────────────────────────────────────────────────

# What each moves: a body, for an integration of `OWN`, or of Salesforce.
MOVES: list[tuple[str | None, dict[str, Any]]] = [
    (None, {"config": {"tokenUrl": "https://other.example/token"}}),
    (None, {"config": {"tokenUrl": "https://provider.example/token2"}}),
    (None, {"config": {"tokenUrl": "https://provider.example:8443/token"}}),
    (None, {"config": {"tokenUrl": None}}),
    (None, {"config": {"authorizationUrl": "https://other.example/authorize"}}),
    (None, {"config": {"authorizationUrl": None}}),
    (None, {"config": {"revocationUrl": "https://other.example/revoke"}}),
    (None, {"config": {"revocationUrl": None}}),
    (None, {"config": {"clientId": "client-2"}}),
    (None, {"config": {"clientId": None}}),
    (
        None,
        {
            "provider": "hubspot",
            "config": {"authorizationUrl": None, "tokenUrl": None, "revocationUrl": None},
        },
    ),
    ("salesforce", {"provider": "hubspot"}),
    ("salesforce", {"provider": None}),
    ("salesforce", {"provider": "nobody-knows"}),
    ("salesforce", {"config": {"domain": "test"}}),
    ("salesforce", {"config": {"domain": "acme.my"}}),
    ("salesforce", {"config": {"clientId": "client-2"}}),
]


def movable(api: Api, provider: str | None) -> Any:
    config = OWN if provider is None else {"clientId": "client-1", "clientSecret": SECRET}
    return make(api, provider=provider, config=config)


def test_what_secrets_depend_on_changes_only_with_a_fresh_one(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    for provider, body in MOVES:
        with subtests.test(f"{provider}: {body}"):
            made = movable(api, provider)
            before = row(backend, made)
            config = body.get("config", {})
            for token, status, named in (
                (thief(), 403, "credentials:write"),
                (jwt_for("acme", role="admin"), 403, "credentials:write"),
                (OWNER, 422, "config.clientSecret"),
            ):
                refused(put(api, made, token, **body), status, named)
                removed = body | {"config": {**config, "clientSecret": None}}
                refused(put(api, made, token, **removed), status, named)
            fresh = body | {"config": {**config, "clientSecret": FRESH}}
            refused(put(api, made, thief(), **fresh), 403, "credentials:write")
            refused(put(api, made, headers={"If-Match": "9"}, **fresh), 409)
            assert path_of(put(api, made, **body | {"config": {**config, "clientSecret": MASK}}))
            assert row(backend, made) == before
            assert actions(api, made) == ["integration.created"]
            changed(api, made, **fresh)
            assert row(backend, made)["generation"] == before["generation"] + 1
            assert get(api, made, "?reveal=true")["config"]["clientSecret"] == FRESH
            tasks = [
                task["sk"] for task in backend.rows("IntegrationsTable") if task["workspaceId"] == "#tasks"
            ]
            assert f"expire#acme#{made['id']}" in tasks
            delete(api, made)


def test_what_secrets_do_not_depend_on_changes_as_it_is(api: Api, backend: Backend) -> None:
    made = make(api, config=OWN)
    salesforce = movable(api, "salesforce")
    generations = [row(backend, one)["generation"] for one in (made, salesforce)]
    for body in (
        {
            "name": "b",
            "type": "CRM",
            "description": "d",
            "logoUrl": "https://cdn.example/x.png",
            "scopes": ["s"],
        },
        {"rateLimitPerHour": 5, "rateLimitPerDay": 6, "metadata": {"a": 1}},
        {"provider": "an-own-name"},
        {"config": {"redirectUris": [REDIRECT_URI], "apiKey": "k", "issuer": "https://provider.example"}},
        {"config": {"clientSecret": FRESH}},
        {"config": {name: value for name, value in OWN.items() if name != "clientSecret"}},
    ):
        changed(api, made, thief(), **body)
    changed(api, salesforce, thief(), config={"domain": "login"})
    assert [row(backend, one)["generation"] for one in (made, salesforce)] == generations
    # Nothing stored, nothing connected: nothing to protect.
    bare = make(api)
    changed(api, bare, thief(), config={name: value for name, value in OWN.items() if name != "clientSecret"})
    changed(api, bare, thief(), config={"tokenUrl": "https://other.example/token", "clientSecret": "mine"})
    assert row(backend, bare)["generation"] == 3, "it is counted all the same"


def test_a_move_ends_all_connections(api: Api, backend: Backend, provider: Receiver) -> None:
    made = make(api, config=at(provider))
    for name in ("default", "second"):
        connected(api, made, name)
    body = {"redirectUri": REDIRECT_URI}
    begun = api(f"POST {PATH}/{made['id']}/oauth/initiate", json=body).json()
    with receiver([answering]) as other:
        changed(api, made, config={"tokenUrl": at(other)["tokenUrl"], "clientSecret": FRESH})
        asked = len(provider.requests)

        def over() -> None:
            for name in ("default", "second"):
                shown = api(f"GET {PATH}/{made['id']}/connections/{name}").json()
                assert (shown["status"], shown["lastError"]["code"]) == ("EXPIRED", "client_changed")
                for line, sent in (
                    (f"GET {PATH}/{made['id']}/connections/{name}/token", None),
                    (f"POST {PATH}/{made['id']}/oauth/refresh", {"connectionId": name}),
                ):
                    answer = api(line, json=sent)
                    assert (answer.status, answer.json()["code"]) == (409, "connection_expired"), answer.text
                    assert ACCESS not in answer.text

        over()
        refused(api(f"POST {CALLBACK}", json={"code": "c", "state": begun["state"]}), 409, "Start a new flow")
        assert kept_up().tasks == 1
        over()
        assert {one["status"] for one in backend.rows("ConnectionsTable")} == {"EXPIRED"}
        told = [json.loads(message["body"]) for message in backend.messages("EventsQueue")]
        assert sorted(one["data"]["connectionId"] for one in told) == ["default", "second"]
        # Taken back, they are not revoked at an address that they were not made for.
        assert api(f"DELETE {PATH}/{made['id']}/connections/second").status == 200
        assert other.requests == []
        assert len(provider.requests) == asked
        connected(api, made)
        assert FRESH in got(other)
        assert SECRET not in got(other)
        assert REFRESH not in got(other)
        assert api(f"GET {PATH}/{made['id']}/connections/default/token").json()["accessToken"] == ACCESS
        assert get(api, made)["connectionCount"] == 1


def test_a_move_while_the_schedule_works_at_one_before_is_not_forgotten(
    api: Api, backend: Backend, provider: Receiver
) -> None:
    made = make(api, config=at(provider))
    connected(api, made)
    move(api, made, "client-2")

    def again() -> None:
        connected(api, made)
        move(api, made, "client-3")

    with meanwhile("dynamodb.DeleteItem", again):
        kept_up()
    kept_up()
    (connection,) = backend.rows("ConnectionsTable")
    assert connection["status"] == "EXPIRED", "it is of the client before"


def move(api: Api, integration: Any, client_id: str) -> None:
    changed(api, integration, config={"clientId": client_id, "clientSecret": FRESH})


def test_a_move_and_a_new_connection_at_once(api: Api, backend: Backend, provider: Receiver) -> None:
    config = {
        name: value for name, value in at(provider, clientAuth="none").items() if name != "clientSecret"
    }
    made = make(api, config=config)
    elsewhere = {"tokenUrl": "http://127.0.0.1:9999/token"}
    # Without secret and connections anyone may move it; but now there is one.
    with meanwhile("dynamodb.TransactWriteItems", lambda: connected(api, made)):
        refused(put(api, made, thief(), config=elsewhere), 403, "credentials:write")
    assert api(f"GET {PATH}/{made['id']}/connections/default/token").json()["accessToken"] == ACCESS
    # The other way about: it moves while a user is at the provider.
    with meanwhile("dynamodb.TransactWriteItems", lambda: changed(api, made, config=elsewhere), at=2):
        refused(connect(api, made, "second"), 409, "Start a new flow")
    assert get(api, made)["connectionCount"] == 1
    assert [one["name"] for one in backend.rows("ConnectionsTable")] == ["default"]


# What a thief tries, one change after the other; {} is their own server.
ATTEMPTS: dict[str, list[dict[str, Any]]] = {
    "at once": [{"config": {"tokenUrl": "{}/token"}}],
    "every address": [
        {"config": {name: f"{{}}/{name}"}}
        for name in ("tokenUrl", "authorizationUrl", "revocationUrl", "issuer")
    ],
    "removing the secret with it": [{"config": {"tokenUrl": "{}/token", "clientSecret": None}}],
    "removing the secret first": [{"config": {"clientSecret": None}}, {"config": {"tokenUrl": "{}/token"}}],
    "a secret of their own": [{"config": {"clientSecret": "mine"}}, {"config": {"tokenUrl": "{}/token"}}],
    "a secret of their own with it": [{"config": {"tokenUrl": "{}/token", "clientSecret": "mine"}}],
    "no address first": [{"config": {"tokenUrl": None}}, {"config": {"tokenUrl": "{}/token"}}],
    "nothing public first": [
        {"config": dict.fromkeys(("tokenUrl", "authorizationUrl", "revocationUrl", "clientId"))},
        {"config": {"tokenUrl": "{}/token", "authorizationUrl": "{}/a", "clientId": "client-1"}},
    ],
    "a client without secret first": [
        {"config": {"clientAuth": "none"}},
        {"config": {"tokenUrl": "{}/token"}},
        {"config": {"clientAuth": "basic"}},
    ],
    "revocation alone": [{"config": {"revocationUrl": None}}, {"config": {"revocationUrl": "{}/revoke"}}],
    "a known provider and back": [
        {
            "provider": "hubspot",
            "config": dict.fromkeys(("tokenUrl", "authorizationUrl", "revocationUrl")),
        },
        {"provider": None, "config": {"tokenUrl": "{}/token", "authorizationUrl": "{}/authorize"}},
    ],
    "another name of nobody's": [{"provider": "other"}, {"config": {"tokenUrl": "{}/token"}}],
    "paused": [{"status": "INACTIVE"}, {"config": {"tokenUrl": "{}/token"}}, {"status": "ACTIVE"}],
    "braces": [
        {"config": {"tokenUrl": "{}/{clientSecret}"}},
        {"config": {"authorizationUrl": "{}/{clientSecret}"}},
    ],
    "a redirect address": [{"config": {"redirectUris": ["{}/back"]}}],
    "by other names": [{"config": {"token_url": "{}/token", "TokenUrl": "{}/token", "tokenurl": "{}/token"}}],
    "a variable of another provider": [{"config": {"domain": "evil.my"}}, {"config": {"instance_url": "{}"}}],
    "a webhook's worth of scopes": [{"scopes": ["{}"]}, {"config": {"scopeSeparator": ","}}],
    "made public": [{"isPublic": True}, {"config": {"tokenUrl": "{}/token"}}],
}


def test_no_change_of_a_thief_sends_a_stored_secret_or_token_elsewhere(
    api: Api, provider: Receiver, subtests: pytest.Subtests
) -> None:
    def filled(value: Any, url: str) -> Any:
        if isinstance(value, str):
            return value.replace("{}", url)
        if isinstance(value, dict):
            return {name: filled(entry, url) for name, entry in value.items()}
        return [filled(entry, url) for entry in value] if isinstance(value, list) else value

    with receiver([answering]) as evil:
        url = evil.url.removesuffix("/hook")
        for name, bodies in ATTEMPTS.items():
            with subtests.test(name):
                made = make(api, config=at(provider))
                connected(api, made)
                token = thief()
                for body in bodies:
                    line = f"PUT {PATH}/{made['id']}{'/status' if 'status' in body else ''}"
                    said = api(line, json=filled(body, url), token=token).text
                    assert SECRET not in said
                for uri in (REDIRECT_URI, f"{url}/back"):
                    begun = api(
                        f"POST {PATH}/{made['id']}/oauth/initiate", json={"redirectUri": uri}, token=token
                    )
                    assert SECRET not in begun.text
                    if begun.status == 200:
                        sent = {"code": "c", "state": begun.json()["state"]}
                        assert SECRET not in api(f"POST {CALLBACK}", json=sent, token=token).text
                api(f"GET {PATH}/{made['id']}/connections/default/token")
                api(f"POST {PATH}/{made['id']}/oauth/refresh", json={})
                kept_up()
                api(f"DELETE {PATH}/{made['id']}/connections/default")
                delete(api, made)
                kept_up()
                assert evil.requests == [], got(evil)


def test_a_thief_gains_nothing_by_repeating_anothers_request(api: Api) -> None:
    once = {"Idempotency-Key": "one"}
    body = {"name": "CRM", **HUBSPOT}
    made = api(f"POST {PATH}", json=body, headers=once).json()
    token = jwt_for("acme", scope="integrations:read integrations:write")
    changes = {**body, "config": {**HUBSPOT["config"], "clientSecret": "mine"}}
    for sent, who in ((body, OWNER), (changes, OWNER), (changes, token)):
        answer = api(f"POST {PATH}", json=sent, headers=once, token=who)
        assert SECRET not in answer.text
    assert get(api, made, "?reveal=true")["config"]["clientSecret"] == SECRET


def test_a_damaged_secret_can_be_stored_anew(api: Api, backend: Backend) -> None:
    made = make(api, config={**OWN, "other": "thing"})
    backend.client("dynamodb").update_item(
        TableName=backend.template.name("IntegrationsTable"),
        Key={"workspaceId": {"S": "acme"}, "sk": {"S": made["id"]}},
        UpdateExpression="SET secrets = :damaged",
        ExpressionAttributeValues={":damaged": {"S": "v1.1.AAAA"}},
    )
    broken = api(f"GET {PATH}/{made['id']}?reveal=true")
    assert broken.status == 500
    assert "does not open" in broken.json()["detail"]
    secret_names = [name for name, value in made["config"].items() if value == "********"]
    assert put(api, made, config={"clientSecret": "a new one"}).status == 500
    anew = dict.fromkeys(secret_names, "a new one")
    assert put(api, made, config=anew).status == 200
    assert get(api, made, "?reveal=true")["config"] == {**made["config"], **anew}


def test_addresses_of_ones_own_stay_when_their_provider_becomes_a_built_in_one(
    api: Api, backend: Backend
) -> None:
    made = make(api, config=OWN, provider="later-known")
    backend.client("dynamodb").update_item(
        TableName=backend.template.name("IntegrationsTable"),
        Key={"workspaceId": {"S": "acme"}, "sk": {"S": made["id"]}},
        UpdateExpression="SET provider = :known",
        ExpressionAttributeValues={":known": {"S": "hubspot"}},
    )
    begun = api(f"POST {PATH}/{made['id']}/oauth/initiate", json={"redirectUri": REDIRECT_URI})
    assert begun.json()["authorizationUrl"].startswith(OWN["authorizationUrl"])
    # Whoever wants the built-in ones says so, and brings the secret along.
    gone = dict.fromkeys(("authorizationUrl", "tokenUrl", "revocationUrl"))
    refused(put(api, made, config=gone), 422, "send it anew")
    assert put(api, made, config={**gone, "clientSecret": "anew"}).status == 200
