"""What is made of the catalogue, and where the files stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from local.settings import ROOT
from tools.apps import make, n8n, zapier

# Each gives the files that it makes: their text by their path from the root.
MAKERS: tuple[Callable[[], Mapping[str, str]], ...] = (zapier.files, make.files, n8n.files)


def files() -> dict[str, str]:
    """Every file that is made."""
    made: dict[str, str] = {}
    for maker in MAKERS:
        made |= maker()
    return made


def write() -> None:
    """Write what has changed, and say so."""
    for path, text in files().items():
        file = ROOT / path
        if not file.exists() or file.read_text("utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
            print(f"patchbay: wrote {path}")
