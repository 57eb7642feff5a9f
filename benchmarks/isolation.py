"""What 9 healthy receivers notice of 1 beside them that hangs: it accepts, and never answers.

Every event goes to all of them. Phases without it and with it take turns. Each time it is a new webhook, so
that the onset, before the engine has noticed, is in the figures. Between phases all comes to rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from benchmarks.engine import POST
from local.testing import stack

HEALTHY = 9
# A batch with a message to the hanging receiver keeps its process for 15 s, as it would a Lambda environment.
# So what the engine does against it has to take effect within PROCESSES / RATE seconds; on Lambda, with the
# template's 50 environments, as much time is left at RATE × 50 / PROCESSES events a second.
RATE = 2.0  # events a second: 20 deliveries, about a third of what two cores do
PROCESSES = 16  # of each function, instead of the runner's 4 on two cores
ROUNDS = 3
WITHOUT_SECONDS = 20
WITH_SECONDS = 40  # the breaker opens on timeouts, so not before 15 s
_STRAGGLERS_SECONDS = 120
_TYPE = "POST_PUBLISHED"
_WARM_UP_TYPE = "POST_FAILED"


@dataclass
class Phase:
    """`arrivals` of the healthy as (published, seconds until it arrived); `lost` did not arrive while we
    waited; `hung` is when the hanging receiver's first attempt came, None without it. Times in Unix seconds.
    """

    arrivals: list[tuple[float, float]] = field(default_factory=list)
    lost: int = 0
    hung: float | None = None

    @property
    def seconds(self) -> list[float]:
        return [seconds for _, seconds in self.arrivals] + [_STRAGGLERS_SECONDS] * self.lost


def run() -> None:
    environment = {"PROCESSES": os.environ.get("PROCESSES") or str(PROCESSES)}
    with (
        tempfile.TemporaryDirectory() as folder,
        _receivers() as receivers,
        stack(Path(folder), environment=environment) as s,
    ):
        api = httpx.Client(
            base_url=s.url, headers={"authorization": f"Bearer {s.token('bench')}"}, timeout=30
        )
        for at in range(HEALTHY):
            _webhook(api, f"healthy {at}", f"{receivers.url}/healthy/{at}", _TYPE)
        warmer = _webhook(api, "warm-up", f"{receivers.url}/slow", _WARM_UP_TYPE)
        for _ in range(12 * int(environment["PROCESSES"])):
            api.post(
                "/api/events", json={"type": _WARM_UP_TYPE, "data": {**POST, "errorCode": "e"}}
            ).raise_for_status()
        _publish(api, receivers, 3)
        api.delete(f"/api/integrations/webhooks/{warmer}").raise_for_status()
        started = len(s.pids("DeliverFunction"))
        without, beside = [], []
        for at in range(ROUNDS):
            without.append(_publish(api, receivers, WITHOUT_SECONDS))
            hanging = _webhook(api, f"hanging {at}", f"{receivers.url}/hang/{at}", _TYPE)
            beside.append(_publish(api, receivers, WITH_SECONDS))
            api.put(
                f"/api/integrations/webhooks/{hanging}/status", json={"status": "INACTIVE"}
            ).raise_for_status()
            receivers.idle()
    print(
        f"{HEALTHY} healthy receivers beside 1 that hangs: {RATE:g} events a second to all of them,"
        f" {ROUNDS} × ({WITHOUT_SECONDS} s without it, {WITH_SECONDS} s with it from its first event on);"
        f" up to {environment['PROCESSES']} delivery processes ({started} warm)"
    )
    for line in report(without, beside):
        print(f"  {line}")


def report(without: list[Phase], beside: list[Phase]) -> list[str]:
    """The figures, in words."""
    lines = []
    p95 = {}
    for name, phases in (("without", without), ("with it", beside)):
        seconds = [value for phase in phases for value in phase.seconds]
        p50, p95[name], p99 = (_percentile(seconds, share) * 1000 for share in (0.5, 0.95, 0.99))
        lost = sum(phase.lost for phase in phases)
        lines.append(
            f"{name}  p50 {p50:6.0f}  p95 {p95[name]:6.0f}  p99 {p99:6.0f} ms, publish to arrival"
            f" ({len(seconds)} deliveries{f', {lost} not within {_STRAGGLERS_SECONDS} s' if lost else ''})"
        )
    lines.append(
        f"healthy p95 with it is {p95['with it'] / p95['without']:.2f} × that without (at most 1.20)"
    )
    for phase in beside:
        own = _percentile(phase.seconds, 0.95) * 1000
        after = recovered(phase, p95["without"] / 1000)
        lines.append(
            f"  p95 {own:6.0f} ms; as without it again {after:.1f} s after the first hanging attempt"
        )
    return lines


def recovered(phase: Phase, normal: float) -> float:
    """From the first hanging attempt to the end of the last second, by the time of publishing, in which the
    median of the healthy was above `normal`; 0 if there was none. All in seconds.
    """
    assert phase.hung is not None
    seconds: dict[int, list[float]] = {}
    for published, taken in phase.arrivals:
        seconds.setdefault(int(published - phase.hung), []).append(taken)
    slow = [at for at, values in seconds.items() if at >= 0 and statistics.median(values) > normal]
    return max(slow) + 1.0 if slow else 0.0


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _webhook(api: httpx.Client, name: str, url: str, event_type: str) -> str:
    answer = api.post("/api/integrations/webhooks", json={"name": name, "url": url, "events": [event_type]})
    answer.raise_for_status()
    return str(answer.json()["id"])


def _publish(api: httpx.Client, receivers: Receivers, seconds: float) -> Phase:
    """Events at the rate, each with the time at which it was due; and what came of them."""
    receivers.take()
    count = int(seconds * RATE)
    begin = time.time()
    for at in range(count):
        due = begin + at / RATE
        time.sleep(max(0.0, due - time.time()))
        api.post("/api/events", json={"type": _TYPE, "data": {**POST, "at": time.time()}}).raise_for_status()
    phase = Phase()
    deadline = time.monotonic() + _STRAGGLERS_SECONDS
    while len(phase.arrivals) < count * HEALTHY and time.monotonic() < deadline:
        time.sleep(0.2)
        arrivals, hung = receivers.take()
        phase.arrivals += [arrival for arrival in arrivals if arrival[0] >= begin]
        phase.hung = phase.hung or hung
    phase.lost = count * HEALTHY - len(phase.arrivals)
    return phase


# ── the receivers, in a process of their own ─────────────────────────────────────────────────────────


@dataclass
class Receivers:
    url: str
    _pipe: Connection

    def take(self) -> tuple[list[tuple[float, float]], float | None]:
        """What came to the healthy since the last call (as in `Phase`), and when it first hung."""
        self._pipe.send("take")
        taken: tuple[list[tuple[float, float]], float | None] = self._pipe.recv()
        return taken

    def idle(self) -> None:
        """Wait until no attempt hangs any more."""
        while True:
            self._pipe.send("open")
            if not self._pipe.recv():
                return
            time.sleep(0.5)


@contextlib.contextmanager
def _receivers() -> Iterator[Receivers]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Receivers(f"http://127.0.0.1:{ours.recv()}", ours)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection) -> None:
    asyncio.run(_serving(pipe))


async def _serving(pipe: Connection) -> None:
    arrivals: list[tuple[float, float]] = []
    first_hung: float | None = None
    hanging = 0

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal first_hung, hanging
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                now = time.time()
                length = int(head.partition("content-length:")[2].partition("\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                path = head.split(" ")[1]
                if path.startswith("/hang"):
                    first_hung = first_hung or now
                    hanging += 1
                    try:
                        await reader.read()  # until the other side gives up
                    finally:
                        hanging -= 1
                    return
                if path.startswith("/slow"):
                    await asyncio.sleep(1)
                elif "at" in body["data"]:
                    arrivals.append((body["data"]["at"], now - body["data"]["at"]))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    def asked() -> None:
        nonlocal first_hung
        if pipe.recv() == "take":
            pipe.send((list(arrivals), first_hung))
            arrivals.clear()
            first_hung = None
        else:
            pipe.send(hanging)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    asyncio.get_running_loop().add_reader(pipe.fileno(), asked)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
