"""Reads deliveries (those of a webhook or an event, or one with its attempts), and sends them again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from patchbay import compact_json, idempotency, queues, response_size
from patchbay.api_model import Listing
from patchbay.auth.principal import Principal
from patchbay.clock import from_ms, now_ms, to_ms
from patchbay.deliveries import receiver_state, roll_up, states, store, workspace_list
from patchbay.deliveries.models import (
    AllDeliveriesQuery,
    Attempt,
    AttemptError,
    Delivery,
    DeliveryDetail,
    DeliveryQuery,
    ExportedAttempt,
    Recover,
    Recovering,
    RetryDelivery,
    Status,
    WebhookDetail,
)
from patchbay.deliveries.stored_delivery import StoredAttempt, StoredDelivery
from patchbay.errors import Conflict, EventErased, NotFound, ValidationFailed
from patchbay.events import service as events
from patchbay.events.models import FLOW, Event, EventDelivery, EventFeed, EventFlow, payload
from patchbay.ids import DeliveryId, EventId, FlowRunId, WebhookId, webhook_key
from patchbay.receivers import health_store
from patchbay.settings import settings
from patchbay.stats import counters, summary
from patchbay.storage import dynamo
from patchbay.storage.paging import Page
from patchbay.webhooks import service as webhooks
from patchbay.webhooks.models import Part, SetWebhookStatus, Webhook, WebhookQuery
from patchbay.webhooks.unmatched import Unmatched
from patchbay.webhooks.unmatched import find as find_unmatched

if TYPE_CHECKING:
    from pydantic import JsonValue

    from patchbay.events.store import StoredEvent
    from patchbay.idempotency import Once

_RECENT = 10
_READ_RESPONSES_SCOPE = "webhooks:write"
_READ_WEBHOOKS_SCOPE = "webhooks:read"
# Users can retry a delivery any number of times.
_MAX_ATTEMPTS_SHOWN = 100
_DOES_NOT_FIT = "The response is not shown, because the responses of later attempts fill this API response."
# Up to this, the number of deliveries that a recovery reports is exact.
_MAX_COUNTED = 10_000
# A hook that is subscribed again gets the events that it missed in this period, a long weekend. Its owner can
# recover older ones. The period cannot begin when the hook was disabled, because the failures that disabled
# it began days earlier.
_RECOVER_HOOK_MS = 4 * 86_400_000
_RETRYABLE = (Status.FAILED, Status.CANCELLED, Status.RETRYING, Status.HELD)
_NOT_RETRYABLE = {
    Status.DELIVERED: 'This delivery already succeeded. To resend it, send {"force": true}.',
    Status.SENDING: "This delivery is being sent. Try again later.",
    Status.PENDING: (
        "This delivery is waiting because of its webhook's rate limit. Patchbay will send it automatically."
    ),
}

AnyWebhook = TypeVar("AnyWebhook", bound=Webhook)


def list_deliveries(principal: Principal, webhook_id: WebhookId, query: DeliveryQuery) -> Listing[Delivery]:
    """Deliveries of one webhook, newest event first. Raises NotFound, including for a webhook of
    another workspace.
    """
    webhooks.get(principal, webhook_id)
    page = store.page(
        principal.workspace_id,
        webhook_id,
        DeliveryId.range(query.since, query.until),
        status=Status(query.status) if query.status else None,
        event_type=query.event_type,
        limit=query.limit,
        cursor=query.cursor,
    )
    return Listing.from_page(page.map(_to_api))


def list_all(principal: Principal, query: AllDeliveriesQuery) -> Listing[Delivery]:
    """Deliveries of the whole workspace, newest event first: see `workspace_list`. An unknown webhook or
    event has none.
    """
    return Listing.from_page(workspace_list.page(principal.workspace_id, query).map(_to_api))


def get_delivery(principal: Principal, webhook_id: WebhookId, id: DeliveryId) -> DeliveryDetail:
    """One delivery with its payload and its last attempts. Raises NotFound."""
    webhooks.get(principal, webhook_id)
    delivery = _get(principal, webhook_id, id)
    attempts = store.attempts(principal.workspace_id, webhook_id, id, _MAX_ATTEMPTS_SHOWN)
    if delivery.success is not None:
        attempts.append(delivery.success)
    return _fit_response(
        DeliveryDetail(
            **dict(_to_api(delivery)),
            payload=_payload(principal, delivery.event_id),
            attempts=[attempt_to_api(principal, attempt) for attempt in attempts],
        )
    )


def _fit_response(detail: DeliveryDetail) -> DeliveryDetail:
    """The delivery, without the receiver's oldest responses if they do not all fit into one API response."""
    excess = response_size.model_size(detail) - response_size.MAX_BYTES
    attempts = list(detail.attempts)
    for index, attempt in enumerate(detail.attempts):
        if excess <= 0:
            break
        if attempt.withheld is not None:
            continue
        attempts[index] = attempt.model_copy(
            update={"response_headers": {}, "response_body": None, "withheld": _DOES_NOT_FIT}
        )
        excess -= response_size.model_size(attempt) - response_size.model_size(attempts[index])
    return detail.model_copy(update={"attempts": attempts})


