"""Quotas per hour and day in one row, as for an integration's limits."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import partial
from types import SimpleNamespace

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from patchbay import aws
from patchbay.errors import RateLimited
from patchbay.rate_limits import store
from patchbay.rate_limits.limiter import Limiter, QuotaExceeded
from patchbay.rate_limits.sliding_window import DAY, HOUR, Quota, QuotaStatus, Window
from patchbay.storage import dynamo
from tests.fake_rows import FakeRows

ROW = "integration#int_1"
HOURS, DAYS = HOUR.length_ms, DAY.length_ms
# Not near the end of an hour or a day.
START = 20_000 * DAYS + 10 * HOURS + 60_000
SECOND = 1_000


class World:
    """A table, a clock, and any number of processes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = START
        self.table = FakeRows()
        monkeypatch.setattr(dynamo, "update", self.table.update)
        monkeypatch.setattr(store, "settings", lambda: SimpleNamespace(rate_limits_table="limits"))

    def process(self, skew: int = 0) -> Limiter:
        return Limiter(lambda: self.now + skew)

    @property
    def row(self) -> dynamo.Row:
        return self.table.rows[ROW]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def quotas(hour: int | None = None, day: int | None = None) -> list[Quota]:
    """The quotas that have a limit."""
    limits = ((HOUR, hour), (DAY, day))
    return [Quota(window, limit) for window, limit in limits if limit is not None]


def admitted(process: Limiter, limits: list[Quota], times: int = 1, cost: int = 1) -> int:
    def is_admitted() -> bool:
        try:
            process.admit(ROW, limits, cost)
        except QuotaExceeded:
            return False
        return True

    return sum(is_admitted() for _ in range(times))


# ── admission ────────────────────────────────────────────────────────────────────────────────────────


def test_every_quota_must_have_room(world: World) -> None:
    process, limits = world.process(), quotas(hour=4, day=10)
    world.now = START // DAYS * DAYS
    counts = []
    for _ in range(5):
        counts.append(admitted(process, limits, 6))
        world.now += 2 * HOURS
    assert counts == [4, 4, 2, 0, 0]


def test_processes_share_the_row_despite_clock_skew(world: World) -> None:
    processes = [world.process(skew) for skew in (0, -90_000, 90_000)]
    limits = quotas(hour=20, day=50)
    assert sum(admitted(process, limits) for _ in range(20) for process in processes) == 20
    assert (world.row["hn"], world.row["dn"]) == (20, 20)


def test_refusal_counts_nothing_in_any_window(world: World) -> None:
    process, limits = world.process(), quotas(hour=5, day=3)
    assert admitted(process, limits, 9) == 3
    before = dict(world.row)
    world.now += SECOND
    with pytest.raises(QuotaExceeded):
        process.admit(ROW, limits)
    assert world.row == before, "not even in the hour, which has room"


def test_cost_is_counted_completely_or_not_at_all(world: World) -> None:
    process, limits = world.process(), quotas(hour=10, day=100)
    assert admitted(process, limits, cost=8) == 1
    assert admitted(process, limits, cost=3) == 0
    assert admitted(process, limits, cost=2) == 1
    assert world.row["hn"] == 10
    assert admitted(world.process(), quotas(hour=1_000, day=100), cost=91) == 0


def test_cost_above_a_quota_is_never_admitted(world: World) -> None:
    process = world.process()
    for _ in range(4):
        assert admitted(process, quotas(hour=5, day=50), cost=6) == 0
        assert admitted(process, quotas(hour=50, day=5), cost=6) == 0
        world.now += 30 * HOURS
    assert world.table.rows == {}


def test_rows_are_counted_separately(world: World) -> None:
    process, limits = world.process(), quotas(hour=1, day=1)
    for row_id in ("integration#int_1", "integration#int_2", "workspace#acme"):
        process.admit(row_id, limits)
    assert len(world.table.rows) == 3


def test_statuses_are_after_the_request_in_the_order_of_the_quotas(world: World) -> None:
    process = world.process()
    hour, day = process.admit(ROW, quotas(hour=10, day=20), 3)
    assert (hour.quota, hour.remaining) == (Quota(HOUR, 10), 7)
    assert (day.quota, day.remaining) == (Quota(DAY, 20), 17)
    day, hour = world.process().admit(ROW, [Quota(DAY, 20), Quota(HOUR, 10)], 3)
    assert (hour.remaining, day.remaining) == (4, 14)
    with pytest.raises(QuotaExceeded) as refused:
        process.admit(ROW, quotas(hour=10, day=20), 5)
    assert [status.remaining for status in refused.value.statuses] == [4, 14]


