"""An integration's config: what is public, what is secret, what is refused; against a plain model of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from patchbay.api_model import MASK
from patchbay.errors import ValidationFailed
from patchbay.integrations import config
from patchbay.integrations.config import Parts
from patchbay.outbound import registration
from patchbay.providers.provider import Provider

EMPTY = Parts({}, {})

# A provider that Patchbay knows, with a variable of its own.
CRM = Provider.model_validate(
    {
        "name": "crm",
        "label": "CRM",
        "type": "CRM",
        "description": "Contacts.",
        "docs": "https://crm.example/docs",
        "variables": {
            "domain": {"pattern": "login|acme", "default": "login", "description": "a name"},
            "region": {"pattern": "eu|us", "description": "eu or us"},
        },
        "oauth": {
            "authorization_url": "https://{domain}.crm.example/authorize",
            "token_url": "https://{region}.crm.example/token",
            "refresh": "static",
        },
    }
)
PUBLIC_CLIENT = CRM.model_copy(
    update={"oauth": CRM.oauth and CRM.oauth.model_copy(update={"client_auth": "none"})}
)
BY_KEY = Provider.model_validate(
    {
        "name": "keyed",
        "label": "Keyed",
        "type": "CUSTOM",
        "description": "By API key.",
        "docs": "https://keyed.example/docs",
        "credentials": {"kind": "API_KEY", "fields": {"apiKey": {"label": "API key"}}},
    }
)


@pytest.fixture(autouse=True, scope="module")
def _production() -> Iterator[None]:
    """The rules of a deployment in production."""
    rules = SimpleNamespace(https_only=True, patchbay_allow_loopback_targets=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registration, "settings", lambda: rules)
        yield


def merged(
    changes: Mapping[str, Any], provider: Provider | None = None, old: Parts = EMPTY
) -> tuple[dict[str, Any], dict[str, str]]:
    public, secret = config.merged(old, changes, provider)
    return public, secret


def refused(changes: Mapping[str, Any], provider: Provider | None = None, old: Parts = EMPTY) -> str:
    """The path of the field that is refused; no value of it stands in the words."""
    with pytest.raises(ValidationFailed) as no:
        config.merged(old, changes, provider)
    for value in changes.values():
        assert not isinstance(value, str) or len(value) < 9 or value not in str(no.value)
    (error,) = no.value.errors
    return error.path


# ── against a model ──────────────────────────────────────────────────────────────────────────────────

ADDRESSES = ("authorizationUrl", "tokenUrl", "revocationUrl", "issuer")
ADDRESS = ["https://a.example/x", "https://b.example"]
# Of each public field: what it may hold.
FITTING: dict[str, list[Any]] = {
    "clientId": ["id-1", "id-2"],
    "redirectUris": [[], ["https://app.example/back"], ["http://localhost:3000/", "https://app.example/b"]],
    **dict.fromkeys(ADDRESSES, ADDRESS),
    "clientAuth": ["body", "basic", "none"],
    "pkce": [True, False],
    "scopeSeparator": [" ", ","],
    "refresh": ["rotating", "static", "never_expires", "reauthorize_only"],
    "expiredErrors": [[], ["20026"], ["access_denied: the user left", "GONE"]],
    "revokeReplaced": [True, False],
    "domain": ["login", "acme"],
    "region": ["eu", "us"],
}
OF_ANY = {"clientId", "redirectUris"}
OF_ITS_OWN = {
    *ADDRESSES,
    "clientAuth",
    "pkce",
    "scopeSeparator",
    "refresh",
    "expiredErrors",
    "revokeReplaced",
}
PUBLIC = {None: OF_ANY | OF_ITS_OWN, "crm": OF_ANY | {"domain", "region"}}
SECRETS = ["s3cr3t", "two words", "ключ", "x" * 4096]
UNFIT: list[Any] = [
    MASK, "", "\x00", "line\n", " s3cr3t",
    "x" * 4097, 7 * "*", "http://a.example/", "https://10.0.0.1/", [MASK], ["ftp://a/"],
    "https://a.example/{domain}", "https://[", True, False, "basic", "none", ",", "static",
]  # fmt: skip

names = st.sampled_from([*FITTING, "clientSecret", "apiKey", "tokenurl", "constructor"])


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    """Some fields with values that fit, that do not, or null."""
    sent: dict[str, Any] = {}
    for name in draw(st.lists(names, max_size=5, unique=True)):
        fit = FITTING.get(name, []) + SECRETS[:2]
        sent[name] = draw(st.one_of(st.none(), st.sampled_from(fit), st.sampled_from(fit + SECRETS + UNFIT)))
    return sent


class Refused(Exception):
    """The model does not take it."""


def fits_secret(value: Any) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= 4096
        and value.isprintable()
        and value == value.strip()
        and value != MASK
    )


def fits_public(name: str, value: Any) -> bool:
    """A text that is a client id may be any; the others are only what stands above."""
    if name == "clientId":
        return isinstance(value, str) and value.isascii() and value.isprintable() and fits_secret(value) \
            and " " not in value  # fmt: skip
    if name == "expiredErrors" and value == ["ftp://a/"]:
        return True  # a code may be any printable text
    return any(value == fit and type(value) is type(fit) for fit in FITTING[name])


def model(kept: dict[str, Any], sent: dict[str, Any], provider: str | None) -> dict[str, Any]:
    """One dict of all that is kept; the names alone say which of it is public."""
    new = dict(kept)
    for name, value in sent.items():
        if value is None:
            new.pop(name, None)
            continue
        if name in PUBLIC[provider]:
            fits = fits_public(name, value)
        else:
            fits = fits_secret(value) and not (provider is not None and name in OF_ITS_OWN)
        if not fits:
            raise Refused
        new[name] = value
    return new


@given(steps=st.lists(st.tuples(st.sampled_from([None, CRM]), changes()), max_size=6))
@example(steps=[(None, {"domain": "s3cr3t"}), (CRM, {"domain": "acme"})])
@example(steps=[(None, {"domain": "s3cr3t"}), (CRM, {})])
@example(steps=[(CRM, {"domain": "acme"}), (None, {"domain": "s3cr3t"})])
@example(steps=[(None, {"tokenUrl": "https://a.example/x"}), (CRM, {"tokenUrl": None, "clientId": "id-1"})])
@settings(max_examples=400)
def test_merging_is_as_the_model_says(steps: list[tuple[Provider | None, dict[str, Any]]]) -> None:
    parts, kept = EMPTY, {}  # type: ignore[var-annotated]
    was: str | None = None
    for provider, sent in steps:
        name = None if provider is None else provider.name
        before = Parts(dict(parts.public), dict(parts.secret))
        try:
            wanted: dict[str, Any] | None = model(kept, sent, name)
        except Refused:
            wanted = None
        if wanted is not None and name != was:
            # What was kept under the other provider, and is of another kind under this one, is sent anew.
            stale = (wanted.keys() - sent.keys()) & (PUBLIC[name] ^ PUBLIC[was])
            wanted = None if stale else wanted
        after = parts
        if wanted is None:
            path = refused(sent, provider, parts)
            assert path.removeprefix("config.").partition(".")[0] in {*sent, *kept, "config"}
        else:
            after = config.merged(parts, sent, provider)
            kept, was = wanted, name
            known = PUBLIC[name]
            assert after.public == {field: kept[field] for field in kept if field in known}
            assert after.secret == {field: kept[field] for field in kept if field not in known}
        assert before == parts, "what stands is not written to"
        parts = after
        seen = config.shown(parts.public, list(parts.secret))
        assert seen.keys() == kept.keys()
        assert {field for field in seen if seen[field] == MASK} == set(parts.secret)
        assert MASK not in [*parts.public.values(), *parts.secret.values()]


@given(sent=changes(), provider=st.sampled_from([None, CRM]))
def test_merging_the_same_again_changes_nothing(sent: dict[str, Any], provider: Provider | None) -> None:
    try:
        once = config.merged(EMPTY, sent, provider)
    except ValidationFailed:
        return
    assert config.merged(once, sent, provider) == once
    assert config.merged(once, {}, provider) == once
    assert config.merged(once, dict.fromkeys(sent), provider) == EMPTY


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_not_known_to_be_public_is_a_secret() -> None:
    sent = {"clientId": "id", "clientid": "a", "ClientId": "b", "apiKey": "c", "clientSecret": "d", "x": "e"}
    public, secret = merged(sent)
    assert public == {"clientId": "id"}
    assert secret.keys() == sent.keys() - {"clientId"}
    assert merged({"domain": "acme"}, CRM) == ({"domain": "acme"}, {})
    assert merged({"domain": "acme"}) == ({}, {"domain": "acme"})
    assert merged({"domain": "acme"}, BY_KEY) == ({}, {"domain": "acme"})


def test_a_field_never_stands_in_both_parts() -> None:
    secret = Parts({}, {"domain": "s3cr3t-s3cr3t"})
    assert merged({"domain": "acme"}, CRM, secret) == ({"domain": "acme"}, {})
    assert refused({"clientId": "id"}, CRM, secret) == "config.domain"
    assert merged({"domain": None}, CRM, secret) == ({}, {})
    public = Parts({"domain": "acme"}, {})
    assert merged({"domain": "s3cr3t-s3cr3t"}, None, public) == ({}, {"domain": "s3cr3t-s3cr3t"})
    assert refused({}, None, public) == "config.domain"


def test_known_providers_keep_their_addresses() -> None:
    for name in OF_ITS_OWN:
        for provider in (CRM, BY_KEY):
            assert refused({name: FITTING[name][0]}, provider) == f"config.{name}"
            assert merged({name: None}, provider) == ({}, {})
    own = Parts({"tokenUrl": "https://a.example/x"}, {"clientSecret": "s"})
    assert refused({}, CRM, own) == "config.tokenUrl"
    assert merged({"tokenUrl": None}, CRM, own) == ({}, {"clientSecret": "s"})


WRONG_ADDRESSES: list[Any] = [
    "https://10.0.0.1/token", "https://127.0.0.1/token", "https://169.254.169.254/latest", "https://[::1]/x",
    "https://[fd00:ec2::254]/", "https://localhost/x", "https://2130706433/", "https://0x7f.1/", "https://a/",
    "https://metadata.google.internal/", "http://a.example/token", "//a.example/x", "a.example", "",
    "https://", "https://a.example/x#y", "https://user:pass@a.example/x", "https://a.example/ x",
    "https://a.example/\n", "https://a.example\\@b.example/", "https://{domain}.example/", "https://a.example/}",
    "https://a.example/%s" + "x" * 2048, "javascript:alert(1)", "file:///etc/passwd", "https://a.example:22/x",
    MASK, True, ["https://a.example/"], "https://ä.example/",
]  # fmt: skip


def test_addresses_pass_the_ssrf_guard_and_hold_no_braces() -> None:
    for name in ADDRESSES:
        for url in WRONG_ADDRESSES:
            assert refused({name: url}) == f"config.{name}", url
        for url in ("https://a.example/token", "https://a.example:8443/%7Bx%7D", "https://93.184.216.34/"):
            assert merged({name: url}) == ({name: url}, {})
        if name != "issuer":
            assert merged({name: "https://a.example/x?tenant=1"})[0]
    assert refused({"issuer": "https://a.example/?tenant=1"}) == "config.issuer"


WRONG_REDIRECTS: list[Any] = [
    "http://app.example/back", "https://", "https:///back", "https://app.example/#", "https://app.example/#x",
    "https://user@app.example/", "https://app.example@evil.example/", "ftp://app.example/", "/back", "",
    "app.example/back", "http://localhost.evil.example/", "http://127.0.0.1.evil.example/", "http://[::2]/",
    "http://10.0.0.1/", "javascript://localhost/%0aalert(1)", "data:text/html,x", "https://app.example/ x",
    "https://app.example/\t", "https://äpp.example/", "https://[", "https://[::1", "https://[x]/", "http://[/",
    "https://a]/", "https://app.example/" + "x" * 4096, "myapp://back", "https://:443/", MASK,
]  # fmt: skip


def test_redirect_uris_are_https_or_on_ones_own_machine() -> None:
    for uri in WRONG_REDIRECTS:
        assert refused({"redirectUris": [uri]}).startswith("config.redirectUris"), uri
        assert refused({"redirectUris": ["https://app.example/", uri]}, CRM) == "config.redirectUris.1", uri
    right = [
        "https://app.example/back?x=1", "HTTPS://app.example/", "http://localhost:3000/", "http://127.0.0.1/x",
        "http://[::1]:8080/x", "https://10.0.0.1/inside",
    ]  # fmt: skip
    assert merged({"redirectUris": [*right, right[0]]})[0] == {"redirectUris": right}
    for value in ("https://app.example/", True, [*right, *[f"https://app.example/{n}" for n in range(15)]]):
        assert refused({"redirectUris": value}) == "config.redirectUris"
    assert merged({"redirectUris": []})[0] == {"redirectUris": []}


def test_each_field_holds_what_it_should_and_no_mask() -> None:
    wrong: dict[str, list[Any]] = {
        "clientId": [MASK, "", "a b", "a\n", "é", "x" * 4097, True, ["a"], "a\x7f"],
        "clientSecret": [MASK, "", "a\x00b", "x" * 4097, True, False, ["a"], []],
        "clientAuth": ["none ", "BODY", "", True, [], ["body"]],
        "pkce": ["true", "", [], ["x"]],
        "scopeSeparator": ["", "  ", ";", True, [" "]],
        "refresh": ["exchange", "", "Rotating", True],
    }
    for name, values in wrong.items():
        for value in values:
            assert refused({name: value}) == f"config.{name}", (name, value)
    for value in ("Acme", "acme.evil.example", "acme/", "acme\n", "", MASK, True, ["acme"], "x" * 10):
        assert refused({"domain": value}, CRM) == "config.domain", value


def test_all_of_it_has_16_kb_at_most_counted_in_bytes() -> None:
    room = 16 * 1024
    full = {f"s{n}": "x" * 4094 for n in range(3)} | {"s3": "x" * (room - 3 * 4096 - 2)}
    assert merged(full)[1] == full
    assert refused({"y": "z"}, None, Parts({}, full)) == "config"
    assert refused(full | {"s3": full["s3"] + "x"}) == "config"
    assert refused({f"s{n}": "ä" * 2800 for n in range(3)}) == "config"
    assert merged({"s3": None, "y": "z"}, None, Parts({}, full))[1].keys() == {"s0", "s1", "s2", "y"}


# ── what follows from a config ───────────────────────────────────────────────────────────────────────

OWN: dict[str, Any] = {
    "authorizationUrl": "https://a.example/a",
    "tokenUrl": "https://a.example/t",
    "clientId": "i",
}
MISSING: list[tuple[Provider | None, dict[str, Any], list[str], list[str]]] = [
    (None, {}, [], []),
    (None, {}, ["apiKey", "clientSecret"], []),
    (None, OWN, ["clientSecret"], []),
    (None, OWN, [], ["clientSecret"]),
    (None, OWN | {"clientAuth": "none"}, [], []),
    (None, {"clientAuth": "none", "clientId": "i"}, [], ["authorizationUrl", "tokenUrl"]),
    (None, {"clientId": "i"}, [], ["authorizationUrl", "tokenUrl", "clientSecret"]),
    (None, {"tokenUrl": "https://a.example/t"}, ["clientSecret"], ["authorizationUrl", "clientId"]),
    (CRM, {}, [], ["clientId", "region", "clientSecret"]),
    (CRM, {"clientId": "i", "region": "eu"}, ["apiKey"], ["clientSecret"]),
    (CRM, {"clientId": "i", "region": "eu"}, ["clientSecret"], []),
    (PUBLIC_CLIENT, {"clientId": "i", "region": "eu"}, [], []),
    (BY_KEY, {}, [], []),
]  # fmt: skip


def test_what_is_missing_is_what_a_connection_needs() -> None:
    for provider, public, secret_names, wanted in MISSING:
        assert config.missing(provider, public, secret_names) == wanted, (provider, public)


def test_every_change_of_a_place_that_secrets_go_to_is_seen() -> None:
    at = config.where_secrets_go(None, OWN | {"revocationUrl": "https://a.example/r"})
    for name in ("authorizationUrl", "tokenUrl", "revocationUrl", "clientId"):
        for value in ("https://b.example/", None):
            other = OWN | {"revocationUrl": "https://a.example/r", name: value}
            other = {field: kept for field, kept in other.items() if kept is not None}
            assert config.where_secrets_go(None, other) != at, name
    assert config.where_secrets_go(CRM, OWN) != config.where_secrets_go(None, OWN)
    assert config.where_secrets_go(CRM, {"domain": "acme"}) != config.where_secrets_go(CRM, {})
    assert config.where_secrets_go(CRM, {"domain": "login"}) == config.where_secrets_go(CRM, {}), (
        "its default"
    )
    assert config.where_secrets_go(CRM, {"region": "eu"}) != config.where_secrets_go(CRM, {"region": "us"})
    for same in ({"redirectUris": ["https://app.example/"]}, {"pkce": False}, {"scopeSeparator": ","}):
        assert config.where_secrets_go(None, OWN | same) == config.where_secrets_go(None, OWN)


def test_a_provider_of_ones_own_is_read_from_its_config() -> None:
    assert config.oauth_of(None, {"tokenUrl": "https://a.example/t"}) is None
    oauth = config.oauth_of(None, OWN)
    assert oauth is not None
    assert (oauth.client_auth, oauth.pkce, oauth.scope_separator, oauth.refresh) == (
        "body",
        True,
        " ",
        "rotating",
    )
    assert (oauth.revocation, oauth.issuer, oauth.long_lived, oauth.follow_ups) == (None, None, None, [])
    more = {"revocationUrl": "https://a.example/r", "issuer": "https://a.example", "clientAuth": "basic"}
    oauth = config.oauth_of(None, OWN | more | {"pkce": False, "scopeSeparator": ",", "refresh": "static"})
    assert oauth is not None
    assert oauth.revocation is not None
    assert (oauth.revocation.url, oauth.revocation.style) == ("https://a.example/r", "rfc7009")
    assert (oauth.client_auth, oauth.pkce, oauth.scope_separator, oauth.refresh) == (
        "basic",
        False,
        ",",
        "static",
    )
    assert config.oauth_of(CRM, OWN) is CRM.oauth, (
        "a known one's addresses are its own, whatever the config says"
    )


@given(st.dictionaries(st.sampled_from(list(FITTING)), st.text(max_size=9)), st.lists(st.text(max_size=9)))
def test_what_is_shown_can_be_written_as_json(public: dict[str, Any], secret_names: list[str]) -> None:
    seen = config.shown(public, secret_names)
    assert json.loads(json.dumps(seen)) == {**public, **dict.fromkeys(secret_names, MASK)}


# ── what Patchbay sends itself ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "query",
    [
        *("response_type=token", "client_id=x", "redirect_uri=https://evil.test", "scope=all", "state=1"),
        *("code_challenge=x", "code_challenge_method=plain", "nonce=1", "request=x", "request_uri=x"),
        *(
            "a=1&state=1",
            "state",
            "State=1",
            "st%61te=1",
            "state[]=1",
            "a=1;state=1",
            "response.type=x",
            "&+state=1",
        ),
    ],
)
def test_an_authorization_url_leaves_to_us_what_we_send(query: str) -> None:
    assert refused({"authorizationUrl": f"https://a.example/a?{query}"}) == "config.authorizationUrl"


@pytest.mark.parametrize("field", ["tokenUrl", "revocationUrl"])
@pytest.mark.parametrize(
    "name", ["grant_type", "code", "client_secret", "refresh_token", "token", "Client_Id"]
)
def test_a_token_endpoint_leaves_to_us_what_we_send(field: str, name: str) -> None:
    assert refused({field: f"https://a.example/t?a=1&{name}=x"}) == f"config.{field}"


@pytest.mark.parametrize(
    "query", ["tenant=4%2F7&x=", "prompt=consent&access_type=offline", "p=b2c", "statement=1"]
)
def test_other_parameters_of_an_address_stay(query: str) -> None:
    for field in ("authorizationUrl", "tokenUrl", "revocationUrl"):
        assert merged({field: f"https://a.example/a?{query}"})[0][field] == f"https://a.example/a?{query}"


@pytest.mark.parametrize(
    "codes",
    [
        *("gone", ["x"] * 21, [""], [" "], ["-"], ["x" * 201], ["a\nb"], ["ключ"], [True], True),
        *(["invalid_client"], ["ok", "INVALID-CLIENT"], ["server_error"], ["unauthorized_client"], ["503"]),
    ],
)
def test_error_codes_that_cannot_end_a_connection(codes: Any) -> None:
    assert refused({"expiredErrors": codes}).startswith("config.expiredErrors")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://a.example/x?y", "https://a.example"),
        ("HTTPS://A.Example:443/", "https://a.example"),
        ("https://a.example:8443", "https://a.example:8443"),
        ("http://[::1]:80/", "http://[::1]"),
        ("https://a.example@b.example/", None),
        ("https://a.example:x/", None),
        ("https:///x", None),
        ("https://[", None),
        ("javascript:x", None),
        ("", None),
    ],
)
def test_origins(url: str, origin: str | None) -> None:
    assert config.origin_of(url) == origin
