"""An integration's config: public, secret and invalid fields, checked against a simple model."""

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

# A built-in provider with variables.
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
    """Apply the rules of a production deployment."""
    rules = SimpleNamespace(https_only=True, patchbay_allow_loopback_targets=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registration, "settings", lambda: rules)
        yield


def merge(
    changes: Mapping[str, Any], provider: Provider | None = None, old: Parts = EMPTY
) -> tuple[dict[str, Any], dict[str, str]]:
    public, secret = config.merge(old, changes, provider)
    return dict(public), dict(secret)


def rejected_path(changes: Mapping[str, Any], provider: Provider | None = None, old: Parts = EMPTY) -> str:
    """The path of the only rejected field."""
    (path,) = rejected_paths(changes, provider, old)
    return path


def rejected_paths(changes: Mapping[str, Any], provider: Provider | None, old: Parts) -> list[str]:
    """The paths of the rejected fields. Checks that no value is part of the message."""
    with pytest.raises(ValidationFailed) as no:
        config.merge(old, changes, provider)
    for value in changes.values():
        assert not isinstance(value, str) or len(value) < 9 or value not in str(no.value)
    return [error.path for error in no.value.errors]


# ── against a model ──────────────────────────────────────────────────────────────────────────────────

URL_FIELDS = ("authorizationUrl", "tokenUrl", "revocationUrl", "issuer")
URLS = ["https://a.example/x", "https://b.example"]
# Valid values of each public field.
VALID_VALUES: dict[str, list[Any]] = {
    "clientId": ["id-1", "id-2"],
    "redirectUris": [[], ["https://app.example/back"], ["http://localhost:3000/", "https://app.example/b"]],
    **dict.fromkeys(URL_FIELDS, URLS),
    "clientAuth": ["body", "basic", "none"],
    "pkce": [True, False],
    "scopeSeparator": [" ", ","],
    "refresh": ["rotating", "static", "never_expires", "reauthorize_only"],
    "expiredErrors": [[], ["20026"], ["access_denied: the user left", "GONE"]],
    "revokeReplaced": [True, False],
    "domain": ["login", "acme"],
    "region": ["eu", "us"],
}
COMMON_FIELDS = {"clientId", "redirectUris"}
# The settings of CRM that are in VALID_VALUES or INVALID_VALUES.
BUILT_IN: dict[str, Any] = {
    "clientAuth": "body",
    "pkce": True,
    "scopeSeparator": " ",
    "refresh": "static",
    "expiredErrors": [],
    "revokeReplaced": False,
}
OWN_URL_FIELDS = {
    *URL_FIELDS,
    "clientAuth",
    "pkce",
    "scopeSeparator",
    "refresh",
    "expiredErrors",
    "revokeReplaced",
}
PUBLIC = {None: COMMON_FIELDS | OWN_URL_FIELDS, "crm": COMMON_FIELDS | {"domain", "region"}}
SECRETS = ["s3cr3t", "two words", "ключ", "x" * 4096]
INVALID_VALUES: list[Any] = [
    MASK, "", "\x00", "line\n", " s3cr3t",
    "x" * 4097, 7 * "*", "http://a.example/", "https://10.0.0.1/", [MASK], ["ftp://a/"],
    "https://a.example/{domain}", "https://[", True, False, "basic", "none", ",", "static",
]  # fmt: skip

names = st.sampled_from([*VALID_VALUES, "clientSecret", "apiKey", "tokenuri", "constructor"])


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    """Some fields with valid values, invalid values, or null."""
    sent: dict[str, Any] = {}
    for name in draw(st.lists(names, max_size=5, unique=True)):
        fit = VALID_VALUES.get(name, []) + SECRETS[:2]
        sent[name] = draw(
            st.one_of(st.none(), st.sampled_from(fit), st.sampled_from(fit + SECRETS + INVALID_VALUES))
        )
    return sent


class Rejected(Exception):
    """The model rejects the change."""


def is_valid_secret(value: Any) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= 4096
        and value.isprintable()
        and value == value.strip()
        and value != MASK
    )


