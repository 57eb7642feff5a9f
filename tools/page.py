"""Generated tables in the docs, between `<!-- NAME:begin -->` and `<!-- NAME:end -->`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from local.settings import ROOT


def with_tables(path: str, name: str, lines: Iterable[str], page: str | None = None) -> str:
    """Return the page with these lines between its markers. `page` is its text, if it differs from the file.
    Raises ValueError if it has no such markers.
    """
    page = (ROOT / path).read_text("utf-8") if page is None else page
    start, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    match = re.fullmatch(f"(.*?{re.escape(start)}).*?({re.escape(end)}.*)", page, re.DOTALL)
    if match is None:
        raise ValueError(f"{path} has no markers for {name}")
    return match[1] + "".join(f"{line}\n" for line in lines) + match[2]