def list_with_attempts(
    principal: Principal, webhook_id: str, limit: int, cursor: str | None
) -> Page[list[tuple[str, Delivery | ExportedAttempt]]]:
    """The deliveries of a webhook, or of a run's callback, and all of their attempts, for an export: records
    with their types. A delivery and an attempt that ended it are one row.
    """

    def records(
        row: StoredDelivery | tuple[DeliveryId, StoredAttempt],
    ) -> list[tuple[str, Delivery | ExportedAttempt]]:
        if not isinstance(row, StoredDelivery):
            return [("attempt", exported(*row))]
        success = [] if row.success is None else [("attempt", exported(row.id, row.success))]
        return [("delivery", _to_api(row)), *success]

    def exported(id: DeliveryId, attempt: StoredAttempt) -> ExportedAttempt:
        return ExportedAttempt(**dict(attempt_to_api(principal, attempt)), delivery_id=id)

    page = store.page_with_attempts(webhook_key(principal.workspace_id, webhook_id), limit, cursor)
    return page.map(records)


def webhook_with_recent(principal: Principal, id: WebhookId) -> WebhookDetail:
    """A webhook with its stats, its receiver's state and its last ten deliveries. Raises NotFound."""
    webhook = with_stats(principal, webhooks.get(principal, id))
    recent = store.page(
        principal.workspace_id,
        id,
        DeliveryId.range(None, None),
        status=None,
        event_type=None,
        limit=_RECENT,
        cursor=None,
    )
    return WebhookDetail(**dict(webhook), recent_deliveries=[_to_api(delivery) for delivery in recent.items])


def list_webhooks(principal: Principal, query: WebhookQuery) -> Listing[Webhook]:
    """The workspace's webhooks, newest first, with the parts that the query includes."""
    page = webhooks.list_webhooks(principal, query)
    if query.include:
        complete = {
            webhook.id: webhook for webhook in _with_parts(principal.workspace_id, page.items, query.include)
        }
        page = page.map(lambda webhook: complete[webhook.id])
    return Listing.from_page(page)


def with_stats(principal: Principal, webhook: AnyWebhook) -> AnyWebhook:
    """A webhook with its stats, its number of consecutive failures, and its receiver's state."""
    return _with_parts(principal.workspace_id, [webhook], ["stats", "receiver"])[0]


def set_status(
    principal: Principal, id: WebhookId, body: SetWebhookStatus, if_match: int | None = None
) -> Webhook:
    """Change a webhook's status. When a pause ends, the sweeper releases or cancels what was held. Raises the
    errors of `webhooks.set_status`.
    """
    webhook = webhooks.set_status(
        principal, id, body, if_match, lambda: release_actions(principal.workspace_id, id)
    )
    return with_stats(principal, webhook)


