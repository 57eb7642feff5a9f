"""Creating, showing and revoking API keys, through the endpoints that template.yaml names."""

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
from tests.conftest import OWNER, Answer, Api, Backend, jwt_for

PATH = "/api/integrations/api-keys"
DAY = 86_400_000


def create(api: Api, token: str = OWNER, **changes: Any) -> Answer:
    body = {"name": "CI", "scopes": ["events:publish"]} | changes
    return api(f"POST {PATH}", json=body, token=token)


def items(answer: Answer) -> list[Any]:
    assert answer.status == 200, answer.text
    found: list[Any] = answer.json()["items"]
    return found


def count(backend: Backend, workspace: str = "acme") -> int:
    (row,) = (row for row in backend.rows("ApiKeysTable") if row["id"] == f"count#{workspace}")
    counted: int = row["n"]
    return counted


# ── create and show ──────────────────────────────────────────────────────────────────────────────────


def test_a_new_key_is_shown_once_and_then_masked(api: Api) -> None:
    answer = create(api, name=" Deploy ", expiresAt="2999-12-31T23:59:59.123456+02:00")
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    assert re.fullmatch(r"sk_test_[0-9A-Za-z]{22}_[0-9A-Za-z]{27}_[0-9A-Za-z]{6}", made["key"])
    key = made.pop("key")
    today = datetime.now(UTC).date()
    assert made == {
        "id": made["id"],
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
            "daily": [
                {"date": (today - timedelta(days=ago)).isoformat(), "count": 0} for ago in range(29, -1, -1)
            ],
        },
        "createdBy": "user:someone",
        "rotatedFrom": None,
        "createdAt": made["createdAt"],
        "updatedAt": made["createdAt"],
        "version": 1,
    }
    shown = api(f"GET {PATH}/{made['id']}")
    assert shown.json() == made
    assert key.split("_")[3] not in shown.text


def test_a_key_opens_what_its_scopes_say_and_carries_rate_limits(api: Api) -> None:
    key = create(api, scopes=["api-keys:read"], rateLimitPerHour=50).json()
    for headers in ({"Authorization": f"Bearer {key['key']}"}, {"X-API-Key": key["key"]}):
        answer = api(f"GET {PATH}/{key['id']}", token=None, headers=headers)
        assert answer.status == 200
        assert answer.headers["x-ratelimit-limit"] == "50"
    assert answer.headers["x-ratelimit-remaining"] == "48"
    assert answer.headers["ratelimit-policy"] == '"hour";q=50;w=3600, "day";q=10000;w=86400'
    refused = create(api, token=key["key"])
    assert refused.status == 403
    assert "api-keys:write" in refused.json()["detail"]
    assert refused.headers["x-ratelimit-remaining"] == "47", "errors after admission carry them too"
    assert answer.json()["usage"]["total"] == 2
    assert answer.json()["lastUsedAt"] is not None


def test_a_full_window_answers_429_with_all_headers(api: Api) -> None:
    key = create(api, scopes=["api-keys:read"], rateLimitPerHour=1).json()["key"]
    assert api(f"GET {PATH}", token=key).status == 200
    answer = api(f"GET {PATH}", token=key)
    assert answer.status == 429
    assert answer.json()["code"] == "rate_limited"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert int(answer.headers["retry-after"]) >= 1
    assert {"x-ratelimit-limit", "x-ratelimit-reset", "ratelimit-policy", "ratelimit"} <= set(answer.headers)


def begins_with(api: Api, prefix: str) -> bool:
    """Whether keys begin so, and open doors."""
    made = create(api, scopes=["api-keys:read"]).json()
    assert made["maskedKey"] == made["key"][: len(prefix) + 5] + "…"
    assert api(f"GET {PATH}", token=made["key"]).status == 200
    return bool(made["key"].startswith(f"{prefix}_"))


@pytest.mark.parameters(Environment="prod")
def test_a_key_of_production_says_so(api: Api) -> None:
    assert begins_with(api, "sk_live")


@pytest.mark.parameters(Environment="prod", ApiKeyPrefix="buzz")
def test_the_prefix_is_a_parameter(api: Api) -> None:
    assert begins_with(api, "buzz")
    assert api(f"GET {PATH}", headers={"x-api-key": "sk_live_" + "a" * 57}, token=None).status == 401


