"""Lists the changes between two documents: `make api-changes BASE=`, with a Git revision.

Exits with 1 if a change breaks clients, by the rules of docs/reference/versioning.md: a request that was
valid must stay valid, and a response must still have what it had. (oasdiff, which does the same, is a Go
program; the packages for Node and Python do not support OpenAPI 3.1.)
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from local.settings import ROOT

Json = dict[str, Any]

# Keywords for which a larger value allows less, and those for which a smaller value does.
_LOWER_BOUNDS = ("minimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS = ("maximum", "maxLength", "maxItems", "maxProperties")


class Change(NamedTuple):
    """One change, at a place such as `createWebhook request.name`."""

    is_breaking: bool
    place: str
    what: str


def changes(old: Json, new: Json) -> list[Change]:
    """Every change from `old` to `new`, the breaking ones first."""
    return sorted({*_Comparison(old, new).run()}, key=lambda change: (not change.is_breaking, change))


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._compared: set[tuple[str, str, bool]] = set()

    def run(self) -> Iterator[Change]:
        old, new = _operations(self._old), _operations(self._new)
        yield from _gone_and_new(old, new, "", "operation")
        for key in old.keys() & new.keys():
            yield from self._operation(old[key], new[key])
        yield from _gone_and_new(self._old["webhooks"], self._new["webhooks"], "", "event type")
        for name in self._old["webhooks"].keys() & self._new["webhooks"].keys():
            before, after = (_body(side["webhooks"][name]["post"]) for side in (self._old, self._new))
            yield from self._schema(before, after, f"event {name}", is_request=False)

    def _operation(self, old: Json, new: Json) -> Iterator[Change]:
        place = new["operationId"]
        for name in ("operationId", "x-sdk-group", "x-sdk-method", "x-required-scope"):
            if old.get(name) != new.get(name):
                is_dropped_scope = name == "x-required-scope" and new.get(name) is None
                yield Change(not is_dropped_scope, place, f"{name} is {new.get(name)}, not {old.get(name)}")
        if new.get("security") and not old.get("security"):
            yield Change(True, place, "credentials are required")
        yield from self._parameters(old, new, place)
        if "requestBody" in new:
            was_required = old.get("requestBody", {}).get("required", False)
            if new["requestBody"].get("required") and not was_required:
                yield Change(True, place, "a body is required")
            if "requestBody" in old:
                yield from self._schema(_body(old), _body(new), f"{place} request", is_request=True)
        elif "requestBody" in old:
            yield Change(True, place, "no body is accepted")
        for status, response in old["responses"].items():
            if not status.startswith("2"):
                continue
            if status not in new["responses"]:
                yield Change(True, place, f"status {status} is gone")
                continue
            after = _content(new["responses"][status])
            yield from self._schema(_content(response), after, f"{place} {status}", is_request=False)

    def _parameters(self, old: Json, new: Json, place: str) -> Iterator[Change]:
        before, after = self._named_parameters(self._old, old), self._named_parameters(self._new, new)
        yield from _gone_and_new(before, after, place, "parameter")
        for name, parameter in after.items():
            if parameter["required"] and not before.get(name, {}).get("required"):
                yield Change(True, place, f"parameter {name} is required")
            if name in before:
                schema = before[name]["schema"]
                yield from self._schema(schema, parameter["schema"], f"{place} {name}", is_request=True)

    @staticmethod
    def _named_parameters(document: Json, operation: Json) -> dict[str, Json]:
        resolved = [_resolved(document, each) for each in operation.get("parameters", ())]
        return {parameter["name"]: parameter for parameter in resolved}

    def _schema(self, old: Json, new: Json, place: str, *, is_request: bool) -> Iterator[Change]:
        """Compare two schemas. Each pair of named schemas is compared once for requests and for responses."""
        if "$ref" in old or "$ref" in new:
            pair = (json.dumps(old), json.dumps(new), is_request)
            if pair in self._compared:
                return
            self._compared.add(pair)
            if "$ref" in new:
                place = new["$ref"].rpartition("/")[2]
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        yield from _values(old, new, place, is_request=is_request)
        if is_request:
            yield from _bounds(old, new, place)
        yield from self._fields(old, new, place, is_request=is_request)
        for keyword in ("items", "additionalProperties"):
            if isinstance(old.get(keyword), dict) and isinstance(new.get(keyword), dict):
                yield from self._schema(old[keyword], new[keyword], place, is_request=is_request)
        before, after = _variants(old), _variants(new)
        for name in before.keys() & after.keys():
            yield from self._schema(before[name], after[name], place, is_request=is_request)

    def _fields(self, old: Json, new: Json, place: str, *, is_request: bool) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        yield from _gone_and_new(before, after, place, "field")
        was_required, is_required = set(old.get("required", ())), set(new.get("required", ()))
        if is_request:
            for name in is_required - was_required:
                yield Change(True, place, f"field {name} is required")
        for name in (was_required - is_required) & after.keys():
            yield Change(not is_request, place, f"field {name} is optional")
        for name in before.keys() & after.keys():
            yield from self._schema(before[name], after[name], f"{place}.{name}", is_request=is_request)


def _gone_and_new(old: Mapping[str, Any], new: Mapping[str, Any], place: str, kind: str) -> Iterator[Change]:
    for name in old.keys() - new.keys():
        yield Change(True, place, f"{kind} {name} is gone")
    for name in new.keys() - old.keys():
        yield Change(False, place, f"{kind} {name} is new")


def _values(old: Json, new: Json, place: str, *, is_request: bool) -> Iterator[Change]:
    """The types, values and variants that a schema allows: requests may allow more, responses less."""
    for name, read in _ALLOWED.items():
        before, after = read(old), read(new)
        if before == after:
            continue
        lost, gained = (sorted(before - after), sorted(after - before)) if before and after else ([], [])
        if not before or not after:  # any value was allowed, or is now
            yield Change(is_request is bool(after), place, f"{name}: {_listed(after)}, not {_listed(before)}")
        if lost:
            yield Change(is_request, place, f"{name} without {', '.join(lost)}")
        if gained:
            # Clients must accept new values of a response's enum.
            is_breaking = not is_request and name != "values"
            yield Change(is_breaking, place, f"{name} with {', '.join(gained)}")


def _listed(values: set[str]) -> str:
    return ", ".join(sorted(values)) or "any"


def _types(schema: Json) -> set[str]:
    kinds = schema.get("type", ())
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _enum(schema: Json) -> set[str]:
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    return {json.dumps(value) for value in values}


def _variants(schema: Json) -> dict[str, Json]:
    """The variants of a union, by their names or types."""
    return {_variant_name(each): each for each in [*schema.get("oneOf", ()), *schema.get("anyOf", ())]}


def _variant_name(variant: Json) -> str:
    if "$ref" in variant:
        name: str = variant["$ref"].rpartition("/")[2]
        return name
    return json.dumps(variant.get("type", variant))


_ALLOWED: dict[str, Callable[[Json], set[str]]] = {
    "types": _types,
    "values": _enum,
    "variants": lambda schema: set(_variants(schema)),
}


def _bounds(old: Json, new: Json, place: str) -> Iterator[Change]:
    for name in _LOWER_BOUNDS:
        if new.get(name, float("-inf")) > old.get(name, float("-inf")):
            yield Change(True, place, f"{name} is {new[name]}, not {old.get(name)}")
    for name in _UPPER_BOUNDS:
        if new.get(name, float("inf")) < old.get(name, float("inf")):
            yield Change(True, place, f"{name} is {new[name]}, not {old.get(name)}")
    for name in ("pattern", "format"):
        if name in new and new[name] != old.get(name):
            yield Change(True, place, f"{name} is {new[name]}, not {old.get(name)}")


def _operations(document: Json) -> dict[str, Json]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def _body(operation: Json) -> Json:
    return _content(operation["requestBody"])


def _content(message: Json) -> Json:
    """The schema of a body as JSON; anything else is not compared."""
    schema: Json = message.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _resolved(document: Json, schema: Json) -> Json:
    """The component that a reference names."""
    if "$ref" not in schema:
        return schema
    kind, name = schema["$ref"].split("/")[-2:]
    component: Json = document["components"][kind][name]
    return component


def main(base: str) -> None:
    shown = subprocess.run(["git", "show", f"{base}:openapi.json"], cwd=ROOT, capture_output=True, text=True)
    if shown.returncode:
        sys.exit(f"patchbay: no openapi.json in {base}: {shown.stderr.strip()}")
    found = changes(json.loads(shown.stdout), json.loads((ROOT / "openapi.json").read_text("utf-8")))
    for change in found:
        print(f"{'BREAKS' if change.is_breaking else '      '} {': '.join(filter(None, change[1:]))}")
    breaking = sum(change.is_breaking for change in found)
    print(f"patchbay: {len(found)} changes since {base}, {breaking} of them break clients")
    sys.exit(1 if breaking else 0)


if __name__ == "__main__":
    main(sys.argv[1])
