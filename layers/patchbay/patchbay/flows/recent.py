"""The results of the latest runs of flows, for lists of flows.

A run writes nothing to the row of its flow. Instead, a list reads the latest runs if it is asked to, with one
query for each flow.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from patchbay.api_model import Listing
from patchbay.auth.principal import Principal
from patchbay.flows import runs, service, store
from patchbay.flows.models import Flow, FlowQuery, FlowRun, RecentRuns
from patchbay.flows.stored import flow_key
from patchbay.ids import FlowId, FlowRunId

# How many of a flow's runs count as the latest.
LATEST = 10
_THREADS = 8


def list_flows(principal: Principal, query: FlowQuery) -> Listing[Flow]:
    """The workspace's flows, newest first, with their `recentRuns` if the query includes them."""
    workspace_id = principal.workspace_id
    page = service.page_flows(workspace_id, query.status, query.limit, query.cursor)
    if query.include is None:
        return Listing.from_page(page)
    latest = latest_runs(workspace_id, page.items)
    return Listing.from_page(page.map(lambda flow: _with_recent_runs(flow, latest[flow.id])))


def latest_runs(workspace_id: str, flows: Sequence[Flow]) -> dict[FlowId, list[FlowRun]]:
    """The latest runs of each flow, at most ten, newest event first."""

    def read(flow: Flow) -> list[FlowRun]:
        page = store.page_of_runs(
            flow_key(workspace_id, flow.id),
            FlowRunId.range(None, None),
            status=None,
            limit=LATEST,
            cursor=None,
        )
        return page.map(runs.to_api).items

    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(read, flows))
    return {flow.id: its_runs for flow, its_runs in zip(flows, found, strict=True)}


def _with_recent_runs(flow: Flow, latest: Sequence[FlowRun]) -> Flow:
    recent = RecentRuns(
        count=len(latest),
        failed=sum(run.status == "FAILED" for run in latest),
        last=latest[0] if latest else None,
    )
    return flow.model_copy(update={"recent_runs": recent})
