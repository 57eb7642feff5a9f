"""The DynamoDB units that an event and its deliveries consume. The real engine runs on the local stack's
DynamoDB, which computes ConsumedCapacity as AWS does (moto returns a constant).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks import measure, outcomes
from benchmarks.engine import EVENT_TYPE, Engine, engine
from benchmarks.outcomes import DATA, DELIVERIES, EVENTS, OUTCOMES, Cost
from benchmarks.units import Units, counting
from tests.conftest import clear_caches
from tests.faults import cold_start
from tests.receivers import receiver

NAMED = {outcome.name: outcome for outcome in OUTCOMES}


@pytest.fixture(scope="module")
def delivery_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    cold_start()
    clear_caches()
    with engine(tmp_path_factory.mktemp("engine")) as delivery_engine:
        yield delivery_engine
        cold_start()
    clear_caches()


def writes_elsewhere(units: Units) -> float:
    """Write units on tables other than the deliveries and events tables."""
    return units.writes.total() - units.written(DELIVERIES) - units.written(EVENTS)


def publish(delivery_engine: Engine, count: int) -> None:
    for _ in range(count):
        delivery_engine.request("POST /api/events", {"type": EVENT_TYPE, "data": DATA})


def run(delivery_engine: Engine, name: str) -> Cost:
    return outcomes.measure(delivery_engine, NAMED[name])


def test_success_is_one_write_unit(delivery_engine: Engine) -> None:
    """One unit for the delivery's row, and one for the event's."""
    run(delivery_engine, "delivered at the first attempt")  # marks the workspace as active in this hour
    cost = run(delivery_engine, "delivered at the first attempt")
    assert cost.delivery.writes[DELIVERIES] == cost.delivery.writes.total() == 1
    assert cost.event.writes[EVENTS] == 1
    assert cost.event.written(DELIVERIES) == 0


def test_batch_of_successes_is_one_read_and_one_write(delivery_engine: Engine) -> None:
    with receiver() as r:
        body = {"name": "units", "url": r.url, "eventTypes": [EVENT_TYPE]}
        webhook = delivery_engine.request("POST /api/integrations/webhooks", body)["id"]
        publish(delivery_engine, 1)
        delivery_engine.settle()  # marks the webhook as fast
        r.requests.clear()
        publish(delivery_engine, 10)
        delivery_engine.fan_out()
        records = delivery_engine.receive("DeliveriesQueue")
        assert len(records) == 10
        with counting() as units:
            assert delivery_engine.work("DeliverFunction", "DeliveriesQueue", records) == []
        assert len(r.requests) == 10
        delivery_engine.request(f"DELETE /api/integrations/webhooks/{webhook}")
    assert units.written(DELIVERIES) == units.writes.total() == 10
    assert dict(units.calls) == {"dynamodb.BatchGetItem": 1, "dynamodb.BatchWriteItem": 1}


def test_failed_attempt_is_transaction_of_two_rows(delivery_engine: Engine) -> None:
    """1 unit for the claim, 2 for the row, and 2 for the attempt's row. The success takes 2 more."""
    cost = run(delivery_engine, "delivered after 1 retry")
    assert cost.requests == 2
    assert cost.delivery.writes[DELIVERIES] == (1 + 2 + 2) + 2
    assert cost.delivery.writes[f"{DELIVERIES}/byStatus"] == 2  # added with the first failure, then removed


def test_failure_writes_status_index_once(delivery_engine: Engine) -> None:
    cost = run(delivery_engine, "failed immediately (404)")
    assert cost.delivery.writes[DELIVERIES] == 1 + 2 + 2
    assert cost.delivery.writes[f"{DELIVERIES}/byStatus"] == 1


def test_parking_writes_due_index(delivery_engine: Engine) -> None:
    cost = run(delivery_engine, "delivered after 1 postponed retry")
    assert cost.delivery.writes[f"{DELIVERIES}/due"] >= 2  # added and removed
    assert cost.delivery.writes[f"{DELIVERIES}/byStatus"] >= 2
    assert cost.delivery.calls["sqs.SendMessageBatch"] == 1


def test_wait_for_rate_limit_adds_one_write(delivery_engine: Engine) -> None:
    cost = run(delivery_engine, "delivered, after it waited for its rate limit")
    assert cost.delivery.written(DELIVERIES) == 2 + 1
    assert writes_elsewhere(cost.delivery) == 1  # for the slots, which a batch shares


def test_hold_and_release_add_two_writes(delivery_engine: Engine) -> None:
    cost = run(delivery_engine, "delivered, after it was held")
    assert cost.requests == 1
    assert cost.delivery.writes[DELIVERIES] == 2 + 2
    assert cost.delivery.calls["sqs.SendMessageBatch"] == 1


def test_cancelled_delivery_makes_no_request(delivery_engine: Engine) -> None:
    cost = run(delivery_engine, "cancelled: the webhook was inactive")
    assert cost.requests == 0
    assert cost.delivery.writes[DELIVERIES] == 2
    assert cost.delivery.writes[f"{DELIVERIES}/byStatus"] == 1  # so it can be listed and recovered


def test_duplicate_message_costs_one_read(delivery_engine: Engine) -> None:
    with receiver() as r:
        body = {"name": "units", "url": r.url, "eventTypes": [EVENT_TYPE]}
        webhook = delivery_engine.request("POST /api/integrations/webhooks", body)["id"]
        publish(delivery_engine, 1)
        delivery_engine.settle()
        publish(delivery_engine, 1)
        delivery_engine.fan_out()
        records = delivery_engine.receive("DeliveriesQueue")
        delivery_engine.work("DeliverFunction", "DeliveriesQueue", records)
        with counting() as units:
            delivery_engine.work("DeliverFunction", "DeliveriesQueue", records)
        delivery_engine.request(f"DELETE /api/integrations/webhooks/{webhook}")
        assert len(r.requests) == 2
    assert dict(units.writes) == {}
    assert dict(units.calls) == {"dynamodb.BatchGetItem": 1}


def test_measured_counts_of_cost_page(delivery_engine: Engine) -> None:
    counted = measure.counts(delivery_engine)
    batches = counted["batches"]
    for size in measure.SIZES:
        assert batches[str(size)]["writes"] == {"DeliveriesTable": size}
        assert batches[str(size)]["calls"] == 2
        assert batches[str(size)]["logged"] == 0
        assert set(counted["fan_outs"][str(size)]["writes"]) == {"EventsTable"}
    assert counted["publish"]["writes"] == {"ApiKeysTable": 1, "EventsTable": 1}
    assert counted["publish"]["calls"] == 4
    assert counted["publish"]["logged"] == 0
    assert 500 < counted["row_bytes"]["event"] < 1500
    assert 400 < counted["row_bytes"]["delivery"] < 1024
