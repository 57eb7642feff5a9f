"""When the end of a key is announced, for any schedule of runs: a row in memory, and the clock by hand."""

from __future__ import annotations

from dataclasses import dataclass, field

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from patchbay.api_keys.expiry import Notice, next_due_ms, notice

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOW = 1_800_000_000_000

moments = st.integers(NOW, NOW + 400 * DAY)
# To either side of what matters: the notices, the end, and the millisecond.
distances = st.one_of(
    st.integers(1, 40 * DAY),
    st.builds(lambda days, by: days * DAY + by, st.sampled_from([1, 7, 8]), st.integers(-2, 2)),
    st.integers(1, 3),
)


# ── the next moment ──────────────────────────────────────────────────────────────────────────────────


def test_a_key_without_an_end_is_never_due() -> None:
    assert next_due_ms(None, NOW) is None


def test_the_moments_of_a_key_are_7_days_and_1_day_before_its_end_and_its_end() -> None:
    end = NOW + 30 * DAY
    seen = [NOW]
    for _ in range(3):
        due = next_due_ms(end, seen[-1])
        assert due is not None
        seen.append(due)
    assert seen[1:] == [end - 7 * DAY, end - DAY, end]


@given(moments, distances)
def test_the_next_moment_is_the_first_one_to_come(end: int, before: int) -> None:
    now = end - before
    later = [moment for moment in (end - 7 * DAY, end - DAY, end) if moment > now]
    assert next_due_ms(end, now) == min(later)


@given(moments, st.integers(0, 400 * DAY))
def test_an_end_that_is_over_when_it_is_written_is_due(end: int, since: int) -> None:
    assert next_due_ms(end, end + since) == end


# ── what is said ─────────────────────────────────────────────────────────────────────────────────────


@given(moments, st.integers(1, 7 * DAY))
def test_before_the_end_the_latest_notice_that_is_due_is_given(end: int, left: int) -> None:
    days = 1 if left <= DAY else 7
    assert notice(end, end - left) == Notice(days, end - days * DAY)


@given(moments, st.integers(1, 400 * DAY))
def test_nothing_is_said_before_the_first_notice(end: int, early: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # min() of nothing: what it says is Python's
        notice(end, end - 7 * DAY - early)


@given(moments, distances)
def test_what_is_due_before_the_end_is_a_notice_of_that_moment_and_something_is_due_after_it(
    end: int, before: int
) -> None:
    due = next_due_ms(end, end - before)
    assert due is not None
    if due < end:
        assert notice(end, due).due_ms == due
        again = next_due_ms(end, due)
        assert again is not None
        assert due < again <= end


# ── any schedule of runs ─────────────────────────────────────────────────────────────────────────────


@dataclass
class Term:
    """From the moment when a key gets its end, until it has another."""

    begun: int
    end: int
    notices: list[tuple[Notice, int]] = field(default_factory=list)


class AnySchedule(RuleBasedStateMachine):
    """One key, its owner who moves its end, and a schedule that runs when it likes, also twice at once."""

    @initialize(lives=distances)
    def begin(self, lives: int) -> None:
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
    def time_passes_to_the_edge_of_a_notice(self, by: int, days: int) -> None:
        self.now = max(self.now, self.term.end - days * DAY + by)

    @precondition(lambda self: self.retired is None and self.now < self.term.end)
    @rule(lives=distances)
    def the_end_is_moved(self, lives: int) -> None:
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
            self.term.notices.append((notice(self.term.end, self.now), self.now))
            self.due = next_due_ms(self.term.end, self.now)

    @precondition(lambda self: self.retired is None)
    @rule(hours=st.integers(1, 24 * 9))
    def the_schedule_runs_every_hour(self, hours: int) -> None:
        for _ in range(hours):
            self.now += HOUR
            self.the_schedule_runs()

    @invariant()
    def every_notice_comes_once_in_order_and_in_its_time(self) -> None:
        for term in self.terms:
            days = [told.days for told, _ in term.notices]
            assert days in ([], [7], [1], [7, 1])
            for told, given_at in term.notices:
                assert term.begun < told.due_ms <= given_at < term.end
                assert told.due_ms == term.end - told.days * DAY

    @invariant()
    def a_run_in_a_notice_s_time_gives_it(self) -> None:
        """Whatever ran before: from 7 days to 1 day before the end, and from then to the end."""
        replaced = [term.begun for term in self.terms[1:]] + [None]
        for term, until in zip(self.terms, replaced, strict=True):
            given_days = {told.days for told, _ in term.notices}
            for days, over in ((7, term.end - DAY), (1, term.end)):
                due = term.end - days * DAY
                ran = any(due <= run < over and (until is None or run < until) for run in self.runs)
                assert not (due > term.begun and ran) or days in given_days, (days, term)

    @invariant()
    def the_first_run_after_the_end_retires(self) -> None:
        after = [run for run in self.runs if run >= self.term.end]
        assert self.retired == (after[0] if after else None)
        assert (self.due is None) == (self.retired is not None)


AnySchedule.TestCase.settings = settings(max_examples=300, stateful_step_count=30)
TestAnySchedule = AnySchedule.TestCase
