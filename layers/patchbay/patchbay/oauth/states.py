"""The table of OAuth states: one row per flow, gone with the first callback or after 10 minutes.

Key: id, the SHA-256 of the state, so that who reads the table can use none. The PKCE verifier is under the
vault. TTL deletes late: a row past its time is never believed.
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
class State:
    """A flow that was begun, bound to who began it. `verifier` is ciphertext; `expires_at` in Unix
    milliseconds; `generation` is the integration's, whose client the user was sent with.
    `callback_parameters` are the provider's own, besides OAuth's: the public redirect route passes them on
    without a right to read integrations.
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
    callback_parameters: Sequence[str] = ()


def id_of(state: str) -> str:
    """The key that a state is kept under."""
    return hashlib.sha256(state.encode()).hexdigest()


def storing(state: State) -> dynamo.TransactItem:
    row = {**to_row(state), "ttl": state.expires_at // 1000}
    return dynamo.put_action(settings().oauth_states_table, row, condition="attribute_not_exists(id)")


def consume(id: str, now: int) -> State | None:
    """The state, which is gone from now on, whatever becomes of it. None for one that is unknown, used or too
    old. One delete: of two callbacks at once, one gets it.
    """
    return _live(dynamo.take(settings().oauth_states_table, {"id": id}), now)


def peek(id: str, now: int) -> State | None:
    """The state, without using it."""
    return _live(dynamo.get(settings().oauth_states_table, {"id": id}), now)


def _live(row: dynamo.Row | None, now: int) -> State | None:
    return from_row(State, row) if row is not None and row["expiresAt"] > now else None
