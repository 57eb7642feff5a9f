"""Which known name is suggested for an unknown one."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from patchbay import catalogue
from patchbay.automations.models import AnswerRun
from patchbay.providers import provider as providers
from patchbay.suggestions import did_you_mean, fields_at, misspelled, nearest, one_of
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
        ("per.page", {"limit"}, "limit"),
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


@pytest.mark.parametrize("find", [nearest, misspelled])
def test_search_for_a_long_name_takes_no_time(find: Callable[[str, set[str]], str | None]) -> None:
    started = time.perf_counter()
    assert find("eventTypes" * 7, {"eventTypes" * 7 + "s"}) is None
    assert find("eventTypes" * 100_000, WEBHOOK) is None
    assert time.perf_counter() - started < 5, "comparing names takes quadratic time"


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


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *(
            ("hubsopt", "hubspot"),
            ("hub_spot", "hubspot"),
            ("hubspots", "hubspot"),
            ("salesfroce", "salesforce"),
        ),
        *(("gogle", "google"), ("git-hub", "github"), ("linked-in", "linkedin"), ("mail_chimp", "mailchimp")),
        *(("pipe-drive", "pipedrive"), ("active-campaign", "activecampaign"), ("canvas", "canva")),
    ],
)
def test_misspelled_provider_is_found(name: str, known: str) -> None:
    assert misspelled(name, providers.names()) == known


@pytest.mark.parametrize(
    "name",
    [
        *("zoom", "google-ads", "linkedin-ads", "slack-bot", "adobe-sign", "zoho-desk", "xero", "twitter"),
        *("own", "custom", "custom_api_key", "custom_basic", "canvas-lms", "meta", "", "x" * 5000, "ünï"),
    ],
)
def test_other_name_is_not_a_misspelling(name: str) -> None:
    assert misspelled(name, providers.names()) is None


def test_no_provider_is_a_misspelling() -> None:
    assert [name for name in providers.names() if misspelled(name, providers.names())] == []