def is_valid_public(name: str, value: Any) -> bool:
    """A client id may be any text; the other fields have only the values above."""
    if name == "clientId":
        return isinstance(value, str) and value.isascii() and value.isprintable() and is_valid_secret(value) \
            and " " not in value  # fmt: skip
    if name == "expiredErrors" and value == ["ftp://a/"]:
        return True  # an error code may be any printable text
    return any(value == fit and type(value) is type(fit) for fit in VALID_VALUES[name])


def model(stored: dict[str, Any], sent: dict[str, Any], provider: str | None) -> dict[str, Any]:
    """One dict of all stored fields. Their names alone determine which are public."""
    new = dict(stored)
    for name, value in sent.items():
        if value is None:
            new.pop(name, None)
            continue
        if provider is not None and name in OWN_URL_FIELDS:
            if name not in BUILT_IN or value != BUILT_IN[name] or type(value) is not type(BUILT_IN[name]):
                raise Rejected
            new.pop(name, None)
            continue
        if name in PUBLIC[provider]:
            fits = is_valid_public(name, value)
        else:
            fits = is_valid_secret(value) and name != "tokenuri"  # a misspelled tokenUrl
        if not fits:
            raise Rejected
        new[name] = value
    return new


@given(steps=st.lists(st.tuples(st.sampled_from([None, CRM]), changes()), max_size=6))
@example(steps=[(None, {"domain": "s3cr3t"}), (CRM, {"domain": "acme"})])
@example(steps=[(None, {"domain": "s3cr3t"}), (CRM, {})])
@example(steps=[(CRM, {"domain": "acme"}), (None, {"domain": "s3cr3t"})])
@example(steps=[(None, {"tokenUrl": "https://a.example/x"}), (CRM, {"tokenUrl": None, "clientId": "id-1"})])
@settings(max_examples=400)
def test_merge_matches_model(steps: list[tuple[Provider | None, dict[str, Any]]]) -> None:
    parts, stored = EMPTY, {}  # type: ignore[var-annotated]
    previous: str | None = None
    for provider, sent in steps:
        name = None if provider is None else provider.name
        before = Parts(dict(parts.public), dict(parts.secret))
        try:
            expected: dict[str, Any] | None = model(stored, sent, name)
        except Rejected:
            expected = None
        if expected is not None and name != previous:
            # A field that is public with one provider and secret with the other must be sent again.
            stale = (expected.keys() - sent.keys()) & (PUBLIC[name] ^ PUBLIC[previous])
            expected = None if stale else expected
        after = parts
        if expected is None:
            paths = rejected_paths(sent, provider, parts)
            assert {path.removeprefix("config.").partition(".")[0] for path in paths} <= {
                *sent,
                *stored,
                "config",
            }
        else:
            after = config.merge(parts, sent, provider)
            stored, previous = expected, name
            public_fields = PUBLIC[name]
            assert after.public == {field: stored[field] for field in stored if field in public_fields}
            assert after.secret == {field: stored[field] for field in stored if field not in public_fields}
        assert before == parts, "the stored parts are not modified"
        parts = after
        shown = config.to_api(parts.public, list(parts.secret))
        assert shown.keys() == stored.keys()
        assert {field for field in shown if shown[field] == MASK} == set(parts.secret)
        assert MASK not in [*parts.public.values(), *parts.secret.values()]


@given(sent=changes(), provider=st.sampled_from([None, CRM]))
def test_merge_is_idempotent(sent: dict[str, Any], provider: Provider | None) -> None:
    try:
        once = config.merge(EMPTY, sent, provider)
    except ValidationFailed:
        return
    assert config.merge(once, sent, provider) == once
    assert config.merge(once, {}, provider) == once
    assert config.merge(once, dict.fromkeys(sent), provider) == EMPTY


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────