# ── costs ────────────────────────────────────────────────────────────────────────────────────────────


def writes(world: World, process: Limiter, limits: list[Quota]) -> int:
    before = world.table.writes
    process.admit(ROW, limits)
    return world.table.writes - before


def test_every_use_is_one_write_including_the_first_of_a_window(world: World) -> None:
    process, limits = world.process(), quotas(hour=9, day=90)
    for step in (0, 0, HOURS, 3 * HOURS, DAYS, 5 * DAYS):
        world.now += step
        assert writes(world, process, limits) == 1


def test_stale_cache_entry_costs_one_retry(world: World) -> None:
    one, other, limits = world.process(), world.process(), quotas(hour=9, day=90)
    assert writes(world, one, limits) == 1
    assert writes(world, other, limits) == 2, "it had not cached the row"
    for step in (HOURS, DAYS, 3 * DAYS):
        world.now += step
        assert writes(world, one, limits) == 1
        assert writes(world, other, limits) == 2
        assert writes(world, other, limits) == 1


def test_uses_by_other_processes_in_the_same_window_cost_no_retry(world: World) -> None:
    one, other, limits = world.process(), world.process(), quotas(hour=9, day=90)
    one.admit(ROW, limits)
    other.admit(ROW, limits)
    assert [writes(world, process, limits) for process in (one, other, one)] == [1, 1, 1]


# ── cached refusals ──────────────────────────────────────────────────────────────────────────────────


def test_full_row_is_refused_without_a_write_for_at_most_a_second(world: World) -> None:
    process, limits = world.process(), quotas(hour=2, day=9)
    admitted(process, limits, 3)
    before = world.table.writes
    world.now += SECOND - 1
    assert admitted(process, limits, 50) == 0
    assert world.table.writes == before
    world.now += 1
    assert admitted(process, limits, 50) == 0
    assert world.table.writes == before + 1


