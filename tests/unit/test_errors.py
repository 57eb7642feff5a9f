"""The table of all error codes."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import patchbay
from patchbay.errors import Problem, all_problems


def subclasses(problem: type[Problem]) -> Iterator[type[Problem]]:
    for each in problem.__subclasses__():
        yield each
        yield from subclasses(each)


def test_table_has_every_code_once_with_its_remedy() -> None:
    for module in pkgutil.walk_packages(patchbay.__path__, "patchbay."):
        importlib.import_module(module.name)
    table = all_problems()
    assert len({problem.code for problem in table}) == len(table)
    assert {problem.code for problem in subclasses(Problem)} == {problem.code for problem in table}
    for problem in table:
        assert 400 <= problem.status <= 599
        assert problem.title
        assert problem.remedy.endswith("."), problem
    assert table == sorted(table, key=lambda problem: problem.status)
