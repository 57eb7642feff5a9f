"""The API models of flows and their runs. docs/reference/flow-definition.md has a full example."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from patchbay import catalogue, suggestions
from patchbay.api_model import (
    ApiModel,
    JsonObject,
    ListQuery,
    Name,
    PeriodQuery,
    PlainText,
    Timestamp,
    check_name,
)
from patchbay.catalogue import flow_templates
from patchbay.catalogue.flow_templates import FlowTemplateChoice
from patchbay.event_filters import Filters
from patchbay.events.models import EventType, KnownEventType
from patchbay.field_errors import pattern
from patchbay.flows import requests, values
from patchbay.ids import ConnectionRef, EventId, FlowId, FlowRunId, IntegrationId, WebhookId
from patchbay.oauth.models import DEFAULT_NAME
from patchbay.updates import VOLATILE, ReadOnly, Update
from patchbay.webhooks.models import BoundedFilters, EventTypes

RequestMethod = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
MAX_STEPS = 20
MAX_NESTING = 3
MAX_WAIT_SECONDS = 30 * 86_400
# Each run has a copy of the definition.
MAX_STEPS_BYTES = 64 * 1024

# ── steps ────────────────────────────────────────────────────────────────────────────────────────────

StepId = Annotated[
    str,
    StringConstraints(
        pattern=pattern(
            r"^[a-z][a-z0-9_]{0,31}$", "1 to 32 lowercase letters, digits and _, beginning with a letter"
        )
    ),
    Field(description="The step's name in `{{steps.<id>.output…}}` and in runs; unique in the flow."),
]


def _check_action(key: object) -> object:
    if isinstance(key, str) and key not in catalogue.ACTIONS:
        raise ValueError(suggestions.one_of(key, catalogue.ACTIONS, "an action"))
    return key


Conditions = Annotated[BoundedFilters, Field(min_length=1)]


class _Step(ApiModel):
    id: StepId
    name: Name | None = None


class FlowWebhookStep(_Step):
    """Sends a message to a push webhook, signed and retried like every delivery. The receiver gets a
    `FLOW_SENT` event with `data`, or with the data of the flow's event. `output`: `{eventId, deliveryId}`.
    The flow does not wait for the receiver.
    """

    type: Literal["webhook"]
    webhook_id: WebhookId
    data: JsonObject | None = None


class FlowActionStep(_Step):
    """Starts a run of an action and waits until it is completed. `output` is its result."""

    type: Literal["action"]
    action: Annotated[str, BeforeValidator(_check_action)]
    input: JsonObject = Field(default_factory=dict)


class FlowRequestStep(_Step):
    """Sends a request to a provider's API with a connection's token. `connectionId` is the connection's name
    or its ID. `url` is a path of that API, or a full URL at one of its hosts. `{{…}}` in a path becomes one
    segment or part of one. A `body` is sent as JSON; a string is sent as text. `output`: `{status, body,
    isTruncated}`.
    """

    type: Literal["request"]
    integration_id: IntegrationId
    connection_id: Annotated[
        str, StringConstraints(pattern=pattern(ConnectionRef.PATTERN, ConnectionRef.MEANING))
    ] = DEFAULT_NAME
    method: RequestMethod
    url: Annotated[str, AfterValidator(requests.check_url)]
    query: Annotated[dict[str, JsonValue], Field(max_length=50)] = Field(default_factory=dict)
    headers: Annotated[dict[str, str], AfterValidator(requests.check_headers)] = Field(default_factory=dict)
    body: JsonValue = None

    @model_validator(mode="after")
    def _has_body(self) -> Self:
        if self.body is not None and self.method == "GET":
            raise ValueError("a GET request cannot have a body; remove it, or choose another method")
        return self


class FlowWaitStep(_Step):
    """Waits."""

    type: Literal["wait"]
    seconds: Annotated[int, Field(ge=1, le=MAX_WAIT_SECONDS)]


class FlowFilterStep(_Step):
    """Ends the run as STOPPED unless all filters match. Paths start with `event.` or `steps.<id>.output.`,
    such as `event.data.network`.
    """

    type: Literal["filter"]
    filters: Conditions


class FlowBranchStep(_Step):
    """Continues with `then` if all filters of `condition` match, otherwise with `else`, and then with the
    steps after the branch. Paths are as in a filter step. `output`: `{matched}`.
    """

    type: Literal["branch"]
    condition: Conditions
    then: Annotated[list[FlowStep], Field(min_length=1, max_length=MAX_STEPS)]
    otherwise: Annotated[list[FlowStep], Field(alias="else", max_length=MAX_STEPS)] = Field(
        default_factory=list
    )


FlowStep = Annotated[
    FlowWebhookStep | FlowActionStep | FlowRequestStep | FlowWaitStep | FlowFilterStep | FlowBranchStep,
    Field(discriminator="type"),
]


def all_steps(steps: Sequence[FlowStep]) -> Iterator[FlowStep]:
    """Every step, including those inside branches, in order."""
    for step in steps:
        yield step
        if isinstance(step, FlowBranchStep):
            yield from all_steps(step.then)
            yield from all_steps(step.otherwise)


def conditions(step: FlowStep) -> Filters:
    """The filters of a step."""
    if isinstance(step, FlowFilterStep):
        return step.filters
    return step.condition if isinstance(step, FlowBranchStep) else []


def templates(step: FlowStep) -> list[JsonValue]:
    """The parts of a step in which `{{…}}` is filled in."""
    if isinstance(step, FlowWebhookStep):
        return [step.data]
    if isinstance(step, FlowActionStep):
        return [step.input]
    if isinstance(step, FlowRequestStep):
        return [step.url, step.query, dict(step.headers), step.body]
    return []


def _check_steps(steps: list[FlowStep]) -> list[FlowStep]:
    """Raises ValueError for too many steps or branches, repeated IDs, values from steps that do not come
    earlier, and steps that are too large.
    """
    ids = [step.id for step in all_steps(steps)]
    if len(ids) > MAX_STEPS:
        raise ValueError(f"a flow can have at most {MAX_STEPS} steps in total; this one has {len(ids)}")
    repeated = next((id for id in ids if ids.count(id) > 1), None)
    if repeated is not None:
        raise ValueError(f"step IDs must be unique in the flow; {repeated} is used twice")
    _check_sequence(steps, frozenset(), 0)
    if sum(len(step.model_dump_json(by_alias=True).encode()) for step in steps) > MAX_STEPS_BYTES:
        raise ValueError(f"all steps together can have at most {MAX_STEPS_BYTES} bytes as JSON")
    return steps


def _check_sequence(steps: list[FlowStep], before: frozenset[str], nesting: int) -> frozenset[str]:
    """Check steps that follow the steps `before`. Returns the IDs whose outputs later steps can use."""
    for step in steps:
        _check_references(step, before)
        if isinstance(step, FlowBranchStep):
            if nesting == MAX_NESTING:
                raise ValueError(
                    f"branches can be nested at most {MAX_NESTING} levels deep; {step.id} is deeper"
                )
            inner = before | {step.id}
            before |= _check_sequence(step.then, inner, nesting + 1)
            before |= _check_sequence(step.otherwise, inner, nesting + 1)
        before |= {step.id}
    return before


def _check_references(step: FlowStep, before: frozenset[str]) -> None:
    paths = [*values.paths(templates(step)), *(filter.path for filter in conditions(step))]
    for path in paths:
        try:
            values.check_path(path, before)
        except ValueError as error:
            raise ValueError(f"step {step.id}: {error}") from None


FlowSteps = Annotated[list[FlowStep], Field(min_length=1, max_length=MAX_STEPS), AfterValidator(_check_steps)]
StepType = Literal["webhook", "action", "request", "wait", "filter", "branch"]

# ── flows ────────────────────────────────────────────────────────────────────────────────────────────

FlowStatus = Literal["ACTIVE", "INACTIVE"]


class FlowTrigger(ApiModel):
    """A flow runs once for each event of these types whose data passes all filters. Paths are as in a
    webhook's filters, such as `network`.
    """

    type: Literal["event"]
    event_types: EventTypes
    filters: BoundedFilters = Field(default_factory=list)


class FlowDefinition(ApiModel):
    """The steps of a flow: at most 20 in total, with branches nested up to three levels."""

    trigger: FlowTrigger
    steps: FlowSteps

    def to_json(self) -> dict[str, Any]:
        """The definition in its stored form."""
        return self.model_dump(mode="json", by_alias=True, include={"trigger", "steps"})


class FlowSettings(ApiModel):
    """`name` and `description` are for people. A flow runs with the permissions that the user who saved its
    definition had at that time.
    """

    name: Name
    description: Annotated[PlainText, StringConstraints(max_length=500)] = ""
    trigger: FlowTrigger
    steps: FlowSteps


class CreateFlow(FlowSettings):
    """An INACTIVE flow is stored but does not run."""

    status: FlowStatus = "ACTIVE"


class Flow(ApiModel):
    """`scopes` are the scopes that the steps need. `savedBy` had them when they saved the definition, and the
    flow runs with them. In lists, `recentRuns` is null unless you request it with `include`.
    """

    id: FlowId
    name: str
    description: str
    status: FlowStatus
    status_reason: str | None
    trigger: FlowTrigger
    steps: FlowSteps
    scopes: list[str]
    created_by: str
    saved_by: str
    created_at: Timestamp
    updated_at: Annotated[Timestamp, VOLATILE]
    recent_runs: Annotated[RecentRuns | None, VOLATILE]
    version: int


class UpdateFlow(Update, FlowSettings):
    """Only the fields that you send change; the defaults here are placeholders. Runs that have started keep
    their definition.
    """

    read_only = ReadOnly(
        Flow,
        "flow",
        see=dict.fromkeys(("status", "statusReason"), "change the status with PUT /api/flows/{id}/status"),
        volatile=frozenset(),
    )

    name: Name = ""
    trigger: FlowTrigger = Field(
        default_factory=lambda: FlowTrigger.model_construct(type="event", event_types=[], filters=[])
    )
    steps: FlowSteps = Field(default_factory=list)


class SetFlowStatus(ApiModel):
    """An INACTIVE flow starts no runs. Waiting runs are canceled when their wait ends. `statusReason` says
    why a flow is INACTIVE.
    """

    status: FlowStatus
    status_reason: Annotated[PlainText, StringConstraints(max_length=500)] | None = None


class FlowQuery(ListQuery):
    """`include=recentRuns` adds the results of each flow's latest runs."""

    status: FlowStatus | None = None
    include: Literal["recentRuns"] | None = None


