"""Rows to items and back, retries of writes and transactions, and pages with cursors."""

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
from patchbay.storage.dynamo import ConditionFailed, TransactionCanceled, pack, pack_row, unpack, unpack_row
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
    """An attribute as DynamoDB returns it: numbers without trailing zeros, exponents, or negative zero."""
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
    """Whether two values are equal and, unlike in Python, True is not 1. Beyond 2**53, a float is returned as
    the integer of its shortest representation.
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
def test_unpack_returns_the_packed_value(value: Any) -> None:
    assert same(unpack(pack(value)), value)
    assert same(unpack(stored(pack(value))), value)


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=5))
@settings(max_examples=50, deadline=None)
def test_pack_row_leaves_out_none(row: dict[str, Any]) -> None:
    unpacked = unpack_row(pack_row(row))
    assert same(unpacked, {name: value for name, value in row.items() if value is not None})


def test_pack_and_unpack_by_type() -> None:
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
    """A fake `aws.call`: each call returns, or raises, the next step of a script."""

    def __init__(self, *script: Any) -> None:
        self._script = list(script)
        self.calls: list[dict[str, Any]] = []

    def __call__(self, service: str, operation: str, params: dict[str, Any]) -> Any:
        self.calls.append(json.loads(json.dumps(params)))
        assert self._script, "more calls than the script has steps"
        step = self._script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


def condition_failed(item: Any = None) -> ServiceError:
    return ServiceError("ConditionalCheckFailedException", response={"Item": item} if item else {})


def conflict() -> ServiceError:
    return ServiceError("TransactionConflictException")


def canceled(*codes: str, items: dict[int, Any] | None = None) -> ServiceError:
    reasons = [
        {"Code": code, **({"Item": items[position]} if items and position in items else {})}
        for position, code in enumerate(codes)
    ]
    return ServiceError("TransactionCanceledException", response={"CancellationReasons": reasons})


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(*script: Any) -> Fake:
        client = Fake(*script)
        monkeypatch.setattr(aws, "call", client)
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        return client

    return install


# ── writes ───────────────────────────────────────────────────────────────────────────────────────────


def test_condition_failed_has_the_stored_row(fake: Any) -> None:
    fake(condition_failed({"id": {"S": "x"}, "n": {"N": "3"}}), condition_failed())
    with pytest.raises(ConditionFailed) as caught:
        dynamo.put("table", {"id": "x"}, condition="attribute_not_exists(id)")
    assert caught.value.row == {"id": "x", "n": 3}
    with pytest.raises(ConditionFailed) as caught:
        dynamo.put("table", {"id": "x"}, condition="n = :n", n=1)
    assert caught.value.row is None


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_transact_retries_transient_failures(fake: Any, code: str) -> None:
    client = fake(canceled("None", code), canceled(code, "None"), {})
    actions = [dynamo.put_action("t", {"id": "1"}), dynamo.delete_action("t", {"id": "2"})]
    dynamo.transact(actions)
    assert [call["TransactItems"] for call in client.calls] == [actions] * 3
    assert len({call["ClientRequestToken"] for call in client.calls}) == 3, (
        "each attempt is a new transaction"
    )


def test_transact_raises_throttled_after_five_attempts(fake: Any) -> None:
    client = fake(*[canceled("TransactionConflict")] * 50)
    with pytest.raises(dynamo.Throttled) as caught:
        dynamo.transact([dynamo.put_action("t", {"id": "1"})])
    assert len(client.calls) == 5
    assert is_throttling(caught.value)


def test_write_retries_a_transaction_conflict(fake: Any) -> None:
    client = fake(conflict(), conflict(), {"Attributes": {"n": {"N": "1"}}})
    assert dynamo.update("table", {"id": "x"}, "SET n = :n", n=1) == {"n": 1}
    assert client.calls[0] == client.calls[2]
    client = fake(*[conflict()] * 50)
    with pytest.raises(ServiceError) as caught:
        dynamo.put("table", {"id": "x"})
    assert len(client.calls) == 5
    assert is_throttling(caught.value)


def test_transact_does_not_retry_permanent_failures(fake: Any) -> None:
    client = fake(canceled("ValidationError", "None"))
    with pytest.raises(ServiceError, match="TransactionCanceled"):
        dynamo.transact([dynamo.put_action("t", {"id": "1"})])
    assert len(client.calls) == 1


def test_transaction_canceled_has_the_positions_and_rows_of_failed_conditions(fake: Any) -> None:
    codes = ("None", "ConditionalCheckFailed", "TransactionConflict", "ConditionalCheckFailed")
    fake(canceled(*codes, items={1: {"n": {"N": "1"}}}))
    with pytest.raises(TransactionCanceled) as caught:
        dynamo.transact([dynamo.put_action("t", {"id": str(n)}) for n in range(4)])
    assert list(caught.value.failed) == [1, 3]
    assert list(caught.value.rows) == [None, {"n": 1}, None, None]


def unprocessed(*ids: int) -> dict[str, Any]:
    return {"UnprocessedItems": {"t": [{"PutRequest": {"Item": pack_row({"id": n})}} for n in ids]}}


def test_batch_put_retries_unprocessed_rows_and_returns_those_left(fake: Any) -> None:
    client = fake(unprocessed(3, 7), {}, unprocessed(25, 26), *[unprocessed(26)] * 4)
    assert dynamo.batch_put([("t", {"id": n}) for n in range(28)]) == [26]
    written = [
        [request["PutRequest"]["Item"]["id"]["N"] for request in call["RequestItems"]["t"]]
        for call in client.calls
    ]
    assert written[0] == [str(n) for n in range(25)]
    assert written[1:] == [["3", "7"], ["25", "26", "27"], ["25", "26"], *[["26"]] * 3]


# ── reads ────────────────────────────────────────────────────────────────────────────────────────────


def batch(*ids: int, left: list[int] | None = None) -> dict[str, Any]:
    unprocessed_keys = {"t": {"Keys": [pack_row({"id": n}) for n in left or []]}} if left else {}
    return {"Responses": {"t": [pack_row({"id": n}) for n in ids]}, "UnprocessedKeys": unprocessed_keys}


def test_get_many_reads_a_hundred_per_call_and_retries_unprocessed_keys(fake: Any) -> None:
    client = fake(batch(*range(60), left=[60, 61]), batch(60, 61), batch(100, 101))
    rows = dynamo.get_many("t", [{"id": n} for n in range(102)], consistent=True)
    assert [row["id"] for row in rows] == [*range(62), 100, 101]
    requests = [call["RequestItems"]["t"] for call in client.calls]
    assert [len(request["Keys"]) for request in requests] == [100, 2, 2]


def test_get_many_without_keys_makes_no_call(fake: Any) -> None:
    assert dynamo.get_many("t", [], consistent=True) == [] == fake().calls


def test_get_many_backs_off_from_a_throttled_table(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partly throttled BatchGetItem succeeds with UnprocessedKeys, so the AWS client does not retry it."""
    client = fake(*[batch(left=[1])] * 100)
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with pytest.raises(Exception, match=r"(?i)throttl|process"):
        dynamo.get_many("t", [{"id": 1}], consistent=True)
    assert 2 <= len(client.calls) <= 10
    assert len(waits) >= len(client.calls) - 1


