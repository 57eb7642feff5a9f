"""The flows table.

Key: flowsKey, id. Three kinds of rows:
    <workspace>, flw_…              a flow
    <workspace>, gone#<flw_…>       a flow that was deleted, for as long as a run of it may be stored (TTL)
    <workspace>#<flw_…>, frn_…      a run; expires by TTL
Index: `due` (dueShard, dueAt), sparse: runs that have not ended.

A flow's subscriptions are rows of the webhooks table, which every fan-out reads anyway. They change in the
transaction that changes the flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace as with_changes

from patchbay import compact_json, erasure_mark, idempotency
from patchbay.clock import now_ms
from patchbay.errors import Conflict
from patchbay.flows.models import FlowRunStatus, FlowStatus
from patchbay.flows.stored import StoredFlow, StoredRun, flow_key
from patchbay.ids import FlowId, FlowRunId
from patchbay.settings import settings
from patchbay.storage import due_index, dynamo
from patchbay.storage.paging import Page
from patchbay.storage.records import from_row, retention_ttl, to_row
from patchbay.webhooks import store as subscriptions
from patchbay.webhooks.models import FlowSubscription

MAX_FLOWS = 100
_JSON = ("definition", "results")
# The attributes that a list of runs shows.
_LISTED = (
    *("flowsKey", "id", "flowVersion", "eventId", "eventType", "correlationId", "depth", "status", "reason"),
    *("step", "sequence", "turnAt", "resumesAt", "startedAt", "endedAt", "updatedAt", "version", "ttl"),
)


class FlowChanged(Exception):
    """The row is no longer at the version that was read."""


class RunChanged(Exception):
    """The row has changed since it was read. `run` is the stored run, or None."""

    def __init__(self, run: StoredRun | None) -> None:
        super().__init__()
        self.run = run


# ── flows ────────────────────────────────────────────────────────────────────────────────────────────


def create(flow: StoredFlow, extra_actions: Sequence[dynamo.TransactItem]) -> None:
    """Store a new flow; `extra_actions` join the transaction. Raises Conflict at the workspace's ceiling."""
    subscribe = subscriptions.flow_actions(
        flow.workspace_id, flow.id, None, _subscription(flow), added=1, most=MAX_FLOWS
    )
    put = dynamo.put_action(settings().flows_table, _to_row(flow), condition="attribute_not_exists(id)")
    try:
        dynamo.transact([*subscribe, put, *extra_actions])
    except dynamo.TransactionCanceled as refused:
        if 0 in refused.failed:
            raise _ceiling_reached() from None
        raise idempotency.request_in_progress() from None


def get(workspace_id: str, id: FlowId) -> StoredFlow | None:
    return flow_from_row(dynamo.get(*table_key(workspace_id, id)))


def table_key(workspace_id: str, id: FlowId) -> tuple[str, dynamo.Row]:
    """The table key of a flow."""
    return settings().flows_table, {"flowsKey": workspace_id, "id": id}


def flow_from_row(row: dynamo.Row | None) -> StoredFlow | None:
    return None if row is None else from_row(StoredFlow, _parsed(row))


def page(workspace_id: str, *, status: FlowStatus | None, limit: int, cursor: str | None) -> Page[StoredFlow]:
    """Flows, newest first."""
    query = _query(workspace_id, FlowId.range(None, None), status, limit, cursor)
    return dynamo.page(query).map(flow_from_row)


def replace(old: StoredFlow, new: StoredFlow) -> None:
    """Store `new` over `old` with its subscriptions. Raises FlowChanged, and Conflict when the filters exceed
    the workspace's limit.
    """
    put = dynamo.put_action(
        settings().flows_table, _to_row(new), condition="version = :version", version=old.version
    )
    subscribe = subscriptions.flow_actions(
        new.workspace_id, new.id, _subscription(old), _subscription(new), added=0, most=MAX_FLOWS
    )
    try:
        dynamo.transact([put, *subscribe])
    except dynamo.TransactionCanceled as refused:
        if 0 in refused.failed:
            raise FlowChanged from None
        raise _ceiling_reached() from None


def delete(flow: StoredFlow) -> None:
    """Remove a flow with its subscriptions. Its runs stay until they expire. Raises FlowChanged."""
    table, key = table_key(flow.workspace_id, flow.id)
    actions = [
        dynamo.delete_action(table, key, condition="version = :version", version=flow.version),
        dynamo.put_action(
            table,
            {
                "flowsKey": flow.workspace_id,
                "id": f"gone#{flow.id}",
                "ttl": retention_ttl(now_ms()) + erasure_mark.KEPT_SECONDS,
            },
        ),
        *subscriptions.flow_actions(
            flow.workspace_id, flow.id, _subscription(flow), None, added=-1, most=MAX_FLOWS
        ),
    ]
    try:
        dynamo.transact(actions)
    except dynamo.TransactionCanceled:
        raise FlowChanged from None


