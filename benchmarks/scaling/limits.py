"""How much of each limit a load uses, from rates, the measured counts and the model of times. Closed forms;
the tests compare them with the simulation where both have a value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks import costs
from benchmarks.scaling.model import BATCH, Load, Source, Stack, measured, memory, quotas, times
from benchmarks.scaling.simulation import SWEEP_SECONDS, SWEEP_WORK_SECONDS
from patchbay.api_keys.models import MAX_PER_HOUR
from patchbay.deliveries import worker
from patchbay.storage import due_index
from patchbay.webhooks.retry import SCHEDULES

# The largest tenant's share of a load, for the limits of one tenant.
LARGEST = 0.1
# RollUpStatsFunction: the CPU for one delivery, which benchmarks/scaling/roll_up.py measured on the
# machine of measured.json, and the timeout.
ROLL_UP_CPU_MS = 0.012
ROLL_UP_SECONDS = 900
# The share of receivers that respond with 503 for hours, for the limit of messages in flight.
OUTAGE = 0.05
NO_PARAMETER = "–"


@dataclass(frozen=True)
class Use:
    """`used` of `limit`, both in `unit`. `parameter` is what changes the limit, such as a parameter of the
    template. `simulated` says whether the simulation has the limit, too.
    """

    name: str
    used: float
    limit: float
    unit: str
    parameter: str
    simulated: bool = False

    @property
    def share(self) -> float:
        return self.used / self.limit


def uses(load: Load, stack: Stack, largest: float = LARGEST) -> list[Use]:
    """The uses of all limits by a load of one source, the highest share first. `largest` is the share of the
    largest tenant, which publishes with one API key.
    """
    (source,) = load.sources
    found = [
        *_concurrency(source, stack),
        *_requests(source, stack, largest),
        *_tables(source),
        *_keys(source, largest),
        *_messages(source, stack),
    ]
    return sorted(found, key=lambda use: -use.share)


def first(load: Load, stack: Stack, largest: float = LARGEST) -> Use:
    """The limit that the load reaches first."""
    return uses(load, stack, largest)[0]


# ── times of batches ─────────────────────────────────────────────────────────────────────────────────


def longest_attempt(count: int, mean: float, timeout: float) -> float:
    """The mean of the longest of `count` attempts that take exponentially distributed times, each cut off at
    the timeout: the integral of 1 − (1 − e^(−x/mean))^count up to the timeout, by Simpson's rule.
    """
    steps = 400
    width = timeout / steps

    def survival(x: float) -> float:
        return -math.expm1(count * math.log1p(-math.exp(-x / mean))) if x else 1.0

    total = survival(0) + survival(timeout)
    total += sum((4 if step % 2 else 2) * survival(step * width) for step in range(1, steps))
    return total * width / 3


def fast_batch_seconds(source: Source, stack: Stack, count: int = BATCH) -> float:
    """How long an invocation of the fast lane takes."""
    mean = source.receivers.fast_seconds
    return times(stack).deliver(count) + longest_attempt(count, mean, stack.attempt_timeout_seconds)


def slow_batch_seconds(source: Source, stack: Stack, count: int = BATCH) -> float:
    """How long an invocation of the slow lane takes, with slow receivers only."""
    mean, t = source.receivers.slow_seconds, times(stack)
    return t.deliver(count) + 3 * t.call + longest_attempt(count, mean, stack.attempt_timeout_seconds)


# ── the limits ───────────────────────────────────────────────────────────────────────────────────────


def _concurrency(source: Source, stack: Stack) -> list[Use]:
    """Concurrent invocations with full batches: what is needed before a queue grows."""
    d, mix, t = source.deliveries_per_second, source.receivers, times(stack)
    moved = d * (mix.slow + mix.dead) * t.deliver(BATCH) / BATCH
    fast = d * (1 - mix.slow - mix.dead) * fast_batch_seconds(source, stack) / BATCH + moved
    slow = d * mix.slow * slow_batch_seconds(source, stack) / BATCH
    queued = source.events_per_second if source.events_per_request > 1 else 0.0
    fan_out = queued * t.fan_out(BATCH) / BATCH
    publish = source.events_per_second / source.events_per_request * t.publish
    unit = "invocations"
    return [
        Use("fast lane, full batches", fast, stack.delivery_concurrency, unit, "DeliveryConcurrency", True),
        Use(
            "slow lane, full batches",
            slow,
            stack.slow_delivery_concurrency,
            unit,
            "SlowDeliveryConcurrency",
            True,
        ),
        Use("fan-out, full batches", fan_out, stack.fan_out_concurrency, unit, "FanOutConcurrency", True),
        Use(
            "concurrent executions of the account",
            publish + fan_out + fast + slow,
            stack.account_concurrency,
            unit,
            "AWS's quota",
            True,
        ),
    ]


def _requests(source: Source, stack: Stack, largest: float) -> list[Use]:
    e = source.events_per_second
    requests = e / source.events_per_request
    return [
        Use(
            "publish requests of all tenants",
            requests,
            stack.throttling_rate,
            "a second",
            "ThrottlingRate",
            True,
        ),
        Use("publish requests", requests, quotas().api_requests_per_second, "a second", "AWS's quota"),
        Use(
            "events of the largest tenant",
            e * largest * 60,
            stack.max_events_per_minute,
            "a minute",
            "MaxEventsPerMinute",
            True,
        ),
        Use(
            "requests of the largest tenant",
            requests * largest * 60,
            stack.max_requests_per_minute,
            "a minute",
            "MaxRequestsPerMinute",
        ),
        Use(
            "requests of the largest tenant's API key",
            requests * largest * 3600,
            MAX_PER_HOUR,
            "an hour",
            "more API keys",
        ),
    ]


def writes(source: Source) -> dict[str, float]:
    """Write units a second by table, from measured.json: every outcome with its share of the deliveries."""
    d, mix = source.deliveries_per_second, source.receivers
    requests = source.events_per_second / source.events_per_request
    by_outcome = {outcome["name"]: outcome for outcome in measured()["outcomes"]}
    shares = {
        "delivered by the slow lane": mix.slow,
        "delivered, after it was held": mix.dead,
        "delivered after 1 retry": (1 - mix.slow - mix.dead) * mix.errors,
    }
    shares["delivered at the first attempt"] = 1 - sum(shares.values())
    return {
        "EventsTable": source.events_per_second * measured()["publish"]["writes"]["EventsTable"],
        "ApiKeysTable": requests * measured()["publish"]["writes"]["ApiKeysTable"],
        "DeliveriesTable": sum(d * share * by_outcome[name]["rows"] for name, share in shares.items()),
        "DeliveriesTable, indexes": sum(
            d * share * by_outcome[name]["indexes"] for name, share in shares.items()
        ),
        "HealthTable": sum(
            d * share * by_outcome[name]["others"].get("HealthTable", 0) for name, share in shares.items()
        ),
    }


def _tables(source: Source) -> list[Use]:
    q, d, e = quotas(), source.deliveries_per_second, source.events_per_second
    unit = "write units a second"
    found = [
        Use(f"{table}, new", units, q.dynamodb_new_table_writes, unit, "`TableCapacity`, or warm throughput")
        for table, units in writes(source).items()
        if "indexes" not in table
    ]
    reads = (
        e * measured()["publish"]["reads"]["WebhooksTable"]
        + d * measured()["batches"]["1"]["reads"]["WebhooksTable"]
    )
    unit = "read units a second"
    return [
        *found,
        Use(
            "WebhooksTable, new",
            reads,
            q.dynamodb_new_table_reads,
            unit,
            "`TableCapacity`, or warm throughput",
        ),
    ]


def _keys(source: Source, largest: float) -> list[Use]:
    """Keys that get many writes or reads. A key is in one partition."""
    q, d, e, mix = quotas(), source.deliveries_per_second, source.events_per_second, source.receivers
    requests = e / source.events_per_request
    held = next(each for each in measured()["outcomes"] if each["name"] == "delivered, after it was held")
    block = costs.Assumptions().ceiling_block
    write = "write units a second"
    keys: Mapping[str, float] = {
        "EventsTable, the largest tenant's events": e * largest,
        "DeliveriesTable, the largest tenant's busiest webhook": d * largest / source.webhooks,
        "ApiKeysTable, the largest tenant's key": requests * largest,
        "RateLimitsTable, the largest tenant's ceiling of events": e * largest / block,
        "FeedsTable, a pull webhook of the largest tenant (head and entry)": 2 * e * largest,
        "HealthTable, the largest tenant's permits": 2 * d * mix.slow * largest,
        "HealthTable, the counters of a webhook that fails": d * largest / source.webhooks * mix.errors * 2,
        "EventsTable, the hour's active workspaces, at the start of an hour": e,
        "index due, one of its shards, if all of its index units went there": d
        * mix.dead
        * held["indexes"]
        / len(due_index.SHARDS),
    }
    reads = (e + d) * largest
    return [
        *(
            Use(name, used, q.dynamodb_partition_writes, write, _KEY_PARAMETERS.get(name, NO_PARAMETER))
            for name, used in keys.items()
        ),
        Use(
            "WebhooksTable, the largest tenant's webhooks",
            reads,
            q.dynamodb_partition_reads,
            "read units a second",
            "BatchWindowSeconds",
        ),
    ]


_KEY_PARAMETERS = {
    "ApiKeysTable, the largest tenant's key": "more API keys",
    "RateLimitsTable, the largest tenant's ceiling of events": "MaxEventsPerMinute",
    "HealthTable, the largest tenant's permits": "SlowDeliveryConcurrency",
}


def _messages(source: Source, stack: Stack) -> list[Use]:
    q, d, mix = quotas(), source.deliveries_per_second, source.receivers
    in_flight = d * (1 - mix.slow - mix.dead) * (fast_batch_seconds(source, stack) + mix.errors * 30)
    swept = SWEEP_WORK_SECONDS / times(stack).call / SWEEP_SECONDS
    return [
        Use("fast lane, messages in flight", in_flight, q.sqs_in_flight, "messages", "AWS's quota", True),
        Use(
            f"messages in flight while {OUTAGE:.0%} of the receivers respond with 503 for hours",
            in_flight_of_outage(source.tenants * source.webhooks, OUTAGE, d, stack),
            worker._MANY_IN_FLIGHT,
            "messages",
            "MaxWaitingPerWebhook",
        ),
        Use(
            "deliveries that wait in the table, by the sweeper", d * mix.dead, swept, "a second", NO_PARAMETER
        ),
        Use("the hourly roll-up, its CPU", _roll_up_seconds(d), ROLL_UP_SECONDS, "s", NO_PARAMETER),
    ]


def _roll_up_seconds(deliveries_per_second: float) -> float:
    """The time of a run that reads an hour's deliveries: its CPU time on its share of a vCPU."""
    cpu_ms = deliveries_per_second * 3600 * ROLL_UP_CPU_MS
    return costs.duration(cpu_ms, memory("RollUpStatsFunction"), 0, costs.Assumptions()) / 1000


