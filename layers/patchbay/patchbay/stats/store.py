"""The counters by the hour: rows of the health table.

    <workspace>#<whk_…>, hour#<nnnnnnn>     a webhook's attempts, delivered, failed, l<bucket> (latency) ….
                                            Workers add `<TYPE>_<name>`, and the roll-up `types`: a tally for
                                            each event type (see `counters.Tally`)
    <workspace>#<con_…>, hour#<nnnnnnn>     a connection's refreshes by hour, and its `owner`
    <workspace>#<int_…>, hour#<nnnnnnn>     the total of an integration
    <workspace>#<platform>, hour#<nnnnnnn>  the total of an automation platform's hooks
    <workspace>#, hour#<nnnnnnn>            the total of a workspace
    roll-up, progress                       the last hour that was rolled up completely
Hours are since the epoch. Rows of webhooks and connections are in the index `due`: dueShard is beyond those
of the sweeper, and dueAt is the hour, not a time. So the roll-up finds all rows of an hour. Rows expire by
TTL. Times are Unix milliseconds.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from patchbay.settings import settings
from patchbay.stats import counters
from patchbay.stats.counters import AttemptCounts, HourCounters
from patchbay.storage import due_index, dynamo
from patchbay.storage.records import retention_ttl

_LATENCY = [f"l{number}" for number in range(counters.BUCKETS)]
_WITHOUT_TYPES = (
    *("sk", "attempts", "delivered", "failed", "refreshes", "owner", "rolledTo"),
    *("lastAttemptAt", "lastDeliveredAt", "lastError"),
    *_LATENCY,
)
# A tally attribute that a worker writes: the event type, and the name in the tally.
_TYPE_ATTRIBUTE = re.compile(r"([A-Z][A-Z0-9_]*)_(d|f|[0-9]+)\Z")
# The shards of hours in the index `due`, apart from those of the sweeper and of clean-ups.
_FIRST_SHARD = 100


def add_counts(key: str, counts: AttemptCounts) -> None:
    """Add a webhook's batch to the counters of its hour. If a response is lost and the AWS client repeats the
    write, it counts once.
    """
    now = counts.last_attempt_at
    changes: dict[str, object] = {"lastAttemptAt": now}
    if counts.last_error:
        changes["lastError"] = list(counts.last_error)
    sums = counts.sums()
    for event_type, tally in counts.types.items():
        sums |= {f"{event_type}_{name}": count for name, count in tally.items()}
    _add_once(key, counters.hour_of(now), sums, changes)


def add_refresh(key: str, owner: str, time_ms: int, duration_ms: int, error: str | None) -> None:
    """Count a refresh of a connection (`webhook_key` of its workspace and ID) in its hour. `owner` is its
    integration, and `error` the code of a failure.
    """
    changes: dict[str, object] = {"lastAttemptAt": time_ms, "owner": owner}
    if error is not None:
        changes["lastError"] = [time_ms, error]
    result = "delivered" if error is None else "failed"
    sums = {"attempts": 1, result: 1, f"l{counters.bucket(duration_ms)}": 1}
    _add_once(key, counters.hour_of(time_ms), sums, changes)


def _add_once(key: str, hour: int, sums: Mapping[str, int], changes: Mapping[str, object]) -> None:
    token = secrets.token_hex(4)
    try:
        _add(
            key,
            hour,
            sums,
            {**changes, "token": token},
            names={"#token": "token"},
            condition="attribute_not_exists(#token) OR #token <> :token",
        )
    except dynamo.ConditionFailed:
        return  # this write already succeeded, and its response was lost


def table_keys(key: str, hours: Iterable[int]) -> list[tuple[str, dynamo.Row]]:
    """The table keys of a webhook's counters in these hours."""
    return [(settings().health_table, _key(key, _hour(hour))) for hour in hours]


def get_hour(keys: Iterable[str], hour: int, *, consistent: bool = False) -> dict[str, HourCounters]:
    """The counters of several webhooks or connections in one hour, by key."""
    rows = dynamo.get_many(
        settings().health_table, [_key(key, _hour(hour)) for key in keys], consistent=consistent
    )
    return {row["webhookKey"]: from_row(row) for row in rows}


def get_hours(key: str, hours: range, *, with_types: bool) -> dict[int, HourCounters]:
    """The counters of a webhook, a connection or a total in these hours, by hour; eventually consistent. An
    hour without counters has no row. The tallies of event types are most of a row, so they are read only
    `with_types`.
    """
    rows = dynamo.query(
        settings().health_table,
        "webhookKey = :key AND sk BETWEEN :first AND :last",
        consistent=False,
        attributes=() if with_types else _WITHOUT_TYPES,
        key=key,
        first=_hour(hours[0]),
        last=_hour(hours[-1]),
    )
    return {int(row["sk"].partition("#")[2]): from_row(row) for row in rows}


