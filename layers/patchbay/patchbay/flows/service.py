"""Creates, changes and removes a workspace's flows.

The user who saves a definition needs the rights of its steps. They are stored with it, and the flow acts with
them, so no one can use a flow to do what they could not do themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from patchbay import suggestions
from patchbay.api_model import Empty
from patchbay.auth.principal import Principal
from patchbay.catalogue.entries import check_input, load_action
from patchbay.clock import from_ms, now_ms
from patchbay.errors import Forbidden, NotFound, ValidationFailed, check_version, write_conflict
from patchbay.flows import store, values
from patchbay.flows.models import (
    CreateFlow,
    Flow,
    FlowActionStep,
    FlowDefinition,
    FlowRequestStep,
    FlowStatus,
    FlowStep,
    FlowTrigger,
    FlowWebhookStep,
    SetFlowStatus,
    UpdateFlow,
    all_steps,
    conditions,
)
from patchbay.flows.stored import Definition, StoredFlow
from patchbay.ids import ConnectionRef, FlowId, WebhookId
from patchbay.oauth import api_access
from patchbay.storage.paging import Page
from patchbay.webhooks import filter_paths
from patchbay.webhooks import service as webhooks

if TYPE_CHECKING:
    from patchbay.idempotency import Once

# The scope that each type of step needs.
STEP_SCOPES = {
    "webhook": "webhooks:write",
    "action": "automations:use",
    "request": "credentials:use",
}
_MAX_TRIES = 3
_DATA = "event.data."


def create(
    principal: Principal,
    body: CreateFlow,
    once: Once | None = None,
    chosen: Mapping[WebhookId, str] = MappingProxyType({}),
) -> Flow:
    """Store a flow. Raises Forbidden for a step that the caller could not do; ValidationFailed for a webhook
    that does not exist or is of kind pull, for a connection that does not exist, for a URL that is not its
    API's, for a path that no event type has, and for an action's input; Conflict at the workspace's ceiling.
    `chosen` maps the webhooks that the caller chose outside of `steps` to the fields that name them.
    """
    definition = FlowDefinition.model_construct(trigger=body.trigger, steps=body.steps)
    scopes = _check(principal, definition, (), chosen)
    now = now_ms()
    flow = StoredFlow(
        workspace_id=principal.workspace_id,
        id=FlowId.new(now),
        name=body.name,
        description=body.description,
        status=body.status,
        definition=definition.to_json(),
        scopes=scopes,
        created_by=principal.id,
        saved_by=principal.id,
        created_at=now,
        updated_at=now,
    )
    response = _to_api(flow)
    store.create(flow, [once.complete_action(response)] if once else ())
    return response


def page_flows(workspace_id: str, status: FlowStatus | None, limit: int, cursor: str | None) -> Page[Flow]:
    """Flows, newest first."""
    return store.page(workspace_id, status=status, limit=limit, cursor=cursor).map(_to_api)


def get(principal: Principal, id: FlowId) -> Flow:
    """Raises NotFound, including for a flow of another workspace."""
    return _to_api(get_stored(principal.workspace_id, id))


def update(principal: Principal, id: FlowId, body: UpdateFlow, if_match: int | None = None) -> Flow:
    """Change the fields that `body` sets. A new trigger or new steps are checked as in `create`, against the
    rights of the caller, for whom the flow then acts. Raises NotFound, PreconditionFailed when `if_match` is
    not the current version, and the errors of `create`.
    """
    sent = body.model_fields_set

    def change(flow: StoredFlow) -> StoredFlow:
        body.check_read_only(_to_api(flow), flow.version)
        changes: dict[str, Any] = {name: getattr(body, name) for name in sent & {"name", "description"}}
        if sent & {"trigger", "steps"}:
            stored = _definition(flow.definition)
            definition = FlowDefinition.model_construct(
                trigger=body.trigger if "trigger" in sent else stored.trigger,
                steps=body.steps if "steps" in sent else stored.steps,
            )
            if definition.to_json() != flow.definition:
                changes["scopes"] = _check(principal, definition, _undescribed_paths(stored))
                changes |= {"definition": definition.to_json(), "saved_by": principal.id}
        is_changed = any(getattr(flow, name) != value for name, value in changes.items())
        return replace(flow, **changes) if is_changed else flow

    return _change(principal, id, change, if_match)


def set_status(principal: Principal, id: FlowId, body: SetFlowStatus, if_match: int | None = None) -> Flow:
    """Switch a flow on or off. A flow that is switched on acts for the caller from then on. Raises Forbidden
    when the caller could not do what its steps do; NotFound; PreconditionFailed; and ValidationFailed for a
    reason given for an active flow.
    """
    if body.status == "ACTIVE" and body.status_reason is not None:
        raise ValidationFailed.for_field("statusReason", "an active flow cannot have a reason; omit it")

    def change(flow: StoredFlow) -> StoredFlow:
        if (flow.status, flow.status_reason) == (body.status, body.status_reason):
            return flow
        changed = replace(flow, status=body.status, status_reason=body.status_reason)
        if body.status != "ACTIVE":
            return changed
        scopes = _check_scopes(principal, _definition(flow.definition).steps)
        return replace(changed, scopes=scopes, saved_by=principal.id)

    return _change(principal, id, change, if_match)


def delete(principal: Principal, id: FlowId, if_match: int | None = None) -> Empty:
    """Remove a flow. Its waiting runs are cancelled when their wait ends. Raises NotFound, and
    PreconditionFailed when `if_match` is not the current version.
    """
    for _ in range(_MAX_TRIES):
        flow = get_stored(principal.workspace_id, id)
        check_version("flow", flow.version, if_match)
        try:
            store.delete(flow)
        except store.FlowChanged:
            continue
        return Empty()
    raise write_conflict("flow")


def ids_with_gone(workspace_id: str) -> Iterator[FlowId]:
    """The IDs of a workspace's flows, including deleted ones that may still have runs."""
    return store.ids_with_gone(workspace_id)


