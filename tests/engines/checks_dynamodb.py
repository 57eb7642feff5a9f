"""Rules that AWS documents for DynamoDB and Patchbay relies on: one function per rule, given a client."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from types import FunctionType
from typing import Any

import pytest
from botocore.exceptions import ClientError


def table(dynamodb: Any) -> str:
    """Create a table with the string key `id` and an index sorted by the number `at`. Returns its name."""
    name = uuid.uuid4().hex
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "lane", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "lane", "KeyType": "HASH"},
                    {"AttributeName": "at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return name


def put(dynamodb: Any, name: str, id: str, **attributes: Any) -> None:
    dynamodb.put_item(TableName=name, Item={"id": {"S": id}, **attributes})


def item(dynamodb: Any, name: str, id: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = dynamodb.get_item(
        TableName=name, Key={"id": {"S": id}}, ConsistentRead=True
    ).get("Item")
    return found


def add(name: str, id: str, **more: Any) -> dict[str, Any]:
    """Return a write for a transaction, which adds 1 to `n`."""
    return {
        "Update": {
            "TableName": name,
            "Key": {"id": {"S": id}},
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
            **more,
        }
    }


def refused(code: str, call: Any, **options: Any) -> ClientError:
    with pytest.raises(ClientError) as refusal:
        call(**options)
    assert refusal.value.response["Error"]["Code"] == code, refusal.value
    return refusal.value


def due(dynamodb: Any, name: str, lane: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = dynamodb.query(
        TableName=name,
        IndexName="due",
        KeyConditionExpression="lane = :lane",
        ExpressionAttributeValues={":lane": {"S": lane}},
        **more,
    )
    return answer


# ── conditions ───────────────────────────────────────────────────────────────────────────────────────


def one_of_many_conditional_puts_wins(dynamodb: Any) -> None:
    """Of concurrent puts with `attribute_not_exists`, exactly one succeeds"""
    name = table(dynamodb)

    def attempt(n: int) -> bool:
        try:
            dynamodb.put_item(
                TableName=name,
                Item={"id": {"S": "one"}, "n": {"N": str(n)}},
                ConditionExpression="attribute_not_exists(id)",
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(40))) == 1


def concurrent_adds_all_count(dynamodb: Any) -> None:
    """Of concurrent updates with `ADD`, none is lost"""
    name = table(dynamodb)

    def attempt(_: int) -> None:
        dynamodb.update_item(
            TableName=name,
            Key={"id": {"S": "one"}},
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(200)))
    assert (item(dynamodb, name, "one") or {})["n"] == {"N": "200"}


def failed_condition_returns_the_item(dynamodb: Any) -> None:
    """With `ReturnValuesOnConditionCheckFailure`, a failed condition returns the item"""
    name = table(dynamodb)
    put(dynamodb, name, "one", n={"N": "7"})
    error = refused(
        "ConditionalCheckFailedException",
        dynamodb.put_item,
        TableName=name,
        Item={"id": {"S": "one"}},
        ConditionExpression="attribute_not_exists(id)",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    assert error.response["Item"] == {"id": {"S": "one"}, "n": {"N": "7"}}  # type: ignore[typeddict-item]


def unused_values_are_refused(dynamodb: Any) -> None:
    """A value that no expression uses is refused"""
    refused(
        "ValidationException",
        dynamodb.put_item,
        TableName=table(dynamodb),
        Item={"id": {"S": "one"}},
        ConditionExpression="attribute_not_exists(id)",
        ExpressionAttributeValues={":unused": {"N": "1"}},
    )


def reserved_words_are_refused(dynamodb: Any) -> None:
    """A reserved word in an expression is refused"""
    refused(
        "ValidationException",
        dynamodb.update_item,
        TableName=table(dynamodb),
        Key={"id": {"S": "one"}},
        UpdateExpression="SET status = :value",
        ExpressionAttributeValues={":value": {"N": "1"}},
    )


def overlapping_paths_are_refused(dynamodb: Any) -> None:
    """An update of a map and of a part of it is refused"""
    name = table(dynamodb)
    put(dynamodb, name, "one", m={"M": {"a": {"N": "1"}}})
    refused(
        "ValidationException",
        dynamodb.update_item,
        TableName=name,
        Key={"id": {"S": "one"}},
        UpdateExpression="SET m = :map, m.a = :value",
        ExpressionAttributeValues={":map": {"M": {}}, ":value": {"N": "1"}},
    )


# ── transactions ─────────────────────────────────────────────────────────────────────────────────────


def concurrent_transactions_all_count(dynamodb: Any) -> None:
    """Concurrent transactions take effect completely or not at all, and none is lost"""
    name = table(dynamodb)

    def attempt(_: int) -> int:
        try:
            dynamodb.transact_write_items(TransactItems=[add(name, "one"), add(name, "two")])
        except dynamodb.exceptions.TransactionCanceledException as error:
            reasons = {reason["Code"] for reason in error.response["CancellationReasons"]}
            assert reasons <= {"None", "TransactionConflict"}
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        count = str(sum(pool.map(attempt, range(100))))
    counted = [(item(dynamodb, name, id) or {}).get("n") for id in ("one", "two")]
    assert counted == [{"N": count}] * 2


def transaction_has_a_reason_for_each_write(dynamodb: Any) -> None:
    """A canceled transaction has a reason for each write, in order, and the item where it is asked for"""
    name = table(dynamodb)
    put(dynamodb, name, "two", n={"N": "7"})
    condition = {
        "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    error = refused(
        "TransactionCanceledException",
        dynamodb.transact_write_items,
        TransactItems=[add(name, "one"), add(name, "two", **condition)],
    )
    reasons: Any = error.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    assert reasons[1]["Item"] == {"id": {"S": "two"}, "n": {"N": "7"}}
    assert item(dynamodb, name, "one") is None


def repeated_token_takes_effect_once(dynamodb: Any) -> None:
    """A transaction that repeats a `ClientRequestToken` succeeds, and takes effect once"""
    name, token = table(dynamodb), uuid.uuid4().hex
    for _ in range(2):
        dynamodb.transact_write_items(TransactItems=[add(name, "one")], ClientRequestToken=token)
    assert (item(dynamodb, name, "one") or {})["n"] == {"N": "1"}


def token_with_other_writes_is_refused(dynamodb: Any) -> None:
    """A `ClientRequestToken` with other writes is refused"""
    name, token = table(dynamodb), uuid.uuid4().hex
    dynamodb.transact_write_items(TransactItems=[add(name, "one")], ClientRequestToken=token)
    refused(
        "IdempotentParameterMismatchException",
        dynamodb.transact_write_items,
        TransactItems=[add(name, "two")],
        ClientRequestToken=token,
    )


def transaction_writes_an_item_once(dynamodb: Any) -> None:
    """A transaction with two writes of one item is refused"""
    name = table(dynamodb)
    writes = [add(name, "one"), add(name, "one")]
    refused("ValidationException", dynamodb.transact_write_items, TransactItems=writes)


def transaction_has_100_writes(dynamodb: Any) -> None:
    """A transaction of 101 writes is refused"""
    name = table(dynamodb)
    writes = [add(name, str(n)) for n in range(101)]
    refused("ValidationException", dynamodb.transact_write_items, TransactItems=writes)


# ── items ────────────────────────────────────────────────────────────────────────────────────────────


def keys_of_a_map_have_no_order(dynamodb: Any) -> None:
    """The keys of a map do not keep the order in which they were written"""
    name = table(dynamodb)
    written = {key: {"N": "1"} for key in "zyxwvutsrqponmlk"}
    put(dynamodb, name, "one", m={"M": written})
    read = (item(dynamodb, name, "one") or {})["m"]["M"]
    assert read == written
    assert list(read) != list(written)


def item_has_400_kb(dynamodb: Any) -> None:
    """An item of more than 400 KB is refused"""
    big = {"id": {"S": "one"}, "x": {"S": "x" * 410_000}}
    refused("ValidationException", dynamodb.put_item, TableName=table(dynamodb), Item=big)


def update_to_more_than_400_kb_is_refused(dynamodb: Any) -> None:
    """An update that makes an item larger than 400 KB is refused"""
    name = table(dynamodb)
    put(dynamodb, name, "one", x={"S": "x" * 300_000})
    refused(
        "ValidationException",
        dynamodb.update_item,
        TableName=name,
        Key={"id": {"S": "one"}},
        UpdateExpression="SET y = :y",
        ExpressionAttributeValues={":y": {"S": "y" * 200_000}},
    )


def empty_key_is_refused(dynamodb: Any) -> None:
    """An empty string as a key is refused; as another attribute, it is stored"""
    name = table(dynamodb)
    put(dynamodb, name, "one", x={"S": ""})
    assert (item(dynamodb, name, "one") or {})["x"] == {"S": ""}
    refused("ValidationException", dynamodb.put_item, TableName=name, Item={"id": {"S": ""}})


def empty_set_is_refused(dynamodb: Any) -> None:
    """An empty set is refused"""
    row = {"id": {"S": "one"}, "x": {"SS": []}}
    refused("ValidationException", dynamodb.put_item, TableName=table(dynamodb), Item=row)


def number_has_38_digits(dynamodb: Any) -> None:
    """A number keeps 38 digits, and one with more is refused"""
    name = table(dynamodb)
    put(dynamodb, name, "one", n={"N": "1" * 38})
    assert Decimal((item(dynamodb, name, "one") or {})["n"]["N"]) == Decimal("1" * 38)
    row = {"id": {"S": "two"}, "n": {"N": "1" * 39}}
    refused("ValidationException", dynamodb.put_item, TableName=name, Item=row)


# ── indexes and pages ────────────────────────────────────────────────────────────────────────────────


def item_without_the_index_key_is_not_in_the_index(dynamodb: Any) -> None:
    """An item without the attributes of an index is not in the index, nor is one that lost them"""
    name = table(dynamodb)
    put(dynamodb, name, "one", lane={"S": "a"})
    put(dynamodb, name, "two", lane={"S": "a"}, at={"N": "1"})
    put(dynamodb, name, "three", lane={"S": "a"}, at={"N": "2"})
    dynamodb.update_item(TableName=name, Key={"id": {"S": "three"}}, UpdateExpression="REMOVE lane")
    assert [row["id"]["S"] for row in due(dynamodb, name, "a")["Items"]] == ["two"]


def index_key_of_another_type_is_refused(dynamodb: Any) -> None:
    """An attribute of an index with another type is refused"""
    row = {"id": {"S": "one"}, "lane": {"S": "a"}, "at": {"S": "soon"}}
    refused("ValidationException", dynamodb.put_item, TableName=table(dynamodb), Item=row)


def index_is_sorted_by_number(dynamodb: Any) -> None:
    """An index sorts numbers as numbers"""
    name = table(dynamodb)
    for n in (100, 9, -5, 20):
        put(dynamodb, name, str(n), lane={"S": "a"}, at={"N": str(n)})
    assert [row["id"]["S"] for row in due(dynamodb, name, "a")["Items"]] == ["-5", "9", "20", "100"]


def index_pages_with_equal_keys_lose_nothing(dynamodb: Any) -> None:
    """Pages of an index with equal keys have every item once"""
    name = table(dynamodb)
    for n in range(7):
        put(dynamodb, name, str(n), lane={"S": "a"}, at={"N": "1"})
    seen: list[str] = []
    start: dict[str, Any] = {}
    while True:
        page = due(dynamodb, name, "a", Limit=2, **start)
        seen += [row["id"]["S"] for row in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert sorted(seen) == [str(n) for n in range(7)]


def equal_keys_of_an_index_have_no_order(dynamodb: Any) -> None:
    """Items with equal keys in an index do not keep the order in which they were written"""
    name, ids = table(dynamodb), "zyxwvutsrqponmlk"
    for id in ids:
        put(dynamodb, name, id, lane={"S": "a"}, at={"N": "1"})
    read = [row["id"]["S"] for row in due(dynamodb, name, "a")["Items"]]
    assert sorted(read) == sorted(ids)
    assert read != list(ids)


def page_has_a_megabyte(dynamodb: Any) -> None:
    """A page of a query ends at 1 MB"""
    name = table(dynamodb)
    for n in range(4):
        put(dynamodb, name, str(n), lane={"S": "a"}, at={"N": str(n)}, x={"S": "x" * 350_000})
    page = due(dynamodb, name, "a")
    assert len(page["Items"]) < 4
    assert "LastEvaluatedKey" in page


def index_has_no_consistent_reads(dynamodb: Any) -> None:
    """A consistent read of an index is refused"""
    refused(
        "ValidationException", due, dynamodb=dynamodb, name=table(dynamodb), lane="a", ConsistentRead=True
    )


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────


def batch_write_has_25_items(dynamodb: Any) -> None:
    """A batch of 26 writes is refused"""
    name = table(dynamodb)
    writes = [{"PutRequest": {"Item": {"id": {"S": str(n)}}}} for n in range(26)]
    refused("ValidationException", dynamodb.batch_write_item, RequestItems={name: writes})


def batch_write_has_an_item_once(dynamodb: Any) -> None:
    """A batch with two writes of one item is refused"""
    name = table(dynamodb)
    writes = [{"PutRequest": {"Item": {"id": {"S": "one"}}}}] * 2
    refused("ValidationException", dynamodb.batch_write_item, RequestItems={name: writes})


def batch_get_has_a_key_once(dynamodb: Any) -> None:
    """A batch with a key twice is refused"""
    name = table(dynamodb)
    keys = [{"id": {"S": "one"}}] * 2
    refused("ValidationException", dynamodb.batch_get_item, RequestItems={name: {"Keys": keys}})


def batch_get_has_100_keys(dynamodb: Any) -> None:
    """A batch of 101 keys is refused"""
    name = table(dynamodb)
    keys = [{"id": {"S": str(n)}} for n in range(101)]
    refused("ValidationException", dynamodb.batch_get_item, RequestItems={name: {"Keys": keys}})


def capacity_of_a_transaction_is_twice_that_of_a_write(dynamodb: Any) -> None:
    """A write in a transaction uses twice the capacity"""
    name = table(dynamodb)
    answer = dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": name, "Item": {"id": {"S": "one"}}}}],
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["ConsumedCapacity"][0]["CapacityUnits"] == 2


HELPERS = {"table", "put", "item", "add", "refused", "due"}
CHECKS = [each for each in list(globals().values()) if isinstance(each, FunctionType)]
CHECKS = [each for each in CHECKS if each.__module__ == __name__ and each.__name__ not in HELPERS]
