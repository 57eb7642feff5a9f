"""Items to rows and back, cursors, and the tries of a transaction."""

from __future__ import annotations

import base64
import json
import math
import time
from decimal import Context, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay import aws
from patchbay.aws import ServiceError
from patchbay.deliveries.models import Status
from patchbay.errors import ValidationFailed
from patchbay.ids import EventId
from patchbay.rate_limits.throttling import is_throttling
from patchbay.storage import dynamo
from patchbay.storage.dynamo import ConditionFailed, TransactionRefused, pack, pack_row, unpack, unpack_row
from patchbay.storage.paging import Page

# DynamoDB's numbers: 38 digits, magnitudes of 1e-130 to 9.99e125.
FLOATS = st.floats(allow_nan=False, allow_infinity=False).filter(
    lambda value: value == 0 or 1e-100 < abs(value) < 1e100
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**37), 10**37) | FLOATS | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def stored(attribute: Any) -> Any:
    """An attribute as DynamoDB gives it back: numbers without trailing zeros, and never with an exponent
    or a sign on zero.
    """
    ((kind, value),) = attribute.items()
    if kind == "N":
        number = Decimal(value)
        text = format(number.normalize(Context(prec=38)), "f") if number else "0"
        return {"N": text}
    if kind == "M":
        return {"M": {name: stored(entry) for name, entry in value.items()}}
    if kind == "L":
        return {"L": [stored(entry) for entry in value]}
    return attribute


def same(one: Any, other: Any) -> bool:
    """Equal, and alike where Python's equality is wider: True is not 1. Past 2**53 a float comes back as
    the integer that its shortest spelling names.
    """
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same(one[name], other[name]) for name in one)
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(other, float) and isinstance(one, int):
        one = float(one)
    return one == other and isinstance(one, bool) is isinstance(other, bool)


@given(VALUES)
@settings(max_examples=50, deadline=None)
def test_what_is_packed_is_unpacked(value: Any) -> None:
    assert same(unpack(pack(value)), value)
    assert same(unpack(stored(pack(value))), value)


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=5))
@settings(max_examples=50, deadline=None)
def test_a_row_leaves_out_what_is_none(row: dict[str, Any]) -> None:
    back = unpack_row(pack_row(row))
    assert same(back, {name: value for name, value in row.items() if value is not None})


def test_attributes() -> None:
    assert pack(True) == {"BOOL": True}
    assert pack(1) == {"N": "1"}
    assert pack(Status.FAILED) == {"S": "FAILED"}
    assert type(pack(EventId.new())["S"]) is str
    assert pack(b"\x00\xff") == {"B": "AP8="}
    assert pack((1, None)) == {"L": [{"N": "1"}, {"NULL": True}]}
    for value in ({1, 2}, object(), Decimal(1)):
        with pytest.raises(TypeError):
            pack(value)
    assert pack(frozenset("ba")) == {"SS": ["a", "b"]}
    assert unpack({"SS": ["a", "b"]}) == frozenset("ab")
    with pytest.raises(TypeError):
        unpack({"NS": ["1"]})


class Fake:
    """Stands in for `aws.call`: answers by a script, or raises what stands in it."""

    def __init__(self, *script: Any) -> None:
        self._script = list(script)
        self.calls: list[dict[str, Any]] = []

    def __call__(self, service: str, operation: str, params: dict[str, Any]) -> Any:
        self.calls.append(json.loads(json.dumps(params)))
        assert self._script, "one call too many"
        step = self._script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


def refusal(item: Any = None) -> ServiceError:
    return ServiceError("ConditionalCheckFailedException", response={"Item": item} if item else {})


def conflict() -> ServiceError:
    return ServiceError("TransactionConflictException")


def cancelled(*codes: str, items: dict[int, Any] | None = None) -> ServiceError:
    reasons = [
        {"Code": code, **({"Item": items[at]} if items and at in items else {})}
        for at, code in enumerate(codes)
    ]
    return ServiceError("TransactionCanceledException", response={"CancellationReasons": reasons})


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(*script: Any) -> Fake:
        made = Fake(*script)
        monkeypatch.setattr(aws, "call", made)
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        return made

    return make


