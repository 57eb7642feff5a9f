"""Rows in memory, with the small part of DynamoDB's expressions that rate limits use.

For property tests, which need thousands of runs and an exact clock. Writes are atomic, as in DynamoDB. The
integration tests check that moto and the local stack interpret the same expressions in the same way.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from patchbay.storage.dynamo import ConditionFailed, Row, TransactionCanceled, unpack, unpack_row

_COMPARE = {"=": operator.eq, "<=": operator.le, "<": operator.lt, ">": operator.gt}
_CLAUSE = re.compile(r"(SET|ADD|REMOVE) (.+?)(?= (?:SET|ADD|REMOVE) |$)")


class FakeRows:
    """Replaces `dynamo.get`, `dynamo.update` and `dynamo.transact` for one table. `reads` and `writes` count
    the calls of the first two. Each callable in `meanwhile` runs once, right before an update, to simulate
    another process.
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
            self.meanwhile = []  # the rest interrupt the next updates of this caller, not those of `act`
            act()
            self.meanwhile = later
        self.writes += 1
        old = self.rows.get(key["id"])
        if not holds(resolve_names(condition, names), old or {}, values):
            raise ConditionFailed(old)
        new, updated = apply_update(resolve_names(expression, names), old or key, values)
        self.rows[key["id"]] = new
        return updated if returning == "UPDATED_NEW" else dict(new)

    def transact(self, actions: Sequence[Any]) -> None:
        after, failed, conflicts = dict(self.rows), [], []
        for index, action in enumerate(actions):
            ((kind, call),) = action.items()
            id = unpack(call["Item" if kind == "Put" else "Key"]["id"])
            values = {
                name[1:]: unpack(value) for name, value in call.get("ExpressionAttributeValues", {}).items()
            }
            names = call.get("ExpressionAttributeNames")
            old = self.rows.get(id)
            condition_holds = holds(resolve_names(call.get("ConditionExpression"), names), old or {}, values)
            conflicts.append(None if condition_holds else old)
            if not condition_holds:
                failed.append(index)
            elif kind == "Put":
                after[id] = unpack_row(call["Item"])
            else:
                assert kind == "Update"
                after[id], _ = apply_update(
                    resolve_names(call["UpdateExpression"], names), old or {"id": id}, values
                )
        if failed:
            raise TransactionCanceled(failed, conflicts)
        self.rows = after


def resolve_names(expression: str | None, names: dict[str, str] | None) -> str:
    """An expression with its `#name` placeholders replaced."""
    return re.sub(r"#\w+", lambda short: (names or {})[short[0]], expression or "")


def holds(condition: str, row: Row, values: dict[str, Any]) -> bool:
    """Whether a row meets a condition: comparisons, and `(a OR b)` groups of them, joined by AND."""
    return not condition or all(
        any(_true(term, row, values) for term in part.strip("()").split(" OR "))
        for part in condition.split(" AND ")
    )


def _true(term: str, row: Row, values: dict[str, Any]) -> bool:
    if match := re.fullmatch(r"attribute_(not_)?exists\((\w+)\)?", term):
        return (match[2] in row) is not bool(match[1])
    name, symbol, value = term.split(" ")
    # A comparison with a missing attribute is false.
    return name in row and _COMPARE[symbol](row[name], values[value.removeprefix(":")])


def apply_update(expression: str, row: Row, values: dict[str, Any]) -> tuple[Row, Row]:
    """The row after an update expression, and the attributes that it updated."""
    clauses = dict(_CLAUSE.findall(expression))
    assert " ".join(f"{name} {body}" for name, body in clauses.items()) == expression, (
        "unsupported expression"
    )
    updated = assign(clauses["SET"], row, values) if "SET" in clauses else {}
    for addition in filter(None, clauses.get("ADD", "").split(", ")):
        name, value = addition.split(" :")
        updated[name] = row.get(name, 0) + values[value]
    removed = clauses.get("REMOVE", "").split(", ")
    return {name: value for name, value in {**row, **updated}.items() if name not in removed}, updated


def assign(assignments: str, row: Row, values: dict[str, Any]) -> Row:
    """The result of `a = b, c = c + :d`. Every right side is evaluated before anything is written."""

    def value(text: str) -> Any:
        return values[text[1:]] if text.startswith(":") else row[text]

    new = {}
    for assignment in assignments.split(", "):
        name, right = assignment.split(" = ")
        new[name] = sum(map(value, right.split(" + "))) if " + " in right else value(right)
    return new
