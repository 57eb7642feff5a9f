"""The hourly roll-up of first-attempt successes, and reads of the hours that are not rolled up."""

from __future__ import annotations

import pytest

from patchbay import catalogue
from patchbay.clock import from_ms, iso
from patchbay.deliveries import roll_up, store
from patchbay.settings import settings
from patchbay.stats import store as stats_store
from patchbay.stats.counters import HOUR_MS, AttemptCounts
from patchbay.storage import dynamo
from patchbay.storage.due_index import IncompleteRun
from tests.conftest import LAMBDA_CONTEXT
from tests.faults import REFUSED, dying, failing, killed, meanwhile
from tests.integration.conftest import WEBHOOKS, Pipeline
from tests.integration.ledger import MINUTE, Ledger, total_of
from tests.receivers import receiver
from workers.roll_up_stats import handler


@pytest.fixture
def ledger(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(roll_up, "_CHUNK", 3)
    ledger = Ledger(pipeline)
    stats_store.set_rolled_through(ledger.hour - 2)
    return ledger


def test_stats_are_the_same_before_and_after_a_roll_up(ledger: Ledger) -> None:
    last = ledger.hour - 1
    ledger.deliver(7, last)
    ledger.deliver(4, ledger.hour)
    ledger.deliver(2, last, webhook=1)
    ledger.count(last * HOUR_MS + 1, reason="http_500")
    ledger.count(last * HOUR_MS + 2)
    ledger.deliver(1, last, counted=True)  # the success that was counted above
    ledger.deliver(1, last, status="SENDING")
    before = ledger.stats()
    assert [(stats["delivered"], stats["failed"]) for stats in before] == [(12, 1), (2, 0)]
    assert before[0]["lastDeliveryAt"] == iso(from_ms(ledger.hour * HOUR_MS + 3 * MINUTE + 40))
    assert before[0]["latencyMs"]["p50"] < 50 < before[0]["latencyMs"]["p95"]
    assert handler({}, LAMBDA_CONTEXT) == {"rolledUp": 9}
    assert ledger.stats() == before
    assert len(ledger.rows()) == 2
    assert handler({}, LAMBDA_CONTEXT) == {"rolledUp": 0}
    assert ledger.stats() == before


def test_hour_is_rolled_up_15_minutes_after_its_end(ledger: Ledger) -> None:
    ledger.deliver(2, ledger.hour - 1)
    ledger.clock.move(-6 * 60)
    assert ledger.roll_up() == 0
    assert ledger.delivered() == 2
    ledger.clock.move(60)
    assert ledger.roll_up() == 2
    assert ledger.delivered() == 2


@pytest.mark.parametrize("call", range(1, 19))
def test_run_that_crashes_before_a_call_counts_every_success_once(ledger: Ledger, call: int) -> None:
    ledger.deliver(7, ledger.hour - 1)
    ledger.deliver(2, ledger.hour - 1, webhook=1)
    with dying(call) as process:
        ledger.roll_up()
    assert process.died
    assert ledger.delivered() == 9
    ledger.roll_up()
    assert ledger.delivered() == 9
    assert ledger.rolled_through() == ledger.hour - 1
    assert ledger.total() == {"attempts": 9, "delivered": 9, "failed": 0}


@pytest.mark.parametrize("write", range(1, 6))
def test_run_that_crashes_after_a_write_counts_every_success_once(ledger: Ledger, write: int) -> None:
    ledger.deliver(7, ledger.hour - 1)
    ledger.deliver(2, ledger.hour - 1, webhook=1)
    with killed("dynamodb.UpdateItem", at=write, after=True):
        ledger.roll_up()
    assert ledger.delivered() == 9
    ledger.roll_up()
    assert ledger.delivered() == 9


def test_run_that_crashes_after_a_total_stores_it_again(ledger: Ledger) -> None:
    ledger.deliver(7, ledger.hour - 1)
    with killed("dynamodb.PutItem", at=1, after=True):
        ledger.roll_up()
    assert ledger.rolled_through() == ledger.hour - 2
    ledger.roll_up()
    assert ledger.total() == {"attempts": 7, "delivered": 7, "failed": 0}
    assert ledger.rolled_through() == ledger.hour - 1


@pytest.mark.parametrize("write", range(1, 6))
def test_concurrent_runs_count_every_success_once(ledger: Ledger, write: int) -> None:
    ledger.deliver(7, ledger.hour - 1)
    ledger.deliver(2, ledger.hour - 1, webhook=1)
    rolled_up = []
    with meanwhile("dynamodb.UpdateItem", lambda: rolled_up.append(ledger.roll_up()), at=write):
        rolled_up.append(ledger.roll_up())
    assert sum(rolled_up) == 9
    assert ledger.delivered() == 9
    assert ledger.total() == {"attempts": 9, "delivered": 9, "failed": 0}


def test_write_with_a_lost_response_counts_once(ledger: Ledger) -> None:
    ledger.deliver(7, ledger.hour - 1)
    with failing("dynamodb.UpdateItem", lost=True, tries=1):
        ledger.roll_up()
    assert ledger.delivered() == 7


def test_run_out_of_time_is_continued_by_the_next_run(ledger: Ledger) -> None:
    ledger.deliver(10, ledger.hour - 1)
    remaining = iter([20_000, 20_000, 10_000])
    with pytest.raises(IncompleteRun):
        ledger.roll_up(lambda: next(remaining))
    assert ledger.delivered() == 10
    (row,) = ledger.rows()
    assert row["delivered"] == 6
    assert ledger.roll_up() == 4
    assert ledger.delivered() == 10


def test_webhook_that_cannot_be_read_does_not_delay_others(ledger: Ledger) -> None:
    last = ledger.hour - 1
    for webhook in (0, 1):
        ledger.deliver(2, last, webhook=webhook)
    ledger.deliver(1, ledger.hour)
    ledger.clock.move(3600)
    with (
        failing("dynamodb.Query", error=REFUSED, where=f'"{ledger.key(0)}"'),
        pytest.raises(IncompleteRun, match="1 webhooks"),
    ):
        ledger.roll_up()
    assert [row["webhookKey"] for row in ledger.rows()] == [ledger.key(1)]
    assert ledger.rolled_through() == last - 1  # so the other webhook's next hour waits too
    assert ledger.delivered() == 5
    ledger.roll_up()
    assert ledger.delivered() == 5
    assert ledger.rolled_through() == last + 1


def test_stats_include_hours_whose_roll_up_is_late(ledger: Ledger) -> None:
    hours = range(ledger.hour, ledger.hour + 5)
    for hour in hours:
        ledger.deliver(2, hour)
    ledger.clock.move(4 * 3600)
    ledger.count(ledger.clock.now)
    assert ledger.delivered() == 11
    assert ledger.roll_up() == 8
    assert ledger.delivered() == 11


def test_successes_that_an_earlier_release_counted_count_once(ledger: Ledger) -> None:
    """Its fan-out marked no hours as active, and its workers did not mark the successes that they counted."""
    dynamo.delete(*stats_store.progress_table_key())
    for hour in (ledger.hour - 3, ledger.hour - 1):
        ledger.deliver(1, hour)
        ledger.count(hour * HOUR_MS)
        dynamo.delete(settings().events_table, {"workspaceId": f"active#{hour}", "id": "acme"})
    ledger.deliver(2, ledger.hour)
    assert ledger.delivered() == 4
    ledger.roll_up()
    assert ledger.rolled_through() == ledger.hour - 1
    assert ledger.delivered() == 4
    ledger.clock.move(3600)
    assert ledger.roll_up() == 2
    assert ledger.delivered() == 4


def test_stats_read_only_the_newest_deliveries_of_a_busy_webhook(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_NEWEST", 4)
    ledger.deliver(6, ledger.hour - 1)
    ledger.deliver(1, ledger.hour)
    busy, _ = ledger.stats()
    assert busy["delivered"] == 4
    assert busy["lastDeliveryAt"] == iso(from_ms(ledger.hour * HOUR_MS + 40))
    ledger.roll_up()
    assert ledger.delivered() == 7


def test_stats_of_a_busy_webhook_are_cached_for_30_seconds(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roll_up, "_BUSY", 3)
    ledger.deliver(3, ledger.hour - 1)
    ledger.deliver(1, ledger.hour - 1, webhook=1)
    assert ledger.delivered() == 4
    ledger.pipeline.backend.calls.clear()
    ledger.deliver(1, ledger.hour)
    ledger.deliver(1, ledger.hour, webhook=1)
    assert ledger.delivered() == 5
    assert (
        ledger.pipeline.backend.calls.count["dynamodb.Query"] == 1 + 1
    )  # the webhooks, and the deliveries of the other webhook
    ledger.roll_up()
    assert ledger.delivered() == 6  # the cached counts are not added again
    ledger.deliver(2, ledger.hour)
    assert ledger.delivered() == 8
    ledger.deliver(1, ledger.hour)
    assert ledger.delivered() == 8
    ledger.clock.move(30)
    assert ledger.delivered() == 9


def test_counters_with_a_lost_response_count_once(ledger: Ledger) -> None:
    with failing("dynamodb.UpdateItem", lost=True, tries=1):
        ledger.count((ledger.hour - 1) * HOUR_MS, reason="http_500")
    ledger.roll_up()
    assert ledger.total() == {"attempts": 1, "delivered": 0, "failed": 1}


def test_counters_of_failures_of_five_types_take_one_write_unit(ledger: Ledger) -> None:
    counts = AttemptCounts()
    for number, event_type in enumerate(sorted(catalogue.ALL)[:5]):
        for ms in (90, 3000, 15_000):
            counts.add(ledger.clock.now, ms, event_type=event_type, reason="http_500", ended=bool(number))
    ledger.pipeline.backend.calls.clear()
    stats_store.add_counts(ledger.key(), counts)
    assert ledger.pipeline.backend.calls.count == {"dynamodb.UpdateItem": 1}
    (row,) = (row for row in ledger.pipeline.backend.rows("HealthTable") if row["sk"].startswith("hour#"))
    assert dynamo.size_of(row) <= 1024


def test_delivery_that_ends_after_its_hour_was_rolled_up_counts_when_it_ends(pipeline: Pipeline) -> None:
    with receiver([500, 200]) as r:
        pipeline.clock.now = (pipeline.clock.now // HOUR_MS + 1) * HOUR_MS + 30 * MINUTE
        stats_store.set_rolled_through(pipeline.clock.now // HOUR_MS - 1)
        pipeline.webhook(r.url, retryConfig={"maxRetries": 1, "initialDelaySeconds": 3600})
        pipeline.publish()
        pipeline.poll()
        failed, delivered = pipeline.clock.now // HOUR_MS, pipeline.clock.now // HOUR_MS + 1
        pipeline.clock.move(3600)
        roll_up.roll_up(lambda: 900_000)
        assert total_of(failed) == {"attempts": 1, "delivered": 0, "failed": 0}
        pipeline.clock.move(20 * 60)  # the delay has jitter
        pipeline.sweep()
        pipeline.poll()
        pipeline.clock.move(3600)
        roll_up.roll_up(lambda: 900_000)
        assert total_of(failed) == {"attempts": 1, "delivered": 0, "failed": 0}
        assert total_of(delivered) == {"attempts": 1, "delivered": 1, "failed": 0}


def test_number_of_aws_calls_of_a_roll_up(ledger: Ledger) -> None:
    """Calls for an hour without events: the progress, the active workspaces, the four shards of counters, and
    the progress again. For a workspace with events: its webhooks, their counters, a query for each webhook,
    and a write for each with deliveries. Then its counters again, their webhooks, and a write of the total.
    """
    calls = ledger.pipeline.backend.calls
    ledger.deliver(2, ledger.hour)
    calls.clear()
    assert ledger.roll_up() == 0
    assert calls.count == {"dynamodb.GetItem": 1, "dynamodb.Query": 1 + 4, "dynamodb.UpdateItem": 1}
    ledger.clock.move(3600)
    calls.clear()
    assert ledger.roll_up() == 2
    assert calls.count == {
        "dynamodb.GetItem": 1,
        "dynamodb.Query": 1 + 1 + 2 + 4,
        "dynamodb.BatchGetItem": 1 + 2,
        "dynamodb.UpdateItem": 1 + 1,
        "dynamodb.PutItem": 1,
    }


def test_number_of_aws_calls_of_stats(ledger: Ledger) -> None:
    """Deliveries are read only if the workspace had events since the last roll-up."""
    calls = ledger.pipeline.backend.calls
    ledger.deliver(2, ledger.hour - 1)
    ledger.roll_up()
    path = f"GET {WEBHOOKS}?include=stats"
    ledger.pipeline.api(path)
    calls.clear()
    ledger.pipeline.api(path)
    assert calls.count == {"dynamodb.Query": 1, "dynamodb.BatchGetItem": 1}
    ledger.mark(ledger.hour)
    calls.clear()
    ledger.pipeline.api(path)
    assert calls.count == {"dynamodb.Query": 1 + 2, "dynamodb.BatchGetItem": 1}
