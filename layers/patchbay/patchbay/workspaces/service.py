"""The use cases of a workspace as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from patchbay.api_keys import policies
from patchbay.auth.principal import Principal
from patchbay.clock import from_ms, now_ms
from patchbay.errors import (
    Conflict,
    RateLimited,
    ValidationFailed,
    WorkspaceErasing,
    check_version,
    write_conflict,
)
from patchbay.ids import TaskId
from patchbay.rate_limits.headers import retry_after
from patchbay.settings import settings
from patchbay.tasks import service as tasks
from patchbay.tasks.models import Task
from patchbay.webhooks import store as webhooks
from patchbay.workspaces import erasure
from patchbay.workspaces.models import EraseQuery, UpdateWorkspace, Workspace

if TYPE_CHECKING:
    from patchbay.api_keys.rotation import Policy
    from patchbay.idempotency import Once

_MAX_TRIES = 3
# How long after an erasure the next one may start. Each one scans whole tables, at the operator's cost.
_ERASE_AGAIN_MS = 86_400_000


def get(principal: Principal) -> Workspace:
    """The caller's workspace."""
    state = webhooks.get_workspace_state(principal.workspace_id)
    default = policies.get_default(principal.workspace_id)
    return _to_api(principal.workspace_id, state, None if default is None else default.policy)


def update(principal: Principal, body: UpdateWorkspace, if_match: int | None = None) -> Workspace:
    """Change the settings. Events, deliveries, attempts and feed entries that are written from now on are
    kept for the new time; stored ones keep their own.

    Raises ValidationFailed above the limit, and for a webhook that does not exist; Forbidden if the caller
    may not set the policy of the API keys; PreconditionFailed if `if_match` is not the current version; and
    WorkspaceErasing.
    """
    limit, days = settings().retention_days, body.retain_days
    sent = body.model_fields_set
    if days is not None and days > limit:
        raise ValidationFailed.for_field(
            "retainDays", f"must be at most {limit}, the limit of this deployment"
        )
    for _ in range(_MAX_TRIES):
        state = webhooks.get_workspace_state(principal.workspace_id)
        if state.mark.task is not None:
            raise WorkspaceErasing
        check_version("workspace", state.version, if_match)
        default = policies.get_default(principal.workspace_id)
        policy = stored = None if default is None else default.policy
        current = _to_api(principal.workspace_id, state, stored)
        body.check_read_only(current, state.version)
        # The default is not stored, so a later change of the deployment's default applies.
        retain_days = state.retain_days if "retain_days" not in sent else None if days == limit else days
        if "api_key_rotation" in sent:
            policy = policies.resolve_default(principal, body.api_key_rotation, stored)
        if (retain_days, policy) == (state.retain_days, stored):
            return current
        now = now_ms()
        actions = [] if policy == stored else policies.default_actions(principal, default, policy, now)
        if webhooks.set_settings(principal.workspace_id, state, retain_days, now, actions):
            new = state._replace(retain_days=retain_days, version=state.version + 1, updated_at=now)
            return _to_api(principal.workspace_id, new, policy)
    raise write_conflict("workspace")


def erase(principal: Principal, query: EraseQuery) -> Task:
    """Start the erasure of the workspace. From now on, its requests get an error, and its events and
    deliveries are dropped. If it is being erased already, returns that task. Raises ValidationFailed unless
    the query has the workspace's ID, Conflict for the platform's own workspace, and RateLimited within a day
    after the end of an erasure.
    """
    if query.confirm != principal.workspace_id:
        raise ValidationFailed.for_field("confirm", "must be the ID of your workspace, as in GET /api/me")
    if principal.is_platform:
        raise Conflict(
            "The platform's own workspace cannot be erased, because actions are delivered to it. First set "
            "the stack's parameter PlatformWorkspaceId to another workspace, or delete the stack."
        )
    for _ in range(_MAX_TRIES):
        state = webhooks.get_workspace_state(principal.workspace_id)
        if state.mark.task is not None:
            return tasks.get_task(principal, TaskId(state.mark.task))
        _check_may_erase(state)
        started = erasure.start(principal)
        if started is not None:
            return started
    raise write_conflict("workspace")


def _check_may_erase(state: webhooks.WorkspaceState) -> None:
    """Raises RateLimited if the last erasure ended less than a day ago."""
    wait_ms = state.mark.erased_at + _ERASE_AGAIN_MS - now_ms()
    if wait_ms > 0:
        headers = retry_after(wait_ms)
        raise RateLimited(
            "A workspace can be erased once a day, and this one was erased at "
            f"{from_ms(state.mark.erased_at):%Y-%m-%dT%H:%M:%SZ}. Nothing was erased now. Delete new "
            f"resources individually, or try again in {headers['retry-after']} s.",
            headers=headers,
        )


def export(principal: Principal, once: Once | None = None) -> Task:
    """Start an export of the workspace. Raises Conflict if one is running, or if too many tasks are."""
    running = tasks.find_running(principal.workspace_id, "workspace.export")
    if running is not None:
        raise Conflict(
            f"An export of this workspace is running: {running}. Wait until it ends, or cancel it."
        )
    return tasks.start(principal, "workspace.export", None, {}, None, once)


def _to_api(workspace_id: str, state: webhooks.WorkspaceState, policy: Policy | None) -> Workspace:
    limit = settings().retention_days
    return Workspace(
        id=workspace_id,
        status="ACTIVE" if state.mark.task is None else "ERASING",
        retain_days=min(state.retain_days or limit, limit),
        max_retain_days=limit,
        api_key_rotation=policies.shown_default(policy),
        updated_at=from_ms(state.updated_at) if state.updated_at else None,
        version=state.version,
    )
