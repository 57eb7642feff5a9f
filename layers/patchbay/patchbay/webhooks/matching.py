"""Which webhooks an event goes to.

A process caches a workspace's subscriptions to a type, with compiled filters, until the version of the
workspace's subscriptions changes (`store.subscriptions_version_key`). The version is read with strong consistency before
the subscriptions, so cached subscriptions are never older than their version. An earlier release, which may
run during a deployment, writes no versions; its changes are noticed within a minute.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from patchbay import catalogue, compact_json
from patchbay.clock import now_ms
from patchbay.ids import WebhookId
from patchbay.rate_limits.lru_cache import LruCache
from patchbay.webhooks import filters, store

_KEEP_MS = 60_000
# The size of the cache, in bytes of filters as JSON (compiled, they take up to twenty times as much), and
# what each entry and each webhook adds.
_MEMORY = 4 * 1024 * 1024
_OVERHEAD = 200


class _Kept(NamedTuple):
    version: int
    until_ms: int
    subscriptions: list[tuple[WebhookId, filters.Compiled]]


_kept: LruCache[tuple[str, str], _Kept] = LruCache(_MEMORY)


def match(workspace_id: str, event_type: str, data: Any, version: int) -> list[WebhookId]:
    """The active webhooks that an event goes to. `version` is that of the workspace's subscriptions."""
    content = filters.Content(data)
    found = {
        webhook_id: None
        for kind in (event_type, catalogue.ANY)
        for webhook_id, wanted in _subscriptions(workspace_id, kind, version)
        if content.passes(wanted)
    }
    return list(found)


def clear_cache() -> None:
    """Empty the cache."""
    _kept.clear()


def _subscriptions(workspace_id: str, kind: str, version: int) -> list[tuple[WebhookId, filters.Compiled]]:
    now = now_ms()
    kept = _kept.get((workspace_id, kind))
    if kept is not None and kept.version == version and now < kept.until_ms:
        return kept.subscriptions
    subscriptions, weight = [], _OVERHEAD
    for webhook_id, wanted in store.subscriptions(workspace_id, kind):
        subscriptions.append((webhook_id, filters.compiled(wanted)))
        weight += _OVERHEAD + compact_json.size(wanted)
    _kept.put((workspace_id, kind), _Kept(version, now + _KEEP_MS, subscriptions), weight)
    return subscriptions
