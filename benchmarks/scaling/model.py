"""The inputs of the simulation: the stack's parameters, AWS's quotas, the time per operation, and loads."""

from __future__ import annotations

import contextlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from benchmarks import costs
from local.settings import ROOT

QUOTAS = Path(__file__).with_name("quotas.toml")
BATCH = 10  # messages of an invocation (BatchSize in template.yaml)


@dataclass(frozen=True)
class Quotas:
    """AWS's default quotas for an account and a region; quotas.toml has the units and sources."""

    lambda_concurrency: int
    lambda_new_account_concurrency: int
    lambda_scaling_per_10_seconds: int
    sqs_mapping_start: int
    sqs_mapping_per_minute: int
    sqs_mapping_concurrency: int
    sqs_in_flight: int
    fair_queue_min_in_flight: int
    fair_queue_share: float
    api_requests_per_second: int
    dynamodb_partition_writes: int
    dynamodb_partition_reads: int
    dynamodb_new_table_writes: int
    dynamodb_new_table_reads: int
    dynamodb_table_units: int


@cache
def quotas() -> Quotas:
    entries = tomllib.loads(QUOTAS.read_text("utf-8"))
    return Quotas(**{field.name: entries[field.name]["value"] for field in fields(Quotas)})


@dataclass(frozen=True)
class Stack:
    """The template's parameters that the simulation knows, and the account's quota of concurrent executions.
    `parameter` has the names of the template.
    """

    throttling_rate: float
    throttling_burst: float
    max_events_per_minute: int
    max_requests_per_minute: int
    fan_out_concurrency: int
    delivery_concurrency: int
    slow_delivery_concurrency: int
    batch_window_seconds: float
    attempt_timeout_seconds: float
    max_visibility_wait_seconds: int
    max_waiting_per_webhook: int
    probe_seconds: int
    delivery_memory: int
    account_concurrency: int

    def with_parameters(self, **values: float) -> Stack:
        """This stack with parameters of the template changed: `DeliveryConcurrency=200`. `AccountConcurrency`
        is AWS's quota.
        """
        changed: dict[str, Any] = {_field(name): value for name, value in values.items()}
        return replace(self, **changed)

    def value(self, parameter: str) -> float:
        """The value of a parameter of the template. Raises ValueError."""
        return float(getattr(self, _field(parameter)))


def _field(parameter: str) -> str:
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in parameter).lstrip("_")
    if name not in {field.name for field in fields(Stack)}:
        raise ValueError(f"{parameter} is not a parameter of the simulation")
    return name


class _Loader(yaml.CSafeLoader):
    """Reads template.yaml without the SAM transform, which takes seconds. Tags such as `!Ref` become None."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


@cache
def _template() -> dict[str, Any]:
    text = (ROOT / "template.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.load(text, _Loader)  # noqa: S506  # a safe loader
    return found


@cache
def default_stack() -> Stack:
    """The defaults of template.yaml."""
    values: dict[str, Any] = {"account_concurrency": quotas().lambda_concurrency}
    for name, parameter in _template()["Parameters"].items():
        with contextlib.suppress(ValueError):  # not a parameter of the simulation
            values[_field(name)] = parameter.get("Default")
    return Stack(**values)


def memory(function: str) -> int:
    """The memory in MB of a function without a parameter for it."""
    template = _template()
    shared = template["Globals"]["Function"]["MemorySize"]
    return int(template["Resources"][function]["Properties"].get("MemorySize", shared))


# ── times of operations ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Times:
    """Seconds that Patchbay's code and its AWS calls take, without receivers.

    docs/architecture/cost-model.md has the model.
    """

    publish: float
    publish_batch_call: float  # one call of SQS for ten events
    fan_out_alone: float
    fan_out_next: float
    deliver_alone: float
    deliver_next: float
    call: float

    def fan_out(self, count: int) -> float:
        return self.fan_out_alone + (count - 1) * self.fan_out_next

    def deliver(self, count: int) -> float:
        return self.deliver_alone + (count - 1) * self.deliver_next


@cache
def measured() -> dict[str, Any]:
    """measured.json, which `.venv/bin/python -m benchmarks measure` writes."""
    found: dict[str, Any] = json.loads(costs.MEASURED.read_text("utf-8"))
    return found


def times(stack: Stack) -> Times:
    """The times of this stack's functions, from the measured CPU and their memory."""
    a, cpu = costs.Assumptions(), measured()["cpu_ms"]

    def seconds(cpu_ms: float, memory_mb: int, calls: int) -> float:
        return costs.duration(cpu_ms, memory_mb, calls, a) / 1000

    fan_out, deliver = memory("FanOutFunction"), stack.delivery_memory
    ten, one = seconds(10 * cpu["10"], deliver, 2), seconds(cpu["1"], deliver, 2)
    ten_events = seconds(10 * cpu["fan-out"], fan_out, 4)
    one_event = seconds(cpu["fan-out alone"], fan_out, 3)
    return Times(
        publish=seconds(cpu["publish"], memory("PublishEventFunction"), measured()["publish"]["calls"]),
        publish_batch_call=a.aws_wait_ms / 1000,
        fan_out_alone=one_event,
        fan_out_next=(ten_events - one_event) / 9,
        deliver_alone=one,
        deliver_next=(ten - one) / 9,
        call=a.aws_wait_ms / 1000,
    )


