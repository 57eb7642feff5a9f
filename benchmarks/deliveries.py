"""CPU of publish, fan-out and delivery, step by step and warm. To compare with another commit in the same
run:

git worktree add ../before COMMIT
AGAINST=../before .venv/bin/python -m benchmarks deliveries

The figures exclude the data services and the receiver, which are other processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.stack import SLOW, receivers
from local.settings import ROOT

ROUNDS = 40
SPREAD = 50  # receivers, whose connections all stay open
_WARM_UP = 3
STEPS = {
    "publish": "POST /api/events, API key",
    "fan-out": "an event in a fan-out of 10",
    "fan-out alone": "an event in a fan-out of 1",
    "10": "a delivery in a batch of 10",
    "1": "a delivery alone",
    "spread": f"a delivery of 10, to {SPREAD} receivers",
}
# Steps of a phase take turns, so that noise affects all equally. The last phase leaves many connections open.
_PHASES = (("publish", "fan-out", "fan-out alone", "10", "1"), ("slow",), ("spread",))


class Side:
    """The engine of one tree, in its own process."""

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
            raise RuntimeError("the engine under test exited; see its error above")
        cost: dict[str, float] = json.loads(answer)
        return cost


@contextlib.contextmanager
def targets() -> Iterator[list[str]]:
    """The receivers of a side: one, one that takes half a second, and many."""
    with receivers(2 + SPREAD) as (one, slow, *many):
        yield [one, slow.replace("/hook", SLOW), *many]


@contextlib.contextmanager
def side(tree: Path, urls: list[str]) -> Iterator[Side]:
    running = Side(tree, urls)
    try:
        yield running
    finally:
        assert running.process.stdin is not None
        running.process.stdin.close()
        running.process.wait(60)


def run() -> None:
    against = os.environ.get("AGAINST")
    trees = {"here": ROOT} | ({"there": Path(against).resolve()} if against else {})
    with contextlib.ExitStack() as stack:
        urls = stack.enter_context(targets())
        sides = {name: stack.enter_context(side(tree, urls)) for name, tree in trees.items()}
        measured = measure(sides, ROUNDS)
    print(
        f"CPU of each step in ms, warm, median of {ROUNDS} rounds in turn (of which the event loop's thread)"
    )
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


def measure(sides: Mapping[str, Side], rounds: int) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Return the costs of all rounds by side and step."""
    measured: dict[str, dict[str, list[dict[str, float]]]] = {
        name: {step: [] for phase in _PHASES for step in phase} for name in sides
    }
    for phase in _PHASES:
        for number in range(_WARM_UP + (5 if phase == ("slow",) else rounds)):
            for step in phase:
                for name, side in sides.items():
                    cost = side.measure(step)
                    if number >= _WARM_UP:
                        measured[name][step].append(cost)
    return measured


def median(costs: list[dict[str, float]], kind: str) -> float:
    """The median per unit, in ms."""
    return statistics.median(cost[kind] / cost["units"] for cost in costs) * 1000
