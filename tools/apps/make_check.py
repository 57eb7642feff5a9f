"""Checks the Make app for what the schemas of Make's editor miss: `python -m tools.apps.make_check`.

References that lead nowhere, ids that Make refuses, files that nobody uses, mappings of what is not there,
labels, keys in logs, and whether modules are still what the catalogue says.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local.settings import ROOT
from patchbay import catalogue
from patchbay.catalogue.entries import load_action, load_entry
from tools.apps.make_iml import FUNCTIONS, Call, ImlError, expressions
from tools.apps.make_iml import Path as Variable

# As src/local-development/helpers/validate-id.ts of Make's editor has them.
_IDS = {
    "module": r"[a-zA-Z][0-9a-zA-Z]{2,47}",
    "rpc": r"[a-zA-Z][0-9a-zA-Z]{2,47}",
    "webhook": r"[a-zA-Z][0-9a-zA-Z-]{1,33}[0-9a-zA-Z]",
    "connection": r"[a-zA-Z][0-9a-zA-Z-]{1,33}[0-9a-zA-Z]",
}
_NEEDED = {
    "connection": {"communication", "params", "common"},
    "webhook": {"communication", "params", "attach", "detach"},
    "rpc": {"communication"},
    "instant_trigger": {"communication", "interface", "samples"},
    "action": {"communication", "mappableParams", "interface"},
    "search": {"communication", "mappableParams", "interface"},
    "universal": {"communication", "mappableParams", "interface"},
}
# What an answer brings with it.
_OF_ANSWERS = {"body", "headers", "statusCode", "item", "iterate"}
_HIDDEN = "request.headers.authorization"


# A path of the user's own: with a slash before it, so that it is never a part of the host's name.
ANY_PATH = "{{common.baseUrl}}{{if(substring(parameters.url, 0, 1) = '/', '', '/')}}{{parameters.url}}"


def problems(folder: Path) -> list[str]:
    """What is wrong, a line each."""
    try:
        app = _App(folder)
    except (OSError, ValueError) as error:
        return [f"cannot be read: {error}"]
    rules = (
        *(_files, _ids, _references, _mappings, _labels, _groups),
        *(_secrets, _addresses, _lists, _triggers, _actions),
    )
    try:
        return [found for rule in rules for found in rule(app)]
    except ImlError as error:
        return [f"a mapping is not understood: {error}"]


class _App:
    """The files of an app; a name that stands twice in an object is a ValueError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.described = _read(folder / "makecomapp.json")
        self.components: dict[str, dict[str, Any]] = self.described["components"]
        self.general: dict[str, str] = self.described["generalCodeFiles"]
        self.codes: dict[tuple[str, str, str], Any] = {}
        self.missing: list[str] = []
        for kind, id, component in self.each():
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

    def each(self, *kinds: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for kind, components in self.components.items():
            for id, component in components.items():
                if not kinds or kind in kinds:
                    yield kind, id, component

    def code(self, kind: str, id: str, code: str) -> Any:
        return self.codes.get((kind, id, code), [])

    def parameters(self, kind: str, id: str) -> set[str]:
        code = "mappableParams" if kind == "module" else "params"
        return {each["name"] for each in self.code(kind, id, code)}

    def requests(self, kind: str, id: str) -> list[dict[str, Any]]:
        found = self.code(kind, id, "communication")
        return found if isinstance(found, list) else [found]


def _read(path: Path) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"{path.name}: {', '.join(sorted(twice))} stands twice")
        return dict(pairs)

    return json.loads(path.read_text("utf-8"), object_pairs_hook=once)


def _files(app: _App) -> Iterator[str]:
    used = [path for _, _, component in app.each() for path in component["codeFiles"].values()]
    used += [*app.general.values(), "makecomapp.json"]
    for path in sorted({path for path in used if used.count(path) > 1}):
        yield f"{path}: used twice"
    there = {path.relative_to(app.folder).as_posix() for path in app.folder.rglob("*") if path.is_file()}
    for path in sorted(there - set(used)):
        yield f"{path}: nobody uses it"
    for kind, id, component in app.each():
        missing = _NEEDED.get(component.get("moduleType", kind), set()) - component["codeFiles"].keys()
        for code in sorted(missing):
            yield f"{kind} {id}: has no {code}"


