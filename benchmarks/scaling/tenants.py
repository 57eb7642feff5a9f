"""The simulation's state of tenants, their webhooks and deliveries, and their results."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from benchmarks.load.options import percentile
from benchmarks.scaling.model import Source
from patchbay.rate_limits.sliding_window import NO_COUNT, Count
from patchbay.receivers.health import Health
from patchbay.receivers.lanes import Traffic


@dataclass(slots=True, eq=False)
class Webhook:
    """A webhook and what the health table knows about it. `mean` is the receiver's mean response time in
    seconds; `dies_at` is when the receiver stops responding; None for one that does not stop.
    """

    tenant: Tenant
    mean: float
    errors: float
    is_fast_receiver: bool
    dies_at: float | None
    health: Health
    held: deque[Delivery] = field(default_factory=deque)
    waiting: int = 0  # retries in the queue
    failures: int = 0  # in a row
    is_disabled: bool = False


@dataclass(slots=True, eq=False)
class Tenant:
    source: Source
    outcome: Outcome
    webhooks: list[Webhook] = field(default_factory=list)
    events: Count = NO_COUNT
    slow: dict[int, int] = field(default_factory=dict)  # when a webhook became slow, as `Traffic.slow`
    permits: int = 0

    def is_slow(self, now: int) -> bool:
        """Whether all webhooks of the tenant use the slow lane."""
        traffic = Traffic(slow=frozenset(f"{at}#{id}" for id, at in self.slow.items()))
        return traffic.is_slow(now)


@dataclass(slots=True, eq=False)
class Delivery:
    """A delivery, and its current message. `due` is when a parked one is due."""

    webhook: Webhook
    published: float
    attempts: int = 0
    receives: int = 0
    is_probe: bool = False


@dataclass
class Outcome:
    """The outcome of a source's events and deliveries. `latencies` are in seconds from publish to delivery,
    to fast receivers, and `slow_latencies` to slow ones.
    """

    name: str
    requested: int = 0
    published: int = 0
    created: int = 0
    delivered: int = 0
    failed: int = 0
    cancelled: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    slow_latencies: list[float] = field(default_factory=list)

    def percentile(self, percent: int) -> float | None:
        """Seconds from publish to delivery, to fast receivers (nearest rank)."""
        return percentile(sorted(self.latencies), percent)
