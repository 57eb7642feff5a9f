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
from patchbay.integrations.store import Task
from patchbay.oauth import calls, maintenance, store
from patchbay.oauth.maintenance import RunSummary, run_due
from patchbay.oauth.refresh import expire
from patchbay.storage import due_index, dynamo
from tests.conftest import OWNER, Api, Backend, jwt_for
from tests.conftest import Answer as ApiAnswer
from tests.faults import Clock, failing, killed, one_at_a_time, watched
from tests.integration.oauth_fakes import (
    INTEGRATIONS,
    Provider,
    begin,
    bring_back,
    connect,
    count,
    integrate,
    provider,
    refused,
    rows,
    token_of,
    tokens,
)
from tests.receivers import Answer, Request

SLOW_OWNER = jwt_for("slow")
HOUR = 3600
DELAY = 0.6


class SlowProvider:
    """Answers codes at once and refreshes (and revocations) late; `most` is how many waited at once."""

    def __init__(self) -> None:
        self.delay = DELAY
        self.most = 0
        self._waiting = 0
        self._lock = threading.Lock()

    def token(self, request: Request) -> Answer:
        if b"authorization_code" in request.body:
            return tokens(1)
        return self._late(tokens(2))

    def revoke(self, _: Request) -> Answer:
        return self._late(Answer(200))

    def _late(self, answer: Answer) -> Answer:
        with self._lock:
            self._waiting += 1
            self.most = max(self.most, self._waiting)
        time.sleep(self.delay)
        with self._lock:
            self._waiting -= 1
        return answer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one_at_a_time(monkeypatch)
    monkeypatch.setattr(calls, "SLOW_SECONDS", 0.3)
    return Clock(monkeypatch)


@pytest.fixture
def slow() -> SlowProvider:
    return SlowProvider()


@pytest.fixture
def dear(slow: SlowProvider) -> Iterator[Provider]:
    with provider([slow.token], [slow.revoke]) as made:
        yield made


@pytest.fixture
def crm() -> Iterator[Provider]:
    with provider() as made:
        yield made


def multiply(workspace: str, id: str, names: list[str], *, shard: int | None = None) -> None:
    """More connections like `default`, with its tokens, each sealed under its own id."""
    from patchbay.integrations.client import client_of
    from patchbay.oauth.tokens import tokens_of, with_tokens

    integration = integrations_store.get(workspace, IntegrationId(id))
    first = store.get(workspace, IntegrationId(id), "default")
    assert integration is not None
    assert first is not None
    held, seal, oauth = tokens_of(first), vault.sealer(workspace), client_of(integration).oauth
    for name in names:
        new_id = ConnectionId.new(now_ms())
        while shard is not None and due_index.shard_of(new_id) != shard:
            new_id = ConnectionId.new(now_ms())
        bare = dataclasses.replace(first, id=new_id, name=name)
        store.connect(with_tokens(bare, oauth, held, seal, now_ms()), None, [])


def row(backend: Backend, name: str) -> dict[str, Any]:
    (found,) = (row for row in rows(backend) if row["name"] == name)
    return found


def schedule(seconds: float = 30) -> RunSummary:
    """A run that begins work for so many seconds."""
    end = time.monotonic() + 30 + seconds
    return run_due(lambda: round((end - time.monotonic()) * 1000))


def refresh(api: Api, id: str, name: str, token: str = SLOW_OWNER) -> ApiAnswer:
    body = {"connectionId": name}
    return api(f"POST {INTEGRATIONS}/{id}/oauth/refresh", json=body, token=token)


# ── the schedule ─────────────────────────────────────────────────────────────────────────────────────


