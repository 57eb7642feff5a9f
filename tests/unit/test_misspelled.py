"""Misspelled names, and names that are only similar."""

from __future__ import annotations

import pytest

from patchbay.providers import provider as providers
from patchbay.suggestions import misspelled


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
