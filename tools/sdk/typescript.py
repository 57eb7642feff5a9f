"""The generated modules of the TypeScript SDK.

`src/generated/resources.ts` has the methods, `models.ts` the names of the types. The types themselves come
from openapi-typescript: `npm run generate` writes `schema.ts`. It is formatted as `npm run lint` checks.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence

from local.settings import ROOT
from tools.sdk.schema import GROUPS, Document, Operation

_FOLDER = "sdks/typescript/src/generated"
_WIDTH = 120
_HEADER = "// Generated from openapi.json by `make derived`: change that, not this file.\n\n"


def files() -> dict[str, str]:
    """Return the text of every generated module by its path from the root."""
    document = Document(json.loads((ROOT / "openapi.json").read_text("utf-8")))
    texts = {"resources.ts": _resources(document), "models.ts": _models(document)}
    return {f"{_FOLDER}/{name}": _HEADER + text for name, text in texts.items()}


def _models(document: Document) -> str:
    """A type for each schema, and the union of the events."""
    lines = ['import type { components } from "./schema.js";\n', 'type Schemas = components["schemas"];\n']
    for name, schema in sorted(document.schemas.items()):
        lines += _comment(schema.get("description", ""), "")
        lines.append(f'export type {name} = Schemas["{name}"];')
    events = {type: schema["$ref"].rpartition("/")[2] for type, schema in document.event_schemas().items()}
    lines += [
        "",
        "/** The events that this release of the SDK knows, by type. */",
        "export interface EventTypes {",
    ]
    lines += [f"  {type}: {name};" for type, name in sorted(events.items())]
    lines += ["}", ""]
    return "\n".join(lines)


def _resources(document: Document) -> str:
    groups: dict[str, list[Operation]] = {}
    for operation in document.operations():
        groups.setdefault(operation.group, []).append(operation)
    options = {_options(operation) for operation in document.operations()}
    lines = [
        f'import type {{ {", ".join(sorted({"Http", *options}))} }} from "../http.js";',
        'import type { Page } from "../page.js";',
        'import type * as models from "./models.js";',
        'import type { operations } from "./schema.js";\n',
        'type Query<Id extends keyof operations> = NonNullable<operations[Id]["parameters"]["query"]>;',
        "type Body<Id extends keyof operations> = operations[Id] extends {",
        '  requestBody?: { content: { "application/json": infer Content } };',
        "}",
        "  ? WithoutKey<Content>",
        "  : never;",
        "// The client sends it as a header, from the options.",
        'type WithoutKey<T> = "idempotencyKey" extends keyof T ? Omit<T, "idempotencyKey"> : T;\n',
    ]
    for group, operations in sorted(groups.items()):
        lines += _resource(document, group, operations)
    lines += _client(groups)
    return "\n".join(lines)


def _resource(document: Document, group: str, operations: Sequence[Operation]) -> list[str]:
    lines = [
        f"/** {GROUPS[group]} */",
        f"export class {_class_name(group)} {{",
        "  readonly #http: Http;\n",
        "  constructor(http: Http) {",
        "    this.#http = http;",
        "  }",
    ]
    for operation in operations:
        lines += _method(document, operation)
    return [*lines, "}\n"]


def _method(document: Document, operation: Operation) -> list[str]:
    result, is_page = result_type(document, operation)
    parameters = [f"{field.name}: string" for field in operation.path_parameters]
    given = []
    if operation.path_parameters:
        given.append(f"path: {{ {', '.join(field.name for field in operation.path_parameters)} }}")
    if operation.body is not None:
        has_required = any(field.required for field in operation.body)
        parameters.append(f'body: Body<"{operation.id}">' + ("" if has_required else " = {}"))
        given.append("body")
    if operation.query:
        has_required = any(field.required for field in operation.query)
        parameters.append(f'query: Query<"{operation.id}">' + ("" if has_required else " = {}"))
        given.append("query")
    parameters.append(f"options?: {_options(operation)}")
    if operation.takes_idempotency_key:
        given.append("idempotent: true")
    given.append("options")
    returned, call = (f"Page<{result}>", "page") if is_page else (f"Promise<{result}>", "request")
    request = f'return this.#http.{call}("{operation.http_method}", "{operation.path}", '
    return [
        "",
        *_comment(operation.text, "  "),
        *_wrapped(f"{operation.method}(", parameters, f"): {returned} {{", "  "),
        *_wrapped(request + "{", given, "});", "    ", padding=" "),
        "  }",
    ]


def _options(operation: Operation) -> str:
    """The name of the type of its options."""
    if operation.takes_idempotency_key:
        return "WriteOptions" if operation.takes_if_match else "IdempotentOptions"
    return "ConditionalOptions" if operation.takes_if_match else "Options"


def _wrapped(start: str, items: Sequence[str], end: str, indent: str, *, padding: str = "") -> list[str]:
    """A list in code: on one line if that is short, otherwise with one line for each item."""
    line = f"{indent}{start}{padding}{', '.join(items)}{padding}{end}"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{indent}{start}", *(f"{indent}  {item}," for item in items), f"{indent}{end}"]


def result_type(document: Document, operation: Operation) -> tuple[str, bool]:
    """The type of the result or of a page's items, and whether the result is a page."""
    kind = document.result_of(operation)
    if kind == "page":
        items = document.resolve(operation.response)["properties"]["items"]["items"]
        return f"models.{items['$ref'].rpartition('/')[2]}", True
    if kind == "nothing":
        return "void", False
    variants = operation.response.get("anyOf") or operation.response.get("oneOf") or [operation.response]
    return " | ".join(f"models.{variant['$ref'].rpartition('/')[2]}" for variant in variants), False


def _client(groups: Iterable[str]) -> list[str]:
    lines = ["/** The groups of methods of the client. */", "export class Resources {"]
    lines += [f"  readonly {group}: {_class_name(group)};" for group in sorted(groups)]
    lines += ["", "  constructor(http: Http) {"]
    lines += [f"    this.{group} = new {_class_name(group)}(http);" for group in sorted(groups)]
    return [*lines, "  }", "}", ""]


def _class_name(group: str) -> str:
    return group[0].upper() + group[1:]


def _comment(text: str, indent: str) -> list[str]:
    """A TSDoc comment."""
    lines = [
        line
        for part in text.strip().splitlines()
        for line in (textwrap.wrap(part, _WIDTH - 3 - len(indent)) or [""])
    ]
    if not lines:
        return []
    if len(lines) == 1:
        return [f"{indent}/** {lines[0]} */"]
    return [f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in lines), f"{indent} */"]
