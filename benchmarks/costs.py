"""What a delivery costs on AWS, beside EventBridge API destinations and a small self-hosted Svix:
`python -m benchmarks costs` writes the tables of docs/costs.md anew, from three things.

    prices.toml      list prices, with their sources
    measured.json    what was counted and measured; `python -m benchmarks measure` makes it anew
    Assumptions      what neither says
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import outcomes
from local import schedules
from local.settings import ROOT
from local.template import Template

PAGE = ROOT / "docs/costs.md"
PRICES = Path(__file__).with_name("prices.toml")
MEASURED = Path(__file__).with_name("measured.json")
MILLION = 1_000_000
GB = 1024**3
MONTH_SECONDS = 30 * 86_400
MONTH_HOURS = 730
VOLUMES = (1 * MILLION, 10 * MILLION, 100 * MILLION)  # deliveries a month


@dataclass(frozen=True)
class Assumptions:
    """What was neither counted nor measured. Times in ms, sizes in bytes."""

    webhooks_per_event: int = 2
    attempt_ms: float = 150  # a receiver's mean answer; a batch takes as long as its slowest one
    aws_wait_ms: float = 5  # of one call of DynamoDB or SQS, seen from Lambda
    cpu_factor: float = 1.0  # a vCPU of Graviton beside a core of the machine that measured
    vcpu_mb: int = 1769  # memory at which a function has one vCPU (AWS's documentation)
    cold_starts: float = 0.01  # share of invocations that begin with an init
    init_ms: float = 600  # billed, as of August 2025
    workspaces: int = 100  # that are active; a process opens each one's data key anew every 5 minutes
    key_cache_seconds: int = 300
    ceiling_block: int = (
        12  # requests, and events, that one write reserves of a workspace's ceiling of a minute
    )
    platform_log_bytes: int = 330  # Lambda's START, END and REPORT lines of an invocation
    access_log_bytes: int = 350  # API Gateway's line of a request
    item_overhead_bytes: int = 100  # DynamoDB's, of each stored item
    pollers: int = 5  # of an idle event source mapping, each asking every 20 s
    schedule_ms: float = 100  # of a scheduled run that finds nothing to do
    schedule_queries: float = 12  # of it, at most: half a read unit each (an index, eventually consistent)
    svix_delivery_bytes: int = 2048  # message, attempt and their indexes in PostgreSQL, kept for a month

    def batch(self, deliveries: int) -> int:
        """Messages of one invocation. Messages are polled as they come, so batches are small until there are
        many a second.
        """
        return 1 if deliveries <= MILLION else 2 if deliveries <= 10 * MILLION else 5


@dataclass(frozen=True)
class Prices:
    """Dollars; see prices.toml for the units."""

    lambda_gb_second: float
    lambda_requests: float
    http_api: float
    sqs: float
    sqs_fair: float
    dynamodb_write: float
    dynamodb_read: float
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


def patchbay(deliveries: int, measured: Mapping[str, Any], p: Prices, a: Assumptions) -> dict[str, float]:
    """Dollars a month by kind, for so many deliveries, all taken at the first attempt."""
    events = deliveries / a.webhooks_per_event
    size = a.batch(deliveries)
    batches = deliveries / size
    event, batch = measured["event"], measured["batches"][str(size)]
    cpu = measured["cpu_ms"]
    memory = template_facts()["memory_mb"]

    times = {  # (invocations, ms of one)
        "PublishEventFunction": (events, _duration(cpu["publish"], memory["PublishEventFunction"], 2, a)),
        "FanOutFunction": (events, _duration(cpu["fan-out"], memory["FanOutFunction"], 5, a)),
        "DeliverFunction": (
            batches,
            a.attempt_ms * harmonic(size)
            + _duration(size * cpu_of_delivery(size, cpu), memory["DeliverFunction"], 3, a),
        ),
    }
    invocations = sum(count for count, _ in times.values())
    gb_seconds = sum(
        count * (ms + a.cold_starts * a.init_ms) / 1000 * memory[name] / 1024
        for name, (count, ms) in times.items()
    )
    sends = math.ceil(a.webhooks_per_event / 10)
    queue_requests = events * (1 + 2 + sends) + batches * 2
    concurrency = batches / MONTH_SECONDS * times["DeliverFunction"][1] / 1000
    keys = renewals(deliveries, 1 + 2 * concurrency, a.key_cache_seconds, a)
    ceilings = 2 * max(renewals(events, 1, 60, a), events / a.ceiling_block)
    stored = (
        events * (measured["row_bytes"]["event"] + a.item_overhead_bytes)
        + deliveries * (measured["row_bytes"]["delivery"] + a.item_overhead_bytes)
    ) / GB
    logged = (
        events * (event["logged"] + a.access_log_bytes)
        + batches * batch["logged"]
        + invocations * a.platform_log_bytes
    ) / GB
    return {
        "HTTP API": events / MILLION * p.http_api,
        "Lambda, requests": invocations / MILLION * p.lambda_requests,
        "Lambda, duration": gb_seconds * p.lambda_gb_second,
        "SQS": queue_requests / MILLION * (p.sqs + p.sqs_fair),
        "DynamoDB, writes": (events * event["writes"] + ceilings + batches * batch["writes"])
        / MILLION
        * p.dynamodb_write,
        "DynamoDB, reads": (events * event["reads"] + batches * batch["reads"] + keys)
        / MILLION
        * p.dynamodb_read,
        "DynamoDB, 30 days of rows, recovery": stored * (p.dynamodb_storage + p.dynamodb_recovery),
        "KMS, requests": keys / MILLION * p.kms_requests,
        "CloudWatch, logs": logged * (p.logs_ingested + p.logs_stored),
        "CloudWatch, metrics": measured["metrics"] * p.metric,
        "Idle (below)": sum(idle(p, a).values()),
    }


def _duration(cpu_ms: float, memory_mb: int, calls: int, a: Assumptions) -> float:
    """ms of an invocation: its CPU on the share of a vCPU that its memory buys, and its calls in sequence."""
    share = min(1.0, memory_mb / a.vcpu_mb)
    return cpu_ms * a.cpu_factor / share + calls * a.aws_wait_ms


def cpu_of_delivery(size: int, cpu: Mapping[str, float]) -> float:
    """CPU ms of one delivery of a batch, on the line through what batches of 1 and of 10 took."""
    per_delivery = (10 * cpu["10"] - cpu["1"]) / 9
    return per_delivery + (cpu["1"] - per_delivery) / size


def harmonic(count: int) -> float:
    """1 + 1/2 + … + 1/count: the mean of the slowest of so many exponential times, in means of one."""
    return sum(1 / at for at in range(1, count + 1))


def renewals(uses: float, processes: float, seconds: float, a: Assumptions) -> float:
    """How often a month processes renew what each keeps for some seconds of every workspace: at the first use
    after it has lapsed. `uses` of a month are spread evenly over both.
    """
    rate = uses / MONTH_SECONDS / processes / a.workspaces
    return MONTH_SECONDS / (seconds + 1 / rate) * processes * a.workspaces


def idle(p: Prices, a: Assumptions) -> dict[str, float]:
    """Dollars a month of a deployment that nobody uses."""
    facts = template_facts()
    runs = sum(facts["runs"].values())
    polls = facts["queues"] * a.pollers * MONTH_SECONDS / 20
    gb_seconds = sum(
        count * a.schedule_ms / 1000 * facts["memory_mb"][name] / 1024
        for name, count in facts["runs"].items()
    )
    return {
        f"KMS: {facts['keys']} key, not yet rotated": facts["keys"] * p.kms_key,
        f"CloudWatch: {facts['alarms']} alarms": facts["alarms"] * p.alarm,
        f"SQS: {polls / MILLION:.2f} million empty polls of {facts['queues']} queues": polls
        / MILLION
        * p.sqs,
        f"EventBridge Scheduler: {runs:,.0f} runs": runs / MILLION * p.scheduler,
        "DynamoDB: their queries": runs * a.schedule_queries * 0.5 / MILLION * p.dynamodb_read,
        "Lambda: those runs": runs / MILLION * p.lambda_requests + gb_seconds * p.lambda_gb_second,
        "CloudWatch: their logs": runs * a.platform_log_bytes / GB * (p.logs_ingested + p.logs_stored),
    }


@cache
def template_facts() -> dict[str, Any]:
    """What template.yaml says that is billed: memory of functions, scheduled runs a month, keys, alarms, and
    queues that are polled.
    """
    template = Template(ROOT / "template.yaml", {"JwtSecretArn": "arn", "PlatformWorkspaceId": "platform"})
    return {
        "memory_mb": {name: function.memory for name, function in template.functions().items()},
        "runs": {
            schedule.function: MONTH_SECONDS / _seconds(schedule.expression)
            for schedule in schedules.read(template)
        },
        "keys": len(list(template.of_type("AWS::KMS::Key"))),
        "alarms": len(list(template.of_type("AWS::CloudWatch::Alarm"))),
        "queues": len(list(template.of_type("AWS::Lambda::EventSourceMapping"))),
    }


def _seconds(expression: str) -> int:
    """Between two runs of `rate(1 minute)`."""
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    assert match, f"{expression} is no rate"
    return int(match[1]) * {"minute": 60, "hour": 3600, "day": 86_400}[match[2]]


# ── the others ───────────────────────────────────────────────────────────────────────────────────────


def eventbridge(deliveries: int, p: Prices, a: Assumptions) -> float:
    """Dollars a month: each event put once, each delivery one invocation of an API destination."""
    events = deliveries / a.webhooks_per_event
    return events / MILLION * p.eventbridge_events + deliveries / MILLION * p.eventbridge_destinations


def svix(deliveries: int, p: Prices, a: Assumptions) -> float:
    """Dollars a month of two t4g.medium behind a load balancer, PostgreSQL on a db.t4g.medium in two zones
    with at least 20 GB, and Redis on two cache.t4g.small.
    """
    hourly = 2 * p.ec2_t4g_medium + p.load_balancer + p.rds_t4g_medium_multi_az + 2 * p.elasticache_t4g_small
    stored = max(20.0, deliveries * a.svix_delivery_bytes / GB)
    return hourly * MONTH_HOURS + stored * p.rds_storage_multi_az


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────


def render(page: str, measured: Mapping[str, Any], p: Prices, a: Assumptions) -> str:
    """The page with its tables as the numbers have them."""
    parts = {
        "months": _months(measured, p, a),
        "idle": _idle(p, a),
        "outcomes": outcomes.table(measured["outcomes"]),
        "measured": _measured(measured),
        "prices": _prices(),
    }
    for name, lines in parts.items():
        place = re.compile(rf"(?<=<!-- {name}:begin -->\n).*?(?=<!-- {name}:end -->)", re.DOTALL)
        found = place.search(page)
        assert found, f"the page has no place for {name}"
        page = page[: found.start()] + "\n".join(lines) + "\n" + page[found.end() :]
    return page


def _months(measured: Mapping[str, Any], p: Prices, a: Assumptions) -> list[str]:
    columns = [patchbay(volume, measured, p, a) for volume in VOLUMES]
    head = " | ".join(f"{volume // MILLION} million" for volume in VOLUMES)
    rows = [f"| Deliveries a month | {head} |", "|---" + "|--:" * len(VOLUMES) + "|"]
    rows += [f"| {name} | " + " | ".join(_dollars(c[name]) for c in columns) + " |" for name in columns[0]]
    totals = {
        "**Patchbay**": [sum(column.values()) for column in columns],
        "EventBridge API destinations": [eventbridge(volume, p, a) for volume in VOLUMES],
        "Svix, self-hosted, two small instances": [svix(volume, p, a) for volume in VOLUMES],
    }
    for name, values in totals.items():
        rows.append(f"| {name}, a month | " + " | ".join(_dollars(value) for value in values) + " |")
    for name, values in totals.items():
        each = [value / (volume / MILLION) for value, volume in zip(values, VOLUMES, strict=True)]
        rows.append(
            f"| {name}, a million deliveries | " + " | ".join(_dollars(value) for value in each) + " |"
        )
    return rows


def _idle(p: Prices, a: Assumptions) -> list[str]:
    lines = idle(p, a)
    rows = ["| A month without any use | |", "|---|--:|"]
    rows += [f"| {name} | {_dollars(value)} |" for name, value in lines.items()]
    return [*rows, f"| **Together** | {_dollars(sum(lines.values()))} |"]


def _measured(measured: Mapping[str, Any]) -> list[str]:
    cpu, event = measured["cpu_ms"], measured["event"]
    rows = [
        "| | CPU, ms | Write units | Read units | Log, bytes |",
        "|---|--:|--:|--:|--:|",
        f"| Event: publish with an API key, fan-out to {measured['webhooks']} webhooks"
        f" | {cpu['publish'] + cpu['fan-out']:.2f} | {event['writes']:g} | {event['reads']:g}"
        f" | {event['logged']:.0f} |",
    ]
    for size, batch in measured["batches"].items():
        count = int(size)
        rows.append(
            f"| A delivery of a batch of {size}"
            f" | {cpu_of_delivery(count, cpu):.2f} | {batch['writes'] / count:g} | {batch['reads'] / count:g}"
            f" | {batch['logged'] / count:.0f} |"
        )
    return rows


def _prices() -> list[str]:
    entries = tomllib.loads(PRICES.read_text())
    rows = ["| Price | for a | |", "|--:|---|---|"]
    for entry in entries.values():
        if isinstance(entry, dict):
            doubt = "" if entry["checked"] else " (not checked)"
            rows.append(f"| ${entry['price']:.10g} | {entry['unit']} | [source]({entry['source']}){doubt} |")
    return rows


def _dollars(value: float) -> str:
    return f"${value:,.2f}"


def run() -> None:
    measured = json.loads(MEASURED.read_text())
    page = render(PAGE.read_text(), measured, read_prices(), Assumptions())
    PAGE.write_text(page)
    print(f"{PAGE.relative_to(ROOT)} is written")
    for line in _months(measured, read_prices(), Assumptions()):
        print(line)
