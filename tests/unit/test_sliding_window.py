from __future__ import annotations

from collections import Counter
from fractions import Fraction

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from patchbay.rate_limits import sliding_window
from patchbay.rate_limits.headers import rate_limit_headers, retry_after
from patchbay.rate_limits.sliding_window import Count, Quota, QuotaStatus, Window
from patchbay.storage.dynamo import ConditionFailed
from tests.fake_rows import FakeRows, assign, holds

# Short windows, so that a few hundred milliseconds cross many interval boundaries.
SHORT = Window("hour", 7, "h")
LONG = Window("day", 50, "d")
HOSTS = 3


def overlap(window: Window, number: int, now: int) -> Fraction:
    return 1 - Fraction(max(now - number * window.length_ms, 0), window.length_ms)


class ExactModel:
    """The exact weighted formula over all admitted units."""

    def __init__(self) -> None:
        self.admitted = {SHORT: Counter[int](), LONG: Counter[int]()}

    def number(self, window: Window, now: int) -> int:
        """Time never goes back before the latest counted interval."""
        return max(now // window.length_ms, max(self.admitted[window], default=0))

    def has_room(self, quotas: list[Quota], cost: int, now: int) -> bool:
        return all(self.weighted(quota.window, now) + cost <= quota.limit for quota in quotas)

    def weighted(self, window: Window, now: int) -> Fraction:
        number, counted = self.number(window, now), self.admitted[window]
        return counted[number] + counted[number - 1] * overlap(window, number, now)

    def admit(self, cost: int, now: int) -> None:
        for window, counted in self.admitted.items():
            counted[self.number(window, now)] += cost


class AnyInterleaving(RuleBasedStateMachine):
    """Hosts with clock skew, each with its own expected counts, share a row. A step is one write of one host.
    Before its next try, the others may do anything.
    """

    @initialize(
        limits=st.tuples(st.integers(1, 12), st.integers(1, 30)),
        skews=st.lists(st.integers(-20, 20), min_size=HOSTS, max_size=HOSTS),
    )
    def start(self, limits: tuple[int, int], skews: list[int]) -> None:
        self.now = 1_000
        self.limits = limits
        self.skews = skews
        self.table = FakeRows()
        self.expected = [sliding_window.read(None, self.quotas())] * HOSTS
        self.model = ExactModel()

    def quotas(self) -> list[Quota]:
        return [Quota(SHORT, self.limits[0]), Quota(LONG, self.limits[1])]

    @rule(milliseconds=st.one_of(st.integers(0, 8), st.integers(0, 120)))
    def time_passes(self, milliseconds: int) -> None:
        self.now += milliseconds

    @rule(host=st.integers(0, HOSTS - 1), skew=st.integers(-20, 20))
    def a_clock_is_set(self, host: int, skew: int) -> None:
        self.skews[host] = skew

    @rule(limits=st.tuples(st.integers(1, 12), st.integers(1, 30)))
    def the_limits_change(self, limits: tuple[int, int]) -> None:
        self.limits = limits

    @rule(host=st.integers(0, HOSTS - 1), cost=st.integers(1, 14))
    def host_writes(self, host: int, cost: int) -> None:
        now, quotas = self.now + self.skews[host], self.quotas()
        has_room = self.model.has_room(quotas, cost, now)
        before = dict(self.table.rows.get("row", {}))
        update = sliding_window.plan(quotas, self.expected[host], cost, now)
        try:
            updated = self.table.update(
                "table",
                {"id": "row"},
                f"SET {update.assignments}",
                returning="UPDATED_NEW",
                condition=update.condition,
                **update.values,
            )
        except ConditionFailed as refused:
            assert self.table.rows.get("row", {}) == before, "a refused write counts nothing"
            self.expected[host] = sliding_window.read(refused.row, quotas)
            statuses = sliding_window.statuses(quotas, self.expected[host], now)
            assert sliding_window.has_room(statuses, cost) is has_room, (
                "the returned row shows whether there is room"
            )
            if has_room:
                update = sliding_window.plan(quotas, self.expected[host], cost, now)
                assert holds(update.condition, before, update.values), "one retry is enough"
        else:
            assert has_room
            self.model.admit(cost, now)
            self.expected[host] = update.counts_after(updated, quotas)
            assert all(self.model.weighted(quota.window, now) <= quota.limit for quota in quotas)

    @rule(
        host=st.integers(0, HOSTS - 1),
        ages=st.tuples(*[st.sampled_from([0, 0, 0, -1, 1, -2, -3])] * 2),
        counts=st.tuples(*[st.integers(0, 12)] * 4),
    )
    def host_expects_wrong_counts(self, host: int, ages: tuple[int, ...], counts: tuple[int, ...]) -> None:
        """Expected counts may be of any age and wrong. This must cost only a try."""
        row = self.table.rows.get("row", {"hw": 0, "dw": 0})
        self.expected[host] = (
            Count(row["hw"] + ages[0], *counts[:2]),
            Count(row["dw"] + ages[1], *counts[2:]),
        )


TestAnyInterleaving = AnyInterleaving.TestCase
TestAnyInterleaving.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)


# ── statuses and headers ─────────────────────────────────────────────────────────────────────────────

LIMITED = Quota(SHORT, 5)


