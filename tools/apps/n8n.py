"""Generates the catalogue for the n8n nodes, `apps/n8n/nodes/shared/catalogue.ts`: lists of n8n's node
properties. The nodes themselves are written by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from patchbay.catalogue.entries import Action, Entry, all_actions, resources
from patchbay.catalogue.schemas import allowed_types
from tools.apps.fields import Field, fields_of, title_of, triggers

PATH = "apps/n8n/nodes/shared/catalogue.ts"
# n8n's linter requires these words, because an ID can also come from an expression.
_FROM_A_LIST = (
    "{description} Choose from the list, or specify an ID using an "
    '<a href="https://docs.n8n.io/code/expressions/">expression</a>.'
)
_HEAD = """// Generated from the catalogue by `make derived`; do not edit.
import type { ILoadOptionsFunctions, INodeProperties, INodePropertyOptions } from 'n8n-workflow';

import { choices } from './api';
"""
_ACTION_FIELDS = """/** An action's resource, and the names of its fields that need conversion. */
interface ActionFields {
	resource: string;
	required: string[];
	times: string[];
	lists: string[];
}

"""
GET_MANY = "getMany"
_RUN_STATUSES = ("FAILED", "PENDING", "SUCCEEDED")


def files() -> dict[str, str]:
    """Return the text of the generated file by its path."""
    return {PATH: render()}


def render() -> str:
    """Return the text of the generated file."""
    loaders = ",\n".join(
        f"\t{loader_of(name)}(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {{\n"
        f"\t\treturn choices(this, '{name}');\n\t}}"
        for name in sorted(resources())
    )
    parts = [
        _HEAD,
        _constant("events", "INodePropertyOptions[]", _events()),
        "/** The types of each event's fields by path; `*` is any index of a list. */\n"
        + _constant("eventFields", "Record<string, Record<string, string>>", event_fields()),
        _constant("filterFields", "INodeProperties[]", filter_fields()),
        _constant("resources", "INodeProperties[]", resource_fields()),
        "/** The node's subtitle, by resource and operation. */\n"
        + _constant("operationLabels", "Record<string, string>", operation_labels()),
        _ACTION_FIELDS + _constant("actions", "Record<string, ActionFields>", _actions()),
        _constant("actionFields", "INodeProperties[]", action_fields()),
        "/** The list that Get Many reads, by resource. */\n"
        + _constant("lists", "Record<string, string>", {noun_of(name).lower(): name for name in _listed()}),
        _constant("listFields", "INodeProperties[]", list_fields()),
        f"/** Lists for dropdowns, by the name of their method. */\n"
        f"export const loadOptions = {{\n{loaders},\n}};\n",
    ]
    return "\n".join(parts)


def _constant(name: str, kind: str, value: object) -> str:
    return f"export const {name}: {kind} = {json.dumps(value, indent=2, ensure_ascii=False)};\n"


# ── the trigger ──────────────────────────────────────────────────────────────────────────────────────


def _events() -> list[dict[str, str]]:
    options = [
        {"name": entry.label, "value": entry.type, "description": entry.description.removesuffix(".")}
        for entry in triggers()
    ]
    return sorted(options, key=lambda option: option["name"])


def event_fields() -> dict[str, dict[str, str]]:
    """The type of a filter's value, for each path into an event's data."""
    return {entry.type: dict(_kinds("", entry.json_schema)) for entry in triggers()}


def _kinds(path: str, part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    (kind,) = [kind for kind in allowed_types(part) if kind != "null"]
    inner = f"{path}." if path else ""
    if path:
        kinds = {"array": "list", "integer": "number"}
        yield path, kinds.get(kind, kind)
    for name, property in part.get("properties", {}).items():
        yield from _kinds(f"{inner}{name}", property)
    if "items" in part:
        yield from _kinds(f"{inner}*", part["items"])


def filter_fields() -> list[dict[str, object]]:
    """A collection for each event, with a filter for each field that can equal a value. Times and lists are
    left to the advanced filters: no one waits for a certain millisecond.
    """
    return [
        {
            "displayName": "Filters",
            "name": "filters",
            "type": "collection",
            "placeholder": "Add Filter",
            "default": {},
            "description": "Only events that have all of these values start the workflow",
            "displayOptions": {"show": {"event": [entry.type]}},
            "options": sorted(
                (_property(replace(field, is_required=False)) for field in filterable(entry)), key=_name
            ),
        }
        for entry in triggers()
    ]


def filterable(entry: Entry) -> list[Field]:
    """The fields of an event that can have a filter. The name of an object with an ID field is left out,
    because the ID's dropdown shows the names.
    """
    fields = list(fields_of(entry.json_schema))
    chosen = {field.name.removesuffix("Id") + "Name" for field in fields if field.choices}
    return [
        field
        for field in fields
        if not field.is_list
        and field.kind != "object"
        and field.format != "date-time"
        and field.name not in chosen
    ]


# ── the actions ──────────────────────────────────────────────────────────────────────────────────────


def resource_fields() -> list[dict[str, object]]:
    """The node's resources, and the operations of each."""
    nouns = sorted({action.noun for action in all_actions()} | {"Run"} | set(map(noun_of, _listed())))
    properties: list[dict[str, object]] = [
        {
            "displayName": "Resource",
            "name": "resource",
            "type": "options",
            "noDataExpression": True,
            "default": "post",
            "options": [{"name": noun, "value": noun.lower()} for noun in nouns],
        }
    ]
    for noun in nouns:
        options = _operations(noun)
        properties.append(
            {
                "displayName": "Operation",
                "name": "operation",
                "type": "options",
                "noDataExpression": True,
                "default": options[0]["value"],
                "displayOptions": {"show": {"resource": [noun.lower()]}},
                "options": options,
            }
        )
    return properties


