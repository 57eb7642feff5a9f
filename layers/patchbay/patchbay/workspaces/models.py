"""The API models of workspaces."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from patchbay.api_keys.models import RotationPolicy
from patchbay.api_model import ApiModel, QueryModel, Timestamp
from patchbay.updates import ReadOnly, Update


class Workspace(ApiModel):
    """`retainDays` is how long events, deliveries, attempts and feed entries are kept. A change applies to
    new data. It is at most `maxRetainDays`, which is also the default. `status` is ERASING while the
    workspace is being erased. `apiKeyRotation` is the policy for API keys without their own policy.
    """

    id: str
    status: Literal["ACTIVE", "ERASING"]
    retain_days: int
    max_retain_days: int
    api_key_rotation: RotationPolicy | None
    updated_at: Timestamp | None
    version: int


class UpdateWorkspace(Update):
    """Only the fields that you send change. `retainDays: null` restores the default, `maxRetainDays`;
    `apiKeyRotation: null` removes the policy. Only an owner can set its `deliverTo`.
    """

    read_only = ReadOnly(Workspace, "workspace", see={"status": "DELETE /api/workspace erases the workspace"})

    retain_days: Annotated[int, Field(ge=1)] | None = None
    api_key_rotation: RotationPolicy | None = None


class EraseQuery(QueryModel):
    """`confirm` is the ID of the workspace, to prevent accidental erasure."""

    confirm: Annotated[str, Field(examples=["acme"])]
