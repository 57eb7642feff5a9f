"""Why an event did not go to a webhook that subscribes to its type.

Nothing is stored for a webhook that an event does not match. So the reason is computed when someone asks,
from the event and from the webhooks as they are now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import NamedTuple

from pydantic import JsonValue

from patchbay import event_filters
from patchbay.clock import from_ms, iso, now_ms
from patchbay.events.models import UnmatchedCode, UnmatchedReason, UnmatchedWebhook
from patchbay.ids import WebhookId
from patchbay.webhooks import store
from patchbay.webhooks.stored_webhook import StoredWebhook

_MAX_SHOWN = 50
# The statuses of webhooks that no event matches.
_SILENT: dict[str, UnmatchedCode] = {"INACTIVE": "inactive", "DISABLED": "disabled"}


class Unmatched(NamedTuple):
    """The webhooks, newest first, at most 50; `truncated` says whether there are more."""

    webhooks: list[UnmatchedWebhook]
    truncated: bool


def find(
    workspace_id: str, event_type: str, timestamp: int, data: JsonValue, matched: Collection[WebhookId]
) -> Unmatched:
    """The webhooks that subscribe to the type of an event (published at `timestamp`, Unix milliseconds), and
    are not among those that it `matched`.
    """
    found = list(islice(_find(workspace_id, event_type, timestamp, data, matched), _MAX_SHOWN + 1))
    return Unmatched(found[:_MAX_SHOWN], len(found) > _MAX_SHOWN)


def _find(
    workspace_id: str, event_type: str, timestamp: int, data: JsonValue, matched: Collection[WebhookId]
) -> Iterator[UnmatchedWebhook]:
    now = now_ms()
    for webhook in store.subscribers(workspace_id, event_type):
        id = WebhookId(webhook.id)
        if id not in matched and not webhook.has_expired(now):
            code, detail = _reason(webhook, timestamp, data)
            yield UnmatchedWebhook(
                webhook_id=id, name=webhook.name, reason=UnmatchedReason(code=code, detail=detail)
            )


def _reason(webhook: StoredWebhook, timestamp: int, data: JsonValue) -> tuple[UnmatchedCode, str]:
    """The code and the detail of why the event did not match. Reasons that certainly applied when it was
    published come first, then reasons that apply now.
    """
    if webhook.created_at > timestamp:
        return "created_later", f"created at {iso(from_ms(webhook.created_at))}, after the event"
    silent = _silence(webhook)
    silent_since = webhook.disabled_at or webhook.updated_at
    if silent is not None and silent_since <= timestamp:
        return silent
    if failed := event_filters.explain(webhook.filters, data):
        return "filter_mismatch", failed
    if silent is not None:
        return silent
    changed_at, change = webhook.updated_at, "changed"
    if webhook.resumed_at > timestamp:
        changed_at, change = webhook.resumed_at, "set to ACTIVE"
    return "changed_later", f"matches the event now; it was {change} at {iso(from_ms(changed_at))}"


def _silence(webhook: StoredWebhook) -> tuple[UnmatchedCode, str] | None:
    """The code and the detail for a webhook whose status lets no event match."""
    code = _SILENT.get(webhook.status)
    if code is None:
        return None
    reason = f" ({webhook.status_reason})" if webhook.status_reason else ""
    return code, f"the status is {webhook.status}{reason}; set it to ACTIVE"
