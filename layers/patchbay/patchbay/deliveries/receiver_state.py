"""The state of a webhook's receiver for the API."""

from __future__ import annotations

from collections.abc import Sequence

from patchbay.clock import from_ms
from patchbay.ids import parse_webhook_key
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.receivers.lanes import Traffic
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks.models import Receiver


def load(workspace_id: str, keys: Sequence[str]) -> tuple[Traffic, list[Health]]:
    """The traffic of a workspace, and the health of its webhooks; eventually consistent."""
    table_keys = [
        health_store.traffic_table_key(workspace_id),
        *(health_store.table_key(*parse_webhook_key(key)) for key in keys),
    ]
    first, *rows = dynamo.batch_get(table_keys, eventually_consistent={settings().health_table})
    return health_store.traffic_from_row(first), [health_store.health_from_row(row) for row in rows]


def describe(health: Health, traffic: Traffic, resumed_at: int, held: int, now: int) -> Receiver:
    """The state of the receiver of a webhook that was last enabled at `resumed_at` and has `held` deliveries
    that are HELD. Times are Unix milliseconds.
    """
    is_open = health.is_open(resumed_at)
    is_fast = health.takes_fast_lane(traffic, now)
    return Receiver(
        breaker="OPEN" if is_open else "CLOSED",
        opened_at=from_ms(health.opened_at) if is_open else None,
        next_probe_at=from_ms(health.probe_at) if is_open else None,
        lane="FAST" if is_fast else "SLOW",
        lane_reason=(
            None
            if is_fast
            else "slow_workspace"
            if health.is_fast
            else "slow"
            if health.slow_at
            else "unproven"
        ),
        slow_at=from_ms(health.slow_at) if health.slow_at else None,
        slowdowns=health.slowdowns,
        backlog_since=from_ms(health.backlog_at) if health.has_backlog(resumed_at) else None,
        held=held,
    )
