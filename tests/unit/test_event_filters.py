from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from patchbay import compact_json
from patchbay.event_filters import Content, Filters, compile_all, explain

adapter: TypeAdapter[Any] = TypeAdapter(Filters)

# The console evaluates filters too, and its tests read the same file.
VECTORS = json.loads((Path(__file__).parents[1] / "vectors/event_filters.json").read_text("utf-8"))
DATA = VECTORS["data"]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(-1e100, 1e100).filter(lambda number: number == 0 or abs(number) >= 1e-100)
    | st.text(max_size=20)
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab01", min_size=1, max_size=2), inner, max_size=3)
    ),
)


def passes(*filters: dict[str, Any], data: Any = DATA) -> bool:
    adapter.validate_python(list(filters))
    return Content(data).passes(compile_all(filters))


def equals(path: str, value: Any) -> dict[str, Any]:
    return {"path": path, "op": "equals", "value": value}


@pytest.mark.parametrize("vector", VECTORS["filters"], ids=json.dumps)
def test_filter_passes_as_in_the_vectors(vector: dict[str, Any]) -> None:
    filter_ = {name: vector[name] for name in vector.keys() - {"passes"}}
    assert passes(filter_, data=VECTORS["data"]) is vector["passes"]


@pytest.mark.parametrize("vector", VECTORS["paths"], ids=json.dumps)
def test_path_is_valid_as_in_the_vectors(vector: dict[str, Any]) -> None:
    with nullcontext() if vector["valid"] else pytest.raises(ValidationError):
        adapter.validate_python([{"path": vector["path"], "op": "exists"}])


def test_data_must_pass_every_filter() -> None:
    assert passes()
    assert passes(equals("count", 1), equals("draft", True))
    assert not passes(equals("count", 1), equals("draft", False))
    assert not passes(equals("count", 2), equals("draft", True))


@pytest.mark.parametrize("data", [None, [], "text", 5])
def test_data_that_is_not_an_object_does_not_pass(data: Any) -> None:
    assert not passes(equals("a", 1), data=data)


def test_large_integers_are_compared_exactly() -> None:
    assert passes(equals("id", 2**63 + 1), data={"id": 2**63 + 1})
    assert not passes(equals("id", 2**63 + 1), data={"id": 2**63})
    assert not passes(equals("id", 2**53 + 1), data={"id": float(2**53)})


