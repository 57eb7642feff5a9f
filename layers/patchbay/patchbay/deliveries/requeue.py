"""Queues deliveries that wait in the table or that ended: how many a webhook can take now, and how they get
into their queue. The sweeper and replays use it.

Each delivery's new state is written before its message is sent. If the process dies in between, the delivery
is RETRYING and due, so the sweeper sends its message later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice

from patchbay import queues
from patchbay.deliveries import store
from patchbay.deliveries.models import Status
from patchbay.deliveries.stored_delivery import StoredDelivery
from patchbay.ids import DeliveryId
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.settings import settings
from patchbay.webhooks.stored_webhook import StoredWebhook

BATCH = 100
# How many deliveries are queued at a time for a webhook that has not proved fast. The slow lane takes few at
# a time, and the others would be held again.
_MAX_QUEUED_SLOW = 20
# How far ahead the slots of a rate limit are filled from the table.
_SLOTS_SECONDS = 120

# A transition of `states`. It returns None if it does not apply to the delivery's state.
Transition = Callable[[StoredDelivery], StoredDelivery | None]


def free_capacity(key: str, health: Health, webhook: StoredWebhook, now: int) -> int:
    """How many more deliveries an active webhook with a closed breaker can take now. Resets its backlog once
    half of it is sent.
    """
    limit = settings().max_waiting_per_webhook
    waiting = store.count_queued_retries(key)
    if health.has_backlog(webhook.resumed_at):
        if waiting > limit // 2:
            return 0  # a delivery that is released now would be held again
        health_store.set_backlog(key, 0)
    count = limit - waiting
    per_second = webhook.rate_limit_per_second
    if per_second is not None:
        taken = max(health.next_slot // 1000 - now, 0) * per_second // 1000
        count = min(count, per_second * _SLOTS_SECONDS - taken)
    return max(count if health.is_fast else min(count, _MAX_QUEUED_SLOW), 0)


def apply_transition(
    keys: Iterable[tuple[str, DeliveryId]], transition: Transition
) -> Iterator[StoredDelivery]:
    """Store the results of a transition. Yields those of the deliveries to whose state the transition
    applies, and that no other process changed.
    """
    remaining = iter(keys)
    while batch := list(islice(remaining, BATCH)):
        for before in store.get_by_keys(batch):
            after = transition(before)
            if after is not None:
                with suppress(store.DeliveryChanged):
                    store.write(before, after)
                    yield after


def send(deliveries: Iterable[StoredDelivery]) -> int:
    """Queue the deliveries that are RETRYING. If `deliveries` raises, the ones before are queued: otherwise,
    they would wait for a later run. Returns their number.
    """
    messages: list[queues.Message] = []
    try:
        for delivery in deliveries:
            if delivery.status is Status.RETRYING:
                message = delivery.to_message()
                messages.append(queues.Message.from_value(message.fields(), message.workspace_id))
    finally:
        queues.send_all(settings().deliveries_queue_url, messages)
    return len(messages)
