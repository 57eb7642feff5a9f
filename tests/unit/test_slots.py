"""Slots of a rate limit: never early, never two at once, never beyond the horizon."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.receivers import slots


@given(st.integers(1, 1000), st.integers(1, 10), st.integers(0, 10**15))
def test_slots_are_as_far_apart_as_the_limit_asks(per_second: int, count: int, first_us: int) -> None:
    times = slots.slots_ms(first_us, count, per_second)
    assert len(times) == count
    for number, at in enumerate(times):
        exact = first_us + number * 1_000_000 / per_second
        assert exact - 1 <= at * 1000 < exact + 1001  # whole milliseconds, never early


@given(st.integers(1, 1000), st.lists(st.integers(1, 10), min_size=1, max_size=50))
def test_batches_one_after_the_other_share_the_second(per_second: int, batches: list[int]) -> None:
    next_slot, given_out = 0, []
    for count in batches:
        given_out += slots.slots_ms(next_slot, count, per_second)
        next_slot += slots.span_us(count, per_second)
    assert given_out == sorted(given_out)
    for start in given_out:
        # Slots of one batch begin where those of the last end, but for the rounding of each batch.
        within = [at for at in given_out if start <= at < start + 1000]
        assert len(within) <= per_second + len(batches)


@pytest.mark.parametrize(("per_second", "seconds"), [(1, 900), (2, 900), (10, 200), (1000, 2)])
def test_the_horizon_is_time_for_slow_limits_and_number_for_fast_ones(per_second: int, seconds: int) -> None:
    assert slots.horizon_us(per_second) == seconds * 1_000_000
