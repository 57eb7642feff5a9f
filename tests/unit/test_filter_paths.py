"""Filters on paths that no schema of a webhook's event types has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay import catalogue
from patchbay.catalogue.entries import load_entry
from patchbay.catalogue.templates import EventTrigger, all_templates
from patchbay.errors import ValidationFailed
from patchbay.webhooks import filter_paths


def message(path: str, *types: str) -> str:
    with pytest.raises(ValidationFailed) as refused:
        filter_paths.check(types or ["POST_PUBLISHED"], ["network", path])
    (error,) = refused.value.errors
    assert error.path == "filters.1.path"
    return error.message


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data.network", "`data.network`: paths start inside data; did you mean `network`?"),
        ("data.netwrk", "`data.netwrk`: paths start inside data; did you mean `network`?"),
        ("data", "`data`: paths start inside data"),
        ("netwrk", "no event type of this webhook has `netwrk`; did you mean `network`?"),
        ("NETWORK", "no event type of this webhook has `NETWORK`; did you mean `network`?"),
        ("mediaUrl.0", "no event type of this webhook has `mediaUrl.0`; did you mean `mediaUrls.0`?"),
        ("network.name", "no event type of this webhook has `network.name`; did you mean `network`?"),
        (
            "xyz",
            "no event type of this webhook has `xyz`; its events have `postId`, `network`, `accountId`, "
            "`accountName`, `text`, `mediaUrls`, `mediaUrls.0`, `url`, `campaignId`, `publishedAt`",
        ),
    ],
)
def test_unknown_path_is_refused_with_a_hint(path: str, expected: str) -> None:
    assert message(path) == expected


def test_path_of_another_type_is_refused_unless_the_webhook_has_that_type() -> None:
    assert "`willRetry`" in message("willRetry", "POST_PUBLISHED")
    filter_paths.check(["POST_PUBLISHED", "POST_FAILED"], ["willRetry"])
    filter_paths.check([catalogue.ANY], ["willRetry", "daysLeft"])
    assert "did you mean `willRetry`" in message("wilRetry", catalogue.ANY)


def test_path_that_was_accepted_stays_valid() -> None:
    filter_paths.check(["POST_PUBLISHED"], ["network", "legacy.field"], accepted=["legacy.field"])
    assert filter_paths.undescribed(["POST_PUBLISHED"], ["network", "legacy.field"]) == ["legacy.field"]


def test_long_path_is_shortened_in_the_message() -> None:
    assert len(message(".".join(["x" * 64] * 8))) < 400


@pytest.mark.parametrize(
    ("schema", "path", "known"),
    [
        ({"type": "object"}, "free.form", True),
        ({"type": ["object", "null"], "properties": {"a": {"type": "string"}}}, "a", True),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, "a.b", False),
        ({"type": "object", "properties": {"a": {"type": "object"}}}, "a.b.c", True),
        ({"type": "object", "properties": {"a": {}}}, "a.b.0", True),
        ({"type": "object", "properties": {"a": {"type": "array"}}}, "a.0.b", True),
        ({"type": "object", "properties": {"a": {"type": "array"}}}, "a.first", False),
        ({"type": "object", "properties": {"a": {"type": "array"}}}, "a.01", False),
        (
            {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number"}}}},
            "a.7",
            True,
        ),
        (
            {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "number"}}}},
            "a.7.b",
            False,
        ),
    ],
)
def test_schema_describes_paths(schema: dict[str, object], path: str, known: bool) -> None:
    assert filter_paths._is_described(path, [schema]) is known


@given(st.sampled_from(sorted(catalogue.ALL)))
def test_every_field_of_a_sample_can_be_filtered(type: str) -> None:
    paths = list(load_entry(type).sample)
    filter_paths.check([type], paths)


def test_templates_filter_on_fields_of_their_events() -> None:
    for template in all_templates():
        if isinstance(template.when, EventTrigger):
            filter_paths.check([template.when.event], [each.path for each in template.when.filters])
