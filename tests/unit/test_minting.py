"""The holder of one API key never gets more requests than its limit, by any route."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from patchbay import ids
from patchbay.api_keys import service, store
from patchbay.api_keys.guard import Guard, InvalidKey, KeyCostExceedsLimit, KeyRateLimited
from patchbay.api_keys.models import ApiKeyWithSecret, CreateApiKey, RotateApiKey, UpdateApiKey
from patchbay.auth.principal import Principal
from patchbay.errors import Conflict, Forbidden
from patchbay.ids import ApiKeyId
from patchbay.rate_limits.sliding_window import DAY, HOUR
from patchbay.storage import dynamo
from tests.api_keys import ADA, MINUTE, use_config, use_fast_hashes
from tests.fake_rows import FakeRows

START = 50_000 * DAY.length_ms + 10 * HOUR.length_ms
LIMITS = {HOUR: 12, DAY: 40}
SCOPES = ["api-keys:read", "api-keys:verify", "api-keys:write"]


class World:
    """Keys in memory, one clock, and two processes that admit requests."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = START
        self.table = FakeRows()
        self.before_transaction: Callable[[], object] = lambda: None
        monkeypatch.setattr(dynamo, "get", self.table.get)
        monkeypatch.setattr(dynamo, "update", self.table.update)
        monkeypatch.setattr(dynamo, "transact", self.transact)
        use_config(monkeypatch)
        for module in (service, store):
            monkeypatch.setattr(module, "now_ms", lambda: self.now)
        monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: self.now * 1_000_000))
        use_fast_hashes(monkeypatch)
        self.processes = [Guard(lambda: self.now) for _ in range(2)]

    def transact(self, actions: Any) -> None:
        act, self.before_transaction = self.before_transaction, lambda: None
        act()
        self.table.transact(actions)

    def key(self, **changes: Any) -> ApiKeyWithSecret:
        terms: dict[str, Any] = {
            "rate_limit_per_hour": LIMITS[HOUR],
            "rate_limit_per_day": LIMITS[DAY],
            "scopes": SCOPES,
        }
        return service.create(ADA, CreateApiKey(name="CI", **terms | changes))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


