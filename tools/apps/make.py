"""Generates the Make app from the catalogue, in the format of Make's editor (local development):
makecomapp.json, and a file for each part of a component.

Each event type has its own webhook and instant trigger, because an interface, the shape of the data, belongs
to a module. The base, the connection, and the modules that do not depend on the catalogue (`get-run`,
`make-api-call`) are written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from patchbay.catalogue.entries import Action, Entry, all_actions, choice_resources, resources
from patchbay.catalogue.schemas import CHOICES, MULTILINE, allowed_types
from tools.apps.fields import sample_of, triggers
from tools.generated_files import as_file

FOLDER = "apps/make"
API = "/api/automations/make"
CONNECTION = "patchbay"
# How long an action waits for the platform. It polls once a second.
WAIT_SECONDS = 20
MAX_CHOICES = 500
CHOICES_PAGE = 100

# The parts of a component: their keys in makecomapp.json, and their names in file names.
_PARTS = {
    "communication": "communication",
    "params": "params",
    "attach": "attach",
    "detach": "detach",
    "mappableParams": "mappable-params",
    "interface": "interface",
    "samples": "samples",
}


@dataclass
class Component:
    """A component. `metadata` is its entry in makecomapp.json without the files, `codes` has the generated
    files, and `by_hand` names the others.
    """

    kind: str
    id: str
    metadata: Mapping[str, object]
    codes: Mapping[str, object] = field(default_factory=dict)
    by_hand: tuple[str, ...] = ()

    def path(self, code: str) -> str:
        name = kebab(self.id)
        if code == "common":
            return f"{self.kind}s/{name}/{name}.common.json"
        return f"{self.kind}s/{name}/{name}.{_PARTS[code]}.iml.json"

    def entry(self) -> dict[str, object]:
        return {
            **self.metadata,
            "codeFiles": {code: self.path(code) for code in (*self.codes, *self.by_hand)},
        }

    def files(self) -> dict[str, str]:
        return {f"{FOLDER}/{self.path(code)}": as_file(content) for code, content in self.codes.items()}


def files() -> Mapping[str, str]:
    """Return the text of every generated file by its path from the root."""
    entries = triggers()
    event_triggers = {entry.type: list(_event_trigger(entry)) for entry in entries}
    actions = {action.key: _action(action) for action in all_actions()}
    searches = {name: _search(name) for name in sorted(resources())}
    any_event_trigger = list(_any_event_trigger(entries[0]))
    components = [
        _connection(),
        *_lists(),
        *(part for parts in event_triggers.values() for part in parts),
        *any_event_trigger,
        *actions.values(),
        *searches.values(),
        _get_run(),
        _make_api_call(),
    ]
    groups: dict[str, list[str]] = {}
    for entry in entries:
        groups.setdefault(_plural(entry.noun), []).append(event_triggers[entry.type][1].id)
    for action in all_actions():
        groups.setdefault(_plural(action.noun), []).append(actions[action.key].id)
    for name, search in searches.items():
        groups.setdefault(name, []).append(search.id)
    groups["other"] = [any_event_trigger[1].id, _get_run().id, _make_api_call().id]
    texts = {
        f"{FOLDER}/makecomapp.json": as_file(_app(components)),
        f"{FOLDER}/modules/groups.json": as_file(
            [{"label": capitalized(label), "modules": modules} for label, modules in groups.items()]
        ),
    }
    for component in components:
        texts |= component.files()
    return texts


def _app(components: list[Component]) -> dict[str, object]:
    by_kind: dict[str, dict[str, object]] = {
        kind: {} for kind in ("connection", "webhook", "module", "rpc", "function", "endpoint")
    }
    for component in components:
        by_kind[component.kind][component.id] = component.entry()
    return {
        "fileVersion": 1,
        "generalCodeFiles": {
            "base": "general/base.iml.json",
            "common": "general/common.json",
            "readme": "README.md",
            "groups": "modules/groups.json",
        },
        "components": by_kind,
        # The owner of an app at Make adds it here, in their own copy.
        "origins": [],
    }


# ── components ───────────────────────────────────────────────────────────────────────────────────────


def _connection() -> Component:
    metadata = {"label": "Patchbay", "connectionType": "basic"}
    return Component("connection", CONNECTION, metadata, by_hand=("communication", "params", "common"))


def _lists() -> Iterator[Component]:
    """The RPCs of the dropdowns: the event types, and each list of the platform."""
    events = {
        "url": f"{API}/triggers",
        "method": "GET",
        "response": {
            "limit": MAX_CHOICES,
            "iterate": "{{body}}",
            "output": {"label": "{{item.label}}", "value": "{{item.id}}"},
        },
    }
    yield _rpc("events", events)
    for resource in sorted(choice_resources()):
        yield _rpc(resource, {**events, **_paged(resource)})


def _paged(resource: str) -> dict[str, object]:
    """The URL and the paging of a list. The cursor is the ID of the page's last item."""
    return {
        "url": f"{API}/choices/{resource}",
        "pagination": {
            "qs": {"cursor": "{{iterate.container.last.id}}"},
            "condition": f"{{{{length(body) = {CHOICES_PAGE}}}}}",
        },
    }


