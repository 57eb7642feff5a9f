"""Writes the reference pages that are generated from the code. `make derived`.

Errors come from `patchbay.errors`, scopes and roles from `patchbay.auth.scopes` and openapi.json, event
types from the catalogue, and the configuration from template.yaml.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from local.settings import ROOT
from patchbay.auth import scopes
from patchbay.catalogue import entries
from patchbay.catalogue.entries import Entry
from patchbay.errors import all_problems
from tools import generated_files
from tools.docs.api_pages import anchor, slug
from tools.openapi import errors_page

FOLDER = "docs/reference"
_GENERATED = "<!-- Written by `make derived`: change the code that it describes. -->"
_KINDS = {
    "publishable": "Events that your platform and its workspaces publish",
    "operational": "Events that Patchbay publishes",
    "platform": "Events of the platform's workspace",
}


def pages() -> dict[str, str]:
    """Return the text of each page by its path from the repository's root."""
    texts = {
        "configuration": _configuration(),
        "errors": _errors(),
        "event-types": _event_types(),
        "scopes": _scopes(),
    }
    return {f"{FOLDER}/{name}.md": text for name, text in texts.items()}


def _page(title: str, description: str, *parts: str) -> str:
    return "\n".join([f"---\ndescription: {description}\n---\n", f"# {title}\n", _GENERATED + "\n", *parts])


def _configuration() -> str:
    template = yaml_parse((ROOT / "template.yaml").read_text())
    parameters = template["Parameters"]
    parts = []
    for group in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]:
        rows = [_parameter(name, parameters[name]) for name in group["Parameters"]]
        table = ["| Parameter | Default | Values | Description |", "|---|---|---|---|", *rows, ""]
        parts += [f"## {group['Label']['default']}\n", "\n".join(table)]
    return _page(
        "Configuration",
        "Every parameter of the CloudFormation stack, with its default and its values.",
        "Pass parameters to `make deploy`, or write them to [samconfig.toml](../../samconfig.toml):\n",
        "<!-- test: skip: needs an AWS account -->\n```sh\n"
        'make deploy ENV=prod PARAMETERS="JwksUrl=https://app.example.com/jwks RetentionDays=90"\n```\n',
        "Put a value that contains spaces in quotes. The stack keeps a value that you pass once.\n"
        "Values in samconfig.toml apply to each deployment. To return to a default, pass the default.\n"
        "[Deploy](../operate/deploy.md) explains the parameters that you need first.\n",
        *parts,
    )


def _parameter(name: str, rules: Mapping[str, Any]) -> str:
    default = "*required*" if "Default" not in rules else f"`{rules['Default']}`" if rules["Default"] else ""
    if "AllowedValues" in rules:
        values = ", ".join(f"`{value}`" for value in rules["AllowedValues"])
    elif "MinValue" in rules:
        values = f"{rules['MinValue']:,} to {rules['MaxValue']:,}"
    else:
        values = f"up to {rules['MaxLength']} characters" if "MaxLength" in rules else ""
    anchored = f'<a id="{name}"></a>`{name}`'
    return f"| {anchored} | {default} | {values} | {rules['Description']} |"


def _errors() -> str:
    problems = all_problems()
    rows = [f"| {each.status} | [`{each.code}`](#{each.code}) | {each.title} |" for each in problems]
    return _page(
        "Errors",
        "Every error code of the API, what it means, and what to do.",
        "Every error has the media type `application/problem+json`\n"
        "([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).\n"
        "Handle an error by its `code`, which never changes. Show its `detail` to people, and quote the\n"
        "`requestId` when you ask for help.\n",
        "\n".join(["| Status | Code | Meaning |", "|---|---|---|", *rows, ""]),
        *(
            f"## `{each.code}`\n\n**{each.status} {each.title}.** {each.remedy}\n\n"
            f"```json\n{json.dumps(errors_page.example(each), ensure_ascii=False, indent=2)}\n```\n"
            for each in problems
        ),
    )


def _mark(scope: str, role: str) -> str:
    """The cell for a role: whether it has the scope, or has it only in the platform's workspace."""
    if scope in scopes.granted_scopes(role, None, platform=False):
        return "✓"
    return "✓*" if scope in scopes.granted_scopes(role, None, platform=True) else ""


def _scopes() -> str:
    used: dict[str, list[str]] = defaultdict(list)
    document = json.loads((ROOT / "openapi.json").read_text())
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, Mapping) and (scope := operation.get("x-required-scope")):
                section = f"{slug(operation['tags'][0])}.md#{anchor(operation['summary'])}"
                used[scope].append(f"[`{method.upper()} {path}`](api/{section})")
    rows = []
    for scope in sorted(scopes.PATCHBAY_SCOPES):
        rows.append(f"| `{scope}` | {' | '.join(_mark(scope, role) for role in scopes.ROLES)} |")
    return _page(
        "Scopes and roles",
        "What each scope allows, and which scopes each role has.",
        "A request needs the scope of its route. A JWT has the scopes of its `role`, or those in its\n"
        "`scope` claim. An API key has the scopes that you give it.\n",
        "## Roles\n",
        "\n".join(
            [
                f"| Scope | {' | '.join(role.capitalize() for role in scopes.ROLES)} |",
                f"|---|{'---|' * len(scopes.ROLES)}",
                *rows,
                "",
            ]
        ),
        f"✓*: only in the platform's workspace. No other workspace can use {_names(scopes.PLATFORM_ONLY)}.\n",
        "## Routes of each scope\n",
        *(
            "\n".join([f"### `{scope}`\n", *(f"- {route}" for route in routes), ""])
            for scope, routes in sorted(used.items())
        ),
    )


def _names(values: frozenset[str]) -> str:
    return " or ".join(f"`{value}`" for value in sorted(values))


def _event_types() -> str:
    found = entries.all_entries()
    parts = []
    for kind, heading in _KINDS.items():
        parts.append(f"## {heading}\n")
        parts += [_event_type(each) for each in found if each.kind == kind]
    return _page(
        "Event types",
        "Every event type, the fields of its data, and an example.",
        "A webhook subscribes to event types, or to `*` for all.\n"
        "`GET /api/integrations/webhooks/event-types` returns the same list with JSON Schemas. Events can\n"
        "contain more fields than these.\n",
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
    return f"### `{entry.type}`\n\n{entry.description}\n\n{table}\n\n```json\n{example}\n```\n"


def _type(field: Mapping[str, Any]) -> str:
    kinds = field.get("type", "any")
    names = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join("list" if name == "array" else name for name in names)


if __name__ == "__main__":
    generated_files.write(pages())