def keys_of_hour(hour: int) -> Iterator[str]:
    """The keys of all webhooks and connections with counters in an hour, except those that were added in the
    last seconds.
    """
    for shard in due_index.SHARDS:
        for row in dynamo.query(
            settings().health_table,
            "dueShard = :shard AND dueAt = :hour",
            index="due",
            shard=_FIRST_SHARD + shard,
            hour=hour,
        ):
            yield row["webhookKey"]


def put_total(key: str, hour: int, total: HourCounters) -> None:
    """Store the total of an integration or a workspace in an hour, in place of an earlier one."""
    row: dict[str, Any] = {
        **_key(key, _hour(hour)),
        "attempts": total.attempts,
        "delivered": total.delivered,
        "failed": total.failed,
        **{name: count for name, count in zip(_LATENCY, total.latency, strict=True) if count},
        "types": {event_type: dict(tally) for event_type, tally in total.types.items()},
        "refreshes": dict(total.refreshes),
        "lastAttemptAt": total.last_attempt_at,
        "lastDeliveredAt": total.last_delivered_at,
        "lastError": None if total.last_error is None else list(total.last_error),
        "ttl": retention_ttl(hour * counters.HOUR_MS),
    }
    dynamo.put(settings().health_table, row)


def from_row(row: dynamo.Row) -> HourCounters:
    last_error = row.get("lastError")
    rolled_types = row.get("types", {})
    return HourCounters(
        attempts=row.get("attempts", 0),
        delivered=row.get("delivered", 0),
        failed=row.get("failed", 0),
        latency=[row.get(name, 0) for name in _LATENCY],
        types=counters.add_types([rolled_types, _worker_types(row)]),
        rolled_types=rolled_types,
        refreshes=row.get("refreshes", {}),
        owner=row.get("owner"),
        last_attempt_at=row.get("lastAttemptAt", 0),
        last_delivered_at=row.get("lastDeliveredAt", 0),
        last_error=(last_error[0], last_error[1]) if last_error else None,
        rolled_to=row.get("rolledTo"),
    )


def _worker_types(row: dynamo.Row) -> dict[str, dict[str, int]]:
    """The tallies of event types that workers have added."""
    types: dict[str, dict[str, int]] = {}
    for name, value in row.items():
        if match := _TYPE_ATTRIBUTE.match(name):
            types.setdefault(match[1], {})[match[2]] = value
    return types


def add_rolled_up(key: str, hour: int, old: HourCounters, counts: AttemptCounts, until: str) -> HourCounters:
    """Add the successes after `old.rolled_to`, up to the delivery `until`, and return the new counters.
    Raises ConditionFailed with the row if another run has added them.

    Only the roll-up writes `types`, so the condition also protects the sums that it replaces. `types` is one
    value, so it does not lengthen the expression, which may have 4 KB.
    """
    types = counters.add_types([old.rolled_types, counts.types])
    changes: dict[str, object] = {
        "rolledTo": until,
        "types": {event_type: dict(tally) for event_type, tally in types.items()},
        "lastDeliveredAt": max(counts.last_success_at, old.last_delivered_at),
    }
    if old.rolled_to is None:
        row = _add(key, hour, counts.sums(), changes, condition="attribute_not_exists(rolledTo)")
    else:
        row = _add(key, hour, counts.sums(), changes, condition="rolledTo = :seen", seen=old.rolled_to)
    return from_row(row)


def _add(
    key: str,
    hour: int,
    sums: Mapping[str, int],
    changes: Mapping[str, object],
    condition: str,
    names: Mapping[str, str] | None = None,
    **values: object,
) -> dynamo.Row:
    aliases = {"#ttl": "ttl", "#types": "types", "#owner": "owner", **(names or {})}
    settable = {**changes, "dueShard": _FIRST_SHARD + due_index.shard_of(key), "dueAt": hour}
    terms = [f"{f'#{name}' if f'#{name}' in aliases else name} = :{name}" for name in settable]
    addition = f" ADD {', '.join(f'{name} :{name}' for name in sums)}" if sums else ""
    used = {alias: name for alias, name in aliases.items() if name == "ttl" or name in settable}
    return dynamo.update(
        settings().health_table,
        _key(key, _hour(hour)),
        f"SET #ttl = :ttl, {', '.join(terms)}{addition}",
        condition=condition,
        names=used,
        returning="ALL_NEW",
        ttl=retention_ttl(hour * counters.HOUR_MS),
        **settable,
        **sums,
        **values,
    )


def progress_table_key() -> tuple[str, dynamo.Row]:
    """The table key of the roll-up's progress."""
    return settings().health_table, _key("roll-up", "progress")


def last_rolled_up() -> int | None:
    """The last hour that was rolled up completely, or None before the first run; eventually consistent."""
    table, key = progress_table_key()
    return rolled_through(dynamo.get(table, key, consistent=False))


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
