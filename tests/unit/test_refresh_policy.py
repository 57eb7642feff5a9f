"""When a token is refreshed, and when a refresh is retried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.ids import ConnectionId, IntegrationId
from patchbay.oauth.refresh_policy import (
    Decision,
    Expire,
    Fail,
    FailReason,
    Refresh,
    Serve,
    Wait,
    can_refresh,
    count_refusals,
    decide,
    due_ms,
    expires_ms,
    has_grant_ended,
    scheduled_ms,
    wait_ms,
)
from patchbay.oauth.stored_connection import StoredConnection
from patchbay.oauth.token_response import TokenSet
from patchbay.providers.provider import OAuth

NOW = 1_800_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

times = st.integers(0, 4_000_000_000_000)
lives = st.integers(0, 400 * DAY)


def oauth(refresh: str = "rotating", *, min_age_seconds: int | None = None, **fields: Any) -> OAuth:
    if min_age_seconds is not None:
        fields["renewal"] = {
            "url": "https://a.example/",
            "grant_type": "x",
            "token_parameter": "token",
            "min_age_seconds": min_age_seconds,
        }
    addresses = {"authorization_url": "https://a.example/a", "token_url": "https://a.example/t"}
    return OAuth.model_validate({**addresses, "refresh": refresh, **fields})


def tokens(refresh_token: str | None = "refresh", **fields: Any) -> TokenSet:
    return TokenSet(access_token="access", refresh_token=refresh_token, **fields)


# ── a request for a connection's token ───────────────────────────────────────────────────────────────

LATER = NOW + MINUTE
DUE = {"refresh_at": NOW, "expires_at": NOW + HOUR}  # due for a refresh, and valid
DUE_AND_ENDED = {"refresh_at": NOW - HOUR, "expires_at": NOW}
LEASED = {"lease_owner": "another", "lease_until": NOW}
FAILED = {"failures": 1, "retry_at": LATER}


def connection(**fields: Any) -> StoredConnection:
    """A connection with a token that is valid for two hours, due for a refresh in one."""
    defaults: dict[str, Any] = {
        "workspace_id": "acme",
        "integration_id": IntegrationId.new(NOW),
        "name": "default",
        "id": ConnectionId.new(NOW),
        "status": "ACTIVE",
        "auth_type": "OAUTH2",
        "generation": 1,
        "created_by": "user:someone",
        "created_at": NOW,
        "updated_at": NOW,
        "sealed": "v1.1.AAAA",
        "refreshable": True,
        "refresh_at": NOW + HOUR,
        "expires_at": NOW + 2 * HOUR,
    }
    return StoredConnection(**{**defaults, **fields})


@pytest.mark.parametrize(
    ("fields", "decision"),
    [
        ({}, Serve()),
        ({"refresh_at": NOW + 1}, Serve()),
        ({"refresh_at": None, "expires_at": None}, Serve()),
        ({"status": "REVOKED"}, Fail(FailReason.REMOVED)),
        ({"status": "EXPIRED"}, Fail(FailReason.EXPIRED)),
        ({**DUE, "status": "REVOKED"}, Fail(FailReason.REMOVED)),
        ({**DUE, "status": "EXPIRED"}, Fail(FailReason.EXPIRED)),
        # The token is due. If the refresh fails, it is served if it is still valid for a minute.
        (DUE, Refresh(can_serve_current=True)),
        ({**DUE, "status": "ERROR"}, Refresh(can_serve_current=True)),
        ({**DUE, "expires_at": None}, Refresh(can_serve_current=True)),
        ({**DUE, "expires_at": NOW + MINUTE}, Refresh(can_serve_current=True)),
        ({**DUE, "expires_at": NOW + MINUTE - 1}, Refresh(can_serve_current=False)),
        (DUE_AND_ENDED, Refresh(can_serve_current=False)),
        # The token cannot be refreshed.
        ({**DUE, "refreshable": False}, Serve()),
        ({**DUE, "refreshable": False, "expires_at": NOW + 1}, Serve()),
        ({**DUE_AND_ENDED, "refreshable": False}, Expire()),
        # Another process is refreshing the token.
        ({**DUE, **LEASED}, Serve()),
        ({**DUE_AND_ENDED, **LEASED}, Wait()),
        ({**DUE_AND_ENDED, **LEASED, **FAILED}, Wait()),
        ({**DUE_AND_ENDED, **LEASED, "lease_until": NOW - 1}, Refresh(can_serve_current=False)),
        # The last refresh failed.
        ({**DUE, **FAILED}, Serve()),
        ({**DUE_AND_ENDED, **FAILED}, Fail(FailReason.BACKING_OFF)),
        ({**DUE_AND_ENDED, **FAILED, "retry_after_until": LATER}, Fail(FailReason.BACKING_OFF)),
        ({**DUE_AND_ENDED, **FAILED, "retry_at": NOW}, Refresh(can_serve_current=False)),
    ],
)
def test_decide_for_a_request(fields: dict[str, Any], decision: Decision) -> None:
    requested = connection(**fields)
    assert decide(requested, NOW, initial=requested, forced=False, can_wait=True) == decision


@pytest.mark.parametrize(
    ("fields", "decision"),
    [
        ({}, Refresh(can_serve_current=False)),
        (DUE, Refresh(can_serve_current=False)),
        ({"status": "REVOKED"}, Fail(FailReason.REMOVED)),
        ({"status": "EXPIRED"}, Fail(FailReason.EXPIRED)),
        ({"refreshable": False}, Fail(FailReason.NOT_REFRESHABLE)),
        ({"refreshable": False, "expires_at": None}, Fail(FailReason.NOT_REFRESHABLE)),
        ({**DUE_AND_ENDED, "refreshable": False}, Expire()),
        (LEASED, Wait()),
        # A forced refresh waits after a failure only if the provider requested that.
        (FAILED, Refresh(can_serve_current=False)),
        ({**FAILED, "retry_after_until": NOW}, Refresh(can_serve_current=False)),
        ({**FAILED, "retry_after_until": LATER}, Fail(FailReason.BACKING_OFF)),
    ],
)
def test_decide_for_a_forced_refresh(fields: dict[str, Any], decision: Decision) -> None:
    requested = connection(**fields)
    assert decide(requested, NOW, initial=requested, forced=True, can_wait=True) == decision


@pytest.mark.parametrize("forced", [False, True])
def test_decide_fails_if_another_process_refreshes_for_too_long(forced: bool) -> None:
    leased = connection(**DUE_AND_ENDED, **LEASED)
    decision = decide(leased, NOW, initial=leased, forced=forced, can_wait=False)
    assert decision == Fail(FailReason.REFRESHING)


@pytest.mark.parametrize("forced", [False, True])
def test_decide_serves_tokens_that_another_process_has_refreshed(forced: bool) -> None:
    first = connection(**DUE_AND_ENDED)
    refreshed = replace(first, tokens_version=first.tokens_version + 1)
    assert decide(refreshed, NOW, initial=first, forced=forced, can_wait=True) == Serve()
    removed = replace(refreshed, status="REVOKED")
    assert decide(removed, NOW, initial=first, forced=forced, can_wait=True) == Fail(FailReason.REMOVED)


def test_decide_makes_a_forced_refresh_wait_after_another_process_has_failed() -> None:
    first = connection(**DUE_AND_ENDED)
    failed = replace(first, failures=1, retry_at=LATER)
    assert decide(failed, NOW, initial=first, forced=True, can_wait=True) == Fail(FailReason.BACKING_OFF)


# ── when a token expires and is refreshed ────────────────────────────────────────────────────────────


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
def test_can_refresh_depends_on_strategy_and_refresh_token(
    refresh: str, refresh_token: str | None, can: bool
) -> None:
    assert can_refresh(oauth(refresh), tokens(refresh_token)) is can


def test_can_refresh_by_exchange_without_refresh_token() -> None:
    assert can_refresh(oauth("exchange", min_age_seconds=0), tokens(None))


@pytest.mark.parametrize(
    ("provider", "given_tokens", "expected"),
    [
        (oauth(), tokens(expires_in=60), NOW + MINUTE),
        (oauth(), tokens(expires_at_ms=NOW + 5), NOW + 5),
        (oauth(), tokens(expires_in=60, expires_at_ms=NOW + 5), NOW + 5),  # an absolute time is more exact
        (oauth(), tokens(), NOW + HOUR),
        (oauth(assumed_lifetime_seconds=900), tokens(), NOW + 15 * MINUTE),
        (oauth(assumed_lifetime_seconds=900), tokens(None), None),
        # Without a time zone, a time may be hours late, so it can only shorten the lifetime.
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
def test_expires_ms(provider: OAuth, given_tokens: TokenSet, expected: int | None) -> None:
    assert expires_ms(provider, given_tokens, NOW) == expected


def test_expiry_in_the_past_counts_as_unknown_if_token_can_be_refreshed() -> None:
    assert expires_ms(oauth(), tokens(expires_at_ms=NOW), NOW) == NOW + HOUR
    assert expires_ms(oauth(), tokens(None, expires_at_ms=NOW - 1), NOW) == NOW - 1


@pytest.mark.parametrize(
    ("provider", "life", "margin"),
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
def test_token_is_due_a_margin_before_it_expires(provider: OAuth, life: int, margin: int) -> None:
    assert due_ms(provider, tokens(), NOW, NOW + life) == NOW + life - margin


@given(times, lives, st.integers(1, 30 * 86_400))
def test_token_is_due_between_its_start_and_its_end(obtained: int, life: int, margin: int) -> None:
    due = due_ms(oauth(refresh_margin_seconds=margin), tokens(), obtained, obtained + life)
    assert due == obtained + life - min(margin * 1000, life // 5)
    assert obtained <= due <= obtained + life
    assert due - obtained >= life - life // 5  # a fresh token is never due immediately


@given(times, lives, st.integers(0, 40 * 86_400))
def test_exchange_waits_for_minimum_age(obtained: int, life: int, min_age: int) -> None:
    due = due_ms(oauth("exchange", min_age_seconds=min_age), tokens(None), obtained, obtained + life)
    assert due is not None
    assert obtained <= due <= obtained + life
    assert due >= min(obtained + min_age * 1000, obtained + life)


@given(times, times)
def test_token_that_arrives_expired_is_due_at_once(obtained: int, expires: int) -> None:
    due = due_ms(oauth(), tokens(), obtained, expires)
    assert due is not None
    assert due >= obtained
    if expires <= obtained:
        assert due == obtained


@pytest.mark.parametrize("refresh", ["rotating", "never_expires", "reauthorize_only"])
def test_token_that_cannot_be_refreshed_is_due_when_it_expires(refresh: str) -> None:
    assert due_ms(oauth(refresh), tokens(None), NOW, NOW + HOUR) == NOW + HOUR
    assert due_ms(oauth(refresh), tokens(None), NOW, None) is None


def test_token_that_never_expires_is_never_due() -> None:
    assert due_ms(oauth(), tokens(), NOW, None) is None


@pytest.mark.parametrize(
    ("due", "refreshable", "scheduled"),
    [
        (48 * MINUTE, True, 48 * MINUTE),
        (5 * MINUTE, True, 5 * MINUTE),
        (5 * MINUTE - 1, True, 5 * MINUTE),
        (800, True, 5 * MINUTE),
        (0, True, 5 * MINUTE),
        (800, False, 800),  # so its expiry is announced in time
        (None, True, None),
        (None, False, None),
    ],
)
def test_maintenance_refreshes_a_connection_every_five_minutes_at_most(
    due: int | None, refreshable: bool, scheduled: int | None
) -> None:
    def from_now(ms: int | None) -> int | None:
        return None if ms is None else NOW + ms

    assert scheduled_ms(from_now(due), NOW, refreshable=refreshable) == from_now(scheduled)


# ── after a failure ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 5), (2, 10), (3, 20), (4, 40), (10, 2560), (11, 3600), (12, 3600), (1000, 3600), (10**9, 3600)],
)
def test_wait_doubles_up_to_an_hour(failures: int, seconds: int) -> None:
    assert wait_ms(failures, 0.5) == seconds * 1000
    assert wait_ms(failures, 0.0) == seconds * 800
    assert wait_ms(failures, 1.0) == seconds * 1200


@given(st.integers(-5, 10**6), st.floats(0, 1, exclude_max=True))
def test_wait_is_bounded_and_grows(failures: int, random: float) -> None:
    wait = wait_ms(failures, random)
    assert 4_000 <= wait <= 1.2 * HOUR
    assert wait_ms(failures + 1, random) >= wait


@pytest.mark.parametrize(
    ("requested", "failures", "seconds"),
    [(None, 1, 5), (0, 1, 5), (600, 1, 600), (600, 20, 3600), (6 * 3600, 1, 21_600), (10**11, 1, 21_600)],
)
def test_wait_respects_the_requested_wait_within_bounds(
    requested: int | None, failures: int, seconds: int
) -> None:
    for random in (0.0, 0.5, 0.99):
        assert 0.8 * seconds <= wait_ms(failures, random, requested) / 1000 <= 1.2 * seconds
        assert wait_ms(failures, random, requested) >= min((requested or 0) * 1000, 6 * HOUR)


@pytest.mark.parametrize(
    ("has_unknown_reason", "refusals", "since", "expected"),
    [
        (True, 0, None, (1, NOW)),
        (True, 7, NOW - DAY, (8, NOW - DAY)),
        (False, 7, NOW - DAY, (0, None)),
        (False, 0, None, (0, None)),
    ],
)
def test_failure_of_another_kind_restarts_the_count_of_refusals(
    has_unknown_reason: bool, refusals: int, since: int | None, expected: tuple[int, int | None]
) -> None:
    assert count_refusals(refusals, since, NOW, has_unknown_reason=has_unknown_reason) == expected


@pytest.mark.parametrize(
    ("refusals", "ago", "ended"),
    [(8, DAY, True), (7, 30 * DAY, False), (1000, DAY - 1, False), (1, 0, False)],
)
def test_grant_ends_after_enough_refusals_over_enough_time(refusals: int, ago: int, ended: bool) -> None:
    assert has_grant_ended(refusals, NOW - ago, NOW) is ended
