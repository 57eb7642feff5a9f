"""How attacks by one workspace affect a healthy one. Each attack runs on a new stack.

The healthy workspace has three webhooks that have proved fast, and publishes four events a second: first
alone, then during the attack, starting with the attack's first event. Meanwhile it adds new webhooks, to
measure how long the first delivery of each takes. At the end, all deliveries of the attacker are accounted
for, by their rows and by the messages in the queues.

`.venv/bin/python -m benchmarks neighbours [slow-75 …]` runs all attacks, or those that you name.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from benchmarks.engine import POST
from benchmarks.loopback import Behavior, Receivers, receivers
from local.testing import RunningStack, stack

_T = TypeVar("_T")

PROCESSES = 12  # of each function, instead of the runner's 4 on two cores
MAX_RATIO = 1.5  # of the p95 during an attack to the p95 alone
ALONE_SECONDS = 20
EVERY = 0.25  # seconds between the healthy workspace's events
HEALTHY = 3  # webhooks of the healthy workspace, which receive all its events
NEWCOMERS = 3  # new webhooks in each phase
STRAGGLERS_SECONDS = 90
_TYPE, _NEW_TYPE = "POST_PUBLISHED", "CAMPAIGN_STARTED"
_CAMPAIGN = {"campaignId": "cmp_1", "name": "Spring"}
_QUEUES = ("EventsQueue", "DeliveriesQueue", "SlowDeliveriesQueue")


# ── workspaces ───────────────────────────────────────────────────────────────────────────────────────


class Tenant:
    """A workspace, as its owner uses it over HTTP. Its receivers are the group of its name."""

    def __init__(self, running: RunningStack, at: Receivers, name: str) -> None:
        self.name = name
        self.receivers = at
        self.webhooks: list[str] = []
        self.published = 0
        self.per_event = 0  # webhooks that receive each event; 0 means all
        self._api = httpx.Client(
            base_url=running.url, headers={"authorization": f"Bearer {running.token(name)}"}, timeout=60
        )

    def call(self, method: str, path: str, body: object = None) -> httpx.Response:
        return self._api.request(method, path, json=body)

    def subscribe(self, *, type: str = _TYPE, group: str = "", **settings: object) -> httpx.Response:
        """Add a webhook, whose receiver joins the group."""
        number = len(self.webhooks)
        url = f"{self.receivers.url}/{group or self.name}/{number}"
        body = {"name": f"{number}", "url": url, "eventTypes": [type], "disableAfter": 1000, **settings}
        answer = self.call("POST", "/api/integrations/webhooks", body)
        if answer.is_success:
            self.webhooks.append(answer.json()["id"])
        return answer

    def subscribe_many(self, count: int, **settings: Any) -> None:
        for _ in range(count):
            self.subscribe(**settings).raise_for_status()

    def publish(self, at: float, *, type: str = _TYPE, data: Any = POST) -> bool:
        """Publish an event with `at` in its data. Returns False if the API did not accept it."""
        try:
            answer = self.call("POST", "/api/events", {"type": type, "data": {**data, "at": at}})
        except httpx.TransportError:
            return False
        self.published += answer.is_success
        return answer.is_success


@dataclass(frozen=True)
class Scene:
    """An attack's workspaces."""

    running: RunningStack
    receivers: Receivers
    healthy: Tenant
    attacker: Tenant


# ── attacks ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class Attack:
    """`says` is its description in the report."""

    says: str
    seconds: float = 40

    def prepare(self, scene: Scene) -> None:
        """Prepares the attack; not measured."""

    def strike(self, scene: Scene, stop: threading.Event) -> None:
        """Runs the attack until it is stopped."""


@dataclass(frozen=True, kw_only=True)
class Flood(Attack):
    """Repeated events to many webhooks: to all of them, or to each of their `groups` in turn. With `proved`,
    the webhooks have answered fast before.
    """

    webhooks: int
    behavior: Behavior
    every: float = 1
    groups: int = 1
    proved: bool = False

    def prepare(self, scene: Scene) -> None:
        scene.attacker.per_event = self.webhooks // self.groups
        for number in range(self.webhooks):
            wanted = {"path": "campaignId", "op": "equals", "value": f"group {number % self.groups}"}
            scene.attacker.subscribe(filters=[wanted] if self.groups > 1 else []).raise_for_status()
        if self.proved:
            _prove_fast(scene.attacker, self.webhooks)

    def strike(self, scene: Scene, stop: threading.Event) -> None:
        scene.receivers.behave(scene.attacker.name, self.behavior)
        for number, at in enumerate(_ticks(self.every, stop)):
            scene.attacker.publish(at, data={**POST, "campaignId": f"group {number % self.groups}"})