def get_stored(workspace_id: str, id: FlowId) -> StoredFlow:
    """Raises NotFound, including for a flow of another workspace."""
    flow = store.get(workspace_id, id)
    if flow is None:
        raise NotFound("No flow with this ID.")
    return flow


# ── checks ───────────────────────────────────────────────────────────────────────────────────────────


def _check(
    principal: Principal,
    definition: FlowDefinition,
    accepted: Sequence[str],
    chosen: Mapping[WebhookId, str] = MappingProxyType({}),
) -> list[str]:
    """Check what depends on the caller, the catalogue and the workspace. Returns the scopes that the steps
    need. `accepted` are filter paths that stay valid if no event type has them; `chosen` as in `create`.
    """
    scopes = _check_scopes(principal, definition.steps)
    check_paths(principal, definition, accepted)
    for step in all_steps(definition.steps):
        if isinstance(step, FlowActionStep):
            _check_action_input(step)
        if isinstance(step, FlowRequestStep):
            _check_request(principal.workspace_id, step)
    _check_webhooks(principal.workspace_id, definition.steps, chosen)
    return scopes


def _check_scopes(principal: Principal, steps: Sequence[FlowStep]) -> list[str]:
    needed = {STEP_SCOPES[step.type]: step for step in all_steps(steps) if step.type in STEP_SCOPES}
    for scope, step in sorted(needed.items()):
        if scope not in principal.scopes:
            raise Forbidden(
                f"The step {step.id} needs the scope {scope}, which your credentials do not have. A flow "
                "can do only what the user who saves it can do."
            )
    return sorted(needed)


def check_paths(principal: Principal, definition: FlowDefinition, accepted: Sequence[str] = ()) -> None:
    """Raises ValidationFailed for event types that are reserved for the platform, and for filters on paths
    that none of the event types has, unless they are `accepted`.
    """
    trigger = definition.trigger
    webhooks.check_event_types("trigger.eventTypes", principal, trigger.event_types)
    paths = [filter.path for filter in trigger.filters]
    filter_paths.check(
        trigger.event_types, paths, accepted, field="trigger.filters.{}.path", noun="flow's trigger"
    )
    filter_paths.check(
        trigger.event_types,
        _paths_in_steps(definition),
        accepted,
        field="steps",
        noun="flow's trigger",
    )


def _undescribed_paths(definition: FlowDefinition) -> list[str]:
    """The filter paths in the event's data that none of the event types has."""
    trigger = definition.trigger
    paths = [*(filter.path for filter in trigger.filters), *_paths_in_steps(definition)]
    return filter_paths.undescribed(trigger.event_types, paths)


