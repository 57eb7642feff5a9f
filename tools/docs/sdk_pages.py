"""Writes the generated parts of the reference of the SDKs and of the command line. `make derived`.

The methods come from openapi.json, and the commands from the command line itself. Each part is between
markers in its page; see `tools.page`.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local.settings import ROOT
from tools import generated_files
from tools.docs.api_pages import anchor, slug
from tools.page import with_tables
from tools.sdk import python, typescript
from tools.sdk.schema import GROUPS, Document, Field, Operation

PYTHON = "docs/reference/python-sdk.md"
TYPESCRIPT = "docs/reference/typescript-sdk.md"
COMMANDS = "docs/reference/cli.md"


def pages() -> dict[str, str]:
    """Return the text of each page by its path from the root."""
    document = Document(json.loads((ROOT / "openapi.json").read_text("utf-8")))
    return {
        PYTHON: with_tables(PYTHON, "methods", _methods(document, python.snake, _python_call)),
        TYPESCRIPT: with_tables(TYPESCRIPT, "methods", _methods(document, str, _typescript_call)),
        COMMANDS: with_tables(COMMANDS, "commands", _commands()),
    }


# ── methods ──────────────────────────────────────────────────────────────────────────────────────────


def _methods(
    document: Document, spelled: Callable[[str], str], call: Callable[[Operation], str]
) -> Iterator[str]:
    """A table of the methods of each group. `spelled` writes a name in the language's style."""
    links = _links()
    groups: dict[str, list[Operation]] = {}
    for operation in document.operations():
        groups.setdefault(operation.group, []).append(operation)
    for group, about in GROUPS.items():
        yield from (f"### `client.{spelled(group)}`", "", about, "")
        yield from ("| Method | Returns | Description |", "|---|---|---|")
        for operation in groups[group]:
            result, is_page = typescript.result_type(document, operation)
            name = result.replace("models.", "").replace(" | ", "` or `").replace("void", "")
            returned = f"pages of `{name}`" if is_page else f"`{name}`" if name else "nothing"
            yield f"| `{call(operation)}` | {returned} | [{operation.summary}]({links[operation.id]}) |"
        yield ""


def _python_call(operation: Operation) -> str:
    given = [python.snake(field.name) for field in operation.path_parameters]
    named = [*(operation.body or ()), *operation.query]
    given += [f"{python.snake(field.name)}=" for field in named if field.required]
    return f"{python.snake(operation.method)}({_arguments(given, named)})"


def _typescript_call(operation: Operation) -> str:
    given = [field.name for field in operation.path_parameters]
    for fields in (operation.body or (), operation.query):
        if required := [field.name for field in fields if field.required]:
            given.append(f"{{ {_arguments(required, fields)} }}")
        elif fields:
            given.append("{ … }")
    return f"{operation.method}({', '.join(given)})"


def _arguments(given: list[str], named: tuple[Field, ...] | list[Field]) -> str:
    """The required arguments of a call, and `…` if it takes others."""
    return ", ".join(given + ["…"] * any(not field.required for field in named))


def _links() -> Mapping[str, str]:
    """The section of the API's reference for each operation, by operation ID."""
    content = json.loads((ROOT / "openapi.json").read_text("utf-8"))
    return {
        operation["operationId"]: f"api/{slug(operation['tags'][0])}.md#{anchor(operation['summary'])}"
        for methods in content["paths"].values()
        for operation in methods.values()
        if isinstance(operation, Mapping) and "operationId" in operation
    }


# ── commands ─────────────────────────────────────────────────────────────────────────────────────────


def _commands() -> Iterator[str]:
    sys.path.insert(0, str(ROOT / "sdks/python/src"))
    from patchbay_sdk.cli.app import app
    from typer.main import get_command

    for path, command in _leaves(get_command(app), ("patchbay",)):
        parameters = [each for each in command.params if each.name != "help"]
        arguments = [each for each in parameters if each.param_type_name == "argument"]
        options = [each for each in parameters if each.param_type_name == "option"]
        usage = " ".join([*path, *(_argument(each) for each in arguments), *["[OPTIONS]"] * bool(options)])
        yield from (f"### `{' '.join(path)}`", "")
        if parameters:
            yield from (f"Usage: `{usage}`", "")
        yield from (*inspect.cleandoc(command.help or "").splitlines(), "")
        if parameters:
            yield from ("| Argument or option | Description |", "|---|---|")
            yield from map(_row, [*arguments, *options])
            yield ""


def _leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from _leaves(child, (*path, name))
    else:
        yield path, command


def _argument(parameter: Any) -> str:
    return str(parameter.metavar) if parameter.required else f"[{parameter.metavar}]"


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"| `{parameter.metavar}` | {parameter.help} |"
    names = ", ".join(f"`{name}`" for name in sorted(parameter.opts, key=len, reverse=True))
    takes_value = not parameter.is_flag
    value = f" `{parameter.metavar or parameter.name.strip('_').upper()}`" if takes_value else ""
    default = parameter.default if takes_value and parameter.default not in (None, "", []) else None
    required = " Required." if parameter.required else ""
    shown = f" Default: `{default}`." if default is not None else ""
    return f"| {names}{value} | {parameter.help}{required}{shown} |"


if __name__ == "__main__":
    generated_files.write(pages())
