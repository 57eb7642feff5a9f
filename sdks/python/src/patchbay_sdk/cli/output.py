"""What commands print: tables and colors for people, one JSON object per line for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from enum import IntEnum
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

console = Console(highlight=False)
# Progress and advice, so that standard output has only results.
notes = Console(stderr=True, highlight=False)

_COLORS = {
    "ACTIVE": "green",
    "DELIVERED": "green",
    "SUCCEEDED": "green",
    "ACCEPTED": "green",
    "PENDING": "cyan",
    "SENDING": "cyan",
    "RUNNING": "cyan",
    "RETRYING": "yellow",
    "HELD": "yellow",
    "PAUSED": "yellow",
    "PENDING_SETUP": "yellow",
    "INACTIVE": "dim",
    "CANCELLED": "dim",
    "FAILED": "red",
    "DISABLED": "red",
    "REJECTED": "red",
    "ERROR": "red",
    "EXPIRED": "red",
    "REVOKED": "red",
}


class Exit(IntEnum):
    """The exit codes."""

    OK = 0
    FAILED = 1  # the API reports a problem, or the command did not do what it should
    USAGE = 2
    UNAUTHENTICATED = 3
    NOT_FOUND = 4
    UNREACHABLE = 5
    DIFFERENT = 6  # `patchbay ensure --check` found differences
    INTERRUPTED = 130


class Format:
    """Whether results are printed as JSON."""

    json = False


def plain(value: object) -> Any:
    """An object of the SDK as JSON, with the API's names."""
    return value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value


def emit(value: object) -> None:
    """Print an object as a line of JSON."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def show(value: object, fields: Mapping[str, object]) -> None:
    """Print one object: all of it as JSON, or the fields for people."""
    if Format.json:
        emit(value)
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for name, content in fields.items():
        if content not in (None, "", [], {}):
            grid.add_row(name, cell(content))
    console.print(grid)


def table(items: Iterable[Any], columns: Mapping[str, Callable[[Any], object]], *, empty: str) -> None:
    """Print a list: a line of JSON for each item, or a table. `empty` says what to do if there is none."""
    if Format.json:
        for item in items:
            emit(item)
        return
    rows = [[cell(read(item)) for read in columns.values()] for item in items]
    if not rows:
        notes.print(empty, style="dim")
        return
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        grid.add_column(name, no_wrap=number == 0, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    console.print(grid)


def cell(value: object) -> Text:
    """A value for people."""
    if value is None:
        return Text("–", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, datetime):
        return Text(ago(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Text(", ".join(str(item) for item in value))
    text = str(value)
    return Text(text, style=_COLORS.get(text, ""))


def ago(time: datetime, now: datetime | None = None) -> str:
    """A time as people say it: `12 s ago`, `in 3 h`, or the date if it is more than two weeks away."""
    seconds = ((now or datetime.now(timezone.utc)) - time).total_seconds()
    size, sign = abs(seconds), seconds >= 0
    for unit, length, limit in (
        ("s", 1, 90),
        ("min", 60, 5_400),
        ("h", 3_600, 172_800),
        ("days", 86_400, 1_209_600),
    ):
        if size < limit:
            text = f"{size / length:.0f} {unit}"
            return f"{text} ago" if sign else f"in {text}"
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def done(text: str) -> None:
    """Say what the command did."""
    notes.print(f"[green]✓[/] {text}")


def warn(text: str) -> None:
    notes.print(f"[yellow]![/] {text}")


def confirm(question: str) -> bool:
    """Ask a yes-or-no question. Without a terminal, the answer is no."""
    if not sys.stdin.isatty():
        return False
    with suppress(EOFError):
        return notes.input(f"{question} [dim](y/N)[/] ").strip().lower() in ("y", "yes")
    return False
