"""CPU of publish, fan-out and delivery, step by step, warm; against another commit's in the same run:

git worktree add ../before COMMIT
AGAINST=../before python -m benchmarks deliveries

The data services and the receiver are other processes, so their CPU is not in the figures.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.stack import SLOW, receivers
from local.settings import ROOT

ROUNDS = 40
SPREAD = 50  # receivers, whose connections are all kept
_WARM_UP = 3
STEPS = {
    "publish": "POST /api/events, API key",
    "fan-out": "an event of a fan-out of 10",
    "fan-out alone": "an event of a fan-out of 1",
    "10": "a delivery of a batch of 10",
    "1": "a delivery alone",
    "spread": f"a delivery of 10, to {SPREAD} receivers",
}
# In turn, so that the machine's moods hit all alike; the last one leaves many connections open.
_PHASES = (("publish", "fan-out", "fan-out alone", "10", "1"), ("slow",), ("spread",))


class Side:
    """The engine of one tree, in a process of its own."""

    def __init__(self, tree: Path, urls: list[str]) -> None:
        tools = {"MINISTACK": str(ROOT / ".tools/ministack/bin/ministack")}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("engine.py")), *urls],
            cwd=tree,
            env={**tools, **os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def measure(self, step: str) -> dict[str, float]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(step, file=self.process.stdin, flush=True)
        if not (answer := self.process.stdout.readline()):
            raise RuntimeError("the engine under test has ended; its error is above")
        cost: dict[str, float] = json.loads(answer)
        return cost


@contextlib.contextmanager
def targets() -> Iterator[list[str]]:
    """What a side delivers to: one receiver, one that takes half a second, and many."""
    with receivers(2 + SPREAD) as (one, slow, *many):
        yield [one, slow.replace("/hook", SLOW), *many]


@contextlib.contextmanager
def side(tree: Path, urls: list[str]) -> Iterator[Side]:
    made = Side(tree, urls)
    try:
        yield made
    finally:
        assert made.process.stdin is not None
        made.process.stdin.close()
        made.process.wait(60)


def run() -> None:
    against = os.environ.get("AGAINST")
    trees = {"here": ROOT} | ({"there": Path(against).resolve()} if against else {})
    with contextlib.ExitStack() as stack:
        urls = stack.enter_context(targets())
        sides = {name: stack.enter_context(side(tree, urls)) for name, tree in trees.items()}
        measured = measure(sides, ROUNDS)
    print(f"CPU of each step in ms, warm, median of {ROUNDS} rounds in turn (of it the event loop's thread)")
    if against:
        print(f"  there: {against}")
    for step, title in STEPS.items():
        line = f"  {title:36}"
        for name in sides:
            line += f" {name if against else '':5} {median(measured[name][step], 'cpu'):6.2f}"
            line += f" ({median(measured[name][step], 'loop'):5.2f})"
        if against:
            pairs = zip(measured["here"][step], measured["there"][step], strict=True)
            line += f"   here/there {statistics.median(a['cpu'] / b['cpu'] for a, b in pairs):.2f}"
        print(line)
    for name in sides:
        wall = statistics.median(cost["wall"] for cost in measured[name]["slow"])
        print(
            f"  a batch of 10 to a receiver that takes 500 ms{f', {name}' if against else ''}: {wall:.2f} s"
        )


def measure(sides: dict[str, Any], rounds: int) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Of each side and step its rounds."""
    measured: dict[str, dict[str, list[dict[str, float]]]] = {
        name: {step: [] for phase in _PHASES for step in phase} for name in sides
    }
    for phase in _PHASES:
        for at in range(_WARM_UP + (5 if phase == ("slow",) else rounds)):
            for step in phase:
                for name, each in sides.items():
                    cost = each.measure(step)
                    if at >= _WARM_UP:
                        measured[name][step].append(cost)
    return measured


def median(costs: list[dict[str, float]], what: str) -> float:
    """ms of one unit."""
    return statistics.median(cost[what] / cost["units"] for cost in costs) * 1000