def test_unknown_field_is_secret() -> None:
    sent = {"clientId": "id", "tenant": "a", "Password": "b", "apiKey": "c", "clientSecret": "d", "x": "e"}
    public, secret = merge(sent)
    assert public == {"clientId": "id"}
    assert secret.keys() == sent.keys() - {"clientId"}
    assert merge({"domain": "acme"}, CRM) == ({"domain": "acme"}, {})
    assert merge({"domain": "acme"}) == ({}, {"domain": "acme"})
    assert merge({"domain": "acme"}, BY_KEY) == ({}, {"domain": "acme"})


@pytest.mark.parametrize("name", ["apiKey", "accessToken", "tenant", "domian", "secret"])
def test_field_that_is_not_similar_to_a_known_one_is_kept(name: str) -> None:
    assert merge({name: "x"}) == ({}, {name: "x"})


@pytest.mark.parametrize(
    ("name", "near"),
    [
        *(("client_id", "clientId"), ("clientID", "clientId"), ("clientId_", "clientId")),
        *(("client_secret", "clientSecret"), ("clientSecert", "clientSecret")),
        *(
            ("redirectUri", "redirectUris"),
            ("token_url", "tokenUrl"),
            ("authorisationUrl", "authorizationUrl"),
        ),
    ],
)
def test_misspelled_field_is_rejected_with_suggestion(name: str, near: str) -> None:
    with pytest.raises(ValidationFailed, match=f"did you mean `{near}`") as no:
        config.merge(EMPTY, {name: "x"}, None)
    assert no.value.errors[0].path == f"config.{name}"
    # A misspelled field that was stored before this check existed can be changed and removed.
    assert merge({name: "y"}, None, Parts({}, {name: "x"})) == ({}, {name: "y"})
    assert merge({name: None}, None, Parts({}, {name: "x"})) == ({}, {})


def test_misspelled_variable_is_rejected_with_suggestion() -> None:
    assert rejected_path({"domian": "acme"}, CRM) == "config.domian"
    assert rejected_path({"Region": "eu"}, CRM) == "config.Region"


def test_field_is_never_in_both_parts() -> None:
    secret = Parts({}, {"domain": "s3cr3t-s3cr3t"})
    assert merge({"domain": "acme"}, CRM, secret) == ({"domain": "acme"}, {})
    assert rejected_path({"clientId": "id"}, CRM, secret) == "config.domain"
    assert merge({"domain": None}, CRM, secret) == ({}, {})
    public = Parts({"domain": "acme"}, {})
    assert merge({"domain": "s3cr3t-s3cr3t"}, None, public) == ({}, {"domain": "s3cr3t-s3cr3t"})
    assert rejected_path({}, None, public) == "config.domain"


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("authorizationUrl", "https://acme.crm.example/authorize", True),
        ("authorizationUrl", "https://login.crm.example/authorize", False),
        ("authorizationUrl", "HTTPS://ACME.crm.example:443/authorize", True),
        ("authorizationUrl", "https://acme.crm.example/Authorize", False),
        ("authorizationUrl", "https://acme.crm.example/authorize/", False),
        ("authorizationUrl", "https://acme.crm.example/authorize?x=1", False),
        ("authorizationUrl", "https://acme.crm.example/authorize#x", False),
        ("authorizationUrl", "https://acme.crm.example:8443/authorize", False),
        ("authorizationUrl", "http://acme.crm.example/authorize", False),
        ("authorizationUrl", "https://u@acme.crm.example/authorize", False),
        ("authorizationUrl", "https://{domain}.crm.example/authorize", False),
        ("authorizationUrl", "https://[", False),
        ("authorizationUrl", ["https://acme.crm.example/authorize"], False),
        ("tokenUrl", "https://eu.crm.example/token", False),  # its region is not known yet
        ("revocationUrl", "https://acme.crm.example/revoke", False),
        ("issuer", "https://acme.crm.example", False),
        ("pkce", True, True),
        ("pkce", "true", False),
        ("pkce", False, False),
        ("expiredErrors", [], True),
    ],
)
def test_built_in_setting_is_accepted_if_equal(name: str, value: Any, accepted: bool) -> None:
    own = Parts({"domain": "acme"}, {})
    if accepted:
        assert merge({name: value}, CRM, own) == (own.public, {})
    else:
        assert rejected_path({name: value}, CRM, own) == f"config.{name}"
    assert rejected_path({name: value}, BY_KEY) == f"config.{name}"
    if name == "authorizationUrl" and accepted:
        # The variable may come in the same request, in any order.
        assert merge({name: value, "domain": "acme"}, CRM) == (own.public, {})
    stored = Parts({"tokenUrl": "https://own.example/x", "domain": "acme", "region": "eu"}, {})
    assert merge({"tokenUrl": "https://eu.crm.example/token"}, CRM, stored) == (
        {"domain": "acme", "region": "eu"},
        {},
    )


