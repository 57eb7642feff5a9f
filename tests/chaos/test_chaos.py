"""The delivery engine while everything around it fails: in the end, every delivery has ended, and every
request to a receiver is accounted for.

Receivers refuse, hang up or are slow. Processes are killed with SIGKILL while they work. Calls to DynamoDB
and SQS fail, some in part and some after they took effect. Messages are delivered twice, some at the same
moment. CI runs `make test-chaos EVENTS=50`.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle, pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from local.testing import RunningStack, stack
from patchbay.storage.dynamo import unpack_row
from tests.catalogued import POST
from tests.chaos.faulty_aws import Fault, FaultyAws
from tests.e2e.conftest import Workspace, eventually
from tests.receivers import Answer, Receiver, Request, Step, receiver

EVENTS = int(os.environ.get("CHAOS_EVENTS") or 50)
SEED = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
# All functions on the path of an event from the publisher to the receivers.
DELIVER = ("DeliverFunction", "DeliverSlowFunction")
DISTURBED = ("PublishEventFunction", "FanOutFunction", *DELIVER, "SweepDeliveriesFunction")
QUEUES = ("EventsQueue", "DeliveriesQueue", "SlowDeliveriesQueue")
# Interrupted work is repeated within seconds. As in the template: attempt < function timeout < lease <
# visibility. Retries are due after a second; if jitter makes the wait longer, they are parked.
PARAMETERS: dict[str, object] = {
    "AttemptTimeoutSeconds": 4,
    "DeliverFunctionTimeoutSeconds": 7,
    "DeliveryLeaseSeconds": 8,
    "DeliveryVisibilitySeconds": 9,
    "MaxVisibilityWaitSeconds": 1,
    # A receiver that hangs is probed soon, and its held deliveries end within the time of the test.
    "ProbeSeconds": 1,
    "MaxHoldSeconds": 10,
}
EVENTS_VISIBILITY_SECONDS = 4
RETRIES = {"maxRetries": 2, "backoffMultiplier": 1, "initialDelaySeconds": 1}
BATCH = 10
SHORT = EVENTS < 1000
# The pause between kills. The short form has time for few. A process that dies too often makes no progress.
PAUSE_SECONDS = (1, 3) if SHORT else (2, 8)
MAX_KILLS = 16 if SHORT else 1000
# How long a kill waits for its process to have work.
WAIT_FOR_WORK_SECONDS = 5
# Long enough for a busy machine. A delivery that is lost or stuck never ends.
PATIENCE_SECONDS = 150 if SHORT else 480
PUBLISHERS = 4
DELIVERED = "DELIVERED"
# Kinds that never prove to be fast. They stay in the slow lane, where each attempt is claimed.
ALWAYS_CLAIMED = ("slowest", "hanging")
# Two workers with copies of a message may both read the row before either records its attempt. On a busy
# machine, the later one sends its request this long after the other's record.
AT_ONCE_SECONDS = 1
# How late a receiver's thread may record a request.
LATE_SECONDS = 0.25


# ── receivers ────────────────────────────────────────────────────────────────────────────────────────


def flapping() -> Step:
    """Return a step that fails every other request."""
    answers = cycle((500, 200))
    return lambda _: next(answers)


def throttling() -> Step:
    """Return a step that rejects the first request of each delivery with 429."""
    seen: set[str] = set()

    def answer(request: Request) -> Answer:
        id = request.headers["webhook-id"]
        if id in seen:
            return Answer(200)
        seen.add(id)
        return Answer(429, {"retry-after": "1"})

    return answer


@dataclass(frozen=True)
class Kind:
    """A kind of receiver: the number of webhooks, the answer (None if nothing listens), and how deliveries
    may end: DELIVERED, or the reason of a FAILED one. A request takes `seconds`.
    """

    webhooks: int
    answer: Callable[[], Step] | None
    ends: frozenset[str]
    seconds: int = 0


# Receivers that never answer never prove to be fast. On a busy machine, their deliveries can wait for a
# worker longer than the test holds them.
REFUSED = frozenset({"retries_exhausted:connection_failed", "held_too_long"})
KINDS = {
    "healthy": Kind(8, lambda: 200, frozenset({DELIVERED})),
    # Proves to be fast, and then uses the fast lane …
    "slow": Kind(2, lambda: Answer(delay=1), frozenset({DELIVERED}), 1),
    # … but this one never does.
    "slowest": Kind(2, lambda: Answer(delay=3), frozenset({DELIVERED}), 3),
    "flapping": Kind(3, flapping, frozenset({DELIVERED, "retries_exhausted:http_500"})),
    "throttling": Kind(2, throttling, frozenset({DELIVERED})),
    "dead": Kind(2, None, REFUSED),
    "hanging": Kind(
        1, lambda: Answer(delay=60), frozenset({"retries_exhausted:timeout", "held_too_long"}), 4
    ),
    "dropping": Kind(2, lambda: Answer(hang_up=True), REFUSED),
}


@dataclass
class Hook:
    """A webhook and its receiver."""

    name: str
    kind: str
    inbox: Receiver | None
    url: str
    id: str = ""

    def requests(self) -> dict[str, list[Request]]:
        """Return the received requests by delivery."""
        requests = defaultdict(list)
        for request in self.inbox.requests if self.inbox else ():
            requests[request.headers["webhook-id"]].append(request)
        return requests


@contextmanager
def refusing_address() -> Iterator[str]:
    """Yields a URL that refuses connections. Its port is reserved, so that no other process uses it."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}/hook"