# ── templates ────────────────────────────────────────────────────────────────────────────────────────


class FlowTemplateKey(str):
    """A template of a flow in a path."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for an unknown key."""
        if text not in flow_templates.all_keys():
            raise ValueError(suggestions.one_of(text, flow_templates.all_keys(), "a template of a flow"))
        return cls(text)


class FlowTemplate(ApiModel):
    """A flow that needs only the user's `choices`. Each choice is a push `webhook`, or an `object` of the
    platform from the list of choices `resource`. Its ID replaces `{{choices.<key>}}` in the steps. `scopes`
    are the scopes that the steps need.
    """

    key: str
    name: str
    description: str
    trigger: FlowTrigger
    choices: list[FlowTemplateChoice]
    steps: list[JsonObject]
    scopes: list[str]


ChoiceKey = Annotated[str, StringConstraints(pattern=pattern(r"^[a-zA-Z0-9]{1,32}$", "letters and digits"))]
# The ID of a webhook, or of an object of the platform. Braces would make it a value.
ChosenId = Annotated[
    str,
    StringConstraints(pattern=pattern(r"^[^{}]{1,256}$", "an ID of 1 to 256 characters, without braces")),
    AfterValidator(check_name),
]


class InstallFlow(ApiModel):
    """`choices` has an ID for each choice of the template, by key. `name` and `description` default to the
    template's. An INACTIVE flow is stored but does not run.
    """

    choices: dict[ChoiceKey, ChosenId] = Field(default_factory=dict)
    name: Name | None = None
    description: Annotated[PlainText, StringConstraints(max_length=500)] | None = None
    status: FlowStatus = "ACTIVE"


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────