def _ids(app: _App) -> Iterator[str]:
    for kind, components in app.components.items():
        for id in components:
            if not re.fullmatch(_IDS.get(kind, r"(?!)"), id):
                yield f"{kind} {id}: not an id that Make takes"
        lower = [id.lower() for id in components]
        for id in sorted({id for id in lower if lower.count(id) > 1}):
            yield f"{kind} {id}: the same but for its capitals"


def _references(app: _App) -> Iterator[str]:
    used: dict[str, set[str]] = {"connection": set(), "webhook": set(), "rpc": set()}
    for kind, id, component in app.each():
        for named in ("connection", "webhook"):
            if named in component:
                used[named].add(component[named])
                if component[named] not in app.components[named]:
                    yield f"{kind} {id}: there is no {named} {component[named]}"
        instant = component.get("moduleType") == "instant_trigger"
        if instant != ("webhook" in component):
            yield f"{kind} {id}: a webhook is for instant triggers, and they need one"
        if kind != "connection" and not instant and "connection" not in component:
            yield f"{kind} {id}: has no connection"
        for code in component["codeFiles"]:
            for name in _rpcs(app.code(kind, id, code)):
                used["rpc"].add(name)
                if name not in app.components["rpc"]:
                    yield f"{kind} {id}: there is no rpc://{name}"
    for named, names in used.items():
        for id in sorted(app.components[named].keys() - names):
            yield f"{named} {id}: nobody uses it"


