"""Events from an EventBridge bus, instead of HTTP.

EventBridge puts its whole envelope into the events queue. The envelope's `detail` is `{workspaceId, type,
data, idempotencyKey?}`. No caller waits for a response, so an event that POST /api/events would reject is
stored as a rejected event. Permission to put events on the bus is all that a publisher needs: it belongs to
the platform, covers every workspace, and has no ceiling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from patchbay import compact_json, metrics, strict_json
from patchbay.api_model import Timestamp, WorkspaceId, validate
from patchbay.auth.principal import Principal
from patchbay.clock import now_ms, to_ms
from patchbay.errors import IdempotencyMismatch, MalformedJson, PayloadTooLarge, Problem, ValidationFailed
from patchbay.events import service, store
from patchbay.events.models import EventMessage, EventType, PublishEvent
from patchbay.ids import EventId
from patchbay.observability import logger
from patchbay.settings import settings

_SOURCE = "bus"
# The scope of idempotency keys, in place of an HTTP route.
_ROUTE = "bus"
# The allowed difference between clocks. An event from the future would stay at the top of every list.
_MAX_AHEAD_MS = 5 * 60_000


class Envelope(BaseModel):
    """A message from EventBridge. Other fields are ignored. If its JSON is malformed, `malformed` says why,
    and `detail` has the parts that could be read.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, defer_build=True)

    id: str = Field(min_length=1)
    time: Timestamp
    source: object
    detail_type: object = Field(alias="detail-type")
    detail: object
    malformed: str | None = Field(default=None, exclude=True)

    @property
    def event_id(self) -> EventId:
        """The event ID that derives from this envelope, ordered by its time. A redelivery has the same ID."""
        earliest, _ = EventId.range(self.time, None)
        return EventId.derived(earliest, _SOURCE, self.id)


class _Detail(PublishEvent):
    """An event on the bus must name its workspace."""

    workspace_id: WorkspaceId


def read(body: str) -> Envelope:
    """Raises ValueError if the text is not an envelope."""
    malformed = None
    try:
        # The detail is nested one level down, and can be as deep as a request body.
        value = strict_json.loads(body.encode(errors="surrogatepass"), max_depth=strict_json.MAX_DEPTH + 1)
    except MalformedJson as problem:
        malformed = problem.detail
        value = strict_json.loads_leniently(body)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return Envelope.model_validate({**value, "malformed": malformed})


# Takes a workspace and a time in Unix milliseconds. Returns whether an event from that time is kept, and for
# how many days; None for RetentionDays.
Retention = Callable[[str, int], tuple[bool, int | None]]


def accept(envelope: Envelope, retention: Retention) -> EventMessage | None:
    """The event in an envelope, or None if it is rejected, stored and counted. Idempotent. `retention` is
    called for rejected events.

    All envelopes of a workspace with the same idempotency key are one event: the first one.
    """
    logger.set_correlation_id(envelope.id)
    try:
        if envelope.malformed is not None:
            raise MalformedJson(envelope.malformed)
        _check_time(envelope)
        if not isinstance(envelope.detail, dict):
            raise ValidationFailed.for_field("detail", "must be an object")
        body = validate(_Detail, envelope.detail)
        caller = Principal(body.workspace_id, _SOURCE)
        draft = service.prepare(caller, body, key=body.idempotency_key, route=_ROUTE)
        return service.to_message(
            draft, envelope.event_id, to_ms(envelope.time), source=_SOURCE, correlation_id=envelope.id
        )
    except (MalformedJson, ValidationFailed, PayloadTooLarge, IdempotencyMismatch) as problem:
        _reject(envelope, _reason(problem), retention)
        return None


def _check_time(envelope: Envelope) -> None:
    """Check the time, which publishers can set: IDs, lists and statistics depend on it."""
    age_ms = now_ms() - to_ms(envelope.time)
    if age_ms < -_MAX_AHEAD_MS:
        raise ValidationFailed.for_field("time", "is in the future")
    days = settings().retention_days
    if age_ms > days * 86_400_000:
        raise ValidationFailed.for_field(
            "time", f"is more than {days} days ago, which is longer than events are kept"
        )


def _reason(problem: Problem) -> str:
    """All errors in one text: the API's responses list them by field, but a rejected event has only this."""
    if isinstance(problem, ValidationFailed):
        return "; ".join(f"{error.path}: {error.message}" for error in problem.errors)
    return problem.detail


def _reject(envelope: Envelope, reason: str, retention: Retention) -> None:
    detail = envelope.detail if isinstance(envelope.detail, dict) else {}
    has_workspace = _matches(WorkspaceId, detail.get("workspaceId"))
    workspace_id = detail["workspaceId"] if has_workspace else settings().platform_workspace_id
    event = EventMessage(
        id=envelope.event_id,
        workspace_id=workspace_id,
        type=detail["type"] if _matches(EventType, detail.get("type")) else "",
        timestamp=envelope.event_id.time_ms,
        data=_storable_data(envelope, detail),
        source=_SOURCE,
        correlation_id=envelope.id,
    )
    is_kept, retain_days = retention(workspace_id, event.timestamp)
    if not is_kept:
        logger.info("bus event of an erased workspace dropped", event_id=event.id)
        return
    if store.reject(event, reason, retain_days):
        metrics.add(metrics.EVENTS_REJECTED)
    logger.warning(
        "bus event rejected",
        event_id=event.id,
        workspace=workspace_id,
        event_type=event.type,
        reason=reason,
        bus_event_id=envelope.id,
        bus_source=_loggable(envelope.source),
        bus_detail_type=_loggable(envelope.detail_type),
    )


def _storable_data(envelope: Envelope, detail: Mapping[str, Any]) -> dict[str, JsonValue]:
    """The data of a rejected event, or `{}` if a row cannot hold it: rows have at most 400 KB, and malformed
    parts cannot be written as JSON.
    """
    data = detail.get("data")
    if envelope.malformed is not None or not isinstance(data, dict):
        return {}
    return data if compact_json.size(data) <= service.MAX_DATA_BYTES else {}


def _loggable(value: object) -> str:
    return str(value).encode(errors="replace").decode()


def _matches(kind: object, value: object) -> bool:
    try:
        _adapter(kind).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


@cache
def _adapter(kind: object) -> TypeAdapter[object]:
    return TypeAdapter(kind)
