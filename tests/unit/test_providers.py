"""The provider files and their schema."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from patchbay.providers import provider as providers
from patchbay.providers.provider import Provider, is_at_host

# Tests remove or change one of its keys.
VALID: dict[str, Any] = {
    "name": "acme",
    "label": "Acme",
    "type": "CRM",
    "description": "Things of an Acme account.",
    "docs": "https://acme.example/docs",
    "variables": {"domain": {"pattern": "[a-z]{1,9}", "default": "login", "description": "Where."}},
    "oauth": {
        "authorization_url": "https://{domain}.acme.example/authorize",
        "token_url": "{accounts}/token",
        "refresh": "rotating",
        "callback": {
            "accounts": {
                "parameter": "accounts-server",
                "hosts": ["accounts.acme.example", "*.acme.test"],
                "default": "https://accounts.acme.example",
            }
        },
        "metadata": {
            "api": {"path": "api_url", "hosts": ["*.acme.example"]},
            "plan": {"path": "plan"},
        },
        "follow_ups": [{"url": "{api}/me?fields=id,name"}],
    },
}


def with_change(path: str, value: object) -> dict[str, Any]:
    """VALID with `value` at a dot path, or without that key for `...`."""
    data = copy.deepcopy(VALID)
    *parents, key = path.split(".")
    parent: Any = data
    for step in parents:
        parent = parent[int(step)] if step.isdigit() else parent[step]
    if value is ...:
        del parent[key]
    else:
        parent[key] = value
    return data


# ── the files ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", providers.names())
def test_every_provider_file_is_valid(name: str) -> None:
    provider = providers.load(name)
    assert provider is not None
    assert provider.name == name
    assert provider.label
    assert re.fullmatch(r"[A-Z].{20,150}\.", provider.description)
    oauth = provider.oauth
    if oauth is not None:
        assert len({*oauth.default_scopes, *oauth.offline_scopes}) == len(oauth.default_scopes) + len(
            oauth.offline_scopes
        )
        for scope in (*oauth.default_scopes, *oauth.offline_scopes):
            assert not {" ", ","}.intersection(scope)


@pytest.mark.parametrize("name", ["nobody", "", "../provider", "hubspot.toml", "HubSpot", "hubspot\n", "*"])
def test_load_returns_none_for_unknown_names(name: str) -> None:
    assert providers.load(name) is None


def test_names_are_sorted() -> None:
    assert list(providers.names()) == sorted(providers.names())
    assert {"salesforce", "zoho", "activecampaign"} <= set(providers.names())


def test_pkce_is_off_for_exactly_four_providers() -> None:
    policy = {name: provider.oauth.pkce for name, provider in _all().items() if provider.oauth}
    assert {name for name, on in policy.items() if not on} == {"slack", "pipedrive", "linkedin", "instagram"}


@pytest.mark.parametrize(
    ("domain", "is_valid"),
    [
        ("login", True),
        ("test", True),
        ("acme.my", True),
        ("acme--uat.sandbox.my", True),
        ("a.my", True),
        ("acme-dev-ed.develop.my", True),
        ("acme", False),
        ("my", False),
        (".my", False),
        ("acme.my.salesforce.com", False),
        ("thief.example/.my", False),
        ("thief.example#.my", False),
        ("user@acme.my", False),
        ("acme.thief.my", False),
        ("acme..my", False),
        ("-acme.my", False),
        ("acme-.my", False),
        ("Acme.my", False),
        ("acme.my\n", False),
        ("lógin", False),
        ("login.my.test", False),
        ("", False),
    ],
)
def test_salesforce_domain_pattern(domain: str, is_valid: bool) -> None:
    pattern = _all()["salesforce"].variables["domain"].pattern
    assert bool(re.fullmatch(pattern, domain)) is is_valid


def _all() -> dict[str, Provider]:
    loaded = {name: providers.load(name) for name in providers.names()}
    return {name: provider for name, provider in loaded.items() if provider is not None}


# ── the schema ───────────────────────────────────────────────────────────────────────────────────────


def test_schema_accepts_the_example() -> None:
    assert Provider.model_validate(VALID).oauth is not None


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("label", ..., "label"),
        ("typo", 1, "typo"),
        ("type", "BANK", "type"),
        ("docs", "http://acme.example", "docs"),
        ("oauth.typo", 1, "typo"),
        ("oauth.refresh", "sometimes", "refresh"),
        ("oauth.refresh", "exchange", "require each other"),
        (
            "oauth.renewal",
            {"url": "https://a.example/", "grant_type": "x", "token_parameter": "t"},
            "require each other",
        ),
        ("oauth.iss_required", True, "iss_required requires the issuer"),
        ("oauth.scope_separator", ";", "scope_separator"),
        ("oauth.client_auth", "both", "client_auth"),
        ("oauth.assumed_lifetime_seconds", 0, "assumed_lifetime_seconds"),
        ("oauth.refresh_margin_seconds", -1, "refresh_margin_seconds"),
        # addresses
        ("oauth.token_url", "http://accounts.acme.example/token", "is not an https URL"),
        ("oauth.token_url", "https://localhost/token", "is not an https URL"),
        ("oauth.token_url", "https://accounts.acme.example:8443/token", "is not an https URL"),
        ("oauth.token_url", "https://user@accounts.acme.example/token", "is not an https URL"),
        ("oauth.token_url", "https://accounts.acme.example?x=1", "is not an https URL"),
        ("oauth.token_url", "https://accounts.acme.example/to ken", "is not an https URL"),
        ("oauth.token_url", "https://accounts.acme.example/\n", "is not an https URL"),
        ("oauth.token_url", "ftp://{domain}.acme.example", "is not an https URL"),
        ("oauth.token_url", "https://{accounts.__class__}.example/", "a name in braces"),
        ("oauth.token_url", "https://{accounts!r}.example/", "a name in braces"),
        ("oauth.token_url", "https://{accounts:>9}.example/", "a name in braces"),
        ("oauth.token_url", "https://{}.example/", "a name in braces"),
        ("oauth.token_url", "https://{0}.example/", "a name in braces"),
        ("oauth.token_url", "https://{.example/", "oauth.token_url"),
        # variables
        ("oauth.token_url", "https://{nothing}.acme.example/", "the variable nothing is not defined"),
        ("oauth.token_url", "{nothing}/token", "the variable nothing is not defined"),
        (
            "oauth.token_url",
            "{api}/token",
            "the variable api is not defined",
        ),  # known only after the token response
        ("oauth.token_url", "{domain}/token", "the variable domain is not defined"),  # not an address
        ("oauth.token_url", "https://{accounts}/token", "is not an https URL"),  # already an address
        ("oauth.token_url", "https://{accounts}.example/token", "the variable accounts is not defined"),
        ("oauth.token_url", "{accounts}{domain}/token", "is not an https URL"),
        ("oauth.token_url", "{accounts}.thief.example/token", "is not an https URL"),
        (
            "oauth.follow_ups.0.url",
            "{plan}/me",
            "the variable plan is not defined",
        ),  # not checked against hosts
        ("oauth.follow_ups.0.url", "https://{plan}.acme.example/me", "the variable plan is not defined"),
        ("oauth.follow_ups.0.url", "https://acme.example/{api}", "the variable api is not defined"),
        ("variables.domain.pattern", "[a-z", "is not a regular expression"),
        ("variables.domain.default", "Login", "does not match the pattern"),
        ("variables.domain.default", "login\n", "does not match the pattern"),
        ("variables.Domain", {"pattern": "x", "description": "x"}, "Domain"),
        # hosts
        ("oauth.callback.accounts.default", "https://thief.example", "is not at one of the hosts"),
        ("oauth.callback.accounts.default", "accounts.acme.example", "is not at one of the hosts"),
        ("oauth.callback.accounts.hosts", ["*"], "hosts"),
        ("oauth.callback.accounts.hosts", ["*.example/"], "hosts"),
        ("oauth.callback.accounts.hosts", ["https://accounts.acme.example"], "hosts"),
        ("oauth.metadata.api.hosts", ["*acme.example"], "hosts"),
        ("oauth.metadata.api.hosts", ["localhost"], "hosts"),
        ("oauth.metadata.api.hosts", ["acme.example\n"], "hosts"),
        ("oauth.metadata.api.path", "a..b", "path"),
        ("oauth.metadata.api.path", "", "path"),
        # the rest
        ("oauth.revocation", {"url": "https://a.example/", "style": "shout"}, "style"),
        ("oauth.follow_ups.0.auth", "basic", "auth"),
        ("oauth", ..., "either oauth or credentials"),
        (
            "credentials",
            {"kind": "API_KEY", "fields": {"apiKey": {"label": "Key"}}},
            "either oauth or credentials",
        ),
    ],
)
def test_schema_rejects_invalid_values(path: str, value: object, message: str) -> None:
    with pytest.raises(ValidationError) as error:
        Provider.model_validate(with_change(path, value))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("oauth.token_url", "https://accounts.acme.example"),
        ("oauth.token_url", "https://accounts.acme.example/a/b?c=d"),
        ("oauth.token_url", "{accounts}"),
        ("oauth.follow_ups.0.url", "{accounts}/of/{domain}"),
        ("oauth.revocation", {"url": "{api}/revoke", "style": "token_only"}),
        ("oauth.metadata.api.hosts", ["acme.example", "*.acme.example"]),
    ],
)
def test_schema_accepts_valid_values(path: str, value: object) -> None:
    Provider.model_validate(with_change(path, value))


def test_read_takes_the_name_from_the_file_name(tmp_path: Path) -> None:
    file = tmp_path / "acme.toml"
    file.write_text(
        'label = "Acme"\ntype = "CRM"\ndescription = "x"\ndocs = "https://acme.example"\n'
        '[credentials]\nkind = "API_KEY"\n[credentials.fields.apiKey]\nlabel = "Key"\n'
    )
    provider = providers.read(file)
    assert provider.name == "acme"
    assert provider.credentials is not None
    assert provider.credentials.fields["apiKey"].secret
    file.write_text(file.read_text() + 'pattern = "("\n')
    with pytest.raises(ValidationError, match="is not a regular expression"):
        providers.read(file)


def test_expand_replaces_variables() -> None:
    assert (
        providers.expand("https://{a}.example/{b}", {"a": "x", "b": "y", "c": "z"}) == "https://x.example/y"
    )
    with pytest.raises(KeyError):
        providers.expand("https://{a}.example/", {})


# ── addresses from responses ─────────────────────────────────────────────────────────────────────────

HOSTS = ["accounts.zoho.com", "accounts.zoho.com.au", "*.pipedrive.com"]


@pytest.mark.parametrize(
    "url",
    [
        "https://accounts.zoho.com",
        "https://accounts.zoho.com/",
        "https://accounts.zoho.com.au",
        "https://acme.pipedrive.com",
        "https://a.b.pipedrive.com/",
    ],
)
def test_is_at_host_accepts_addresses_of_the_provider(url: str) -> None:
    assert is_at_host(url, HOSTS)


@pytest.mark.parametrize(
    "url",
    [
        "https://thief.example",
        # the scheme
        "http://accounts.zoho.com",
        "accounts.zoho.com",
        "//accounts.zoho.com",
        "https:accounts.zoho.com",
        "https:/accounts.zoho.com",
        "https:///accounts.zoho.com",
        "https:\\\\accounts.zoho.com",
        "HTTPS://accounts.zoho.com",
        "javascript://accounts.zoho.com",
        # user and port
        "https://user@accounts.zoho.com",
        "https://accounts.zoho.com@thief.example",
        "https://accounts.zoho.com:443",
        "https://accounts.zoho.com:pass@thief.example",
        "https://accounts.zoho.com:8443",
        # after the host
        "https://accounts.zoho.com/oauth",
        "https://accounts.zoho.com//",
        "https://accounts.zoho.com/?",
        "https://accounts.zoho.com?x",
        "https://accounts.zoho.com#x",
        "https://accounts.zoho.com\\.thief.example",
        "https://accounts.zoho.com/@thief.example",
        "https://thief.example/accounts.zoho.com",
        "https://thief.example?accounts.zoho.com",
        "https://thief.example#accounts.zoho.com",
        # longer and shorter hosts
        "https://accounts.zoho.com.thief.example",
        "https://thiefaccounts.zoho.com",
        "https://x.accounts.zoho.com",
        "https://zoho.com",
        "https://accounts-zoho.com",
        "https://pipedrive.com",
        "https://.pipedrive.com",
        "https://thiefpipedrive.com",
        "https://acme.pipedrive.com.thief.example",
        "https://*.pipedrive.com",
        # other spellings
        "https://Accounts.Zoho.com",
        "https://accounts.zoho.com.",
        "https://accounts..zoho.com",
        "https://accounts%2ezoho.com",
        "https://accounts.zoho.com%00",
        "https://accounts.zoho.com\n",
        "https://accounts.zoho.com\n/",
        "https://accounts.zoho.com/\n",
        "\nhttps://accounts.zoho.com",
        " https://accounts.zoho.com",
        "https://accounts.zoho.com ",
        "https://accounts.zoho.com\x00",
        "https://accounts\u3002zoho.com",
        "https://accounts.z\u043eho.com",
        "https://accounts.zoho.c\u00b2om",
        "https://ac\u00adcounts.zoho.com",
        "https://\u200baccounts.zoho.com",
        # not a string
        None,
        b"https://accounts.zoho.com",
        ["https://accounts.zoho.com"],
        {"url": "https://accounts.zoho.com"},
        1,
        "",
    ],
)
def test_is_at_host_rejects_other_addresses(url: object) -> None:
    assert not is_at_host(url, HOSTS)


@given(st.text(max_size=30), st.integers(0, 30))
def test_no_text_inserted_into_an_address_changes_its_host(inserted: str, index: int) -> None:
    """The result is rejected, or is at an allowed host."""
    for good in ("https://accounts.zoho.com", "https://acme.pipedrive.com"):
        url = good[:index] + inserted + good[index:]
        if is_at_host(url, HOSTS):
            host = url.removeprefix("https://").removesuffix("/")
            assert host in HOSTS or re.fullmatch(r"[a-z0-9.-]+\.pipedrive\.com", host, re.ASCII)


def test_is_at_host_rejects_everything_without_hosts() -> None:
    assert not is_at_host("https://accounts.zoho.com", [])
