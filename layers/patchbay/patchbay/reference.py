"""The API's description and its reference: what `/api/openapi.json` and `/api/docs` serve.

The files are in a separate layer, because they are large and no other function needs them. They are read
and compressed once per process.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Self

from patchbay.http.file import JsonFile, Page, Script, Stylesheet

_LAYER = "patchbay_reference"
# The files of the reference by their names in the path: the name in the layer, and the kind.
_FILES: dict[str, tuple[str, type[Page] | type[Script] | type[Stylesheet]]] = {
    "errors": ("errors.html", Page),
    "reference.css": ("reference.css", Stylesheet),
    "reference.js": ("reference.js", Script),
    "scalar.js": ("scalar.js.gz", Script),
}


class ReferenceFile(str):
    """The name of a file of the reference in a path."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for an unknown file."""
        if text not in _FILES:
            raise ValueError(f"must be one of {', '.join(_FILES)}")
        return cls(text)


@cache
def document(origin: str) -> JsonFile:
    """The OpenAPI document, with the deployment's own origin as its server."""
    content = json.loads(_read("openapi.json"))
    content["servers"] = [{"url": origin}]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return JsonFile.of(text.encode())


@cache
def page() -> Page:
    """The page that shows the document."""
    return Page.of(_read("reference.html"))


@cache
def file(name: ReferenceFile) -> Page | Script | Stylesheet:
    """A page or a file of a page."""
    source, kind = _FILES[name]
    return kind.of(_read(source))


def _read(name: str) -> bytes:
    return files(_LAYER).joinpath(name).read_bytes()
