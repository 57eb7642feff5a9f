"""Whoever holds one API key with a limit never gets more requests than that limit, whatever they try."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from patchbay import ids
from patchbay.api_keys import guard, hashing, service, store
from patchbay.api_keys.guard import Exhausted, Guard, InvalidKey, NeverAdmitted
from patchbay.api_keys.models import ApiKeyWithSecret, CreateApiKey, RotateApiKey, UpdateApiKey
from patchbay.auth import principal
from patchbay.auth.principal import Principal
from patchbay.auth.scopes import ROLES
from patchbay.errors import Conflict, Forbidden
from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY, HOUR
from patchbay.storage import dynamo
from tests.fake_rows import FakeRows

OWNER = Principal("acme", "user:ada", ROLES["owner"], role="owner")
CONFIG = SimpleNamespace(
    api_keys_table="keys", api_key_prefix="sk_test", platform_workspace_id="platform", max_api_keys=100
)
START = 50_000 * DAY.length_ms + 10 * HOUR.length_ms
MINUTE = 60_000
LIMITS = {HOUR: 12, DAY: 40}
SCOPES = ["api-keys:read", "api-keys:verify", "api-keys:write"]


class World:
    """Keys in memory, one clock, and two processes that admit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = START
        self.table = FakeRows()
        self.before_a_transaction: Callable[[], object] = lambda: None
        monkeypatch.setattr(dynamo, "get", self.table.get)
        monkeypatch.setattr(dynamo, "update", self.table.update)
        monkeypatch.setattr(dynamo, "transact", self.transact)
        for module in (guard, store, service, principal):
            monkeypatch.setattr(module, "settings", lambda: CONFIG)
        for module in (service, store):
            monkeypatch.setattr(module, "now_ms", lambda: self.now)
        monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: self.now * 1_000_000))
        monkeypatch.setattr(hashing, "hash_secret", cheap_hash)
        monkeypatch.setattr(hashing, "matches", lambda secret, stored: cheap_hash(secret) == stored)
        self.processes = [Guard(lambda: self.now) for _ in range(2)]

    def transact(self, actions: Any) -> None:
        act, self.before_a_transaction = self.before_a_transaction, lambda: None
        act()
        self.table.transact(actions)

    def key(self, **changes: Any) -> ApiKeyWithSecret:
        terms: dict[str, Any] = {
            "rate_limit_per_hour": LIMITS[HOUR],
            "rate_limit_per_day": LIMITS[DAY],
            "scopes": SCOPES,
        }
        return service.create(OWNER, CreateApiKey(name="CI", **terms | changes))


def cheap_hash(secret: str) -> str:
    return f"$2b$00${'.' * 22}{hashlib.sha256(secret.encode()).hexdigest()}"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


