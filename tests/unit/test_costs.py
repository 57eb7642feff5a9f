"""The calculation of docs/operate/costs.md, and DynamoDB's rules for sizes and units."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields, replace
from typing import Any

import pytest

from benchmarks import costs, units
from benchmarks.costs import MILLION, Assumptions, Month, Prices

FREE = Prices(**{field.name: 0.0 for field in fields(Prices)})
ASSUMED = Assumptions()


def cost(
    writes: dict[str, float], reads: dict[str, float], logged: int, successes: int, calls: int = 2
) -> dict[str, Any]:
    return {"writes": writes, "reads": reads, "calls": calls, "logged": logged, "logged_successes": successes}


MEASURED: dict[str, Any] = {
    "cpu_ms": {"publish": 3.0, "fan-out": 6.0, "fan-out alone": 8.0, "10": 4.0, "1": 7.0},
    "webhooks": 2,
    "publish": cost(
        {"ApiKeysTable": 1, "EventsTable": 1}, {"EventsTable": 1, "WebhooksTable": 1}, 0, 300, calls=4
    ),
    "fan_outs": {
        str(n): cost({"EventsTable": n}, {"EventsTable": n, "WebhooksTable": n}, 100, 200) for n in (1, 2, 5)
    },
    "batches": {
        str(n): cost({"DeliveriesTable": n}, {"DeliveriesTable": n, "HealthTable": n / 2}, 50, 100 * n)
        for n in (1, 2, 5, 10)
    },
    "row_bytes": {"event": 924, "delivery": 412},
    "metrics": 4,
}
TEN_MILLION = Month(10 * MILLION)


def line(name: str, month: Month = TEN_MILLION, **prices: float) -> float:
    """One line of a month's costs, with all prices zero except these."""
    return costs.patchbay(month, MEASURED, replace(FREE, **prices), ASSUMED)[name]


def test_zero_prices_cost_nothing() -> None:
    assert set(costs.patchbay(TEN_MILLION, MEASURED, FREE, ASSUMED).values()) == {0.0}
    assert set(costs.idle(FREE, ASSUMED).values()) == {0.0}
    assert costs.svix(MILLION, FREE, ASSUMED) == costs.eventbridge(MILLION, FREE, ASSUMED) == 0


def test_monthly_requests() -> None:
    """10 million deliveries are 5 million publishes, and 5 million batches of 2."""
    assert line("HTTP API", http_api=1) == 5
    assert line("Lambda, requests", lambda_requests=1) == 10
    # The deliveries are sent, received and deleted; three queues are idle.
    full = 5 + 5 + 5
    assert line("SQS", sqs_fair=1) == pytest.approx(full)
    empty = costs.receives(5 * MILLION, ASSUMED) / MILLION - 5 + 3 * costs.receives(0, ASSUMED) / MILLION
    assert line("SQS", sqs=1) == pytest.approx(full + empty)
    assert line("CloudWatch, metrics", metric=0.5) == 2


def test_window_fills_batches_but_saves_no_receives() -> None:
    """100 million deliveries of 50 million events, received 5 at a time."""
    plain, window = (line("SQS", Month(100 * MILLION, window=window), sqs_fair=1) for window in (False, True))
    assert plain == pytest.approx(50 + 20 + 20)
    assert window == pytest.approx(50 + 20 + 10)


def test_receive_ends_with_a_message_or_after_20_seconds() -> None:
    idle = costs.receives(0, ASSUMED)
    assert idle == costs.MONTH_SECONDS / 20 * 5
    assert costs.receives(1, ASSUMED) == pytest.approx(idle, rel=0.001)
    assert costs.receives(100 * idle, ASSUMED) == pytest.approx(100 * idle)
    assert idle < costs.receives(idle, ASSUMED) < 2 * idle