def _paths_in_steps(definition: FlowDefinition) -> list[str]:
    """The paths that filters and branches read in the event's data."""
    paths = [filter.path for step in all_steps(definition.steps) for filter in conditions(step)]
    return [path.removeprefix(_DATA) for path in paths if path.startswith(_DATA)]


def _check_action_input(step: FlowActionStep) -> None:
    """Raises ValidationFailed for an input that the action's schema can never accept. Filled-in values are
    checked when the step runs.
    """
    schema: dict[str, Any] = load_action(step.action).input
    for name in step.input:
        if name not in schema["properties"]:
            known = suggestions.did_you_mean(name, schema["properties"])
            raise ValidationFailed.for_field(
                "steps", f"step {step.id}: {step.action} has no input {name}{known}"
            )
    missing = sorted(set(schema["required"]) - step.input.keys())
    if missing:
        raise ValidationFailed.for_field("steps", f"step {step.id}: input.{missing[0]} is missing")
    if not any(True for _ in values.paths(step.input)):
        check_input(step.action, step.input)


def _check_request(workspace_id: str, step: FlowRequestStep) -> None:
    """Raises ValidationFailed for a connection that does not exist, and for a URL that would not get its
    token. Everything that is known only when the step runs is checked then.
    """
    try:
        location = api_access.locate(workspace_id, step.integration_id, ConnectionRef(step.connection_id))
        if location is not None:
            location.resolve(values.without_values(step.url))
        elif not step.url.startswith("/"):
            raise api_access.UrlRefused("the host of this API depends on the connection: use a path")
    except NotFound as missing:
        problem = (
            f"there is no connection {step.connection_id} of the integration {step.integration_id} "
            f"({missing.detail})"
        )
    except (api_access.UrlRefused, api_access.ApiUnknown) as refusal:
        problem = str(refusal)
    else:
        return
    raise ValidationFailed.for_field("steps", f"step {step.id}: {problem}")


def _check_webhooks(workspace_id: str, steps: Sequence[FlowStep], chosen: Mapping[WebhookId, str]) -> None:
    used: dict[WebhookId, str] = {
        step.webhook_id: step.id for step in all_steps(steps) if isinstance(step, FlowWebhookStep)
    }
    for id, step in used.items():
        problem = _problem_of_webhook(workspace_id, id)
        if problem is None:
            continue
        if id in chosen:
            raise ValidationFailed.for_field(chosen[id], problem)
        raise ValidationFailed.for_field("steps", f"step {step}: {problem}")


def _problem_of_webhook(workspace_id: str, id: WebhookId) -> str | None:
    """Why a step cannot send to a webhook; None if it can."""
    try:
        webhook = webhooks.get_stored(workspace_id, id)
    except NotFound:
        return f"there is no webhook {id}"
    if webhook.is_pull:
        return f"{id} is a pull webhook; choose a push webhook"
    return None


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _change(
    principal: Principal,
    id: FlowId,
    change: Callable[[StoredFlow], StoredFlow],
    if_match: int | None,
) -> Flow:
    """Store `change(flow)`. Stores nothing if `change` returns the flow that it was given."""
    for _ in range(_MAX_TRIES):
        old = get_stored(principal.workspace_id, id)
        check_version("flow", old.version, if_match)
        changed = change(old)
        if changed is old:
            return _to_api(old)
        new = replace(changed, updated_at=now_ms(), version=old.version + 1)
        try:
            store.replace(old, new)
        except store.FlowChanged:
            continue
        return _to_api(new)
    raise write_conflict("flow")


def _definition(stored: Definition) -> FlowDefinition:
    return FlowDefinition.model_validate(stored, strict=False)


def _to_api(flow: StoredFlow) -> Flow:
    definition = _definition(flow.definition)
    return Flow(
        id=flow.id,
        name=flow.name,
        description=flow.description,
        status=flow.status,
        status_reason=flow.status_reason,
        trigger=FlowTrigger.model_validate(definition.trigger),
        steps=definition.steps,
        scopes=list(flow.scopes),
        created_by=flow.created_by,
        saved_by=flow.saved_by,
        created_at=from_ms(flow.created_at),
        updated_at=from_ms(flow.updated_at),
        recent_runs=None,
        version=flow.version,
    )