@st.composite
def quota_statuses(draw: st.DrawFn) -> QuotaStatus:
    """Includes rows above their limit (because it was lowered) or ahead of this host's clock."""
    now = draw(st.integers(1_000, 1_020))
    number = draw(st.integers(now // 7 - 3, now // 7 + 2))
    count = Count(number, draw(st.integers(0, 9)), draw(st.integers(0, 9)))
    return QuotaStatus(Quota(SHORT, draw(st.integers(1, 9))), count, now)


def later(status: QuotaStatus, now: int) -> QuotaStatus:
    return QuotaStatus(status.quota, status.count, now)


@given(quota_statuses(), st.integers(1, 9))
def test_remaining_equals_what_a_write_admits(status: QuotaStatus, cost: int) -> None:
    count = status.count
    row = {"hw": count.number, "hn": count.current, "hp": count.previous}
    update = sliding_window.plan([status.quota], [count], cost, status.now_ms)
    assert holds(update.condition, row, update.values) is (cost <= status.remaining)


@settings(max_examples=1_000)
@given(quota_statuses(), st.integers(1, 9), st.sampled_from([0, 0, -1, 1, -2, -5]), st.data())
def test_stale_count_never_admits_above_the_limit(
    status: QuotaStatus, cost: int, age: int, data: st.DataObject
) -> None:
    count = status.count
    expected = Count(count.number + age, *data.draw(st.tuples(st.integers(0, 9), st.integers(0, 9))))
    row = {"hw": count.number, "hn": count.current, "hp": count.previous}
    update = sliding_window.plan([status.quota], [expected], cost, status.now_ms)
    if holds(update.condition, row, update.values):
        assert cost <= status.remaining
        number = max(status.now_ms // SHORT.length_ms, count.number)
        remaining = {0: (count.current, count.previous), 1: (0, count.current)}.get(
            number - count.number, (0, 0)
        )
        after = row | assign(update.assignments, row, update.values)
        assert after == {"hw": number, "hn": remaining[0] + cost, "hp": remaining[1]}


def test_lagging_clock_decides_at_the_start_of_the_rows_interval() -> None:
    count = Count(100, 1, 3)
    for behind in (0, 1, SHORT.length_ms, 1_000):
        assert QuotaStatus(LIMITED, count, 100 * SHORT.length_ms - behind).remaining == 5 - 1 - 3


@given(quota_statuses(), st.integers(1, 9))
def test_available_at_ms_is_the_first_moment_with_room(status: QuotaStatus, cost: int) -> None:
    first = status.available_at_ms(cost)
    if first is None:
        assert cost > status.quota.limit, "it is never admitted"
        return
    assert first >= status.now_ms
    assert cost <= status.quota.limit
    assert all(
        (later(status, at).remaining >= cost) is (at >= first)
        for at in range(status.now_ms, first + 3 * SHORT.length_ms)
    )


@given(quota_statuses())
def test_request_after_the_reset_is_admitted(status: QuotaStatus) -> None:
    reset = status.resets_ms
    assert later(status, reset).remaining >= 1
    if status.remaining:
        assert reset % SHORT.length_ms == 0, "the end of a window"
    else:
        assert later(status, reset - 1).remaining == 0


def test_unused_row_has_its_full_quota() -> None:
    (count,) = sliding_window.read(None, [LIMITED])
    assert QuotaStatus(LIMITED, count, 3).remaining == LIMITED.limit


def test_half_of_the_previous_hour_counts_at_half_past() -> None:
    hour = sliding_window.HOUR
    quota, half_past = Quota(hour, 100), 10 * hour.length_ms + hour.length_ms // 2
    status = QuotaStatus(quota, Count(10, 20, 60), half_past)
    assert status.remaining == 100 - 60 // 2 - 20


def test_headers_describe_every_window_and_the_most_restrictive_one() -> None:
    quotas = [Quota(sliding_window.HOUR, 1000), Quota(sliding_window.DAY, 10_000)]
    now = 86_400_000 * 20_000 + 3_600_000 * 5 + 1_800_000 + 1
    statuses = sliding_window.statuses(
        quotas, [Count(now // 3_600_000, 950, 0), Count(20_000, 9_990, 0)], now
    )
    assert rate_limit_headers(statuses) == {
        "x-ratelimit-limit": "10000",
        "x-ratelimit-remaining": "10",
        "x-ratelimit-reset": str(86_400 * 20_001),
        "ratelimit-policy": '"hour";q=1000;w=3600, "day";q=10000;w=86400',
        "ratelimit": '"hour";r=50;t=1800, "day";r=10;t=66600',
    }


def test_cost_above_a_limit_has_no_retry_after() -> None:
    quotas = [Quota(sliding_window.HOUR, 10), Quota(sliding_window.DAY, 5)]
    statuses = sliding_window.statuses(quotas, [sliding_window.NO_COUNT] * 2, 0)
    assert sliding_window.available_at_ms(statuses, 5) == 0
    assert sliding_window.available_at_ms(statuses, 6) is None
    assert retry_after(sliding_window.wait_ms(statuses, 6)) == {}
    assert sliding_window.lowest_limit(statuses).quota.limit == 5


def retry_after_headers(quotas: list[Quota], counts: list[Count], now: int) -> dict[str, str]:
    statuses = sliding_window.statuses(quotas, counts, now)
    return retry_after(sliding_window.wait_ms(statuses, 1))


def test_retry_after_is_for_the_slower_window_and_never_0() -> None:
    quotas = [Quota(sliding_window.HOUR, 10), Quota(sliding_window.DAY, 10)]
    hour, day = 500_000, 500_000 // 24
    now = (hour + 1) * 3_600_000 - 1
    fading = [Count(hour, 0, 10), Count(day, 0, 0)]
    assert retry_after_headers(quotas, fading, now) == {"retry-after": "1"}
    full = [Count(hour, 10, 0), Count(day, 10, 0)]
    day_ends_in = (day + 1) * 86_400 - now // 1000
    # After a tenth of the next day, one of the ten no longer counts.
    expected = day_ends_in + 8_640
    seconds = int(retry_after_headers(quotas, full, now)["retry-after"])
    assert abs(seconds - expected) <= 1
