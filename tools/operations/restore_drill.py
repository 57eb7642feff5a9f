"""Restores each table that must be kept into a side table, compares, and deletes it: `make restore-drill`.

All tables are restored to the same time, as in a real restore. Rows of a running stack change during the
restore, so only unchanged rows are compared: a sample is read before that time, and again after the restore.
Rows that were equal both times must be equal in the side table. The drill also compares keys, indexes and
encryption, and checks that TTL can be turned on, which a restore leaves off.

    start         the samples; then wait until DynamoDB can restore to a time after them (5 minutes on AWS)
    restore       all side tables at once, `<table>-restore-drill`
    compare       each as soon as it is ready
    end           the side tables are deleted, also after an error or Ctrl-C. DynamoDB deletes none that is
                  still being restored, so that can take as long as the restore
    a killed run  leaves side tables. The next run refuses to start and names them; `make uninstall` deletes
                  them too
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

from local.settings import Problem
from tools.operations import stack as stacks
from tools.operations import tables
from tools.operations.backup_check import kept_tables
from tools.operations.stack import LOCAL, Stack
from tools.operations.tables import Row

SUFFIX = "-restore-drill"
POLL_SECONDS = 2.0
SAMPLES = 1000
MAX_SAMPLES = 100_000
# How long to wait for a time to restore to. DynamoDB's latest time is about 5 minutes ago.
MOST_WAIT = timedelta(minutes=20)


@dataclass
class Drill:
    """One table. `before` has the sampled rows by key, read before the restored time. `seconds` is how long
    the restore took; None until it is ready.
    """

    logical_id: str
    name: str
    ttl: str | None
    keys: list[str]
    described: dict[str, Any]
    before: dict[str, Row]
    is_complete: bool  # whether `before` has all rows
    seconds: float | None = None
    compared: int = 0
    changed: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def side(self) -> str:
        return self.name + SUFFIX


def main() -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    stack = stacks.find(stacks.setting("STACK") or LOCAL)
    return drill(stack, read_samples(stacks.setting("SAMPLES")))


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def read_samples(text: str) -> int:
    """The number of rows to compare in each table. Raises Problem."""
    if not text:
        return SAMPLES
    if not text.isdigit() or not 1 <= int(text) <= MAX_SAMPLES:
        raise Problem(f"SAMPLES must be a number from 1 to {MAX_SAMPLES}")
    return int(text)


def drill(stack: Stack, samples: int) -> int:
    """Restore, compare and delete. Returns the exit status."""
    dynamodb = stack.client("dynamodb")
    drills = list(prepared(dynamodb, stack, samples))
    size = sum(each.described.get("TableSizeBytes", 0) for each in drills)
    say(f"stack {stack.name}: {len(drills)} tables, about {size / 1e9:.1f} GB, which AWS bills once")
    try:
        at = latest_time(dynamodb, drills, datetime.now(UTC))
        say(f"restoring to {at:%Y-%m-%d %H:%M:%S} UTC")
        if stack.name == LOCAL:
            say("the emulator ignores the time and copies the current rows")
        restore(dynamodb, drills, at)
    finally:
        tables.delete(dynamodb, [each.side for each in drills], POLL_SECONDS, say)
        say("the copies are deleted")
    return report(drills)


# ── before ───────────────────────────────────────────────────────────────────────────────────────────


def prepared(dynamodb: Any, stack: Stack, samples: int) -> Iterator[Drill]:
    """The tables with their samples. Raises Problem if one is missing, or if a side table exists."""
    for logical_id, properties in kept_tables(stack).items():
        name = stack.id(logical_id)
        if tables.is_there(dynamodb, name + SUFFIX):
            raise Problem(
                f"{name}{SUFFIX} exists: another drill is running, or one was killed. If none is running: "
                f"aws dynamodb delete-table --table-name {name}{SUFFIX}"
            )
        described = dynamodb.describe_table(TableName=name)["Table"]
        keys = [key["AttributeName"] for key in described["KeySchema"]]
        rows, is_complete = sample(dynamodb, name, samples)
        yield Drill(
            logical_id=logical_id,
            name=name,
            ttl=properties.get("TimeToLiveSpecification", {}).get("AttributeName"),
            keys=keys,
            described=described,
            before=by_key(rows, keys),
            is_complete=is_complete,
        )


def sample(dynamodb: Any, table: str, count: int) -> tuple[list[Row], bool]:
    """The first rows of a table, and whether those are all rows."""
    rows: list[Row] = []
    options: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
    while len(rows) < count:
        page = dynamodb.scan(**options, Limit=count - len(rows))
        rows += page["Items"]
        if "LastEvaluatedKey" not in page:
            return rows, True
        options["ExclusiveStartKey"] = page["LastEvaluatedKey"]
    return rows, False


def latest_time(dynamodb: Any, drills: list[Drill], after: datetime) -> datetime:
    """A time after `after` to which all tables can be restored. Waits for it. Raises Problem."""
    after = after.replace(microsecond=0) + timedelta(seconds=1)  # DynamoDB restores to a second
    deadline = time.monotonic() + MOST_WAIT.total_seconds()
    said = None
    while True:
        times = {each.name: restorable(dynamodb, each.name) for each in drills}
        earliest = min(times, key=lambda name: times[name])
        if times[earliest] >= after:
            return times[earliest]
        if time.monotonic() > deadline:
            raise Problem(
                f"{earliest} can still only be restored to {times[earliest]:%Y-%m-%d %H:%M:%S} UTC: "
                "make backup-check, and ask AWS Support"
            )
        if times[earliest] != said:
            said = times[earliest]
            say(f"waiting until DynamoDB can restore to {after:%H:%M:%S} UTC; it is at {said:%H:%M:%S}")
        time.sleep(POLL_SECONDS)


def restorable(dynamodb: Any, name: str) -> datetime:
    """The latest time that a table can be restored to. Raises Problem if it has none."""
    described = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    latest: datetime | None = described.get("PointInTimeRecoveryDescription", {}).get(
        "LatestRestorableDateTime"
    )
    if latest is None:
        raise Problem(f"{name} has no point-in-time recovery: make backup-check names what to do")
    return latest


# ── the restore ──────────────────────────────────────────────────────────────────────────────────────


def restore(dynamodb: Any, drills: list[Drill], at: datetime) -> None:
    """Restore all tables, and compare each when it is ready."""
    started = time.monotonic()
    for each in drills:
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=each.name,
            TargetTableName=each.side,
            RestoreDateTime=at,
            BillingModeOverride="PAY_PER_REQUEST",
        )
    waiting = drills
    while waiting:
        for each in waiting:
            if tables.status(dynamodb, each.side) == "ACTIVE":
                each.seconds = time.monotonic() - started
                compare(dynamodb, each)
                say(f"  {'differs' if each.faults else 'ok'}  {each.logical_id}, {each.seconds:.0f} s")
        ready = len(waiting)
        waiting = [each for each in waiting if each.seconds is None]
        if waiting:
            if len(waiting) < ready or waiting == drills:
                say(f"{len(drills) - len(waiting)} of {len(drills)} restored")
            time.sleep(POLL_SECONDS)


# ── the comparison ───────────────────────────────────────────────────────────────────────────────────


def compare(dynamodb: Any, each: Drill) -> None:
    side = dynamodb.describe_table(TableName=each.side)["Table"]
    for what, of in (("keys", shape), ("indexes", indexes), ("encryption", encryption)):
        if of(side) != of(each.described):
            each.faults.append(f"{what}: {of(side)} instead of {of(each.described)}")
    compare_rows(dynamodb, each)
    if each.ttl:
        enabled = {"Enabled": True, "AttributeName": each.ttl}
        dynamodb.update_time_to_live(TableName=each.side, TimeToLiveSpecification=enabled)
        ttl = dynamodb.describe_time_to_live(TableName=each.side)["TimeToLiveDescription"]
        if ttl["TimeToLiveStatus"] not in ("ENABLED", "ENABLING") or ttl["AttributeName"] != each.ttl:
            each.faults.append(f"TTL: it cannot be turned on for {each.ttl}")


def shape(described: dict[str, Any]) -> object:
    types = {item["AttributeName"]: item["AttributeType"] for item in described["AttributeDefinitions"]}
    return [
        (key["AttributeName"], key["KeyType"], types[key["AttributeName"]]) for key in described["KeySchema"]
    ]


def indexes(described: dict[str, Any]) -> object:
    return sorted(
        (
            kind[0],
            index["IndexName"],
            [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]],
            index["Projection"]["ProjectionType"],
            sorted(index["Projection"].get("NonKeyAttributes", [])),
        )
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        for index in described.get(kind) or []
    )


def encryption(described: dict[str, Any]) -> object:
    """The key that encrypts a table. If the table does not describe it, AWS owns the key."""
    found = described.get("SSEDescription") or {}
    return found.get("SSEType"), found.get("KMSMasterKeyArn")


def compare_rows(dynamodb: Any, each: Drill) -> None:
    """Compare the rows of the sample that have not changed since it was read."""
    keys = [{name: row[name] for name in each.keys} for row in each.before.values()]
    now = by_key(tables.read(dynamodb, each.name, keys), each.keys)
    restored = by_key(tables.read(dynamodb, each.side, keys), each.keys)
    stable = [key for key, row in each.before.items() if now.get(key) == row]
    each.compared, each.changed = len(stable), len(each.before) - len(stable)
    wrong = [key for key in stable if restored.get(key) != each.before[key]]
    if wrong:
        missing = sum(key not in restored for key in wrong)
        each.faults.append(
            f"rows: {len(wrong)} of {len(stable)} differ, {missing} of them are missing, such as {wrong[0]}"
        )
    elif each.is_complete and not each.changed:
        rows, is_complete = sample(dynamodb, each.side, len(each.before) + 1)
        again, _ = sample(dynamodb, each.name, len(each.before) + 1)
        if len(again) == len(each.before) and not (is_complete and len(rows) == len(each.before)):
            each.faults.append(f"rows: {len(rows)} or more instead of {len(each.before)}")


def by_key(rows: Iterable[Row], keys: list[str]) -> dict[str, Row]:
    return {repr([row[name] for name in keys]): normal(row) for row in rows}


def normal(row: Row) -> Row:
    """A row whose sets can be compared: DynamoDB returns them in any order."""
    return {
        name: {kind: sorted(value) if kind in ("SS", "NS", "BS") else value}
        for name, attribute in row.items()
        for kind, value in attribute.items()
    }


# ── the report ───────────────────────────────────────────────────────────────────────────────────────


def report(drills: list[Drill]) -> int:
    """Print the table and what to do about differences. Returns the exit status."""
    say(f"{'table':<20} {'restored in':>11} {'rows compared':>13} {'changed since':>13}  result")
    for each in drills:
        rows = f"{each.compared}{'' if each.is_complete else ' (sample)'}"
        result = "differs" if each.faults else "ok" if each.before else "ok, no rows"
        say(f"{each.logical_id:<20} {each.seconds or 0:>9.0f} s {rows:>13} {each.changed:>13}  {result}")
    faults = [f"{each.logical_id} ({each.name}): {fault}" for each in drills for fault in each.faults]
    for fault in faults:
        say(f"FAULT: {fault}")
    if faults:
        say("run the drill again. If it differs again, restoring these tables does not bring back what was")
        say("stored: keep the lines above, and open a case with AWS Support before you need the backup")
        return 1
    say("every table can be restored. Turn on TTL and point-in-time recovery after a real")
    say("restore: see docs/operate/backup.md")
    return 0


def say(text: str) -> None:
    print(f"restore-drill: {text}", flush=True)


if __name__ == "__main__":
    try:
        stacks.run("restore-drill", main)
    except KeyboardInterrupt:
        sys.exit(130)
