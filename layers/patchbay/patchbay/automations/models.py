"""The API models of automations: hooks, actions and their runs, lists of choices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    RootModel,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from patchbay import catalogue, suggestions
from patchbay.api_model import (
    ApiModel,
    JsonObject,
    PeriodQuery,
    QueryModel,
    Timestamp,
    WorkspaceId,
    check_name,
)
from patchbay.catalogue.entries import Example, resources
from patchbay.event_filters import MAX_FILTERS, Filter, Filters
from patchbay.events.models import EventType
from patchbay.field_errors import pattern
from patchbay.ids import EventId, RunId, WebhookId
from patchbay.webhooks.models import BoundedFilters, Url, check_filters

_MAX_CHOICES = 5_000
_MAX_ERROR_LENGTH = 1_000
_ERROR_CODE = "a code of 1 to 64 lowercase letters, digits and _ that begins with a letter"

# ── path parameters ──────────────────────────────────────────────────────────────────────────────────


class AutomationPlatform(StrEnum):
    """The platform that an automation runs on."""

    ZAPIER = "zapier"
    MAKE = "make"
    N8N = "n8n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for an unknown platform."""
        return cls(_check_known(text, [platform.value for platform in cls], "an automation platform"))

    @property
    def label(self) -> str:
        return "n8n" if self is AutomationPlatform.N8N else self.title()


# The `platform` of runs that flows start. It is not an automation platform: it has no hooks and no routes.
FLOW = "flow"
RUN_ORIGINS = (*AutomationPlatform, FLOW)


class TriggerKey(str):
    """An event type that can start an automation."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for an unknown key."""
        return cls(_check_known(text, catalogue.TRIGGERS, "the event type of a trigger"))


class ActionKey(str):
    """An action of the catalogue."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for an unknown key."""
        return cls(_check_known(text, catalogue.ACTIONS, "an action"))


class Resource(str):
    """A list of choices: the objects whose IDs fields of the catalogue accept."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError when no field uses this list."""
        return cls(_check_known(text, resources(), "a list of choices"))


def _check_known(text: str, known: Collection[str], what: str) -> str:
    if text not in known:
        raise ValueError(suggestions.one_of(text, known, what))
    return text


# ── credentials and catalogue ────────────────────────────────────────────────────────────────────────


class Me(ApiModel):
    """The owner of the credentials; `label` names the connection in the automation platform."""

    workspace_id: str
    label: str


class Trigger(ApiModel):
    """An event type as a trigger. `schema` and `sample` describe an event's `data`."""

    id: str
    label: str
    noun: str
    description: str
    json_schema: Annotated[dict[str, JsonValue], Field(alias="schema")]
    sample: dict[str, JsonValue]


class Triggers(RootModel[list[Trigger]]):
    """An array, as the automation platforms require."""


class SampleQuery(QueryModel):
    limit: Annotated[int, Field(ge=1, le=10)] = 3


class Sample(ApiModel):
    """An event in exactly the format that hooks receive."""

    id: EventId
    type: str
    timestamp: Timestamp
    data: JsonObject


class Samples(RootModel[list[Sample]]):
    """An array, newest first. It has fewer than `limit` events if they are very large."""

    def parts(self) -> Sequence[Sample]:
        return self.root

    def first(self, count: int) -> Samples:
        return Samples(self.root[:count])


class ActionInfo(ApiModel):
    """An action. `input` and `output` are JSON Schemas. A string with `x-choices` takes an ID from that list
    of choices."""

    id: str
    label: str
    noun: str
    description: str
    input: dict[str, JsonValue]
    output: dict[str, JsonValue]
    sample: Example


class Actions(RootModel[list[ActionInfo]]):
    """An array, as the automation platforms require."""


# ── hooks ────────────────────────────────────────────────────────────────────────────────────────────


def _none_if_unset(filter: object, validate: ValidatorFunctionWrapHandler) -> Filter | None:
    """None for a filter whose value is `""` or null: automation platforms send those for empty fields."""
    # Not removed before the validation: errors name a filter by its position.
    if isinstance(filter, dict) and "value" in filter and filter["value"] in ("", None):
        return None
    validated: Filter = validate(filter)
    return validated


