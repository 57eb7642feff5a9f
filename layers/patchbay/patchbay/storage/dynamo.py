"""What every store needs of DynamoDB: items to rows and back, conditional writes, transactions, pages.

Rows are plain dicts of str, int, float, bool, None, bytes, list, dict and frozenset (of str). Attributes of
a row that are None are left out, so that sparse indexes stay sparse. Writes take `condition`, `names` (for
its `#name`s) and, as further keywords, the values of its `:name`s.
"""

from __future__ import annotations

import base64
import json
import random
import secrets
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, Literal

from patchbay import aws
from patchbay.errors import ValidationFailed
from patchbay.storage.paging import Page

Row = dict[str, Any]
TransactItem = dict[str, Any]  # one action of a transaction


class ConditionFailed(Exception):
    """A conditional write was refused; `row` is what stands there, None where nothing does."""

    def __init__(self, row: Row | None) -> None:
        super().__init__("the condition of the write does not hold")
        self.row = row


class TransactionRefused(Exception):
    """A transaction was refused; `failed` holds the positions of the actions whose condition does not hold,
    `rows[i]` is what stands where the i-th action writes (None where nothing does, or its condition held).
    """

    def __init__(self, failed: Sequence[int], rows: Sequence[Row | None]) -> None:
        super().__init__(f"the conditions of the actions {list(failed)} do not hold")
        self.failed = failed
        self.rows = rows


class Throttled(aws.CallFailed):
    """DynamoDB kept a request or a part of it back, again and again."""


# Reasons of a cancelled transaction that pass by themselves.
_PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_TRIES = 5


def pack(value: Any) -> dict[str, Any]:
    """A value as a DynamoDB attribute; a frozenset is a set of strings, which is never empty."""
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": str(value)}
        case int() | float():
            return {"N": repr(value)}
        case None:
            return {"NULL": True}
        case bytes():
            return {"B": base64.b64encode(value).decode()}
        case Mapping():
            return {"M": {name: pack(entry) for name, entry in value.items()}}
        case frozenset():
            return {"SS": sorted(value)}
        case list() | tuple():
            return {"L": [pack(entry) for entry in value]}
    raise TypeError(f"{type(value).__name__} has no place in a row")


def unpack(attribute: Mapping[str, Any]) -> Any:
    """The value of a DynamoDB attribute."""
    ((kind, value),) = attribute.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "B":
            return base64.b64decode(value)
        case "N":
            return float(value) if any(mark in value for mark in ".eE") else int(value)
        case "M":
            return unpack_row(value)
        case "L":
            return [unpack(entry) for entry in value]
        case "SS":
            return frozenset(value)
        case "NULL":
            return None
    raise TypeError(f"attributes of the kind {kind} are not used here")