@dataclass(frozen=True, kw_only=True)
class Inside(Attack):
    """A receiver that hangs gets the healthy workspace's own events, along with its healthy receivers."""

    def strike(self, scene: Scene, stop: threading.Event) -> None:
        scene.receivers.behave("hanging", "hang")
        scene.healthy.subscribe(group="hanging").raise_for_status()
        stop.wait()


@dataclass(frozen=True, kw_only=True)
class Retries(Attack):
    """A webhook with failed deliveries hangs, and its owner retries them manually."""

    failed: int = 80
    every: float = 0.2

    def prepare(self, scene: Scene) -> None:
        scene.receivers.behave(scene.attacker.name, "refuse")
        scene.attacker.subscribe_many(1, retryConfig={"maxRetries": 0})
        for at in range(self.failed):
            scene.attacker.publish(at)
        _until(lambda: len(self._failed(scene)) >= self.failed, "all deliveries have failed")

    def strike(self, scene: Scene, stop: threading.Event) -> None:
        scene.receivers.behave(scene.attacker.name, "hang")
        ids = self._failed(scene)
        for number, _ in enumerate(_ticks(self.every, stop)):
            # The API rejects this for a delivery that is being sent.
            scene.attacker.call("POST", f"{self._path(scene)}/{ids[number % len(ids)]}/retry")

    def _failed(self, scene: Scene) -> list[str]:
        page = scene.attacker.call("GET", f"{self._path(scene)}?status=FAILED&limit=100")
        return [delivery["id"] for delivery in page.raise_for_status().json()["items"]]

    def _path(self, scene: Scene) -> str:
        return f"/api/integrations/webhooks/{scene.attacker.webhooks[0]}/deliveries"


@dataclass(frozen=True, kw_only=True)
class FanOut(Attack):
    """Many events at once. Each is compared with large filters that no event passes."""

    webhooks: int = 500
    events: int = 100

    def prepare(self, scene: Scene) -> None:
        filters = [
            {"path": f"mediaUrls.{number}", "op": "in", "value": [f"urn:x:{'x' * 8}{n}" for n in range(45)]}
            for number in range(10)
        ]
        for number in range(self.webhooks):
            answer = scene.attacker.subscribe(filters=filters)
            if not answer.is_success:
                print(f"    webhook {number + 1} was rejected: {answer.status_code} {answer.text[:200]}")
                break

    def strike(self, scene: Scene, stop: threading.Event) -> None:
        # Each event passes all filters but the last.
        urls = [f"urn:x:{'x' * 8}44"] * 9
        events = [{"type": _TYPE, "data": {**POST, "mediaUrls": urls, "at": at}} for at in range(self.events)]
        for first in range(0, len(events), 50):
            scene.attacker.call("POST", "/api/events/batch", {"events": events[first : first + 50]})
        stop.wait()


# A workspace gets 30 deliveries to new webhooks in 14 s, so each of these floods is several times above that.
# At higher rates, the emulated SQS saturates the machine, because its calls scan all messages of a queue.
ATTACKS: dict[str, Attack] = {
    "inside": Inside(says="a new webhook that hangs, in the healthy workspace itself"),
    "slow-20": Flood(
        says="20 new webhooks that answer 200 after 14 s, an event a second", webhooks=20, behavior="slow"
    ),
    "slow-75": Flood(
        says="75 new webhooks that answer 200 after 14 s, an event every 2 s",
        webhooks=75,
        behavior="slow",
        every=2,
    ),
    "slow-300": Flood(
        says="300 new webhooks that answer 200 after 14 s, an event to 20 of them every second",
        webhooks=300,
        groups=15,
        behavior="slow",
        every=1,
    ),
    # Not an attack: the machine's own limit for this number of deliveries, as the baseline for slow-300.
    "fast-300": Flood(
        says="300 new webhooks that answer at once, an event to 20 of them every second",
        webhooks=300,
        groups=15,
        behavior="fast",
        every=1,
    ),
    "turning-20": Flood(
        says="20 webhooks that have proved fast, and answer after 14 s from now on, an event a second",
        webhooks=20,
        behavior="slow",
        proved=True,
        seconds=60,
    ),
    "turning-75": Flood(
        says="75 webhooks that have proved fast, and answer after 14 s from now on, an event every 2 s",
        webhooks=75,
        behavior="slow",
        every=2,
        proved=True,
        seconds=60,
    ),
    "dripping": Flood(
        says="40 new webhooks that answer 200 and drip the body, an event a second",
        webhooks=40,
        behavior="drip",
    ),
    "hanging": Flood(
        says="40 new webhooks that never answer, an event a second", webhooks=40, behavior="hang"
    ),
    "retries": Retries(says="80 failed deliveries of a webhook that hangs, retried by hand 5 times a second"),
    "fan-out": FanOut(says="100 events at once, each compared with 500 webhooks' filters"),
}