def _without_none(filters: list[Filter | None]) -> Filters:
    return check_filters([filter for filter in filters if filter is not None])


def _check_trigger(event_type: object) -> object:
    if not isinstance(event_type, str):
        return event_type
    return _check_known(event_type, catalogue.TRIGGERS, "the event type of a trigger")


class Subscribe(ApiModel):
    """The event type and URL of an automation. Ignores filters without a value (`""` or null)."""

    url: Url
    event_type: Annotated[EventType, BeforeValidator(_check_trigger)]
    filters: Annotated[
        list[Annotated[Filter, WrapValidator(_none_if_unset)]],
        Field(max_length=MAX_FILTERS),
        AfterValidator(_without_none),
    ] = Field(default_factory=list)


class SubscribedHook(ApiModel):
    """`secret` signs the hook's deliveries (Standard Webhooks); null if the hook already existed."""

    id: WebhookId
    secret: str | None = Field(repr=False)


class KnownHook(SubscribedHook):
    """A hook that already existed."""

    http_status: ClassVar[int] = 200
    secret: None = None


class Hook(ApiModel):
    id: WebhookId
    platform: str
    url: str
    event_type: str
    filters: BoundedFilters
    status: Literal["ACTIVE", "PAUSED", "INACTIVE", "DISABLED"]
    created_at: Timestamp
    updated_at: Timestamp
    version: int


# ── actions and their runs ───────────────────────────────────────────────────────────────────────────


class StartRun(ApiModel):
    """`callbackUrl` gets `{runId, status, output, error}` when the run ends."""

    input: JsonObject = Field(default_factory=dict)
    callback_url: Url | None = None


class RunError(ApiModel):
    """Why a run failed. `code` is `timed_out` if the platform did not respond by `expiresAt`; otherwise it is
    the platform's code, by default `action_failed`. `detail` is a message for the automation's owner.
    """

    code: Annotated[str, StringConstraints(pattern=pattern(r"^[a-z][a-z0-9_]{0,63}$", _ERROR_CODE))] = (
        "action_failed"
    )
    detail: Annotated[str, StringConstraints(min_length=1, max_length=_MAX_ERROR_LENGTH)]


class Run(ApiModel):
    """An execution of an action. It fails if the platform does not respond by `expiresAt`. `platform` is the
    automation platform that started it, or `flow`.
    """

    id: RunId
    platform: str
    action: str
    input: JsonObject
    status: Literal["PENDING", "SUCCEEDED", "FAILED"]
    output: JsonObject | None
    error: RunError | None
    expires_at: Timestamp
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class RunQuery(PeriodQuery):
    """`since` and `until` apply to `createdAt`."""

    status: Literal["PENDING", "SUCCEEDED", "FAILED"] | None = None


class AllRunsQuery(RunQuery):
    """The runs of all automation platforms, or of one."""

    platform: Annotated[AutomationPlatform, Field(strict=False)] | None = None


class Succeeded(ApiModel):
    """`output` must match the action's schema."""

    status: Literal["SUCCEEDED"]
    output: JsonObject


class Failed(ApiModel):
    status: Literal["FAILED"]
    error: RunError


class AnswerRun(RootModel[Annotated[Succeeded | Failed, Field(discriminator="status")]]):
    """The platform's result for a run."""


# ── lists of choices ─────────────────────────────────────────────────────────────────────────────────

_Text = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(check_name)]


class Choice(ApiModel):
    id: _Text
    label: _Text


class Choices(RootModel[list[Choice]]):
    """An array, as the automation platforms require."""


class ChoicesQuery(QueryModel):
    """`search` matches part of a label or the start of an ID; `cursor` is the last received item's ID."""

    search: Annotated[str, StringConstraints(max_length=256)] = ""
    cursor: Annotated[str, StringConstraints(max_length=256)] = ""


def _unique(items: list[Choice]) -> list[Choice]:
    if len({item.id for item in items}) != len(items):
        raise ValueError("must not contain duplicate IDs")
    return items


class SetChoices(ApiModel):
    """A workspace's complete list of choices, in display order. It replaces the previous list."""

    workspace_id: WorkspaceId
    items: Annotated[list[Choice], Field(max_length=_MAX_CHOICES), AfterValidator(_unique)]
