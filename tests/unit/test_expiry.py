"""When the expiry of a key is announced, for any schedule of runs: a row in memory and a manual clock."""

from __future__ import annotations

from dataclasses import dataclass, field

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from patchbay.api_keys.expiry import Notice, latest_notice, next_due_ms

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = 1_800_000_000_000

moments = st.integers(NOW, NOW + 400 * DAY)
# Includes distances on both sides of the notices and the expiry, to the millisecond.
distances = st.one_of(
    st.integers(1, 40 * DAY),
    st.builds(lambda days, by: days * DAY + by, st.sampled_from([1, 7, 8]), st.integers(-2, 2)),
    st.integers(1, 3),
)


# ── next_due_ms ──────────────────────────────────────────────────────────────────────────────────────


def test_key_without_expiry_is_never_due() -> None:
    assert next_due_ms(None, NOW) is None


def test_key_is_due_7_days_and_1_day_before_its_expiry_and_at_it() -> None:
    end = NOW + 30 * DAY
    seen = [NOW]
    for _ in range(3):
        due = next_due_ms(end, seen[-1])
        assert due is not None
        seen.append(due)
    assert seen[1:] == [end - 7 * DAY, end - DAY, end]


@given(moments, distances)
def test_next_due_is_the_first_future_moment(end: int, before: int) -> None:
    now = end - before
    later = [moment for moment in (end - 7 * DAY, end - DAY, end) if moment > now]
    assert next_due_ms(end, now) == min(later)


@given(moments, st.integers(0, 400 * DAY))
def test_expiry_in_the_past_is_due(end: int, since: int) -> None:
    assert next_due_ms(end, end + since) == end


# ── latest_notice ────────────────────────────────────────────────────────────────────────────────────


@given(moments, st.integers(1, 7 * DAY))
def test_latest_due_notice_is_returned(end: int, left: int) -> None:
    days = 1 if left <= DAY else 7
    assert latest_notice(end, end - left) == Notice(days, end - days * DAY)


@given(moments, st.integers(1, 400 * DAY))
def test_no_notice_before_the_first_one(end: int, early: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # raised by min() of no items, with Python's message
        latest_notice(end, end - 7 * DAY - early)


@given(moments, distances)
def test_due_moments_before_the_expiry_are_notices(end: int, before: int) -> None:
    due = next_due_ms(end, end - before)
    assert due is not None
    if due < end:
        assert latest_notice(end, due).due_ms == due
        again = next_due_ms(end, due)
        assert again is not None
        assert due < again <= end


# ── any schedule of runs ─────────────────────────────────────────────────────────────────────────────


@dataclass
class Term:
    """The time from when a key gets an expiry until it gets another one."""

    start: int
    end: int
    notices: list[tuple[Notice, int]] = field(default_factory=list)


class AnySchedule(RuleBasedStateMachine):
    """One key, an owner who changes its expiry, and a schedule that runs at any time, even twice at once."""

    @initialize(lives=distances)
    def start(self, lives: int) -> None:
        self.now = NOW
        self.retired: int | None = None
        self.runs: list[int] = []
        self.terms: list[Term] = []
        self.set_end(lives)

    def set_end(self, lives: int) -> None:
        self.terms.append(Term(self.now, self.now + lives))
        self.due = next_due_ms(self.now + lives, self.now)

    @property
    def term(self) -> Term:
        return self.terms[-1]

    @rule(milliseconds=st.one_of(st.integers(0, HOUR), st.integers(0, 12 * DAY)))
    def time_passes(self, milliseconds: int) -> None:
        self.now += milliseconds

    @rule(by=st.integers(-1, 1), days=st.sampled_from([0, 1, 7]))
    def time_passes_to_the_start_of_a_notice_period(self, by: int, days: int) -> None:
        self.now = max(self.now, self.term.end - days * DAY + by)

    @precondition(lambda self: self.retired is None and self.now < self.term.end)
    @rule(lives=distances)
    def the_expiry_is_changed(self, lives: int) -> None:
        self.set_end(lives)

    @rule()
    def the_schedule_runs(self) -> None:
        self.runs.append(self.now)
        if self.due is None or self.due > self.now:
            return
        if self.now >= self.term.end:
            assert self.retired is None
            self.retired, self.due = self.now, None
        else:
            self.term.notices.append((latest_notice(self.term.end, self.now), self.now))
            self.due = next_due_ms(self.term.end, self.now)

    @precondition(lambda self: self.retired is None)
    @rule(hours=st.integers(1, 24 * 9))
    def the_schedule_runs_every_hour(self, hours: int) -> None:
        for _ in range(hours):
            self.now += HOUR
            self.the_schedule_runs()

    @invariant()
    def every_notice_is_given_once_in_order_and_on_time(self) -> None:
        for term in self.terms:
            days = [notice.days for notice, _ in term.notices]
            assert days in ([], [7], [1], [7, 1])
            for notice, given_at in term.notices:
                assert term.start < notice.due_ms <= given_at < term.end
                assert notice.due_ms == term.end - notice.days * DAY

    @invariant()
    def a_run_in_a_notice_period_gives_the_notice(self) -> None:
        """Regardless of earlier runs: from 7 days to 1 day before the expiry, and from then to the expiry."""
        replaced = [term.start for term in self.terms[1:]] + [None]
        for term, until in zip(self.terms, replaced, strict=True):
            given_days = {notice.days for notice, _ in term.notices}
            for days, end in ((7, term.end - DAY), (1, term.end)):
                due = term.end - days * DAY
                ran = any(due <= run < end and (until is None or run < until) for run in self.runs)
                assert not (due > term.start and ran) or days in given_days, (days, term)

    @invariant()
    def the_first_run_after_the_expiry_retires_the_key(self) -> None:
        after = [run for run in self.runs if run >= self.term.end]
        assert self.retired == (after[0] if after else None)
        assert (self.due is None) == (self.retired is not None)


AnySchedule.TestCase.settings = settings(max_examples=300, stateful_step_count=30)
TestAnySchedule = AnySchedule.TestCase
