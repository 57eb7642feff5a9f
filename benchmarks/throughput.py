"""CPU of a delivery through the whole local stack, by function, and its latency. To compare with another
commit in the same run:

git worktree add ../before COMMIT
AGAINST=../before .venv/bin/python -m benchmarks throughput

The CPU includes the processes of the functions, but not the emulated AWS, the runner, the publisher or the
receiver.

Run as a program, this file is one side: it runs the stack of the working directory, which may be another
commit's, reads commands from stdin and answers on stdout. It needs only `local.testing.stack` and the API of
that commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from local.testing import RunningStack

SHAPES = {1: 300, 10: 60, 50: 20}  # webhooks of an event → events of a round
ROUNDS = 3
CALLERS = 16
RATE = 10  # events per second in the latency part, each to one webhook
RATE_SECONDS = 20
_LIMIT_SECONDS = 180
_TYPES = {1: "POST_PUBLISHED", 10: "CAMPAIGN_STARTED", 50: "CAMPAIGN_COMPLETED"}
_DATA = {
    "postId": "post_1",
    "network": "instagram",
    "campaignId": "cmp_1",
    "name": "Spring",
    "text": "x" * 500,
}
_FUNCTIONS = ("PublishEventFunction", "FanOutFunction", "DeliverFunction", "DeliverSlowFunction")
_TICK = os.sysconf("SC_CLK_TCK")


def run() -> None:
    root = Path(__file__).resolve().parent.parent
    against = os.environ.get("AGAINST")
    trees = {"here": root} | ({"there": Path(against).resolve()} if against else {})
    with contextlib.ExitStack() as stack:
        sides = {name: stack.enter_context(_side(root, tree)) for name, tree in trees.items()}
        costs: dict[tuple[str, int], list[dict[str, float]]] = {}
        for number in range(ROUNDS):
            for shape in SHAPES:
                for name, side in sides.items():
                    print(f"  round {number + 1} of {ROUNDS}: {shape} webhooks, {name}", file=sys.stderr)
                    costs.setdefault((name, shape), []).append(_ask(side, "shape", shape))
        latency = {name: _ask(side, "latency") for name, side in sides.items()}
    print(f"CPU of functions in ms per delivery, median of {ROUNDS} rounds in turn, {CALLERS} publishers")
    for shape in SHAPES:
        means = {name: _median(costs[name, shape]) for name in sides}
        for name, mean in means.items():
            parts = "  ".join(
                f"{function.removesuffix('Function')} {mean[function]:.2f}" for function in _FUNCTIONS
            )
            print(
                f"  {shape:3} webhooks  {name:5}  {mean['cpu']:6.2f}   {parts}   {mean['rate']:5.0f} a second"
            )
        if against:
            print(f"  {shape:3} webhooks  there/here {means['there']['cpu'] / means['here']['cpu']:.1f}")
    print(f"publish to arrival at {RATE} events per second, 1 webhook each, ms")
    for name, taken in latency.items():
        print(f"  {name:5}  p50 {taken['p50']:.0f}  p95 {taken['p95']:.0f}")


def _median(costs: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(cost[name] for cost in costs) for name in costs[0]}


@contextlib.contextmanager
def _side(root: Path, tree: Path) -> Iterator[subprocess.Popen[str]]:
    tools = {"MINISTACK": str(root / ".tools/ministack/bin/ministack")}
    process = subprocess.Popen(
        [sys.executable, __file__],
        cwd=tree,
        env={**tools, **os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)


def _ask(side: subprocess.Popen[str], *command: object) -> dict[str, float]:
    assert side.stdin is not None
    assert side.stdout is not None
    print(*command, file=side.stdin, flush=True)
    if not (answer := side.stdout.readline()):
        raise RuntimeError("the stack under test exited; see its error above")
    cost: dict[str, float] = json.loads(answer)
    return cost


# ── one side ─────────────────────────────────────────────────────────────────────────────────────────


def serve() -> None:
    """Answer commands. `shape N` publishes a round of events to N webhooks each, and answers with the CPU of
    a delivery in ms, in total and by function. `latency` answers with percentiles in ms.
    """
    from local.testing import stack

    answers = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryDirectory() as folder, _receiver() as receiver, stack(Path(folder)) as running:
        side = _Side(running, receiver)
        for shape in SHAPES:
            side.warm_up(shape)
        for line in sys.stdin:
            command, _, argument = line.partition(" ")
            answer = side.shape(int(argument)) if command == "shape" else side.latency()
            print(json.dumps(answer), file=answers, flush=True)


class _Side:
    def __init__(self, running: RunningStack, receiver: _Receiver) -> None:
        self._running, self._receiver = running, receiver
        token = running.token("bench")
        limits = httpx.Limits(max_connections=CALLERS)
        self._api = httpx.Client(
            base_url=running.url, headers={"authorization": f"Bearer {token}"}, timeout=30, limits=limits
        )
        for shape, event_type in _TYPES.items():
            for number in range(shape):
                url = f"{receiver.url}/{shape}/{number}"
                body = {"name": f"bench {shape} {number}", "url": url, "eventTypes": [event_type]}
                self._api.post("/api/integrations/webhooks", json=body).raise_for_status()
        terms = {"rateLimitPerHour": 1_000_000, "rateLimitPerDay": 1_000_000}
        answer = self._api.post(
            "/api/integrations/api-keys", json={"name": "bench", "scopes": ["events:publish"], **terms}
        )
        answer.raise_for_status()
        self._api.headers["authorization"] = f"Bearer {answer.json()['key']}"

    def warm_up(self, shape: int) -> None:
        """Start with single events: a webhook's first delivery may use another lane than later ones."""
        for events in (1, 1, CALLERS):
            self._publish(shape, events)

    def shape(self, webhooks: int) -> dict[str, float]:
        events, before, started = SHAPES[webhooks], self._cpu(), time.monotonic()
        self._publish(webhooks, events)
        seconds, after, count = time.monotonic() - started, self._cpu(), events * webhooks
        by_function = {name: (after[name] - before[name]) / count for name in _FUNCTIONS}
        return {"cpu": sum(by_function.values()), "rate": count / seconds, **by_function}

    def latency(self) -> dict[str, float]:
        self._receiver.take()
        started = time.time()
        for number in range(RATE * RATE_SECONDS):
            time.sleep(max(0.0, started + number / RATE - time.time()))
            self._send(1)
        latencies = sorted(self._wait(RATE * RATE_SECONDS))
        return {
            "p50": latencies[len(latencies) // 2] * 1000,
            "p95": latencies[len(latencies) * 95 // 100] * 1000,
        }

    def _publish(self, shape: int, events: int) -> None:
        """Publish events, and wait until all deliveries have arrived and are recorded."""
        self._receiver.take()
        with ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(self._send, [shape] * events))
        self._wait(events * shape)
        time.sleep(0.5)

    def _send(self, shape: int) -> None:
        body = {"type": _TYPES[shape], "data": {**_DATA, "at": time.time()}}
        self._api.post("/api/events", json=body).raise_for_status()

    def _wait(self, count: int) -> list[float]:
        """Wait for `count` deliveries, and return their seconds from publish to arrival."""
        latencies: list[float] = []
        deadline = time.monotonic() + _LIMIT_SECONDS
        while len(latencies) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {len(latencies)} of {count} deliveries arrived")
            time.sleep(0.05)
            latencies += self._receiver.take()
        return latencies

    def _cpu(self) -> Counter[str]:
        """The CPU time of each function's processes so far, in ms."""
        spent: Counter[str] = Counter()
        for name in _FUNCTIONS:
            for pid in self._running.pids(name):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                spent[name] += (int(fields[11]) + int(fields[12])) * 1000 // _TICK
        return spent


class _Receiver:
    def __init__(self, port: int, pipe: Connection) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._pipe = pipe

    def take(self) -> list[float]:
        """The seconds from publish to arrival of the deliveries since the last call."""
        self._pipe.send(None)
        taken: list[float] = self._pipe.recv()
        return taken


@contextlib.contextmanager
def _receiver() -> Iterator[_Receiver]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_receive, args=(theirs,), daemon=True)
    process.start()
    try:
        yield _Receiver(ours.recv(), ours)
    finally:
        process.terminate()
        process.join()


def _receive(pipe: Connection) -> None:
    asyncio.run(_receiving(pipe))


async def _receiving(pipe: Connection) -> None:
    taken: list[float] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                now = time.time()
                length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
                taken.append(now - json.loads(await reader.readexactly(length))["data"]["at"])
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        writer.close()

    def on_command() -> None:
        pipe.recv()
        pipe.send(list(taken))
        taken.clear()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    asyncio.get_running_loop().add_reader(pipe.fileno(), on_command)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    sys.path[0] = os.getcwd()  # instead of this folder
    serve()
