"""The simulation behind docs/operate/scaling.md, against closed forms, and whether the page is up to date."""

from __future__ import annotations

import json
import math
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import costs
from benchmarks.scaling import limits, model, page, roll_up, scenarios
from benchmarks.scaling.model import Load, Receivers, Source, default_stack, per_hour, quotas
from benchmarks.scaling.queues import FairQueue, SqsMapping
from benchmarks.scaling.simulation import Result, Simulation, _ms, simulate
from benchmarks.scaling.tenants import Delivery, Outcome, Tenant, Webhook
from local.settings import ROOT
from patchbay.deliveries import admission
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.receivers.lanes import Lane, Traffic

FAST = Receivers(slow=0, dead=0, errors=0)
UPDATE = "run `make simulate`"


def short(deliveries_per_second: float, *, tenants: int = 50, seconds: float = 40, **changes: Any) -> Load:
    return per_hour(deliveries_per_second * 3600, tenants=tenants, seconds=seconds, warm_up=10, **changes)


def totals(result: Result) -> tuple[int, int]:
    return result.created, result.ended + sum(result.waiting.values())


# ── conservation and determinism ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("load", "changed"),
    [
        pytest.param(short(40), {}, id="a light load"),
        pytest.param(short(100), {"DeliveryConcurrency": 2, "SlowDeliveryConcurrency": 2}, id="overload"),
        pytest.param(short(40, receivers=Receivers(slow=0.4, dead=0.3, errors=0.2)), {}, id="bad receivers"),
        pytest.param(
            short(40, receivers=Receivers(dead=0.5, dead_at=10), seconds=150), {}, id="receivers that die"
        ),
        pytest.param(short(40, tenants=1, receivers=Receivers(slow=1, dead=0)), {}, id="one slow tenant"),
        pytest.param(short(60, events_per_request=20), {"FanOutConcurrency": 2}, id="batches of events"),
        pytest.param(short(30), {"BatchWindowSeconds": 1}, id="a batch window"),
        pytest.param(short(60), {"AccountConcurrency": 4}, id="a new account"),
        pytest.param(
            short(40, receivers=Receivers(errors=1), retry_schedule="standard", seconds=150),
            {"MaxVisibilityWaitSeconds": 60, "MaxWaitingPerWebhook": 20},
            id="parked retries and backlogs",
        ),
    ],
)
def test_no_delivery_is_lost(load: Load, changed: Mapping[str, float]) -> None:
    created, accounted = totals(simulate(load, default_stack().with_parameters(**changed)))

    assert created == accounted
    assert created > 100