@pytest.mark.parametrize(
    "filter_",
    [
        {"path": "a", "op": "equals"},
        {"path": "a", "op": "in"},
        {"path": "a", "op": "in", "value": "text"},
        {"path": "a", "op": "in", "value": []},
        {"path": "a", "op": "in", "value": list(range(51))},
        {"path": "a", "op": "in", "value": [[1]]},
        {"path": "a", "op": "equals", "value": {"b": 1}},
        {"path": "a", "op": "equals", "value": "x" * 257},
        {"path": "a", "op": "equals", "value": 2**64},
        {"path": "a", "op": "equals", "value": -(2**63) - 1},
        {"path": "a", "op": "equals", "value": 1e101},
        {"path": "a", "op": "in", "value": [-1e-101]},
        {"path": "a", "op": "equals", "value": float("nan")},
        {"path": "a", "op": "equals", "value": float("inf")},
        {"path": "a", "op": "exists", "value": 1},
        {"path": "a", "op": "exists", "value": None},
        {"path": "a", "op": "matches", "value": ".*"},
        {"path": "a", "value": 1},
        {"op": "equals", "value": 1},
        {"path": "a", "op": "equals", "value": 1, "not": True},
        {"path": "", "op": "exists"},
        {"path": ".a", "op": "exists"},
        {"path": "a.", "op": "exists"},
        {"path": "a..b", "op": "exists"},
        {"path": "a\n", "op": "exists"},
        {"path": "x" * 65, "op": "exists"},
        {"path": "1.2.3.4.5.6.7.8.9", "op": "exists"},
        {"path": 5, "op": "exists"},
    ],
)
def test_invalid_filter_is_rejected(filter_: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        adapter.validate_python([filter_])


def test_filters_at_the_limits_are_valid() -> None:
    deep = {"path": "1.2.3.4.5.6.7.8", "op": "in", "value": list(range(50))}
    assert len(adapter.validate_python([deep] * 10)) == 10
    with pytest.raises(ValidationError):
        adapter.validate_python([deep] * 11)


@given(scalars)
def test_filter_keeps_its_type_as_json(value: Any) -> None:
    filters = adapter.validate_python([equals("a", value)])
    stored = adapter.validate_json(adapter.dump_json(filters))
    assert passes(stored[0].model_dump(), data={"a": value})
    assert type(stored[0].value) is type(value)


# ── a plain implementation, with which the compiled filters must agree ───────────────────────────────

ABSENT = object()


def model(filters: list[dict[str, Any]], data: Any) -> bool:
    return all(
        _passes(filter_["op"], filter_["value"], _value_at(data, filter_["path"])) for filter_ in filters
    )


def _passes(op: str, expected: Any, value: Any) -> bool:
    if op == "exists":
        return (value is not ABSENT) is expected
    return any(_is_same(value, entry) for entry in (expected if op == "in" else [expected]))


def _value_at(data: Any, path: str) -> Any:
    for segment in path.split("."):
        if isinstance(data, dict) and segment in data:
            data = data[segment]
        elif isinstance(data, list) and segment in map(str, range(len(data))):
            data = data[int(segment)]
        else:
            return ABSENT
    return data


def _is_same(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    return type(left) is type(right) and left == right


# Only a few values, so that they often match. Python and JSON compare some of them differently.
values = st.sampled_from([None, True, False, 0, 1, 0.0, 1.0, 2**53 + 1, float(2**53), "", "a", "1", "true"])
paths = st.lists(st.sampled_from(["a", "b", "0", "1"]), min_size=1, max_size=3).map(".".join)
any_filter = (
    st.fixed_dictionaries({"path": paths, "op": st.just("equals"), "value": values})
    | st.fixed_dictionaries({"path": paths, "op": st.just("in"), "value": st.lists(values, min_size=1)})
    | st.fixed_dictionaries({"path": paths, "op": st.just("exists"), "value": st.booleans()})
)
contents = st.recursive(
    values | st.sampled_from(["-0", "1.10", "1e2"]).map(compact_json.loads),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", "0"]), inner, max_size=3)
    ),
)


@given(contents, st.lists(st.lists(any_filter, max_size=3), max_size=4))
def test_compiled_filters_agree_with_a_plain_implementation(
    data: Any, webhooks: list[list[dict[str, Any]]]
) -> None:
    content = Content(data)
    assert [content.passes(compile_all(filters)) for filters in webhooks] == [
        model(filters, data) for filters in webhooks
    ]


@given(documents, st.lists(st.text("ab01", min_size=1, max_size=2), min_size=1, max_size=8))
def test_exists_true_and_exists_false_never_agree(data: Any, segments: list[str]) -> None:
    path = ".".join(segments)
    exists = passes({"path": path, "op": "exists"}, data=data)
    assert exists is not passes({"path": path, "op": "exists", "value": False}, data=data)


@given(scalars, scalars)
def test_in_with_one_value_is_equals(value: Any, expected: Any) -> None:
    data = {"a": value}
    is_equal = passes(equals("a", expected), data=data)
    assert is_equal is passes({"path": "a", "op": "in", "value": [expected]}, data=data)
    if isinstance(value, bool) is not isinstance(expected, bool):
        assert not is_equal


# ── explanations ─────────────────────────────────────────────────────────────────────────────────────

paths = st.lists(st.sampled_from(["a", "b", "0", "1", "a1"]), min_size=1, max_size=3).map(".".join)
filters = st.lists(
    st.fixed_dictionaries({"path": paths, "op": st.just("equals"), "value": scalars})
    | st.fixed_dictionaries(
        {"path": paths, "op": st.just("in"), "value": st.lists(scalars, min_size=1, max_size=5)}
    )
    | st.fixed_dictionaries({"path": paths, "op": st.just("exists"), "value": st.booleans()}),
    max_size=3,
)


@given(filters, documents)
def test_explanation_exists_exactly_if_the_data_does_not_pass(filters: list[Any], data: Any) -> None:
    explanation = explain(filters, data)
    assert (explanation is None) is passes(*filters, data=data)
    if explanation is not None:
        first = next(filter_ for filter_ in filters if not passes(filter_, data=data))
        assert explanation == explain([first], data)


@pytest.mark.parametrize(
    ("filter", "explanation"),
    [
        ({"path": "channel", "op": "equals", "value": "x"}, 'equals "x": the event has "instagram"'),
        ({"path": "draft", "op": "equals", "value": 1}, "equals 1: the event has true"),
        ({"path": "post", "op": "equals", "value": None}, "equals null: the event has an object"),
        ({"path": "tags", "op": "in", "value": ["a"]}, 'is one of "a": the event has a list'),
        ({"path": "no.where", "op": "exists"}, "exists: the event has no `no.where`"),
        ({"path": "nothing", "op": "exists", "value": False}, "does not exist: the event has null"),
        (
            {"path": "count", "op": "in", "value": [2, 3, "é" * 99, 5, 6]},
            f'is one of 2, 3, "{"é" * 60}…" or 2 more: the event has 1',
        ),
    ],
)
def test_explanation_names_the_filter_and_the_value(filter: dict[str, Any], explanation: str) -> None:
    data: Any = DATA
    assert explain([filter], data) == f"filter `{filter['path']}` {explanation}"
