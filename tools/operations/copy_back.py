"""Copies lost rows back from a restored table: `make copy-back STACK= TABLE=WebhooksTable`.

    COPY            the restored table; by default `<table>-restored`
    WORKSPACE, KEYS select rows: those of a workspace, and those whose lines are in a file
    WRITE=1         copies them; without it, they are only listed

The list goes to standard output: one line with the key of each row that the running table lacks, and nothing
else of the row. Expired rows (TTL) are left out. A condition on each write prevents overwriting an existing
row, so the command can be repeated, and the stack keeps running.

After webhooks, it also corrects the workspace's row `count`: the number of webhooks, and the version of the
subscriptions, so that processes read them again.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from local.settings import Problem
from tools.operations import stack as stacks
from tools.operations import tables
from tools.operations.backup_check import kept_tables
from tools.operations.stack import Stack
from tools.operations.tables import Row

SUFFIX = "-restored"
_BATCH = 100  # rows that are compared together
_WEBHOOKS = "WebhooksTable"
# Processes may have cached the next versions of a workspace's subscriptions before the fault.
_STEP = 1000
# Partitions that begin with one of these and a `#` belong to the workspace that follows.
_KINDS = {"count", "choices", "announced"}


def main() -> int:
    return copy_back(
        stacks.find(stacks.setting("STACK")),
        stacks.setting("TABLE"),
        stacks.setting("COPY"),
        workspace=stacks.setting("WORKSPACE"),
        wanted=read_keys(stacks.setting("KEYS")),
        write=read_switch(stacks.setting("WRITE")),
    )


def read_keys(file: str) -> set[str] | None:
    """The lines of a file; None without a file. Raises Problem."""
    if not file:
        return None
    try:
        lines = {line.strip() for line in Path(file).read_text().splitlines()} - {""}
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"cannot read KEYS={file}: {error}") from None
    if not lines:
        raise Problem(f"KEYS={file} has no lines: save the list without WRITE=1 first")
    return lines


def read_switch(text: str) -> bool:
    """Whether to write. Raises Problem."""
    if text not in ("", "0", "1"):
        raise Problem("WRITE must be 1, or left out to list the rows")
    return text == "1"


def copy_back(
    stack: Stack,
    logical_id: str,
    copy: str = "",
    *,
    workspace: str = "",
    wanted: set[str] | None = None,
    write: bool = False,
) -> int:
    """List the missing rows, or copy them. Returns the exit status. Raises Problem."""
    declared = kept_tables(stack)
    if logical_id not in declared:
        raise Problem(f"set the table: TABLE= one of {', '.join(sorted(declared))}")
    if write and not workspace and wanted is None:
        raise Problem("list the rows first, and set WORKSPACE=, or KEYS= to a file with the list")
    dynamodb, table = stack.client("dynamodb"), stack.id(logical_id)
    copy = copy or table + SUFFIX
    keys = key_names(dynamodb, table, copy)
    counts: Counter[str] = Counter()
    left = set(wanted or ())
    say(f"stack {stack.name}: rows of {copy} that {table} lacks")
    try:
        for row in missing(dynamodb, table, copy, keys, workspace, wanted):
            line = line_of(row, keys)
            left.discard(line)
            if write and not put(dynamodb, table, row, keys[0]):
                say(f"exists by now: {line}")
                continue
            counts[owner(row, keys[0])] += 1
            print(line, flush=True)
    finally:
        if write and logical_id == _WEBHOOKS:
            # Includes workspaces of an earlier run that copied rows and may have been killed before this.
            named = {workspace, *(line.partition(" ")[0] for line in wanted or ())} - {""}
            for name in sorted(counts.keys() | named):
                recount(dynamodb, table, name)
    for name, count in counts.items():
        say(f"{name}: {count} rows {'copied back' if write else 'are missing'}")
    if not counts:
        say("no row was copied" if write else "no row is missing")
    if left:
        say(f"{len(left)} lines of KEYS are not among the missing rows, such as: {min(left)}")
    if counts and not write:
        say("nothing was written. Save this list, delete the lines that must not come back, and repeat the")
        say("command with KEYS=<the file> WRITE=1")
    return 0


def key_names(dynamodb: Any, table: str, copy: str) -> list[str]:
    """The names of the partition key and the sort key. Raises Problem unless `copy` is a copy of `table`."""
    for name in (table, copy):
        status = tables.status(dynamodb, name)
        if status is None:
            raise Problem(
                f"there is no table {name} in this account and region: restore it first, or set COPY="
            )
        if name == copy and status != "ACTIVE":
            raise Problem(f"{copy} is {status}: wait until it is restored")
    ours, theirs = (dynamodb.describe_table(TableName=name)["Table"] for name in (table, copy))
    source = theirs.get("RestoreSummary", {}).get("SourceTableArn", "").rpartition("/")[2]
    if copy == table or source not in ("", table) or ours["KeySchema"] != theirs["KeySchema"]:
        raise Problem(f"{copy} is not a copy of {table}{f', but of {source}' if source else ''}")
    schema = sorted(ours["KeySchema"], key=lambda part: str(part["KeyType"]))  # HASH, RANGE
    return [part["AttributeName"] for part in schema]


def missing(
    dynamodb: Any, table: str, copy: str, keys: list[str], workspace: str, wanted: set[str] | None
) -> Iterator[Row]:
    """The selected rows of the copy that the table lacks, except expired ones."""
    now = time.time()
    rows = (
        row
        for page in dynamodb.get_paginator("scan").paginate(TableName=copy)
        for row in page["Items"]
        if (not workspace or owner(row, keys[0]) == workspace)
        and (wanted is None or line_of(row, keys) in wanted)
        and float(row.get("ttl", {}).get("N", now)) >= now
    )
    while batch := list(islice(rows, _BATCH)):
        wanted_keys = [{name: row[name] for name in keys} for row in batch]
        existing = {line_of(row, keys) for row in tables.read(dynamodb, table, wanted_keys)}
        yield from (row for row in batch if line_of(row, keys) not in existing)


def line_of(row: Row, keys: list[str]) -> str:
    """A row's key, as the list has it."""
    return " ".join(str(value) for name in keys for value in row[name].values())


