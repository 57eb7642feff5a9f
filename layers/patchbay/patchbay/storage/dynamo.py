"""DynamoDB for the stores: rows to items and back, conditional writes, transactions, queries and pages.

Rows are plain dicts of str, int, float, bool, None, bytes, list, dict and frozenset (of str). A row's
attributes that are None are left out, so that sparse indexes stay sparse. Writes take a `condition`, the
`names` of its `#name` placeholders, and the values of its `:name` placeholders as further keywords.
"""

from __future__ import annotations

import base64
import json
import random
import secrets
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

from patchbay import aws
from patchbay.errors import ValidationFailed
from patchbay.storage.paging import Page

Row = dict[str, Any]
Attribute = dict[str, Any]  # a typed value, such as {"S": "text"}
Item = dict[str, Attribute]
Params = dict[str, object]  # the parameters of an API operation
TransactItem = dict[str, Params]  # one action of a transaction


class ConditionFailed(Exception):
    """A write's condition failed. `row` is the stored row, or None if there is none."""

    def __init__(self, row: Row | None) -> None:
        super().__init__("the condition of the write failed")
        self.row = row


class TransactionCanceled(Exception):
    """Conditions of a transaction failed. `failed` has the positions of their actions. `rows[i]` is the
    stored row that the i-th action writes (None if there is none, or if the action's condition held).
    """

    def __init__(self, failed: Sequence[int], rows: Sequence[Row | None]) -> None:
        super().__init__(f"the conditions of the actions {list(failed)} failed")
        self.failed = failed
        self.rows = rows


class Throttled(aws.CallFailed):
    """DynamoDB still throttled a request, a part of it, or a transaction at the last attempt."""


# If this is a list, `transact` appends the actions of each executed transaction to it.
executed: ContextVar[list[TransactItem] | None] = ContextVar("executed", default=None)

# Reasons of a canceled transaction that are worth a retry.
_TRANSIENT = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_MAX_TRIES = 5
# Uses the system's randomness: processes that SnapStart restores share the state of the module's generator.
_random = random.SystemRandom()


# ── rows and items ───────────────────────────────────────────────────────────────────────────────────


def pack(value: object) -> Attribute:
    """A value as a DynamoDB attribute. A frozenset becomes a string set, which cannot be empty."""
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
    raise TypeError(f"a row cannot hold {type(value).__name__}")


def unpack(attribute: Attribute) -> Any:
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
    raise TypeError(f"unsupported attribute type {kind}")


def pack_row(row: Mapping[str, object]) -> Item:
    """A row as an item, without the attributes that are None."""
    return {name: pack(value) for name, value in row.items() if value is not None}


def unpack_row(item: Item) -> Row:
    return {name: unpack(attribute) for name, attribute in item.items()}


