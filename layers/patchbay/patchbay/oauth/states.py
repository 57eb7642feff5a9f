"""The table of OAuth states: one row per flow, deleted by the first callback or 10 minutes after its start.

Key: id, the SHA-256 of the state, so a reader of the table cannot use any state. The PKCE verifier is
encrypted by the vault. DynamoDB's TTL deletes late, so a row is ignored once it has expired.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from patchbay.ids import IntegrationId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.storage.records import from_row, to_row

LIFETIME_MS = 10 * 60_000


@dataclass(frozen=True, slots=True)
class StoredFlow:
    """A started flow, bound to the principal that started it. `verifier` is ciphertext, `expires_at` is in
    Unix milliseconds, and `generation` is the integration's at the time of the redirect to the provider. With
    `returns_here`, `return_url` is the deployment's own page. `callback_parameters` are the provider's own
    parameters besides OAuth's: the public redirect route, which may not read integrations, passes them on.
    """

    id: str
    workspace_id: str
    principal_id: str
    integration_id: IntegrationId
    generation: int
    connection_name: str
    redirect_uri: str
    expires_at: int
    scopes: Sequence[str]
    verifier: str | None = None
    return_url: str | None = None
    returns_here: bool = False
    callback_parameters: Sequence[str] = ()


def hash_state(state: str) -> str:
    """The ID of a state's row."""
    return hashlib.sha256(state.encode()).hexdigest()


def create_action(flow: StoredFlow) -> dynamo.TransactItem:
    row = {**to_row(flow), "ttl": flow.expires_at // 1000}
    return dynamo.put_action(settings().oauth_states_table, row, condition="attribute_not_exists(id)")


def consume(id: str, now: int) -> StoredFlow | None:
    """Delete a flow and return it; None if its state is unknown, used, or expired. Takes one delete, so
    only one of two concurrent callbacks gets it.
    """
    return _unexpired(dynamo.pop(settings().oauth_states_table, {"id": id}), now)


def peek(id: str, now: int) -> StoredFlow | None:
    """A flow, without consuming its state."""
    return _unexpired(dynamo.get(settings().oauth_states_table, {"id": id}), now)


def scan_workspace(workspace_id: str, after: dynamo.Row | None) -> tuple[list[dynamo.Row], dynamo.Row | None]:
    """A page of the scan for the keys of a workspace's flows: see `dynamo.scan_page`."""
    return dynamo.scan_page(
        settings().oauth_states_table,
        "workspaceId = :workspace",
        after,
        attributes=("id",),
        workspace=workspace_id,
    )


def _unexpired(row: dynamo.Row | None, now: int) -> StoredFlow | None:
    if row is None:
        return None
    flow = from_row(StoredFlow, row)
    return flow if flow.expires_at > now else None
