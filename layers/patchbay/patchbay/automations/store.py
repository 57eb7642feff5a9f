"""The automations table.

Key: id. Two kinds of rows:
    run_…                               a run of an action, with the platform's answer
    choices#<workspace>#<resource>      a list of choices, as the platform set it
Indexes: `byPlatform` (runsKey `<workspace>#<automation platform>`, id), the runs; `due` (dueShard, dueAt),
sparse: runs that the sweep has to process. Runs expire by TTL. Times are Unix milliseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pydantic import JsonValue

from patchbay import compact_json, idempotency
from patchbay.automations.models import Choice
from patchbay.clock import now_ms
from patchbay.ids import EventId, RunId
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.storage.merged import merge
from patchbay.storage.paging import Page
from patchbay.storage.records import from_row, retention_ttl, to_row

# A row has at most 400 KB.
_MAX_CHOICES_BYTES = 300 * 1024


class RunChanged(Exception):
    """The run is no longer at the version that was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run's row. Times are Unix milliseconds; the automation waits at `callback_url`. A flow waits for
    `resume`, a message of the flows queue; its event has this `depth`, and is what the run was `caused_by`.
    """

    id: RunId
    workspace_id: str
    platform: str
    action: str
    input: dict[str, JsonValue]
    status: str
    callback_url: str | None = None
    created_by: str
    expires_at: int
    created_at: int
    updated_at: int
    output: dict[str, JsonValue] | None = None
    error: dict[str, str] | None = None
    resume: str | None = None
    depth: int = 0
    caused_by: EventId | None = None
    version: int = 1

    @property
    def is_awaited(self) -> bool:
        """Whether something must be notified when the run ends."""
        return self.callback_url is not None or self.resume is not None


def create(run: StoredRun, due_at: int, extra_actions: Sequence[dynamo.TransactItem]) -> None:
    """Store a new run; `extra_actions` join the transaction. The sweep processes the run at `due_at`."""
    row = _new_row(run, due_at)
    if not extra_actions:
        # No condition: the ID is new, and the client repeats a put whose response was lost.
        dynamo.put(settings().automations_table, row)
        return
    try:
        dynamo.transact([dynamo.put_action(settings().automations_table, row), *extra_actions])
    except dynamo.TransactionCanceled:
        raise idempotency.request_in_progress() from None


def create_once(run: StoredRun, due_at: int) -> bool:
    """Store a new run whose ID derives from what it is for. Returns False if it is stored already."""
    try:
        dynamo.put(settings().automations_table, _new_row(run, due_at), condition="attribute_not_exists(id)")
    except dynamo.ConditionFailed:
        return False
    return True


def _new_row(run: StoredRun, due_at: int) -> dynamo.Row:
    return {
        **to_row(run),
        "runsKey": _runs_key(run.workspace_id, run.platform),
        "input": compact_json.dumps(run.input),
        "dueShard": due_index.shard_of(run.id),
        "dueAt": due_at,
        "ttl": retention_ttl(run.created_at),
    }


def get(id: RunId) -> StoredRun | None:
    """A run of any workspace, or None."""
    row = dynamo.get(settings().automations_table, {"id": id})
    return None if row is None else _from_row(row)


def page(
    workspace_id: str,
    platforms: Iterable[str],
    between: tuple[RunId, RunId],
    *,
    status: str | None,
    limit: int,
    cursor: str | None,
) -> Page[StoredRun]:
    """A workspace's runs on these automation platforms, newest first."""
    pages = [
        dynamo.page(
            dynamo.PageQuery(
                settings().automations_table,
                partition=("runsKey", _runs_key(workspace_id, platform)),
                sort_range=("id", *between),
                index="byPlatform",
                limit=limit,
                cursor=cursor,
                filter=None if status is None else "#status = :status",
                names={} if status is None else {"#status": "status"},
                values={} if status is None else {"status": status},
            )
        )
        for platform in platforms
    ]
    merged = merge(pages, "id", limit)
    rows = dynamo.full_rows(settings().automations_table, merged, ("id",), consistent=False)
    return rows.map(lambda row: _from_row(row) if status in (None, row["status"]) else None)