def test_a_list_is_newest_first_in_pages(api: Api) -> None:
    made = [create(api, name=str(number)).json()["id"] for number in range(5)]
    assert [key["id"] for key in items(api(f"GET {PATH}"))] == made[::-1]
    seen, cursor, pages = [], "", 0
    while True:
        page = api(f"GET {PATH}?limit=2{cursor}").json()
        seen += [key["id"] for key in page["items"]]
        pages += 1
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == made[::-1]
    assert pages == 3
    assert all("key" not in key for key in items(api(f"GET {PATH}")))


def test_another_workspace_sees_and_touches_nothing(api: Api, backend: Backend) -> None:
    key = create(api).json()
    stranger = jwt_for("globex")
    before = backend.rows("ApiKeysTable")
    assert items(api(f"GET {PATH}", token=stranger)) == []
    for method in ("GET", "DELETE"):
        answer = api(f"{method} {PATH}/{key['id']}", token=stranger)
        assert (answer.status, answer.json()["code"]) == (404, "not_found")
        unknown = api(f"{method} {PATH}/{ApiKeyId.new()}", token=stranger)
        assert unknown.json()["detail"] == answer.json()["detail"], "as if it did not exist"
        assert api(f"{method} {PATH}/whk_{'0' * 22}").status == 404
    assert sorted(map(str, backend.rows("ApiKeysTable"))) == sorted(map(str, before))


def past() -> str:
    return (datetime.now(UTC) - timedelta(seconds=1)).isoformat()


UNFIT: list[tuple[dict[str, Any], str]] = [
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
    ({"expiresAt": "2999-01-01T00:00:00"}, "expiresAt"),  # without a zone
    ({"expiresAt": "9999-12-31T23:59:59-14:00"}, "expiresAt"),  # no UTC year holds it
    ({"expiresAt": "tomorrow"}, "expiresAt"),
    ({"workspaceId": "globex"}, "workspaceId"),
    ({"key": "sk_test_mine"}, "key"),
]


def test_what_does_not_fit_is_refused_and_nothing_is_stored(api: Api, backend: Backend) -> None:
    for changes, path in UNFIT:
        answer = create(api, **changes)
        assert answer.status == 422, changes
        assert answer.json()["code"] == "validation_failed"
        assert [error["path"] for error in answer.json()["errors"]] == [path], changes
    assert backend.rows("ApiKeysTable") == []


def test_scopes_are_kept_once_each_and_those_of_the_platform_as_they_are(api: Api) -> None:
    made = create(api, scopes=["posts:write", "events:read", "posts:write"]).json()
    assert made["scopes"] == ["posts:write", "events:read"]


# ── nobody gives more than they have ─────────────────────────────────────────────────────────────────


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


def test_scopes_come_from_ones_own(api: Api, backend: Backend) -> None:
    for rights, wanted, allowed in GRANTS:
        answer = create(api, token=jwt_for("acme", **rights), scopes=[wanted])
        assert answer.status == (201 if allowed else 403), (rights, wanted)
        assert allowed or wanted in answer.json()["detail"]
    assert count(backend) == sum(allowed for *_, allowed in GRANTS)


def test_the_platform_s_scopes_are_for_its_workspace(backend: Backend) -> None:
    body = CreateApiKey(name="worker", scopes=["actions:handle"])
    made = service.create(in_process("platform", "actions:handle"), body)
    assert made.scopes == ["actions:handle"]
    with pytest.raises(Forbidden, match="actions:handle"):
        service.create(in_process("acme", "actions:handle"), body)


def test_a_key_makes_no_key_not_even_one_with_less(api: Api, backend: Backend) -> None:
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
        assert (answer.status, answer.json()["code"]) == (403, "forbidden"), changes
        assert "cannot create API keys" in answer.json()["detail"]
        assert "a user's token that has api-keys:write" in answer.json()["detail"]
    assert count(backend) == 1


TYPOS = [
    (
        ["events:wirte"],
        "scopes.0",
        "events:wirte is not a scope; did you mean events:read or events:publish?",
    ),
    (["posts:read", "webhook:read"], "scopes.1", "did you mean webhooks:read?"),
    (["events:write"], "scopes.0", "events:publish"),
]


