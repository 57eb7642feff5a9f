"""The hourly roll-up of first-attempt successes, which no worker counts: it reads the deliveries' rows and
adds the sums to each webhook's counters. Also reads the statistics for the API: `load_statistics` includes
the hours that are not rolled up.

A delivery's ID contains the time of its event, so the deliveries of an hour are a range of IDs. An hour is
read once the worker counts every later success in it (`counters.hours_to_roll_up`). For a webhook
with n deliveries of b bytes, that costs one write and n * b / 8192 read units, plus half a read unit for the
counters. A webhook without deliveries costs one read unit, and a workspace without events costs nothing.

Each write adds the sums and advances `rolledTo` in one step, on the condition that `rolledTo` is still where
the read started. So no success is counted twice if a run dies, repeats another run, or overlaps with it. Then
the totals of integrations and workspaces are stored (`totals`), and last the progress. If a run dies:
    before a webhook's sums     the next run reads its deliveries after `rolledTo`, again or at first
    after them                  the next run finds `rolledTo` at the end of the hour, and reads nothing
    between two totals          the next run stores all totals of the hour again, with the same values
    before the progress         as above; until then, analytics end before the hour
    after it                    the hour is done: what comes later counts in the hour when it comes
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from patchbay.clock import from_ms, now_ms
from patchbay.deliveries import store, totals
from patchbay.deliveries.stored_delivery import DeliveryOutcome
from patchbay.events import store as events_store
from patchbay.ids import DeliveryId, parse_webhook_key, webhook_key
from patchbay.observability import logger
from patchbay.rate_limits.lru_cache import LruCache
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.receivers.lanes import Traffic
from patchbay.settings import settings
from patchbay.stats import counters
from patchbay.stats import store as stats_store
from patchbay.stats.counters import AttemptCounts, HourCounters
from patchbay.storage import dynamo
from patchbay.storage.due_index import IncompleteRun
from patchbay.webhooks import store as webhooks_store

# The longest time that a chunk and its write take.
_RESERVE_MS = 15_000
# How many deliveries one write covers.
_CHUNK = 5_000
_THREADS = 8
# Reading 1,000 deliveries takes about 125 read units. So that polling does not use up the table's throughput,
# a process briefly caches the counts of a busy webhook.
_BUSY = 100
_CACHE_MS = 30_000


class _CachedCounts(NamedTuple):
    """The counts of the deliveries after `after` by hour, valid until `expires_at`."""

    after: str
    expires_at: int
    counts: dict[int, AttemptCounts]


_cached_counts: LruCache[str, _CachedCounts] = LruCache(1_000)


# ── roll up ──────────────────────────────────────────────────────────────────────────────────────────


def roll_up(remaining_ms: Callable[[], int]) -> int:
    """Add the successes of each hour that has ended, the oldest first, and return their number.

    The next hour starts only when the one before it is complete for all webhooks. Raises IncompleteRun if
    time runs out, or if AWS failed for some webhooks.
    """
    run = _Run(remaining_ms)
    through = stats_store.rolled_through(dynamo.get(*stats_store.progress_table_key()))
    for hour in counters.hours_to_roll_up(through, now_ms(), settings().retention_days):
        run.roll_up_hour(hour)
        stats_store.set_rolled_through(hour)
    return run.rolled_up


class _Run:
    def __init__(self, remaining_ms: Callable[[], int]) -> None:
        self._remaining_ms = remaining_ms
        self.rolled_up = 0

    def roll_up_hour(self, hour: int) -> None:
        failed = 0
        counted: set[str] = set()
        for workspace_id in events_store.active_workspaces(hour):
            ids = webhooks_store.ids(workspace_id)
            while keys := [webhook_key(workspace_id, id) for id in islice(ids, 100)]:
                stored = stats_store.get_hour(keys, hour)
                counted.update(stored)
                for key in keys:
                    try:
                        if self._roll_up_webhook(key, hour, stored.get(key, HourCounters())):
                            counted.add(key)
                    except IncompleteRun:
                        raise
                    except Exception:
                        # An AWS fault. The next run retries this webhook.
                        logger.exception("roll-up failed", webhook=key, hour=hour)
                        failed += 1
        if failed:
            raise IncompleteRun(f"the roll-up failed for {failed} webhooks; the next run retries them")
        totals.add_up(hour, counted, self._check_time)

    def _check_time(self) -> None:
        if self._remaining_ms() < _RESERVE_MS:
            raise IncompleteRun("no time left; the next run continues")

    def _roll_up_webhook(self, key: str, hour: int, stored: HourCounters) -> bool:
        """Add a webhook's successes of the hour. Returns whether it has any."""
        start, end = _id_range(hour, hour)
        reached = stored.rolled_to or start
        rows = store.outcomes(key, reached, end)
        while reached < end:
            self._check_time()
            chunk = list(islice(rows, _CHUNK))
            counts = count_successes(chunk)
            until = str(chunk[-1].id) if len(chunk) == _CHUNK else end
            if until == end and not counts.attempts and stored.rolled_to is None:
                return False
            try:
                stored = stats_store.add_rolled_up(key, hour, stored, counts, until)
                self.rolled_up += counts.delivered
            except dynamo.ConditionFailed as failure:
                # Another run wrote it, or this one did and the response was lost.
                stored = stats_store.from_row(failure.row or {})
                rows = store.outcomes(key, stored.rolled_to or start, end)
            reached = stored.rolled_to or start
        return True