def _operations(noun: str) -> list[dict[str, str]]:
    options = [_operation(action) for action in all_actions() if action.noun == noun]
    many = _plural(noun).lower()
    if noun == "Run":
        options.append(
            {
                "name": "Get",
                "value": "get_run",
                "description": "Get the result of an action",
                "action": "Get a run",
            }
        )
        options.append(_get_many("Get the runs of actions, with their results", many))
    elif noun in map(noun_of, _listed()):
        options.append(_get_many(f"Get the {many} that you can choose from", many))
    return sorted(options, key=lambda option: option["name"])


def _get_many(description: str, many: str) -> dict[str, str]:
    return {
        "name": "Get Many",
        "value": GET_MANY,
        "description": description,
        "action": f"Get many {many}",
    }


def operation_labels() -> dict[str, str]:
    """The node's subtitle by resource and operation: Create Post, Get Many Accounts."""
    labels = {f"{action.noun.lower()} {action.key}": action.label for action in all_actions()}
    labels["run get_run"] = "Get Run"
    for noun in ("Run", *map(noun_of, _listed())):
        labels[f"{noun.lower()} {GET_MANY}"] = f"Get Many {_plural(noun)}"
    return labels


def _listed() -> list[str]:
    return sorted(resources())


def noun_of(resource: str) -> str:
    """The noun for an item of a list of choices: `accounts` becomes Account."""
    singular = f"{resource[:-3]}y" if resource.endswith("ies") else resource.removesuffix("s")
    return title_of(singular)


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def list_fields() -> list[dict[str, object]]:
    """The fields of Get Many."""
    listed = [noun_of(name).lower() for name in _listed()]
    show = {"operation": [GET_MANY]}
    search: dict[str, object] = {
        "displayName": "Search",
        "name": "search",
        "type": "string",
        "default": "",
        "description": "Text that the label contains, or that the ID starts with",
    }
    status: dict[str, object] = {
        "displayName": "Status",
        "name": "status",
        "type": "options",
        "default": _RUN_STATUSES[0],
        "description": "The status of the run",
        "options": [{"name": title_of(status.lower()), "value": status} for status in _RUN_STATUSES],
    }
    filters: list[dict[str, object]] = [
        {
            "displayName": "Filters",
            "name": "filters",
            "type": "collection",
            "placeholder": "Add Filter",
            "default": {},
            "displayOptions": {"show": {**show, "resource": nouns}},
            "options": [option],
        }
        for nouns, option in ((listed, search), (["run"], status))
    ]
    return [
        {
            "displayName": "Return All",
            "name": "returnAll",
            "type": "boolean",
            "default": False,
            "displayOptions": {"show": show},
            "description": "Whether to return all results or only up to a given limit",
        },
        {
            "displayName": "Limit",
            "name": "limit",
            "type": "number",
            "typeOptions": {"minValue": 1},
            "default": 50,
            "displayOptions": {"show": {**show, "returnAll": [False]}},
            "description": "Max number of results to return",
        },
        *filters,
    ]