def _rpcs(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("rpc://"):
        yield value.removeprefix("rpc://")
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _rpcs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _rpcs(inner)


def _mappings(app: _App) -> Iterator[str]:
    """What mappings use is there, and what the user fills in is used."""
    of_connection: set[str] = set()
    for _, id, _ in app.each("connection"):
        of_connection |= app.parameters("connection", id)
    yield from _unknown("base", app.base, {"connection": of_connection, "common": set(app.common)})
    for kind, id, _ in app.each():
        common = app.code(kind, id, "common") if kind == "connection" else app.common
        known: dict[str, set[str]] = {"parameters": app.parameters(kind, id), "common": set(common)}
        if kind != "connection":
            known["connection"] = of_connection
        asked: list[Any] = []
        for request in app.requests(kind, id):
            yield from _unknown(f"{kind} {id}", request, known)
            known.setdefault("temp", set()).update(request.get("response", {}).get("temp", {}))
            asked.append(request)
        if kind == "webhook":
            attach, detach = app.code(kind, id, "attach"), app.code(kind, id, "detach")
            yield from _unknown(f"webhook {id}: attach", attach, {**known, "webhook": {"url"}})
            kept = {"url", *attach["response"]["data"]}
            yield from _unknown(f"webhook {id}: detach", detach, {**known, "webhook": kept})
            asked.append(attach)
        used = {
            each.names[1]
            for each in expressions(asked)
            if isinstance(each, Variable) and each.names[0] == "parameters" and len(each.names) > 1
        }
        for name in sorted(known["parameters"] - used):
            yield f"{kind} {id}: parameter {name} goes nowhere"


def _unknown(where: str, value: Any, known: Mapping[str, set[str]]) -> Iterator[str]:
    for each in expressions(value):
        if isinstance(each, Call) and each.function not in FUNCTIONS:
            yield f"{where}: there is no function {each.function}"
        if isinstance(each, Variable) and each.names[0] not in _OF_ANSWERS:
            root, *rest = each.names
            if root not in known or not rest or rest[0] not in known[root]:
                yield f"{where}: there is no {'.'.join(each.names)}"


def _labels(app: _App) -> Iterator[str]:
    labels = [component["label"] for _, _, component in app.each("module")]
    for label in sorted({label for label in labels if labels.count(label) > 1}):
        yield f"two modules are called {label}"
    for _, id, component in app.each("module"):
        label, said = component["label"], component["description"]
        instant = component["moduleType"] == "instant_trigger"
        if instant != label.startswith("Watch "):
            yield f"module {id}: triggers, and only they, are called Watch …: {label}"
        if any(re.fullmatch("[A-Z][a-z]+", word) for word in label.split()[1:]) and label.split()[0] != "API":
            yield f"module {id}: only the first word has a capital: {label}"
        if instant != said.startswith("Triggers when ") or not said.endswith("."):
            yield f"module {id}: not what Make expects of a description: {said}"
    universal = [
        component for _, _, component in app.each("module") if component["moduleType"] == "universal"
    ]
    named = [(component["label"], component["description"]) for component in universal]
    if named != [("Make an API call", "Performs an arbitrary authorized API call.")]:
        yield "there has to be one universal module, with the words that Make asks for"


def _groups(app: _App) -> Iterator[str]:
    grouped = [id for group in _read(app.folder / app.general["groups"]) for id in group["modules"]]
    for id in sorted(set(grouped) ^ app.components["module"].keys()):
        yield f"module {id}: in a group, or a module, but not both"
    for id in sorted({id for id in grouped if grouped.count(id) > 1}):
        yield f"module {id}: in two groups"


def _secrets(app: _App) -> Iterator[str]:
    """Keys and secrets do not reach logs or labels."""
    sent = [("base", app.base)]
    sent += [
        (f"connection {id}", app.code("connection", id, "communication"))
        for _, id, _ in app.each("connection")
    ]
    for where, request in sent:
        if _HIDDEN not in request.get("log", {}).get("sanitize", ()):
            yield f"{where}: logs the key"
        if not request.get("response", {}).get("error", {}).get("message"):
            yield f"{where}: says nothing of errors"
    for _, id, _ in app.each("webhook"):
        hidden = app.code("webhook", id, "attach").get("log", {}).get("sanitize", ())
        if not {_HIDDEN, "response.body.secret"} <= set(hidden):
            yield f"webhook {id}: logs the key or the secret"
    for _, id, _ in app.each("connection"):
        shown = app.code("connection", id, "communication").get("response", {}).get("metadata", {})
        if any(isinstance(each, Variable) and each.names[0] != "body" for each in expressions(shown)):
            yield f"connection {id}: its label may show what was typed in"
        secret = [each for each in app.code("connection", id, "params") if each["type"] != "password"]
        if secret:
            yield f"connection {id}: a key is a password, and nothing else is asked for"


def _addresses(app: _App) -> Iterator[str]:
    """Every request goes to the one address."""
    commons = [app.common, *(app.code("connection", id, "common") for _, id, _ in app.each("connection"))]
    if any(common != app.common for common in commons) or not app.common["baseUrl"].startswith("https://"):
        yield "common: one https address, the same for the app and the connection"
    for kind, id, component in app.each():
        absolute = kind == "connection" or component.get("moduleType") == "universal"
        begins = ("{{common.baseUrl}}/", ANY_PATH) if absolute else ("/api/automations/make/",)
        requests = [request for request in app.requests(kind, id) if "url" in request]
        if kind == "webhook":
            requests += [app.code(kind, id, "attach"), app.code(kind, id, "detach")]
        for request in requests:
            if not request["url"].startswith(begins):
                yield f"{kind} {id}: {request['url']} does not begin with {' or '.join(begins)}"


def _lists(app: _App) -> Iterator[str]:
    for _, id, component in app.each("module"):
        if component["moduleType"] == "search":
            for request in app.requests("module", id):
                if "limit" not in request["response"]:
                    yield f"module {id}: has no limit"
            yield from _unlike(
                f"module {id}", app.code("module", id, "interface"), app.code("module", id, "samples") or {}
            )
    for _, id, _ in app.each("rpc"):
        for request in app.requests("rpc", id):
            if "limit" not in request["response"]:
                yield f"rpc {id}: has no limit"
            if set(request["response"].get("output", ())) != {"label", "value"}:
                yield f"rpc {id}: a choice is a label and a value"


def _triggers(app: _App) -> Iterator[str]:
    """Each event type has one trigger, whose interface and sample are the catalogue's."""
    watched: list[str] = []
    for _, id, component in app.each("module"):
        if (
            component["moduleType"] != "instant_trigger"
            or component["webhook"] not in app.components["webhook"]
        ):
            continue
        interface, sample = app.code("module", id, "interface"), app.code("module", id, "samples") or {}
        yield from _unlike(f"module {id}", interface, sample)
        event = app.code("webhook", component["webhook"], "attach")["body"]["event"]
        if event.startswith("{{"):
            continue
        watched.append(event)
        if event not in catalogue.TRIGGERS:
            yield f"module {id}: there is no trigger {event}"
            continue
        entry = load_entry(event)
        if _names_in(interface, "data") != list(entry.json_schema["properties"]):  # type: ignore[arg-type]
            yield f"module {id}: its interface is not the data of {event}"
        if (sample.get("type"), sample.get("data")) != (event, entry.sample):
            yield f"module {id}: its sample is not the catalogue's"
    for event in sorted(catalogue.TRIGGERS):
        if watched.count(event) != 1:
            yield f"{event}: {watched.count(event)} triggers, not one"


def _actions(app: _App) -> Iterator[str]:
    """Each action has one module, whose fields and interface are the catalogue's."""
    done: list[str] = []
    for _, id, component in app.each("module"):
        found = [each for each in app.requests("module", id) if "/actions/" in each.get("url", "")]
        if component["moduleType"] != "action" or not found:
            continue
        key = found[0]["url"].rpartition("/")[2]
        done.append(key)
        if key not in catalogue.ACTIONS:
            yield f"module {id}: there is no action {key}"
            continue
        action = load_action(key)
        fields = {each["name"]: each for each in app.code("module", id, "mappableParams")}
        described: dict[str, Any] = action.input["properties"]  # type: ignore[assignment]
        if list(fields) != list(described):
            yield f"module {id}: its fields are not those of {key}"
        required = {name for name, each in fields.items() if each.get("required")}
        if required != set(action.input.get("required", ())):  # type: ignore[arg-type]
            yield f"module {id}: what is required is not what {key} requires"
        for name, part in described.items():
            options = fields.get(name, {}).get("options", [])
            if "enum" in part and [each["value"] for each in options] != part["enum"]:
                yield f"module {id}: the options of {name} are not those of {key}"
        if found[0]["body"] != {"input": {name: f"{{{{parameters.{name}}}}}" for name in described}}:
            yield f"module {id}: does not send the input of {key}"
        interface = app.code("module", id, "interface")
        if _names_in(interface, "output") != list(action.output["properties"]):  # type: ignore[arg-type]
            yield f"module {id}: its interface is not the output of {key}"
        sample = app.code("module", id, "samples") or {}
        yield from _unlike(f"module {id}", interface, sample)
        if sample.get("output") != action.sample.output:
            yield f"module {id}: its sample is not the catalogue's"
    for key in sorted(catalogue.ACTIONS):
        if done.count(key) != 1:
            yield f"{key}: {done.count(key)} modules, not one"


_FITS: Mapping[str, Any] = {
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "collection": dict,
}


def _names_in(interface: list[dict[str, Any]], collection: str) -> list[str]:
    return [
        inner["name"] for each in interface if each["name"] == collection for inner in each.get("spec", ())
    ]


def _unlike(where: str, interface: list[dict[str, Any]], sample: Mapping[str, Any]) -> Iterator[str]:
    """Whether a sample has what the interface does not name, or as another type."""
    named = {each["name"]: each for each in interface}
    for name, value in sample.items():
        each = named.get(name)
        if each is None:
            yield f"{where}: its sample has {name}, its interface does not"
        elif value is not None and not isinstance(value, _FITS.get(each["type"], str)):
            yield f"{where}: {name} is no {each['type']} in its sample"
        elif each["type"] == "collection" and "spec" in each and value:
            yield from _unlike(f"{where}.{name}", each["spec"], value)


if __name__ == "__main__":
    found = problems(ROOT / "apps/make")
    print("\n".join(found) or "patchbay: the Make app has no problem")
    sys.exit(bool(found))