def test_all_fields_that_another_provider_left_are_named() -> None:
    own = Parts(
        {"authorizationUrl": "https://a.example/a", "refresh": "static", "clientId": "c"}, {"region": "x"}
    )
    paths = rejected_paths({"clientId": "d"}, CRM, own)
    assert paths == ["config.authorizationUrl", "config.refresh", "config.region"]


def test_built_in_provider_urls_cannot_be_set() -> None:
    for name in OWN_URL_FIELDS:
        for provider in (CRM, BY_KEY):
            value = next(value for value in VALID_VALUES[name][::-1] if value != BUILT_IN.get(name))
            assert rejected_path({name: value}, provider) == f"config.{name}"
            assert merge({name: None}, provider) == ({}, {})
    own = Parts({"tokenUrl": "https://a.example/x"}, {"clientSecret": "s"})
    assert rejected_path({}, CRM, own) == "config.tokenUrl"
    assert merge({"tokenUrl": None}, CRM, own) == ({}, {"clientSecret": "s"})


INVALID_URLS: list[Any] = [
    "https://10.0.0.1/token", "https://127.0.0.1/token", "https://169.254.169.254/latest", "https://[::1]/x",
    "https://[fd00:ec2::254]/", "https://localhost/x", "https://2130706433/", "https://0x7f.1/", "https://a/",
    "https://metadata.google.internal/", "http://a.example/token", "//a.example/x", "a.example", "",
    "https://", "https://a.example/x#y", "https://user:pass@a.example/x", "https://a.example/ x",
    "https://a.example/\n", "https://a.example\\@b.example/", "https://{domain}.example/", "https://a.example/}",
    "https://a.example/%s" + "x" * 2048, "javascript:alert(1)", "file:///etc/passwd", "https://a.example:22/x",
    MASK, True, ["https://a.example/"], "https://ä.example/",
]  # fmt: skip


@pytest.mark.parametrize("url", INVALID_URLS, ids=range(len(INVALID_URLS)))
@pytest.mark.parametrize("name", URL_FIELDS)
def test_invalid_url_is_rejected(name: str, url: object) -> None:
    assert rejected_path({name: url}) == f"config.{name}"


@pytest.mark.parametrize("name", URL_FIELDS)
def test_public_url_is_accepted(name: str) -> None:
    for url in ("https://a.example/token", "https://a.example:8443/%7Bx%7D", "https://93.184.216.34/"):
        assert merge({name: url}) == ({name: url}, {})


def test_only_the_issuer_has_no_query() -> None:
    for name in URL_FIELDS:
        if name != "issuer":
            assert merge({name: "https://a.example/x?tenant=1"})[0]
    assert rejected_path({"issuer": "https://a.example/?tenant=1"}) == "config.issuer"


INVALID_REDIRECT_URIS: list[Any] = [
    "http://app.example/back", "https://", "https:///back", "https://app.example/#", "https://app.example/#x",
    "https://user@app.example/", "https://app.example@evil.example/", "ftp://app.example/", "/back", "",
    "app.example/back", "http://localhost.evil.example/", "http://127.0.0.1.evil.example/", "http://[::2]/",
    "http://10.0.0.1/", "javascript://localhost/%0aalert(1)", "data:text/html,x", "https://app.example/ x",
    "https://app.example/\t", "https://äpp.example/", "https://[", "https://[::1", "https://[x]/", "http://[/",
    "https://a]/", "https://app.example/" + "x" * 4096, "myapp://back", "https://:443/", MASK,
]  # fmt: skip


