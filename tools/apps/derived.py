"""The generated files of all automation apps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tools.apps import make, n8n, zapier

# Each returns the texts of its files by their paths from the root.
GENERATORS: tuple[Callable[[], Mapping[str, str]], ...] = (zapier.files, make.files, n8n.files)


def files() -> dict[str, str]:
    """Return the text of every generated file by its path from the root."""
    texts: dict[str, str] = {}
    for generate in GENERATORS:
        texts |= generate()
    return texts