def pack_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as an item, without the attributes that are None."""
    return {name: pack(value) for name, value in row.items() if value is not None}


def unpack_row(item: Mapping[str, Any]) -> Row:
    return {name: unpack(attribute) for name, attribute in item.items()}


def size_of(row: Mapping[str, Any]) -> int:
    """Bytes of a row as DynamoDB counts them (names, values, 3 for a map or a list and 1 for each entry),
    numbers at their longest.
    """
    return sum(len(name.encode()) + _bytes_of(value) for name, value in row.items() if value is not None)


def _bytes_of(value: Any) -> int:
    match value:
        case bool() | None:
            return 1
        case str():
            return len(value.encode())
        case int() | float():
            return len(repr(value)) // 2 + 2
        case Mapping():
            return 3 + sum(1 + len(name.encode()) + _bytes_of(entry) for name, entry in value.items())
        case bytes():
            return len(value)
    return 3 + sum(1 + _bytes_of(entry) for entry in value)


def get(table: str, key: Row, *, consistent: bool = True) -> Row | None:
    """One row, or None. Strongly consistent unless told otherwise."""
    wanted = {"TableName": table, "Key": pack_row(key), "ConsistentRead": consistent}
    answer = aws.call("dynamodb", "GetItem", wanted)
    return unpack_row(answer["Item"]) if "Item" in answer else None


def get_many(table: str, keys: Sequence[Row], **options: Any) -> list[Row]:
    """The rows that exist of any number of distinct keys, in no order. 100 a call (BatchGetItem's limit)."""
    rows: list[Row] = []
    for start in range(0, len(keys), 100):
        wanted = {table: {"Keys": [pack_row(key) for key in keys[start : start + 100]], **options}}
        rows += (row for _, row in _batch_get(wanted))
    return rows


def get_each(keys: Sequence[tuple[str, Row]], *, eventually: Container[str] = ()) -> list[Row | None]:
    """The rows of up to 100 keys of any tables in one call, each in its key's place. Keys may repeat.
    Strongly consistent, except in the tables that may be read `eventually`, at half the price.
    """
    wanted: dict[str, Any] = {}
    positions: dict[tuple[str, frozenset[tuple[str, Any]]], list[int]] = {}
    for at, (table, key) in enumerate(keys):
        own = positions.setdefault((table, frozenset(key.items())), [])
        if not own:
            request = wanted.setdefault(table, {"Keys": [], "ConsistentRead": table not in eventually})
            request["Keys"].append(pack_row(key))
        own.append(at)
    names = {table: keys[at][1].keys() for (table, _), (at, *_) in positions.items()}
    rows: list[Row | None] = [None] * len(keys)
    for table, row in _batch_get(wanted):
        for at in positions[table, frozenset((name, row[name]) for name in names[table])]:
            rows[at] = row
    return rows


def put_each(rows: Sequence[tuple[str, Row]]) -> list[int]:
    """Write rows (table, row) without conditions, 25 a call (BatchWriteItem's limit), and return the
    positions of those that DynamoDB kept throttling. Keys must not repeat.
    """
    left: list[int] = []
    for start in range(0, len(rows), 25):
        waiting = dict(enumerate(rows[start : start + 25], start))
        for attempt in range(1, _TRIES + 1):
            wanted: dict[str, Any] = {}
            for table, row in waiting.values():
                wanted.setdefault(table, []).append({"PutRequest": {"Item": pack_row(row)}})
            answer = aws.call("dynamodb", "BatchWriteItem", {"RequestItems": wanted})
            refused = [
                (table, request["PutRequest"]["Item"])
                for table, requests in (answer.get("UnprocessedItems") or {}).items()
                for request in requests
            ]
            left_over = {
                at: (table, row) for at, (table, row) in waiting.items() if (table, pack_row(row)) in refused
            }
            # An item that does not come back exactly as it was sent could be any of them.
            waiting = left_over if len(left_over) == len(refused) else waiting
            if not waiting:
                break
            if attempt < _TRIES:
                _pause(attempt)
        left += waiting
    return left


def _batch_get(wanted: Any) -> Iterator[tuple[str, Row]]:
    """(table, row) of what is found; what is left unprocessed is asked for again. Raises Throttled."""
    for attempt in range(1, _TRIES + 1):
        answer = aws.call("dynamodb", "BatchGetItem", {"RequestItems": wanted})
        for table, items in answer["Responses"].items():
            yield from ((table, unpack_row(item)) for item in items)
        wanted = answer.get("UnprocessedKeys")
        if not wanted:
            return
        if attempt < _TRIES:
            _pause(attempt)
    raise Throttled(f"BatchGetItem left UnprocessedKeys of {', '.join(wanted)} {_TRIES} times")


def take(table: str, key: Row) -> Row | None:
    """Delete a row and return it, in one step: of many who do that at once, one gets it."""
    call = {"TableName": table, "Key": pack_row(key), "ReturnValues": "ALL_OLD"}
    answer = aws.call("dynamodb", "DeleteItem", call)
    return unpack_row(answer["Attributes"]) if answer.get("Attributes") else None


def put(table: str, row: Row, /, **terms: Any) -> None:
    """Write a row. Raises ConditionFailed with what stands there."""
    _write("PutItem", {"TableName": table, "Item": pack_row(row)} | _terms(**terms))


def delete(table: str, key: Row, /, **terms: Any) -> None:
    """Delete a row. Raises ConditionFailed with what stands there."""
    _write("DeleteItem", {"TableName": table, "Key": pack_row(key)} | _terms(**terms))


def update(
    table: str,
    key: Row,
    expression: str,
    /,
    *,
    returning: Literal["ALL_NEW", "UPDATED_NEW", "NONE"] = "ALL_NEW",
    **terms: Any,
) -> Row:
    """Update one row and return it as it stands after, or only what was updated, or nothing: parsing a row
    costs more than sending the update. Raises ConditionFailed with what stands there.
    """
    call = {
        "TableName": table,
        "Key": pack_row(key),
        "UpdateExpression": expression,
        "ReturnValues": returning,
    }
    return unpack_row(_write("UpdateItem", call | _terms(**terms)).get("Attributes", {}))


def _terms(
    condition: str | None = None, names: Mapping[str, str] | None = None, **values: Any
) -> dict[str, Any]:
    """What every write takes besides its row: a condition, its `#names`, and its `:values`."""
    call: dict[str, Any] = {}
    if values:
        call["ExpressionAttributeValues"] = {f":{name}": pack(v) for name, v in values.items()}
    if names:
        call["ExpressionAttributeNames"] = dict(names)
    if condition:
        call["ConditionExpression"] = condition
        call["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return call


def _write(operation: str, call: dict[str, Any]) -> Any:
    attempt = 0
    while True:
        attempt += 1
        try:
            return aws.call("dynamodb", operation, call)
        except aws.ServiceError as error:
            if error.code == "ConditionalCheckFailedException":
                item = error.response.get("Item")
                raise ConditionFailed(unpack_row(item) if item else None) from None
            # A transaction holds the row for a moment; the client does not retry that.
            if error.code != "TransactionConflictException" or attempt == _TRIES:
                raise
            _pause(attempt)


# ── transactions ─────────────────────────────────────────────────────────────────────────────────────


def put_action(table: str, row: Row, /, **terms: Any) -> TransactItem:
    """A put as one action of a transaction."""
    return {"Put": {"TableName": table, "Item": pack_row(row)} | _terms(**terms)}


def update_action(table: str, key: Row, expression: str, /, **terms: Any) -> TransactItem:
    """An update as one action of a transaction."""
    call = {"TableName": table, "Key": pack_row(key), "UpdateExpression": expression}
    return {"Update": call | _terms(**terms)}


def delete_action(table: str, key: Row, /, **terms: Any) -> TransactItem:
    """A delete as one action of a transaction."""
    return {"Delete": {"TableName": table, "Key": pack_row(key)} | _terms(**terms)}


def transact(actions: Sequence[TransactItem]) -> None:
    """All of the actions or none; up to 100 (TransactWriteItems' limit).

    Raises TransactionRefused when a condition does not hold. A clash with another transaction and a throttled
    row are tried again: the client does that for whole requests only, not for one action of a transaction.
    """
    for attempt in range(1, _TRIES + 1):
        # If an answer is lost and the client sends again, DynamoDB recognizes the transaction by its token.
        call = {"TransactItems": list(actions), "ClientRequestToken": secrets.token_hex(16)}
        try:
            aws.call("dynamodb", "TransactWriteItems", call)
            return
        except aws.ServiceError as error:
            if error.code != "TransactionCanceledException":
                raise
            reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])
            codes = [reason.get("Code") for reason in reasons]
            failed = [at for at, code in enumerate(codes) if code == "ConditionalCheckFailed"]
            if failed:
                rows = [unpack_row(reason["Item"]) if reason.get("Item") else None for reason in reasons]
                raise TransactionRefused(failed, rows) from None
            if not _PASSING.intersection(codes):
                raise
            if attempt == _TRIES:
                raise Throttled(f"TransactWriteItems was refused {_TRIES} times: {codes}") from None
            _pause(attempt)