def test_hundreds_of_slow_refreshes_delay_nothing_that_is_due_for_another_workspace(
    api: Api,
    backend: Backend,
    clock: Clock,
    slow: SlowProvider,
    dear: Provider,
    crm: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Theirs are due longer, and there are some in each shard of the index. All of the healthy one's is done
    in a run in which not all of theirs could be.
    """
    monkeypatch.setattr(maintenance, "_SHARE_SECONDS", 1.0)
    attack = integrate(api, dear, token=SLOW_OWNER)
    connect(api, attack, token=SLOW_OWNER)
    multiply("slow", attack, [f"c{n}" for n in range(80)])
    clock.move(1)
    id = integrate(api, crm)
    connect(api, id)
    multiply("acme", id, ["refreshed", "removed", "expired"], shard=due_index.SHARDS[-1])
    with killed("dynamodb.TransactWriteItems", after=True):
        api(f"DELETE {INTEGRATIONS}/{id}/connections/removed")
    expired = store.get("acme", IntegrationId(id), "expired")
    assert expired is not None
    with failing("sqs.SendMessage", error="refused"):
        expire(expired, "invalid_grant", "so it is")
    clock.move(HOUR)

    schedule(seconds=3)
    assert [form["refresh_token"] for form in crm.token_requests[1:]] == ["refresh-1-0a3b"] * 2
    assert row(backend, "refreshed")["tokensVersion"] == 2
    assert len(crm.revocations) == 1
    kept = {row["name"] for row in rows(backend) if id in row["integrationKey"]}
    assert kept == {"default", "refreshed", "expired"}
    assert "dueAt" not in row(backend, "expired")
    assert len(backend.messages("EventsQueue")) == 1
    # Two at a time, until the workspace has had its share.
    assert slow.most == 2
    assert len(dear.token_requests) - 1 <= 6
    assert count(api, id) == 3


def test_a_long_task_of_one_workspace_does_not_delay_the_refreshes_of_another(
    api: Api, backend: Backend, clock: Clock, crm: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = integrate(api, crm)
    connect(api, id)
    clock.move(HOUR)
    refreshed_first = []

    def long(*_: Any) -> bool:
        time.sleep(0.8)
        refreshed_first.append(row(backend, "default")["tokensVersion"] == 2)
        return True

    monkeypatch.setattr(maintenance, "_expire_all", long)
    dynamo.transact([integrations_store.adding_task(Task("expire", "slow", IntegrationId.new(now_ms())))])
    assert schedule() == RunSummary(connections=1, tasks=1)
    assert refreshed_first == [True]


def test_a_token_that_lives_for_a_second_is_refreshed_every_five_minutes_and_on_demand(
    api: Api, backend: Backend, clock: Clock
) -> None:
    with provider([tokens(1, expires_in=1)]) as crm:
        id = integrate(api, crm)
        connect(api, id)
        for _ in range(20):
            clock.move(60)
            schedule()
        assert len(crm.token_requests) == 1 + 4
        clock.move(30)
        for _ in range(2):
            assert token_of(api, id).status == 200
            clock.move(1)
        assert len(crm.token_requests) == 1 + 4 + 2


def test_runs_that_overlap_refresh_each_connection_once(
    api: Api, backend: Backend, clock: Clock, slow: SlowProvider, dear: Provider
) -> None:
    id = integrate(api, dear)
    connect(api, id)
    multiply("acme", id, ["a", "b", "c"])
    clock.move(HOUR)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: schedule(), range(3)))
    schedule()
    assert len(dear.token_requests) == 1 + 4
    assert {row["tokensVersion"] for row in rows(backend) if row["name"] != "calls"} == {2}


# ── the ceiling ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxConnections=2)
def test_a_workspace_has_so_many_connections_and_no_more(
    api: Api, backend: Backend, clock: Clock, crm: Provider
) -> None:
    id, other = integrate(api, crm), integrate(api, crm)
    connect(api, id)
    connect(api, other, "b")
    begun = begin(api, id, connectionId="c")
    detail = refused(bring_back(api, begun["state"]), 409, "conflict")
    assert "2 connections, its ceiling" in detail
    assert len(crm.revocations) == 1, "the grant that could not be stored"
    assert count(api, id) == 1
    connect(api, id)  # replacing a connection needs no room
    assert connect(api, integrate(api, crm, token=SLOW_OWNER), token=SLOW_OWNER)["status"] == "ACTIVE"

    # A removal makes room once, however often it is tried.
    with killed("dynamodb.TransactWriteItems", at=2, after=True):
        api(f"DELETE {INTEGRATIONS}/{id}/connections/default")
    api(f"DELETE {INTEGRATIONS}/{id}/connections/default")
    schedule()
    connect(api, id, "c")
    refused(bring_back(api, begin(api, id, connectionId="d")["state"]), 409, "conflict")


@pytest.mark.parameters(MaxConnections=1)
def test_credentials_are_connections_too(api: Api) -> None:
    body = {"name": "Mail", "type": "CUSTOM", "provider": "own"}
    id = api(f"POST {INTEGRATIONS}", json=body).json()["id"]

    def create(name: str) -> ApiAnswer:
        own = {"connectionId": name, "credentials": {"apiKey": "k"}}
        return api(f"POST {INTEGRATIONS}/{id}/connections", json=own)

    assert create("a").status == 201
    refused(create("b"), 409, "conflict")
    assert create("a").status == 201
    assert api(f"DELETE {INTEGRATIONS}/{id}/connections/a").status == 200
    assert create("b").status == 201


@pytest.mark.parameters(MaxConnections=1)
def test_connections_from_before_the_ceiling_count_once_they_are_connected_again(
    api: Api, backend: Backend, clock: Clock, crm: Provider
) -> None:
    id = integrate(api, crm)
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
    connect(api, id, "b")  # though the workspace is full
    assert api(f"DELETE {INTEGRATIONS}/{id}/connections/c").status == 200
    refused(bring_back(api, begin(api, id, connectionId="d")["state"]), 409, "conflict")
    assert api(f"DELETE {INTEGRATIONS}/{id}/connections/b").status == 200
    connect(api, id, "d")


# ── a bound of slow calls ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def attack(api: Api, clock: Clock, dear: Provider) -> str:
    """An integration with 12 connections, whose workspace has just been found to be slow."""
    id = integrate(api, dear, token=SLOW_OWNER)
    connect(api, id, token=SLOW_OWNER)
    multiply("slow", id, [f"c{n}" for n in range(12)])
    assert refresh(api, id, "default").status == 200
    return id


def test_a_slow_workspace_has_four_calls_open_at_once_and_the_others_are_told_at_once(
    api: Api, backend: Backend, attack: str, slow: SlowProvider, crm: Provider
) -> None:
    slow.delay = 2.0
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(refresh, api, attack, f"c{n}") for n in range(12)]
        answers = [future.result() for future in as_completed(asked)]
    assert [answer.status for answer in answers] == [502] * 8 + [200] * 4
    assert slow.most == 4
    busy = answers[:8]
    assert {refused(answer, 502, "upstream_failed")[:36] for answer in busy} == {
        "The providers of this workspace answ"
    }
    assert {answer.headers["retry-after"] for answer in busy} == {"10"}
    assert row(backend, "calls").keys() == {"integrationKey", "name", "slowUntil"}, "all permits given back"
    # Another workspace's calls are not counted.
    id = integrate(api, crm)
    connect(api, id)
    assert refresh(api, id, "default", OWNER).status == 200


def take_all_permits(lease_ms: int) -> None:
    for _ in range(4):
        assert store.acquire_permit("slow", now_ms(), lease_ms)


def test_without_a_permit_a_good_token_is_served_and_nothing_else_waits(
    api: Api, backend: Backend, clock: Clock, attack: str, dear: Provider
) -> None:
    before = len(dear.requests)
    clock.move(HOUR - 5 * 60)  # due, and good for five minutes
    store.mark_slow("slow", clock.now + calls.SLOW_FOR_MS)
    take_all_permits(30_000)
    answer = token_of(api, attack, "c1", token=SLOW_OWNER)
    assert (answer.status, answer.json()["accessToken"]) == (200, "access-1-7d1f")

    begun = begin(api, attack, connectionId="new", token=SLOW_OWNER)
    callback = bring_back(api, begun["state"], token=SLOW_OWNER)
    refused(callback, 502, "upstream_failed")
    assert callback.headers["retry-after"] == "10"

    assert api(f"DELETE {INTEGRATIONS}/{attack}/connections/c2", token=SLOW_OWNER).status == 200
    assert row(backend, "c2")["status"] == "REVOKED"
    assert schedule().connections == 0
    assert len(dear.requests) == before
    # The callers that took the permits died; their leases end.
    clock.move(31)
    schedule()
    assert len(dear.revocations) == 1
    assert "c2" not in {row["name"] for row in rows(backend)}
    assert token_of(api, attack, "c1", token=SLOW_OWNER).json()["accessToken"] == "access-2-7d1f"


def test_nobody_waits_for_the_refresh_of_a_slow_workspace(
    api: Api, clock: Clock, attack: str, slow: SlowProvider
) -> None:
    clock.move(HOUR)
    store.mark_slow("slow", clock.now + calls.SLOW_FOR_MS)
    slow.delay = 1.5
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(token_of, api, attack, "c1", token=SLOW_OWNER)
        time.sleep(0.5)
        began = time.monotonic()
        second = token_of(api, attack, "c1", token=SLOW_OWNER)
        assert time.monotonic() - began < 0.8
        refused(second, 502, "upstream_failed")
        assert first.result().status == 200


def test_a_workspace_is_marked_while_the_call_still_hangs_and_recovers_in_five_minutes(
    api: Api, backend: Backend, clock: Clock, slow: SlowProvider, dear: Provider
) -> None:
    id = integrate(api, dear, token=SLOW_OWNER)
    connect(api, id, token=SLOW_OWNER)
    slow.delay = 1.0
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(refresh, api, id, "default")
        time.sleep(0.7)
        assert row(backend, "calls")["slowUntil"] == clock.now + calls.SLOW_FOR_MS
        assert hanging.result().status == 200
    slow.delay = 0
    for moved, permit_writes in ((calls.SLOW_FOR_MS / 1000 - 1, 2), (1, 0)):
        clock.move(moved)
        backend.calls.clear()
        with watched("dynamodb.UpdateItem") as updates:
            assert refresh(api, id, "default").status == 200
        # A healthy refresh takes the lease and writes the tokens and the log; a permit is two writes more.
        table = backend.template.name("ConnectionsTable")
        assert [call["TableName"] for call in updates].count(table) == 1 + permit_writes
        assert backend.calls.count["dynamodb.BatchGetItem"] == 1
        assert backend.calls.count["dynamodb.PutItem"] == 2
    assert backend.calls.count["dynamodb.GetItem"] == 0
