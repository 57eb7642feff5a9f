"""A workspace's slow token endpoint does not affect other workspaces, and its calls are limited."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import pytest

from patchbay import vault
from patchbay.clock import now_ms
from patchbay.ids import ConnectionId, IntegrationId
from patchbay.integrations import store as integrations_store
from patchbay.integrations.stored_integration import Task
from patchbay.oauth import maintenance, provider_calls, store
from patchbay.oauth.maintenance import RunSummary, run_due
from patchbay.oauth.refresh import expire
from patchbay.storage import due_index, dynamo
from tests.conftest import OWNER, Api, Backend, jwt_for
from tests.conftest import Answer as ApiAnswer
from tests.faults import Clock, failing, killed, one_at_a_time, watched
from tests.integration.oauth_fakes import (
    INTEGRATIONS,
    Provider,
    complete_flow,
    connect,
    connection_count,
    connection_rows,
    create_integration,
    get_token,
    provider,
    start_flow,
    token_answer,
)
from tests.problems import assert_problem
from tests.receivers import Answer, Request

SLOW_OWNER = jwt_for("slow")
HOUR = 3600
DELAY = 0.6


class SlowScript:
    """Answers codes immediately; delays refreshes and revocations. `max_concurrent` is their peak number."""

    def __init__(self) -> None:
        self.delay = DELAY
        self.max_concurrent = 0
        self._waiting = 0
        self._lock = threading.Lock()

    def token(self, request: Request) -> Answer:
        if b"authorization_code" in request.body:
            return token_answer(1)
        return self._delayed(token_answer(2))

    def revoke(self, _: Request) -> Answer:
        return self._delayed(Answer(200))

    def _delayed(self, answer: Answer) -> Answer:
        with self._lock:
            self._waiting += 1
            self.max_concurrent = max(self.max_concurrent, self._waiting)
        time.sleep(self.delay)
        with self._lock:
            self._waiting -= 1
        return answer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one_at_a_time(monkeypatch)
    monkeypatch.setattr(provider_calls, "SLOW_SECONDS", 0.3)
    return Clock(monkeypatch)


@pytest.fixture
def slow_script() -> SlowScript:
    return SlowScript()


@pytest.fixture
def slow_provider(slow_script: SlowScript) -> Iterator[Provider]:
    with provider([slow_script.token], [slow_script.revoke]) as slow_provider:
        yield slow_provider


@pytest.fixture
def crm() -> Iterator[Provider]:
    with provider() as crm:
        yield crm


def copy_connection(workspace: str, id: str, names: list[str], *, shard: int | None = None) -> None:
    """Store copies of the connection `default` and its tokens, encrypted for the ID of each copy."""
    from patchbay.integrations.client import client_for
    from patchbay.oauth.tokens import decrypt_tokens, with_tokens

    integration = integrations_store.get(workspace, IntegrationId(id))
    first = store.get(workspace, IntegrationId(id), "default")
    assert integration is not None
    assert first is not None
    tokens, encrypt, oauth = decrypt_tokens(first), vault.encryptor(workspace), client_for(integration).oauth
    for name in names:
        new_id = ConnectionId.new(now_ms())
        while shard is not None and due_index.shard_of(new_id) != shard:
            new_id = ConnectionId.new(now_ms())
        bare = dataclasses.replace(first, id=new_id, name=name)
        store.connect(with_tokens(bare, oauth, tokens, encrypt, now_ms()), None, [])


def row(backend: Backend, name: str) -> dict[str, Any]:
    (row,) = (row for row in connection_rows(backend) if row["name"] == name)
    return row


def run_maintenance(seconds: float = 30) -> RunSummary:
    """Run maintenance, which starts jobs for that many seconds."""
    end = time.monotonic() + 30 + seconds
    return run_due(lambda: round((end - time.monotonic()) * 1000))


def refresh(api: Api, id: str, name: str, token: str = SLOW_OWNER) -> ApiAnswer:
    body = {"connectionId": name}
    return api(f"POST {INTEGRATIONS}/{id}/oauth/refresh", json=body, token=token)


# ── maintenance ──────────────────────────────────────────────────────────────────────────────────────


def test_slow_refreshes_do_not_delay_due_jobs_of_another_workspace(
    api: Api,
    backend: Backend,
    clock: Clock,
    slow_script: SlowScript,
    slow_provider: Provider,
    crm: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The slow workspace's jobs have been due for longer, and are in each shard of the index. The run
    completes all jobs of the healthy workspace, but not all of the slow one.
    """
    monkeypatch.setattr(maintenance, "_SLOW_BUDGET_SECONDS", 1.0)
    attack = create_integration(api, slow_provider, token=SLOW_OWNER)
    connect(api, attack, token=SLOW_OWNER)
    copy_connection("slow", attack, [f"c{n}" for n in range(80)])
    clock.move(1)
    id = create_integration(api, crm)
    connect(api, id)
    copy_connection("acme", id, ["refreshed", "removed", "expired"], shard=due_index.SHARDS[-1])
    with killed("dynamodb.TransactWriteItems", after=True):
        api(f"DELETE {INTEGRATIONS}/{id}/connections/removed")
    expired = store.get("acme", IntegrationId(id), "expired")
    assert expired is not None
    with failing("sqs.SendMessage", error="refused"):
        expire(expired, "invalid_grant", "test")
    clock.move(HOUR)

    run_maintenance(seconds=3)
    assert [form["refresh_token"] for form in crm.token_requests[1:]] == ["refresh-1-0a3b"] * 2
    assert row(backend, "refreshed")["tokensVersion"] == 2
    assert len(crm.revocations) == 1
    remaining = {row["name"] for row in connection_rows(backend) if id in row["integrationKey"]}
    assert remaining == {"default", "refreshed", "expired"}
    assert "dueAt" not in row(backend, "expired")
    assert len(backend.messages("EventsQueue")) == 1
    # The run makes two calls at a time until the workspace has used up its budget.
    assert slow_script.max_concurrent == 2
    assert len(slow_provider.token_requests) - 1 <= 6
    assert connection_count(api, id) == 3


