"""Writes the reference pages that repeat what the code says. `make derived`.

Errors come from `patchbay.errors`, scopes and roles from `patchbay.auth.scopes` and openapi.json, and event types from
the catalogue.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from local.settings import ROOT
from patchbay.auth import scopes
from patchbay.catalogue import entries
from patchbay.catalogue.entries import Entry
from patchbay.errors import all_problems
from tools.docs.api_pages import slug
from tools.openapi import errors_page

FOLDER = ROOT / "docs/reference"
_GENERATED = "<!-- Written by `make derived`: change the code that it describes. -->"
_KINDS = {
    "publishable": "Events that your platform and its workspaces publish",
    "operational": "Events that Patchbay publishes",
    "platform": "Events of the platform's workspace",
}


def pages() -> dict[str, str]:
    """Return the text of each page by its name in docs/reference."""
    return {"errors.md": _errors(), "scopes.md": _scopes(), "event-types.md": _event_types()}


def _page(title: str, description: str, *parts: str) -> str:
    return "\n".join([f"---\ndescription: {description}\n---\n", f"# {title}\n", _GENERATED + "\n", *parts])


def _errors() -> str:
    problems = all_problems()
    rows = [f"| {each.status} | [`{each.code}`](#{each.code}) | {each.title} |" for each in problems]
    return _page(
        "Errors",
        "Every error code of the API, what it means, and what to do.",
        "Every error is `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)). Handle it by its\n"
        "`code`, which never changes. Show its `detail` to people, and quote the `requestId` when you ask for help.\n",
        "\n".join(["| Status | Code | Meaning |", "|---|---|---|", *rows, ""]),
        *(
            f"## {each.code}\n\n**{each.status} {each.title}.** {each.remedy}\n\n"
            f"```json\n{json.dumps(errors_page.example(each), ensure_ascii=False, indent=2)}\n```\n"
            for each in problems
        ),
    )


def _scopes() -> str:
    used: dict[str, list[str]] = defaultdict(list)
    document = json.loads((ROOT / "openapi.json").read_text())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, Mapping) and (scope := operation.get("x-required-scope")):
                anchor = operation["summary"].lower().replace("'", "").replace(" ", "-")
                page = slug(operation["tags"][0])
                used[scope].append(f"[`{method.upper()} {path}`](api/{page}.md#{anchor})")
    rows = []
    for scope in sorted(scopes.PATCHBAY_SCOPES):
        held = ["✓" if scope in granted else "" for granted in scopes.ROLES.values()]
        rows.append(f"| `{scope}` | {' | '.join(held)} |")
    return _page(
        "Scopes and roles",
        "What each scope allows, and which scopes each role has.",
        "A request needs the scope of its route. A JWT has the scopes of its `role`, or those in its `scope` claim. An\n"
        "API key has the scopes that you give it.\n",
        "## Roles\n",
        "\n".join(
            [
                f"| Scope | {' | '.join(role.capitalize() for role in scopes.ROLES)} |",
                f"|---|{'---|' * len(scopes.ROLES)}",
                *rows,
                "",
            ]
        ),
        f"Only the platform's workspace can use {_names(scopes.PLATFORM_ONLY)}.\n",
        "## Routes of each scope\n",
        *(
            "\n".join([f"### `{scope}`\n", *(f"- {route}" for route in routes), ""])
            for scope, routes in sorted(used.items())
        ),
    )


def _names(values: frozenset[str]) -> str:
    return " and ".join(f"`{value}`" for value in sorted(values))


def _event_types() -> str:
    found = entries.all_entries()
    parts = []
    for kind, heading in _KINDS.items():
        parts.append(f"## {heading}\n")
        parts += [_event_type(each) for each in found if each.kind == kind]
    return _page(
        "Event types",
        "Every event type, the fields of its data, and an example.",
        "A webhook subscribes to event types, or to `*` for all. `GET /api/integrations/webhooks/event-types` returns the\n"
        "same with JSON Schemas. Events may have more fields than these.\n",
        *parts,
    )


def _event_type(entry: Entry) -> str:
    schema: Mapping[str, Any] = entry.json_schema
    rows = [
        f"| `{name}` | {_type(field)} | {field.get('description', '')} |"
        for name, field in schema.get("properties", {}).items()
    ]
    example = json.dumps(entry.sample, ensure_ascii=False, indent=2)
    table = "\n".join(["| Field of `data` | Type | Description |", "|---|---|---|", *rows])
    return f"### {entry.type}\n\n{entry.description}\n\n{table}\n\n```json\n{example}\n```\n"


def _type(field: Mapping[str, Any]) -> str:
    kinds = field.get("type", "any")
    names = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join("list" if name == "array" else name for name in names)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