def test_monthly_dynamodb_units() -> None:
    """Units for the key, the event and each delivery; for 2 ceiling reservations per 12 events, or for the
    first event in a minute; and for the roll-up, which reads all successes and writes once per webhook and
    hour.
    """
    reserved = 2 * max(5 / 12, costs.renewals(5 * MILLION, 1, 60, ASSUMED) / MILLION)
    rolled = 100 * 2 * 720 / MILLION
    written = line("DynamoDB, writes", dynamodb_write=1)
    assert written == pytest.approx(5 + 5 + 10 + reserved + rolled)
    # 2 units for each event, 1.5 for each delivery, and those for the data keys.
    read = line("DynamoDB, reads", dynamodb_read=1) - line("KMS, requests", kms_requests=1)
    assert read == pytest.approx(5 * 2 + 10 * 1.5 + 10 * 412 / 8192)


def test_provisioned_tables_are_billed_by_the_hour() -> None:
    """All tables except those of the ceilings and the roll-up are provisioned, at a utilization of 60 %. The
    five indexes and the table without writes have the minimum of 5.
    """
    month = replace(TEN_MILLION, deliveries=100 * MILLION, provisioned=True)
    on_demand = replace(month, provisioned=False)
    elsewhere = line("DynamoDB, writes", month, dynamodb_write=1)
    everything = line("DynamoDB, writes", on_demand, dynamodb_write=1)
    hours = (everything - elsewhere) * MILLION / (3600 * 0.6) + (5 + 1) * 5 * 720
    assert everything - elsewhere == pytest.approx(50 + 50 + 100)
    assert line("DynamoDB, writes", month, dynamodb_write_hour=1) == pytest.approx(hours)
    assert line("DynamoDB, writes", on_demand, dynamodb_write_hour=1) == 0
    policies = costs.template_facts()["scaling_policies"]
    assert line("CloudWatch, alarms of autoscaling", month, alarm=0.1) == pytest.approx(policies * 0.4)
    assert line("CloudWatch, alarms of autoscaling", alarm=0.1) == 0


def test_provisioned_tables_have_a_minimum() -> None:
    """Four tables and their five indexes, at 5 writes a second, for 30 days."""
    for deliveries in (0, 100_000):
        month = Month(deliveries, provisioned=True)
        assert line("DynamoDB, writes", month, dynamodb_write_hour=1) == 9 * 5 * 720
        assert line("DynamoDB, reads", month, dynamodb_read_hour=1) == 9 * 5 * 720


def test_month_without_deliveries_costs_what_is_idle() -> None:
    measured, prices = json.loads(costs.MEASURED.read_text()), costs.read_prices()
    unused = sum(costs.idle(prices, ASSUMED).values())
    for deliveries in (0, 1):
        total = sum(costs.patchbay(Month(deliveries), measured, prices, ASSUMED).values())
        assert total == pytest.approx(unused, abs=0.01)


def test_bill_grows_with_the_volume() -> None:
    measured, prices = json.loads(costs.MEASURED.read_text()), costs.read_prices()
    for window in (False, True):
        totals = [
            sum(costs.patchbay(Month(millions * MILLION, window=window), measured, prices, ASSUMED).values())
            for millions in range(120)
        ]
        assert totals == sorted(totals)


def test_batches_grow_with_the_logarithm_of_the_volume() -> None:
    def size(millions: float, *, window: bool = False) -> tuple[float, float]:
        batches = ASSUMED.batches(Month(round(millions * MILLION), window=window))
        return batches.received, batches.deliver

    assert [size(millions) for millions in (0, 1, 10, 100, 1000)] == [(1, 1), (1, 1), (2, 2), (5, 5), (5, 5)]
    assert size(31.6227766) == pytest.approx((3.5, 3.5))
    assert [size(millions, window=True) for millions in (1, 10, 100)] == [(1, 1), (2, 2), (5, 10)]
    batches = {"1": {"reads": {"a": 1}, "logged": 10}, "3": {"reads": {"a": 5, "b": 4}, "logged": 20}}
    assert costs.batch_of(1, batches) == batches["1"]
    assert costs.batch_of(2, batches) == {"reads": {"a": 3, "b": 2}, "logged": 15}
    assert costs.batch_of(7, batches) == batches["3"]


