"""Reads rows, and deletes tables: DeleteTable only starts it, and DynamoDB refuses it while a table is being
restored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

DELETING = "DELETING"
_BATCH = 100  # of BatchGetItem
_PAUSE_SECONDS = 0.5  # after a batch that DynamoDB read only in part

Row = dict[str, Any]


def status(dynamodb: Any, name: str) -> str | None:
    """The status of a table, or None if there is none with this name."""
    try:
        return str(dynamodb.describe_table(TableName=name)["Table"]["TableStatus"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise


def read(dynamodb: Any, table: str, keys: Sequence[Row]) -> Iterator[Row]:
    """The rows with these keys that exist; strongly consistent."""
    for start in range(0, len(keys), _BATCH):
        wanted = {table: {"Keys": keys[start : start + _BATCH], "ConsistentRead": True}}
        while wanted:
            answer = dynamodb.batch_get_item(RequestItems=wanted)
            yield from answer["Responses"].get(table, [])
            wanted = answer.get("UnprocessedKeys") or {}
            if wanted:
                time.sleep(_PAUSE_SECONDS)


def is_there(dynamodb: Any, name: str) -> bool:
    """Whether a table exists that is not being deleted."""
    return status(dynamodb, name) not in (None, DELETING)


def delete(dynamodb: Any, names: Iterable[str], poll_seconds: float, say: Callable[[str], None]) -> None:
    """Delete tables, and wait until they are gone. Reports the tables that cannot be deleted yet, and on an
    error or an interrupt, those that are left.
    """
    left, said = sorted(names), ""
    try:
        while left:
            states = {name: _ask(dynamodb, name) for name in left}
            left = [name for name in left if states[name] is not None]
            text = ", ".join(f"{name} ({states[name]})" for name in left)
            if left and text != said:
                say(f"waiting for {text}")
                said = text
            if left:
                time.sleep(poll_seconds)
    except BaseException:
        for name in left:
            say(f"LEFT: aws dynamodb delete-table --table-name {name}")
        raise


def _ask(dynamodb: Any, name: str) -> str | None:
    """Request the deletion of a table, unless it is under way. Returns its state; None when it is gone."""
    state = status(dynamodb, name)
    if state in (None, DELETING):
        return state
    try:
        dynamodb.delete_table(TableName=name)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            return None
        if code != "ResourceInUseException":
            raise
        return state  # it is being created, updated or restored
    return status(dynamodb, name)
