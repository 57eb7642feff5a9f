"""First-attempt successes, which no worker counts: an hourly roll-up reads the deliveries' rows and adds them
to each webhook's counters. Hours that are not rolled up yet are read when someone asks for stats.

A delivery's id has the time of its event, so the deliveries of an hour are a range of ids. An hour is read
when no further success can be left to the roll-up (`counters.to_roll_up`). For a webhook with n deliveries of
b bytes that costs one write and n * b / 8192 read units, and half a unit for the counters; a webhook without
deliveries costs one read unit, and a workspace without events costs nothing.

Each write adds the sums and moves `rolledTo` in one step, on the condition that `rolledTo` is still where the
read began. So no success is counted twice if a run dies, repeats another's work, or overlaps with another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from patchbay.clock import at_ms, now_ms
from patchbay.deliveries import store as deliveries
from patchbay.events import store as events_store
from patchbay.ids import DeliveryId, of_webhook_key, webhook_key
from patchbay.observability import flush_metrics, logger, metrics
from patchbay.rate_limits.lru_cache import LruCache
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.settings import settings
from patchbay.stats import counters, store
from patchbay.storage import dynamo
from patchbay.webhooks import store as webhooks_store

# The time for a chunk and its write.
_RESERVE_MS = 15_000
# How many deliveries one write covers.
_CHUNK = 5_000
_THREADS = 8
# Reading 1,000 deliveries takes about 125 read units. So that polling does not use up what the table can give
# to everyone, a process keeps what it has read of a busy webhook for a while.
_MANY = 100
_KEEP_MS = 30_000


class _Read(NamedTuple):
    """What the deliveries of a webhook that follow `reached` came to, for use until `until_ms`."""

    reached: str
    until_ms: int
    tally: counters.Tally


_read_lately: LruCache[str, _Read] = LruCache(1_000)


class Incomplete(Exception):
    """Not everything was rolled up. The next run continues; until then, readers read the deliveries."""


# ── roll up ──────────────────────────────────────────────────────────────────────────────────────────


def roll_up(remaining_ms: Callable[[], int]) -> int:
    """Add the successes of each hour that has ended, the oldest first, and return how many there were.

    The next hour begins only when the one before is done for all webhooks. Raises Incomplete if there was not
    enough time, or if AWS failed for some webhooks.
    """
    run = _Run(remaining_ms)
    through = store.rolled_through(dynamo.get(*store.progress()))
    try:
        for hour in counters.to_roll_up(through, now_ms(), settings().retention_days):
            run.hour(hour)
            store.set_rolled_through(hour)
    finally:
        if run.rolled_up:
            metrics().add_metric("DeliveriesDelivered", "Count", run.rolled_up)
            flush_metrics()
    return run.rolled_up


class _Run:
    def __init__(self, remaining_ms: Callable[[], int]) -> None:
        self._remaining_ms = remaining_ms
        self.rolled_up = 0

    def hour(self, hour: int) -> None:
        failed = 0
        for workspace_id in events_store.active(hour):
            ids = webhooks_store.ids(workspace_id)
            while keys := [webhook_key(workspace_id, id) for id in islice(ids, 100)]:
                known = store.of_hour(keys, hour)
                for key in keys:
                    try:
                        self._webhook(key, hour, known.get(key, {}))
                    except Incomplete:
                        raise
                    except Exception:
                        # AWS's fault; the next run tries this webhook again.
                        logger.exception("webhook's hour not rolled up", webhook=key, hour=hour)
                        failed += 1
        if failed:
            raise Incomplete(f"{failed} webhooks were not rolled up; the next run tries again")

    def _webhook(self, key: str, hour: int, row: dynamo.Row) -> None:
        begin, end = _ids(hour, hour)
        reached = row.get("rolledTo", begin)
        rows = deliveries.outcomes(key, reached, end)
        while reached < end:
            if self._remaining_ms() < _RESERVE_MS:
                raise Incomplete("no time left; the next run continues")
            chunk = list(islice(rows, _CHUNK))
            tally = counters.uncounted(chunk)
            until = str(chunk[-1]["sk"]) if len(chunk) == _CHUNK else end
            if until == end and not tally.attempts and "rolledTo" not in row:
                return
            try:
                row = store.roll_up(key, hour, row, tally, until)
                self.rolled_up += tally.delivered
            except dynamo.ConditionFailed as refused:  # by another run, or by our write whose answer was lost
                row = refused.row or {}
                rows = deliveries.outcomes(key, row.get("rolledTo", begin), end)
            reached = row.get("rolledTo", begin)


# ── read ─────────────────────────────────────────────────────────────────────────────────────────────


class WebhookActivity(NamedTuple):
    """The health of a webhook, and the counters of the last day."""

    health: Health
    hours: list[dynamo.Row]


def activities(workspace_id: str, keys: Sequence[str], now: int) -> list[WebhookActivity]:
    """The health and counters of webhooks of a workspace; eventually consistent. If the workspace has events
    in hours that are not rolled up, this reads each webhook's newest deliveries of these hours.
    """
    if not keys:
        return []
    window = counters.window(now)
    latest = (window[-1], window[-2])
    table_keys = [store.progress(), *(events_store.activity_table_key(workspace_id, hour) for hour in latest)]
    for key in keys:
        table_keys += (health_store.table_key(*of_webhook_key(key)), *store.table_keys(key, window))
    row, *found = _read(table_keys)
    through = store.rolled_through(row)
    if through is None:
        through = window[-3]
    active, found = found[: len(latest)], found[len(latest) :]
    size = 1 + len(window)
    each = [
        WebhookActivity(health_store.read(rows[0]), [row for row in rows[1:] if row])
        for rows in (found[at : at + size] for at in range(0, len(found), size))
    ]
    to_read = [hour for hour, row in zip(latest, active, strict=True) if row and hour > through]
    if through < window[-3]:  # the roll-up is late
        to_read.append(max(through + 1, window[0]))
    if to_read:
        begin, end = _ids(min(to_read), window[-1])
        _add_newest(keys, each, begin, end)
    return each


def clear_cache() -> None:
    """Give up what this process keeps."""
    _read_lately.clear()


def _add_newest(keys: Sequence[str], each: Sequence[WebhookActivity], begin: str, end: str) -> None:
    """Add each webhook's successes that are not rolled up, as one more hour."""

    def tally(key: str, standing: WebhookActivity) -> counters.Tally:
        reached = max([begin, *(row["rolledTo"] for row in standing.hours if "rolledTo" in row)])
        known = _read_lately.get(key)
        if known is not None and known.reached == reached and now_ms() < known.until_ms:
            return known.tally
        rows = list(deliveries.newest(key, reached, end))
        found = counters.uncounted(rows)
        if len(rows) >= _MANY:
            _read_lately.put(key, _Read(reached, now_ms() + _KEEP_MS, found))
        return found

    with ThreadPoolExecutor(_THREADS) as pool:
        for standing, found in zip(each, pool.map(tally, keys, each), strict=True):
            if found.attempts:
                standing.hours.append({**found.sums(), "lastDeliveredAt": found.last_success_at})


def _read(keys: Sequence[tuple[str, dynamo.Row]]) -> list[dynamo.Row | None]:
    tables = {table for table, _ in keys}
    rows: list[dynamo.Row | None] = []
    for start in range(0, len(keys), 100):
        rows += dynamo.get_each(keys[start : start + 100], eventually=tables)
    return rows


def _ids(first: int, last: int) -> tuple[DeliveryId, DeliveryId]:
    """The lowest and the highest id of the deliveries of these hours."""
    return DeliveryId.range(at_ms(first * counters.HOUR_MS), at_ms((last + 1) * counters.HOUR_MS - 1))