def _pause(attempt: int) -> None:
    """Exponential backoff with full jitter: at most 0.1 s, 0.2 s, 0.4 s …"""
    time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311  # a jitter is no secret


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────


def query(
    table: str,
    condition: str,
    /,
    *,
    index: str | None = None,
    local: bool = False,
    backwards: bool = False,
    eventually: bool = False,
    attributes: Sequence[str] = (),
    **values: Any,
) -> Iterator[Row]:
    """Every row of a key condition, page by page as it is consumed, `backwards` from the last one; strongly
    consistent, but for an index that is not `local`, which cannot be, and unless `eventually` will do. Of
    each row only the `attributes`, if any are given: that saves the transfer, not the read units.
    """
    call: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": {f":{name}": pack(v) for name, v in values.items()},
    }
    call["ConsistentRead"] = (index is None or local) and not eventually
    call["ScanIndexForward"] = not backwards
    call |= {"IndexName": index} if index else {}
    if attributes:
        paths = [[f"#{name}" for name in path.split(".")] for path in attributes]
        call["ProjectionExpression"] = ", ".join(map(".".join, paths))
        call["ExpressionAttributeNames"] = {name: name[1:] for path in paths for name in path}
    for rows in _pages("Query", call):
        yield from rows


def count(table: str, condition: str, /, *, index: str, where: str | None = None, **values: Any) -> int:
    """How many rows of an index have the key and fit `where`, of the first 1 MB that has the key."""
    call: Any = {
        "TableName": table,
        "IndexName": index,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": {f":{name}": pack(v) for name, v in values.items()},
        "Select": "COUNT",
    }
    call |= {"FilterExpression": where} if where else {}
    answer = aws.call("dynamodb", "Query", call)
    return int(answer["Count"])


