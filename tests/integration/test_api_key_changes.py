"""Changing and rotating API keys: what holds when, for whom it is refused, every race and every crash."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
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
from moto.dynamodb.models import dynamodb_backends

from local import settings as local_settings
from patchbay import ids
from patchbay.api_keys import hashing, models, service
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
from patchbay.auth.scopes import ROLES
from patchbay.aws_http import Response
from patchbay.clock import at_ms, iso, now_ms
from patchbay.errors import Conflict, Forbidden, NotFound, RateLimited
from patchbay.settings import settings as configuration
from patchbay.storage import dynamo
from tests.conftest import OWNER, Answer, Api, Backend, jwt_for
from tests.faults import Clock, failing, killed, meanwhile
from tests.wire import Params, around_calls, around_tries

PATH = "/api/integrations/api-keys"
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
ADA = Principal("acme", "user:ada", ROLES["owner"], role="owner")
FOREVER = "2999-01-01T00:00:00.000Z"
ONCE = {"Idempotency-Key": "one"}
LEASE_SECONDS = 31


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """One time for all that these tests look at: keys, their ids, and what is not in the past."""
    clock = Clock(monkeypatch)
    clock.now = clock.now // DAY * DAY + 10 * HOUR + MINUTE  # well inside of an hour and a day
    now = SimpleNamespace(time_ns=lambda: (clock.now + clock.skew) * 1_000_000)
    monkeypatch.setattr(ids, "time", now)
    monkeypatch.setattr(models, "datetime", SimpleNamespace(now=lambda _: at_ms(now_ms())))
    # What a hash costs is tested elsewhere; here many keys are made.
    monkeypatch.setattr(hashing, "_ROUNDS", 4)
    return clock


def make(api: Api, token: str = OWNER, **changes: Any) -> Any:
    body = {"name": "CI", "scopes": ["events:publish"]} | changes
    answer = api(f"POST {PATH}", json=body, token=token)
    assert answer.status == 201, answer.text
    return answer.json()


def mint(**changes: Any) -> ApiKeyWithSecret:
    """The same without HTTP, for races: a request has writes of its own."""
    return service.create(ADA, new(**changes))


def new(**changes: Any) -> CreateApiKey:
    body = {"name": "CI", "scopes": ["events:publish"]} | changes
    return CreateApiKey.model_validate_json(json.dumps(body))


def edit(**changes: Any) -> UpdateApiKey:
    return UpdateApiKey.model_validate_json(json.dumps(changes))


def rotation(overlap_seconds: int) -> RotateApiKey:
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
    """Every row of the keys' table by its id; `without` the one whose use is counted by asking."""
    return {row["id"]: row for row in backend.rows("ApiKeysTable") if row["id"] != without}


def count(backend: Backend, workspace: str = "acme") -> int:
    """What the ceiling goes by."""
    counted: int = rows(backend)[f"count#{workspace}"]["n"]
    return counted


def live(backend: Backend, workspace: str = "acme") -> int:
    """What it ought to be: the keys that were not ended for good."""
    return sum(row.get("workspaceId") == workspace and "r" not in row for row in rows(backend).values())


def refused(answer: Answer, status: int, *named: str) -> None:
    codes = {403: "forbidden", 404: "not_found", 409: "conflict", 422: "validation_failed"}
    assert (answer.status, answer.json().get("code")) == (status, codes[status]), answer.text
    for text in named:
        assert text in answer.json()["detail"], answer.text


def guard(clock: Clock, lag: int) -> Guard:
    """A process whose clock is so far ahead, or behind."""
    return Guard(lambda: clock.now + lag)


def refusal(process: Guard, token: str) -> str:
    with pytest.raises(InvalidKey) as invalid:
        process.admit(token)
    return invalid.value.reason


def at(clock: Clock, **ahead: float) -> str:
    """A moment as the API takes it, so far ahead."""
    units = {"milliseconds": 1, "seconds": 1_000, "hours": HOUR, "days": DAY}
    return iso(at_ms(clock.now + round(sum(units[unit] * number for unit, number in ahead.items()))))


@contextlib.contextmanager
def each_time(operation: str, act: Callable[[], object], times: int) -> Iterator[None]:
    """Another process is a moment faster, again and again: `act` itself makes one call of the operation."""
    with contextlib.ExitStack() as stack:
        for number in range(times):
            stack.enter_context(meanwhile(operation, act, at=1 + 2 * number))
        yield


@contextlib.contextmanager
def between(act: Callable[[], object], call: int) -> Iterator[None]:
    """`act` once, right before the `call`-th call to DynamoDB, if there are so many."""
    calls = itertools.count(1)

    def before(service: str, operation: str, params: Params, send: Callable[[Params], Params]) -> Params:
        if service == "dynamodb" and next(calls) == call:
            act()
        return send(params)

    with around_calls(before):
        yield


@contextlib.contextmanager
def lost_once(operation: str = "TransactWriteItems") -> Iterator[list[str]]:
    """The answer of one transaction is lost, and the client sends it again. DynamoDB knows it by its
    ClientRequestToken and answers what it did before; moto would do it twice, so this stands before it.
    """
    tokens: list[str] = []

    def hook(name: str, body: bytes, send: Callable[[bytes], Response]) -> Response:
        if name != f"dynamodb.{operation}":
            return send(body)
        tokens.append(json.loads(body)["ClientRequestToken"])
        return send(body) if tokens.count(tokens[-1]) == 1 else (200, {}, b"{}")

    with around_tries(hook), failing(f"dynamodb.{operation}", lost=True, tries=1):
        yield tokens


# ── an edit ──────────────────────────────────────────────────────────────────────────────────────────


