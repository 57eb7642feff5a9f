"""The runs behind docs/operate/scaling.md. Each has a load and changed parameters of the template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.load.options import percentile
from benchmarks.scaling.model import Load, Receivers, Source, Stack, default_stack, per_hour, quotas
from benchmarks.scaling.simulation import Result, simulate

DAY = 100_000_000 / 24
SMALL, HOURLY, DAILY = per_hour(10_000), per_hour(1_000_000), per_hour(DAY, seconds=180)
LOADS = {"10,000 an hour": SMALL, "1 million an hour": HOURLY, "100 million a day": DAILY}
# The recommended parameters for each load. At 100 million a day, everything has room for twice the mean rate.
RECOMMENDED: Mapping[str, Mapping[str, float]] = {
    "10,000 an hour": {},
    "1 million an hour": {"DeliveryConcurrency": 100, "SlowDeliveryConcurrency": 40},
    "100 million a day": {
        "ThrottlingRate": 1500,
        "ThrottlingBurst": 3000,
        "DeliveryConcurrency": 200,
        "SlowDeliveryConcurrency": 100,
    },
}
_DAILY = RECOMMENDED["100 million a day"]


@dataclass(frozen=True)
class Scenario:
    """A run. `changed` are parameters that differ from the template's defaults."""

    load: Load
    changed: Mapping[str, float] = field(default_factory=dict)

    @property
    def stack(self) -> Stack:
        return default_stack().with_parameters(**self.changed)


_QUIET = Source("quiet", 1000, 100_000 / 3600 / 2)
_BURST = {"burst_from": 90.0, "burst_until": 120.0, "burst_factor": 5.0}
_FAST, _SLOW = Receivers(slow=0, dead=0), Receivers(slow=1, dead=0)
_OUTAGE = Receivers(dead=0.2, dead_at=90.0)


def _with_noisy(**noisy: Any) -> Load:
    """1,000 quiet tenants, and one that publishes as many events as its ceiling allows, to ten webhooks."""
    source = Source("noisy", 1, 100, webhooks=10, events_per_request=20, **noisy)
    return Load((_QUIET, source), seconds=180)


def all_scenarios() -> dict[str, Scenario]:
    """The runs, by their names in results.json."""
    found = {f"{name}: defaults": Scenario(load) for name, load in LOADS.items()}
    found |= {
        f"{name}: recommended": Scenario(load, RECOMMENDED[name])
        for name, load in LOADS.items()
        if RECOMMENDED[name]
    }
    default = default_stack()
    for parameter, value in {
        "ThrottlingRate": default.throttling_rate,
        "DeliveryConcurrency": default.delivery_concurrency,
        "SlowDeliveryConcurrency": default.slow_delivery_concurrency,
        "AccountConcurrency": 150,
    }.items():
        found[f"move: {parameter}={value:g}"] = Scenario(DAILY, {**_DAILY, parameter: value})
    one_tenant = per_hour(1_000_000, tenants=1, webhooks=2, seconds=180)
    found["one tenant: defaults"] = Scenario(one_tenant)
    found["one tenant: MaxEventsPerMinute=12000"] = Scenario(one_tenant, {"MaxEventsPerMinute": 12_000})
    two = {"FanOutConcurrency": 2, "DeliveryConcurrency": 2, "SlowDeliveryConcurrency": 2}
    found["new account: all set to 2"] = Scenario(
        SMALL, {**two, "AccountConcurrency": quotas().lambda_new_account_concurrency}
    )
    found["quiet: alone"] = Scenario(Load((_QUIET,), seconds=180))
    found["quiet: beside fast receivers"] = Scenario(_with_noisy(receivers=_FAST))
    found["quiet: beside slow receivers"] = Scenario(_with_noisy(receivers=_SLOW))
    dying = _with_noisy(receivers=Receivers(slow=0, dead=1, dead_at=90.0))
    found["quiet: beside receivers that die"] = Scenario(dying)
    found["quiet: the same, DeliveryConcurrency=200"] = Scenario(dying, {"DeliveryConcurrency": 200})
    burst = per_hour(1_000_000, seconds=240, **_BURST)
    found["burst: defaults"] = Scenario(burst)
    found["burst: ThrottlingRate=1000"] = Scenario(burst, {"ThrottlingRate": 1000})
    found["burst: ThrottlingRate=1000, DeliveryConcurrency=200"] = Scenario(
        burst, {"ThrottlingRate": 1000, "DeliveryConcurrency": 200}
    )
    outage = per_hour(1_000_000, seconds=240, receivers=_OUTAGE)
    more = {"DeliveryConcurrency": 200, "SlowDeliveryConcurrency": 100}
    found["outage: defaults"] = Scenario(outage)
    found["outage: AttemptTimeoutSeconds=5"] = Scenario(outage, {"AttemptTimeoutSeconds": 5})
    found["outage: DeliveryConcurrency=200, SlowDeliveryConcurrency=100"] = Scenario(outage, more)
    return found


def summary(result: Result) -> dict[str, Any]:
    """The numbers of a run for the page."""
    return {
        "created": result.created,
        "ended": result.ended,
        "waiting": result.waiting,
        "concurrent": result.most_concurrent,
        "held": result.held,
        "sources": {
            outcome.name: {
                "requested": outcome.requested,
                "refused": dict(outcome.refused),
                "delivered": outcome.delivered,
                "failed": outcome.failed,
                **{f"p{p}": _rounded(outcome.percentile(p)) for p in (50, 95, 99)},
                "slow_p95": _rounded(percentile(sorted(outcome.slow_latencies), 95)),
            }
            for outcome in result.outcomes
        },
        "lanes": {
            name: {
                "depth": result.depth(name),
                "growth": round(result.growth(name)),
                "busy": round(result.busy(name), 1),
                "batch": round(result.batch(name), 2),
                "in_flight": lane.most_in_flight,
            }
            for name, lane in result.lanes.items()
        },
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def run(name: str, seed: int = 1) -> dict[str, Any]:
    """Run a scenario."""
    scenario = all_scenarios()[name]
    return summary(simulate(scenario.load, scenario.stack, seed))
