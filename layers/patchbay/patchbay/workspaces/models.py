"""The API models of workspaces."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from patchbay.api_keys.models import RotationPolicy
from patchbay.api_model import ApiModel, QueryModel, Timestamp
from patchbay.updates import ReadOnly, Update


class Workspace(ApiModel):
    """`retainDays` is how long events, deliveries, their attempts and the entries of feeds are kept. It
    applies to what is written from the change on, and is at most `maxRetainDays`, which is also the default.
    `status` is ERASING from the request that deletes the workspace until that has ended. `apiKeyRotation` is
    the policy of the API keys that have none of their own.
    """

    id: str
    status: Literal["ACTIVE", "ERASING"]
    retain_days: int
    max_retain_days: int
    api_key_rotation: RotationPolicy | None
    updated_at: Timestamp | None
    version: int


class UpdateWorkspace(Update):
    """Only the fields that are sent change. `retainDays: null` is the default, `maxRetainDays`;
    `apiKeyRotation: null` is no policy. Only an owner may set its `deliverTo`.
    """

    read_only = ReadOnly(Workspace, "workspace", see={"status": "DELETE /api/workspace erases the workspace"})

    retain_days: Annotated[int, Field(ge=1)] | None = None
    api_key_rotation: RotationPolicy | None = None


class EraseQuery(QueryModel):
    """`confirm` is the ID of the workspace, so that nothing is erased by mistake."""

    confirm: Annotated[str, Field(examples=["acme"])]
