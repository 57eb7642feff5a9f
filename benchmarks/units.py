"""What the library's AWS calls are billed: DynamoDB's units, and the calls of each kind.

Write units come from DynamoDB's own answer (`ReturnConsumedCapacity: INDEXES`, added to each call).
ministack gives it as AWS does: by table and index, from old and new item, and in transactions
twofold for the tables. moto gives constants and is of no use here. Three things are counted here, by AWS's
published rules: reads, for which ministack does not look at the sizes; conditional writes that are refused,
for they bring no ConsumedCapacity; and transactions that are cancelled.
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
        """What happens within the block is left out."""
        kept = self.copy()
        yield
        self.set(kept)

    def written(self, table: str, *, indexes: bool = True) -> float:
        """The write units of a table, with its indexes' or without."""
        return sum(
            units
            for name, units in self.writes.items()
            if name == table or (indexes and name.startswith(f"{table}/"))
        )


@contextlib.contextmanager
def counting() -> Iterator[Units]:
    """The units of all that the library's clients do within the block."""
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
            raise NotImplementedError(f"what {operation} is billed is not known here")
        try:
            answer = send(service, operation, {**params, "ReturnConsumedCapacity": "INDEXES"})
        except aws.ServiceError as error:
            units.writes.update(refused_units(params, error.code, error.response))
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
            for name, of_index in entry.get(kind, {}).items():
                units[f"{entry['TableName']}/{name}"] += of_index["CapacityUnits"]
                rest -= of_index["CapacityUnits"]
        units[entry["TableName"]] += rest
    return units


def refused_units(params: Mapping[str, Any], code: str, answer: Mapping[str, Any]) -> Counter[str]:
    """A condition that does not hold costs the writing of what stands there, and 1 where nothing does; a
    cancelled transaction twice that for each of its actions. Other errors cost nothing.
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
    """One for each KB begun, of the larger of old and new item."""
    return max(1, math.ceil(item_bytes(item or {}) / WRITE_BYTES))


def read_units(params: Mapping[str, Any], answer: Mapping[str, Any]) -> Counter[str]:
    """One for each 4 KB begun, by strongly consistent reads, else half. A query's items count together, a
    batch's one by one; what is not there counts like a small one.
    """
    units: Counter[str] = Counter()
    if "RequestItems" in params:
        for table, wanted in params["RequestItems"].items():
            found = answer["Responses"].get(table, [])
            missing = len(wanted["Keys"]) - len(found)
            each = [_read(item_bytes(item), wanted) for item in found] + [_read(0, wanted)] * missing
            units[table] += sum(each)  # type: ignore[assignment]  # halves are units too
        return units
    items = answer["Items"] if "Items" in answer else [answer.get("Item", {})]
    units[params["TableName"]] += _read(sum(item_bytes(item) for item in items), params)  # type: ignore[assignment]  # as above
    return units


def _read(size: int, terms: Mapping[str, Any]) -> float:
    return max(1, math.ceil(size / READ_BYTES)) * (1 if terms.get("ConsistentRead") else 0.5)


def item_bytes(item: Mapping[str, Any]) -> int:
    """The size of an item (attributes as on the wire): names and values in UTF-8."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(attribute: Mapping[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":  # about a byte for two significant digits, one more, and one for a minus
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
    raise TypeError(f"attributes of the kind {kind} are not used here")
