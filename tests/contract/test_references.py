"""The docs/ pages and headings that code, comments and the template name exist."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from local.settings import ROOT
from tools.docs.api_pages import anchor

# A page, optionally with a heading. In Markdown files, `make docs` and `make lint-docs` check the links.
REFERENCE = re.compile(r"\bdocs/[a-z0-9/_-]+\.md(?:#[a-z0-9_-]+)?")
# Built files, and files that name pages that need not exist.
LEFT_OUT = re.compile(r"\.md$|^layers/console/|-lock\.json$|^tests/docs/|^docs/|\.(png|woff2|svg)$")


def references() -> set[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = set()
    for name in listed.splitlines():
        if not LEFT_OUT.search(name) and (ROOT / name).is_file():
            text = (ROOT / name).read_text("utf-8", errors="replace")
            # A comment can break the line after the page's name, but not within it.
            found |= {(name, reference) for reference in REFERENCE.findall(text)}
    return found


@cache
def anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return (
        {anchor(heading) for heading in headings}
        | set(re.findall(r'<a id="([^"]+)"', text))
        | set(re.findall(r"\{ ?#([\w-]+) ?\}", text))
    )


@pytest.mark.parametrize(("file", "reference"), sorted(references()))
def test_reference_exists(file: str, reference: str) -> None:
    path, _, anchor = reference.partition("#")
    assert (ROOT / path).is_file(), f"{file} names {path}"
    assert not anchor or anchor in anchors(ROOT / path), f"{file} names {reference}"