def test_long_task_of_one_workspace_does_not_delay_refreshes_of_another(
    api: Api, backend: Backend, clock: Clock, crm: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = create_integration(api, crm)
    connect(api, id)
    clock.move(HOUR)
    was_refreshed = []

    def long(*_: Any) -> bool:
        time.sleep(0.8)
        was_refreshed.append(row(backend, "default")["tokensVersion"] == 2)
        return True

    monkeypatch.setattr(maintenance, "_expire_connections", long)
    dynamo.transact([integrations_store.add_task_action(Task("expire", "slow", IntegrationId.new(now_ms())))])
    assert run_maintenance() == RunSummary(connections=1, tasks=1)
    assert was_refreshed == [True]


def test_short_lived_token_is_refreshed_every_five_minutes_and_on_demand(
    api: Api, backend: Backend, clock: Clock
) -> None:
    with provider([token_answer(1, expires_in=1)]) as crm:
        id = create_integration(api, crm)
        connect(api, id)
        for _ in range(20):
            clock.move(60)
            run_maintenance()
        assert len(crm.token_requests) == 1 + 4
        clock.move(30)
        for _ in range(2):
            assert get_token(api, id).status == 200
            clock.move(1)
        assert len(crm.token_requests) == 1 + 4 + 2


def test_overlapping_runs_refresh_each_connection_once(
    api: Api, backend: Backend, clock: Clock, slow_script: SlowScript, slow_provider: Provider
) -> None:
    id = create_integration(api, slow_provider)
    connect(api, id)
    copy_connection("acme", id, ["a", "b", "c"])
    clock.move(HOUR)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: run_maintenance(), range(3)))
    run_maintenance()
    assert len(slow_provider.token_requests) == 1 + 4
    assert {row["tokensVersion"] for row in connection_rows(backend) if row["name"] != "calls"} == {2}