def owner(row: Row, partition: str) -> str:
    """The workspace of a row, or its partition if it belongs to none. A workspace's ID has no `#`."""
    if "runsKey" in row:
        return str(row["runsKey"]["S"]).partition("#")[0]
    text = str(row["workspaceId" if "workspaceId" in row else partition]["S"])
    first, _, rest = text.partition("#")
    if rest and partition in ("id", "workspaceId"):
        return rest.partition("#")[0] if first in _KINDS else text
    return first


def put(dynamodb: Any, table: str, row: Row, partition: str) -> bool:
    """Write a row. Returns False if it already exists."""
    try:
        dynamodb.put_item(
            TableName=table,
            Item=row,
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": partition},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


def recount(dynamodb: Any, table: str, workspace: str) -> None:
    """Set a workspace's number of webhooks, and make publishers read its subscriptions again."""
    key = {"workspaceId": {"S": workspace}, "sk": {"S": "count"}}
    while True:
        state = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
        pages = dynamodb.get_paginator("query").paginate(
            TableName=table,
            ConsistentRead=True,
            Select="COUNT",
            KeyConditionExpression="workspaceId = :workspace AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":workspace": {"S": workspace}, ":prefix": {"S": "whk_"}},
        )
        webhooks = sum(page["Count"] for page in pages)
        if not state and not webhooks:
            return
        try:
            dynamodb.update_item(
                TableName=table,
                Key=key,
                UpdateExpression="SET webhooks = :webhooks ADD subscriptions :step REMOVE #ttl",
                ConditionExpression="attribute_not_exists(subscriptions) OR subscriptions = :seen",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":webhooks": {"N": str(webhooks)},
                    ":step": {"N": str(_STEP)},
                    ":seen": (state or {}).get("subscriptions", {"N": "0"}),
                },
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            continue  # a webhook was changed in between
        say(f"{workspace} has {webhooks} webhooks")
        return


def say(text: str) -> None:
    print(f"copy-back: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        stacks.run("copy-back", main)
    except KeyboardInterrupt:
        sys.exit(130)
