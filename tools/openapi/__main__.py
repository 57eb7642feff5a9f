"""Writes openapi.json and the page of errors: `python -m tools.openapi`, a part of `make derived`."""

from __future__ import annotations

from local.settings import ROOT
from tools.openapi import errors_page
from tools.openapi.document import build
from tools.openapi.schemas import dumps

TARGET = ROOT / "openapi.json"


def render() -> str:
    """Return the document's text."""
    return dumps(build())


if __name__ == "__main__":
    TARGET.write_text(render(), "utf-8")
    errors_page.TARGET.write_text(errors_page.render(), "utf-8")