# ── writes ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_refused_write_gives_the_row_that_stands_there(fake: Any) -> None:
    fake(refusal({"id": {"S": "x"}, "n": {"N": "3"}}), refusal())
    with pytest.raises(ConditionFailed) as refused:
        dynamo.put("table", {"id": "x"}, condition="attribute_not_exists(id)")
    assert refused.value.row == {"id": "x", "n": 3}
    with pytest.raises(ConditionFailed) as refused:
        dynamo.put("table", {"id": "x"}, condition="n = :n", n=1)
    assert refused.value.row is None


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_is_tried_again_when_its_trouble_passes(fake: Any, code: str) -> None:
    client = fake(cancelled("None", code), cancelled(code, "None"), {})
    actions = [dynamo.put_action("t", {"id": "1"}), dynamo.delete_action("t", {"id": "2"})]
    dynamo.transact(actions)
    assert [call["TransactItems"] for call in client.calls] == [actions] * 3
    assert len({call["ClientRequestToken"] for call in client.calls}) == 3, "each is another transaction"


def test_a_transaction_is_not_tried_for_ever(fake: Any) -> None:
    client = fake(*[cancelled("TransactionConflict")] * 50)
    with pytest.raises(dynamo.Throttled) as refused:
        dynamo.transact([dynamo.put_action("t", {"id": "1"})])
    assert len(client.calls) == 5
    assert is_throttling(refused.value)


def test_a_write_waits_for_the_transaction_that_has_its_row(fake: Any) -> None:
    client = fake(conflict(), conflict(), {"Attributes": {"n": {"N": "1"}}})
    assert dynamo.update("table", {"id": "x"}, "SET n = :n", n=1) == {"n": 1}
    assert client.calls[0] == client.calls[2]
    client = fake(*[conflict()] * 50)
    with pytest.raises(ServiceError) as refused:
        dynamo.put("table", {"id": "x"})
    assert len(client.calls) == 5
    assert is_throttling(refused.value)


def test_a_transaction_that_cannot_pass_is_not_tried_again(fake: Any) -> None:
    client = fake(cancelled("ValidationError", "None"))
    with pytest.raises(ServiceError, match="TransactionCanceled"):
        dynamo.transact([dynamo.put_action("t", {"id": "1"})])
    assert len(client.calls) == 1


def test_a_refused_transaction_says_where_and_what(fake: Any) -> None:
    codes = ("None", "ConditionalCheckFailed", "TransactionConflict", "ConditionalCheckFailed")
    fake(cancelled(*codes, items={1: {"n": {"N": "1"}}}))
    with pytest.raises(TransactionRefused) as refused:
        dynamo.transact([dynamo.put_action("t", {"id": str(n)}) for n in range(4)])
    assert list(refused.value.failed) == [1, 3]
    assert list(refused.value.rows) == [None, {"n": 1}, None, None]


def unwritten(*ids: int) -> dict[str, Any]:
    return {"UnprocessedItems": {"t": [{"PutRequest": {"Item": pack_row({"id": n})}} for n in ids]}}


def test_put_each_writes_what_was_left_again_and_says_which_rows_dynamodb_never_took(fake: Any) -> None:
    client = fake(unwritten(3, 7), {}, unwritten(25, 26), *[unwritten(26)] * 4)
    assert dynamo.put_each([("t", {"id": n}) for n in range(28)]) == [26]
    written = [
        [request["PutRequest"]["Item"]["id"]["N"] for request in call["RequestItems"]["t"]]
        for call in client.calls
    ]
    assert written[0] == [str(n) for n in range(25)]
    assert written[1:] == [["3", "7"], ["25", "26", "27"], ["25", "26"], *[["26"]] * 3]


# ── reads ────────────────────────────────────────────────────────────────────────────────────────────


def batch(*ids: int, left: list[int] | None = None) -> dict[str, Any]:
    unprocessed = {"t": {"Keys": [pack_row({"id": n}) for n in left or []]}} if left else {}
    return {"Responses": {"t": [pack_row({"id": n}) for n in ids]}, "UnprocessedKeys": unprocessed}


def test_get_many_asks_a_hundred_at_a_time_and_for_what_was_left(fake: Any) -> None:
    client = fake(batch(*range(60), left=[60, 61]), batch(60, 61), batch(100, 101))
    rows = dynamo.get_many("t", [{"id": n} for n in range(102)], ConsistentRead=True)
    assert [row["id"] for row in rows] == [*range(62), 100, 101]
    asked = [call["RequestItems"]["t"] for call in client.calls]
    assert [len(request["Keys"]) for request in asked] == [100, 2, 2]


def test_get_many_of_nothing_asks_nothing(fake: Any) -> None:
    assert dynamo.get_many("t", []) == [] == fake().calls


