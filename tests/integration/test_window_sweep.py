"""Expired rate-limit windows: the scheduled worker deletes them, and until then they have no effect."""

from __future__ import annotations

import importlib
from collections import Counter
from typing import Any

import pytest

from patchbay.rate_limits import ceilings, sweeper
from patchbay.rate_limits.limiter import Limiter, QuotaExceeded
from patchbay.rate_limits.sliding_window import DAY, HOUR, Quota
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.conftest import Api, Backend
from tests.faults import Clock, failing, meanwhile

HOURS, DAYS = HOUR.length_ms, DAY.length_ms
QUOTAS = [Quota(HOUR, 3), Quota(DAY, 5)]


@pytest.fixture
def clock(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(monkeypatch)
    clock.now = clock.now // DAYS * DAYS + 10 * HOURS
    return clock


class Context:
    """A Lambda context whose time runs out after a number of checks."""

    def __init__(self, checks: int = 1_000) -> None:
        self._left = checks

    def get_remaining_time_in_millis(self) -> int:
        self._left -= 1
        return 60_000 if self._left >= 0 else 1_000


def sweep(context: Any = None) -> int:
    """Run the worker once. Returns the number of rows that it reports as deleted."""
    handler = importlib.import_module("workers.sweep_windows").handler
    deleted: int = handler({}, context or Context())["deleted"]
    return deleted


def put_row(row_id: str, ends_ms: int, **counts: int) -> None:
    dynamo.put(settings().rate_limits_table, {"id": row_id, "ttl": ends_ms // 1000, **counts})


def row_ids(backend: Backend) -> set[str]:
    return {row["id"] for row in backend.rows("RateLimitsTable")}


def test_sweep_deletes_only_rows_expired_more_than_two_days_ago(backend: Backend, clock: Clock) -> None:
    old = clock.now - 2 * DAYS
    for at in range(40):
        put_row(f"requests#old-{at}", old - 1_000 - at * DAYS, mw=1, mn=1, mp=0)
    put_row("requests#at-two-days", old, mw=1, mn=1, mp=0)
    put_row("requests#ended", clock.now - 1_000, mw=1, mn=1, mp=0)
    put_row("requests#alive", clock.now + 1_000, mw=1, mn=1, mp=0)
    dynamo.put(settings().rate_limits_table, {"id": "requests#endless"})
    assert sweep() == 40
    left = {"requests#at-two-days", "requests#ended", "requests#alive", "requests#endless"}
    assert row_ids(backend) == left
    assert sweep() == 0
    assert row_ids(backend) == left


def test_rows_of_real_requests_are_deleted_two_days_after_expiry(
    api: Api, backend: Backend, clock: Clock
) -> None:
    """The API and a limiter create rows, which expire, pass their TTL, and are swept."""
    ceilings.clear_cache()
    assert api("GET /api/integrations/webhooks").status == 200
    Limiter().admit("integration#int_1", QUOTAS)
    counted = row_ids(backend)
    assert counted == {"requests#acme", "integration#int_1"}
    ends = Counter(row["ttl"] for row in backend.rows("RateLimitsTable"))
    for ttl in sorted(ends):
        clock.now = ttl * 1000 + 2 * DAYS
        assert sweep() == 0
        clock.move(1)
        assert sweep() == ends[ttl]
    assert row_ids(backend) == set()


def test_row_used_again_before_the_delete_is_kept(backend: Backend, clock: Clock) -> None:
    limiter = Limiter()
    limiter.admit("integration#int_1", QUOTAS)
    clock.move(9 * 86_400)
    with meanwhile("dynamodb.DeleteItem", lambda: limiter.admit("integration#int_1", QUOTAS, 2)):
        assert sweep() == 0
    (row,) = backend.rows("RateLimitsTable")
    assert (row["hn"], row["dn"]) == (2, 2)
    assert row["ttl"] * 1000 > clock.now
    assert sweep() == 0


def test_row_deleted_by_another_run_is_ignored(backend: Backend, clock: Clock) -> None:
    put_row("requests#old", clock.now - 3 * DAYS)
    table = settings().rate_limits_table
    with meanwhile("dynamodb.DeleteItem", lambda: dynamo.delete(table, {"id": "requests#old"})):
        assert sweep() == 0
    assert row_ids(backend) == set()


def test_run_out_of_time_is_continued_by_the_next_run(backend: Backend, clock: Clock, logs: Any) -> None:
    """Each run starts at a random part, so every part is reached eventually."""
    for at in range(60):
        put_row(f"requests#old-{at}", clock.now - 3 * DAYS)
    assert sweep(Context(checks=0)) == 0
    assert len(row_ids(backend)) == 60
    assert "the next run continues" in logs.getvalue()
    deleted, runs = 0, 0
    while row_ids(backend):
        deleted += sweep(Context(checks=3))
        runs += 1
        assert deleted == 60 - len(row_ids(backend))
        assert runs < 500, "some rows are not reached"
    assert runs > 1, "one run did not have enough time for all rows"


def test_failed_run_leaves_the_rest_to_the_next_run(backend: Backend, clock: Clock) -> None:
    for at in range(6):
        put_row(f"requests#old-{at}", clock.now - 3 * DAYS)
    with failing("dynamodb.DeleteItem", at=3), pytest.raises(Exception, match="ProvisionedThroughput"):
        sweep()
    assert len(row_ids(backend)) == 4
    assert sweep() == 4


def test_sweep_reads_every_page(backend: Backend, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table exceeds one page: DynamoDB reads 1 MB at a time, and the filter may drop all of it."""
    monkeypatch.setattr(sweeper, "_PARTS", 1)
    table = settings().rate_limits_table
    for at in range(10):
        old, alive = clock.now - 3 * DAYS, clock.now + DAYS
        dynamo.put(table, {"id": f"old-{at}", "ttl": old // 1000, "x": "x" * 200_000})
        dynamo.put(table, {"id": f"alive-{at}", "ttl": alive // 1000, "x": "x" * 200_000})
    backend.calls.clear()
    assert sweep() == 10
    assert backend.calls.count["dynamodb.Scan"] > 3
    assert {dynamo.get(table, {"id": f"old-{at}"}) for at in range(10)} == {None}
    assert all(dynamo.get(table, {"id": f"alive-{at}"}) for at in range(10))


@pytest.mark.parametrize("swept", [True, False])
def test_expired_row_does_not_affect_admission(backend: Backend, clock: Clock, swept: bool) -> None:
    def admitted(limiter: Limiter) -> int:
        count = 0
        try:
            while True:
                limiter.admit("integration#int_1", QUOTAS)
                count += 1
        except QuotaExceeded:
            return count

    known = Limiter()
    assert admitted(known) == 3
    clock.move(2 * 3_600)
    assert admitted(known) == 2, "the day limit"
    # Both windows are full, but expired.
    clock.move(10 * 86_400)
    assert (sweep() if swept else 0) == swept
    assert admitted(known) == 3, "in the process that filled it"
    clock.move(10 * 86_400)
    assert (sweep() if swept else 0) == swept
    assert admitted(Limiter()) == 3, "and in a process that never saw it"
