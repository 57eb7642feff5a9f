"""The Make app of the catalogue, in the format of Make's editor (local development): makecomapp.json, and a
file for each part of a component.

Each event type has a webhook and an instant trigger of its own, for Make's interface is a module's: what
arrives is what the module says. By hand, beside them: the base, the connection, what any Patchbay has
(`get-run`, `make-api-call`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from patchbay.catalogue.entries import Action, Entry, all_actions, choice_resources, resources
from patchbay.catalogue.schemas import CHOICES, MULTILINE, allowed_types
from tools.apps.fields import as_file, sample_of, triggers

FOLDER = "apps/make"
API = "/api/automations/make"
CONNECTION = "patchbay"
# An action waits that long for the platform, asking once a second.
PATIENCE_SECONDS = 20
# In a list to choose from; the API gives a hundred at a time.
MOST_CHOICES = 500
CHOICES_PAGE = 100

# A file of a component by its kind: what the editor calls it in makecomapp.json, and in the file's name.
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
    """A component: its entry in makecomapp.json but for the files; `codes` are those that are made, `by_hand`
    the others.
    """

    kind: str
    id: str
    metadata: dict[str, Any]
    codes: dict[str, Any] = field(default_factory=dict)
    by_hand: tuple[str, ...] = ()

    def path(self, code: str) -> str:
        name = kebab(self.id)
        if code == "common":
            return f"{self.kind}s/{name}/{name}.common.json"
        return f"{self.kind}s/{name}/{name}.{_PARTS[code]}.iml.json"

    def entry(self) -> dict[str, Any]:
        return {
            **self.metadata,
            "codeFiles": {code: self.path(code) for code in (*self.codes, *self.by_hand)},
        }

    def files(self) -> dict[str, str]:
        return {f"{FOLDER}/{self.path(code)}": as_file(content) for code, content in self.codes.items()}


def files() -> Mapping[str, str]:
    """Every file that is made."""
    entries = triggers()
    of_entries = {entry.key: list(_watching(entry)) for entry in entries}
    of_actions = {action.key: _doing(action) for action in all_actions()}
    of_lists = {name: _searching(name) for name in sorted(resources())}
    watch_events = list(_watching_any(entries[0]))
    components = [
        _connection(),
        *_lists(),
        *(part for parts in of_entries.values() for part in parts),
        *watch_events,
        *of_actions.values(),
        *of_lists.values(),
        _get_run(),
        _make_api_call(),
    ]
    groups: dict[str, list[str]] = {}
    for entry in entries:
        groups.setdefault(_plural(entry.noun), []).append(of_entries[entry.key][1].id)
    for action in all_actions():
        groups.setdefault(_plural(action.noun), []).append(of_actions[action.key].id)
    for name, search in of_lists.items():
        groups.setdefault(name, []).append(search.id)
    groups["other"] = [watch_events[1].id, _get_run().id, _make_api_call().id]
    made = {
        f"{FOLDER}/makecomapp.json": as_file(_app(components)),
        f"{FOLDER}/modules/groups.json": as_file(
            [{"label": first_up(label), "modules": modules} for label, modules in groups.items()]
        ),
    }
    for component in components:
        made |= component.files()
    return made


def _app(components: list[Component]) -> dict[str, Any]:
    of_kind: dict[str, dict[str, Any]] = {
        kind: {} for kind in ("connection", "webhook", "module", "rpc", "function", "endpoint")
    }
    for component in components:
        of_kind[component.kind][component.id] = component.entry()
    return {
        "fileVersion": 1,
        "generalCodeFiles": {
            "base": "general/base.iml.json",
            "common": "general/common.json",
            "readme": "README.md",
            "groups": "modules/groups.json",
        },
        "components": of_kind,
        # Whoever has an app at Make adds it here, in their own copy.
        "origins": [],
    }


# ── components ───────────────────────────────────────────────────────────────────────────────────────


def _connection() -> Component:
    metadata = {"label": "Patchbay", "connectionType": "basic"}
    return Component("connection", CONNECTION, metadata, by_hand=("communication", "params", "common"))


def _lists() -> Iterator[Component]:
    """What dropdowns ask for: the event types, and each list of the platform's."""
    events = {
        "url": f"{API}/triggers",
        "method": "GET",
        "response": {
            "limit": MOST_CHOICES,
            "iterate": "{{body}}",
            "output": {"label": "{{item.label}}", "value": "{{item.id}}"},
        },
    }
    yield _rpc("events", events)
    for resource in sorted(choice_resources()):
        yield _rpc(resource, {**events, **_paged(resource)})


