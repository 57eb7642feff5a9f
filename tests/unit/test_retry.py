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
    Fail,
    Outcome,
    Plan,
    ReceiverMessage,
    Retry,
    RetryPolicy,
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

jitters = st.floats(0, 1)
policies = st.builds(
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


def plan_without_jitter(outcome: Outcome, attempt: int = 1, policy: RetryPolicy = DEFAULT) -> Plan:
    return plan(outcome, attempt, policy, lambda: 0.5)


@pytest.mark.parametrize("status", range(200, 300))
def test_2xx_is_delivered(status: int) -> None:
    assert plan_without_jitter(Outcome(status)) == Delivered()


@pytest.mark.parametrize("status", [408, 425, 429, *range(500, 600)])
def test_retryable_status_codes_are_retried(status: int) -> None:
    assert plan_without_jitter(Outcome(status)) == Retry(30, f"http_{status}")


@pytest.mark.parametrize("error", RETRIED_ERRORS)
def test_retryable_errors_are_retried(error: ErrorKind) -> None:
    assert plan_without_jitter(Outcome(error=error)) == Retry(30, error.value)


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
def test_other_outcomes_fail_the_delivery_without_retry(outcome: Outcome, reason: str) -> None:
    assert plan_without_jitter(outcome) == Fail(reason)


@pytest.mark.parametrize("attempt", [1, 4, 9])
def test_410_disables_the_webhook_on_any_attempt(attempt: int) -> None:
    assert plan_without_jitter(Outcome(410), attempt) == DisableWebhook("endpoint_gone")


N8N_POLICY = RetryPolicy(schedule=SCHEDULES["standard"], retries_not_found=True)


@pytest.mark.parametrize(
    ("outcome", "attempt", "seconds", "expected"),
    [
        (Outcome(404), 1, 0, Retry(5, "http_404")),
        (Outcome(404), 4, 9999, Retry(7200, "http_404")),
        (Outcome(404), 8, 9999, Fail("retries_exhausted:http_404")),
        (Outcome(404, message=ReceiverMessage.NOT_REGISTERED), 1, 0, Retry(5, "not_registered")),
        (Outcome(404, message=ReceiverMessage.NOT_REGISTERED), 2, 179, Retry(300, "not_registered")),
        (Outcome(404, message=ReceiverMessage.NOT_REGISTERED), 6, 0, Retry(300, "not_registered")),
        (Outcome(404, message=ReceiverMessage.NOT_REGISTERED), 3, 180, DisableWebhook("endpoint_not_found")),
        (
            Outcome(404, message=ReceiverMessage.NOT_REGISTERED),
            8,
            0,
            Fail("retries_exhausted:not_registered"),
        ),
        (Outcome(200, message=ReceiverMessage.STARTING), 1, 9999, Retry(5, "receiver_starting")),
        (Outcome(200, message=ReceiverMessage.STARTING), 5, 0, Retry(18000, "receiver_starting")),
        (Outcome(200, message=ReceiverMessage.STARTING), 8, 0, Fail("retries_exhausted:receiver_starting")),
    ],
)
def test_n8n_messages_retry_or_disable_the_webhook(
    outcome: Outcome, attempt: int, seconds: int, expected: Plan
) -> None:
    assert plan(outcome, attempt, N8N_POLICY, lambda: 0.5, not_registered_seconds=seconds) == expected


NOT_REGISTERED_TEXT = 'The requested webhook "POST 5f/webhook" is not registered.'


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            404,
            json.dumps({"code": 404, "message": NOT_REGISTERED_TEXT, "hint": "…"}),
            ReceiverMessage.NOT_REGISTERED,
        ),
        (
            404,
            json.dumps({"message": NOT_REGISTERED_TEXT.replace("POST ", "")}),
            ReceiverMessage.NOT_REGISTERED,
        ),
        (
            404,
            '{"message": "This webhook is not registered for POST requests. Did you mean to make a GET …?"}',
            ReceiverMessage.NOT_REGISTERED,
        ),
        (200, "n8n is starting up. Please wait", ReceiverMessage.STARTING),
        (404, NOT_REGISTERED_TEXT, None),
        (404, f"<html>{NOT_REGISTERED_TEXT}</html>", None),
        (404, json.dumps([NOT_REGISTERED_TEXT]), None),
        (404, json.dumps({"message": [NOT_REGISTERED_TEXT]}), None),
        (404, json.dumps({"detail": NOT_REGISTERED_TEXT}), None),
        (404, json.dumps({"message": f"nginx: {NOT_REGISTERED_TEXT}"}), None),
        (404, json.dumps({"message": "Not Found"}), None),
        (404, json.dumps({"message": NOT_REGISTERED_TEXT})[:-2], None),  # cut off
        (404, "", None),
        (404, "null", None),
        (404, "[" * 16_384, None),
        (404, '{"message":' * 1_400, None),
        (404, "9" * 16_384, None),
        (404, "n8n is starting up. Please wait", None),
        (200, json.dumps({"message": NOT_REGISTERED_TEXT}), None),
        (500, json.dumps({"message": NOT_REGISTERED_TEXT}), None),
        (None, "", None),
    ],
)
def test_only_messages_of_n8n_itself_are_recognized(
    status: int | None, body: str, message: ReceiverMessage | None
) -> None:
    assert n8n.receiver_message(status, body) is message


