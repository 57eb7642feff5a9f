"""The generated modules of the Python SDK: `models.py`, `events.py` and `resources.py`.

Existing generators do not fit: openapi-python-client 0.29 emits a module for each operation, attrs
classes and an `Unset` in the types of responses; datamodel-code-generator has models only, with the server's
validation in them.
"""

from __future__ import annotations

import builtins
import json
import keyword
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from pydantic.alias_generators import to_camel

from local.settings import ROOT
from tools.sdk.schema import GROUPS, Document, Field, Operation, Schema

_PACKAGE = "sdks/python/src/patchbay_sdk"
_HEADER = '"""{}\n\nGenerated from openapi.json by `make derived`: change that, not this file.\n"""\n\n'
_SCALARS = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "object": "dict[str, Any]",
    "array": "list[Any]",
}
# Attributes of pydantic's BaseModel.
_RENAMED = {"schema": "json_schema"}


def files() -> dict[str, str]:
    """Return the text of every generated module by its path from the root."""
    document = Document(json.loads((ROOT / "openapi.json").read_text("utf-8")))
    return {f"{_PACKAGE}/{name}": text for name, text in _Writer(document).modules().items()}


class _Writer:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._operations = list(document.operations())
        self._event_names = {
            schema["$ref"].rpartition("/")[2]: type for type, schema in document.event_schemas().items()
        }

    def modules(self) -> dict[str, str]:
        events = self._reachable(self._event_names)
        models = self._reachable(self._roots()) - events
        return {
            "models.py": _formatted(_HEADER.format("The objects of the API.") + self._models(models, "")),
            "events.py": _formatted(
                _HEADER.format("The events that a receiver gets, and their union `Event`.")
                + self._models(events, "events")
            ),
            "resources.py": _formatted(
                _HEADER.format("The methods of the API, for both clients.") + self._resources()
            ),
        }

    # ── models ───────────────────────────────────────────────────────────────────────────────────────

    def _roots(self) -> Iterator[str]:
        for operation in self._operations:
            nodes = [operation.response, *(field.schema for field in operation.query)]
            nodes += [field.schema for field in operation.body or ()]
            for node in nodes:
                yield from _references(node)

    def _reachable(self, names: Iterable[str]) -> set[str]:
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += _references(self._document.schemas[name])
        return found

    def _models(self, names: set[str], kind: str) -> str:
        lines = [
            "from __future__ import annotations\n",
            "from datetime import datetime",
            "from typing import Any, ClassVar, Literal, TypeAlias\n",
            "from pydantic import Field\n",
            "from patchbay_sdk._model import Model\n",
        ]
        aliases = [name for name in sorted(names) if not self._is_model(name)]
        # Until it is defined, mypy takes a name such as ConnectionError for the built-in class.
        for name in sorted(names - set(aliases), key=lambda name: (not hasattr(builtins, name), name)):
            lines.append(self._model(name))
        for name in aliases:
            lines.append(f"{name}: TypeAlias = {self._type(self._document.schemas[name], quoted=True)}\n")
        if kind == "events":
            lines.append(self._event_union())
        return "\n".join(lines)

    def _is_model(self, name: str) -> bool:
        return "properties" in self._document.schemas[name]

    def _model(self, name: str) -> str:
        schema = self._document.schemas[name]
        body = [f"class {name}(Model):"]
        if description := schema.get("description"):
            body.append(_docstring(description))
        required = schema.get("required", ())
        properties: dict[str, Schema] = schema["properties"]
        for wire, property in sorted(properties.items(), key=lambda item: item[0] not in required):
            body.append(self._attribute(wire, property, wire in required))
        return "\n".join(body) + "\n"

    def _attribute(self, wire: str, property: Schema, required: bool) -> str:
        name, type = snake(wire), self._type(property)
        if not required and "None" not in type.split(" | "):
            type += " | None"
        options = [] if required else ["default=None"]
        if to_camel(name) != wire:  # the base class of the models gives other aliases
            options.append(f'alias="{wire}"')
        default = ""
        if options == ["default=None"]:
            default = " = None"
        elif options:
            default = f" = Field({', '.join(options)})"
        text = f"    {name}: {type}{default}"
        if description := property.get("description"):
            text += "\n" + _docstring(description)
        return text

    def _event_union(self) -> str:
        types = sorted((type, name) for name, type in self._event_names.items())
        names = ", ".join(f'"{type}": {name}' for type, name in types)
        union = " | ".join(name for _, name in types)
        return (
            "class UnknownEvent(Model):\n"
            '    """An event whose type this release of the SDK does not know: `event_type` has it.\n\n'
            "    `type` is a constant, so that a comparison with a type tells the events apart.\n"
            '    """\n\n'
            '    type: ClassVar[Literal["UNKNOWN"]] = "UNKNOWN"\n'
            '    event_type: str = Field(alias="type")\n'
            '    """The type."""\n'
            "    id: str\n    timestamp: datetime\n    data: dict[str, Any]\n\n"
            f"EVENT_TYPES: dict[str, type[Model]] = {{{names}}}\n\n"
            f'Event: TypeAlias = "{union} | UnknownEvent"\n'
        )

    # ── types ────────────────────────────────────────────────────────────────────────────────────────

    def _type(self, schema: Schema, *, quoted: bool = False, prefix: str = "", item: str = "list") -> str:
        """The type as Python source. `prefix` precedes models, `item` is the type of arrays."""
        text = self._plain_type(schema, prefix, item)
        return (
            f'"{text}"'
            if quoted and ("|" in text or not text.startswith(("Literal", "list", "dict")))
            else text
        )

    def _plain_type(self, schema: Schema, prefix: str, item: str) -> str:
        def nested(node: Schema) -> str:
            return self._plain_type(node, prefix, item)

        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            target = self._document.schemas[name]
            return prefix + name if "properties" in target else nested(target)
        if "const" in schema:
            return f"Literal[{json.dumps(schema['const'])}]"
        if "enum" in schema:
            values = [value for value in schema["enum"] if value is not None]
            text = f"Literal[{', '.join(json.dumps(value) for value in values)}]"
            return text if len(values) == len(schema["enum"]) else f"{text} | None"
        for combination in ("anyOf", "oneOf"):
            if combination in schema:
                return _union(nested(variant) for variant in schema[combination])
        type = schema.get("type")
        if isinstance(type, list):
            return _union(nested({**schema, "type": each}) for each in type)
        if type == "string" and schema.get("format") == "date-time":
            return "datetime"
        if type == "array" and "items" in schema:
            return f"{item}[{nested(schema['items'])}]"
        if type == "object" and isinstance(schema.get("additionalProperties"), dict):
            return f"dict[str, {nested(schema['additionalProperties'])}]"
        return _SCALARS[type] if type else "Any"

    # ── resources ────────────────────────────────────────────────────────────────────────────────────

    def _resources(self) -> str:
        groups: dict[str, list[Operation]] = {}
        for operation in self._operations:
            groups.setdefault(operation.group, []).append(operation)
        lines = [
            "from __future__ import annotations\n",
            "from collections.abc import Sequence",
            "from datetime import datetime",
            "from functools import cached_property",
            "from typing import TYPE_CHECKING, Any, Literal\n",
            "if TYPE_CHECKING:",
            "    from patchbay_sdk import models",
            "else:",
            "    from patchbay_sdk._lazy import models\n",
            "from patchbay_sdk._http import UNSET, AsyncHttp, Http, Operation, Unset",
            "from patchbay_sdk._pages import AsyncPage, Page\n",
        ]
        for group, operations in sorted(groups.items()):
            lines += [self._resource(group, operations, is_async) for is_async in (False, True)]
        lines += [_client(groups, is_async) for is_async in (False, True)]
        return "\n".join(lines)

    def _resource(self, group: str, operations: Sequence[Operation], is_async: bool) -> str:
        name = _class_name(group, is_async)
        lines = [
            f"class {name}:",
            f'    """{GROUPS[group]}"""\n',
            f"    def __init__(self, http: {'AsyncHttp' if is_async else 'Http'}) -> None:",
            "        self._http = http\n",
        ]
        # A method named `list` would hide the type in the annotations of the methods after it.
        ordered = sorted(operations, key=lambda operation: operation.method == "list")
        lines += [self._method(operation, is_async) for operation in ordered]
        return "\n".join(lines)

    def _method(self, operation: Operation, is_async: bool) -> str:
        kind = self._document.result_of(operation)
        is_page = kind == "page"
        if is_page:
            items = self._document.resolve(operation.response)["properties"]["items"]["items"]
            element = self._type(items, prefix="models.")
            result = f"{'AsyncPage' if is_async else 'Page'}[{element}]"
        elif kind == "nothing":
            element = result = "None"
        else:
            element = result = self._type(operation.response, prefix="models.")
        call, prefix = "request", "async def" if is_async else "def"
        if is_page:
            # A page is awaitable itself, so that `async for` needs no `await` before it.
            call, prefix = "page", "def"
        returns = "return await" if is_async and not is_page else "return"
        if " | " in element:
            returns = returns.replace("return", f"result: {element} =")
        lines = [
            f"    {prefix} {snake(operation.method)}(",
            f"        self, {self._signature(operation)}",
            f"    ) -> {result}:",
            _docstring(_method_text(operation), indent=8),
            f"        {returns} self._http.{call}(",
            f"            {_operation_source(operation)},",
            f"            {element},",
            f"            path={{{_arguments(operation.path_parameters)}}},",
            f"            query={{{_arguments(operation.query)}}},",
            *([] if operation.body is None else [f"            body={{{_arguments(operation.body)}}},"]),
            *(["            idempotency_key=idempotency_key,"] if operation.takes_idempotency_key else []),
            *(["            if_match=if_match,"] if operation.takes_if_match else []),
            "        )",
            *(["        return result"] if returns.startswith("result") else []),
            "",
        ]
        return "\n".join(lines)

    def _signature(self, operation: Operation) -> str:
        parts = [f"{snake(field.name)}: {self._parameter_type(field)}" for field in operation.path_parameters]
        keywords = []
        fields = [*(operation.body or ()), *operation.query]
        for field in sorted(fields, key=lambda field: not field.required):
            type = self._parameter_type(field)
            keywords.append(
                f"{snake(field.name)}: {type}"
                if field.required
                else f"{snake(field.name)}: {_union([type, 'Unset'])} = UNSET"
            )
        if operation.takes_idempotency_key:
            keywords.append("idempotency_key: str | None = None")
        if operation.takes_if_match:
            keywords.append("if_match: int | str | None = None")
        return ", ".join([*parts, *(["*"] if keywords else []), *keywords])

    def _parameter_type(self, field: Field) -> str:
        return self._type(field.schema, prefix="models.", item="Sequence")


