"""Tables in the docs that are made, between `<!-- NAME:begin -->` and `<!-- NAME:end -->`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from local.settings import ROOT


def with_tables(path: str, name: str, lines: Iterable[str]) -> str:
    """The page as it is, with these lines between its marks. Raises ValueError when it has no such marks."""
    page = (ROOT / path).read_text("utf-8")
    start, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    found = re.fullmatch(f"(.*?{re.escape(start)}).*?({re.escape(end)}.*)", page, re.DOTALL)
    if found is None:
        raise ValueError(f"{path} has no place for {name}")
    return found[1] + "".join(f"{line}\n" for line in lines) + found[2]