def test_batch_get_returns_rows_at_the_positions_of_their_keys(fake: Any) -> None:
    answer = {
        "Responses": {
            "t": [pack_row({"id": n, "name": "t"}) for n in (2, 1)],
            "u": [pack_row({"id": 1, "name": "u"})],
        }
    }
    client = fake(answer)
    keys = [("t", {"id": 1}), ("u", {"id": 1}), ("t", {"id": 3}), ("t", {"id": 2}), ("t", {"id": 1})]
    rows = dynamo.batch_get(keys, eventually_consistent={"u"})
    assert [row and (row["name"], row["id"]) for row in rows] == [
        ("t", 1),
        ("u", 1),
        None,
        ("t", 2),
        ("t", 1),
    ]
    (call,) = client.calls
    requests = {
        table: (len(request["Keys"]), request["ConsistentRead"])
        for table, request in call["RequestItems"].items()
    }
    assert requests == {"t": (3, True), "u": (1, False)}


def test_batch_get_without_keys_makes_no_call(fake: Any) -> None:
    assert dynamo.batch_get([]) == [] == fake().calls


def test_batch_get_reads_any_number_of_keys(fake: Any) -> None:
    client = fake(batch(*range(99, -1, -1)), batch(101, 7))
    rows = dynamo.batch_get([("t", {"id": n}) for n in (*range(102), 7)])
    assert [row and row["id"] for row in rows] == [*range(100), None, 101, 7]
    assert [len(call["RequestItems"]["t"]["Keys"]) for call in client.calls] == [100, 3]


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────


