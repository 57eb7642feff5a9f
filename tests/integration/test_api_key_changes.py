"""Updating and rotating API keys: when changes apply, who may make them, races, and crashes."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from patchbay.api_keys import service
from patchbay.api_keys.expire_keys import expire_keys
from patchbay.api_keys.guard import Guard, InsufficientScopes, InvalidKey
from patchbay.api_keys.models import (
    ApiKey,
    ApiKeyWithSecret,
    CreateApiKey,
    KeyStatus,
    RotateApiKey,
    UpdateApiKey,
)
from patchbay.auth.principal import Principal, in_process
from patchbay.aws_http import Response
from patchbay.clock import from_ms, iso, now_ms
from patchbay.errors import Conflict, Forbidden, NotFound, PreconditionFailed, RateLimited
from patchbay.settings import settings as configuration
from patchbay.storage import dynamo
from tests.api_keys import (
    ADA,
    AMPLE_TIME_MS,
    DAY,
    HOUR,
    MINUTE,
    PATH,
    key_count,
    use_test_clock,
    use_weak_hashes,
)
from tests.conftest import OWNER, Answer, Api, Backend, jwt_for, rows_of
from tests.faults import Clock, failing, killed, meanwhile
from tests.problems import assert_problem
from tests.wire import Params, around_calls, around_tries

FOREVER = "2999-01-01T00:00:00.000Z"
ONCE = {"Idempotency-Key": "one"}
LEASE_SECONDS = 31


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    use_weak_hashes(monkeypatch)
    clock = use_test_clock(monkeypatch)
    clock.now = clock.now // DAY * DAY + 10 * HOUR + MINUTE  # not near the end of an hour or a day
    return clock


def create(api: Api, token: str = OWNER, **changes: Any) -> Any:
    body = {"name": "CI", "scopes": ["events:publish"]} | changes
    answer = api(f"POST {PATH}", json=body, token=token)
    assert answer.status == 201, answer.text
    return answer.json()


def mint(**changes: Any) -> ApiKeyWithSecret:
    """Create a key without HTTP. Tests of races need this because an HTTP request adds writes."""
    return service.create(ADA, create_body(**changes))


def create_body(**changes: Any) -> CreateApiKey:
    body = {"name": "CI", "scopes": ["events:publish"]} | changes
    return CreateApiKey.model_validate_json(json.dumps(body))


def update_body(**changes: Any) -> UpdateApiKey:
    return UpdateApiKey.model_validate_json(json.dumps(changes))


def rotate_body(overlap_seconds: int) -> RotateApiKey:
    return RotateApiKey(overlap_seconds=overlap_seconds)


def put(api: Api, key: Any, token: str = OWNER, headers: dict[str, str] | None = None, **body: Any) -> Answer:
    return api(f"PUT {PATH}/{key['id']}", json=body, token=token, headers=headers)


def rotate(
    api: Api, key: Any, token: str = OWNER, headers: dict[str, str] | None = None, **body: Any
) -> Answer:
    return api(f"POST {PATH}/{key['id']}/rotate", json=body or None, token=token, headers=headers)


def get(api: Api, key: Any) -> Any:
    answer = api(f"GET {PATH}/{key['id']}")
    assert answer.status == 200, answer.text
    return answer.json()


def rows(backend: Backend, *, without: str = "") -> dict[str, dict[str, Any]]:
    """All rows of the table by ID, except the calling key `without`, whose row counts its use."""
    return {row["id"]: row for row in backend.rows("ApiKeysTable") if row["id"] != without}


def unretired(backend: Backend, workspace: str = "acme") -> int:
    """The number of keys that are not retired, which the count must equal."""
    return sum(row.get("workspaceId") == workspace and "r" not in row for row in rows(backend).values())


def guard(clock: Clock, skew: int) -> Guard:
    """A process whose clock is off by `skew`."""
    return Guard(lambda: clock.now + skew)


def refusal(process: Guard, token: str) -> str:
    with pytest.raises(InvalidKey) as invalid:
        process.admit(token)
    return invalid.value.reason


def at(clock: Clock, **ahead: float) -> str:
    """The time this far in the future, in the API's format."""
    units = {"milliseconds": 1, "seconds": 1_000, "hours": HOUR, "days": DAY}
    return iso(from_ms(clock.now + round(sum(units[unit] * number for unit, number in ahead.items()))))


@contextlib.contextmanager
def each_time(operation: str, act: Callable[[], object], times: int) -> Iterator[None]:
    """Another process wins the race `times` times in a row. `act` itself calls the operation once."""
    with contextlib.ExitStack() as stack:
        for number in range(times):
            stack.enter_context(meanwhile(operation, act, at=1 + 2 * number))
        yield


@contextlib.contextmanager
def between(act: Callable[[], object], call: int) -> Iterator[None]:
    """Run `act` once, immediately before call number `call` to DynamoDB, if that call happens."""
    calls = itertools.count(1)

    def before(service: str, operation: str, params: Params, send: Callable[[Params], Params]) -> Params:
        if service == "dynamodb" and next(calls) == call:
            act()
        return send(params)

    with around_calls(before):
        yield


@contextlib.contextmanager
def lost_once(operation: str = "TransactWriteItems") -> Iterator[list[str]]:
    """The response to one transaction is lost, and the client retries it. DynamoDB recognizes the retry by
    its ClientRequestToken and does not execute it again. Moto would, so this hook intercepts the retry.
    """
    tokens: list[str] = []

    def hook(name: str, body: bytes, send: Callable[[bytes], Response]) -> Response:
        if name != f"dynamodb.{operation}":
            return send(body)
        tokens.append(json.loads(body)["ClientRequestToken"])
        return send(body) if tokens.count(tokens[-1]) == 1 else (200, {}, b"{}")

    with around_tries(hook), failing(f"dynamodb.{operation}", lost=True, tries=1):
        yield tokens


# ── update ───────────────────────────────────────────────────────────────────────────────────────────


UPDATES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "  Newsroom "}, {"name": "Newsroom"}),
    (
        {"scopes": ["events:read", "posts:read", "events:read"]},
        {"scopes": ["events:read", "posts:read"]},
    ),
    ({"rateLimitPerHour": 1}, {"rateLimitPerHour": 1}),
    ({"rateLimitPerHour": 1_000_000}, {"rateLimitPerHour": 1_000_000}),
    ({"rateLimitPerDay": 24_000_000}, {"rateLimitPerDay": 24_000_000}),
    ({"expiresAt": "2999-06-01T12:00:00.1239+02:00"}, {"expiresAt": "2999-06-01T10:00:00.123Z"}),
    ({"expiresAt": None}, {"expiresAt": None}),
    ({"name": "b", "expiresAt": None, "rateLimitPerDay": 9}, {"name": "b", "expiresAt": None}),
]


def test_update_changes_only_the_fields_that_are_sent(api: Api, clock: Clock) -> None:
    for body, changed in UPDATES:
        before = create(api, expiresAt=FOREVER)
        secret = before.pop("key")
        clock.move(1)
        answer = put(api, before, **body)
        assert answer.status == 200, answer.text
        expected = before | body | changed | {"version": 2, "updatedAt": at(clock)}
        assert answer.json() == expected, body
        assert get(api, before) == expected
        assert secret not in answer.text


def test_update_without_changes_keeps_the_version(api: Api, backend: Backend, clock: Clock) -> None:
    key = create(api, expiresAt=at(clock, days=30))
    before = rows(backend)
    clock.move(60)
    for body in (
        {},
        {"name": "CI"},
        {"name": " CI\t"} | {"scopes": ["events:publish", "events:publish"]},
        {name: key[name] for name in ("name", "scopes", "rateLimitPerHour", "rateLimitPerDay", "expiresAt")},
    ):
        answer = put(api, key, headers={"If-Match": "1"}, **body)
        assert answer.status == 200, (body, answer.text)
        assert (answer.json()["version"], answer.json()["updatedAt"]) == (1, key["updatedAt"])
    assert rows(backend) == before