@contextmanager
def receivers() -> Iterator[list[Hook]]:
    """Runs one receiver for each webhook of each kind."""
    hooks = []
    with ExitStack() as listening:
        for name, kind in KINDS.items():
            for number in range(kind.webhooks):
                inbox = listening.enter_context(receiver([kind.answer()])) if kind.answer else None
                url = inbox.url if inbox else listening.enter_context(refusing_address())
                hooks.append(Hook(f"{name}-{number}", name, inbox, url))
        yield hooks


# ── disturbances ─────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Disturbances:
    """Counts of the disturbances besides the faults of the services."""

    kills: Counter[str] = field(default_factory=Counter)
    repeated_publishes: int = 0
    failed_sweeps: int = 0
    brought_forward: int = 0


@contextmanager
def killing(
    running: RunningStack, hooks: Sequence[Hook], chance: random.Random, kills: Counter[str]
) -> Iterator[None]:
    """Repeatedly kill some or all processes of a function that has work. Delivery workers are killed while a
    receiver is handling one of their requests.
    """
    stop = Event()
    turns = cycle(("DeliverSlowFunction", "FanOutFunction", "DeliverFunction", "DeliverFunction"))

    def is_due(function: str) -> bool:
        if function == "FanOutFunction":
            return waiting(running) > BATCH
        return is_answering(hooks, ALWAYS_CLAIMED if function == "DeliverSlowFunction" else ("slow",))

    def kill() -> None:
        for turn, function in enumerate(turns):
            if stop.wait(chance.uniform(*PAUSE_SECONDS)) or kills.total() >= MAX_KILLS:
                return
            # The first turn may wait longer, so that at least one kill interrupts a request.
            until = time.monotonic() + (WAIT_FOR_WORK_SECONDS if turn else PATIENCE_SECONDS)
            while not (due := is_due(function)) and time.monotonic() < until and not stop.wait(0.05):
                pass
            is_slow = function == "DeliverSlowFunction"
            processes = running.pids(function) if due or (waiting(running) and not is_slow) else []
            fewest = len(processes) if is_slow else min(1, len(processes))
            for process in chance.sample(processes, chance.randint(fewest, len(processes))):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                    kills[function] += 1

    thread = Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def is_answering(hooks: Sequence[Hook], kinds: Sequence[str]) -> bool:
    """Return whether a receiver of these kinds is in the first half of an answer."""
    return any(
        hook.inbox and hook.inbox.last_at > time.time() - KINDS[hook.kind].seconds / 2
        for hook in hooks
        if hook.kind in kinds
    )