def _client(groups: Iterable[str], is_async: bool) -> str:
    """The base class of a client: a property for each group."""
    prefix = "Async" if is_async else ""
    lines = [
        f"class {prefix}Resources:",
        f'    """The groups of methods of `{prefix}Patchbay`."""\n',
        f"    _http: {prefix}Http\n",
    ]
    for group in sorted(groups):
        lines += [
            "    @cached_property",
            f"    def {snake(group)}(self) -> {_class_name(group, is_async)}:",
            f'        """{GROUPS[group]}"""',
            f"        return {_class_name(group, is_async)}(self._http)\n",
        ]
    return "\n".join(lines)


def _class_name(group: str, is_async: bool) -> str:
    return ("Async" if is_async else "") + group[0].upper() + group[1:]


def _method_text(operation: Operation) -> str:
    """The text of a method: what the operation does, and its parameters."""
    text = operation.text
    fields = [*operation.path_parameters, *(operation.body or ()), *operation.query]
    described = [f"{snake(field.name)}: {field.description}" for field in fields if field.description]
    if operation.takes_idempotency_key:
        described.append(
            "idempotency_key: Identifies the request, so that a repeat has no effect; random by default."
        )
    if operation.takes_if_match:
        described.append("if_match: The version that you read; PreconditionFailed if there is a later one.")
    if described:
        text += "\n\nArgs:\n" + "\n".join(f"    {line}" for line in described)
    return text