# ── the ceiling ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxConnections=2)
def test_ceiling_of_connections_per_workspace(
    api: Api, backend: Backend, clock: Clock, crm: Provider
) -> None:
    id, other = create_integration(api, crm), create_integration(api, crm)
    connect(api, id)
    connect(api, other, "b")
    started = start_flow(api, id, connectionId="c")
    assert_problem(complete_flow(api, started["state"]), 409, None, "limit of 2 connections")
    assert len(crm.revocations) == 1, "the grant that was not stored"
    assert connection_count(api, id) == 1
    connect(api, id)  # replacing a connection is always possible
    assert (
        connect(api, create_integration(api, crm, token=SLOW_OWNER), token=SLOW_OWNER)["status"] == "ACTIVE"
    )

    # A removal decrements the count once, however often it is retried.
    with killed("dynamodb.TransactWriteItems", at=2, after=True):
        api(f"DELETE {INTEGRATIONS}/{id}/connections/default")
    api(f"DELETE {INTEGRATIONS}/{id}/connections/default")
    run_maintenance()
    connect(api, id, "c")
    assert_problem(complete_flow(api, start_flow(api, id, connectionId="d")["state"]), 409)


@pytest.mark.parameters(MaxConnections=1)
def test_ceiling_counts_connections_with_credentials(api: Api) -> None:
    body = {"name": "Mail", "type": "CUSTOM", "provider": "own"}
    id = api(f"POST {INTEGRATIONS}", json=body).json()["id"]

    def create(name: str) -> ApiAnswer:
        body = {"connectionId": name, "credentials": {"apiKey": "k"}}
        return api(f"POST {INTEGRATIONS}/{id}/connections", json=body)

    assert create("a").status == 201
    assert_problem(create("b"), 409)
    assert create("a").status == 201
    assert api(f"DELETE {INTEGRATIONS}/{id}/connections/a").status == 200
    assert create("b").status == 201


@pytest.mark.parameters(MaxConnections=1)
def test_connections_older_than_the_ceiling_count_once_they_are_connected_again(
    api: Api, backend: Backend, clock: Clock, crm: Provider
) -> None:
    id = create_integration(api, crm)
    client = backend.client("dynamodb")
    for name in ("a", "b"):
        connect(api, id, name)
        client.update_item(
            TableName=backend.template.name("ConnectionsTable"),
            Key={"integrationKey": {"S": f"acme#{id}"}, "name": {"S": name}},
            UpdateExpression="REMOVE counted",
        )
        client.update_item(
            TableName=backend.template.name("IntegrationsTable"),
            Key={"workspaceId": {"S": "acme"}, "sk": {"S": "count"}},
            UpdateExpression="REMOVE connections",
        )
    assert api(f"DELETE {INTEGRATIONS}/{id}/connections/a").status == 200  # does not lower the count
    connect(api, id, "c")
    connect(api, id, "b")  # although the workspace is at its ceiling
    assert api(f"DELETE {INTEGRATIONS}/{id}/connections/c").status == 200
    assert_problem(complete_flow(api, start_flow(api, id, connectionId="d")["state"]), 409)
    assert api(f"DELETE {INTEGRATIONS}/{id}/connections/b").status == 200
    connect(api, id, "d")


# ── the limit on slow calls ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def attack(api: Api, clock: Clock, slow_provider: Provider) -> str:
    """Create an integration with 12 more connections, in a workspace that was just marked as slow."""
    id = create_integration(api, slow_provider, token=SLOW_OWNER)
    connect(api, id, token=SLOW_OWNER)
    copy_connection("slow", id, [f"c{n}" for n in range(12)])
    assert refresh(api, id, "default").status == 200
    return id


def test_slow_workspace_has_four_concurrent_calls_and_others_fail_at_once(
    api: Api, backend: Backend, attack: str, slow_script: SlowScript, crm: Provider
) -> None:
    slow_script.delay = 2.0
    with ThreadPoolExecutor(12) as pool:
        futures = [pool.submit(refresh, api, attack, f"c{n}") for n in range(12)]
        answers = [future.result() for future in as_completed(futures)]
    assert [answer.status for answer in answers] == [502] * 8 + [200] * 4
    assert slow_script.max_concurrent == 4
    for answer in answers[:8]:
        assert_problem(answer, 502, "upstream_failed", "This workspace's providers respond slowly")
        assert answer.headers["retry-after"] == "10"
    assert row(backend, "calls").keys() == {"integrationKey", "name", "slowUntil"}, "all permits are released"
    # Calls of other workspaces are not limited.
    id = create_integration(api, crm)
    connect(api, id)
    assert refresh(api, id, "default", OWNER).status == 200


