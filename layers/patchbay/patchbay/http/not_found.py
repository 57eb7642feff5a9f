"""The errors for a request that matches no route, or whose path variable has an impossible value.

Other 404s are `errors.NotFound`, raised by services.
"""

from __future__ import annotations

from collections import defaultdict

from patchbay.errors import MethodNotAllowed, NotFound, Problem
from patchbay.http.routes import ROUTES

# The methods of each path pattern.
_METHODS: dict[tuple[str, ...], set[str]] = defaultdict(set)
for _method, _pattern in ROUTES:
    _METHODS[tuple(_pattern.split("/"))].add(_method)


def no_route(method: str, path: str) -> Problem:
    """405 with `Allow` if the path has routes with other methods (RFC 9110, 15.5.6), otherwise 404, which
    names the path without superfluous slashes if that has routes.
    """
    if pattern := _best_pattern(path):
        return _not_allowed(method, path, pattern)
    corrected = "/" + "/".join(filter(None, path.split("/")))
    if corrected != path and _best_pattern(corrected):
        slash = "a trailing slash" if path == corrected + "/" else "superfluous slashes"
        return NotFound(f"No route matches this path, because it has {slash}. Use {corrected}.")
    return NotFound("No route matches this path. Check the URL.")


def impossible_value(method: str, path: str, variable: str, reason: str) -> Problem:
    """The error for a path variable that no resource can have as its name.

    API Gateway matches DELETE /api/integrations/marketplace with DELETE /api/integrations/{id}, because the
    literal path has no DELETE. The response is then that of the literal path: 405.
    """
    pattern = _best_pattern(path)
    if pattern and method not in _METHODS[pattern]:
        return _not_allowed(method, path, pattern)
    return NotFound(f"The path is wrong: {variable} {reason}.")


def _best_pattern(path: str) -> tuple[str, ...] | None:
    """The pattern that fits the path best. As in API Gateway, a literal segment precedes a variable, which
    precedes a variable for the rest of the path.
    """
    segments = path.split("/")
    fitting = [pattern for pattern in _METHODS if _fits(pattern, segments)]
    return min(fitting, key=_generality, default=None)


def _generality(pattern: tuple[str, ...]) -> tuple[bool, list[bool]]:
    return pattern[-1].endswith("+}"), [part.startswith("{") for part in pattern]


def _fits(pattern: tuple[str, ...], segments: list[str]) -> bool:
    if pattern[-1].endswith("+}"):
        rest = len(pattern) - 1
        segments = [*segments[:rest], "/".join(segments[rest:])]
    return len(pattern) == len(segments) and all(
        segment if part.startswith("{") else part == segment
        for part, segment in zip(pattern, segments, strict=True)
    )


def _not_allowed(method: str, path: str, pattern: tuple[str, ...]) -> MethodNotAllowed:
    allow = ", ".join(sorted(_METHODS[pattern]))
    return MethodNotAllowed(f"{path} supports {allow}, not {method}.", headers={"allow": allow})