class Thief:
    """Holds one key, and tries by every route to hold more; counts what it gets with all it holds."""

    def __init__(self, world: World, random: Random) -> None:
        self.world, self.random = world, random
        self.first = world.key()
        self.others = [world.key().id, world.key(rate_limit_per_hour=1).id]
        self.held = [self.first]
        self.counted = {HOUR: Counter[int](), DAY: Counter[int]()}
        self.did: Counter[str] = Counter()

    def admitted(self, key: ApiKeyWithSecret, cost: int = 1) -> Principal | None:
        world = self.world
        try:
            admission = self.random.choice(world.processes).admit(key.key, cost=cost)
        except (InvalidKey, Exhausted, NeverAdmitted):
            return None
        for window, counted in self.counted.items():
            number, into = divmod(world.now, window.length_ms)
            counted[number] += cost
            weighed = counted[number - 1] * (window.length_ms - into)
            assert counted[number] * window.length_ms + weighed <= LIMITS[window] * window.length_ms
        return admission.principal

    def uses(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            self.admitted(self.random.choice(self.held), self.random.choice([1, 1, 2, 5, 13]))

    def step(self) -> None:
        random = self.random
        self.world.now += random.choice([0, 0, 1, 999, MINUTE, 7 * MINUTE, 25 * MINUTE, 3 * HOUR.length_ms])
        self.uses()
        caller = self.admitted(key := random.choice(self.held))
        if caller is None:
            return
        if random.random() < 0.5:
            self.world.before_a_transaction = self.uses
        target = random.choice([key.id, key.id, *(held.id for held in self.held), *self.others])
        route = random.choice([self.create, self.rotate, self.rotate, self.edit, self.revoke])
        with suppress(Forbidden, Conflict):
            route(caller, target)
            self.did[route.__name__] += 1
        self.world.before_a_transaction = lambda: None

    def create(self, caller: Principal, _: ApiKeyId) -> None:
        body = CreateApiKey(name="c", scopes=["api-keys:write"], rate_limit_per_hour=1, rate_limit_per_day=1)
        self.held.append(service.create(caller, body))

    def rotate(self, caller: Principal, target: ApiKeyId) -> None:
        overlap = self.random.choice([0, 60, 1_800, 86_400, 30 * 86_400])
        self.held.append(service.rotate(caller, target, RotateApiKey(overlap_seconds=overlap)))

    def edit(self, caller: Principal, target: ApiKeyId) -> None:
        name, value = self.random.choice(
            [("name", "n"), ("rate_limit_per_hour", 13), ("rate_limit_per_day", 41), ("expires_at", None)]
        )
        service.update(caller, target, UpdateApiKey.model_validate({name: value}, by_name=True))

    def revoke(self, caller: Principal, target: ApiKeyId) -> None:
        if target != caller.id:
            service.revoke(caller, target)


def test_no_route_gets_more_requests_than_the_limit_of_the_first_key(world: World) -> None:
    did: Counter[str] = Counter()
    for seed in range(30):
        thief = Thief(world, Random(seed))
        for _ in range(80):
            thief.step()
        did += thief.did
        live = [id for id in {key.id for key in thief.held} if not store.get("acme", id).ended(world.now)]  # type: ignore[union-attr]
        assert len(live) <= 2, "its key, and the one that this replaces"
        for id in [*live, *thief.others]:
            service.revoke(OWNER, id)
        world.now += 3 * DAY.length_ms
    assert did["create"] == 0
    assert min(did["rotate"], did["edit"], did["revoke"]) > 10, did


def test_a_key_that_rotates_itself_hands_its_windows_on_and_shares_them(world: World) -> None:
    old = world.key()
    process, other = world.processes
    caller = process.admit(old.key, cost=5).principal
    new = service.rotate(caller, old.id, RotateApiKey(overlap_seconds=3_600))
    assert process.admit(new.key).statuses[0].remaining == 6
    for at, key in enumerate([old, new, old, old, new]):
        admission = other.admit(key.key)
        assert admission.statuses[0].remaining == 5 - at
        assert admission.principal.id == key.id
    assert other.admit(old.key).statuses[0].remaining == 0
    for key in (old, new):
        with pytest.raises(Exhausted) as refused:
            process.admit(key.key)
        assert refused.value.headers["retry-after"] == str(HOUR.length_ms // 1_000 + 300)
    shown = [service.get(OWNER, key.id).usage.total for key in (old, new)]
    assert shown == [9, 3], "each key's use is its own"
    assert service.get(OWNER, new.id).usage.daily[-1].count == 3


def test_a_successor_s_window_may_move_by_its_predecessor_s_use(world: World) -> None:
    old = world.key()
    process, other = world.processes
    new = service.rotate(process.admit(old.key).principal, old.id, RotateApiKey(overlap_seconds=2 * 86_400))
    world.now += DAY.length_ms
    process.admit(old.key, cost=3)
    assert other.admit(new.key).statuses[0].remaining == LIMITS[HOUR] - 4
    usage = service.get(OWNER, new.id).usage
    assert (usage.total, usage.daily[-1].count) == (1, 1)


def test_a_lower_limit_of_the_successor_holds_for_both(world: World) -> None:
    old = world.key()
    process = world.processes[0]
    new = service.rotate(process.admit(old.key).principal, old.id, RotateApiKey())
    service.update(OWNER, new.id, UpdateApiKey(rate_limit_per_hour=3))
    with pytest.raises(NeverAdmitted, match="limit of 3 per hour"):
        process.admit(old.key, cost=4)
    process.admit(old.key)
    process.admit(new.key)
    for key in (old, new):
        with pytest.raises(Exhausted, match="3 requests per hour"):
            process.admit(key.key)


def test_a_second_rotation_waits_for_the_first_overlap_to_end(world: World) -> None:
    first = world.key()
    process = world.processes[0]
    second = service.rotate(process.admit(first.key).principal, first.id, RotateApiKey(overlap_seconds=600))
    with pytest.raises(Conflict, match=f"{first.id}, which this API key replaces, still works. Revoke it"):
        service.rotate(process.admit(second.key).principal, second.id, RotateApiKey())
    service.revoke(process.admit(second.key).principal, first.id)
    third = service.rotate(process.admit(second.key).principal, second.id, RotateApiKey(overlap_seconds=0))
    assert process.admit(third.key).statuses[0].remaining == LIMITS[HOUR] - 5
    # A user's rotation is one of more rights: it neither waits nor shares.
    fourth = service.rotate(OWNER, third.id, RotateApiKey())
    assert process.admit(fourth.key).statuses[0].remaining == LIMITS[HOUR] - 1


def test_a_clock_that_lags_revives_no_predecessor_beside_a_third_key(world: World) -> None:
    """By its clock the first key still works; but the second one's windows were handed on to the third."""
    first = world.key()
    process = world.processes[0]
    second = service.rotate(process.admit(first.key).principal, first.id, RotateApiKey(overlap_seconds=60))
    late = Guard(lambda: world.now - 120_000)
    late.admit(first.key)
    world.now += 61_000
    service.rotate(process.admit(second.key).principal, second.id, RotateApiKey())
    with pytest.raises(InvalidKey) as refused:
        late.admit(first.key)
    assert refused.value.reason == "EXPIRED"


def test_a_busy_key_rotates_itself_at_the_second_try(world: World) -> None:
    """What it uses meanwhile is allowed for, at most to the whole limit."""
    old = world.key(rate_limit_per_hour=100, rate_limit_per_day=1_000)
    process = world.processes[0]
    caller = process.admit(old.key).principal

    def busy() -> None:
        for _ in range(3):
            process.admit(old.key)
        world.before_a_transaction = busy

    world.before_a_transaction = busy
    new = service.rotate(caller, old.id, RotateApiKey())
    assert process.admit(new.key).statuses[0].remaining == 100 - 4 - 6 - 1


def test_a_key_without_the_successor_s_row_goes_on_with_its_own_windows(world: World) -> None:
    old = world.key()
    process = world.processes[0]
    new = service.rotate(process.admit(old.key).principal, old.id, RotateApiKey())
    service.revoke(OWNER, new.id)
    process.admit(old.key)
    del world.table.rows[new.id]
    assert process.admit(old.key).statuses[0].remaining == LIMITS[HOUR] - 3
