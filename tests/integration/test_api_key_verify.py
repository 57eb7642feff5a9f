"""Verifying API keys for the platform's own APIs, through the endpoint that template.yaml names; and the
rate-limit headers of every answer to a key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import bcrypt
import pytest

from patchbay import ids
from patchbay.api_keys import guard, key_format, service
from patchbay.api_keys.models import UpdateApiKey
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import ROLES
from patchbay.clock import at_ms, iso
from patchbay.ids import ApiKeyId
from patchbay.rate_limits import ceilings
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.conftest import OWNER, Answer, Api, Backend, jwt_for
from tests.faults import REFUSED, Clock, failing

KEYS = "/api/integrations/api-keys"
HOUR, DAY = 3_600_000, 86_400_000
PROBLEM = "application/problem+json"
LIMIT_HEADERS = {
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "ratelimit-policy",
    "ratelimit",
}


# With that much room a process reserves a workspace's requests by the thousand, so that calls are the keys'.
pytestmark = pytest.mark.parameters(MaxRequestsPerMinute=500_000)


@pytest.fixture(autouse=True)
def clock(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stands still at 10:00 of tomorrow, so that no test runs over the end of a window."""
    clock = Clock(monkeypatch)
    clock.now = clock.now // DAY * DAY + DAY + 10 * HOUR
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: clock.now * 1_000_000))
    return clock


def make(api: Api, token: str = OWNER, **changes: Any) -> dict[str, Any]:
    answer = api(f"POST {KEYS}", json={"name": "CI", "scopes": ["posts:read"]} | changes, token=token)
    assert answer.status == 201, answer
    made: dict[str, Any] = answer.json()
    return made


def ask(api: Api, key: str, token: str = OWNER, **body: Any) -> Answer:
    return api(f"POST {KEYS}/verify", json={"key": key} | body, token=token)


def verified(api: Api, key: str, token: str = OWNER, **body: Any) -> dict[str, Any]:
    answer = ask(api, key, token, **body)
    assert answer.status == 200, answer
    assert answer.headers["cache-control"] == "no-store"
    told: dict[str, Any] = answer.json()
    return told


