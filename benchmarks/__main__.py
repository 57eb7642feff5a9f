"""Runs all benchmarks (`make bench`), or those you name: `.venv/bin/python -m benchmarks imports`. Some run
only when you name them: `outcomes` (billed units by the outcome of a delivery), `measure` and `costs`
(docs/operate/costs.md), and single attacks of `neighbours` (`neighbours slow-75`).
"""

from __future__ import annotations

import platform
import sys
from functools import partial

from benchmarks import (
    costs,
    deliveries,
    imports,
    measure,
    neighbours,
    outcomes,
    refreshes,
    requests,
    throughput,
)

ALL = {
    "imports": imports.run,
    "requests": requests.run,
    "deliveries": deliveries.run,
    "throughput": throughput.run,
    "neighbours": neighbours.run,
    "refreshes": refreshes.run,
}
NAMED = {"outcomes": outcomes.run, "measure": measure.run, "costs": costs.run}
NAMED |= {name: partial(neighbours.run, [name]) for name in neighbours.ATTACKS}


def main() -> int:
    names = sys.argv[1:] or list(ALL)
    if unknown := set(names) - set(ALL) - set(NAMED):
        valid = ", ".join([*ALL, *NAMED])
        print(f"unknown benchmark: {', '.join(sorted(unknown))}; choose from {valid}", file=sys.stderr)
        return 2
    if any(name in neighbours.ATTACKS for name in names):
        names = [name for name in names if name != "neighbours"]  # only the named attacks
    print(f"Python {platform.python_version()}, {platform.machine()}; CPU in ms unless stated otherwise")
    for name in names:
        print()
        (ALL | NAMED)[name]()
    return 0


sys.exit(main())