@pytest.mark.parametrize(("scopes", "path", "named"), TYPOS)
def test_a_misspelled_scope_is_refused_for_a_new_key_and_as_an_addition(
    api: Api, backend: Backend, scopes: list[str], path: str, named: str
) -> None:
    made = create(api).json()
    for answer in (
        create(api, scopes=scopes),
        api(f"PUT {PATH}/{made['id']}", json={"scopes": scopes}),
    ):
        assert (answer.status, answer.json()["code"]) == (422, "validation_failed"), answer
        (error,) = answer.json()["errors"]
        assert error["path"] == path
        assert named in error["message"]
    assert count(backend) == 1


def test_a_key_keeps_scopes_that_are_refused_for_new_keys(api: Api) -> None:
    made = create(api, scopes=["events:read"]).json()
    key = store.get("acme", ApiKeyId(made["id"]))
    assert key is not None
    held = ("events:read", "analytics:export", "credentials:rotate")
    store.change(key, replace(key, terms=key.terms._replace(scopes=held), version=2))
    kept = api(f"PUT {PATH}/{made['id']}", json={"name": "x", "scopes": [*held, "posts:read", *held]})
    assert (kept.status, kept.json()["scopes"]) == (200, [*held, "posts:read"])
    refused = api(f"PUT {PATH}/{made['id']}", json={"scopes": [*held, *held, "events:wirte"]})
    assert (refused.status, refused.json()["errors"][0]["path"]) == (422, "scopes.6")
    for asked in (*held, "posts:read"):
        answer = api(f"POST {PATH}/verify", json={"key": made["key"], "scopes": [asked]})
        assert answer.json()["code"] == "VALID", asked


# ── revoke ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_revoked_key_is_refused_at_once_and_stays_listed(api: Api) -> None:
    made = create(api, scopes=["api-keys:read"]).json()
    assert api(f"GET {PATH}", token=made["key"]).status == 200
    answer = api(f"DELETE {PATH}/{made['id']}")
    assert (answer.status, answer.json()) == (200, {})
    refused = api(f"GET {PATH}", token=made["key"])
    assert (refused.status, refused.json()["code"]) == (401, "unauthenticated")
    (shown,) = items(api(f"GET {PATH}"))
    assert shown["status"] == "REVOKED"
    assert shown["version"] == 2
    assert shown["updatedAt"] >= made["createdAt"]


def test_revoking_again_changes_nothing(api: Api, backend: Backend) -> None:
    kept, made = create(api).json(), create(api).json()
    for _ in range(3):
        answer = api(f"DELETE {PATH}/{made['id']}")
        assert (answer.status, answer.json()) == (200, {})
    assert api(f"GET {PATH}/{made['id']}").json()["version"] == 2
    assert count(backend) == 1
    assert api(f"GET {PATH}/{kept['id']}").json()["status"] == "ACTIVE"