def test_other_outcomes_cost_their_units() -> None:
    """A tenth of 10 million deliveries succeeds after 1 retry, which adds 2 SQS requests and 1 invocation."""
    outcome = {"event": 1, "rows": 1, "indexes": 0, "others": {}, "reads": 3, "calls": 2, "logged": 0}
    retried = outcome | {"rows": 7, "indexes": 2, "others": {"HealthTable": 3}, "reads": 6, "logged": 1000}
    measured = MEASURED | {
        "outcomes": [
            outcome | {"name": "delivered at the first attempt", "requests": 1},
            retried | {"name": "delivered after 1 retry", "requests": 2},
        ]
    }
    assumed = replace(ASSUMED, outcomes={"delivered after 1 retry": 0.1})

    def added(name: str, **prices: float) -> float:
        priced = replace(FREE, **prices)
        return costs.patchbay(TEN_MILLION, measured, priced, assumed)[name] - line(
            name, TEN_MILLION, **prices
        )

    assert added("DynamoDB, writes", dynamodb_write=1) == pytest.approx(6 + 2 + 3)
    assert added("DynamoDB, reads", dynamodb_read=1) == pytest.approx(3)
    assert added("SQS", sqs=1) == pytest.approx(2)
    assert added("Lambda, requests", lambda_requests=1) == pytest.approx(1)
    assert added("Lambda, duration", lambda_gb_second=1) > MILLION * 0.150 / 4
    assert added("CloudWatch, logs", logs_ingested=1) == pytest.approx(1e9 / costs.GB)
    with pytest.raises(ValueError, match="unknown outcome: lost"):
        costs.patchbay(TEN_MILLION, measured, FREE, replace(ASSUMED, outcomes={"lost": 0.1}))


def test_rows_are_stored_for_a_month() -> None:
    """512 bytes per delivery and 1,024 per event with two deliveries, including DynamoDB's 100 per item."""
    stored = (5 * MILLION * 1024 + 10 * MILLION * 512) / costs.GB
    name = "DynamoDB, 30 days of rows, recovery"
    assert line(name, dynamodb_storage=0.25, dynamodb_recovery=0.2) == pytest.approx(stored * 0.45)


def test_monthly_log_bytes() -> None:
    """By the template's default, one in a hundred successes is logged, and Lambda's own lines are off."""
    logged = 5 * (350 + 3) + 5 * (50 + 2)
    assert line("CloudWatch, logs", logs_ingested=1) == pytest.approx(logged * MILLION / costs.GB)


def test_batch_takes_as_long_as_its_slowest_attempt() -> None:
    assert costs.harmonic(1) == 1
    assert costs.harmonic(5) == pytest.approx(2.2833, abs=1e-4)
    assert costs.harmonic(1.5) == 1.25
    still = replace(ASSUMED, aws_wait_ms=0, cold_starts=0)
    idle_cpu = {**MEASURED, "cpu_ms": dict.fromkeys(MEASURED["cpu_ms"], 0.0)}
    priced = replace(FREE, lambda_gb_second=1)
    seconds = costs.patchbay(TEN_MILLION, idle_cpu, priced, still)["Lambda, duration"]
    assert seconds == pytest.approx(5 * MILLION * 0.150 * 1.5 / 4)  # 256 MB: a quarter of a GB