# ── one attack ───────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Phase:
    """`arrivals` are the healthy workspace's deliveries as (publish time, seconds until arrival). `lost`
    counts those that did not arrive in time, or were rejected. `newcomers` has the seconds until the first
    delivery of each new webhook. `cpu` is the busy share of the machine, or None if unknown.
    """

    begin: float = 0
    arrivals: list[tuple[float, float]] = field(default_factory=list)
    lost: int = 0
    newcomers: list[float] = field(default_factory=list)
    cpu: float | None = None

    @property
    def seconds(self) -> list[float]:
        return [seconds for _, seconds in self.arrivals] + [STRAGGLERS_SECONDS] * self.lost


@dataclass
class Ending:
    """The attacker's deliveries: `expected` in all, `rows` by status, `waiting` messages in the queues, and
    `dead` ones in the dead-letter queues.
    """

    expected: int
    rows: Counter[str]
    waiting: int
    dead: int

    @property
    def lost(self) -> int:
        """How many deliveries have no row and cannot be in a queue."""
        return max(self.expected - self.rows.total() - self.waiting, 0)


@dataclass
class Result:
    alone: Phase
    beside: Phase
    ending: Ending


def run(names: Sequence[str] = ()) -> None:
    for name in names or ATTACKS:
        attack = ATTACKS[name]
        print(f"{name}: {attack.says}", flush=True)
        for line in report(measure(attack, say=_say)):
            print(f"  {line}", flush=True)


def _say(text: str) -> None:
    print(f"    {time.strftime('%H:%M:%S')} {text}", flush=True)


def measure(attack: Attack, *, say: Callable[[str], None] = lambda text: None) -> Result:
    """Run an attack on a new stack, with all processes warm."""
    processes = int(os.environ.get("PROCESSES") or PROCESSES)
    with (
        tempfile.TemporaryDirectory() as folder,
        receivers() as at,
        stack(Path(folder), **bounds(processes)) as running,
    ):
        scene = Scene(running, at, Tenant(running, at, "healthy"), Tenant(running, at, "attacker"))
        say(f"warm up {processes} processes of each worker")
        _warm_up(scene, processes)
        return measure_on(scene, attack, say=say)


def bounds(processes: int) -> dict[str, Any]:
    """The settings of a stack with this many processes of each worker. A workspace gets a quarter of the slow
    lane.
    """
    return {
        "environment": {"PROCESSES": str(processes)},
        "parameters": {"SlowDeliveryConcurrency": processes},
    }


def measure_on(
    scene: Scene,
    attack: Attack,
    *,
    alone_seconds: float = ALONE_SECONDS,
    say: Callable[[str], None] = lambda text: None,
) -> Result:
    """Measure the healthy workspace without the attack and during it."""
    scene.healthy.subscribe_many(HEALTHY)
    _prove_fast(scene.healthy, HEALTHY)
    say("prepare the attack")
    attack.prepare(scene)
    say(f"alone, {alone_seconds:g} s")
    alone = _phase(scene, alone_seconds)
    say(f"beside it, {attack.seconds:g} s")
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        striking = pool.submit(attack.strike, scene, stop)
        try:
            beside = _phase(scene, attack.seconds)
        finally:
            stop.set()
        striking.result()
    say("count")
    return Result(alone, beside, _ending(scene))


