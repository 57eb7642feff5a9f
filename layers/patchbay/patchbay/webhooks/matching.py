"""Finds the webhooks and flows that an event goes to.

A process caches a workspace's subscriptions to a type, with compiled filters, until the version of the
workspace's subscriptions changes (`store.workspace_state_key`). The version is read with strong
consistency before the subscriptions, so cached subscriptions are never older than their version. An earlier
release, which may run during a deployment, writes no versions; its changes take effect within a minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from patchbay import catalogue, compact_json, event_filters
from patchbay.clock import now_ms
from patchbay.ids import FlowId, WebhookId
from patchbay.rate_limits.lru_cache import LruCache
from patchbay.webhooks import store

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from patchbay.webhooks.stored_webhook import StoredWebhook

_CACHE_MS = 60_000
# The size of the cache, in bytes of filters as JSON (compiled, they take up to twenty times as much), and the
# overhead of each entry and each webhook.
_MAX_BYTES = 4 * 1024 * 1024
_OVERHEAD_BYTES = 200


class _CacheEntry(NamedTuple):
    version: int
    expires_at: int
    subscriptions: list[tuple[store.Subscription, event_filters.Compiled]]


class Matches(NamedTuple):
    """The webhooks that an event is sent to, those of kind pull, whose feeds get it, and the flows that it
    starts.
    """

    webhook_ids: list[WebhookId]
    feed_ids: list[WebhookId]
    flow_ids: list[FlowId]


_cache: LruCache[tuple[str, str], _CacheEntry] = LruCache(_MAX_BYTES)


def match(workspace_id: str, event_type: str, data: JsonValue, version: int) -> Matches:
    """The active webhooks and flows that an event goes to. `version` is that of the workspace's
    subscriptions.
    """
    content = event_filters.Content(data)
    matches = {
        subscription.id: subscription
        for subscribed_type in (event_type, catalogue.ANY)
        for subscription, compiled in _subscriptions(workspace_id, subscribed_type, version)
        if content.passes(compiled)
    }
    now, found = now_ms(), Matches([], [], [])
    for id, subscription in matches.items():
        if isinstance(id, FlowId):
            found.flow_ids.append(id)
        elif not subscription.is_pull:
            found.webhook_ids.append(id)
        elif subscription.expires_at is None or now < subscription.expires_at:
            found.feed_ids.append(id)
    return found


def matcher(webhook: StoredWebhook) -> Callable[[str, JsonValue], bool]:
    """A function that says whether an event's type and data match this webhook, if it is active or paused.
    For a past event, that says nothing about the webhook's subscriptions at that time.
    """
    types, compiled = frozenset(webhook.event_types), event_filters.compile_all(webhook.filters)

    def matches(event_type: str, data: JsonValue) -> bool:
        is_subscribed = event_type in types or catalogue.ANY in types
        return is_subscribed and event_filters.Content(data).passes(compiled)

    return matches


def clear_cache() -> None:
    """Empty the cache."""
    _cache.clear()


def _subscriptions(
    workspace_id: str, event_type: str, version: int
) -> list[tuple[store.Subscription, event_filters.Compiled]]:
    now = now_ms()
    cached = _cache.get((workspace_id, event_type))
    if cached is not None and cached.version == version and now < cached.expires_at:
        return cached.subscriptions
    subscriptions, weight = [], _OVERHEAD_BYTES
    for subscription in store.subscriptions(workspace_id, event_type):
        json_filters = subscription.filters
        # The compiled filters are enough: the cache does not keep both.
        kept = subscription._replace(filters=())
        subscriptions.append((kept, event_filters.compile_all(json_filters)))
        weight += _OVERHEAD_BYTES + compact_json.size(json_filters)
    _cache.put((workspace_id, event_type), _CacheEntry(version, now + _CACHE_MS, subscriptions), weight)
    return subscriptions