def _operation_source(operation: Operation) -> str:
    flags = ", idempotent=True" if operation.takes_idempotency_key else ""
    return f'Operation("{operation.http_method}", "{operation.path}"{flags})'


def _arguments(fields: Iterable[Field]) -> str:
    return ", ".join(f'"{field.name}": {snake(field.name)}' for field in fields)


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        for key, value in node.items():
            if key != "discriminator":
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _union(types: Iterable[str]) -> str:
    parts: list[str] = []
    for type in types:
        parts += [part for part in type.split(" | ") if part not in parts]
    return " | ".join(sorted(parts, key=lambda part: part == "None"))


def snake(name: str) -> str:
    if name in _RENAMED:
        return _RENAMED[name]
    text = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name.replace("-", "_")).lower()
    return f"{text}_" if keyword.iskeyword(text) else text


def _docstring(text: str, indent: int = 4) -> str:
    margin = " " * indent
    paragraphs = []
    for line in text.strip().splitlines():
        hanging = re.match(r" *", line)[0]  # type: ignore[index]
        paragraphs += textwrap.wrap(
            line.strip(),
            104 - indent,
            initial_indent=hanging,
            subsequent_indent=hanging and f"{hanging}    ",
        ) or [""]
    if len(paragraphs) == 1 and len(paragraphs[0]) + indent + 6 <= 110:
        return f'{margin}"""{paragraphs[0]}"""'
    body = "\n".join(f"{margin}{line}".rstrip() for line in paragraphs)
    return f'{margin}"""{body.lstrip()}\n{margin}"""'


def _formatted(source: str) -> str:
    ruff = [sys.executable, "-m", "ruff"]
    stdin = ["--stdin-filename", str(ROOT / _PACKAGE / "generated.py"), "-"]
    fixed = subprocess.run(
        [*ruff, "check", "--fix-only", "--quiet", "--select", "F401,I", *stdin],
        input=source, capture_output=True, text=True, check=True,
    )  # fmt: skip
    formatted = subprocess.run(
        [*ruff, "format", "--quiet", *stdin], input=fixed.stdout, capture_output=True, text=True, check=True
    )
    return formatted.stdout
