"""Values of steps: `{{event.data.x}}` and `{{steps.<id>.output.x}}` in the strings of a step's input.

A string that is a single expression becomes the value itself, whatever its type. In a longer string, a value
becomes text: a string is inserted unchanged, null as nothing, and anything else as JSON. Filled-in text is
never searched for expressions. A value that does not exist is null.

Paths are like those of filters: names and list indexes, separated by dots.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from patchbay import compact_json, event_filters, suggestions

# No expression has braces inside, so the search is linear.
_EXPRESSION = re.compile(r"\{\{([^{}]*)\}\}")
_EVENT_FIELDS = ("data", "id", "timestamp", "type")


class TooLarge(Exception):
    """The filled-in values exceed the limit."""


class NotInPath(ValueError):
    """A value that cannot be a part of a URL's path. The message says why, for people."""


def paths(value: object) -> Iterator[str]:
    """The paths of all expressions in a step's input, in order."""
    if isinstance(value, str):
        for match in _EXPRESSION.finditer(value):
            yield match[1].strip()
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner)


def check_path(path: str, steps: Collection[str]) -> None:
    """Raises ValueError for a path that neither the event nor any of the earlier `steps` can have."""
    if not event_filters.is_path(path):
        raise ValueError(
            f"{_shown(path)} is not a valid path, such as event.data.network or steps.first.output.id"
        )
    root, *rest = path.split(".")
    if root == "event":
        if not rest or rest[0] not in _EVENT_FIELDS:
            raise ValueError(
                f"{_shown(path)}: an event has event.data, event.id, event.timestamp, event.type"
            )
        return
    if root != "steps":
        raise ValueError(f"{_shown(path)}: values start with event. or steps.")
    if not rest or rest[0] not in steps:
        known = suggestions.one_of(rest[0] if rest else "", steps, "a step before this one") if steps else ""
        raise ValueError(f"{_shown(path)}: {known or 'there is no previous step'}")
    if rest[1:2] != ["output"]:
        raise ValueError(f"{_shown(path)}: use the step's output, such as steps.{rest[0]}.output")


def fill(value: Any, content: Mapping[str, Any], max_bytes: int) -> tuple[Any, list[str]]:
    """A step's input with its values filled in, and the paths that do not exist. Raises TooLarge before it
    builds more than `max_bytes` of JSON.
    """
    filling = _Filling(content, max_bytes)
    return filling.fill(value), list(dict.fromkeys(filling.missing))


def without_values(text: str) -> str:
    """A text with a letter in place of each expression."""
    return _EXPRESSION.sub("x", text)


def before_values(text: str) -> str:
    """A text up to its first expression."""
    return _EXPRESSION.split(text, maxsplit=1)[0]


def fill_path(path: str, content: Any) -> str:
    """A URL's path with its values percent-encoded, so each stays in its segment. Raises NotInPath for a
    missing or empty value, which would lead to another path; for a value with a slash or a backslash; and for
    an object or a list.
    """

    def written(match: re.Match[str]) -> str:
        path = match[1].strip()
        _, value = event_filters.look_up(content, path)
        if value is None or value == "":
            raise NotInPath(f"{_shown(path)} is empty or missing, which would change the path")
        if isinstance(value, dict | list):
            raise NotInPath(f"{_shown(path)} is an object or a list, which a path cannot have")
        text = value if isinstance(value, str) else compact_json.dumps(value)
        if "/" in text or "\\" in text:
            raise NotInPath(f"{_shown(path)} has a slash or a backslash, which servers interpret differently")
        return quote(text, safe="", errors="replace")

    return _EXPRESSION.sub(written, path)


class _Filling:
    def __init__(self, content: Any, max_bytes: int) -> None:
        self._content = content
        self._left = max_bytes
        self.missing: list[str] = []

    def fill(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._fill_text(value)
        if isinstance(value, Mapping):
            self._use(2)
            return {self._used(name): self.fill(inner) for name, inner in value.items()}
        if isinstance(value, list):
            self._use(2)
            return [self.fill(inner) for inner in value]
        self._use(compact_json.size(value))
        return value

    def _fill_text(self, text: str) -> Any:
        whole = _EXPRESSION.fullmatch(text)
        if whole is not None:
            value = self._look_up(whole[1])
            self._use(compact_json.size(value))
            return value
        parts, position = [], 0
        for match in _EXPRESSION.finditer(text):
            value = self._look_up(match[1])
            written = value if isinstance(value, str) else "" if value is None else compact_json.dumps(value)
            parts += [self._used(text[position : match.start()]), self._used(written)]
            position = match.end()
        return "".join([*parts, self._used(text[position:])])

    def _look_up(self, expression: str) -> Any:
        path = expression.strip()
        found, value = event_filters.look_up(self._content, path)
        if not found:
            self.missing.append(path)
        return value

    def _used(self, text: str) -> str:
        self._use(len(text.encode()))
        return text

    def _use(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise TooLarge


def _shown(path: str) -> str:
    return f"{{{{{path if len(path) <= 80 else path[:80] + '…'}}}}}"