def test_update_removes_and_restores_an_expiry(api: Api, backend: Backend, clock: Clock) -> None:
    key = create(api, expiresAt=at(clock, days=2))
    assert put(api, key, expiresAt=None).json()["expiresAt"] is None
    assert not {"x", "k", "d"} & rows(backend)[key["id"]].keys(), "the key is not in the index `due`"
    clock.move(3 * DAY / 1000)
    assert get(api, key)["status"] == "ACTIVE"
    Guard().admit(key["key"])
    assert put(api, key, expiresAt=at(clock, days=10)).json()["version"] == 3
    row = rows(backend)[key["id"]]
    assert (row["k"], row["d"]) == (0, row["x"] - 7 * DAY)


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"name": None}, "name"),
    ({"name": " "}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"name": "a\u202eb"}, "name"),
    ({"scopes": None}, "scopes"),
    ({"scopes": []}, "scopes"),
    ({"scopes": ["events:publish", "*"]}, "scopes.1"),
    ({"rateLimitPerHour": None}, "rateLimitPerHour"),
    ({"rateLimitPerHour": 0}, "rateLimitPerHour"),
    ({"rateLimitPerHour": True}, "rateLimitPerHour"),
    ({"rateLimitPerHour": 1_000_001}, "rateLimitPerHour"),
    ({"rateLimitPerDay": 24_000_001}, "rateLimitPerDay"),
    ({"rateLimitPerDay": 5.0}, "rateLimitPerDay"),
    ({"expiresAt": ""}, "expiresAt"),
    ({"expiresAt": "2999-01-01"}, "expiresAt"),
    ({"expiresAt": 32_472_144_000}, "expiresAt"),
    ({"expires_at": FOREVER}, "expires_at"),
    ({"version": "1"}, "version"),
    ({"status": "REVOKED"}, "status"),
    ({"workspaceId": "globex"}, "workspaceId"),
    ({"rotatedFrom": "key_0"}, "rotatedFrom"),
]


def test_update_rejects_invalid_body(api: Api, backend: Backend, clock: Clock) -> None:
    key = create(api, expiresAt=FOREVER)
    before = rows(backend)
    past = [({"expiresAt": at(clock, milliseconds=-ago)}, "expiresAt") for ago in (0, 1, DAY)]
    for changes, path in [*INVALID, *past]:
        # One invalid field is enough to reject the request.
        assert_problem(put(api, key, **({"name": "Other"} | changes)), 422, paths=[path])
    for body in (b"[]", b"null", b'"name"'):
        assert_problem(api(f"PUT {PATH}/{key['id']}", body=body), 422)
    assert rows(backend) == before


def test_if_match_is_checked_on_update_and_rotate(api: Api, backend: Backend) -> None:
    key = create(api)
    assert put(api, key, headers={"If-Match": '"1"'}, name="a").json()["version"] == 2
    before = rows(backend)
    for version in ("1", "3", '"0"'):
        assert_problem(put(api, key, headers={"If-Match": version}, name="b"), 412, None, "version 2")
        assert_problem(put(api, key, headers={"If-Match": version}, name="a"), 412, None, "version 2")
        assert_problem(rotate(api, key, headers={"If-Match": version}), 412, None, "version 2")
    assert_problem(put(api, key, headers={"If-Match": "**"}, name="b"), 422)
    assert_problem(rotate(api, key, headers={"If-Match": "-2"}), 422)
    assert rows(backend) == before
    assert put(api, key, headers={"If-Match": "2"}, name="b").json()["version"] == 3
    rotated = rotate(api, key, headers={"If-Match": "3"})
    assert (rotated.status, rotated.json()["version"]) == (201, 1)
    assert get(api, key)["version"] == 4


def test_ended_key_cannot_be_updated_or_rotated(api: Api, backend: Backend, clock: Clock) -> None:
    revoked, expired, retired = create(api), create(api, expiresAt=at(clock, hours=1)), create(api, name="r")
    assert put(api, retired, expiresAt=at(clock, seconds=60)).status == 200
    api(f"DELETE {PATH}/{revoked['id']}")
    clock.move(60)
    assert expire_keys(lambda: AMPLE_TIME_MS).retired == 1
    clock.move(3600 - 60)  # the exact millisecond of the expiry
    before = rows(backend)
    for key, status in ((revoked, "REVOKED"), (expired, "EXPIRED"), (retired, "EXPIRED")):
        for body in ({}, {"name": "x"}, {"expiresAt": None}, {"expiresAt": FOREVER}):
            assert_problem(put(api, key, **body), 409, None, status)
        for seconds in (0, 60):
            assert_problem(rotate(api, key, overlapSeconds=seconds), 409, None, status)
    assert rows(backend) == before
    assert key_count(backend) == unretired(backend) == 1

    clock.move(31 * 86_400)  # TTL deletes rows late, but they are treated as absent
    assert_problem(put(api, revoked, name="x"), 404)
    assert_problem(rotate(api, retired), 404)


# ── update and use ───────────────────────────────────────────────────────────────────────────────────


def test_update_keeps_usage_and_windows(api: Api, clock: Clock) -> None:
    key = create(api, rateLimitPerHour=10)
    process = Guard()
    process.admit(key["key"], cost=4)
    used = get(api, key)
    clock.move(5)
    edited = put(api, key, name="other", rateLimitPerHour=6).json()
    for name in ("usage", "lastUsedAt"):
        assert edited[name] == used[name] == get(api, key)[name]
    assert used["usage"]["total"] == used["usage"]["daily"][-1]["count"] == 4
    assert process.admit(key["key"], cost=2).headers()["x-ratelimit-remaining"] == "0"
    with pytest.raises(RateLimited):
        Guard().admit(key["key"])
    assert put(api, key, rateLimitPerHour=7).status == 200
    assert Guard().admit(key["key"]).headers()["x-ratelimit-remaining"] == "0", (
        "the first six requests still count"
    )


def test_requests_during_an_update_are_counted(backend: Backend) -> None:
    key, process = mint(rateLimitPerHour=50), Guard()
    process.admit(key.key)
    with meanwhile("dynamodb.TransactWriteItems", lambda: [process.admit(key.key) for _ in range(3)]):
        edited = service.update(ADA, key.id, update_body(name="other", rateLimitPerHour=40))
    assert (edited.version, edited.usage.total) == (2, 1), "the response has the use that was read"
    admitted = process.admit(key.key)
    assert admitted.headers()["x-ratelimit-remaining"] == "35"
    shown = service.get(ADA, key.id)
    assert (shown.usage.total, (shown.usage.daily or [])[-1].count) == (5, 5)


def test_update_during_admission_applies_to_that_request(backend: Backend, clock: Clock) -> None:
    """The update happens after the request is checked and before it is counted."""
    key, process = mint(scopes=["events:publish", "events:read"], rateLimitPerHour=5), Guard()
    process.admit(key.key)

    def changing(**changes: Any) -> contextlib.AbstractContextManager[None]:
        return meanwhile("dynamodb.UpdateItem", lambda: service.update(ADA, key.id, update_body(**changes)))

    with changing(name="other"):
        assert process.admit(key.key).headers()["x-ratelimit-remaining"] == "3", "counted once"
    with changing(scopes=["events:read"]), pytest.raises(InsufficientScopes):
        process.admit(key.key, scopes=["events:publish"])
    with changing(rateLimitPerHour=2), pytest.raises(RateLimited):
        process.admit(key.key)
    assert service.get(ADA, key.id).usage.total == 2

    ending, ahead = mint(), guard(clock, 5_000)
    ahead.admit(ending.key)
    shortened = update_body(expiresAt=at(clock, seconds=1))
    with meanwhile("dynamodb.UpdateItem", lambda: service.update(ADA, ending.id, shortened)):
        assert refusal(ahead, ending.key) == "EXPIRED", "by the clock of the admitting process"
    assert service.get(ADA, ending.id).usage.total == 1


def test_update_applies_to_the_next_request_in_other_processes(api: Api, clock: Clock) -> None:
    key = create(api, scopes=["events:publish", "events:read"], rateLimitPerHour=100)
    other = Guard()
    other.admit(key["key"])

    put(api, key, scopes=["events:read"])
    with pytest.raises(InsufficientScopes, match="events:publish"):
        other.admit(key["key"], scopes=["events:publish"])
    assert other.admit(key["key"]).principal.scopes == {"events:read"}
    put(api, key, scopes=["events:read", "posts:read"])
    assert other.admit(key["key"], scopes=["posts:read"]).principal.scopes == {"events:read", "posts:read"}

    put(api, key, rateLimitPerHour=50, rateLimitPerDay=4)
    admitted = other.admit(key["key"])
    assert admitted.headers()["ratelimit-policy"] == '"hour";q=50;w=3600, "day";q=4;w=86400'
    with pytest.raises(RateLimited):
        other.admit(key["key"])
    put(api, key, rateLimitPerDay=400)
    clock.move(1)
    other.admit(key["key"])

    put(api, key, expiresAt=at(clock, seconds=5))
    limits = other.admit(key["key"]).principal.key
    assert limits is not None
    assert limits.expires_at == from_ms(clock.now + 5_000)
    clock.move(5)
    assert refusal(other, key["key"]) == refusal(Guard(), key["key"]) == "EXPIRED"


