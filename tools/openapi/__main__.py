"""Writes openapi.json and the page of errors: a part of `make derived`."""

from __future__ import annotations

from local.settings import ROOT
from tools import generated_files
from tools.openapi import errors_page
from tools.openapi.document import build

TARGET = ROOT / "openapi.json"


def render() -> str:
    """Return the document's text."""
    return generated_files.as_file(build())


if __name__ == "__main__":
    texts = {TARGET: render(), errors_page.TARGET: errors_page.render()}
    generated_files.write({str(file.relative_to(ROOT)): text for file, text in texts.items()})
