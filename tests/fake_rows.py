"""Rows in memory, under the small part of DynamoDB's expressions that counting uses.

For property tests: thousands of runs, an exact clock, and a write is atomic as DynamoDB's is. That moto and
the local stack read the same expressions alike is for the integration tests to show.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from patchbay.storage.dynamo import ConditionFailed, Row, TransactionRefused, unpack, unpack_row

_COMPARE = {"=": operator.eq, "<=": operator.le, "<": operator.lt, ">": operator.gt}
_CLAUSE = re.compile(r"(SET|ADD|REMOVE) (.+?)(?= (?:SET|ADD|REMOVE) |$)")


class FakeRows:
    """Stands in for `dynamo.get`, `dynamo.update` and `dynamo.transact` of one table. `reads` and `writes`
    count the calls of the first two. Each of `meanwhile` is done once, right before such a write: another
    process is a moment faster.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.reads = 0
        self.writes = 0
        self.meanwhile: list[Callable[[], object]] = []

    def get(self, table: str, key: Row, *, consistent: bool = True) -> Row | None:
        self.reads += 1
        assert consistent
        row = self.rows.get(key["id"])
        return None if row is None else dict(row)

    def update(
        self,
        table: str,
        key: Row,
        expression: str,
        /,
        *,
        returning: Any = "ALL_NEW",
        condition: Any = None,
        names: Any = None,
        **values: Any,
    ) -> Row:
        if self.meanwhile:
            act, *later = self.meanwhile
            self.meanwhile = []  # they are for the next writes of the one that is interrupted
            act()
            self.meanwhile = later
        self.writes += 1
        old = self.rows.get(key["id"])
        if not holds(named(condition, names), old or {}, values):
            raise ConditionFailed(old)
        new, updated = changed(named(expression, names), old or key, values)
        self.rows[key["id"]] = new
        return updated if returning == "UPDATED_NEW" else dict(new)

    def transact(self, actions: Sequence[Any]) -> None:
        after, failed, found = dict(self.rows), [], []
        for at, action in enumerate(actions):
            ((kind, call),) = action.items()
            id = unpack(call["Item" if kind == "Put" else "Key"]["id"])
            values = {
                name[1:]: unpack(value) for name, value in call.get("ExpressionAttributeValues", {}).items()
            }
            names = call.get("ExpressionAttributeNames")
            old = self.rows.get(id)
            fits = holds(named(call.get("ConditionExpression"), names), old or {}, values)
            found.append(None if fits else old)
            if not fits:
                failed.append(at)
            elif kind == "Put":
                after[id] = unpack_row(call["Item"])
            else:
                assert kind == "Update"
                after[id], _ = changed(named(call["UpdateExpression"], names), old or {"id": id}, values)
        if failed:
            raise TransactionRefused(failed, found)
        self.rows = after


def named(expression: str | None, names: dict[str, str] | None) -> str:
    """An expression with its `#name`s filled in."""
    return re.sub(r"#\w+", lambda short: (names or {})[short[0]], expression or "")


def holds(condition: str, row: Row, values: dict[str, Any]) -> bool:
    """Whether a condition holds for `row`: comparisons, or `(a OR b)` of them, joined by AND."""
    return not condition or all(
        any(_true(term, row, values) for term in part.strip("()").split(" OR "))
        for part in condition.split(" AND ")
    )


def _true(term: str, row: Row, values: dict[str, Any]) -> bool:
    if asked := re.fullmatch(r"attribute_(not_)?exists\((\w+)\)?", term):
        return (asked[2] in row) is not bool(asked[1])
    left, sign, right = term.split(" ")
    # A comparison with an attribute that is not there is false.
    return left in row and _COMPARE[sign](row[left], values[right.removeprefix(":")])


def changed(expression: str, row: Row, values: dict[str, Any]) -> tuple[Row, Row]:
    """The row as an update expression leaves it, and what of it was updated."""
    clauses = dict(_CLAUSE.findall(expression))
    assert " ".join(f"{name} {body}" for name, body in clauses.items()) == expression, "not understood"
    updated = assigned(clauses["SET"], row, values) if "SET" in clauses else {}
    for addition in filter(None, clauses.get("ADD", "").split(", ")):
        name, value = addition.split(" :")
        updated[name] = row.get(name, 0) + values[value]
    gone = clauses.get("REMOVE", "").split(", ")
    return {name: value for name, value in {**row, **updated}.items() if name not in gone}, updated


def assigned(assignments: str, row: Row, values: dict[str, Any]) -> Row:
    """What `a = b, c = c + :d` assigns; every right side is read before anything is written."""

    def value(text: str) -> Any:
        return values[text[1:]] if text.startswith(":") else row[text]

    new = {}
    for assignment in assignments.split(", "):
        name, right = assignment.split(" = ")
        new[name] = sum(map(value, right.split(" + "))) if " + " in right else value(right)
    return new
