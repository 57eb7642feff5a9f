"""`ensure`: webhooks and API keys as a file declares them.

    [[webhooks]]
    name = "Posts"
    url = "https://example.com/hook"
    eventTypes = ["POST_PUBLISHED"]
    headers = { Authorization = "Bearer ${RECEIVER_TOKEN}" }

    [[keys]]
    name = "Publisher"
    scopes = ["events:publish"]

The names of fields are those of the API. A resource is found by its name. Fields and resources that the file does not
name are left unchanged. `${NAME}` is an environment variable.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.alias_generators import to_camel, to_snake
from rich.text import Text

from patchbay_sdk import Patchbay
from patchbay_sdk.cli.context import client as connect
from patchbay_sdk.cli.output import Exit, Format, advise, confirm, console, done, emit, plain

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# The API never shows header values, so they are sent only when the header names differ, or with --headers.
_SECRET = "headers"  # noqa: S105


@dataclass(frozen=True)
class Kind:
    """A kind of resource that the file can declare."""

    section: str
    label: str
    list_all: Callable[[], Iterable[Any]]
    create: Callable[..., Any]
    update: Callable[..., Any]
    shown_once: str


@dataclass(frozen=True)
class Change:
    """What to do for one declared resource. `id` is None if it has to be created; `before` has the old values."""

    kind: Kind
    name: str
    id: str | None
    version: int | None
    wanted: Mapping[str, Any]
    before: Mapping[str, Any]


def ensure(
    file: Annotated[Path, typer.Option("--file", "-f", help="The TOML file.")] = Path("patchbay.toml"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Apply the changes without a question.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only show the differences; exit code 6 if there are any.")
    ] = False,
    headers: Annotated[bool, typer.Option("--headers", help="Send the values of all headers again.")] = False,
) -> None:
    """Create and change webhooks and API keys until they match a file.

    Shows the differences first.
    """
    declared = _read(file)
    with connect() as client:
        changes = list(_differences(client, declared, resend_headers=headers))
        for change in changes:
            _print(change)
        if not changes:
            done(f"Everything already matches {file}.")
            return
        if check:
            raise typer.Exit(Exit.DIFFERENT)
        confirm(f"Apply {len(changes)} {'change' if len(changes) == 1 else 'changes'}?", yes=yes)
        for change in changes:
            _apply(change)


def _kinds(client: Patchbay) -> list[Kind]:
    webhooks, keys = client.webhooks, client.api_keys
    return [
        Kind(
            "webhooks",
            "webhook",
            lambda: webhooks.list(limit=100),
            webhooks.create,
            webhooks.update,
            "secret",
        ),
        Kind(
            "keys",
            "API key",
            lambda: (key for key in keys.list(limit=100) if key.status == "ACTIVE"),
            keys.create,
            keys.update,
            "key",
        ),
    ]


def _read(file: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        content = tomllib.loads(file.read_text())
    except FileNotFoundError:
        raise ValueError(f"There is no file {file}. Name another one with --file.") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file} is not valid TOML: {error}.") from None
    unknown = content.keys() - {"webhooks", "keys"}
    if unknown:
        raise ValueError(f"{file}: unknown section {', '.join(sorted(unknown))}. Write [[webhooks]] or [[keys]].")
    for section, resources in content.items():
        if not isinstance(resources, list) or not all(isinstance(resource, dict) for resource in resources):
            raise ValueError(f"{file}: write [[{section}]], with two brackets, before each of the {section}.")
        names = [resource.get("name") for resource in resources]
        if None in names or len(set(names)) != len(names):
            raise ValueError(f"{file}: each of the {section} needs a unique name.")
    return {section: [_expanded(resource) for resource in resources] for section, resources in content.items()}


def _expanded(value: Any) -> Any:
    """The value with environment variables filled in, and its times with a time zone. Raises ValueError for a
    variable that is not set.
    """
    if isinstance(value, dict):
        return {name: _expanded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    if isinstance(value, date):  # also a datetime; without a time zone, it is in the local one
        time = value if isinstance(value, datetime) else datetime.combine(value, datetime.min.time())
        return time.astimezone()
    return re.sub(r"\$\{(\w+)\}", _variable, value) if isinstance(value, str) else value


def _variable(match: re.Match[str]) -> str:
    if match[1] not in os.environ:
        raise ValueError(f"The environment variable {match[1]} is not set.")
    return os.environ[match[1]]


def _differences(
    client: Patchbay, declared: Mapping[str, list[dict[str, Any]]], *, resend_headers: bool
) -> Iterable[Change]:
    for kind in _kinds(client):
        wanted_by_name = {resource["name"]: resource for resource in declared.get(kind.section, ())}
        if not wanted_by_name:
            continue
        found: dict[str, Any] = {}
        for resource in kind.list_all():
            if resource.name in wanted_by_name:
                if resource.name in found:
                    raise ValueError(
                        f"Two {kind.label}s have the name {resource.name!r}: {found[resource.name].id} and "
                        f"{resource.id}. Rename one."
                    )
                found[resource.name] = resource
        for name, wanted in wanted_by_name.items():
            if name not in found:
                _check_fields(kind, name, wanted, kind.create)
                _check_required(kind, name, wanted)
                yield Change(kind, name, None, None, wanted, {})
                continue
            current = plain(found[name])
            changed = {
                field: value
                for field, value in wanted.items()
                if not _is_same(field, value, current.get(field)) or (field == _SECRET and resend_headers)
            }
            if changed:
                _check_fields(kind, name, changed, kind.update)
                before = {field: current.get(field) for field in changed}
                yield Change(kind, name, found[name].id, found[name].version, changed, before)


def _check_fields(kind: Kind, name: str, fields: Iterable[str], method: Callable[..., Any]) -> None:
    """Raises ValueError for a field that the API's method does not take."""
    known = {to_camel(parameter) for parameter in inspect.signature(method).parameters} - {
        "id",
        "idempotencyKey",
        "ifMatch",
    }
    for field in fields:
        if field in known:
            continue
        text = f"The {kind.label} {name}: {field} cannot be "
        if near := get_close_matches(field, known, 1):
            raise ValueError(f"{text}declared; did you mean {near[0]}?")
        is_fixed = method is kind.update and to_snake(field) in inspect.signature(kind.create).parameters
        raise ValueError(f"{text}{'changed. Delete it first, or undo the change.' if is_fixed else 'declared.'}")