def ids_with_gone(workspace_id: str) -> Iterator[FlowId]:
    """The IDs of a workspace's flows, including deleted ones."""
    for row in dynamo.query(
        settings().flows_table, "flowsKey = :workspace", attributes=("id",), workspace=workspace_id
    ):
        yield FlowId(str(row["id"]).removeprefix("gone#"))


def keys_of_runs(workspace_id: str) -> Iterator[dynamo.Row]:
    """The keys of all runs of a workspace, including those of deleted flows."""
    for id in ids_with_gone(workspace_id):
        yield from _keys(flow_key(workspace_id, id))


def workspace_keys(workspace_id: str) -> Iterator[dynamo.Row]:
    """The keys of all rows of a workspace: runs first, because they are found through their flows."""
    yield from keys_of_runs(workspace_id)
    yield from _keys(workspace_id)


def _keys(partition: str) -> Iterator[dynamo.Row]:
    return dynamo.query(
        settings().flows_table,
        "flowsKey = :partition",
        attributes=("flowsKey", "id"),
        partition=partition,
    )


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────


def get_run(key: str, id: FlowRunId) -> StoredRun | None:
    return run_from_row(dynamo.get(*run_table_key(key, id)))


def run_table_key(key: str, id: FlowRunId) -> tuple[str, dynamo.Row]:
    """The table key of a run of the flow with this `flow_key`."""
    return settings().flows_table, {"flowsKey": key, "id": id}


def run_from_row(row: dynamo.Row | None) -> StoredRun | None:
    return None if row is None else from_row(StoredRun, _parsed(row))


def page_of_runs(
    key: str,
    between: tuple[FlowRunId, FlowRunId],
    *,
    status: FlowRunStatus | None,
    limit: int,
    cursor: str | None,
    with_steps: bool = False,
) -> Page[StoredRun]:
    """The runs of a flow, newest event first; `with_steps` adds their definitions and results."""
    query = _query(key, between, status, limit, cursor)
    return dynamo.page(query if with_steps else with_changes(query, attributes=_LISTED)).map(run_from_row)


def write_run(before: StoredRun | None, after: StoredRun) -> None:
    """Store the next state of a run. Raises RunChanged with the stored run if that is not `before`."""
    try:
        if before is None:
            dynamo.put(settings().flows_table, _to_row(after), condition="attribute_not_exists(id)")
        else:
            dynamo.put(
                settings().flows_table,
                _to_row(after),
                condition="version = :version",
                version=before.version,
            )
    except dynamo.ConditionFailed as error:
        raise RunChanged(run_from_row(error.row)) from None


def due(shard: int, now: int) -> Iterator[tuple[str, FlowRunId]]:
    """The runs (flow_key, id) that are due at `now`, the longest due first."""
    for row in due_index.due_keys(settings().flows_table, shard, now):
        yield row["flowsKey"], FlowRunId(row["id"])


def claim_due(key: str, id: FlowRunId, now: int, again_at: int) -> StoredRun | None:
    """Claim a due run for the sweeper, and return it; None if it is no longer due. It is due again at
    `again_at`.
    """
    try:
        row = dynamo.update(
            settings().flows_table,
            {"flowsKey": key, "id": id},
            "SET dueAt = :again",
            condition="dueAt <= :now",
            again=again_at,
            now=now,
        )
    except dynamo.ConditionFailed:
        return None
    return run_from_row(row)


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _to_row(record: StoredFlow | StoredRun) -> dynamo.Row:
    row = to_row(record)
    return row | {name: compact_json.dumps(row[name]) for name in _JSON if name in row}


def _parsed(row: dynamo.Row) -> dynamo.Row:
    return row | {name: compact_json.loads(row[name]) for name in _JSON if name in row}


def _query(
    partition: str,
    between: tuple[FlowId, FlowId] | tuple[FlowRunId, FlowRunId],
    status: str | None,
    limit: int,
    cursor: str | None,
) -> dynamo.PageQuery:
    return dynamo.PageQuery(
        settings().flows_table,
        partition=("flowsKey", partition),
        sort_range=("id", *between),
        limit=limit,
        cursor=cursor,
        filter=None if status is None else "#status = :status",
        names={} if status is None else {"#status": "status"},
        values={} if status is None else {"status": status},
    )


def _subscription(flow: StoredFlow) -> FlowSubscription | None:
    trigger = flow.definition["trigger"]
    return FlowSubscription(trigger["eventTypes"], trigger["filters"]) if flow.is_active else None


def _ceiling_reached() -> Conflict:
    return Conflict(
        f"A workspace can have at most {MAX_FLOWS} flows, and at most 256 KB of filters (as JSON) in all "
        "its flows and webhooks. Delete a flow, or shorten filters."
    )