def test_duration_depends_on_the_memorys_share_of_a_vcpu() -> None:
    still = replace(ASSUMED, aws_wait_ms=0)
    assert costs.duration(10, 1769, 9, still) == costs.duration(10, 10_240, 9, still) == 10
    assert costs.duration(10, 1769 // 2, 9, still) == pytest.approx(20, rel=0.01)
    assert costs.duration(10, 1769, 3, replace(ASSUMED, aws_wait_ms=5)) == 25


def test_cpu_per_message_is_interpolated() -> None:
    assert costs.cpu_of_one(1, 7, 4) == pytest.approx(7)
    assert costs.cpu_of_one(10, 7, 4) == pytest.approx(4)
    assert 4 < costs.cpu_of_one(5, 7, 4) < costs.cpu_of_one(2, 7, 4) < 7


def test_cache_renewals_are_limited_by_uses_and_by_expiry() -> None:
    few = costs.renewals(1000, 1, 300, ASSUMED)
    assert 0.95 * 1000 < few < 1000
    many = costs.renewals(10**12, 2, 300, ASSUMED)
    times = costs.MONTH_SECONDS / 300 * ASSUMED.workspaces * 2
    assert 0.99 * times < many < times


def test_costs_of_alternatives() -> None:
    priced = replace(FREE, eventbridge_events=1, eventbridge_destinations=0.2)
    assert costs.eventbridge(10 * MILLION, priced, ASSUMED) == pytest.approx(5 + 2)
    hours = replace(
        FREE, ec2_t4g_medium=1, rds_t4g_medium_multi_az=10, elasticache_t4g_small=100, load_balancer=1000
    )
    assert costs.svix(MILLION, hours, ASSUMED) == 730 * 1212
    disk = replace(FREE, rds_storage_multi_az=1)
    assert costs.svix(MILLION, disk, ASSUMED) == 20
    assert costs.svix(100 * MILLION, disk, ASSUMED) == pytest.approx(100 * MILLION * 2048 / costs.GB)


def test_template_facts_and_idle_costs() -> None:
    facts = costs.template_facts()
    assert facts["memory_mb"]["DeliverFunction"] == 256
    assert facts["runs"]["SweepDeliveriesFunction"] == 30 * 24 * 60
    assert facts["keys"] == 1
    assert facts["alarm_metrics"] > facts["alarms"] >= 20
    assert facts["queues"] == 4
    assert (facts["success_log"], facts["platform_log"]) == (0.01, False)
    assert facts["provisioned"] == {
        "ApiKeysTable": 2,
        "DeliveriesTable": 2,
        "EventsTable": 1,
        "WebhooksTable": 0,
    }
    assert (facts["min_capacity"], facts["alarm_metrics_off"]) == (5, 5)
    idle = costs.idle(replace(FREE, kms_key=1, alarm=10), ASSUMED)
    assert sum(idle.values()) == 1 + 10 * facts["alarm_metrics"]


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [("rate(1 minute)", 60), ("rate(2 hours)", 7200), ("rate(1 day)", 86_400), ("cron(15 * * * ? *)", 3600)],
)
def test_schedule_intervals(expression: str, seconds: int) -> None:
    assert costs._seconds(expression) == seconds


def test_every_price_has_a_source() -> None:
    entries = tomllib.loads(costs.PRICES.read_text())
    priced = {name: entry for name, entry in entries.items() if isinstance(entry, dict)}
    assert set(priced) == {field.name for field in fields(Prices)}
    for name, entry in priced.items():
        assert set(entry) == {"price", "unit", "source", "checked"}, name
        assert entry["price"] > 0, name
        assert entry["source"].startswith("https://"), name


def test_pages_are_up_to_date() -> None:
    """After a change of a price, an assumption or a measurement, run `python -m benchmarks costs`."""
    measured = json.loads(costs.MEASURED.read_text())
    pages = costs.render(measured, costs.read_prices(), ASSUMED)
    assert {path: path.read_text("utf-8") for path in pages} == pages
    assert costs.render(measured, replace(costs.read_prices(), sqs=4), ASSUMED) != pages


def test_publishing_over_the_events_queue() -> None:
    """5 million events in 500,000 requests: the queue gets each message, and the functions each batch."""

    def requests(**prices: float) -> float:
        return costs._requests(MILLION / 2, 10, MEASURED, replace(FREE, **prices), ASSUMED)

    def queued(sent: int, **prices: float) -> float:
        return costs._queued(5 * MILLION, sent, MEASURED, replace(FREE, **prices), ASSUMED)

    assert (requests(http_api=1), requests(dynamodb_write=1)) == (0.5, 0.5)
    size = ASSUMED.batches(Month(5 * MILLION)).received
    assert queued(1, sqs_fair=1) == pytest.approx(5 + 2 * 5 / size)
    assert queued(10, sqs_fair=1) == pytest.approx(0.5 + 2 * 5 / size)
    assert queued(1, lambda_requests=1) == pytest.approx(5 / size)
    assert (queued(1, dynamodb_write=1), queued(1, dynamodb_read=1)) == pytest.approx((5, 10))
    assert costs._fanned_out(5 * MILLION, MEASURED, replace(FREE, dynamodb_read=1)) == 10


