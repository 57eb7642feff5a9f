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
    """A table, a clock, and any number of processes."""

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
    """The number of admitted requests."""

    def is_admitted() -> bool:
        try:
            process.admit(workspace, "requests", cost)
        except (RateLimited, CostExceedsLimit):
            return False
        return True

    return sum(is_admitted() for _ in range(times))


def test_small_ceiling_is_exact_across_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=100)
    one, other = world.process(), world.process()
    assert sum(admitted(process) for _ in range(100) for process in (one, other)) == 100


def test_process_writes_once_per_block(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=6_000)
    process = world.process()
    assert admitted(process, 120) == 120
    assert world.table.writes == 10


def test_reservation_expires_with_its_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=6_000)
    process = world.process()
    admitted(process)
    assert world.table.writes == 1
    world.now += MINUTE
    admitted(process)
    assert world.table.writes == 2


def test_single_units_are_available_near_the_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=1_000)  # blocks of two
    one, other = world.process(), world.process()
    assert admitted(one, 997) == 997  # 998 reserved
    assert admitted(other, 2, cost=2) == 1
    assert admitted(one, 3) == 1


def test_refusal_names_the_ceiling_and_has_retry_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, requests=5, events=3)
    process = world.process()
    process.admit("acme", "events", 3)
    process.admit("acme", "requests")
    with pytest.raises(RateLimited, match="limit of 3 events per minute") as refused:
        process.admit("acme", "events")
    # After a third of the next minute, one of the three no longer counts.
    wait = int(refused.value.headers["retry-after"])
    assert wait == 80
    world.now += (wait - 1) * 1_000
    with pytest.raises(RateLimited):
        process.admit("acme", "events")
    world.now += 1_000
    process.admit("acme", "events")


def test_workspaces_have_separate_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=5)
    process = world.process()
    assert admitted(process, 9, workspace="acme") == 5
    assert admitted(process, 9, workspace="globex") == 5


def test_full_ceiling_is_refused_without_a_write_for_at_most_a_second(
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


def test_cached_refusal_does_not_apply_to_lower_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, requests=5)
    process = world.process()
    assert admitted(process, cost=6) == 0
    assert admitted(process, 5) == 5


def test_cost_above_the_ceiling_is_never_admitted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=5)
    process = world.process()
    for _ in range(4):
        assert admitted(process, cost=6) == 0
        world.now += 30 * MINUTE
    assert world.table.rows == {}
    with pytest.raises(CostExceedsLimit, match="5 requests per minute, so a request for 6") as refused:
        process.admit("acme", "requests", 6)
    assert refused.value.headers == {}, "waiting does not help"


@pytest.mark.parametrize(("ceiling", "expected"), [(50, 50), (1, 1), (0, 0)])
def test_batch_above_the_ceiling_is_admitted_partially(
    monkeypatch: pytest.MonkeyPatch, ceiling: int, expected: int
) -> None:
    world = World(monkeypatch, requests=5, events=ceiling)
    monkeypatch.setattr(ceilings, "_process", world.process())
    admitted, refusal = ceilings.admit_up_to("acme", "events", 100)
    assert admitted == expected
    # The other events can be sent later, one at a time. With a ceiling of 0, they never can.
    assert isinstance(refusal, RateLimited if ceiling else CostExceedsLimit)
    assert bool(refusal.headers) is bool(ceiling)


def test_recorded_usage_counts_above_the_ceiling_and_expires(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, requests=10)
    publisher, recorder = world.process(), world.process()
    assert admitted(publisher, 4) == 4
    recorder.record_usage("acme", "requests", 20)
    assert admitted(publisher) == 0
    recorder.record_usage("acme", "requests", 1)  # even without room
    assert admitted(world.process()) == 0
    world.now += MINUTE  # 25 units of the previous minute, of which half still counts
    recorder.record_usage("acme", "requests", 1)
    world.now += MINUTE // 2
    assert admitted(world.process()) == 0
    world.now += MINUTE * 2
    assert admitted(world.process(), 11) == 10


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"]
)
def test_throttled_row_returns_429(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    world = World(monkeypatch, requests=5)
    monkeypatch.setattr(dynamo, "update", failing(code))
    with pytest.raises(RateLimited) as refused:
        world.process().admit("acme", "requests")
    assert refused.value.headers["retry-after"] == "1"


def test_other_errors_propagate(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=5)
    monkeypatch.setattr(dynamo, "update", failing("ResourceNotFoundException"))
    with pytest.raises(aws.ServiceError, match="ResourceNotFound"):
        world.process().admit("acme", "requests")


def failing(code: str) -> Callable[..., dynamo.Row]:
    def update(*_: object, **__: object) -> dynamo.Row:
        raise aws.ServiceError(code)

    return update


def test_threads_of_a_process_share_its_reservation(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, requests=2_000)
    lock, update = Lock(), world.table.update

    def atomic(*args: Any, **values: Any) -> dynamo.Row:
        with lock:
            return update(*args, **values)

    monkeypatch.setattr(dynamo, "update", atomic)
    process = world.process()
    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(lambda _: admitted(process, 100), range(30)))
    (row,) = world.table.rows.values()
    assert row["mn"] == 2_000
    # Units that a refused thread left in the reservation may expire unused: up to 4 per thread.
    assert 2_000 - 8 * 4 <= total <= 2_000


@settings(max_examples=150, deadline=None)
@given(data=st.data(), limit=st.sampled_from([3, 40, 1_000, 1_700, 6_000]))
def test_processes_together_never_exceed_the_ceiling(data: st.DataObject, limit: int) -> None:
    """All served units were reserved in the row first, and no minute of the row exceeds the limit, despite
    clock skew.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        world = World(monkeypatch, limit)
        skews = data.draw(st.lists(st.integers(-90_000, 90_000), min_size=2, max_size=3))
        processes = [world.process(skew) for skew in skews]
        reserved: Counter[int] = Counter()

        def update(*args: Any, **values: Any) -> dynamo.Row:
            updated = world.table.update(*args, **values)
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