def _operation(action: Action) -> dict[str, str]:
    # The operation of Create Post is Create, and that of Reply to Message is Reply.
    before = action.label.removesuffix(action.noun).strip()
    verb = before.removesuffix(" to")
    article = "an" if action.noun[0] in "AEIOU" else "a"
    return {
        "name": verb,
        "value": action.key,
        "description": action.description.removesuffix("."),
        "action": f"{before[0]}{before[1:].lower()} {article} {action.noun.lower()}",
    }


def action_fields() -> list[dict[str, object]]:
    """The fields of each action: the required ones, then a collection of additional fields."""
    properties: list[dict[str, object]] = []
    for action in all_actions():
        display = {"show": {"resource": [action.noun.lower()], "operation": [action.key]}}
        fields = list(fields_of(action.input))
        properties += [
            {**_property(field), "displayOptions": display} for field in fields if field.is_required
        ]
        rest = sorted((_property(field) for field in fields if not field.is_required), key=_name)
        if rest:
            properties.append(
                {
                    "displayName": "Additional Fields",
                    "name": "additionalFields",
                    "type": "collection",
                    "placeholder": "Add Field",
                    "default": {},
                    "displayOptions": display,
                    "options": rest,
                }
            )
    return properties


def _name(property: dict[str, object]) -> str:
    return str(property["displayName"])


def _actions() -> dict[str, dict[str, object]]:
    return {
        action.key: {
            "resource": action.noun.lower(),
            "required": [field.name for field in fields_of(action.input) if field.is_required],
            "times": [field.name for field in fields_of(action.input) if field.format == "date-time"],
            "lists": [field.name for field in fields_of(action.input) if field.is_list],
        }
        for action in all_actions()
    }


def _property(field: Field) -> dict[str, object]:
    """The node property of a field."""
    property: dict[str, object] = {
        "displayName": f"{field.title.removesuffix(' ID')} Name or ID" if field.choices else field.title,
        "name": field.name,
        "type": "string",
        "default": "",
        "description": field.description.removesuffix("."),
    }
    if field.is_required:
        property["required"] = True
    if field.choices:
        description = _FROM_A_LIST.format(description=field.description)
        return {
            **property,
            "type": "options",
            "typeOptions": {"loadOptionsMethod": loader_of(field.choices)},
            "description": description,
        }
    if field.options:
        options = sorted(filter(None, field.options))
        return {
            **property,
            "type": "options",
            "default": options[0],
            "options": [{"name": title_of(option), "value": option} for option in options],
        }
    if field.is_list:
        return {**property, "typeOptions": {"multipleValues": True}, "default": []}
    if field.kind == "boolean":
        return {**property, "type": "boolean", "default": False}
    if field.kind in ("integer", "number"):
        return {**property, "type": "number", "default": 0}
    if field.format == "date-time":
        description = f"{property['description']}, in the workflow's timezone unless it has an offset"
        return {**property, "type": "dateTime", "description": description}
    if field.is_multiline:
        return {**property, "typeOptions": {"rows": 4}}
    return property


def loader_of(resource: str) -> str:
    """The name of the method that loads a list for a dropdown."""
    return f"get{resource.title().replace('_', '')}"
