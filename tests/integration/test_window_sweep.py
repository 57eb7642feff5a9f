"""Rate-limit windows that are over: swept by the worker of template.yaml, and without meaning before that."""

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


class Time:
    """A Lambda context whose time is over when it was looked at so many times."""

    def __init__(self, looks: int = 1_000) -> None:
        self._left = looks

    def get_remaining_time_in_millis(self) -> int:
        self._left -= 1
        return 60_000 if self._left >= 0 else 1_000


def sweep(context: Any = None) -> int:
    """One run of the worker; how many rows it says it deleted."""
    handler = importlib.import_module("workers.sweep_windows").handler
    deleted: int = handler({}, context or Time())["deleted"]
    return deleted


def put(row_id: str, ends_ms: int, **counts: int) -> None:
    dynamo.put(settings().rate_limits_table, {"id": row_id, "ttl": ends_ms // 1000, **counts})


def ids(backend: Backend) -> set[str]:
    return {row["id"] for row in backend.rows("RateLimitsTable")}


def test_rows_that_ended_more_than_two_days_ago_are_deleted_and_no_others(
    backend: Backend, clock: Clock
) -> None:
    old = clock.now - 2 * DAYS
    for at in range(40):
        put(f"requests#old-{at}", old - 1_000 - at * DAYS, mw=1, mn=1, mp=0)
    put("requests#at-two-days", old, mw=1, mn=1, mp=0)
    put("requests#ended", clock.now - 1_000, mw=1, mn=1, mp=0)
    put("requests#alive", clock.now + 1_000, mw=1, mn=1, mp=0)
    dynamo.put(settings().rate_limits_table, {"id": "requests#endless"})
    assert sweep() == 40
    left = {"requests#at-two-days", "requests#ended", "requests#alive", "requests#endless"}
    assert ids(backend) == left
    assert sweep() == 0
    assert ids(backend) == left


def test_what_real_use_leaves_behind_goes_two_days_after_its_end(
    api: Api, backend: Backend, clock: Clock
) -> None:
    """A row's life: counted by the endpoint and by a limiter, ended, past TTL, and swept."""
    ceilings.clear_cache()
    assert api("GET /api/integrations/webhooks").status == 200
    Limiter().admit("integration#int_1", QUOTAS)
    counted = ids(backend)
    assert counted == {"requests#acme", "integration#int_1"}
    ends = Counter(row["ttl"] for row in backend.rows("RateLimitsTable"))
    for ttl in sorted(ends):
        clock.now = ttl * 1000 + 2 * DAYS
        assert sweep() == 0
        clock.move(1)
        assert sweep() == ends[ttl]
    assert ids(backend) == set()


def test_a_row_that_is_counted_in_again_before_the_delete_stays(backend: Backend, clock: Clock) -> None:
    limiter = Limiter()
    limiter.admit("integration#int_1", QUOTAS)
    clock.move(9 * 86_400)
    with meanwhile("dynamodb.DeleteItem", lambda: limiter.admit("integration#int_1", QUOTAS, 2)):
        assert sweep() == 0, "it was not deleted"
    (row,) = backend.rows("RateLimitsTable")
    assert (row["hn"], row["dn"]) == (2, 2)
    assert row["ttl"] * 1000 > clock.now
    assert sweep() == 0


def test_a_row_that_another_run_deleted_first_does_no_harm(backend: Backend, clock: Clock) -> None:
    put("requests#old", clock.now - 3 * DAYS)
    table = settings().rate_limits_table
    with meanwhile("dynamodb.DeleteItem", lambda: dynamo.delete(table, {"id": "requests#old"})):
        assert sweep() == 0
    assert ids(backend) == set()


def test_a_run_without_time_deletes_what_it_can_and_the_next_goes_on(
    backend: Backend, clock: Clock, logs: Any
) -> None:
    """Each run begins at another part, so that none of them is never reached."""
    for at in range(60):
        put(f"requests#old-{at}", clock.now - 3 * DAYS)
    assert sweep(Time(looks=0)) == 0
    assert len(ids(backend)) == 60
    assert "the next run goes on" in logs.getvalue()
    deleted, runs = 0, 0
    while ids(backend):
        deleted += sweep(Time(looks=3))
        runs += 1
        assert deleted == 60 - len(ids(backend))
        assert runs < 500, "some rows are never reached"
    assert runs > 1, "one run had not the time for all"


def test_a_run_that_dies_leaves_the_rest_to_the_next(backend: Backend, clock: Clock) -> None:
    for at in range(6):
        put(f"requests#old-{at}", clock.now - 3 * DAYS)
    with failing("dynamodb.DeleteItem", at=3), pytest.raises(Exception, match="ProvisionedThroughput"):
        sweep()
    assert len(ids(backend)) == 4
    assert sweep() == 4


def test_every_page_is_read(backend: Backend, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than an answer holds: DynamoDB gives 1 MB at a time, of which the filter may leave nothing."""
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
def test_an_old_row_changes_no_admission_swept_or_not(backend: Backend, clock: Clock, swept: bool) -> None:
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
    assert admitted(known) == 2, "of the day"
    # Full to the end, and in its last hour: but over.
    clock.move(10 * 86_400)
    assert (sweep() if swept else 0) == swept
    assert admitted(known) == 3, "to the process that filled it"
    clock.move(10 * 86_400)
    assert (sweep() if swept else 0) == swept
    assert admitted(Limiter()) == 3, "and to one that never saw it"