def _paged(resource: str) -> dict[str, Any]:
    """The address of a list, and its pages: the next one begins after the last entry that we have."""
    return {
        "url": f"{API}/choices/{resource}",
        "pagination": {
            "qs": {"cursor": "{{iterate.container.last.id}}"},
            "condition": f"{{{{length(body) = {CHOICES_PAGE}}}}}",
        },
    }


def _rpc(what: str, communication: dict[str, Any]) -> Component:
    metadata = {"label": f"List {what.replace('_', ' ')}", "connection": CONNECTION}
    return Component("rpc", _rpc_id(what), metadata, {"communication": communication})


def _rpc_id(what: str) -> str:
    return camel(f"list {what.replace('_', ' ')}")


def _watching(entry: Entry) -> Iterator[Component]:
    """The webhook and the instant trigger of an event type."""
    narrowing = list(_narrowing(entry))
    filters = [
        {"path": one["name"], "op": "equals", "value": f"{{{{ifempty(parameters.{one['name']}, '')}}}}"}
        for one in narrowing
    ]
    webhook = _webhook(camel(entry.label), sentence(entry.label), entry.key, filters, narrowing)
    yield webhook
    data = {"name": "data", "type": "collection", "label": "Data", "spec": _fields(entry.json_schema)}
    yield _instant_trigger(_watch_label(entry), entry.description, webhook, data, entry)


def _watching_any(example: Entry) -> Iterator[Component]:
    """The same for an event type of the user's choice. Of its data nothing is known beforehand."""
    event = {
        "name": "event",
        "type": "select",
        "label": "Event",
        "help": "What starts the scenario.",
        "required": True,
        "options": f"rpc://{_rpc_id('events')}",
    }
    webhook = _webhook("anyEvent", "Any event", "{{parameters.event}}", [], [event])
    yield webhook
    data = {"name": "data", "type": "collection", "label": "Data"}
    said = "Triggers when an event of the chosen type happens."
    yield _instant_trigger("Watch events", said, webhook, data, example)


def _webhook(
    id: str, label: str, event: str, filters: list[dict[str, Any]], parameters: list[dict[str, Any]]
) -> Component:
    body: dict[str, Any] = {"targetUrl": "{{webhook.url}}", "event": event}
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
    label: str, description: str, webhook: Component, data: dict[str, Any], sampled: Entry
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


def _doing(action: Action) -> Component:
    """An action: it asks for a run, then for how that ended, until it has or patience is at an end."""
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
            "repeat": {"condition": "{{body.status = 'PENDING'}}", "delay": 1000, "limit": PATIENCE_SECONDS},
            "response": {
                "valid": {"condition": "{{body.status != 'FAILED'}}", "message": "{{body.error}}"},
                "output": "{{body}}",
            },
        },
    ]
    metadata = {
        "label": _do_label(action),
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


def _searching(resource: str) -> Component:
    """A search in one of the platform's lists."""
    one = resource.removesuffix("s")
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
            "help": "A part of the name, or the beginning of the ID. Leave empty for all.",
            "required": False,
        },
        {
            "name": "limit",
            "type": "uinteger",
            "label": "Limit",
            "help": f"How many {resource} the module returns at most.",
            "default": 10,
            "required": True,
        },
    ]
    codes = {
        "communication": communication,
        "mappableParams": parameters,
        "interface": [
            {"name": "id", "type": "text", "label": f"{first_up(one)} ID"},
            {"name": "label", "type": "text", "label": "Name"},
        ],
        "samples": {"id": f"{resource[:3]}_1", "label": f"{first_up(one)} one"},
    }
    return Component("module", camel(f"search {resource}"), metadata, codes)


def _run_interface(output: list[dict[str, Any]]) -> list[dict[str, Any]]:
    of_output: dict[str, Any] = {"name": "output", "type": "collection", "label": "Output"}
    return [
        {"name": "id", "type": "text", "label": "Run ID"},
        {"name": "action", "type": "text", "label": "Action"},
        {"name": "status", "type": "text", "label": "Status"},
        {**of_output, "spec": output} if output else of_output,
        {"name": "error", "type": "text", "label": "Error"},
        {"name": "createdAt", "type": "date", "label": "Created at"},
        {"name": "updatedAt", "type": "date", "label": "Updated at"},
        {"name": "expiresAt", "type": "date", "label": "Expires at"},
    ]


