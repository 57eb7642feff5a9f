"""A workspace's deliveries and counters, written as the delivery engine writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from patchbay.deliveries import roll_up
from patchbay.ids import DeliveryId, webhook_key
from patchbay.settings import settings
from patchbay.stats import counters
from patchbay.stats import store as stats_store
from patchbay.stats.counters import HOUR_MS, AttemptCounts
from patchbay.storage import dynamo
from tests.integration.conftest import WEBHOOKS, Pipeline

MINUTE = 60_000


class Ledger:
    """Writes a workspace's deliveries as the worker does, and reads their statistics from the API."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline, self.clock = pipeline, pipeline.clock
        self.clock.now = (self.clock.now // HOUR_MS + 1) * HOUR_MS + 20 * MINUTE
        self.hour = counters.hour_of(self.clock.now)
        self.webhooks = [pipeline.webhook("https://example.com/")["id"] for _ in range(2)]

    def key(self, number: int = 0) -> str:
        return webhook_key("acme", self.webhooks[number])

    def deliver(
        self,
        count: int,
        hour: int,
        *,
        webhook: int = 0,
        event_type: str = "POST_PUBLISHED",
        ms: int = 40,
        **extra: Any,
    ) -> None:
        """Add `count` deliveries of events from this hour, one per minute."""
        for number in range(count):
            time_ms = hour * HOUR_MS + number * MINUTE
            row: dict[str, Any] = {
                "webhookKey": self.key(webhook),
                "sk": DeliveryId.new(time_ms),
                "eventType": event_type,
                "status": "DELIVERED",
            }
            success = {"durationMs": ms, "startedAt": time_ms, "statusCode": 200}
            row |= {"attempts": 1, "deliveredAt": time_ms + ms, "success": success, **extra}
            dynamo.put(settings().deliveries_table, row)
        self.mark(hour)

    def mark(self, hour: int) -> None:
        """Mark the workspace as active in this hour, as the fan-out does."""
        dynamo.put(settings().events_table, {"workspaceId": f"active#{hour}", "id": "acme"})

    def count(
        self, time_ms: int, *, webhook: int = 0, reason: str | None = None, times: int = 1, ended: bool = True
    ) -> None:
        """Count the POST_FAILED attempts of one batch, as the worker does."""
        counts = AttemptCounts()
        for _ in range(times):
            counts.add(time_ms, 200, event_type="POST_FAILED", reason=reason, ended=ended)
        stats_store.add_counts(self.key(webhook), counts)

    def stats(self) -> list[Any]:
        """The statistics of both webhooks."""
        items = self.pipeline.api(f"GET {WEBHOOKS}?include=stats").json()["items"]
        return sorted((item["stats"] for item in items), key=lambda stats: -stats["deliveries"])

    def delivered(self) -> int:
        return sum(stats["delivered"] for stats in self.stats())

    def roll_up(self, remaining_ms: Callable[[], int] = lambda: 900_000) -> int:
        return roll_up.roll_up(remaining_ms)

    def rows(self) -> list[dict[str, Any]]:
        rows = self.pipeline.backend.rows("HealthTable")
        return [row for row in rows if row["sk"].startswith("hour#") and "rolledTo" in row]

    def rolled_through(self) -> int | None:
        return stats_store.rolled_through(dynamo.get(*stats_store.progress_table_key()))

    def total(self) -> dict[str, int]:
        """The workspace's total for the last complete hour."""
        return total_of(self.hour - 1)


def total_of(hour: int, owner: str = "") -> dict[str, int]:
    """The total for an hour: of the workspace, or of one of its integrations or automation platforms."""
    counted = stats_store.get_hours(webhook_key("acme", owner), range(hour, hour + 1), with_types=True)[hour]
    return {"attempts": counted.attempts, "delivered": counted.delivered, "failed": counted.failed}
