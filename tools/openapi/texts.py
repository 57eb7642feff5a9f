"""Texts of the document that are not in the code: texts.toml and introduction.md."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
TEXTS: dict[str, Any] = tomllib.loads((FOLDER / "texts.toml").read_text("utf-8"))


def introduction() -> str:
    """The document's description, in Markdown."""
    return (FOLDER / "introduction.md").read_text("utf-8").strip()