def _check_required(kind: Kind, name: str, fields: Mapping[str, Any]) -> None:
    """Raises ValueError for a field that is missing in a new resource."""
    parameters = inspect.signature(kind.create).parameters.values()
    needed = [to_camel(parameter.name) for parameter in parameters if parameter.default is parameter.empty]
    if missing := [field for field in needed if field not in fields]:
        raise ValueError(f"The {kind.label} {name} is new and needs {' and '.join(missing)}.")


def _is_same(field: str, wanted: Any, current: Any) -> bool:
    if field == _SECRET:
        return set(wanted) == set(current or {})
    if _are_texts(wanted) and _are_texts(current or []):
        return sorted(wanted) == sorted(current or [])
    if isinstance(wanted, dict) and isinstance(current, dict):
        return all(current.get(name) == value for name, value in wanted.items())
    if isinstance(wanted, datetime):
        return current is not None and datetime.fromisoformat(current.replace("Z", "+00:00")) == wanted
    return bool(wanted == current)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _print(change: Change) -> None:
    if Format.json:
        emit({"kind": change.kind.label, "name": change.name, "id": change.id, "fields": sorted(change.wanted)})
        return
    is_new = change.id is None
    title = f"{'+' if is_new else '~'} {change.kind.label} {change.name}"
    _line((title, "green" if is_new else "yellow"), (f" {change.id or ''}", "dim"))
    for field, value in change.wanted.items():
        if field == "name":
            continue
        if is_new:
            _line(f"    {field}: ", (_shown(field, value), "green"))
        else:
            _print_field(field, change.before[field], value)


def _print_field(field: str, before: Any, wanted: Any) -> None:
    """Print a changed field; for an object, only what differs."""
    if field != _SECRET and isinstance(before, dict) and isinstance(wanted, dict):
        for name, value in wanted.items():
            if before.get(name) != value:
                _print_field(f"{field}.{name}", before.get(name), value)
        return
    old, new = _shown(field, before), _shown(field, wanted)
    if old == new:  # the values of headers
        _line(f"    {field}: ", (f"{new}, sent again", "green"))
    else:
        _line(f"    {field}: ", (old, "red"), " → ", (new, "green"))


def _line(*parts: str | tuple[str, str]) -> None:
    text = Text.assemble(*parts)
    text.rstrip()
    console.print(text, soft_wrap=True)


def _shown(field: str, value: Any) -> str:
    """A field's value for people; for headers, only their names."""
    if value is None:
        return "nothing"
    if field == _SECRET:
        return ", ".join(value) or "nothing"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value) or "nothing"
    return str(plain(value)) if isinstance(value, (str, datetime)) else json.dumps(plain(value), ensure_ascii=False)


def _apply(change: Change) -> None:
    body = {to_snake(field): value for field, value in change.wanted.items()}
    if change.id is not None:
        if retry_config := change.wanted.get("retryConfig"):
            # The API replaces the object: fields that the file does not have would get their defaults.
            before = {name: value for name, value in change.before["retryConfig"].items() if name != "schedule"}
            body["retry_config"] = retry_config if "schedule" in retry_config else {**before, **retry_config}
        change.kind.update(change.id, **body, if_match=change.version)
        done(f"Changed the {change.kind.label} {change.name}.")
        return
    created = change.kind.create(**body)
    secret = getattr(created, change.kind.shown_once)
    if Format.json:
        emit({"kind": change.kind.label, "name": change.name, "id": created.id, change.kind.shown_once: secret})
    else:
        console.print(f"{change.name}: {secret}", soft_wrap=True, markup=False)
    done(f"Created the {change.kind.label} {change.name} ({created.id}).")
    advise(f"Store its {change.kind.shown_once} now: it is not shown again.")