def take_all_permits(lease_ms: int) -> None:
    for _ in range(4):
        assert store.acquire_permit("slow", "calls", now_ms(), lease_ms)


def test_without_a_permit_a_valid_token_is_served_and_nothing_waits(
    api: Api, backend: Backend, clock: Clock, attack: str, slow_provider: Provider
) -> None:
    before = len(slow_provider.requests)
    clock.move(HOUR - 5 * 60)  # due, and valid for five minutes
    store.mark_slow("slow", "calls", clock.now + provider_calls.SLOW_FOR_MS)
    take_all_permits(30_000)
    answer = get_token(api, attack, "c1", token=SLOW_OWNER)
    assert (answer.status, answer.json()["accessToken"]) == (200, "access-1-7d1f")

    started = start_flow(api, attack, connectionId="new", token=SLOW_OWNER)
    callback = complete_flow(api, started["state"], token=SLOW_OWNER)
    assert_problem(callback, 502, "upstream_failed")
    assert callback.headers["retry-after"] == "10"

    assert api(f"DELETE {INTEGRATIONS}/{attack}/connections/c2", token=SLOW_OWNER).status == 200
    assert row(backend, "c2")["status"] == "REVOKED"
    assert run_maintenance().connections == 0
    assert len(slow_provider.requests) == before
    # The callers that took the permits died, and their leases end.
    clock.move(31)
    run_maintenance()
    assert len(slow_provider.revocations) == 1
    assert "c2" not in {row["name"] for row in connection_rows(backend)}
    assert get_token(api, attack, "c1", token=SLOW_OWNER).json()["accessToken"] == "access-2-7d1f"


def test_requests_of_a_slow_workspace_do_not_wait_for_a_refresh(
    api: Api, clock: Clock, attack: str, slow_script: SlowScript
) -> None:
    clock.move(HOUR)
    store.mark_slow("slow", "calls", clock.now + provider_calls.SLOW_FOR_MS)
    slow_script.delay = 1.5
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(get_token, api, attack, "c1", token=SLOW_OWNER)
        time.sleep(0.5)
        started = time.monotonic()
        second = get_token(api, attack, "c1", token=SLOW_OWNER)
        assert time.monotonic() - started < 0.8
        assert_problem(second, 502, "upstream_failed")
        assert first.result().status == 200


def test_workspace_is_marked_slow_while_the_call_hangs_and_recovers_in_five_minutes(
    api: Api, backend: Backend, clock: Clock, slow_script: SlowScript, slow_provider: Provider
) -> None:
    id = create_integration(api, slow_provider, token=SLOW_OWNER)
    connect(api, id, token=SLOW_OWNER)
    slow_script.delay = 1.0
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(refresh, api, id, "default")
        time.sleep(0.7)
        assert row(backend, "calls")["slowUntil"] == clock.now + provider_calls.SLOW_FOR_MS
        assert hanging.result().status == 200
    slow_script.delay = 0
    for moved, permit_writes in ((provider_calls.SLOW_FOR_MS / 1000 - 1, 2), (1, 0)):
        clock.move(moved)
        backend.calls.clear()
        with watched("dynamodb.UpdateItem") as updates:
            assert refresh(api, id, "default").status == 200
        # A healthy refresh writes the lease, the tokens and both logs. A permit is two more writes.
        table = backend.template.name("ConnectionsTable")
        assert [call["TableName"] for call in updates].count(table) == 1 + permit_writes
        assert backend.calls.count["dynamodb.BatchGetItem"] == 1
        assert backend.calls.count["dynamodb.PutItem"] == 3
    assert backend.calls.count["dynamodb.GetItem"] == 0