def _phase(scene: Scene, seconds: float) -> Phase:
    """Publish the healthy workspace's events, each when it is due, and measure when they arrive."""
    phase, healthy = Phase(begin=time.time()), scene.healthy
    busy, before = _cpu(), 0
    scene.receivers.arrivals(healthy.name)
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    with ThreadPoolExecutor(1) as pool:
        newcomers = pool.submit(_newcomers, scene, seconds / (NEWCOMERS + 1), stop)
        published = 0
        for at in _ticks(EVERY, stop):
            before += 1
            published += healthy.publish(at)
        phase.cpu = _share(busy, _cpu())
        deadline = time.monotonic() + STRAGGLERS_SECONDS
        arrived: dict[tuple[str, float], float] = {}
        while len(arrived) < published * HEALTHY and time.monotonic() < deadline:
            time.sleep(0.2)
            arrived |= {
                key: came - key[1]
                for key, came in scene.receivers.arrivals(healthy.name).items()
                if key[1] >= phase.begin
            }
        phase.newcomers = newcomers.result()
    phase.arrivals = [(at, seconds) for (_, at), seconds in arrived.items()]
    phase.lost = before * HEALTHY - len(arrived)
    return phase


def _newcomers(scene: Scene, every: float, stop: threading.Event) -> list[float]:
    """Measure the first deliveries of new webhooks of the healthy workspace, from publish to arrival."""
    taken: list[float] = []
    tenant = Tenant(scene.running, scene.receivers, scene.healthy.name)
    while len(taken) < NEWCOMERS and not stop.wait(every):
        tenant.subscribe(type=_NEW_TYPE, group="newcomers").raise_for_status()
        scene.receivers.arrivals("newcomers")
        at = time.time()
        tenant.publish(at, type=_NEW_TYPE, data=_CAMPAIGN)
        arrivals = _until(lambda: scene.receivers.arrivals("newcomers"), "", STRAGGLERS_SECONDS) or {}
        taken.append(min(arrivals.values(), default=at + STRAGGLERS_SECONDS) - at)
        tenant.call("DELETE", f"/api/integrations/webhooks/{tenant.webhooks[-1]}")
    return taken


def _ending(scene: Scene) -> Ending:
    sqs = scene.running.client("sqs")

    def messages(queue: str) -> int:
        url = scene.running.queues[queue]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return sum(
            int(value) for name, value in attributes.items() if name.startswith("ApproximateNumberOfMessages")
        )

    attacker = scene.attacker
    events, *waiting = map(messages, _QUEUES)
    dead = sum(messages(queue) for queue in scene.running.queues if "DeadLetter" in queue)
    pages = (
        scene.running.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=scene.running.tables["DeliveriesTable"],
            FilterExpression="begins_with(webhookKey, :own) AND attribute_exists(#status)",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":own": {"S": f"{attacker.name}#"}},
        )
    )
    rows = Counter(row["status"]["S"] for page in pages for row in page["Items"])
    fan_out = attacker.per_event or len(attacker.webhooks)
    return Ending(attacker.published * fan_out, rows, sum(waiting) + events * fan_out, dead)


def _warm_up(scene: Scene, processes: int) -> None:
    """Start the processes of both lanes, and let each deliver once, because on Lambda a starting process
    takes no CPU from the others.
    """
    functions = scene.running.client("lambda")
    with ThreadPoolExecutor(2 * processes) as pool:
        for function in ["DeliverFunction", "DeliverSlowFunction"] * processes:
            pool.submit(functions.invoke, FunctionName=function, Payload=b'{"Records": []}')
    scene.receivers.behave("warm", "second")
    tenants = [Tenant(scene.running, scene.receivers, f"warm-{number}") for number in range(4)]
    for tenant in tenants:
        tenant.subscribe_many(processes, group="warm")
    for _ in ("slow lane", "fast lane"):
        for tenant in tenants:
            tenant.publish(time.time())
            tenant.publish(time.time())
        arrived = 0

        def all_have_arrived() -> bool:
            nonlocal arrived
            arrived += len(scene.receivers.arrivals("warm"))
            return arrived >= 2 * processes * len(tenants)

        _until(all_have_arrived, "the processes are warm")


