"""What a provider's answer means."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.api_model import named
from patchbay.integrations.config import oauth_of
from patchbay.oauth import token_body
from patchbay.oauth.token_response import (
    NoToken,
    Refused,
    TokenSet,
    Unusable,
    check_revoked,
    clean,
    standard,
    token_set,
)
from patchbay.providers import provider as providers
from patchbay.providers.provider import FollowUp, OAuth

TEN_YEARS = 10 * 365 * 86_400


def oauth(**more: Any) -> OAuth:
    addresses = {"authorization_url": "https://a.example/a", "token_url": "https://a.example/t"}
    return OAuth.model_validate({**addresses, "refresh": "rotating", **more})


def read(payload: Any, status: int = 200, **more: Any) -> TokenSet:
    """As `token_endpoint` has it, without Authlib between."""
    provider = oauth(**more)
    return token_set(provider, standard(provider, status, payload), payload)


def fault(payload: Any, status: int = 200, **more: Any) -> tuple[str, bool]:
    with pytest.raises(Unusable) as unusable:
        read(payload, status, **more)
    return unusable.value.reason, unusable.value.lost


def refusal(payload: Any, status: int = 400, **more: Any) -> tuple[str, str, bool]:
    with pytest.raises(Refused) as no:
        read(payload, status, **more)
    return no.value.code, no.value.description, no.value.ended


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_standard_answer() -> None:
    payload = {
        "access_token": "access",
        "refresh_token": "refresh",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "a b",
    }
    assert read(payload) == TokenSet("access", "Bearer", "refresh", 3600, scopes=("a", "b"))


def test_the_least_answer() -> None:
    assert read({"access_token": "access"}) == TokenSet("access")


@pytest.mark.parametrize("status", [200, 201, 203])
def test_any_success_will_do(status: int) -> None:
    assert read({"access_token": "access"}, status).access_token == "access"


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        (3600, 3600),
        ("3600", 3600),
        (3599.9, 3599),
        (1, 1),
        (0, None),
        ("0", None),
        (0.5, None),
        (-1, None),
        ("-3600", None),
        (None, None),
        ("", None),
        ("soon", None),
        ("1e3", None),
        (True, None),
        ([3600], None),
        ({"seconds": 3600}, None),
        (float("nan"), None),
        (float("inf"), None),
        (TEN_YEARS, TEN_YEARS),
        (TEN_YEARS + 1, TEN_YEARS),
        (10**30, TEN_YEARS),
        ("9" * 400, TEN_YEARS),
        (" 3600 ", 3600),
        ("3600.0", 3600),
        (5_184_000, 5_184_000),
        ("9" * 5000, None),
    ],
)
def test_expires_in(said: Any, understood: int | None) -> None:
    assert read({"access_token": "access", "expires_in": said}).expires_in == understood


AT = 1_900_000_000


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_at": AT},
        {"expires_at": str(AT)},
        {"expires_at": float(AT)},
        {"expires_at": AT * 1000},
        {"expires_at": "2030-03-17T17:46:40Z"},
        {"expires_at": "2030-03-17T17:46:40.0000000Z"},
        {"expires_at": "2030-03-17T19:46:40+0200"},
        {"expiresAt": AT},
        {"expires_on": str(AT)},
        {"accessTokenExpiresAt": "2030-03-17T17:46:40.000Z"},
        {"expiry_date": AT * 1000},
        {"expiry": "2030-03-17T17:46:40Z"},
        {".expires": "Sun, 17 Mar 2030 17:46:40 GMT"},
        {"expires": AT},
        {"expires_in": AT},
        {"expires_in": None, "expires_at": AT},
        {"expires_in": 0, "expires_at": AT},
        {"expires_at": "never", "expires_on": AT},
    ],
)
def test_a_moment_instead_of_expires_in(fields: dict[str, Any]) -> None:
    found = read({"access_token": "access", **fields})
    assert (found.expires_in, found.expires_at_ms) == (None, AT * 1000)


@pytest.mark.parametrize(
    ("fields", "understood"),
    [
        ({"expires_in": 3600, "expires_at": AT, "ext_expires_in": 9999}, 3600),
        ({"ext_expires_in": "9999"}, 9999),
        ({"expires": "5183999"}, 5_183_999),
        ({"expires_at": 3600}, 3600),
        ({"expiresIn": 60}, 60),
        ({"expires_at": "0001-01-01T00:00:00Z"}, None),
        ({"expires_at": "9999-12-31T23:59:59Z"}, None),
        ({"expires_at": "soon"}, None),
        ({"expires_at": [AT]}, None),
        ({"expires_at": "2030-03-17" + "0" * 60_000}, None),
    ],
)
def test_a_lifetime_under_another_name(fields: dict[str, Any], understood: int | None) -> None:
    found = read({"access_token": "access", **fields})
    assert (found.expires_in, found.expires_at_ms) == (understood, None)


@pytest.mark.parametrize(
    "payload",
    [
        {"accessToken": "access", "refreshToken": "refresh", "expiresIn": 60, "tokenType": "bearer"},
        {"ACCESS_TOKEN": "access", "REFRESH_TOKEN": "refresh", "EXPIRES_IN": "60"},
        {"access_token": " access\n", "refresh_token": "refresh\n", "expires_in": 60},
        {"access_token": "access", "refresh_token": "refresh", "expires_in": 60, "token_type": "BearerToken"},
        {"access_token": None, "accessToken": "access", "refresh_token": "refresh", "expires_in": 60},
    ],
)
def test_fields_spelt_otherwise(payload: dict[str, Any]) -> None:
    assert read(payload) == TokenSet("access", "Bearer", "refresh", 60)


@pytest.mark.parametrize(
    ("said", "zone_unknown"),
    [
        ("2030-03-17 17:46:40", True),
        ("2030-03-17T17:46:40.000", True),
        ("Sun, 17 Mar 2030 17:46:40", True),
        ("Sun, 17 Mar 2030 17:46:40 GMT", False),
        ("2030-03-17T17:46:40Z", False),
        (AT, False),
    ],
)
def test_a_moment_without_a_timezone_is_read_as_utc_and_marked(said: Any, zone_unknown: bool) -> None:
    found = read({"access_token": "access", "expires_at": said})
    assert (found.expires_at_ms, found.zone_unknown) == (AT * 1000, zone_unknown)


def test_scopes_in_the_plural() -> None:
    assert read({"access_token": "access", "scopes": ["a", "b"]}).scopes == ("a", "b")
    assert read({"access_token": "access", "scope": "a", "scopes": ["b"]}).scopes == ("a",)


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ("a b", ("a", "b")),
        ("a,b", ("a", "b")),
        ("a, b", ("a", "b")),
        (" a  b ", ("a", "b")),
        ("a\tb\nc", ("a", "b", "c")),
        ("a b a", ("a", "b")),
        (["a", "b"], ("a", "b")),
        (["a", "b", "a", None, 1, {"c": 1}, ["d"], ""], ("a", "b")),
        (["a b"], None),
        ("https://www.googleapis.com/auth/drive", ("https://www.googleapis.com/auth/drive",)),
        ("a \u202eb \x00", ("a",)),
        ("", None),
        (" ", None),
        ([], None),
        (None, None),
        (True, None),
        ({"a": 1}, None),
        (5, ("5",)),
    ],
)
def test_scopes(said: Any, understood: tuple[str, ...] | None) -> None:
    assert read({"access_token": "access", "scope": said}).scopes == understood


def test_where_the_scopes_stand() -> None:
    payload = {"access_token": "access", "scope": "wrong", "granted": {"list": ["a"]}}
    assert read(payload, scope_path="granted.list").scopes == ("a",)


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        (None, "Bearer"),
        ("", "Bearer"),
        ("Bearer", "Bearer"),
        ("bearer", "Bearer"),
        ("BEARER", "Bearer"),
        ("bot", "Bearer"),
        ("user", "Bearer"),
        ("DPoP", "DPoP"),
        ("mac\r\nx: y", "mac x: y"),
        (["bearer"], "Bearer"),
    ],
)
def test_the_kind_of_token(said: Any, understood: str) -> None:
    assert read({"access_token": "access", "token_type": said}).token_type == understood


@pytest.mark.parametrize("field", ["access_token", "refresh_token"])
@pytest.mark.parametrize("bad", ["a\nb", "a\x00", "\x7f", "ä", "\u202e", "\ud800", "x" * 16_385])
def test_a_token_that_is_none(field: str, bad: str) -> None:
    reason, lost = fault({"access_token": "access", "refresh_token": "refresh", field: bad})
    assert reason == "a token that is too long, or has other than printable ASCII characters"
    assert lost


def test_the_longest_token() -> None:
    assert read({"access_token": "x" * 16_384}).access_token == "x" * 16_384


def test_numbers_as_tokens() -> None:
    found = read({"access_token": 123, "refresh_token": 456})
    assert (found.access_token, found.refresh_token) == ("123", "456")


@pytest.mark.parametrize("none", [None, "", [], {}, False, True, 1.5, "null", "undefined", " None "])
def test_a_refresh_token_that_is_none(none: Any) -> None:
    assert read({"access_token": "access", "refresh_token": none}).refresh_token is None


NESTED: dict[str, Any] = {"token_in": ["", "authed_user", "data.0"]}


def test_the_first_holder_that_has_a_token_counts() -> None:
    user = {"access_token": "user", "refresh_token": "r", "expires_in": 5, "scope": "u"}
    both = {"access_token": "bot", "scope": "b", "authed_user": user}
    assert read(both, **NESTED) == TokenSet("bot", scopes=("b",))
    alone = {"scope": "b", "expires_in": 9, "authed_user": user, "data": [{"access_token": "list"}]}
    assert read(alone, **NESTED) == TokenSet("user", "Bearer", "r", 5, scopes=("u",))
    assert read({"access_token": "", "data": [{"access_token": "list"}]}, **NESTED).access_token == "list"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"access_token": None},
        {"access_token": {}},
        {"access_token": True},
        {"authed_user": "x", "data": []},
        {"authed_user": [{"access_token": "x"}], "data": {"1": {"access_token": "x"}}},
        {"data": "x"},
        {"data": [["access_token"]]},
    ],
)
def test_no_holder_has_one(payload: Any) -> None:
    assert fault(payload, **NESTED) == ("HTTP 200 with neither a token nor an error", True)


def test_a_token_of_a_failure_is_none() -> None:
    for status in (302, 400, 401):
        assert fault({"access_token": "access"}, status) == (
            f"HTTP {status} with neither a token nor an error",
            False,
        )


def test_the_account() -> None:
    payload = {"access_token": "access", "team": {"id": 7, "name": " Our\tteam \u202e"}}
    found = read(payload, account_id="team.id", account_label="team.name")
    assert (found.account_id, found.account_label) == ("7", "Our team")
    assert read(payload, account_id="team", account_label="team.none").account_label is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ünïcode 🎉 公司", "Ünïcode 🎉 公司"),
        ("👩‍💻 Ada", "👩‍💻 Ada"),
        ("می‌خواهم", "می‌خواهم"),
        ("\u3164", None),
        ("\ud800 half", "half"),
        ("\x00\x1f", None),
        (True, None),
        ("x" * 301, "x" * 299 + "…"),
    ],
)
def test_an_account_can_be_shown_and_stored(name: Any, shown: str | None) -> None:
    found = read({"access_token": "access", "name": name}, account_label="name")
    assert found.account_label == shown
    assert json.dumps(found.account_label, ensure_ascii=False).encode()


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────

API: dict[str, Any] = {"api": {"path": "api_domain", "hosts": ["*.pipedrive.com"]}}


def test_an_address_of_the_providers_own_is_kept() -> None:
    payload = {"access_token": "access", "api_domain": "https://acme.pipedrive.com/"}
    assert read(payload, metadata=API).metadata == {"api": "https://acme.pipedrive.com"}
    assert read({"access_token": "access"}, metadata=API).metadata == {}
    assert read({"access_token": "access", "api_domain": None}, metadata=API).metadata == {}


@pytest.mark.parametrize(
    "address",
    ["https://thief.example", "http://acme.pipedrive.com", "https://acme.pipedrive.com:1", "", 5, [], {}],
)
def test_an_address_of_a_stranger_refuses_the_whole(address: Any) -> None:
    reason, lost = fault({"access_token": "access", "api_domain": address}, metadata=API)
    assert reason == "the answer's api_domain is not one of the provider's own addresses"
    assert lost


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("us6", True),
        (15197, True),
        (0, True),
        (False, True),
        ("Ü 🎉", True),
        ("👩‍💻  Ada", True),
        ("a\u200bb", False),
        ("x" * 1024, True),
        ("x" * 1025, False),
        ("", False),
        ("a\nb", False),
        ("\u202e", False),
        ("\ud800", False),
        (2**64, False),
        (1.5, False),
        (float("nan"), False),
        (None, False),
        ([1], False),
        ({"a": 1}, False),
    ],
)
def test_what_is_kept(value: Any, kept: bool) -> None:
    found = read({"access_token": "access", "x": value}, metadata={"x": {"path": "x"}}).metadata
    assert found == ({"x": value} if kept else {})


def test_paths_lead_through_lists() -> None:
    payload = {"access_token": "access", "a": [{"b": "zero"}, {"b": "one"}], "c": {"0": "text"}}
    paths = {
        "one": {"path": "a.1.b"},
        "zero": {"path": "c.0"},
        "beyond": {"path": "a.2.b"},
        "text": {"path": "c.0.1"},
        "name": {"path": "a.b"},
    }
    assert read(payload, metadata=paths).metadata == {"one": "one", "zero": "text"}


# ── follow-ups ───────────────────────────────────────────────────────────────────────────────────────


def test_a_follow_up_tells_more() -> None:
    call = FollowUp.model_validate(
        {
            "url": "https://a.example/me",
            "account_id": "id",
            "account_label": "login.email",
            "expires_at": "exp",
            "metadata": {"dc": {"path": "dc"}, "api": {"path": "api", "hosts": ["*.mailchimp.com"]}},
        }
    )
    before = TokenSet("access", expires_in=5, account_id="old", metadata={"dc": "old", "kept": 1})
    payload = {
        "id": 7,
        "login": {"email": "a@b"},
        "exp": 1_800_000_000,
        "dc": "us6",
        "api": "https://us6.mailchimp.com",
    }
    after = replace(before, zone_unknown=True).with_follow_up(call, payload)
    assert not after.zone_unknown
    assert (after.account_id, after.account_label, after.expires_in) == ("7", "a@b", 5)
    assert after.expires_at_ms == 1_800_000_000_000
    assert after.metadata == {"dc": "us6", "kept": 1, "api": "https://us6.mailchimp.com"}
    assert before.with_follow_up(call, {}) == before
    assert before.with_follow_up(call, []) == before
    with pytest.raises(Unusable, match="api is not one of the provider's own"):
        before.with_follow_up(call, {**payload, "api": "https://thief.example"})


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        (1_800_000_000, 1_800_000_000_000),
        ("1800000000", 1_800_000_000_000),
        (4_102_444_800, 4_102_444_800_000),
        (4_102_444_801, None),
        (1_800_000_000_000, None),  # milliseconds
        (0, None),
        (-1, None),
        ("never", None),
        (None, None),
    ],
)
def test_a_moment_that_is_none_says_nothing(said: Any, understood: int | None) -> None:
    call = FollowUp(url="https://a.example/", expires_at="exp")
    assert TokenSet("access").with_follow_up(call, {"exp": said}).expires_at_ms == understood


def test_a_token_is_not_shown() -> None:
    shown = repr(TokenSet("the-access", refresh_token="the-refresh"))
    assert "the-access" not in shown
    assert "the-refresh" not in shown


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 418, 302])
def test_an_error_is_a_no_whatever_its_status(status: int) -> None:
    payload = {"error": "invalid_client", "error_description": "who?"}
    assert refusal(payload, status) == ("invalid_client", "who?", False)


def test_an_error_of_our_request_or_client_ends_nothing() -> None:
    assert refusal({"error": "invalid_grant"}) == ("invalid_grant", "", True)
    for code in ("invalid_request", "invalid_client", "unauthorized_client", "Invalid-Client"):
        assert not refusal({"error": code, "error_description": "expired?"}, 401)[2]


def custom(**config: Any) -> OAuth:
    """The OAuth of an integration that brings its own addresses."""
    addresses = {"authorizationUrl": "https://a.example/a", "tokenUrl": "https://a.example/t"}
    oauth = oauth_of(None, {**addresses, **config})
    assert oauth is not None
    return oauth


@pytest.mark.parametrize(
    "payload",
    [
        {"error": "invalid_grant"},
        {"error": {"code": "invalid_grant", "message": "so it is"}},
        {"error": {"type": "invalid_grant"}},
        {"error": "Bad Request", "code": "invalid_grant"},
        {"error": "Bad Request", "message": "invalid_grant"},
        {"errors": [{"code": "INVALID_GRANT"}]},
        {"data": {"error_code": "invalid_grant"}, "message": "error"},
        {"error": "INVALID_GRANT"},
        {"error": "invalidGrant"},
        {"error": "Invalid grant"},
        {"error": "invalid_token"},
        {"error": "expired_token"},
        {"error": "bad_refresh_token"},
        {"errorCode": "REFRESH_TOKEN_EXPIRED"},
        {"error_code": "token_revoked"},
        {"message": "Refresh token has expired"},
        {"message": "The refresh token is no longer valid."},
        {"error": "invalid_request", "error_description": "Invalid refresh_token"},
        {"error": "Unauthorized", "message": "refresh token has already been used"},
    ],
)
@pytest.mark.parametrize("status", [200, 400, 401, 403])
def test_an_end_in_other_words(payload: Any, status: int) -> None:
    with pytest.raises(Refused) as no:
        standard(custom(), status, payload)
    assert (no.value.code, no.value.ended) == ("invalid_grant", True)


@pytest.mark.parametrize(
    ("status", "payload", "unclear"),
    [
        (400, {"error": "invalid_request", "error_description": "The refresh token is used"}, False),
        (
            400,
            {"error": "invalid_request", "error_description": "Refresh token already used, please retry"},
            False,
        ),
        (400, {"error": "invalid_request", "error_description": "Missing or invalid refresh token"}, False),
        (401, {"error": "token_expired", "error_description": "mTLS token expired"}, True),
        (409, {"error": "conflict", "message": "refresh token already used by a concurrent request"}, False),
        (409, {"error": "conflict", "message": "refresh token is already used"}, True),
        (408, {"error": "invalid_grant"}, True),
        (404, {"error": "token_not_found"}, True),
    ],
)
def test_words_of_an_end_in_doubt_do_not_end_the_grant_at_once(
    status: int, payload: Any, unclear: bool
) -> None:
    with pytest.raises(Refused) as no:
        standard(custom(), status, payload)
    assert (no.value.ended, no.value.unclear) == (False, unclear)


def test_invalid_grant_ends_the_grant_whatever_its_description_says() -> None:
    assert refusal({"error": "invalid_grant", "error_description": "Missing session, try again"})[2]


@pytest.mark.parametrize(
    ("payload", "unclear"),
    [
        ({"error": "invalid_client"}, False),
        ({"error": {"code": "INVALID_CLIENT", "message": "invalid_token"}}, False),
        ({"error": "unauthorized_client", "error_description": "Invalid refresh token"}, False),
        ({"error": "invalid_request", "error_description": "refresh_token is missing"}, False),
        ({"error": "invalid_scope"}, False),
        ({"error": "account_suspended"}, True),
        ({"error": "Unauthorized"}, True),
        ({"code": 20026, "msg": "no"}, True),
    ],
)
def test_a_no_that_does_not_end_the_grant(payload: Any, unclear: bool) -> None:
    with pytest.raises(Refused) as no:
        standard(custom(), 401, payload)
    assert (no.value.ended, no.value.unclear) == (False, unclear)


@pytest.mark.parametrize(
    ("status", "payload", "unclear"),
    [
        (401, {}, True),
        (401, {"message": "Unauthorized"}, True),
        (403, {"message": "no", "code": 0}, True),
        (400, {"status": "error"}, True),
        (200, {"code": "0", "message": "success"}, False),
        (200, {"message": "Token refreshed successfully", "tokens": {"access": "x"}}, False),
        (200, {"success": False, "message": "Session expired, log in again"}, True),
        (200, {"ok": "false"}, True),
        (200, {"status": "error"}, True),
        (200, {"status": 0}, False),
        (200, {"message": "Session expired, log in again"}, True),
        (404, {"message": "no Route matched"}, False),
        (404, {"message": "Refresh token not found"}, True),
        (302, {}, False),
        (401, None, False),  # a page
        (429, {"error": "invalid_grant"}, False),
        (500, {"error": "invalid_grant"}, False),
        (400, {"error": "rate_limit_exceeded"}, False),
        (400, {"error": {"code": 503}}, False),
    ],
)
def test_no_reason_that_is_known(status: int, payload: Any, unclear: bool) -> None:
    with pytest.raises(Unusable) as fault:
        standard(custom(), status, payload)
    assert fault.value.unclear is unclear


def test_a_success_that_says_no_lost_nothing() -> None:
    reason = "HTTP 200 with neither a token nor an error"
    said = {"message": "Session expired"}
    for verdict in ({"success": False}, {"ok": "false"}, {"status": "Failed"}):
        assert fault({**said, **verdict}, errors=DESCRIBED) == (f"{reason}: Session expired", False)
    assert fault({**said, "success": True}, errors=DESCRIBED) == (reason, True)


DESCRIBED: dict[str, Any] = {"descriptions": ["message"]}
SECRET = "eyJhbGciOiJSUzI1NiJ9.e30.x_y-z"


@pytest.mark.parametrize(
    "body",
    [
        SECRET,
        "short-token",
        json.dumps(SECRET),
        json.dumps("short-token"),
        f"access_token = {SECRET}",
        "access_token = short-token",
        f"access_token: {SECRET}\nrefresh_token: {SECRET}",
        f"?access_token={SECRET}",
        f"token={SECRET}&message={SECRET}",
        json.dumps({"message": "short-token"}),
        json.dumps({"code": SECRET, "message": f"here: {SECRET}"}),
        json.dumps({"success": False, "message": SECRET}),
        f"<answer><message>{SECRET}</message></answer>",
    ],
)
def test_a_fresh_token_in_a_form_that_is_not_known_is_not_quoted(body: str) -> None:
    with pytest.raises(NoToken) as no:
        standard(custom(), 200, token_body.parse(body.encode()))
    assert SECRET not in str(no.value)
    assert "short-token" not in str(no.value)


def test_codes_of_its_own_end_a_custom_grant() -> None:
    oauth = custom(expiredErrors=["20026", "access_denied: user removed the app"])
    for payload in (
        {"code": 20026, "msg": "no"},
        {"error": "ACCESS_DENIED", "error_description": "User removed the app"},
    ):
        with pytest.raises(Refused) as no:
            standard(oauth, 400, payload)
        assert no.value.ended
    with pytest.raises(Refused) as no:
        standard(oauth, 400, {"error": "access_denied"})
    assert not no.value.ended


@pytest.mark.parametrize("within", ["data", "result", "response", "token", "authed_user"])
def test_a_custom_servers_token_in_an_envelope(within: str) -> None:
    payload = {"code": 0, "message": "success", within: {"accessToken": "access", "expires_in": 60}}
    found = token_set(custom(), standard(custom(), 200, payload), payload)
    assert found == TokenSet("access", expires_in=60)


META: dict[str, Any] = {
    "errors": {"codes": ["error.code", "error_type"], "descriptions": ["error.message", "text"]}
}


def test_codes_at_nested_paths_the_first_counts() -> None:
    payload = {"error": {"code": 190, "message": "expired"}, "error_type": "X", "text": "y"}
    assert refusal(payload, **META) == ("190", "expired", False)
    assert refusal({"error_type": "X", "text": "y", "error": "z"}, **META) == ("X", "y", False)
    assert refusal({"error_type": "X", "error": {"code": None, "message": 5}}, **META) == ("X", "5", False)
    assert fault({"error": "in another shape"}, 400, **META) == (
        "HTTP 400 with neither a token nor an error",
        False,
    )


def test_words_of_its_own_for_an_end() -> None:
    errors = {"ended": ["gone", "bad: the token"]}
    assert refusal({"error": "gone"}, errors=errors) == ("invalid_grant", "gone", True)
    assert refusal({"error": "gone", "error_description": "for good"}, errors=errors) == (
        "invalid_grant",
        "gone for good",
        True,
    )
    assert refusal({"error": "bad", "error_description": "the token"}, errors=errors)[2]
    assert refusal({"error": "bad", "error_description": "the client"}, errors=errors) == (
        "bad",
        "the client",
        False,
    )
    assert not refusal({"error": "bad"}, errors=errors)[2]


@pytest.mark.parametrize("code", ["temporarily_unavailable", "server_error", "slow_down", "busy"])
def test_what_passes(code: str) -> None:
    errors = {"passing": ["busy"]}
    assert fault({"error": code}, 400, errors=errors) == (code, False)
    assert fault({"error": code, "error_description": "wait"}, 200, errors=errors) == (f"{code}: wait", False)


@pytest.mark.parametrize(
    ("status", "lost"), [(429, False), (500, False), (502, True), (503, False), (504, True), (599, False)]
)
@pytest.mark.parametrize("payload", [{"access_token": "access"}, {"error": "invalid_grant"}, None, []])
def test_a_server_in_trouble(status: int, lost: bool, payload: Any) -> None:
    assert fault(payload, status) == (f"HTTP {status}", lost)


@pytest.mark.parametrize(("status", "lost"), [(200, True), (204, True), (302, False), (404, False)])
@pytest.mark.parametrize("payload", [None, [], "text", 5, True, [{"access_token": "access"}]])
def test_a_body_that_is_no_object(payload: Any, status: int, lost: bool) -> None:
    assert fault(payload, status) == (f"HTTP {status} without a readable body", lost)


# ── revocations ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "payload"),
    [
        (200, None),
        (200, {}),
        (200, {"ok": True, "revoked": True}),
        (204, None),
        (200, True),
        (400, {"error": "invalid_token"}),
        (400, {"error": "invalid_grant"}),
        (200, {"error": "gone"}),
    ],
)
def test_a_grant_that_is_gone(status: int, payload: Any) -> None:
    check_revoked(oauth(errors={"ended": ["gone"]}), status, payload)


@pytest.mark.parametrize(
    ("status", "payload", "reason"),
    [
        (302, None, "HTTP 302"),
        (400, None, "HTTP 400"),
        (400, {}, "HTTP 400"),
        (401, {"error": "invalid_client"}, "invalid_client"),
        (200, {"ok": False, "error": "not_authed"}, "not_authed"),
        (429, {"error": ["invalid_token"]}, "HTTP 429"),
        (500, [], "HTTP 500"),
    ],
)
def test_a_grant_that_stays(status: int, payload: Any, reason: str) -> None:
    with pytest.raises(Unusable) as unusable:
        check_revoked(oauth(), status, payload)
    assert unusable.value.reason == reason


# ── words that are shown ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\r\n and\ttabs", "two lines and tabs"),
        ("  around  ", "around"),
        ("\x1b[31mred\x07", "[31mred"),
        ("right\u202eto left", "rightto left"),
        ("zero\u200bwidth", "zerowidth"),
        ("line\u2028break", "line break"),
        ("half \ud800", "half"),
        ("Ü 公司 🎉", "Ü 公司 🎉"),
        ("👩‍💻 Ada", "👩‍💻 Ada"),
        ("شرکت می‌خواهم", "شرکت می‌خواهم"),
        ("x" * 298 + "👩‍💻 Ada", "x" * 298 + "👩…"),
        ("\u200b\u3164\ufe0f", ""),
        ("hidden\U000e0068\U000e0069", "hidden"),
        (190, "190"),
        (1.5, "1.5"),
        (None, ""),
        ([], ""),
        ({"a": 1}, ""),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 299 + "…"),
    ],
)
def test_words(said: Any, shown: str) -> None:
    assert clean(said) == shown


def test_secrets_are_not_shown() -> None:
    assert clean("no s3c\u200bret\xad, s\u20633cr\u202eet", ["s3cret"]) == "no ********, ********"
    assert clean("the token tok-1 of 's3cret'", ["tok-1", None, "", "s3cret"]) == (
        "the token ******** of '********'"
    )


def test_a_secret_within_another_leaves_nothing_of_it() -> None:
    for secrets in (["abc", "abcdef"], ["abcdef", "abc"]):
        assert clean("abcdef abc", secrets) == "******** ********"


@given(st.text(min_size=6), st.text(max_size=20), st.text(max_size=320))
def test_a_secret_is_not_shown_however_it_is_spelt(secret: str, before: str, after: str) -> None:
    try:
        spellings = {secret, quote(secret, safe=""), quote_plus(secret)}
    except UnicodeEncodeError:
        return  # a half of a character, which was sent to nobody
    for spelt in spellings:
        shown = clean(before + spelt + after, [secret])
        if spelt not in before + after and spelt not in "********":
            assert spelt not in shown


@given(st.text())
def test_words_fit_on_a_line(said: str) -> None:
    shown = clean(said, ["secret"])
    assert len(shown) <= 300
    assert not shown or named(shown) == shown
    assert shown.encode().decode() == shown


# ── whatever comes ───────────────────────────────────────────────────────────────────────────────────

# fmt: off
_words = st.sampled_from([
    "access_token", "refresh_token", "token_type", "expires_in", "scope", "scopes", "permissions",
    "error", "error_description", "code", "message", "status", "data", "authed_user", "id", "exp",
    "instance_url", "api_domain",
])
# fmt: on
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | _words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_words | st.text(max_size=5), inner, max_size=8)
    ),
    max_leaves=20,
)


@given(_json, st.integers(100, 599), st.sampled_from(providers.names()))
def test_no_answer_is_too_strange(payload: Any, status: int, name: str) -> None:
    """Any JSON with any status is a token, a no or unusable, and what comes of it can be stored."""
    provider = providers.load(name)
    assert provider is not None
    oauth = provider.oauth
    if oauth is None:
        return
    with contextlib.suppress(Unusable):
        check_revoked(oauth, status, payload)
    with contextlib.suppress(Unusable, Refused):
        token = standard(oauth, status, payload)
        assert all(isinstance(value, str | int) for value in token.values())
        found = token_set(oauth, token, payload)
        _check_storable(found)
        for call in oauth.follow_ups:
            found = found.with_follow_up(call, payload)
            _check_storable(found)


def _check_storable(tokens: TokenSet) -> None:
    assert tokens.access_token.isascii()
    assert tokens.access_token.isprintable()
    assert tokens.expires_in is None or 0 < tokens.expires_in <= TEN_YEARS
    assert tokens.expires_at_ms is None or 0 < tokens.expires_at_ms <= 4_102_444_800_000
    kept = [tokens.account_id, tokens.account_label, tokens.scopes, dict(tokens.metadata)]
    assert json.dumps(kept, ensure_ascii=False, allow_nan=False).encode()
