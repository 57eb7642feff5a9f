"""The answer to a request that no route takes."""

from __future__ import annotations

from patchbay.errors import MethodNotAllowed, NotFound, Problem
from patchbay.http.routes import ROUTES


def no_route(method: str, path: str) -> Problem:
    """405 with `Allow` when the path has routes of other methods (RFC 9110, 15.5.6), else 404."""
    segments = path.split("/")
    methods = sorted({known for known, pattern in ROUTES if _fits(pattern.split("/"), segments)})
    if not methods:
        return NotFound("There is no such route.")
    allow = ", ".join(methods)
    return MethodNotAllowed(f"{path} takes {allow}, not {method}.", headers={"allow": allow})


def _fits(pattern: list[str], segments: list[str]) -> bool:
    return len(pattern) == len(segments) and all(
        segment if part.startswith("{") else part == segment
        for part, segment in zip(pattern, segments, strict=True)
    )
