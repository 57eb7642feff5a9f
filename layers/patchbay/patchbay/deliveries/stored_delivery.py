"""Deliveries and their attempts as the deliveries table stores them. Times are Unix milliseconds.

These are named tuples because the worker copies them at each transition: `_replace` takes a fifth of the time
that `dataclasses.replace` needs for a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from pydantic.alias_generators import to_camel

from patchbay.deliveries.models import DeliveryMessage, Status, Trigger
from patchbay.ids import DeliveryId, EventId, TaskId, WebhookId, parse_webhook_key
from patchbay.storage.dynamo import Row


class StoredAttempt(NamedTuple):
    """One request and its result. It is a row if it failed, and part of the delivery's row if it succeeded.

    Without a status code, `error_code` and `error` (its detail) say why. `withheld` says that the response
    was not stored, because it repeats part of a header value.
    """

    number: int
    trigger: Trigger
    started_at: int
    duration_ms: int
    request_headers: Mapping[str, str]
    response_headers: Mapping[str, str]
    response_body: str
    truncated: bool
    status_code: int | None = None
    error: str | None = None
    error_code: str | None = None
    withheld: bool = False

    @classmethod
    def from_row(cls, row: Row) -> Self:
        return cls(**{field: row[name] for name, field in _ATTEMPT_FIELDS.items() if name in row})

    def to_row(self) -> Row:
        """The attributes, without those of the key."""
        row: Row = dict(zip(_ATTEMPT_FIELDS, self, strict=True))
        if not self.withheld:
            del row["withheld"]
        if self.error_code is None:
            del row["errorCode"]
        return row


class StoredDelivery(NamedTuple):
    """A delivery's row. A field is None if the row does not have the attribute.

    `claims` counts the leases, and `earlier_attempts` the attempts before the delivery was last restarted.
    `not_registered_at` is when the current unbroken series of NOT_REGISTERED responses began. `counted` says
    that the worker counted the success, so the roll-up does not. `task` is the replay that last sent the
    delivery, so that it does not send it twice. A waiting delivery has the `correlation_id` of its first
    message, unless that is the event's ID. `erased` says that the data of its event was erased. `token`
    identifies this state of the row. `ttl` is in Unix seconds. `unknown` has the attributes that a later
    release added, so that a write keeps them.
    """

    webhook_key: str
    id: DeliveryId
    event_id: EventId
    event_type: str
    status: Status
    generation: int
    attempts: int
    max_attempts: int
    created_at: int
    updated_at: int
    version: int
    ttl: int
    token: str | None = None
    claims: int | None = None
    earlier_attempts: int | None = None
    trigger: Trigger | None = None
    reason: str | None = None
    lease_until: int | None = None
    next_attempt_at: int | None = None
    slot_at: int | None = None
    held_at: int | None = None
    due_shard: int | None = None
    due_at: int | None = None
    status_key: str | None = None
    not_registered_at: int | None = None
    delivered_at: int | None = None
    success: StoredAttempt | None = None
    counted: bool | None = None
    task: TaskId | None = None
    correlation_id: str | None = None
    erased: bool | None = None
    unknown: Mapping[str, object] | None = None

    @classmethod
    def from_row(cls, row: Row) -> Self:
        values: dict[str, Any] = {}
        unknown: dict[str, object] = {}
        for name, value in row.items():
            field = _DELIVERY_FIELDS.get(name)
            if field is None:
                unknown[name] = value
            else:
                values[field] = value
        values["id"] = DeliveryId(values["id"])
        values["event_id"] = EventId(values["event_id"])
        values["status"] = Status(values["status"])
        if "task" in values:
            values["task"] = TaskId(values["task"])
        if "success" in values:
            values["success"] = StoredAttempt.from_row(values["success"])
        return cls(**values, unknown=unknown or None)

    def to_row(self) -> Row:
        """Every field under its attribute's name; `dynamo` leaves out those that are None."""
        row: Row = dict(zip(_DELIVERY_FIELDS, self, strict=False))  # without `unknown`, the last
        if self.success is not None:
            row["success"] = self.success.to_row()
        if self.unknown is not None:
            row.update(self.unknown)
        return row

    @property
    def webhook_id(self) -> WebhookId:
        return parse_webhook_key(self.webhook_key)[1]

    @property
    def unrecorded_claims(self) -> int:
        """Claims without a recorded attempt, including the current one."""
        return (self.claims or 0) - self.attempts

    @property
    def blocked_until(self) -> int:
        """When its lease or its wait ends; 0 if it has neither."""
        until = self.lease_until if self.status is Status.SENDING else self.next_attempt_at
        return until or 0

    def to_message(self) -> DeliveryMessage:
        """The message for a delivery that waits in the table."""
        workspace_id, webhook_id = parse_webhook_key(self.webhook_key)
        return DeliveryMessage(
            id=self.id,
            workspace_id=workspace_id,
            webhook_id=webhook_id,
            event_id=self.event_id,
            event_type=self.event_type,
            body=None,
            generation=self.generation,
            correlation_id=self.correlation_id or self.event_id,
        )


class DeliveryOutcome(NamedTuple):
    """The attributes of a delivery's row that counters need. `is_counted` says that the worker has counted
    the delivery. `delivered_at` and `duration_ms` are 0 unless it is a success.
    """

    id: DeliveryId
    event_type: str
    is_success: bool
    is_counted: bool
    delivered_at: int
    duration_ms: int

    @classmethod
    def from_row(cls, row: Row) -> Self:
        is_success = row["status"] == Status.DELIVERED
        return cls(
            id=DeliveryId(row["sk"]),
            event_type=row["eventType"],
            is_success=is_success,
            # An earlier release counted all of its successes; their rows still have `claims`.
            is_counted="counted" in row or "claims" in row,
            delivered_at=row["deliveredAt"] if is_success else 0,
            duration_ms=row["success"]["durationMs"] if is_success else 0,
        )


def status_key(webhook_key: str, status: Status) -> str:
    """The partition of the index `byStatus`."""
    return f"{webhook_key}#{status}"


# Attribute → field, in the order of the fields.
_ATTEMPT_FIELDS = {to_camel(field): field for field in StoredAttempt._fields}
_DELIVERY_FIELDS = {
    {"id": "sk", "earlier_attempts": "earlier"}.get(field) or to_camel(field): field
    for field in StoredDelivery._fields
    if field != "unknown"
}
# The attributes that `DeliveryOutcome.from_row` reads.
OUTCOME_ATTRIBUTES = ("sk", "eventType", "status", "counted", "claims", "deliveredAt", "success.durationMs")