def scan(
    table: str, where: str, part: int, parts: int, /, *, limit: int, **terms: Any
) -> Iterator[list[Row]]:
    """The rows of one part of a table that fit `where`, from `limit` rows at a time. It reads those that do
    not fit too: for small tables.
    """
    call: dict[str, Any] = {
        "TableName": table,
        "FilterExpression": where,
        "Segment": part,
        "TotalSegments": parts,
        "Limit": limit,
    }
    return _pages("Scan", call | _terms(**terms))


def _pages(operation: str, call: dict[str, Any]) -> Iterator[list[Row]]:
    while True:
        answer = aws.call("dynamodb", operation, call)
        yield [unpack_row(item) for item in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            return
        call["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def page(
    table: str,
    partition: tuple[str, str],
    between: tuple[str, str, str],
    *,
    limit: int,
    cursor: str | None,
    index: str | None = None,
    keys: Sequence[str] = (),
    where: str | None = None,
    names: Mapping[str, str] | None = None,
    **values: Any,
) -> Page[Row]:
    """Newest first, `limit` rows at most, of one partition between two sort keys (both included).

    `partition` is (attribute, value), `between` (attribute, low, high). `where` filters what was read;
    a page reads at most 1,000 rows, so it may come back short, with a cursor. The cursor holds the last
    row's key and is only ever used inside the partition that the caller may see. `keys` names the
    attributes of that key: the table's, and the index's where one is used.
    """
    if between[1] > between[2]:  # an empty span of time, which DynamoDB takes for an error
        return Page([], None)
    call: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "#partition = :partition AND #sort BETWEEN :low AND :high",
        "ExpressionAttributeNames": {
            "#partition": partition[0],
            "#sort": between[0],
            **(names or {}),
        },
        "ExpressionAttributeValues": {
            ":partition": pack(partition[1]),
            ":low": pack(between[1]),
            ":high": pack(between[2]),
            **{f":{name}": pack(value) for name, value in values.items()},
        },
        "ScanIndexForward": False,
        "Limit": limit if where is None else 100,
    }
    keys = tuple(dict.fromkeys((partition[0], between[0], *keys)))
    if index:
        call["IndexName"] = index
    if where:
        call["FilterExpression"] = where
    start = _start(cursor, keys, partition) if cursor else None
    rows: list[Row] = []
    for _ in range(10):
        if start:
            call["ExclusiveStartKey"] = start
        try:
            answer = aws.call("dynamodb", "Query", call)
        except aws.ServiceError as error:
            # A cursor of another list, or one made up, does not fit the index or the range.
            if cursor and error.code == "ValidationException":
                raise _bad_cursor() from None
            raise
        start = answer.get("LastEvaluatedKey")
        rows += map(unpack_row, answer["Items"])
        if len(rows) > limit:
            rows = rows[:limit]
            start = pack_row({name: rows[-1][name] for name in keys})
        if not start or len(rows) >= limit:
            break
    entries = [(row, _cursor(row, keys, partition[0])) for row in rows]
    return Page(entries, _cursor(unpack_row(start), keys, partition[0]) if start else None)


def whole(table: str, index: Page[Row], *key: str, **options: Any) -> Page[Row]:
    """The whole rows behind a page of an index that only has their `key`. An index may be a moment behind its
    table: a row that is gone is left out, and one that has changed comes as it is now.
    """
    keys = [{name: row[name] for name in key} for row in index.items]
    rows = {tuple(row[name] for name in key): row for row in get_many(table, keys, **options)}
    return index.map(lambda indexed: rows.get(tuple(indexed[name] for name in key)))


def _cursor(last: Row, keys: Sequence[str], partition: str) -> str:
    """The cursor that continues after a row or a row's key. The partition's value is left out: it comes from
    the caller's own rights, never from a cursor.
    """
    values = [last[name] for name in keys if name != partition]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _start(cursor: str, keys: Sequence[str], partition: tuple[str, str]) -> dict[str, Any]:
    names = [name for name in keys if name != partition[0]]
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        json.dumps(values, ensure_ascii=False).encode()  # no half of a surrogate pair
    except (ValueError, RecursionError):
        values = None
    if (
        not isinstance(values, list)
        or len(values) != len(names)
        or not all(isinstance(value, str) for value in values)
    ):
        raise _bad_cursor()
    return pack_row(dict(zip(names, values, strict=True)) | {partition[0]: partition[1]})


def _bad_cursor() -> ValidationFailed:
    return ValidationFailed.of("cursor", "is not one that this list gave; start without it")