def test_removed_scope_is_refused_over_http(api: Api) -> None:
    key = create(api, scopes=["api-keys:read", "events:read"])
    assert api(f"GET {PATH}", token=key["key"]).status == 200
    put(api, key, scopes=["events:read"])
    assert_problem(api(f"GET {PATH}", token=key["key"]), 403, None, "api-keys:read")
    put(api, key, scopes=["api-keys:read"])
    assert api(f"GET {PATH}", token=key["key"]).status == 200


# ── concurrent updates ───────────────────────────────────────────────────────────────────────────────


def test_concurrent_updates_are_both_applied(backend: Backend) -> None:
    key = mint()
    with meanwhile(
        "dynamodb.TransactWriteItems", lambda: service.update(ADA, key.id, update_body(rateLimitPerHour=7))
    ):
        edited = service.update(ADA, key.id, update_body(name="other"))
    assert (edited.name, edited.rate_limit_per_hour, edited.version) == ("other", 7, 3)
    assert service.get(ADA, key.id) == edited


def test_second_update_of_the_same_version_is_refused(backend: Backend) -> None:
    key = mint()
    other = meanwhile(
        "dynamodb.TransactWriteItems", lambda: service.update(ADA, key.id, update_body(name="a"), 1)
    )
    with other, pytest.raises(PreconditionFailed, match="version 2, not 1"):
        service.update(ADA, key.id, update_body(name="b"), 1)
    assert service.get(ADA, key.id).name == "a"


def test_equal_concurrent_updates_count_as_one(backend: Backend) -> None:
    key = mint()
    with meanwhile("dynamodb.TransactWriteItems", lambda: service.update(ADA, key.id, update_body(name="a"))):
        assert service.update(ADA, key.id, update_body(name="a")).version == 2


def test_update_under_contention_is_a_conflict(backend: Backend) -> None:
    key, names = mint(), itertools.count()
    others = each_time(
        "dynamodb.TransactWriteItems",
        lambda: service.update(ADA, key.id, update_body(name=str(next(names)))),
        3,
    )
    with others, pytest.raises(Conflict, match="at the same time"):
        service.update(ADA, key.id, update_body(rateLimitPerDay=9))
    shown = service.get(ADA, key.id)
    assert (shown.name, shown.rate_limit_per_day, shown.version) == ("2", 10_000, 4)


def test_update_whose_response_is_lost_is_applied_once(backend: Backend) -> None:
    key = mint()
    for if_match in (None, 2):  # the update's own write is not a conflict
        with lost_once() as tokens:
            edited = service.update(ADA, key.id, update_body(name=f"after {if_match}"), if_match)
        assert len(tokens) == 2
        assert (edited.name, edited.version) == (f"after {if_match}", (if_match or 1) + 1)
        assert service.get(ADA, key.id) == edited


def test_update_of_a_key_that_ends_concurrently_is_refused(backend: Backend, clock: Clock) -> None:
    ends: dict[str, Callable[[ApiKeyWithSecret], object]] = {
        "REVOKED": lambda key: service.revoke(ADA, key.id),
        "EXPIRED": lambda key: service.rotate(ADA, key.id, RotateApiKey(overlap_seconds=0)),
    }
    for status, end in ends.items():
        key = mint()
        with (
            meanwhile("dynamodb.TransactWriteItems", partial(end, key)),
            pytest.raises(Conflict, match=status),
        ):
            service.update(ADA, key.id, update_body(expiresAt=FOREVER, name="alive"))
        shown = service.get(ADA, key.id)
        assert (shown.status, shown.name, shown.version) == (status, "CI", 2)
    assert key_count(backend) == unretired(backend) == 1


def test_expiry_change_races_with_the_schedule_consistently(backend: Backend, clock: Clock) -> None:
    """The first one wins: either the key is retired and its expiry cannot change, or the reverse."""
    lost = mint(expiresAt=at(clock, seconds=10))

    def end() -> None:
        clock.move(10)
        assert expire_keys(lambda: AMPLE_TIME_MS).retired == 1

    with meanwhile("dynamodb.TransactWriteItems", end), pytest.raises(Conflict, match="EXPIRED"):
        service.update(ADA, lost.id, update_body(expiresAt=at(clock, days=1)))
    assert key_count(backend) == unretired(backend) == 0
    assert refusal(Guard(), lost.key) == "EXPIRED"

    kept = mint(expiresAt=at(clock, seconds=10))
    clock.move(10)

    def move() -> None:
        clock.skew = -60_000  # for a host whose clock is a minute slow, the key is active
        service.update(ADA, kept.id, update_body(expiresAt=at(clock, days=1)))
        clock.skew = 0

    with meanwhile("dynamodb.UpdateItem", move):
        expire_keys(lambda: AMPLE_TIME_MS)
    assert service.get(ADA, kept.id).status is KeyStatus.ACTIVE
    Guard().admit(kept.key)
    assert key_count(backend) == unretired(backend) == 1
    clock.move(86_400)
    expire_keys(lambda: AMPLE_TIME_MS)
    assert key_count(backend) == unretired(backend) == 0, "the schedule still finds it"


# ── expiry during the request ────────────────────────────────────────────────────────────────────────


def assert_not_counted(backend: Backend, clock: Clock) -> None:
    """After the next run, ended keys are not counted and have a TTL."""
    clock.move(2 * 3600)
    expire_keys(lambda: AMPLE_TIME_MS)
    assert unretired(backend) == 0, "all keys of this workspace are retired"
    assert key_count(backend) == 0
    assert all("ttl" in row for row in rows(backend).values() if "workspaceId" in row)


def test_updated_expiry_that_passes_before_the_write_is_uncounted(
    api: Api, backend: Backend, clock: Clock
) -> None:
    key = create(api)
    with meanwhile("dynamodb.GetItem", lambda: clock.move(0.05)):
        answer = put(api, key, expiresAt=at(clock, milliseconds=20))
    if answer.status == 200:
        assert_not_counted(backend, clock)
    else:
        assert_problem(answer, 422)
        assert get(api, key)["version"] == 1


def test_created_key_that_expires_before_the_write_is_uncounted(
    api: Api, backend: Backend, clock: Clock
) -> None:
    body = {"name": "CI", "scopes": ["events:read"], "expiresAt": at(clock, milliseconds=20)}
    with meanwhile("dynamodb.PutItem", lambda: clock.move(0.05)):
        answer = api(f"POST {PATH}", json=body, headers=ONCE)
    if answer.status == 201:
        assert_not_counted(backend, clock)
    else:
        assert_problem(answer, 422)
        assert rows(backend) == {}


# ── rights of the caller ─────────────────────────────────────────────────────────────────────────────


TERMS: dict[str, Any] = {
    "scopes": ["events:publish", "events:read", "posts:read"],
    "rateLimitPerHour": 100,
    "rateLimitPerDay": 1_000,
    "expiresAt": FOREVER,
}
MANAGER = {"scopes": ["api-keys:write", *TERMS["scopes"]]}
LESS: dict[str, Any] = {
    "scopes": ["events:publish"],
    "rateLimitPerHour": 1,
    "rateLimitPerDay": 1,
    "expiresAt": "2997-01-01T00:00:00.000Z",
}
# Rights of a caller that has fewer than the key, and the missing right that the refusal names.
WEAKER_KEYS: list[tuple[dict[str, Any], str]] = [
    ({"scopes": ["api-keys:write", "events:publish", "posts:read"]}, "events:read"),
    ({"scopes": ["api-keys:write", "events:publish", "events:read", "posts:write"]}, "posts:read"),
    ({"rateLimitPerHour": 99}, "rateLimitPerHour 99"),
    ({"rateLimitPerDay": 999}, "rateLimitPerDay 999"),
    ({"expiresAt": "2998-12-31T23:59:59.999Z"}, "expiresAt 2998-12-31T23:59:59.999Z"),
]
WEAKER_TOKENS: list[tuple[dict[str, Any], str]] = [
    ({"role": "viewer"}, "api-keys:write"),
    ({"role": "member"}, "api-keys:write"),
    ({"scope": "api-keys:read events:publish events:read posts:read"}, "api-keys:write"),
    ({"scope": "api-keys:write events:publish posts:read"}, "events:read"),
    ({"role": "owner", "scope": "api-keys:write events:publish events:read"}, "posts:read"),
    ({"role": "admin", "scope": "api-keys:write"}, "events:publish"),
    ({"role": "owner", "scope": ""}, "api-keys:write"),
]


