"""Connections: made with keys, shown, used and taken back, with a provider on loopback."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from patchbay import vault
from patchbay.ids import ConnectionId
from patchbay.oauth import maintenance, token_endpoint
from patchbay.observability import logger
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.conftest import OWNER, Answer, Api, Backend, jwt_for
from tests.faults import REFUSED, THROTTLED, Clock, failing, killed, meanwhile
from tests.integration.oauth_fakes import (
    CLIENT_ID,
    CODE,
    INTEGRATIONS,
    PROVIDER_FILE,
    SECRET,
    Provider,
    begin,
    bring_back,
    connect,
    count,
    details,
    form,
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
from tests.receivers import Answer as Step

MEMBER = jwt_for("acme", role="member")
STRANGER = jwt_for("globex")


@pytest.fixture
def crm() -> Iterator[Provider]:
    with provider() as made:
        yield made


@pytest.fixture
def keys(api: Api) -> str:
    """An integration without OAuth, of a provider that Patchbay does not know."""
    answer = api(f"POST {INTEGRATIONS}", json={"name": "Mail", "type": "CUSTOM", "provider": "acme-mail"})
    assert (answer.status, answer.json()["status"]) == (201, "ACTIVE")
    return str(answer.json()["id"])


def create(
    api: Api, id: str, credentials: Any, *, token: str = OWNER, key: str | None = None, **more: Any
) -> Answer:
    headers = {} if key is None else {"idempotency-key": key}
    body = {"credentials": credentials} | more
    return api(f"POST {INTEGRATIONS}/{id}/connections", json=body, token=token, headers=headers)


def get(api: Api, id: str, ref: str = "default", *, token: str | None = OWNER) -> Answer:
    return api(f"GET {INTEGRATIONS}/{id}/connections/{ref}", token=token)


def delete(api: Api, id: str, ref: str = "default", *, token: str | None = OWNER, **headers: str) -> Answer:
    return api(f"DELETE {INTEGRATIONS}/{id}/connections/{ref}", token=token, headers=headers)


def names(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.text
    return [item["connectionId"] for item in answer.json()["items"]]


def run_due() -> maintenance.RunSummary:
    return maintenance.run_due(lambda: 60_000)


# ── API keys and basic credentials ───────────────────────────────────────────────────────────────────


def test_a_connection_by_api_key(api: Api, keys: str) -> None:
    answer = create(api, keys, {"apiKey": "key-of-acme-mail-1"}, connectionId="shop.1")
    assert answer.status == 201
    made = answer.json()
    assert made == {
        "id": ConnectionId.parse(made["id"]),
        "connectionId": "shop.1",
        "integrationId": keys,
        "provider": "acme-mail",
        "status": "ACTIVE",
        "authType": "API_KEY",
        "scopes": [],
        "account": {"id": None, "label": None},
        "expiresAt": None,
        "lastRefreshedAt": None,
        "lastError": None,
        "metadata": {},
        "createdBy": "user:someone",
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
        "version": 1,
    }
    assert get(api, keys, "shop.1").json() == made
    assert token_of(api, keys, "shop.1").json() == {"credentials": {"apiKey": "key-of-acme-mail-1"}}
    assert details(api, keys, "connection.created") == ["shop.1, by api key"]


def test_a_connection_by_user_and_password(api: Api, keys: str) -> None:
    made = create(api, keys, {"username": "ä@acme.test", "password": "pass:wörd \u2603"}).json()
    assert (made["authType"], made["account"]["label"]) == ("BASIC", "ä@acme.test")
    served = token_of(api, keys).json()
    assert served == {"credentials": {"username": "ä@acme.test", "password": "pass:wörd \u2603"}}
    long = create(api, keys, {"username": "b" * 999, "password": "p"}).json()
    assert len(long["account"]["label"]) <= 300


def test_credentials_that_do_not_fit_are_refused_and_not_repeated(
    api: Api, keys: str, backend: Backend, crm: Provider
) -> None:
    secret = "s3cret-value-5f2c"
    for wrong, path in (
        ({}, "credentials"),
        ({"apiKey": ""}, "credentials.apiKey"),
        ({"apiKey": f"{secret}\n"}, "credentials.apiKey"),
        ({"apiKey": f"{secret}\x00"}, "credentials.apiKey"),
        ({"apiKey": f"{secret}\x85"}, "credentials.apiKey"),
        ({"apiKey": "********"}, "credentials.apiKey"),
        ({"username": "me", "password": ""}, "credentials.password"),
        ({"username": "", "password": secret}, "credentials.username"),
        ({"apiKey": secret * 300}, "credentials.apiKey"),
        ({"apiKey": 7}, "credentials.apiKey"),
        ({"apiKey": [secret]}, "credentials.apiKey"),
        ({"apiKey": None}, "credentials.apiKey"),
        ({"apikey": secret}, "credentials"),
        ({"apiKey": secret, "more": secret}, "credentials"),
        ({"username": secret}, "credentials"),
        ({"username": "me", "password": secret, "apiKey": secret}, "credentials"),
        ({secret * 1000: secret}, "credentials"),
        ({f"{secret}-{number}": "" for number in range(21)}, "credentials"),
        (secret, "credentials"),
        ([secret], "credentials"),
        (None, "credentials"),
    ):
        answer = create(api, keys, wrong)
        refused(answer, 422, "validation_failed", path)
        assert secret not in answer.text
    refused(create(api, keys, {"apiKey": secret}, extra=1), 422, "validation_failed", "extra")
    for bad in (str(ConnectionId.new()), "a/b", "", "..", "x" * 65):
        refused(create(api, keys, {"apiKey": secret}, connectionId=bad), 422, "validation_failed")
    oauth = integrate(api, crm)
    assert "oauth/initiate" in refused(create(api, oauth, {"apiKey": secret}), 409, "conflict")
    assert rows(backend) == []


def test_a_provider_with_a_file_says_what_its_credentials_are(api: Api, backend: Backend) -> None:
    body = {"name": "AC", "type": "MARKETING_AUTOMATION", "provider": "activecampaign"}
    integration = api(f"POST {INTEGRATIONS}", json=body).json()
    assert integration["status"] == "ACTIVE"
    id, host, key = integration["id"], "https://acme.api-us1.com", "0123456789abcdef" * 4 + "01234567"
    for wrong, path in (
        ({"apiKey": key}, "credentials.apiUrl"),
        ({"apiUrl": host}, "credentials.apiKey"),
        ({"apiUrl": host, "apiKey": key[:-1]}, "credentials.apiKey"),
        ({"apiUrl": host, "apiKey": key + "0"}, "credentials.apiKey"),
        ({"apiUrl": host, "apiKey": key.upper()}, "credentials.apiKey"),
        ({"apiUrl": host, "apiKey": key + "\n"}, "credentials.apiKey"),
        ({"apiUrl": "https://acme.api-us1.com.evil.test", "apiKey": key}, "credentials.apiUrl"),
        ({"apiUrl": "https://evil.test/?acme.api-us1.com", "apiKey": key}, "credentials.apiUrl"),
        ({"apiUrl": "https://acme.api-us1.com@evil.test", "apiKey": key}, "credentials.apiUrl"),
        ({"apiUrl": "http://acme.api-us1.com", "apiKey": key}, "credentials.apiUrl"),
        ({"apiUrl": host + "\n", "apiKey": key}, "credentials.apiUrl"),
        ({"apiUrl": host, "apiKey": key, "more": "x"}, "credentials.more"),
        ({"username": "me", "password": key}, None),
    ):
        answer = create(api, id, wrong)
        refused(answer, 422, "validation_failed", path)
        assert key not in answer.text.lower()
    odd = create(api, id, {"apiUrl": host, "apiKey": key, "x" * 100_000: "y"})
    refused(odd, 422, "validation_failed")
    assert len(odd.text) < 2000
    made = create(api, id, {"apiUrl": host, "apiKey": key})
    assert made.status == 201
    assert (made.json()["authType"], made.json()["account"]["label"]) == ("API_KEY", host)
    assert key not in made.text
    assert token_of(api, id).json() == {"credentials": {"apiUrl": host, "apiKey": key}}
    assert key not in json.dumps(rows(backend))
    assert "not one for OAuth" in refused(initiate(api, id), 409, "conflict")


def test_credentials_under_a_name_are_replaced(api: Api, keys: str, backend: Backend) -> None:
    first = create(api, keys, {"apiKey": "first-key-1"}).json()
    again = create(api, keys, {"username": "me", "password": "second-key-2"}, token=MEMBER).json()
    assert (again["id"], again["createdAt"], again["createdBy"]) == (
        first["id"],
        first["createdAt"],
        first["createdBy"],
    )
    assert again["version"] == 2
    assert again["authType"] == "BASIC"
    assert token_of(api, keys).json()["credentials"]["password"] == "second-key-2"
    assert count(api, keys) == len(rows(backend)) == 1
    with meanwhile(
        "dynamodb.TransactWriteItems", lambda: create(api, keys, {"apiKey": "faster"}, connectionId="new")
    ):
        slower = create(api, keys, {"apiKey": "slower"}, connectionId="new")
    assert (slower.status, slower.json()["version"]) == (201, 2)
    assert token_of(api, keys, "new").json() == {"credentials": {"apiKey": "slower"}}
    assert count(api, keys) == len(rows(backend)) == 2


def test_a_create_under_an_idempotency_key_happens_once(api: Api, keys: str, backend: Backend) -> None:
    first = create(api, keys, {"apiKey": "first-key-1"}, key="k1")
    again = create(api, keys, {"apiKey": "first-key-1"}, key="k1")
    assert (again.status, again.text) == (first.status, first.text)
    assert again.headers["idempotent-replayed"] == "true"
    refused(create(api, keys, {"apiKey": "other"}, key="k1"), 422, "idempotency_mismatch")
    assert create(api, keys, {"apiKey": "other"}, key="k2").json()["version"] == 2
    assert create(api, keys, {"apiKey": "first-key-1"}, key="k1").text == first.text
    assert token_of(api, keys).json() == {"credentials": {"apiKey": "other"}}, "a repeat changes nothing"
    refused(create(api, keys, {"apiKey": ""}, key="k3"), 422, "validation_failed")
    assert create(api, keys, {"apiKey": "third"}, key="k3").status == 201, "a refusal frees the key"
    elsewhere = api(f"POST {INTEGRATIONS}", json={"name": "Other", "type": "CUSTOM"}).json()["id"]
    refused(create(api, elsewhere, {"apiKey": "first-key-1"}, key="k1"), 422, "idempotency_mismatch")
    assert len(rows(backend)) == 1


def test_a_create_that_dies_makes_a_whole_connection_or_none(api: Api, keys: str, backend: Backend) -> None:
    create(api, keys, {"apiKey": "k"})
    vault.clear_cache()
    backend.calls.clear()
    assert create(api, keys, {"apiKey": "k"}, key="whole", connectionId="whole").status == 201
    made, connected = list(backend.calls.made), 2
    for at, operation in enumerate(made):
        name = f"at-{at}"
        vault.clear_cache()
        with killed(operation, at=made[: at + 1].count(operation), after=True):
            create(api, keys, {"apiKey": "k"}, key=name, connectionId=name)
        done = get(api, keys, name).status == 200
        connected += done
        assert done is (operation == "dynamodb.TransactWriteItems")
        assert count(api, keys) == len(rows(backend)) == connected
        if done:
            again = create(api, keys, {"apiKey": "k"}, key=name, connectionId=name)
            assert again.headers["idempotent-replayed"] == "true"


def test_who_may_make_connections_and_of_what(api: Api, keys: str) -> None:
    viewer = jwt_for("acme", role="viewer")
    assert "connections:write" in refused(create(api, keys, {"apiKey": "k"}, token=viewer), 403, "forbidden")
    refused(create(api, keys, {"apiKey": "k"}, token=STRANGER), 404, "not_found")
    api(f"PUT {INTEGRATIONS}/{keys}/status", json={"status": "INACTIVE"})
    refused(create(api, keys, {"apiKey": "k"}), 409, "integration_inactive")
    api(f"PUT {INTEGRATIONS}/{keys}/status", json={"status": "ACTIVE"})
    assert create(api, keys, {"apiKey": "k"}, token=MEMBER).status == 201
    api(f"DELETE {INTEGRATIONS}/{keys}")
    refused(create(api, keys, {"apiKey": "k"}), 404, "not_found")
    refused(get(api, keys), 404, "not_found")


# ── list and get ─────────────────────────────────────────────────────────────────────────────────────


def test_a_list_is_newest_first_in_pages_and_by_status(api: Api, keys: str, backend: Backend) -> None:
    made = [create(api, keys, {"apiKey": "k"}, connectionId=f"c{n}").json() for n in range(5)]
    path = f"GET {INTEGRATIONS}/{keys}/connections"
    assert api(path).json() == {"items": made[::-1], "nextCursor": None}
    seen, cursor = [], ""
    for _ in range(3):
        page = api(f"{path}?limit=2{cursor}").json()
        seen += [item["connectionId"] for item in page["items"]]
        cursor = f"&cursor={page['nextCursor']}"
    assert (seen, page["nextCursor"]) == (["c4", "c3", "c2", "c1", "c0"], None)
    (row,) = (row for row in rows(backend) if row["name"] == "c2")
    dynamo.put(settings().connections_table, row | {"status": "ERROR"})
    assert names(api(f"{path}?status=ERROR")) == ["c2"]
    assert names(api(f"{path}?status=ACTIVE")) == ["c4", "c3", "c1", "c0"]
    assert names(api(f"{path}?status=REVOKED")) == []
    for query in (
        "status=NOPE",
        "status=active",
        "limit=0",
        "limit=101",
        "limit=x",
        "cursor=!",
        "cursor=WzFd",
    ):
        refused(api(f"{path}?{query}"), 422, "validation_failed")
    other = api(f"POST {INTEGRATIONS}", json={"name": "Other", "type": "CUSTOM"}).json()["id"]
    assert names(api(f"GET {INTEGRATIONS}/{other}/connections")) == []
    theirs = api(f"{path}?limit=2").json()["nextCursor"]
    assert names(api(f"GET {INTEGRATIONS}/{other}/connections?cursor={theirs}")) == []
    refused(api(path, token=STRANGER), 404, "not_found")


def test_a_connection_is_found_by_name_and_by_id(api: Api, keys: str) -> None:
    made = create(api, keys, {"apiKey": "k"}, connectionId="My.shop-1_").json()
    assert get(api, keys, "My.shop-1_").json() == get(api, keys, made["id"]).json() == made
    other = api(f"POST {INTEGRATIONS}", json={"name": "Other", "type": "CUSTOM"}).json()["id"]
    for id, ref in (
        (other, "My.shop-1_"),
        (other, made["id"]),
        (keys, "my.shop-1_"),
        (keys, "default"),
        (keys, str(ConnectionId.new())),
        (keys, made["id"][:-1]),
        (keys, "con_"),
        (keys, "x" * 65),
        (keys, "a%20b"),
        (keys, "%C3%A4"),
        (keys, "a%23"),
        (keys, "%00"),
        (keys, keys),
        ("int_x", "default"),
        (made["id"], "default"),
    ):
        for answer in (get(api, id, ref), token_of(api, id, ref), delete(api, id, ref)):
            refused(answer, 404, "not_found")
    for answer in (
        get(api, keys, made["id"], token=STRANGER),
        token_of(api, keys, "My.shop-1_", token=STRANGER),
        delete(api, keys, made["id"], token=STRANGER),
    ):
        refused(answer, 404, "not_found")
    assert get(api, keys, made["id"], token=jwt_for("acme", role="viewer")).status == 200
    refused(get(api, keys, token=jwt_for("acme", scope="webhooks:read")), 403, "forbidden")


# ── token ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_is_served_as_it_came_and_its_use_logged(api: Api, backend: Backend) -> None:
    first = tokens(1, scope="a b", token_type="bearer")
    with provider([first, tokens(2, refresh_token=None, expires_in=None, token_type="MAC")]) as crm:
        id = integrate(api, crm, scopes=["a", "b", "c"])
        made = connect(api, id)
        answer = token_of(api, id)
        assert answer.json() == {
            "accessToken": "access-1-7d1f",
            "tokenType": "Bearer",
            "expiresAt": made["expiresAt"],
            "scopes": ["a", "b"],
            "metadata": {},
        }
        assert answer.headers["cache-control"] == "no-store"
        connect(api, id, "forever")
        forever = token_of(api, id, "forever").json()
        assert (forever["expiresAt"], forever["tokenType"]) == (None, "MAC")
        assert forever["scopes"] == ["a", "b", "c"], "what was asked for, where the provider does not say"
        key = api(f"POST {INTEGRATIONS}/api-keys", json={"name": "CI", "scopes": ["credentials:read"]}).json()
        assert token_of(api, id, made["id"], token=key["key"]).status == 200
        assert len(crm.token_requests) == 2
    used = [actor for action, _, actor in log(api, id) if action == "token.issued"]
    assert used == [key["id"], "user:someone", "user:someone"]
    assert details(api, id, "token.issued") == ["default", "forever", "default"]


def test_credentials_are_served_with_no_store_and_logged(api: Api, keys: str) -> None:
    create(api, keys, {"apiKey": "k"})
    assert token_of(api, keys).headers["cache-control"] == "no-store"
    assert log(api, keys)[0] == ("credentials.issued", "SUCCEEDED", "user:someone")


def test_a_token_needs_credentials_read(api: Api, crm: Provider, keys: str) -> None:
    id = integrate(api, crm)
    connect(api, id)
    create(api, keys, {"apiKey": "k"})
    for each in (id, keys):
        for role in ("viewer", "member", "admin"):
            answer = token_of(api, each, token=jwt_for("acme", role=role))
            assert "credentials:read" in refused(answer, 403, "forbidden")
        refused(token_of(api, each, token=None), 401, "unauthenticated")
        assert token_of(api, each, token=jwt_for("acme", scope="credentials:read")).status == 200


def test_no_token_is_served_that_is_not_in_the_log(api: Api, crm: Provider, keys: str) -> None:
    id = integrate(api, crm)
    connect(api, id)
    create(api, keys, {"apiKey": "mail-key-77aa"})
    for each in (id, keys):
        with failing("dynamodb.PutItem", error=REFUSED):
            answer = token_of(api, each)
        refused(answer, 500, "internal")
        assert "access-1" not in answer.text
        assert "mail-key" not in answer.text


def test_what_is_kept_of_a_token_response_is_shown_and_served(
    api: Api, backend: Backend, tmp_path: Path
) -> None:
    file = PROVIDER_FILE + (
        'account_id = "company.id"\naccount_label = "company.name"\n'
        '[oauth.metadata.plan]\npath = "company.plan"\n'
        '[oauth.metadata.api]\npath = "api_domain"\nhosts = ["*.crm.test"]\n'
    )
    company = {"id": 4711, "name": "Ac\u202eme\n & Sons", "plan": "pro", "secret": "not kept"}
    told = tokens(1, company=company, api_domain="https://acme.crm.test/")
    forged = tokens(2, company=company, api_domain="https://crm.test.evil.test")
    silent = tokens(3)
    with provider([told, forged, silent]) as crm, known_provider(tmp_path, crm, "kept-crm", file):
        id = integrate_known(api, "kept-crm")
        made = connect(api, id)
        assert made["account"] == {"id": "4711", "label": "Acme & Sons"}
        assert made["metadata"] == {"plan": "pro", "api": "https://acme.crm.test"}
        assert token_of(api, id).json()["metadata"] == made["metadata"]
        assert details(api, id, "connection.created") == ["default: Acme & Sons"]
        assert "not kept" not in json.dumps(rows(backend))
        answer = bring_back(api, begin(api, id)["state"])
        assert "api_domain" in refused(answer, 502, "upstream_failed")
        assert get(api, id).json() == made, "the one before is as it was"
        # Another account under the same name has nothing of the one before.
        other = connect(api, id)
        assert (other["account"], other["metadata"]) == ({"id": None, "label": None}, {})


def test_a_paused_integration_serves_no_token(api: Api, crm: Provider, keys: str) -> None:
    id = integrate(api, crm)
    connect(api, id)
    create(api, keys, {"apiKey": "k"})
    for each in (id, keys):
        api(f"PUT {INTEGRATIONS}/{each}/status", json={"status": "INACTIVE", "reason": "audit"})
        assert "audit" in refused(token_of(api, each), 409, "integration_inactive")
        assert get(api, each).status == 200
        api(f"PUT {INTEGRATIONS}/{each}/status", json={"status": "ACTIVE"})
        assert token_of(api, each).status == 200


def test_tokens_and_creates_count_against_the_integrations_limits(api: Api, crm: Provider) -> None:
    id = integrate(api, crm, rateLimitPerHour=3)
    connect(api, id)
    assert [token_of(api, id).status for _ in range(3)] == [200, 200, 429]
    answer = token_of(api, id)
    assert "3 uses" in refused(answer, 429, "rate_limited")
    assert int(answer.headers["retry-after"]) >= 1
    assert get(api, id).status == 200, "to look costs nothing"
    assert delete(api, id).status == 200, "nor does it to take it back"
    assert len(details(api, id, "token.issued")) == 2
    mail = {"name": "Mail", "type": "CUSTOM", "rateLimitPerDay": 1}
    keys = api(f"POST {INTEGRATIONS}", json=mail).json()["id"]
    assert create(api, keys, {"apiKey": ""}).status == 422
    assert create(api, keys, {"apiKey": "k"}).status == 201
    assert create(api, keys, {"apiKey": "k"}).status == 429


def test_a_changed_client_ends_its_connections_at_once(api: Api, crm: Provider, backend: Backend) -> None:
    id = integrate(api, crm)
    connect(api, id)
    with provider() as elsewhere:
        moved = {"config": {"tokenUrl": f"{elsewhere.base}/t", "clientSecret": SECRET}}
        assert api(f"PUT {INTEGRATIONS}/{id}", json=moved).status == 200
        assert "client_changed" in refused(token_of(api, id), 409, "connection_expired")
        shown = get(api, id).json()
        assert (shown["status"], shown["lastError"]["code"]) == ("EXPIRED", "client_changed")
        assert delete(api, id).status == 200
        assert elsewhere.requests == [], "its tokens go to no address that came later"
        assert crm.revocations == []
        assert connect(api, id)["version"] == 1
    assert count(api, id) == len(rows(backend)) == 1


def test_a_hundred_tokens_cost_one_call_of_kms(api: Api, crm: Provider, backend: Backend) -> None:
    id = integrate(api, crm)
    for name in ("a", "b"):
        connect(api, id, name)
    vault.clear_cache()
    backend.calls.clear()
    for number in range(100):
        assert token_of(api, id, "ab"[number % 2]).status == 200
    assert backend.calls.count["kms.Decrypt"] == 1
    assert sum(calls for name, calls in backend.calls.count.items() if name.startswith("kms.")) == 1
    assert len(crm.token_requests) == 2


# ── what is at rest ──────────────────────────────────────────────────────────────────────────────────


def test_a_ciphertext_that_was_changed_or_moved_does_not_open(
    api: Api, crm: Provider, backend: Backend
) -> None:
    id, foreign = integrate(api, crm), integrate(api, crm, token=STRANGER)
    connect(api, id, "mine")
    connect(api, id, "other")
    connect(api, foreign, "theirs", token=STRANGER)
    kept = {row["name"]: row for row in rows(backend)}
    head, _, tail = kept["mine"]["sealed"].rpartition(".")
    flipped = base64.urlsafe_b64decode(tail)
    flipped = flipped[:20] + bytes([flipped[20] ^ 1]) + flipped[21:]
    for sealed in (
        kept["theirs"]["sealed"],
        kept["other"]["sealed"],
        f"{head}.{base64.urlsafe_b64encode(flipped).decode()}",
        f"{head}.{tail[:-8]}",
        f"v1.9.{tail}",
        f"v2.1.{tail}",
        "",
        "plain",
        json.dumps({"accessToken": "forged", "tokenType": "Bearer", "refreshToken": None}),
    ):
        dynamo.put(settings().connections_table, kept["mine"] | {"sealed": sealed})
        detail = refused(token_of(api, id, "mine"), 500, "internal")
        assert f"connections/{kept['mine']['id']}/sealed does not open" in detail
        assert not sealed or sealed not in detail
    # A whole row of another workspace under our key says whose it is, and so would open, or lead there.
    stolen = kept["theirs"] | {"integrationKey": kept["mine"]["integrationKey"], "name": "mine"}
    for row in (
        stolen,
        stolen | {"workspaceId": "acme", "integrationId": id},
        stolen | {"integrationId": id},
    ):
        dynamo.put(settings().connections_table, row)
        refreshing = api(f"POST {INTEGRATIONS}/{id}/oauth/refresh", json={"connectionId": "mine"})
        for answer in (token_of(api, id, "mine"), refreshing):
            assert "does not open" in refused(answer, 500, "internal")
    dynamo.put(settings().connections_table, stolen)
    refused(delete(api, id, "mine"), 500, "internal")
    assert len(crm.token_requests) == 3
    assert crm.revocations == []
    # What cannot be opened can still be thrown away.
    dynamo.put(settings().connections_table, kept["mine"] | {"sealed": "v1.1.AAAA"})
    assert delete(api, id, "mine").status == 200
    assert "does not open" in details(api, id, "connection.revoked")[0]
    refused(get(api, id, "mine"), 404, "not_found")
    assert token_of(api, id, "other").status == 200
    assert token_of(api, foreign, "theirs", token=STRANGER).status == 200


def test_no_secret_is_in_logs_rows_or_answers(
    api: Api, keys: str, backend: Backend, logs: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    level = logger.log_level
    logger.setLevel(logging.DEBUG)
    for name in ("botocore", "boto3", "urllib3"):
        caplog.set_level(logging.INFO, logger=name)
    caplog.set_level(logging.DEBUG)
    answers: list[Answer] = []
    served: list[Answer] = []
    no = says({"error": "invalid_grant", "error_description": f"{CODE} {SECRET} is no good"}, 400)
    fault = says({"error_description": f"refresh-1-0a3b {SECRET}"}, 500)
    with provider([tokens(1), no, Step(500, body=SECRET.encode()), tokens(2)], revoke=[fault]) as crm:
        id = integrate(api, crm)
        for name in ("a", "b", "c", "d"):
            begun = begin(api, id, connectionId=name)
            answers.append(bring_back(api, begun["state"]))
            answers.append(bring_back(api, begun["state"]))
        served.append(token_of(api, id, "a"))
        with failing("kms.Decrypt", error=THROTTLED):
            vault.clear_cache()
            answers.append(token_of(api, id, "a"))
        answers.append(create(api, keys, {"apiKey": "mail-key-77aa"}, key="k"))
        answers.append(create(api, keys, {"apiKey": "mail-key-77aa"}, key="k"))
        answers.append(create(api, keys, {"username": "me", "apiKey": "mail-key-77aa"}))
        served.append(token_of(api, keys))
        answers += [get(api, id, "a"), get(api, keys), api(f"GET {INTEGRATIONS}/{id}/connections")]
        answers += [api(f"GET {INTEGRATIONS}/{each}/logs") for each in (id, keys)]
        raw = json.dumps([backend.rows(table) for table in TABLES], default=repr)
        answers += [delete(api, id, "a"), delete(api, keys)]
        answers += [api(f"GET {INTEGRATIONS}/{each}/logs") for each in (id, keys)]
        verifiers = [sent["code_verifier"] for sent in crm.token_requests]
    raw += json.dumps([backend.rows(table) for table in TABLES], default=repr)
    logger.setLevel(level)
    assert {answer.status for answer in answers} >= {200, 201, 422, 429, 502}
    assert all("access-1-7d1f" in answer.text or "mail-key" in answer.text for answer in served)
    everything = {
        "log": logs.getvalue() + caplog.text,
        "rows": raw,
        "answers": "".join(f"{answer.headers} {answer.text}" for answer in answers),
    }
    assert "invalid_grant" in everything["rows"]
    for where, text in everything.items():
        for secret in (
            "access-1-7d1f",
            "access-2-7d1f",
            "refresh-1-0a3b",
            "refresh-2-0a3b",
            "mail-key-77aa",
            SECRET,
            CODE,
            *verifiers,
        ):
            for shape in (secret, base64.b64encode(secret.encode()).decode().rstrip("=")):
                assert shape not in text, (where, secret)
    assert not re.search(rf"{CLIENT_ID}:client-secret", everything["log"])


TABLES = ("ConnectionsTable", "IntegrationsTable", "ActivityTable", "OAuthStatesTable", "IdempotencyTable")


# ── taking back ──────────────────────────────────────────────────────────────────────────────────────


def test_deleting_revokes_the_refresh_token_at_the_provider(
    api: Api, crm: Provider, backend: Backend
) -> None:
    """RFC 7009, 2.1."""
    id = integrate(api, crm)
    made = connect(api, id)
    connect(api, id, "other")
    answer = delete(api, id, made["id"], token=MEMBER)
    assert (answer.status, answer.json()) == (200, {})
    (request,) = (request for request in crm.requests if request.path == "/r")
    assert request.method == "POST"
    assert request.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert form(request) == {
        "token": "refresh-1-0a3b",
        "token_type_hint": "refresh_token",
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
    }
    assert [entry[:2] for entry in log(api, id)][:2] == [
        ("connection.revoked", "SUCCEEDED"),
        ("connection.deleted", "SUCCEEDED"),
    ]
    assert details(api, id, "connection.revoked") == ["default: revoked at the provider"]
    for gone in (get(api, id), get(api, id, made["id"]), token_of(api, id), delete(api, id)):
        refused(gone, 404, "not_found")
    assert count(api, id) == len(rows(backend)) == 1
    assert len(crm.revocations) == 1


def test_without_a_refresh_token_the_access_token_is_revoked(api: Api) -> None:
    with provider([tokens(1, refresh_token=None)]) as crm:
        id = integrate(api, crm)
        connect(api, id)
        assert delete(api, id).status == 200
        (sent,) = crm.revocations
    assert sent["token"] == "access-1-7d1f"
    assert sent.get("token_type_hint") in (None, "access_token")


def test_where_there_is_no_way_to_revoke_it_is_said(api: Api, crm: Provider, keys: str) -> None:
    id = integrate(api, crm, settings={"revocationUrl": None})
    connect(api, id)
    create(api, keys, {"apiKey": "k"})
    for each, said in ((id, "no way to revoke"), (keys, "by hand")):
        assert delete(api, each).status == 200
        assert said in details(api, each, "connection.revoked")[0]
        assert count(api, each) == 0
    assert crm.revocations == []


def test_a_provider_that_fails_holds_up_no_removal(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_endpoint, "TOTAL_SECONDS", 0.3)
    with provider() as elsewhere:
        for answer, said in (
            (Step(500), "HTTP 500"),
            (Step(503, headers={"retry-after": "9"}), "HTTP 503"),
            (Step(404), "HTTP 404"),
            (Step(302, headers={"location": f"{elsewhere.base}/r"}), "HTTP 302"),
            (Step(200, delay=5), "no response within"),
            (Step(hang_up=True), "ConnectionResetError"),
            (says({"error": "invalid_client", "error_description": f"{SECRET} \x1b"}, 401), "invalid_client"),
            (Step(200, body=b"x" * 100_000), "more than"),
        ):
            with provider(revoke=[answer]) as crm:
                id = integrate(api, crm)
                connect(api, id)
                started = time.monotonic()
                assert delete(api, id).status == 200
                assert time.monotonic() - started < 3
            assert log(api, id)[0][:2] == ("connection.revoked", "FAILED")
            (detail,) = details(api, id, "connection.revoked")
            assert detail.startswith("default: not revoked at the provider: ")
            assert said in detail
            assert SECRET not in detail
            assert detail.isprintable()
            assert (rows(backend), count(api, id)) == ([], 0)
        assert elsewhere.requests == []
    with provider() as gone:
        id = integrate(api, gone, settings={"revocationUrl": "https://xn--ls8h.example/r"})
        connect(api, id)
        assert delete(api, id).status == 200
        assert log(api, id)[0][:2] == ("connection.revoked", "FAILED")
        id = integrate(api, gone)
        connect(api, id)
    assert delete(api, id).status == 200
    assert log(api, id)[0][:2] == ("connection.revoked", "FAILED")


def test_a_token_that_is_gone_already_counts_as_revoked(api: Api) -> None:
    """RFC 7009, 2.2."""
    with provider(revoke=[says({"error": "invalid_grant"}, 400)]) as crm:
        id = integrate(api, crm)
        connect(api, id)
        assert delete(api, id).status == 200
    assert log(api, id)[0][:2] == ("connection.revoked", "SUCCEEDED")


def test_who_may_delete_and_which_version(api: Api, crm: Provider) -> None:
    id = integrate(api, crm)
    connect(api, id)
    refused(delete(api, id, token=jwt_for("acme", role="viewer")), 403, "forbidden")
    refused(delete(api, id, token=None), 401, "unauthenticated")
    assert "version 1" in refused(delete(api, id, **{"if-match": "2"}), 409, "conflict")
    connect(api, id)
    refused(delete(api, id, **{"if-match": "1"}), 409, "conflict")
    assert crm.revocations == []
    assert delete(api, id, **{"if-match": '"2"'}).status == 200


def test_a_paused_integrations_connections_can_be_deleted(api: Api, crm: Provider) -> None:
    id = integrate(api, crm)
    connect(api, id)
    api(f"PUT {INTEGRATIONS}/{id}/status", json={"status": "INACTIVE"})
    assert delete(api, id).status == 200
    assert len(crm.revocations) == 1


def test_a_removal_that_dies_anywhere_is_finished_by_the_schedule(
    api: Api, crm: Provider, backend: Backend
) -> None:
    id = integrate(api, crm)
    connect(api, id)
    vault.clear_cache()
    backend.calls.clear()
    assert delete(api, id).status == 200
    made = list(backend.calls.made)
    assert made.count("dynamodb.TransactWriteItems") == 2
    begins = made.index("dynamodb.TransactWriteItems")
    for at, operation in enumerate(made):
        for after in (False, True):
            connect(api, id)
            vault.clear_cache()
            before = len(crm.revocations)
            with killed(operation, at=made[: at + 1].count(operation), after=after):
                delete(api, id)
            revoked = len(crm.revocations) - before
            if at < begins or (at == begins and not after):
                assert (token_of(api, id).status, revoked) == (200, 0)
                assert delete(api, id).status == 200
                continue
            # From here on it gives no token any more, whatever is left to do.
            refused(token_of(api, id), 404, "not_found")
            run_due()
            assert 1 <= len(crm.revocations) - before <= 2
            refused(get(api, id), 404, "not_found")
            assert (rows(backend), count(api, id)) == ([], 0), (operation, at, after)
            assert run_due().connections == 0


def test_credentials_on_their_way_out_are_served_no_more(api: Api, keys: str, backend: Backend) -> None:
    create(api, keys, {"apiKey": "mail-key-77aa"})
    with killed("dynamodb.TransactWriteItems", after=True):
        delete(api, keys)
    assert get(api, keys).json()["status"] == "REVOKED"
    answer = token_of(api, keys)
    refused(answer, 404, "not_found")
    assert "mail-key" not in answer.text
    run_due()
    assert (rows(backend), count(api, keys)) == ([], 0)


def test_two_deletes_at_once_remove_it_once(api: Api, crm: Provider, backend: Backend) -> None:
    id = integrate(api, crm)
    answers: list[Answer] = []
    for at in (1, 2):
        connect(api, id)
        with meanwhile("dynamodb.TransactWriteItems", lambda: answers.append(delete(api, id)), at=at):
            answers.append(delete(api, id))
        assert (rows(backend), count(api, id)) == ([], 0)
    assert sorted(answer.status for answer in answers) in ([200] * 4, [200, 200, 200, 404])


def test_a_key_that_kms_refuses_is_told_and_forgets_no_grant(
    api: Api, crm: Provider, backend: Backend
) -> None:
    id = integrate(api, crm)
    connect(api, id)
    vault.clear_cache()
    with failing("kms.Decrypt", error=REFUSED):
        assert "KMS refuses the key" in refused(token_of(api, id), 502, "upstream_failed")
        assert token_of(api, id).headers["cache-control"] == "no-store"
    assert token_of(api, id).status == 200, "nothing is lost"
    vault.clear_cache()
    with failing("kms.Decrypt", error=REFUSED, times=10):
        detail = refused(delete(api, id), 502, "upstream_failed")
        assert "KMS refuses the key" in detail
        assert "Nothing is lost" in detail
        refused(token_of(api, id), 404, "not_found")
        assert get(api, id).json()["status"] == "REVOKED"
        run_due()
    (row,) = rows(backend)
    assert (row["status"], count(api, id), crm.revocations) == ("REVOKED", 1, [])


def test_what_kms_held_up_is_finished_later(
    api: Api, crm: Provider, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    id = integrate(api, crm)
    connect(api, id)
    for refusals in (1, 2):
        vault.clear_cache()
        with failing("kms.Decrypt", error=REFUSED, times=refusals):
            refused(delete(api, id), 502, "upstream_failed")
            if refusals == 2:
                run_due()
        clock.move(3601)
        run_due()
        refused(get(api, id), 404, "not_found")
        assert (rows(backend), count(api, id), len(crm.revocations)) == ([], 0, refusals)
        assert details(api, id, "connection.revoked")[0] == "default: revoked at the provider"
        connect(api, id)
    vault.clear_cache()
    with failing("kms.Decrypt", error=THROTTLED):
        refused(delete(api, id), 429, "rate_limited")
    refused(token_of(api, id), 404, "not_found")
    run_due()
    assert (rows(backend), count(api, id), len(crm.revocations)) == ([], 0, 3)