def page(cursor: str | None, limit: int = 2, **options: Any) -> Page[dynamo.Row]:
    return dynamo.page(
        dynamo.PageQuery("t", ("owner", "acme"), ("sk", "a", "z"), limit=limit, cursor=cursor, **options)
    )


def answer(*keys: str, last: str | None = None) -> dict[str, Any]:
    items = [pack_row({"owner": "acme", "sk": key}) for key in keys]
    return {"Items": items} | ({"LastEvaluatedKey": pack_row({"owner": "acme", "sk": last})} if last else {})


@given(st.text(max_size=40), st.text(max_size=40))
def test_cursor_encodes_the_key_without_the_partition(owner: str, sk: str) -> None:
    start = pack_row({"owner": owner, "sk": sk})
    cursor = dynamo._cursor(unpack_row(start), ("owner", "sk"))
    assert dynamo._exclusive_start_key(cursor, ("owner", "sk"), ("owner", "acme")) == pack_row(
        {"owner": "acme", "sk": sk}
    )
    assert len(owner) < 4 or owner not in base64.urlsafe_b64decode(cursor + "==").decode() or owner in sk


def test_cursor_continues_after_the_last_row(fake: Any) -> None:
    client = fake(answer("d", "c", last="c"), answer("b"))
    first = page(None)
    assert [row["sk"] for row in first.items] == ["d", "c"]
    second = page(first.next_cursor)
    assert ([row["sk"] for row in second.items], second.next_cursor) == (["b"], None)
    assert "ExclusiveStartKey" not in client.calls[0]
    assert client.calls[1]["ExclusiveStartKey"] == pack_row({"owner": "acme", "sk": "c"})


def test_filtered_page_continues_after_the_last_returned_row(fake: Any) -> None:
    client = fake(answer("h", last="g"), answer("f", "e", "d", last="c"), answer())
    found = page(None, filter="x = :x", values={"x": 1})
    assert [row["sk"] for row in found.items] == ["h", "f"]
    page(found.next_cursor, filter="x = :x", values={"x": 1})
    assert client.calls[2]["ExclusiveStartKey"] == pack_row({"owner": "acme", "sk": "f"})


def test_filtered_page_reads_at_most_1000_rows(fake: Any) -> None:
    client = fake(*[answer(last="k")] * 20)
    found = page(None, filter="x = :x", values={"x": 1})
    assert found.items == []
    assert found.next_cursor is not None
    assert sum(call["Limit"] for call in client.calls) <= 1000


@given(st.text(max_size=1024) | st.binary(max_size=700).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_cursor_of_any_text_is_parsed_or_rejected(text: str) -> None:
    try:
        start = dynamo._exclusive_start_key(text, ("owner", "sk"), ("owner", "acme"))
    except ValidationFailed:
        return
    assert start["owner"] == {"S": "acme"}
    assert start.keys() == {"owner", "sk"}


@pytest.mark.parametrize(
    "value",
    ["x", 5, None, {}, [], [1], [None], ["a", "b"], [["a"]], math.pi],
)
def test_page_rejects_forged_cursor(value: Any) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    with pytest.raises(ValidationFailed):
        page(cursor)


def test_page_rejects_deeply_nested_cursor() -> None:
    with pytest.raises(ValidationFailed):
        page(base64.urlsafe_b64encode(b"[" * 767).decode())
