"""The integrations API, through the handlers of template.yaml: validation, concurrency, deletion, and attacks
that try to send a stored secret elsewhere.
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

from patchbay import ids
from patchbay.api_model import MASK
from patchbay.clock import from_ms, iso
from patchbay.ids import IntegrationId, LogId
from patchbay.integrations.models import MAX_METADATA_BYTES
from patchbay.oauth.maintenance import RunSummary, run_due
from tests.conftest import (
    OWNER,
    REDIRECT_URI,
    Answer,
    Api,
    Backend,
    is_audit_row,
    jwt_for,
    routes_of,
)
from tests.faults import Clock, dying, killed, meanwhile, one_at_a_time, watched
from tests.integration.integrations_api import PATH, items, pages, snapshot
from tests.problems import assert_problem
from tests.receivers import Answer as Reply
from tests.receivers import Receiver, Request, receiver

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


def created(api: Api, token: str = OWNER, **changes: Any) -> Any:
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


def updated(api: Api, integration: Any, token: str = OWNER, **body: Any) -> Any:
    answer = put(api, integration, token, **body)
    assert answer.status == 200, answer.text
    return answer.json()


def set_status(api: Api, integration: Any, status: str, **more: Any) -> Answer:
    return api(f"PUT {PATH}/{integration['id']}/status", json={"status": status, **more})


def delete(api: Api, integration: Any, **more: Any) -> Answer:
    return api(f"DELETE {PATH}/{integration['id']}", **more)


def log(api: Api, integration: Any, query: str = "") -> list[Any]:
    """The log entries, oldest first."""
    return items(api(f"GET {PATH}/{integration['id']}/logs{query}"))[::-1]


def actions(api: Api, integration: Any) -> list[str]:
    return [entry["action"] for entry in log(api, integration)]


def row(backend: Backend, integration: Any) -> dict[str, Any]:
    (result,) = (row for row in backend.rows("IntegrationsTable") if row["sk"] == integration["id"])
    return result


def logged_actions(backend: Backend) -> list[str]:
    """The actions in the logs of all integrations, sorted."""
    return sorted(row["action"] for row in backend.rows("ActivityTable") if not is_audit_row(row))


def path_of(answer: Answer) -> str:
    """The path of the first error."""
    return str(assert_problem(answer, 422)["errors"][0]["path"])


def attacker_token() -> str:
    """A token that can change integrations and connect, but neither read nor write credentials."""
    scopes = "integrations:read integrations:write integrations:publish connections:read connections:write"
    return jwt_for("acme", scope=scopes)


# ── a provider, and connections to it ────────────────────────────────────────────────────────────────


def answering(_: Request) -> Reply:
    tokens = {"access_token": ACCESS, "refresh_token": REFRESH, "token_type": "Bearer", "expires_in": 3600}
    return Reply(200, {"content-type": "application/json"}, json.dumps(tokens).encode())


@pytest.fixture
def provider() -> Iterator[Receiver]:
    """A provider that answers every request with tokens."""
    with receiver([answering]) as integration:
        yield integration


def config_at(provider: Receiver, **more: Any) -> dict[str, Any]:
    """The config of a custom provider at a local server."""
    here = provider.url.removesuffix("/hook")
    return {
        **OWN,
        **{f"{name}Url": f"{here}/{name}" for name in ("authorization", "token", "revocation")},
        **more,
    }


def connect(api: Api, integration: Any, name: str = "default", token: str = OWNER) -> Answer:
    """Run the whole OAuth flow."""
    body = {"redirectUri": REDIRECT_URI, "connectionId": name}
    initiated = api(f"POST {PATH}/{integration['id']}/oauth/initiate", json=body, token=token)
    if initiated.status != 200:
        return initiated
    return api(f"POST {CALLBACK}", json={"code": "a-code", "state": initiated.json()["state"]}, token=token)


def connected(api: Api, integration: Any, name: str = "default") -> Any:
    answer = connect(api, integration, name)
    assert answer.status == 200, answer.text
    return answer.json()


def sent_to(provider: Receiver) -> str:
    """Everything that a provider received, with Basic credentials decoded."""
    seen = []
    for request in provider.requests:
        headers = dict(request.headers)
        scheme, _, sent = headers.get("authorization", "").partition(" ")
        opened = base64.b64decode(sent).decode() if scheme == "Basic" else ""
        seen.append(f"{request.path} {headers} {request.body.decode()} {opened}")
    return "\n".join(seen)


def enough_time() -> int:
    return 900_000


def run_maintenance() -> RunSummary:
    """Run the maintenance once, with enough time."""
    return run_due(enough_time)


@contextlib.contextmanager
def every_time(operation: str, act: Callable[[], object], times: int) -> Iterator[None]:
    """Another process is faster `times` times: `act` runs before the operation, and itself makes one such
    call.
    """
    with contextlib.ExitStack() as stack:
        for number in range(times):
            stack.enter_context(meanwhile(operation, act, at=1 + 2 * number))
        yield


# ── create and get ───────────────────────────────────────────────────────────────────────────────────


def test_create_stores_all_fields_and_masks_secrets(api: Api) -> None:
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
    integration = answer.json()
    assert integration == {
        "id": integration["id"],
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
        "reviewReason": None,
        "withdrawn": False,
        "publisher": None,
        "installedFrom": None,
        "metadata": {"team": "news", "nested": {"null": None}, "big": 2**70, "float": 0.1},
        "connectionCount": 0,
        "createdBy": "user:someone",
        "createdAt": integration["createdAt"],
        "updatedAt": integration["createdAt"],
        "version": 1,
    }  # fmt: skip
    assert IntegrationId.parse(integration["id"])
    assert get(api, integration) == integration
    assert items(api(f"GET {PATH}")) == [integration]
    bare = created(api)
    assert {name: bare[name] for name in ("provider", "description", "logoUrl", "config", "scopes")} == {
        "provider": None, "description": "", "logoUrl": None, "config": {}, "scopes": [],
    }  # fmt: skip
    assert (bare["rateLimitPerHour"], bare["metadata"], bare["status"]) == (None, {}, "ACTIVE")


INVALID_BODIES: list[tuple[dict[str, Any], str]] = [
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
    ({"config": {"clientId": MASK}}, "config.clientId"),
    ({"config": {"apiKey": MASK}}, "config.apiKey"),
    ({"config": {"a": "b", "c d": "e"}}, "config.c d"),
    ({"config": {"": "e"}}, "config."),
    ({"config": {"x" * 65: "e"}}, "config." + "x" * 65),
    ({"config": {"a": [1]}}, "config.a.0"),
    ({"config": {f"a{n}": "b" for n in range(51)}}, "config"),
    ({"config": {f"a{n}": "b" * 4096 for n in range(4)}}, "config"),
    ({"config": {"tokenUrl": "https://169.254.169.254/token"}}, "config.tokenUrl"),
    ({"config": {"redirectUris": ["https://["]}}, "config.redirectUris.0"),
    ({"provider": "hubspot", "config": {"tokenUrl": OWN["tokenUrl"]}}, "config.tokenUrl"),
    ({"provider": "salesforce", "config": {"domain": "evil.example/"}}, "config.domain"),
    ({"workspaceId": "globex"}, "workspaceId"),
    ({"status": "INACTIVE"}, "status"),
    ({"reviewStatus": "APPROVED"}, "reviewStatus"),
    ({"publisher": {"name": "Patchbay", "verified": True}}, "publisher"),
    ({"installedFrom": "int_0"}, "installedFrom"),
    ({"generation": 1}, "generation"),
    ({"logo_url": "https://cdn.example/x.png"}, "logo_url"),
]


def test_invalid_body_is_rejected_and_changes_nothing(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    stored = created(api, config=OWN)
    before = snapshot(backend)
    for body, path in INVALID_BODIES:
        with subtests.test(str(body)[:80]):
            assert path_of(create(api, **body)) == path
            if path != "config.tokenUrl" or "provider" not in body:
                assert path_of(put(api, stored, **body)) in (path, "config.authorizationUrl")
    # PUT accepts these: the mask keeps a secret, and the count changes independently of the caller.
    assert path_of(create(api, config={**OWN, "clientSecret": MASK})) == "config.clientSecret"
    assert path_of(create(api, connectionCount=0)) == "connectionCount"
    assert path_of(api(f"POST {PATH}", json={"type": "CRM"})) == "name"
    assert path_of(api(f"POST {PATH}", json={"name": "x"})) == "type"
    for body in (
        {"status": "PENDING_SETUP"},
        {"status": "INACTIVE", "statusReason": "a\nb"},
        {},
        {"status": None},
    ):
        assert api(f"PUT {PATH}/{stored['id']}/status", json=body).status == 422
    assert snapshot(backend) == before


def test_size_limits_apply_also_after_merge(api: Api) -> None:
    filler = "ä" * ((MAX_METADATA_BYTES - len('{"a":{},"b":""}')) // 2)
    full = {"a": {}, "b": filler}
    assert len(json.dumps(full, ensure_ascii=False, separators=(",", ":")).encode()) >= MAX_METADATA_BYTES - 1
    integration = created(
        api,
        name="x" * 100,
        description="ä" * 2000,
        metadata=full,
        scopes=[f"s{n:03}" + "x" * 252 for n in range(100)],
        config={f"a{n}": "b" * 4094 for n in range(4)},
        logoUrl="https://cdn.example/" + "x" * 2028,
    )
    assert path_of(put(api, integration, metadata={"c": 1})) == "metadata"
    assert path_of(put(api, integration, config={"c": "d"})) == "config"
    assert updated(api, integration, metadata={"c": 1, "b": None})["metadata"] == {"a": {}, "c": 1}
    config = updated(api, integration, config={"a0": None, "c": "d"})["config"]
    assert config == dict.fromkeys(("a1", "a2", "a3", "c"), MASK)


@pytest.mark.parameters(Environment="prod")
def test_provider_urls_must_be_public_https_in_production(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    integration = created(api, config=OWN)
    for name in ("authorizationUrl", "tokenUrl", "revocationUrl", "issuer"):
        for url in (
            "http://provider.example/x",
            "https://10.0.0.1/x",
            "https://[fd00:ec2::254]/",
            "https://a/",
        ):
            assert path_of(create(api, config={**OWN, name: url})) == f"config.{name}", url
            assert path_of(put(api, integration, config={name: url})) == f"config.{name}", url
    monkeypatch.delenv("PATCHBAY_ALLOW_LOOPBACK_TARGETS")
    from patchbay.settings import settings

    settings.cache_clear()
    for url in ("https://127.0.0.1/x", "https://localhost/x", "https://[::1]/x"):
        assert path_of(create(api, config={**OWN, "tokenUrl": url})) == "config.tokenUrl"
    assert path_of(create(api, config={"redirectUris": ["http://app.example/"]})) == "config.redirectUris.0"
    assert created(api, config={"redirectUris": ["http://localhost:3000/"]})


# ── permissions and isolation ────────────────────────────────────────────────────────────────────────


def test_members_read_and_admins_write(api: Api) -> None:
    integration = created(api)
    id = integration["id"]
    for role, writes in (("viewer", False), ("member", False), ("admin", True)):
        token = jwt_for("acme", role=role)
        for line in (f"GET {PATH}", f"GET {PATH}/{id}", f"GET {PATH}/{id}/logs", f"GET {PATH}/marketplace"):
            assert api(line, token=token).status == 200, (role, line)
        for line, body in (
            (f"PUT {PATH}/{id}", {"name": role}),
            (f"PUT {PATH}/{id}/status", {"status": "ACTIVE"}),
            (f"POST {PATH}", {"name": "x", "type": "CUSTOM"}),
            (f"POST {PATH}/{IntegrationId.for_template('hubspot')}/install", {}),
            (f"DELETE {PATH}/{id}", None),
        ):
            answer = api(line, json=body, token=token)
            if writes:
                assert answer.status in (200, 201), answer.text
            else:
                assert_problem(answer, 403, "forbidden", "integrations:write")
    assert api(f"GET {PATH}", token=None).status == 401


def test_other_workspaces_get_404(api: Api, backend: Backend) -> None:
    integration = created(api, **HUBSPOT)
    before = snapshot(backend)
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
            answer = api(f"{method} {PATH}/{path.format(integration['id'])}", json=body, token=stranger)
            assert_problem(answer, 404)
            nowhere = path.format(IntegrationId.new())
            unknown = api(f"{method} {PATH}/{nowhere}", json=body, token=stranger)
            assert unknown.json()["detail"] == answer.json()["detail"], "the same as for an unknown id"
        for query in ("", "?includePublic=true", "?provider=hubspot"):
            assert items(api(f"GET {PATH}{query}", token=stranger)) == []
    assert snapshot(backend) == before
    for id in (
        "whk_" + integration["id"][4:],
        integration["id"][:-1],
        integration["id"] + "0",
        "int_~",
        "count",
        "%23tasks",
    ):
        assert api(f"GET {PATH}/{id}").status == 404


# ── secrets ──────────────────────────────────────────────────────────────────────────────────────────


def test_reveal_needs_credentials_read_and_is_logged(api: Api, backend: Backend) -> None:
    integration = created(api, config={**OWN, "apiKey": "k-77", "note": "not public either"})
    masked = {**OWN, "clientSecret": MASK, "apiKey": MASK, "note": MASK}
    assert integration["config"] == masked
    for query in ("", "?reveal=false"):
        assert get(api, integration, query)["config"] == masked
    assert_problem(api(f"GET {PATH}/{integration['id']}?Reveal=true"), 422, None, "did you mean `reveal`?")
    for token in (attacker_token(), jwt_for("acme", role="admin"), jwt_for("acme", role="viewer")):
        assert_problem(
            api(f"GET {PATH}/{integration['id']}?reveal=true", token=token),
            403,
            "forbidden",
            "credentials:read",
        )
    assert actions(api, integration) == ["integration.created"]
    reader = jwt_for("acme", scope="integrations:read credentials:read", claims={"sub": "ada"})
    answer = api(f"GET {PATH}/{integration['id']}?reveal=true", token=reader)
    assert answer.json()["config"] == {**OWN, "apiKey": "k-77", "note": "not public either"}
    assert answer.headers["cache-control"] == "no-store"
    entry = log(api, integration)[-1]
    assert (entry["action"], entry["actor"], entry["outcome"]) == (
        "credentials.revealed",
        "user:ada",
        "SUCCEEDED",
    )
    assert set(entry["detail"].split(", ")) == {"config.clientSecret", "config.apiKey", "config.note"}
    revealed = []
    with killed("dynamodb.PutItem"):
        revealed.append(api(f"GET {PATH}/{integration['id']}?reveal=true"))
    assert revealed == [], "secrets are not revealed without a log entry"
    everything = "".join(text for rows in snapshot(backend).values() for text in rows)
    for secret in (SECRET, "k-77", "not public either"):
        assert secret not in everything
        assert base64.b64encode(secret.encode()).decode().rstrip("=")[:-1] not in everything
        assert secret not in api(f"GET {PATH}/{integration['id']}/logs").text


def test_metadata_preserves_number_notation(api: Api) -> None:
    body = json.dumps({"name": "Own", "type": "CUSTOM", "metadata": {"a": 0}}).replace('"a": 0', '"a":1.10')
    integration = api(f"POST {PATH}", body=body.encode())
    assert '"metadata":{"a":1.10}' in integration.text
    updated = api(f"PUT {PATH}/{integration.json()['id']}", body=b'{"metadata":{"b":-0}}')
    assert '"metadata":{"a":1.10,"b":-0}' in updated.text


def test_config_and_metadata_merge_by_key_and_null_removes_a_key(api: Api, backend: Backend) -> None:
    integration = created(api, config={**OWN, "apiKey": "k"}, metadata={"a": 1, "b": {"c": 2}})
    new = updated(
        api, integration, config={"apiKey": None, "extra": "e"}, metadata={"b": {"d": 3}, "a": None}
    )
    assert new["config"] == {**OWN, "clientSecret": MASK, "extra": MASK}
    assert new["metadata"] == {"b": {"d": 3}}
    sealed = row(backend, integration)["secrets"]
    new = updated(api, integration, config={"redirectUris": [REDIRECT_URI]}, metadata={})
    assert row(backend, integration)["secrets"] == sealed, "unchanged secrets are not encrypted again"
    assert new["metadata"] == {"b": {"d": 3}}
    revealed = get(api, integration, "?reveal=true")["config"]
    assert revealed == {**OWN, "extra": "e", "redirectUris": [REDIRECT_URI]}
    # The mask keeps a stored secret. Without a stored secret, the mask itself would be stored as one.
    updated(api, integration, config=new["config"])
    assert get(api, integration, "?reveal=true")["config"] == revealed
    assert path_of(put(api, integration, config={"other": MASK})) == "config.other"
    assert path_of(put(api, integration, config=dict.fromkeys(revealed))) == "config.clientSecret", (
        "the secret must go first"
    )
    updated(api, integration, config={"clientSecret": None, "extra": None})
    assert updated(api, integration, config=dict.fromkeys(revealed))["config"] == {}
    assert "secrets" not in row(backend, integration)


def test_update_without_difference_writes_nothing(api: Api, backend: Backend) -> None:
    integration = created(api, **HUBSPOT, metadata={"a": 1}, scopes=["x"])
    before = snapshot(backend)
    names = ("name", "type", "provider", "description", "logoUrl", "scopes", "isPublic", "metadata")
    same = {name: integration[name] for name in names}
    bodies: list[dict[str, Any]] = [{}, same, {"config": {}}, {"config": HUBSPOT["config"]}]
    for body in [*bodies, {"metadata": {"zzz": None}}]:
        answer = put(api, integration, headers={"If-Match": '"1"'}, **body)
        assert answer.status == 200, answer.text
        assert answer.json() == integration
    assert snapshot(backend) == before


def test_secret_field_does_not_become_public_with_another_provider(api: Api) -> None:
    """`domain` is public for Salesforce. For an unknown provider, it may be anything, so it is secret."""
    integration = created(api, config={"domain": "my-secret-domain"})
    config = {"clientId": "c", "clientSecret": SECRET}
    assert path_of(put(api, integration, provider="salesforce", config=config)) == "config.domain"
    new = updated(api, integration, provider="salesforce", config={**config, "domain": "test"})
    assert new["config"] == {"clientId": "c", "clientSecret": MASK, "domain": "test"}
    assert get(api, integration, "?reveal=true")["config"] == {
        "clientId": "c",
        "clientSecret": SECRET,
        "domain": "test",
    }
    assert path_of(put(api, integration, provider=None, config={"clientSecret": FRESH})) == "config.domain"
    back = updated(api, integration, provider=None, config={"clientSecret": FRESH, "domain": "a-secret"})
    assert back["config"]["domain"] == MASK


# The built-in settings of two providers, in different but equivalent spellings.
BUILT_IN: dict[str, dict[str, Any]] = {
    "hubspot": {
        "authorizationUrl": "HTTPS://App.HubSpot.com:443/oauth/authorize",
        "tokenUrl": "https://api.hubapi.com/oauth/v3/token",
        "revocationUrl": "https://api.hubapi.com/oauth/v3/token/revoke",
        "clientAuth": "body",
        "pkce": True,
        "scopeSeparator": " ",
        "refresh": "static",
        "expiredErrors": ["BAD_REFRESH_TOKEN"],
        "revokeReplaced": False,
    },
    "salesforce": {
        "domain": "acme.my",
        "authorizationUrl": "https://acme.my.salesforce.com/services/oauth2/authorize",
        "tokenUrl": "https://acme.my.salesforce.com/services/oauth2/token",
    },
}


@pytest.mark.parametrize("provider", BUILT_IN)
@pytest.mark.parametrize("is_public", [False, True])
def test_built_in_provider_settings_are_accepted_and_not_stored(
    api: Api, provider: str, is_public: bool
) -> None:
    settings = {
        name: value for name, value in BUILT_IN[provider].items() if not (is_public and name == "domain")
    }
    if is_public and provider == "salesforce":
        settings = {
            name: value.replace("acme.my", "login") for name, value in settings.items()
        }  # a public integration has the provider's own URLs
    client = {"clientId": "id-1", "clientSecret": SECRET}
    body: dict[str, Any] = {"provider": provider, "isPublic": is_public, "config": {**settings, **client}}
    integration = created(api, **body)
    kept: dict[str, Any] = {"clientId": "id-1", "clientSecret": MASK}
    if "domain" in settings:
        kept["domain"] = "acme.my"
    assert (integration["status"], integration["config"]) == ("ACTIVE", kept)
    review = integration["reviewStatus"]
    assert put(api, integration, config=settings).json() == integration, "nothing changed"
    assert updated(api, integration, name="renamed", config=settings)["reviewStatus"] == review
    assert_problem(put(api, integration, config={"tokenUrl": OWN["tokenUrl"]}), 422)
    url = api(f"POST {PATH}/{integration['id']}/oauth/initiate", json={"redirectUri": REDIRECT_URI})
    expected = settings["authorizationUrl"].lower().replace(":443", "")
    assert url.json()["authorizationUrl"].startswith(f"{expected}?"), url


def test_status_reason_names_missing_fields_until_setup_is_complete(api: Api) -> None:
    install = f"POST {PATH}/{IntegrationId.for_template('hubspot')}/install"
    template = api(install).json()
    reasons = [template["statusReason"]]
    for config in ({"clientId": "c"}, {"clientSecret": SECRET}, {"clientId": None}, {"clientSecret": None}):
        template = put(api, template, config={"clientSecret": SECRET, **config}).json()
        assert get(api, template)["statusReason"] == template["statusReason"]
        reasons.append(template["statusReason"])
    assert reasons == [
        "missing_config: clientId, clientSecret",
        None,
        None,
        "missing_config: clientId",
        "missing_config: clientId, clientSecret",
    ]
    answer = connect(api, template)
    assert_problem(
        answer, 409, "integration_inactive", "(missing_config: clientId, clientSecret)", "PUT /api"
    )
    # A reason from an owner applies to the status that the owner set.
    set_status(api, template, "INACTIVE", statusReason="later")
    shown = get(api, template)
    assert (shown["status"], shown["statusReason"]) == ("INACTIVE", "later")


def test_integration_names_its_creator(api: Api) -> None:
    scopes = ["integrations:read", "integrations:write"]
    key = api("POST /api/integrations/api-keys", json={"name": "k", "scopes": scopes}).json()
    by_key = created(api, key["key"])
    assert by_key["createdBy"] == key["id"]
    assert updated(api, by_key, name="renamed")["createdBy"] == key["id"], "not who changed it"
    installed = api(f"POST {PATH}/{IntegrationId.for_template('hubspot')}/install").json()
    assert installed["createdBy"] == "user:someone"


def test_built_in_provider_urls_cannot_be_set(api: Api) -> None:
    own: dict[str, Any] = {
        "authorizationUrl": OWN["authorizationUrl"],
        "tokenUrl": OWN["tokenUrl"],
        "revocationUrl": OWN["revocationUrl"],
        "issuer": "https://provider.example",
        "clientAuth": "none",
        "pkce": False,
        "scopeSeparator": ",",
        "refresh": "rotating",
        "expiredErrors": ["GONE"],
        "revokeReplaced": True,
    }
    integration = created(api, **HUBSPOT)
    for name, value in own.items():
        body = {**HUBSPOT, "config": {**HUBSPOT["config"], name: value}}
        assert path_of(create(api, **body)) == f"config.{name}"
        assert path_of(put(api, integration, config={name: value})) == f"config.{name}"
        mine = created(api, config={name: value})
        assert path_of(put(api, mine, provider="hubspot")) == f"config.{name}"
        assert updated(api, mine, provider="hubspot", config={name: None})["config"] == {}
    initiated = api(
        f"POST {PATH}/{integration['id']}/oauth/initiate", json={"redirectUri": REDIRECT_URI}
    ).json()
    assert initiated["authorizationUrl"].startswith("https://app.hubspot.com/oauth/authorize?")


# ── statuses ─────────────────────────────────────────────────────────────────────────────────────────


def test_status_is_active_while_required_config_is_complete(api: Api) -> None:
    integration = created(api, provider="salesforce", type="CRM")
    assert integration["status"] == "PENDING_SETUP"
    answer = set_status(api, integration, "ACTIVE")
    assert_problem(answer, 409, "conflict", "config.clientId", "config.clientSecret")
    assert_problem(connect(api, integration), 409, "integration_inactive")
    assert updated(api, integration, config={"clientId": "c"})["status"] == "PENDING_SETUP"
    assert updated(api, integration, config={"clientSecret": SECRET})["status"] == "ACTIVE"
    assert updated(api, integration, config={"clientSecret": None})["status"] == "PENDING_SETUP"
    for field in ("authorizationUrl", "tokenUrl", "clientId", "clientSecret"):
        config = {name: value for name, value in OWN.items() if name != field}
        partial = created(api, config=config)
        assert partial["status"] == "PENDING_SETUP", field
        with_it = {field: OWN[field], "clientSecret": SECRET}
        assert updated(api, partial, config=with_it)["status"] == "ACTIVE"
        without = {"clientSecret": SECRET} | {field: None}
        assert updated(api, partial, config=without)["status"] == "PENDING_SETUP"
    public = {name: value for name, value in OWN.items() if name != "clientSecret"}
    assert created(api, config={**public, "clientAuth": "none"})["status"] == "ACTIVE"
    assert created(api, provider="activecampaign")["status"] == "ACTIVE", (
        "its connections have their own keys"
    )


def test_status_set_by_caller_stays_until_changed(api: Api) -> None:
    integration = created(api, **HUBSPOT)
    for status in ("INACTIVE", "ERROR"):
        answer = set_status(api, integration, status, statusReason="Ünder repair")
        assert (answer.json()["status"], answer.json()["statusReason"]) == (status, "Ünder repair")
        assert connect(api, integration).json()["code"] == "integration_inactive"
        assert updated(api, integration, config={"clientSecret": None})["status"] == status
        assert_problem(set_status(api, integration, "ACTIVE"), 409, "conflict", "config.clientSecret")
        assert updated(api, integration, config={"clientSecret": SECRET})["status"] == status
    answer = set_status(api, integration, "ACTIVE")
    assert (answer.json()["status"], answer.json()["statusReason"]) == ("ACTIVE", None)
    assert connect(api, integration).status != 409
    before = get(api, integration)
    assert set_status(api, integration, "ACTIVE").json() == before, "no change, no log entry"
    assert_problem(
        api(f"PUT {PATH}/{integration['id']}/status", json={"status": "ERROR"}, headers={"If-Match": "1"}),
        412,
    )
    details = [entry["detail"] for entry in log(api, integration, "?action=integration.status_changed")]
    assert details == ["INACTIVE: Ünder repair", "ERROR: Ünder repair", "ACTIVE"]


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────


def test_list_is_newest_first_with_pages_and_filters(api: Api) -> None:
    integration = [
        created(api, name="0"),
        created(api, name="1", **HUBSPOT),
        created(api, name="2", provider="hubspot", type="CRM"),
        created(api, name="3", provider="google", type="CUSTOM"),
        created(api, name="4", **HUBSPOT),
        created(api, name="5"),
    ]
    set_status(api, integration[5], "INACTIVE")
    delete(api, integration[4])
    created(api, jwt_for("globex"), name="theirs")

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
        assert_problem(api(f"GET {PATH}?{query}"), 422)


# ── concurrency ──────────────────────────────────────────────────────────────────────────────────────


def test_concurrent_updates_both_apply_or_one_conflicts(api: Api) -> None:
    integration = created(api, config=OWN, metadata={"a": 1})

    def other() -> None:
        updated(api, integration, config={"x": "theirs"}, metadata={"b": 2}, description="theirs")

    with meanwhile("dynamodb.TransactWriteItems", other):
        answer = put(api, integration, config={"y": "mine"}, metadata={"a": 9}, name="mine")
    assert answer.status == 200
    new = get(api, integration, "?reveal=true")
    assert new["config"] == {**OWN, "x": "theirs", "y": "mine"}
    assert (new["metadata"], new["name"], new["description"]) == ({"a": 9, "b": 2}, "mine", "theirs")
    assert new["version"] == 3
    with meanwhile("dynamodb.TransactWriteItems", lambda: updated(api, integration, name="theirs")):
        assert_problem(
            put(api, integration, headers={"If-Match": "3"}, name="mine again"), 412, None, "version 4"
        )
    assert get(api, integration)["name"] == "theirs"
    numbers = iter(range(9))
    with every_time(
        "dynamodb.TransactWriteItems", lambda: updated(api, integration, name=f"{next(numbers)}"), times=3
    ):
        assert_problem(put(api, integration, name="mine"), 409, "conflict", "at the same time")
    assert get(api, integration)["name"] == "2"
    assert actions(api, integration).count("integration.updated") == 6
    for match in ("x", "-1", "1.5", '"1'):
        assert path_of(put(api, integration, headers={"If-Match": match}, name="x")) == "If-Match"
    with meanwhile("dynamodb.TransactWriteItems", lambda: delete(api, integration)):
        assert_problem(put(api, integration, name="mine"), 404)


def test_concurrent_delete_and_update(api: Api) -> None:
    integration = created(api)
    with meanwhile("dynamodb.TransactWriteItems", lambda: updated(api, integration, name="b")):
        assert_problem(delete(api, integration, headers={"If-Match": "1"}), 412)
    with meanwhile("dynamodb.TransactWriteItems", lambda: updated(api, integration, name="c")):
        assert delete(api, integration).status == 200
    assert_problem(delete(api, integration), 404)


def test_connection_count_survives_concurrent_update(api: Api, backend: Backend, provider: Receiver) -> None:
    integration = created(api, config=config_at(provider))
    with meanwhile("dynamodb.TransactWriteItems", lambda: connected(api, integration)):
        assert put(api, integration, name="b", headers={"If-Match": "1"}).status == 200
    assert (get(api, integration)["connectionCount"], get(api, integration)["name"]) == (1, "b")
    with meanwhile("dynamodb.TransactWriteItems", lambda: updated(api, integration, name="c"), at=2):
        assert connect(api, integration, "second").status == 200
    assert (get(api, integration)["connectionCount"], get(api, integration)["name"]) == (2, "c")
    for name in ("default", "second"):
        assert api(f"DELETE {PATH}/{integration['id']}/connections/{name}").status == 200
    assert get(api, integration)["connectionCount"] == 0
    assert backend.rows("ConnectionsTable") == []


# ── ceiling ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxIntegrations=2)
def test_ceiling_applies_to_create_and_install_until_delete(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = IntegrationId.for_template("hubspot")
    first = created(api)
    assert api(f"POST {PATH}/{template}/install").status == 201
    for answer in (create(api), api(f"POST {PATH}/{template}/install")):
        assert_problem(answer, 409, "conflict", "2 integrations, which is its limit")
    created(api, jwt_for("globex"))
    delete(api, first)
    second = created(api)
    assert_problem(create(api), 409)
    # A rejected request does not use up its key.
    once = {"Idempotency-Key": "k"}
    assert_problem(create(api, headers=once), 409, "conflict", "limit")
    assert run_maintenance().tasks == 1
    assert_problem(create(api, headers=once), 409, "conflict", "limit")
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


# ── idempotency ──────────────────────────────────────────────────────────────────────────────────────


def test_create_and_install_are_idempotent(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    template = IntegrationId.for_template("hubspot")
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
        before = snapshot(backend)
        with killed("dynamodb.TransactWriteItems"):
            ask("three")
        after = snapshot(backend)
        assert (after["IntegrationsTable"], after["ActivityTable"]) == (
            before["IntegrationsTable"],
            before["ActivityTable"],
        )
        assert_problem(ask("three"), 409)
        clock.move(31)
        assert ask("three").status == 201
        with killed("dynamodb.TransactWriteItems", after=True):
            ask("four")
        after = snapshot(backend)
        answer = ask("four")
        assert answer.headers["idempotent-replayed"] == "true"
        assert snapshot(backend) == after
    answer = create(api, headers={"Idempotency-Key": "one"})
    assert (answer.status, answer.json()["code"]) == (422, "idempotency_mismatch")


# ── the log ──────────────────────────────────────────────────────────────────────────────────────────


def test_change_and_log_entry_are_atomic(api: Api, backend: Backend) -> None:
    """If the process dies before or after the write, either both exist or neither does."""
    integration = created(api, **HUBSPOT)
    id = integration["id"]
    changes: list[tuple[str, str, Any, str]] = [
        (f"POST {PATH}", "integration.created", {"name": "b", "type": "CUSTOM"}, "Put"),
        (f"POST {PATH}/{IntegrationId.for_template('hubspot')}/install", "integration.installed", {}, "Put"),
        (f"PUT {PATH}/{id}", "integration.updated", {"name": "b", "config": {"apiKey": "k"}}, "Update"),
        (f"PUT {PATH}/{id}", "integration.updated", {"isPublic": True}, "Update"),
        (f"PUT {PATH}/{id}/status", "integration.status_changed", {"status": "INACTIVE"}, "Update"),
        (f"DELETE {PATH}/{id}", "integration.deleted", None, "Update"),
    ]
    for line, action, body, kind in changes:
        before, said = snapshot(backend), logged_actions(backend)
        with killed("dynamodb.TransactWriteItems"):
            api(line, json=body)
        assert snapshot(backend) == before, line
        with (
            killed("dynamodb.TransactWriteItems", after=True),
            watched("dynamodb.TransactWriteItems") as seen,
        ):
            api(line, json=body)
        assert logged_actions(backend) == sorted([*said, action]), line
        assert snapshot(backend)["IntegrationsTable"] != before["IntegrationsTable"]
        (transaction,) = seen
        assert sum("ActivityTable" in str(step) for step in transaction["TransactItems"]) <= 1
        assert any(kind in step for step in transaction["TransactItems"])
    # A change that is retried after a concurrent one is logged once.
    other = created(api)
    with meanwhile("dynamodb.TransactWriteItems", lambda: updated(api, other, name="theirs")):
        updated(api, other, description="mine")
    assert [entry["detail"] for entry in log(api, other)] == [None, "name", "description"]


def test_log_entry_has_actor_and_field_names_but_no_values(api: Api, backend: Backend) -> None:
    ada = jwt_for("acme", claims={"sub": "ada"}, role="owner")
    integration = created(api, ada, config=OWN)
    updated(
        api,
        integration,
        ada,
        name="b",
        metadata={"note": "private words"},
        config={"apiKey": "k-1", "clientSecret": FRESH},
    )
    key = api("POST /api/integrations/api-keys", json={"name": "k", "scopes": ["integrations:write"]}).json()
    api(
        f"PUT {PATH}/{integration['id']}/status",
        json={"status": "INACTIVE", "statusReason": "x"},
        token=key["key"],
    )
    put(api, integration, name="")  # refused, so nothing is logged
    put(api, integration, attacker_token(), config={"tokenUrl": "https://evil.example/"})
    assert [(entry["action"], entry["actor"], entry["detail"]) for entry in log(api, integration)] == [
        ("integration.created", "user:ada", None),
        ("integration.updated", "user:ada", "metadata, name, config.apiKey, config.clientSecret"),
        ("integration.status_changed", key["id"], "INACTIVE: x"),
    ]
    text = api(f"GET {PATH}/{integration['id']}/logs").text + repr(backend.rows("ActivityTable"))
    for value in (SECRET, FRESH, "k-1", "private words"):
        assert value not in text
    for entry in log(api, integration):
        assert entry.keys() == {"id", "action", "actor", "outcome", "detail", "createdAt"}
        assert entry["outcome"] == "SUCCEEDED"
    for stored in backend.rows("ActivityTable"):
        assert stored["ttl"] == LogId(stored["id"]).time_ms // 1000 + 400 * DAY  # each is an audit entry too


def test_log_has_pages_and_filters_by_action_and_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: clock.now * 1_000_000))
    integration = created(api)
    other = created(api)
    start = clock.now
    for number in range(6):
        clock.move(60)
        updated(api, integration, name=f"{number}")
        if number % 2:
            set_status(api, integration, "ACTIVE" if number == 3 else "INACTIVE")
    updated(api, other, name="x")
    line = f"GET {PATH}/{integration['id']}/logs"
    whole = pages(api, line, 100)
    assert len(whole) == 10
    assert pages(api, line, 1) == pages(api, line, 3) == whole
    assert [entry["createdAt"] for entry in whole] == sorted((e["createdAt"] for e in whole), reverse=True)
    moved = pages(api, f"{line}?action=integration.status_changed", 1)
    assert [entry["detail"] for entry in moved] == ["INACTIVE", "ACTIVE", "INACTIVE"]
    since, until = iso(from_ms(start + 120_000)), iso(from_ms(start + 240_000))
    assert len(pages(api, f"{line}?since={since}&until={until}", 2)) == 5
    assert len(pages(api, f"{line}?since={until}&action=integration.updated", 1)) == 3
    assert path_of(api(f"{line}?since={until}&until={since}")) == "until"
    for query in ("action=X", "action=", "since=yesterday", "until=1", "cursor=x", "limit=0"):
        assert_problem(api(f"{line}?{query}"), 422)
    cursor = api(f"GET {PATH}/{other['id']}/logs?limit=1").json()["nextCursor"]
    assert {entry["id"] for entry in items(api(f"{line}?cursor={cursor}"))} <= {
        entry["id"] for entry in whole
    }


# ── deletion ─────────────────────────────────────────────────────────────────────────────────────────


def test_deleted_integration_is_404_on_every_route(
    api: Api, backend: Backend, provider: Receiver, subtests: pytest.Subtests
) -> None:
    integration = created(api, config=config_at(provider))
    connection = connected(api, integration)
    body = {"redirectUri": REDIRECT_URI}
    state = api(f"POST {PATH}/{integration['id']}/oauth/initiate", json=body).json()["state"]
    assert delete(api, integration).status == 200
    request_count = len(provider.requests)
    bodies = {
        "oauth/initiate": body,
        "oauth/refresh": {},
        "connections": {"credentials": {"apiKey": "k"}},
        "status": {"status": "ACTIVE"},
    }
    seen = 0
    for route in routes_of(backend.template):
        if not route.path.startswith(f"{PATH}/{{id}}"):
            continue
        seen += 1
        target = route.path.replace("{id}", integration["id"]).replace("{connectionId}", connection["id"])
        sent = (
            bodies.get(target.partition(f"{integration['id']}/")[2], {})
            if route.method in ("PUT", "POST")
            else None
        )
        with subtests.test(route.key):
            if target.endswith("oauth/callback"):
                target += f"?state={state}&code=x"
                assert api(f"GET {target}", token=None).status in (404, 422)
            elif target.endswith("/logs"):  # logs stay readable for 90 days
                assert api(f"GET {target}").json()["items"][0]["action"] == "integration.deleted"
            else:
                assert_problem(api(f"{route.method} {target}", json=sent), 404)
    assert seen >= 12
    assert_problem(api(f"POST {CALLBACK}", json={"code": "x", "state": state}), 404)
    assert items(api(f"GET {PATH}")) == items(api(f"GET {PATH}?includePublic=true")) == []
    webhook = {
        "name": "w",
        "url": "https://example.com/",
        "eventTypes": ["*"],
        "integrationId": integration["id"],
    }
    assert path_of(api(f"POST {WEBHOOKS}", json=webhook)) == "integrationId"
    assert len(provider.requests) == request_count, "nothing more is sent to the provider"


def test_webhook_rejects_unknown_integration(api: Api) -> None:
    integration = created(api)
    theirs = created(api, jwt_for("globex"))
    body = {"name": "w", "url": "https://example.com/", "eventTypes": ["*"]}
    webhook = api(f"POST {WEBHOOKS}", json={**body, "integrationId": integration["id"]}).json()
    assert webhook["integrationId"] == integration["id"]
    for id in (
        theirs["id"],
        IntegrationId.new(),
        IntegrationId.for_template("hubspot"),
        "int_x",
        integration["id"][4:],
    ):
        assert path_of(api(f"POST {WEBHOOKS}", json={**body, "integrationId": id})) == "integrationId"
        answer = api(f"PUT {WEBHOOKS}/{webhook['id']}", json={"integrationId": id})
        assert path_of(answer) == "integrationId"


def test_maintenance_completes_deletion_after_crash_at_any_call(
    api: Api, backend: Backend, provider: Receiver
) -> None:
    bystander = created(api, config=config_at(provider))
    connected(api, bystander)
    body = {"name": "w", "url": "https://example.com/", "eventTypes": ["*", "POST_PUBLISHED"]}
    api(f"POST {WEBHOOKS}", json=body)
    api(f"POST {WEBHOOKS}", json={**body, "integrationId": bystander["id"]})

    def rows(name: str) -> list[str]:
        """The rows without the version of the subscriptions, which every change increments, and without the
        marks of deleted webhooks.
        """
        kept = [row for row in backend.rows(name) if not str(row.get("sk")).startswith("gone#")]
        result = [{**row, "subscriptions": None} for row in kept]
        return sorted(map(repr, result))

    stored = {name: rows(name) for name in ("ConnectionsTable", "WebhooksTable", "IntegrationsTable")}
    call, died = 0, True
    while died:
        call += 1
        integration = created(api, config=config_at(provider))
        connected(api, integration)
        for _ in range(2):
            api(f"POST {WEBHOOKS}", json={**body, "integrationId": integration["id"]})
        provider.requests.clear()
        delete(api, integration)
        with dying(call) as process:
            run_maintenance()
        died = process.died
        run_maintenance()
        revoked = [request for request in provider.requests if request.path == "/revocation"]
        assert 1 <= len(revoked) <= 2, f"died before call {call}"
        assert REFRESH in revoked[0].body.decode()
        assert {name: rows(name) for name in stored} == stored, f"died before call {call}"
        assert run_maintenance().tasks == 0
    assert call > 15


def test_concurrently_changed_webhook_is_deleted_with_its_integration(api: Api, backend: Backend) -> None:
    integration = created(api)
    body = {
        "name": "w",
        "url": "https://example.com/",
        "eventTypes": ["*"],
        "integrationId": integration["id"],
    }
    id = api(f"POST {WEBHOOKS}", json=body).json()["id"]
    delete(api, integration)

    def rename() -> None:
        assert api(f"PUT {WEBHOOKS}/{id}", json={"name": "renamed"}).status == 200

    with meanwhile("dynamodb.TransactWriteItems", rename):
        assert run_maintenance().tasks in (0, 1)
    run_maintenance()
    assert api(f"GET {WEBHOOKS}/{id}").status == 404
    assert run_maintenance().tasks == 0


def test_maintenance_resumes_after_running_out_of_time(
    api: Api, backend: Backend, provider: Receiver
) -> None:
    integration = created(api, config=config_at(provider))
    for name in ("a", "b", "c"):
        connected(api, integration, name)
    delete(api, integration)
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


# ── changes of secret destinations ───────────────────────────────────────────────────────────────────

# Bodies that change where secrets are sent: the provider (None means `OWN`) and the body.
DESTINATION_CHANGES: list[tuple[str | None, dict[str, Any]]] = [
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


def with_stored_secret(api: Api, provider: str | None) -> Any:
    config = OWN if provider is None else {"clientId": "client-1", "clientSecret": SECRET}
    return created(api, provider=provider, config=config)


def test_secret_destination_changes_only_with_new_secret(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    for provider, body in DESTINATION_CHANGES:
        with subtests.test(f"{provider}: {body}"):
            integration = with_stored_secret(api, provider)
            before = row(backend, integration)
            config = body.get("config", {})
            for token, status, scope_or_field in (
                (attacker_token(), 403, "credentials:write"),
                (jwt_for("acme", role="admin"), 403, "credentials:write"),
                (OWNER, 422, "config.clientSecret"),
            ):
                assert_problem(put(api, integration, token, **body), status, None, scope_or_field)
                removed = body | {"config": {**config, "clientSecret": None}}
                assert_problem(put(api, integration, token, **removed), status, None, scope_or_field)
            fresh = body | {"config": {**config, "clientSecret": FRESH}}
            answer = put(api, integration, attacker_token(), **fresh)
            assert_problem(answer, 403, "forbidden", "credentials:write")
            assert_problem(put(api, integration, headers={"If-Match": "9"}, **fresh), 412)
            assert path_of(put(api, integration, **body | {"config": {**config, "clientSecret": MASK}}))
            assert row(backend, integration) == before
            assert actions(api, integration) == ["integration.created"]
            updated(api, integration, **fresh)
            assert row(backend, integration)["generation"] == before["generation"] + 1
            assert get(api, integration, "?reveal=true")["config"]["clientSecret"] == FRESH
            tasks = [
                task["sk"] for task in backend.rows("IntegrationsTable") if task["workspaceId"] == "#tasks"
            ]
            assert f"expire#acme#{integration['id']}" in tasks
            delete(api, integration)


def test_other_fields_change_without_new_secret(api: Api, backend: Backend) -> None:
    integration = created(api, config=OWN)
    salesforce = with_stored_secret(api, "salesforce")
    generations = [row(backend, one)["generation"] for one in (integration, salesforce)]
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
        updated(api, integration, attacker_token(), **body)
    updated(api, salesforce, attacker_token(), config={"domain": "login"})
    assert [row(backend, one)["generation"] for one in (integration, salesforce)] == generations
    # Without secrets and connections there is nothing to protect.
    bare = created(api)
    updated(
        api,
        bare,
        attacker_token(),
        config={name: value for name, value in OWN.items() if name != "clientSecret"},
    )
    updated(
        api,
        bare,
        attacker_token(),
        config={"tokenUrl": "https://other.example/token", "clientSecret": "mine"},
    )
    assert row(backend, bare)["generation"] == 3, "every change of a destination counts"


def test_destination_change_expires_all_connections(api: Api, backend: Backend, provider: Receiver) -> None:
    integration = created(api, config=config_at(provider))
    for name in ("default", "second"):
        connected(api, integration, name)
    body = {"redirectUri": REDIRECT_URI}
    initiated = api(f"POST {PATH}/{integration['id']}/oauth/initiate", json=body).json()
    with receiver([answering]) as other:
        updated(api, integration, config={"tokenUrl": config_at(other)["tokenUrl"], "clientSecret": FRESH})
        request_count = len(provider.requests)

        def over() -> None:
            for name in ("default", "second"):
                shown = api(f"GET {PATH}/{integration['id']}/connections/{name}").json()
                assert (shown["status"], shown["lastError"]["code"]) == ("EXPIRED", "client_changed")
                for line, sent in (
                    (f"GET {PATH}/{integration['id']}/connections/{name}/token", None),
                    (f"POST {PATH}/{integration['id']}/oauth/refresh", {"connectionId": name}),
                ):
                    answer = api(line, json=sent)
                    assert (answer.status, answer.json()["code"]) == (409, "connection_expired"), answer.text
                    assert ACCESS not in answer.text

        over()
        assert_problem(
            api(f"POST {CALLBACK}", json={"code": "c", "state": initiated["state"]}),
            409,
            "conflict",
            "Start a new flow",
        )
        assert run_maintenance().tasks == 1
        over()
        assert {one["status"] for one in backend.rows("ConnectionsTable")} == {"EXPIRED"}
        events = [json.loads(message["body"]) for message in backend.messages("EventsQueue")]
        assert sorted(one["data"]["connectionId"] for one in events) == ["default", "second"]
        # Deleting a connection does not revoke its tokens at a URL that they do not belong to.
        assert api(f"DELETE {PATH}/{integration['id']}/connections/second").status == 200
        assert other.requests == []
        assert len(provider.requests) == request_count
        connected(api, integration)
        assert FRESH in sent_to(other)
        assert SECRET not in sent_to(other)
        assert REFRESH not in sent_to(other)
        assert (
            api(f"GET {PATH}/{integration['id']}/connections/default/token").json()["accessToken"] == ACCESS
        )
        assert get(api, integration)["connectionCount"] == 1


def test_destination_change_during_maintenance_is_not_lost(
    api: Api, backend: Backend, provider: Receiver
) -> None:
    integration = created(api, config=config_at(provider))
    connected(api, integration)
    move(api, integration, "client-2")

    def again() -> None:
        connected(api, integration)
        move(api, integration, "client-3")

    with meanwhile("dynamodb.DeleteItem", again):
        run_maintenance()
    run_maintenance()
    (connection,) = backend.rows("ConnectionsTable")
    assert connection["status"] == "EXPIRED", "it belongs to the previous client"


def move(api: Api, integration: Any, client_id: str) -> None:
    updated(api, integration, config={"clientId": client_id, "clientSecret": FRESH})


def test_concurrent_destination_change_and_new_connection(
    api: Api, backend: Backend, provider: Receiver
) -> None:
    config = {
        name: value
        for name, value in config_at(provider, clientAuth="none").items()
        if name != "clientSecret"
    }
    integration = created(api, config=config)
    elsewhere = {"tokenUrl": "http://127.0.0.1:9999/token"}
    # Without secrets and connections, any editor may change the URL, but now there is a connection.
    with meanwhile("dynamodb.TransactWriteItems", lambda: connected(api, integration)):
        assert_problem(
            put(api, integration, attacker_token(), config=elsewhere), 403, "forbidden", "credentials:write"
        )
    assert api(f"GET {PATH}/{integration['id']}/connections/default/token").json()["accessToken"] == ACCESS
    # The other way round: the URL changes while a user is at the provider.
    with meanwhile("dynamodb.TransactWriteItems", lambda: updated(api, integration, config=elsewhere), at=2):
        assert_problem(connect(api, integration, "second"), 409, "conflict", "Start a new flow")
    assert get(api, integration)["connectionCount"] == 1
    assert [one["name"] for one in backend.rows("ConnectionsTable")] == ["default"]


# Attacks: bodies sent one after the other; {} is the URL of the attacker's server.
ATTACKS: dict[str, list[dict[str, Any]]] = {
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
    "another name of no one's": [{"provider": "other"}, {"config": {"tokenUrl": "{}/token"}}],
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


def test_no_attack_sends_stored_secrets_elsewhere(
    api: Api, provider: Receiver, subtests: pytest.Subtests
) -> None:
    def filled(value: Any, url: str) -> Any:
        if isinstance(value, str):
            return value.replace("{}", url)
        if isinstance(value, dict):
            return {name: filled(entry, url) for name, entry in value.items()}
        return [filled(entry, url) for entry in value] if isinstance(value, list) else value

    with receiver([answering]) as attacker:
        url = attacker.url.removesuffix("/hook")
        for name, bodies in ATTACKS.items():
            with subtests.test(name):
                integration = created(api, config=config_at(provider))
                connected(api, integration)
                token = attacker_token()
                for body in bodies:
                    line = f"PUT {PATH}/{integration['id']}{'/status' if 'status' in body else ''}"
                    said = api(line, json=filled(body, url), token=token).text
                    assert SECRET not in said
                for uri in (REDIRECT_URI, f"{url}/back"):
                    initiated = api(
                        f"POST {PATH}/{integration['id']}/oauth/initiate",
                        json={"redirectUri": uri},
                        token=token,
                    )
                    assert SECRET not in initiated.text
                    if initiated.status == 200:
                        sent = {"code": "c", "state": initiated.json()["state"]}
                        assert SECRET not in api(f"POST {CALLBACK}", json=sent, token=token).text
                api(f"GET {PATH}/{integration['id']}/connections/default/token")
                api(f"POST {PATH}/{integration['id']}/oauth/refresh", json={})
                run_maintenance()
                api(f"DELETE {PATH}/{integration['id']}/connections/default")
                delete(api, integration)
                run_maintenance()
                assert attacker.requests == [], sent_to(attacker)


def test_replayed_idempotency_key_reveals_no_secret(api: Api) -> None:
    once = {"Idempotency-Key": "one"}
    body = {"name": "CRM", **HUBSPOT}
    integration = api(f"POST {PATH}", json=body, headers=once).json()
    token = jwt_for("acme", scope="integrations:read integrations:write")
    changes = {**body, "config": {**HUBSPOT["config"], "clientSecret": "mine"}}
    for sent, who in ((body, OWNER), (changes, OWNER), (changes, token)):
        answer = api(f"POST {PATH}", json=sent, headers=once, token=who)
        assert SECRET not in answer.text
    assert get(api, integration, "?reveal=true")["config"]["clientSecret"] == SECRET


def test_undecryptable_secret_can_be_replaced(api: Api, backend: Backend) -> None:
    integration = created(api, config={**OWN, "other": "thing"})
    backend.client("dynamodb").update_item(
        TableName=backend.template.name("IntegrationsTable"),
        Key={"workspaceId": {"S": "acme"}, "sk": {"S": integration["id"]}},
        UpdateExpression="SET secrets = :damaged",
        ExpressionAttributeValues={":damaged": {"S": "v1.1.AAAA"}},
    )
    broken = api(f"GET {PATH}/{integration['id']}?reveal=true")
    assert broken.status == 500
    assert "cannot be decrypted" in broken.json()["detail"]
    secret_names = [name for name, value in integration["config"].items() if value == "********"]
    assert put(api, integration, config={"clientSecret": "a new one"}).status == 500
    replacements = dict.fromkeys(secret_names, "a new one")
    assert put(api, integration, config=replacements).status == 200
    assert get(api, integration, "?reveal=true")["config"] == {**integration["config"], **replacements}


def test_own_urls_stay_when_their_provider_becomes_built_in(api: Api, backend: Backend) -> None:
    integration = created(api, config=OWN, provider="later-known")
    backend.client("dynamodb").update_item(
        TableName=backend.template.name("IntegrationsTable"),
        Key={"workspaceId": {"S": "acme"}, "sk": {"S": integration["id"]}},
        UpdateExpression="SET provider = :known",
        ExpressionAttributeValues={":known": {"S": "hubspot"}},
    )
    initiated = api(f"POST {PATH}/{integration['id']}/oauth/initiate", json={"redirectUri": REDIRECT_URI})
    assert initiated.json()["authorizationUrl"].startswith(OWN["authorizationUrl"])
    # To use the built-in URLs, remove the integration's URLs and send the secret.
    gone = dict.fromkeys(("authorizationUrl", "tokenUrl", "revocationUrl"))
    assert_problem(put(api, integration, config=gone), 422, "validation_failed", "must be sent again")
    assert put(api, integration, config={**gone, "clientSecret": "anew"}).status == 200