def release_actions(workspace_id: str, webhook_id: WebhookId) -> list[dynamo.TransactItem]:
    """The writes for the transaction that ends a webhook's pause."""
    return [health_store.sweep_now_action(webhook_key(workspace_id, webhook_id), now_ms())]


def retry(
    principal: Principal,
    webhook_id: WebhookId,
    id: DeliveryId,
    body: RetryDelivery,
    once: Once | None = None,
) -> Delivery:
    """Send a delivery again now, with all of its webhook's retries, even if it is held or parked. If the
    webhook is paused, one attempt is made now, and the retries are held. Raises NotFound, and Conflict if the
    delivery was delivered (unless `force` is set) or is being sent, or if the webhook is not active or
    paused.
    """
    webhook = webhooks.get(principal, webhook_id)
    webhooks.check_push(webhook.kind)
    if webhook.status not in ("ACTIVE", "PAUSED"):
        raise not_active()
    before = _get(principal, webhook_id, id)
    if before.erased:
        raise EventErased("The event's data was erased, so the delivery cannot be resent.")
    statuses = (*_RETRYABLE, Status.DELIVERED) if body.force else _RETRYABLE
    restarted = states.restarted(before, statuses, "MANUAL", now_ms())
    if restarted is None:
        raise Conflict(_NOT_RETRYABLE[before.status])
    response = _to_api(restarted)
    try:
        store.write(
            before,
            restarted,
            extra_actions=[once.complete_action(response)] if once else (),
        )
    except store.DeliveryChanged:
        raise Conflict("The delivery has changed. Get it again, then retry.") from None
    except dynamo.TransactionCanceled:
        raise idempotency.request_in_progress() from None
    message = replace(restarted.to_message(), by_hand=True)
    queues.send(
        settings().slow_deliveries_queue_url,
        queues.Message.from_value(message.fields(), principal.workspace_id),
    )
    return response


def recover(
    principal: Principal, webhook_id: WebhookId, body: Recover, once: Once | None = None
) -> Recovering:
    """Send the failed and cancelled deliveries of a time range again: the sweeper queues them, oldest
    first, as fast as the webhook's receiver accepts them. Raises NotFound, ValidationFailed, and Conflict if
    the webhook is not active or a recovery of it is running.
    """
    _check_active(principal, webhook_id)
    now = now_ms()
    id_range = DeliveryId.range(body.since, range_end(body.since, body.until, now))
    key = webhook_key(principal.workspace_id, webhook_id)
    recoverable = islice(store.find_recoverable(key, *id_range), _MAX_COUNTED)
    response = Recovering(queued=sum(1 for _ in recoverable))
    if response.queued:
        _start_recovery(key, id_range, now, [once.complete_action(response)] if once else [])
    elif once:
        once.complete(response)
    return response


def _start_recovery(
    key: str, id_range: tuple[DeliveryId, DeliveryId], now: int, extra_actions: Sequence[dynamo.TransactItem]
) -> None:
    try:
        has_started = health_store.start_recovery(key, id_range, now, extra_actions)
    except dynamo.TransactionCanceled:
        raise idempotency.request_in_progress() from None
    if not has_started:
        raise Conflict("A recovery of this webhook is still running. Try again when it is complete.")


def range_end(since: datetime, until: datetime | None, now: int) -> datetime:
    """The end of a time range, at most `now`. Raises ValidationFailed for a range that is in the future, or
    that starts before the retention.
    """
    if since > from_ms(now):
        raise ValidationFailed.for_field("since", "must not be in the future")
    if to_ms(since) < now - settings().retention_ms:
        raise ValidationFailed.for_field("since", f"must be within the last {settings().retention_days} days")
    return min(until or from_ms(now), from_ms(now))


