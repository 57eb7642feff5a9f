"""Runs every benchmark, or those named: `python -m benchmarks imports requests throughput`. Only when named:
`outcomes` (what each end of a delivery is billed), `measure` and `costs` (docs/costs.md).
"""

from __future__ import annotations

import platform
import sys

from benchmarks import costs, deliveries, imports, isolation, measure, outcomes, requests, throughput

ALL = {
    "imports": imports.run,
    "requests": requests.run,
    "deliveries": deliveries.run,
    "throughput": throughput.run,
    "isolation": isolation.run,
}
NAMED = {"outcomes": outcomes.run, "measure": measure.run, "costs": costs.run}


def main() -> int:
    names = sys.argv[1:] or list(ALL)
    if unknown := set(names) - set(ALL) - set(NAMED):
        known = ", ".join([*ALL, *NAMED])
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are {known}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()}, {platform.machine()}; CPU in ms unless it says otherwise")
    for name in names:
        print()
        (ALL | NAMED)[name]()
    return 0


sys.exit(main())
