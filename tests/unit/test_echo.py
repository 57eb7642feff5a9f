"""Responses that repeat a header value in any encoding are recognized, and ordinary responses are not."""

from __future__ import annotations

import base64
import html
import json
import random
import string
import time
from collections.abc import Callable
from functools import partial
from urllib.parse import quote, quote_plus

import pytest

from patchbay.webhooks.echo import contains_header_value

contains = partial(contains_header_value, truncated=False)
# Has characters that each encoding replaces.
SECRET = 'kx"9/Qm+2<w\\7&Lz>0'
HEADERS = {"X-Key": SECRET}


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "the value": str,
    "upper case": str.upper,
    "JSON": json.dumps,
    "JSON of PHP": lambda text: json.dumps(text).replace("/", "\\/"),
    "JSON in JSON": lambda text: json.dumps({"body": json.dumps({"headers": [text]})}),
    "JSON, all escaped": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "JavaScript's \\x": lambda text: "".join(f"\\x{ord(c):02X}" for c in text),
    "JavaScript's escape()": lambda text: "".join(f"%u{ord(c):04x}" for c in text),
    "Python": repr,
    "a URL": lambda text: quote(text, safe=""),
    "a URL in a URL": lambda text: quote(quote(text, safe=""), safe=""),
    "a form": quote_plus,
    "HTML": html.escape,
    "HTML, all escaped": lambda text: "".join(f"&#x{ord(c):x};" for c in text),
    "HTML, padded with zeros": lambda text: "".join(f"&#{ord(c):05000d};" for c in text),
    "HTML in HTML": lambda text: html.escape(html.escape(text)),
    "JSON in HTML": lambda text: html.escape(json.dumps({"headers": [text]})),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal, by bytes": lambda text: text.encode().hex(":").upper(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 within base64's text": lambda text: base64.b64encode(f'{{"key": "{text}"}}'.encode()).decode(),
    "base64 of JSON": lambda text: base64.b64encode(json.dumps([text]).encode()).decode(),
    "base64 of base64": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "base64 of base64 of JSON": lambda text: base64.b64encode(
        json.dumps({"body": base64.b64encode(json.dumps([text]).encode()).decode()}).encode()
    ).decode(),
    "a Buffer of Node": lambda text: json.dumps({"type": "Buffer", "data": [*text.encode()]}),
    "bytes of Go": lambda text: str([*text.encode()]).replace(",", ""),
    "numbers in lines": lambda text: json.dumps([*text.encode()], indent=2),
    "an array of C": lambda text: ", ".join(f"0x{byte:02X}" for byte in text.encode()),
    "base64 in JSON of PHP": lambda text: base64.b64encode(text.encode()).decode().replace("/", "\\/"),
    "base64 in lines": lambda text: base64.encodebytes(b"\xff" * 50 + text.encode()).decode(),
    "UTF-16": lambda text: text.encode("utf-16").decode("utf-8", "replace"),
    "lines": lambda text: "\r\n".join(text[at : at + 4] for at in range(0, len(text), 4)),
}


@pytest.mark.parametrize("encoded", ENCODINGS.values(), ids=ENCODINGS)
def test_value_is_recognized_in_every_common_encoding(encoded: Callable[[str], str]) -> None:
    for before in ("", "a", "ab", "héllo: "):  # the text before a value shifts its base64
        assert contains(HEADERS, f"{before}{encoded(SECRET)} and more")


@pytest.mark.parametrize("start", range(len(SECRET) - 7))
def test_any_8_characters_of_a_value_are_recognized(start: int) -> None:
    piece = SECRET[start : start + 8]
    for text in (piece, json.dumps(piece), html.escape(piece), quote(piece)):
        assert contains(HEADERS, f"<p>{text}</p>")


@pytest.mark.parametrize(
    ("name", "value", "response"),
    [
        ("Authorization", "Bearer 5f2c91d0 ", "Bearer 5f2c91d0"),
        ("Authorization", "\tBearer 5f2c91d0", "the token 5f2c91d0 is unknown"),
        ("X-Auth", "Bearer 5f2c", '"token": "5f2c"'),
        ("Authorization", "Custom 5f2c", "5f2c"),
        ("X-Auth", "bearer  5f2c91d0", "5f2c91d0"),
        ("X-Key", "s3cr3t", "key=s3cr3t&a=b"),
        ("X-Key", "50%41ff", "50%2541ff"),
        ("Cookie", "session=5f2c91; a=b", "no session 5f2c91"),
        ("Authorization", basic("ada:pass1"), "wrong password: pass1"),
        ("Authorization", basic("ada.lovelace:correct horse"), '{"user": "ada.lovelace"}'),
        ("Authorization", basic("sk_live_1:"), "there is no key sk_live_1"),
        ("Authorization", basic("ada:pass1"), basic("ada:pass1").removeprefix("Basic ")),
        ("X-Words", "correct horse battery", "correct+horse+battery"),
    ],
)
def test_parts_of_a_value_are_recognized(name: str, value: str, response: str) -> None:
    assert contains({name: value}, response)


