"""Idempotency-Key on requests that create no resource: a retry, a recovery, a test event, an OAuth flow.

`test_idempotency` has the tests of creates, and of the key itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from patchbay.clock import iso, now_ms
from patchbay.deliveries import states
from patchbay.deliveries import store as deliveries
from patchbay.deliveries.models import DeliveryMessage, Status
from patchbay.ids import DeliveryId, EventId, WebhookId
from patchbay.rate_limits import ceilings
from tests.conftest import REDIRECT_URI, Answer, Api, Backend
from tests.integration.oauth_fakes import CALLBACK, CODE, Provider, create_integration, provider, start_flow
from tests.integration.test_idempotency import (
    LEASE_MS,
    Clock,
    assert_in_progress,
    at_call,
    die,
    is_replay,
    key,
    steady,
)
from tests.problems import assert_problem
from tests.receivers import Receiver, receiver
from tests.stored_attempts import stored_attempt

WEBHOOKS = "/api/integrations/webhooks"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("patchbay.idempotency.now_ms", clock)
    return clock


@pytest.fixture(autouse=True)
def one_minute(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    now = now_ms()
    monkeypatch.setattr(ceilings, "_process", ceilings.Ceilings(lambda: now))


@dataclass
class World:
    """The API, and the servers that it calls."""

    api: Api
    backend: Backend
    target: Receiver
    crm: Provider


@pytest.fixture
def world(api: Api, backend: Backend) -> Iterator[World]:
    with receiver([200]) as target, provider() as crm:
        yield World(api, backend, target, crm)


@dataclass
class Operation:
    """A request that is ready to send, and the number of times that it took effect."""

    line: str
    body: Any
    effects: Callable[[], int]


def failed_delivery(world: World) -> tuple[str, str]:
    """(webhook, its failed delivery)."""
    body = {"name": "w", "url": world.target.url, "eventTypes": ["POST_PUBLISHED"]}
    webhook = WebhookId(world.api(f"POST {WEBHOOKS}", json=body).json()["id"])
    now = now_ms() - 60_000
    event = EventId.new(now)
    id = DeliveryId.derived(event, webhook)
    message = DeliveryMessage(id, "acme", webhook, event, "POST_PUBLISHED", None, 0, "c")
    claimed = states.claimed(None, message, now=now, until=now + 1000, max_attempts=4)
    ended = states.ended(claimed, status=Status.FAILED, reason="http_500", attempted=True, now=now)
    deliveries.write(None, claimed)
    deliveries.write(claimed, ended, stored_attempt(now))
    return webhook, id


def retry(world: World) -> Operation:
    webhook, id = failed_delivery(world)

    def effects() -> int:
        stored = deliveries.get("acme", WebhookId(webhook), DeliveryId(id))
        return stored.generation if stored else 0

    return Operation(f"POST {WEBHOOKS}/{webhook}/deliveries/{id}/retry", None, effects)


def recover(world: World) -> Operation:
    webhook, _ = failed_delivery(world)

    def effects() -> int:
        rows = world.backend.rows("HealthTable")
        return sum("recover" in row for row in rows if row["webhookKey"] == f"acme#{webhook}")

    since = iso(datetime.now(UTC) - timedelta(hours=1))
    return Operation(f"POST {WEBHOOKS}/{webhook}/recover", {"since": since}, effects)


def send_test(world: World) -> Operation:
    webhook, _ = failed_delivery(world)
    before = len(world.target.requests)
    return Operation(f"POST {WEBHOOKS}/{webhook}/test", None, lambda: len(world.target.requests) - before)


def initiate(world: World) -> Operation:
    id = create_integration(world.api, world.crm)

    def effects() -> int:
        return sum(row["integrationId"] == id for row in world.backend.rows("OAuthStatesTable"))

    line = f"POST /api/integrations/{id}/oauth/initiate"
    return Operation(line, {"redirectUri": REDIRECT_URI}, effects)


def complete(world: World) -> Operation:
    id = create_integration(world.api, world.crm)
    state = start_flow(world.api, id)["state"]

    def effects() -> int:
        rows = world.backend.rows("ConnectionsTable")
        return sum(row.get("integrationId") == id and "createdAt" in row for row in rows)

    return Operation(CALLBACK, {"state": state, "code": CODE}, effects)


OPERATIONS = (retry, recover, send_test, initiate, complete)
operations = pytest.mark.parametrize("prepare", OPERATIONS, ids=lambda prepare: prepare.__name__)


def calls_of(world: World, prepare: Callable[[World], Operation]) -> int:
    """The number of AWS calls that the operation makes."""
    send(world, prepare(world), "warm")
    operation = prepare(world)
    with at_call(100, "before", die) as hook:
        send(world, operation, "counted")
    assert len(hook.calls) >= 3
    return len(hook.calls)


def send(world: World, operation: Operation, key_text: str) -> Answer:
    return world.api(operation.line, json=operation.body, headers=key(key_text))


@operations
def test_repeated_operation_returns_the_first_response(
    world: World, prepare: Callable[[World], Operation]
) -> None:
    operation = prepare(world)
    first = send(world, operation, "one")
    assert first.status in (200, 202), first.text
    assert not is_replay(first)
    again = send(world, operation, "one")
    assert is_replay(again)
    assert (again.status, again.text) == (first.status, first.text)
    assert operation.effects() == 1
    (row,) = [row for row in world.backend.rows("IdempotencyTable") if "answer" in row]
    assert row["answer"].startswith("v1."), "encrypted"
    if "state" in first.json():
        assert first.json()["state"] not in repr(world.backend.rows("IdempotencyTable"))
    if operation.body is not None:
        other = {**operation.body, next(iter(operation.body)): "2026-01-01T00:00:00Z"}
        answer = world.api(operation.line, json=other, headers=key("one"))
        assert_problem(answer, 422, "idempotency_mismatch")


def test_rejected_operation_frees_the_key(world: World) -> None:
    operation = retry(world)
    status = operation.line.replace("POST", "PUT").partition("/deliveries/")[0] + "/status"
    assert world.api(status, json={"status": "INACTIVE"}).status == 200
    assert_problem(send(world, operation, "one"), 409)
    assert world.api(status, json={"status": "ACTIVE"}).status == 200
    assert send(world, operation, "one").status == 202


def test_recovery_without_deliveries_is_repeated_too(world: World) -> None:
    operation = recover(world)
    body = {"since": iso(datetime.now(UTC) - timedelta(seconds=1))}
    first = world.api(operation.line, json=body, headers=key("none"))
    assert first.json() == {"queued": 0}
    assert is_replay(world.api(operation.line, json=body, headers=key("none")))
    assert operation.effects() == 0


@steady
@operations
@pytest.mark.parametrize("moment", ["before", "after"])
def test_operation_succeeds_after_a_process_died_at_any_call(
    world: World, clock: Clock, prepare: Callable[[World], Operation], moment: str
) -> None:
    """A test event may be sent again, because a receiver cannot join a transaction. A flow whose state is
    consumed must start again.
    """
    for number in range(calls_of(world, prepare)):
        operation, name = prepare(world), f"at {number}"
        with at_call(number, moment, die):
            first = send(world, operation, name)
        soon = send(world, operation, name)
        if first.status == 500 and soon.status not in (200, 202):
            assert_in_progress(soon)
        clock.ahead_ms += LEASE_MS + 1000
        later = send(world, operation, name)
        if prepare is complete and later.status == 422:
            assert_problem(later, 422, None, "Start a new flow", paths=["state"])
            assert operation.effects() == 0
            continue
        assert later.status in (200, 202), later.text
        assert 1 <= operation.effects() <= (2 if prepare is send_test else 1)
        repeated = send(world, operation, name)
        assert is_replay(repeated)
        assert repeated.text == later.text


@steady
@operations
def test_concurrent_operations_have_one_effect(world: World, prepare: Callable[[World], Operation]) -> None:
    """A second request runs completely before each of the first one's AWS calls."""
    for number in range(calls_of(world, prepare)):
        operation, name = prepare(world), f"at {number}"
        with at_call(number, "before", lambda o=operation, n=name: send(world, o, n)) as other:  # type: ignore[misc]
            answers = [send(world, operation, name), other.answer]
        successes = {answer.text for answer in answers if answer.status in (200, 202)}
        assert len(successes) == 1
        for answer in answers:
            if answer.status not in (200, 202):
                assert_in_progress(answer)
        assert operation.effects() == 1
        assert {send(world, operation, name).text} == successes
