"""What n8n's linter does not see of properties that are made: it reads literals in the nodes' own files."""

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


def problems(filters: Properties, choosing: Properties, actions: Properties) -> list[str]:
    """What is wrong with the trigger's filters, the node's resources and operations, and its fields."""
    return [
        *(problem for field in _each([*filters, *choosing, *actions]) for problem in _property(field)),
        *_operations(choosing),
        *_fields(choosing, actions),
        *_filters(filters),
    ]


def _each(fields: Properties) -> Iterator[Mapping[str, Any]]:
    for field in fields:
        yield field
        if field["type"] == "collection":
            yield from _each(field["options"])


def _property(field: Mapping[str, Any]) -> Iterator[str]:
    where = field["name"]
    words = str(field["displayName"]).split(" ")
    if not all(word[:1].isupper() or word in ("or", "to", "of", "the", "for") for word in words):
        yield f"{where}: {field['displayName']!r} is not in title case"
    if str(field.get("description", "")).endswith(".") and _EXPRESSION not in field["description"]:
        yield f"{where}: a description of one sentence has no full stop"
    if field["type"] == "collection":
        names = [str(option["displayName"]) for option in field["options"]]
        if names != sorted(names):
            yield f"{where}: its fields are not in order"
        return
    method = field.get("typeOptions", {}).get("loadOptionsMethod")
    if method is not None:
        if method not in map(loader_of, resources()):
            yield f"{where}: nobody loads {method}"
        if not (
            str(field["displayName"]).endswith(" Name or ID") and field["description"].endswith(_EXPRESSION)
        ):
            yield f"{where}: does not say that it takes an ID, too"
    elif field["type"] == "options":
        values = [option["value"] for option in field["options"]]
        if field["default"] not in values:
            yield f"{where}: its default is no option"
        yield from (f"{where}: {value} twice" for value, count in Counter(values).items() if count > 1)
        names = [str(option["name"]) for option in field["options"]]
        if names != sorted(names):
            yield f"{where}: its options are not in order"


def _operations(choosing: Properties) -> Iterator[str]:
    values = [
        (resource, option["value"])
        for field in choosing
        if field["name"] == "operation"
        for resource in field["displayOptions"]["show"]["resource"]
        for option in field["options"]
    ]
    yield from (
        f"operation {value} of {resource} twice"
        for (resource, value), count in Counter(values).items()
        if count > 1
    )
    yield from (f"no operation {key}" for key in sorted(catalogue.ACTIONS - {value for _, value in values}))
    (nouns,) = [field["options"] for field in choosing if field["name"] == "resource"]
    shown = {resource for resource, _ in values}
    yield from (f"resource {noun['value']} has no operations" for noun in nouns if noun["value"] not in shown)
    yield from (
        f"nothing lists {name}"
        for name in sorted(resources())
        if (noun_of(name).lower(), GET_MANY) not in values
    )
    yield from (
        f"{resource} {value} has no label"
        for resource, value in values
        if f"{resource} {value}" not in operation_labels()
    )


def _fields(choosing: Properties, actions: Properties) -> Iterator[str]:
    for key in sorted(catalogue.ACTIONS):
        own = [field for field in actions if key in field["displayOptions"]["show"]["operation"]]
        found = {field["name"]: bool(field.get("required")) for field in own if field["type"] != "collection"}
        found |= {
            option["name"]: False
            for field in own
            if field["type"] == "collection"
            for option in field["options"]
        }
        wanted = {field.name: field.is_required for field in fields_of(load_action(key).input)}
        if found != wanted:
            yield f"{key}: its fields are {found}, the catalogue's {wanted}"


def _filters(filters: Properties) -> Iterator[str]:
    found = {
        (event, option["name"]): option["type"]
        for field in filters
        for event in field["displayOptions"]["show"]["event"]
        for option in field["options"]
    }
    wanted = {
        (event, field.name): field.kind
        for event in catalogue.TRIGGERS
        for field in filterable(load_entry(event))
    }
    yield from (f"{event}: no filter for {name}" for event, name in sorted(wanted.keys() - found.keys()))
    yield from (
        f"{event}: a filter for {name}, which it does not have"
        for event, name in sorted(found.keys() - wanted.keys())
    )
    for (event, name), kind in sorted(wanted.items()):
        types = {"boolean": ["boolean"], "integer": ["number"], "number": ["number"]}
        if found.get((event, name), "") not in [*types.get(kind, ["string", "options"]), ""]:
            yield f"{event}: the filter for {name} gives no {kind}"
