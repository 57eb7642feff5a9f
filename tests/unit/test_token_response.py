"""The interpretation of a provider's responses."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.api_model import check_name
from patchbay.integrations.config import oauth_for
from patchbay.oauth import token_body
from patchbay.oauth.token_response import (
    TokenRequestDenied,
    TokenRequestFailed,
    TokenSet,
    UnusableTokenResponse,
    check_revocation,
    parse_token_response,
    sanitize,
)
from patchbay.providers import provider as providers
from patchbay.providers.provider import FollowUpRequest, OAuth

TEN_YEARS = 10 * 365 * 86_400


def oauth(**fields: Any) -> OAuth:
    urls = {"authorization_url": "https://a.example/a", "token_url": "https://a.example/t"}
    return OAuth.model_validate({**urls, "refresh": "rotating", **fields})


def parse(payload: object, status: int = 200, **fields: Any) -> TokenSet:
    return parse_token_response(oauth(**fields), status, payload)


def unusable_reason(payload: object, status: int = 200, **fields: Any) -> tuple[str, bool]:
    """The reason, and `may_have_succeeded`."""
    with pytest.raises(UnusableTokenResponse) as unusable:
        parse(payload, status, **fields)
    return unusable.value.reason, unusable.value.may_have_succeeded


def denial_of(payload: object, status: int = 400, **fields: Any) -> tuple[str, str, bool]:
    """The code, the description, and `grant_ended`."""
    with pytest.raises(TokenRequestDenied) as denial:
        parse(payload, status, **fields)
    return denial.value.code, denial.value.description, denial.value.grant_ended


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────


def test_standard_response() -> None:
    payload = {
        "access_token": "access",
        "refresh_token": "refresh",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "a b",
    }
    assert parse(payload) == TokenSet("access", "Bearer", "refresh", 3600, scopes=("a", "b"))


def test_minimal_response() -> None:
    assert parse({"access_token": "access"}) == TokenSet("access")


@pytest.mark.parametrize("status", [200, 201, 203])
def test_any_success_status_is_accepted(status: int) -> None:
    assert parse({"access_token": "access"}, status).access_token == "access"


@pytest.mark.parametrize(
    ("value", "expected"),
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
def test_expires_in(value: object, expected: int | None) -> None:
    assert parse({"access_token": "access", "expires_in": value}).expires_in == expected


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
def test_expiry_time_instead_of_expires_in(fields: dict[str, Any]) -> None:
    tokens = parse({"access_token": "access", **fields})
    assert (tokens.expires_in, tokens.expires_at_ms) == (None, AT * 1000)


@pytest.mark.parametrize(
    ("fields", "expected"),
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
def test_lifetime_in_other_fields(fields: dict[str, Any], expected: int | None) -> None:
    tokens = parse({"access_token": "access", **fields})
    assert (tokens.expires_in, tokens.expires_at_ms) == (expected, None)


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
def test_other_spellings_of_fields(payload: dict[str, Any]) -> None:
    assert parse(payload) == TokenSet("access", "Bearer", "refresh", 60)


@pytest.mark.parametrize(
    ("value", "zone_unknown"),
    [
        ("2030-03-17 17:46:40", True),
        ("2030-03-17T17:46:40.000", True),
        ("Sun, 17 Mar 2030 17:46:40", True),
        ("Sun, 17 Mar 2030 17:46:40 GMT", False),
        ("2030-03-17T17:46:40Z", False),
        (AT, False),
    ],
)
def test_time_without_timezone_is_read_as_utc_and_marked(value: object, zone_unknown: bool) -> None:
    tokens = parse({"access_token": "access", "expires_at": value})
    assert (tokens.expires_at_ms, tokens.zone_unknown) == (AT * 1000, zone_unknown)


def test_scopes_field_is_read_without_scope() -> None:
    assert parse({"access_token": "access", "scopes": ["a", "b"]}).scopes == ("a", "b")
    assert parse({"access_token": "access", "scope": "a", "scopes": ["b"]}).scopes == ("a",)


@pytest.mark.parametrize(
    ("value", "expected"),
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
def test_scopes(value: object, expected: tuple[str, ...] | None) -> None:
    assert parse({"access_token": "access", "scope": value}).scopes == expected


def test_scopes_are_read_from_scope_path() -> None:
    payload = {"access_token": "access", "scope": "wrong", "granted": {"list": ["a"]}}
    assert parse(payload, scope_path="granted.list").scopes == ("a",)


@pytest.mark.parametrize(
    ("value", "expected"),
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
def test_token_type(value: object, expected: str) -> None:
    assert parse({"access_token": "access", "token_type": value}).token_type == expected


@pytest.mark.parametrize("field", ["access_token", "refresh_token"])
@pytest.mark.parametrize("bad", ["a\nb", "a\x00", "\x7f", "ä", "\u202e", "\ud800", "x" * 16_385])
def test_invalid_tokens_are_rejected(field: str, bad: str) -> None:
    reason, may_have_succeeded = unusable_reason(
        {"access_token": "access", "refresh_token": "refresh", field: bad}
    )
    assert reason == "a token is too long, or has characters other than printable ASCII"
    assert may_have_succeeded


def test_longest_token_is_accepted() -> None:
    assert parse({"access_token": "x" * 16_384}).access_token == "x" * 16_384


def test_numbers_are_accepted_as_tokens() -> None:
    tokens = parse({"access_token": 123, "refresh_token": 456})
    assert (tokens.access_token, tokens.refresh_token) == ("123", "456")


@pytest.mark.parametrize("none", [None, "", [], {}, False, True, 1.5, "null", "undefined", " None "])
def test_null_refresh_tokens_are_ignored(none: object) -> None:
    assert parse({"access_token": "access", "refresh_token": none}).refresh_token is None


NESTED: dict[str, Any] = {"token_in": ["", "authed_user", "data.0"]}


def test_first_object_with_a_token_counts() -> None:
    user = {"access_token": "user", "refresh_token": "r", "expires_in": 5, "scope": "u"}
    both = {"access_token": "bot", "scope": "b", "authed_user": user}
    assert parse(both, **NESTED) == TokenSet("bot", scopes=("b",))
    alone = {"scope": "b", "expires_in": 9, "authed_user": user, "data": [{"access_token": "list"}]}
    assert parse(alone, **NESTED) == TokenSet("user", "Bearer", "r", 5, scopes=("u",))
    assert parse({"access_token": "", "data": [{"access_token": "list"}]}, **NESTED).access_token == "list"


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
def test_response_without_an_object_with_a_token_is_unusable(payload: object) -> None:
    assert unusable_reason(payload, **NESTED) == ("HTTP 200 with neither a token nor an error", True)


def test_token_with_a_failure_status_is_ignored() -> None:
    for status in (302, 400, 401):
        assert unusable_reason({"access_token": "access"}, status) == (
            f"HTTP {status} with neither a token nor an error",
            False,
        )


def test_account_is_read_from_its_paths() -> None:
    payload = {"access_token": "access", "team": {"id": 7, "name": " Our\tteam \u202e"}}
    tokens = parse(payload, account_id="team.id", account_label="team.name")
    assert (tokens.account_id, tokens.account_label) == ("7", "Our team")
    assert parse(payload, account_id="team", account_label="team.none").account_label is None


@pytest.mark.parametrize(
    ("name", "label"),
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
def test_account_label_is_displayable_and_storable(name: object, label: str | None) -> None:
    tokens = parse({"access_token": "access", "name": name}, account_label="name")
    assert tokens.account_label == label
    assert json.dumps(tokens.account_label, ensure_ascii=False).encode()


# ── metadata ─────────────────────────────────────────────────────────────────────────────────────────

API: dict[str, Any] = {"api": {"path": "api_domain", "hosts": ["*.pipedrive.com"]}}


def test_address_of_the_provider_is_stored() -> None:
    payload = {"access_token": "access", "api_domain": "https://acme.pipedrive.com/"}
    assert parse(payload, metadata=API).metadata == {"api": "https://acme.pipedrive.com"}
    assert parse({"access_token": "access"}, metadata=API).metadata == {}
    assert parse({"access_token": "access", "api_domain": None}, metadata=API).metadata == {}


@pytest.mark.parametrize(
    "address",
    ["https://thief.example", "http://acme.pipedrive.com", "https://acme.pipedrive.com:1", "", 5, [], {}],
)
def test_foreign_address_makes_the_response_unusable(address: object) -> None:
    reason, may_have_succeeded = unusable_reason(
        {"access_token": "access", "api_domain": address}, metadata=API
    )
    assert reason == "the response's api_domain is not one of the provider's own URLs"
    assert may_have_succeeded


@pytest.mark.parametrize(
    ("value", "is_stored"),
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
def test_only_storable_values_become_metadata(value: object, is_stored: bool) -> None:
    metadata = parse({"access_token": "access", "x": value}, metadata={"x": {"path": "x"}}).metadata
    assert metadata == ({"x": value} if is_stored else {})


def test_paths_may_contain_list_indexes() -> None:
    payload = {"access_token": "access", "a": [{"b": "zero"}, {"b": "one"}], "c": {"0": "text"}}
    paths = {
        "one": {"path": "a.1.b"},
        "zero": {"path": "c.0"},
        "beyond": {"path": "a.2.b"},
        "text": {"path": "c.0.1"},
        "name": {"path": "a.b"},
    }
    assert parse(payload, metadata=paths).metadata == {"one": "one", "zero": "text"}


# ── follow-ups ───────────────────────────────────────────────────────────────────────────────────────


def test_follow_up_adds_its_facts() -> None:
    call = FollowUpRequest.model_validate(
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
    with pytest.raises(UnusableTokenResponse, match="api is not one of the provider's own"):
        before.with_follow_up(call, {**payload, "api": "https://thief.example"})


@pytest.mark.parametrize(
    ("value", "expected"),
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
def test_invalid_expiry_of_a_follow_up_is_ignored(value: object, expected: int | None) -> None:
    call = FollowUpRequest(url="https://a.example/", expires_at="exp")
    assert TokenSet("access").with_follow_up(call, {"exp": value}).expires_at_ms == expected


def test_repr_has_no_tokens() -> None:
    text = repr(TokenSet("the-access", refresh_token="the-refresh"))
    assert "the-access" not in text
    assert "the-refresh" not in text


# ── denials ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 418, 302])
def test_error_is_a_denial_with_any_status(status: int) -> None:
    payload = {"error": "invalid_client", "error_description": "who?"}
    assert denial_of(payload, status) == ("invalid_client", "who?", False)


def test_fault_of_our_request_or_client_does_not_end_the_grant() -> None:
    assert denial_of({"error": "invalid_grant"}) == ("invalid_grant", "", True)
    for code in ("invalid_request", "invalid_client", "unauthorized_client", "Invalid-Client"):
        assert not denial_of({"error": code, "error_description": "expired?"}, 401)[2]


def custom(**config: Any) -> OAuth:
    """The OAuth of an integration with its own URLs."""
    addresses = {"authorizationUrl": "https://a.example/a", "tokenUrl": "https://a.example/t"}
    oauth = oauth_for(None, {**addresses, **config})
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
def test_synonyms_of_invalid_grant_end_the_grant(payload: object, status: int) -> None:
    with pytest.raises(TokenRequestDenied) as denial:
        parse_token_response(custom(), status, payload)
    assert (denial.value.code, denial.value.grant_ended) == ("invalid_grant", True)


@pytest.mark.parametrize(
    ("status", "payload", "grant_may_have_ended"),
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
def test_ambiguous_errors_do_not_end_the_grant_at_once(
    status: int, payload: object, grant_may_have_ended: bool
) -> None:
    with pytest.raises(TokenRequestDenied) as denial:
        parse_token_response(custom(), status, payload)
    assert (denial.value.grant_ended, denial.value.grant_may_have_ended) == (False, grant_may_have_ended)


def test_invalid_grant_ends_the_grant_with_any_description() -> None:
    assert denial_of({"error": "invalid_grant", "error_description": "Missing session, try again"})[2]


@pytest.mark.parametrize(
    ("payload", "grant_may_have_ended"),
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
def test_other_errors_do_not_end_the_grant(payload: object, grant_may_have_ended: bool) -> None:
    with pytest.raises(TokenRequestDenied) as denial:
        parse_token_response(custom(), 401, payload)
    assert (denial.value.grant_ended, denial.value.grant_may_have_ended) == (False, grant_may_have_ended)


@pytest.mark.parametrize(
    ("status", "payload", "grant_may_have_ended"),
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
        (401, None, False),  # an HTML page
        (429, {"error": "invalid_grant"}, False),
        (500, {"error": "invalid_grant"}, False),
        (400, {"error": "rate_limit_exceeded"}, False),
        (400, {"error": {"code": 503}}, False),
    ],
)
def test_response_without_an_error_code_is_unusable(
    status: int, payload: object, grant_may_have_ended: bool
) -> None:
    with pytest.raises(UnusableTokenResponse) as fault:
        parse_token_response(custom(), status, payload)
    assert fault.value.grant_may_have_ended is grant_may_have_ended


def test_success_status_with_a_failure_in_the_body_has_not_succeeded() -> None:
    reason = "HTTP 200 with neither a token nor an error"
    message = {"message": "Session expired"}
    for outcome in ({"success": False}, {"ok": "false"}, {"status": "Failed"}):
        assert unusable_reason({**message, **outcome}, errors=DESCRIBED) == (
            f"{reason}: Session expired",
            False,
        )
    assert unusable_reason({**message, "success": True}, errors=DESCRIBED) == (reason, True)


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
def test_token_in_an_unknown_format_is_not_quoted(body: str) -> None:
    with pytest.raises(TokenRequestFailed) as denial:
        parse_token_response(custom(), 200, token_body.parse(body.encode()))
    assert SECRET not in str(denial.value)
    assert "short-token" not in str(denial.value)


def test_expired_errors_of_a_custom_provider_end_the_grant() -> None:
    oauth = custom(expiredErrors=["20026", "access_denied: user removed the app"])
    for payload in (
        {"code": 20026, "msg": "no"},
        {"error": "ACCESS_DENIED", "error_description": "User removed the app"},
    ):
        with pytest.raises(TokenRequestDenied) as denial:
            parse_token_response(oauth, 400, payload)
        assert denial.value.grant_ended
    with pytest.raises(TokenRequestDenied) as denial:
        parse_token_response(oauth, 400, {"error": "access_denied"})
    assert not denial.value.grant_ended


@pytest.mark.parametrize("within", ["data", "result", "response", "token", "authed_user"])
def test_token_of_a_custom_provider_may_be_in_an_envelope(within: str) -> None:
    payload = {"code": 0, "message": "success", within: {"accessToken": "access", "expires_in": 60}}
    assert parse_token_response(custom(), 200, payload) == TokenSet("access", expires_in=60)


META: dict[str, Any] = {
    "errors": {"codes": ["error.code", "error_type"], "descriptions": ["error.message", "text"]}
}


def test_first_error_code_of_nested_paths_counts() -> None:
    payload = {"error": {"code": 190, "message": "expired"}, "error_type": "X", "text": "y"}
    assert denial_of(payload, **META) == ("190", "expired", False)
    assert denial_of({"error_type": "X", "text": "y", "error": "z"}, **META) == ("X", "y", False)
    assert denial_of({"error_type": "X", "error": {"code": None, "message": 5}}, **META) == ("X", "5", False)
    assert unusable_reason({"error": "in another shape"}, 400, **META) == (
        "HTTP 400 with neither a token nor an error",
        False,
    )


def test_ended_codes_of_a_provider_end_the_grant() -> None:
    errors = {"ended": ["gone", "bad: the token"]}
    assert denial_of({"error": "gone"}, errors=errors) == ("invalid_grant", "gone", True)
    assert denial_of({"error": "gone", "error_description": "for good"}, errors=errors) == (
        "invalid_grant",
        "gone for good",
        True,
    )
    assert denial_of({"error": "bad", "error_description": "the token"}, errors=errors)[2]
    assert denial_of({"error": "bad", "error_description": "the client"}, errors=errors) == (
        "bad",
        "the client",
        False,
    )
    assert not denial_of({"error": "bad"}, errors=errors)[2]


@pytest.mark.parametrize("code", ["temporarily_unavailable", "server_error", "slow_down", "busy"])
def test_temporary_errors_are_unusable_responses(code: str) -> None:
    errors = {"passing": ["busy"]}
    assert unusable_reason({"error": code}, 400, errors=errors) == (code, False)
    assert unusable_reason({"error": code, "error_description": "wait"}, 200, errors=errors) == (
        f"{code}: wait",
        False,
    )


@pytest.mark.parametrize(
    ("status", "may_have_succeeded"),
    [(429, False), (500, False), (502, True), (503, False), (504, True), (599, False)],
)
@pytest.mark.parametrize("payload", [{"access_token": "access"}, {"error": "invalid_grant"}, None, []])
def test_server_errors_and_429_are_unusable_responses(
    status: int, may_have_succeeded: bool, payload: object
) -> None:
    assert unusable_reason(payload, status) == (f"HTTP {status}", may_have_succeeded)


@pytest.mark.parametrize(
    ("status", "may_have_succeeded"), [(200, True), (204, True), (302, False), (404, False)]
)
@pytest.mark.parametrize("payload", [None, [], "text", 5, True, [{"access_token": "access"}]])
def test_body_other_than_an_object_is_unusable(
    payload: object, status: int, may_have_succeeded: bool
) -> None:
    assert unusable_reason(payload, status) == (f"HTTP {status} without a readable body", may_have_succeeded)


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
def test_revocation_of_a_gone_grant_succeeds(status: int, payload: object) -> None:
    check_revocation(oauth(errors={"ended": ["gone"]}), status, payload)


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
def test_failed_revocation_raises(status: int, payload: object, reason: str) -> None:
    with pytest.raises(UnusableTokenResponse) as unusable:
        check_revocation(oauth(), status, payload)
    assert unusable.value.reason == reason


# ── sanitized texts ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "expected"),
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
def test_sanitize_returns_one_line_of_visible_characters(text: object, expected: str) -> None:
    assert sanitize(text) == expected


def test_secrets_are_masked() -> None:
    assert sanitize("no s3c\u200bret\xad, s\u20633cr\u202eet", ["s3cret"]) == "no ********, ********"
    assert sanitize("the token tok-1 of 's3cret'", ["tok-1", None, "", "s3cret"]) == (
        "the token ******** of '********'"
    )


def test_secret_that_contains_another_is_masked_completely() -> None:
    for secrets in (["abc", "abcdef"], ["abcdef", "abc"]):
        assert sanitize("abcdef abc", secrets) == "******** ********"


@given(st.text(min_size=6), st.text(max_size=20), st.text(max_size=320))
def test_encoded_secrets_are_masked(secret: str, before: str, after: str) -> None:
    try:
        spellings = {secret, quote(secret, safe=""), quote_plus(secret)}
    except UnicodeEncodeError:
        return  # a lone surrogate, which cannot be sent
    for spelling in spellings:
        sanitized = sanitize(before + spelling + after, [secret])
        if spelling not in before + after and spelling not in "********":
            assert spelling not in sanitized


@given(st.text())
def test_sanitized_text_is_a_short_displayable_line(text: str) -> None:
    sanitized = sanitize(text, ["secret"])
    assert len(sanitized) <= 300
    assert not sanitized or check_name(sanitized) == sanitized
    assert sanitized.encode().decode() == sanitized


# ── arbitrary responses ──────────────────────────────────────────────────────────────────────────────

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
def test_any_response_is_a_token_a_denial_or_unusable(payload: object, status: int, name: str) -> None:
    """This holds for any JSON and any status. The tokens can be stored."""
    provider = providers.load(name)
    assert provider is not None
    oauth = provider.oauth
    if oauth is None:
        return
    with contextlib.suppress(UnusableTokenResponse):
        check_revocation(oauth, status, payload)
    with contextlib.suppress(UnusableTokenResponse, TokenRequestDenied):
        tokens = parse_token_response(oauth, status, payload)
        _check_storable(tokens)
        for call in oauth.follow_ups:
            tokens = tokens.with_follow_up(call, payload)
            _check_storable(tokens)


def _check_storable(tokens: TokenSet) -> None:
    assert all(
        isinstance(text, str) for text in (tokens.access_token, tokens.token_type, *(tokens.scopes or ()))
    )
    assert isinstance(tokens.refresh_token, str | None)
    assert tokens.access_token.isascii()
    assert tokens.access_token.isprintable()
    assert tokens.expires_in is None or 0 < tokens.expires_in <= TEN_YEARS
    assert tokens.expires_at_ms is None or 0 < tokens.expires_at_ms <= 4_102_444_800_000
    stored = [tokens.account_id, tokens.account_label, tokens.scopes, dict(tokens.metadata)]
    assert json.dumps(stored, ensure_ascii=False, allow_nan=False).encode()
