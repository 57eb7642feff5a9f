"""The generated files of all automation apps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from local.settings import ROOT
from tools.apps import make, n8n, zapier

# Each returns the texts of its files by their paths from the root.
GENERATORS: tuple[Callable[[], Mapping[str, str]], ...] = (zapier.files, make.files, n8n.files)


def files() -> dict[str, str]:
    """Return the text of every generated file by its path from the root."""
    texts: dict[str, str] = {}
    for generate in GENERATORS:
        texts |= generate()
    return texts


def write() -> None:
    """Write the files that changed, and print their paths."""
    for path, text in files().items():
        file = ROOT / path
        if not file.exists() or file.read_text("utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
            print(f"patchbay: wrote {path}")