def test_same_seed_gives_same_result() -> None:
    first, again, other = (
        scenarios.summary(simulate(short(40), default_stack(), seed)) for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other


# ── closed forms ─────────────────────────────────────────────────────────────────────────────────────


def test_busy_invocations_follow_littles_law() -> None:
    """The mean number in service is the rate of arrivals times the mean time in service."""
    result = simulate(short(20, receivers=FAST, seconds=300), default_stack())

    invocations = result.lanes["fast lane"].invocations / result.load.seconds
    (source,) = result.load.sources
    # The two deliveries of an event share an invocation.
    expected = invocations * limits.fast_batch_seconds(source, default_stack(), 2)
    assert result.batch("fast lane") == pytest.approx(2, rel=0.06)
    assert result.busy("fast lane") == pytest.approx(expected, rel=0.1)


def test_latency_without_load_is_the_time_of_each_step() -> None:
    result = simulate(short(2, receivers=FAST, seconds=600), default_stack())

    latencies = result.outcomes[0].latencies
    t, (source,) = model.times(default_stack()), result.load.sources
    expected = t.publish + t.deliver(source.webhooks) + source.receivers.fast_seconds
    assert sum(latencies) / len(latencies) == pytest.approx(expected, rel=0.1)


def test_overloaded_lane_delivers_what_full_batches_allow() -> None:
    result = simulate(short(200, receivers=FAST), default_stack().with_parameters(DeliveryConcurrency=5))

    (source,) = result.load.sources
    per_second = 5 * model.BATCH / limits.fast_batch_seconds(source, default_stack())
    assert result.outcomes[0].delivered / result.load.seconds == pytest.approx(per_second, rel=0.05)
    assert result.growth("fast lane") == pytest.approx(200 - per_second, rel=0.15)
    assert result.batch("fast lane") > 9


def test_stage_accepts_its_burst_and_then_its_rate() -> None:
    stack = default_stack().with_parameters(ThrottlingRate=10, ThrottlingBurst=50)

    outcome = simulate(short(100, receivers=FAST), stack).outcomes[0]

    accepted = outcome.requested - outcome.refused["ThrottlingRate"]
    assert accepted == pytest.approx(50 + 10 * 40, abs=2)


def test_tenant_publishes_what_its_ceiling_allows() -> None:
    stack = default_stack().with_parameters(MaxEventsPerMinute=600)

    outcome = simulate(short(60, tenants=1, receivers=FAST, seconds=300), stack).outcomes[0]

    accepted = outcome.requested - outcome.refused["MaxEventsPerMinute"]
    assert accepted <= 600 * 6
    assert accepted > 600 * 4


def test_one_tenant_uses_a_quarter_of_the_slow_lane() -> None:
    most = 0

    class Watched(Simulation):
        def _permits(self, webhooks: Iterable[Webhook]) -> set[Tenant]:
            nonlocal most
            got = super()._permits(webhooks)
            most = max([most, *(tenant.permits for tenant in got)])
            return got

    load = short(40, tenants=1, receivers=Receivers(slow=1, dead=0), seconds=200)
    result = Watched(load, default_stack()).run()

    assert most == default_stack().slow_delivery_concurrency // 4
    assert result.waiting["held"] > 0


@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("attempts", [0, 1])
@pytest.mark.parametrize(
    "health",
    [
        pytest.param(Health(fast_at=1), id="fast"),
        pytest.param(Health(slow_at=1, slowdowns=1), id="slow"),
        pytest.param(Health(), id="new"),
        pytest.param(Health(fast_at=1, backlog_at=1), id="backlog"),
        pytest.param(Health(slow_at=1, backlog_at=1), id="slow, backlog"),
        pytest.param(Health(fast_at=1, opened_at=1, probe_at=1), id="a probe is due"),
        pytest.param(Health(fast_at=1, opened_at=1, probe_at=10**15), id="breaker is open"),
    ],
)
def test_admission_is_that_of_the_engine(
    lane: Lane, attempts: int, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulation has its own copy of the steps of `admission.admit`, in the same order."""
    run = Simulation(short(1, tenants=1, receivers=FAST), default_stack())
    webhook = run._tenants[0][0].webhooks[0]
    webhook.health, webhook.waiting = health, 3 * attempts
    mapping = run.fast if lane is Lane.FAST else run.slow
    deliveries = [Delivery(webhook, 0.0, attempts) for _ in range(3)]
    for delivery in deliveries:
        mapping.queue.put(webhook.tenant, delivery)
    mapping.queue.take(3)
    monkeypatch.setattr(admission, "now_ms", lambda: _ms(0))
    monkeypatch.setattr(admission, "settings", lambda: SimpleNamespace(attempt_timeout_seconds=15))
    monkeypatch.setattr(health_store, "claim_probe", lambda *_: True)
    monkeypatch.setattr(health_store, "schedule_sweep", lambda *_: None)
    batch: Any = SimpleNamespace(
        key="workspace#webhook",
        health=health,
        resumed_at=0,
        is_active=True,
        is_paused=False,
        rate_limit_per_second=None,
        takes_fast_lane=health.takes_fast_lane(Traffic(), _ms(0)),
        deliveries=[
            SimpleNamespace(
                message_id=str(number),
                message=SimpleNamespace(by_hand=False),
                delivery=SimpleNamespace(attempts=1, slot_at=None) if attempts else None,
            )
            for number in range(3)
        ],
    )

    sent = len(run._admit(mapping, webhook, deliveries))

    engine = Counter(type(each) for each in admission.admit(batch, lane))
    moved = run.slow.queue.size
    assert (sent, moved, run.held) == (
        engine[admission.SendNow],
        engine[admission.MoveToSlowLane],
        engine[admission.Hold],
    )


def test_dead_receivers_are_held_and_do_not_occupy_workers() -> None:
    result = simulate(short(40, receivers=Receivers(slow=0, dead=0.5), seconds=150), default_stack())

    assert result.held > 2000
    assert result.busy("slow lane") < 8
    assert (result.outcomes[0].percentile(99) or math.inf) < 2


def test_mapping_scales_by_300_batches_a_minute_while_messages_wait() -> None:
    mapping: SqsMapping[int] = SqsMapping("fast lane", 50, 0)
    mapping.queue.put(Tenant(Source("one", 1, 1), Outcome("one")), 1)

    allowed = []
    for _ in range(12):
        mapping.scale()
        allowed.append(mapping.allowed)

    assert allowed[:3] == [10, 15, 20]
    assert allowed[-1] == 50


def test_fair_queue_serves_quiet_tenants_first() -> None:
    queue: FairQueue[str] = FairQueue()
    noisy, quiet = (Tenant(Source(name, 1, 1), Outcome(name)) for name in ("noisy", "quiet"))
    for _ in range(100):
        queue.put(noisy, "noisy")
    assert queue.take(40) == ["noisy"] * 40
    queue.put(quiet, "quiet")

    assert queue.take(2) == ["quiet", "noisy"]


def test_queue_gives_out_no_more_than_sqs_has_in_flight() -> None:
    queue: FairQueue[int] = FairQueue()
    tenant = Tenant(Source("one", 1, 1), Outcome("one"))
    for number in range(20):
        queue.put(tenant, number)
    queue.in_flight = quotas().sqs_in_flight - 3

    assert len(queue.take(10)) == 3
    assert queue.take(10) == []


@pytest.mark.parametrize("count", [1, 2, 10])
def test_longest_attempt_is_the_mean_of_a_maximum(count: int) -> None:
    assert limits.longest_attempt(count, 0.15, 15) == pytest.approx(0.15 * costs.harmonic(count), rel=1e-3)
    assert limits.longest_attempt(1, 4, 15) == pytest.approx(4 * (1 - math.exp(-15 / 4)), rel=1e-3)


# ── the claims of the page ───────────────────────────────────────────────────────────────────────────


def test_defaults_have_room_for_a_million_an_hour_and_not_for_100_million_a_day() -> None:
    shares = {use.name: use for use in limits.uses(scenarios.HOURLY, default_stack())}
    first = limits.first(scenarios.DAILY, default_stack())

    assert max(use.share for use in shares.values()) < 0.5
    assert (first.parameter, first.share > 1) == ("SlowDeliveryConcurrency", True)
    assert limits.first(scenarios.HOURLY, default_stack(), 1.0).parameter in {
        "MaxEventsPerMinute",
        "MaxRequestsPerMinute",
    }


def test_recommended_parameters_have_room_in_every_limit() -> None:
    for name, changed in scenarios.RECOMMENDED.items():
        found = limits.uses(scenarios.LOADS[name], default_stack().with_parameters(**changed))

        assert found[0].share < 0.9, (name, found[0])


def test_failing_receivers_fill_the_queue_up_to_their_backlog() -> None:
    """The bound is `limits.in_flight_of_outage`. A batch that is in progress can exceed the backlog."""
    load = short(40, tenants=10, receivers=Receivers(slow=0, dead=0, errors=1), seconds=400)
    load = replace(load, retry_schedule="standard")
    stack = default_stack().with_parameters(MaxWaitingPerWebhook=20)

    result = simulate(load, stack)

    bound = limits.in_flight_of_outage(20, 1.0, 40, stack)
    assert bound == 20 * 20
    assert bound * 0.8 < result.lanes["fast lane"].most_in_flight < bound * 1.5
    assert result.waiting["held"] > 0


def simulated() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / page.RESULTS).read_text("utf-8"))
    return found


def test_moving_the_named_parameter_moves_what_breaks() -> None:
    """Each claim in the page's table holds for the stored results. With the recommended parameters, no events
    are refused and no queue grows. With one of them back at its default, its limit is the one that breaks.
    """
    results = simulated()["results"]

    def broken(name: str) -> set[str]:
        run = results[name]
        found = {lane for lane, each in run["lanes"].items() if each["growth"] > 1}
        return found | {reason for source in run["sources"].values() for reason in source["refused"]}

    assert broken("100 million a day: recommended") == set()
    assert "ThrottlingRate" in broken("move: ThrottlingRate=500")
    assert "fast lane" in broken("move: DeliveryConcurrency=50")
    assert "slow lane" in broken("move: SlowDeliveryConcurrency=20")
    assert broken("one tenant: defaults") == {"MaxEventsPerMinute"}
    assert broken("one tenant: MaxEventsPerMinute=12000") == set()


def test_pages_have_the_tables_of_the_stored_results() -> None:
    pages = page.render(simulated())
    assert {path: (ROOT / path).read_text("utf-8") for path in pages} == pages, UPDATE


def test_stored_results_are_of_this_template_and_these_measurements() -> None:
    assert simulated()["facts"] == model.facts(), UPDATE
    assert set(simulated()["results"]) == set(scenarios.all_scenarios()), UPDATE


def test_stored_results_are_of_this_simulation() -> None:
    """Repeat one run, the cheapest."""
    name = "10,000 an hour: defaults"

    stored = simulated()["results"][name]
    assert scenarios.run(name) | {"dollars": stored["dollars"]} == stored, UPDATE


def test_quotas_name_their_source_at_aws() -> None:
    entries = tomllib.loads(model.QUOTAS.read_text("utf-8"))

    for name, entry in entries.items():
        if isinstance(entry, dict):
            assert entry["source"].startswith("https://docs.aws.amazon.com/"), name


def test_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="DeliveryConcurency is not a parameter"):
        default_stack().with_parameters(DeliveryConcurency=3)


def test_simulation_can_be_stopped_and_counted_at_any_second() -> None:
    for seconds in (1, 7, 33):
        run = Simulation(short(50, seconds=seconds), default_stack())

        created, accounted = totals(run.run())
        assert created == accounted


def test_roll_up_reads_the_rows_that_its_cost_was_measured_with() -> None:
    assert roll_up.measure(rows=10, rounds=1) > 0
