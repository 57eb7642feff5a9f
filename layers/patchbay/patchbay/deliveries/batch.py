"""A batch of messages from a deliveries queue, grouped by webhook, with all stored data about each. One call
reads everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from patchbay.clock import now_ms
from patchbay.deliveries import states, store
from patchbay.deliveries.attempt import Receiver
from patchbay.deliveries.models import DeliveryMessage
from patchbay.deliveries.stored_delivery import StoredDelivery
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
    """An SQS message of a delivery: `body` is its text, and `message` is the parsed text. `delivery` is None
    if there is no row yet. `sent_at` is the time of its event, or of the message, in Unix milliseconds.
    """

    message_id: str
    receipt_handle: str
    receive_count: int
    body: str
    message: DeliveryMessage
    sent_at: int
    delivery: StoredDelivery | None = None

    @property
    def is_untried(self) -> bool:
        """Whether no attempt was made since the delivery was created or restarted."""
        return self.delivery is None or self.delivery.attempts == (self.delivery.earlier_attempts or 0)

    @property
    def is_new(self) -> bool:
        """Whether no worker can have started an attempt, unless it has a copy of the message right now."""
        return self.delivery is None and self.receive_count == 1

    @property
    def is_obsolete(self) -> bool:
        """Whether the message is no longer needed (see `states.Obsolete`)."""
        return isinstance(states.check_message(self.delivery, self.message, now_ms()), states.Obsolete)


@dataclass
class WebhookBatch:
    """One webhook's part of a batch, and the results of its attempts.

    `webhook` is None if it was deleted. `receiver` is None until the webhook's secrets are decrypted, and
    stays None if that fails. `timed_out` says for each attempt, in the order in which they ended, whether it
    timed out. `is_probing` says that one attempt is the probe of an open breaker, `was_slow` that one was
    slow, and `has_queued_retries` that retries wait in the queue.
    """

    key: str
    webhook: StoredWebhook | None
    health: Health
    traffic: Traffic
    deliveries: list[QueuedDelivery]
    receiver: Receiver | None = None
    counts: AttemptCounts = field(default_factory=AttemptCounts)
    timed_out: list[bool] = field(default_factory=list)
    last_success_at: int = 0
    is_probing: bool = False
    was_slow: bool = False
    has_queued_retries: bool = False

    @property
    def workspace_id(self) -> str:
        return self.deliveries[0].message.workspace_id

    @property
    def is_callback(self) -> bool:
        """Whether this is the callback of an automation's run: a single delivery, so the health of its
        receiver affects no other.
        """
        return isinstance(self.deliveries[0].message.webhook_id, RunId)

    def drops(self, queued: QueuedDelivery) -> bool:
        """Whether a message needs nothing: it is obsolete, or its workspace was erased."""
        return self.traffic.mark.covers(queued.sent_at) or queued.is_obsolete

    @property
    def is_active(self) -> bool:
        """Whether its deliveries are sent, now or after a pause."""
        return webhooks.inactive_reason(self.webhook) is None

    @property
    def is_paused(self) -> bool:
        """Whether its deliveries are held until its owner resumes it."""
        return self.webhook is not None and self.webhook.is_paused

    @property
    def takes_fast_lane(self) -> bool:
        return self.health.takes_fast_lane(self.traffic, now_ms())

    @property
    def resumed_at(self) -> int:
        """When the webhook was last enabled. Its receiver's health before that does not count."""
        return self.webhook.resumed_at if self.webhook else 0

    @property
    def rate_limit_per_second(self) -> int | None:
        return self.webhook.rate_limit_per_second if self.webhook else None

    @cached_property
    def retry_policy(self) -> retry.RetryPolicy:
        return webhooks.retry_policy(self.webhook) if self.webhook else retry.RetryPolicy()


def load_batches(deliveries: Sequence[QueuedDelivery]) -> list[WebhookBatch]:
    """Group deliveries by webhook and read everything about them, in one call. Webhooks and deliveries are
    read with strong consistency, so that a deleted secret signs nothing, and a delivery that was recorded as
    delivered is not sent again. The health of a receiver may be slightly stale.
    """
    by_webhook: dict[str, list[QueuedDelivery]] = {}
    for queued in deliveries:
        key = webhook_key(queued.message.workspace_id, queued.message.webhook_id)
        by_webhook.setdefault(key, []).append(queued)
    table_keys = [store.table_key(queued.message) for queued in deliveries]
    for first, *_ in by_webhook.values():
        workspace_id, webhook_id = first.message.workspace_id, first.message.webhook_id
        table_keys += (
            webhooks_store.table_key(workspace_id, webhook_id),
            health_store.table_key(workspace_id, webhook_id),
            health_store.traffic_table_key(workspace_id),
        )
    rows = iter(dynamo.batch_get(table_keys, eventually_consistent={settings().health_table}))
    for queued in deliveries:
        queued.delivery = store.from_row(next(rows))
    return [
        WebhookBatch(
            key,
            webhooks_store.from_row(next(rows)),
            health_store.health_from_row(next(rows)),
            health_store.traffic_from_row(next(rows)),
            its_deliveries,
        )
        for key, its_deliveries in by_webhook.items()
    ]


def group_by_workspace(batches: Iterable[WebhookBatch]) -> list[list[WebhookBatch]]:
    groups: dict[str, list[WebhookBatch]] = {}
    for batch in batches:
        groups.setdefault(batch.workspace_id, []).append(batch)
    return list(groups.values())
