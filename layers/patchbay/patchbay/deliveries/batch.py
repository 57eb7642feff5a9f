"""A batch of a deliveries queue by webhook, with everything that is known of each. One call reads it all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from patchbay.clock import now_ms
from patchbay.deliveries import states, store
from patchbay.deliveries.attempt import Receiver
from patchbay.deliveries.models import DeliveryMessage
from patchbay.ids import RunId, webhook_key
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.receivers.lanes import Traffic
from patchbay.settings import settings
from patchbay.stats.counters import AttemptCounts
from patchbay.storage import dynamo
from patchbay.webhooks import retry
from patchbay.webhooks import service as webhooks
from patchbay.webhooks import store as webhooks_store
from patchbay.webhooks.stored_webhook import StoredWebhook


@dataclass(slots=True)
class QueuedDelivery:
    """A message of the queue, how often it was received, and the row of its delivery if there is one."""

    message_id: str
    receipt_handle: str
    receives: int
    text: str
    delivery: DeliveryMessage
    row: dynamo.Row | None = None

    @property
    def is_new(self) -> bool:
        """Whether no worker can have begun an attempt, unless it has a copy of the message at this moment."""
        return self.row is None and self.receives == 1

    @property
    def is_over(self) -> bool:
        """Whether the message is not needed any more (see `states.Obsolete`)."""
        return isinstance(states.obstacle(self.row, self.delivery, now_ms()), states.Obsolete)


@dataclass
class WebhookBatch:
    """One webhook's part of a batch, and what its attempts have come to.

    `webhook` is its row, or None if it is gone. `receiver` is None until its secrets are opened, or if they
    do not open. `timed_out` says for each attempt, in the order in which they ended, whether it timed out.
    `probing` says that one attempt is an open breaker's probe, `was_slow` that one took long, and
    `queued_retries` that retries wait in the queue.
    """

    key: str
    webhook: StoredWebhook | None
    health: Health
    traffic: Traffic
    queued: list[QueuedDelivery]
    receiver: Receiver | None = None
    counts: AttemptCounts = field(default_factory=AttemptCounts)
    timed_out: list[bool] = field(default_factory=list)
    last_success_at: int = 0
    probing: bool = False
    was_slow: bool = False
    queued_retries: bool = False

    @property
    def workspace_id(self) -> str:
        return self.queued[0].delivery.workspace_id

    @property
    def is_callback(self) -> bool:
        """Whether it is the callback of an automation's run: one delivery, so it teaches nothing."""
        return isinstance(self.queued[0].delivery.webhook_id, RunId)

    @property
    def is_active(self) -> bool:
        return webhooks.inactive_reason(self.webhook) is None

    @property
    def takes_fast_lane(self) -> bool:
        return self.health.is_fast and not self.traffic.is_slow(now_ms())

    @property
    def resumed_at(self) -> int:
        """When the webhook was last enabled by hand: what was known of its receiver before counts no more."""
        return self.webhook.resumed_at if self.webhook else 0

    @cached_property
    def retry_config(self) -> retry.RetryPolicy:
        return webhooks.retry_policy(self.webhook) if self.webhook else retry.RetryPolicy()


def batches(queued: Sequence[QueuedDelivery]) -> list[WebhookBatch]:
    """The queued by webhook, in one call. Webhooks and deliveries are read with strong consistency, so that a
    deleted secret signs nothing, and a delivery that was recorded as delivered is not sent again. The health
    of a receiver may be a moment old.
    """
    by_webhook: dict[str, list[QueuedDelivery]] = {}
    for work in queued:
        key = webhook_key(work.delivery.workspace_id, work.delivery.webhook_id)
        by_webhook.setdefault(key, []).append(work)
    keys = [store.table_key(work.delivery) for work in queued]
    for first, *_ in by_webhook.values():
        workspace_id, webhook_id = first.delivery.workspace_id, first.delivery.webhook_id
        keys += (
            webhooks_store.table_key(workspace_id, webhook_id),
            health_store.table_key(workspace_id, webhook_id),
            health_store.traffic_table_key(workspace_id),
        )
    rows = dynamo.get_each(keys, eventually={settings().health_table})
    for work, row in zip(queued, rows, strict=False):
        work.row = row
    of_webhooks = iter(rows[len(queued) :])
    return [
        WebhookBatch(
            key,
            webhooks_store.from_row(next(of_webhooks)),
            health_store.health_from_row(next(of_webhooks)),
            health_store.traffic_from_row(next(of_webhooks)),
            own,
        )
        for key, own in by_webhook.items()
    ]


def by_workspace(batches: Iterable[WebhookBatch]) -> list[list[WebhookBatch]]:
    """The batches of each workspace."""
    found: dict[str, list[WebhookBatch]] = {}
    for share in batches:
        found.setdefault(share.workspace_id, []).append(share)
    return list(found.values())
