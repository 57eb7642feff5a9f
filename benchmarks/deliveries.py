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

from benchmarks.stack import receiver
from local.settings import ROOT

ROUNDS = 40
_WARM_UP = 3
_STEPS = {
    "publish": "POST /api/events, API key",
    "fan-out": "an event of a fan-out of 10",
    "10": "a delivery of a batch of 10",
    "1": "a delivery alone",
}


class Side:
    """The engine of one tree, in a process of its own."""

    def __init__(self, tree: Path, url: str) -> None:
        tools = {"MINISTACK": str(ROOT / ".tools/ministack/bin/ministack")}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("engine.py")), url],
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
def _side(tree: Path, url: str) -> Iterator[Side]:
    side = Side(tree, url)
    try:
        yield side
    finally:
        assert side.process.stdin is not None
        side.process.stdin.close()
        side.process.wait(60)


def run() -> None:
    against = os.environ.get("AGAINST")
    trees = {"here": ROOT} | ({"there": Path(against).resolve()} if against else {})
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(receiver())
        sides = {name: stack.enter_context(_side(tree, url)) for name, tree in trees.items()}
        measured = measure(sides, ROUNDS)
    print(f"CPU of each step in ms, warm, median of {ROUNDS} rounds in turn (of it the event loop's thread)")
    if against:
        print(f"  there: {against}")
    for step, title in _STEPS.items():
        line = f"  {title:32}"
        for name in sides:
            line += f" {name if against else '':5} {_median(measured[name][step], 'cpu'):6.2f}"
            line += f" ({_median(measured[name][step], 'loop'):5.2f})"
        if against:
            pairs = zip(measured["here"][step], measured["there"][step], strict=True)
            line += f"   here/there {statistics.median(a['cpu'] / b['cpu'] for a, b in pairs):.2f}"
        print(line)


def measure(sides: dict[str, Any], rounds: int) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Of each side and step its rounds; all in turn, so that the machine's moods hit all alike."""
    measured: dict[str, dict[str, list[dict[str, float]]]] = {
        name: {step: [] for step in _STEPS} for name in sides
    }
    for at in range(_WARM_UP + rounds):
        for step in _STEPS:
            for name, side in sides.items():
                cost = side.measure(step)
                if at >= _WARM_UP:
                    measured[name][step].append(cost)
    return measured


def _median(costs: list[dict[str, float]], what: str) -> float:
    """ms of one unit."""
    return statistics.median(cost[what] / cost["units"] for cost in costs) * 1000