def test_get_many_does_not_hammer_a_throttled_table(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A BatchGetItem that is throttled in part says so by UnprocessedKeys, which nobody retries yet."""
    client = fake(*[batch(left=[1])] * 100)
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with pytest.raises(Exception, match=r"(?i)throttl|process"):
        dynamo.get_many("t", [{"id": 1}])
    assert 2 <= len(client.calls) <= 10
    assert len(waits) >= len(client.calls) - 1


def test_get_each_puts_rows_in_the_places_of_their_keys(fake: Any) -> None:
    answer = {
        "Responses": {
            "t": [pack_row({"id": n, "name": "t"}) for n in (2, 1)],
            "u": [pack_row({"id": 1, "name": "u"})],
        }
    }
    client = fake(answer)
    keys = [("t", {"id": 1}), ("u", {"id": 1}), ("t", {"id": 3}), ("t", {"id": 2}), ("t", {"id": 1})]
    rows = dynamo.get_each(keys, eventually={"u"})
    assert [row and (row["name"], row["id"]) for row in rows] == [
        ("t", 1),
        ("u", 1),
        None,
        ("t", 2),
        ("t", 1),
    ]
    (call,) = client.calls
    asked = {
        table: (len(wanted["Keys"]), wanted["ConsistentRead"])
        for table, wanted in call["RequestItems"].items()
    }
    assert asked == {"t": (3, True), "u": (1, False)}


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────


def page(cursor: str | None, limit: int = 2, **more: Any) -> Page[dynamo.Row]:
    return dynamo.page("t", ("owner", "acme"), ("sk", "a", "z"), limit=limit, cursor=cursor, **more)


def answer(*keys: str, last: str | None = None) -> dict[str, Any]:
    items = [pack_row({"owner": "acme", "sk": key}) for key in keys]
    return {"Items": items} | ({"LastEvaluatedKey": pack_row({"owner": "acme", "sk": last})} if last else {})


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_cursor_goes_on_where_the_page_ended(owner: str, sk: str) -> None:
    start = pack_row({"owner": owner, "sk": sk})
    cursor = dynamo._cursor(unpack_row(start), ("owner", "sk"), "owner")
    assert dynamo._start(cursor, ("owner", "sk"), ("owner", "acme")) == pack_row({"owner": "acme", "sk": sk})
    assert len(owner) < 4 or owner not in base64.urlsafe_b64decode(cursor + "==").decode() or owner in sk


def test_pages(fake: Any) -> None:
    client = fake(answer("d", "c", last="c"), answer("b"))
    first = page(None)
    assert [row["sk"] for row in first.items] == ["d", "c"]
    second = page(first.next_cursor)
    assert ([row["sk"] for row in second.items], second.next_cursor) == (["b"], None)
    assert "ExclusiveStartKey" not in client.calls[0]
    assert client.calls[1]["ExclusiveStartKey"] == pack_row({"owner": "acme", "sk": "c"})


def test_a_filtered_page_goes_on_after_the_last_row_it_gives(fake: Any) -> None:
    client = fake(answer("h", last="g"), answer("f", "e", "d", last="c"), answer())
    found = page(None, where="x = :x", x=1)
    assert [row["sk"] for row in found.items] == ["h", "f"]
    page(found.next_cursor, where="x = :x", x=1)
    assert client.calls[2]["ExclusiveStartKey"] == pack_row({"owner": "acme", "sk": "f"})


def test_a_filtered_page_reads_a_bounded_number_of_rows(fake: Any) -> None:
    client = fake(*[answer(last="k")] * 20)
    found = page(None, where="x = :x", x=1)
    assert found.items == []
    assert found.next_cursor is not None
    assert sum(call["Limit"] for call in client.calls) <= 1000


@given(st.text(max_size=1024) | st.binary(max_size=700).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_any_text_as_a_cursor_is_read_or_refused(text: str) -> None:
    try:
        start = dynamo._start(text, ("owner", "sk"), ("owner", "acme"))
    except ValidationFailed:
        return
    assert start["owner"] == {"S": "acme"}
    assert start.keys() == {"owner", "sk"}


@pytest.mark.parametrize(
    "value",
    ["x", 5, None, {}, [], [1], [None], ["a", "b"], [["a"]], math.pi],
)
def test_a_made_up_cursor_is_refused(value: Any) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    with pytest.raises(ValidationFailed):
        page(cursor)


def test_a_cursor_of_endless_nesting_is_refused() -> None:
    with pytest.raises(ValidationFailed):
        page(base64.urlsafe_b64encode(b"[" * 767).decode())
