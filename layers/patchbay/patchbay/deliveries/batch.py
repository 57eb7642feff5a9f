"""A batch of the deliveries queue, sorted by webhook: one share each, worked side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from patchbay import dynamo
from patchbay.deliveries import health_store
from patchbay.deliveries.health import Health
from patchbay.deliveries.models import DeliveryMessage, webhook_key
from patchbay.deliveries.stats import Tally
from patchbay.webhooks import service as webhooks
from patchbay.webhooks import store as webhooks_store


@dataclass(frozen=True, slots=True)
class Work:
    """A message of the queue, its receipt, and about how often it was received."""

    message_id: str
    receipt_handle: str
    receives: int
    delivery: DeliveryMessage


@dataclass(slots=True)
class Share:
    """One webhook's part of a batch, and what its attempts have come to.

    `webhook` is its row, None when it is gone. `timed_out` says of each attempt, in the order in which they
    ended, whether no answer came in time; `probing` that one of them is an open breaker's probe;
    `slow_until` that we have marked the receiver as hanging; `queued_retries` that retries wait in the queue.
    """

    key: str
    webhook: dynamo.Row | None
    health: Health
    works: list[Work]
    tally: Tally = field(default_factory=Tally)
    timed_out: list[bool] = field(default_factory=list)
    probing: bool = False
    slow_until: int = 0
    queued_retries: bool = False

    @property
    def is_active(self) -> bool:
        return webhooks.inactive_reason(self.webhook) is None

    @property
    def resumed_at(self) -> int:
        """When the webhook was last enabled by hand: what was known of its receiver before counts no more."""
        return self.webhook.get("resumedAt", 0) if self.webhook else 0


def shares(works: Iterable[Work]) -> list[Share]:
    """The works by webhook, with all that is known of each: one call, strongly consistent."""
    by_webhook: dict[str, list[Work]] = {}
    for work in works:
        key = webhook_key(work.delivery.workspace_id, work.delivery.webhook_id)
        by_webhook.setdefault(key, []).append(work)
    places = []
    for first, *_ in by_webhook.values():
        workspace_id, webhook_id = first.delivery.workspace_id, first.delivery.webhook_id
        places += [
            webhooks_store.place(workspace_id, webhook_id),
            health_store.place(workspace_id, webhook_id),
        ]
    rows = dynamo.get_each(places)
    return [
        Share(key, webhooks_store.read(webhook), health_store.read(health), own)
        for (key, own), webhook, health in zip(by_webhook.items(), rows[::2], rows[1::2], strict=True)
    ]