def _get_run() -> Component:
    metadata = {
        "label": "Get a run",
        "description": "Returns an action that was asked for, with its result once there is one.",
        "moduleType": "action",
        "actionCrud": "read",
        "connection": CONNECTION,
    }
    codes = {"interface": _run_interface([])}
    return Component("module", "getRun", metadata, codes, ("communication", "mappableParams"))


def _make_api_call() -> Component:
    # Make asks for these words.
    metadata = {
        "label": "Make an API call",
        "description": "Performs an arbitrary authorized API call.",
        "moduleType": "universal",
        "connection": CONNECTION,
    }
    by_hand = ("communication", "mappableParams", "interface")
    return Component("module", "makeApiCall", metadata, by_hand=by_hand)


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────


def _described(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """The fields of an object: name, schema, whether it is required."""
    for name, part in schema.get("properties", {}).items():
        yield name, part, name in schema.get("required", ())


def _parameter(name: str, part: Mapping[str, Any], required: bool) -> dict[str, Any]:
    """A field that the user fills in."""
    made: dict[str, Any] = {"name": name, "label": sentence(part["title"]), "help": part["description"]}
    made |= _to_choose(part) or _typed(part, _parameters)
    if part.get(MULTILINE):
        made["multiline"] = True
    return {**made, "required": required}


def _parameters(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_parameter(*described) for described in _described(schema)]


def _to_choose(part: Mapping[str, Any]) -> dict[str, Any] | None:
    if CHOICES in part:
        return {"type": "select", "options": f"rpc://{_rpc_id(part[CHOICES])}"}
    if "enum" in part:
        known = [value for value in part["enum"] if value is not None]
        options = [{"label": first_up(str(value).replace("_", " ")), "value": value} for value in known]
        return {"type": "select", "options": options}
    return None


def _narrowing(entry: Entry) -> Iterator[dict[str, Any]]:
    """By what the events of a type can be narrowed: what is chosen from a list."""
    for name, part, _ in _described(entry.json_schema):
        if chosen := _to_choose(part):
            label = sentence(part["title"])
            said = f"Only events with this {label[0].lower()}{label[1:]}. Leave empty for all."
            yield {"name": name, "label": label, "help": said, **chosen, "required": False}


def _fields(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An object as what a module gives."""
    return [
        {"name": name, "label": sentence(part["title"]), **_typed(part, _fields)}
        for name, part, _ in _described(schema)
    ]


def _typed(part: Mapping[str, Any], inner: Any) -> dict[str, Any]:
    """The type of a field, and what is in it; `inner` is how the fields of an object are told."""
    kind = next(kind for kind in allowed_types(part) if kind != "null")
    if kind == "array":
        items = part.get("items", {"type": "string"})
        within = _typed(items, inner)
        # An array of collections has the collection's fields as its spec.
        return {"type": "array", "spec": within.get("spec", within)}
    if kind == "object":
        return {"type": "collection", "spec": inner(part)} if "properties" in part else {"type": "collection"}
    if kind != "string":
        return {"type": kind}
    return {"type": {"date-time": "date", "uri": "url"}.get(part.get("format", ""), "text")}


# ── words ────────────────────────────────────────────────────────────────────────────────────────────


def sentence(title: str) -> str:
    """`Media URLs` stays, `Require Approval` is `Require approval`."""
    return first_up(_lower(title))


def first_up(text: str) -> str:
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
    """`Post Published` is `Watch published posts`, `New Post` is `Watch new posts`: as Make asks for."""
    rest = _without(entry.label, entry.noun)
    return f"Watch {_lower(rest)} {_plural(entry.noun)}" if rest else f"Watch {_plural(entry.noun)}"


def _do_label(action: Action) -> str:
    """`Reply to Message` is `Reply to a message`."""
    noun = _lower(action.noun)
    if not action.label.endswith(f" {action.noun}"):
        return sentence(action.label)
    article = "an" if noun[0].lower() in "aeiou" else "a"
    return f"{sentence(action.label.removesuffix(action.noun))} {article} {noun}"


def _without(label: str, noun: str) -> str:
    return re.sub(rf"(^| ){re.escape(noun)}( |$)", " ", label, count=1).strip()


def camel(text: str) -> str:
    """`Watch expiring API keys` is `watchExpiringApiKeys`."""
    first, *rest = text.lower().split()
    return first + "".join(word[0].upper() + word[1:] for word in rest)


def kebab(id: str) -> str:
    """As Make's editor names the files of a component."""
    return re.sub("([a-z0-9])([A-Z])", r"\1-\2", id).lower()