@pytest.mark.parametrize("uri", INVALID_REDIRECT_URIS, ids=range(len(INVALID_REDIRECT_URIS)))
def test_invalid_redirect_uri_is_rejected(uri: object) -> None:
    assert rejected_path({"redirectUris": [uri]}).startswith("config.redirectUris")
    assert rejected_path({"redirectUris": ["https://app.example/", uri]}, CRM) == "config.redirectUris.1"


def test_redirect_uris_are_https_or_loopback() -> None:
    valid = [
        "https://app.example/back?x=1", "HTTPS://app.example/", "http://localhost:3000/", "http://127.0.0.1/x",
        "http://[::1]:8080/x", "https://10.0.0.1/inside",
    ]  # fmt: skip
    assert merge({"redirectUris": [*valid, valid[0]]})[0] == {"redirectUris": valid}
    for value in ("https://app.example/", True, [*valid, *[f"https://app.example/{n}" for n in range(15)]]):
        assert rejected_path({"redirectUris": value}) == "config.redirectUris"
    assert merge({"redirectUris": []})[0] == {"redirectUris": []}


INVALID_BY_FIELD: dict[str, list[Any]] = {
    "clientId": [MASK, "", "a b", "a\n", "é", "x" * 4097, True, ["a"], "a\x7f"],
    "clientSecret": [MASK, "", "a\x00b", "x" * 4097, True, False, ["a"], []],
    "clientAuth": ["none ", "BODY", "", True, [], ["body"]],
    "pkce": ["true", "", [], ["x"]],
    "scopeSeparator": ["", "  ", ";", True, [" "]],
    "refresh": ["exchange", "", "Rotating", True],
}


@pytest.mark.parametrize("name", INVALID_BY_FIELD)
def test_field_rejects_invalid_values_and_masks(name: str) -> None:
    for value in INVALID_BY_FIELD[name]:
        assert rejected_path({name: value}) == f"config.{name}", value


@pytest.mark.parametrize(
    "value", ["Acme", "acme.evil.example", "acme/", "acme\n", "", MASK, True, ["acme"], "x" * 10], ids=repr
)
def test_variable_must_match_its_pattern(value: object) -> None:
    assert rejected_path({"domain": value}, CRM) == "config.domain"


def test_config_is_limited_to_16_kb() -> None:
    room = 16 * 1024
    full = {f"s{n}": "x" * 4094 for n in range(3)} | {"s3": "x" * (room - 3 * 4096 - 2)}
    assert merge(full)[1] == full
    assert rejected_path({"y": "z"}, None, Parts({}, full)) == "config"
    assert rejected_path(full | {"s3": full["s3"] + "x"}) == "config"
    assert rejected_path({f"s{n}": "ä" * 2800 for n in range(3)}) == "config"
    assert merge({"s3": None, "y": "z"}, None, Parts({}, full))[1].keys() == {"s0", "s1", "s2", "y"}


# ── functions of a config ────────────────────────────────────────────────────────────────────────────

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


@pytest.mark.parametrize(("provider", "public", "secret_names", "expected"), MISSING, ids=range(len(MISSING)))
def test_missing_fields(
    provider: Provider | None, public: dict[str, Any], secret_names: list[str], expected: list[str]
) -> None:
    assert config.missing_fields(provider, public, secret_names) == expected


def test_secret_destinations_reflect_every_change() -> None:
    before = config.secret_destinations(None, OWN | {"revocationUrl": "https://a.example/r"})
    for name in ("authorizationUrl", "tokenUrl", "revocationUrl", "clientId"):
        for value in ("https://b.example/", None):
            other = OWN | {"revocationUrl": "https://a.example/r", name: value}
            other = {field: stored for field, stored in other.items() if stored is not None}
            assert config.secret_destinations(None, other) != before, name
    assert config.secret_destinations(CRM, OWN) != config.secret_destinations(None, OWN)
    assert config.secret_destinations(CRM, {"domain": "acme"}) != config.secret_destinations(CRM, {})
    assert config.secret_destinations(CRM, {"domain": "login"}) == config.secret_destinations(CRM, {}), (
        "the default of domain"
    )
    assert config.secret_destinations(CRM, {"region": "eu"}) != config.secret_destinations(
        CRM, {"region": "us"}
    )
    for unrelated in ({"redirectUris": ["https://app.example/"]}, {"pkce": False}, {"scopeSeparator": ","}):
        assert config.secret_destinations(None, OWN | unrelated) == config.secret_destinations(None, OWN)


