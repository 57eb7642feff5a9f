"""Creating, listing, and revoking API keys through the API."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from patchbay.api_keys import guard, service, store
from patchbay.api_keys.models import CreateApiKey
from patchbay.auth.principal import Principal, in_process
from patchbay.auth.scopes import ROLES
from patchbay.clock import now_ms
from patchbay.errors import Forbidden, RateLimited
from patchbay.idempotency import Once, scope
from patchbay.ids import ApiKeyId
from patchbay.rate_limits import ceilings
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.api_keys import DAY, PATH, key_count
from tests.conftest import OWNER, Answer, Api, Backend, jwt_for
from tests.problems import assert_problem


def create(api: Api, token: str = OWNER, **changes: Any) -> Answer:
    body = {"name": "CI", "scopes": ["events:publish"]} | changes
    return api(f"POST {PATH}", json=body, token=token)


def items(answer: Answer) -> list[Any]:
    assert answer.status == 200, answer.text
    items: list[Any] = answer.json()["items"]
    return items


# ── create and show ──────────────────────────────────────────────────────────────────────────────────


def test_create_returns_the_key_once_and_masks_it_later(api: Api) -> None:
    answer = create(api, name=" Deploy ", expiresAt="2999-12-31T23:59:59.123456+02:00")
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-store"
    created = answer.json()
    assert re.fullmatch(r"sk_test_[0-9A-Za-z]{22}_[0-9A-Za-z]{27}_[0-9A-Za-z]{6}", created["key"])
    key = created.pop("key")
    today = datetime.now(UTC).date()
    assert created == {
        "id": created["id"],
        "name": "Deploy",
        "maskedKey": key[:12] + "…",
        "scopes": ["events:publish"],
        "status": "ACTIVE",
        "rateLimitPerHour": 1000,
        "rateLimitPerDay": 10_000,
        "expiresAt": "2999-12-31T21:59:59.123Z",
        "lastUsedAt": None,
        "usage": {
            "total": 0,
            "today": 0,
            "daily": [
                {"date": (today - timedelta(days=ago)).isoformat(), "count": 0} for ago in range(29, -1, -1)
            ],
        },
        "createdBy": "user:someone",
        "rotation": None,
        "nextRotationAt": None,
        "lastError": None,
        "rotatedFrom": None,
        "createdAt": created["createdAt"],
        "updatedAt": created["createdAt"],
        "version": 1,
    }
    shown = api(f"GET {PATH}/{created['id']}")
    assert shown.json() == created
    assert key.split("_")[3] not in shown.text


def test_key_has_its_scopes_and_its_responses_carry_rate_limits(api: Api) -> None:
    key = create(api, scopes=["api-keys:read"], rateLimitPerHour=50).json()
    for headers in ({"Authorization": f"Bearer {key['key']}"}, {"X-API-Key": key["key"]}):
        answer = api(f"GET {PATH}/{key['id']}", token=None, headers=headers)
        assert answer.status == 200
        assert answer.headers["x-ratelimit-limit"] == "50"
    assert answer.headers["x-ratelimit-remaining"] == "48"
    assert answer.headers["ratelimit-policy"] == '"hour";q=50;w=3600, "day";q=10000;w=86400'
    refused = create(api, token=key["key"])
    assert_problem(refused, 403, None, "api-keys:write")
    assert refused.headers["x-ratelimit-remaining"] == "47", "errors after admission have the headers too"
    assert answer.json()["usage"]["total"] == 2
    assert answer.json()["lastUsedAt"] is not None


def test_full_window_returns_429_with_all_headers(api: Api) -> None:
    key = create(api, scopes=["api-keys:read"], rateLimitPerHour=1).json()["key"]
    assert api(f"GET {PATH}", token=key).status == 200
    answer = api(f"GET {PATH}", token=key)
    assert_problem(answer, 429, "rate_limited")
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert int(answer.headers["retry-after"]) >= 1
    assert {"x-ratelimit-limit", "x-ratelimit-reset", "ratelimit-policy", "ratelimit"} <= set(answer.headers)


def is_prefix_of_new_keys(api: Api, prefix: str) -> bool:
    """Create and use a key. Returns whether it has this prefix."""
    created = create(api, scopes=["api-keys:read"]).json()
    assert created["maskedKey"] == created["key"][: len(prefix) + 5] + "…"
    assert api(f"GET {PATH}", token=created["key"]).status == 200
    return bool(created["key"].startswith(f"{prefix}_"))


@pytest.mark.parameters(Environment="prod")
def test_production_keys_start_with_sk_live(api: Api) -> None:
    assert is_prefix_of_new_keys(api, "sk_live")


@pytest.mark.parameters(Environment="prod", ApiKeyPrefix="buzz")
def test_key_prefix_is_configurable(api: Api) -> None:
    assert is_prefix_of_new_keys(api, "buzz")
    assert api(f"GET {PATH}", headers={"x-api-key": "sk_live_" + "a" * 57}, token=None).status == 401


def test_list_is_paginated_newest_first(api: Api) -> None:
    created = [create(api, name=str(number)).json()["id"] for number in range(5)]
    assert [key["id"] for key in items(api(f"GET {PATH}"))] == created[::-1]
    seen, cursor, pages = [], "", 0
    while True:
        page = api(f"GET {PATH}?limit=2{cursor}").json()
        seen += [key["id"] for key in page["items"]]
        pages += 1
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == created[::-1]
    assert pages == 3
    assert all("key" not in key for key in items(api(f"GET {PATH}")))


def test_other_workspaces_cannot_see_or_revoke_a_key(api: Api, backend: Backend) -> None:
    key = create(api).json()
    stranger = jwt_for("globex")
    before = backend.rows("ApiKeysTable")
    assert items(api(f"GET {PATH}", token=stranger)) == []
    for method in ("GET", "DELETE"):
        answer = api(f"{method} {PATH}/{key['id']}", token=stranger)
        assert_problem(answer, 404)
        unknown = api(f"{method} {PATH}/{ApiKeyId.new()}", token=stranger)
        assert unknown.json()["detail"] == answer.json()["detail"], "indistinguishable from an unknown key"
        assert api(f"{method} {PATH}/whk_{'0' * 22}").status == 404
    assert sorted(map(str, backend.rows("ApiKeysTable"))) == sorted(map(str, before))


def past() -> str:
    return (datetime.now(UTC) - timedelta(seconds=1)).isoformat()


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"scopes": []}, "scopes"),
    ({"scopes": ["Events:publish"]}, "scopes.0"),
    ({"scopes": ["events"]}, "scopes.0"),
    ({"scopes": [f"posts:s{number}" for number in range(51)]}, "scopes"),
    ({"scopes": "events:publish"}, "scopes"),
    ({"rateLimitPerHour": 0}, "rateLimitPerHour"),
    ({"rateLimitPerHour": 1_000_001}, "rateLimitPerHour"),
    ({"rateLimitPerHour": "10"}, "rateLimitPerHour"),
    ({"rateLimitPerHour": 1.5}, "rateLimitPerHour"),
    ({"rateLimitPerDay": 24_000_001}, "rateLimitPerDay"),
    ({"expiresAt": past()}, "expiresAt"),
    ({"expiresAt": "2999-01-01T00:00:00"}, "expiresAt"),  # without a time zone
    ({"expiresAt": "9999-12-31T23:59:59-14:00"}, "expiresAt"),  # the year 10000 in UTC
    ({"expiresAt": "tomorrow"}, "expiresAt"),
    ({"workspaceId": "globex"}, "workspaceId"),
    ({"key": "sk_test_mine"}, "key"),
]


def test_create_rejects_invalid_body(api: Api, backend: Backend, subtests: pytest.Subtests) -> None:
    for changes, path in INVALID:
        with subtests.test(str(changes)[:60]):
            assert_problem(create(api, **changes), 422, paths=[path])
    assert backend.rows("ApiKeysTable") == []


def test_create_deduplicates_scopes_and_keeps_platform_scopes(api: Api) -> None:
    created = create(api, scopes=["posts:write", "events:read", "posts:write"]).json()
    assert created["scopes"] == ["posts:write", "events:read"]


# ── callers cannot grant more than they have ─────────────────────────────────────────────────────────


GRANTS: list[tuple[dict[str, Any], str, bool]] = [
    ({"role": "owner"}, "credentials:read", True),
    ({"role": "admin"}, "credentials:read", False),
    ({"role": "admin"}, "events:publish", True),
    ({"role": "admin"}, "posts:read", True),
    ({"role": "owner"}, "actions:handle", False),
    ({"scope": "api-keys:write events:read"}, "events:read", True),
    ({"scope": "api-keys:write events:read"}, "events:publish", False),
    ({"scope": "api-keys:write posts:read"}, "posts:read", True),
    ({"scope": "api-keys:write"}, "posts:read", False),
    ({"scope": "api-keys:write actions:handle"}, "actions:handle", False),
]


def test_create_grants_only_scopes_of_the_caller(api: Api, backend: Backend) -> None:
    for rights, requested, allowed in GRANTS:
        answer = create(api, token=jwt_for("acme", **rights), scopes=[requested])
        if allowed:
            assert answer.status == 201, (rights, requested)
        else:
            assert_problem(answer, 403, None, requested)
    assert key_count(backend) == sum(allowed for *_, allowed in GRANTS)


def test_platform_only_scopes_require_the_platform_workspace(backend: Backend) -> None:
    body = CreateApiKey(name="worker", scopes=["actions:handle"])
    created = service.create(in_process("platform", "actions:handle"), body)
    assert created.scopes == ["actions:handle"]
    with pytest.raises(Forbidden, match="actions:handle"):
        service.create(in_process("acme", "actions:handle"), body)


def test_key_cannot_create_keys_even_with_fewer_rights(api: Api, backend: Backend) -> None:
    own: dict[str, Any] = {
        "scopes": ["api-keys:write", "events:publish"],
        "rateLimitPerHour": 100,
        "rateLimitPerDay": 200,
        "expiresAt": "2999-01-01T00:00:00Z",
    }
    parent = create(api, **own).json()
    within = own | {"scopes": ["events:publish"]}
    for changes in ({}, {"rateLimitPerHour": 1, "rateLimitPerDay": 1}, {"scopes": ["credentials:read"]}):
        answer = create(api, token=parent["key"], **(within | changes))
        assert_problem(
            answer, 403, None, "cannot create API keys", "a user's token with the scope api-keys:write"
        )
    assert key_count(backend) == 1


TYPOS = [
    (
        ["events:wirte"],
        "scopes.0",
        "events:wirte is not a scope; did you mean events:read or events:publish?",
    ),
    (["posts:read", "webhook:read"], "scopes.1", "did you mean webhooks:read?"),
    (["events:write"], "scopes.0", "events:publish"),
]


@pytest.mark.parametrize(("scopes", "path", "message"), TYPOS)
def test_create_and_update_reject_misspelled_scopes(
    api: Api, backend: Backend, scopes: list[str], path: str, message: str
) -> None:
    created = create(api).json()
    for answer in (
        create(api, scopes=scopes),
        api(f"PUT {PATH}/{created['id']}", json={"scopes": scopes}),
    ):
        (error,) = assert_problem(answer, 422, paths=[path])["errors"]
        assert message in error["message"]
    assert key_count(backend) == 1


def test_update_keeps_scopes_that_create_would_reject(api: Api) -> None:
    created = create(api, scopes=["events:read"]).json()
    key = store.get("acme", ApiKeyId(created["id"]))
    assert key is not None
    existing = ("events:read", "analytics:export", "credentials:rotate")
    store.change(key, replace(key, terms=key.terms._replace(scopes=existing), version=2), [])
    updated = api(
        f"PUT {PATH}/{created['id']}", json={"name": "x", "scopes": [*existing, "posts:read", *existing]}
    )
    assert (updated.status, updated.json()["scopes"]) == (200, [*existing, "posts:read"])
    refused = api(f"PUT {PATH}/{created['id']}", json={"scopes": [*existing, *existing, "events:wirte"]})
    assert_problem(refused, 422, paths=["scopes.6"])
    for requested in (*existing, "posts:read"):
        answer = api(f"POST {PATH}/verify", json={"key": created["key"], "scopes": [requested]})
        assert answer.json()["code"] == "VALID", requested


# ── revoke ───────────────────────────────────────────────────────────────────────────────────────────


def test_revoked_key_is_refused_immediately_and_stays_listed(api: Api) -> None:
    created = create(api, scopes=["api-keys:read"]).json()
    assert api(f"GET {PATH}", token=created["key"]).status == 200
    answer = api(f"DELETE {PATH}/{created['id']}")
    assert (answer.status, answer.json()) == (200, {})
    assert_problem(api(f"GET {PATH}", token=created["key"]), 401)
    (shown,) = items(api(f"GET {PATH}"))
    assert shown["status"] == "REVOKED"
    assert shown["version"] == 2
    assert shown["updatedAt"] >= created["createdAt"]


def test_revoke_is_idempotent(api: Api, backend: Backend) -> None:
    other, created = create(api).json(), create(api).json()
    for _ in range(3):
        answer = api(f"DELETE {PATH}/{created['id']}")
        assert (answer.status, answer.json()) == (200, {})
    assert api(f"GET {PATH}/{created['id']}").json()["version"] == 2
    assert key_count(backend) == 1
    assert api(f"GET {PATH}/{other['id']}").json()["status"] == "ACTIVE"


def test_revoked_key_disappears_after_30_days_even_if_ttl_lags(api: Api, backend: Backend) -> None:
    created = create(api).json()
    api(f"DELETE {PATH}/{created['id']}")
    (row,) = (row for row in backend.rows("ApiKeysTable") if row["id"] == created["id"])
    assert abs(row["ttl"] * 1000 - now_ms() - 30 * DAY) < 60_000
    dynamo.put(settings().api_keys_table, row | {"ttl": now_ms() // 1000 - 1})
    assert items(api(f"GET {PATH}")) == []
    assert api(f"GET {PATH}/{created['id']}").status == 404
    assert api(f"DELETE {PATH}/{created['id']}").status == 404


def test_expired_key_has_status_expired(api: Api, backend: Backend) -> None:
    created = create(api, expiresAt="2999-01-01T00:00:00Z").json()
    (row,) = (row for row in backend.rows("ApiKeysTable") if row["id"] == created["id"])
    dynamo.put(settings().api_keys_table, row | {"x": now_ms() - 1})
    assert api(f"GET {PATH}/{created['id']}").json()["status"] == "EXPIRED"


# ── ceilings ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxApiKeys=2)
def test_key_ceiling_excludes_revoked_keys(api: Api, backend: Backend) -> None:
    first, second = create(api).json(), create(api).json()
    assert_problem(create(api), 409, None, "2 API keys")
    assert len(items(api(f"GET {PATH}"))) == 2
    assert create(api, token=jwt_for("globex")).status == 201
    api(f"DELETE {PATH}/{first['id']}")
    assert create(api).status == 201
    assert create(api).status == 409
    assert key_count(backend) == 2
    assert api(f"GET {PATH}/{second['id']}").json()["status"] == "ACTIVE"


@pytest.mark.parameters(MaxRequestsPerMinute=3)
def test_request_ceiling_counts_keys_and_tokens_together(api: Api) -> None:
    key = create(api, scopes=["api-keys:read"]).json()["key"]
    assert [api(f"GET {PATH}", token=key).status for _ in range(2)] == [200, 200]
    for token in (key, jwt_for("acme")):
        answer = api(f"GET {PATH}", token=token)
        assert_problem(answer, 429, "rate_limited", "limit of 3 requests per minute")
        assert int(answer.headers["retry-after"]) >= 1
    assert api(f"GET {PATH}", token=jwt_for("globex")).status == 200


def test_event_ceiling_holds_across_processes(backend: Backend) -> None:
    workspace = "initech"
    processes = [ceilings.Ceilings() for _ in range(3)]
    ceiling = settings().max_events_per_minute
    refused, admitted = 0, 0
    while not refused:
        for process in processes:
            try:
                process.admit(workspace, "events", 100)
                admitted += 100
            except RateLimited:
                refused += 1
    assert admitted <= ceiling
    (row,) = backend.rows("RateLimitsTable")
    assert row["id"] == "events#initech"
    assert admitted <= row["mn"] <= ceiling
    assert row["ttl"] > now_ms() // 1000 + 60


# ── idempotency ──────────────────────────────────────────────────────────────────────────────────────


ONCE: dict[str, Any] = {
    "json": {"name": "CI", "scopes": ["events:read"]},
    "headers": {"Idempotency-Key": "one"},
}


def test_repeated_create_returns_the_same_key(api: Api, backend: Backend) -> None:
    first, again = api(f"POST {PATH}", **ONCE), api(f"POST {PATH}", **ONCE)
    assert (first.status, again.status) == (201, 201)
    assert first.json() == again.json()
    assert key_count(backend) == 1
    secret = first.json()["key"].split("_")[3]
    for table in ("ApiKeysTable", "IdempotencyTable"):
        assert secret not in repr(backend.rows(table)), "stored encrypted only"


@pytest.mark.parameters(MaxApiKeys=1)
def test_create_can_be_retried_after_ceiling_refusal(api: Api) -> None:
    first = create(api).json()
    assert api(f"POST {PATH}", **ONCE).status == 409
    api(f"DELETE {PATH}/{first['id']}")
    assert api(f"POST {PATH}", **ONCE).status == 201


def test_create_stores_nothing_if_its_idempotency_key_was_taken_over(backend: Backend) -> None:
    owner = Principal("acme", "user:ada", ROLES["owner"], role="owner")
    lost = Once(scope(owner, f"POST {PATH}", "one", {}))
    with pytest.raises(Exception, match="Idempotency-Key") as refused:
        service.create(owner, CreateApiKey(name="CI", scopes=["events:read"]), lost)
    assert getattr(refused.value, "status", None) == 409
    assert backend.rows("ApiKeysTable") == []


# ── in process ───────────────────────────────────────────────────────────────────────────────────────


def test_platform_function_admits_a_key_in_process(backend: Backend) -> None:
    created = service.create(
        in_process("acme", "events:read"),
        CreateApiKey(name="CI", scopes=["events:read"], rate_limit_per_hour=9),
    )
    admitted = guard.admit(created.key, cost=4)
    assert admitted.principal.workspace_id == "acme"
    assert admitted.principal.scopes == {"events:read"}
    assert admitted.headers()["x-ratelimit-remaining"] == "5"
    with pytest.raises(RateLimited):
        guard.admit(created.key, cost=6)
    with pytest.raises(guard.InvalidKey):
        guard.admit("not a key")
