"""The totals of an hour: of each integration, of each automation platform's hooks, and of each workspace.

A total is the sum of rows that no longer change: the hour's counters of webhooks and connections. So it is
stored as a whole, in place of an earlier one, and a run that repeats or overlaps with another stores the
same. It costs a read of each row, a read of each webhook to find its integration, and one write for each
total.

A webhook that was deleted before the roll-up counts for its workspace only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping

from patchbay.ids import ConnectionId, IntegrationId, WebhookId, parse_webhook_key, webhook_key
from patchbay.stats import counters
from patchbay.stats import store as stats_store
from patchbay.stats.counters import HourCounters
from patchbay.webhooks import store as webhooks_store
from patchbay.webhooks.stored_webhook import StoredWebhook

_API = "api"


def owner_of(source: str, integration_id: IntegrationId | None) -> str | None:
    """What a webhook's counters also count for: its integration, or the automation platform of a hook."""
    return integration_id or (None if source == _API else source)


def add_up(hour: int, written: Iterable[str], check_time: Callable[[], None]) -> None:
    """Store the totals of an hour. The index lacks rows of the last seconds, so `written` has the keys that
    this run has written or read. `check_time` is called before each workspace.
    """
    keys_by_workspace: defaultdict[str, set[str]] = defaultdict(set)
    for keys in (written, stats_store.keys_of_hour(hour)):
        for key in keys:
            keys_by_workspace[key.partition("#")[0]].add(key)
    for workspace_id, workspace_keys in keys_by_workspace.items():
        check_time()
        _add_up_workspace(workspace_id, hour, workspace_keys)


def _add_up_workspace(workspace_id: str, hour: int, keys: Collection[str]) -> None:
    stored = stats_store.get_hour(sorted(keys), hour, consistent=True)
    refreshes = {key: counted for key, counted in stored.items() if _is_connection(key)}
    attempts = {key: counted for key, counted in stored.items() if key not in refreshes}
    owners = {key: counted.owner for key, counted in refreshes.items()} | _owners(workspace_id, attempts)
    for owner in {"", *owners.values()} - {None}:
        total = counters.total(
            (counted for key, counted in attempts.items() if owner in ("", owners.get(key))),
            (counted for key, counted in refreshes.items() if owner in ("", owners.get(key))),
        )
        stats_store.put_total(webhook_key(workspace_id, str(owner)), hour, total)


def _owners(workspace_id: str, attempts: Mapping[str, HourCounters]) -> dict[str, str | None]:
    """The owners of webhooks, by key."""
    ids = [WebhookId(parse_webhook_key(key)[1]) for key in attempts]
    webhooks: list[StoredWebhook] = webhooks_store.get_many(workspace_id, ids)
    return {
        webhook_key(workspace_id, webhook.id): owner_of(webhook.source, webhook.integration_id)
        for webhook in webhooks
    }


def _is_connection(key: str) -> bool:
    return key.partition("#")[2].startswith(f"{ConnectionId.prefix}_")
