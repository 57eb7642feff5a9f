"""What the n8n nodes know of the catalogue: `apps/n8n/nodes/shared/catalogue.ts`, lists of n8n's own node
properties. The nodes themselves are written by hand.
"""

from __future__ import annotations

import json
from typing import Any

from patchbay.catalogue.entries import Action, all_actions, resources
from tools.apps.fields import Field, fields_of, triggers, words

PATH = "apps/n8n/nodes/shared/catalogue.ts"
# n8n's linter wants it in these words, for an id can also come from an expression.
_FROM_A_LIST = (
    "{description} Choose from the list, or specify an ID using an "
    '<a href="https://docs.n8n.io/code/expressions/">expression</a>.'
)
_HEAD = """// Made of the catalogue by `make derived`; not to be edited.
import type { ILoadOptionsFunctions, INodeProperties, INodePropertyOptions } from 'n8n-workflow';

import { choices } from './api';
"""


def files() -> dict[str, str]:
    """The one file, by its path."""
    return {PATH: render()}


def render() -> str:
    """The file's text."""
    lists = ",\n".join(
        f"\t{loader_of(name)}(this: ILoadOptionsFunctions): Promise<INodePropertyOptions[]> {{\n"
        f"\t\treturn choices(this, '{name}');\n\t}}"
        for name in sorted(resources())
    )
    filters = {entry.key: _filters(entry.json_schema) for entry in triggers()}
    parts = [
        _HEAD,
        _constant("events", "INodePropertyOptions[]", _events()),
        _constant("filterPaths", "Record<string, string[]>", {k: v for k, v in filters.items() if v}),
        _constant("filterFields", "INodeProperties[]", filter_fields()),
        _constant("resources", "INodeProperties[]", resource_fields()),
        _constant("operations", "Record<string, string[]>", {a.key: _required(a) for a in all_actions()}),
        _constant("actionFields", "INodeProperties[]", action_fields()),
        f"/** Lists to choose from, by the name of their method. */\n"
        f"export const loadOptions = {{\n{lists},\n}};\n",
    ]
    return "\n".join(parts)


def _constant(name: str, kind: str, value: Any) -> str:
    return f"export const {name}: {kind} = {json.dumps(value, indent=2, ensure_ascii=False)};\n"


# ── the trigger ──────────────────────────────────────────────────────────────────────────────────────


def _events() -> list[dict[str, Any]]:
    options = [
        {"name": entry.label, "value": entry.key, "description": entry.description.removesuffix(".")}
        for entry in triggers()
    ]
    return sorted(options, key=lambda option: option["name"])


def _filters(schema: dict[str, Any]) -> list[str]:
    return [field.name for field in fields_of(schema) if field.choices]


def filter_fields() -> list[dict[str, Any]]:
    """A dropdown for each field that takes ids, shown with the events that have it."""
    shown: dict[str, tuple[Field, list[str]]] = {}
    for entry in triggers():
        for field in fields_of(entry.json_schema):
            if field.choices:
                shown.setdefault(field.name, (field, []))[1].append(entry.key)
    return [
        {
            **_property(field),
            "required": False,
            "description": _FROM_A_LIST.format(description="Only what has this; leave it empty for all."),
            "displayOptions": {"show": {"event": keys}},
        }
        for field, keys in shown.values()
    ]


# ── the actions ──────────────────────────────────────────────────────────────────────────────────────


def resource_fields() -> list[dict[str, Any]]:
    """What the node acts on, and what it does with it."""
    nouns = sorted({action.noun for action in all_actions()} | {"Run"})
    found: list[dict[str, Any]] = [
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
        options = [_operation(action) for action in all_actions() if action.noun == noun]
        if noun == "Run":
            options = [
                {
                    "name": "Get",
                    "value": "get_run",
                    "description": "Reads how an action stands, and what came of it",
                    "action": "Get a run",
                }
            ]
        options.sort(key=lambda option: str(option["name"]))
        found.append(
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
    return found


def _operation(action: Action) -> dict[str, str]:
    # Create Post is Create, of the resource Post; Reply to Message is Reply.
    verb = action.label.removesuffix(action.noun).strip().removesuffix(" to")
    article = "an" if action.noun[0] in "AEIOU" else "a"
    before = action.label.removesuffix(action.noun).strip()
    return {
        "name": verb,
        "value": action.key,
        "description": action.description.removesuffix("."),
        "action": f"{before[0]}{before[1:].lower()} {article} {action.noun.lower()}",
    }


def action_fields() -> list[dict[str, Any]]:
    """The fields of each action: what it requires, then the rest as additional ones."""
    found: list[dict[str, Any]] = []
    for action in all_actions():
        shown = {"show": {"resource": [action.noun.lower()], "operation": [action.key]}}
        fields = list(fields_of(action.input))
        found += [{**_property(field), "displayOptions": shown} for field in fields if field.is_required]
        rest = sorted((_property(field) for field in fields if not field.is_required), key=_name)
        if rest:
            found.append(
                {
                    "displayName": "Additional Fields",
                    "name": "additionalFields",
                    "type": "collection",
                    "placeholder": "Add Field",
                    "default": {},
                    "displayOptions": shown,
                    "options": rest,
                }
            )
    return found


def _name(shown: dict[str, Any]) -> str:
    return str(shown["displayName"])


def _required(action: Action) -> list[str]:
    return [field.name for field in fields_of(action.input) if field.is_required]


def _property(field: Field) -> dict[str, Any]:
    """A field as n8n's node property."""
    shown: dict[str, Any] = {
        "displayName": f"{field.title.removesuffix(' ID')} Name or ID" if field.choices else field.title,
        "name": field.name,
        "type": "string",
        "default": "",
        "description": field.description.removesuffix("."),
    }
    if field.is_required:
        shown["required"] = True
    if field.choices:
        description = _FROM_A_LIST.format(description=field.description)
        return {
            **shown,
            "type": "options",
            "typeOptions": {"loadOptionsMethod": loader_of(field.choices)},
            "description": description,
        }
    if field.options:
        options = sorted(field.options)
        return {
            **shown,
            "type": "options",
            "default": options[0],
            "options": [{"name": words(option), "value": option} for option in options],
        }
    if field.is_list:
        return {**shown, "typeOptions": {"multipleValues": True}, "default": []}
    if field.kind == "boolean":
        return {**shown, "type": "boolean", "default": False}
    if field.format == "date-time":
        return {**shown, "type": "dateTime"}
    if field.is_multiline:
        return {**shown, "typeOptions": {"rows": 4}}
    return shown


def loader_of(resource: str) -> str:
    """The method that loads a list for a dropdown."""
    return f"get{resource.title().replace('_', '')}"