def recovery_actions(workspace_id: str, webhook_id: WebhookId) -> list[dynamo.TransactItem]:
    """The writes for the transaction that reactivates a disabled hook. They recover the deliveries of the
    last four days that its receiver did not accept.
    """
    now = now_ms()
    id_range = DeliveryId.range(from_ms(now - _RECOVER_HOOK_MS), from_ms(now))
    return [health_store.start_recovery_action(webhook_key(workspace_id, webhook_id), id_range, now)]


def event_with_deliveries(principal: Principal, id: EventId) -> Event:
    """An event with its data and its deliveries. Raises NotFound."""
    event = events.get(principal, id)
    ids = {webhook_id: DeliveryId.derived(id, webhook_id) for webhook_id in event.webhook_ids}
    stored = store.get_many(principal.workspace_id, ids.items())
    unmatched, names = None, dict[WebhookId, str]()
    if _READ_WEBHOOKS_SCOPE in principal.scopes:
        unmatched = _find_unmatched(principal, event)
        names = webhooks.names(principal.workspace_id, [*event.webhook_ids, *event.feed_ids])
    return Event(
        id=event.id,
        type=event.type,
        timestamp=from_ms(event.timestamp),
        source=event.source,
        status="ACCEPTED" if event.reason is None else "REJECTED",
        status_reason=event.reason,
        data=event.data,
        erased_at=_time(event.erased_at),
        deliveries=[
            _of_event(delivery_id, webhook_id, names.get(webhook_id), stored.get(delivery_id))
            for webhook_id, delivery_id in ids.items()
        ],
        feeds=[
            EventFeed(
                id=DeliveryId.derived(id, webhook_id),
                webhook_id=webhook_id,
                webhook_name=names.get(webhook_id),
            )
            for webhook_id in event.feed_ids
        ],
        flows=[
            EventFlow(flow_id=flow_id, run_id=FlowRunId.derived(id, flow_id)) for flow_id in event.flow_ids
        ],
        depth=event.depth,
        caused_by=event.caused_by,
        unmatched=None if unmatched is None else unmatched.webhooks,
        unmatched_truncated=unmatched is not None and unmatched.truncated,
    )


def _of_event(
    id: DeliveryId, webhook_id: WebhookId, name: str | None, stored: StoredDelivery | None
) -> EventDelivery:
    """A delivery as its event shows it. It is not stored before its first attempt starts."""
    if stored is None:
        return EventDelivery(id=id, webhook_id=webhook_id, webhook_name=name, status=Status.PENDING)
    return EventDelivery(
        id=id,
        webhook_id=webhook_id,
        webhook_name=name,
        status=stored.status,
        status_reason=stored.reason,
        attempt_count=stored.attempts,
        max_attempts=stored.max_attempts,
        next_attempt_at=_time(stored.next_attempt_at),
        delivered_at=_time(stored.delivered_at),
    )


def _find_unmatched(principal: Principal, event: StoredEvent) -> Unmatched:
    # A rejected event goes to no webhook, what a flow sends goes to one whatever others subscribe to, and
    # without its data no one knows why an event did not match.
    if event.reason is not None or event.erased_at is not None or event.source == FLOW:
        return Unmatched([], truncated=False)
    matched = {*event.webhook_ids, *event.feed_ids}
    return find_unmatched(principal.workspace_id, event.type, event.timestamp, event.data, matched)


def _get(principal: Principal, webhook_id: WebhookId, id: DeliveryId) -> StoredDelivery:
    delivery = store.get(principal.workspace_id, webhook_id, id)
    if delivery is None:
        raise NotFound(
            "This webhook has no delivery with this ID. If the delivery was just queued, it is not stored "
            "yet."
        )
    return delivery


def _check_active(principal: Principal, webhook_id: WebhookId) -> None:
    webhook = webhooks.get(principal, webhook_id)
    webhooks.check_push(webhook.kind)
    if webhook.status != "ACTIVE":
        raise not_active()