def test_page_says_at_which_volume_something_else_is_cheaper() -> None:
    measured, prices = json.loads(costs.MEASURED.read_text()), costs.read_prices()

    def total(millions: int, *, provisioned: bool = False) -> float:
        month = Month(millions * MILLION, provisioned=provisioned)
        return sum(costs.patchbay(month, measured, prices, ASSUMED).values())

    svix = max(n for n in range(1, 100) if total(n) < costs.svix(n * MILLION, prices, ASSUMED))
    on_demand = max(n for n in range(1, 100) if total(n) < total(n, provisioned=True))
    page = costs.PAGE.read_text()
    assert f"Patchbay is cheaper up to {svix} million," in page
    assert f"saves money only above {on_demand} million deliveries a month" in page


# ── DynamoDB's sizes and units ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "abc"}, 3),
        ({"S": "é"}, 2),
        ({"S": ""}, 0),
        ({"N": "1"}, 2),
        ({"N": "-12"}, 3),
        ({"N": "1700000000000"}, 2),
        ({"N": "1234567890123"}, 8),
        ({"B": "MTIzNA=="}, 4),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"BOOL": False}]}, 3 + 1 + 2 + 1 + 1),
        ({"M": {"ab": {"S": "c"}}}, 3 + 1 + 2 + 1),
    ],
)
def test_item_size(value: dict[str, Any], size: int) -> None:
    assert units.item_bytes({"name": value}) == 4 + size


def test_write_units() -> None:
    def sized(size: int) -> dict[str, Any]:
        return {"a": {"S": "x" * (size - 1)}}

    assert units.write_units(None) == units.write_units({}) == units.write_units(sized(1024)) == 1
    assert units.write_units(sized(1025)) == units.write_units(sized(2048)) == 2


def test_read_units() -> None:
    small, large = {"a": {"S": "x"}}, {"a": {"S": "x" * 4096}}

    def read(params: dict[str, Any], answer: dict[str, Any]) -> dict[str, float]:
        return dict(units.read_units({"TableName": "t", **params}, answer))

    assert read({}, {"Item": small}) == {"t": 0.5}
    assert read({"ConsistentRead": True}, {"Item": small}) == {"t": 1}
    assert read({"ConsistentRead": True}, {"Item": large}) == {"t": 2}
    assert read({"ConsistentRead": True}, {}) == {"t": 1}
    assert read({}, {"Items": []}) == {"t": 0.5}
    # The items of a query count together, those of a batch separately, and missing items count too.
    assert read({"ConsistentRead": True}, {"Items": [small] * 100}) == {"t": 1}
    request = {"RequestItems": {"t": {"Keys": [{}] * 3, "ConsistentRead": True}, "u": {"Keys": [{}]}}}
    assert dict(units.read_units(request, {"Responses": {"t": [small, large]}})) == {"t": 4, "u": 0.5}


def test_units_of_failed_writes() -> None:
    large = {"a": {"S": "x" * 1500}}

    def failed(code: str, params: dict[str, Any], **answer: Any) -> dict[str, int]:
        return dict(units.failed_units(params, code, answer))

    assert failed("ConditionalCheckFailedException", {"TableName": "t"}, Item=large) == {"t": 2}
    assert failed("ConditionalCheckFailedException", {"TableName": "t"}) == {"t": 1}
    transaction = {
        "TransactItems": [{"Update": {"TableName": "t"}}, {"Put": {"TableName": "u", "Item": large}}]
    }
    reasons = [{"Code": "ConditionalCheckFailed", "Item": large}, {"Code": "None"}]
    assert failed("TransactionCanceledException", transaction, CancellationReasons=reasons) == {
        "t": 4,
        "u": 4,
    }
    assert failed("TransactionCanceledException", transaction) == {"t": 2, "u": 4}
    assert failed("ThrottlingException", {"TableName": "t"}) == {}
