"""Reads the runs of flows."""

from __future__ import annotations

from patchbay.api_model import Listing
from patchbay.auth.principal import Principal
from patchbay.clock import from_ms
from patchbay.errors import NotFound
from patchbay.flows import service, store
from patchbay.flows.models import (
    FlowDefinition,
    FlowRun,
    FlowRunDetail,
    FlowRunQuery,
    StepError,
    StepRun,
)
from patchbay.flows.stored import StepResult, StoredRun, flow_key
from patchbay.ids import FlowId, FlowRunId


def list_runs(principal: Principal, id: FlowId, query: FlowRunQuery) -> Listing[FlowRun]:
    """The runs of a flow, newest event first. Raises NotFound."""
    service.get_stored(principal.workspace_id, id)
    page = store.page_of_runs(
        flow_key(principal.workspace_id, id),
        FlowRunId.range(query.since, query.until),
        status=query.status,
        limit=query.limit,
        cursor=query.cursor,
    )
    return Listing.from_page(page.map(to_api))


def list_with_steps(
    principal: Principal, id: FlowId, limit: int, cursor: str | None
) -> Listing[FlowRunDetail]:
    """The runs of a flow with their steps, newest event first, even if the flow was deleted."""
    key, between = flow_key(principal.workspace_id, id), FlowRunId.range(None, None)
    page = store.page_of_runs(key, between, status=None, limit=limit, cursor=cursor, with_steps=True)
    return Listing.from_page(page.map(_with_steps))


def get(principal: Principal, id: FlowId, run_id: FlowRunId) -> FlowRunDetail:
    """A run with its steps, even if its flow was deleted. Raises NotFound."""
    run = store.get_run(flow_key(principal.workspace_id, id), run_id)
    if run is None:
        raise NotFound("No run of this flow with this ID.")
    return _with_steps(run)


def _with_steps(run: StoredRun) -> FlowRunDetail:
    return FlowRunDetail(
        **dict(to_api(run)),
        definition=FlowDefinition.model_validate(run.definition, strict=False),
        steps=[_step(result) for result in run.results],
    )


def to_api(run: StoredRun) -> FlowRun:
    return FlowRun(
        id=run.id,
        flow_id=run.flow_id,
        flow_version=run.flow_version,
        event_id=run.event_id,
        event_type=run.event_type,
        status=run.status,
        status_reason=run.reason,
        step=run.step,
        depth=run.depth,
        resumes_at=None if run.resumes_at is None else from_ms(run.resumes_at),
        started_at=from_ms(run.started_at),
        ended_at=None if run.ended_at is None else from_ms(run.ended_at),
        updated_at=from_ms(run.updated_at),
        version=run.version,
    )


def _step(result: StepResult) -> StepRun:
    error = result.get("error")
    return StepRun(
        id=result["id"],
        type=result["type"],
        status=result["status"],
        input=result.get("input"),
        output=result.get("output"),
        error=None if error is None else StepError(**error),
        started_at=from_ms(result["startedAt"]),
        ended_at=from_ms(result["endedAt"]) if "endedAt" in result else None,
    )
