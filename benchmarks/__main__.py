"""Runs every benchmark, or those named: `python -m benchmarks imports requests throughput`."""

from __future__ import annotations

import platform
import sys

from benchmarks import deliveries, imports, requests, throughput

ALL = {
    "imports": imports.run,
    "requests": requests.run,
    "deliveries": deliveries.run,
    "throughput": throughput.run,
}


def main() -> int:
    names = sys.argv[1:] or list(ALL)
    if unknown := set(names) - set(ALL):
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()}, {platform.machine()}; CPU in ms unless it says otherwise")
    for name in names:
        print()
        ALL[name]()
    return 0


sys.exit(main())