def audiences(hooks: Sequence[Hook], chance: random.Random) -> list[list[Hook]]:
    """Choose the webhooks of each event: a healthy one and, for half of the events, another one. The first
    events cover each of the others once.
    """
    healthy = [hook for hook in hooks if hook.kind == "healthy"]
    others = [hook for hook in hooks if hook.kind != "healthy"]
    seconds = [[hook] for hook in others]
    seconds += [chance.sample(others, chance.randint(0, 1)) for _ in range(EVENTS - len(others))]
    return [[chance.choice(healthy), *second] for second in seconds]


def publish(http: httpx.Client, audience: Sequence[Hook], done: Disturbances) -> str:
    """Publish an event to these webhooks, repeatedly until the answer is 202. Returns its ID."""
    healthy, *others = audience
    data = {**POST, "accountId": healthy.name, "campaignId": others[0].name if others else None}
    body = {"type": "POST_PUBLISHED", "data": data}
    key = {"idempotency-key": os.urandom(16).hex()}
    # Batches go through the fan-out's worker, single events do not.
    path, sent = random.choice((("/api/events", body), ("/api/events/batch", {"events": [body]})))

    def accepted() -> Any:
        answer = http.post(path, json=sent, headers=key)
        if answer.status_code == 202:
            (item,) = answer.json().get("items", [answer.json()])
            if "id" in item:
                return item["id"]
        # The API answers 429 if the row of the ceilings is throttled.
        assert answer.status_code in (202, 429, 500, 502, 503, 504), answer.text
        done.repeated_publishes += 1
        return None

    return str(eventually(accepted))


