"""The settings and the report of `make load`."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.load import report
from benchmarks.load.options import Refused, is_local, other_subscribers, percentile, read

LOCAL = "http://127.0.0.1:8787"
REMOTE = "https://abc.execute-api.us-east-1.amazonaws.com"
HOST = "abc.execute-api.us-east-1.amazonaws.com"


def test_defaults_are_a_minute_on_the_running_stack() -> None:
    options = read({}, LOCAL)

    assert (options.url, options.minutes, options.receiver, options.receiver_port) == (LOCAL, 1, None, 0)
    assert (options.publishers, options.readers) == (5, 5)


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, "no stack is running"),
        ({"URL": "ftp://127.0.0.1"}, "must be an http or https address"),
        ({"URL": REMOTE}, f"add REMOTE={HOST}"),
        ({"URL": REMOTE, "REMOTE": "another.example"}, "is not this machine"),
        ({"URL": REMOTE, "REMOTE": HOST}, "cannot reach a receiver on 127.0.0.1"),
        ({"URL": LOCAL, "RATE": "fast"}, "RATE must be a number from 0.1 to 10,000, not 'fast'"),
        ({"URL": LOCAL, "USERS": "0"}, "USERS must be a number from 1"),
        ({"URL": LOCAL, "MINUTES": "nan"}, "MINUTES must be a number"),
        ({"URL": LOCAL, "RECEIVER_PORT": "-1"}, "RECEIVER_PORT must be a number"),
    ],
)
def test_refuses_what_it_cannot_or_should_not_run(environment: dict[str, str], reason: str) -> None:
    with pytest.raises(Refused) as refused:
        read(environment, None)

    assert reason in str(refused.value)


def test_runs_elsewhere_if_the_host_is_named_and_a_receiver_given() -> None:
    given = {"URL": REMOTE + "/", "REMOTE": HOST, "RECEIVER": "https://receiver.example/hook"}

    assert read(given, None).receiver_port is None
    assert read({**given, "RECEIVER_PORT": "8899"}, None).receiver_port == 8899


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("localhost.example", False),
        ("127.0.0.1.example", False),
    ],
)
def test_only_loopback_is_local(host: str, local: bool) -> None:
    assert is_local(host) is local


def test_finds_webhooks_that_would_get_the_events() -> None:
    webhooks = [
        {"name": "all", "eventTypes": ["*"]},
        {"name": "posts", "eventTypes": ["CAMPAIGN_STARTED", "POST_PUBLISHED"]},
        {"name": "campaigns", "eventTypes": ["CAMPAIGN_STARTED"]},
    ]

    assert other_subscribers(webhooks) == ["all", "posts"]


@pytest.mark.parametrize(("percent", "expected"), [(50, 2), (95, 4), (100, 4), (1, 1)])
def test_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([1, 2, 3, 4], percent) == expected
    assert percentile([], percent) is None


# ── the report ───────────────────────────────────────────────────────────────────────────────────────


def measured(**changes: Any) -> dict[str, Any]:
    found = {
        "options": {"url": LOCAL, "users": 4, "rate": 5.0, "webhooks": 2},
        "at": "2026-11-28 03:00",
        "seconds": 2.0,
        "published": 10,
        "expected": 20,
        "arrived": 20,
        "duplicates": 0,
        "foreign": 0,
        "requests": 12,
        "failures": 0,
        "errors": [],
        "delivery": {"p50": 40.0, "p95": 80.0, "p99": 90.0, "p100": 12_000.0},
        "routes": [
            {
                "name": "POST /api/events",
                "requests": 10,
                "failures": 0,
                "p50": 9,
                "p95": 10,
                "p99": 11,
                "max": 12,
            }
        ],
    }
    return {**found, **changes}


def sample(at: float, total: int, p95: float | None) -> dict[str, Any]:
    return {
        "at": at,
        "users": 4,
        "published": total,
        "arrived": 2 * total,
        "requests": total,
        "failures": 0,
        "delivery_p50": p95,
        "delivery_p95": p95,
        "response_p50": 5.0,
        "response_p95": 9.0,
    }


SAMPLES = [sample(1, 4, 50.0), sample(2, 10, None), sample(3, 10, 70.0)]


def test_report_has_plots_and_loads_nothing() -> None:
    page = report.page(measured(), SAMPLES)

    assert page.count("<svg") == 4
    assert "20 of 20 arrived" in page
    assert not any(mark in page for mark in ("src=", "@import", "url(", "http-equiv", "<script"))


def test_report_escapes_what_the_stack_said() -> None:
    page = report.page(measured(errors=[["<b>", 2]], failures=2), SAMPLES)

    assert "<b>:" not in page
    assert "2 × &lt;b&gt;" in page
    assert "2 of 12 requests failed." in page


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"arrived": 19}, "1 of 20 deliveries did not arrive."),
        ({"failures": 3}, "3 of 12 requests failed."),
        ({"published": 0, "expected": 0, "arrived": 0}, "No event was published."),
    ],
)
def test_problems_fail_the_run(changes: dict[str, Any], problem: str) -> None:
    assert report.problems(measured(**changes)) == [problem]
    assert problem in report.text(measured(**changes))


def test_summary_says_how_times_were_taken() -> None:
    assert "by one clock" in report.text(measured())
    assert "longest 12.0 s" in report.text(measured())
    assert "createdAt to deliveredAt" in report.text(measured(expected=None))


def test_progress_is_of_the_last_second() -> None:
    line = report.progress(SAMPLES[:2])

    assert line.startswith(
        "0:02  users 4  requests 6/s p95 9 ms  published 10 (6/s)  delivered 20 (12/s) p95 –"
    )


@pytest.mark.parametrize(("highest", "top"), [(0, 1), (0.7, 0.8), (7, 8), (24, 24), (25, 32), (1000, 1000)])
def test_axis_ends_at_a_round_value(highest: float, top: float) -> None:
    assert report._round_up(highest) == pytest.approx(top)
