"""The recorded examples: `examples.json`, which `make examples` writes from a run of tests/tour.py.

For each operation it has the values of the path's variables, a request's body, the body of each response, and
of each problem. `tests/recorded.py` makes their IDs, times and secrets the same in every recording.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tools.openapi.texts import FOLDER

FILE = FOLDER / "examples.json"

Json = dict[str, Any]


@dataclass(frozen=True)
class Examples:
    """`recorded` is the file's content, by operation."""

    recorded: Json

    @classmethod
    def load(cls) -> Examples:
        return cls(json.loads(FILE.read_text("utf-8")))

    def path_value(self, operation: str, variable: str) -> object | None:
        """The value of a path's variable in the recorded request; None without one."""
        value: object | None = self._of(operation, "path").get(variable)
        return value

    def requests(self, operation: str) -> Json:
        """The request's body, as the map of `examples`."""
        found = self.recorded.get(operation, {})
        return {"request": {"value": found["request"]}} if "request" in found else {}

    def responses(self, operation: str, status: int) -> Json:
        """The response's body, as the map of `examples`."""
        found = self._of(operation, "responses")
        return {"response": {"value": found[str(status)]}} if str(status) in found else {}

    def problems(self, operation: str, status: int) -> Json:
        """The problems of a status, as the map of `examples`: one for each code."""
        return {code: _named(problem) for code, problem in self._problems_of(operation, status).items()}

    def any_problems(self, codes: Iterable[str]) -> Json:
        """An example of each code, from any operation. Codes that were never recorded are missing."""
        found: Json = {}
        for operation in self.recorded:
            for problem in self._of(operation, "problems").values():
                found.setdefault(problem["code"], _named(problem))
        return {code: found[code] for code in codes if code in found}

    def _problems_of(self, operation: str, status: int) -> Json:
        recorded = self._of(operation, "problems")
        return {code: problem for code, problem in recorded.items() if problem["status"] == status}

    def _of(self, operation: str, part: str) -> Json:
        found: Json = self.recorded.get(operation, {}).get(part, {})
        return found


def _named(problem: Json) -> Json:
    return {"summary": problem["title"], "value": problem}