def _rpc(name: str, communication: Mapping[str, object]) -> Component:
    metadata = {"label": f"List {name.replace('_', ' ')}", "connection": CONNECTION}
    return Component("rpc", _rpc_id(name), metadata, {"communication": communication})


def _rpc_id(name: str) -> str:
    return camel(f"list {name.replace('_', ' ')}")


def _event_trigger(entry: Entry) -> Iterator[Component]:
    """The webhook and the instant trigger of an event type."""
    parameters = list(_filter_parameters(entry))
    filters = [
        {"path": name, "op": "equals", "value": f"{{{{ifempty(parameters.{name}, '')}}}}"}
        for name in (parameter["name"] for parameter in parameters)
    ]
    webhook = _webhook(camel(entry.label), sentence(entry.label), entry.type, filters, parameters)
    yield webhook
    data = {"name": "data", "type": "collection", "label": "Data", "spec": _fields(entry.json_schema)}
    yield _instant_trigger(_watch_label(entry), entry.description, webhook, data, entry)


def _any_event_trigger(example: Entry) -> Iterator[Component]:
    """The webhook and the instant trigger of any event type. The interface does not describe its data."""
    event = {
        "name": "event",
        "type": "select",
        "label": "Event",
        "help": "The type of event that starts the scenario.",
        "required": True,
        "options": f"rpc://{_rpc_id('events')}",
    }
    webhook = _webhook("anyEvent", "Any event", "{{parameters.event}}", [], [event])
    yield webhook
    data = {"name": "data", "type": "collection", "label": "Data"}
    description = "Triggers when an event of the chosen type happens."
    yield _instant_trigger("Watch events", description, webhook, data, example)


def _webhook(
    id: str, label: str, event: str, filters: list[dict[str, object]], parameters: list[dict[str, object]]
) -> Component:
    body: dict[str, object] = {"url": "{{webhook.url}}", "eventType": event}
    if filters:
        body["filters"] = filters
    codes = {
        "communication": {"output": "{{body}}"},
        "params": parameters,
        "attach": {
            "url": f"{API}/hooks",
            "method": "POST",
            "body": body,
            "response": {"data": {"externalHookId": "{{body.id}}"}},
            "log": {"sanitize": ["request.headers.authorization", "response.body.secret"]},
        },
        "detach": {"url": f"{API}/hooks/{{{{webhook.externalHookId}}}}", "method": "DELETE"},
    }
    metadata = {"label": label, "webhookType": "web", "connection": CONNECTION}
    return Component("webhook", id, metadata, codes)


def _instant_trigger(
    label: str, description: str, webhook: Component, data: Mapping[str, object], sampled: Entry
) -> Component:
    interface = [
        {"name": "id", "type": "text", "label": "Event ID"},
        {"name": "type", "type": "text", "label": "Event type"},
        {"name": "timestamp", "type": "date", "label": "Time"},
        data,
    ]
    metadata = {
        "label": label,
        "description": description,
        "moduleType": "instant_trigger",
        "webhook": webhook.id,
    }
    codes = {"communication": {}, "interface": interface, "samples": sample_of(sampled)}
    return Component("module", camel(label), metadata, codes)


