"""Which known name an unknown one suggests."""

from __future__ import annotations

import time

import pytest

from patchbay import catalogue
from patchbay.automations.models import AnswerRun
from patchbay.suggestions import did_you_mean, fields_at, nearest, one_of
from patchbay.webhooks.models import CreateWebhook

WEBHOOK = fields_at(CreateWebhook, [])
EVENT_QUERY = {"cursor", "limit", "since", "type", "until"}


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("event_types", WEBHOOK, "eventTypes"),
        ("EventTypes", WEBHOOK, "eventTypes"),
        ("event-types", WEBHOOK, "eventTypes"),
        ("events", WEBHOOK, "eventTypes"),
        ("evenTypes", WEBHOOK, "eventTypes"),
        ("targetUrl", WEBHOOK, "url"),
        ("retryConfg", WEBHOOK, "retryConfig"),
        ("eventType", EVENT_QUERY, "type"),
        ("starting_after", EVENT_QUERY, "cursor"),
        ("from", EVENT_QUERY, "since"),
        ("tpye", EVENT_QUERY, "type"),
        ("post.published", catalogue.ALL, "POST_PUBLISHED"),
        ("POST_PUBLISHD", catalogue.ALL, "POST_PUBLISHED"),
        ("colour", WEBHOOK, None),
        ("", WEBHOOK, None),
        ("é", WEBHOOK, None),
        ("endpoint", EVENT_QUERY, None),
    ],
)
def test_nearest_finds_spellings_words_of_other_apis_and_typos(
    name: str, known: set[str], expected: str | None
) -> None:
    assert nearest(name, known) == expected
    assert did_you_mean(name, known) == (f"; did you mean `{expected}`?" if expected else "")


def test_nearest_of_a_long_name_takes_no_time() -> None:
    started = time.perf_counter()
    assert nearest("eventTypes" * 100_000, WEBHOOK) is None
    assert time.perf_counter() - started < 0.1


def test_one_of_names_all_if_none_is_near() -> None:
    assert one_of("blue", {"red", "green"}, "a color") == "is not a color; use one of green, red"
    assert one_of("gren", {"red", "green"}, "a color") == "is not a color; did you mean `green`?"


def test_fields_are_found_in_lists_and_unions() -> None:
    assert fields_at(CreateWebhook, ["retryConfig"]) == {
        "backoffMultiplier",
        "initialDelaySeconds",
        "maxRetries",
        "schedule",
    }
    assert fields_at(CreateWebhook, ["filters", 3, "equals"]) == {"path", "op", "value"}
    assert fields_at(AnswerRun, ["FAILED", "error"]) == {"code", "detail"}
    assert fields_at(AnswerRun, ["FAILED"]) == {"status", "output", "error"}