# ── loads ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Receivers:
    """The mix of receivers, as shares of webhooks: the rest is fast. Responses take exponentially distributed
    times with these means. `errors` is the share of attempts at fast receivers that get a 503. Dead receivers
    never respond; `dead_at` is when they stop, 0 for a breaker that is already open.
    """

    slow: float = 0.02
    dead: float = 0.01
    errors: float = 0.005
    fast_seconds: float = costs.Assumptions.attempt_ms / 1000
    slow_seconds: float = 4.0
    dead_at: float = 0.0


@dataclass(frozen=True)
class Source:
    """Tenants that publish equally often, at random times: `events_per_second` of all of them together. Each
    event goes to all `webhooks` of its tenant. With `events_per_request` above 1, they use
    POST /api/events/batch. Between `burst_from` and `burst_until`, the rate is `burst_factor` times as high.
    """

    name: str
    tenants: int
    events_per_second: float
    webhooks: int = int(costs.Assumptions.webhooks_per_event)
    events_per_request: int = 1
    receivers: Receivers = field(default_factory=Receivers)
    burst_from: float = 0.0
    burst_until: float = 0.0
    burst_factor: float = 1.0

    @property
    def deliveries_per_second(self) -> float:
        return self.events_per_second * self.webhooks

    def rate(self, at: float) -> float:
        """Requests per second at this time."""
        factor = self.burst_factor if self.burst_from <= at < self.burst_until else 1.0
        return self.events_per_second / self.events_per_request * factor


@dataclass(frozen=True)
class Load:
    """The load that a run simulates. Latencies count deliveries of events after `warm_up` seconds."""

    sources: tuple[Source, ...]
    seconds: float = 240
    warm_up: float = 60
    retry_schedule: str | None = None  # of retry.SCHEDULES; None for the webhooks' default

    @property
    def deliveries_per_second(self) -> float:
        return sum(source.deliveries_per_second for source in self.sources)


def per_hour(deliveries: float, **changes: Any) -> Load:
    """A load of this many deliveries an hour, by 1,000 tenants."""
    seconds, warm_up = changes.pop("seconds", 240.0), changes.pop("warm_up", 60.0)
    schedule = changes.pop("retry_schedule", None)
    webhooks = changes.pop("webhooks", costs.Assumptions.webhooks_per_event)
    tenants = changes.pop("tenants", 1000)
    source = Source("tenants", tenants, deliveries / 3600 / webhooks, webhooks, **changes)
    return Load((source,), seconds, warm_up, schedule)


def facts() -> Mapping[str, Any]:
    """All inputs outside the code of the simulation, to check whether its results are up to date."""
    return {
        "stack": {field.name: getattr(default_stack(), field.name) for field in fields(Stack)},
        "quotas": {field.name: getattr(quotas(), field.name) for field in fields(Quotas)},
        "prices": {field.name: getattr(costs.read_prices(), field.name) for field in fields(costs.Prices)},
        "times": {field.name: getattr(times(default_stack()), field.name) for field in fields(Times)},
    }
