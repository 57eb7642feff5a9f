"""The JSON parser for callers: valid JSON round-trips, and everything else is rejected."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from patchbay.errors import MalformedJson
from patchbay.strict_json import MAX_DEPTH, loads, loads_each, loads_leniently

# Unicode without surrogates, which UTF-8 cannot encode.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=30)


def levels(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(levels, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(levels, value), default=0)
    return 0


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types: 1, 1.0 and true are different."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_valid_json_round_trips(value: Any, ascii_only: bool, indent: Any) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    if levels(value) <= MAX_DEPTH:
        assert same(loads(text.encode()), value)


@given(st.binary(max_size=40))
def test_bytes_are_json_or_malformed(raw: bytes) -> None:
    try:
        value = loads(raw)
    except MalformedJson:
        return
    assert same(value, json.loads(raw))
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


@given(TEXT, VALUES, VALUES, st.dictionaries(TEXT, SCALARS))
def test_duplicate_key_is_rejected_anywhere(name: str, one: Any, two: Any, rest: dict[str, Any]) -> None:
    between = "".join(f"{json.dumps(key)}:{json.dumps(value)}," for key, value in rest.items() if key != name)
    text = f"[{{{json.dumps(name)}:{json.dumps(one)},{between}{json.dumps(name)}:{json.dumps(two)}}}]"
    with pytest.raises(MalformedJson):
        loads(text.encode())


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_depth_is_limited(opening: str, closing: str) -> None:
    def text(depth: int) -> bytes:
        times = depth // len(closing)
        return (opening * times + "1" + closing * times).encode()

    assert levels(loads(text(MAX_DEPTH))) == MAX_DEPTH
    for depth in (MAX_DEPTH + 2, 1000, 100_000):
        with pytest.raises(MalformedJson, match="deeper than 32"):
            loads(text(depth))


def test_empty_33rd_level_is_too_deep() -> None:
    assert levels(loads(b"[" * 32 + b"]" * 32)) == 32
    assert levels(loads(b"[" * 31 + b"{}" + b"]" * 31)) == 32
    for raw in (b"[" * 33 + b"]" * 33, b"[" * 32 + b"{}" + b"]" * 32):
        with pytest.raises(MalformedJson, match="deeper than 32"):
            loads(raw)


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"", "line 1, column 1"),
        (b"\n\n  nope", "line 3, column 3"),
        (b"{", "line 1, column 2"),
        (b"[1,]", "line 1"),
        (b'{"a": 1,}', "line 1"),
        (b"{'a': 1}", "line 1, column 2"),
        (b"{a: 1}", "line 1, column 2"),
        (b"1 2", "Extra data"),
        (b"01", "Extra data"),
        (b"+1", "line 1"),
        (b".5", "line 1"),
        (b"0x10", "Extra data"),
        (b"1_000", "Extra data"),
        (b"True", "line 1"),
        (b"undefined", "line 1"),
        (b"NaN", "NaN is not JSON"),
        (b"[Infinity]", "Infinity is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b"1e999", "too large"),
        (b"[-1e400]", "too large"),
        (b"9" * 5000, "digits"),
        (b'{"a": 1, "a": 2}', "'a' appears twice"),
        (b'{"a": 1, "\\u0061": 2}', "'a' appears twice"),
        (b'{"": 1, "": 2}', "'' appears twice"),
        (b'"\\ud800"', "surrogate"),
        (b'"\\udc00\\ud800"', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b'{"\\ud800": 1, "\\ud800": 2}', ""),
        (b'"\\u12"', "line 1"),
        (b'"\\x41"', "line 1"),
        (b'"a\nb"', "line 1"),
        (b'"a\x00b"', "line 1"),
        (b'"', "line 1"),
        (b"\x00", "line 1"),
        (b"\xff", "not UTF-8"),
        (b'"\xc0\x80"', "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b'"\xf5\x80\x80\x80"', "not UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ("{}".encode("utf-16-le"), "line 1"),
        ("{}".encode("utf-32-be"), "line 1"),
        (b"/* a */ 1", "line 1"),
    ],
)
def test_malformed_json_has_reason_and_position(raw: bytes, detail: str) -> None:
    with pytest.raises(MalformedJson) as raised:
        loads(raw)
    assert detail in raised.value.detail
    raised.value.detail.encode()  # it is part of the response


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b" \t\r\n{} ", {}),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\u0000\\/\\u2028"', "\u0000/\u2028"),
        ('"😀\ufffe"'.encode(), "😀\ufffe"),
        (b"-0", 0),
        (b"-0.0", -0.0),
        (b"1E5", 100000.0),
        (b"1e-999", 0.0),
        (b"9" * 4000, int("9" * 4000)),
        (b'{"a": {"a": 1}, "A": 2}', {"a": {"a": 1}, "A": 2}),
        (b'{"\xc3\xa9": 1, "e\xcc\x81": 2}', {"é": 1, "e\u0301": 2}),
        (b"null", None),
    ],
)
def test_unusual_json_is_accepted(raw: bytes, value: Any) -> None:
    assert same(loads(raw), value)


DEEP = '{"events":' + "[" * 2_000
LARGE = {
    "escaped quotes in a string that does not end": DEEP + '"' + '\\"' * 500_000,
    "escaped line breaks in a string that does not end": DEEP + '"' + '\\\n"' * 300_000,
    "backslashes before the end": DEEP + '"' + "\\" * 999_999,
    "quotes": DEEP + '"' * 1_000_001,
    "open brackets": "[" * 1_000_000,
    "closed brackets": DEEP + "]" * 1_000_000,
    "brackets and quotes": DEEP + '["' * 500_000,
    "objects": '{"a":' * 200_000,
    "digits": "9" * 1_000_000,
    "an exponent": "1e" + "9" * 1_000_000,
    "keys": DEEP + "{" + '"a":1,' * 160_000,
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_large_hostile_text_is_rejected_in_linear_time(text: str) -> None:
    """Quadratic time would take an hour."""
    with pytest.raises(MalformedJson):
        loads_each(text.encode(), "events")


@pytest.mark.parametrize("end", ['"', '"a', '"\\', '"\\"', '"a\\\n"b\\"'])
def test_unterminated_string_in_deep_text_is_not_json(end: str) -> None:
    with pytest.raises(ValueError, match="a string does not end"):
        loads_leniently("[" * 2_000 + end + "]" * 2_000 if end[-1] != "\\" else "[" * 2_000 + end)


def test_brackets_in_strings_do_not_count_as_nesting() -> None:
    valid = r'{"a":"\\\"]}[{\\"}'
    deep = "[" * 2_000 + r'"[\"["' + "]" * 2_000
    text = f'{{"events":[{deep},{valid}]}}'
    error, item = loads_each(text.encode(), "events")["events"]
    assert isinstance(error, MalformedJson)
    assert item == {"a": '\\"]}[{\\'}
