"""When a token is refreshed, and when it is tried again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.oauth.refresh_policy import (
    can_refresh,
    counted,
    due_ms,
    expires_ms,
    is_over,
    scheduled_ms,
    wait_ms,
)
from patchbay.oauth.token_response import TokenSet
from patchbay.providers.provider import OAuth

NOW = 1_800_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

moments = st.integers(0, 4_000_000_000_000)
lives = st.integers(0, 400 * DAY)


def oauth(refresh: str = "rotating", *, min_age_seconds: int | None = None, **more: Any) -> OAuth:
    if min_age_seconds is not None:
        more["renewal"] = {
            "url": "https://a.example/",
            "grant_type": "x",
            "token_parameter": "token",
            "min_age_seconds": min_age_seconds,
        }
    addresses = {"authorization_url": "https://a.example/a", "token_url": "https://a.example/t"}
    return OAuth.model_validate({**addresses, "refresh": refresh, **more})


def tokens(refresh_token: str | None = "refresh", **more: Any) -> TokenSet:
    return TokenSet(access_token="access", refresh_token=refresh_token, **more)


@pytest.mark.parametrize(
    ("refresh", "refresh_token", "can"),
    [
        ("rotating", "refresh", True),
        ("rotating", None, False),
        ("static", "refresh", True),
        ("static", None, False),
        ("never_expires", "refresh", False),
        ("reauthorize_only", "refresh", False),
    ],
)
def test_whether_there_is_something_to_refresh_with(
    refresh: str, refresh_token: str | None, can: bool
) -> None:
    assert can_refresh(oauth(refresh), tokens(refresh_token)) is can


def test_an_exchange_needs_no_refresh_token() -> None:
    assert can_refresh(oauth("exchange", min_age_seconds=0), tokens(None))


@pytest.mark.parametrize(
    ("provider", "given_tokens", "expected"),
    [
        (oauth(), tokens(expires_in=60), NOW + MINUTE),
        (oauth(), tokens(expires_at_ms=NOW + 5), NOW + 5),
        (oauth(), tokens(expires_in=60, expires_at_ms=NOW + 5), NOW + 5),  # a moment is more exact
        (oauth(), tokens(), NOW + HOUR),
        (oauth(assumed_lifetime_seconds=900), tokens(), NOW + 15 * MINUTE),
        (oauth(assumed_lifetime_seconds=900), tokens(None), None),
        # Without a timezone a moment may be hours late, so it only shortens the life.
        (oauth(), tokens(expires_at_ms=NOW + 8 * HOUR, zone_unknown=True), NOW + HOUR),
        (oauth(), tokens(expires_at_ms=NOW + MINUTE, zone_unknown=True), NOW + MINUTE),
        (oauth(), tokens(expires_at_ms=NOW - HOUR, zone_unknown=True), NOW + HOUR),
        (oauth(), tokens(None, expires_at_ms=NOW + 8 * HOUR, zone_unknown=True), NOW + 8 * HOUR),
        (oauth("never_expires"), tokens(), None),
        (oauth("never_expires"), tokens(expires_in=60), NOW + MINUTE),
        (oauth("reauthorize_only"), tokens(), None),
        (oauth("exchange", min_age_seconds=0), tokens(None), NOW + HOUR),
    ],
)
def test_when_a_token_ends(provider: OAuth, given_tokens: TokenSet, expected: int | None) -> None:
    assert expires_ms(provider, given_tokens, NOW) == expected


@pytest.mark.parametrize(
    ("provider", "life", "before_the_end"),
    [
        (oauth(), 12 * HOUR, 15 * MINUTE),
        (oauth(), 75 * MINUTE, 15 * MINUTE),
        (oauth(), 74 * MINUTE, 74 * MINUTE // 5),
        (oauth(), HOUR, 12 * MINUTE),
        (oauth(), 5_000, 1_000),
        (oauth(), 4, 0),
        (oauth(), 0, 0),
        (oauth(refresh_margin_seconds=864_000), 60 * DAY, 10 * DAY),
        (oauth(refresh_margin_seconds=864_000), 30 * DAY, 6 * DAY),
        (oauth(refresh_margin_seconds=864_000), HOUR, 12 * MINUTE),
    ],
)
def test_how_long_before_its_end_a_token_is_due(provider: OAuth, life: int, before_the_end: int) -> None:
    assert due_ms(provider, tokens(), NOW, NOW + life) == NOW + life - before_the_end


@given(moments, lives, st.integers(1, 30 * 86_400))
def test_due_lies_between_having_it_and_its_end(obtained: int, life: int, margin: int) -> None:
    due = due_ms(oauth(refresh_margin_seconds=margin), tokens(), obtained, obtained + life)
    assert due == obtained + life - min(margin * 1000, life // 5)
    assert obtained <= due <= obtained + life
    assert due - obtained >= life - life // 5  # a fresh token is never due at once


@given(moments, lives, st.integers(0, 40 * 86_400))
def test_an_exchange_waits_for_the_age(obtained: int, life: int, min_age: int) -> None:
    due = due_ms(oauth("exchange", min_age_seconds=min_age), tokens(None), obtained, obtained + life)
    assert due is not None
    assert obtained <= due <= obtained + life
    assert due >= min(obtained + min_age * 1000, obtained + life)


@given(moments, moments)
def test_a_token_that_had_ended_when_it_came_is_due_at_once(obtained: int, expires: int) -> None:
    due = due_ms(oauth(), tokens(), obtained, expires)
    assert due is not None
    assert due >= obtained
    if expires <= obtained:
        assert due == obtained


@pytest.mark.parametrize("refresh", ["rotating", "never_expires", "reauthorize_only"])
def test_one_that_cannot_be_refreshed_is_due_when_it_ends(refresh: str) -> None:
    assert due_ms(oauth(refresh), tokens(None), NOW, NOW + HOUR) == NOW + HOUR
    assert due_ms(oauth(refresh), tokens(None), NOW, None) is None


def test_one_without_an_end_is_never_due() -> None:
    assert due_ms(oauth(), tokens(), NOW, None) is None


@pytest.mark.parametrize(
    ("due", "refreshable", "scheduled"),
    [
        (48 * MINUTE, True, 48 * MINUTE),
        (5 * MINUTE, True, 5 * MINUTE),
        (5 * MINUTE - 1, True, 5 * MINUTE),
        (800, True, 5 * MINUTE),
        (0, True, 5 * MINUTE),
        (800, False, 800),  # its end is announced in time
        (None, True, None),
        (None, False, None),
    ],
)
def test_the_schedule_refreshes_a_connection_every_five_minutes_at_most(
    due: int | None, refreshable: bool, scheduled: int | None
) -> None:
    def at(moment: int | None) -> int | None:
        return None if moment is None else NOW + moment

    assert scheduled_ms(at(due), NOW, refreshable=refreshable) == at(scheduled)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 5), (2, 10), (3, 20), (4, 40), (10, 2560), (11, 3600), (12, 3600), (1000, 3600), (10**9, 3600)],
)
def test_waits_double_up_to_an_hour(failures: int, seconds: int) -> None:
    assert wait_ms(failures, 0.5) == seconds * 1000
    assert wait_ms(failures, 0.0) == seconds * 800
    assert wait_ms(failures, 1.0) == seconds * 1200


@given(st.integers(-5, 10**6), st.floats(0, 1, exclude_max=True))
def test_waits_are_bounded_and_grow(failures: int, random: float) -> None:
    wait = wait_ms(failures, random)
    assert 4_000 <= wait <= 1.2 * HOUR
    assert wait_ms(failures + 1, random) >= wait


@pytest.mark.parametrize(
    ("asked", "failures", "seconds"),
    [(None, 1, 5), (0, 1, 5), (600, 1, 600), (600, 20, 3600), (6 * 3600, 1, 21_600), (10**11, 1, 21_600)],
)
def test_a_wait_that_the_provider_asks_for_is_kept_to_within_bounds(
    asked: int | None, failures: int, seconds: int
) -> None:
    for random in (0.0, 0.5, 0.99):
        assert 0.8 * seconds <= wait_ms(failures, random, asked) / 1000 <= 1.2 * seconds
        assert wait_ms(failures, random, asked) >= min((asked or 0) * 1000, 6 * HOUR)


@pytest.mark.parametrize(
    ("unclear", "refusals", "since", "expected"),
    [
        (True, 0, None, (1, NOW)),
        (True, 7, NOW - DAY, (8, NOW - DAY)),
        (False, 7, NOW - DAY, (0, None)),
        (False, 0, None, (0, None)),
    ],
)
def test_a_failure_of_another_kind_starts_the_count_of_refusals_again(
    unclear: bool, refusals: int, since: int | None, expected: tuple[int, int | None]
) -> None:
    assert counted(refusals, since, NOW, unclear=unclear) == expected


@pytest.mark.parametrize(
    ("refusals", "ago", "over"),
    [(8, DAY, True), (7, 30 * DAY, False), (1000, DAY - 1, False), (1, 0, False)],
)
def test_refusals_without_a_known_reason_end_a_grant_by_number_and_time(
    refusals: int, ago: int, over: bool
) -> None:
    assert is_over(refusals, NOW - ago, NOW) is over


def test_a_moment_that_is_past_already_counts_as_unknown_where_the_token_can_be_refreshed() -> None:
    assert expires_ms(oauth(), tokens(expires_at_ms=NOW), NOW) == NOW + HOUR
    assert expires_ms(oauth(), tokens(None, expires_at_ms=NOW - 1), NOW) == NOW - 1
