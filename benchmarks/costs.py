"""The cost of a delivery on AWS, compared with EventBridge API destinations and a small self-hosted Svix.
`.venv/bin/python -m benchmarks costs` writes the tables of docs/operate/costs.md and some of
docs/architecture/cost-model.md from:

    prices.toml      list prices, with their sources
    measured.json    counts and measurements; `.venv/bin/python -m benchmarks measure` updates them
    Assumptions      everything else
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import outcomes
from local import schedules
from local.settings import REQUIRED_PARAMETERS, ROOT
from local.template import Template
from tools.page import with_tables

PAGE = ROOT / "docs/operate/costs.md"
MODEL_PAGE = ROOT / "docs/architecture/cost-model.md"
PRICES = Path(__file__).with_name("prices.toml")
MEASURED = Path(__file__).with_name("measured.json")
MILLION = 1_000_000
GB = 1024**3
MONTH_SECONDS = 30 * 86_400
MONTH_HOURS = 730
HOURS = MONTH_SECONDS // 3600


@dataclass(frozen=True)
class Month:
    """A column of the page: the number of deliveries, and parameters of the template."""

    deliveries: int
    provisioned: bool = False
    window: bool = False  # BatchWindowSeconds is 1

    @property
    def title(self) -> str:
        return f"{self.deliveries // MILLION} million"


SIZES = (Month(1 * MILLION), Month(10 * MILLION), Month(100 * MILLION))
_IDLE_ALARMS = "Idle: alarms"
_IDLE_REST = "Idle: KMS key, schedules"
# Additional SQS requests of an outcome: a message that waits in the queue is received again after its
# visibility changes, and one that waits in the table is deleted, sent and received again.
_QUEUE_REQUESTS = {
    "delivered after 1 retry": 2,
    "delivered after 1 postponed retry": 3,
    "delivered, after it waited for its rate limit": 2,
    "delivered, after it was held": 3,
    "failed after 3 retries": 6,
}
_FIRST_ATTEMPT = "delivered at the first attempt"


@dataclass(frozen=True)
class Assumptions:
    """Values that are neither counted nor measured. Times in ms, sizes in bytes."""

    webhooks_per_event: float = 2
    attempt_ms: float = 150  # mean response time of a receiver; a batch takes as long as its slowest attempt
    aws_wait_ms: float = 5  # of one DynamoDB or SQS call from Lambda
    cpu_factor: float = 1.0  # a Graviton vCPU, relative to a core of the measuring machine
    vcpu_mb: int = 1769  # memory at which a function has one vCPU (AWS's documentation)
    cold_starts: float = 0.01  # share of invocations that start with an init
    init_ms: float = 600  # billed, as of August 2025
    workspaces: int = 100  # active workspaces, with equal volumes
    ceiling_block: int = 12  # requests or events of a workspace's ceiling that one write reserves
    platform_log_bytes: int = 330  # Lambda's own log lines of an invocation, at levels below WARN
    access_log_bytes: int = 350  # API Gateway's log line of a request
    item_overhead_bytes: int = 100  # of each stored item, by DynamoDB
    utilisation: float = 0.6  # of provisioned capacity, on average; autoscaling aims at 0.7
    alarms_per_policy: int = 4  # created by autoscaling
    pollers: int = 5  # of an idle event source mapping; each polls every 20 s
    schedule_ms: float = 100  # of a scheduled run that finds nothing to do
    schedule_queries: float = (
        12  # of that run, at most: half a read unit each (an index, eventually consistent)
    )
    svix_delivery_bytes: int = 2048  # message, attempt and their indexes in PostgreSQL, kept for a month
    # Share of the deliveries that end with each outcome of the table in cost-model.md. All others are
    # delivered at the first attempt.
    outcomes: Mapping[str, float] = field(default_factory=dict)

    def batches(self, month: Month) -> Batches:
        """The batch sizes of a month. Lambda does not wait for a full batch: a batch has the messages that
        arrived while its poller waited for the function. It has 1 at a million a month, 2 at 10 million and 5
        at 100 million, and grows with the logarithm of the volume in between. A window doubles the last one.
        """
        tens = min(math.log10(max(month.deliveries, MILLION) / MILLION), 2.0)
        above = max(tens - 1, 0.0)
        received = 1 + min(tens, 1.0) + 3 * above
        return Batches(deliver=received * (1 + above) if month.window else received, received=received)


@dataclass(frozen=True)
class Batches:
    """Deliveries per invocation and per receive. With a window, several receives fill an invocation."""

    deliver: float
    received: float


@dataclass(frozen=True)
class Prices:
    """Prices in dollars; see prices.toml for the units."""

    lambda_gb_second: float
    lambda_requests: float
    http_api: float
    sqs: float
    sqs_fair: float
    dynamodb_write: float
    dynamodb_read: float
    dynamodb_write_hour: float
    dynamodb_read_hour: float
    dynamodb_storage: float
    dynamodb_recovery: float
    logs_ingested: float
    logs_stored: float
    metric: float
    alarm: float
    kms_key: float
    kms_requests: float
    scheduler: float
    eventbridge_events: float
    eventbridge_destinations: float
    ec2_t4g_medium: float
    rds_t4g_medium_multi_az: float
    rds_storage_multi_az: float
    elasticache_t4g_small: float
    load_balancer: float


def read_prices(path: Path = PRICES) -> Prices:
    entries = tomllib.loads(path.read_text())
    return Prices(**{field.name: entries[field.name]["price"] for field in fields(Prices)})


# ── Patchbay ─────────────────────────────────────────────────────────────────────────────────────────


def patchbay(month: Month, measured: Mapping[str, Any], p: Prices, a: Assumptions) -> dict[str, float]:
    """Dollars a month by kind. Each publish request does the fan-out itself, because its event goes to at
    most ten webhooks. The attempts of `a.outcomes` in addition to the first one are in batches of 1.
    """
    facts, size = template_facts(), a.batches(month)
    deliveries, events = month.deliveries, month.deliveries / a.webhooks_per_event
    batches, batch_cost = deliveries / size.deliver, batch_of(size.deliver, measured["batches"])
    cpu, memory = measured["cpu_ms"], facts["memory_mb"]
    deliver_cpu = size.deliver * cpu_of_one(size.deliver, cpu["1"], cpu["10"])

    times = {  # (invocations, ms of one)
        "PublishEventFunction": (
            events,
            duration(cpu["publish"], memory["PublishEventFunction"], measured["publish"]["calls"], a),
        ),
        "DeliverFunction": (
            batches,
            a.attempt_ms * harmonic(size.deliver) + duration(deliver_cpu, memory["DeliverFunction"], 2, a),
        ),
    }
    extra = _extra(deliveries, measured, a)
    invocations = sum(count for count, _ in times.values()) + extra.requests
    extra_ms = (
        extra.requests * (a.attempt_ms + duration(cpu["1"], memory["DeliverFunction"], 0, a))
        + extra.calls * a.aws_wait_ms
    )
    gb_seconds = extra_ms / 1000 * memory["DeliverFunction"] / 1024 + sum(
        count * (ms + a.cold_starts * a.init_ms) / 1000 * memory[name] / 1024
        for name, (count, ms) in times.items()
    )
    queue_requests, empty = sqs_requests(month, a)
    concurrency = batches / MONTH_SECONDS * times["DeliverFunction"][1] / 1000
    keys = renewals(deliveries, 1 + 2 * concurrency, facts["key_cache_seconds"], a)
    counted = ((events, measured["publish"]), (batches, batch_cost))
    writes, reads = (_by_table(counted, kind) for kind in ("writes", "reads"))
    for table, units in extra.writes.items():
        writes[table] += units
    reads["DeliveriesTable"] += extra.reads
    writes["RateLimitsTable"] += 2 * max(renewals(events, 1, 60, a), events / a.ceiling_block)
    reads["DataKeysTable"] += keys
    # The roll-up reads each success once, and updates each webhook's row of each hour.
    writes["HealthTable"] += min(deliveries, a.workspaces * a.webhooks_per_event * HOURS)
    reads["DeliveriesTable"] += deliveries * measured["row_bytes"]["delivery"] / 8192
    provisioned = facts["provisioned"] if month.provisioned else {}
    stored = (
        events * (measured["row_bytes"]["event"] + a.item_overhead_bytes)
        + deliveries * (measured["row_bytes"]["delivery"] + a.item_overhead_bytes)
    ) / GB
    logged = events * a.access_log_bytes + invocations * facts["platform_log"] * a.platform_log_bytes
    for count, cost in counted:
        logged += count * (cost["logged"] + facts["success_log"] * cost["logged_successes"])
    logged += extra.logged
    unused = idle(p, a)
    alarms = sum(dollars for name, dollars in unused.items() if " alarms" in name)
    return {
        "HTTP API": events / MILLION * p.http_api,
        "Lambda, requests": invocations / MILLION * p.lambda_requests,
        "Lambda, duration": gb_seconds * p.lambda_gb_second,
        "SQS": (queue_requests + extra.queue_requests) / MILLION * (p.sqs + p.sqs_fair)
        + empty / MILLION * p.sqs,
        "DynamoDB, writes": _units(writes, provisioned, p.dynamodb_write, p.dynamodb_write_hour, a),
        "DynamoDB, reads": _units(reads, provisioned, p.dynamodb_read, p.dynamodb_read_hour, a),
        "DynamoDB, 30 days of rows, recovery": stored * (p.dynamodb_storage + p.dynamodb_recovery),
        "KMS, requests": keys / MILLION * p.kms_requests,
        "CloudWatch, logs": logged / GB * (p.logs_ingested + p.logs_stored),
        # A metric is billed for the hours in which it has data.
        "CloudWatch, metrics": measured["metrics"] * p.metric * min(1.0, deliveries / HOURS),
        "CloudWatch, alarms of autoscaling": (
            facts["scaling_policies"] * a.alarms_per_policy * p.alarm if month.provisioned else 0.0
        ),
        _IDLE_ALARMS: alarms,
        _IDLE_REST: sum(unused.values()) - alarms - facts["queues"] * receives(0, a) / MILLION * p.sqs,
    }


@dataclass
class _Extra:
    """The units that a month's outcomes use in addition to deliveries at the first attempt."""

    requests: float = 0  # to receivers
    calls: float = 0
    queue_requests: float = 0
    reads: float = 0
    logged: float = 0
    writes: dict[str, float] = field(default_factory=lambda: defaultdict(float))


