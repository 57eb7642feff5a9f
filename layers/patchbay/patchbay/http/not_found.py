"""The error for a request that matches no route. Other 404s are `errors.NotFound`, raised by services."""

from __future__ import annotations

from patchbay.errors import MethodNotAllowed, NotFound, Problem
from patchbay.http.routes import ROUTES


def no_route(method: str, path: str) -> Problem:
    """405 with `Allow` if the path has routes with other methods (RFC 9110, 15.5.6), otherwise 404."""
    segments = path.split("/")
    methods = sorted({method for method, pattern in ROUTES if _matches(pattern.split("/"), segments)})
    if not methods:
        return NotFound("No route matches this path. Check the URL.")
    allow = ", ".join(methods)
    return MethodNotAllowed(f"{path} supports {allow}, not {method}.", headers={"allow": allow})


def _matches(pattern: list[str], segments: list[str]) -> bool:
    return len(pattern) == len(segments) and all(
        segment if part.startswith("{") else part == segment
        for part, segment in zip(pattern, segments, strict=True)
    )
