"""A connection's row as a typed object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

from patchbay.ids import ConnectionId, IntegrationId
from patchbay.oauth.models import ConnectionStatus
from patchbay.storage import due_index

# The shard of the index `due` for expiries to announce and removals to finish. The others are for refreshes.
CLEANUP_SHARD = len(due_index.SHARDS)
_ENDED = (ConnectionStatus.EXPIRED, ConnectionStatus.REVOKED)


class LastError(TypedDict):
    """The most recent error of a connection; `at` is in Unix milliseconds."""

    code: str
    detail: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredConnection:
    """A connection's row. Times are Unix milliseconds, `metadata` is JSON, and `variables` are the provider's
    URLs that the callback named. `refresh_at` is when its token should be refreshed, or None for never.
    The provider asked not to be called until `retry_after_until`. `refusals` counts consecutive refusals
    without a known reason, and `refused_since` is the time of the first. `counted` means that the workspace's
    count includes the connection, which is true for all connections made since the ceiling was introduced.
    """

    workspace_id: str
    integration_id: IntegrationId
    name: str
    id: ConnectionId
    provider: str | None = None
    status: str
    auth_type: str
    generation: int
    created_by: str
    created_at: int
    updated_at: int
    sealed: str = field(repr=False)
    tokens_version: int = 1
    version: int = 1
    scopes: Sequence[str] = ()
    account_id: str | None = None
    account_label: str | None = None
    metadata: str = "{}"
    variables: Mapping[str, str] = field(default_factory=dict)
    refreshable: bool = False
    obtained_at: int = 0
    expires_at: int | None = None
    refresh_at: int | None = None
    last_refreshed_at: int | None = None
    last_error: LastError | None = None
    lease_owner: str | None = None
    lease_until: int | None = None
    in_doubt: bool = False
    failures: int = 0
    retry_at: int | None = None
    retry_after_until: int | None = field(default=None, metadata={"attribute": "toldUntil"})
    refusals: int = 0
    refused_since: int | None = None
    counted: bool = False
    due_shard: int | None = None
    due_at: int | None = None

    @property
    def error_code(self) -> str | None:
        return None if self.last_error is None else self.last_error["code"]

    def is_leased(self, now: int) -> bool:
        """Whether another process may be refreshing it."""
        return self.lease_owner is not None and (self.lease_until or 0) >= now

    def with_due_at(self, at_ms: int | None) -> StoredConnection:
        """The connection, due for maintenance from `at_ms` on; None for never."""
        shard = CLEANUP_SHARD if self.status in _ENDED else due_index.shard_of(self.id)
        return replace(self, due_shard=None if at_ms is None else shard, due_at=at_ms)