def test_oauth_of_unknown_provider_is_built_from_config() -> None:
    assert config.oauth_for(None, {"tokenUrl": "https://a.example/t"}) is None
    oauth = config.oauth_for(None, OWN)
    assert oauth is not None
    assert (oauth.client_auth, oauth.pkce, oauth.scope_separator, oauth.refresh) == (
        "body",
        True,
        " ",
        "rotating",
    )
    assert (oauth.revocation, oauth.issuer, oauth.long_lived, oauth.follow_ups) == (None, None, None, [])
    more = {"revocationUrl": "https://a.example/r", "issuer": "https://a.example", "clientAuth": "basic"}
    oauth = config.oauth_for(None, OWN | more | {"pkce": False, "scopeSeparator": ",", "refresh": "static"})
    assert oauth is not None
    assert oauth.revocation is not None
    assert (oauth.revocation.url, oauth.revocation.style) == ("https://a.example/r", "rfc7009")
    assert (oauth.client_auth, oauth.pkce, oauth.scope_separator, oauth.refresh) == (
        "basic",
        False,
        ",",
        "static",
    )
    assert config.oauth_for(CRM, OWN) is CRM.oauth, (
        "a built-in provider has its own URLs, whatever the config says"
    )


@given(
    st.dictionaries(st.sampled_from(list(VALID_VALUES)), st.text(max_size=9)), st.lists(st.text(max_size=9))
)
def test_to_api_is_json_serializable(public: dict[str, Any], secret_names: list[str]) -> None:
    shown = config.to_api(public, secret_names)
    assert json.loads(json.dumps(shown)) == {**public, **dict.fromkeys(secret_names, MASK)}


# ── parameters that Patchbay sends itself ────────────────────────────────────────────────────────────


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
def test_authorization_url_rejects_parameters_that_patchbay_sends(query: str) -> None:
    assert rejected_path({"authorizationUrl": f"https://a.example/a?{query}"}) == "config.authorizationUrl"


@pytest.mark.parametrize("field", ["tokenUrl", "revocationUrl"])
@pytest.mark.parametrize(
    "name", ["grant_type", "code", "client_secret", "refresh_token", "token", "Client_Id"]
)
def test_token_url_rejects_parameters_that_patchbay_sends(field: str, name: str) -> None:
    assert rejected_path({field: f"https://a.example/t?a=1&{name}=x"}) == f"config.{field}"


@pytest.mark.parametrize(
    "query", ["tenant=4%2F7&x=", "prompt=consent&access_type=offline", "p=b2c", "statement=1"]
)
def test_url_keeps_other_parameters(query: str) -> None:
    for field in ("authorizationUrl", "tokenUrl", "revocationUrl"):
        assert merge({field: f"https://a.example/a?{query}"})[0][field] == f"https://a.example/a?{query}"


@pytest.mark.parametrize(
    "codes",
    [
        *("gone", ["x"] * 21, [""], [" "], ["-"], ["x" * 201], ["a\nb"], ["ключ"], [True], True),
        *(["invalid_client"], ["ok", "INVALID-CLIENT"], ["server_error"], ["unauthorized_client"], ["503"]),
    ],
)
def test_expired_errors_reject_codes_that_cannot_end_a_connection(codes: Any) -> None:
    assert rejected_path({"expiredErrors": codes}).startswith("config.expiredErrors")


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
def test_origin_of(url: str, origin: str | None) -> None:
    assert config.origin_of(url) == origin
