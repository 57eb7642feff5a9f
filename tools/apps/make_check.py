"""Checks the Make app for errors that the editor's schemas miss: `.venv/bin/python -m tools.apps.make_check`.

It finds dangling references, IDs that Make rejects, unused files, mappings of unknown variables, secrets in
logs, wrong labels, and modules that differ from the catalogue.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from local.settings import ROOT
from patchbay import catalogue
from patchbay.catalogue.entries import Action, load_action, load_entry
from tools.apps.make_iml import FUNCTIONS, Call, ImlError, expressions
from tools.apps.make_iml import Path as Variable

# From src/local-development/helpers/validate-id.ts of Make's editor.
_IDS = {
    "module": r"[a-zA-Z][0-9a-zA-Z]{2,47}",
    "rpc": r"[a-zA-Z][0-9a-zA-Z]{2,47}",
    "webhook": r"[a-zA-Z][0-9a-zA-Z-]{1,33}[0-9a-zA-Z]",
    "connection": r"[a-zA-Z][0-9a-zA-Z-]{1,33}[0-9a-zA-Z]",
}
_REQUIRED = {
    "connection": {"communication", "params", "common"},
    "webhook": {"communication", "params", "attach", "detach"},
    "rpc": {"communication"},
    "instant_trigger": {"communication", "interface", "samples"},
    "action": {"communication", "mappableParams", "interface"},
    "search": {"communication", "mappableParams", "interface"},
    "universal": {"communication", "mappableParams", "interface"},
}
# Variables of a response.
_RESPONSE_VARIABLES = {"body", "headers", "statusCode", "item", "iterate"}
_AUTHORIZATION = "request.headers.authorization"


# The URL of a path that the user enters. It starts with a slash, so that it cannot extend the host name.
ANY_PATH = "{{common.baseUrl}}{{if(substring(parameters.url, 0, 1) = '/', '', '/')}}{{parameters.url}}"


def problems(folder: Path) -> list[str]:
    """Return the faults of an app, one line each."""
    try:
        app = _App(folder)
    except (OSError, ValueError) as error:
        return [f"cannot be read: {error}"]
    rules = (
        *(_files, _ids, _references, _mappings, _labels, _groups),
        *(_secrets, _addresses, _lists, _triggers, _actions),
    )
    try:
        return [problem for rule in rules for problem in rule(app)]
    except ImlError as error:
        return [f"invalid mapping: {error}"]


class _App:
    """The files of an app. Raises ValueError if an object has a duplicate name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = _read(folder / "makecomapp.json")
        self.components: dict[str, dict[str, Any]] = self.manifest["components"]
        self.general: dict[str, str] = self.manifest["generalCodeFiles"]
        self.codes: dict[tuple[str, str, str], Any] = {}
        self.missing: list[str] = []
        for kind, id, component in self.all():
            for code, path in component["codeFiles"].items():
                if (folder / path).is_file():
                    self.codes[kind, id, code] = _read(folder / path)
                else:
                    self.missing.append(path)
        self.missing += [path for path in self.general.values() if not (folder / path).is_file()]
        if self.missing:
            raise ValueError(f"no such file: {', '.join(self.missing)}")
        self.base = _read(folder / self.general["base"])
        self.common = _read(folder / self.general["common"])

    def all(self, *kinds: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for kind, components in self.components.items():
            for id, component in components.items():
                if not kinds or kind in kinds:
                    yield kind, id, component

    def code(self, kind: str, id: str, code: str) -> Any:
        return self.codes.get((kind, id, code), [])

    def parameters(self, kind: str, id: str) -> set[str]:
        code = "mappableParams" if kind == "module" else "params"
        return {parameter["name"] for parameter in self.code(kind, id, code)}

    def requests(self, kind: str, id: str) -> list[dict[str, Any]]:
        communication = self.code(kind, id, "communication")
        return communication if isinstance(communication, list) else [communication]


def _read(path: Path) -> Any:
    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if repeated := _repeated(name for name, _ in pairs):
            raise ValueError(f"{path.name}: duplicate name: {', '.join(repeated)}")
        return dict(pairs)

    return json.loads(path.read_text("utf-8"), object_pairs_hook=unique)


def _repeated(names: Iterable[str]) -> list[str]:
    """The names that occur more than once, sorted."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _files(app: _App) -> Iterator[str]:
    used = [path for _, _, component in app.all() for path in component["codeFiles"].values()]
    used += [*app.general.values(), "makecomapp.json"]
    yield from (f"{path}: used twice" for path in _repeated(used))
    existing = {path.relative_to(app.folder).as_posix() for path in app.folder.rglob("*") if path.is_file()}
    yield from (f"{path}: unused" for path in sorted(existing - set(used)))
    for kind, id, component in app.all():
        missing = _REQUIRED.get(component.get("moduleType", kind), set()) - component["codeFiles"].keys()
        for code in sorted(missing):
            yield f"{kind} {id}: has no {code}"


def _ids(app: _App) -> Iterator[str]:
    for kind, components in app.components.items():
        for id in components:
            if not re.fullmatch(_IDS.get(kind, r"(?!)"), id):
                yield f"{kind} {id}: invalid ID"
        for id in _repeated(id.lower() for id in components):
            yield f"{kind} {id}: IDs differ only in case"


def _references(app: _App) -> Iterator[str]:
    used: dict[str, set[str]] = {"connection": set(), "webhook": set(), "rpc": set()}
    for kind, id, component in app.all():
        for referenced, name in _referenced(app, kind, id, component):
            used[referenced].add(name)
            if name not in app.components[referenced]:
                yield f"{kind} {id}: unknown {referenced} {name}"
        is_instant = component.get("moduleType") == "instant_trigger"
        if is_instant != ("webhook" in component):
            yield f"{kind} {id}: instant triggers, and only they, have a webhook"
        if kind != "connection" and not is_instant and "connection" not in component:
            yield f"{kind} {id}: has no connection"
    for kind, names in used.items():
        for id in sorted(app.components[kind].keys() - names):
            yield f"{kind} {id}: unused"


def _referenced(app: _App, kind: str, id: str, component: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the components that a component uses as (kind, id)."""
    for referenced in ("connection", "webhook"):
        if referenced in component:
            yield referenced, component[referenced]
    for code in component["codeFiles"]:
        for name in _rpcs(app.code(kind, id, code)):
            yield "rpc", name


def _rpcs(value: object) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("rpc://"):
        yield value.removeprefix("rpc://")
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _rpcs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _rpcs(inner)


def _mappings(app: _App) -> Iterator[str]:
    """Mappings use only existing variables, and every parameter is used."""
    connection: set[str] = set()
    for _, id, _ in app.all("connection"):
        connection |= app.parameters("connection", id)
    yield from _unknown("base", app.base, {"connection": connection, "common": set(app.common)})
    for kind, id, _ in app.all():
        common = app.code(kind, id, "common") if kind == "connection" else app.common
        variables: dict[str, set[str]] = {"parameters": app.parameters(kind, id), "common": set(common)}
        if kind != "connection":
            variables["connection"] = connection
        requests: list[object] = []
        for request in app.requests(kind, id):
            yield from _unknown(f"{kind} {id}", request, variables)
            variables.setdefault("temp", set()).update(request.get("response", {}).get("temp", {}))
            requests.append(request)
        if kind == "webhook":
            attach, detach = app.code(kind, id, "attach"), app.code(kind, id, "detach")
            yield from _unknown(f"webhook {id}: attach", attach, {**variables, "webhook": {"url"}})
            stored = {"url", *attach["response"]["data"]}
            yield from _unknown(f"webhook {id}: detach", detach, {**variables, "webhook": stored})
            requests.append(attach)
        used = {
            expression.names[1]
            for expression in expressions(requests)
            if isinstance(expression, Variable)
            and expression.names[0] == "parameters"
            and len(expression.names) > 1
        }
        for name in sorted(variables["parameters"] - used):
            yield f"{kind} {id}: unused parameter {name}"


def _unknown(where: str, value: object, variables: Mapping[str, set[str]]) -> Iterator[str]:
    """Report the functions and variables of a JSON value's mappings that do not exist."""
    for expression in expressions(value):
        if isinstance(expression, Call) and expression.function not in FUNCTIONS:
            yield f"{where}: unknown function {expression.function}"
        if isinstance(expression, Variable) and expression.names[0] not in _RESPONSE_VARIABLES:
            root, *rest = expression.names
            if root not in variables or not rest or rest[0] not in variables[root]:
                yield f"{where}: unknown variable {'.'.join(expression.names)}"


def _labels(app: _App) -> Iterator[str]:
    for label in _repeated(component["label"] for _, _, component in app.all("module")):
        yield f"two modules have the label {label}"
    for _, id, component in app.all("module"):
        label, description = component["label"], component["description"]
        is_instant = component["moduleType"] == "instant_trigger"
        if is_instant != label.startswith("Watch "):
            yield f"module {id}: labels of triggers, and only theirs, start with Watch: {label}"
        if any(re.fullmatch("[A-Z][a-z]+", word) for word in label.split()[1:]) and label.split()[0] != "API":
            yield f"module {id}: only the first word is capitalized: {label}"
        if is_instant != description.startswith("Triggers when ") or not description.endswith("."):
            yield f"module {id}: not Make's form of a description: {description}"
    universal = [
        (component["label"], component["description"])
        for _, _, component in app.all("module")
        if component["moduleType"] == "universal"
    ]
    if universal != [("Make an API call", "Performs an arbitrary authorized API call.")]:
        yield "the app needs one universal module, with the label and description that Make requires"


def _groups(app: _App) -> Iterator[str]:
    grouped = [id for group in _read(app.folder / app.general["groups"]) for id in group["modules"]]
    for id in sorted(set(grouped) ^ app.components["module"].keys()):
        yield f"module {id}: in no group, or only in a group"
    yield from (f"module {id}: in two groups" for id in _repeated(grouped))


def _secrets(app: _App) -> Iterator[str]:
    """Keys and secrets do not reach logs or labels."""
    requests = [("base", app.base)]
    requests += [
        (f"connection {id}", app.code("connection", id, "communication"))
        for _, id, _ in app.all("connection")
    ]
    for where, request in requests:
        if _AUTHORIZATION not in request.get("log", {}).get("sanitize", ()):
            yield f"{where}: logs the key"
        if not request.get("response", {}).get("error", {}).get("message"):
            yield f"{where}: has no error message"
    for _, id, _ in app.all("webhook"):
        sanitized = app.code("webhook", id, "attach").get("log", {}).get("sanitize", ())
        if not {_AUTHORIZATION, "response.body.secret"} <= set(sanitized):
            yield f"webhook {id}: logs the key or the secret"
    for _, id, _ in app.all("connection"):
        label = app.code("connection", id, "communication").get("response", {}).get("metadata", {})
        if any(isinstance(part, Variable) and part.names[0] != "body" for part in expressions(label)):
            yield f"connection {id}: its label may show the user's input"
        if any(parameter["type"] != "password" for parameter in app.code("connection", id, "params")):
            yield f"connection {id}: every parameter must be a password"


def _addresses(app: _App) -> Iterator[str]:
    """All requests go to the same API."""
    commons = [app.common, *(app.code("connection", id, "common") for _, id, _ in app.all("connection"))]
    if any(common != app.common for common in commons) or not app.common["baseUrl"].startswith("https://"):
        yield "common: the app and the connection must have the same https URL"
    for kind, id, component in app.all():
        is_absolute = kind == "connection" or component.get("moduleType") == "universal"
        prefixes = ("{{common.baseUrl}}/", ANY_PATH) if is_absolute else ("/api/automations/make/",)
        requests = [request for request in app.requests(kind, id) if "url" in request]
        if kind == "webhook":
            requests += [app.code(kind, id, "attach"), app.code(kind, id, "detach")]
        for request in requests:
            if not request["url"].startswith(prefixes):
                yield f"{kind} {id}: {request['url']} does not start with {' or '.join(prefixes)}"


def _lists(app: _App) -> Iterator[str]:
    for _, id, component in app.all("module"):
        if component["moduleType"] == "search":
            for request in app.requests("module", id):
                if "limit" not in request["response"]:
                    yield f"module {id}: has no limit"
            yield from _mismatches(
                f"module {id}", app.code("module", id, "interface"), app.code("module", id, "samples") or {}
            )
    for _, id, _ in app.all("rpc"):
        for request in app.requests("rpc", id):
            if "limit" not in request["response"]:
                yield f"rpc {id}: has no limit"
            if set(request["response"].get("output", ())) != {"label", "value"}:
                yield f"rpc {id}: a choice must have a label and a value"


def _triggers(app: _App) -> Iterator[str]:
    """Each event type has one trigger, with the catalogue's interface and sample."""
    watched: list[str] = []
    for _, id, component in app.all("module"):
        if (
            component["moduleType"] != "instant_trigger"
            or component["webhook"] not in app.components["webhook"]
        ):
            continue
        interface, sample = app.code("module", id, "interface"), app.code("module", id, "samples") or {}
        yield from _mismatches(f"module {id}", interface, sample)
        event = app.code("webhook", component["webhook"], "attach")["body"]["eventType"]
        if event.startswith("{{"):
            continue
        watched.append(event)
        if event not in catalogue.TRIGGERS:
            yield f"module {id}: unknown event type {event}"
            continue
        entry = load_entry(event)
        if _names_in(interface, "data") != list(entry.json_schema["properties"]):  # type: ignore[arg-type]
            yield f"module {id}: its interface differs from the data of {event}"
        if (sample.get("type"), sample.get("data")) != (event, entry.sample):
            yield f"module {id}: its sample differs from the catalogue's"
    for event in sorted(catalogue.TRIGGERS):
        if watched.count(event) != 1:
            yield f"{event}: {watched.count(event)} triggers instead of one"


def _actions(app: _App) -> Iterator[str]:
    """Each action has one module, with the catalogue's fields, interface and sample."""
    keys: list[str] = []
    for _, id, component in app.all("module"):
        if component["moduleType"] != "action":
            continue
        request = next((one for one in app.requests("module", id) if "/actions/" in one.get("url", "")), None)
        if request is None:
            continue
        key = request["url"].rpartition("/")[2]
        keys.append(key)
        if key not in catalogue.ACTIONS:
            yield f"module {id}: unknown action {key}"
            continue
        yield from _action_input(app, id, load_action(key), request)
        yield from _action_output(app, id, load_action(key))
    for key in sorted(catalogue.ACTIONS):
        if keys.count(key) != 1:
            yield f"{key}: {keys.count(key)} modules instead of one"


def _action_input(app: _App, id: str, action: Action, request: Mapping[str, Any]) -> Iterator[str]:
    fields = {field["name"]: field for field in app.code("module", id, "mappableParams")}
    properties: dict[str, Any] = action.input["properties"]  # type: ignore[assignment]
    if list(fields) != list(properties):
        yield f"module {id}: its fields differ from those of {action.key}"
    required = {name for name, field in fields.items() if field.get("required")}
    if required != set(action.input.get("required", ())):  # type: ignore[arg-type]
        yield f"module {id}: its required fields differ from those of {action.key}"
    for name, part in properties.items():
        options = fields.get(name, {}).get("options", [])
        if "enum" in part and [option["value"] for option in options] != part["enum"]:
            yield f"module {id}: the options of {name} differ from those of {action.key}"
    if request["body"] != {"input": {name: f"{{{{parameters.{name}}}}}" for name in properties}}:
        yield f"module {id}: does not send the input of {action.key}"


def _action_output(app: _App, id: str, action: Action) -> Iterator[str]:
    interface = app.code("module", id, "interface")
    if _names_in(interface, "output") != list(action.output["properties"]):  # type: ignore[arg-type]
        yield f"module {id}: its interface differs from the output of {action.key}"
    sample = app.code("module", id, "samples") or {}
    yield from _mismatches(f"module {id}", interface, sample)
    if sample.get("output") != action.sample.output:
        yield f"module {id}: its sample differs from the catalogue's"


_PYTHON_TYPES: Mapping[str, Any] = {
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "collection": dict,
}


def _names_in(interface: list[dict[str, Any]], collection: str) -> list[str]:
    return [
        inner["name"] for field in interface if field["name"] == collection for inner in field.get("spec", ())
    ]


def _mismatches(where: str, interface: list[dict[str, Any]], sample: Mapping[str, Any]) -> Iterator[str]:
    """Report the values of a sample that are not in the interface, or have another type."""
    fields = {field["name"]: field for field in interface}
    for name, value in sample.items():
        field = fields.get(name)
        if field is None:
            yield f"{where}: its sample has {name}, but its interface does not"
        elif value is not None and not isinstance(value, _PYTHON_TYPES.get(field["type"], str)):
            yield f"{where}: {name} is not of type {field['type']} in its sample"
        elif field["type"] == "collection" and "spec" in field and value:
            yield from _mismatches(f"{where}.{name}", field["spec"], value)


if __name__ == "__main__":
    faults = problems(ROOT / "apps/make")
    print("\n".join(faults) or "patchbay: no faults in the Make app")
    sys.exit(bool(faults))