def attacks(key: Any) -> list[tuple[str, Any]]:
    """Requests that a caller with fewer rights than the key may try."""
    target = f"{PATH}/{key['id']}"
    return [
        (f"PUT {target}", {"name": "mine now"}),
        (f"PUT {target}", LESS),
        (f"PUT {target}", {"expiresAt": "2996-01-01T00:00:00Z", "scopes": ["events:publish"]}),
        (f"POST {target}/rotate", None),
        (f"POST {target}/rotate", {"overlapSeconds": 0}),
        (f"POST {target}/rotate", {"overlapSeconds": 30 * 86_400}),
        (f"DELETE {target}", None),
    ]


def test_callers_with_fewer_rights_cannot_change_or_create_the_key(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    target = create(api, **TERMS)
    callers: list[tuple[str, str, str, str]] = []
    for rights, missing in WEAKER_KEYS:
        key = create(api, **(TERMS | MANAGER | rights))
        callers.append((repr(rights), key["key"], missing, key["id"]))
    callers += [(repr(rights), jwt_for("acme", **rights), missing, "") for rights, missing in WEAKER_TOKENS]
    for caller, token, missing, id in callers:
        before = rows(backend, without=id)
        # A key cannot create keys, regardless of its rights.
        creates = [] if id else [(f"POST {PATH}", {"name": "like it", **TERMS})]
        for line, body in [*attacks(target), *creates]:
            with subtests.test(f"{caller}: {line.partition(' ')[0]} {body}"):
                assert_problem(api(line, json=body, token=token), 403, None, missing)
                assert_problem(api(line, json=body, token=token, headers=ONCE), 403, None, missing)
                assert rows(backend, without=id) == before
    assert backend.rows("IdempotencyTable") == [], "refused requests store nothing"


def test_callers_with_equal_rights_can_manage_the_key(api: Api, backend: Backend) -> None:
    for token in (
        jwt_for("acme", scope="api-keys:write events:publish events:read posts:read"),
        jwt_for("acme", role="admin"),
        jwt_for("acme"),
    ):
        target = create(api, **TERMS)
        created = api(f"POST {PATH}", json={"name": "like it", **TERMS}, token=token)
        assert created.status == 201, created.text
        assert put(api, target, token=token, name="renamed").status == 200
        assert put(api, target, token=token, **LESS).status == 200
        assert put(api, target, token=token, **TERMS).status == 200, "back to the rights of the caller"
        rotated = rotate(api, target, token=token)
        assert rotated.status == 201, rotated.text
        assert {name: rotated.json()[name] for name in TERMS} == TERMS
        assert api(f"DELETE {PATH}/{target['id']}", token=token).status == 200


def test_calling_key_can_only_narrow_and_revoke_other_keys(api: Api, backend: Backend) -> None:
    manager = create(api, **(TERMS | MANAGER))["key"]
    target = create(api, **TERMS)
    assert put(api, target, token=manager, name="renamed").status == 200
    assert_problem(rotate(api, target, token=manager), 403, None, "rotate only itself", "a user's token")
    assert put(api, target, token=manager, **LESS).status == 200
    narrow = get(api, target)
    for body, message in (
        ({"scopes": ["events:publish", "events:read"]}, "the scope events:read"),
        ({"scopes": ["events:read"]}, "the scope events:read"),
        ({"rateLimitPerHour": 2}, "rateLimitPerHour 1"),
        ({"rateLimitPerDay": 2}, "rateLimitPerDay 1"),
        ({"expiresAt": "2997-01-01T00:00:00.001Z"}, "expiresAt 2997-01-01T00:00:00.000Z"),
        ({"name": "x", **TERMS}, "cannot add"),
    ):
        assert_problem(put(api, target, token=manager, **body), 403, None, message)
    assert get(api, target) == narrow
    assert api(f"DELETE {PATH}/{target['id']}", token=manager).status == 200
    assert get(api, target)["status"] == "REVOKED"


def test_key_with_5_requests_per_hour_gets_5_by_any_route(api: Api) -> None:
    first = create(api, scopes=["api-keys:read", "api-keys:write"], rateLimitPerHour=5)
    keys, served = [first], 0
    for _ in range(6):
        for key in list(keys):
            for line, body in (
                (f"POST {PATH}", {"name": "c", "scopes": ["api-keys:write"], "rateLimitPerHour": 1}),
                (f"POST {PATH}/{key['id']}/rotate", {"overlapSeconds": 3_600}),
                (f"GET {PATH}", None),
            ):
                answer = api(line, json=body, token=key["key"])
                served += answer.status != 429
                if answer.status == 201:
                    keys.append(answer.json())
    assert (len(keys), served) == (2, 5)


def test_request_of_a_self_rotated_key_costs_one_more_read_and_write(backend: Backend, clock: Clock) -> None:
    old, process = mint(scopes=["api-keys:write"], rateLimitPerHour=9), Guard()
    successor = service.rotate(process.admit(old.key).principal, old.id, rotate_body(60))
    for key in (old, successor):
        process.admit(key.key)
    backend.calls.clear()
    assert process.admit(old.key).headers()["x-ratelimit-remaining"] == "5"
    assert backend.calls.count == {"dynamodb.GetItem": 1, "dynamodb.UpdateItem": 2}
    backend.calls.clear()
    assert process.admit(successor.key).headers()["x-ratelimit-remaining"] == "4"
    assert backend.calls.count == {"dynamodb.UpdateItem": 1}, "requests of the new key cost no more"


def test_callers_who_cannot_edit_a_key_cannot_revoke_it(api: Api, backend: Backend) -> None:
    target = create(api, scopes=["credentials:read", "events:read"])
    limited = create(api, scopes=["api-keys:write", "events:read"], rateLimitPerHour=5)["key"]
    for token in (limited, jwt_for("acme", role="admin"), jwt_for("acme", scope="api-keys:write")):
        answer = api(f"DELETE {PATH}/{target['id']}", token=token)
        assert_problem(answer, 403, None, "credentials:read", "create, change, rotate or revoke")
    Guard().admit(target["key"])
    assert api(f"DELETE {PATH}/{target['id']}").status == 200


def test_revoke_checks_rights_again_if_the_key_changed(backend: Backend) -> None:
    weak = Principal("acme", "user:weak", frozenset({"api-keys:write", "events:publish"}))
    key = mint()

    def widen() -> None:
        service.update(ADA, key.id, update_body(scopes=["events:publish", "credentials:read"]))

    with meanwhile("dynamodb.UpdateItem", widen), pytest.raises(Forbidden, match="credentials:read"):
        service.revoke(weak, key.id)
    assert service.get(ADA, key.id).status == KeyStatus.ACTIVE


def test_key_that_keeps_renaming_itself_can_be_revoked(backend: Backend) -> None:
    key = mint()
    with meanwhile("dynamodb.UpdateItem", lambda: service.update(ADA, key.id, update_body(name="new"))):
        service.revoke(ADA, key.id)
    assert service.get(ADA, key.id).status == KeyStatus.REVOKED


def test_admin_cannot_change_an_owners_key(api: Api, backend: Backend) -> None:
    key = create(api, scopes=["credentials:read"])
    admin = jwt_for("acme", role="admin")
    before = rows(backend)
    for body in ({"name": "x"}, {"scopes": ["events:read"]}):
        assert_problem(put(api, key, token=admin, **body), 403, None, "credentials:read")
    assert_problem(rotate(api, key, token=admin), 403, None, "credentials:read")
    assert rows(backend) == before
    assert put(api, key, name="x").status == rotate(api, key).status - 1 == 200


def test_key_cannot_widen_itself(api: Api, backend: Backend) -> None:
    own = TERMS | MANAGER
    key = create(api, **own)
    for body, message in (
        ({"scopes": [*own["scopes"], "webhooks:write"]}, "webhooks:write"),
        ({"scopes": [*own["scopes"], "credentials:read"]}, "credentials:read"),
        ({"rateLimitPerHour": 101}, "rateLimitPerHour 100"),
        ({"rateLimitPerDay": 1_001}, "rateLimitPerDay 1000"),
        ({"expiresAt": "2999-01-01T00:00:00.001Z"}, "expiresAt 2999-01-01T00:00:00.000Z"),
        ({"expiresAt": None}, "expiresAt"),
        (LESS | {"scopes": ["api-keys:write"], "rateLimitPerDay": 1_001}, "rateLimitPerDay"),
    ):
        assert_problem(put(api, key, token=key["key"], **body), 403, None, message)
        shown = get(api, key)
        assert shown["version"] == 1
        assert {name: shown[name] for name in own} == own
    assert key_count(backend) == 1


def test_key_can_narrow_itself_permanently(api: Api) -> None:
    key = create(api, **(TERMS | MANAGER))
    narrow: dict[str, Any] = {
        "scopes": ["api-keys:write", "events:read"],
        "rateLimitPerHour": 50,
        "rateLimitPerDay": 60,
    }
    ends: dict[str, Any] = {"expiresAt": "2998-01-01T00:00:00.000Z"}
    assert put(api, key, token=key["key"], name="by itself", **narrow, **ends).status == 200
    for body, message in (
        ({"scopes": ["api-keys:write", "events:publish"]}, "events:publish"),
        ({"rateLimitPerHour": 51}, "rateLimitPerHour 50"),
        ({"rateLimitPerDay": 61}, "rateLimitPerDay 60"),
        ({"expiresAt": FOREVER}, "expiresAt 2998"),
    ):
        assert_problem(put(api, key, token=key["key"], **body), 403, None, message)
    rotated = rotate(api, key, token=key["key"], overlapSeconds=60)
    assert rotated.status == 201
    assert {name: rotated.json()[name] for name in narrow | ends} == narrow | ends
    assert rotated.json()["createdBy"] == key["id"]
    successor = rotated.json()
    assert put(api, successor, token=successor["key"], scopes=["events:read"]).status == 200
    assert_problem(put(api, successor, token=successor["key"], name="x"), 403, None, "api-keys:write")


def test_rotated_key_cannot_outlive_its_overlap(api: Api, clock: Clock) -> None:
    """A thief can use the old key until the overlap ends, and cannot extend its life."""
    leaked = create(api, **(TERMS | MANAGER))
    successor = rotate(api, leaked, overlapSeconds=600).json()
    end, thief = at(clock, seconds=600), leaked["key"]
    for id in (leaked, successor):
        for body in ({"expiresAt": FOREVER}, {"expiresAt": None}, {"expiresAt": at(clock, seconds=601)}):
            assert_problem(put(api, id, token=thief, **body), 403, None, f"expiresAt {end}")
    assert_problem(put(api, successor, token=thief, expiresAt=end), 403, None, end)
    assert_problem(rotate(api, successor, token=thief), 403, None, end)
    assert_problem(rotate(api, leaked, token=thief), 409, None, successor["id"])
    for expires in (None, FOREVER, end):
        body = {"name": "c", **TERMS, "expiresAt": expires}
        assert_problem(api(f"POST {PATH}", json=body, token=thief), 403, None, "cannot create API keys")
    clock.move(600)
    assert api(f"GET {PATH}", token=thief).status == 401
    Guard().admit(successor["key"])


def test_update_and_rotate_cannot_obtain_platform_only_scopes(api: Api, backend: Backend) -> None:
    key = create(api, scopes=["events:read"])
    callers = (OWNER, jwt_for("acme", scope="api-keys:write events:read actions:handle"))
    for token in callers:
        assert_problem(
            put(api, key, token=token, scopes=["events:read", "actions:handle"]), 403, None, "actions:handle"
        )
    # A row from when this workspace was the platform's.
    dynamo.update(
        configuration().api_keys_table, {"id": key["id"]}, "SET sc = :sc", sc="events:read actions:handle"
    )
    before = rows(backend)
    for token in callers:
        assert_problem(put(api, key, token=token, name="x"), 403, None, "actions:handle")
        assert_problem(rotate(api, key, token=token), 403, None, "actions:handle")
    insider = in_process("acme", "events:read", "actions:handle")
    with pytest.raises(Forbidden, match="platform's own workspace"):
        service.update(insider, key["id"], update_body(name="x"))
    with pytest.raises(Forbidden, match="platform's own workspace"):
        service.rotate(insider, key["id"], RotateApiKey())
    assert rows(backend) == before
    # The scope has no effect in this workspace, so it does not prevent a revocation.
    assert api(f"DELETE {PATH}/{key['id']}").status == 200

    platform = in_process("platform", "actions:handle", "events:read")
    worker = service.create(platform, create_body(scopes=["actions:handle"]))
    both = update_body(scopes=["actions:handle", "events:read"])
    assert service.update(platform, worker.id, both).scopes == ["actions:handle", "events:read"]
    assert service.rotate(platform, worker.id, RotateApiKey()).scopes == ["actions:handle", "events:read"]


def test_update_and_rotate_check_rights_again_if_the_key_changed(backend: Backend) -> None:
    """The key gets more rights than the caller between the check and the write."""
    weak = Principal("acme", "user:weak", frozenset({"api-keys:write", "events:publish"}))
    key = mint()

    def widen() -> None:
        service.update(ADA, key.id, update_body(scopes=["events:publish", "credentials:read"]))

    def narrow() -> None:
        service.update(ADA, key.id, update_body(scopes=["events:publish"]))

    with meanwhile("dynamodb.TransactWriteItems", widen), pytest.raises(Forbidden, match="credentials:read"):
        service.update(weak, key.id, update_body(name="mine"))
    narrow()
    with meanwhile("dynamodb.TransactWriteItems", widen), pytest.raises(Forbidden, match="credentials:read"):
        service.rotate(weak, key.id, RotateApiKey())
    assert (service.get(ADA, key.id).name, key_count(backend)) == ("CI", 1)


# ── rotate ───────────────────────────────────────────────────────────────────────────────────────────


def test_rotate_creates_a_key_with_the_same_terms_and_its_own_usage(api: Api, clock: Clock) -> None:
    old = create(api, name="Deploy", **TERMS)
    process = Guard()
    process.admit(old["key"], cost=40)
    clock.move(2)
    answer = rotate(api, old, token=jwt_for("acme", claims={"sub": "bob"}, role="owner"))
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-store"
    successor = answer.json()
    key = successor.pop("key")
    assert re.fullmatch(r"sk_test_[0-9A-Za-z]{22}_[0-9A-Za-z]{27}_[0-9A-Za-z]{6}", key)
    fresh = {
        "id": successor["id"],
        "maskedKey": key[:12] + "…",
        "createdAt": at(clock),
        "updatedAt": at(clock),
        "createdBy": "user:bob",
        "rotatedFrom": old["id"],
    }
    assert successor == {name: value for name, value in old.items() if name != "key"} | fresh
    assert successor["id"] != old["id"]
    assert get(api, successor) == successor
    assert "key" not in get(api, successor)

    shown = get(api, old)
    assert (shown["version"], shown["updatedAt"], shown["status"]) == (2, at(clock), "ACTIVE")
    assert shown["expiresAt"] == at(clock, seconds=86_400), "the default overlap is a day"
    assert (shown["usage"]["total"], shown["rotatedFrom"]) == (40, None)

    # Both keys are valid, and each has its own rate-limit windows.
    assert process.admit(old["key"]).headers()["x-ratelimit-remaining"] == "59"
    for admitting in (process, Guard()):
        admitting.admit(key)
    assert (get(api, old)["usage"]["total"], get(api, successor)["usage"]["total"]) == (41, 2)


def test_old_key_expires_when_the_overlap_ends(api: Api, backend: Backend, clock: Clock) -> None:
    old = create(api)
    one, other = Guard(), Guard()
    one.admit(old["key"])
    successor = rotate(api, old, overlapSeconds=3_600).json()
    clock.move(3_599.999)
    for process in (one, other):
        process.admit(old["key"])
        process.admit(successor["key"])
    clock.move(0.001)
    for process in (one, other, Guard()):
        assert refusal(process, old["key"]) == "EXPIRED"
        process.admit(successor["key"])
    assert get(api, old)["status"] == "EXPIRED"
    assert key_count(backend) == 2
    expire_keys(lambda: AMPLE_TIME_MS)
    assert key_count(backend) == unretired(backend) == 1
    shown = get(api, old)
    assert (shown["status"], shown["version"]) == ("EXPIRED", 2)


def test_rotate_without_overlap_ends_the_old_key_for_every_clock(
    api: Api, backend: Backend, clock: Clock
) -> None:
    old = create(api, expiresAt=FOREVER)
    lags = (0, -1, -10 * MINUTE, -2 * DAY, 10 * MINUTE)
    known = [guard(clock, lag) for lag in lags]
    fresh = [guard(clock, lag) for lag in lags]
    for process in known:
        process.admit(old["key"])
    successor = rotate(api, old, overlapSeconds=0).json()
    for process in [*known, *fresh]:
        assert refusal(process, old["key"]) == "EXPIRED"
        process.admit(successor["key"])
    shown = get(api, old)
    assert (shown["status"], shown["expiresAt"], shown["usage"]["total"]) == ("EXPIRED", at(clock), len(lags))
    assert successor["expiresAt"] == FOREVER
    row = rows(backend)[old["id"]]
    assert (row["r"], row["ttl"]) == (clock.now, (clock.now + 30 * DAY) // 1000)
    assert not {"k", "d"} & row.keys()
    assert key_count(backend) == unretired(backend) == 1
    # Revoking it now changes nothing.
    assert api(f"DELETE {PATH}/{old['id']}").status == 200
    assert rows(backend)[old["id"]] == row
    assert key_count(backend) == 1


def test_hosts_with_clock_skew_agree_on_a_rotation(backend: Backend, clock: Clock) -> None:
    for skew in (-5 * MINUTE, 5 * MINUTE):
        old = mint()
        clock.skew = skew
        service.rotate(ADA, old.id, RotateApiKey(overlap_seconds=0))
        clock.skew = 0
        assert service.get(ADA, old.id).status is KeyStatus.EXPIRED
        assert refusal(guard(clock, -10 * MINUTE), old.key) == "EXPIRED"


def test_rotate_rejects_invalid_overlap(api: Api, backend: Backend) -> None:
    key = create(api)
    before = rows(backend)
    for seconds in (-1, 30 * 86_400 + 1, 10**30, True, 60.0, 0.5, "60", None, [60]):
        assert_problem(rotate(api, key, overlapSeconds=seconds), 422, paths=["overlapSeconds"])
    for body in ({"overlap": 0}, {"overlap_seconds": 0}, {"overlapSeconds": 0, "name": "new"}):
        assert_problem(rotate(api, key, **body), 422)
    for raw in (b"[]", b"null", b"0"):
        assert_problem(api(f"POST {PATH}/{key['id']}/rotate", body=raw), 422)
    assert rows(backend) == before


NO_BODY: dict[str, Any] = {}


def test_overlap_is_bounded_by_30_days_and_the_old_keys_expiry(api: Api, clock: Clock) -> None:
    for lives, overlap, ends in (
        (None, {"overlapSeconds": 30 * 86_400}, 30 * 86_400),
        (60 * 86_400, {"overlapSeconds": 30 * 86_400}, 30 * 86_400),
        (3_600, NO_BODY, 3_600),
        (3_600, {"overlapSeconds": 3_601}, 3_600),
        (3_600, {"overlapSeconds": 3_600}, 3_600),
        (3_600, {"overlapSeconds": 1}, 1),
    ):
        own_end = None if lives is None else at(clock, seconds=lives)
        old = create(api, expiresAt=own_end)
        successor = rotate(api, old, **overlap).json()
        assert get(api, old)["expiresAt"] == at(clock, seconds=ends)
        assert successor["expiresAt"] == own_end, "the new key has the same terms, including the expiry"


def test_key_can_be_rotated_once(api: Api, backend: Backend, clock: Clock) -> None:
    first = create(api)
    second = rotate(api, first).json()
    before = rows(backend)
    for overlap in (NO_BODY, {"overlapSeconds": 0}, {"overlapSeconds": 5}):
        assert_problem(rotate(api, first, **overlap), 409, None, second["id"])
    assert rows(backend) == before
    # An update of the old key does not allow another rotation.
    assert put(api, first, name="old").status == 200
    assert_problem(rotate(api, first), 409, None, second["id"])
    third = rotate(api, second, overlapSeconds=0).json()
    assert (second["rotatedFrom"], third["rotatedFrom"]) == (first["id"], second["id"])
    clock.move(86_400)
    assert [get(api, key)["status"] for key in (first, second, third)] == ["EXPIRED", "EXPIRED", "ACTIVE"]


def test_old_key_can_be_revoked_during_the_overlap(api: Api, backend: Backend) -> None:
    old = create(api)
    successor = rotate(api, old).json()
    assert api(f"DELETE {PATH}/{old['id']}").status == 200
    assert refusal(Guard(), old["key"]) == "REVOKED"
    assert get(api, old)["status"] == "REVOKED"
    Guard().admit(successor["key"])
    assert key_count(backend) == unretired(backend) == 1


@pytest.mark.parameters(MaxApiKeys=2)
def test_at_the_ceiling_rotate_requires_no_overlap(api: Api, backend: Backend, clock: Clock) -> None:
    one, two = create(api), create(api)
    before = rows(backend)
    for overlap in (NO_BODY, {"overlapSeconds": 1}):
        assert_problem(rotate(api, one, headers=ONCE, **overlap), 409, None, "2 API keys", "overlapSeconds 0")
    assert rows(backend) == before
    assert backend.rows("IdempotencyTable") == [], "the idempotency key can be used again"
    successor = rotate(api, one, headers=ONCE, overlapSeconds=0)
    assert successor.status == 201
    assert key_count(backend) == unretired(backend) == 2
    assert_problem(rotate(api, successor.json()), 409, None, "2 API keys")
    # Below the ceiling, rotation works. Both keys count until the schedule retires the old one.
    api(f"DELETE {PATH}/{two['id']}")
    third = rotate(api, successor.json(), overlapSeconds=60).json()
    assert key_count(backend) == unretired(backend) == 2
    assert_problem(rotate(api, third), 409, None, "2 API keys")
    clock.move(60)
    expire_keys(lambda: AMPLE_TIME_MS)
    assert key_count(backend) == unretired(backend) == 1
    assert rotate(api, third).status == 201


# ── idempotent rotation ──────────────────────────────────────────────────────────────────────────────


def successors(backend: Backend, old: Any) -> list[dict[str, Any]]:
    id = old.id if isinstance(old, ApiKey) else old["id"]
    return [row for row in rows(backend).values() if row.get("rf") == id]


def test_repeated_rotate_returns_the_same_key(api: Api, backend: Backend, clock: Clock) -> None:
    for overlap in (NO_BODY, {"overlapSeconds": 0}):
        old = create(api)
        headers = {"Idempotency-Key": f"rotate {overlap}"}
        first = rotate(api, old, headers=headers, **overlap)
        clock.move(60)
        again = rotate(api, old, headers=headers, **overlap)
        assert (first.status, again.status) == (201, 201)
        assert first.text == again.text
        assert again.headers["idempotent-replayed"] == "true"
        assert len(successors(backend, old)) == 1
        mismatch = rotate(api, old, headers=headers, overlapSeconds=61)
        assert_problem(mismatch, 422, "idempotency_mismatch")
        secret = first.json()["key"].split("_")[3]
        for table in ("ApiKeysTable", "IdempotencyTable"):
            assert secret not in repr(backend.rows(table)), "stored encrypted only"
    assert key_count(backend) == unretired(backend) == 3


def test_rotate_of_another_key_is_not_a_repeat(api: Api, backend: Backend) -> None:
    """The same Idempotency-Key and body for another key do not return the first key's secret."""
    one, other = create(api), create(api)
    first, second = (rotate(api, key, headers=ONCE) for key in (one, other))
    assert first.json()["rotatedFrom"] == one["id"]
    if second.status == 201:
        assert second.json()["rotatedFrom"] == other["id"]
        assert len(successors(backend, other)) == 1
    else:
        assert_problem(second, 422, "idempotency_mismatch")


def test_rotate_that_crashes_is_completed_once_by_its_repeat(
    api: Api, backend: Backend, clock: Clock
) -> None:
    for after, overlap in itertools.product((False, True), (0, 60)):
        old = create(api)
        headers = {"Idempotency-Key": f"{after} {overlap}"}
        with killed("dynamodb.TransactWriteItems", after=after):
            rotate(api, old, headers=headers, overlapSeconds=overlap)
        assert len(successors(backend, old)) == after
        assert get(api, old)["version"] == 1 + after, "everything or nothing"
        clock.move(LEASE_SECONDS)
        repeated = rotate(api, old, headers=headers, overlapSeconds=overlap)
        assert repeated.status == 201, repeated.text
        assert [row["id"] for row in successors(backend, old)] == [repeated.json()["id"]]
        Guard().admit(repeated.json()["key"])
        assert rotate(api, old, headers=headers, overlapSeconds=overlap).text == repeated.text
    assert key_count(backend) == unretired(backend)


def test_rotate_whose_aws_response_is_lost_is_applied_once(api: Api, backend: Backend, clock: Clock) -> None:
    for overlap in (0, 60):
        old = create(api)
        with lost_once() as tokens:
            answer = rotate(api, old, overlapSeconds=overlap)
        assert len(tokens) == 2
        assert tokens[0] == tokens[1]
        assert answer.status == 201, answer.text
        assert [row["id"] for row in successors(backend, old)] == [answer.json()["id"]]
    assert key_count(backend) == unretired(backend) == 3


def test_failed_rotate_names_the_successor_on_retry(api: Api, backend: Backend) -> None:
    """Without an Idempotency-Key, the new secret is lost. The error names the successor to rotate."""
    old = create(api)
    with failing("dynamodb.TransactWriteItems", lost=True):
        assert rotate(api, old).status == 500
    (lost,) = successors(backend, old)
    assert_problem(rotate(api, old), 409, None, lost["id"])
    successor = rotate(api, lost, overlapSeconds=0)
    assert successor.status == 201
    Guard().admit(successor.json()["key"])
    Guard().admit(old["key"])
    assert key_count(backend) == unretired(backend) == 2


def test_rotate_with_idempotency_key_replays_a_lost_response(api: Api, backend: Backend) -> None:
    old = create(api)
    with failing("dynamodb.TransactWriteItems", lost=True):
        assert rotate(api, old, headers=ONCE).status == 500
    again = rotate(api, old, headers=ONCE)
    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    assert [row["id"] for row in successors(backend, old)] == [again.json()["id"]]
    Guard().admit(again.json()["key"])


# ── concurrent rotations ─────────────────────────────────────────────────────────────────────────────


def test_concurrent_rotations_create_one_successor(backend: Backend) -> None:
    for mine, other in itertools.product((0, 60), repeat=2):
        old = mint()
        theirs = partial(service.rotate, ADA, old.id, rotate_body(other))
        with meanwhile("dynamodb.TransactWriteItems", theirs), pytest.raises(Conflict) as conflict:
            service.rotate(ADA, old.id, rotate_body(mine))
        (winner,) = successors(backend, old)
        assert (winner["id"] if other else "EXPIRED") in conflict.value.detail
        assert ("r" in rows(backend)[old.id]) is (other == 0)
        assert key_count(backend) == unretired(backend)


def test_rotate_uses_the_terms_at_the_time_of_the_write(backend: Backend, clock: Clock) -> None:
    for overlap in (0, 60):
        old = mint(scopes=["events:publish", "events:read"])
        narrowed = update_body(scopes=["events:read"], rateLimitPerHour=5, expiresAt=at(clock, seconds=30))
        with meanwhile(
            "dynamodb.TransactWriteItems",
            partial(service.update, ADA, old.id, narrowed),
        ):
            successor = service.rotate(ADA, old.id, rotate_body(overlap))
        assert (successor.scopes, successor.rate_limit_per_hour) == (["events:read"], 5)
        assert successor.expires_at == from_ms(clock.now + 30_000)
        left = min(overlap, 30)
        assert service.get(ADA, old.id).expires_at == from_ms(clock.now + left * 1000)
    assert key_count(backend) == unretired(backend) == 3


def test_update_during_a_rotation_does_not_undo_it(backend: Backend, clock: Clock) -> None:
    old = mint()
    with meanwhile("dynamodb.TransactWriteItems", lambda: service.rotate(ADA, old.id, rotate_body(60))):
        edited = service.update(ADA, old.id, update_body(name="other"))
    assert (edited.name, edited.version) == ("other", 3)
    assert edited.expires_at == from_ms(clock.now + 60_000)
    (new_row,) = successors(backend, old)
    assert new_row["nm"] == "CI"
    with pytest.raises(Conflict, match=new_row["id"]):
        service.rotate(ADA, old.id, rotate_body(60))


def test_key_revoked_during_rotation_has_no_successor(backend: Backend) -> None:
    for overlap in (0, 60):
        old = mint()
        revoking = meanwhile(
            "dynamodb.TransactWriteItems",
            partial(service.revoke, ADA, old.id),
        )
        with revoking, pytest.raises(Conflict, match="REVOKED"):
            service.rotate(ADA, old.id, rotate_body(overlap))
        assert successors(backend, old) == []
        assert service.get(ADA, old.id).status is KeyStatus.REVOKED
    assert key_count(backend) == unretired(backend) == 0


def test_key_rotated_during_revocation_is_uncounted_once(backend: Backend) -> None:
    for overlap, status in ((0, "EXPIRED"), (60, "REVOKED")):
        old = mint()
        with meanwhile("dynamodb.UpdateItem", partial(service.rotate, ADA, old.id, rotate_body(overlap))):
            service.revoke(ADA, old.id)
        assert service.get(ADA, old.id).status == status
        assert refusal(Guard(), old.key) == status
        assert len(successors(backend, old)) == 1
    assert key_count(backend) == unretired(backend) == 2


def test_revoked_key_is_refused_before_it_is_uncounted(backend: Backend, clock: Clock) -> None:
    key, process = mint(), Guard()
    process.admit(key.key)
    seen: list[object] = []

    def look() -> None:
        seen.extend([refusal(process, key.key), refusal(guard(clock, -DAY), key.key), key_count(backend)])
        with pytest.raises(Conflict, match="REVOKED"):
            service.rotate(ADA, key.id, rotate_body(60))
        service.revoke(ADA, key.id)
        expire_keys(lambda: AMPLE_TIME_MS)

    with meanwhile("dynamodb.TransactWriteItems", look):
        service.revoke(ADA, key.id)
    assert seen == ["REVOKED", "REVOKED", 1]
    assert key_count(backend) == unretired(backend) == 0
    assert service.get(ADA, key.id).version == 2


@pytest.mark.parametrize("operation", ["UpdateItem", "TransactWriteItems"])
@pytest.mark.parametrize("after", [False, True])
def test_revocation_that_crashes_is_completed_by_the_schedule(
    backend: Backend, clock: Clock, operation: str, after: bool
) -> None:
    key, other = mint(), mint()
    with killed(f"dynamodb.{operation}", after=after):
        service.revoke(ADA, key.id)
    if operation == "UpdateItem" and not after:
        Guard().admit(key.key)
        assert key_count(backend) == unretired(backend) == 2
        service.revoke(ADA, key.id)
    assert refusal(Guard(), key.key) == "REVOKED"
    service.revoke(ADA, key.id)
    assert unretired(backend) == 1
    for _ in range(2):
        clock.move(3_600)
        expire_keys(lambda: AMPLE_TIME_MS)
        assert key_count(backend) == 1
    assert service.get(ADA, key.id).status is KeyStatus.REVOKED
    assert not {"k", "d"} & rows(backend)[key.id].keys()
    Guard().admit(other.key)


def test_revocation_whose_responses_are_lost_uncounts_once(backend: Backend, clock: Clock) -> None:
    mint()
    for operation in ("UpdateItem", "TransactWriteItems"):
        key = mint()
        with failing(f"dynamodb.{operation}", lost=True, tries=1):
            service.revoke(ADA, key.id, if_match=1)
        clock.move(3_600)
        expire_keys(lambda: AMPLE_TIME_MS)
        assert service.get(ADA, key.id).version == 2
        assert key_count(backend) == unretired(backend) == 1


def test_revoke_with_if_match_conflicts_with_a_concurrent_update(backend: Backend) -> None:
    key = mint()
    renaming = meanwhile(
        "dynamodb.UpdateItem", lambda: service.update(ADA, key.id, update_body(name="other"))
    )
    with renaming, pytest.raises(PreconditionFailed, match="version 2, not 1"):
        service.revoke(ADA, key.id, if_match=1)
    assert service.get(ADA, key.id).status is KeyStatus.ACTIVE
    with meanwhile("dynamodb.UpdateItem", lambda: service.update(ADA, key.id, update_body(name="third"))):
        service.revoke(ADA, key.id)
    assert service.get(ADA, key.id).status is KeyStatus.REVOKED
    assert key_count(backend) == unretired(backend) == 0


def test_key_that_expires_during_rotation_has_no_successor(backend: Backend, clock: Clock) -> None:
    old = mint(expiresAt=at(clock, seconds=10))

    def end() -> None:
        clock.move(10)
        assert expire_keys(lambda: AMPLE_TIME_MS).retired == 1

    with meanwhile("dynamodb.TransactWriteItems", end), pytest.raises(Conflict, match="EXPIRED"):
        service.rotate(ADA, old.id, rotate_body(60))
    assert successors(backend, old) == []
    assert key_count(backend) == unretired(backend) == 0


@pytest.mark.parameters(MaxApiKeys=2)
def test_last_key_below_the_ceiling_is_created_once(backend: Backend) -> None:
    old = mint()
    with meanwhile("dynamodb.TransactWriteItems", mint), pytest.raises(Conflict, match="2 API keys"):
        service.rotate(ADA, old.id, rotate_body(60))
    assert service.get(ADA, old.id).version == 1, "the old key keeps working"
    assert key_count(backend) == unretired(backend) == 2


# ── the count in any interleaving ────────────────────────────────────────────────────────────────────


CEILING = 3
LIFETIMES = st.sampled_from([None, 1, 60_000, HOUR, DAY, DAY + 1, 2 * DAY, 7 * DAY, 8 * DAY, 40 * DAY])
OVERLAPS = st.sampled_from([0, 1, 60, 86_400, 8 * 86_400])
# The clock skews of hosts.
SKEWS = st.sampled_from([0, 0, -2 * MINUTE, 2 * MINUTE])


@dataclass(frozen=True)
class Operation:
    """An operation by a host on a key, timed by the host's clock."""

    name: str
    argument: Any
    skew: int


def operations() -> st.SearchStrategy[Operation]:
    return st.one_of(
        st.builds(Operation, st.just("create"), LIFETIMES, SKEWS),
        st.builds(Operation, st.just("rename"), st.text("abc", min_size=1, max_size=2), SKEWS),
        st.builds(Operation, st.just("change the expiry"), LIFETIMES, SKEWS),
        st.builds(Operation, st.just("rotate"), OVERLAPS, SKEWS),
        st.builds(Operation, st.just("revoke"), st.none(), SKEWS),
        st.builds(Operation, st.just("run the schedule"), st.none(), SKEWS),
        st.builds(Operation, st.just("use"), st.none(), SKEWS),
    )


class KeyLifecycles(RuleBasedStateMachine):
    """Hosts with clock skew create, change, and end keys of one workspace in every way. One host can write
    between the steps of another.
    """

    keys = Bundle("keys")

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.guards = {lag: guard(clock, lag) for lag in (0, -5 * MINUTE, 5 * MINUTE)}
        self.created: list[ApiKeyWithSecret] = []
        self.ended: dict[str, dict[str, Any]] = {}

    @initialize(target=keys, lives=LIFETIMES)
    def first(self, lives: int | None) -> ApiKeyWithSecret:
        return mint(expiresAt=self.end(lives))

    def end(self, lives: int | None) -> str | None:
        return None if lives is None else iso(from_ms(now_ms() + lives))

    def perform(self, operation: Operation, key: ApiKeyWithSecret) -> None:
        """Run one operation of one host. A refusal of an ended key or at the ceiling is a valid outcome."""
        before, self.clock.skew = self.clock.skew, operation.skew
        argument = operation.argument
        try:
            match operation.name:
                case "create":
                    self.created.append(mint(expiresAt=self.end(argument)))
                case "rename":
                    service.update(ADA, key.id, update_body(name=argument))
                case "change the expiry":
                    service.update(ADA, key.id, update_body(expiresAt=self.end(argument)))
                case "rotate":
                    self.created.append(service.rotate(ADA, key.id, rotate_body(argument)))
                case "revoke":
                    service.revoke(ADA, key.id)
                case "run the schedule":
                    expire_keys(lambda: AMPLE_TIME_MS)
                case "use":
                    Guard().admit(key.key)
        except (Conflict, InvalidKey):
            pass
        except NotFound:
            ended = {row["id"] for row in self.rows() if "r" in row}
            assert key.id in ended, "only ended keys disappear"
        finally:
            self.clock.skew = before

    @rule(target=keys, operation=operations(), key=keys)
    def one(self, operation: Operation, key: ApiKeyWithSecret) -> Any:
        self.perform(operation, key)
        return self.new()

    @rule(target=keys, mine=operations(), other=operations(), call=st.integers(1, 4), one=keys, two=keys)
    def two_at_once(
        self, mine: Operation, other: Operation, call: int, one: ApiKeyWithSecret, two: ApiKeyWithSecret
    ) -> Any:
        with between(lambda: self.perform(other, two), call):
            self.perform(mine, one)
        return self.new()

    @rule(target=keys, mine=operations(), other=operations(), call=st.integers(1, 4), key=keys)
    def two_at_once_on_one_key(
        self, mine: Operation, other: Operation, call: int, key: ApiKeyWithSecret
    ) -> Any:
        return self.two_at_once(mine, other, call, key, key)

    def new(self) -> Any:
        created, self.created = self.created, []
        return multiple(*created)

    @rule(milliseconds=st.sampled_from([1, 999, MINUTE, HOUR, DAY, 6 * DAY, 31 * DAY]))
    def time_passes(self, milliseconds: int) -> None:
        self.clock.now += milliseconds

    @rule()
    def the_schedule_runs_on_time(self) -> None:
        assert self.clock.skew == 0
        expire_keys(lambda: AMPLE_TIME_MS)
        for row in self.rows():
            assert row.get("d", self.clock.now + 1) > self.clock.now, "no due key is skipped"
            assert "r" in row or row.get("x", self.clock.now + 1) > self.clock.now

    @rule(key=keys)
    def every_process_admits_or_refuses(self, key: ApiKeyWithSecret) -> None:
        row = dynamo.get(configuration().api_keys_table, {"id": key.id})
        assert row is not None
        for lag, known in self.guards.items():
            has_ended = "r" in row or row.get("x", self.clock.now + lag + 1) <= self.clock.now + lag
            fresh = guard(self.clock, lag)
            if has_ended:
                for process in (known, fresh):
                    assert refusal(process, key.key) in ("EXPIRED", "REVOKED")
            else:
                fresh.admit(key.key)
                with contextlib.suppress(InvalidKey):  # it may have cached the expiry for a second
                    known.admit(key.key)

    def rows(self) -> list[dict[str, Any]]:
        return rows_of(configuration().api_keys_table)

    @invariant()
    def the_rows_are_right(self) -> None:
        """Check the count, ended keys, the `due` index, and the links between keys and successors."""
        keys = [row for row in self.rows() if "workspaceId" in row]
        (counted,) = [row["n"] for row in self.rows() if row["id"] == "count#acme"]
        assert counted == sum("r" not in row or "d" in row for row in keys) <= CEILING
        for row in keys:
            assert ("k" in row) == ("d" in row)
            if "r" in row:
                ended = {name: value for name, value in row.items() if name not in ("k", "d")}
                assert self.ended.setdefault(row["id"], ended) == ended, "an ended key does not change"
                assert "ttl" in row
                assert row.get("d", row["r"]) == row["r"], "due immediately"
            elif "x" in row:
                assert row["x"] - row["d"] in (7 * DAY, DAY, 0)
            else:
                assert not {"d", "ttl"} & row.keys()
        successors = [(row["rf"], row["id"]) for row in keys if "rf" in row]
        assert sorted(successors) == sorted((row["id"], row["rt"]) for row in keys if "rt" in row)

    def teardown(self) -> None:
        for row in self.rows():
            dynamo.delete(configuration().api_keys_table, {"id": row["id"]})


@pytest.mark.parameters(MaxApiKeys=CEILING)
def test_count_stays_correct_and_ended_keys_stay_ended(backend: Backend, clock: Clock) -> None:
    class Machine(KeyLifecycles):
        def __init__(self) -> None:
            super().__init__(clock)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
