"""Slots of a rate limit: not early, not two at the same time, and not beyond the horizon."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.receivers import slots


@given(st.integers(1, 1000), st.integers(1, 10), st.integers(0, 10**15))
def test_slots_are_spaced_by_the_limit(per_second: int, count: int, first_us: int) -> None:
    times = slots.slot_times_ms(first_us, count, per_second)
    assert len(times) == count
    for index, time_ms in enumerate(times):
        exact = first_us + index * 1_000_000 / per_second
        assert exact - 1 <= time_ms * 1000 < exact + 1001  # rounded up to milliseconds


@given(st.integers(1, 1000), st.lists(st.integers(1, 10), min_size=1, max_size=50))
def test_consecutive_batches_share_the_limit(per_second: int, batches: list[int]) -> None:
    next_slot, reserved = 0, []
    for count in batches:
        reserved += slots.slot_times_ms(next_slot, count, per_second)
        next_slot += slots.span_us(count, per_second)
    assert reserved == sorted(reserved)
    for start in reserved:
        # A batch's slots start where those of the last batch end, apart from the rounding of each batch.
        within = [time_ms for time_ms in reserved if start <= time_ms < start + 1000]
        assert len(within) <= per_second + len(batches)


@pytest.mark.parametrize(("per_second", "seconds"), [(1, 900), (2, 900), (10, 200), (1000, 2)])
def test_horizon_is_bounded_by_time_for_low_limits_and_by_count_for_high_limits(
    per_second: int, seconds: int
) -> None:
    assert slots.horizon_us(per_second) == seconds * 1_000_000