def test_a_revoked_key_is_gone_after_30_days_though_ttl_lags(api: Api, backend: Backend) -> None:
    made = create(api).json()
    api(f"DELETE {PATH}/{made['id']}")
    (row,) = (row for row in backend.rows("ApiKeysTable") if row["id"] == made["id"])
    assert abs(row["ttl"] * 1000 - now_ms() - 30 * DAY) < 60_000
    dynamo.put(settings().api_keys_table, row | {"ttl": now_ms() // 1000 - 1})
    assert items(api(f"GET {PATH}")) == []
    assert api(f"GET {PATH}/{made['id']}").status == 404
    assert api(f"DELETE {PATH}/{made['id']}").status == 404


def test_a_key_whose_time_is_over_shows_as_expired(api: Api, backend: Backend) -> None:
    made = create(api, expiresAt="2999-01-01T00:00:00Z").json()
    (row,) = (row for row in backend.rows("ApiKeysTable") if row["id"] == made["id"])
    dynamo.put(settings().api_keys_table, row | {"x": now_ms() - 1})
    assert api(f"GET {PATH}/{made['id']}").json()["status"] == "EXPIRED"


# ── ceilings ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxApiKeys=2)
def test_the_ceiling_counts_keys_that_are_not_revoked(api: Api, backend: Backend) -> None:
    first, second = create(api).json(), create(api).json()
    refused = create(api)
    assert (refused.status, refused.json()["code"]) == (409, "conflict")
    assert "2 API keys" in refused.json()["detail"]
    assert len(items(api(f"GET {PATH}"))) == 2
    assert create(api, token=jwt_for("globex")).status == 201
    api(f"DELETE {PATH}/{first['id']}")
    assert create(api).status == 201
    assert create(api).status == 409
    assert count(backend) == 2
    assert api(f"GET {PATH}/{second['id']}").json()["status"] == "ACTIVE"


@pytest.mark.parameters(MaxRequestsPerMinute=3)
def test_requests_of_a_workspace_are_bounded_whoever_makes_them(api: Api) -> None:
    key = create(api, scopes=["api-keys:read"]).json()["key"]
    assert [api(f"GET {PATH}", token=key).status for _ in range(2)] == [200, 200]
    for token in (key, jwt_for("acme")):
        answer = api(f"GET {PATH}", token=token)
        assert answer.status == 429
        assert "ceiling of 3 requests a minute" in answer.json()["detail"]
        assert int(answer.headers["retry-after"]) >= 1
    assert api(f"GET {PATH}", token=jwt_for("globex")).status == 200


def test_ceilings_hold_on_the_table_of_the_template(backend: Backend) -> None:
    workspace = "initech"
    processes = [ceilings.Ceilings() for _ in range(3)]
    most = settings().max_events_per_minute
    refused, admitted = 0, 0
    while not refused:
        for process in processes:
            try:
                process.admit(workspace, "events", 100)
                admitted += 100
            except RateLimited:
                refused += 1
    assert admitted <= most
    (row,) = backend.rows("RateLimitsTable")
    assert row["id"] == "events#initech"
    assert admitted <= row["mn"] <= most
    assert row["ttl"] > now_ms() // 1000 + 60


# ── once ─────────────────────────────────────────────────────────────────────────────────────────────


ONCE: dict[str, Any] = {
    "json": {"name": "CI", "scopes": ["events:read"]},
    "headers": {"Idempotency-Key": "one"},
}


def test_a_repeated_create_gives_the_same_key_again(api: Api, backend: Backend) -> None:
    first, again = api(f"POST {PATH}", **ONCE), api(f"POST {PATH}", **ONCE)
    assert (first.status, again.status) == (201, 201)
    assert first.json() == again.json()
    assert count(backend) == 1
    secret = first.json()["key"].split("_")[3]
    for table in ("ApiKeysTable", "IdempotencyTable"):
        assert secret not in repr(backend.rows(table)), "nowhere in the clear"


@pytest.mark.parameters(MaxApiKeys=1)
def test_a_create_refused_at_the_ceiling_may_be_repeated(api: Api) -> None:
    first = create(api).json()
    assert api(f"POST {PATH}", **ONCE).status == 409
    api(f"DELETE {PATH}/{first['id']}")
    assert api(f"POST {PATH}", **ONCE).status == 201


def test_a_create_whose_idempotency_key_was_taken_over_makes_nothing(backend: Backend) -> None:
    owner = Principal("acme", "user:ada", ROLES["owner"], role="owner")
    lost = Once(scope(owner, f"POST {PATH}", "one", {}))
    with pytest.raises(Exception, match="Idempotency-Key") as refused:
        service.create(owner, CreateApiKey(name="CI", scopes=["events:read"]), lost)
    assert getattr(refused.value, "status", None) == 409
    assert backend.rows("ApiKeysTable") == []


# ── in process ───────────────────────────────────────────────────────────────────────────────────────


def test_a_function_of_the_platform_admits_by_a_key_in_process(backend: Backend) -> None:
    made = service.create(
        in_process("acme", "events:read"),
        CreateApiKey(name="CI", scopes=["events:read"], rate_limit_per_hour=9),
    )
    admission = guard.admit(made.key, cost=4)
    assert admission.principal.workspace_id == "acme"
    assert admission.principal.scopes == {"events:read"}
    assert admission.headers()["x-ratelimit-remaining"] == "5"
    with pytest.raises(RateLimited):
        guard.admit(made.key, cost=6)
    with pytest.raises(guard.InvalidKey):
        guard.admit("not a key")
