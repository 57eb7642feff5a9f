"""A discrete-event simulation from the publish request to the delivery. Its queues are in `queues`, and its
tenants, webhooks and deliveries in `tenants`.

Simulated: API Gateway's throttle, the ceiling of events of each workspace, the account's concurrent
executions, the events queue with its fan-out, both lanes with Lambda's scaling for a queue, SQS's fair
queues and messages in flight, batches that take as long as their slowest attempt, the move to the slow lane
after two seconds, permits, deferrals, holds, the breaker and its probes, retries in the queue and parked
ones, backlogs, disabled webhooks, and the sweeper with its time limit.

The decisions are the engine's own code where that is pure: `retry.plan`, `Health`, `Traffic`, `lanes` and
`sliding_window`, and its constants. `admission`, `worker`, `outcome` and `sweeper` call AWS, so their steps
are repeated here in their order, in a few lines each. Not simulated: failures of AWS, throttled tables (see
`limits`), duplicates, cold starts, webhooks with a rate limit, pull webhooks, and the ways in which AWS
differs from this model of it.

Time is in seconds from 0. The same load, stack and seed give the same result. A heap of events is enough:
simpy, tried on the same machine, runs a fifth as many events a second.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.scaling.model import BATCH, Load, Receivers, Source, Stack, times
from benchmarks.scaling.queues import SqsMapping
from benchmarks.scaling.tenants import Delivery, Outcome, Tenant, Webhook
from patchbay.deliveries import requeue, sweeper, worker
from patchbay.rate_limits.sliding_window import MINUTE, Count, Quota, QuotaStatus
from patchbay.receivers.health import TIMEOUTS_TO_OPEN, Health, probe_delay_seconds, trailing_timeouts
from patchbay.receivers.lanes import (
    MAX_DEFERRALS,
    SLOW_AFTER_SECONDS,
    defer_seconds,
    max_permits,
)
from patchbay.webhooks import retry

_EPOCH_MS = 1_800_000_000_000  # of second 0: Health takes 0 for something that has not happened
_DISABLE_AFTER = 10  # of a webhook, by default
_PROBE_RESERVE_SECONDS = 30  # as in admission
SWEEP_SECONDS = 60  # the sweeper's schedule
# SweepDeliveriesFunction has a timeout of 60 s.
SWEEP_WORK_SECONDS = 60 - sweeper._RESERVE_MS / 1000
VISIT_CALLS = 4  # of the sweeper for a webhook: claim, read, count, query
_POLICY = retry.RetryPolicy()


def _ms(at: float) -> int:
    return _EPOCH_MS + int(at * 1000)


@dataclass(slots=True)
class _Attempt:
    delivery: Delivery
    seconds: float
    outcome: retry.Outcome


class Simulation:
    """One run. Call `run` once."""

    def __init__(self, load: Load, stack: Stack, seed: int = 1) -> None:
        self.load, self.stack = load, stack
        self.now = 0.0
        self._random = random.Random(seed)
        self._times = times(stack)
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = itertools.count()
        window = stack.batch_window_seconds
        self.fan_out: SqsMapping[tuple[Tenant, float]] = SqsMapping(
            "fan-out", stack.fan_out_concurrency, window
        )
        self.fast: SqsMapping[Delivery] = SqsMapping("fast lane", stack.delivery_concurrency, window)
        self.slow: SqsMapping[Delivery] = SqsMapping("slow lane", stack.slow_delivery_concurrency, 0)
        self._lanes = (self.fan_out, self.fast, self.slow)
        self._api_busy = 0
        self.most_concurrent = 0
        self._tokens, self._tokens_at = float(stack.throttling_burst), 0.0
        self._parked: list[tuple[float, int, Delivery]] = []
        self._holding: dict[Webhook, None] = {}
        self._policy = (
            _POLICY
            if load.retry_schedule is None
            else replace(_POLICY, schedule=retry.SCHEDULES[load.retry_schedule])
        )
        self.held = 0
        self.outcomes = [Outcome(source.name) for source in load.sources]
        self._tenants = [
            [self._tenant(source, outcome, number) for number in range(source.tenants)]
            for source, outcome in zip(load.sources, self.outcomes, strict=True)
        ]

    def run(self) -> Result:
        for source, tenants in zip(self.load.sources, self._tenants, strict=True):
            self._at(0.0, self._next_request, source, tenants)
        self._at(1.0, self._tick)
        self._at(self._random.uniform(1, SWEEP_SECONDS), self._sweep)
        end = self.load.seconds
        while self._heap and self._heap[0][0] <= end:
            self.now, _, action, arguments = heapq.heappop(self._heap)
            action(*arguments)
        self.now = end
        return Result(self)

    def _at(self, at: float, action: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self._heap, (at, next(self._order), action, arguments))

    def _tenant(self, source: Source, outcome: Outcome, number: int) -> Tenant:
        """A tenant whose receivers were used before, so that the lane and the breaker know them."""
        tenant = Tenant(source, outcome)
        mix = source.receivers
        for index in range(source.webhooks):
            # Spread evenly, so that small runs have the same mix as large ones.
            position = (number * source.webhooks + index + 0.5) * 0.618034 % 1
            tenant.webhooks.append(self._webhook(tenant, mix, position))
        return tenant

    def _webhook(self, tenant: Tenant, mix: Receivers, position: float) -> Webhook:
        long_ago = _EPOCH_MS - 86_400_000
        is_dead = position < mix.dead
        is_slow = not is_dead and position < mix.dead + mix.slow
        health = Health(fast_at=long_ago)
        if is_slow:
            health = Health(slow_at=_EPOCH_MS, slowdowns=1)
        elif is_dead and not mix.dead_at:
            probe_at = _ms(self._random.uniform(0, self.stack.probe_seconds))
            health = Health(
                slow_at=long_ago, slowdowns=1, timeouts=3, opened_at=long_ago, probe_at=probe_at, probes=4
            )
        return Webhook(
            tenant,
            mean=mix.slow_seconds if is_slow else mix.fast_seconds,
            errors=0 if is_slow else mix.errors,
            is_fast_receiver=not is_slow and not is_dead,
            dies_at=mix.dead_at if is_dead else None,
            health=health,
        )

    # ── publishing ───────────────────────────────────────────────────────────────────────────────────

    def _next_request(self, source: Source, tenants: Sequence[Tenant]) -> None:
        rate = source.rate(self.now)
        if rate:
            self._at(self.now + self._random.expovariate(rate), self._request, source, tenants)

    def _request(self, source: Source, tenants: Sequence[Tenant]) -> None:
        self._next_request(source, tenants)
        tenant = tenants[int(self._random.random() * len(tenants))]
        events, outcome = source.events_per_request, tenant.outcome
        outcome.requested += events
        if not self._has_token():
            outcome.refused["ThrottlingRate"] += events
        elif not self._has_room(tenant, events):
            outcome.refused["MaxEventsPerMinute"] += events
        elif self._concurrent() >= self.stack.account_concurrency:
            outcome.refused["AccountConcurrency"] += events
        else:
            self._api_busy += 1
            self._note_concurrent()
            took = self._times.publish
            if events > 1:
                took += -(-events // BATCH) * self._times.publish_batch_call
            self._at(self.now + took, self._published, tenant, self.now, events)

    def _published(self, tenant: Tenant, requested: float, events: int) -> None:
        self._api_busy -= 1
        tenant.outcome.published += events
        if events == 1 and len(tenant.webhooks) <= BATCH:
            self._create(tenant, requested)
        else:
            for _ in range(events):
                self.fan_out.queue.put(tenant, (tenant, requested))
        for lane in self._lanes:
            self._dispatch(lane)

    def _create(self, tenant: Tenant, requested: float) -> None:
        for webhook in tenant.webhooks:
            tenant.outcome.created += 1
            self.fast.queue.put(tenant, Delivery(webhook, requested))

    def _has_token(self) -> bool:
        """API Gateway's throttle of the stage: a token bucket."""
        earned = (self.now - self._tokens_at) * self.stack.throttling_rate
        self._tokens = min(self._tokens + earned, self.stack.throttling_burst)
        self._tokens_at = self.now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _has_room(self, tenant: Tenant, events: int) -> bool:
        """The ceiling of events, with the sliding window's own formula."""
        now, quota = _ms(self.now), Quota(MINUTE, self.stack.max_events_per_minute)
        if QuotaStatus(quota, tenant.events, now).remaining < events:
            return False
        number, count = now // MINUTE.length_ms, tenant.events
        if count.number == number:
            tenant.events = count._replace(current=count.current + events)
        else:
            tenant.events = Count(number, events, count.current if count.number == number - 1 else 0)
        return True

    # ── invocations ──────────────────────────────────────────────────────────────────────────────────

    def _concurrent(self) -> int:
        return self._api_busy + self.fan_out.busy + self.fast.busy + self.slow.busy

    def _note_concurrent(self) -> None:
        self.most_concurrent = max(self.most_concurrent, self._concurrent())

    def _dispatch(self, lane: SqsMapping[Any], *, window_over: bool = False) -> None:
        """Start as many invocations as messages, pollers and the account's concurrency allow."""
        while (
            lane.queue.size
            and lane.busy < int(lane.allowed)
            and self._concurrent() < self.stack.account_concurrency
        ):
            if lane.window and lane.queue.size < BATCH and not window_over:
                if lane.window_ends is None:
                    lane.window_ends = self.now + lane.window
                    self._at(lane.window_ends, self._window_over, lane)
                return
            batch = lane.queue.take(BATCH)
            if not batch:
                return
            lane.busy += 1
            lane.invocations += 1
            lane.messages += len(batch)
            self._note_concurrent()
            if lane is self.fan_out:
                self._occupy(lane, self._times.fan_out(len(batch)), self._fanned_out, batch)
            else:
                self._deliver(lane, batch)

    def _window_over(self, lane: SqsMapping[Any]) -> None:
        lane.window_ends = None
        self._dispatch(lane, window_over=True)

    def _occupy(
        self, lane: SqsMapping[Any], seconds: float, action: Callable[..., None], *arguments: Any
    ) -> None:
        lane.busy_seconds += min(seconds, self.load.seconds - self.now)
        self._at(self.now + seconds, self._invocation_ended, lane, action, arguments)

    def _invocation_ended(
        self, lane: SqsMapping[Any], action: Callable[..., None], arguments: tuple[Any, ...]
    ) -> None:
        lane.busy -= 1
        action(*arguments)
        for each in self._lanes:
            self._dispatch(each)

    def _fanned_out(self, batch: Iterable[tuple[Tenant, float]]) -> None:
        for tenant, requested in batch:
            self.fan_out.queue.done(tenant)
            self._create(tenant, requested)

    # ── a batch of deliveries ────────────────────────────────────────────────────────────────────────

    def _deliver(self, lane: SqsMapping[Delivery], batch: Sequence[Delivery]) -> None:
        """Admit the batch, make its attempts, and apply their results when the invocation ends."""
        by_webhook: dict[Webhook, list[Delivery]] = {}
        for delivery in batch:
            delivery.receives += 1
            by_webhook.setdefault(delivery.webhook, []).append(delivery)
        attempts: dict[Webhook, list[_Attempt]] = {}
        permits = self._permits(by_webhook) if lane is self.slow else None
        for webhook, deliveries in by_webhook.items():
            allowed = permits is None or webhook.tenant in permits
            admitted = self._admit(lane, webhook, deliveries) if allowed else self._defer(webhook, deliveries)
            if admitted:
                attempts[webhook] = [self._attempt(delivery) for delivery in admitted]
        longest = max((each.seconds for own in attempts.values() for each in own), default=0.0)
        for webhook, own in attempts.items():
            if any(each.seconds > SLOW_AFTER_SECONDS for each in own):
                self._at(self.now + SLOW_AFTER_SECONDS, self._mark_slow, webhook)
        # The engine's time counts before the attempts: it is mostly the read, the admission and the claims.
        overhead = self._times.deliver(len(batch))
        if permits is not None:
            overhead += 3 * self._times.call  # a permit, its return, and claims at the same time
        sent = self.now + overhead
        self._occupy(lane, overhead + longest, self._delivered, lane, sent, attempts, permits or ())

    def _permits(self, webhooks: Iterable[Webhook]) -> set[Tenant]:
        """The tenants of a batch of the slow lane that got a permit."""
        most = max_permits(self.stack.slow_delivery_concurrency)
        got = {tenant for tenant in {webhook.tenant: None for webhook in webhooks} if tenant.permits < most}
        for tenant in got:
            tenant.permits += 1
        return got

    def _defer(self, webhook: Webhook, deliveries: Iterable[Delivery]) -> list[Delivery]:
        """Mirrors `admission.defer`."""
        crowded = self.slow.queue.in_flight > worker._MANY_IN_FLIGHT
        for delivery in deliveries:
            if crowded or delivery.receives > MAX_DEFERRALS:
                self._hold(self.slow, delivery)
            else:
                seconds = defer_seconds(delivery.receives) + self._random.randint(0, 2)
                self._at(self.now + seconds, self._visible, self.slow, delivery)
        return []

    def _admit(
        self, lane: SqsMapping[Delivery], webhook: Webhook, deliveries: Sequence[Delivery]
    ) -> Sequence[Delivery]:
        """Mirrors `admission.admit`: returns the deliveries to attempt now. The others are moved, held or
        cancelled.
        """
        if webhook.is_disabled:
            for delivery in deliveries:
                self._end(lane, delivery, "cancelled")
            return []
        now = _ms(self.now)
        if webhook.health.is_open(0):
            return self._admit_probe(lane, webhook, deliveries, now)
        tenant_is_slow = len(webhook.tenant.slow) >= 5 and webhook.tenant.is_slow(now)
        if lane is self.fast and not (webhook.health.is_fast and not tenant_is_slow):
            for delivery in deliveries:
                self._move(delivery)
            return []
        if webhook.health.has_backlog(0):
            for delivery in deliveries:
                if not delivery.attempts:
                    self._hold(lane, delivery)
            return [delivery for delivery in deliveries if delivery.attempts]
        return deliveries

    def _admit_probe(
        self, lane: SqsMapping[Delivery], webhook: Webhook, deliveries: Sequence[Delivery], now: int
    ) -> Sequence[Delivery]:
        probe: Sequence[Delivery] = ()
        if webhook.health.probe_at <= now:
            if lane is self.fast:
                self._move(deliveries[0])
                deliveries = deliveries[1:]
            else:
                reserved = self.stack.attempt_timeout_seconds + _PROBE_RESERVE_SECONDS
                webhook.health = replace(webhook.health, probe_at=now + int(reserved * 1000))
                probe, deliveries = deliveries[:1], deliveries[1:]
                probe[0].is_probe = True
        for delivery in deliveries:
            self._hold(lane, delivery)
        return probe

    def _attempt(self, delivery: Delivery) -> _Attempt:
        webhook, limit = delivery.webhook, self.stack.attempt_timeout_seconds
        if webhook.dies_at is not None and self.now >= webhook.dies_at:
            return _Attempt(delivery, limit, retry.Outcome(error=retry.ErrorKind.TIMEOUT))
        seconds = self._random.expovariate(1 / webhook.mean)
        if seconds >= limit:
            return _Attempt(delivery, limit, retry.Outcome(error=retry.ErrorKind.TIMEOUT))
        failed = webhook.errors and self._random.random() < webhook.errors
        return _Attempt(delivery, seconds, retry.Outcome(status_code=503 if failed else 200))

    def _mark_slow(self, webhook: Webhook) -> None:
        """Mirrors `outcome.mark_slow` and `health_store.mark_slow`."""
        now, health = _ms(self.now), webhook.health
        webhook.health = replace(health, slow_at=now, slowdowns=health.slowdowns_with(now))
        if health.is_fast:
            webhook.tenant.slow[id(webhook)] = now

    def _delivered(
        self,
        lane: SqsMapping[Delivery],
        sent: float,
        attempts: dict[Webhook, list[_Attempt]],
        permits: Iterable[Tenant],
    ) -> None:
        for tenant in permits:
            tenant.permits -= 1
        for webhook, own in attempts.items():
            own.sort(key=lambda each: each.seconds)
            for each in own:
                self._record(lane, webhook, each, ended=sent + each.seconds)
            self._finish(webhook, own)

    def _record(self, lane: SqsMapping[Delivery], webhook: Webhook, done: _Attempt, *, ended: float) -> None:
        """Mirrors `worker._on_success` and `worker._on_failure`."""
        delivery = done.delivery
        if delivery.attempts:
            webhook.waiting -= 1
        delivery.attempts += 1
        match retry.plan(done.outcome, delivery.attempts, self._policy, self._random.random):
            case retry.Delivered():
                webhook.failures = 0
                if delivery.published >= self.load.warm_up:
                    outcome = webhook.tenant.outcome
                    times = outcome.latencies if webhook.is_fast_receiver else outcome.slow_latencies
                    times.append(ended - delivery.published)
                self._end(lane, delivery, "delivered")
            case retry.Retry(seconds, _):
                webhook.waiting += 1
                limit = self.stack.max_visibility_wait_seconds
                if lane.queue.in_flight > worker._MANY_IN_FLIGHT:
                    limit = min(limit, worker._MAX_CROWDED_WAIT_SECONDS)
                if seconds > limit:
                    webhook.waiting -= 1
                    lane.queue.done(webhook.tenant)
                    heapq.heappush(self._parked, (self.now + seconds, next(self._order), delivery))
                else:
                    self._at(self.now + seconds, self._visible, lane, delivery)
            case _:
                webhook.failures += 1
                self._end(lane, delivery, "failed")
                if webhook.failures >= _DISABLE_AFTER:
                    self._disable(webhook)

    def _finish(self, webhook: Webhook, attempts: Sequence[_Attempt]) -> None:
        """Mirrors `outcome.finish_batch`."""
        now, health = _ms(self.now), webhook.health
        timed_out = [each.outcome.error is retry.ErrorKind.TIMEOUT for each in attempts]
        timeouts, is_open = trailing_timeouts(timed_out), health.is_open(0)
        if timeouts < len(timed_out):
            if health.timeouts != timeouts or is_open:
                health = replace(health, timeouts=timeouts, opened_at=0, probes=0)
        elif is_open:
            if any(each.delivery.is_probe for each in attempts):
                delay = probe_delay_seconds(health.probes + 1, self.stack.probe_seconds)
                health = replace(health, probe_at=now + delay * 1000, probes=health.probes + 1)
        else:
            health = replace(health, timeouts=health.timeouts + timeouts)
        if not health.is_open(0) and health.timeouts >= TIMEOUTS_TO_OPEN:
            probe_at = now + self.stack.probe_seconds * 1000
            health = replace(health, opened_at=now, probe_at=probe_at, probes=0)
        if attempts[-1].seconds <= SLOW_AFTER_SECONDS and health.proves_fast(now):
            health = replace(health, fast_at=now)
        if webhook.waiting >= self.stack.max_waiting_per_webhook and not health.has_backlog(0):
            health = replace(health, backlog_at=now)
        webhook.health = health
        for each in attempts:
            each.delivery.is_probe = False

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────

    def _visible(self, lane: SqsMapping[Delivery], delivery: Delivery) -> None:
        """A message's visibility timeout has ended: it can be received again."""
        lane.queue.done(delivery.webhook.tenant)
        lane.queue.put(delivery.webhook.tenant, delivery)
        self._dispatch(lane)

    def _send(self, lane: SqsMapping[Delivery], delivery: Delivery) -> None:
        """Send a new message."""
        delivery.receives = 0
        lane.queue.put(delivery.webhook.tenant, delivery)

    def _move(self, delivery: Delivery) -> None:
        self.fast.queue.done(delivery.webhook.tenant)
        self._send(self.slow, delivery)
        self._at(self.now + self._times.call, self._dispatch, self.slow)

    def _hold(self, lane: SqsMapping[Delivery], delivery: Delivery) -> None:
        lane.queue.done(delivery.webhook.tenant)
        if delivery.attempts:
            delivery.webhook.waiting -= 1
        delivery.webhook.held.append(delivery)
        self._holding[delivery.webhook] = None
        self.held += 1

    def _end(self, lane: SqsMapping[Delivery], delivery: Delivery, how: str) -> None:
        lane.queue.done(delivery.webhook.tenant)
        outcome = delivery.webhook.tenant.outcome
        setattr(outcome, how, getattr(outcome, how) + 1)

    def _disable(self, webhook: Webhook) -> None:
        """The sweeper cancels held deliveries. Those in the queue are cancelled when they are received."""
        webhook.is_disabled = True

    def _cancel_held(self, webhook: Webhook) -> None:
        webhook.tenant.outcome.cancelled += len(webhook.held)
        webhook.held.clear()

    # ── the clock and the sweeper ────────────────────────────────────────────────────────────────────

    def _tick(self) -> None:
        for lane in self._lanes:
            lane.scale()
            self._dispatch(lane)
        self._at(self.now + 1, self._tick)

    def _sweep(self) -> None:
        """Queue due deliveries, as far as time allows: each takes one write, and each webhook some reads."""
        self._at(self.now + SWEEP_SECONDS, self._sweep)
        call = self._times.call
        left = SWEEP_WORK_SECONDS
        while left > 0 and self._parked and self._parked[0][0] <= self.now:
            delivery = heapq.heappop(self._parked)[2]
            delivery.webhook.waiting += 1
            self._send(self.fast, delivery)
            left -= call
        for webhook in list(self._holding):
            if left <= 0:
                break
            if webhook.is_disabled:
                self._cancel_held(webhook)
            left -= VISIT_CALLS * call + self._release(webhook) * call
            if not webhook.held:
                del self._holding[webhook]
        self._dispatch(self.fast)

    def _release(self, webhook: Webhook) -> int:
        """Mirrors `sweeper._visit_webhook` and `requeue.free_capacity`. Returns how many were queued."""
        now, health, limit = _ms(self.now), webhook.health, self.stack.max_waiting_per_webhook
        if health.is_open(0):
            count = 1 if health.probe_at <= now else 0
        else:
            if health.has_backlog(0):
                if webhook.waiting > limit // 2:
                    return 0
                webhook.health = health = replace(health, backlog_at=0)
            count = limit - webhook.waiting
            count = max(count if health.is_fast else min(count, requeue._MAX_QUEUED_SLOW), 0)
        released = 0
        while webhook.held and released < count:
            delivery = webhook.held.popleft()
            if delivery.attempts:
                webhook.waiting += 1
            self._send(self.fast, delivery)
            released += 1
        return released

    # ── results ──────────────────────────────────────────────────────────────────────────────────────

    def waiting_deliveries(self) -> dict[str, int]:
        """The number of deliveries that have not ended, by where they wait."""
        return {
            "fast lane": self.fast.queue.size,
            "slow lane": self.slow.queue.size,
            "in flight": self.fast.queue.in_flight + self.slow.queue.in_flight,
            "held": sum(len(webhook.held) for webhook in self._holding),
            "parked": len(self._parked),
        }


