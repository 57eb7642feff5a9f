"""The links of responses: the operations that take values of a response, and where they take them.
https://spec.openapis.org/oas/v3.1.0#link-object

Two rules derive them. The parent of `/{…}` is a collection: what it creates or lists links to the operations
of the item. The ID of a new resource, or of one in a list elsewhere, links to the operations of its kind's
collection, and to the lists that it filters. Links that no path or type shows are in `_ITEMS` and `_BODIES`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, RootModel

from patchbay.api_model import Listing
from patchbay.http.file import File
from patchbay.ids import ConnectionId, ConnectionRef, Id
from tools.openapi.operations import Model, Operation, members_of

Json = dict[str, Any]
# The field of a response that is a field of another operation's body: source, target, field of both.
_BODIES = [
    ("initiateOauth", "completeOauth", "state"),
    ("createApiKey", "verifyApiKey", "key"),
    ("rotateApiKey", "verifyApiKey", "key"),
    ("completeOauth", "refreshConnection", "connectionId"),
]
# Only a marketplace item can be installed, and only a connection refreshed: their paths do not show that.
_ITEMS = [
    ("browseMarketplace", "installIntegration"),
    ("getListing", "installIntegration"),
    ("completeOauth", "refreshConnection"),
]


class Value(NamedTuple):
    """A field of a response: its type, and the runtime expression that reads it."""

    kind: type
    expression: str


def links_of(source: Operation, model: Model, operations: Sequence[Operation]) -> Json:
    """The links of a successful response, by the ID of the target operation."""
    values = _values(model)
    found: Json = {}
    for target in _targets(source, model, values, operations):
        parameters = _arguments(source, target, values)
        if target is not source and parameters:
            found[target.id] = {"operationId": target.id, "parameters": parameters}
    if _is_new(source, values):
        for target in operations:
            if name := _filter_by(target, values["id"].kind):
                expression = values["id"].expression
                found[target.id] = {"operationId": target.id, "parameters": {name: expression}}
    for name, target_id, field in _BODIES:
        if name == source.id:
            link = found.setdefault(target_id, {"operationId": target_id})
            link["requestBody"] = {field: values[field].expression}
    return found


def _targets(
    source: Operation, model: Model, values: Mapping[str, Value], operations: Sequence[Operation]
) -> list[Operation]:
    """The operations of the item in the response. A list whose path also creates items links only to reads:
    the response of the creation has the links to changes.
    """
    named = [target for target in operations if (source.id, target.id) in _ITEMS]
    elsewhere = {target for _, target in _ITEMS}
    others = [target for target in operations if not target.public and target.id not in elsewhere]
    items = [target for target in others if target.path.startswith(f"{source.path}/{{")]
    is_list = source.method == "GET" and _item_of(model) is not None
    if is_list and any((each.method, each.path) == ("POST", source.path) for each in operations):
        return named + [target for target in items if target.method == "GET"]
    if items:
        return named + items
    if _is_new(source, values) or (issubclass(model, Listing) and "id" in values):
        return named + _of_kind(values["id"].kind, others)
    return named


def _is_new(source: Operation, values: Mapping[str, Value]) -> bool:
    """Whether the response has a resource that the request did not name."""
    if source.method != "POST" or "id" not in values:
        return False
    return values["id"].kind not in source.path_types.values() or source.located_status is not None


def _of_kind(kind: type, operations: Sequence[Operation]) -> list[Operation]:
    """The operations on resources with this kind of ID, in the collection with the most such operations."""
    found = [
        (home, each)
        for each in operations
        if issubclass(kind, Id) and (home := _home(each, kind)) is not None
    ]
    sizes = Counter(home for home, _ in found)
    return [each for home, each in found if sizes[home] == max(sizes.values())]


def _home(operation: Operation, kind: type) -> str | None:
    """The path before the parameter of this kind."""
    for name, its_kind in operation.path_types.items():
        if _accepts(its_kind, kind):
            return operation.path.partition(f"/{{{name}}}")[0]
    return None


def _arguments(source: Operation, target: Operation, values: Mapping[str, Value]) -> dict[str, str] | None:
    """The expression of each parameter of the target's path. None if one is unknown, or if all are those of
    the request.
    """
    item = target.path.removeprefix(source.path) if target.path.startswith(f"{source.path}/{{") else ""
    item_name = next(iter(re.findall(r"^/\{(\w+)\}", item)), None)
    found: dict[str, str] = {}
    for name, kind in target.path_types.items():
        if name == item_name and (value := values.get(name) or values.get("id")):
            found[name] = value.expression
        elif expression := _of_response(name, kind, values) or _of_request(name, kind, source):
            found[name] = expression
        else:
            return None
    return found if any("$response" in each for each in found.values()) else None


def _of_response(name: str, kind: type, values: Mapping[str, Value]) -> str | None:
    """The field of this kind of ID, the resource's own first; otherwise that of the same name."""
    ordered = sorted(values.items(), key=lambda each: each[0] != "id")
    if issubclass(kind, Id | ConnectionRef):
        return next((value.expression for _, value in ordered if _accepts(kind, value.kind)), None)
    return values[name].expression if name in values else None


def _of_request(name: str, kind: type, source: Operation) -> str | None:
    return f"$request.path.{name}" if source.path_types.get(name) is kind else None


def _accepts(parameter: type, value: type) -> bool:
    return parameter is value or (parameter is ConnectionRef and value is ConnectionId)


def _filter_by(target: Operation, kind: type) -> str | None:
    """The parameter of the target's query that filters by this kind of ID."""
    fields = target.query.model_fields if target.query and issubclass(kind, Id) else {}
    for name, field in fields.items():
        if kind in members_of(field.annotation) and not target.path_types:
            return field.alias or name
    return None


# ── values of a response ─────────────────────────────────────────────────────────────────────────────


def _values(model: Model) -> dict[str, Value]:
    """The texts in a response; those of the first item if it is a list."""
    item = _item_of(model)
    prefix = "" if item is None else "0/" if issubclass(model, RootModel) else "items/0/"
    return {
        name: Value(kind, f"$response.body#/{prefix}{name}")
        for name, kind in _texts(model if item is None else item)
    }


def _item_of(model: Model) -> Model | None:
    """The model of a list's items: `items`, or the whole body. Of a union, it is the first: the success."""
    field = model.model_fields.get("root" if issubclass(model, RootModel) else "items")
    for kind in members_of(field.annotation) if field else ():
        if get_origin(kind) in (list, tuple):
            member = members_of(get_args(kind)[0])[0]
            return member if isinstance(member, type) and issubclass(member, BaseModel) else None
    return None


def _texts(model: Model) -> Iterator[tuple[str, type]]:
    for name, field in model.model_fields.items():
        for kind in members_of(field.annotation):
            if isinstance(kind, type) and issubclass(kind, str) and not issubclass(model, File):
                yield field.alias or name, kind