EDITS: list[tuple[dict[str, Any], dict[str, Any]]] = [
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


def test_an_edit_changes_what_it_names_and_nothing_else(api: Api, clock: Clock) -> None:
    for body, shown in EDITS:
        before = make(api, expiresAt=FOREVER)
        secret = before.pop("key")
        clock.move(1)
        answer = put(api, before, **body)
        assert answer.status == 200, answer.text
        expected = before | body | shown | {"version": 2, "updatedAt": at(clock)}
        assert answer.json() == expected, body
        assert get(api, before) == expected
        assert secret not in answer.text


def test_an_edit_that_changes_nothing_is_none(api: Api, backend: Backend, clock: Clock) -> None:
    key = make(api, expiresAt=at(clock, days=30))
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


def test_a_key_s_end_is_taken_away_and_given_back(api: Api, backend: Backend, clock: Clock) -> None:
    key = make(api, expiresAt=at(clock, days=2))
    assert put(api, key, expiresAt=None).json()["expiresAt"] is None
    assert not {"x", "k", "d"} & rows(backend)[key["id"]].keys(), "nothing holds it in the schedule's index"
    clock.move(3 * DAY / 1000)
    assert get(api, key)["status"] == "ACTIVE"
    Guard().admit(key["key"])
    assert put(api, key, expiresAt=at(clock, days=10)).json()["version"] == 3
    row = rows(backend)[key["id"]]
    assert (row["k"], row["d"]) == (0, row["x"] - 7 * DAY)


UNFIT: list[tuple[dict[str, Any], str]] = [
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
    ({"version": 1}, "version"),
    ({"status": "ACTIVE"}, "status"),
    ({"workspaceId": "globex"}, "workspaceId"),
    ({"rotatedFrom": None}, "rotatedFrom"),
]


def test_an_edit_that_does_not_fit_is_refused_and_nothing_is_stored(
    api: Api, backend: Backend, clock: Clock
) -> None:
    key = make(api, expiresAt=FOREVER)
    before = rows(backend)
    past = [({"expiresAt": at(clock, milliseconds=-ago)}, "expiresAt") for ago in (0, 1, DAY)]
    for changes, path in [*UNFIT, *past]:
        # Of several fields one that is wrong is enough.
        answer = put(api, key, **({"name": "Other"} | changes))
        refused(answer, 422)
        assert [error["path"] for error in answer.json()["errors"]] == [path], changes
    for body in (b"[]", b"null", b'"name"'):
        refused(api(f"PUT {PATH}/{key['id']}", body=body), 422)
    assert rows(backend) == before


def test_if_match_guards_an_edit_and_a_rotation(api: Api, backend: Backend) -> None:
    key = make(api)
    assert put(api, key, headers={"If-Match": '"1"'}, name="a").json()["version"] == 2
    before = rows(backend)
    for version in ("1", "3", '"0"'):
        refused(put(api, key, headers={"If-Match": version}, name="b"), 409, "version 2")
        refused(put(api, key, headers={"If-Match": version}, name="a"), 409, "version 2")
        refused(rotate(api, key, headers={"If-Match": version}), 409, "version 2")
    refused(put(api, key, headers={"If-Match": "*"}, name="b"), 422)
    refused(rotate(api, key, headers={"If-Match": "-2"}), 422)
    assert rows(backend) == before
    assert put(api, key, headers={"If-Match": "2"}, name="b").json()["version"] == 3
    rotated = rotate(api, key, headers={"If-Match": "3"})
    assert (rotated.status, rotated.json()["version"]) == (201, 1)
    assert get(api, key)["version"] == 4


def test_a_key_that_has_ended_is_neither_changed_nor_rotated(
    api: Api, backend: Backend, clock: Clock
) -> None:
    revoked, expired, retired = make(api), make(api, expiresAt=at(clock, hours=1)), make(api, name="r")
    assert put(api, retired, expiresAt=at(clock, seconds=60)).status == 200
    api(f"DELETE {PATH}/{revoked['id']}")
    clock.move(60)
    assert expire_keys(lambda: 300_000).retired == 1
    clock.move(3600 - 60)  # to the very millisecond
    before = rows(backend)
    for key, status in ((revoked, "REVOKED"), (expired, "EXPIRED"), (retired, "EXPIRED")):
        for body in ({}, {"name": "x"}, {"expiresAt": None}, {"expiresAt": FOREVER}):
            refused(put(api, key, **body), 409, status)
        for seconds in (0, 60):
            refused(rotate(api, key, overlapSeconds=seconds), 409, status)
    assert rows(backend) == before
    assert count(backend) == live(backend) == 1

    clock.move(31 * 86_400)  # TTL deletes late: what is forgotten is not there
    refused(put(api, revoked, name="x"), 404)
    refused(rotate(api, retired), 404)


# ── an edit and use ──────────────────────────────────────────────────────────────────────────────────


def test_an_edit_leaves_use_and_windows_as_they_are(api: Api, clock: Clock) -> None:
    key = make(api, rateLimitPerHour=10)
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
    assert Guard().admit(key["key"]).headers()["x-ratelimit-remaining"] == "0", "the six before still count"


def test_requests_while_an_edit_is_made_are_all_counted(backend: Backend) -> None:
    key, process = mint(rateLimitPerHour=50), Guard()
    process.admit(key.key)
    with meanwhile("dynamodb.UpdateItem", lambda: [process.admit(key.key) for _ in range(3)]):
        edited = service.update(ADA, key.id, edit(name="other", rateLimitPerHour=40))
    assert (edited.version, edited.usage.total) == (2, 4), "what is answered is what stands there"
    admission = process.admit(key.key)
    assert admission.headers()["x-ratelimit-remaining"] == "35"
    shown = service.get(ADA, key.id)
    assert (shown.usage.total, shown.usage.daily[-1].count) == (5, 5)


def test_an_edit_while_a_request_is_admitted_holds_for_it(backend: Backend, clock: Clock) -> None:
    """The edit comes after the request was checked, and before it is counted."""
    key, process = mint(scopes=["events:publish", "events:read"], rateLimitPerHour=5), Guard()
    process.admit(key.key)

    def changing(**changes: Any) -> contextlib.AbstractContextManager[None]:
        return meanwhile("dynamodb.UpdateItem", lambda: service.update(ADA, key.id, edit(**changes)))

    with changing(name="other"):
        assert process.admit(key.key).headers()["x-ratelimit-remaining"] == "3", "counted once"
    with changing(scopes=["events:read"]), pytest.raises(InsufficientScopes):
        process.admit(key.key, scopes=["events:publish"])
    with changing(rateLimitPerHour=2), pytest.raises(RateLimited):
        process.admit(key.key)
    assert service.get(ADA, key.id).usage.total == 2

    ending, ahead = mint(), guard(clock, 5_000)
    ahead.admit(ending.key)
    shortened = edit(expiresAt=at(clock, seconds=1))
    with meanwhile("dynamodb.UpdateItem", lambda: service.update(ADA, ending.id, shortened)):
        assert refusal(ahead, ending.key) == "EXPIRED", "by the clock of the process that asks"
    assert service.get(ADA, ending.id).usage.total == 1


def test_an_edit_holds_in_another_process_from_its_next_request_on(api: Api, clock: Clock) -> None:
    key = make(api, scopes=["events:publish", "events:read"], rateLimitPerHour=100)
    other = Guard()
    other.admit(key["key"])

    put(api, key, scopes=["events:read"])
    with pytest.raises(InsufficientScopes, match="events:publish"):
        other.admit(key["key"], scopes=["events:publish"])
    assert other.admit(key["key"]).principal.scopes == {"events:read"}
    put(api, key, scopes=["events:read", "posts:read"])
    assert other.admit(key["key"], scopes=["posts:read"]).principal.scopes == {"events:read", "posts:read"}

    put(api, key, rateLimitPerHour=50, rateLimitPerDay=4)
    admission = other.admit(key["key"])
    assert admission.headers()["ratelimit-policy"] == '"hour";q=50;w=3600, "day";q=4;w=86400'
    with pytest.raises(RateLimited):
        other.admit(key["key"])
    put(api, key, rateLimitPerDay=400)
    clock.move(1)
    other.admit(key["key"])

    put(api, key, expiresAt=at(clock, seconds=5))
    grant = other.admit(key["key"]).principal.key
    assert grant is not None
    assert grant.expires_at == at_ms(clock.now + 5_000)
    clock.move(5)
    assert refusal(other, key["key"]) == refusal(Guard(), key["key"]) == "EXPIRED"


def test_scopes_taken_away_are_gone_over_http_too(api: Api) -> None:
    key = make(api, scopes=["api-keys:read", "events:read"])
    assert api(f"GET {PATH}", token=key["key"]).status == 200
    put(api, key, scopes=["events:read"])
    refused(api(f"GET {PATH}", token=key["key"]), 403, "api-keys:read")
    put(api, key, scopes=["api-keys:read"])
    assert api(f"GET {PATH}", token=key["key"]).status == 200


# ── edits at once ────────────────────────────────────────────────────────────────────────────────────


def test_of_two_edits_at_once_none_is_lost(backend: Backend) -> None:
    key = mint()
    with meanwhile("dynamodb.UpdateItem", lambda: service.update(ADA, key.id, edit(rateLimitPerHour=7))):
        edited = service.update(ADA, key.id, edit(name="other"))
    assert (edited.name, edited.rate_limit_per_hour, edited.version) == ("other", 7, 3)
    assert service.get(ADA, key.id) == edited


def test_of_two_edits_of_one_version_the_second_is_refused(backend: Backend) -> None:
    key = mint()
    other = meanwhile("dynamodb.UpdateItem", lambda: service.update(ADA, key.id, edit(name="a"), 1))
    with other, pytest.raises(Conflict, match="version 2, not 1"):
        service.update(ADA, key.id, edit(name="b"), 1)
    assert service.get(ADA, key.id).name == "a"


def test_two_equal_edits_at_once_are_one(backend: Backend) -> None:
    key = mint()
    with meanwhile("dynamodb.UpdateItem", lambda: service.update(ADA, key.id, edit(name="a"))):
        assert service.update(ADA, key.id, edit(name="a")).version == 2


def test_an_edit_that_always_comes_second_says_so(backend: Backend) -> None:
    key, names = mint(), itertools.count()
    others = each_time(
        "dynamodb.UpdateItem", lambda: service.update(ADA, key.id, edit(name=str(next(names)))), 3
    )
    with others, pytest.raises(Conflict, match="at the same time"):
        service.update(ADA, key.id, edit(rateLimitPerDay=9))
    shown = service.get(ADA, key.id)
    assert (shown.name, shown.rate_limit_per_day, shown.version) == ("2", 10_000, 4)


def test_an_edit_whose_answer_is_lost_is_made_once(backend: Backend) -> None:
    key = mint()
    for if_match in (None, 2):  # its own write is not another one's
        with failing("dynamodb.UpdateItem", lost=True, tries=1):
            edited = service.update(ADA, key.id, edit(name=f"after {if_match}"), if_match)
        assert (edited.name, edited.version) == (f"after {if_match}", (if_match or 1) + 1)
        assert service.get(ADA, key.id) == edited


def test_an_edit_of_a_key_that_ends_meanwhile_is_refused(backend: Backend, clock: Clock) -> None:
    ends: dict[str, Callable[[ApiKeyWithSecret], object]] = {
        "REVOKED": lambda key: service.revoke(ADA, key.id),
        "EXPIRED": lambda key: service.rotate(ADA, key.id, RotateApiKey(overlap_seconds=0)),
    }
    for status, end in ends.items():
        key = mint()
        with (
            meanwhile("dynamodb.UpdateItem", partial(end, key)),
            pytest.raises(Conflict, match=status),
        ):
            service.update(ADA, key.id, edit(expiresAt=FOREVER, name="alive"))
        shown = service.get(ADA, key.id)
        assert (shown.status, shown.name, shown.version) == (status, "CI", 2)
    assert count(backend) == live(backend) == 1


def test_an_end_moved_at_the_last_moment_and_the_schedule_agree(backend: Backend, clock: Clock) -> None:
    """Whichever comes first: the key is retired and cannot be moved, or was moved and is not retired."""
    lost = mint(expiresAt=at(clock, seconds=10))

    def end() -> None:
        clock.move(10)
        assert expire_keys(lambda: 300_000).retired == 1

    with meanwhile("dynamodb.UpdateItem", end), pytest.raises(Conflict, match="EXPIRED"):
        service.update(ADA, lost.id, edit(expiresAt=at(clock, days=1)))
    assert count(backend) == live(backend) == 0
    assert refusal(Guard(), lost.key) == "EXPIRED"

    kept = mint(expiresAt=at(clock, seconds=10))
    clock.move(10)

    def move() -> None:
        clock.skew = -60_000  # a host whose clock is a minute late takes the key for alive
        service.update(ADA, kept.id, edit(expiresAt=at(clock, days=1)))
        clock.skew = 0

    with meanwhile("dynamodb.UpdateItem", move):
        expire_keys(lambda: 300_000)
    assert service.get(ADA, kept.id).status is KeyStatus.ACTIVE
    Guard().admit(kept.key)
    assert count(backend) == live(backend) == 1
    clock.move(86_400)
    expire_keys(lambda: 300_000)
    assert count(backend) == live(backend) == 0, "and the schedule did not lose sight of it"


# ── an end that comes while the request is on its way ────────────────────────────────────────────────


def holds_no_place(backend: Backend, clock: Clock) -> None:
    """Once the schedule has looked, what has ended is not counted, and goes by TTL."""
    clock.move(2 * 3600)
    expire_keys(lambda: 300_000)
    assert live(backend) == 0, "no key of this workspace lives"
    assert count(backend) == 0
    assert all("ttl" in row for row in rows(backend).values() if "workspaceId" in row)


def test_an_edit_to_an_end_that_passes_before_the_write_is_counted_out(
    api: Api, backend: Backend, clock: Clock
) -> None:
    key = make(api)
    with meanwhile("dynamodb.GetItem", lambda: clock.move(0.05)):
        answer = put(api, key, expiresAt=at(clock, milliseconds=20))
    if answer.status == 200:
        holds_no_place(backend, clock)
    else:
        refused(answer, 422)
        assert get(api, key)["version"] == 1


def test_a_key_made_with_an_end_that_passes_before_the_write_is_counted_out(
    api: Api, backend: Backend, clock: Clock
) -> None:
    body = {"name": "CI", "scopes": ["events:read"], "expiresAt": at(clock, milliseconds=20)}
    with meanwhile("dynamodb.PutItem", lambda: clock.move(0.05)):
        answer = api(f"POST {PATH}", json=body, headers=ONCE)
    if answer.status == 201:
        holds_no_place(backend, clock)
    else:
        refused(answer, 422)
        assert rows(backend) == {}


# ── nobody changes, rotates or makes more than they have ─────────────────────────────────────────────


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
# By what a caller has less than the key that they are after, and how the refusal names it.
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
    """What somebody may try who has less than that key."""
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


def test_who_has_less_than_a_key_neither_changes_nor_rotates_nor_revokes_nor_makes_it(
    api: Api, backend: Backend, subtests: pytest.Subtests
) -> None:
    target = make(api, **TERMS)
    callers: list[tuple[str, str, str, str]] = []
    for own, named in WEAKER_KEYS:
        key = make(api, **(TERMS | MANAGER | own))
        callers.append((repr(own), key["key"], named, key["id"]))
    callers += [(repr(own), jwt_for("acme", **own), named, "") for own, named in WEAKER_TOKENS]
    for who, token, named, id in callers:
        before = rows(backend, without=id)
        # A key makes none at all, whatever it has.
        making = [] if id else [(f"POST {PATH}", {"name": "like it", **TERMS})]
        for line, body in [*attacks(target), *making]:
            with subtests.test(f"{who}: {line.partition(' ')[0]} {body}"):
                refused(api(line, json=body, token=token), 403, named)
                refused(api(line, json=body, token=token, headers=ONCE), 403, named)
                assert rows(backend, without=id) == before
    assert backend.rows("IdempotencyTable") == [], "what was refused keeps nothing"


def test_who_has_as_much_as_a_key_does_all_of_it(api: Api, backend: Backend) -> None:
    for token in (
        jwt_for("acme", scope="api-keys:write events:publish events:read posts:read"),
        jwt_for("acme", role="admin"),
        jwt_for("acme"),
    ):
        target = make(api, **TERMS)
        made = api(f"POST {PATH}", json={"name": "like it", **TERMS}, token=token)
        assert made.status == 201, made.text
        assert put(api, target, token=token, name="renamed").status == 200
        assert put(api, target, token=token, **LESS).status == 200
        assert put(api, target, token=token, **TERMS).status == 200, "and back, to no more than its own"
        rotated = rotate(api, target, token=token)
        assert rotated.status == 201, rotated.text
        assert {name: rotated.json()[name] for name in TERMS} == TERMS
        assert api(f"DELETE {PATH}/{target['id']}", token=token).status == 200


def test_a_key_only_takes_away_from_keys_that_it_has_as_much_as(api: Api, backend: Backend) -> None:
    manager = make(api, **(TERMS | MANAGER))["key"]
    target = make(api, **TERMS)
    assert put(api, target, token=manager, name="renamed").status == 200
    refused(rotate(api, target, token=manager), 403, "rotate only itself", "a user's token")
    assert put(api, target, token=manager, **LESS).status == 200
    narrow = get(api, target)
    for body, named in (
        ({"scopes": ["events:publish", "events:read"]}, "the scope events:read"),
        ({"scopes": ["events:read"]}, "the scope events:read"),
        ({"rateLimitPerHour": 2}, "rateLimitPerHour 1"),
        ({"rateLimitPerDay": 2}, "rateLimitPerDay 1"),
        ({"expiresAt": "2997-01-01T00:00:00.001Z"}, "expiresAt 2997-01-01T00:00:00.000Z"),
        ({"name": "x", **TERMS}, "cannot add"),
    ):
        refused(put(api, target, token=manager, **body), 403, named)
    assert get(api, target) == narrow
    assert api(f"DELETE {PATH}/{target['id']}", token=manager).status == 200
    assert get(api, target)["status"] == "REVOKED"


def test_a_key_of_5_requests_an_hour_serves_5_whatever_it_makes_of_itself(api: Api) -> None:
    first = make(api, scopes=["api-keys:read", "api-keys:write"], rateLimitPerHour=5)
    held, served = [first], 0
    for _ in range(6):
        for key in list(held):
            for line, body in (
                (f"POST {PATH}", {"name": "c", "scopes": ["api-keys:write"], "rateLimitPerHour": 1}),
                (f"POST {PATH}/{key['id']}/rotate", {"overlapSeconds": 3_600}),
                (f"GET {PATH}", None),
            ):
                answer = api(line, json=body, token=key["key"])
                served += answer.status != 429
                if answer.status == 201:
                    held.append(answer.json())
    assert (len(held), served) == (2, 5)


def test_a_request_of_a_key_that_rotated_itself_costs_a_read_and_a_write_more(
    backend: Backend, clock: Clock
) -> None:
    old, process = mint(scopes=["api-keys:write"], rateLimitPerHour=9), Guard()
    made = service.rotate(process.admit(old.key).principal, old.id, rotation(60))
    for key in (old, made):
        process.admit(key.key)
    backend.calls.clear()
    assert process.admit(old.key).headers()["x-ratelimit-remaining"] == "5"
    assert backend.calls.count == {"dynamodb.GetItem": 1, "dynamodb.UpdateItem": 2}
    backend.calls.clear()
    assert process.admit(made.key).headers()["x-ratelimit-remaining"] == "4"
    assert backend.calls.count == {"dynamodb.UpdateItem": 1}, "the new key pays nothing"


def test_a_key_of_owners_is_not_revoked_by_those_who_may_not_edit_it(api: Api, backend: Backend) -> None:
    target = make(api, scopes=["credentials:read", "events:read"])
    limited = make(api, scopes=["api-keys:write", "events:read"], rateLimitPerHour=5)["key"]
    for token in (limited, jwt_for("acme", role="admin"), jwt_for("acme", scope="api-keys:write")):
        answer = api(f"DELETE {PATH}/{target['id']}", token=token)
        refused(answer, 403, "credentials:read", "create, change, rotate or revoke")
    Guard().admit(target["key"])
    assert api(f"DELETE {PATH}/{target['id']}").status == 200


def test_a_key_that_is_given_more_between_check_and_revocation_is_checked_again(backend: Backend) -> None:
    weak = Principal("acme", "user:weak", frozenset({"api-keys:write", "events:publish"}))
    key = mint()

    def widen() -> None:
        service.update(ADA, key.id, edit(scopes=["events:publish", "credentials:read"]))

    with meanwhile("dynamodb.UpdateItem", widen), pytest.raises(Forbidden, match="credentials:read"):
        service.revoke(weak, key.id)
    assert service.get(ADA, key.id).status == KeyStatus.ACTIVE


def test_a_key_that_keeps_renaming_itself_is_revoked_all_the_same(backend: Backend) -> None:
    key = mint()
    with meanwhile("dynamodb.UpdateItem", lambda: service.update(ADA, key.id, edit(name="new"))):
        service.revoke(ADA, key.id)
    assert service.get(ADA, key.id).status == KeyStatus.REVOKED


def test_an_admin_does_not_touch_an_owner_s_key(api: Api, backend: Backend) -> None:
    key = make(api, scopes=["credentials:read"])
    admin = jwt_for("acme", role="admin")
    before = rows(backend)
    for body in ({"name": "x"}, {"scopes": ["events:read"]}):
        refused(put(api, key, token=admin, **body), 403, "credentials:read")
    refused(rotate(api, key, token=admin), 403, "credentials:read")
    assert rows(backend) == before
    assert put(api, key, name="x").status == rotate(api, key).status - 1 == 200


def test_a_key_does_not_grow_by_editing_itself(api: Api, backend: Backend) -> None:
    own = TERMS | MANAGER
    key = make(api, **own)
    for body, named in (
        ({"scopes": [*own["scopes"], "webhooks:write"]}, "webhooks:write"),
        ({"scopes": [*own["scopes"], "credentials:read"]}, "credentials:read"),
        ({"rateLimitPerHour": 101}, "rateLimitPerHour 100"),
        ({"rateLimitPerDay": 1_001}, "rateLimitPerDay 1000"),
        ({"expiresAt": "2999-01-01T00:00:00.001Z"}, "expiresAt 2999-01-01T00:00:00.000Z"),
        ({"expiresAt": None}, "expiresAt"),
        (LESS | {"scopes": ["api-keys:write"], "rateLimitPerDay": 1_001}, "rateLimitPerDay"),
    ):
        refused(put(api, key, token=key["key"], **body), 403, named)
        shown = get(api, key)
        assert shown["version"] == 1
        assert {name: shown[name] for name in own} == own
    assert count(backend) == 1


def test_a_key_narrows_itself_and_stays_narrow(api: Api) -> None:
    key = make(api, **(TERMS | MANAGER))
    narrow: dict[str, Any] = {
        "scopes": ["api-keys:write", "events:read"],
        "rateLimitPerHour": 50,
        "rateLimitPerDay": 60,
    }
    ends: dict[str, Any] = {"expiresAt": "2998-01-01T00:00:00.000Z"}
    assert put(api, key, token=key["key"], name="by itself", **narrow, **ends).status == 200
    for body, named in (
        ({"scopes": ["api-keys:write", "events:publish"]}, "events:publish"),
        ({"rateLimitPerHour": 51}, "rateLimitPerHour 50"),
        ({"rateLimitPerDay": 61}, "rateLimitPerDay 60"),
        ({"expiresAt": FOREVER}, "expiresAt 2998"),
    ):
        refused(put(api, key, token=key["key"], **body), 403, named)
    rotated = rotate(api, key, token=key["key"], overlapSeconds=60)
    assert rotated.status == 201
    assert {name: rotated.json()[name] for name in narrow | ends} == narrow | ends
    assert rotated.json()["createdBy"] == key["id"]
    successor = rotated.json()
    assert put(api, successor, token=successor["key"], scopes=["events:read"]).status == 200
    refused(put(api, successor, token=successor["key"], name="x"), 403, "api-keys:write")


def test_a_key_that_was_rotated_away_gets_nothing_that_lives_longer(api: Api, clock: Clock) -> None:
    """Whoever took the old one has it until the overlap is over, and no way to stay."""
    leaked = make(api, **(TERMS | MANAGER))
    successor = rotate(api, leaked, overlapSeconds=600).json()
    end, thief = at(clock, seconds=600), leaked["key"]
    for id in (leaked, successor):
        for body in ({"expiresAt": FOREVER}, {"expiresAt": None}, {"expiresAt": at(clock, seconds=601)}):
            refused(put(api, id, token=thief, **body), 403, f"expiresAt {end}")
    refused(put(api, successor, token=thief, expiresAt=end), 403, end)
    refused(rotate(api, successor, token=thief), 403, end)
    refused(rotate(api, leaked, token=thief), 409, successor["id"])
    for expires in (None, FOREVER, end):
        body = {"name": "c", **TERMS, "expiresAt": expires}
        refused(api(f"POST {PATH}", json=body, token=thief), 403, "cannot create API keys")
    clock.move(600)
    assert api(f"GET {PATH}", token=thief).status == 401
    Guard().admit(successor["key"])


def test_scopes_of_the_platform_are_not_had_by_editing_or_rotating(api: Api, backend: Backend) -> None:
    key = make(api, scopes=["events:read"])
    callers = (OWNER, jwt_for("acme", scope="api-keys:write events:read actions:handle"))
    for token in callers:
        refused(put(api, key, token=token, scopes=["events:read", "actions:handle"]), 403, "actions:handle")
    # A row that has it from when another workspace was the platform.
    dynamo.update(
        configuration().api_keys_table, {"id": key["id"]}, "SET sc = :sc", sc="events:read actions:handle"
    )
    before = rows(backend)
    for token in callers:
        refused(put(api, key, token=token, name="x"), 403, "actions:handle")
        refused(rotate(api, key, token=token), 403, "actions:handle")
    insider = in_process("acme", "events:read", "actions:handle")
    with pytest.raises(Forbidden, match="platform's own workspace"):
        service.update(insider, key["id"], edit(name="x"))
    with pytest.raises(Forbidden, match="platform's own workspace"):
        service.rotate(insider, key["id"], RotateApiKey())
    assert rows(backend) == before
    # There the scope is void, so it keeps nobody from revoking the key.
    assert api(f"DELETE {PATH}/{key['id']}").status == 200

    platform = in_process("platform", "actions:handle", "events:read")
    worker = service.create(platform, new(scopes=["actions:handle"]))
    both = edit(scopes=["actions:handle", "events:read"])
    assert service.update(platform, worker.id, both).scopes == ["actions:handle", "events:read"]
    assert service.rotate(platform, worker.id, RotateApiKey()).scopes == ["actions:handle", "events:read"]


def test_a_key_that_is_given_more_between_check_and_write_is_checked_again(backend: Backend) -> None:
    """The caller had as much as the key when it was looked at, and has less when it would be written."""
    weak = Principal("acme", "user:weak", frozenset({"api-keys:write", "events:publish"}))
    key = mint()

    def widen() -> None:
        service.update(ADA, key.id, edit(scopes=["events:publish", "credentials:read"]))

    def narrow() -> None:
        service.update(ADA, key.id, edit(scopes=["events:publish"]))

    with meanwhile("dynamodb.UpdateItem", widen), pytest.raises(Forbidden, match="credentials:read"):
        service.update(weak, key.id, edit(name="mine"))
    narrow()
    with meanwhile("dynamodb.TransactWriteItems", widen), pytest.raises(Forbidden, match="credentials:read"):
        service.rotate(weak, key.id, RotateApiKey())
    assert (service.get(ADA, key.id).name, count(backend)) == ("CI", 1)


# ── a rotation ───────────────────────────────────────────────────────────────────────────────────────


def test_a_rotation_gives_a_key_like_the_old_one_with_use_of_its_own(api: Api, clock: Clock) -> None:
    old = make(api, name="Deploy", **TERMS)
    process = Guard()
    process.admit(old["key"], cost=40)
    clock.move(2)
    answer = rotate(api, old, token=jwt_for("acme", claims={"sub": "bob"}, role="owner"))
    assert answer.status == 201
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    key = made.pop("key")
    assert re.fullmatch(r"sk_test_[0-9A-Za-z]{22}_[0-9A-Za-z]{27}_[0-9A-Za-z]{6}", key)
    fresh = {
        "id": made["id"],
        "maskedKey": key[:12] + "…",
        "createdAt": at(clock),
        "updatedAt": at(clock),
        "createdBy": "user:bob",
        "rotatedFrom": old["id"],
    }
    assert made == {name: value for name, value in old.items() if name != "key"} | fresh
    assert made["id"] != old["id"]
    assert get(api, made) == made
    assert "key" not in get(api, made)

    shown = get(api, old)
    assert (shown["version"], shown["updatedAt"], shown["status"]) == (2, at(clock), "ACTIVE")
    assert shown["expiresAt"] == at(clock, seconds=86_400), "an overlap of a day, when none is given"
    assert (shown["usage"]["total"], shown["rotatedFrom"]) == (40, None)

    # Both are good, and each counts for itself.
    assert process.admit(old["key"]).headers()["x-ratelimit-remaining"] == "59"
    for each in (process, Guard()):
        each.admit(key)
    assert (get(api, old)["usage"]["total"], get(api, made)["usage"]["total"]) == (41, 2)


def test_the_old_key_ends_with_the_overlap(api: Api, backend: Backend, clock: Clock) -> None:
    old = make(api)
    one, other = Guard(), Guard()
    one.admit(old["key"])
    made = rotate(api, old, overlapSeconds=3_600).json()
    clock.move(3_599.999)
    for process in (one, other):
        process.admit(old["key"])
        process.admit(made["key"])
    clock.move(0.001)
    for process in (one, other, Guard()):
        assert refusal(process, old["key"]) == "EXPIRED"
        process.admit(made["key"])
    assert get(api, old)["status"] == "EXPIRED"
    assert count(backend) == 2
    expire_keys(lambda: 300_000)
    assert count(backend) == live(backend) == 1
    shown = get(api, old)
    assert (shown["status"], shown["version"]) == ("EXPIRED", 2)


def test_without_overlap_no_process_admits_the_old_key_whatever_its_clock_says(
    api: Api, backend: Backend, clock: Clock
) -> None:
    old = make(api, expiresAt=FOREVER)
    lags = (0, -1, -10 * MINUTE, -2 * DAY, 10 * MINUTE)
    known = [guard(clock, lag) for lag in lags]
    fresh = [guard(clock, lag) for lag in lags]
    for process in known:
        process.admit(old["key"])
    made = rotate(api, old, overlapSeconds=0).json()
    for process in [*known, *fresh]:
        assert refusal(process, old["key"]) == "EXPIRED"
        process.admit(made["key"])
    shown = get(api, old)
    assert (shown["status"], shown["expiresAt"], shown["usage"]["total"]) == ("EXPIRED", at(clock), len(lags))
    assert made["expiresAt"] == FOREVER
    row = rows(backend)[old["id"]]
    assert (row["r"], row["ttl"]) == (clock.now, (clock.now + 30 * DAY) // 1000)
    assert not {"k", "d"} & row.keys()
    assert count(backend) == live(backend) == 1
    # To revoke it now changes nothing.
    assert api(f"DELETE {PATH}/{old['id']}").status == 200
    assert rows(backend)[old["id"]] == row
    assert count(backend) == 1


def test_hosts_whose_clocks_differ_agree_that_a_key_was_rotated_away(backend: Backend, clock: Clock) -> None:
    for skew in (-5 * MINUTE, 5 * MINUTE):
        old = mint()
        clock.skew = skew
        service.rotate(ADA, old.id, RotateApiKey(overlap_seconds=0))
        clock.skew = 0
        assert service.get(ADA, old.id).status is KeyStatus.EXPIRED
        assert refusal(guard(clock, -10 * MINUTE), old.key) == "EXPIRED"


def test_an_overlap_out_of_bounds_is_refused(api: Api, backend: Backend) -> None:
    key = make(api)
    before = rows(backend)
    for seconds in (-1, 30 * 86_400 + 1, 10**30, True, 60.0, 0.5, "60", None, [60]):
        answer = rotate(api, key, overlapSeconds=seconds)
        refused(answer, 422)
        assert [error["path"] for error in answer.json()["errors"]] == ["overlapSeconds"], seconds
    for body in ({"overlap": 0}, {"overlap_seconds": 0}, {"overlapSeconds": 0, "name": "new"}):
        refused(rotate(api, key, **body), 422)
    for raw in (b"[]", b"null", b"0"):
        refused(api(f"POST {PATH}/{key['id']}/rotate", body=raw), 422)
    assert rows(backend) == before


NO_BODY: dict[str, Any] = {}


def test_an_overlap_is_at_most_30_days_and_never_beyond_the_old_key_s_end(api: Api, clock: Clock) -> None:
    for lives, overlap, ends in (
        (None, {"overlapSeconds": 30 * 86_400}, 30 * 86_400),
        (60 * 86_400, {"overlapSeconds": 30 * 86_400}, 30 * 86_400),
        (3_600, NO_BODY, 3_600),
        (3_600, {"overlapSeconds": 3_601}, 3_600),
        (3_600, {"overlapSeconds": 3_600}, 3_600),
        (3_600, {"overlapSeconds": 1}, 1),
    ):
        own_end = None if lives is None else at(clock, seconds=lives)
        old = make(api, expiresAt=own_end)
        made = rotate(api, old, **overlap).json()
        assert get(api, old)["expiresAt"] == at(clock, seconds=ends)
        assert made["expiresAt"] == own_end, "the new one has the old one's terms, its end too"


def test_a_key_is_rotated_once_and_then_its_successor_is(api: Api, backend: Backend, clock: Clock) -> None:
    first = make(api)
    second = rotate(api, first).json()
    before = rows(backend)
    for overlap in (NO_BODY, {"overlapSeconds": 0}, {"overlapSeconds": 5}):
        refused(rotate(api, first, **overlap), 409, second["id"])
    assert rows(backend) == before
    # An edit of the old one does not make it young again.
    assert put(api, first, name="old").status == 200
    refused(rotate(api, first), 409, second["id"])
    third = rotate(api, second, overlapSeconds=0).json()
    assert (second["rotatedFrom"], third["rotatedFrom"]) == (first["id"], second["id"])
    clock.move(86_400)
    assert [get(api, key)["status"] for key in (first, second, third)] == ["EXPIRED", "EXPIRED", "ACTIVE"]


def test_the_old_key_may_be_revoked_while_both_are_good(api: Api, backend: Backend) -> None:
    old = make(api)
    made = rotate(api, old).json()
    assert api(f"DELETE {PATH}/{old['id']}").status == 200
    assert refusal(Guard(), old["key"]) == "REVOKED"
    assert get(api, old)["status"] == "REVOKED"
    Guard().admit(made["key"])
    assert count(backend) == live(backend) == 1


@pytest.mark.parameters(MaxApiKeys=2)
def test_at_the_ceiling_a_key_is_rotated_without_overlap_only(
    api: Api, backend: Backend, clock: Clock
) -> None:
    one, two = make(api), make(api)
    before = rows(backend)
    for overlap in (NO_BODY, {"overlapSeconds": 1}):
        refused(rotate(api, one, headers=ONCE, **overlap), 409, "2 API keys", "overlapSeconds 0")
    assert rows(backend) == before
    assert backend.rows("IdempotencyTable") == [], "the key of the request may be used again"
    made = rotate(api, one, headers=ONCE, overlapSeconds=0)
    assert made.status == 201
    assert count(backend) == live(backend) == 2
    refused(rotate(api, made.json()), 409, "2 API keys")
    # With a place free it goes, and both count until the overlap is over and the schedule has seen it.
    api(f"DELETE {PATH}/{two['id']}")
    third = rotate(api, made.json(), overlapSeconds=60).json()
    assert count(backend) == live(backend) == 2
    refused(rotate(api, third), 409, "2 API keys")
    clock.move(60)
    expire_keys(lambda: 300_000)
    assert count(backend) == live(backend) == 1
    assert rotate(api, third).status == 201


# ── a rotation, once ─────────────────────────────────────────────────────────────────────────────────


def successors(backend: Backend, old: Any) -> list[dict[str, Any]]:
    id = old.id if isinstance(old, ApiKey) else old["id"]
    return [row for row in rows(backend).values() if row.get("rf") == id]


def test_a_repeated_rotation_gives_the_same_key_again(api: Api, backend: Backend, clock: Clock) -> None:
    for overlap in (NO_BODY, {"overlapSeconds": 0}):
        old = make(api)
        headers = {"Idempotency-Key": f"rotate {overlap}"}
        first = rotate(api, old, headers=headers, **overlap)
        clock.move(60)
        again = rotate(api, old, headers=headers, **overlap)
        assert (first.status, again.status) == (201, 201)
        assert first.text == again.text
        assert again.headers["idempotent-replayed"] == "true"
        assert len(successors(backend, old)) == 1
        mismatch = rotate(api, old, headers=headers, overlapSeconds=61)
        assert (mismatch.status, mismatch.json()["code"]) == (422, "idempotency_mismatch")
        secret = first.json()["key"].split("_")[3]
        for table in ("ApiKeysTable", "IdempotencyTable"):
            assert secret not in repr(backend.rows(table)), "nowhere in the clear"
    assert count(backend) == live(backend) == 3


def test_a_rotation_of_another_key_is_no_repeat(api: Api, backend: Backend) -> None:
    """The same Idempotency-Key and body for another key: that is not answered with the first one's secret."""
    one, other = make(api), make(api)
    first, second = (rotate(api, key, headers=ONCE) for key in (one, other))
    assert first.json()["rotatedFrom"] == one["id"]
    if second.status == 201:
        assert second.json()["rotatedFrom"] == other["id"]
        assert len(successors(backend, other)) == 1
    else:
        assert (second.status, second.json()["code"]) == (422, "idempotency_mismatch")


def test_a_rotation_that_dies_is_made_once_by_its_repeat(api: Api, backend: Backend, clock: Clock) -> None:
    for after, overlap in itertools.product((False, True), (0, 60)):
        old = make(api)
        headers = {"Idempotency-Key": f"{after} {overlap}"}
        with killed("dynamodb.TransactWriteItems", after=after):
            rotate(api, old, headers=headers, overlapSeconds=overlap)
        assert len(successors(backend, old)) == after
        assert get(api, old)["version"] == 1 + after, "all of it or nothing"
        clock.move(LEASE_SECONDS)
        repeated = rotate(api, old, headers=headers, overlapSeconds=overlap)
        assert repeated.status == 201, repeated.text
        assert [row["id"] for row in successors(backend, old)] == [repeated.json()["id"]]
        Guard().admit(repeated.json()["key"])
        assert rotate(api, old, headers=headers, overlapSeconds=overlap).text == repeated.text
    assert count(backend) == live(backend)


def test_a_rotation_whose_answer_was_lost_on_its_way_to_us_is_made_once(
    api: Api, backend: Backend, clock: Clock
) -> None:
    for overlap in (0, 60):
        old = make(api)
        with lost_once() as tokens:
            answer = rotate(api, old, overlapSeconds=overlap)
        assert len(tokens) == 2
        assert tokens[0] == tokens[1]
        assert answer.status == 201, answer.text
        assert [row["id"] for row in successors(backend, old)] == [answer.json()["id"]]
    assert count(backend) == live(backend) == 3


def test_a_rotation_whose_answer_never_came_is_found_by_its_successor(api: Api, backend: Backend) -> None:
    """Without an Idempotency-Key the new secret is gone; the way out is named."""
    old = make(api)
    with failing("dynamodb.TransactWriteItems", lost=True):
        assert rotate(api, old).status == 500
    (lost,) = successors(backend, old)
    refused(rotate(api, old), 409, lost["id"])
    made = rotate(api, lost, overlapSeconds=0)
    assert made.status == 201
    Guard().admit(made.json()["key"])
    Guard().admit(old["key"])
    assert count(backend) == live(backend) == 2


def test_a_lost_answer_with_an_idempotency_key_is_given_again(api: Api, backend: Backend) -> None:
    old = make(api)
    with failing("dynamodb.TransactWriteItems", lost=True):
        assert rotate(api, old, headers=ONCE).status == 500
    again = rotate(api, old, headers=ONCE)
    assert (again.status, again.headers["idempotent-replayed"]) == (201, "true")
    assert [row["id"] for row in successors(backend, old)] == [again.json()["id"]]
    Guard().admit(again.json()["key"])


# ── rotations and others at once ─────────────────────────────────────────────────────────────────────


def test_two_rotations_at_once_make_one_successor(backend: Backend) -> None:
    for mine, other in itertools.product((0, 60), repeat=2):
        old = mint()
        theirs = partial(service.rotate, ADA, old.id, rotation(other))
        with meanwhile("dynamodb.TransactWriteItems", theirs), pytest.raises(Conflict) as conflict:
            service.rotate(ADA, old.id, rotation(mine))
        (winner,) = successors(backend, old)
        assert (winner["id"] if other else "EXPIRED") in conflict.value.detail
        assert ("r" in rows(backend)[old.id]) is (other == 0)
        assert count(backend) == live(backend)


def test_a_rotation_takes_the_terms_as_they_are_when_it_is_made(backend: Backend, clock: Clock) -> None:
    for overlap in (0, 60):
        old = mint(scopes=["events:publish", "events:read"])
        narrowed = edit(scopes=["events:read"], rateLimitPerHour=5, expiresAt=at(clock, seconds=30))
        with meanwhile(
            "dynamodb.TransactWriteItems",
            partial(service.update, ADA, old.id, narrowed),
        ):
            made = service.rotate(ADA, old.id, rotation(overlap))
        assert (made.scopes, made.rate_limit_per_hour) == (["events:read"], 5)
        assert made.expires_at == at_ms(clock.now + 30_000)
        left = min(overlap, 30)
        assert service.get(ADA, old.id).expires_at == at_ms(clock.now + left * 1000)
    assert count(backend) == live(backend) == 3


def test_an_edit_while_a_key_is_rotated_does_not_undo_it(backend: Backend, clock: Clock) -> None:
    old = mint()
    with meanwhile("dynamodb.UpdateItem", lambda: service.rotate(ADA, old.id, rotation(60))):
        edited = service.update(ADA, old.id, edit(name="other"))
    assert (edited.name, edited.version) == ("other", 3)
    assert edited.expires_at == at_ms(clock.now + 60_000)
    (new_row,) = successors(backend, old)
    assert new_row["nm"] == "CI"
    with pytest.raises(Conflict, match=new_row["id"]):
        service.rotate(ADA, old.id, rotation(60))


def test_a_key_revoked_while_it_is_rotated_has_no_successor(backend: Backend) -> None:
    for overlap in (0, 60):
        old = mint()
        revoking = meanwhile(
            "dynamodb.TransactWriteItems",
            partial(service.revoke, ADA, old.id),
        )
        with revoking, pytest.raises(Conflict, match="REVOKED"):
            service.rotate(ADA, old.id, rotation(overlap))
        assert successors(backend, old) == []
        assert service.get(ADA, old.id).status is KeyStatus.REVOKED
    assert count(backend) == live(backend) == 0


def test_a_key_rotated_while_it_is_revoked_is_counted_out_once(backend: Backend) -> None:
    for overlap, status in ((0, "EXPIRED"), (60, "REVOKED")):
        old = mint()
        with meanwhile("dynamodb.UpdateItem", partial(service.rotate, ADA, old.id, rotation(overlap))):
            service.revoke(ADA, old.id)
        assert service.get(ADA, old.id).status == status
        assert refusal(Guard(), old.key) == status
        assert len(successors(backend, old)) == 1
    assert count(backend) == live(backend) == 2


def test_a_key_is_dead_before_it_is_counted_out(backend: Backend, clock: Clock) -> None:
    key, process = mint(), Guard()
    process.admit(key.key)
    seen: list[object] = []

    def look() -> None:
        seen.extend([refusal(process, key.key), refusal(guard(clock, -DAY), key.key), count(backend)])
        with pytest.raises(Conflict, match="REVOKED"):
            service.rotate(ADA, key.id, rotation(60))
        service.revoke(ADA, key.id)
        expire_keys(lambda: 300_000)

    with meanwhile("dynamodb.TransactWriteItems", look):
        service.revoke(ADA, key.id)
    assert seen == ["REVOKED", "REVOKED", 1]
    assert count(backend) == live(backend) == 0
    assert service.get(ADA, key.id).version == 2


@pytest.mark.parametrize("operation", ["UpdateItem", "TransactWriteItems"])
@pytest.mark.parametrize("after", [False, True])
def test_a_revocation_that_dies_is_nothing_or_is_finished_by_the_schedule(
    backend: Backend, clock: Clock, operation: str, after: bool
) -> None:
    key, other = mint(), mint()
    with killed(f"dynamodb.{operation}", after=after):
        service.revoke(ADA, key.id)
    if operation == "UpdateItem" and not after:
        Guard().admit(key.key)
        assert count(backend) == live(backend) == 2
        service.revoke(ADA, key.id)
    assert refusal(Guard(), key.key) == "REVOKED"
    service.revoke(ADA, key.id)
    assert live(backend) == 1
    for _ in range(2):
        clock.move(3_600)
        expire_keys(lambda: 300_000)
        assert count(backend) == 1
    assert service.get(ADA, key.id).status is KeyStatus.REVOKED
    assert not {"k", "d"} & rows(backend)[key.id].keys()
    Guard().admit(other.key)


def test_a_revocation_whose_answers_are_lost_counts_out_once(backend: Backend, clock: Clock) -> None:
    mint()
    for operation in ("UpdateItem", "TransactWriteItems"):
        key = mint()
        with failing(f"dynamodb.{operation}", lost=True, tries=1):
            service.revoke(ADA, key.id, if_match=1)
        clock.move(3_600)
        expire_keys(lambda: 300_000)
        assert service.get(ADA, key.id).version == 2
        assert count(backend) == live(backend) == 1


def test_a_revocation_of_one_version_meets_a_change(backend: Backend) -> None:
    key = mint()
    renaming = meanwhile("dynamodb.UpdateItem", lambda: service.update(ADA, key.id, edit(name="other")))
    with renaming, pytest.raises(Conflict, match="version 2, not 1"):
        service.revoke(ADA, key.id, if_match=1)
    assert service.get(ADA, key.id).status is KeyStatus.ACTIVE
    with meanwhile("dynamodb.UpdateItem", lambda: service.update(ADA, key.id, edit(name="third"))):
        service.revoke(ADA, key.id)
    assert service.get(ADA, key.id).status is KeyStatus.REVOKED
    assert count(backend) == live(backend) == 0


def test_a_key_that_expires_while_it_is_rotated_has_no_successor(backend: Backend, clock: Clock) -> None:
    old = mint(expiresAt=at(clock, seconds=10))

    def end() -> None:
        clock.move(10)
        assert expire_keys(lambda: 300_000).retired == 1

    with meanwhile("dynamodb.TransactWriteItems", end), pytest.raises(Conflict, match="EXPIRED"):
        service.rotate(ADA, old.id, rotation(60))
    assert successors(backend, old) == []
    assert count(backend) == live(backend) == 0


@pytest.mark.parameters(MaxApiKeys=2)
def test_the_last_place_is_given_once(backend: Backend) -> None:
    old = mint()
    with meanwhile("dynamodb.TransactWriteItems", mint), pytest.raises(Conflict, match="2 API keys"):
        service.rotate(ADA, old.id, rotation(60))
    assert service.get(ADA, old.id).version == 1, "the old one goes on"
    assert count(backend) == live(backend) == 2


# ── the ceiling's count, after anything ──────────────────────────────────────────────────────────────


MOST = 3
LIVES = st.sampled_from([None, 1, 60_000, HOUR, DAY, DAY + 1, 2 * DAY, 7 * DAY, 8 * DAY, 40 * DAY])
OVERLAPS = st.sampled_from([0, 1, 60, 86_400, 8 * 86_400])
# The clocks of hosts, against the true time.
SKEWS = st.sampled_from([0, 0, -2 * MINUTE, 2 * MINUTE])


@dataclass(frozen=True)
class Operation:
    """What a host does to a key, by its clock."""

    name: str
    argument: Any
    skew: int


def operations() -> st.SearchStrategy[Operation]:
    return st.one_of(
        st.builds(Operation, st.just("create"), LIVES, SKEWS),
        st.builds(Operation, st.just("rename"), st.text("abc", min_size=1, max_size=2), SKEWS),
        st.builds(Operation, st.just("move the end"), LIVES, SKEWS),
        st.builds(Operation, st.just("rotate"), OVERLAPS, SKEWS),
        st.builds(Operation, st.just("revoke"), st.none(), SKEWS),
        st.builds(Operation, st.just("run the schedule"), st.none(), SKEWS),
        st.builds(Operation, st.just("use"), st.none(), SKEWS),
    )


class Lives(RuleBasedStateMachine):
    """Keys of one workspace live and end in every way there is, by hosts whose clocks differ, with one write
    between the steps of another.
    """

    keys = Bundle("keys")

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.guards = {lag: guard(clock, lag) for lag in (0, -5 * MINUTE, 5 * MINUTE)}
        self.made: list[ApiKeyWithSecret] = []
        self.ended: dict[str, dict[str, Any]] = {}

    @initialize(target=keys, lives=LIVES)
    def first(self, lives: int | None) -> ApiKeyWithSecret:
        return mint(expiresAt=self.end(lives))

    def end(self, lives: int | None) -> str | None:
        return None if lives is None else iso(at_ms(now_ms() + lives))

    def perform(self, operation: Operation, key: ApiKeyWithSecret) -> None:
        """One operation of one host; that a key has ended or there is no place is an answer like others."""
        before, self.clock.skew = self.clock.skew, operation.skew
        argument = operation.argument
        try:
            match operation.name:
                case "create":
                    self.made.append(mint(expiresAt=self.end(argument)))
                case "rename":
                    service.update(ADA, key.id, edit(name=argument))
                case "move the end":
                    service.update(ADA, key.id, edit(expiresAt=self.end(argument)))
                case "rotate":
                    self.made.append(service.rotate(ADA, key.id, rotation(argument)))
                case "revoke":
                    service.revoke(ADA, key.id)
                case "run the schedule":
                    expire_keys(lambda: 300_000)
                case "use":
                    Guard().admit(key.key)
        except (Conflict, InvalidKey):
            pass
        except NotFound:
            ended = {row["id"] for row in self.rows() if "r" in row}
            assert key.id in ended, "only what has ended is ever forgotten"
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
        made, self.made = self.made, []
        return multiple(*made)

    @rule(milliseconds=st.sampled_from([1, 999, MINUTE, HOUR, DAY, 6 * DAY, 31 * DAY]))
    def time_passes(self, milliseconds: int) -> None:
        self.clock.now += milliseconds

    @rule()
    def the_schedule_runs_on_time(self) -> None:
        assert self.clock.skew == 0
        expire_keys(lambda: 300_000)
        for row in self.rows():
            assert row.get("d", self.clock.now + 1) > self.clock.now, "nothing is passed over"
            assert "r" in row or row.get("x", self.clock.now + 1) > self.clock.now

    @rule(key=keys)
    def everyone_asks_with(self, key: ApiKeyWithSecret) -> None:
        row = dynamo.get(configuration().api_keys_table, {"id": key.id})
        assert row is not None
        for lag, known in self.guards.items():
            over = "r" in row or row.get("x", self.clock.now + lag + 1) <= self.clock.now + lag
            fresh = guard(self.clock, lag)
            if over:
                for process in (known, fresh):
                    assert refusal(process, key.key) in ("EXPIRED", "REVOKED")
            else:
                fresh.admit(key.key)
                with contextlib.suppress(InvalidKey):  # for a second it may believe that it has ended
                    known.admit(key.key)

    def rows(self) -> list[dict[str, Any]]:
        """Out of moto's hands: they are looked at after every step, and a scan takes long."""
        tables = dynamodb_backends[local_settings.ACCOUNT][local_settings.REGION].tables
        items = tables[configuration().api_keys_table].all_items()
        return [dynamo.unpack_row(item.to_json()["Attributes"]) for item in items]

    @invariant()
    def the_rows_are_right(self) -> None:
        """The count; what has ended; what the schedule has still to find, and where; who follows whom."""
        keys = [row for row in self.rows() if "workspaceId" in row]
        (counted,) = [row["n"] for row in self.rows() if row["id"] == "count#acme"]
        assert counted == sum("r" not in row or "d" in row for row in keys) <= MOST
        for row in keys:
            assert ("k" in row) == ("d" in row)
            if "r" in row:
                ended = {name: value for name, value in row.items() if name not in ("k", "d")}
                assert self.ended.setdefault(row["id"], ended) == ended, "it stays as it is"
                assert "ttl" in row
                assert row.get("d", row["r"]) == row["r"], "to be counted out at once"
            elif "x" in row:
                assert row["x"] - row["d"] in (7 * DAY, DAY, 0)
            else:
                assert not {"d", "ttl"} & row.keys()
        successors = [(row["rf"], row["id"]) for row in keys if "rf" in row]
        assert sorted(successors) == sorted((row["id"], row["rt"]) for row in keys if "rt" in row)

    def teardown(self) -> None:
        for row in self.rows():
            dynamo.delete(configuration().api_keys_table, {"id": row["id"]})


@pytest.mark.parameters(MaxApiKeys=MOST)
def test_the_count_is_right_and_what_has_ended_stays_so_whatever_happens(
    backend: Backend, clock: Clock
) -> None:
    class Here(Lives):
        def __init__(self) -> None:
            super().__init__(clock)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
