from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from patchbay import aws
from patchbay.errors import CostExceedsLimit, RateLimited
from patchbay.rate_limits import ceilings, store
from patchbay.rate_limits.ceilings import Ceilings
from patchbay.storage import dynamo
from tests.fake_rows import FakeRows

MINUTE = 60_000


class World:
    """A table, a clock, and as many processes as asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, requests: int, events: int = 10) -> None:
        self.now = 1_000 * MINUTE
        self.table = FakeRows()
        config = SimpleNamespace(
            rate_limits_table="limits",
            max_requests_per_minute=requests,
            max_events_per_minute=events,
        )
        monkeypatch.setattr(dynamo, "update", self.table.update)
        monkeypatch.setattr(store, "settings", lambda: config)
        monkeypatch.setattr(ceilings, "settings", lambda: config)

    def process(self, skew: int = 0) -> Ceilings:
        return Ceilings(lambda: self.now + skew)


def admitted(process: Ceilings, times: int = 1, cost: int = 1, workspace: str = "acme") -> int:
    """How many of so many requests pass."""

    def passes() -> bool:
        try:
            process.admit(workspace, "requests", cost)
        except (RateLimited, CostExceedsLimit):
            return False
        return True

    return sum(passes() for _ in range(times))


def test_a_small_ceiling_is_exact_over_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=100)
    one, other = world.process(), world.process()
    assert sum(admitted(process) for _ in range(100) for process in (one, other)) == 100


def test_a_process_writes_once_per_block(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=6_000)
    process = world.process()
    assert admitted(process, 120) == 120
    assert world.table.writes == 10


def test_a_reservation_ends_with_its_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=6_000)
    process = world.process()
    admitted(process)
    assert world.table.writes == 1
    world.now += MINUTE
    admitted(process)
    assert world.table.writes == 2


def test_near_the_ceiling_single_units_are_still_had(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=1_000)  # blocks of two
    one, other = world.process(), world.process()
    assert admitted(one, 997) == 997  # 998 reserved
    assert admitted(other, 2, cost=2) == 1
    assert admitted(one, 3) == 1


def test_the_refusal_names_the_ceiling_and_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, requests=5, events=3)
    process = world.process()
    process.admit("acme", "events", 3)
    process.admit("acme", "requests")
    with pytest.raises(RateLimited, match="ceiling of 3 events a minute") as refused:
        process.admit("acme", "events")
    # At the end of the minute the three begin to fade: one in a third of the next.
    wait = int(refused.value.headers["retry-after"])
    assert wait == 80
    world.now += (wait - 1) * 1_000
    with pytest.raises(RateLimited):
        process.admit("acme", "events")
    world.now += 1_000
    process.admit("acme", "events")


def test_workspaces_have_ceilings_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=5)
    process = world.process()
    assert admitted(process, 9, workspace="acme") == 5
    assert admitted(process, 9, workspace="globex") == 5


def test_a_full_ceiling_refuses_without_a_write_for_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, requests=5)
    process = world.process()
    admitted(process, 6)
    writes = world.table.writes
    world.now += 999
    assert admitted(process, 50) == 0
    assert world.table.writes == writes
    world.now += 1
    assert admitted(process) == 0
    assert world.table.writes == writes + 1


def test_the_memory_of_a_refusal_does_not_refuse_what_costs_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, requests=5)
    process = world.process()
    assert admitted(process, cost=6) == 0
    assert admitted(process, 5) == 5


def test_what_costs_more_than_the_ceiling_never_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=5)
    process = world.process()
    for _ in range(4):
        assert admitted(process, cost=6) == 0
        world.now += 30 * MINUTE
    assert world.table.rows == {}
    with pytest.raises(CostExceedsLimit, match="ceiling of 5 requests a minute: 6 at once") as refused:
        process.admit("acme", "requests", 6)
    assert refused.value.headers == {}, "waiting helps nobody"


@pytest.mark.parametrize(("ceiling", "passes"), [(50, 50), (1, 1), (0, 0)])
def test_of_a_batch_above_the_ceiling_as_many_pass_as_fit(
    monkeypatch: pytest.MonkeyPatch, ceiling: int, passes: int
) -> None:
    world = World(monkeypatch, requests=5, events=ceiling)
    monkeypatch.setattr(ceilings, "_process", world.process())
    admitted, refusal = ceilings.admit_some("acme", "events", 100)
    assert admitted == passes
    # One at a time, the others pass later; under a ceiling of 0 nothing ever does.
    assert isinstance(refusal, RateLimited if ceiling else CostExceedsLimit)
    assert bool(refusal.headers) is bool(ceiling)


def test_what_is_charged_counts_above_the_ceiling_and_passes_as_it_would(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, requests=10)
    publisher, charger = world.process(), world.process()
    assert admitted(publisher, 4) == 4
    charger.charge("acme", "requests", 20)
    assert admitted(publisher) == 0
    charger.charge("acme", "requests", 1)  # as it has room or not
    assert admitted(world.process()) == 0
    world.now += MINUTE  # 25 of the minute before, of which the half still counts
    charger.charge("acme", "requests", 1)
    world.now += MINUTE // 2
    assert admitted(world.process()) == 0
    world.now += MINUTE * 2
    assert admitted(world.process(), 11) == 10


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"]
)
def test_a_throttled_row_answers_429(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    world = World(monkeypatch, requests=5)
    monkeypatch.setattr(dynamo, "update", failing(code))
    with pytest.raises(RateLimited) as refused:
        world.process().admit("acme", "requests")
    assert refused.value.headers["retry-after"] == "1"


def test_other_failures_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=5)
    monkeypatch.setattr(dynamo, "update", failing("ResourceNotFoundException"))
    with pytest.raises(aws.ServiceError, match="ResourceNotFound"):
        world.process().admit("acme", "requests")


def failing(code: str) -> Callable[..., dynamo.Row]:
    def update(*_: object, **__: object) -> dynamo.Row:
        raise aws.ServiceError(code)

    return update


def test_threads_of_one_process_share_its_reservation(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=2_000)
    lock, update = Lock(), world.table.update

    def atomic(*given: Any, **values: Any) -> dynamo.Row:
        with lock:
            return update(*given, **values)

    monkeypatch.setattr(dynamo, "update", atomic)
    process = world.process()
    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(lambda _: admitted(process, 100), range(30)))
    (row,) = world.table.rows.values()
    assert row["mn"] == 2_000
    # What a thread that was refused left behind in the reservation may lapse: 4 units a thread.
    assert 2_000 - 8 * 4 <= passed <= 2_000


@settings(max_examples=150, deadline=None)
@given(data=st.data(), limit=st.sampled_from([3, 40, 1_000, 1_700, 6_000]))
def test_processes_never_admit_more_than_the_ceiling_together(data: st.DataObject, limit: int) -> None:
    """All that is served was reserved in the row first, and no minute of the row's time holds more
    than the limit, whatever the hosts' clocks say.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        world = World(monkeypatch, limit)
        skews = data.draw(st.lists(st.integers(-90_000, 90_000), min_size=2, max_size=3))
        processes = [world.process(skew) for skew in skews]
        reserved: Counter[int] = Counter()

        def update(*given: Any, **values: Any) -> dynamo.Row:
            updated = world.table.update(*given, **values)
            reserved[values["mw"]] += values["cost"]
            assert reserved[values["mw"]] == updated["mn"] <= limit
            return updated

        monkeypatch.setattr(dynamo, "update", update)
        served = 0
        steps = st.tuples(
            st.sampled_from(processes),
            st.integers(1, 400),
            st.sampled_from([1, 1, 2, 7]),
            st.sampled_from([0, 0, 500, 5_000, 61_000]),
        )
        for process, times, cost, pause in data.draw(st.lists(steps, max_size=25)):
            world.now += pause
            served += cost * admitted(process, times, cost)
            assert served <= reserved.total()