class Result:
    """The results of a run."""

    def __init__(self, run: Simulation) -> None:
        self.load, self.stack, self.outcomes = run.load, run.stack, run.outcomes
        self.most_concurrent = run.most_concurrent
        self.held = run.held
        self.lanes = {lane.name: lane for lane in (run.fan_out, run.fast, run.slow)}
        self.waiting = run.waiting_deliveries()

    @property
    def created(self) -> int:
        return sum(outcome.created for outcome in self.outcomes)

    @property
    def ended(self) -> int:
        return sum(each.delivered + each.failed + each.cancelled for each in self.outcomes)

    def depth(self, lane: str) -> int:
        """The largest number of visible messages after the warm-up."""
        return max(self.lanes[lane].depths[int(self.load.warm_up) :], default=0)

    def growth(self, lane: str) -> float:
        """How many messages a second the queue grows by, over the second half of the run."""
        depths = self.lanes[lane].depths
        half = len(depths) // 2
        return (depths[-1] - depths[half]) / (len(depths) - half) if depths else 0.0

    def busy(self, lane: str) -> float:
        """The mean number of concurrent invocations."""
        return self.lanes[lane].busy_seconds / self.load.seconds

    def batch(self, lane: str) -> float:
        """The mean number of messages of an invocation."""
        found = self.lanes[lane]
        return found.messages / found.invocations if found.invocations else 0.0


def simulate(load: Load, stack: Stack, seed: int = 1) -> Result:
    """Run a load on a stack."""
    return Simulation(load, stack, seed).run()
