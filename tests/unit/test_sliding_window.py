from __future__ import annotations

from collections import Counter
from fractions import Fraction

import hypothesis.strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from patchbay.dynamo import ConditionFailed
from patchbay.rate_limits import sliding_window
from patchbay.rate_limits.headers import headers, retry_after
from patchbay.rate_limits.sliding_window import Count, Quota, Standing, Window
from tests.fake_rows import FakeRows

# Short ones, so that a few hundred milliseconds cross many of their ends, at many places.
SHORT = Window("hour", 7, "h")
LONG = Window("day", 50, "d")
HOSTS = 3


def overlap(window: Window, number: int, now: int) -> Fraction:
    return 1 - Fraction(max(now - number * window.length_ms, 0), window.length_ms)


class ExactModel:
    """The weighted formula by the book, over all that was admitted."""

    def __init__(self) -> None:
        self.admitted = {SHORT: Counter[int](), LONG: Counter[int]()}

    def number(self, window: Window, now: int) -> int:
        """Time never runs before the latest window that was counted in."""
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
    """Hosts with clocks apart, each with a belief of its own, share a row. Every step is one write of one
    host; between a refused write and the next try of that host, the others may do anything.
    """

    @initialize(
        limits=st.tuples(st.integers(1, 12), st.integers(1, 30)),
        skews=st.lists(st.integers(-20, 20), min_size=HOSTS, max_size=HOSTS),
    )
    def begin(self, limits: tuple[int, int], skews: list[int]) -> None:
        self.now = 1_000
        self.limits = limits
        self.skews = skews
        self.table = FakeRows()
        self.beliefs = [sliding_window.read(None, self.quotas())] * HOSTS
        self.model = ExactModel()

    def quotas(self) -> list[Quota]:
        return [Quota(SHORT, self.limits[0]), Quota(LONG, self.limits[1])]

    @rule(milliseconds=st.one_of(st.integers(0, 8), st.integers(0, 120)))
    def time_passes(self, milliseconds: int) -> None:
        self.now += milliseconds

    @rule(host=st.integers(0, HOSTS - 1), skew=st.integers(-20, 20))
    def clock_is_set(self, host: int, skew: int) -> None:
        self.skews[host] = skew

    @rule(limits=st.tuples(st.integers(1, 12), st.integers(1, 30)))
    def limits_change(self, limits: tuple[int, int]) -> None:
        self.limits = limits

    @rule(host=st.integers(0, HOSTS - 1), cost=st.integers(1, 14))
    def tries(self, host: int, cost: int) -> None:
        now, quotas = self.now + self.skews[host], self.quotas()
        may = self.model.has_room(quotas, cost, now)
        before = dict(self.table.rows.get("row", {}))
        update = sliding_window.plan(quotas, self.beliefs[host], cost, now)
        try:
            row = self.write(update)
        except ConditionFailed as refused:
            assert self.table.rows.get("row", {}) == before, "a refusal counts nothing"
            self.beliefs[host] = sliding_window.read(refused.row, quotas)
            stands = sliding_window.standings(quotas, self.beliefs[host], now)
            assert sliding_window.admits(stands, cost) is may, "the row itself says what the model says"
            if may:  # then the belief was wrong, and with the row's own it is admitted
                update = sliding_window.plan(quotas, self.beliefs[host], cost, now)
                row = self.write(update)
        if may:
            self.model.admit(cost, now)
            self.beliefs[host] = sliding_window.read(row, quotas)
        else:
            assert self.table.rows.get("row", {}) == before
        for quota in quotas:
            if may:
                assert self.model.weighted(quota.window, now) <= quota.limit

    @rule(host=st.integers(0, HOSTS - 1), other=st.integers(0, HOSTS - 1))
    def believes_another(self, host: int, other: int) -> None:
        """A belief may be anybody's, of any age."""
        self.beliefs[host] = self.beliefs[other]

    @rule(host=st.integers(0, HOSTS - 1), number=st.integers(-2, 300), counts=st.tuples(*[st.integers(0, 40)] * 4))
    def believes_nonsense(self, host: int, number: int, counts: tuple[int, ...]) -> None:
        self.beliefs[host] = (Count(number, *counts[:2]), Count(number // 7, *counts[2:]))

    def write(self, update: sliding_window.Update) -> dict:
        return self.table.update(
            "table", {"id": "row"}, f"SET {update.assignments}", condition=update.condition, **update.values
        )


TestAnyInterleaving = AnyInterleaving.TestCase
TestAnyInterleaving.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
