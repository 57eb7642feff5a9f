"""Whether data are what the catalogue of event types says of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker

from patchbay.catalogue.entries import Entry, load

FORMATS = FormatChecker(formats=())

# The least that POST_PUBLISHED has: the type that most tests publish.
POST: dict[str, Any] = {"postId": "post_1", "network": "instagram"}


def least(type: str) -> dict[str, Any]:
    """The least that data of that type have, as the catalogue's sample says them."""
    entry = load(type)
    required: Any = entry.json_schema["required"]
    return {name: entry.sample[name] for name in required}


@FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("uri", raises=ValueError)
def _is_url(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme and urlsplit(value).netloc)


def errors(entry: Entry, data: Any) -> list[str]:
    """Where data do not fit the schema of their event type, formats included."""
    checker = Draft202012Validator(entry.json_schema, format_checker=FORMATS)
    return [error.message for error in checker.iter_errors(data)]


def assert_catalogued(type: str, data: dict[str, Any]) -> None:
    """For what Patchbay announces itself: the very fields that the catalogue shows."""
    entry = load(type)
    assert errors(entry, data) == []
    assert list(data) == list(entry.sample)
