"""The counters of webhooks: rows of the health table, by the hour.

    webhookKey, hour#<nnnnnn>   attempts, delivered, failed, l<bucket> (latency) …; hours since the epoch
    roll-up, progress           the last hour that is rolled up completely
Rows end by TTL. Times in Unix milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from patchbay.settings import settings
from patchbay.stats import counters
from patchbay.storage import dynamo
from patchbay.storage.records import kept_until


def count(key: str, tally: counters.Tally) -> None:
    """Add the outcomes of a batch to the counters of its hour."""
    now = tally.last_attempt_at
    known: dict[str, Any] = {"lastAttemptAt": now}
    if tally.last_error:
        known["lastError"] = list(tally.last_error)
    _add(key, counters.hour_of(now), tally, known)


def table_keys(key: str, hours: Iterable[int]) -> list[tuple[str, dynamo.Row]]:
    """The tables and keys of a webhook's counters of these hours, to be read along with other rows."""
    return [(settings().health_table, _key(key, _hour(hour))) for hour in hours]


def of_hour(keys: Iterable[str], hour: int) -> Mapping[str, dynamo.Row]:
    """The counters of some webhooks in that hour, by webhook; eventually consistent."""
    rows = dynamo.get_many(settings().health_table, [_key(key, _hour(hour)) for key in keys])
    return {row["webhookKey"]: row for row in rows}


def roll_up(key: str, hour: int, row: Mapping[str, Any], tally: counters.Tally, until: str) -> dynamo.Row:
    """Add the successes that follow `row`'s `rolledTo`, up to the delivery `until`, and return the new row.
    Raises ConditionFailed with the row if another run has added them.
    """
    known = {
        "rolledTo": until,
        "lastDeliveredAt": max(tally.last_success_at, row.get("lastDeliveredAt", 0)),
    }
    if "rolledTo" not in row:
        return _add(key, hour, tally, known, condition="attribute_not_exists(rolledTo)")
    return _add(key, hour, tally, known, condition="rolledTo = :seen", seen=row["rolledTo"])


def _add(key: str, hour: int, tally: counters.Tally, known: Mapping[str, Any], **terms: Any) -> dynamo.Row:
    sums: dict[str, Any] = dict(tally.sums())
    adding = f" ADD {', '.join(f'{name} :{name}' for name in sums)}" if sums else ""
    return dynamo.update(
        settings().health_table,
        _key(key, _hour(hour)),
        f"SET #ttl = :ttl, {', '.join(f'{name} = :{name}' for name in known)}{adding}",
        names={"#ttl": "ttl"},
        ttl=kept_until(hour * counters.HOUR_MS),
        **known,
        **sums,
        **terms,
    )


def progress() -> tuple[str, dynamo.Row]:
    """The table and the key of the roll-up's progress, to be read along with other rows."""
    return settings().health_table, _key("roll-up", "progress")


def rolled_through(row: dynamo.Row | None) -> int | None:
    """The last hour that is rolled up completely; None before the first run."""
    return row["rolledThrough"] if row else None


def set_rolled_through(hour: int) -> None:
    """Record that an hour is rolled up, unless another run has recorded a later one."""
    table, key = progress()
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
