"""Checks the generated node properties: n8n's linter only reads literals in the nodes' own files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from patchbay import catalogue
from patchbay.catalogue.entries import load_action, load_entry, resources
from tools.apps.fields import fields_of
from tools.apps.n8n import GET_MANY, filterable, loader_of, noun_of, operation_labels

_EXPRESSION = '<a href="https://docs.n8n.io/code/expressions/">expression</a>.'

Properties = Sequence[Mapping[str, Any]]


def problems(filters: Properties, selectors: Properties, actions: Properties) -> list[str]:
    """Return the faults of the trigger's filters, the node's resources and operations, and its fields."""
    return [
        *(problem for field in _nested([*filters, *selectors, *actions]) for problem in _property(field)),
        *_operations(selectors),
        *_fields(actions),
        *_filters(filters),
    ]


def _nested(fields: Properties) -> Iterator[Mapping[str, Any]]:
    for field in fields:
        yield field
        if field["type"] == "collection":
            yield from _nested(field["options"])


def _property(field: Mapping[str, Any]) -> Iterator[str]:
    where = field["name"]
    words = str(field["displayName"]).split(" ")
    if not all(word[:1].isupper() or word in ("or", "to", "of", "the", "for") for word in words):
        yield f"{where}: {field['displayName']!r} is not in title case"
    if str(field.get("description", "")).endswith(".") and _EXPRESSION not in field["description"]:
        yield f"{where}: its description ends with a period"
    if field["type"] == "collection":
        names = [str(option["displayName"]) for option in field["options"]]
        if names != sorted(names):
            yield f"{where}: its fields are not sorted"
        return
    method = field.get("typeOptions", {}).get("loadOptionsMethod")
    if method is not None:
        if method not in map(loader_of, resources()):
            yield f"{where}: unknown method {method}"
        if not (
            str(field["displayName"]).endswith(" Name or ID") and field["description"].endswith(_EXPRESSION)
        ):
            yield f"{where}: does not say that it also accepts an ID"
    elif field["type"] == "options":
        values = [option["value"] for option in field["options"]]
        if field["default"] not in values:
            yield f"{where}: its default is not an option"
        yield from (
            f"{where}: duplicate option {value}" for value, count in Counter(values).items() if count > 1
        )
        names = [str(option["name"]) for option in field["options"]]
        if names != sorted(names):
            yield f"{where}: its options are not sorted"


def _operations(selectors: Properties) -> Iterator[str]:
    values = [
        (resource, option["value"])
        for field in selectors
        if field["name"] == "operation"
        for resource in field["displayOptions"]["show"]["resource"]
        for option in field["options"]
    ]
    yield from (
        f"duplicate operation {value} of {resource}"
        for (resource, value), count in Counter(values).items()
        if count > 1
    )
    yield from (f"no operation {key}" for key in sorted(catalogue.ACTIONS - {value for _, value in values}))
    (nouns,) = [field["options"] for field in selectors if field["name"] == "resource"]
    shown = {resource for resource, _ in values}
    yield from (f"resource {noun['value']} has no operations" for noun in nouns if noun["value"] not in shown)
    yield from (
        f"no operation lists {name}"
        for name in sorted(resources())
        if (noun_of(name).lower(), GET_MANY) not in values
    )
    yield from (
        f"{resource} {value} has no label"
        for resource, value in values
        if f"{resource} {value}" not in operation_labels()
    )


def _fields(actions: Properties) -> Iterator[str]:
    for key in sorted(catalogue.ACTIONS):
        shown = [field for field in actions if key in field["displayOptions"]["show"]["operation"]]
        actual = {
            field["name"]: bool(field.get("required")) for field in shown if field["type"] != "collection"
        }
        actual |= {
            option["name"]: False
            for field in shown
            if field["type"] == "collection"
            for option in field["options"]
        }
        expected = {field.name: field.is_required for field in fields_of(load_action(key).input)}
        if actual != expected:
            yield f"{key}: its fields are {actual}, the catalogue's are {expected}"


def _filters(filters: Properties) -> Iterator[str]:
    actual = {
        (event, option["name"]): option["type"]
        for field in filters
        for event in field["displayOptions"]["show"]["event"]
        for option in field["options"]
    }
    expected = {
        (event, field.name): field.kind
        for event in catalogue.TRIGGERS
        for field in filterable(load_entry(event))
    }
    yield from (f"{event}: no filter for {name}" for event, name in sorted(expected.keys() - actual.keys()))
    yield from (
        f"{event}: a filter for {name}, which the event does not have"
        for event, name in sorted(actual.keys() - expected.keys())
    )
    for (event, name), kind in sorted(expected.items()):
        types = {"boolean": ["boolean"], "integer": ["number"], "number": ["number"]}
        if actual.get((event, name), "") not in [*types.get(kind, ["string", "options"]), ""]:
            yield f"{event}: the filter for {name} is not of type {kind}"