def in_flight_of_outage(webhooks: int, failing: float, deliveries_per_second: float, stack: Stack) -> float:
    """The most messages in flight while a share of the receivers responds with 503 for hours, with the
    schedule `standard`: each delivery waits for the steps that stay in the queue, up to
    `MaxWaitingPerWebhook` for each webhook.
    """
    in_queue = sum(step for step in SCHEDULES["standard"] if step <= stack.max_visibility_wait_seconds)
    waiting = deliveries_per_second * failing * in_queue
    return min(waiting, webhooks * failing * stack.max_waiting_per_webhook)


# ── capacity and cost ────────────────────────────────────────────────────────────────────────────────


def capacity_per_hour(load: Load, use: Use) -> float:
    """The deliveries an hour at which the limit is reached, if everything grows in proportion."""
    return load.deliveries_per_second * 3600 / use.share if use.share else math.inf


@dataclass(frozen=True)
class _Simulated(costs.Assumptions):
    """The assumptions of docs/architecture/cost-model.md, with the batch size of a simulation."""

    batch: int = 1

    def batches(self, month: costs.Month) -> costs.Batches:
        return costs.Batches(deliver=self.batch, received=self.batch)


def cost_per_month(
    deliveries_per_second: float, batch: float, workspaces: int, *, provisioned: bool
) -> float:
    """Dollars for 30 days, if every first attempt succeeds: the calculation of docs/operate/costs.md,
    with the measured batch size (1, 2, 5 or 10) that is nearest to the simulated one.
    """
    nearest = min((1, 2, 5, 10), key=lambda size: abs(size - batch))
    month = costs.Month(round(deliveries_per_second * costs.MONTH_SECONDS), provisioned=provisioned)
    assumed = replace(_Simulated(batch=nearest), workspaces=workspaces)
    return sum(costs.patchbay(month, measured(), costs.read_prices(), assumed).values())
