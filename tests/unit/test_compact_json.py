"""Numbers keep their notation, and work in calculations like any other number."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from patchbay import compact_json
from patchbay.compact_json import RawFragments, canonical, dumps, loads, to_builtin_numbers
from patchbay.errors import PayloadTooLarge, ValidationFailed
from patchbay.strict_json import loads as strict

# RFC 8259, section 6.
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
# JSON texts as Patchbay writes them.
TEXTS = st.recursive(
    NUMBERS | st.sampled_from(["null", "true", "false"]) | TEXT.map(dumps),
    lambda inner: (
        st.lists(inner).map(lambda items: f"[{','.join(items)}]")
        | st.dictionaries(TEXT, inner).map(
            lambda fields: "{" + ",".join(f"{dumps(name)}:{value}" for name, value in fields.items()) + "}"
        )
    ),
    max_leaves=20,
)


@given(TEXTS)
def test_json_round_trips_character_by_character(text: str) -> None:
    assert dumps(loads(text)) == text
    assert dumps(strict(text.encode())) == text


@given(TEXTS)
def test_parsed_value_equals_python_value(text: str) -> None:
    value = json.loads(text)
    assert loads(text) == value
    assert (
        json.dumps(to_builtin_numbers(loads(text))) == json.dumps(value).replace("-0,", "0,")
        or to_builtin_numbers(loads(text)) == value
    )


@pytest.mark.parametrize(
    "text",
    [
        *("1.10", "1e2", "1E5", "-0", "-0.0", "0.10", "123456789012345.123456", "1e-999", "10.00e+03"),
        *(str(2**64 + 1), "9" * 4000, "0." + "3" * 400),
    ],
    ids=lambda text: text[:24],
)
def test_number_notation_is_preserved(text: str) -> None:
    assert dumps({"n": [loads(text), {"n": loads(text)}]}) == f'{{"n":[{text},{{"n":{text}}}]}}'
    assert type(to_builtin_numbers([loads(text)])[0]) in (int, float)
    assert canonical({"b": loads(text), "a": 1}) == f'{{"a":1,"b":{text}}}'


def test_data_cannot_imitate_placeholder() -> None:
    value = loads('{"n":1.10,"text":"1.10","0":"0","long":"' + "0" * 16 + '.0"}')
    assert loads(dumps(value)) == value
    token = RawFragments().placeholder("1.10")
    assert RawFragments().insert(f'["{token}"]') == f'["{token}"]'


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), object(), {1, 2}, b"a", "\ud800"])
def test_check_size_rejects_non_json_values(value: Any) -> None:
    with pytest.raises(ValidationFailed, match="data: must contain only JSON values"):
        compact_json.check_size("data", {"x": value}, 100)


def test_check_size_counts_serialized_bytes() -> None:
    value = loads('{"n":1.1000000000}')
    compact_json.check_size("data", value, 18)
    with pytest.raises(PayloadTooLarge, match="data has 18 bytes"):
        compact_json.check_size("data", value, 17)


@pytest.mark.parametrize("text", ["1e400", "[-1e400]", "{", "[" * 100_000, "9" * 5000], ids=lambda t: t[:9])
def test_invalid_text_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"too large|nested|Expecting|limit"):
        loads(text)