@pytest.mark.parametrize("cut", [4, 5, 6, 7])
@pytest.mark.parametrize("encode", [str, lambda text: json.dumps(text)[:-1], lambda text: quote(text)])
def test_value_is_recognized_at_the_end_of_a_truncated_response(
    encode: Callable[[str], str], cut: int
) -> None:
    secret = 'kx"9/Qm<w7&Lz0'
    headers = {"Authorization": f"Bearer {secret}"}
    response = "you sent Bearer " + encode(secret[:cut])
    assert contains_header_value(headers, response, truncated=True)
    assert not contains_header_value(headers, response + " and more", truncated=True)
    assert not contains(headers, response), "a complete response: a coincidence"


def test_value_is_recognized_before_a_truncated_escape() -> None:
    escaped = "".join(f"\\u{ord(c):04x}" for c in SECRET)
    for end in range(4 * 6, len(escaped) + 1):
        assert contains_header_value(HEADERS, escaped[:end], truncated=True), escaped[:end]


@pytest.mark.parametrize(
    ("headers", "response"),
    [
        ({}, "anything"),
        ({"X-Version": "2", "X-On": "yes"}, "2 yes"),
        ({"X-On": "true"}, '{"ok": true}'),
        ({"Accept": "application/json"}, "content-type: application/json"),
        ({"X-Format": "application/json"}, "content-type: application/json"),
        ({"X-From": "https://patchbay.example"}, "see https://docs.other.test/errors"),
        (
            {"Authorization": f"Bearer {SECRET}"},
            "www-authenticate: Bearer realm; basic, token, Authorization",
        ),
        ({"Authorization": "Bearer token-5f2c91d0"}, "Bearer token required"),
        ({"Authorization": basic("ada:5f2c91d0")}, "connection: keep-alive\nBasic realm"),
    ],
)
def test_ordinary_response_is_not_an_echo(headers: dict[str, str], response: str) -> None:
    assert not contains_header_value(headers, response, truncated=True)


LARGE = {
    "backslashes": "\\" * 16_384,
    "percent signs": "%25" * 5_461,
    "nested escapes": "%" + "25" * 8_191,
    "a reference of too many digits": f"&#{'1' * 4_301}; {SECRET}",
    "a reference of too many digits, without its end": "&#" + "1" * 16_382,
    "a reference of zeros": "&#" + "0" * 16_382,
    "a reference of too many hexadecimal digits": "&#x" + "f" * 16_381,
    "a reference in a URL": quote(f"&#{'1' * 4_301};"),
    "a reference in base64": base64.b64encode(f"&#{'1' * 4_301};".encode()).decode(),
    "a reference in hexadecimal": f"&#{'1' * 4_301};".encode().hex(),
    "ampersands": "&amp;" * 3_276,
    "escapes": "\\u0041" * 2_730,
    "base64 of letters": base64.b64encode(
        "".join(random.Random(3).choices(string.ascii_letters, k=12_288)).encode()
    ).decode(),
    "numbers": "99," * 5_461,
    "digits": "a1" * 8_192,
    "NULs": "\x00" * 16_384,
    "a character's number": "&#" + "9" * 16_384,
    "letters": "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=16_384)),
}


@pytest.mark.parametrize("response", LARGE.values(), ids=LARGE)
def test_no_response_raises(response: str) -> None:
    """An exception would prevent the record of a successful delivery."""
    assert contains_header_value({"X-Key": SECRET}, response, truncated=True) is (SECRET in response)


@pytest.mark.parametrize("response", LARGE.values(), ids=LARGE)
def test_largest_response_takes_bounded_time(response: str) -> None:
    """Quadratic matching of 16 KB would take seconds."""
    headers = {"X-Key": "".join(random.Random(2).choices(string.ascii_letters, k=4_000))}
    started = time.process_time()
    contains_header_value(headers, response, truncated=True)
    assert time.process_time() - started < 0.5
