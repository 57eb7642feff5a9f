"""Verification of API keys for the platform's own APIs, and the rate-limit headers of responses to a key."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import bcrypt
import pytest

from patchbay import ids
from patchbay.api_keys import guard, key_format, service
from patchbay.api_keys.models import UpdateApiKey
from patchbay.clock import from_ms, iso
from patchbay.ids import ApiKeyId
from patchbay.rate_limits import ceilings
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.api_keys import ADA, DAY, HOUR, PATH
from tests.conftest import OWNER, Answer, Api, Backend, jwt_for
from tests.faults import REFUSED, Clock, failing
from tests.problems import assert_problem

PROBLEM = "application/problem+json"
LIMIT_HEADERS = {
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "ratelimit-policy",
    "ratelimit",
}


# With this ceiling, a process reserves a workspace's requests in thousands, so the tests count only the
# calls for keys.
pytestmark = pytest.mark.parameters(MaxRequestsPerMinute=500_000)


@pytest.fixture(autouse=True)
def clock(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stopped at 10:00 tomorrow, so that no test crosses the end of a window."""
    clock = Clock(monkeypatch)
    clock.now = clock.now // DAY * DAY + DAY + 10 * HOUR
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: clock.now * 1_000_000))
    return clock


def create(api: Api, token: str = OWNER, **changes: Any) -> dict[str, Any]:
    answer = api(f"POST {PATH}", json={"name": "CI", "scopes": ["posts:read"]} | changes, token=token)
    assert answer.status == 201, answer
    key: dict[str, Any] = answer.json()
    return key


def verify(api: Api, key: str, token: str = OWNER, **body: Any) -> Answer:
    return api(f"POST {PATH}/verify", json={"key": key} | body, token=token)


def verification(api: Api, key: str, token: str = OWNER, **body: Any) -> dict[str, Any]:
    answer = verify(api, key, token, **body)
    assert answer.status == 200, answer
    assert answer.headers["cache-control"] == "no-store"
    result: dict[str, Any] = answer.json()
    return result


