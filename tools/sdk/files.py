"""Writes generated files, or checks that they are current."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def write_or_check(texts: Mapping[Path, str]) -> int:
    """Write the files that differ; with `--check` in the arguments, only name them. Returns the exit code."""
    check = "--check" in sys.argv
    stale = [file for file, text in texts.items() if not file.exists() or file.read_text() != text]
    for file in stale:
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(texts[file])
        print(f"patchbay: {'stale, run `make derived`:' if check else 'wrote'} {file.relative_to(ROOT)}")
    return 1 if check and stale else 0