FlowRunStatus = Literal["RUNNING", "WAITING", "SUCCEEDED", "STOPPED", "FAILED", "CANCELLED"]
StepRunStatus = Literal["WAITING", "SUCCEEDED", "STOPPED", "FAILED"]


class FlowRun(ApiModel):
    """One execution of a flow for one event. It is STOPPED by a filter step, and CANCELLED if the flow was
    deactivated or deleted, or the event's data was erased. `step` is the current step, or the step where the
    run ended. While it is WAITING, `resumesAt` is the latest time at which it continues.
    """

    id: FlowRunId
    flow_id: FlowId
    flow_version: int
    event_id: EventId
    event_type: str
    status: FlowRunStatus
    status_reason: str | None
    step: str | None
    depth: int
    resumes_at: Timestamp | None
    started_at: Timestamp
    ended_at: Timestamp | None
    updated_at: Timestamp
    version: int


class RecentRuns(ApiModel):
    """The results of a flow's latest runs: `count` runs, at most 10. `failed` is the number of FAILED runs
    among them, and `last` is the latest run.
    """

    count: int
    failed: int
    last: FlowRun | None


class StepError(ApiModel):
    """Why a step failed. `code` is stable; for actions, the platform defines it."""

    code: str
    detail: str


class StepRun(ApiModel):
    """One step of a run. `input` is its input with all values filled in, and `output` is its result. A
    request that is WAITING for a retry has the `error` of its last attempt.
    """

    id: str
    type: StepType
    status: StepRunStatus
    input: JsonObject | None
    output: JsonObject | None
    error: StepError | None
    started_at: Timestamp
    ended_at: Timestamp | None