class Thief:
    """Has one key, tries every route to obtain more, and counts the requests admitted with all of them."""

    def __init__(self, world: World, random: Random) -> None:
        self.world, self.random = world, random
        self.first = world.key()
        self.others = [world.key().id, world.key(rate_limit_per_hour=1).id]
        self.keys = [self.first]
        self.counted = {HOUR: Counter[int](), DAY: Counter[int]()}
        self.successes: Counter[str] = Counter()

    def admit(self, key: ApiKeyWithSecret, cost: int = 1) -> Principal | None:
        world = self.world
        try:
            admission = self.random.choice(world.processes).admit(key.key, cost=cost)
        except (InvalidKey, KeyRateLimited, KeyCostExceedsLimit):
            return None
        for window, counted in self.counted.items():
            number, elapsed = divmod(world.now, window.length_ms)
            counted[number] += cost
            weighed = counted[number - 1] * (window.length_ms - elapsed)
            assert counted[number] * window.length_ms + weighed <= LIMITS[window] * window.length_ms
        return admission.principal

    def use(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            self.admit(self.random.choice(self.keys), self.random.choice([1, 1, 2, 5, 13]))

    def step(self) -> None:
        random = self.random
        self.world.now += random.choice([0, 0, 1, 999, MINUTE, 7 * MINUTE, 25 * MINUTE, 3 * HOUR.length_ms])
        self.use()
        caller = self.admit(key := random.choice(self.keys))
        if caller is None:
            return
        if random.random() < 0.5:
            self.world.before_transaction = self.use
        target = random.choice([key.id, key.id, *(other.id for other in self.keys), *self.others])
        route = random.choice([self.create, self.rotate, self.rotate, self.edit, self.revoke])
        with suppress(Forbidden, Conflict):
            route(caller, target)
            self.successes[route.__name__] += 1
        self.world.before_transaction = lambda: None

    def create(self, caller: Principal, _: ApiKeyId) -> None:
        body = CreateApiKey(name="c", scopes=["api-keys:write"], rate_limit_per_hour=1, rate_limit_per_day=1)
        self.keys.append(service.create(caller, body))

    def rotate(self, caller: Principal, target: ApiKeyId) -> None:
        overlap = self.random.choice([0, 60, 1_800, 86_400, 30 * 86_400])
        self.keys.append(service.rotate(caller, target, RotateApiKey(overlap_seconds=overlap)))

    def edit(self, caller: Principal, target: ApiKeyId) -> None:
        name, value = self.random.choice(
            [("name", "n"), ("rate_limit_per_hour", 13), ("rate_limit_per_day", 41), ("expires_at", None)]
        )
        service.update(caller, target, UpdateApiKey.model_validate({name: value}, by_name=True))

    def revoke(self, caller: Principal, target: ApiKeyId) -> None:
        if target != caller.id:
            service.revoke(caller, target)


def test_no_route_exceeds_the_limit_of_the_first_key(world: World) -> None:
    successes: Counter[str] = Counter()
    for seed in range(30):
        thief = Thief(world, Random(seed))
        for _ in range(80):
            thief.step()
        successes += thief.successes
        stored = [store.get("acme", id) for id in {key.id for key in thief.keys}]
        active = [key.id for key in stored if key is not None and not key.has_ended(world.now)]
        assert len(active) <= 2, "its key, and the predecessor"
        for id in [*active, *thief.others]:
            service.revoke(ADA, id)
        world.now += 3 * DAY.length_ms
    assert successes["create"] == 0
    assert min(successes["rotate"], successes["edit"], successes["revoke"]) > 10, successes


def test_self_rotation_carries_over_and_shares_windows(world: World) -> None:
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
        with pytest.raises(KeyRateLimited) as refused:
            process.admit(key.key)
        assert refused.value.headers["retry-after"] == str(HOUR.length_ms // 1_000 + 300)
    shown = [service.get(ADA, key.id).usage.total for key in (old, new)]
    assert shown == [9, 3], "each key has its own usage"
    assert (service.get(ADA, new.id).usage.daily or [])[-1].count == 3


def test_predecessor_request_can_start_a_window_of_the_successor(world: World) -> None:
    old = world.key()
    process, other = world.processes
    new = service.rotate(process.admit(old.key).principal, old.id, RotateApiKey(overlap_seconds=2 * 86_400))
    world.now += DAY.length_ms
    process.admit(old.key, cost=3)
    assert other.admit(new.key).statuses[0].remaining == LIMITS[HOUR] - 4
    usage = service.get(ADA, new.id).usage
    assert (usage.total, (usage.daily or [])[-1].count) == (1, 1)


def test_lower_limit_of_the_successor_applies_to_both_keys(world: World) -> None:
    old = world.key()
    process = world.processes[0]
    new = service.rotate(process.admit(old.key).principal, old.id, RotateApiKey())
    service.update(ADA, new.id, UpdateApiKey(rate_limit_per_hour=3))
    with pytest.raises(KeyCostExceedsLimit, match="limit of 3 per hour"):
        process.admit(old.key, cost=4)
    process.admit(old.key)
    process.admit(new.key)
    for key in (old, new):
        with pytest.raises(KeyRateLimited, match="3 requests per hour"):
            process.admit(key.key)


def test_second_self_rotation_requires_the_first_overlap_to_end(world: World) -> None:
    first = world.key()
    process = world.processes[0]
    second = service.rotate(process.admit(first.key).principal, first.id, RotateApiKey(overlap_seconds=600))
    with pytest.raises(Conflict, match=f"{first.id}, which this API key replaces, still works. Revoke it"):
        service.rotate(process.admit(second.key).principal, second.id, RotateApiKey())
    service.revoke(process.admit(second.key).principal, first.id)
    third = service.rotate(process.admit(second.key).principal, second.id, RotateApiKey(overlap_seconds=0))
    assert process.admit(third.key).statuses[0].remaining == LIMITS[HOUR] - 5
    # A rotation by a user neither waits nor shares limits.
    fourth = service.rotate(ADA, third.id, RotateApiKey())
    assert process.admit(fourth.key).statuses[0].remaining == LIMITS[HOUR] - 1


def test_lagging_clock_does_not_revive_a_predecessor(world: World) -> None:
    """By this clock, the first key still works, but the second key has passed its windows to the third."""
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


def test_busy_key_rotates_itself_at_the_second_try(world: World) -> None:
    """The successor's counts include the requests in between, up to the limit."""
    old = world.key(rate_limit_per_hour=100, rate_limit_per_day=1_000)
    process = world.processes[0]
    caller = process.admit(old.key).principal

    def use_meanwhile() -> None:
        for _ in range(3):
            process.admit(old.key)
        world.before_transaction = use_meanwhile

    world.before_transaction = use_meanwhile
    new = service.rotate(caller, old.id, RotateApiKey())
    assert process.admit(new.key).statuses[0].remaining == 100 - 4 - 6 - 1


def test_key_whose_successor_was_deleted_uses_its_own_windows(world: World) -> None:
    old = world.key()
    process = world.processes[0]
    new = service.rotate(process.admit(old.key).principal, old.id, RotateApiKey())
    service.revoke(ADA, new.id)
    process.admit(old.key)
    del world.table.rows[new.id]
    assert process.admit(old.key).statuses[0].remaining == LIMITS[HOUR] - 3
