"""The rows of the integrations table as typed objects. Times are Unix milliseconds."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from patchbay.ids import IntegrationId
from patchbay.storage import records
from patchbay.storage.dynamo import Row

# The names of a config's fields, including the caller's own.
CONFIG_NAME = r"^[A-Za-z][A-Za-z0-9_]{0,63}$"
# The value of a public field of a config.
ConfigValue = str | bool | list[str]

# remove: the integration is deleted. expire: its client or its URLs changed. withdraw: the platform has
# withdrawn it.
TaskKind = Literal["remove", "expire", "withdraw"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIntegration:
    """An integration. `config` is the public part of its config and `secrets` the ciphertext of the rest;
    `metadata` is JSON, because DynamoDB cannot represent all numbers in it.

    `generation` counts changes of the client and of the URLs: connections and flows of an earlier generation
    are no longer valid. A copy of a public integration has `source_workspace_id`, `installed_from`,
    `source_client_id` (the client that was reviewed) and, in `approved_…`, the limits of its use of that
    client. (Copies made before these limits existed lack them: `marketplace.with_approved_limits`.) An
    integration that the platform has `withdrawn` serves no copies.
    """

    workspace_id: str
    id: IntegrationId
    name: str
    type: str
    provider: str | None = None
    description: str
    logo_url: str | None = None
    status: str
    created_by: str
    created_at: int
    updated_at: int
    config: Mapping[str, ConfigValue] = field(default_factory=dict)
    secrets: str | None = field(default=None, repr=False)
    secret_names: Sequence[str] = ()
    scopes: Sequence[str] = ()
    rate_limit_per_hour: int | None = None
    rate_limit_per_day: int | None = None
    is_public: bool = False
    review_status: str | None = None
    review_reason: str | None = None
    publisher_name: str | None = None
    publisher_verified: bool = False
    withdrawn: bool = False
    installed_from: IntegrationId | None = None
    source_workspace_id: str | None = None
    source_client_id: str | None = None
    approved_scopes: Sequence[str] | None = None
    approved_per_hour: int | None = None
    approved_per_day: int | None = None
    metadata: str = "{}"
    status_reason: str | None = None
    generation: int = 1
    version: int = 1
    connection_count: int = 0
    deleted_at: int | None = None

    @property
    def is_copy(self) -> bool:
        """Whether it is a copy of a public integration, so that the publisher's client serves it. A copy of a
        built-in template is not: it has its own client.
        """
        return self.source_workspace_id is not None

    @property
    def client_id(self) -> str | None:
        client_id = self.config.get("clientId")
        return client_id if isinstance(client_id, str) else None

    @property
    def redirect_uris(self) -> Sequence[str]:
        uris = self.config.get("redirectUris")
        return uris if isinstance(uris, list) else []

    @classmethod
    def from_row(cls, row: Row) -> StoredIntegration:
        return records.from_row(cls, {**row, "id": row["sk"]})

    def to_row(self) -> Row:
        row = records.to_row(self)
        row["sk"] = row.pop("id")
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketplaceListing:
    """A public integration as the platform approved it. Only built-in listings have `metadata` (JSON): a
    publisher's is not public.
    """

    id: IntegrationId
    publisher_workspace_id: str
    publisher_name: str | None = None
    publisher_verified: bool
    name: str
    type: str
    provider: str
    description: str
    logo_url: str | None = None
    scopes: Sequence[str]
    client_id: str
    approved_at: int
    approved_version: int
    rate_limit_per_hour: int | None = None
    rate_limit_per_day: int | None = None
    metadata: str = "{}"

    @classmethod
    def from_row(cls, row: Row) -> MarketplaceListing:
        return records.from_row(cls, {**row, "id": row["sk"]})


class PendingReview(NamedTuple):
    """A public integration that waits for the platform's decision."""

    workspace_id: str
    integration_id: IntegrationId
    since: int


@dataclass(frozen=True, slots=True)
class Task:
    """Background work that remains after a change of an integration. `mark` distinguishes a task from an
    equal one that was added later, which must remain when the first is finished.
    """

    kind: TaskKind
    workspace_id: str
    integration_id: IntegrationId
    mark: str = field(default_factory=lambda: secrets.token_hex(8))
