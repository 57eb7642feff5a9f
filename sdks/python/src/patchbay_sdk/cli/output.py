"""What commands print: tables and colors for people, one JSON object per line for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from enum import IntEnum
from typing import Any

import typer
from pydantic import BaseModel
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from patchbay_sdk import ApiError

console = Console(highlight=False)
# Progress and advice, so that standard output has only results.
notes = Console(stderr=True, highlight=False)

_NOTHING = "–"
# A terminal obeys escape sequences, and receivers could send them in their responses.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LONGEST_WORD = 28  # an ID
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
    """An object of the SDK as JSON, with the API's names and its form of times."""
    return json.loads(_json(value))


def _json(value: object) -> str:
    content = value.model_dump(by_alias=True, exclude_unset=True) if isinstance(value, BaseModel) else value
    return json.dumps(content, ensure_ascii=False, default=_time)


def _time(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} is not JSON")
    return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def emit(value: object) -> None:
    """Print an object as a line of JSON."""
    sys.stdout.write(_json(value) + "\n")
    sys.stdout.flush()


def show(value: object, fields: Mapping[str, object]) -> None:
    """Print one object: all of it as JSON, or the fields for people."""
    if Format.json:
        emit(value)
        return
    rows = [
        [Text(name, style="bold"), cell(content)]
        for name, content in fields.items()
        if content not in (None, "", [], {})
    ]
    if not console.is_terminal:
        _print_aligned(rows)
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for row in rows:
        grid.add_row(*row)
    console.print(grid)


def table(
    items: Iterable[Any],
    columns: Mapping[str, Callable[[Any], object]],
    *,
    empty: str,
    spare: Sequence[str] = (),
) -> None:
    """Print a list: a line of JSON for each item, or a table.

    `empty` says what to do if there is no item. Columns without a value are left out. In a terminal that is too narrow,
    so are the `spare` columns, in this order. If it is still too narrow, each item gets several lines. In a pipe, each
    item is one line, however long.
    """
    if Format.json:
        for item in items:
            emit(item)
        return
    rows = [[cell(read(item)) for read in columns.values()] for item in items]
    if not rows:
        notes.print(empty, style="dim", markup=False, soft_wrap=True)
        return
    filled = [any(row[number].plain not in ("", _NOTHING) for row in rows) for number in range(len(columns))]
    cells = {name: [row[number] for row in rows] for number, name in enumerate(columns) if filled[number]}
    if not console.is_terminal:
        _print_aligned([[Text(name) for name in cells], *zip(*cells.values(), strict=True)])
        return
    records = list(cells.values())
    for name in spare:
        if _least_width(cells) > console.width:
            cells.pop(name, None)
    if _least_width(cells) > console.width:
        _print_records(records)
        return
    padding = 2 if _least_width(cells) + len(cells) - 1 <= console.width else 1
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, padding, 0, 0))
    for number, (name, column) in enumerate(cells.items()):
        grid.add_column(name, no_wrap=number == 0, overflow="fold", min_width=_longest_word(name, column))
    for row in zip(*cells.values(), strict=True):
        grid.add_row(*row)
    console.print(grid)


def _print_records(columns: Sequence[Sequence[Text]]) -> None:
    """Print each item on several lines, so that a narrow terminal does not cut IDs."""
    for first, *others in zip(*columns, strict=True):
        console.print(first, soft_wrap=True)
        for line in _wrapped([content for content in others if content.plain], console.width - 2):
            console.print("  ", Text("  ").join(line), sep="", soft_wrap=True)


def _wrapped(contents: Iterable[Text], width: int) -> list[list[Text]]:
    """Lay out the contents in lines of at most `width`, separated by two spaces. A longer one gets its own line."""
    lines: list[list[Text]] = []
    for content in contents:
        if lines and sum(part.cell_len + 2 for part in lines[-1]) + content.cell_len <= width:
            lines[-1].append(content)
        else:
            lines.append([content])
    return lines


def _print_aligned(rows: Sequence[Sequence[Text]]) -> None:
    """Print columns without colors or line breaks."""
    texts = [[" ".join(content.plain.split()) for content in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()


def _least_width(columns: Mapping[str, Sequence[Text]]) -> int:
    """The width of a table in which only long words are broken."""
    return sum(_longest_word(name, column) + 1 for name, column in columns.items()) - 1


def _longest_word(name: str, column: Sequence[Text]) -> int:
    words = [word for text in (name, *(content.plain for content in column)) for word in text.split()]
    return min(max(map(cell_len, words)), _LONGEST_WORD)


def cell(value: object) -> Text:
    """A value for people."""
    if value is None:
        return Text(_NOTHING, style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, datetime):
        return Text(ago(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Text(_printable(", ".join(str(item) for item in value)))
    text = _printable(str(value))
    return Text(text, style=_COLORS.get(text, ""))


def _printable(text: str) -> str:
    return _CONTROL.sub("�", text)


def ago(time: datetime, now: datetime | None = None) -> str:
    """A time relative to now: `12 s ago`, `in 3 h`, or the date if it is more than two weeks away."""
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
    return time.astimezone().strftime("%Y-%m-%d")


def done(text: str) -> None:
    """Say what the command did."""
    notes.print(f"[green]✓[/] {escape(text)}", soft_wrap=True)


def warn(text: str) -> None:
    """Say what the command could not do."""
    notes.print(f"[yellow]![/] {escape(text)}", soft_wrap=True)


def advise(text: str) -> None:
    """Say what the user should do now."""
    notes.print(text, style="yellow", markup=False, soft_wrap=True)


def fail(error: Exception) -> None:
    """Say why the command failed."""
    if not isinstance(error, ApiError):
        text = str(error)
        if isinstance(error, OSError) and error.filename is not None:
            text = f"{error.filename}: {error.strerror}"
        notes.print(f"[red]✗[/] {escape(_printable(text))}", soft_wrap=True)
        return
    if len(error.errors) > 1:
        text = "\n".join([f"{error.title}:", *(f"  {field.path}: {field.message}" for field in error.errors)])
    else:
        text = f"{error.title}: {error.detail}"
    notes.print(f"[red]✗[/] {escape(_printable(text))}", soft_wrap=True)
    request = f", request {error.request_id}" if error.request_id else ""
    notes.print(f"  {error.status} {error.code}{request}", style="dim", markup=False, soft_wrap=True)


def confirm(question: str, *, yes: bool) -> None:
    """Ask a yes-or-no question, unless `yes`. Ends the command if the answer is no, and without a terminal."""
    is_asked = sys.stdin.isatty()
    if yes or (is_asked and _is_yes(question)):
        return
    notes.print("Nothing changed." if is_asked else "Nothing changed. Pass --yes to skip the confirmation.")
    raise typer.Exit(Exit.FAILED)


def _is_yes(question: str) -> bool:
    try:
        return notes.input(f"{escape(question)} [dim](y/N)[/] ").strip().lower() in ("y", "yes")
    except EOFError:
        notes.print()  # Ctrl-D leaves the cursor behind the question
        return False
