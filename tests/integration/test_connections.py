"""Creating connections with keys, and listing, using, and deleting them, with a provider on loopback."""

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
    activity_details,
    activity_log,
    complete_flow,
    connect,
    connection_count,
    connection_rows,
    create_integration,
    create_known_integration,
    form,
    get_token,
    initiate,
    json_answer,
    known_provider,
    provider,
    start_flow,
    token_answer,
)
from tests.problems import assert_problem
from tests.receivers import Answer as Step

MEMBER = jwt_for("acme", role="member")
STRANGER = jwt_for("globex")


@pytest.fixture
def crm() -> Iterator[Provider]:
    with provider() as crm:
        yield crm


@pytest.fixture
def mail(api: Api) -> str:
    """The ID of an integration without OAuth, for a provider that Patchbay does not know."""
    answer = api(f"POST {INTEGRATIONS}", json={"name": "Mail", "type": "CUSTOM", "provider": "acme-mail"})
    assert (answer.status, answer.json()["status"]) == (201, "ACTIVE")
    return str(answer.json()["id"])


def create(
    api: Api, id: str, credentials: Any, *, token: str = OWNER, key: str | None = None, **fields: Any
) -> Answer:
    headers = {} if key is None else {"idempotency-key": key}
    body = {"credentials": credentials} | fields
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


def test_create_with_api_key(api: Api, mail: str) -> None:
    answer = create(api, mail, {"apiKey": "key-of-acme-mail-1"}, connectionId="shop.1")
    assert answer.status == 201
    connection = answer.json()
    assert connection == {
        "id": ConnectionId.parse(connection["id"]),
        "connectionId": "shop.1",
        "integrationId": mail,
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
        "createdAt": connection["createdAt"],
        "updatedAt": connection["createdAt"],
        "version": 1,
    }
    assert get(api, mail, "shop.1").json() == connection
    assert get_token(api, mail, "shop.1").json() == {"credentials": {"apiKey": "key-of-acme-mail-1"}}
    assert activity_details(api, mail, "connection.created") == ["shop.1, by api key"]


def test_create_with_username_and_password(api: Api, mail: str) -> None:
    connection = create(api, mail, {"username": "ä@acme.test", "password": "pass:wörd \u2603"}).json()
    assert (connection["authType"], connection["account"]["label"]) == ("BASIC", "ä@acme.test")
    served = get_token(api, mail).json()
    assert served == {"credentials": {"username": "ä@acme.test", "password": "pass:wörd \u2603"}}
    long = create(api, mail, {"username": "b" * 999, "password": "p"}).json()
    assert len(long["account"]["label"]) <= 300


def test_create_rejects_invalid_credentials_and_does_not_repeat_them(
    api: Api, mail: str, backend: Backend, crm: Provider, subtests: pytest.Subtests
) -> None:
    secret = "s3cret-value-5f2c"
    for index, (invalid, path) in enumerate(
        (
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
        )
    ):
        with subtests.test(index=index, path=path):
            answer = create(api, mail, invalid)
            assert_problem(answer, 422, paths=[path])
            assert secret not in answer.text
    assert_problem(create(api, mail, {"apiKey": secret}, extra=1), 422, paths=["extra"])
    for invalid_name in (str(ConnectionId.new()), "a/b", "", "..", "x" * 65):
        with subtests.test(connection_id=invalid_name):
            assert_problem(create(api, mail, {"apiKey": secret}, connectionId=invalid_name), 422)
    oauth = create_integration(api, crm)
    assert_problem(create(api, oauth, {"apiKey": secret}), 409, None, "oauth/initiate")
    assert connection_rows(backend) == []