def _action(action: Action) -> Component:
    """The module of an action. It starts a run, then polls it until it ends or WAIT_SECONDS have passed."""
    names = list(action.input["properties"])  # type: ignore[arg-type]
    communication = [
        {
            "url": f"{API}/actions/{action.key}",
            "method": "POST",
            "body": {"input": {name: f"{{{{parameters.{name}}}}}" for name in names}},
            "response": {"temp": {"runId": "{{body.id}}"}},
        },
        {
            "url": f"{API}/runs/{{{{temp.runId}}}}",
            "method": "GET",
            "repeat": {"condition": "{{body.status = 'PENDING'}}", "delay": 1000, "limit": WAIT_SECONDS},
            "response": {
                "valid": {"condition": "{{body.status != 'FAILED'}}", "message": "{{body.error.detail}}"},
                "output": "{{body}}",
            },
        },
    ]
    metadata = {
        "label": _action_label(action),
        "description": action.description,
        "moduleType": "action",
        "actionCrud": "create" if action.key.startswith("create_") else None,
        "connection": CONNECTION,
    }
    codes = {
        "communication": communication,
        "mappableParams": _parameters(action.input),
        "interface": _run_interface(_fields(action.output)),
        "samples": {
            "id": "run_032asvoIJtqWn0GGw1sIDt",
            "action": action.key,
            "status": "SUCCEEDED",
            "output": action.sample.output,
            "createdAt": "2026-03-02T09:30:00.000Z",
            "updatedAt": "2026-03-02T09:30:01.000Z",
        },
    }
    return Component("module", camel(action.label), metadata, codes)


def _search(resource: str) -> Component:
    """The module that searches one of the platform's lists."""
    singular = capitalized(resource.removesuffix("s"))
    metadata = {
        "label": f"Search {resource}",
        "description": f"Searches {resource} by name or ID.",
        "moduleType": "search",
        "connection": CONNECTION,
    }
    communication = {
        **_paged(resource),
        "method": "GET",
        "qs": {"search": "{{parameters.search}}"},
        "response": {
            "limit": "{{parameters.limit}}",
            "iterate": "{{body}}",
            "output": {"id": "{{item.id}}", "label": "{{item.label}}"},
        },
    }
    parameters = [
        {
            "name": "search",
            "type": "text",
            "label": "Name or ID",
            "help": "Part of the name, or the start of the ID. Leave empty for all.",
            "required": False,
        },
        {
            "name": "limit",
            "type": "uinteger",
            "label": "Limit",
            "help": f"The maximum number of {resource} that the module returns.",
            "default": 10,
            "required": True,
        },
    ]
    codes = {
        "communication": communication,
        "mappableParams": parameters,
        "interface": [
            {"name": "id", "type": "text", "label": f"{singular} ID"},
            {"name": "label", "type": "text", "label": "Name"},
        ],
        "samples": {"id": f"{resource[:3]}_1", "label": f"{singular} one"},
    }
    return Component("module", camel(f"search {resource}"), metadata, codes)


def _run_interface(output: list[dict[str, object]]) -> list[dict[str, object]]:
    collection: dict[str, object] = {"name": "output", "type": "collection", "label": "Output"}
    return [
        {"name": "id", "type": "text", "label": "Run ID"},
        {"name": "action", "type": "text", "label": "Action"},
        {"name": "status", "type": "text", "label": "Status"},
        {**collection, "spec": output} if output else collection,
        {
            "name": "error",
            "type": "collection",
            "label": "Error",
            "spec": [
                {"name": "code", "type": "text", "label": "Code"},
                {"name": "detail", "type": "text", "label": "Detail"},
            ],
        },
        {"name": "createdAt", "type": "date", "label": "Created at"},
        {"name": "updatedAt", "type": "date", "label": "Updated at"},
        {"name": "expiresAt", "type": "date", "label": "Expires at"},
    ]


def _get_run() -> Component:
    metadata = {
        "label": "Get a run",
        "description": "Returns the run of an action, with its result once it has ended.",
        "moduleType": "action",
        "actionCrud": "read",
        "connection": CONNECTION,
    }
    codes = {"interface": _run_interface([])}
    return Component("module", "getRun", metadata, codes, ("communication", "mappableParams"))


def _make_api_call() -> Component:
    # Make requires this label and this description.
    metadata = {
        "label": "Make an API call",
        "description": "Performs an arbitrary authorized API call.",
        "moduleType": "universal",
        "connection": CONNECTION,
    }
    by_hand = ("communication", "mappableParams", "interface")
    return Component("module", "makeApiCall", metadata, by_hand=by_hand)


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────