def finish(run: StoredRun, extra_actions: Sequence[dynamo.TransactItem]) -> None:
    """Store the end of a pending run. `extra_actions` join the transaction; if something waits for the run,
    the sweep processes it again in a minute, unless `clear_due` is called first. Raises RunChanged when the
    run has already ended.
    """
    name = "error" if run.output is None else "output"
    end = run.error if run.output is None else compact_json.dumps(run.output)
    action = dynamo.update_action(
        settings().automations_table,
        {"id": run.id},
        f"SET #status = :status, #{name} = :{name}, updatedAt = :now, version = :next"
        + (", dueAt = :again" if run.is_awaited else " REMOVE dueShard, dueAt"),
        names={"#status": "status", f"#{name}": name},
        condition="#status = :pending AND version = :version",
        status=run.status,
        pending="PENDING",
        now=run.updated_at,
        version=run.version - 1,
        next=run.version,
        **{name: end},
        **({"again": run.updated_at + 60_000} if run.is_awaited else {}),
    )
    try:
        dynamo.transact([action, *extra_actions])
    except dynamo.TransactionCanceled:
        raise RunChanged from None


def erase_content(id: RunId, workspace_id: str) -> None:
    """Remove the input and the output of a workspace's run, if it is stored."""
    with suppress(dynamo.ConditionFailed):
        dynamo.update(
            settings().automations_table,
            {"id": id},
            "SET #input = :empty ADD version :one REMOVE #output",
            condition="workspaceId = :workspace",
            names={"#input": "input", "#output": "output"},
            returning="NONE",
            empty="{}",
            one=1,
            workspace=workspace_id,
        )


def workspace_keys(
    workspace_id: str, platforms: Iterable[str], resources: Iterable[str]
) -> Iterator[dynamo.Row]:
    """The keys of all rows of a workspace: its runs on these platforms, and the choices of these resources.
    Eventually consistent.
    """
    for platform in platforms:
        yield from dynamo.query(
            settings().automations_table,
            "runsKey = :runs",
            index="byPlatform",
            attributes=("id",),
            runs=_runs_key(workspace_id, platform),
        )
    yield from ({"id": _choices_id(workspace_id, resource)} for resource in resources)


# ── for the sweep ────────────────────────────────────────────────────────────────────────────────────


def due(shard: int, now: int) -> Iterator[RunId]:
    """The runs that are due at `now`, the longest due first."""
    return (RunId(row["id"]) for row in due_index.due_keys(settings().automations_table, shard, now))


def set_due(run: StoredRun, due_at: int) -> None:
    """Process the run again at `due_at`, unless it has changed."""
    _update(run, "SET dueAt = :due", due=due_at)


def clear_due(run: StoredRun) -> None:
    """Remove the run from the index `due`, unless it has changed."""
    _update(run, "REMOVE dueShard, dueAt")


def _update(run: StoredRun, change: str, **values: int) -> None:
    try:
        dynamo.update(
            settings().automations_table,
            {"id": run.id},
            change,
            returning="NONE",
            condition="version = :version",
            names=None,
            version=run.version,
            **values,
        )
    except dynamo.ConditionFailed:
        return  # the concurrent change has set `dueAt`


# ── lists of choices ─────────────────────────────────────────────────────────────────────────────────


def set_choices(workspace_id: str, resource: str, items: Sequence[Choice]) -> None:
    """Replace a list of choices. Raises PayloadTooLarge."""
    pairs = [[item.id, item.label] for item in items]
    compact_json.check_size("items", pairs, _MAX_CHOICES_BYTES)
    text = compact_json.dumps(pairs)
    row = {"id": _choices_id(workspace_id, resource), "items": text, "updatedAt": now_ms()}
    dynamo.put(settings().automations_table, row)


def choices(workspace_id: str, resource: str) -> list[Choice]:
    """The choices that the platform set; an empty list if it has set none."""
    row = dynamo.get(
        settings().automations_table, {"id": _choices_id(workspace_id, resource)}, consistent=False
    )
    pairs = [] if row is None else json.loads(row["items"])
    # They were validated when they were set, perhaps under older rules.
    return [Choice.model_construct(id=id, label=label) for id, label in pairs]


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _from_row(row: dynamo.Row) -> StoredRun:
    parsed = {name: compact_json.loads(row[name]) for name in ("input", "output") if name in row}
    return from_row(StoredRun, row | parsed)


def _runs_key(workspace_id: str, platform: str) -> str:
    return f"{workspace_id}#{platform}"


def _choices_id(workspace_id: str, resource: str) -> str:
    return f"choices#{workspace_id}#{resource}"
