"""The failure ladder of a webhook: DELIVERY_FAILED, WEBHOOK_FAILING, and then WEBHOOK_RECOVERED or, from
`outcome.disable`, WEBHOOK_DISABLED.

Each is announced once, because one transaction announces it and marks it in the row of the receiver's health:

    DELIVERY_FAILED     the first failed delivery of a webhook in an hour      failedHour
    WEBHOOK_FAILING     50 % and 80 % of `disableAfter` have failed in a row   warned, warnedAt
    WEBHOOK_RECOVERED   the first success after a WEBHOOK_FAILING              warned and warnedAt are removed

A failure that announces nothing costs no call, and neither does a success that ends no failures. The
announcement comes before the delivery is recorded as FAILED. If the worker dies in between, the delivery is
sent once more, and the marks keep its next failure from being announced again.

A failed delivery of an operational event announces nothing: otherwise, a webhook that gets these events and
fails would cause more of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from patchbay import catalogue
from patchbay.clock import from_ms, iso
from patchbay.events import announcements
from patchbay.ids import DeliveryId, EventId, webhook_key
from patchbay.receivers import health_store
from patchbay.receivers.health import FailureWarning, Health
from patchbay.storage import dynamo
from patchbay.webhooks.stored_webhook import StoredWebhook

if TYPE_CHECKING:
    from pydantic import JsonValue

_HOUR_MS = 3_600_000
# If other workers announce something of the webhook before each try, the rest is left to the next failure.
_TRIES = 3


class FailedDelivery(NamedTuple):
    """A delivery that ends as FAILED. `at` is in Unix milliseconds."""

    id: DeliveryId
    event_id: EventId
    event_type: str
    reason: str
    at: int


def announce_failure(
    webhook: StoredWebhook, health: Health, failed: FailedDelivery, failures: int = 0
) -> Health:
    """Announce what the failure of a delivery begins, if anything. `failures` is the number of deliveries
    that failed in a row. Returns the health with what is announced by now.
    """
    if failed.event_type in catalogue.OPERATIONAL:
        return health
    for _ in range(_TRIES):
        hour = failed.at // _HOUR_MS
        is_first = health.failed_hour < hour
        warning = health.next_warning(failures, webhook.disable_after, webhook.resumed_at)
        if not is_first and warning is None:
            return health
        try:
            dynamo.transact(_failure_actions(webhook, failed, hour if is_first else None, failures, warning))
        except dynamo.TransactionCanceled as refused:
            health = health_store.health_from_row(refused.rows[0])  # another worker was faster
            continue
        if warning is not None:
            health = replace(health, warned=warning.failures, warned_at=failed.at)
        return replace(health, failed_hour=max(health.failed_hour, hour))
    return health


def announce_recovery(webhook: StoredWebhook, health: Health, at: int) -> bool:
    """Announce that a webhook that was failing has recovered, by a success at this time, and remove the
    failures before it. Returns False if it was not failing at that time, or another worker was faster.
    """
    if not health.warned or health.warned_at >= at:
        return False
    data: dict[str, JsonValue] = {
        **_webhook_data(webhook),
        "failingSince": iso(from_ms(health.warned_at)),
        "recoveredAt": iso(from_ms(at)),
    }
    recovered = health_store.recovery_action(_key(webhook), at, health)
    try:
        dynamo.transact([recovered, announcements.action(webhook.workspace_id, "WEBHOOK_RECOVERED", data)])
    except dynamo.TransactionCanceled:
        return False
    return True


def disabled_action(webhook: StoredWebhook, failures: int) -> dynamo.TransactItem:
    """The announcement for the transaction that disables a webhook."""
    data: dict[str, JsonValue] = {
        **_webhook_data(webhook),
        "statusReason": webhook.status_reason,
        "consecutiveFailures": failures,
        "disabledAt": iso(from_ms(webhook.disabled_at or 0)),
    }
    return announcements.action(webhook.workspace_id, "WEBHOOK_DISABLED", data)


def _failure_actions(
    webhook: StoredWebhook,
    failed: FailedDelivery,
    failed_hour: int | None,
    failures: int,
    warning: FailureWarning | None,
) -> list[dynamo.TransactItem]:
    """The marks in the row of the receiver's health, and the announcements."""
    actions = [
        health_store.announced_action(
            _key(webhook), failed.at, failed_hour=failed_hour, warning=warning, resumed_at=webhook.resumed_at
        )
    ]
    if failed_hour is not None:
        data: dict[str, JsonValue] = {
            "deliveryId": failed.id,
            **_webhook_data(webhook),
            "eventId": failed.event_id,
            "eventType": failed.event_type,
            "statusReason": failed.reason,
            "failedAt": iso(from_ms(failed.at)),
        }
        actions.append(announcements.action(webhook.workspace_id, "DELIVERY_FAILED", data))
    if warning is not None:
        data = {
            **_webhook_data(webhook),
            "percent": warning.percent,
            "consecutiveFailures": failures,
            "disableAfter": webhook.disable_after,
            "statusReason": failed.reason,
        }
        actions.append(announcements.action(webhook.workspace_id, "WEBHOOK_FAILING", data))
    return actions


def _webhook_data(webhook: StoredWebhook) -> dict[str, JsonValue]:
    return {"webhookId": webhook.id, "name": webhook.name, "url": webhook.url}


def _key(webhook: StoredWebhook) -> str:
    return webhook_key(webhook.workspace_id, webhook.id)