def invalid(code: str, key: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The response for an invalid key. Pass `key` if the response identifies it."""
    return {
        "valid": False,
        "code": code,
        "workspaceId": "acme" if key else None,
        "keyId": key["id"] if key else None,
        "scopes": [],
        "rateLimit": None,
    } | changes


def row(key: dict[str, Any]) -> dynamo.Row:
    row = dynamo.get(settings().api_keys_table, {"id": key["id"]})
    assert row is not None
    return row


def unknown_key() -> str:
    """A well-formed key that never existed."""
    return key_format.assemble("sk_test", ApiKeyId.new(), key_format.mint_secret())


def wrong_secret(key: dict[str, Any]) -> str:
    return key_format.assemble("sk_test", ApiKeyId(key["id"]), key_format.mint_secret())


def update(key: dict[str, Any], **fields: Any) -> None:
    """Update a key through the service in this process, without notifying the guard."""
    service.update(
        ADA,
        ApiKeyId(key["id"]),
        UpdateApiKey.model_validate_json(json.dumps(fields)),
    )


def expire(key: dict[str, Any], at_ms: int) -> None:
    """Set an expiry in the row directly, because the models reject one in the past."""
    dynamo.update(settings().api_keys_table, {"id": key["id"]}, "SET x = :at, v = v + :one", at=at_ms, one=1)


@pytest.fixture
def bcrypts(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The secrets that reached bcrypt."""
    seen: list[bytes] = []
    check = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        seen.append(password)
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return seen


# ── response codes ───────────────────────────────────────────────────────────────────────────────────


def test_valid_key_returns_its_owner_and_scopes(api: Api, clock: Clock) -> None:
    key = create(api, scopes=["posts:write", "posts:read", "events:publish"], rateLimitPerHour=50)
    assert verification(api, key["key"], scopes=["posts:read", "events:publish"], cost=4) == {
        "valid": True,
        "code": "VALID",
        "workspaceId": "acme",
        "keyId": key["id"],
        "scopes": ["events:publish", "posts:read", "posts:write"],
        "rateLimit": {
            "allowed": True,
            "limit": 50,
            "remaining": 46,
            "resetAt": iso(from_ms(clock.now + HOUR)),
        },
    }


def test_malformed_key_costs_no_call(api: Api, backend: Backend) -> None:
    key = create(api)["key"]
    verify(api, key)  # fills the process's caches
    backend.calls.clear()
    for text in (
        *("", " ", "x", "sk_test_", "sk_live" + key[7:], key + "x", key[:-1], " " + key, key + "\n", key * 2),
        *(key[:-1] + ("a" if key[-1] != "a" else "b"), key.upper(), "é" * 65, key.replace("_", "-")),
        *("count#acme", jwt_for("acme")[:256], "x" * 256, "\u0000" + key[1:]),
    ):
        assert verification(api, text) == invalid("MALFORMED"), text
    assert backend.calls.made == []


def test_unknown_key_and_wrong_secret_are_not_found(api: Api) -> None:
    key = create(api)
    verify(api, key["key"])
    for text in (unknown_key(), wrong_secret(key)):
        for _ in range(2):
            assert verification(api, text) == invalid("NOT_FOUND")


def test_revoked_key_is_refused_by_the_next_verification(api: Api) -> None:
    key = create(api)
    assert verification(api, key["key"])["valid"]
    api(f"DELETE {PATH}/{key['id']}")
    for _ in range(2):
        assert verification(api, key["key"]) == invalid("REVOKED", key)
    guard.clear_cache()
    assert verification(api, key["key"]) == invalid("REVOKED", key)


def test_key_expires_to_the_millisecond(api: Api, clock: Clock) -> None:
    key = create(api, expiresAt=iso(from_ms(clock.now + 5_000)))
    clock.now += 4_999
    assert verification(api, key["key"])["valid"]
    clock.now += 1
    for _ in range(2):
        assert verification(api, key["key"]) == invalid("EXPIRED", key)
    guard.clear_cache()
    assert verification(api, key["key"]) == invalid("EXPIRED", key)


def test_rotated_key_is_valid_until_its_overlap_ends(api: Api, clock: Clock) -> None:
    old = create(api)
    new = api(f"POST {PATH}/{old['id']}/rotate", json={"overlapSeconds": 60}).json()
    assert [verification(api, key["key"])["code"] for key in (old, new)] == ["VALID", "VALID"]
    clock.move(60)
    assert verification(api, old["key"]) == invalid("EXPIRED", old)
    newer = api(f"POST {PATH}/{new['id']}/rotate", json={"overlapSeconds": 0}).json()
    assert verification(api, new["key"]) == invalid("EXPIRED", new)
    assert verification(api, newer["key"])["valid"]


def test_insufficient_scopes_lists_the_keys_scopes(api: Api) -> None:
    key = create(api, scopes=["posts:read", "events:read"])
    for scopes in (["posts:write"], ["posts:read", "posts:write"], ["events:publish"], ["events:wirte"]):
        assert verification(api, key["key"], scopes=scopes) == invalid(
            "INSUFFICIENT_SCOPES", key, scopes=["events:read", "posts:read"]
        )


def test_full_window_returns_when_the_cost_is_admitted(api: Api, clock: Clock) -> None:
    key = create(api, rateLimitPerHour=4)
    assert verification(api, key["key"], cost=4)["valid"]
    # The four units expire gradually from 11:00: half of them by 11:30, and all by 12:00.
    for cost, wait in ((1, HOUR + HOUR // 4), (2, HOUR + HOUR // 2), (4, 2 * HOUR)):
        guard.clear_cache()
        available_at = clock.now + wait
        result = verification(api, key["key"], cost=cost)
        limit = {"allowed": False, "limit": 4, "remaining": 0, "resetAt": iso(from_ms(available_at))}
        assert result == invalid("RATE_LIMITED", key, scopes=["posts:read"], rateLimit=limit)
    before = clock.now
    clock.now = before + HOUR + HOUR // 2 - 1
    assert verification(api, key["key"], cost=2)["code"] == "RATE_LIMITED"
    clock.now += 1
    assert verification(api, key["key"], cost=2)["code"] == "VALID"


def test_most_restrictive_window_is_returned(api: Api, clock: Clock) -> None:
    key = create(api, rateLimitPerHour=10, rateLimitPerDay=12)
    assert verification(api, key["key"], cost=9)["rateLimit"]["limit"] == 10
    clock.move(2 * 3600)
    result = verification(api, key["key"], cost=2)["rateLimit"]
    midnight = clock.now // DAY * DAY + DAY
    assert result == {"allowed": True, "limit": 12, "remaining": 1, "resetAt": iso(from_ms(midnight))}
    assert verification(api, key["key"], cost=5)["rateLimit"] == result | {
        "allowed": False,
        "resetAt": iso(from_ms(midnight - DAY * -4 // 11)),
    }


def test_cost_above_the_limit_is_never_admitted(api: Api, clock: Clock) -> None:
    key = create(api, rateLimitPerHour=10)
    for _ in range(3):
        result = verification(api, key["key"], cost=11)
        limit = {"allowed": False, "limit": 10, "remaining": 10, "resetAt": None}
        assert result == invalid("COST_EXCEEDS_LIMIT", key, scopes=["posts:read"], rateLimit=limit)
        clock.move(3 * 3600)
    assert row(key)["t"] == 0
    assert verification(api, key["key"], cost=10)["valid"]


def test_cost_above_the_limit_takes_one_write(api: Api, backend: Backend) -> None:
    key = create(api, rateLimitPerHour=10)
    verify(api, unknown_key())
    backend.calls.clear()
    verify(api, key["key"], cost=11)
    assert backend.calls.count["dynamodb.UpdateItem"] == 1
    with pytest.raises(guard.KeyCostExceedsLimit, match="limit of 10 per hour"):
        guard.admit(key["key"], cost=11)


def test_cost_above_several_limits_names_the_lowest_limit(api: Api) -> None:
    key = create(api, rateLimitPerHour=20, rateLimitPerDay=10)
    assert verification(api, key["key"], cost=10)["valid"]
    for cost, code, resets in ((10, "RATE_LIMITED", True), (11, "COST_EXCEEDS_LIMIT", False)):
        result = verification(api, key["key"], cost=cost)
        assert (result["code"], result["rateLimit"]["limit"], result["rateLimit"]["remaining"]) == (
            code,
            10,
            0,
        )
        assert bool(result["rateLimit"]["resetAt"]) is resets
    assert verification(api, key["key"], cost=21)["rateLimit"]["limit"] == 10


# ── counting ─────────────────────────────────────────────────────────────────────────────────────────


def test_only_valid_verifications_are_counted(api: Api, clock: Clock) -> None:
    key = create(api, rateLimitPerHour=100, rateLimitPerDay=200)
    assert verification(api, key["key"], cost=60)["rateLimit"]["remaining"] == 40
    assert verification(api, key["key"])["rateLimit"]["remaining"] == 39
    counted = row(key)
    assert (counted["hn"], counted["dn"], counted["t"]) == (61, 61, 61)
    shown = api(f"GET {PATH}/{key['id']}").json()
    assert (shown["usage"]["total"], shown["usage"]["daily"][-1]["count"]) == (61, 61)
    assert shown["lastUsedAt"] == iso(from_ms(clock.now))

    clock.move(7)
    stranger = jwt_for("globex")
    for token, body, code in (
        (OWNER, {"scopes": ["posts:write"]}, "INSUFFICIENT_SCOPES"),
        (OWNER, {"cost": 40}, "RATE_LIMITED"),
        (OWNER, {"cost": 40, "scopes": ["posts:write"]}, "INSUFFICIENT_SCOPES"),
        (stranger, {}, "NOT_FOUND"),
        (stranger, {"cost": 1_000}, "NOT_FOUND"),
    ):
        for is_cached in (True, False):
            if not is_cached:
                guard.clear_cache()
            assert verification(api, key["key"], token, **body)["code"] == code
            assert row(key) == counted, code
    assert verification(api, wrong_secret(key))["code"] == "NOT_FOUND"
    api(f"DELETE {PATH}/{key['id']}")
    ended = row(key)
    assert verification(api, key["key"])["code"] == "REVOKED"
    assert row(key) == ended


INVALID: list[tuple[dict[str, Any], str]] = [
    *[({"cost": cost}, "cost") for cost in (0, -1, 1_001, 10**30, True, False, 1.0, 2.5, "2", "", None, [1])],
    *[({"scopes": value}, "scopes") for value in ("posts:read", None, {"posts": 1}, 1)],
    *[({"scopes": [scope]}, "scopes.0") for scope in ("posts", "Posts:read", "*", "posts:*", "", 1, None)],
    ({"scopes": [f"posts:s{number}" for number in range(51)]}, "scopes"),
    ({"key": "x" * 257}, "key"),
    ({"key": None}, "key"),
    ({"key": 1}, "key"),
    ({"workspaceId": "globex"}, "workspaceId"),
    ({"rateLimit": {}}, "rateLimit"),
]


def test_verify_rejects_invalid_body_and_counts_nothing(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    key = create(api)
    verify(api, key["key"])
    before = row(key)
    backend.calls.clear()
    for body, path in INVALID:
        with subtests.test(str(body)[:60]):
            answer = verify(api, **{"key": key["key"], **body})
            assert_problem(answer, 422, paths=[path])
            assert key["key"] not in answer.text
    assert api(f"POST {PATH}/verify", json={"cost": 1}).json()["errors"][0]["path"] == "key"
    assert api(f"POST {PATH}/verify").status == 400
    assert backend.calls.made == []
    assert row(key) == before


def test_maximum_cost_and_number_of_scopes_are_accepted(api: Api) -> None:
    key = create(api, rateLimitPerHour=1_001, scopes=[f"posts:s{number}" for number in range(50)])
    assert verification(api, key["key"], cost=1_000, scopes=key["scopes"])["rateLimit"]["remaining"] == 1
    assert (
        verification(api, key["key"], cost=1, scopes=["posts:s1", "posts:s1"])["rateLimit"]["remaining"] == 0
    )


def test_verify_ignores_idempotency_keys(api: Api) -> None:
    """Verification creates nothing, and a repeat is about a new request, so each one counts."""
    key = create(api)
    once = {"Idempotency-Key": "one"}
    for _ in range(2):
        api(f"POST {PATH}/verify", json={"key": key["key"]}, headers=once)
    assert row(key)["t"] == 2


# ── permissions ──────────────────────────────────────────────────────────────────────────────────────


def test_verify_requires_its_own_scope(api: Api) -> None:
    key = create(api)
    lacking = [jwt_for("acme", role="viewer"), jwt_for("acme", role="member")]
    for token in (*lacking, jwt_for("acme", scope="api-keys:read api-keys:write")):
        answer = verify(api, key["key"], token)
        assert_problem(answer, 403, None, "api-keys:verify")
    assert verify(api, key["key"], token=key["key"]).status == 403
    assert row(key)["t"] == 1, "its own request, but no verification"
    having = [jwt_for("acme", role="admin"), jwt_for("acme", role="owner")]
    for token in (*having, jwt_for("acme", scope="api-keys:verify")):
        assert verification(api, key["key"], token)["valid"]
    assert api(f"POST {PATH}/verify", json={"key": key["key"]}, token=None).status == 401


def live(api: Api, key: dict[str, Any], clock: Clock) -> None:
    pass


def revoked(api: Api, key: dict[str, Any], clock: Clock) -> None:
    assert api(f"DELETE {PATH}/{key['id']}").status == 200


def expired(api: Api, key: dict[str, Any], clock: Clock) -> None:
    expire(key, clock.now)


def full(api: Api, key: dict[str, Any], clock: Clock) -> None:
    assert verification(api, key["key"], cost=9)["valid"]
    assert verification(api, key["key"], cost=9)["code"] == "RATE_LIMITED"


def deleted(api: Api, key: dict[str, Any], clock: Clock) -> None:
    dynamo.delete(settings().api_keys_table, {"id": key["id"]})


@pytest.mark.parametrize("state", [live, revoked, expired, full, deleted])
@pytest.mark.parametrize("is_cached", [True, False])
def test_key_of_another_workspace_is_indistinguishable_from_unknown(
    api: Api, clock: Clock, state: Callable[..., None], is_cached: bool
) -> None:
    key = create(api, rateLimitPerHour=10)
    verification(api, key["key"])
    state(api, key, clock)
    if is_cached:  # in the new state or the old one
        verification(api, key["key"])
    else:
        guard.clear_cache()
    before = dynamo.get(settings().api_keys_table, {"id": key["id"]})
    stranger = jwt_for("globex")
    verifier = create(api, jwt_for("globex"), scopes=["api-keys:verify"])["key"]
    for body in ({}, {"cost": 9}, {"cost": 1_000}, {"scopes": ["posts:write"]}, {"scopes": ["posts:read"]}):
        for _ in range(2):
            foreign, nonexistent = (
                verify(api, text, stranger, **body) for text in (key["key"], unknown_key())
            )
            assert foreign == nonexistent, "including the headers"
            assert foreign.json() == invalid("NOT_FOUND")
        assert verify(api, key["key"], verifier, **body).json() == invalid("NOT_FOUND")
    assert dynamo.get(settings().api_keys_table, {"id": key["id"]}) == before


def test_verification_by_another_workspace_does_not_affect_the_owner(api: Api) -> None:
    key = create(api)
    for token in (jwt_for("globex"), OWNER, jwt_for("globex"), OWNER):
        assert verification(api, key["key"], token)["valid"] is (token == OWNER)
    assert api(f"GET {PATH}", token=key["key"]).status == 403, "the key is still accepted as a credential"


def test_platform_workspace_can_verify_every_key(api: Api, clock: Clock) -> None:
    platform = jwt_for("platform", scope="api-keys:verify")
    key = create(api, rateLimitPerHour=2)
    assert verification(api, key["key"], platform)["workspaceId"] == "acme"
    assert verification(api, key["key"], platform, scopes=["posts:write"])["code"] == "INSUFFICIENT_SCOPES"
    assert verification(api, key["key"], platform, cost=2)["code"] == "RATE_LIMITED"
    api(f"DELETE {PATH}/{key['id']}")
    clock.move(1)
    assert verification(api, key["key"], platform) == invalid("REVOKED", key)
    theirs = create(api, platform_owner(), scopes=["actions:handle"])
    assert verification(api, theirs["key"], platform)["scopes"] == ["actions:handle"]
    assert verification(api, theirs["key"]) == invalid("NOT_FOUND")
    for almost in ("Platform", "platform-", "platform2"):
        assert verification(api, theirs["key"], jwt_for(almost))["code"] == "NOT_FOUND"


def platform_owner() -> str:
    return jwt_for("platform", role="owner")


def test_key_can_verify_itself_and_others_of_its_workspace(api: Api) -> None:
    own = create(api, scopes=["api-keys:verify"], rateLimitPerHour=10)
    key, foreign = create(api), create(api, jwt_for("globex"))
    assert verification(api, key["key"], own["key"])["valid"]
    assert verification(api, foreign["key"], own["key"])["code"] == "NOT_FOUND"
    answer = verify(api, own["key"], own["key"], cost=3)
    # The verification is the third request with the key. The cost is charged after it.
    assert answer.headers["x-ratelimit-remaining"] == "7"
    assert answer.json()["rateLimit"]["remaining"] == 4


# ── scopes ───────────────────────────────────────────────────────────────────────────────────────────


def test_platform_scopes_are_returned_unchanged(api: Api) -> None:
    key = create(api, scopes=["posts:read", "dam:upload", "inbox-v2:reply"])
    result = verification(api, key["key"], scopes=["dam:upload", "inbox-v2:reply"])
    assert (result["code"], result["scopes"]) == ("VALID", ["dam:upload", "inbox-v2:reply", "posts:read"])
    assert verification(api, key["key"], scopes=["posts:rea"])["code"] == "INSUFFICIENT_SCOPES"


def test_removed_scope_is_noticed_despite_the_cache(api: Api) -> None:
    key = create(api, scopes=["posts:read", "posts:write"])
    assert verification(api, key["key"], scopes=["posts:write"])["valid"]
    update(key, scopes=["posts:read"])
    before = row(key)
    result = verification(api, key["key"], scopes=["posts:write"])
    assert result == invalid("INSUFFICIENT_SCOPES", key, scopes=["posts:read"])
    assert row(key) == before
    update(key, scopes=["events:read"])
    assert verification(api, key["key"])["scopes"] == ["events:read"], "also without requested scopes"


def test_added_scope_is_noticed_despite_the_cache(api: Api, backend: Backend) -> None:
    key = create(api)
    assert verification(api, key["key"], scopes=["posts:write"])["code"] == "INSUFFICIENT_SCOPES"
    update(key, scopes=["posts:read", "posts:write"])
    backend.calls.clear()
    assert verification(api, key["key"], scopes=["posts:write"])["scopes"] == ["posts:read", "posts:write"]
    assert backend.calls.count == {"dynamodb.GetItem": 1, "dynamodb.UpdateItem": 1}


def test_changed_limit_or_expiry_applies_to_the_next_verification(api: Api, clock: Clock) -> None:
    key = create(api, rateLimitPerHour=5)
    verification(api, key["key"])
    update(key, rateLimitPerHour=3)
    assert verification(api, key["key"])["rateLimit"] == {
        "allowed": True,
        "limit": 3,
        "remaining": 1,
        "resetAt": iso(from_ms(clock.now + HOUR)),
    }
    update(key, expiresAt=iso(from_ms(clock.now + 1_000)))
    clock.move(1)
    assert verification(api, key["key"])["code"] == "EXPIRED"


# ── rate-limit headers ───────────────────────────────────────────────────────────────────────────────


def limits(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name in LIMIT_HEADERS}


def seconds(result: dict[str, Any]) -> str:
    """A `resetAt` in the format of X-RateLimit-Reset: whole seconds, rounded up."""
    at = datetime.fromisoformat(result["rateLimit"]["resetAt"]).timestamp()
    return str(-int(-at // 1))


def test_rate_limit_agrees_with_the_headers_of_a_direct_call(api: Api, clock: Clock) -> None:
    key = create(api, scopes=["api-keys:read"], rateLimitPerHour=7, rateLimitPerDay=9)
    clock.now += 12_345
    for hours in (0, 0, 1, 0, 3, 0, 0, 0, 9):
        clock.move(hours * 3600)
        result = verification(api, key["key"])
        direct = api(f"GET {PATH}", token=key["key"])
        limit = result["rateLimit"]
        assert direct.headers["x-ratelimit-limit"] == str(limit["limit"])
        if direct.status == 429:
            assert direct.headers["x-ratelimit-remaining"] == str(limit["remaining"]) == "0"
            assert direct.headers["x-ratelimit-reset"] == seconds(result)
        else:
            assert direct.headers["x-ratelimit-remaining"] == str(limit["remaining"] - 1)
            if limit["remaining"] > 1:  # after the last unit, the reset is when the next one is available
                assert direct.headers["x-ratelimit-reset"] == seconds(result)
    assert direct.status == 429
    result = verification(api, key["key"])
    assert result["code"] == "RATE_LIMITED"
    assert (direct.headers["x-ratelimit-remaining"], direct.headers["x-ratelimit-reset"]) == (
        str(result["rateLimit"]["remaining"]),
        seconds(result),
    )


def test_headers_are_about_the_calling_key(api: Api, clock: Clock) -> None:
    caller = create(api, scopes=["api-keys:verify"], rateLimitPerHour=500, rateLimitPerDay=900)
    spent = create(api, rateLimitPerHour=1)
    key, revoked_key, expired_key = create(api, rateLimitPerHour=77), create(api), create(api)
    revoked(api, revoked_key, clock)
    expired(api, expired_key, clock)
    left = 500
    for text, code in (
        (key["key"], "VALID"),
        (spent["key"], "VALID"),
        (spent["key"], "RATE_LIMITED"),
        (spent["key"], "RATE_LIMITED"),
        (revoked_key["key"], "REVOKED"),
        (expired_key["key"], "EXPIRED"),
        ("x", "MALFORMED"),
        (unknown_key(), "NOT_FOUND"),
    ):
        answer, left = verify(api, text, caller["key"]), left - 1
        assert answer.json()["code"] == code
        assert limits(answer) == {
            "x-ratelimit-limit": "500",
            "x-ratelimit-remaining": str(left),
            "x-ratelimit-reset": str((clock.now + HOUR) // 1000),
            "ratelimit-policy": '"hour";q=500;w=3600, "day";q=900;w=86400',
            "ratelimit": f'"hour";r={left};t=3600, "day";r={left + 400};t=50400',
        }
        assert "retry-after" not in answer.headers
        assert not limits(verify(api, text)), "responses to a JWT have none"


def test_throttled_write_is_rate_limited_for_a_second(api: Api, clock: Clock, bcrypts: list[bytes]) -> None:
    caller = create(api, scopes=["api-keys:verify"], rateLimitPerHour=500)
    key = create(api, rateLimitPerHour=77)
    assert verification(api, key["key"], caller["key"])["valid"]
    with failing("dynamodb.UpdateItem", where=key["id"]):
        answer = verify(api, key["key"], caller["key"])
    assert answer.status == 200
    limit = {"allowed": False, "limit": 77, "remaining": 76, "resetAt": iso(from_ms(clock.now + 1_000))}
    assert answer.json() == invalid("RATE_LIMITED", key, scopes=["posts:read"], rateLimit=limit)
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("500", "498")

    # A request for scopes that the cached key does not have reads the row.
    with failing("dynamodb.GetItem", where=key["id"]):
        result = verification(api, key["key"], caller["key"], scopes=["posts:write"])
    assert (result["code"], result["rateLimit"]) == ("RATE_LIMITED", limit)
    assert verification(api, key["key"], caller["key"])["rateLimit"]["remaining"] == 75, "nothing was counted"


def test_throttled_read_returns_429_with_the_callers_headers(api: Api) -> None:
    caller = create(api, scopes=["api-keys:verify"], rateLimitPerHour=500)
    key = create(api)
    for token, left in ((caller["key"], "499"), (OWNER, None)):
        with failing("dynamodb.GetItem", where=key["id"]):
            answer = verify(api, key["key"], token)
        assert_problem(answer, 429, "rate_limited")
        assert answer.headers["retry-after"] == "1"
        assert answer.headers.get("x-ratelimit-remaining") == left
        assert set(limits(answer)) == (LIMIT_HEADERS if left else set())
    assert verification(api, key["key"], caller["key"])["valid"], "the failure is not cached"


def test_other_failures_return_500_without_details_of_the_key(api: Api) -> None:
    caller, key = create(api, scopes=["api-keys:verify"]), create(api)
    verification(api, key["key"], caller["key"])
    with failing("dynamodb.UpdateItem", error=REFUSED, where=key["id"]):
        answer = verify(api, key["key"], caller["key"])
    assert_problem(answer, 500, "internal")
    assert set(limits(answer)) == LIMIT_HEADERS
    for part in (key["id"], *key["key"].split("_")[2:]):
        assert part not in answer.text


# ── costs ────────────────────────────────────────────────────────────────────────────────────────────


def test_cached_verification_costs_one_write(api: Api, backend: Backend) -> None:
    caller, key = create(api, scopes=["api-keys:verify"]), create(api, rateLimitPerHour=6)
    create(api)
    for token, own in ((OWNER, 0), (caller["key"], 1)):
        verify(api, key["key"], token, scopes=["posts:read"])
        backend.calls.clear()
        assert verification(api, key["key"], token, scopes=["posts:read"])["valid"]
        assert backend.calls.count == {"dynamodb.UpdateItem": 1 + own}
    for _ in range(2):
        assert verification(api, key["key"])["valid"]
    assert verification(api, key["key"])["code"] == "RATE_LIMITED"
    backend.calls.clear()
    assert verification(api, key["key"])["code"] == "RATE_LIMITED"
    assert backend.calls.made == [], "a full window is cached for a second"


def test_first_verification_reads_the_row_and_runs_bcrypt_once(
    api: Api, backend: Backend, bcrypts: list[bytes]
) -> None:
    key = create(api)
    verify(api, "x")
    backend.calls.clear()
    for _ in range(3):
        assert verification(api, key["key"])["valid"]
    assert backend.calls.count == {"dynamodb.GetItem": 1, "dynamodb.UpdateItem": 3}
    assert len(bcrypts) == 1


def test_invalid_keys_cost_no_bcrypt_and_one_read_each(
    api: Api, backend: Backend, clock: Clock, bcrypts: list[bytes]
) -> None:
    key, revoked_key, expired_key = create(api), create(api), create(api)
    revoked(api, revoked_key, clock)
    expired(api, expired_key, clock)
    nonexistent = unknown_key()
    verify(api, "x")
    backend.calls.clear()
    for _ in range(5):
        assert verification(api, wrong_secret(key))["code"] == "NOT_FOUND"
        assert verification(api, nonexistent)["code"] == "NOT_FOUND"
        assert verification(api, revoked_key["key"])["code"] == "REVOKED"
        assert verification(api, expired_key["key"])["code"] == "EXPIRED"
    assert len(bcrypts) <= 1  # one wrong secret in 65,536 reaches bcrypt
    assert backend.calls.count == {"dynamodb.GetItem": 4}, "one each"


# ── rate-limit headers of every response ─────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxRequestsPerMinute=9)
def test_every_response_after_admission_carries_rate_limit_headers(
    api: Api, clock: Clock, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now += 600_000 - 250  # the reset is rounded up to whole seconds, so it is never early
    monkeypatch.setattr(ceilings, "_process", ceilings.Ceilings())
    key = create(api, rateLimitPerHour=40, scopes=["api-keys:read", "api-keys:write"])
    other = create(api, scopes=["api-keys:read"])
    one = f"{PATH}/{other['id']}"
    expected: list[tuple[int, str, dict[str, Any]]] = [
        (200, f"GET {PATH}", {}),
        (200, f"PUT {PATH}/{key['id']}", {"json": {"name": "x"}}),
        (400, f"POST {PATH}", {"body": b"{"}),
        (403, f"POST {PATH}/verify", {"json": {"key": "x"}}),
        (404, f"GET {PATH}/{ApiKeyId.new()}", {}),
        (412, f"DELETE {one}", {"headers": {"If-Match": "7"}}),
        (422, f"POST {PATH}", {"json": {"name": ""}}),
        (500, f"GET {PATH}", {}),
        (429, f"GET {PATH}", {}),  # the workspace's ceiling, not the key's
    ]
    for at, (status, line, options) in enumerate(expected):
        with subtests.test(f"{status}"):
            if status == 500:
                with failing("dynamodb.Query", error=REFUSED):
                    answer = api(line, token=key["key"], **options)
            else:
                answer = api(line, token=key["key"], **options)
            assert answer.status == status, answer
            left = 40 - at - 1
            assert limits(answer) == {
                "x-ratelimit-limit": "40",
                "x-ratelimit-remaining": str(left),
                "x-ratelimit-reset": str(clock.now // HOUR * HOUR // 1000 + 3600),
                "ratelimit-policy": '"hour";q=40;w=3600, "day";q=10000;w=86400',
                "ratelimit": f'"hour";r={left};t=3001, "day";r={9_999 - at};t=49801',
            }
            assert ("retry-after" in answer.headers) is (status == 429)
            assert (answer.headers["content-type"] == PROBLEM) is (status >= 400)
    assert row(key)["t"] == len(expected), "every request was counted"


def test_full_window_of_the_caller_returns_retry_after(api: Api, clock: Clock) -> None:
    caller = create(api, scopes=["api-keys:verify"], rateLimitPerHour=2)
    key = create(api)
    for _ in range(2):
        assert verification(api, key["key"], caller["key"])["valid"]
    before = row(key)
    for _ in range(2):
        answer = verify(api, key["key"], caller["key"])
        assert_problem(answer, 429, "rate_limited", "2 requests per hour")
        available_at = (clock.now + HOUR + HOUR // 2) // 1000
        assert limits(answer) == {
            "x-ratelimit-limit": "2",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": str(available_at),
            "ratelimit-policy": '"hour";q=2;w=3600, "day";q=10000;w=86400',
            "ratelimit": '"hour";r=0;t=5400, "day";r=9998;t=50400',
        }
        assert answer.headers["retry-after"] == "5400"
    assert row(key) == before, "refused requests verify nothing"
    clock.move(5400)
    assert verification(api, key["key"], caller["key"])["valid"]
