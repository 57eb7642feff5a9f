"""The counters of webhooks by the hour: rows of the health table.

    webhookKey, hour#<nnnnnn>   attempts, delivered, failed, l<bucket> (latency) …; hours since the epoch
    roll-up, progress           the last hour that was rolled up completely
Rows expire by TTL. Times are Unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from patchbay.settings import settings
from patchbay.stats import counters
from patchbay.stats.counters import AttemptCounts, HourCounters
from patchbay.storage import dynamo
from patchbay.storage.records import retention_ttl

_LATENCY = [f"l{number}" for number in range(counters.BUCKETS)]


def add_counts(key: str, counts: AttemptCounts) -> None:
    """Add a batch to the counters of its hour."""
    now = counts.last_attempt_at
    changes: dict[str, object] = {"lastAttemptAt": now}
    if counts.last_error:
        changes["lastError"] = list(counts.last_error)
    _add(key, counters.hour_of(now), counts, changes)


def table_keys(key: str, hours: Iterable[int]) -> list[tuple[str, dynamo.Row]]:
    """The table keys of a webhook's counters in these hours."""
    return [(settings().health_table, _key(key, _hour(hour))) for hour in hours]


def get_hour(keys: Iterable[str], hour: int) -> Mapping[str, HourCounters]:
    """The counters of several webhooks in one hour, by webhook. Eventually consistent."""
    rows = dynamo.get_many(
        settings().health_table, [_key(key, _hour(hour)) for key in keys], consistent=False
    )
    return {row["webhookKey"]: from_row(row) for row in rows}


def from_row(row: dynamo.Row) -> HourCounters:
    last_error = row.get("lastError")
    return HourCounters(
        attempts=row.get("attempts", 0),
        delivered=row.get("delivered", 0),
        failed=row.get("failed", 0),
        latency=[row.get(name, 0) for name in _LATENCY],
        last_attempt_at=row.get("lastAttemptAt", 0),
        last_delivered_at=row.get("lastDeliveredAt", 0),
        last_error=(last_error[0], last_error[1]) if last_error else None,
        rolled_to=row.get("rolledTo"),
    )


def add_rolled_up(key: str, hour: int, old: HourCounters, counts: AttemptCounts, until: str) -> HourCounters:
    """Add the successes after `old.rolled_to`, up to the delivery `until`, and return the new counters.
    Raises ConditionFailed with the row if another run has added them.
    """
    changes: dict[str, object] = {
        "rolledTo": until,
        "lastDeliveredAt": max(counts.last_success_at, old.last_delivered_at),
    }
    if old.rolled_to is None:
        row = _add(key, hour, counts, changes, condition="attribute_not_exists(rolledTo)")
    else:
        row = _add(key, hour, counts, changes, condition="rolledTo = :seen", seen=old.rolled_to)
    return from_row(row)


def _add(
    key: str,
    hour: int,
    counts: AttemptCounts,
    changes: Mapping[str, object],
    condition: str | None = None,
    **values: object,
) -> dynamo.Row:
    sums = counts.sums()
    addition = f" ADD {', '.join(f'{name} :{name}' for name in sums)}" if sums else ""
    return dynamo.update(
        settings().health_table,
        _key(key, _hour(hour)),
        f"SET #ttl = :ttl, {', '.join(f'{name} = :{name}' for name in changes)}{addition}",
        condition=condition,
        names={"#ttl": "ttl"},
        returning="ALL_NEW",
        ttl=retention_ttl(hour * counters.HOUR_MS),
        **changes,
        **sums,
        **values,
    )


def progress_table_key() -> tuple[str, dynamo.Row]:
    """The table key of the roll-up's progress."""
    return settings().health_table, _key("roll-up", "progress")


def rolled_through(row: dynamo.Row | None) -> int | None:
    """The last hour that was rolled up completely, or None before the first run."""
    return row["rolledThrough"] if row else None


def set_rolled_through(hour: int) -> None:
    """Record that an hour was rolled up, unless another run has recorded a later one."""
    table, key = progress_table_key()
    try:
        dynamo.update(
            table,
            key,
            "SET rolledThrough = :hour",
            condition="attribute_not_exists(rolledThrough) OR rolledThrough < :hour",
            returning="NONE",
            hour=hour,
        )
    except dynamo.ConditionFailed:
        return


def _key(key: str, sk: str) -> dynamo.Row:
    return {"webhookKey": key, "sk": sk}


def _hour(hour: int) -> str:
    return f"hour#{hour:07}"