def size_of(row: Mapping[str, object]) -> int:
    """A row's size in bytes as DynamoDB counts it: names, values, 3 for a map or a list, 1 for each entry.
    Numbers count with their largest possible size.
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


# ── reads ────────────────────────────────────────────────────────────────────────────────────────────


def get(table: str, key: Row, *, consistent: bool = True) -> Row | None:
    """The row with this key, or None."""
    params: Params = {"TableName": table, "Key": pack_row(key), "ConsistentRead": consistent}
    response = aws.call("dynamodb", "GetItem", params)
    return unpack_row(response["Item"]) if "Item" in response else None


def get_many(table: str, keys: Sequence[Row], *, consistent: bool) -> list[Row]:
    """The existing rows for any number of distinct keys of one table, in no particular order. Reads 100 rows
    per call (BatchGetItem's limit). Raises Throttled.
    """
    rows: list[Row] = []
    for start in range(0, len(keys), 100):
        chunk = [pack_row(key) for key in keys[start : start + 100]]
        request: Params = {table: {"Keys": chunk, "ConsistentRead": consistent}}
        rows += (row for _, row in _batch_get(request))
    return rows


def batch_get(
    keys: Sequence[tuple[str, Row]], *, eventually_consistent: Container[str] = ()
) -> list[Row | None]:
    """The rows of keys (table, key), each at its key's position. Keys may repeat. Reads 100 rows per call
    (BatchGetItem's limit). Reads are strongly consistent, except in the tables that are
    `eventually_consistent`, at half the price. Makes no call for no keys, which DynamoDB would reject. Raises
    Throttled.
    """
    if not keys:
        return []
    if len(keys) > 100:
        first = batch_get(keys[:100], eventually_consistent=eventually_consistent)
        return first + batch_get(keys[100:], eventually_consistent=eventually_consistent)
    keys_by_table: dict[str, list[Item]] = {}
    positions: dict[tuple[str, frozenset[tuple[str, Any]]], list[int]] = {}
    for position, (table, key) in enumerate(keys):
        key_positions = positions.setdefault((table, frozenset(key.items())), [])
        if not key_positions:
            keys_by_table.setdefault(table, []).append(pack_row(key))
        key_positions.append(position)
    request: Params = {
        table: {"Keys": items, "ConsistentRead": table not in eventually_consistent}
        for table, items in keys_by_table.items()
    }
    key_names = {table: key.keys() for table, key in keys}
    rows: list[Row | None] = [None] * len(keys)
    for table, row in _batch_get(request):
        for position in positions[table, frozenset((name, row[name]) for name in key_names[table])]:
            rows[position] = row
    return rows


def _batch_get(request: Params) -> Iterator[tuple[str, Row]]:
    """(table, row) for each row that exists; retries unprocessed keys. Raises Throttled."""
    for try_number in range(1, _MAX_TRIES + 1):
        response = aws.call("dynamodb", "BatchGetItem", {"RequestItems": request})
        for table, items in response["Responses"].items():
            yield from ((table, unpack_row(item)) for item in items)
        request = response.get("UnprocessedKeys", {})
        if not request:
            return
        if try_number < _MAX_TRIES:
            _pause(try_number)
    raise Throttled(f"BatchGetItem left UnprocessedKeys of {', '.join(request)} {_MAX_TRIES} times")


# ── writes ───────────────────────────────────────────────────────────────────────────────────────────


def put(
    table: str,
    row: Row,
    /,
    *,
    condition: str | None = None,
    names: Mapping[str, str] | None = None,
    **values: object,
) -> None:
    """Write a row. Raises ConditionFailed."""
    params: Params = {"TableName": table, "Item": pack_row(row)}
    _write("PutItem", params | _expression_fields(condition, names, values))


def update(
    table: str,
    key: Row,
    expression: str,
    /,
    *,
    condition: str | None = None,
    names: Mapping[str, str] | None = None,
    returning: Literal["ALL_NEW", "UPDATED_NEW", "ALL_OLD", "NONE"] = "ALL_NEW",
    **values: object,
) -> Row:
    """Update a row. Return the new row, only its updated attributes, the previous row (`{}` if there was
    none), or nothing (`{}`): parsing a row costs more than sending the update. Raises ConditionFailed.
    """
    params: Params = {
        "TableName": table,
        "Key": pack_row(key),
        "UpdateExpression": expression,
        "ReturnValues": returning,
    }
    response = _write("UpdateItem", params | _expression_fields(condition, names, values))
    return unpack_row(response.get("Attributes", {}))


def delete(
    table: str,
    key: Row,
    /,
    *,
    condition: str | None = None,
    names: Mapping[str, str] | None = None,
    **values: object,
) -> None:
    """Delete a row. Raises ConditionFailed."""
    params: Params = {"TableName": table, "Key": pack_row(key)}
    _write("DeleteItem", params | _expression_fields(condition, names, values))


def pop(table: str, key: Row) -> Row | None:
    """Delete a row and return it, in one step: only one of several concurrent callers gets it."""
    params: Params = {"TableName": table, "Key": pack_row(key), "ReturnValues": "ALL_OLD"}
    response = aws.call("dynamodb", "DeleteItem", params)
    return unpack_row(response["Attributes"]) if response.get("Attributes") else None


def batch_put(rows: Sequence[tuple[str, Row]]) -> list[int]:
    """Write rows (table, row) without conditions, 25 per call (BatchWriteItem's limit). Return the positions
    of the rows that DynamoDB still throttled at the last attempt. Keys must not repeat.
    """
    unwritten: list[int] = []
    for start in range(0, len(rows), 25):
        pending = dict(enumerate(rows[start : start + 25], start))
        for try_number in range(1, _MAX_TRIES + 1):
            pending = _send_batch(pending)
            if not pending:
                break
            if try_number < _MAX_TRIES:
                _pause(try_number)
        unwritten += pending
    return unwritten


def batch_delete(table: str, keys: Sequence[Row]) -> None:
    """Delete rows without conditions, 25 per call (BatchWriteItem's limit). Keys must not repeat. Raises
    Throttled.
    """
    for start in range(0, len(keys), 25):
        pending: list[Params] = [
            {"DeleteRequest": {"Key": pack_row(key)}} for key in keys[start : start + 25]
        ]
        for try_number in range(1, _MAX_TRIES + 1):
            response = aws.call("dynamodb", "BatchWriteItem", {"RequestItems": {table: pending}})
            pending = (response.get("UnprocessedItems") or {}).get(table, [])
            if not pending:
                break
            if try_number < _MAX_TRIES:
                _pause(try_number)
        else:
            raise Throttled(f"BatchWriteItem left UnprocessedItems of {table} {_MAX_TRIES} times")


def _send_batch(rows: Mapping[int, tuple[str, Row]]) -> dict[int, tuple[str, Row]]:
    """Send rows in one BatchWriteItem call and return those that DynamoDB left unprocessed."""
    requests: dict[str, list[Params]] = {}
    for table, row in rows.values():
        requests.setdefault(table, []).append({"PutRequest": {"Item": pack_row(row)}})
    response = aws.call("dynamodb", "BatchWriteItem", {"RequestItems": requests})
    unprocessed = [
        (table, request["PutRequest"]["Item"])
        for table, left in (response.get("UnprocessedItems") or {}).items()
        for request in left
    ]
    pending = {
        position: (table, row)
        for position, (table, row) in rows.items()
        if (table, pack_row(row)) in unprocessed
    }
    # An item that is not returned exactly as it was sent could be any of the rows: send all of them again.
    return pending if len(pending) == len(unprocessed) else dict(rows)


def _expression_fields(
    condition: str | None, names: Mapping[str, str] | None, values: Mapping[str, object]
) -> Params:
    """The parameters that every write takes besides its row: a condition, its `#names`, and its `:values`."""
    params: Params = {}
    if values:
        params["ExpressionAttributeValues"] = _placeholders(values)
    if names:
        params["ExpressionAttributeNames"] = dict(names)
    if condition:
        params["ConditionExpression"] = condition
        params["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return params


def _placeholders(values: Mapping[str, object]) -> Item:
    return {f":{name}": pack(value) for name, value in values.items()}


def _write(operation: str, params: Params) -> dict[str, Any]:
    try_number = 0
    while True:
        try_number += 1
        try:
            return aws.call("dynamodb", operation, params)
        except aws.ServiceError as error:
            if error.code == "ConditionalCheckFailedException":
                item = error.response.get("Item")
                raise ConditionFailed(unpack_row(item) if item else None) from None
            # A transaction holds the row for a moment. The AWS client does not retry that.
            if error.code != "TransactionConflictException" or try_number == _MAX_TRIES:
                raise
            _pause(try_number)


# ── transactions ─────────────────────────────────────────────────────────────────────────────────────


def put_action(
    table: str,
    row: Row,
    /,
    *,
    condition: str | None = None,
    names: Mapping[str, str] | None = None,
    **values: object,
) -> TransactItem:
    """`put` as an action of a transaction."""
    params: Params = {"TableName": table, "Item": pack_row(row)}
    return {"Put": params | _expression_fields(condition, names, values)}


def update_action(
    table: str,
    key: Row,
    expression: str,
    /,
    *,
    condition: str | None = None,
    names: Mapping[str, str] | None = None,
    **values: object,
) -> TransactItem:
    """`update` as an action of a transaction."""
    params: Params = {"TableName": table, "Key": pack_row(key), "UpdateExpression": expression}
    return {"Update": params | _expression_fields(condition, names, values)}


def delete_action(
    table: str,
    key: Row,
    /,
    *,
    condition: str | None = None,
    names: Mapping[str, str] | None = None,
    **values: object,
) -> TransactItem:
    """`delete` as an action of a transaction."""
    params: Params = {"TableName": table, "Key": pack_row(key)}
    return {"Delete": params | _expression_fields(condition, names, values)}


def transact(actions: Sequence[TransactItem]) -> None:
    """Run all of the actions or none, up to 100 (TransactWriteItems' limit).

    Raises TransactionCanceled when a condition fails, and Throttled. Retries conflicts with other
    transactions and throttled rows: the AWS client retries only whole requests, not an action's failure.
    """
    for try_number in range(1, _MAX_TRIES + 1):
        # If the response is lost and the client retries, DynamoDB recognizes the transaction by its token.
        params: Params = {"TransactItems": list(actions), "ClientRequestToken": secrets.token_hex(16)}
        try:
            aws.call("dynamodb", "TransactWriteItems", params)
            collected = executed.get()
            if collected is not None:
                collected += actions
            return
        except aws.ServiceError as error:
            if error.code != "TransactionCanceledException":
                raise
            reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])
            codes = [reason.get("Code") for reason in reasons]
            failed = [position for position, code in enumerate(codes) if code == "ConditionalCheckFailed"]
            if failed:
                rows = [unpack_row(reason["Item"]) if reason.get("Item") else None for reason in reasons]
                raise TransactionCanceled(failed, rows) from None
            if not _TRANSIENT.intersection(codes):
                raise
            if try_number == _MAX_TRIES:
                raise Throttled(f"TransactWriteItems failed {_MAX_TRIES} times: {codes}") from None
            _pause(try_number)


def _pause(try_number: int) -> None:
    """Exponential backoff with full jitter: at most 0.1 s, 0.2 s, 0.4 s …"""
    time.sleep(_random.uniform(0, 0.05 * 2**try_number))


# ── queries and scans ────────────────────────────────────────────────────────────────────────────────


def query(
    table: str,
    condition: str,
    /,
    *,
    index: str | None = None,
    consistent: bool | None = None,
    descending: bool = False,
    attributes: Sequence[str] = (),
    limit: int | None = None,
    **values: object,
) -> Iterator[Row]:
    """Every row that meets a key condition, or the first `limit` of them in one call. Pages are read as the
    iterator is consumed.

    By default, a table is read with strong consistency and an index with eventual consistency. Pass
    `consistent` to change that; a global index cannot be read consistently. `attributes` limits which
    attributes of each row are returned, which saves transfer but not read units.
    """
    params: Params = {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": _placeholders(values),
        "ConsistentRead": index is None if consistent is None else consistent,
        "ScanIndexForward": not descending,
    }
    if index:
        params["IndexName"] = index
    if attributes:
        paths = [[f"#{name}" for name in path.split(".")] for path in attributes]
        params["ProjectionExpression"] = ", ".join(map(".".join, paths))
        params["ExpressionAttributeNames"] = {name: name[1:] for path in paths for name in path}
    if limit is not None:
        params["Limit"] = limit
    for rows in _pages("Query", params):
        yield from rows
        if limit is not None:
            return


def count(table: str, condition: str, /, *, index: str, filter: str | None, **values: object) -> int:
    """The number of rows of an index that meet a key condition and pass the filter, within the first 1 MB of
    rows that meet the key condition.
    """
    params: Params = {
        "TableName": table,
        "IndexName": index,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": _placeholders(values),
        "Select": "COUNT",
    }
    if filter:
        params["FilterExpression"] = filter
    response = aws.call("dynamodb", "Query", params)
    return int(response["Count"])


def scan(
    table: str,
    filter: str,
    segment: int,
    total_segments: int,
    /,
    *,
    limit: int,
    names: Mapping[str, str],
    **values: object,
) -> Iterator[list[Row]]:
    """The rows of one segment of a table that pass the filter, one list for each `limit` rows read. Reads
    every row of the segment, so use it only for small tables.
    """
    params: Params = {
        "TableName": table,
        "FilterExpression": filter,
        "Segment": segment,
        "TotalSegments": total_segments,
        "Limit": limit,
    }
    return _pages("Scan", params | _expression_fields(None, names, values))


def scan_page(
    table: str, filter: str, after: Row | None, /, *, attributes: Sequence[str], **values: object
) -> tuple[list[Row], Row | None]:
    """The rows in the next 1 MB of a table that pass the filter, with these attributes, and the key to
    continue after; None at the end. `filter` and `attributes` have attribute names, not placeholders.
    """
    params: Params = {
        "TableName": table,
        "FilterExpression": filter,
        "ExpressionAttributeValues": _placeholders(values),
        "ProjectionExpression": ", ".join(attributes),
    }
    if after is not None:
        params["ExclusiveStartKey"] = pack_row(after)
    response = aws.call("dynamodb", "Scan", params)
    last = response.get("LastEvaluatedKey")
    return [unpack_row(item) for item in response["Items"]], unpack_row(last) if last else None


def _pages(operation: str, params: Params) -> Iterator[list[Row]]:
    while True:
        response = aws.call("dynamodb", operation, params)
        yield [unpack_row(item) for item in response["Items"]]
        if "LastEvaluatedKey" not in response:
            return
        params["ExclusiveStartKey"] = response["LastEvaluatedKey"]


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────

# A filtered page reads up to 10 × 100 rows to find its items.
_FILTERED_READ_LIMIT = 100
_MAX_READS = 10


@dataclass(frozen=True, slots=True)
class PageQuery:
    """A request for a page of one partition, newest first, up to `limit` rows.

    - `partition`: the partition key's (attribute, value).
    - `sort_range`: the sort key's (attribute, low, high), both bounds included.
    - `cursor`: where the previous page ended. It holds that row's key without the partition's value.
    - `extra_key_names`: with an `index`, the key attributes of the table that are not in the index's key.
    - `filter`, `names`, `values`: a filter expression, its `#name` and its `:name` placeholders.
    - `attributes`: the attributes that a row has, as in `query`; all of them if it is empty.
    - `max_reads`: how many calls a page may take, at up to 100 rows each.
    """

    table: str
    partition: tuple[str, str]
    sort_range: tuple[str, str, str]
    limit: int
    cursor: str | None
    index: str | None = None
    extra_key_names: Sequence[str] = ()
    filter: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, object] = field(default_factory=dict)
    attributes: Sequence[str] = ()
    max_reads: int = _MAX_READS

    @property
    def key_names(self) -> tuple[str, ...]:
        """The key attributes of a row in this query."""
        return (self.partition[0], self.sort_range[0], *self.extra_key_names)

    def to_params(self) -> Params:
        """The parameters of the Query operation."""
        names = {"#partition": self.partition[0], "#sort": self.sort_range[0], **self.names}
        params: Params = {
            "TableName": self.table,
            "KeyConditionExpression": "#partition = :partition AND #sort BETWEEN :low AND :high",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {
                ":partition": pack(self.partition[1]),
                ":low": pack(self.sort_range[1]),
                ":high": pack(self.sort_range[2]),
                **_placeholders(self.values),
            },
            "ScanIndexForward": False,
            "Limit": self.limit if self.filter is None else _FILTERED_READ_LIMIT,
        }
        if self.index:
            params["IndexName"] = self.index
        if self.filter:
            params["FilterExpression"] = self.filter
        if self.attributes:
            selected = {f"#selected{number}": name for number, name in enumerate(self.attributes)}
            params["ProjectionExpression"] = ", ".join(selected)
            params["ExpressionAttributeNames"] = {**names, **selected}
        return params


def page(query: PageQuery) -> Page[Row]:
    """The rows of a page. A page with a filter reads at most 1,000 rows (100 in each of `query.max_reads`
    calls), so it may have fewer than `query.limit` rows and still have a cursor. Raises ValidationFailed for
    a cursor of another list, or of this list with another range.
    """
    sort_name, low, high = query.sort_range
    if low > high:  # an empty range, which DynamoDB rejects
        return Page([], None)
    params, key_names = query.to_params(), query.key_names
    start = _exclusive_start_key(query.cursor, key_names, query.partition) if query.cursor else None
    if start and not low <= start[sort_name]["S"] <= high:
        raise invalid_cursor()
    rows: list[Row] = []
    for _ in range(query.max_reads):
        if start:
            params["ExclusiveStartKey"] = start
        try:
            with aws.expecting(*(["ValidationException"] if query.cursor else [])):
                response = aws.call("dynamodb", "Query", params)
        except aws.ServiceError as error:
            # A forged cursor, or a cursor of another list, does not fit the index or the range.
            if query.cursor and error.code == "ValidationException":
                raise invalid_cursor() from None
            raise
        start = response.get("LastEvaluatedKey")
        rows += map(unpack_row, response["Items"])
        if len(rows) > query.limit:
            rows = rows[: query.limit]
            start = pack_row({name: rows[-1][name] for name in key_names})
        if not start or len(rows) >= query.limit:
            break
    entries = [(row, _cursor(row, key_names)) for row in rows]
    return Page(entries, _cursor(unpack_row(start), key_names) if start else None)


def full_rows(table: str, index_page: Page[Row], key_names: Sequence[str], *, consistent: bool) -> Page[Row]:
    """The table's rows for a page of an index that has only their keys. An index may lag behind its table: a
    deleted row is left out, and a changed one is returned in its current state.
    """
    keys = [{name: row[name] for name in key_names} for row in index_page.items]
    rows = {
        tuple(row[name] for name in key_names): row for row in get_many(table, keys, consistent=consistent)
    }
    return index_page.map(lambda indexed: rows.get(tuple(indexed[name] for name in key_names)))


def encode_cursor(values: Sequence[str]) -> str:
    """A cursor: base64url of the values of a key as JSON. The partition is never one of them: it follows from
    the caller's rights.
    """
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, count: int | None = None) -> list[str]:
    """The values of a cursor, which may be forged. Raises ValidationFailed unless there are `count`."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        json.dumps(values, ensure_ascii=False).encode()  # raises for a lone surrogate
    except (ValueError, RecursionError):
        values = None
    if (
        not isinstance(values, list)
        or (count is not None and len(values) != count)
        or not all(isinstance(value, str) for value in values)
    ):
        raise invalid_cursor()
    return values


def invalid_cursor() -> ValidationFailed:
    """The error for a cursor that does not belong to the list."""
    return ValidationFailed.for_field(
        "cursor", "is not a cursor of this list; omit it to start from the beginning"
    )


def _cursor(last: Row, key_names: Sequence[str]) -> str:
    """The cursor that continues after a row, or after a row's key. The partition is the key's first name."""
    return encode_cursor([last[name] for name in key_names[1:]])


def _exclusive_start_key(cursor: str, key_names: Sequence[str], partition: tuple[str, str]) -> Item:
    """The key that a cursor continues after, in the caller's partition. Raises ValidationFailed."""
    names = key_names[1:]
    values = decode_cursor(cursor, len(names))
    return pack_row(dict(zip(names, values, strict=True)) | {partition[0]: partition[1]})