def refused(code: str, key: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The body of a key that is not good; `key` where it says which one it is."""
    return {
        "valid": False,
        "code": code,
        "workspaceId": "acme" if key else None,
        "keyId": key["id"] if key else None,
        "scopes": [],
        "rateLimit": None,
    } | more


def row(key: dict[str, Any]) -> dynamo.Row:
    found = dynamo.get(settings().api_keys_table, {"id": key["id"]})
    assert found is not None
    return found


def unknown() -> str:
    """A key of the right form that never was."""
    return key_format.assemble("sk_test", ApiKeyId.new(), key_format.mint_secret())


def wrong_secret(key: dict[str, Any]) -> str:
    return key_format.assemble("sk_test", ApiKeyId(key["id"]), key_format.mint_secret())


def change(key: dict[str, Any], **fields: Any) -> None:
    """An edit by the service, in this process: the guard is told nothing of it."""
    service.update(
        Principal("acme", "user:ada", ROLES["owner"], role="owner"),
        ApiKeyId(key["id"]),
        UpdateApiKey.model_validate_json(json.dumps(fields)),
    )


def end(key: dict[str, Any], at_ms: int) -> None:
    """Let the key's time be over: the models take no expiry that is past."""
    dynamo.update(settings().api_keys_table, {"id": key["id"]}, "SET x = :at, v = v + :one", at=at_ms, one=1)


@pytest.fixture
def bcrypts(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What reached bcrypt to be compared."""
    seen: list[bytes] = []
    check = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        seen.append(password)
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return seen


# ── each code, and its shape ─────────────────────────────────────────────────────────────────────────


def test_a_good_key_is_valid_and_says_whose_it_is(api: Api, clock: Clock) -> None:
    key = make(api, scopes=["posts:write", "posts:read", "events:publish"], rateLimitPerHour=50)
    assert verified(api, key["key"], scopes=["posts:read", "events:publish"], cost=4) == {
        "valid": True,
        "code": "VALID",
        "workspaceId": "acme",
        "keyId": key["id"],
        "scopes": ["events:publish", "posts:read", "posts:write"],
        "rateLimit": {
            "allowed": True,
            "limit": 50,
            "remaining": 46,
            "resetAt": iso(at_ms(clock.now + HOUR)),
        },
    }


def test_what_is_no_key_of_this_deployment_is_malformed(api: Api, backend: Backend) -> None:
    key = make(api)["key"]
    ask(api, key)  # the process and the workspace's share are warm
    backend.calls.clear()
    for text in (
        *("", " ", "x", "sk_test_", "sk_live" + key[7:], key + "x", key[:-1], " " + key, key + "\n", key * 2),
        *(key[:-1] + ("a" if key[-1] != "a" else "b"), key.upper(), "é" * 65, key.replace("_", "-")),
        *("count#acme", jwt_for("acme")[:256], "x" * 256, "\u0000" + key[1:]),
    ):
        assert verified(api, text) == refused("MALFORMED"), text
    assert backend.calls.made == []


def test_a_key_that_never_was_and_a_wrong_secret_are_not_found(api: Api) -> None:
    key = make(api)
    ask(api, key["key"])
    for text in (unknown(), wrong_secret(key)):
        for _ in range(2):
            assert verified(api, text) == refused("NOT_FOUND")


def test_a_revoked_key_is_refused_by_the_next_question(api: Api) -> None:
    key = make(api)
    assert verified(api, key["key"])["valid"]
    api(f"DELETE {KEYS}/{key['id']}")
    for _ in range(2):
        assert verified(api, key["key"]) == refused("REVOKED", key)
    guard.clear_cache()
    assert verified(api, key["key"]) == refused("REVOKED", key)


def test_a_key_whose_time_is_over_is_expired_to_the_millisecond(api: Api, clock: Clock) -> None:
    key = make(api, expiresAt=iso(at_ms(clock.now + 5_000)))
    clock.now += 4_999
    assert verified(api, key["key"])["valid"]
    clock.now += 1
    for _ in range(2):
        assert verified(api, key["key"]) == refused("EXPIRED", key)
    guard.clear_cache()
    assert verified(api, key["key"]) == refused("EXPIRED", key)


def test_a_rotated_key_is_good_until_its_overlap_ends(api: Api, clock: Clock) -> None:
    old = make(api)
    new = api(f"POST {KEYS}/{old['id']}/rotate", json={"overlapSeconds": 60}).json()
    assert [verified(api, key["key"])["code"] for key in (old, new)] == ["VALID", "VALID"]
    clock.move(60)
    assert verified(api, old["key"]) == refused("EXPIRED", old)
    newer = api(f"POST {KEYS}/{new['id']}/rotate", json={"overlapSeconds": 0}).json()
    assert verified(api, new["key"]) == refused("EXPIRED", new)
    assert verified(api, newer["key"])["valid"]


def test_a_key_without_the_scopes_says_which_it_has(api: Api) -> None:
    key = make(api, scopes=["posts:read", "events:read"])
    for scopes in (["posts:write"], ["posts:read", "posts:write"], ["events:publish"], ["events:wirte"]):
        assert verified(api, key["key"], scopes=scopes) == refused(
            "INSUFFICIENT_SCOPES", key, scopes=["events:read", "posts:read"]
        )


def test_a_full_window_says_when_the_cost_is_admitted(api: Api, clock: Clock) -> None:
    key = make(api, rateLimitPerHour=4)
    assert verified(api, key["key"], cost=4)["valid"]
    # From eleven on the four fade: half of them by half past, all by twelve.
    for cost, wait in ((1, HOUR + HOUR // 4), (2, HOUR + HOUR // 2), (4, 2 * HOUR)):
        guard.clear_cache()
        again = clock.now + wait
        told = verified(api, key["key"], cost=cost)
        limit = {"allowed": False, "limit": 4, "remaining": 0, "resetAt": iso(at_ms(again))}
        assert told == refused("RATE_LIMITED", key, scopes=["posts:read"], rateLimit=limit)
    before = clock.now
    clock.now = before + HOUR + HOUR // 2 - 1
    assert verified(api, key["key"], cost=2)["code"] == "RATE_LIMITED"
    clock.now += 1
    assert verified(api, key["key"], cost=2)["code"] == "VALID"


def test_the_tighter_window_is_told(api: Api, clock: Clock) -> None:
    key = make(api, rateLimitPerHour=10, rateLimitPerDay=12)
    assert verified(api, key["key"], cost=9)["rateLimit"]["limit"] == 10
    clock.move(2 * 3600)
    told = verified(api, key["key"], cost=2)["rateLimit"]
    midnight = clock.now // DAY * DAY + DAY
    assert told == {"allowed": True, "limit": 12, "remaining": 1, "resetAt": iso(at_ms(midnight))}
    assert verified(api, key["key"], cost=5)["rateLimit"] == told | {
        "allowed": False,
        "resetAt": iso(at_ms(midnight - DAY * -4 // 11)),
    }


def test_a_cost_over_the_limit_is_never_admitted(api: Api, clock: Clock) -> None:
    key = make(api, rateLimitPerHour=10)
    for _ in range(3):
        told = verified(api, key["key"], cost=11)
        limit = {"allowed": False, "limit": 10, "remaining": 10, "resetAt": None}
        assert told == refused("COST_EXCEEDS_LIMIT", key, scopes=["posts:read"], rateLimit=limit)
        clock.move(3 * 3600)
    assert row(key)["t"] == 0
    assert verified(api, key["key"], cost=10)["valid"]


def test_a_cost_over_the_limit_is_one_write_and_no_crowd(api: Api, backend: Backend) -> None:
    key = make(api, rateLimitPerHour=10)
    ask(api, unknown())
    backend.calls.clear()
    ask(api, key["key"], cost=11)
    assert backend.calls.count["dynamodb.UpdateItem"] == 1
    with pytest.raises(guard.NeverAdmitted, match="limit of 10 per hour"):
        guard.admit(key["key"], cost=11)


def test_the_lowest_limit_that_a_cost_is_above_is_named_also_when_the_windows_are_full(api: Api) -> None:
    key = make(api, rateLimitPerHour=20, rateLimitPerDay=10)
    assert verified(api, key["key"], cost=10)["valid"]
    for cost, code, resets in ((10, "RATE_LIMITED", True), (11, "COST_EXCEEDS_LIMIT", False)):
        told = verified(api, key["key"], cost=cost)
        assert (told["code"], told["rateLimit"]["limit"], told["rateLimit"]["remaining"]) == (code, 10, 0)
        assert bool(told["rateLimit"]["resetAt"]) is resets
    assert verified(api, key["key"], cost=21)["rateLimit"]["limit"] == 10


# ── what is counted ──────────────────────────────────────────────────────────────────────────────────


def test_only_a_valid_answer_counts_its_cost(api: Api, clock: Clock) -> None:
    key = make(api, rateLimitPerHour=100, rateLimitPerDay=200)
    assert verified(api, key["key"], cost=60)["rateLimit"]["remaining"] == 40
    assert verified(api, key["key"])["rateLimit"]["remaining"] == 39
    counted = row(key)
    assert (counted["hn"], counted["dn"], counted["t"]) == (61, 61, 61)
    shown = api(f"GET {KEYS}/{key['id']}").json()
    assert (shown["usage"]["total"], shown["usage"]["daily"][-1]["count"]) == (61, 61)
    assert shown["lastUsedAt"] == iso(at_ms(clock.now))

    clock.move(7)
    stranger = jwt_for("globex")
    for token, body, code in (
        (OWNER, {"scopes": ["posts:write"]}, "INSUFFICIENT_SCOPES"),
        (OWNER, {"cost": 40}, "RATE_LIMITED"),
        (OWNER, {"cost": 40, "scopes": ["posts:write"]}, "INSUFFICIENT_SCOPES"),
        (stranger, {}, "NOT_FOUND"),
        (stranger, {"cost": 1_000}, "NOT_FOUND"),
    ):
        for forgets in (False, True):
            if forgets:
                guard.clear_cache()
            assert verified(api, key["key"], token, **body)["code"] == code
            assert row(key) == counted, code
    assert verified(api, wrong_secret(key))["code"] == "NOT_FOUND"
    api(f"DELETE {KEYS}/{key['id']}")
    ended = row(key)
    assert verified(api, key["key"])["code"] == "REVOKED"
    assert row(key) == ended


BODIES: list[tuple[dict[str, Any], str]] = [
    *[({"cost": cost}, "cost") for cost in (0, -1, 1_001, 10**30, True, False, 1.0, 2.5, "2", "", None, [1])],
    *[({"scopes": value}, "scopes") for value in ("posts:read", None, {"posts": 1}, 1)],
    *[({"scopes": [scope]}, "scopes.0") for scope in ("posts", "Posts:read", "*", "posts:*", "", 1, None)],
    ({"scopes": [f"posts:s{at}" for at in range(51)]}, "scopes"),
    ({"key": "x" * 257}, "key"),
    ({"key": None}, "key"),
    ({"key": 1}, "key"),
    ({"workspaceId": "globex"}, "workspaceId"),
    ({"rateLimit": {}}, "rateLimit"),
]


def test_what_does_not_fit_is_refused_and_counts_nothing(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    key = make(api)
    ask(api, key["key"])
    before = row(key)
    backend.calls.clear()
    for body, path in BODIES:
        with subtests.test(str(body)[:60]):
            answer = ask(api, **{"key": key["key"], **body})
            assert (answer.status, answer.json()["code"]) == (422, "validation_failed")
            assert [error["path"] for error in answer.json()["errors"]] == [path]
            assert key["key"] not in answer.text
    assert api(f"POST {KEYS}/verify", json={"cost": 1}).json()["errors"][0]["path"] == "key"
    assert api(f"POST {KEYS}/verify").status == 400
    assert backend.calls.made == []
    assert row(key) == before


def test_costs_and_scopes_at_the_edge_are_taken(api: Api) -> None:
    key = make(api, rateLimitPerHour=1_001, scopes=[f"posts:s{at}" for at in range(50)])
    assert verified(api, key["key"], cost=1_000, scopes=key["scopes"])["rateLimit"]["remaining"] == 1
    assert verified(api, key["key"], cost=1, scopes=["posts:s1", "posts:s1"])["rateLimit"]["remaining"] == 0


def test_each_question_counts_also_under_one_idempotency_key(api: Api) -> None:
    """It creates nothing: whoever asks again has another request to serve."""
    key = make(api)
    once = {"Idempotency-Key": "one"}
    for _ in range(2):
        api(f"POST {KEYS}/verify", json={"key": key["key"]}, headers=once)
    assert row(key)["t"] == 2


# ── who may ask, about whose keys ────────────────────────────────────────────────────────────────────


def test_asking_needs_its_own_scope(api: Api) -> None:
    key = make(api)
    lacking = [jwt_for("acme", role="viewer"), jwt_for("acme", role="member")]
    for token in (*lacking, jwt_for("acme", scope="api-keys:read api-keys:write")):
        answer = ask(api, key["key"], token)
        assert (answer.status, answer.json()["code"]) == (403, "forbidden")
        assert "api-keys:verify" in answer.json()["detail"]
    assert ask(api, key["key"], token=key["key"]).status == 403
    assert row(key)["t"] == 1, "its own request, and no verification"
    having = [jwt_for("acme", role="admin"), jwt_for("acme", role="owner")]
    for token in (*having, jwt_for("acme", scope="api-keys:verify")):
        assert verified(api, key["key"], token)["valid"]
    assert api(f"POST {KEYS}/verify", json={"key": key["key"]}, token=None).status == 401


def live(api: Api, key: dict[str, Any], clock: Clock) -> None:
    pass


def revoked(api: Api, key: dict[str, Any], clock: Clock) -> None:
    assert api(f"DELETE {KEYS}/{key['id']}").status == 200


def expired(api: Api, key: dict[str, Any], clock: Clock) -> None:
    end(key, clock.now)


def full(api: Api, key: dict[str, Any], clock: Clock) -> None:
    assert verified(api, key["key"], cost=9)["valid"]
    assert verified(api, key["key"], cost=9)["code"] == "RATE_LIMITED"


def deleted(api: Api, key: dict[str, Any], clock: Clock) -> None:
    dynamo.delete(settings().api_keys_table, {"id": key["id"]})


@pytest.mark.parametrize("state", [live, revoked, expired, full, deleted])
@pytest.mark.parametrize("remembered", [True, False])
def test_another_workspaces_key_looks_as_if_it_did_not_exist(
    api: Api, clock: Clock, state: Callable[..., None], remembered: bool
) -> None:
    key = make(api, rateLimitPerHour=10)
    verified(api, key["key"])
    state(api, key, clock)
    if remembered:  # by the process: with the state that it is in, or in its old one
        verified(api, key["key"])
    else:
        guard.clear_cache()
    before = dynamo.get(settings().api_keys_table, {"id": key["id"]})
    stranger = jwt_for("globex")
    verifier = make(api, jwt_for("globex"), scopes=["api-keys:verify"])["key"]
    for body in ({}, {"cost": 9}, {"cost": 1_000}, {"scopes": ["posts:write"]}, {"scopes": ["posts:read"]}):
        for _ in range(2):
            theirs, nobodys = (ask(api, text, stranger, **body) for text in (key["key"], unknown()))
            assert theirs == nobodys, "down to the headers"
            assert theirs.json() == refused("NOT_FOUND")
        assert ask(api, key["key"], verifier, **body).json() == refused("NOT_FOUND")
    assert dynamo.get(settings().api_keys_table, {"id": key["id"]}) == before


def test_a_stranger_s_question_changes_nothing_for_the_owner(api: Api) -> None:
    key = make(api)
    for token in (jwt_for("globex"), OWNER, jwt_for("globex"), OWNER):
        assert verified(api, key["key"], token)["valid"] is (token == OWNER)
    assert api(f"GET {KEYS}", token=key["key"]).status == 403, "it goes on as a credential"


def test_the_platform_s_workspace_verifies_any_key(api: Api, clock: Clock) -> None:
    platform = jwt_for("platform", scope="api-keys:verify")
    key = make(api, rateLimitPerHour=2)
    assert verified(api, key["key"], platform)["workspaceId"] == "acme"
    assert verified(api, key["key"], platform, scopes=["posts:write"])["code"] == "INSUFFICIENT_SCOPES"
    assert verified(api, key["key"], platform, cost=2)["code"] == "RATE_LIMITED"
    api(f"DELETE {KEYS}/{key['id']}")
    clock.move(1)
    assert verified(api, key["key"], platform) == refused("REVOKED", key)
    theirs = make(api, platform_owner(), scopes=["actions:handle"])
    assert verified(api, theirs["key"], platform)["scopes"] == ["actions:handle"]
    assert verified(api, theirs["key"]) == refused("NOT_FOUND")
    for almost in ("Platform", "platform-", "platform2"):
        assert verified(api, theirs["key"], jwt_for(almost))["code"] == "NOT_FOUND"


def platform_owner() -> str:
    return jwt_for("platform", role="owner")


def test_a_key_may_verify_others_of_its_workspace_and_itself(api: Api) -> None:
    own = make(api, scopes=["api-keys:verify"], rateLimitPerHour=10)
    key, foreign = make(api), make(api, jwt_for("globex"))
    assert verified(api, key["key"], own["key"])["valid"]
    assert verified(api, foreign["key"], own["key"])["code"] == "NOT_FOUND"
    answer = ask(api, own["key"], own["key"], cost=3)
    # The request itself is the third; what it asks about comes after it.
    assert answer.headers["x-ratelimit-remaining"] == "7"
    assert answer.json()["rateLimit"]["remaining"] == 4


# ── scopes ───────────────────────────────────────────────────────────────────────────────────────────


def test_scopes_of_the_platform_s_own_are_carried_as_they_are(api: Api) -> None:
    key = make(api, scopes=["posts:read", "dam:upload", "inbox-v2:reply"])
    told = verified(api, key["key"], scopes=["dam:upload", "inbox-v2:reply"])
    assert (told["code"], told["scopes"]) == ("VALID", ["dam:upload", "inbox-v2:reply", "posts:read"])
    assert verified(api, key["key"], scopes=["posts:rea"])["code"] == "INSUFFICIENT_SCOPES"


def test_a_removed_scope_is_seen_at_once_though_the_key_is_remembered(api: Api) -> None:
    key = make(api, scopes=["posts:read", "posts:write"])
    assert verified(api, key["key"], scopes=["posts:write"])["valid"]
    change(key, scopes=["posts:read"])
    before = row(key)
    told = verified(api, key["key"], scopes=["posts:write"])
    assert told == refused("INSUFFICIENT_SCOPES", key, scopes=["posts:read"])
    assert row(key) == before
    change(key, scopes=["events:read"])
    assert verified(api, key["key"])["scopes"] == ["events:read"], "also where none is asked for"


def test_an_added_scope_is_seen_at_once_though_the_key_is_remembered(api: Api, backend: Backend) -> None:
    key = make(api)
    assert verified(api, key["key"], scopes=["posts:write"])["code"] == "INSUFFICIENT_SCOPES"
    change(key, scopes=["posts:read", "posts:write"])
    backend.calls.clear()
    assert verified(api, key["key"], scopes=["posts:write"])["scopes"] == ["posts:read", "posts:write"]
    assert backend.calls.count == {"dynamodb.GetItem": 1, "dynamodb.UpdateItem": 1}


def test_a_changed_limit_or_expiry_holds_for_the_next_question(api: Api, clock: Clock) -> None:
    key = make(api, rateLimitPerHour=5)
    verified(api, key["key"])
    change(key, rateLimitPerHour=3)
    assert verified(api, key["key"])["rateLimit"] == {
        "allowed": True,
        "limit": 3,
        "remaining": 1,
        "resetAt": iso(at_ms(clock.now + HOUR)),
    }
    change(key, expiresAt=iso(at_ms(clock.now + 1_000)))
    clock.move(1)
    assert verified(api, key["key"])["code"] == "EXPIRED"


# ── rate limits: of whom ─────────────────────────────────────────────────────────────────────────────


def limits(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name in LIMIT_HEADERS}


def seconds(told: dict[str, Any]) -> str:
    """A `resetAt` as X-RateLimit-Reset has it: whole seconds, rounded up."""
    at = datetime.fromisoformat(told["rateLimit"]["resetAt"]).timestamp()
    return str(-int(-at // 1))


def test_what_is_told_agrees_with_the_headers_of_a_direct_call(api: Api, clock: Clock) -> None:
    key = make(api, scopes=["api-keys:read"], rateLimitPerHour=7, rateLimitPerDay=9)
    clock.now += 12_345
    for hours in (0, 0, 1, 0, 3, 0, 0, 0, 9):
        clock.move(hours * 3600)
        told = verified(api, key["key"])
        direct = api(f"GET {KEYS}", token=key["key"])
        limit = told["rateLimit"]
        assert direct.headers["x-ratelimit-limit"] == str(limit["limit"])
        if direct.status == 429:
            assert direct.headers["x-ratelimit-remaining"] == str(limit["remaining"]) == "0"
            assert direct.headers["x-ratelimit-reset"] == seconds(told)
        else:
            assert direct.headers["x-ratelimit-remaining"] == str(limit["remaining"] - 1)
            if limit["remaining"] > 1:  # the last one moves the reset to when the next is admitted
                assert direct.headers["x-ratelimit-reset"] == seconds(told)
    assert direct.status == 429
    told = verified(api, key["key"])
    assert told["code"] == "RATE_LIMITED"
    assert (direct.headers["x-ratelimit-remaining"], direct.headers["x-ratelimit-reset"]) == (
        str(told["rateLimit"]["remaining"]),
        seconds(told),
    )


def test_the_headers_are_the_caller_s_whatever_is_verified(api: Api, clock: Clock) -> None:
    caller = make(api, scopes=["api-keys:verify"], rateLimitPerHour=500, rateLimitPerDay=900)
    spent = make(api, rateLimitPerHour=1)
    key, gone, over = make(api, rateLimitPerHour=77), make(api), make(api)
    revoked(api, gone, clock)
    expired(api, over, clock)
    left = 500
    for text, code in (
        (key["key"], "VALID"),
        (spent["key"], "VALID"),
        (spent["key"], "RATE_LIMITED"),
        (spent["key"], "RATE_LIMITED"),
        (gone["key"], "REVOKED"),
        (over["key"], "EXPIRED"),
        ("x", "MALFORMED"),
        (unknown(), "NOT_FOUND"),
    ):
        answer, left = ask(api, text, caller["key"]), left - 1
        assert answer.json()["code"] == code
        assert limits(answer) == {
            "x-ratelimit-limit": "500",
            "x-ratelimit-remaining": str(left),
            "x-ratelimit-reset": str((clock.now + HOUR) // 1000),
            "ratelimit-policy": '"hour";q=500;w=3600, "day";q=900;w=86400',
            "ratelimit": f'"hour";r={left};t=3600, "day";r={left + 400};t=50400',
        }
        assert "retry-after" not in answer.headers
        assert not limits(ask(api, text)), "a JWT has none"


def test_a_row_that_takes_no_write_is_rate_limited_for_a_second(
    api: Api, clock: Clock, bcrypts: list[bytes]
) -> None:
    caller = make(api, scopes=["api-keys:verify"], rateLimitPerHour=500)
    key = make(api, rateLimitPerHour=77)
    assert verified(api, key["key"], caller["key"])["valid"]
    with failing("dynamodb.UpdateItem", where=key["id"]):
        answer = ask(api, key["key"], caller["key"])
    assert answer.status == 200
    limit = {"allowed": False, "limit": 77, "remaining": 76, "resetAt": iso(at_ms(clock.now + 1_000))}
    assert answer.json() == refused("RATE_LIMITED", key, scopes=["posts:read"], rateLimit=limit)
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("500", "498")

    # A question for scopes that it seems not to have reads the row.
    with failing("dynamodb.GetItem", where=key["id"]):
        told = verified(api, key["key"], caller["key"], scopes=["posts:write"])
    assert (told["code"], told["rateLimit"]) == ("RATE_LIMITED", limit)
    assert verified(api, key["key"], caller["key"])["rateLimit"]["remaining"] == 75, "nothing was counted"


def test_a_row_that_cannot_be_read_is_429_with_the_caller_s_headers(api: Api) -> None:
    caller = make(api, scopes=["api-keys:verify"], rateLimitPerHour=500)
    key = make(api)
    for token, left in ((caller["key"], "499"), (OWNER, None)):
        with failing("dynamodb.GetItem", where=key["id"]):
            answer = ask(api, key["key"], token)
        assert (answer.status, answer.json()["code"]) == (429, "rate_limited")
        assert answer.headers["retry-after"] == "1"
        assert answer.headers.get("x-ratelimit-remaining") == left
        assert set(limits(answer)) == (LIMIT_HEADERS if left else set())
    assert verified(api, key["key"], caller["key"])["valid"], "nothing of it is remembered"


def test_a_failure_of_another_kind_is_500_and_tells_nothing_of_the_key(api: Api) -> None:
    caller, key = make(api, scopes=["api-keys:verify"]), make(api)
    verified(api, key["key"], caller["key"])
    with failing("dynamodb.UpdateItem", error=REFUSED, where=key["id"]):
        answer = ask(api, key["key"], caller["key"])
    assert (answer.status, answer.json()["code"]) == (500, "internal")
    assert set(limits(answer)) == LIMIT_HEADERS
    for part in (key["id"], *key["key"].split("_")[2:]):
        assert part not in answer.text


# ── what it costs ────────────────────────────────────────────────────────────────────────────────────


def test_a_warm_verification_is_one_write_beyond_the_caller_s_own(api: Api, backend: Backend) -> None:
    caller, key = make(api, scopes=["api-keys:verify"]), make(api, rateLimitPerHour=5)
    make(api)
    for token, own in ((OWNER, 0), (caller["key"], 1)):
        ask(api, key["key"], token, scopes=["posts:read"])
        backend.calls.clear()
        assert verified(api, key["key"], token, scopes=["posts:read"])["valid"]
        assert backend.calls.count == {"dynamodb.UpdateItem": 1 + own}
    assert verified(api, key["key"])["valid"]
    assert verified(api, key["key"])["code"] == "RATE_LIMITED"
    backend.calls.clear()
    assert verified(api, key["key"])["code"] == "RATE_LIMITED"
    assert backend.calls.made == [], "a full window is known for a second"


def test_the_first_verification_reads_the_row_and_compares_once(
    api: Api, backend: Backend, bcrypts: list[bytes]
) -> None:
    key = make(api)
    ask(api, "x")
    backend.calls.clear()
    for _ in range(3):
        assert verified(api, key["key"])["valid"]
    assert backend.calls.count == {"dynamodb.GetItem": 1, "dynamodb.UpdateItem": 3}
    assert len(bcrypts) == 1


def test_what_is_not_good_costs_no_bcrypt_and_next_to_no_reads(
    api: Api, backend: Backend, clock: Clock, bcrypts: list[bytes]
) -> None:
    key, gone, over = make(api), make(api), make(api)
    revoked(api, gone, clock)
    expired(api, over, clock)
    never = unknown()
    ask(api, "x")
    backend.calls.clear()
    for _ in range(5):
        assert verified(api, wrong_secret(key))["code"] == "NOT_FOUND"
        assert verified(api, never)["code"] == "NOT_FOUND"
        assert verified(api, gone["key"])["code"] == "REVOKED"
        assert verified(api, over["key"])["code"] == "EXPIRED"
    assert len(bcrypts) <= 1  # one wrong secret in 65,536 gets that far
    assert backend.calls.count == {"dynamodb.GetItem": 4}, "one each"


# ── the limits of a key, on every answer to it ───────────────────────────────────────────────────────


@pytest.mark.parameters(MaxRequestsPerMinute=9)
def test_every_answer_after_admission_carries_the_limits_of_the_key(
    api: Api, clock: Clock, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now += 600_000 - 250  # the reset is told in whole seconds: never too early
    monkeypatch.setattr(ceilings, "_process", ceilings.Ceilings())
    key = make(api, rateLimitPerHour=40, scopes=["api-keys:read", "api-keys:write"])
    other = make(api, scopes=["api-keys:read"])
    one = f"{KEYS}/{other['id']}"
    expected: list[tuple[int, str, dict[str, Any]]] = [
        (200, f"GET {KEYS}", {}),
        (200, f"PUT {KEYS}/{key['id']}", {"json": {"name": "x"}}),
        (400, f"POST {KEYS}", {"body": b"{"}),
        (403, f"POST {KEYS}/verify", {"json": {"key": "x"}}),
        (404, f"GET {KEYS}/{ApiKeyId.new()}", {}),
        (409, f"DELETE {one}", {"headers": {"If-Match": "7"}}),
        (422, f"POST {KEYS}", {"json": {"name": ""}}),
        (500, f"GET {KEYS}", {}),
        (429, f"GET {KEYS}", {}),  # the workspace's ceiling, not the key's
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
    assert row(key)["t"] == len(expected), "each of them was a use of the key"


def test_a_full_window_of_the_caller_says_when_to_come_back(api: Api, clock: Clock) -> None:
    caller = make(api, scopes=["api-keys:verify"], rateLimitPerHour=2)
    key = make(api)
    for _ in range(2):
        assert verified(api, key["key"], caller["key"])["valid"]
    before = row(key)
    for _ in range(2):
        answer = ask(api, key["key"], caller["key"])
        assert (answer.status, answer.json()["code"]) == (429, "rate_limited")
        again = (clock.now + HOUR + HOUR // 2) // 1000
        assert limits(answer) == {
            "x-ratelimit-limit": "2",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": str(again),
            "ratelimit-policy": '"hour";q=2;w=3600, "day";q=10000;w=86400',
            "ratelimit": '"hour";r=0;t=5400, "day";r=9998;t=50400',
        }
        assert answer.headers["retry-after"] == "5400"
        assert re.search("2 requests per hour", answer.json()["detail"])
    assert row(key) == before, "what was not served was not verified"
    clock.move(5400)
    assert verified(api, key["key"], caller["key"])["valid"]
