"""Provider files: that all of them fit the schema, and what the schema refuses."""

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
from patchbay.providers.provider import Provider, at_host

# Every key of it can be taken away or changed by a test.
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


def changed(path: str, value: Any) -> dict[str, Any]:
    """VALID with the value at a dot path; without it for `...`."""
    data = copy.deepcopy(VALID)
    *way, last = path.split(".")
    at: Any = data
    for step in way:
        at = at[int(step)] if step.isdigit() else at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return data


# ── the files ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", providers.names())
def test_every_file_loads(name: str) -> None:
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
def test_a_provider_that_there_is_not(name: str) -> None:
    assert providers.load(name) is None


def test_names_are_in_order() -> None:
    assert list(providers.names()) == sorted(providers.names())
    assert {"salesforce", "zoho", "activecampaign"} <= set(providers.names())


def test_pkce_where_it_does_harm_is_off_and_where_it_is_required_is_on() -> None:
    policy = {name: provider.oauth.pkce for name, provider in _all().items() if provider.oauth}
    assert {name for name, on in policy.items() if not on} == {"slack", "pipedrive", "linkedin", "instagram"}


@pytest.mark.parametrize(
    ("domain", "fits"),
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
def test_the_domain_of_salesforce(domain: str, fits: bool) -> None:
    pattern = _all()["salesforce"].variables["domain"].pattern
    assert bool(re.fullmatch(pattern, domain)) is fits


def _all() -> dict[str, Provider]:
    loaded = {name: providers.load(name) for name in providers.names()}
    return {name: provider for name, provider in loaded.items() if provider is not None}


# ── the schema ───────────────────────────────────────────────────────────────────────────────────────


def test_the_example_is_valid() -> None:
    assert Provider.model_validate(VALID).oauth is not None


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("label", ..., "label"),
        ("typo", 1, "typo"),
        ("type", "BANK", "type"),
        ("docs", "http://acme.example", "docs"),
        ("oauth.typo", 1, "typo"),
        ("oauth.refresh", "sometimes", "refresh"),
        ("oauth.refresh", "exchange", "go together"),
        (
            "oauth.renewal",
            {"url": "https://a.example/", "grant_type": "x", "token_parameter": "t"},
            "go together",
        ),
        ("oauth.iss_required", True, "iss_required needs the issuer"),
        ("oauth.scope_separator", ";", "scope_separator"),
        ("oauth.client_auth", "both", "client_auth"),
        ("oauth.assumed_lifetime_seconds", 0, "assumed_lifetime_seconds"),
        ("oauth.refresh_margin_seconds", -1, "refresh_margin_seconds"),
        # addresses
        ("oauth.token_url", "http://accounts.acme.example/token", "is no https address"),
        ("oauth.token_url", "https://localhost/token", "is no https address"),
        ("oauth.token_url", "https://accounts.acme.example:8443/token", "is no https address"),
        ("oauth.token_url", "https://user@accounts.acme.example/token", "is no https address"),
        ("oauth.token_url", "https://accounts.acme.example?x=1", "is no https address"),
        ("oauth.token_url", "https://accounts.acme.example/to ken", "is no https address"),
        ("oauth.token_url", "https://accounts.acme.example/\n", "is no https address"),
        ("oauth.token_url", "ftp://{domain}.acme.example", "is no https address"),
        ("oauth.token_url", "https://{accounts.__class__}.example/", "a name in braces"),
        ("oauth.token_url", "https://{accounts!r}.example/", "a name in braces"),
        ("oauth.token_url", "https://{accounts:>9}.example/", "a name in braces"),
        ("oauth.token_url", "https://{}.example/", "a name in braces"),
        ("oauth.token_url", "https://{0}.example/", "a name in braces"),
        ("oauth.token_url", "https://{.example/", "oauth.token_url"),
        # variables
        ("oauth.token_url", "https://{nothing}.acme.example/", "nothing says what nothing is"),
        ("oauth.token_url", "{nothing}/token", "nothing says what nothing is"),
        ("oauth.token_url", "{api}/token", "nothing says what api is"),  # it comes with the token
        ("oauth.token_url", "{domain}/token", "nothing says what domain is"),  # it is no address
        ("oauth.token_url", "https://{accounts}/token", "is no https address"),  # it is one itself
        ("oauth.token_url", "https://{accounts}.example/token", "nothing says what accounts is"),
        ("oauth.token_url", "{accounts}{domain}/token", "is no https address"),
        ("oauth.token_url", "{accounts}.thief.example/token", "is no https address"),
        ("oauth.follow_ups.0.url", "{plan}/me", "nothing says what plan is"),  # it is held against nothing
        ("oauth.follow_ups.0.url", "https://{plan}.acme.example/me", "nothing says what plan is"),
        ("oauth.follow_ups.0.url", "https://acme.example/{api}", "nothing says what api is"),
        ("variables.domain.pattern", "[a-z", "is no regular expression"),
        ("variables.domain.default", "Login", "does not fit the pattern"),
        ("variables.domain.default", "login\n", "does not fit the pattern"),
        ("variables.Domain", {"pattern": "x", "description": "x"}, "Domain"),
        # hosts
        ("oauth.callback.accounts.default", "https://thief.example", "is at none of the hosts"),
        ("oauth.callback.accounts.default", "accounts.acme.example", "is at none of the hosts"),
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
def test_what_a_file_may_not_say(path: str, value: Any, says: str) -> None:
    with pytest.raises(ValidationError) as error:
        Provider.model_validate(changed(path, value))
    assert says in str(error.value)


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
def test_what_a_file_may_say(path: str, value: Any) -> None:
    Provider.model_validate(changed(path, value))


def test_a_file_is_read_by_its_name(tmp_path: Path) -> None:
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
    with pytest.raises(ValidationError, match="is no regular expression"):
        providers.read(file)


def test_fill() -> None:
    assert providers.fill("https://{a}.example/{b}", {"a": "x", "b": "y", "c": "z"}) == "https://x.example/y"
    with pytest.raises(KeyError):
        providers.fill("https://{a}.example/", {})


# ── addresses that others name ───────────────────────────────────────────────────────────────────────

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
def test_an_address_of_the_provider(url: str) -> None:
    assert at_host(url, HOSTS)


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
        # who, and through which door
        "https://user@accounts.zoho.com",
        "https://accounts.zoho.com@thief.example",
        "https://accounts.zoho.com:443",
        "https://accounts.zoho.com:pass@thief.example",
        "https://accounts.zoho.com:8443",
        # what comes behind
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
        # longer and shorter names
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
        # no text
        None,
        b"https://accounts.zoho.com",
        ["https://accounts.zoho.com"],
        {"url": "https://accounts.zoho.com"},
        1,
        "",
    ],
)
def test_an_address_of_a_stranger(url: Any) -> None:
    assert not at_host(url, HOSTS)


@given(st.text(max_size=30), st.integers(0, 30))
def test_nothing_put_into_an_address_leads_elsewhere(inserted: str, at: int) -> None:
    """Whatever is put anywhere into it, it is refused or at the same hosts."""
    for good in ("https://accounts.zoho.com", "https://acme.pipedrive.com"):
        url = good[:at] + inserted + good[at:]
        if at_host(url, HOSTS):
            host = url.removeprefix("https://").removesuffix("/")
            assert host in HOSTS or re.fullmatch(r"[a-z0-9.-]+\.pipedrive\.com", host, re.ASCII)


def test_no_hosts_no_address() -> None:
    assert not at_host("https://accounts.zoho.com", [])
