"""Templates of flows: lists them, and creates flows from them.

The catalogue has the templates. The caller's choices are filled in, and the flow is created like any other,
with the same checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from patchbay import suggestions
from patchbay.api_model import Listing, validate
from patchbay.auth.principal import Principal
from patchbay.catalogue import flow_templates
from patchbay.catalogue.flow_templates import FlowPlan
from patchbay.errors import FieldError
from patchbay.field_errors import validation_failed
from patchbay.flows import service
from patchbay.flows.models import CreateFlow, Flow, FlowTemplate, FlowTemplateKey, FlowTrigger, InstallFlow
from patchbay.flows.turn import all_steps
from patchbay.ids import WebhookId

if TYPE_CHECKING:
    from patchbay.idempotency import Once


def list_templates() -> Listing[FlowTemplate]:
    """All templates, by key, on one page."""
    return Listing(items=[_to_api(flow_templates.load(key)) for key in flow_templates.all_keys()])


def install(principal: Principal, key: FlowTemplateKey, body: InstallFlow, once: Once | None = None) -> Flow:
    """Store a flow made from a template and the caller's choices. Raises ValidationFailed for an invalid
    choice, and the errors of `service.create`.
    """
    plan = flow_templates.load(key)
    errors = list(_errors(plan, body.choices))
    if errors:
        raise validation_failed(errors)
    chosen = {
        WebhookId(body.choices[choice.key]): f"choices.{choice.key}"
        for choice in plan.choices
        if choice.type == "webhook"
    }
    return service.create(principal, _fill_in(plan, body), once, chosen)


def _errors(plan: FlowPlan, choices: Mapping[str, str]) -> Iterator[FieldError]:
    known = [choice.key for choice in plan.choices]
    for key in sorted(choices.keys() - known):
        near = suggestions.did_you_mean(key, known)
        yield FieldError(f"choices.{key}", f"the template has no choice with this key{near}")
    for choice in plan.choices:
        path = f"choices.{choice.key}"
        if choice.key not in choices:
            yield FieldError(path, f"is missing. {choice.label}: {choice.description}")
        elif choice.type == "webhook":
            try:
                WebhookId.parse(choices[choice.key])
            except ValueError as error:
                yield FieldError(path, str(error))


def _fill_in(plan: FlowPlan, body: InstallFlow) -> CreateFlow:
    flow = {
        "name": body.name or plan.name,
        "description": plan.description if body.description is None else body.description,
        "status": body.status,
        "trigger": plan.trigger.model_dump(mode="json", by_alias=True),
        "steps": _replaced(plan.steps, {f"{{{{choices.{key}}}}}": id for key, id in body.choices.items()}),
    }
    return validate(CreateFlow, flow)


def _replaced(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return ids.get(value, value)
    if isinstance(value, Mapping):
        return {name: _replaced(inner, ids) for name, inner in value.items()}
    return [_replaced(inner, ids) for inner in value] if isinstance(value, list) else value


def _to_api(plan: FlowPlan) -> FlowTemplate:
    steps: list[dict[str, Any]] = plan.steps
    types = {step["type"] for step in all_steps(steps)}
    return FlowTemplate(
        key=plan.key,
        name=plan.name,
        description=plan.description,
        trigger=FlowTrigger(type="event", event_types=plan.trigger.event_types, filters=plan.trigger.filters),
        choices=plan.choices,
        steps=steps,
        scopes=sorted(service.STEP_SCOPES[type] for type in types & service.STEP_SCOPES.keys()),
    )