def not_active() -> Conflict:
    """The error of a request that sends deliveries of a webhook that gets none."""
    return Conflict("The webhook is not active. Set its status to ACTIVE first.")


def _with_parts(workspace_id: str, models: Sequence[AnyWebhook], parts: Collection[Part]) -> list[AnyWebhook]:
    """The webhooks with these parts, and with their numbers of consecutive failures."""
    now = now_ms()
    keys = [webhook_key(workspace_id, webhook.id) for webhook in models]
    if "stats" in parts:
        statistics = roll_up.load_statistics(workspace_id, keys, now)
    else:
        traffic, health_of_all = receiver_state.load(workspace_id, keys)
        statistics = [roll_up.WebhookStatistics(health, [], traffic) for health in health_of_all]
    complete = []
    for webhook, key, (health, hours, traffic) in zip(models, keys, statistics, strict=True):
        # If no attempt failed and nothing is due, no delivery is waiting, so the counts are skipped.
        is_paused = webhook.status == "PAUSED"
        may_have_pending = webhook.kind == "push" and (
            is_paused or bool(health.due_at) or counters.may_have_pending(hours)
        )
        held = store.count_held(key) if may_have_pending else 0
        resumed_at = to_ms(webhook.resumed_at) if webhook.resumed_at else 0
        changes: dict[str, object] = {"consecutive_failures": health.consecutive_failures(resumed_at)}
        if "receiver" in parts and webhook.kind == "push":
            changes["receiver"] = receiver_state.describe(health, traffic, resumed_at, held, now)
        if "stats" in parts:
            retrying = store.count_retrying(key) if may_have_pending else 0
            changes["stats"] = summary.summarize(hours, now, retrying + held)
        complete.append(webhook.model_copy(update=changes))
    return complete


def _payload(principal: Principal, event_id: EventId) -> dict[str, JsonValue] | None:
    """The body that was sent; None if its event is no longer stored, or its data was erased."""
    try:
        event = events.get(principal, event_id)
    except NotFound:
        return None
    if event.erased_at is not None:
        return None
    body: dict[str, JsonValue] = compact_json.loads(
        payload(event.id, event.type, event.timestamp, event.data)
    )
    return body


def _to_api(delivery: StoredDelivery) -> Delivery:
    return Delivery(
        id=delivery.id,
        webhook_id=delivery.webhook_id,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        status=delivery.status,
        status_reason=delivery.reason,
        attempt_count=delivery.attempts,
        max_attempts=delivery.max_attempts,
        next_attempt_at=_time(delivery.next_attempt_at),
        delivered_at=_time(delivery.delivered_at),
        created_at=from_ms(delivery.created_at),
        updated_at=from_ms(delivery.updated_at),
        version=delivery.version,
    )


def _time(at: int | None) -> datetime | None:
    return None if at is None else from_ms(at)


def attempt_to_api(principal: Principal, attempt: StoredAttempt) -> Attempt:
    """An attempt as the API returns it. Receivers' responses may contain more than a viewer should see, so
    they are shown to callers who may change webhooks.
    """
    withheld = None
    if _READ_RESPONSES_SCOPE not in principal.scopes:
        withheld = f"Only callers with the scope {_READ_RESPONSES_SCOPE} can see the receiver's response."
    elif attempt.withheld:
        withheld = "The response contains part of a custom header value, so it was not stored."
    return Attempt(
        number=attempt.number,
        trigger=attempt.trigger,
        started_at=from_ms(attempt.started_at),
        duration_ms=attempt.duration_ms,
        status_code=attempt.status_code,
        error=(
            None
            if attempt.error is None
            else AttemptError(code=attempt.error_code or "unknown", detail=attempt.error)
        ),
        request_headers=dict(attempt.request_headers),
        response_headers={} if withheld else dict(attempt.response_headers),
        response_body=None if withheld else attempt.response_body,
        withheld=withheld,
        truncated=attempt.truncated,
    )
