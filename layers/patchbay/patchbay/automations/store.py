"""The automations table.

Key: id. Two kinds of rows:
    run_…                               an action that was asked for, and its answer
    choices#<workspace>#<resource>      what fields take ids of, as the platform gave it
Indexes: `byPlatform` (runsKey `<workspace>#<automation platform>`, id) of the runs; `due` (dueShard, dueAt),
sparse: runs that the sweep has to look at. Runs end by TTL. Times in Unix milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from patchbay import compact_json, idempotency
from patchbay.automations.models import Choice
from patchbay.clock import now_ms
from patchbay.ids import RunId
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.storage.paging import Page
from patchbay.storage.records import from_row, kept_until, to_row

# A row takes 400 KB.
_MAX_CHOICES_BYTES = 300 * 1024


class RunChanged(Exception):
    """The run is no longer as it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run as kept; times in Unix milliseconds. `callback_url` is where the automation waits."""

    id: RunId
    workspace_id: str
    platform: str
    action: str
    input: dict[str, Any]
    status: str
    callback_url: str | None = None
    expires_at: int
    created_at: int
    updated_at: int
    output: dict[str, Any] | None = None
    error: str | None = None
    version: int = 1


def create(run: StoredRun, created_by: str, due_at: int, also: Sequence[dynamo.TransactItem]) -> None:
    """Store a new run, together with what records the answer. The sweep looks at it at `due_at`."""
    row: dynamo.Row = {
        **to_row(run),
        "runsKey": _runs_key(run.workspace_id, run.platform),
        "input": compact_json.dumps(run.input),
        "createdBy": created_by,
        "dueShard": due_index.shard_of(run.id),
        "dueAt": due_at,
        "ttl": kept_until(run.created_at),
    }
    if not also:
        # Without a condition: the id is new, and a put whose answer was lost is sent again by the client.
        dynamo.put(settings().automations_table, row)
        return
    try:
        dynamo.transact([dynamo.put_action(settings().automations_table, row), *also])
    except dynamo.TransactionRefused:
        raise idempotency.still_running() from None


def get(id: RunId) -> StoredRun | None:
    """A run of any workspace."""
    row = dynamo.get(settings().automations_table, {"id": id})
    return None if row is None else _run(row)


def page(
    workspace_id: str, platform: str, *, status: str | None, limit: int, cursor: str | None
) -> Page[StoredRun]:
    """A workspace's runs on one automation platform, newest first."""
    found = dynamo.page(
        settings().automations_table,
        ("runsKey", _runs_key(workspace_id, platform)),
        ("id", *RunId.range(None, None)),
        index="byPlatform",
        limit=limit,
        cursor=cursor,
        where=None if status is None else "#status = :status",
        names=None if status is None else {"#status": "status"},
        **({} if status is None else {"status": status}),
    )
    rows = dynamo.whole(settings().automations_table, found, "id")
    return rows.map(lambda row: _run(row) if status in (None, row["status"]) else None)


def finish(run: StoredRun, also: Sequence[dynamo.TransactItem]) -> None:
    """Store the end of a pending run, and what is `also` to be written. With something of that the sweep
    looks at it again in a minute, unless it is `settled`. Raises RunChanged when it has ended already.
    """
    name = "error" if run.output is None else "output"
    end = run.error if run.output is None else compact_json.dumps(run.output)
    action = dynamo.update_action(
        settings().automations_table,
        {"id": run.id},
        f"SET #status = :status, #{name} = :{name}, updatedAt = :now, version = :next"
        + (", dueAt = :again" if also else " REMOVE dueShard, dueAt"),
        names={"#status": "status", f"#{name}": name},
        condition="#status = :pending AND version = :version",
        status=run.status,
        pending="PENDING",
        now=run.updated_at,
        version=run.version - 1,
        next=run.version,
        **{name: end},
        **({"again": run.updated_at + 60_000} if also else {}),
    )
    try:
        dynamo.transact([action, *also])
    except dynamo.TransactionRefused:
        raise RunChanged from None


# ── the sweep's ──────────────────────────────────────────────────────────────────────────────────────


def due(shard: int, now: int) -> Iterator[RunId]:
    """The runs that are to be looked at by `now`, the longest due first."""
    return (RunId(row["id"]) for row in due_index.rows(settings().automations_table, shard, now))


def put_off(run: StoredRun, until: int) -> None:
    """Look at it again then, as long as it is pending."""
    _look(run, "SET dueAt = :until", until=until)


def settled(run: StoredRun) -> None:
    """There is nothing to be done for it any more."""
    _look(run, "REMOVE dueShard, dueAt")


def _look(run: StoredRun, change: str, **values: Any) -> None:
    try:
        dynamo.update(
            settings().automations_table,
            {"id": run.id},
            change,
            returning="NONE",
            condition="version = :version",
            version=run.version,
            **values,
        )
    except dynamo.ConditionFailed:
        return  # it has changed, and what changed it says when to look at it


# ── lists to choose from ─────────────────────────────────────────────────────────────────────────────


def set_choices(workspace_id: str, resource: str, items: Sequence[Choice]) -> None:
    """Replace what stands there. Raises PayloadTooLarge."""
    pairs = [[item.id, item.label] for item in items]
    compact_json.check_size("items", pairs, _MAX_CHOICES_BYTES)
    text = compact_json.dumps(pairs)
    row = {"id": _choices_id(workspace_id, resource), "items": text, "updatedAt": now_ms()}
    dynamo.put(settings().automations_table, row)


def choices(workspace_id: str, resource: str) -> list[Choice]:
    """As the platform gave them; none when it did not."""
    row = dynamo.get(
        settings().automations_table, {"id": _choices_id(workspace_id, resource)}, consistent=False
    )
    pairs = [] if row is None else json.loads(row["items"])
    # They were checked when they were set, perhaps under an older rule.
    return [Choice.model_construct(id=id, label=label) for id, label in pairs]


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _run(row: dynamo.Row) -> StoredRun:
    texts: dict[str, Any] = {
        name: compact_json.loads(row[name]) for name in ("input", "output") if name in row
    }
    return from_row(StoredRun, {**row, **texts})


def _runs_key(workspace_id: str, platform: str) -> str:
    return f"{workspace_id}#{platform}"


def _choices_id(workspace_id: str, resource: str) -> str:
    return f"choices#{workspace_id}#{resource}"