def _properties(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Yield the properties of an object's schema as (name, schema, whether it is required)."""
    for name, part in schema.get("properties", {}).items():
        yield name, part, name in schema.get("required", ())


def _parameter(name: str, part: Mapping[str, Any], required: bool) -> dict[str, object]:
    """A field that the user fills in."""
    parameter: dict[str, object] = {
        "name": name,
        "label": sentence(part["title"]),
        "help": part["description"],
    }
    parameter |= _select(part) or _type(part, _parameters)
    if part.get(MULTILINE):
        parameter["multiline"] = True
    return {**parameter, "required": required}


def _parameters(schema: Mapping[str, Any]) -> list[dict[str, object]]:
    return [_parameter(*property) for property in _properties(schema)]


def _select(part: Mapping[str, Any]) -> dict[str, object] | None:
    if CHOICES in part:
        return {"type": "select", "options": f"rpc://{_rpc_id(part[CHOICES])}"}
    if "enum" in part:
        values = [value for value in part["enum"] if value is not None]
        options = [{"label": capitalized(str(value).replace("_", " ")), "value": value} for value in values]
        return {"type": "select", "options": options}
    return None


def _filter_parameters(entry: Entry) -> Iterator[dict[str, object]]:
    """The parameters of a webhook that filter its events: those that are chosen from a list."""
    for name, part, _ in _properties(entry.json_schema):
        if select := _select(part):
            label = sentence(part["title"])
            help_text = f"Only events with this {label[0].lower()}{label[1:]}. Leave empty for all."
            yield {"name": name, "label": label, "help": help_text, **select, "required": False}


def _fields(schema: Mapping[str, Any]) -> list[dict[str, object]]:
    """The interface of a module that outputs an object."""
    return [
        {"name": name, "label": sentence(part["title"]), **_type(part, _fields)}
        for name, part, _ in _properties(schema)
    ]


def _type(part: Mapping[str, Any], inner: Any) -> dict[str, object]:
    """The type and the spec of a field. `inner` describes the fields of an object."""
    kind = next(kind for kind in allowed_types(part) if kind != "null")
    if kind == "array":
        items = part.get("items", {"type": "string"})
        item_type = _type(items, inner)
        # An array of collections has the collection's fields as its spec.
        return {"type": "array", "spec": item_type.get("spec", item_type)}
    if kind == "object":
        return {"type": "collection", "spec": inner(part)} if "properties" in part else {"type": "collection"}
    if kind != "string":
        return {"type": kind}
    return {"type": {"date-time": "date", "uri": "url"}.get(part.get("format", ""), "text")}


# ── labels and names ─────────────────────────────────────────────────────────────────────────────────


def sentence(title: str) -> str:
    """Convert to sentence case: `Require Approval` becomes `Require approval`, `Media URLs` stays."""
    return capitalized(_lower(title))


def capitalized(text: str) -> str:
    return text[0].upper() + text[1:]


def _lower(title: str) -> str:
    return " ".join(
        word if re.search("[A-Z]", word[1:]) else word[0].lower() + word[1:] for word in title.split()
    )


def _plural(noun: str) -> str:
    lower = _lower(noun)
    if re.search("[^aeiou]y$", lower):
        return f"{lower[:-1]}ies"
    return f"{lower}es" if re.search("(s|x|z|ch|sh)$", lower) else f"{lower}s"


def _watch_label(entry: Entry) -> str:
    """Make's form of a trigger's label: `Post Published` becomes `Watch published posts`."""
    rest = _without(entry.label, entry.noun)
    return f"Watch {_lower(rest)} {_plural(entry.noun)}" if rest else f"Watch {_plural(entry.noun)}"


def _action_label(action: Action) -> str:
    """Make's form of an action's label: `Reply to Message` becomes `Reply to a message`."""
    noun = _lower(action.noun)
    if not action.label.endswith(f" {action.noun}"):
        return sentence(action.label)
    article = "an" if noun[0].lower() in "aeiou" else "a"
    return f"{sentence(action.label.removesuffix(action.noun))} {article} {noun}"


def _without(label: str, noun: str) -> str:
    return re.sub(rf"(^| ){re.escape(noun)}( |$)", " ", label, count=1).strip()


def camel(text: str) -> str:
    """Convert to camel case: `Watch expiring API keys` becomes `watchExpiringApiKeys`."""
    first, *rest = text.lower().split()
    return first + "".join(word[0].upper() + word[1:] for word in rest)


def kebab(id: str) -> str:
    """Convert an ID to the form that Make's editor uses in file names."""
    return re.sub("([a-z0-9])([A-Z])", r"\1-\2", id).lower()
