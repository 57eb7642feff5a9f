"""`make simulate`: run the scenarios and write the tables of docs/operate/scaling.md. Takes some minutes.

`make simulate ARGS="--load 2000000 DeliveryConcurrency=100"` simulates another load: deliveries an
hour, and parameters of the template. It writes nothing. `ARGS=--tables` writes the tables from the stored
results.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from benchmarks.scaling import limits, model, page, scenarios
from benchmarks.scaling.simulation import simulate
from local.settings import ROOT
from tools import generated_files


def main() -> int:
    parser = argparse.ArgumentParser(prog=".venv/bin/python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--load", type=float, metavar="DELIVERIES", help="deliveries an hour, on average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tables", action="store_true", help="write the tables from the stored results")
    parser.add_argument("parameters", nargs="*", metavar="NAME=VALUE")
    arguments = parser.parse_args()
    try:
        changed = {name: float(value) for name, _, value in (p.partition("=") for p in arguments.parameters)}
        stack = model.default_stack().with_parameters(**changed)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.load is not None and not 0 < arguments.load < math.inf:
        parser.error("--load must be more than 0")
    if arguments.tables:
        stored = json.loads((ROOT / page.RESULTS).read_text("utf-8"))
        generated_files.write(page.render(stored))
    elif arguments.load is not None:
        _one(arguments.load, stack, arguments.seed)
    elif changed:
        parser.error("parameters need --load")
    else:
        _all(arguments.seed)
    return 0


def _one(deliveries: float, stack: model.Stack, seed: int) -> None:
    load = model.per_hour(deliveries)
    print("share of each limit that is used, the highest first (computed):")
    for use in limits.uses(load, stack)[:8]:
        print(f"  {use.share:7.1%}  {use.name} ({use.parameter.replace('`', '')})")
    print("simulated (times in seconds):")
    print(json.dumps(scenarios.summary(simulate(load, stack, seed)), indent=1))


def _all(seed: int) -> None:
    started, names = time.monotonic(), list(scenarios.all_scenarios())
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        results = {}
        for name, result in zip(names, pool.map(scenarios.run, names, [seed] * len(names)), strict=True):
            load, _, kind = name.partition(": ")
            if load in scenarios.LOADS and kind:
                result["dollars"] = page.dollars(scenarios.LOADS[load], result)
            results[name] = result
            print(f"  {time.monotonic() - started:4.0f} s  {name}", flush=True)
    simulated = {"seed": seed, "facts": model.facts(), "results": results}
    generated_files.write({page.RESULTS: generated_files.as_file(simulated), **page.render(simulated)})


if __name__ == "__main__":  # the pool's processes may import this file
    sys.exit(main())
