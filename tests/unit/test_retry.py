from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.outbound.retry_after import parse_retry_after
from patchbay.webhooks import n8n
from patchbay.webhooks.retry import (
    MAX_DELAY_SECONDS,
    MAX_STEP_SECONDS,
    SCHEDULES,
    Delivered,
    DisableWebhook,
    ErrorKind,
    GiveUp,
    Outcome,
    Plan,
    Retry,
    RetryPolicy,
    Said,
    plan,
)

DEFAULT = RetryPolicy()
STANDARD = RetryPolicy(schedule=SCHEDULES["standard"])
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
RETRIED_ERRORS = [
    ErrorKind.TIMEOUT,
    ErrorKind.CONNECTION,
    ErrorKind.DNS,
    ErrorKind.TLS,
    ErrorKind.INVALID_RESPONSE,
]

draws = st.floats(0, 1)
configs = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 15),
    backoff_multiplier=st.floats(1, 10),
    initial_delay_seconds=st.integers(1, 3600),
    schedule=st.none() | st.just(SCHEDULES["standard"]),
)
retried = st.builds(
    Outcome,
    status_code=st.sampled_from([408, 425, 429, 500, 502, 503, 599]),
    retry_after=st.none() | st.integers(0, 10**12),
) | st.builds(Outcome, error=st.sampled_from(RETRIED_ERRORS))


def middle(outcome: Outcome, attempt: int = 1, config: RetryPolicy = DEFAULT) -> Plan:
    return plan(outcome, attempt, config, lambda: 0.5)


@pytest.mark.parametrize("status", range(200, 300))
def test_2xx_is_delivered(status: int) -> None:
    assert middle(Outcome(status)) == Delivered()


@pytest.mark.parametrize("status", [408, 425, 429, *range(500, 600)])
def test_these_statuses_are_retried(status: int) -> None:
    assert middle(Outcome(status)) == Retry(30, f"http_{status}")


@pytest.mark.parametrize("error", RETRIED_ERRORS)
def test_these_errors_are_retried(error: ErrorKind) -> None:
    assert middle(Outcome(error=error)) == Retry(30, error.value)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        *(
            (Outcome(status), f"http_{status}")
            for status in range(400, 500)
            if status not in (408, 410, 425, 429)
        ),
        *((Outcome(status), f"redirect_{status}") for status in range(300, 400)),
        *((Outcome(status), f"http_{status}") for status in (101, 199, 600, 999)),
        (Outcome(error=ErrorKind.FORBIDDEN_TARGET), "forbidden_target"),
        (Outcome(error=ErrorKind.INVALID_REQUEST), "invalid_request"),
    ],
)
def test_these_end_the_delivery_at_once(outcome: Outcome, reason: str) -> None:
    assert middle(outcome) == GiveUp(reason)


@pytest.mark.parametrize("attempt", [1, 4, 9])
def test_410_disables_the_webhook_whatever_the_attempt(attempt: int) -> None:
    assert middle(Outcome(410), attempt) == DisableWebhook("endpoint_gone")


OF_N8N = RetryPolicy(schedule=SCHEDULES["standard"], retries_not_found=True)


@pytest.mark.parametrize(
    ("outcome", "attempt", "seconds", "follows"),
    [
        (Outcome(404), 1, 0, Retry(5, "http_404")),
        (Outcome(404), 4, 9999, Retry(7200, "http_404")),
        (Outcome(404), 8, 9999, GiveUp("retries_exhausted:http_404")),
        (Outcome(404, said=Said.NOT_REGISTERED), 1, 0, Retry(5, "not_registered")),
        (Outcome(404, said=Said.NOT_REGISTERED), 2, 179, Retry(300, "not_registered")),
        (Outcome(404, said=Said.NOT_REGISTERED), 6, 0, Retry(300, "not_registered")),
        (Outcome(404, said=Said.NOT_REGISTERED), 3, 180, DisableWebhook("endpoint_not_found")),
        (Outcome(404, said=Said.NOT_REGISTERED), 8, 0, GiveUp("retries_exhausted:not_registered")),
        (Outcome(200, said=Said.STARTING), 1, 9999, Retry(5, "receiver_starting")),
        (Outcome(200, said=Said.STARTING), 5, 0, Retry(18000, "receiver_starting")),
        (Outcome(200, said=Said.STARTING), 8, 0, GiveUp("retries_exhausted:receiver_starting")),
    ],
)
def test_what_follows_what_an_n8n_says(outcome: Outcome, attempt: int, seconds: int, follows: Plan) -> None:
    assert plan(outcome, attempt, OF_N8N, lambda: 0.5, not_registered_seconds=seconds) == follows


