"""The fenced blocks of the documentation, and what a test does with each.

A block is run, unless a comment before it says otherwise:

    <!-- test: skip: needs an AWS account -->    not run, for the reason given
    <!-- test: background 8788 -->               run until the page ends, or until another listens on the port
    <!-- test: fails -->                         run, and expected to exit with a code other than 0
    <!-- test: output -->                        what the command before it prints; `…` stands for any text

Only `text`, `mermaid` and `http` blocks need no comment: they are not run, only shown.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.settings import ROOT

# Pages for users, in reading order.
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *(
        ROOT / folder / "README.md"
        for folder in ("sdks/python", "sdks/typescript", "apps/zapier", "apps/make", "apps/n8n")
    ),
]
SHELLS = {"sh", "bash"}
PROGRAMS = {"python", "ts", "js"}
# Samples in these languages are always files, which commands run.
FILES = {"go", "java", "ruby", "php", "html"}
DATA = {"json", "yaml", "toml", "xml", "ini"}
SHOWN = {"text", "mermaid", "http", "console"}
LANGUAGES = SHELLS | PROGRAMS | FILES | DATA | SHOWN

_BLOCK = re.compile(
    r"^(?:[ \t]*<!-- test: (?P<directive>[^\n]*?) -->\n)?"
    r"(?P<indent>[ \t]*)(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=indent)(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r'title="([^"]+)"')
DIRECTIVES = ("skip: ", "background ", "fails", "output")


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    title: str
    code: str
    directive: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def skipped(self) -> bool:
        return self.directive.startswith("skip")

    @property
    def port(self) -> str:
        """The port that a command in the background listens on, or ""."""
        name, _, value = self.directive.partition(" ")
        return value if name == "background" else ""


def of(page: Path) -> list[Block]:
    return list(_parse(page))


def _parse(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for match in _BLOCK.finditer(text):
        language, _, rest = match["info"].strip().partition(" ")
        title = _TITLE.search(rest)
        yield Block(
            page=page,
            line=text.count("\n", 0, match.start("fence")) + 1,
            language=language,
            title=title[1] if title else "",
            code=textwrap.dedent(match["code"]),
            directive=match["directive"] or "",
        )
