"""Code samples that call each operation with an SDK: `x-codeSamples`, which the reference page shows.

Their values are those of the document's examples. `tests/sdks` checks their types.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import JsonValue

from tools.sdk import python
from tools.sdk.schema import Document, Operation, Schema

# The width that fits next to the text of the reference page.
_WIDTH = 60
_SEPARATOR = "# next sample\n"
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def add(content: Mapping[str, Any]) -> None:
    """Add the samples to the operations of a document."""
    document = Document(content)
    operations = list(document.operations())
    sources = _formatted([_python(document, operation) for operation in operations])
    for operation, source in zip(operations, sources, strict=True):
        content["paths"][operation.path][operation.http_method.lower()]["x-codeSamples"] = [
            {"lang": "python", "label": "Python SDK", "source": source},
            {"lang": "typescript", "label": "TypeScript SDK", "source": _typescript(document, operation)},
        ]


# ── Python ───────────────────────────────────────────────────────────────────────────────────────────


def _python(document: Document, operation: Operation) -> str:
    arguments = [
        _python_value(document, document.path_example(field), field.schema)
        for field in operation.path_parameters
    ]
    arguments += [
        f"{python.snake(field.name)}={_python_value(document, operation.example[field.name], field.schema)}"
        for field in operation.body or ()
        if field.name in operation.example
    ]
    arguments += [
        f"{python.snake(name)}={value!r}" for name, value in _required_query(document, operation).items()
    ]
    call = f"client.{python.snake(operation.group)}.{python.snake(operation.method)}({', '.join(arguments)})"
    imports = "from patchbay_sdk import Patchbay" + (", models" if "models." in call else "")
    if "datetime." in call:
        imports = f"from datetime import datetime\n\n{imports}"
    kind = document.result_of(operation)
    if kind == "page":
        call = f"for item in {call}:\n    print(item)"
    elif kind == "object":
        call = f"result = {call}\nprint(result)"
    return f"{imports}\n\nclient = Patchbay()\n{call}"


def _required_query(document: Document, operation: Operation) -> dict[str, JsonValue]:
    """The query of a sample: the required parameters, with the examples of their schemas."""
    return {
        field.name: document.resolve(field.schema)["examples"][0]
        for field in operation.query
        if field.required
    }


def _formatted(sources: Iterable[str]) -> list[str]:
    """The sources as ruff formats them. One call formats all: a process for each would take seconds."""
    joined = "".join(f"{_SEPARATOR}{source}\n" for source in sources)
    command = [sys.executable, "-m", "ruff", "format", "--line-length", str(_WIDTH), "-"]
    done = subprocess.run(command, input=joined, capture_output=True, text=True, check=True)
    return [source.strip() for source in done.stdout.split(_SEPARATOR)[1:]]


def _python_value(document: Document, value: JsonValue, schema: Schema) -> str:
    """A value as the source of an expression that has the type of the SDK's argument."""
    if "$ref" in schema:
        name, schema = schema["$ref"].rpartition("/")[2], document.resolve(schema)
        if isinstance(value, dict) and "properties" in schema:
            arguments = (
                f"{python.snake(key)}={_python_value(document, each, schema['properties'][key])}"
                for key, each in value.items()
            )
            return f"models.{name}({', '.join(arguments)})"
    for combination in ("anyOf", "oneOf"):
        if combination in schema:
            fitting = (each for each in schema[combination] if _fits(document, value, each))
            return _python_value(document, value, next(fitting))
    if isinstance(value, str) and schema.get("format") == "date-time":
        # Python 3.10 does not read a Z.
        return f'datetime.fromisoformat("{value.removesuffix("Z")}+00:00")'
    if isinstance(value, list):
        return f"[{', '.join(_python_value(document, each, schema.get('items', {})) for each in value)}]"
    return repr(value)


def _fits(document: Document, value: JsonValue, schema: Schema) -> bool:
    """Whether a variant of a union matches the value: its kind, and the constants of its fields."""
    schema = document.resolve(schema)
    for combination in ("anyOf", "oneOf"):
        if combination in schema:
            return any(_fits(document, value, each) for each in schema[combination])
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return schema.get("type") == "object" and all(
            key in properties and each == properties[key].get("const", each) for key, each in value.items()
        )
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}
    return schema.get("type") == ("null" if value is None else kinds[type(value)])


# ── TypeScript ───────────────────────────────────────────────────────────────────────────────────────


def _typescript(document: Document, operation: Operation) -> str:
    arguments = "".join(
        f"{json.dumps(document.path_example(field))}, " for field in operation.path_parameters
    )
    call = f"client.{operation.group}.{operation.method}({arguments}"
    fields = {field.name for field in operation.body or ()}
    body = {name: value for name, value in operation.example.items() if name in fields}
    for value in (body, _required_query(document, operation)):
        if value:
            call += _typescript_value(value, "", before=len(f"const result = await {call}")) + ", "
    call = f"{call.removesuffix(', ')})"
    kind = document.result_of(operation)
    if kind == "page":
        call = f"for await (const item of {call}) {{\n  console.log(item);\n}}"
    elif kind == "nothing":
        call = f"await {call};"
    else:
        call = f"const result = await {call};\nconsole.log(result);"
    return f'import {{ Patchbay }} from "@patchbay/sdk";\n\nconst client = new Patchbay();\n{call}'


def _typescript_value(value: JsonValue, indent: str, before: int = 0) -> str:
    """A value as the source of an expression, on one line if it is short. `before` characters precede it."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        parts = [f"{_key(key)}: {_typescript_value(each, inner)}" for key, each in value.items()]
        braces, padding = "{}", " "
    elif isinstance(value, list) and value:
        parts = [_typescript_value(each, inner) for each in value]
        braces, padding = "[]", ""
    else:
        return json.dumps(value, ensure_ascii=False)
    line = f"{braces[0]}{padding}{', '.join(parts)}{padding}{braces[1]}"
    if len(indent) + before + len(line) <= _WIDTH and "\n" not in line:
        return line
    lines = "".join(f"\n{inner}{part}," for part in parts)
    return f"{braces[0]}{lines}\n{indent}{braces[1]}"


def _key(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) else json.dumps(name)
