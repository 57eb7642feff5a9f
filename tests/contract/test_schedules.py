"""Each schedule of the template has tests that move a clock past its due times.

The tests themselves are with their feature. Here is the list of them: a schedule without one fails, and so
does a test that moves no clock or does not run the schedule's handler.
"""

from __future__ import annotations

import ast
from functools import cache

import pytest

from local import schedules
from local.settings import ROOT
from local.template import Template

TEMPLATE = Template(
    ROOT / "template.yaml", {"JwksUrl": "https://platform.example/jwks", "PlatformWorkspaceId": "platform"}
)
SCHEDULED = {each.function: TEMPLATE.functions()[each.function].handler for each in schedules.read(TEMPLATE)}

# Function → what it does when the clock has moved: file under tests/integration, test.
PROOFS: dict[str, dict[str, tuple[str, str]]] = {
    "SweepDeliveriesFunction": {
        "queues a parked retry when it is due, and not before": (
            "test_delivery.py",
            "test_long_wait_is_parked_in_table",
        ),
        "visits a webhook again at the next run": (
            "test_delivery.py",
            "test_webhook_is_due_again_at_next_sweep",
        ),
        "queues a stalled fan-out again": ("test_fan_out.py", "test_sweeper_requeues_a_stalled_fan_out"),
        "sends a retry again whose message was lost": (
            "test_disable_and_recover.py",
            "test_sweeper_sends_retry_with_lost_message",
        ),
        "removes a temporary webhook that has expired": (
            "test_feeds.py",
            "test_expired_webhook_is_gone_at_once_and_removed_by_the_sweeper",
        ),
        "advances a replay": ("test_replay.py", "test_replay_sends_failed_deliveries_of_a_time_range"),
    },
    "RollUpStatsFunction": {
        "rolls up an hour 15 minutes after its end": (
            "test_roll_up.py",
            "test_hour_is_rolled_up_15_minutes_after_its_end",
        ),
    },
    "RefreshConnectionsFunction": {
        "refreshes a token when it is due, and not before": (
            "test_refresh.py",
            "test_maintenance_refreshes_only_what_is_due",
        ),
    },
    "SweepRunsFunction": {
        "ends a run without an answer after 15 minutes, not after 14": (
            "test_runs.py",
            "test_run_without_an_answer_fails",
        ),
        "announces a run again after a minute": (
            "test_runs.py",
            "test_sweep_repeats_a_failed_announcement",
        ),
    },
    "ExpireKeysFunction": {
        "announces an expiry 7 days and 1 day before it": (
            "test_api_key_expiry.py",
            "test_hourly_schedule_announces_expiry_once_7_days_and_1_day_before",
        ),
        "removes an expired key from the count": (
            "test_api_key_expiry.py",
            "test_expired_key_is_uncounted_and_stays_listed_for_30_days",
        ),
    },
    "SweepWindowsFunction": {
        "deletes windows two days after they expired": (
            "test_window_sweep.py",
            "test_rows_of_real_requests_are_deleted_two_days_after_expiry",
        ),
    },
}


def test_each_schedule_has_a_proof() -> None:
    assert {function for function, proofs in PROOFS.items() if proofs} == SCHEDULED.keys()


@cache
def _functions(file: str) -> dict[str, str]:
    """The source of each function and class of a test module, and of its conftest."""
    found: dict[str, str] = {}
    for name in ("conftest.py", file):
        text = (ROOT / "tests/integration" / name).read_text()
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found[node.name] = ast.get_source_segment(text, node) or ""
    return found


def _reachable(file: str, test: str) -> str:
    """The source of a test and of everything in its module and its conftest that it names."""
    functions = _functions(file)
    taken, names = "", [test]
    seen: set[str] = set()
    while names:
        name = names.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        taken += functions[name]
        names += [
            node.id if isinstance(node, ast.Name) else node.arg
            for node in ast.walk(ast.parse(functions[name]))
            if isinstance(node, ast.Name | ast.arg)
        ]
    return taken


@pytest.mark.parametrize(
    ("function", "what"), [(function, what) for function, proofs in PROOFS.items() for what in proofs]
)
def test_proof_moves_a_clock_and_runs_the_schedule(function: str, what: str) -> None:
    file, test = PROOFS[function][what]
    assert test in _functions(file), f"{file} has no {test}"
    source = _reachable(file, test)
    assert "clock.move(" in source or "clock.now +=" in source or "clock.now =" in source
    module = SCHEDULED[function].removesuffix(".handler")
    text = (ROOT / "tests/integration" / file).read_text() + source
    assert module in text, f"{file} does not run {module}"