def settle(
    running: RunningStack, publishing: Sequence[Future[str]], done: Disturbances
) -> tuple[list[str], list[dict[str, Any]]]:
    """Sweep until every event is published, the queues are empty, and the deliveries have ended. Returns the
    events' IDs and the deliveries' rows.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            running.invoke("SweepDeliveriesFunction")
        except RuntimeError:
            done.failed_sweeps += 1  # its calls fail too; the next sweep continues
        published = [future.result() for future in publishing if future.done()]
        if len(published) == len(publishing) and not waiting(running):
            rows = deliveries(running)
            open_rows = [row for row in rows if row["status"] not in ("DELIVERED", "FAILED", "CANCELLED")]
            if not open_rows:
                return published, rows
            done.brought_forward += bring_forward(running, open_rows)
            assert time.monotonic() < deadline, f"{len(open_rows)} deliveries are stuck: {open_rows[:5]}"
        assert time.monotonic() < deadline, f"{waiting(running)} messages are left in the queues"
        time.sleep(1)


def waiting(running: RunningStack, queues: Sequence[str] = QUEUES) -> int:
    """Return how many messages the queues hold, visible or not."""
    kinds = ("", "NotVisible", "Delayed")
    names = [f"ApproximateNumberOfMessages{kind}" for kind in kinds]
    sqs = running.client("sqs")
    return sum(
        int(number)
        for queue in queues
        for number in sqs.get_queue_attributes(QueueUrl=running.queues[queue], AttributeNames=names)[
            "Attributes"
        ].values()
    )


def bring_forward(running: RunningStack, rows: Sequence[dict[str, Any]]) -> int:
    """Before a sweeper sends a delivery's message, it makes the delivery due again in 15 minutes. If it died
    before it sent the message, make the delivery due now. Returns the number of such deliveries.
    """
    dynamodb, now = running.client("dynamodb"), int(time.time() * 1000)
    late = [row for row in rows if row.get("dueAt", 0) > now + 60_000]
    for row in late:
        dynamodb.update_item(
            TableName=running.tables["DeliveriesTable"],
            Key={"webhookKey": {"S": row["webhookKey"]}, "sk": {"S": row["sk"]}},
            UpdateExpression="SET dueAt = :now",
            ExpressionAttributeValues={":now": {"N": str(now)}},
        )
    return len(late)


def deliveries(running: RunningStack) -> list[dict[str, Any]]:
    """Return the rows of deliveries, each with the number of its failed attempts as `failures`."""
    pages = (
        running.client("dynamodb").get_paginator("scan").paginate(TableName=running.tables["DeliveriesTable"])
    )
    rows = [unpack_row(item) for page in pages for item in page["Items"]]
    failures = Counter(row["sk"].split("#")[1] for row in rows if row["sk"].startswith("try#"))
    return [{**row, "failures": failures[row["sk"]]} for row in rows if row["sk"].startswith("dlv_")]


# ── the accounts ─────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Account:
    """The results of one kind of receiver. Requests without a recorded attempt are `doubled` if their
    delivery had several messages that need no claim, and `unrecorded` otherwise. `violations` lists the
    broken rules.
    """

    deliveries: int = 0
    delivered: int = 0
    failed: int = 0
    attempts: int = 0
    requests: int = 0
    doubled: int = 0
    unrecorded: int = 0
    violations: list[str] = field(default_factory=list)

    def take(self, hook: Hook, row: dict[str, Any], requests: Sequence[Request], aws: FaultyAws) -> None:
        """Add one delivery."""
        delivered = row["status"] == DELIVERED
        listens = hook.inbox is not None
        new_messages = aws.new_messages[row["sk"]]
        # Two workers may have sent it at the same time, and the success of one may have overwritten the
        # failure of the other.
        may_double = new_messages > 1 and hook.kind not in ALWAYS_CLAIMED
        self.deliveries += 1
        self.delivered += delivered
        self.failed += row["status"] == "FAILED"
        self.attempts += row["attempts"]
        self.requests += len(requests)
        surplus = len(requests) - row["attempts"] if listens else 0
        self.doubled += surplus if may_double else 0
        self.unrecorded += 0 if may_double else surplus
        succeeded = row["attempts"] - row["failures"]
        end = DELIVERED if delivered else row.get("reason")
        recorded_at = aws.recorded_at.get(row["sk"], 0) if delivered else float("inf")
        times = sorted(request.at for request in requests)
        broken = {
            "unexpected end": end not in KINDS[hook.kind].ends,
            # A delivery that succeeded is not sent again: one attempt succeeded, and all others failed.
            "not one success": succeeded > delivered or (succeeded < delivered and not may_double),
            "failed too early": end not in (DELIVERED, "held_too_long")
            and row["attempts"] != row["maxAttempts"],
            "an attempt without a request": listens and len(requests) < row["attempts"],
            # Each claim makes at most one request, and so does each new message without a claim.
            "a request without a claim": not delivered and len(requests) > row["claims"] + new_messages,
            "sent after its record": any(
                at > recorded_at + (AT_ONCE_SECONDS if may_double else LATE_SECONDS) for at in times
            ),
            "sent twice at once": not may_double
            and any(then - at < KINDS[hook.kind].seconds - LATE_SECONDS for at, then in pairwise(times)),
            "wrong event": any(request.json()["id"] != row["eventId"] for request in requests),
        }
        self.violations += [
            f"{hook.name}: {rule}: {row}, recorded at {recorded_at}, requests at {times},"
            f" {new_messages} messages"
            for rule, is_broken in broken.items()
            if is_broken
        ]


def accounts_by_kind(
    hooks: Sequence[Hook], rows: Sequence[dict[str, Any]], aws: FaultyAws
) -> dict[str, Account]:
    """Return the accounts by kind of receiver."""
    accounts = {kind: Account() for kind in KINDS}
    by_webhook = defaultdict(list)
    for row in rows:
        by_webhook[row["webhookKey"].rpartition("#")[2]].append(row)
    for hook in hooks:
        requests = hook.requests()
        for row in by_webhook[hook.id]:
            accounts[hook.kind].take(hook, row, requests.pop(row["sk"], []), aws)
        accounts[hook.kind].violations += [
            f"{hook.name}: a request without a delivery: {id}" for id in requests
        ]
    return accounts


def table(accounts: dict[str, Account]) -> str:
    columns = ("deliveries", "delivered", "failed", "attempts", "requests", "doubled", "unrecorded")
    lines = ["receiver    " + "".join(f"{column:>12}" for column in columns)]
    for kind, account in accounts.items():
        lines.append(f"{kind:<12}" + "".join(f"{getattr(account, column):>12}" for column in columns))
    return "\n".join(lines)


def summary(counts: Counter[Any]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items())) or "none"


# ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.timeout(PATIENCE_SECONDS + 120)
def test_every_delivery_ends_and_every_request_is_accounted_for(tmp_path: Path) -> None:
    started = time.monotonic()
    chance, aws, done = random.Random(SEED), FaultyAws(SEED), Disturbances()
    with ExitStack() as cleanup:
        proxy = cleanup.enter_context(receiver([aws]))
        hooks = cleanup.enter_context(receivers())
        through = {"AWS_ENDPOINT_URL_DYNAMODB": proxy.url, "AWS_ENDPOINT_URL_SQS": proxy.url}
        running = cleanup.enter_context(
            stack(tmp_path, parameters=PARAMETERS, variables=dict.fromkeys(DISTURBED, through))
        )
        aws.upstream, aws.fast_queue = running.endpoints, running.queues["DeliveriesQueue"]
        running.client("sqs").set_queue_attributes(
            QueueUrl=running.queues["EventsQueue"],
            Attributes={"VisibilityTimeout": str(EVENTS_VISIBILITY_SECONDS)},
        )
        workspace = Workspace(running)
        for hook in hooks:
            field = "accountId" if hook.kind == "healthy" else "campaignId"
            name_filter = {"path": field, "op": "equals", "value": hook.name}
            hook.id = workspace.webhook(
                hook.url, name=hook.name, filters=[name_filter], retryConfig=RETRIES, disableAfter=1000
            )["id"]
        plan = audiences(hooks, chance)
        http = cleanup.enter_context(
            httpx.Client(
                base_url=running.url,
                headers={"authorization": f"Bearer {workspace.token}"},
                timeout=40,
                trust_env=False,
            )
        )
        publishers = cleanup.enter_context(ThreadPoolExecutor(PUBLISHERS))
        with killing(running, hooks, chance, done.kills):
            publishing = [publishers.submit(publish, http, audience, done) for audience in plan]
            events, rows = settle(running, publishing, done)
        dead_letters = waiting(running, ("EventsDeadLetterQueue", "DeliveriesDeadLetterQueue"))
        output = running.output()
        accounts = accounts_by_kind(hooks, rows, aws)

    timeouts = output.count("(Timeout)")
    errors = sum(f" ERROR   {name} " in line for name in DELIVER for line in output.splitlines())
    print(
        f"\nchaos, seed {SEED}: {EVENTS} events, {len(hooks)} webhooks, {len(rows)} deliveries"
        f" in {time.monotonic() - started:.0f} s\n{table(accounts)}\n"
        f"killed: {summary(done.kills)}; invocations past their timeout: {timeouts}\n"
        f"faults of DynamoDB and SQS: {summary(aws.faults)}; messages sent twice: {summary(aws.copies)}\n"
        f"publishes repeated: {done.repeated_publishes}; sweeps that failed: {done.failed_sweeps},"
        f" retries that were brought forward: {done.brought_forward}; errors logged by the worker: {errors}"
    )
    # No delivery is lost or doubled, …
    assert Counter((row["webhookKey"].rpartition("#")[2], row["eventId"]) for row in rows) == Counter(
        (hook.id, event) for event, audience in zip(events, plan, strict=True) for hook in audience
    )
    assert dead_letters == 0
    # … each one ended as its receiver answers, and a claim explains each request, …
    violations = [violation for account in accounts.values() for violation in account.violations]
    assert not violations, "\n".join(violations[:20])
    # … and each request without a record is explained by a process that died during a batch, a failed call,
    # or a second message.
    doubled = sum(account.doubled for account in accounts.values())
    unrecorded = sum(account.unrecorded for account in accounts.values())
    died = sum(done.kills[name] for name in DELIVER) + timeouts
    assert unrecorded <= BATCH * (died + errors)
    assert doubled <= sum(aws.copies.values()) + BATCH * (died + errors + done.kills["FanOutFunction"])
    # Every kind of disturbance happened.
    assert all(done.kills[name] for name in (*DELIVER, "FanOutFunction"))
    assert len(aws.copies) == 2
    assert set(aws.faults) == set(Fault)
    assert unrecorded