# ── read ─────────────────────────────────────────────────────────────────────────────────────────────


class WebhookStatistics(NamedTuple):
    """The health of a webhook, its counters of the last day, and the traffic of its workspace."""

    health: Health
    hours: list[HourCounters]
    traffic: Traffic


def load_statistics(workspace_id: str, keys: Sequence[str], now: int) -> list[WebhookStatistics]:
    """The health and counters of webhooks of one workspace, eventually consistent. If the workspace has
    events in hours that are not rolled up, this reads the newest deliveries of each webhook in these hours.
    """
    if not keys:
        return []
    window = counters.window(now)
    latest = (window[-1], window[-2])
    table_keys = [
        stats_store.progress_table_key(),
        health_store.traffic_table_key(workspace_id),
        *(events_store.active_hour_table_key(workspace_id, hour) for hour in latest),
    ]
    for key in keys:
        table_keys += (health_store.table_key(*parse_webhook_key(key)), *stats_store.table_keys(key, window))
    tables = {table for table, _ in table_keys}
    rows = iter(dynamo.batch_get(table_keys, eventually_consistent=tables))
    through = stats_store.rolled_through(next(rows))
    traffic = health_store.traffic_from_row(next(rows))
    if through is None:
        through = window[-3]
    active_hours = islice(rows, len(latest))
    unread = [hour for hour, row in zip(latest, active_hours, strict=True) if row and hour > through]
    result = [
        WebhookStatistics(
            health_store.health_from_row(next(rows)),
            [
                stats_store.from_row(row)._replace(hour=hour)
                for hour, row in zip(window, islice(rows, len(window)), strict=True)
                if row
            ],
            traffic,
        )
        for _ in keys
    ]
    if through < window[-3]:  # the roll-up is late
        unread.append(max(through + 1, window[0]))
    if unread:
        _add_newest(keys, result, *_id_range(min(unread), window[-1]))
    return result


def clear_cache() -> None:
    """Empty this process's cache."""
    _cached_counts.clear()


def count_successes(deliveries: Iterable[DeliveryOutcome]) -> AttemptCounts:
    """The successes that the worker did not count."""
    counts = AttemptCounts()
    for delivery in deliveries:
        if delivery.is_success and not delivery.is_counted:
            counts.add(
                delivery.delivered_at,
                delivery.duration_ms,
                event_type=delivery.event_type,
                reason=None,
                ended=True,
            )
    return counts


def _add_newest(keys: Sequence[str], statistics: Sequence[WebhookStatistics], start: str, end: str) -> None:
    """Add each webhook's successes that are not rolled up yet, as more counters of their hours."""

    def count(key: str, hours: Sequence[HourCounters]) -> dict[int, AttemptCounts]:
        after = max([start, *(hour.rolled_to for hour in hours if hour.rolled_to)])
        cached = _cached_counts.get(key)
        if cached is not None and cached.after == after and now_ms() < cached.expires_at:
            return cached.counts
        rows = list(store.newest(key, after, end))
        by_hour: defaultdict[int, list[DeliveryOutcome]] = defaultdict(list)
        for row in rows:
            by_hour[counters.hour_of(row.id.time_ms)].append(row)
        counts = {hour: count_successes(of_hour) for hour, of_hour in by_hour.items()}
        if len(rows) >= _BUSY:
            _cached_counts.put(key, _CachedCounts(after, now_ms() + _CACHE_MS, counts))
        return counts

    hours = [each.hours for each in statistics]
    with ThreadPoolExecutor(_THREADS) as pool:
        for webhook_hours, by_hour in zip(hours, pool.map(count, keys, hours), strict=True):
            webhook_hours += [
                HourCounters(
                    attempts=counts.attempts,
                    delivered=counts.delivered,
                    latency=[counts.latency[number] for number in range(counters.BUCKETS)],
                    last_delivered_at=counts.last_success_at,
                    hour=hour,
                )
                for hour, counts in by_hour.items()
                if counts.attempts
            ]


def _id_range(first: int, last: int) -> tuple[DeliveryId, DeliveryId]:
    """The lowest and the highest ID of the deliveries of these hours."""
    return DeliveryId.range(from_ms(first * counters.HOUR_MS), from_ms((last + 1) * counters.HOUR_MS - 1))
