"""Events that came over the EventBridge bus instead of HTTP.

EventBridge puts its whole envelope into the events queue; its `detail` is `{workspaceId, type, data,
idempotencyKey?}`. Nobody waits for an answer, so what POST /api/events would refuse is kept as a rejected
event. The right to put events on the bus is the authority: it is the platform's own, for any workspace and
without a ceiling.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from patchbay import compact_json, strict_json
from patchbay.api_model import Timestamp, WorkspaceId
from patchbay.auth.principal import Principal
from patchbay.clock import now_ms, to_ms
from patchbay.errors import IdempotencyMismatch, MalformedJson, PayloadTooLarge, Problem, ValidationFailed
from patchbay.events import service, store
from patchbay.events.models import EventMessage, EventType, PublishEvent
from patchbay.ids import EventId
from patchbay.observability import logger, metrics
from patchbay.settings import settings
from patchbay.validation import validated

_SOURCE = "bus"
# Of an idempotency key: where no HTTP route is its scope.
_ROUTE = "bus"
# Clocks differ; a time further ahead would head every list until then.
_AHEAD_MS = 5 * 60_000


class Envelope(BaseModel):
    """A message from EventBridge; other fields are ignored. `malformed` says why its JSON is not accepted;
    `detail` then has the parts that could be read.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, defer_build=True)

    id: str = Field(min_length=1)
    time: Timestamp
    source: Any
    detail_type: Any = Field(alias="detail-type")
    detail: Any
    malformed: str | None = Field(default=None, exclude=True)

    @property
    def event_id(self) -> EventId:
        """The one event id that belongs to this envelope, however often it comes; ordered by its time."""
        earliest, _ = EventId.range(self.time, None)
        return EventId.derived(earliest, _SOURCE, self.id)


class _Detail(PublishEvent):
    """An event on the bus says whose it is."""

    workspace_id: WorkspaceId


def read(body: str) -> Envelope:
    """Raises ValueError when the text is no envelope."""
    malformed = None
    try:
        # The detail lies one level down, and may be as deep as a body of the API.
        value = strict_json.loads(body.encode(errors="surrogatepass"), max_depth=strict_json.MAX_DEPTH + 1)
    except MalformedJson as problem:
        malformed = problem.detail
        value = strict_json.lenient(body)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return Envelope.model_validate({**value, "malformed": malformed})


def admit(envelope: Envelope) -> EventMessage | None:
    """The event in it; None when it is rejected, which is then stored and counted. Safe to repeat.

    Under an idempotency key all envelopes of a workspace are one event, that of the first.
    """
    logger.set_correlation_id(envelope.id)
    try:
        if envelope.malformed is not None:
            raise MalformedJson(envelope.malformed)
        _check_time(envelope)
        if not isinstance(envelope.detail, dict):
            raise ValidationFailed.of("detail", "must be an object")
        body = validated(_Detail, envelope.detail)
        caller = Principal(body.workspace_id, _SOURCE)
        order = service.judge(caller, body, key=body.idempotency_key, route=_ROUTE)
        return service.message(
            order, envelope.event_id, to_ms(envelope.time), source=_SOURCE, correlation_id=envelope.id
        )
    except (MalformedJson, ValidationFailed, PayloadTooLarge, IdempotencyMismatch) as problem:
        _reject(envelope, _reason(problem))
        return None


def _check_time(envelope: Envelope) -> None:
    """Whoever puts an event on the bus may set its time, and what is kept is kept by it."""
    age_ms = now_ms() - to_ms(envelope.time)
    if age_ms < -_AHEAD_MS:
        raise ValidationFailed.of("time", "is in the future")
    if age_ms > settings().retention_days * 86_400_000:
        raise ValidationFailed.of("time", f"is over {settings().retention_days} days ago; so long is kept")


def _reason(problem: Problem) -> str:
    """All that is wrong: an answer of the API has it field by field, a rejected event has this alone."""
    if isinstance(problem, ValidationFailed):
        return "; ".join(f"{error.path}: {error.message}" for error in problem.errors)
    return problem.detail


def _reject(envelope: Envelope, reason: str) -> None:
    detail = envelope.detail if isinstance(envelope.detail, dict) else {}
    is_somebodys = _fits(WorkspaceId, detail.get("workspaceId"))
    workspace_id = detail["workspaceId"] if is_somebodys else settings().platform_workspace_id
    data = detail.get("data")
    # A row cannot hold much more (400 KB), and malformed parts cannot be written as JSON.
    if (
        envelope.malformed is not None
        or not isinstance(data, dict)
        or compact_json.size(data) > service.MAX_DATA_BYTES
    ):
        data = {}
    event = EventMessage(
        id=envelope.event_id,
        workspace_id=workspace_id,
        type=detail["type"] if _fits(EventType, detail.get("type")) else "",
        timestamp=envelope.event_id.time_ms,
        data=data,
        source=_SOURCE,
        correlation_id=envelope.id,
    )
    if store.reject(event, reason):
        metrics().add_metric("EventsRejected", "Count", 1)
    logger.warning(
        "event on the bus rejected",
        event_id=event.id,
        workspace=workspace_id,
        reason=reason,
        bus_event_id=envelope.id,
        bus_source=_loggable(envelope.source),
        bus_detail_type=_loggable(envelope.detail_type),
    )


def _loggable(value: Any) -> str:
    return str(value).encode(errors="replace").decode()


def _fits(kind: Any, value: Any) -> bool:
    try:
        _adapter(kind).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