class FlowRunDetail(FlowRun):
    """`definition` is the definition at the start of the run. `steps` has the steps that have started, in
    order, without steps on the other side of a branch or after the end of the run.
    """

    definition: FlowDefinition
    steps: list[StepRun]


class FlowRunQuery(PeriodQuery):
    """`since` and `until` apply to the events' `timestamp`."""

    status: FlowRunStatus | None = None


# ── dry runs ─────────────────────────────────────────────────────────────────────────────────────────


class DryRunFlow(FlowDefinition):
    """A definition, and the event for the dry run: by default, the sample of the first event type."""

    event_type: KnownEventType | None = None
    data: JsonObject | None = None


class DryRunEvent(ApiModel):
    """The event of the dry run."""

    type: EventType
    data: JsonObject


class DryRunStep(ApiModel):
    """What a step would do. `output` is an example. `detail` describes what would happen. `missing` has the
    paths of values that the event does not have.
    """

    id: str
    type: StepType
    status: Literal["SUCCEEDED", "STOPPED", "FAILED", "SKIPPED"]
    input: JsonObject | None
    output: JsonObject | None
    error: StepError | None
    detail: str
    missing: list[str]


class DryRun(ApiModel):
    """`matches` says whether the event starts the flow; if not, `detail` says why. `steps` has all steps, in
    the order of the definition. Nothing was sent or stored.
    """

    event: DryRunEvent
    matches: bool
    detail: str | None
    status: Literal["SUCCEEDED", "STOPPED", "FAILED"] | None
    steps: list[DryRunStep]