def _prove_fast(tenant: Tenant, webhooks: int) -> None:
    """Let all webhooks prove fast, so that they use the fast lane."""
    tenant.receivers.arrivals(tenant.name)
    names: set[str] = set()
    tenant.publish(time.time())

    def all_have_answered() -> bool:
        names.update(name for name, _ in tenant.receivers.arrivals(tenant.name))
        return len(names) >= webhooks

    _until(all_have_answered, "all webhooks have answered")
    time.sleep(1.5)  # until their health is stored, and the last batch has ended


def _ticks(every: float, stop: threading.Event) -> Iterator[float]:
    """Yield a time every `every` seconds, when it is reached."""
    at = time.time()
    while not stop.wait(max(at - time.time(), 0)):
        yield at
        at += every


def _until(probe: Callable[[], _T], description: str, seconds: float = 60) -> _T | None:
    """Return the first truthy result of the probe. After the time, return None, or raise TimeoutError if
    there is a `description`.
    """
    deadline = time.monotonic() + seconds
    while not (result := probe()):
        if time.monotonic() > deadline:
            if not description:
                return None
            raise TimeoutError(f"not within {seconds:g} s: {description}")
        time.sleep(0.05)
    return result


def _cpu() -> tuple[int, int] | None:
    """The machine's busy and total CPU time so far; None without Linux's /proc."""
    with contextlib.suppress(OSError):
        user, nice, system, idle, wait, *rest = map(
            int, Path("/proc/stat").read_text().splitlines()[0].split()[1:8]
        )
        return user + nice + system + sum(rest), user + nice + system + idle + wait + sum(rest)
    return None


def _share(before: tuple[int, int] | None, after: tuple[int, int] | None) -> float | None:
    return (after[0] - before[0]) / max(after[1] - before[1], 1) if before and after else None


# ── report ───────────────────────────────────────────────────────────────────────────────────────────


def report(result: Result) -> list[str]:
    """The figures as text."""
    lines, p95 = [], {}
    for name, phase in (("alone", result.alone), ("beside", result.beside)):
        p50, p95[name], p99 = (percentile(phase.seconds, share) * 1000 for share in (0.5, 0.95, 0.99))
        new = ", ".join(f"{seconds * 1000:.0f}" for seconds in phase.newcomers)
        cpu = "" if phase.cpu is None else f"; CPU {phase.cpu:.0%} busy"
        lines.append(
            f"{name:6}  p50 {p50:6.0f}  p95 {p95[name]:6.0f}  p99 {p99:6.0f} ms from publish to arrival"
            f" ({len(phase.seconds)} deliveries); new webhooks {new} ms{cpu}"
        )
    lost = result.alone.lost + result.beside.lost
    ratio = p95["beside"] / p95["alone"]
    verdict = f"p95 beside is {ratio:.2f} × alone (at most {MAX_RATIO}); {lost} undelivered"
    if ratio > MAX_RATIO:
        normal = MAX_RATIO * p95["alone"] / 1000
        verdict += f"; recovered {recovered(result.beside, normal):.0f} s after the start"
        verdict += f"; medians of each 5 s: {', '.join(f'{s * 1000:.0f}' for s in _course(result.beside))} ms"
    ending = result.ending
    rows = ", ".join(f"{count} {status}" for status, count in sorted(ending.rows.items()))
    attacker = (
        f"attacker: {ending.expected} deliveries: {rows or 'no rows'}; {ending.waiting} messages waiting,"
        f" {ending.dead} dead letters, {ending.lost} lost"
    )
    return [*lines, verdict, attacker]


def _course(phase: Phase) -> list[float]:
    """The median of each five seconds of the phase, by publish time."""
    parts: dict[int, list[float]] = {}
    for published, taken in phase.arrivals:
        parts.setdefault(int(published - phase.begin) // 5, []).append(taken)
    return [statistics.median(parts[part]) for part in sorted(parts)]


def recovered(phase: Phase, normal: float) -> float:
    """The end of the last second of the phase, by publish time, in which the median of the healthy workspace
    was above `normal`; 0 if there was none. All values are in seconds.
    """
    seconds: dict[int, list[float]] = {}
    for published, taken in phase.arrivals:
        seconds.setdefault(int(published - phase.begin), []).append(taken)
    slow = [second for second, values in seconds.items() if statistics.median(values) > normal]
    return max(slow) + 1.0 if slow else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
