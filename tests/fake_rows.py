"""Rows in memory, under the small part of DynamoDB's expressions that counting uses.

For property tests: thousands of runs, an exact clock, and a write is atomic as DynamoDB's is. That moto and
the local stack read the same expressions alike is for the integration tests to show.
"""

from __future__ import annotations

import operator
import re
from typing import Any

from patchbay.dynamo import ConditionFailed, Row

_COMPARE = {"=": operator.eq, "<=": operator.le, "<": operator.lt, ">": operator.gt}


class FakeRows:
    """Stands in for `dynamo.update` of one table. `writes` counts the calls."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.writes = 0

    def update(self, table: str, key: Row, expression: str, /, **terms: Any) -> Row:
        self.writes += 1
        assert terms.pop("returning") == "UPDATED_NEW"
        condition, names, values = terms.pop("condition"), terms.pop("names", {}), terms
        old = self.rows.get(key["id"])
        if not holds(condition, old or {}, values):
            raise ConditionFailed(old)
        for short, name in names.items():
            expression = expression.replace(short, name)
        assert expression.startswith("SET ")
        updated = assigned(expression.removeprefix("SET "), old or {}, values)
        self.rows[key["id"]] = {**(old or key), **updated}
        return updated


def holds(condition: str, row: Row, values: dict[str, Any]) -> bool:
    """Whether a condition of comparisons, joined by AND, each perhaps `(a OR b)`, holds for `row`."""
    return all(
        any(_true(term, row, values) for term in part.strip("()").split(" OR "))
        if part.startswith("(")
        else _true(part, row, values)
        for part in condition.split(" AND ")
    )


def _true(term: str, row: Row, values: dict[str, Any]) -> bool:
    if missing := re.fullmatch(r"attribute_not_exists\((\w+)\)?", term):
        return missing[1] not in row
    left, sign, right = term.split(" ")
    # A comparison with an attribute that is not there is false.
    return left in row and _COMPARE[sign](row[left], values[right.removeprefix(":")])


def assigned(assignments: str, row: Row, values: dict[str, Any]) -> Row:
    """What `a = b, c = c + :d` assigns; every right side is read before anything is written."""

    def value(text: str) -> Any:
        return values[text[1:]] if text.startswith(":") else row[text]

    new = {}
    for assignment in assignments.split(", "):
        name, right = assignment.split(" = ")
        new[name] = sum(map(value, right.split(" + ")))
    return new
