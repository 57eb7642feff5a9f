"""Writes openapi.json: `python -m tools.openapi`."""

from __future__ import annotations

from local.settings import ROOT
from tools.openapi.document import build
from tools.openapi.schemas import dumps

TARGET = ROOT / "openapi.json"


def render() -> str:
    """Return the document's text."""
    return dumps(build())


if __name__ == "__main__":
    TARGET.write_text(render(), "utf-8")
