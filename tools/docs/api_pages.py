"""Generates the pages of the API reference from openapi.json: one for each tag.

They are Markdown, so that the site's search, llms.txt and readers of the copies have the whole API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# Payloads of webhooks have their own page, which `make derived` writes.
_LEFT_OUT = {"Event payloads"}
_METHODS = ("get", "post", "put", "patch", "delete")
# The depth to which the fields of nested objects are listed.
_DEPTH = 3

Schema = Mapping[str, Any]


def render(path: Path) -> dict[str, str]:
    """Return the text of each page by its file name."""
    document = Document(json.loads(path.read_text()))
    return {f"{slug(tag['name'])}.md": document.page(tag) for tag in document.tags()}


def slug(name: str) -> str:
    return name.lower().replace(" ", "-")


def anchor(heading: str) -> str:
    """The anchor that Python-Markdown gives a heading."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


class Document:
    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content

    def tags(self) -> list[Mapping[str, str]]:
        return [tag for tag in self._content["tags"] if tag["name"] not in _LEFT_OUT]

    def page(self, tag: Mapping[str, str]) -> str:
        summary = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", tag["description"].split(". ")[0])
        about = f"API reference: {tag['name']}. {summary.rstrip('.')}."
        head = f"---\ndescription: {json.dumps(about)}\n---\n\n# {tag['name']}\n\n"
        operations = [
            (method, path, operation)
            for path, methods in self._content["paths"].items()
            for method, operation in methods.items()
            if method in _METHODS and operation["tags"][0] == tag["name"]
        ]
        return head + tag["description"] + "\n" + "".join(self._operation(*each) for each in operations)

    def _operation(self, method: str, path: str, operation: Mapping[str, Any]) -> str:
        return "\n".join(
            part
            for part in (
                f"\n## {operation['summary']}\n",
                f"`{method.upper()} {path}`{{ .route }}\n",
                operation.get("description", "") + "\n",
                self._parameters(operation.get("parameters", [])),
                self._body(operation.get("requestBody")),
                self._request(method, path, operation),
                self._response(operation["responses"]),
                self._errors(operation["responses"]),
            )
            if part.strip()
        )

    def _follow(self, value: Any) -> Any:
        """Resolve a reference, including the keys next to it."""
        while isinstance(value, Mapping) and "$ref" in value:
            target: Any = self._content
            for name in value["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            value = {**target, **{key: item for key, item in value.items() if key != "$ref"}}
        return value

    def _parameters(self, parameters: list[Any]) -> str:
        rows = [
            f"| `{each['name']}` | {each['in']} | {self._type(each['schema'])} | "
            f"{_cell(each.get('description', ''), each.get('required', False))} |"
            for each in map(self._follow, parameters)
        ]
        if not rows:
            return ""
        return "\n".join(["**Parameters**\n", "| Name | In | Type | |", "|---|---|---|---|", *rows, ""])

    def _body(self, body: Any) -> str:
        if not body:
            return ""
        content = self._follow(body)["content"]
        if "application/json" not in content:
            return f"**Body**: `{next(iter(content))}`\n"
        rows = list(self._rows(content["application/json"]["schema"], "", 0))
        if not rows:
            return ""
        return "\n".join(["**Body**\n", "| Field | Type | |", "|---|---|---|", *rows, ""])

    def _rows(self, schema: Any, prefix: str, depth: int) -> Iterator[str]:
        schema = self._follow(schema)
        for variant in schema.get("oneOf", schema.get("anyOf", [])):
            yield from self._rows(variant, prefix, depth)
        for name, field in schema.get("properties", {}).items():
            required = name in schema.get("required", [])
            resolved = self._follow(field)
            description = _cell(resolved.get("description", ""), required)
            if "default" in resolved and resolved["default"] not in (None, [], {}):
                description += f" Default: `{json.dumps(resolved['default'])}`."
            yield f"| `{prefix}{name}` | {self._type(field)} | {description} |"
            if depth + 1 < _DEPTH:
                items = resolved.get("items")
                inner, suffix = (items, "[].") if items else (field, ".")
                if self._follow(inner).get("properties"):
                    yield from self._rows(inner, f"{prefix}{name}{suffix}", depth + 1)

    def _type(self, schema: Any) -> str:
        schema = self._follow(schema)
        if "const" in schema:
            return f"`{json.dumps(schema['const'])}`"
        if "enum" in schema:
            return " ".join(f"`{value}`" for value in schema["enum"] if value is not None)
        for key in ("oneOf", "anyOf"):
            if key in schema:
                kinds = dict.fromkeys(self._type(each) for each in schema[key])
                return " or ".join(kind for kind in kinds if kind != "null")
        named = schema.get("type", "any")
        types = [named] if isinstance(named, str) else [each for each in named if each != "null"]
        names = []
        for kind in types:
            if kind == "array":
                names.append(f"list of {self._type(schema.get('items', {}))}")
            elif kind == "string" and "format" in schema:
                names.append({"date-time": "time", "uri": "URL"}.get(schema["format"], schema["format"]))
            elif kind == "integer" and {"minimum", "maximum"} <= schema.keys():
                names.append(f"integer, {schema['minimum']:,} to {schema['maximum']:,}")
            else:
                names.append(kind)
        return " or ".join(names)

    def _request(self, method: str, path: str, operation: Mapping[str, Any]) -> str:
        content = (
            self._follow(operation.get("requestBody", {})).get("content", {}).get("application/json", {})
        )
        example = next((each["value"] for each in content.get("examples", {}).values()), None)
        for parameter in map(self._follow, operation.get("parameters", [])):
            if parameter["in"] == "path" and "example" in parameter:
                path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
        authorized = "" if operation.get("security") == [] else " -H @auth"
        chosen = (
            "" if method == "get" or (example is not None and method == "post") else f" -X {method.upper()}"
        )
        command = f'curl{chosen}{authorized} "$PATCHBAY_URL{path}"'
        if example is not None:
            quoted = json.dumps(example, indent=2, ensure_ascii=False).replace("'", "'\\''")
            command += f" \\\n  --json '{quoted}'"
        return f"**Request**\n\n```sh\n{command}\n```\n"

    def _response(self, responses: Mapping[str, Any]) -> str:
        for status, response in responses.items():
            if status.startswith(("2", "3")):
                response = self._follow(response)
                text = f"**Response** `{status}`: {_line(response['description'])}\n"
                content = response.get("content", {}).get("application/json", {})
                examples = content.get("examples", {})
                if examples:
                    value = next(iter(examples.values()))["value"]
                    text += f"\n```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```\n"
                return text
        return ""

    def _errors(self, responses: Mapping[str, Any]) -> str:
        codes = []
        for status, response in responses.items():
            if status[0] in "45":
                content = self._follow(response).get("content", {}).get("application/problem+json", {})
                codes += [
                    f"[`{code}`](../errors.md#{code}) ({status})"
                    for code in content.get("examples", {})
                    if re.fullmatch("[a-z_]+", code)
                ]
        return f"**Errors**: {', '.join(dict.fromkeys(codes))}\n" if codes else ""


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(description: str, required: bool) -> str:
    text = _line(description).replace("|", "\\|")
    return f"**Required.** {text}" if required else text