def test_default_policy_retries_after_30_60_and_120_seconds() -> None:
    delays = [plan_without_jitter(Outcome(500), attempt) for attempt in (1, 2, 3, 4)]
    assert delays == [
        Retry(30, "http_500"),
        Retry(60, "http_500"),
        Retry(120, "http_500"),
        Fail("retries_exhausted:http_500"),
    ]


def test_standard_schedule_retries_seven_times_and_then_fails() -> None:
    assert STANDARD.max_attempts == 8
    delays = [plan_without_jitter(Outcome(500), attempt, STANDARD) for attempt in range(1, 8)]
    assert delays == [Retry(step, "http_500") for step in SCHEDULES["standard"]]
    assert plan_without_jitter(Outcome(500), 8, STANDARD) == Fail("retries_exhausted:http_500")


def test_zero_retries_allow_one_attempt() -> None:
    policy = RetryPolicy(max_retries=0)
    assert plan_without_jitter(Outcome(error=ErrorKind.TIMEOUT), 1, policy) == Fail(
        "retries_exhausted:timeout"
    )


def test_jitter_is_random_by_default() -> None:
    delays = set()
    for _ in range(200):
        planned = plan(Outcome(500), 1, RetryPolicy(initial_delay_seconds=1000))
        assert isinstance(planned, Retry)
        assert 800 <= planned.delay_seconds <= 1200
        delays.add(planned.delay_seconds)
    assert len(delays) > 20


@given(outcome=retried, attempt=st.integers(1, 16), policy=policies, jitter=jitters)
def test_delay_respects_jitter_retry_after_and_maximum(
    outcome: Outcome, attempt: int, policy: RetryPolicy, jitter: float
) -> None:
    planned = plan(outcome, attempt, policy, lambda: jitter)
    if attempt >= policy.max_attempts:
        assert planned == Fail(f"retries_exhausted:{outcome.reason}")
        return
    assert isinstance(planned, Retry)
    assert 1 <= planned.delay_seconds <= MAX_DELAY_SECONDS
    step = policy.step_seconds(attempt)
    assert planned.delay_seconds >= int(step * 0.8)
    if outcome.retry_after is None:
        assert planned.delay_seconds <= step * 1.2 + 1
    else:
        minimum = min(outcome.retry_after, MAX_DELAY_SECONDS)
        assert planned.delay_seconds >= minimum
        assert planned.delay_seconds <= max(step, minimum) * 1.2 + 1


@given(policy=policies, jitter=jitters)
def test_delays_never_decrease(policy: RetryPolicy, jitter: float) -> None:
    delays = []
    for attempt in range(1, policy.max_attempts):
        planned = plan(Outcome(500), attempt, policy, lambda: jitter)
        assert isinstance(planned, Retry)
        delays.append(planned.delay_seconds)
    assert delays == sorted(delays)
    assert all(policy.step_seconds(n) <= MAX_STEP_SECONDS for n in range(1, policy.max_attempts))


@given(outcomes=st.lists(retried, min_size=20, max_size=20), policy=policies)
def test_attempts_never_exceed_the_configured_maximum(outcomes: list[Outcome], policy: RetryPolicy) -> None:
    attempts = 0
    for outcome in outcomes:
        attempts += 1
        if not isinstance(plan_without_jitter(outcome, attempts, policy), Retry):
            break
    assert attempts == policy.max_attempts
    assert attempts == 1 + (7 if policy.schedule else policy.max_retries)


@given(
    outcome=retried | st.builds(Outcome, status_code=st.integers(100, 999)),
    attempt=st.integers(1, 20),
    policy=policies,
    jitter=jitters,
)
def test_plan_is_deterministic(outcome: Outcome, attempt: int, policy: RetryPolicy, jitter: float) -> None:
    first = plan(outcome, attempt, policy, lambda: jitter)
    assert first == plan(outcome, attempt, policy, lambda: jitter)


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
def test_policy_rejects_values_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be [01] to"):
        RetryPolicy(**settings)


def test_invalid_outcomes_and_attempt_numbers_are_rejected() -> None:
    with pytest.raises(ValueError, match="either"):
        Outcome()
    with pytest.raises(ValueError, match="either"):
        Outcome(200, ErrorKind.TIMEOUT)
    with pytest.raises(ValueError, match="start at 1"):
        plan_without_jitter(Outcome(500), 0)


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
def test_parse_retry_after(value: str | None, seconds: int | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@given(st.text() | st.text("0123456789 ,:-+GMTNovMon", max_size=40))
def test_parse_retry_after_accepts_any_text(value: str) -> None:
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0


@given(st.integers(0, 10**8))
def test_parse_retry_after_converts_a_date_to_seconds(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert parse_retry_after(date, NOW) == seconds
