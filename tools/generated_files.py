"""Writes generated files. Tests compare them with what their generators return."""

from __future__ import annotations

import json
from collections.abc import Mapping

from local.settings import ROOT


def write(texts: Mapping[str, str]) -> None:
    """Write the files that changed, by their paths from the root, and print their paths."""
    for path, text in texts.items():
        file = ROOT / path
        if not file.exists() or file.read_text("utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
            print(f"patchbay: wrote {path}")


def as_file(content: object) -> str:
    """Format JSON as the text of a file."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
