"""The rows of flows and runs as typed objects. Times are Unix milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from patchbay.flows.models import FlowRunStatus, FlowStatus, StepRunStatus, StepType
from patchbay.ids import EventId, FlowId, FlowRunId, RunId

# A definition as JSON: `{trigger, steps}`, as in the API.
Definition = dict[str, Any]
Step = dict[str, Any]

OPEN = frozenset({"RUNNING", "WAITING"})


class StepResult(TypedDict):
    """A step that has begun. Keys are as in the API, except `runId`, the run of an action, and those of a
    request that must be sent again: the number of failed `tries`, and the version of the token that the
    provider `refused`.
    """

    id: str
    type: StepType
    status: StepRunStatus
    startedAt: int
    input: NotRequired[Any]
    output: NotRequired[Any]
    error: NotRequired[dict[str, str]]
    endedAt: NotRequired[int]
    runId: NotRequired[str]
    tries: NotRequired[int]
    refused: NotRequired[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFlow:
    """`scopes` are the rights that the steps need, and that `saved_by` had when they saved the definition."""

    workspace_id: str = field(metadata={"attribute": "flowsKey"})
    id: FlowId
    name: str
    description: str
    status: FlowStatus
    status_reason: str | None = None
    definition: Definition
    scopes: Sequence[str]
    created_by: str
    saved_by: str
    created_at: int
    updated_at: int
    version: int = 1

    @property
    def is_active(self) -> bool:
        return self.status == "ACTIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run, with the definition and the rights of its flow as they were when it began.

    `sequence` counts the recorded turns; a message of an earlier turn is obsolete. `turn_at` is when the
    current turn became possible. It is the same for all claims of the turn, and so are the IDs that derive
    from it. `claims` counts the claims since the last record. While the run is open, `due_at` is when the
    sweeper queues it, unless it has moved on. In a list, a run has no definition and no results.
    """

    flow_key: str = field(metadata={"attribute": "flowsKey"})
    id: FlowRunId
    flow_version: int
    event_id: EventId
    event_type: str
    correlation_id: str
    depth: int
    status: FlowRunStatus
    reason: str | None = None
    step: str | None = None
    definition: Definition = field(default_factory=dict)
    scopes: Sequence[str] = ()
    results: Sequence[StepResult] = ()
    sequence: int = 0
    turn_at: int
    claims: int = 0
    lease_until: int | None = None
    resumes_at: int | None = None
    due_shard: int | None = None
    due_at: int | None = None
    started_at: int
    ended_at: int | None = None
    updated_at: int
    version: int = 0
    ttl: int

    @property
    def workspace_id(self) -> str:
        return self.flow_key.partition("#")[0]

    @property
    def flow_id(self) -> FlowId:
        return FlowId(self.flow_key.partition("#")[2])

    @property
    def awaits(self) -> RunId | None:
        """The run of the action that the current step waits for."""
        last = self.results[-1] if self.results else None
        id = last.get("runId") if last is not None and last["status"] == "WAITING" else None
        return None if id is None else RunId(id)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


def flow_key(workspace_id: str, id: FlowId) -> str:
    """The partition of a flow's runs."""
    return f"{workspace_id}#{id}"
