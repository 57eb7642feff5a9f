"""The events that the transaction of a connection's transition announces: CONNECTION_CREATED, _RECOVERED and
_REVOKED. (CONNECTION_EXPIRED: `refresh.announce_expiry`.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from patchbay.events import announcements
from patchbay.oauth.models import ConnectionStatus

if TYPE_CHECKING:
    from pydantic import JsonValue

    from patchbay.oauth.stored_connection import StoredConnection
    from patchbay.storage import dynamo

RemovalReason = Literal["connection_deleted", "integration_deleted"]


def describe(connection: StoredConnection) -> dict[str, JsonValue]:
    """The connection in the data of its events."""
    return {
        "connectionId": connection.name,
        "id": connection.id,
        "integrationId": connection.integration_id,
        "provider": connection.provider,
        "accountLabel": connection.account_label,
    }


def connected(new: StoredConnection, replaced: StoredConnection | None) -> list[dynamo.TransactItem]:
    """The announcement of a connection that is new or recovers. Replacing a connection that worked is not a
    transition.
    """
    if replaced is not None:
        return recovered(new, replaced.status)
    data = {**describe(new), "createdBy": new.created_by}
    return [announcements.action(new.workspace_id, "CONNECTION_CREATED", data)]


def recovered(connection: StoredConnection, previous_status: str) -> list[dynamo.TransactItem]:
    """The announcement of a connection that has become ACTIVE."""
    if previous_status not in (ConnectionStatus.EXPIRED, ConnectionStatus.ERROR):
        return []
    data = {**describe(connection), "previousStatus": str(previous_status)}
    return [announcements.action(connection.workspace_id, "CONNECTION_RECOVERED", data)]


def revoked(connection: StoredConnection, reason: RemovalReason) -> dynamo.TransactItem:
    """The announcement of a connection that no longer serves tokens."""
    data = {**describe(connection), "statusReason": reason}
    return announcements.action(connection.workspace_id, "CONNECTION_REVOKED", data)
