"""What DynamoDB bills for the way of an event: the real engine on the local stack's DynamoDB, which computes
ConsumedCapacity as AWS does (moto's is a constant).
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
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    cold_start()
    clear_caches()
    with engine(tmp_path_factory.mktemp("engine")) as made:
        yield made
        cold_start()
    clear_caches()


def elsewhere(units: Units) -> float:
    """Write units on tables other than these two."""
    return units.writes.total() - units.written(DELIVERIES) - units.written(EVENTS)


def publish(made: Engine, count: int) -> None:
    for _ in range(count):
        made.request("POST /api/events", {"type": EVENT_TYPE, "data": DATA})


def run(made: Engine, name: str) -> Cost:
    return outcomes.measure(made, NAMED[name])


def test_a_success(made: Engine) -> None:
    """One unit, on the delivery's row, and one on the event's."""
    run(made, "delivered at the first attempt")  # marks the workspace as active in this hour
    cost = run(made, "delivered at the first attempt")
    assert cost.delivery.writes[DELIVERIES] == cost.delivery.writes.total() == 1
    assert cost.event.writes[EVENTS] == 1
    assert cost.event.written(DELIVERIES) == 0


def test_a_batch_of_successes_is_one_read_and_one_write(made: Engine) -> None:
    with receiver() as r:
        body = {"name": "units", "url": r.url, "events": [EVENT_TYPE]}
        webhook = made.request("POST /api/integrations/webhooks", body)["id"]
        publish(made, 1)
        made.settle()  # the webhook proves fast
        r.requests.clear()
        publish(made, 10)
        made.fan_out()
        records = made.receive("DeliveriesQueue")
        assert len(records) == 10
        with counting() as units:
            assert made.work("DeliverFunction", "DeliveriesQueue", records) == []
        assert len(r.requests) == 10
        made.request(f"DELETE /api/integrations/webhooks/{webhook}")
    assert units.written(DELIVERIES) == units.writes.total() == 10
    assert dict(units.calls) == {"dynamodb.BatchGetItem": 1, "dynamodb.BatchWriteItem": 1}


def test_a_failed_attempt_is_a_transaction_of_two_rows(made: Engine) -> None:
    """1 for the claim, 2 for the row and 2 for the attempt's own; then a success."""
    cost = run(made, "delivered after 1 retry")
    assert cost.requests == 2
    assert cost.delivery.writes[DELIVERIES] == (1 + 2 + 2) + 2
    assert cost.delivery.writes[f"{DELIVERIES}/byStatus"] == 2  # in with the first failure, and out


def test_a_failure_writes_the_index_by_status_once(made: Engine) -> None:
    cost = run(made, "failed at once (404)")
    assert cost.delivery.writes[DELIVERIES] == 1 + 2 + 2
    assert cost.delivery.writes[f"{DELIVERIES}/byStatus"] == 1


def test_parking_writes_the_index_of_what_is_due(made: Engine) -> None:
    cost = run(made, "delivered after 1 retry that was parked")
    assert cost.delivery.writes[f"{DELIVERIES}/due"] >= 2  # in and out
    assert cost.delivery.writes[f"{DELIVERIES}/byStatus"] >= 2
    assert cost.delivery.calls["sqs.SendMessageBatch"] == 1


def test_a_delivery_that_waits_for_its_rate_limit_is_one_write_more(made: Engine) -> None:
    cost = run(made, "delivered, after it waited for its rate limit")
    assert cost.delivery.written(DELIVERIES) == 2 + 1
    assert elsewhere(cost.delivery) == 1  # the slots, which a batch shares


def test_what_is_held_is_held_and_released(made: Engine) -> None:
    cost = run(made, "delivered, after it was held")
    assert cost.requests == 1
    assert cost.delivery.writes[DELIVERIES] == 2 + 2
    assert cost.delivery.calls["sqs.SendMessageBatch"] == 1


def test_a_delivery_that_is_cancelled_makes_no_request(made: Engine) -> None:
    cost = run(made, "cancelled: the webhook was paused")
    assert cost.requests == 0
    assert cost.delivery.writes[DELIVERIES] == 2
    assert cost.delivery.writes[f"{DELIVERIES}/byStatus"] == 1  # it can be found, and recovered


def test_a_message_that_comes_twice_costs_a_read(made: Engine) -> None:
    with receiver() as r:
        body = {"name": "units", "url": r.url, "events": [EVENT_TYPE]}
        webhook = made.request("POST /api/integrations/webhooks", body)["id"]
        publish(made, 1)
        made.settle()
        publish(made, 1)
        made.fan_out()
        records = made.receive("DeliveriesQueue")
        made.work("DeliverFunction", "DeliveriesQueue", records)
        with counting() as units:
            made.work("DeliverFunction", "DeliveriesQueue", records)
        made.request(f"DELETE /api/integrations/webhooks/{webhook}")
        assert len(r.requests) == 2
    assert dict(units.writes) == {}
    assert dict(units.calls) == {"dynamodb.BatchGetItem": 1}


def test_what_the_page_computes_with(made: Engine) -> None:
    counted = measure.counts(made)
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