def test_create_validates_credentials_against_the_provider_file(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    body = {"name": "AC", "type": "MARKETING_AUTOMATION", "provider": "activecampaign"}
    integration = api(f"POST {INTEGRATIONS}", json=body).json()
    assert integration["status"] == "ACTIVE"
    id, host, key = integration["id"], "https://acme.api-us1.com", "0123456789abcdef" * 4 + "01234567"
    for invalid, paths in (
        ({"apiKey": key}, ["credentials.apiUrl"]),
        ({"apiUrl": host}, ["credentials.apiKey"]),
        ({"apiUrl": host, "apiKey": key[:-1]}, ["credentials.apiKey"]),
        ({"apiUrl": host, "apiKey": key + "0"}, ["credentials.apiKey"]),
        ({"apiUrl": host, "apiKey": key.upper()}, ["credentials.apiKey"]),
        ({"apiUrl": host, "apiKey": key + "\n"}, ["credentials.apiKey"]),
        ({"apiUrl": "https://acme.api-us1.com.evil.test", "apiKey": key}, ["credentials.apiUrl"]),
        ({"apiUrl": "https://evil.test/?acme.api-us1.com", "apiKey": key}, ["credentials.apiUrl"]),
        ({"apiUrl": "https://acme.api-us1.com@evil.test", "apiKey": key}, ["credentials.apiUrl"]),
        ({"apiUrl": "http://acme.api-us1.com", "apiKey": key}, ["credentials.apiUrl"]),
        ({"apiUrl": host + "\n", "apiKey": key}, ["credentials.apiUrl"]),
        ({"apiUrl": host, "apiKey": key, "more": "x"}, ["credentials.more"]),
        ({"username": "me", "password": key}, None),
    ):
        with subtests.test(str(invalid)):
            answer = create(api, id, invalid)
            assert_problem(answer, 422, paths=paths)
            assert key not in answer.text.lower()
    long_name = create(api, id, {"apiUrl": host, "apiKey": key, "x" * 100_000: "y"})
    assert_problem(long_name, 422)
    assert len(long_name.text) < 2000
    created = create(api, id, {"apiUrl": host, "apiKey": key})
    assert created.status == 201
    assert (created.json()["authType"], created.json()["account"]["label"]) == ("API_KEY", host)
    assert key not in created.text
    assert get_token(api, id).json() == {"credentials": {"apiUrl": host, "apiKey": key}}
    assert key not in json.dumps(connection_rows(backend))
    assert_problem(initiate(api, id), 409, None, "does not use OAuth")


def test_create_replaces_credentials_of_the_same_name(api: Api, mail: str, backend: Backend) -> None:
    first = create(api, mail, {"apiKey": "first-key-1"}).json()
    again = create(api, mail, {"username": "me", "password": "second-key-2"}, token=MEMBER).json()
    assert (again["id"], again["createdAt"], again["createdBy"]) == (
        first["id"],
        first["createdAt"],
        first["createdBy"],
    )
    assert again["version"] == 2
    assert again["authType"] == "BASIC"
    assert get_token(api, mail).json()["credentials"]["password"] == "second-key-2"
    assert connection_count(api, mail) == len(connection_rows(backend)) == 1
    with meanwhile(
        "dynamodb.TransactWriteItems", lambda: create(api, mail, {"apiKey": "faster"}, connectionId="new")
    ):
        slower = create(api, mail, {"apiKey": "slower"}, connectionId="new")
    assert (slower.status, slower.json()["version"]) == (201, 2)
    assert get_token(api, mail, "new").json() == {"credentials": {"apiKey": "slower"}}
    assert connection_count(api, mail) == len(connection_rows(backend)) == 2


def test_create_with_idempotency_key_happens_once(api: Api, mail: str, backend: Backend) -> None:
    first = create(api, mail, {"apiKey": "first-key-1"}, key="k1")
    again = create(api, mail, {"apiKey": "first-key-1"}, key="k1")
    assert (again.status, again.text) == (first.status, first.text)
    assert again.headers["idempotent-replayed"] == "true"
    assert_problem(create(api, mail, {"apiKey": "other"}, key="k1"), 422, "idempotency_mismatch")
    assert create(api, mail, {"apiKey": "other"}, key="k2").json()["version"] == 2
    assert create(api, mail, {"apiKey": "first-key-1"}, key="k1").text == first.text
    assert get_token(api, mail).json() == {"credentials": {"apiKey": "other"}}, "a repeat changes nothing"
    assert_problem(create(api, mail, {"apiKey": ""}, key="k3"), 422)
    assert create(api, mail, {"apiKey": "third"}, key="k3").status == 201, "a refusal frees the key"
    elsewhere = api(f"POST {INTEGRATIONS}", json={"name": "Other", "type": "CUSTOM"}).json()["id"]
    assert_problem(create(api, elsewhere, {"apiKey": "first-key-1"}, key="k1"), 422, "idempotency_mismatch")
    assert len(connection_rows(backend)) == 1


def test_create_is_atomic_if_the_process_dies(api: Api, mail: str, backend: Backend) -> None:
    create(api, mail, {"apiKey": "k"})
    vault.clear_cache()
    backend.calls.clear()
    assert create(api, mail, {"apiKey": "k"}, key="whole", connectionId="whole").status == 201
    operations, connected = list(backend.calls.made), 2
    for index, operation in enumerate(operations):
        name = f"at-{index}"
        vault.clear_cache()
        with killed(operation, at=operations[: index + 1].count(operation), after=True):
            create(api, mail, {"apiKey": "k"}, key=name, connectionId=name)
        is_created = get(api, mail, name).status == 200
        connected += is_created
        assert is_created is (operation == "dynamodb.TransactWriteItems")
        assert connection_count(api, mail) == len(connection_rows(backend)) == connected
        if is_created:
            again = create(api, mail, {"apiKey": "k"}, key=name, connectionId=name)
            assert again.headers["idempotent-replayed"] == "true"


def test_create_requires_scope_and_active_integration(api: Api, mail: str) -> None:
    viewer = jwt_for("acme", role="viewer")
    assert_problem(create(api, mail, {"apiKey": "k"}, token=viewer), 403, None, "connections:write")
    assert_problem(create(api, mail, {"apiKey": "k"}, token=STRANGER), 404)
    api(f"PUT {INTEGRATIONS}/{mail}/status", json={"status": "INACTIVE"})
    assert_problem(create(api, mail, {"apiKey": "k"}), 409, "integration_inactive")
    api(f"PUT {INTEGRATIONS}/{mail}/status", json={"status": "ACTIVE"})
    assert create(api, mail, {"apiKey": "k"}, token=MEMBER).status == 201
    api(f"DELETE {INTEGRATIONS}/{mail}")
    assert_problem(create(api, mail, {"apiKey": "k"}), 404)
    assert_problem(get(api, mail), 404)


# ── list and get ─────────────────────────────────────────────────────────────────────────────────────


def test_list_is_newest_first_in_pages_and_by_status(api: Api, mail: str, backend: Backend) -> None:
    connections = [create(api, mail, {"apiKey": "k"}, connectionId=f"c{n}").json() for n in range(5)]
    path = f"GET {INTEGRATIONS}/{mail}/connections"
    assert api(path).json() == {"items": connections[::-1], "nextCursor": None}
    listed, cursor = [], ""
    for _ in range(3):
        page = api(f"{path}?limit=2{cursor}").json()
        listed += [item["connectionId"] for item in page["items"]]
        cursor = f"&cursor={page['nextCursor']}"
    assert (listed, page["nextCursor"]) == (["c4", "c3", "c2", "c1", "c0"], None)
    (row,) = (row for row in connection_rows(backend) if row["name"] == "c2")
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
        assert_problem(api(f"{path}?{query}"), 422)
    other = api(f"POST {INTEGRATIONS}", json={"name": "Other", "type": "CUSTOM"}).json()["id"]
    assert names(api(f"GET {INTEGRATIONS}/{other}/connections")) == []
    theirs = api(f"{path}?limit=2").json()["nextCursor"]
    assert names(api(f"GET {INTEGRATIONS}/{other}/connections?cursor={theirs}")) == []
    assert_problem(api(path, token=STRANGER), 404)


def test_get_by_name_and_by_id(api: Api, mail: str) -> None:
    connection = create(api, mail, {"apiKey": "k"}, connectionId="My.shop-1_").json()
    assert get(api, mail, "My.shop-1_").json() == get(api, mail, connection["id"]).json() == connection
    other = api(f"POST {INTEGRATIONS}", json={"name": "Other", "type": "CUSTOM"}).json()["id"]
    for id, ref in (
        (other, "My.shop-1_"),
        (other, connection["id"]),
        (mail, "my.shop-1_"),
        (mail, "default"),
        (mail, str(ConnectionId.new())),
        (mail, connection["id"][:-1]),
        (mail, "con_"),
        (mail, "x" * 65),
        (mail, "a%20b"),
        (mail, "%C3%A4"),
        (mail, "a%23"),
        (mail, "%00"),
        (mail, mail),
        ("int_x", "default"),
        (connection["id"], "default"),
    ):
        for answer in (get(api, id, ref), get_token(api, id, ref), delete(api, id, ref)):
            assert_problem(answer, 404)
    for answer in (
        get(api, mail, connection["id"], token=STRANGER),
        get_token(api, mail, "My.shop-1_", token=STRANGER),
        delete(api, mail, connection["id"], token=STRANGER),
    ):
        assert_problem(answer, 404)
    assert get(api, mail, connection["id"], token=jwt_for("acme", role="viewer")).status == 200
    assert_problem(get(api, mail, token=jwt_for("acme", scope="webhooks:read")), 403)


# ── token ────────────────────────────────────────────────────────────────────────────────────────────


def test_token_is_served_unchanged_and_logged(api: Api, backend: Backend) -> None:
    first = token_answer(1, scope="a b", token_type="bearer")
    with provider([first, token_answer(2, refresh_token=None, expires_in=None, token_type="MAC")]) as crm:
        id = create_integration(api, crm, scopes=["a", "b", "c"])
        connection = connect(api, id)
        answer = get_token(api, id)
        assert answer.json() == {
            "accessToken": "access-1-7d1f",
            "tokenType": "Bearer",
            "expiresAt": connection["expiresAt"],
            "scopes": ["a", "b"],
            "metadata": {},
        }
        assert answer.headers["cache-control"] == "no-store"
        connect(api, id, "forever")
        forever = get_token(api, id, "forever").json()
        assert (forever["expiresAt"], forever["tokenType"]) == (None, "MAC")
        assert forever["scopes"] == ["a", "b", "c"], "the requested ones, if the provider does not say"
        key = api(f"POST {INTEGRATIONS}/api-keys", json={"name": "CI", "scopes": ["credentials:read"]}).json()
        assert get_token(api, id, connection["id"], token=key["key"]).status == 200
        assert len(crm.token_requests) == 2
    actors = [actor for action, _, actor in activity_log(api, id) if action == "token.issued"]
    assert actors == [key["id"], "user:someone", "user:someone"]
    assert activity_details(api, id, "token.issued") == ["default", "forever", "default"]


def test_credentials_are_served_with_no_store_and_logged(api: Api, mail: str) -> None:
    create(api, mail, {"apiKey": "k"})
    assert get_token(api, mail).headers["cache-control"] == "no-store"
    assert activity_log(api, mail)[0] == ("credentials.issued", "SUCCEEDED", "user:someone")


def test_token_requires_scope_credentials_read(api: Api, crm: Provider, mail: str) -> None:
    id = create_integration(api, crm)
    connect(api, id)
    create(api, mail, {"apiKey": "k"})
    for integration in (id, mail):
        for role in ("viewer", "member", "admin"):
            answer = get_token(api, integration, token=jwt_for("acme", role=role))
            assert_problem(answer, 403, None, "credentials:read")
        assert_problem(get_token(api, integration, token=None), 401)
        assert get_token(api, integration, token=jwt_for("acme", scope="credentials:read")).status == 200


def test_token_is_not_served_if_it_cannot_be_logged(api: Api, crm: Provider, mail: str) -> None:
    id = create_integration(api, crm)
    connect(api, id)
    create(api, mail, {"apiKey": "mail-key-77aa"})
    for integration in (id, mail):
        with failing("dynamodb.PutItem", error=REFUSED):
            answer = get_token(api, integration)
        assert_problem(answer, 500, "internal")
        assert "access-1" not in answer.text
        assert "mail-key" not in answer.text


def test_account_and_metadata_of_a_token_response_are_served(
    api: Api, backend: Backend, tmp_path: Path
) -> None:
    file = PROVIDER_FILE + (
        'account_id = "company.id"\naccount_label = "company.name"\n'
        '[oauth.metadata.plan]\npath = "company.plan"\n'
        '[oauth.metadata.api]\npath = "api_domain"\nhosts = ["*.crm.test"]\n'
    )
    company = {"id": 4711, "name": "Ac\u202eme\n & Sons", "plan": "pro", "secret": "not stored"}
    complete = token_answer(1, company=company, api_domain="https://acme.crm.test/")
    forged = token_answer(2, company=company, api_domain="https://crm.test.evil.test")
    silent = token_answer(3)
    with provider([complete, forged, silent]) as crm, known_provider(tmp_path, crm, "metadata-crm", file):
        id = create_known_integration(api, "metadata-crm")
        connection = connect(api, id)
        assert connection["account"] == {"id": "4711", "label": "Acme & Sons"}
        assert connection["metadata"] == {"plan": "pro", "api": "https://acme.crm.test"}
        assert get_token(api, id).json()["metadata"] == connection["metadata"]
        assert activity_details(api, id, "connection.created") == ["default: Acme & Sons"]
        assert "not stored" not in json.dumps(connection_rows(backend))
        answer = complete_flow(api, start_flow(api, id)["state"])
        assert_problem(answer, 502, "upstream_failed", "api_domain")
        assert get(api, id).json() == connection, "the previous one is unchanged"
        # A new connection under the same name keeps nothing from the previous account.
        other = connect(api, id)
        assert (other["account"], other["metadata"]) == ({"id": None, "label": None}, {})


def test_token_requires_active_integration(api: Api, crm: Provider, mail: str) -> None:
    id = create_integration(api, crm)
    connect(api, id)
    create(api, mail, {"apiKey": "k"})
    for integration in (id, mail):
        api(f"PUT {INTEGRATIONS}/{integration}/status", json={"status": "INACTIVE", "statusReason": "audit"})
        assert_problem(get_token(api, integration), 409, "integration_inactive", "audit")
        assert get(api, integration).status == 200
        api(f"PUT {INTEGRATIONS}/{integration}/status", json={"status": "ACTIVE"})
        assert get_token(api, integration).status == 200


def test_tokens_and_creates_count_against_the_integration_limits(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm, rateLimitPerHour=3)
    connect(api, id)
    assert [get_token(api, id).status for _ in range(3)] == [200, 200, 429]
    answer = get_token(api, id)
    assert_problem(answer, 429, "rate_limited", "3 uses")
    assert int(answer.headers["retry-after"]) >= 1
    assert get(api, id).status == 200, "reading does not count"
    assert delete(api, id).status == 200, "nor does deleting"
    assert len(activity_details(api, id, "token.issued")) == 2
    body = {"name": "Mail", "type": "CUSTOM", "rateLimitPerDay": 1}
    mail = api(f"POST {INTEGRATIONS}", json=body).json()["id"]
    assert create(api, mail, {"apiKey": ""}).status == 422
    assert create(api, mail, {"apiKey": "k"}).status == 201
    assert create(api, mail, {"apiKey": "k"}).status == 429


def test_changed_client_expires_connections_at_once(api: Api, crm: Provider, backend: Backend) -> None:
    id = create_integration(api, crm)
    connect(api, id)
    with provider() as elsewhere:
        moved = {"config": {"tokenUrl": f"{elsewhere.base}/t", "clientSecret": SECRET}}
        assert api(f"PUT {INTEGRATIONS}/{id}", json=moved).status == 200
        assert_problem(get_token(api, id), 409, "connection_expired", "client_changed")
        shown = get(api, id).json()
        assert (shown["status"], shown["lastError"]["code"]) == ("EXPIRED", "client_changed")
        assert delete(api, id).status == 200
        assert elsewhere.requests == [], "its tokens go to no later address"
        assert crm.revocations == []
        assert connect(api, id)["version"] == 1
    assert connection_count(api, id) == len(connection_rows(backend)) == 1


def test_hundred_tokens_cost_one_kms_call(api: Api, crm: Provider, backend: Backend) -> None:
    id = create_integration(api, crm)
    for name in ("a", "b"):
        connect(api, id, name)
    vault.clear_cache()
    backend.calls.clear()
    for number in range(100):
        assert get_token(api, id, "ab"[number % 2]).status == 200
    assert backend.calls.count["kms.Decrypt"] == 1
    assert sum(calls for name, calls in backend.calls.count.items() if name.startswith("kms.")) == 1
    assert len(crm.token_requests) == 2


# ── encryption and secrets ───────────────────────────────────────────────────────────────────────────


def test_changed_or_moved_ciphertext_cannot_be_decrypted(api: Api, crm: Provider, backend: Backend) -> None:
    id, foreign = create_integration(api, crm), create_integration(api, crm, token=STRANGER)
    connect(api, id, "mine")
    connect(api, id, "other")
    connect(api, foreign, "theirs", token=STRANGER)
    by_name = {row["name"]: row for row in connection_rows(backend)}
    head, _, tail = by_name["mine"]["sealed"].rpartition(".")
    flipped = base64.urlsafe_b64decode(tail)
    flipped = flipped[:20] + bytes([flipped[20] ^ 1]) + flipped[21:]
    for sealed in (
        by_name["theirs"]["sealed"],
        by_name["other"]["sealed"],
        f"{head}.{base64.urlsafe_b64encode(flipped).decode()}",
        f"{head}.{tail[:-8]}",
        f"v1.9.{tail}",
        f"v2.1.{tail}",
        "",
        "plain",
        json.dumps({"accessToken": "forged", "tokenType": "Bearer", "refreshToken": None}),
    ):
        dynamo.put(settings().connections_table, by_name["mine"] | {"sealed": sealed})
        detail = assert_problem(get_token(api, id, "mine"), 500, "internal")["detail"]
        assert f"connections/{by_name['mine']['id']}/sealed cannot be decrypted" in detail
        assert not sealed or sealed not in detail
    # A row copied whole from another workspace names that workspace, so it could be decrypted or used.
    stolen = by_name["theirs"] | {"integrationKey": by_name["mine"]["integrationKey"], "name": "mine"}
    for row in (
        stolen,
        stolen | {"workspaceId": "acme", "integrationId": id},
        stolen | {"integrationId": id},
    ):
        dynamo.put(settings().connections_table, row)
        refreshing = api(f"POST {INTEGRATIONS}/{id}/oauth/refresh", json={"connectionId": "mine"})
        for answer in (get_token(api, id, "mine"), refreshing):
            assert_problem(answer, 500, "internal", "cannot be decrypted")
    dynamo.put(settings().connections_table, stolen)
    assert_problem(delete(api, id, "mine"), 500, "internal")
    assert len(crm.token_requests) == 3
    assert crm.revocations == []
    # A connection that cannot be decrypted can still be deleted.
    dynamo.put(settings().connections_table, by_name["mine"] | {"sealed": "v1.1.AAAA"})
    assert delete(api, id, "mine").status == 200
    assert "cannot be decrypted" in activity_details(api, id, "connection.revoked")[0]
    assert_problem(get(api, id, "mine"), 404)
    assert get_token(api, id, "other").status == 200
    assert get_token(api, foreign, "theirs", token=STRANGER).status == 200


def test_no_secret_in_logs_rows_or_answers(
    api: Api, mail: str, backend: Backend, logs: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    level = logger.log_level
    logger.setLevel(logging.DEBUG)
    for name in ("botocore", "boto3", "urllib3"):
        caplog.set_level(logging.INFO, logger=name)
    caplog.set_level(logging.DEBUG)
    answers: list[Answer] = []
    served: list[Answer] = []
    refusal = json_answer({"error": "invalid_grant", "error_description": f"{CODE} {SECRET} is invalid"}, 400)
    failure = json_answer({"error_description": f"refresh-1-0a3b {SECRET}"}, 500)
    with provider(
        [token_answer(1), refusal, Step(500, body=SECRET.encode()), token_answer(2)], revoke=[failure]
    ) as crm:
        id = create_integration(api, crm)
        for name in ("a", "b", "c", "d"):
            started = start_flow(api, id, connectionId=name)
            answers.append(complete_flow(api, started["state"]))
            answers.append(complete_flow(api, started["state"]))
        served.append(get_token(api, id, "a"))
        with failing("kms.Decrypt", error=THROTTLED):
            vault.clear_cache()
            answers.append(get_token(api, id, "a"))
        answers.append(create(api, mail, {"apiKey": "mail-key-77aa"}, key="k"))
        answers.append(create(api, mail, {"apiKey": "mail-key-77aa"}, key="k"))
        answers.append(create(api, mail, {"username": "me", "apiKey": "mail-key-77aa"}))
        served.append(get_token(api, mail))
        answers += [get(api, id, "a"), get(api, mail), api(f"GET {INTEGRATIONS}/{id}/connections")]
        answers += [api(f"GET {INTEGRATIONS}/{integration}/logs") for integration in (id, mail)]
        raw = json.dumps([backend.rows(table) for table in TABLES], default=repr)
        answers += [delete(api, id, "a"), delete(api, mail)]
        answers += [api(f"GET {INTEGRATIONS}/{integration}/logs") for integration in (id, mail)]
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
            for encoded in (secret, base64.b64encode(secret.encode()).decode().rstrip("=")):
                assert encoded not in text, (where, secret)
    assert not re.search(rf"{CLIENT_ID}:client-secret", everything["log"])


TABLES = ("ConnectionsTable", "IntegrationsTable", "ActivityTable", "OAuthStatesTable", "IdempotencyTable")


# ── deleting ─────────────────────────────────────────────────────────────────────────────────────────


def test_delete_revokes_the_refresh_token_at_the_provider(api: Api, crm: Provider, backend: Backend) -> None:
    """See RFC 7009, 2.1."""
    id = create_integration(api, crm)
    connection = connect(api, id)
    connect(api, id, "other")
    answer = delete(api, id, connection["id"], token=MEMBER)
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
    assert [entry[:2] for entry in activity_log(api, id)][:2] == [
        ("connection.revoked", "SUCCEEDED"),
        ("connection.deleted", "SUCCEEDED"),
    ]
    assert activity_details(api, id, "connection.revoked") == ["default: revoked at the provider"]
    for missing in (get(api, id), get(api, id, connection["id"]), get_token(api, id), delete(api, id)):
        assert_problem(missing, 404)
    assert connection_count(api, id) == len(connection_rows(backend)) == 1
    assert len(crm.revocations) == 1


def test_delete_revokes_the_access_token_if_there_is_no_refresh_token(api: Api) -> None:
    with provider([token_answer(1, refresh_token=None)]) as crm:
        id = create_integration(api, crm)
        connect(api, id)
        assert delete(api, id).status == 200
        (sent,) = crm.revocations
    assert sent["token"] == "access-1-7d1f"
    assert sent.get("token_type_hint") in (None, "access_token")


def test_delete_logs_that_the_provider_has_no_revocation(api: Api, crm: Provider, mail: str) -> None:
    id = create_integration(api, crm, settings={"revocationUrl": None})
    connect(api, id)
    create(api, mail, {"apiKey": "k"})
    for integration, message in ((id, "does not support revocation"), (mail, "manually")):
        assert delete(api, integration).status == 200
        assert message in activity_details(api, integration, "connection.revoked")[0]
        assert connection_count(api, integration) == 0
    assert crm.revocations == []


def test_delete_succeeds_if_the_provider_fails(
    api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_endpoint, "TOTAL_SECONDS", 0.3)
    with provider() as elsewhere:
        for answer, message in (
            (Step(500), "HTTP 500"),
            (Step(503, headers={"retry-after": "9"}), "HTTP 503"),
            (Step(404), "HTTP 404"),
            (Step(302, headers={"location": f"{elsewhere.base}/r"}), "HTTP 302"),
            (Step(200, delay=5), "no response within"),
            (Step(hang_up=True), "ConnectionResetError"),
            (
                json_answer({"error": "invalid_client", "error_description": f"{SECRET} \x1b"}, 401),
                "invalid_client",
            ),
            (Step(200, body=b"x" * 100_000), "more than"),
        ):
            with provider(revoke=[answer]) as crm:
                id = create_integration(api, crm)
                connect(api, id)
                started = time.monotonic()
                assert delete(api, id).status == 200
                assert time.monotonic() - started < 3
            assert activity_log(api, id)[0][:2] == ("connection.revoked", "FAILED")
            (detail,) = activity_details(api, id, "connection.revoked")
            assert detail.startswith("default: not revoked at the provider: ")
            assert message in detail
            assert SECRET not in detail
            assert detail.isprintable()
            assert (connection_rows(backend), connection_count(api, id)) == ([], 0)
        assert elsewhere.requests == []
    with provider() as stopped:
        id = create_integration(api, stopped, settings={"revocationUrl": "https://xn--ls8h.example/r"})
        connect(api, id)
        assert delete(api, id).status == 200
        assert activity_log(api, id)[0][:2] == ("connection.revoked", "FAILED")
        id = create_integration(api, stopped)
        connect(api, id)
    assert delete(api, id).status == 200
    assert activity_log(api, id)[0][:2] == ("connection.revoked", "FAILED")


def test_delete_counts_an_unknown_token_as_revoked(api: Api) -> None:
    """See RFC 7009, 2.2."""
    with provider(revoke=[json_answer({"error": "invalid_grant"}, 400)]) as crm:
        id = create_integration(api, crm)
        connect(api, id)
        assert delete(api, id).status == 200
    assert activity_log(api, id)[0][:2] == ("connection.revoked", "SUCCEEDED")


def test_delete_requires_scope_and_version(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    connect(api, id)
    assert_problem(delete(api, id, token=jwt_for("acme", role="viewer")), 403)
    assert_problem(delete(api, id, token=None), 401)
    assert_problem(delete(api, id, **{"if-match": "2"}), 412, None, "version 1")
    connect(api, id)
    assert_problem(delete(api, id, **{"if-match": "1"}), 412)
    assert crm.revocations == []
    assert delete(api, id, **{"if-match": '"2"'}).status == 200


def test_delete_works_for_an_inactive_integration(api: Api, crm: Provider) -> None:
    id = create_integration(api, crm)
    connect(api, id)
    api(f"PUT {INTEGRATIONS}/{id}/status", json={"status": "INACTIVE"})
    assert delete(api, id).status == 200
    assert len(crm.revocations) == 1


def test_maintenance_finishes_a_removal_that_died_anywhere(api: Api, crm: Provider, backend: Backend) -> None:
    id = create_integration(api, crm)
    connect(api, id)
    vault.clear_cache()
    backend.calls.clear()
    assert delete(api, id).status == 200
    operations = list(backend.calls.made)
    assert operations.count("dynamodb.TransactWriteItems") == 2
    first_write = operations.index("dynamodb.TransactWriteItems")
    for index, operation in enumerate(operations):
        for after in (False, True):
            connect(api, id)
            vault.clear_cache()
            before = len(crm.revocations)
            with killed(operation, at=operations[: index + 1].count(operation), after=after):
                delete(api, id)
            revoked = len(crm.revocations) - before
            if index < first_write or (index == first_write and not after):
                assert (get_token(api, id).status, revoked) == (200, 0)
                assert delete(api, id).status == 200
                continue
            # From here on, the connection returns no token, whatever work remains.
            assert_problem(get_token(api, id), 404)
            run_due()
            assert 1 <= len(crm.revocations) - before <= 2
            assert_problem(get(api, id), 404)
            assert (connection_rows(backend), connection_count(api, id)) == ([], 0), (operation, index, after)
            assert run_due().connections == 0


def test_credentials_being_removed_are_not_served(api: Api, mail: str, backend: Backend) -> None:
    create(api, mail, {"apiKey": "mail-key-77aa"})
    with killed("dynamodb.TransactWriteItems", after=True):
        delete(api, mail)
    assert get(api, mail).json()["status"] == "REVOKED"
    answer = get_token(api, mail)
    assert_problem(answer, 404)
    assert "mail-key" not in answer.text
    run_due()
    assert (connection_rows(backend), connection_count(api, mail)) == ([], 0)


def test_two_concurrent_deletes_remove_a_connection_once(api: Api, crm: Provider, backend: Backend) -> None:
    id = create_integration(api, crm)
    answers: list[Answer] = []
    for at in (1, 2):
        connect(api, id)
        with meanwhile("dynamodb.TransactWriteItems", lambda: answers.append(delete(api, id)), at=at):
            answers.append(delete(api, id))
        assert (connection_rows(backend), connection_count(api, id)) == ([], 0)
    assert sorted(answer.status for answer in answers) in ([200] * 4, [200, 200, 200, 404])


def test_kms_refusal_is_reported_and_keeps_the_grant(api: Api, crm: Provider, backend: Backend) -> None:
    id = create_integration(api, crm)
    connect(api, id)
    vault.clear_cache()
    with failing("kms.Decrypt", error=REFUSED):
        assert_problem(get_token(api, id), 502, "upstream_failed", "KMS rejected the key")
        assert get_token(api, id).headers["cache-control"] == "no-store"
    assert get_token(api, id).status == 200, "nothing is lost"
    vault.clear_cache()
    with failing("kms.Decrypt", error=REFUSED, times=10):
        assert_problem(delete(api, id), 502, "upstream_failed", "KMS rejected the key", "No data is lost")
        assert_problem(get_token(api, id), 404)
        assert get(api, id).json()["status"] == "REVOKED"
        run_due()
    (row,) = connection_rows(backend)
    assert (row["status"], connection_count(api, id), crm.revocations) == ("REVOKED", 1, [])


def test_maintenance_finishes_removals_that_kms_delayed(
    api: Api, crm: Provider, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    id = create_integration(api, crm)
    connect(api, id)
    for refusals in (1, 2):
        vault.clear_cache()
        with failing("kms.Decrypt", error=REFUSED, times=refusals):
            assert_problem(delete(api, id), 502, "upstream_failed")
            if refusals == 2:
                run_due()
        clock.move(3601)
        run_due()
        assert_problem(get(api, id), 404)
        assert (connection_rows(backend), connection_count(api, id), len(crm.revocations)) == (
            [],
            0,
            refusals,
        )
        assert activity_details(api, id, "connection.revoked")[0] == "default: revoked at the provider"
        connect(api, id)
    vault.clear_cache()
    with failing("kms.Decrypt", error=THROTTLED):
        assert_problem(delete(api, id), 429, "rate_limited")
    assert_problem(get_token(api, id), 404)
    run_due()
    assert (connection_rows(backend), connection_count(api, id), len(crm.revocations)) == ([], 0, 3)
