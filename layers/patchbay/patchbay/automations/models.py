"""Automations as the API takes and gives them: hooks, actions and their runs, lists to choose from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, RootModel, StringConstraints

from patchbay import catalogue
from patchbay.api_model import ApiModel, JsonObject, ListQuery, QueryModel, Timestamp, WorkspaceId, named
from patchbay.catalogue.entries import Example, resources
from patchbay.events.models import EventType
from patchbay.ids import EventId, RunId, WebhookId
from patchbay.webhooks.models import BoundedFilters, Url

_MAX_CHOICES = 5_000
_MAX_ERROR_LENGTH = 1_000

# ── what stands in the paths ─────────────────────────────────────────────────────────────────────────


class AutomationPlatform(StrEnum):
    """Where an automation runs."""

    ZAPIER = "zapier"
    MAKE = "make"
    N8N = "n8n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError when there is no such platform."""
        return cls(_known(text, [platform.value for platform in cls]))

    @property
    def label(self) -> str:
        return "n8n" if self is AutomationPlatform.N8N else self.title()


class TriggerKey(str):
    """An event type that automations may begin with."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError when it is none."""
        return cls(_known(text, catalogue.TRIGGERS))


class ActionKey(str):
    """An action of the catalogue."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError when it is none."""
        return cls(_known(text, catalogue.ACTIONS))


class Resource(str):
    """A list to choose from: what fields of the catalogue take ids of."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError when no field does."""
        return cls(_known(text, resources()))


def _known(text: str, known: Collection[str]) -> str:
    if text not in known:
        raise ValueError(f"not one of {', '.join(sorted(known))}")
    return text


# ── who is calling, and what there is ────────────────────────────────────────────────────────────────


class Me(ApiModel):
    """Whose credentials these are; `label` names the connection in the automation platform."""

    workspace_id: str
    label: str


class Trigger(ApiModel):
    """An event type as a trigger. `schema` and `sample` are of an event's `data`."""

    id: str
    label: str
    noun: str
    description: str
    json_schema: Annotated[dict[str, JsonValue], Field(alias="schema")]
    sample: dict[str, JsonValue]


class Triggers(RootModel[list[Trigger]]):
    """A bare array, as the automation platforms take it."""


class SampleQuery(QueryModel):
    limit: Annotated[int, Field(ge=1, le=10)] = 3


class Sample(ApiModel):
    """An event in the very shape in which a hook gets it."""

    id: EventId
    type: str
    timestamp: Timestamp
    data: JsonObject


class Samples(RootModel[list[Sample]]):
    """A bare array, newest first. If the events are very large, there are fewer than `limit`."""

    def parts(self) -> Sequence[Sample]:
        return self.root

    def first(self, count: int) -> Samples:
        return Samples(self.root[:count])


class ActionInfo(ApiModel):
    """An action. `input` and `output` are JSON Schemas; a text with `x-choices` takes an id of that list."""

    id: str
    label: str
    noun: str
    description: str
    input: dict[str, JsonValue]
    output: dict[str, JsonValue]
    sample: Example


class Actions(RootModel[list[ActionInfo]]):
    """A bare array, as the automation platforms take it."""


# ── hooks ────────────────────────────────────────────────────────────────────────────────────────────


def _without_unset(filters: Any) -> Any:
    """A field that nobody filled in reaches us as the value `""` or null: then there is no such filter."""
    if not isinstance(filters, list):
        return filters
    return [
        filter
        for filter in filters
        if not (isinstance(filter, dict) and "value" in filter and filter["value"] in ("", None))
    ]


def _trigger(event: str) -> str:
    return _known(event, catalogue.TRIGGERS)


class Subscribe(ApiModel):
    """What an automation listens to, and where. A filter without a value (`""` or null) is passed over."""

    target_url: Url
    event: Annotated[EventType, AfterValidator(_trigger)]
    filters: Annotated[BoundedFilters, BeforeValidator(_without_unset)] = Field(default_factory=list)


class SubscribedHook(ApiModel):
    """`secret` signs what the hook gets (Standard Webhooks); null when the hook was there already."""

    id: WebhookId
    secret: str | None = Field(repr=False)


class KnownHook(SubscribedHook):
    """The hook that was there already."""

    http_status: ClassVar[int] = 200
    secret: None = None


class Hook(ApiModel):
    id: WebhookId
    platform: str
    target_url: str
    event: str
    filters: BoundedFilters
    status: Literal["ACTIVE", "INACTIVE", "DISABLED"]
    created_at: Timestamp
    updated_at: Timestamp
    version: int


# ── actions and their runs ───────────────────────────────────────────────────────────────────────────


class StartRun(ApiModel):
    """`callbackUrl` gets `{runId, status, output, error}` once the platform has answered."""

    input: JsonObject = Field(default_factory=dict)
    callback_url: Url | None = None


class Run(ApiModel):
    """An action that was asked for. It ends FAILED when nobody has answered by `expiresAt`."""

    id: RunId
    platform: str
    action: str
    input: JsonObject
    status: Literal["PENDING", "SUCCEEDED", "FAILED"]
    output: JsonObject | None
    error: str | None
    expires_at: Timestamp
    created_at: Timestamp
    updated_at: Timestamp
    version: int


class RunQuery(ListQuery):
    status: Literal["PENDING", "SUCCEEDED", "FAILED"] | None = None


class Succeeded(ApiModel):
    """`output` fits the action's schema."""

    status: Literal["SUCCEEDED"]
    output: JsonObject


class Failed(ApiModel):
    """`error` says to the automation's owner what went wrong."""

    status: Literal["FAILED"]
    error: Annotated[str, StringConstraints(min_length=1, max_length=_MAX_ERROR_LENGTH)]


class AnswerRun(RootModel[Annotated[Succeeded | Failed, Field(discriminator="status")]]):
    """How the platform ended a run."""


# ── lists to choose from ─────────────────────────────────────────────────────────────────────────────

_Text = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(named)]


class Choice(ApiModel):
    id: _Text
    label: _Text


class Choices(RootModel[list[Choice]]):
    """A bare array, as the automation platforms take it."""


class ChoicesQuery(QueryModel):
    """`search` is in the label or begins the id; `cursor` is the id of the last one that the caller has."""

    search: Annotated[str, StringConstraints(max_length=256)] = ""
    cursor: Annotated[str, StringConstraints(max_length=256)] = ""


def _unique(items: list[Choice]) -> list[Choice]:
    if len({item.id for item in items}) != len(items):
        raise ValueError("an id stands twice")
    return items


class SetChoices(ApiModel):
    """All that a workspace may choose from, in the order in which it is shown; it replaces what was there."""

    workspace_id: WorkspaceId
    items: Annotated[list[Choice], Field(max_length=_MAX_CHOICES), AfterValidator(_unique)]
