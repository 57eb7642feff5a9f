"""The billed units of the library's AWS calls: DynamoDB's units, and the number of calls by kind.

Write units come from DynamoDB's response (`ReturnConsumedCapacity: INDEXES`, added to each call). ministack
computes them as AWS does: by table and index, from the old and the new item, and doubled for the tables of a
transaction. moto returns constants, so it cannot be used. This module itself computes three things, by AWS's
published rules: reads, for which ministack ignores the sizes; failed conditional writes, which return no
ConsumedCapacity; and cancelled transactions.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from __future__ import annotations

import base64
import contextlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

WRITE_BYTES = 1024
READ_BYTES = 4096
_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}
_READS = {"GetItem", "BatchGetItem", "Query", "Scan"}


@dataclass
class Units:
    """`writes` by table and index (`patchbay-DeliveriesTable`, `patchbay-DeliveriesTable/failed`), `reads` by
    table, `calls` by `service.Operation`.
    """

    writes: Counter[str] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        self.set(Units())

    def copy(self) -> Units:
        return Units(Counter(self.writes), Counter(self.reads), Counter(self.calls))

    def set(self, other: Units) -> None:
        self.writes, self.reads, self.calls = other.writes, other.reads, other.calls

    @contextlib.contextmanager
    def uncounted(self) -> Iterator[None]:
        """Do not count the calls of the block."""
        before = self.copy()
        yield
        self.set(before)

    def written(self, table: str, *, indexes: bool = True) -> float:
        """The write units of a table, with or without its indexes."""
        return sum(
            units
            for name, units in self.writes.items()
            if name == table or (indexes and name.startswith(f"{table}/"))
        )


@contextlib.contextmanager
def counting() -> Iterator[Units]:
    """Count the units of all AWS calls of the library during the block."""
    from patchbay import aws

    units, send = Units(), aws.call

    def call(service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        units.calls[f"{service}.{operation}"] += 1
        if service != "dynamodb":
            return send(service, operation, params)
        if operation in _READS:
            answer = send(service, operation, params)
            units.reads.update(read_units(params, answer))
            return answer
        if operation not in _WRITES:
            raise ValueError(f"add how DynamoDB bills {operation} to _READS or _WRITES")
        try:
            answer = send(service, operation, {**params, "ReturnConsumedCapacity": "INDEXES"})
        except aws.ServiceError as error:
            units.writes.update(failed_units(params, error.code, error.response))
            raise
        units.writes.update(_consumed(answer["ConsumedCapacity"]))
        return answer

    with patch.object(aws, "call", call):
        yield units


def _consumed(capacity: Any) -> Counter[str]:
    """ConsumedCapacity by table and index."""
    units: Counter[str] = Counter()
    for entry in capacity if isinstance(capacity, list) else [capacity]:
        rest = entry["CapacityUnits"]
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
            for name, index in entry.get(kind, {}).items():
                units[f"{entry['TableName']}/{name}"] += index["CapacityUnits"]
                rest -= index["CapacityUnits"]
        units[entry["TableName"]] += rest
    return units


def failed_units(params: Mapping[str, Any], code: str, answer: Mapping[str, Any]) -> Counter[str]:
    """The units of a failed write. A failed condition costs the units of the existing item, or 1 without one.
    A cancelled transaction costs twice that for each action. Other errors cost nothing.
    """
    match code:
        case "ConditionalCheckFailedException":
            return Counter({params["TableName"]: write_units(answer.get("Item"))})
        case "TransactionCanceledException":
            units: Counter[str] = Counter()
            reasons = answer.get("CancellationReasons") or [{}] * len(params["TransactItems"])
            for action, reason in zip(params["TransactItems"], reasons, strict=True):
                ((_, call),) = action.items()
                item = reason.get("Item") or call.get("Item")
                units[call["TableName"]] += 2 * write_units(item)
            return units
    return Counter()


def write_units(item: Mapping[str, Any] | None) -> int:
    """One unit for each started KB of the item, the larger of the old and the new one."""
    return max(1, math.ceil(item_bytes(item or {}) / WRITE_BYTES))


def read_units(params: Mapping[str, Any], answer: Mapping[str, Any]) -> Counter[str]:
    """One unit for each started 4 KB of a strongly consistent read, and half a unit otherwise. The items of a
    query count together, those of a batch separately. A missing item counts like a small one.
    """
    units: Counter[str] = Counter()
    if "RequestItems" in params:
        for table, request in params["RequestItems"].items():
            items = answer["Responses"].get(table, [])
            sizes = [item_bytes(item) for item in items] + [0] * (len(request["Keys"]) - len(items))
            units[table] += sum(_read(size, request) for size in sizes)  # type: ignore[assignment]  # may be half units
        return units
    items = answer["Items"] if "Items" in answer else [answer.get("Item", {})]
    units[params["TableName"]] += _read(sum(item_bytes(item) for item in items), params)  # type: ignore[assignment]  # as above
    return units


def _read(size: int, request: Mapping[str, Any]) -> float:
    return max(1, math.ceil(size / READ_BYTES)) * (1 if request.get("ConsistentRead") else 0.5)


def item_bytes(item: Mapping[str, Any]) -> int:
    """The size of an item in DynamoDB's wire format: its names and values in UTF-8."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(attribute: Mapping[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":  # about a byte for every two significant digits, one more, and one for a minus sign
            digits = value.lstrip("-").replace(".", "").strip("0")
            return math.ceil(len(digits) / 2) + 1 + value.startswith("-")
        case "B":
            return len(base64.b64decode(value))
        case "BOOL" | "NULL":
            return 1
        case "L":  # 3 bytes, and 1 for each element
            return 3 + sum(1 + _value_bytes(entry) for entry in value)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_bytes(entry) for name, entry in value.items())
    raise TypeError(f"unsupported attribute type: {kind}")
