"""Sample data for event types, and checks of data against the catalogue."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker

from patchbay.catalogue.entries import Entry, load_entry

FORMATS = FormatChecker(formats=())

# The minimal data of POST_PUBLISHED, the type that most tests publish.
POST: dict[str, Any] = {"postId": "post_1", "network": "instagram"}


def minimal_data(type: str) -> dict[str, Any]:
    """The required fields of an event type, with values from the catalogue's sample."""
    entry = load_entry(type)
    required: Any = entry.json_schema["required"]
    return {name: entry.sample[name] for name in required}


@FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("uri", raises=ValueError)
def _is_url(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme and urlsplit(value).netloc)


def schema_errors(entry: Entry, data: Any) -> list[str]:
    """The errors of data against the schema of an event type, including formats."""
    validator = Draft202012Validator(entry.json_schema, format_checker=FORMATS)
    return [error.message for error in validator.iter_errors(data)]


def assert_catalogued(type: str, data: dict[str, Any]) -> None:
    """Check that an event of Patchbay's own has exactly the fields in the catalogue."""
    entry = load_entry(type)
    assert schema_errors(entry, data) == []
    assert list(data) == list(entry.sample)