REGISTERED_NOT = 'The requested webhook "POST 5f/webhook" is not registered.'


@pytest.mark.parametrize(
    ("status", "body", "heard"),
    [
        (404, json.dumps({"code": 404, "message": REGISTERED_NOT, "hint": "…"}), Said.NOT_REGISTERED),
        (404, json.dumps({"message": REGISTERED_NOT.replace("POST ", "")}), Said.NOT_REGISTERED),
        (
            404,
            '{"message": "This webhook is not registered for POST requests. Did you mean to make a GET …?"}',
            Said.NOT_REGISTERED,
        ),
        (200, "n8n is starting up. Please wait", Said.STARTING),
        (404, REGISTERED_NOT, None),
        (404, f"<html>{REGISTERED_NOT}</html>", None),
        (404, json.dumps([REGISTERED_NOT]), None),
        (404, json.dumps({"message": [REGISTERED_NOT]}), None),
        (404, json.dumps({"detail": REGISTERED_NOT}), None),
        (404, json.dumps({"message": f"nginx: {REGISTERED_NOT}"}), None),
        (404, json.dumps({"message": "Not Found"}), None),
        (404, json.dumps({"message": REGISTERED_NOT})[:-2], None),  # cut off
        (404, "", None),
        (404, "null", None),
        (404, "[" * 16_384, None),
        (404, '{"message":' * 1_400, None),
        (404, "9" * 16_384, None),
        (404, "n8n is starting up. Please wait", None),
        (200, json.dumps({"message": REGISTERED_NOT}), None),
        (500, json.dumps({"message": REGISTERED_NOT}), None),
        (None, "", None),
    ],
)
def test_only_an_n8n_speaks_for_itself(status: int | None, body: str, heard: Said | None) -> None:
    assert n8n.said(status, body) is heard


def test_the_default_delays() -> None:
    waits = [middle(Outcome(500), attempt) for attempt in (1, 2, 3, 4)]
    assert waits == [
        Retry(30, "http_500"),
        Retry(60, "http_500"),
        Retry(120, "http_500"),
        GiveUp("retries_exhausted:http_500"),
    ]


def test_the_standard_schedule() -> None:
    assert STANDARD.max_attempts == 8
    waits = [middle(Outcome(500), attempt, STANDARD) for attempt in range(1, 8)]
    assert waits == [Retry(step, "http_500") for step in SCHEDULES["standard"]]
    assert middle(Outcome(500), 8, STANDARD) == GiveUp("retries_exhausted:http_500")


def test_no_retries_means_one_attempt() -> None:
    config = RetryPolicy(max_retries=0)
    assert middle(Outcome(error=ErrorKind.TIMEOUT), 1, config) == GiveUp("retries_exhausted:timeout")


def test_the_jitter_is_drawn_from_the_system_unless_given() -> None:
    delays = set()
    for _ in range(200):
        planned = plan(Outcome(500), 1, RetryPolicy(initial_delay_seconds=1000))
        assert isinstance(planned, Retry)
        assert 800 <= planned.delay_seconds <= 1200
        delays.add(planned.delay_seconds)
    assert len(delays) > 20


