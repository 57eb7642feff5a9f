"""Queues of SQS, and the concurrent invocations that Lambda makes for them."""

from __future__ import annotations

from collections import Counter, deque
from typing import Generic, TypeVar

from benchmarks.scaling.model import quotas
from benchmarks.scaling.tenants import Tenant

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """A standard SQS queue with a group for each tenant: messages of quiet tenants first, one of each in
    turn; then those of the noisy tenant with the fewest in flight.
    """

    def __init__(self) -> None:
        self._messages: dict[Tenant, deque[Item]] = {}
        self._turns: deque[Tenant] = deque()
        self._in_flight: Counter[Tenant] = Counter()
        self.size = 0
        self.in_flight = 0

    def put(self, tenant: Tenant, item: Item) -> None:
        messages = self._messages.get(tenant)
        if messages is None:
            messages = self._messages[tenant] = deque()
        if not messages:
            self._turns.append(tenant)
        messages.append(item)
        self.size += 1

    def take(self, count: int) -> list[Item]:
        """Receive up to `count` messages, within the limit of messages in flight."""
        count = min(count, quotas().sqs_in_flight - self.in_flight)
        taken: list[Item] = []
        noisy: list[Tenant] = []
        while len(taken) < count and self._turns:
            tenant = self._turns.popleft()
            if self._is_noisy(tenant):
                noisy.append(tenant)
            else:
                taken.append(self._take_one(tenant))
        for tenant in sorted(noisy, key=lambda tenant: self._in_flight[tenant]):
            messages = self._messages[tenant]
            while messages and len(taken) < count:
                taken.append(messages.popleft())
                self._receive(tenant)
            if messages:
                self._turns.append(tenant)
        return taken

    def done(self, tenant: Tenant) -> None:
        """Record that a message was deleted, or is visible again."""
        self.in_flight -= 1
        self._in_flight[tenant] -= 1

    def _take_one(self, tenant: Tenant) -> Item:
        messages = self._messages[tenant]
        item = messages.popleft()
        self._receive(tenant)
        if messages:
            self._turns.append(tenant)
        return item

    def _receive(self, tenant: Tenant) -> None:
        self.size -= 1
        self.in_flight += 1
        self._in_flight[tenant] += 1

    def _is_noisy(self, tenant: Tenant) -> bool:
        own, q = self._in_flight[tenant], quotas()
        return own >= q.fair_queue_min_in_flight and own > q.fair_queue_share * self.in_flight


class SqsMapping(Generic[Item]):
    """A queue and the concurrent invocations that Lambda makes for it."""

    def __init__(self, name: str, maximum: int, window: float) -> None:
        q = quotas()
        self.name = name
        self.queue: FairQueue[Item] = FairQueue()
        self.maximum = min(maximum, q.sqs_mapping_concurrency)
        self.window = window
        self.allowed: float = min(q.sqs_mapping_start, self.maximum)
        self.busy = 0
        self.window_ends: float | None = None
        # For the results.
        self.invocations = 0
        self.messages = 0
        self.busy_seconds = 0.0
        self.most_in_flight = 0
        self.depths: list[int] = []

    def scale(self) -> None:
        """Called each second: more pollers while messages wait, fewer when most are idle."""
        q = quotas()
        step = min(q.sqs_mapping_per_minute / 60, q.lambda_scaling_per_10_seconds / 10)
        if self.queue.size:
            self.allowed = min(self.allowed + step, self.maximum)
        elif self.busy < self.allowed / 2:
            self.allowed = max(self.allowed - step, min(q.sqs_mapping_start, self.maximum))
        self.depths.append(self.queue.size)
        self.most_in_flight = max(self.most_in_flight, self.queue.in_flight)