def _extra(deliveries: float, measured: Mapping[str, Any], a: Assumptions) -> _Extra:
    extra = _Extra()
    if not a.outcomes:
        return extra
    rows = {row["name"]: row for row in measured["outcomes"]}
    if unknown := set(a.outcomes) - set(rows):
        raise ValueError(f"unknown outcome: {', '.join(sorted(unknown))}; choose from {', '.join(rows)}")
    first = rows[_FIRST_ATTEMPT]
    for name, share in a.outcomes.items():
        row, count = rows[name], deliveries * share
        for key in ("requests", "calls", "reads", "logged"):
            setattr(extra, key, getattr(extra, key) + count * (row[key] - first[key]))
        extra.queue_requests += count * _QUEUE_REQUESTS.get(name, 0)
        extra.writes["EventsTable"] += count / a.webhooks_per_event * (row["event"] - first["event"])
        extra.writes["DeliveriesTable"] += count * (row["rows"] - first["rows"])
        extra.writes["DeliveriesTable/indexes"] += count * (row["indexes"] - first["indexes"])
        for table, units in row["others"].items():
            extra.writes[table] += count * units
    return extra


def batch_of(size: float, batches: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of a batch of this size, interpolated from the measured sizes."""
    sizes = sorted(map(int, batches))
    low = max(each for each in sizes if each <= size)
    high = min((each for each in sizes if each >= size), default=low)
    if low == high:
        return dict(batches[str(low)])
    weight = (size - low) / (high - low)

    def between(one: Any, other: Any) -> Any:
        if isinstance(one, Mapping):
            return {
                key: between(one.get(key, 0), other.get(key, 0)) for key in sorted(one.keys() | other.keys())
            }
        return one + weight * (other - one)

    return dict(between(batches[str(low)], batches[str(high)]))


def sqs_requests(month: Month, a: Assumptions) -> tuple[float, float]:
    """Requests of a month that send, receive or delete messages, and receives that find none."""
    size, events = a.batches(month), month.deliveries / a.webhooks_per_event
    received = month.deliveries / size.received
    # The events queue, the slow lane's and the flows queue are idle.
    empty = receives(received, a) - received + (template_facts()["queues"] - 1) * receives(0, a)
    # One delete request for each batch.
    return events + received + month.deliveries / size.deliver, empty


def _by_table(counted: Iterable[tuple[float, Mapping[str, Any]]], kind: str) -> dict[str, float]:
    """Units of a month by table, for (number of times, cost) pairs."""
    tables: dict[str, float] = defaultdict(float)
    for count, cost in counted:
        for table, units in cost[kind].items():
            tables[table] += count * units
    return tables


def _units(
    units: Mapping[str, float],
    provisioned: Mapping[str, int],
    on_demand: float,
    hourly: float,
    a: Assumptions,
) -> float:
    """Dollars of units by table: on demand for a million, or for each hour of provisioned capacity. The
    capacity of a table, and of each of its indexes, is at least MinTableCapacity.
    """
    demanded: dict[str, float] = defaultdict(float)
    minimum = template_facts()["min_capacity"]
    floors = {}
    for table, indexes in provisioned.items():
        floors[table], floors[f"{table}/"] = minimum, minimum * indexes
    dollars = 0.0
    for name, count in units.items():
        table, slash, _ = name.partition("/")
        if table in provisioned:
            demanded[table + slash] += count / 3600 / a.utilisation
        else:
            dollars += count / MILLION * on_demand
    return dollars + sum(max(demanded[name], floor * HOURS) for name, floor in floors.items()) * hourly


def duration(cpu_ms: float, memory_mb: int, calls: int, a: Assumptions) -> float:
    """ms of an invocation: its CPU on its memory's share of a vCPU, and its AWS calls in sequence."""
    share = min(1.0, memory_mb / a.vcpu_mb)
    return cpu_ms * a.cpu_factor / share + calls * a.aws_wait_ms


def cpu_of_one(size: float, alone: float, of_ten: float) -> float:
    """CPU ms per message of a batch, interpolated from measured batches of 1 and of 10."""
    marginal = (10 * of_ten - alone) / 9
    return marginal + (alone - marginal) / size


def harmonic(count: float) -> float:
    """1 + 1/2 + … + 1/count: the mean of the maximum of `count` exponential times, as a multiple of their
    mean. Linear between whole numbers.
    """
    whole = int(count)
    return sum(1 / n for n in range(1, whole + 1)) + (count - whole) / (whole + 1)


def renewals(uses: float, processes: float, seconds: float, a: Assumptions) -> float:
    """How often in a month processes renew a cache entry per workspace, at the first use after its `seconds`.
    The `uses` of a month are spread evenly over processes and workspaces.
    """
    if not uses:
        return 0.0
    rate = uses / MONTH_SECONDS / processes / a.workspaces
    return MONTH_SECONDS / (seconds + 1 / rate) * processes * a.workspaces


def receives(full: float, a: Assumptions) -> float:
    """Receive requests of a queue in a month, of which `full`, evenly spread, return messages. A receive ends
    when a message arrives, or empty after 20 s.
    """
    maximum = MONTH_SECONDS / 20 * a.pollers
    return full / -math.expm1(-full / maximum) if full else maximum


def idle(p: Prices, a: Assumptions) -> dict[str, float]:
    """Dollars a month of an unused deployment."""
    facts = template_facts()
    runs = sum(facts["runs"].values())
    polls = facts["queues"] * receives(0, a)
    gb_seconds = sum(
        count * a.schedule_ms / 1000 * facts["memory_mb"][name] / 1024
        for name, count in facts["runs"].items()
    )
    return {
        f"KMS: {facts['keys']} key, not yet rotated": facts["keys"] * p.kms_key,
        f"CloudWatch: {facts['alarm_metrics']} metrics in {facts['alarms']} alarms": facts["alarm_metrics"]
        * p.alarm,
        f"SQS: {polls / MILLION:.2f} million empty polls of {facts['queues']} queues": polls
        / MILLION
        * p.sqs,
        f"EventBridge Scheduler: {runs:,.0f} runs": runs / MILLION * p.scheduler,
        "DynamoDB: queries of these runs": runs * a.schedule_queries * 0.5 / MILLION * p.dynamodb_read,
        "Lambda: these runs": runs / MILLION * p.lambda_requests + gb_seconds * p.lambda_gb_second,
    }


@cache
def template_facts() -> dict[str, Any]:
    """The billed facts of template.yaml: memory of functions, scheduled runs a month, keys, alarms, polled
    queues, logging, and the effects of TableCapacity=provisioned.
    """
    template = Template(ROOT / "template.yaml", REQUIRED_PARAMETERS)
    provisioned = Template(ROOT / "template.yaml", {**REQUIRED_PARAMETERS, "TableCapacity": "provisioned"})
    alarms = list(template.of_type("AWS::CloudWatch::Alarm"))
    without_alarms = Template(ROOT / "template.yaml", {**REQUIRED_PARAMETERS, "Alarms": "off"})
    return {
        "memory_mb": {name: function.memory for name, function in template.functions().items()},
        "runs": {
            schedule.function: MONTH_SECONDS / _seconds(schedule.expression)
            for schedule in schedules.read(template)
        },
        "keys": len(list(template.of_type("AWS::KMS::Key"))),
        "alarms": len(alarms),
        "alarm_metrics": _alarm_metrics(alarms),
        "alarm_metrics_off": _alarm_metrics(without_alarms.of_type("AWS::CloudWatch::Alarm")),
        "queues": len(list(template.of_type("AWS::Lambda::EventSourceMapping"))),
        "key_cache_seconds": int(template.parameters["DataKeyCacheSeconds"]),
        "success_log": int(template.parameters["SuccessLogPercent"]) / 100,
        "platform_log": template.parameters["SystemLogLevel"] != "WARN",
        "provisioned": {  # with the number of its indexes
            table.logical_id: len(table.properties.get("GlobalSecondaryIndexes", []))
            for table in provisioned.of_type("AWS::DynamoDB::Table")
            if table.properties["BillingMode"] == "PROVISIONED"
        },
        "min_capacity": int(template.parameters["MinTableCapacity"]),
        "scaling_policies": len(list(provisioned.of_type("AWS::ApplicationAutoScaling::ScalingPolicy"))),
    }


def _alarm_metrics(alarms: Iterable[Any]) -> int:
    """An alarm on an expression is billed for each metric in it."""
    return sum(
        sum("MetricStat" in metric for metric in alarm.properties["Metrics"])
        if "Metrics" in alarm.properties
        else 1
        for alarm in alarms
    )


def _seconds(expression: str) -> int:
    """The interval of `rate(1 minute)`, or of a `cron(…)` that runs at one minute of each hour."""
    if re.fullmatch(r"cron\(\d+ \* \* \* \? \*\)", expression):
        return 3600
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    assert match, f"unsupported schedule: {expression}"
    return int(match[1]) * {"minute": 60, "hour": 3600, "day": 86_400}[match[2]]


# ── alternatives ─────────────────────────────────────────────────────────────────────────────────────


def eventbridge(deliveries: int, p: Prices, a: Assumptions) -> float:
    """Dollars a month: one put per event, and one invocation of an API destination per delivery."""
    events = deliveries / a.webhooks_per_event
    return events / MILLION * p.eventbridge_events + deliveries / MILLION * p.eventbridge_destinations


def svix(deliveries: int, p: Prices, a: Assumptions) -> float:
    """Dollars a month of two t4g.medium behind a load balancer, PostgreSQL on a Multi-AZ db.t4g.medium with
    at least 20 GB, and Redis on two cache.t4g.small.
    """
    hourly = 2 * p.ec2_t4g_medium + p.load_balancer + p.rds_t4g_medium_multi_az + 2 * p.elasticache_t4g_small
    stored = max(20.0, deliveries * a.svix_delivery_bytes / GB)
    return hourly * MONTH_HOURS + stored * p.rds_storage_multi_az


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────


def render(measured: Mapping[str, Any], p: Prices, a: Assumptions) -> dict[Path, str]:
    """The pages with their tables computed from the numbers."""
    pages: dict[Path, dict[str, list[str]]] = {
        PAGE: {
            "months": _months(measured, p, a),
            "bill": _bill(measured, p, a),
            "idle": _idle(p, a),
            "levers": _levers(measured, p, a),
            "extras": _extras(measured, p, a),
            "alternatives": _alternatives(measured, p, a),
        },
        MODEL_PAGE: {
            "outcomes": outcomes.table(measured["outcomes"]),
            "measured": _measured(measured),
            "prices": _prices(),
        },
    }
    written = {}
    for path, tables in pages.items():
        text = path.read_text("utf-8")
        for name, lines in tables.items():
            text = with_tables(str(path.relative_to(ROOT)), name, lines, text)
        written[path] = text
    return written


def _months(measured: Mapping[str, Any], p: Prices, a: Assumptions) -> list[str]:
    columns = [patchbay(month, measured, p, a) for month in SIZES]
    rows = _head("Deliveries a month", SIZES)
    rows += [
        _row(name, [column[name] for column in columns]) for name in columns[0] if _is_paid(columns, name)
    ]
    totals = [sum(column.values()) for column in columns]
    rows.append(_row("**Total**", totals))
    rows.append(_row("For a million deliveries", _rates(totals, SIZES)))
    return rows


def _bill(measured: Mapping[str, Any], p: Prices, a: Assumptions) -> list[str]:
    """The lines of AWS's bill for the month in the middle: what is counted, and its price."""
    month = SIZES[1]
    lines = patchbay(month, measured, p, a)
    events = month.deliveries / a.webhooks_per_event
    moved, empty = sqs_requests(month, a)
    storage = p.dynamodb_storage + p.dynamodb_recovery
    logs = p.logs_ingested + p.logs_stored
    written, read = (lines[f"DynamoDB, {kind}"] for kind in ("writes", "reads"))
    stored = lines["DynamoDB, 30 days of rows, recovery"]
    entries = [
        (
            "API Gateway",
            "HTTP API",
            f"{events / MILLION:.1f} million requests",
            f"{_price(p.http_api)} a million",
        ),
        (
            "Lambda",
            "Lambda, requests",
            f"{lines['Lambda, requests'] / p.lambda_requests:.1f} million invocations",
            f"{_price(p.lambda_requests)} a million",
        ),
        (
            "Lambda",
            "Lambda, duration",
            f"{lines['Lambda, duration'] / p.lambda_gb_second:,.0f} GB-seconds",
            f"{_price(p.lambda_gb_second * MILLION)} a million",
        ),
        (
            "SQS",
            "SQS",
            f"{moved / MILLION:.1f} million requests with messages, {empty / MILLION:.1f} million without",
            f"{_price(p.sqs + p.sqs_fair)} and {_price(p.sqs)} a million",
        ),
        (
            "DynamoDB",
            "DynamoDB, writes",
            f"{written / p.dynamodb_write:.1f} million write units",
            f"{_price(p.dynamodb_write)} a million",
        ),
        (
            "DynamoDB",
            "DynamoDB, reads",
            f"{read / p.dynamodb_read:.1f} million read units",
            f"{_price(p.dynamodb_read)} a million",
        ),
        (
            "DynamoDB",
            "DynamoDB, 30 days of rows, recovery",
            f"{stored / storage:.1f} GB of rows, with point-in-time recovery",
            f"{_price(storage)} a GB",
        ),
        (
            "KMS",
            "KMS, requests",
            f"{lines['KMS, requests'] / p.kms_requests * 1000:,.0f} thousand requests",
            f"{_price(p.kms_requests)} a million",
        ),
        (
            "CloudWatch",
            "CloudWatch, logs",
            f"{lines['CloudWatch, logs'] / logs:.1f} GB of logs",
            f"{_price(logs)} a GB",
        ),
        (
            "CloudWatch",
            "CloudWatch, metrics",
            f"{measured['metrics']} custom metrics",
            f"{_price(p.metric)} each",
        ),
        ("CloudWatch", _IDLE_ALARMS, "Metrics of the alarms", "[Idle](#idle)"),
        ("Several", _IDLE_REST, "A KMS key, scheduled runs", "[Idle](#idle)"),
    ]
    rows = ["| On the bill | What is counted | Price | Dollars |", "|---|---|---|--:|"]
    rows += [
        f"| {service} | {count} | {price} | {_dollars(lines[key])} |"
        for service, key, count, price in entries
    ]
    shown = {key for _, key, _, _ in entries}
    assert all(not value for key, value in lines.items() if key not in shown)
    return [*rows, f"| **Total** | | | {_dollars(sum(lines.values()))} |"]


def _levers(measured: Mapping[str, Any], p: Prices, a: Assumptions) -> list[str]:
    """The savings of each lever at each size, the largest first."""
    facts = template_facts()
    bills = [patchbay(month, measured, p, a) for month in SIZES]

    def with_month(change: Mapping[str, bool]) -> list[float]:
        changed = (patchbay(replace(month, **change), measured, p, a) for month in SIZES)
        return [sum(bill.values()) - sum(other.values()) for bill, other in zip(bills, changed, strict=True)]

    def with_assumptions(changed: Assumptions) -> list[float]:
        others = (patchbay(month, measured, p, changed) for month in SIZES)
        return [sum(bill.values()) - sum(other.values()) for bill, other in zip(bills, others, strict=True)]

    events = [month.deliveries / a.webhooks_per_event for month in SIZES]
    direct = [_requests(count, 1, measured, p, a) + _fanned_out(count, measured, p) for count in events]
    queued = [_queued(count, 1, measured, p, a) for count in events]
    alarms = (facts["alarm_metrics"] - facts["alarm_metrics_off"]) * p.alarm
    filtered = replace(a, webhooks_per_event=a.webhooks_per_event * 0.9)  # the same number of events
    tenth_fewer = [Month(month.deliveries * 9 // 10) for month in SIZES]
    levers = {
        "`TableCapacity=provisioned`": with_month({"provisioned": True}),
        "[Publish in process](../guides/publish/in-process.md)": [
            before - after for before, after in zip(direct, queued, strict=True)
        ],
        "[Publish over EventBridge](../guides/publish/eventbridge.md)": [
            before - after - count / MILLION * p.eventbridge_events
            for count, before, after in zip(events, direct, queued, strict=True)
        ],
        "[Publish in batches](../guides/publish/http.md#publish-a-batch) of 10": [
            before - _requests(count / 10, 10, measured, p, a) - _queued(count, 10, measured, p, a)
            for count, before in zip(events, direct, strict=True)
        ],
        "`RetentionDays=15` instead of 30": [
            bill["DynamoDB, 30 days of rows, recovery"] * 15 / 30 for bill in bills
        ],
        "`BatchWindowSeconds=1`": with_month({"window": True}),
        "Receivers that respond in 75 ms instead of 150": with_assumptions(
            replace(a, attempt_ms=a.attempt_ms / 2)
        ),
        "`Alarms=off`": [alarms] * len(SIZES),
        "[Filters](../guides/webhooks/filters.md) that drop a tenth of the deliveries": [
            sum(bill.values()) - sum(patchbay(fewer, measured, p, filtered).values())
            for bill, fewer in zip(bills, tenth_fewer, strict=True)
        ],
    }
    rows = _head("Saves a month", SIZES)
    return [*rows, *(_row(name, levers[name]) for name in sorted(levers, key=lambda name: -levers[name][-1]))]


def _requests(requests: float, size: int, measured: Mapping[str, Any], p: Prices, a: Assumptions) -> float:
    """Dollars of publish requests with this number of events. Each takes the CPU of a request with one."""
    publish, memory = measured["publish"], template_facts()["memory_mb"]["PublishEventFunction"]
    ms = duration(size * measured["cpu_ms"]["publish"], memory, publish["calls"], a)
    logged = a.access_log_bytes + template_facts()["success_log"] * publish["logged_successes"]
    return requests * (
        (p.http_api + p.lambda_requests + publish["writes"]["ApiKeysTable"] * p.dynamodb_write) / MILLION
        + (ms + a.cold_starts * a.init_ms) / 1000 * memory / 1024 * p.lambda_gb_second
        + logged / GB * (p.logs_ingested + p.logs_stored)
    )


def _fanned_out(events: float, measured: Mapping[str, Any], p: Prices) -> float:
    """Dollars of the units of events that are fanned out within their request."""
    publish = measured["publish"]
    written = publish["writes"]["EventsTable"] * p.dynamodb_write
    return events / MILLION * (written + sum(publish["reads"].values()) * p.dynamodb_read)


def _queued(events: float, sent: int, measured: Mapping[str, Any], p: Prices, a: Assumptions) -> float:
    """Dollars of events that go through the events queue, `sent` in one request to SQS."""
    size = a.batches(Month(round(events))).received
    batches, cost, cpu = events / size, batch_of(size, measured["fan_outs"]), measured["cpu_ms"]
    memory = template_facts()["memory_mb"]["FanOutFunction"]
    ms = duration(size * cpu_of_one(size, cpu["fan-out alone"], cpu["fan-out"]), memory, cost["calls"], a)
    empty = receives(batches, a) - batches - receives(0, a)
    units = sum(cost["writes"].values()) * p.dynamodb_write + sum(cost["reads"].values()) * p.dynamodb_read
    return (
        (events / sent + 2 * batches) / MILLION * (p.sqs + p.sqs_fair)
        + empty / MILLION * p.sqs
        + batches * (units + p.lambda_requests) / MILLION
        + batches * (ms + a.cold_starts * a.init_ms) / 1000 * memory / 1024 * p.lambda_gb_second
    )


_EXTRAS = {  # the rows of the page
    "delivered by the slow lane": "Delivered by the slow lane, in 150 ms",
    "delivered after 1 retry": "Delivered after one retry",
    "delivered after 1 postponed retry": "Delivered after one postponed retry",
    "delivered, after it was held": "Held until the receiver recovered, and delivered",
    "failed immediately (404)": "Failed immediately, for example with a 404",
    "failed after 3 retries": "Failed after three retries",
}


def _extras(measured: Mapping[str, Any], p: Prices, a: Assumptions) -> list[str]:
    """The cost of a million deliveries of an outcome, in addition to deliveries at the first attempt."""
    month = SIZES[1]
    before = patchbay(month, measured, p, a)
    rows = [
        "| A million of these deliveries | DynamoDB | Lambda | SQS, logs | Adds to the bill |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, title in _EXTRAS.items():
        after = patchbay(month, measured, p, replace(a, outcomes={name: MILLION / month.deliveries}))
        added = {key: dollars - before[key] for key, dollars in after.items()}
        parts = [
            sum(dollars for key, dollars in added.items() if key.startswith(service))
            for service in ("DynamoDB", "Lambda")
        ]
        rows.append(_row(title, [*parts, sum(added.values()) - sum(parts), sum(added.values())]))
    return rows


def _alternatives(measured: Mapping[str, Any], p: Prices, a: Assumptions) -> list[str]:
    totals = {
        "Patchbay": [sum(patchbay(month, measured, p, a).values()) for month in SIZES],
        "EventBridge API destinations": [eventbridge(month.deliveries, p, a) for month in SIZES],
        "Svix, self-hosted on two small instances": [svix(month.deliveries, p, a) for month in SIZES],
    }
    return [*_head("Dollars a month", SIZES), *(_row(name, values) for name, values in totals.items())]


def _head(title: str, months: Sequence[Month]) -> list[str]:
    names = " | ".join(month.title for month in months)
    return [f"| {title} | {names} |", "|---" + "|--:" * len(months) + "|"]


def _row(name: str, values: Iterable[float]) -> str:
    return f"| {name} | {' | '.join(map(_dollars, values))} |"


def _rates(values: Iterable[float], months: Iterable[Month]) -> list[float]:
    return [value / (month.deliveries / MILLION) for value, month in zip(values, months, strict=True)]


def _is_paid(columns: Iterable[Mapping[str, float]], name: str) -> bool:
    return any(column[name] for column in columns)


def _idle(p: Prices, a: Assumptions) -> list[str]:
    lines = idle(p, a)
    rows = ["| A month without use | Dollars |", "|---|--:|"]
    rows += [f"| {name} | {_dollars(value)} |" for name, value in lines.items()]
    return [*rows, f"| **Total** | {_dollars(sum(lines.values()))} |"]


def _measured(measured: Mapping[str, Any]) -> list[str]:
    cpu = measured["cpu_ms"]
    rows = [
        "| Message | CPU, ms | AWS calls | Write units | Read units | Log, bytes | With successes, bytes |",
        "|---|--:|--:|--:|--:|--:|--:|",
        _measured_row(
            f"A publish with an API key, to {measured['webhooks']} webhooks",
            1,
            cpu["publish"],
            measured["publish"],
        ),
    ]
    for size, cost in measured["fan_outs"].items():
        ms = cpu_of_one(int(size), cpu["fan-out alone"], cpu["fan-out"])
        name = f"An event of a queued batch of {size}, to {measured['webhooks']} webhooks"
        rows.append(_measured_row(name, int(size), ms, cost))
    for size, cost in measured["batches"].items():
        ms = cpu_of_one(int(size), cpu["1"], cpu["10"])
        rows.append(_measured_row(f"A delivery of a batch of {size}", int(size), ms, cost))
    return rows


def _measured_row(name: str, count: int, ms: float, cost: Mapping[str, Any]) -> str:
    numbers = [sum(cost["writes"].values()), sum(cost["reads"].values())]
    units = " | ".join(f"{number / count:.3g}" for number in [cost["calls"], *numbers])
    logged = f"{cost['logged'] / count:.0f} | {(cost['logged'] + cost['logged_successes']) / count:.0f}"
    return f"| {name} | {ms:.2f} | {units} | {logged} |"


def _prices() -> list[str]:
    entries = tomllib.loads(PRICES.read_text())
    rows = ["| Price | Per | Source |", "|--:|---|---|"]
    for entry in entries.values():
        if isinstance(entry, dict):
            note = "" if entry["checked"] else " (not checked)"
            rows.append(f"| ${entry['price']:.10g} | {entry['unit']} | [source]({entry['source']}){note} |")
    return rows


def _price(value: float) -> str:
    """Format a price with cents, and with tenths of a cent if there are any."""
    return f"${value:.3f}".removesuffix("0")


def _dollars(value: float) -> str:
    value = round(value, 2) or 0.0  # no negative zero
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"


def run() -> None:
    measured = json.loads(MEASURED.read_text())
    for path, text in render(measured, read_prices(), Assumptions()).items():
        path.write_text(text, "utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    for line in _months(measured, read_prices(), Assumptions()):
        print(line)
