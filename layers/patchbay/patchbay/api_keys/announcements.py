"""The events of an API key: API_KEY_CREATED, _ROTATED, _REVOKED, _ROTATION_DUE and _ROTATION_FAILED, each for
the transaction that makes the change, and RATE_LIMIT_NEAR. (API_KEY_EXPIRING: `expire_keys`.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchbay.api_keys import key_format
from patchbay.clock import from_ms, iso
from patchbay.events import announcements
from patchbay.settings import settings

if TYPE_CHECKING:
    from pydantic import JsonValue

    from patchbay.api_keys.stored_key import StoredKey
    from patchbay.rate_limits.sliding_window import QuotaStatus
    from patchbay.storage import dynamo

_NEAR_PERCENT = 80


def describe(key: StoredKey) -> dict[str, JsonValue]:
    """The key in the data of its events."""
    masked = key_format.mask(settings().api_key_prefix, key.id)
    return {"keyId": key.id, "name": key.terms.name, "maskedKey": masked}


def created(key: StoredKey) -> dynamo.TransactItem:
    expires_ms = key.terms.expires_ms
    data: dict[str, JsonValue] = {
        **describe(key),
        "scopes": list(key.terms.scopes),
        "expiresAt": None if expires_ms is None else iso(from_ms(expires_ms)),
        "createdBy": key.created_by,
    }
    return announcements.action(key.workspace_id, "API_KEY_CREATED", data)


def rotated(old: StoredKey, new: StoredKey, ends_ms: int) -> dynamo.TransactItem:
    data: dict[str, JsonValue] = {
        **describe(old),
        "successorId": new.id,
        "endsAt": iso(from_ms(ends_ms)),
        "rotatedBy": new.created_by,
    }
    return announcements.action(old.workspace_id, "API_KEY_ROTATED", data)


def revoked(key: StoredKey) -> dynamo.TransactItem:
    data: dict[str, JsonValue] = {
        **describe(key),
        "revokedBy": key.revoked_by,
        "revokedAt": iso(from_ms(key.retired_ms or 0)),
    }
    return announcements.action(key.workspace_id, "API_KEY_REVOKED", data)


def rotation_due(key: StoredKey, due_ms: int, days_left: int) -> dynamo.TransactItem:
    data: dict[str, JsonValue] = {**describe(key), "dueAt": iso(from_ms(due_ms)), "daysLeft": days_left}
    return announcements.action(key.workspace_id, "API_KEY_ROTATION_DUE", data)


def rotation_failed(key: StoredKey, code: str, detail: str, at_ms: int) -> dynamo.TransactItem:
    data: dict[str, JsonValue] = {
        **describe(key),
        "statusReason": code,
        "detail": detail,
        "failedAt": iso(from_ms(at_ms)),
    }
    return announcements.action(key.workspace_id, "API_KEY_ROTATION_FAILED", data)


def is_near(status: QuotaStatus) -> bool:
    """Whether 80 % of a limit is used."""
    limit = status.quota.limit
    return (limit - status.remaining) * 100 >= limit * _NEAR_PERCENT


def near_key(key: StoredKey, status: QuotaStatus) -> str:
    """The key under which RATE_LIMIT_NEAR is announced once: a key's limit, in one hour or day."""
    return f"near#{key.id}#{status.quota.window.letter}{status.count.number}"


def announce_near(key: StoredKey, status: QuotaStatus) -> None:
    """Announce that a limit is nearly used up, unless that was announced for this hour or day. One write."""
    window, limit = status.quota
    data: dict[str, JsonValue] = {
        **describe(key),
        "window": window.name,
        "limit": limit,
        "used": limit - status.remaining,
        "resetsAt": iso(from_ms((status.count.number + 1) * window.length_ms)),
    }
    announcements.once(key.workspace_id, near_key(key, status), "RATE_LIMIT_NEAR", data)
