"""The body of a response is parsed by its content, whatever its Content-Type."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.oauth.token_body import parse

TOKEN = {"access_token": "a+b/c=", "label": "Réné 公司"}
TEXT = json.dumps(TOKEN, ensure_ascii=False)
LATIN = {"access_token": "x", "label": "Réné"}


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("declared", [None, "application/json", "text/html; charset=latin-1", "text/plain"])
def test_parse_reads_json_in_any_unicode_charset(charset: str, declared: str | None) -> None:
    assert parse(TEXT.encode(charset), declared) == TOKEN


@pytest.mark.parametrize(
    ("charset", "declared"),
    [
        ("latin-1", "application/json; charset=iso-8859-1"),
        ("latin-1", 'application/json; charset="latin-1"'),
        ("latin-1", None),
        ("latin-1", "application/json; charset=utf-8"),
        ("latin-1", "application/json; charset=no-such"),
        ("latin-1", "application/json; charset=hex"),
        ("cp1250", "text/plain;charset=windows-1250"),
    ],
)
def test_parse_reads_json_in_other_charsets(charset: str, declared: str | None) -> None:
    assert parse(json.dumps(LATIN, ensure_ascii=False).encode(charset), declared) == LATIN


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"access_token=x&token_type=bearer", {"access_token": "x", "token_type": "bearer"}),
        (b" access_token=x&refresh_token=\r\n", {"access_token": "x", "refresh_token": ""}),
        (b"access_token=a%2Bb%3D&scope=a+b%20c", {"access_token": "a+b=", "scope": "a b c"}),
        (b"access_token=a+b==&expires=5183999", {"access_token": "a+b==", "expires": "5183999"}),
        (
            b"error=invalid_grant&error_description=it has ended",
            {"error": "invalid_grant", "error_description": "it has ended"},
        ),
        (b"error=invalid_grant&", {"error": "invalid_grant"}),
        (b"label=R%C3%A9n%C3%A9&x=%FF", {"label": "Réné", "x": "\ufffd"}),
    ],
)
def test_parse_reads_forms(body: bytes, expected: dict[str, str]) -> None:
    for declared in ("application/x-www-form-urlencoded", "text/plain", "application/json", None):
        assert parse(body, declared) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"access_token": "x", "about": "two\nlines"}', {"access_token": "x", "about": "two\nlines"}),
        (b'{"access_token": "x"}\x00', {"access_token": "x"}),
        (b'[{"access_token": "x"}]', {"access_token": "x"}),
        (b'"{\\"access_token\\": \\"x\\"}"', {"access_token": "x"}),
        (b'callback( {"error": 100} );\n', {"error": 100}),
        (
            b"<?xml version='1.0'?><OAuth><access_token>x</access_token><scope>a b</scope></OAuth>",
            {"access_token": "x", "scope": "a b"},
        ),
        (b"", {}),
        (b" \n", {}),
        (b"Unauthorized", {"message": "Unauthorized"}),
        (b'"invalid_grant"', {"message": "invalid_grant"}),
        (b"eyJhbGciOiJSUzI1NiJ9.e30.x_y-z", {"message": "********"}),
        (b'"eyJhbGciOiJSUzI1NiJ9.e30.x_y-z"', {"message": "********"}),
        (
            b"access_token: 0123456789abcdef\nexpires: never",
            {"message": "access_token: ********\nexpires: never"},
        ),
        (b"authorization_code was not found", {"message": "authorization_code was not found"}),
    ],
)
def test_parse_reads_other_formats(body: bytes, expected: object) -> None:
    assert parse(body) == expected


def test_parse_accepts_very_long_numbers() -> None:
    body = b'{"access_token": "x", "id": ' + b"9" * 5000 + b"}"
    assert parse(body) == {"access_token": "x", "id": math.inf}


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><title>Sign in</title><code>invalid_grant</code>",
        b"<html><body><error>invalid_grant</error></body></html>",
        b"<html><a href='/?access_token=x'>",
        b'{"access_token": "x"',
        b'{"access_token": "x"} {}',
        b"\xff\xfe{}\x00",
        b"[" * 60_000,
        b"x" * 301,
    ],
)
def test_parse_returns_none_for_unreadable_bodies(body: bytes) -> None:
    assert parse(body, "application/json") is None


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_parse_never_raises(body: bytes) -> None:
    parse(body, "application/json; charset=utf-7")