def test_cached_refusal_ends_when_there_is_room(world: World) -> None:
    process, limits = world.process(), quotas(hour=2, day=9)
    world.now = (START // HOURS + 1) * HOURS - 1
    assert admitted(process, limits, 2) == 2
    # After half of the next hour, one of the two no longer counts.
    world.now += 1 + HOURS // 2 - 1
    assert admitted(process, limits) == 0
    world.now += 1
    assert admitted(process, limits, 2) == 1


def test_cached_refusal_does_not_apply_to_lower_costs(world: World) -> None:
    process, limits = world.process(), quotas(hour=5, day=9)
    assert admitted(process, limits, cost=4) == 1
    assert admitted(process, limits, cost=2) == 0
    assert admitted(process, limits, cost=1) == 1


def test_clock_set_back_does_not_prolong_a_refusal(world: World) -> None:
    process, limits = world.process(), quotas(hour=5, day=9)
    assert admitted(process, limits, cost=5) == 1
    assert admitted(process, limits) == 0
    world.now -= 30_000
    world.now += SECOND
    assert admitted(process, quotas(hour=6, day=9)) == 1


def test_cache_never_admits(world: World) -> None:
    """A cache entry alone never admits a use: the row must accept the write."""
    one, other, limits = world.process(), world.process(), quotas(hour=5, day=9)
    one.admit(ROW, limits)
    assert admitted(other, limits, 9) == 4
    assert admitted(one, limits) == 0, "by its cache, four more fit"
    assert world.row["hn"] == 5


# ── quotas that change ───────────────────────────────────────────────────────────────────────────────


def test_lowered_limit_applies_immediately_and_raised_limit_within_a_second(world: World) -> None:
    process = world.process()
    assert admitted(process, quotas(hour=9, day=9), 5) == 5
    assert admitted(process, quotas(hour=5, day=9)) == 0
    assert admitted(process, quotas(hour=3, day=9)) == 0
    world.now += SECOND
    assert admitted(process, quotas(hour=6, day=9), 3) == 1


def test_added_quota_starts_from_zero(world: World) -> None:
    one, other = world.process(), world.process()
    assert admitted(one, quotas(hour=9), 5) == 5
    assert "dw" not in world.row
    both = quotas(hour=9, day=3)
    assert sum(admitted(process, both) for process in (one, other) * 4) == 3
    assert (world.row["hn"], world.row["dn"]) == (8, 3)


def test_removed_quota_no_longer_applies(world: World) -> None:
    process = world.process()
    assert admitted(process, quotas(hour=9, day=3), 5) == 3
    world.now += SECOND
    assert admitted(process, quotas(hour=9), 20) == 6
    assert (world.row["hn"], world.row["dn"]) == (9, 3)
    world.now += 2 * HOURS
    assert admitted(process, quotas(hour=9, day=3)) == 0, "the earlier uses of this day still count"
    assert admitted(world.process(), quotas(day=4), 3) == 1


def test_ttl_covers_removed_quotas(world: World) -> None:
    """The quota may be set again on the same day, so its counts must not be deleted."""
    process = world.process()
    process.admit(ROW, quotas(hour=9, day=9))
    process.admit(ROW, quotas(hour=9))
    assert world.row["ttl"] * 1000 >= (world.now // DAYS + 2) * DAYS


# ── throttled rows ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "code",
    [
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflictException",
    ],
)
def test_throttled_row_returns_429(world: World, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    process, limits = world.process(), quotas(hour=9, day=9)
    process.admit(ROW, limits)
    before = dict(world.row)

    def update(*_: object, **__: object) -> dynamo.Row:
        raise aws.ServiceError(code)

    with monkeypatch.context() as patch:
        patch.setattr(dynamo, "update", update)
        with pytest.raises(RateLimited) as refused:
            process.admit(ROW, limits)
    assert refused.value.headers == {"retry-after": "1"}
    assert world.row == before
    assert admitted(process, limits, 20) == 8, "the failure is not cached"


def test_other_errors_propagate(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def update(*_: object, **__: object) -> dynamo.Row:
        raise aws.ServiceError("AccessDeniedException")

    monkeypatch.setattr(dynamo, "update", update)
    with pytest.raises(aws.ServiceError, match="AccessDenied"):
        world.process().admit(ROW, quotas(hour=1))


def test_contention_returns_429_after_a_few_tries(world: World) -> None:
    """A process that loses every try to others, although there is room, returns 429."""
    process, other, limits = world.process(), world.process(), quotas(hour=99, day=99)

    def use_by_other() -> None:
        world.now += HOURS  # makes the cached counts of the other process stale
        other.admit(ROW, limits)

    world.table.meanwhile = [use_by_other] * 20
    with pytest.raises(RateLimited) as refused:
        process.admit(ROW, limits)
    assert refused.value.headers == {"retry-after": "1"}
    assert len(world.table.meanwhile) == 15


# ── TTL ──────────────────────────────────────────────────────────────────────────────────────────────


def test_row_is_kept_until_its_counts_expire(world: World) -> None:
    for limits, last in ((quotas(hour=9), HOUR), (quotas(hour=9, day=9), DAY), (quotas(day=9), DAY)):
        world.table.rows.clear()
        process = world.process()
        process.admit(ROW, limits)
        # The latest count matters until the end of the next interval.
        ends = (world.now // last.length_ms + 2) * last.length_ms
        assert world.row["ttl"] * 1000 > ends, "because clocks differ"
        assert world.row["ttl"] * 1000 <= world.now + 2 * DAYS + HOURS
        (*_, status) = process.admit(ROW, limits)
        assert QuotaStatus(status.quota, status.count, ends).remaining == status.quota.limit


def test_each_use_extends_the_ttl(world: World) -> None:
    process, ttls = world.process(), []
    for _ in range(4):
        process.admit(ROW, quotas(hour=9, day=9))
        ttls.append(world.row["ttl"])
        world.now += DAYS
    assert ttls == sorted(set(ttls))


def test_expired_row_that_was_not_deleted_changes_nothing(world: World) -> None:
    one, limits = world.process(), quotas(hour=3, day=5)
    assert admitted(one, limits, 3) == 3
    world.now = world.row["ttl"] * 1000
    assert admitted(one, limits, 9) == 3
    assert admitted(world.process(), limits, 9) == 0
    world.now += 40 * DAYS
    assert admitted(world.process(), limits, 9) == 3, "also in a process that never saw it"
    assert {name: world.row[name] for name in ("hn", "hp", "dn", "dp")} == {
        "hn": 3,
        "hp": 0,
        "dn": 3,
        "dp": 0,
    }


# ── any interleaving ─────────────────────────────────────────────────────────────────────────────────

quota_limits = st.sampled_from([(3, 8), (5, 5), (7, 20), (2, 3), (6, None), (9, None), (None, 12), (None, 4)])
skews = st.one_of(st.integers(-90_000, 90_000), st.sampled_from([0, -HOURS, 26 * HOURS]))


class LimitersThatShareARow(RuleBasedStateMachine):
    """Processes with clock skew, and quotas that change, against the exact weighted formula."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.world = World(self.patch)

    def teardown(self) -> None:
        self.patch.undo()

    @initialize(skews=st.lists(skews, min_size=3, max_size=3), limits=quota_limits)
    def start(self, skews: list[int], limits: tuple[int | None, int | None]) -> None:
        self.skews = skews
        self.limits = quotas(*limits)
        self.processes = [Limiter(partial(self.clock, index)) for index in range(3)]
        self.refusals: list[list[tuple[int, int]]] = [[], [], []]
        self.counted: dict[Window, Counter[int]] = {HOUR: Counter(), DAY: Counter()}

    def clock(self, index: int) -> int:
        return self.world.now + self.skews[index]

    @rule(pause=st.one_of(st.integers(0, 1_500), st.integers(0, 2 * HOURS), st.integers(0, 2 * DAYS)))
    def time_passes(self, pause: int) -> None:
        self.world.now += pause

    @rule(index=st.integers(0, 2), skew=skews)
    def a_clock_is_set(self, index: int, skew: int) -> None:
        self.skews[index] = skew

    @rule(limits=quota_limits)
    def the_quotas_change(self, limits: tuple[int | None, int | None]) -> None:
        self.limits = quotas(*limits)

    @rule(index=st.integers(0, 2))
    def a_cache_is_cleared(self, index: int) -> None:
        self.processes[index].clear()

    @rule(
        index=st.integers(0, 2),
        cost=st.one_of(st.integers(1, 3), st.integers(1, 14)),
        times=st.integers(1, 4),
    )
    def a_process_gets_requests(self, index: int, cost: int, times: int) -> None:
        now = self.clock(index)
        for _ in range(times):
            before = self.world.table.writes
            has_room = all(self.free(quota, now) >= cost for quota in self.limits)
            try:
                statuses = self.processes[index].admit(ROW, self.limits, cost)
            except QuotaExceeded as refused:
                if self.world.table.writes == before:
                    assert any(
                        now < refused_at + SECOND and cost >= refused_cost
                        for refused_at, refused_cost in self.refusals[index]
                    )
                    continue
                assert not has_room
                self.refusals[index].append((now, cost))
                statuses = refused.statuses
            else:
                assert has_room
                for quota in self.limits:
                    self.counted[quota.window][self.number(quota.window, now)] += cost
            assert self.world.table.writes - before <= 2
            assert [(status.quota, status.remaining) for status in statuses] == [
                (quota, max(self.free(quota, now) // 1, 0)) for quota in self.limits
            ]

    def number(self, window: Window, now: int) -> int:
        return max(now // window.length_ms, max(self.counted[window], default=0))

    def free(self, quota: Quota, now: int) -> Fraction:
        window, counted = quota.window, self.counted[quota.window]
        number = self.number(window, now)
        overlap = 1 - Fraction(max(now - number * window.length_ms, 0), window.length_ms)
        return quota.limit - counted[number] - counted[number - 1] * overlap

    @invariant()
    def the_row_counts_exactly_the_admitted_uses(self) -> None:
        row = self.world.table.rows.get(ROW, {})
        for window, counted in self.counted.items():
            x, latest = window.letter, max(counted, default=None)
            if latest is None:
                assert x + "w" not in row
            else:
                expected = (latest, counted[latest], counted[latest - 1])
                assert (row[x + "w"], row[x + "n"], row[x + "p"]) == expected


TestLimitersThatShareARow = LimitersThatShareARow.TestCase
TestLimitersThatShareARow.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