@given(outcome=retried, attempt=st.integers(1, 16), config=configs, draw=draws)
def test_a_delay_stays_within_its_bounds(
    outcome: Outcome, attempt: int, config: RetryPolicy, draw: float
) -> None:
    planned = plan(outcome, attempt, config, lambda: draw)
    if attempt >= config.max_attempts:
        assert planned == GiveUp(f"retries_exhausted:{outcome.reason}")
        return
    assert isinstance(planned, Retry)
    assert 1 <= planned.delay_seconds <= MAX_DELAY_SECONDS
    step = config.step_seconds(attempt)
    assert planned.delay_seconds >= int(step * 0.8)
    if outcome.retry_after is None:
        assert planned.delay_seconds <= step * 1.2 + 1
    else:
        asked = min(outcome.retry_after, MAX_DELAY_SECONDS)
        assert planned.delay_seconds >= asked
        assert planned.delay_seconds <= max(step, asked) * 1.2 + 1


@given(config=configs, draw=draws)
def test_delays_grow_up_to_the_cap(config: RetryPolicy, draw: float) -> None:
    delays = []
    for attempt in range(1, config.max_attempts):
        planned = plan(Outcome(500), attempt, config, lambda: draw)
        assert isinstance(planned, Retry)
        delays.append(planned.delay_seconds)
    assert delays == sorted(delays)
    assert all(config.step_seconds(n) <= MAX_STEP_SECONDS for n in range(1, config.max_attempts))


@given(outcomes=st.lists(retried, min_size=20, max_size=20), config=configs)
def test_no_delivery_has_more_attempts_than_configured(outcomes: list[Outcome], config: RetryPolicy) -> None:
    made = 0
    for outcome in outcomes:
        made += 1
        if not isinstance(middle(outcome, made, config), Retry):
            break
    assert made == config.max_attempts
    assert made == 1 + (7 if config.schedule else config.max_retries)


@given(
    outcome=retried | st.builds(Outcome, status_code=st.integers(100, 999)),
    attempt=st.integers(1, 20),
    config=configs,
    draw=draws,
)
def test_the_same_input_gives_the_same_plan(
    outcome: Outcome, attempt: int, config: RetryPolicy, draw: float
) -> None:
    first = plan(outcome, attempt, config, lambda: draw)
    assert first == plan(outcome, attempt, config, lambda: draw)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_retries": -1},
        {"max_retries": 16},
        {"backoff_multiplier": 0.99},
        {"backoff_multiplier": 10.01},
        {"backoff_multiplier": float("nan")},
        {"initial_delay_seconds": 0},
        {"initial_delay_seconds": 3601},
        {"schedule": (5, 0)},
        {"schedule": (36_001,)},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is 1|is 0"):
        RetryPolicy(**settings)


def test_impossible_outcomes_and_attempts_are_refused() -> None:
    with pytest.raises(ValueError, match="either"):
        Outcome()
    with pytest.raises(ValueError, match="either"):
        Outcome(200, ErrorKind.TIMEOUT)
    with pytest.raises(ValueError, match="from 1"):
        middle(Outcome(500), 0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("00120", 120),
        ("999999999999", 999_999_999_999),
        ("Mon, 23 Nov 2026 12:02:00 GMT", 120),
        ("Monday, 23-Nov-26 12:02:00 GMT", 120),
        ("Mon Nov 23 12:02:00 2026", 120),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        (None, None),
        ("", None),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("1e3", None),
        ("\u00b2", None),
        ("\u0661\u0662", None),
        ("9" * 5000, None),
        ("soon", None),
        ("120, 240", None),
        ("Mon, 32 Nov 2026 12:02:00 GMT", None),
        ("Mon, 23 Nov 99999 12:02:00 GMT", None),
        ("Mon, 23 Nov 2026 12:02:00 +99999999999", None),
    ],
)
def test_retry_after_in_all_its_forms(value: str | None, seconds: int | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.text() | st.text("0123456789 ,:-+GMTNovMon", max_size=40))
def test_no_retry_after_breaks_the_parser(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(0, 10**8))
def test_a_date_means_the_seconds_until_then(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert parse_retry_after(date, NOW) == seconds
