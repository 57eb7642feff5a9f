"""The erasure of a workspace: complete, resumable, and limited to that workspace."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest

from patchbay.clock import now_ms
from patchbay.deliveries.models import DeliveryMessage
from patchbay.events.models import EventMessage
from patchbay.ids import (
    ConnectSessionId,
    DeliveryId,
    EventId,
    FlowId,
    FlowRunId,
    IntegrationId,
    LogId,
    PortalSessionId,
    RunId,
    TaskId,
    WebhookId,
)
from patchbay.oauth import maintenance, provider_calls
from patchbay.settings import Settings, settings
from patchbay.storage import dynamo
from patchbay.workspaces import erasure
from tests.catalogued import POST
from tests.conftest import LAMBDA_CONTEXT, Answer, Api, Backend, jwt_for
from tests.faults import Clock, Killed, Source, cold_start
from tests.integration.test_marketplace import OFFER, add_connection, decide
from tests.problems import assert_problem
from tests.wire import CallHook, Params, around_calls

# One ID is a prefix of the other, so a query by prefix would reach both.
ERASED, NEIGHBOR = "ws_1", "ws_10"
MARKER = "marker-7f31"
WORKERS = ("refresh_connections", "run_workspace_tasks")
HOUR = 3_600
DAY_MS = 24 * HOUR * 1000
TASK = {
    "type": "webhook.replay",
    "status": "FAILED",
    "webhookId": WebhookId.new(1),
    "createdAt": 1,
    "updatedAt": 1,
}


class World:
    """Two workspaces with data in every table, and a clock."""

    def __init__(self, backend: Backend, api: Api, clock: Clock) -> None:
        self.backend, self.clock, self._api = backend, clock, api

    def api(self, line: str, workspace: str = ERASED, **more: Any) -> Answer:
        claims = {"exp": self.clock.now // 1000 + 600, "sub": f"{workspace}-{MARKER}"}
        rights = {"role": more.pop("role", "owner")}
        return self._api(line, token=jwt_for(workspace, claims=claims, **rights), **more)

    def start(self) -> Any:
        answer = self.api(f"DELETE /api/workspace?confirm={ERASED}")
        assert answer.status == 202, answer.text
        assert answer.headers["location"] == f"/api/tasks/{answer.json()['id']}"
        return answer.json()

    def work(self, workers: Sequence[str] = WORKERS) -> None:
        """Move the clock to the task's next due time, and run the workers of the schedules."""
        self.clock.move(max(60, (self.task()["dueAt"] - self.clock.now) / 1000))
        context = SimpleNamespace(**vars(LAMBDA_CONTEXT) | {"get_remaining_time_in_millis": lambda: 60_000})
        for worker in workers:
            importlib.import_module(f"workers.{worker}").handler({}, context)

    def finish(self, minutes: int = 90) -> Any:
        for _ in range(minutes):
            self.work()
            if (task := self.task())["status"] != "RUNNING":
                return task
        raise AssertionError(f"the erasure has not ended: {task}")

    def task(self) -> Any:
        """The row of the erasure task."""
        (row,) = (row for row in self.backend.rows("TasksTable") if row.get("type") == "workspace.erase")
        return row

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for table in self.backend.template.of_type("AWS::DynamoDB::Table"):
            yield from ((table.logical_id, row) for row in self.backend.rows(table.logical_id))

    def of(self, workspace: str) -> list[tuple[str, str]]:
        """Every row of a workspace, as text."""
        return sorted(
            (table, repr(sorted(row.items()))) for table, row in self.rows() if is_of(row, workspace)
        )


def is_of(row: Any, workspace: str) -> bool:
    """Whether any string in a row has a workspace's ID, alone or in a composite key, or its marker."""
    if isinstance(row, dict):
        return any(is_of(value, workspace) for value in [*row, *row.values()])
    if isinstance(row, (list, frozenset)):
        return any(is_of(value, workspace) for value in row)
    return isinstance(row, str) and (
        workspace in row.replace(":", "#").split("#") or f"{workspace}-{MARKER}" in row
    )


def plant(backend: Backend, workspace: str) -> set[str]:
    """Store the rows and files that a few requests cannot create. Returns the tables of the rows."""
    now, text = now_ms(), f"{workspace}-{MARKER}"
    event, gone, run, flow = EventId.new(now), WebhookId.new(now), RunId.new(now), FlowId.new(now)
    webhook = f"{workspace}#{gone}"
    rows: dict[str, list[dict[str, Any]]] = {
        "EventsTable": [
            {"workspaceId": workspace, "id": event, "data": f'{{"text":"{text}"}}'},
            {"workspaceId": f"active#{now // 1000 // HOUR}", "id": workspace},
            # From a bus event that arrived 20 days ago, with a time 29 days before that.
            {"workspaceId": f"active#{now // 1000 // HOUR - 49 * 24}", "id": workspace},
            {"workspaceId": f"announced#{workspace}", "id": event, "data": text},
        ],
        "DeliveriesTable": [
            {"webhookKey": webhook, "sk": DeliveryId.derived(event, gone), "success": {"responseBody": text}},
            {
                "webhookKey": webhook,
                "sk": f"try#{DeliveryId.derived(event, gone)}#0001",
                "responseBody": text,
            },
            {"webhookKey": f"{workspace}#{run}", "sk": DeliveryId.derived(event, run), "eventType": text},
        ],
        "FeedsTable": [
            {"webhookKey": webhook, "sk": "consumers", f"c:{text}": {"seq": 1, "at": now}},
            *({"webhookKey": webhook, "sk": f"entry#{number:016}", "eventId": event} for number in range(30)),
            {"webhookKey": f"{workspace}#", "sk": "waits"},
        ],
        "FlowsTable": [
            {"flowsKey": workspace, "id": f"gone#{FlowId.new(now)}", "ttl": 1},
            {"flowsKey": workspace, "id": f"gone#{flow}", "ttl": 1},
            {"flowsKey": f"{workspace}#{flow}", "id": FlowRunId.new(now), "results": text},
        ],
        "HealthTable": [
            {"webhookKey": webhook, "sk": "health", "lastError": text},
            {"webhookKey": webhook, "sk": "hour#0000001"},
            *(
                {"webhookKey": f"{workspace}#{subject}", "sk": "hour#0000001", "lastError": text}
                for subject in ("con_gone", "int_gone", "zapier", "")
            ),
            {"webhookKey": f"{workspace}#", "sk": "traffic", "slow": frozenset({f"1#{text}"})},
        ],
        "WebhooksTable": [
            {"workspaceId": workspace, "sk": f"gone#{gone}", "ttl": 1},
            {"workspaceId": workspace, "sk": "hook#abc", "webhookId": gone},
            {"workspaceId": workspace, "sk": run, "body": text},
        ],
        "AutomationsTable": [
            {"id": run, "runsKey": f"{workspace}#n8n", "input": text, "workspaceId": workspace},
            {"id": RunId.new(now), "runsKey": f"{workspace}#flow", "input": text, "workspaceId": workspace},
            {"id": f"choices#{workspace}#accounts", "items": text},
        ],
        "ActivityTable": [
            {"integrationKey": partition, "id": LogId.new(now), "actor": text}
            for partition in (f"{workspace}#int_gone", f"audit#{workspace}")
        ],
        "OAuthStatesTable": [
            {"id": f"hash of {len(workspace)}", "workspaceId": workspace, "returnUrl": text}
        ],
        "SessionsTable": [
            {"workspaceId": workspace, "id": PortalSessionId.new(now), "label": text},
            {"workspaceId": workspace, "id": ConnectSessionId.new(now), "requestedBy": text},
        ],
        "RateLimitsTable": [{"id": f"webhook-tests#{workspace}", "ttl": now}],
        "ConnectionsTable": [{"integrationKey": workspace, "name": "calls", "permits": frozenset({text})}],
        "TasksTable": [{**TASK, "workspaceId": workspace, "id": TaskId.new(now), "createdBy": text}],
        "ApiKeysTable": [
            {"id": f"rotation#key_of_{len(workspace)}", "workspaceId": workspace, "rv": 1, "ct": text},
            {
                "id": f"default#{workspace}",
                "workspaceId": workspace,
                "rv": 1,
                "ev": 90,
                "ov": 0,
                "k": 1,
                "d": now,
            },
        ],
    }
    for table, planted in rows.items():
        for row in planted:
            dynamo.put(backend.template.name(table), row)
    key = f"{workspace}/{TaskId.new(now)}.ndjson"
    s3, bucket = backend.client("s3"), settings().exports_bucket
    s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
    s3.create_multipart_upload(Bucket=bucket, Key=key)
    return {*rows}


def request_all(world: World, workspace: str) -> None:
    """Create everything that requests can create."""
    text = f"{workspace}-{MARKER}"
    integration = {"name": text, "type": "CUSTOM", "metadata": {"note": text}}
    requests: list[tuple[str, dict[str, Any]]] = [
        ("POST /api/integrations", integration),
        ("POST /api/integrations/api-keys", {"name": text, "scopes": ["events:read"]}),
        (
            "POST /api/integrations/webhooks",
            {"name": text, "url": "https://r.example", "eventTypes": ["POST_FAILED"]},
        ),
    ]
    for line, body in requests:
        answer = world.api(line, workspace, json=body, headers={"idempotency-key": "one"})
        assert answer.status == 201, answer.text
        if line == "POST /api/integrations":
            connection = {"connectionId": text, "credentials": {"apiKey": text}}
            connected = world.api(f"{line}/{answer.json()['id']}/connections", workspace, json=connection)
            assert connected.status == 201, connected.text
    event = {"type": "POST_PUBLISHED", "data": {**POST, "text": text}}
    answer = world.api("POST /api/events", workspace, json=event, headers={"idempotency-key": "one"})
    assert answer.status == 202, answer.text


@pytest.fixture
def empty(backend: Backend, api: Api, clock: Clock) -> World:
    cold_start()
    return World(backend, api, clock)


@pytest.fixture
def world(empty: World) -> World:
    world, backend = empty, empty.backend
    for workspace in (ERASED, NEIGHBOR):
        request_all(world, workspace)
        plant(backend, workspace)
    return world


def test_erasure_leaves_nothing_of_the_workspace_and_everything_of_its_neighbor(world: World) -> None:
    tables = {table.logical_id for table in world.backend.template.of_type("AWS::DynamoDB::Table")}
    assert {table for table, _ in world.of(ERASED)} == tables, "a table has nothing to erase: plant something"
    neighbor = world.of(NEIGHBOR)
    world.start()
    task = world.finish()
    assert (task["status"], task["createdBy"]) == ("SUCCEEDED", "erased")
    assert task["done"] > 50
    left = {table: row for table, row in world.rows() if is_of(row, ERASED)}
    assert {*left} == {"TasksTable", "WebhooksTable", "HealthTable"}
    assert left["WebhooksTable"].keys() == {"workspaceId", "sk", "subscriptions", "erasedAt", "ttl"}
    assert left["HealthTable"].keys() == {"webhookKey", "sk", "erasedAt", "ttl"}
    assert MARKER not in repr([row for _, row in world.rows() if is_of(row, ERASED)])
    assert world.of(NEIGHBOR) == neighbor
    objects = world.backend.client("s3").list_objects_v2(Bucket=settings().exports_bucket)["Contents"]
    assert [item["Key"].partition("/")[0] for item in objects] == [NEIGHBOR]


def test_every_table_and_the_bucket_have_a_step() -> None:
    """If this fails because you added a table, add the table to a step of `erasure`, and a row to `plant`."""
    stored = {field.name for field in fields(Settings) if field.name.endswith(("_table", "_bucket"))}
    assert {setting for step in erasure.STEPS for setting in step.erases} == stored
    names = [step.name for step in erasure.STEPS]
    assert len(names) == len(set(names))
    assert names.index("webhooks") == len(names) - 1, "the IDs of webhooks lead to everything else"


def test_requests_are_refused_until_the_end_and_then_the_workspace_is_new(world: World) -> None:
    key = world.api("POST /api/integrations/api-keys", json={"name": "k", "scopes": ["webhooks:read"]}).json()
    task = world.start()
    cold_start_of_ceilings()
    for line in ("GET /api/integrations/webhooks", "GET /api/me", "PUT /api/workspace"):
        assert_problem(world.api(line, json={} if line.startswith("PUT") else None), 409, "workspace_erasing")
    refused = world._api("GET /api/integrations/webhooks", token=key["key"])
    assert_problem(refused, 409, "workspace_erasing")
    assert world.api("GET /api/workspace").json()["status"] == "ERASING"
    assert world.api(f"GET /api/tasks/{task['id']}").json()["step"] == "starting"
    assert world.start()["id"] == task["id"]
    assert_problem(world.api(f"POST /api/tasks/{task['id']}/cancel"), 409, "workspace_erasing")
    world.finish()
    assert world._api("GET /api/integrations/webhooks", token=key["key"]).status == 401
    shown = world.api("GET /api/workspace").json()
    assert (shown["status"], shown["retainDays"], shown["version"]) == ("ACTIVE", 30, 0)
    request_all(world, ERASED)  # with the same Idempotency-Keys
    state = next(
        row for row in world.backend.rows("WebhooksTable") if row["sk"] == "count" and is_of(row, ERASED)
    )
    assert "ttl" not in state


def test_workspace_can_be_erased_once_a_day(empty: World) -> None:
    """Each erasure scans tables that all workspaces share, so a workspace must not start one repeatedly."""
    world, line = empty, f"DELETE /api/workspace?confirm={ERASED}"
    started = world.clock.now
    first = world.start()
    assert world.start() == first
    ended = world.finish()["endedAt"]
    world.clock.move(
        (started + DAY_MS + 1 - world.clock.now) / 1000
    )  # a day after the start, not after the end
    refused = world.api(line)
    problem = assert_problem(refused, 429, "rate_limited")
    wait = int(refused.headers["retry-after"])
    assert ended + DAY_MS - world.clock.now <= wait * 1000 < ended + DAY_MS - world.clock.now + 1000
    assert f"{wait} s" in problem["detail"]
    assert world.api("GET /api/workspace").json()["status"] == "ACTIVE"
    assert world.api(line, NEIGHBOR).status == 422
    assert world.api(f"DELETE /api/workspace?confirm={NEIGHBOR}", NEIGHBOR).status == 202
    world.clock.move(wait)
    assert world.start()["id"] != first["id"]


@pytest.mark.moto_queues
def test_messages_from_before_the_end_are_dropped(world: World) -> None:
    """This includes messages that return from a dead-letter queue much later, or that carry another time."""
    old = EventId.new(world.clock.now)
    source = Source(world.backend, "EventsQueue", "workers.fan_out.handler", world.clock)
    lane = Source(world.backend, "DeliveriesQueue", "workers.deliver.handler", world.clock)
    webhook = {"name": "all", "url": "https://r.example", "eventTypes": ["*"]}

    def send() -> None:
        event = EventMessage(old, ERASED, "POST_PUBLISHED", old.time_ms, dict(POST), "api", "c")
        source.send(event.fields())
        id = WebhookId.new()
        message = DeliveryMessage(DeliveryId.new(), ERASED, id, old, "POST_PUBLISHED", "{}", 0, "c")
        lane.send(message.fields())

    def assert_dropped() -> None:
        before = sum(1 for _ in world.rows())
        send()
        assert source.poll() + lane.poll() == 2
        assert (source.waits, lane.waits) == ([], [])
        assert sum(1 for _ in world.rows()) == before

    world.start()
    assert_dropped()
    world.finish()
    world.api("POST /api/integrations/webhooks", json=webhook)
    assert_dropped()
    world.clock.move(14 * 24 * HOUR)
    assert_dropped()
    fresh = {"type": "POST_PUBLISHED", "data": POST}
    assert world.api("POST /api/events", json=fresh).status == 202
    assert len(lane.waits) == 1


def test_platform_cannot_publish_for_a_workspace_that_is_being_erased(world: World) -> None:
    world.start()
    event = {"type": "POST_PUBLISHED", "data": POST, "workspaceId": ERASED}
    assert_problem(world.api("POST /api/events", "platform", json=event), 409, "workspace_erasing")


def dies_at(limit: int, *, after: bool) -> CallHook:
    """A hook that makes the process die before its AWS call number `limit`, or `after` it."""
    seen = 0

    def hook(service: str, operation: str, params: Params, call: Callable[[Params], Params]) -> Params:
        nonlocal seen
        seen += 1
        number = seen  # other threads may increase `seen` during the call
        if number == limit and not after:
            raise Killed
        answer = call(params)
        if number == limit:
            raise Killed
        return answer

    return hook


def test_erasure_that_dies_at_any_call_resumes(world: World) -> None:
    """In each step, the process dies alternately before an AWS call and after it took effect. Each run makes
    one more call than the last, until the step is recorded as done.
    """
    world.start()
    neighbor = world.of(NEIGHBOR)
    deaths, limit, reached = 0, 0, None
    while (ended := world.task())["status"] == "RUNNING":
        seen, reached = reached, ended.get("reached")
        limit = limit + 1 if reached == seen else 1
        for worker in WORKERS:
            try:
                with around_calls(dies_at(limit, after=limit % 2 == 0)):
                    world.work([worker])
            except Killed:
                deaths += 1
                cold_start()
    assert deaths > 400
    assert ended["status"] == "SUCCEEDED"
    assert {table for table, row in world.rows() if is_of(row, ERASED)} == {
        "TasksTable", "WebhooksTable", "HealthTable",
    }  # fmt: skip
    assert world.of(NEIGHBOR) == neighbor


def test_erasure_of_more_webhooks_than_a_run_can_read_ends(empty: World) -> None:
    """Most of the webhooks have nothing left to erase."""
    world = empty
    for number in range(60):
        sk = f"gone#{WebhookId.new(number + 1)}"
        dynamo.put(settings().webhooks_table, {"workspaceId": ERASED, "sk": sk})
        if number % 20 == 19:
            key = f"{ERASED}#{sk.removeprefix('gone#')}"
            dynamo.put(settings().deliveries_table, {"webhookKey": key, "sk": DeliveryId.new(number)})
    world.start()
    for _ in range(60):
        world.clock.move(max(60, (world.task()["dueAt"] - world.clock.now) / 1000))
        with limited_time() as context, contextlib.suppress(Killed):
            importlib.import_module("workers.run_workspace_tasks").handler({}, context)
        if world.task()["status"] != "RUNNING":
            break
    assert world.task()["status"] == "SUCCEEDED"
    assert world.backend.rows("DeliveriesTable") == []


# ── copies of the workspace's integrations ───────────────────────────────────────────────────────────


@pytest.fixture
def published(empty: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ID of a public integration of the workspace. The neighbor has a copy of it, and it has a grant that
    Patchbay cannot revoke, because the provider is busy.
    """

    def busy(*_: object) -> None:
        raise provider_calls.ProvidersBusy

    monkeypatch.setattr(maintenance, "finish_removal", busy)
    source = empty.api("POST /api/integrations", json=OFFER | {"isPublic": True}).json()
    decide(source, workspace=ERASED)
    assert empty.api(f"POST /api/integrations/{source['id']}/install", NEIGHBOR).status == 201
    add_connection(ERASED, source)
    return str(source["id"])


def assert_copy_ended(world: World) -> None:
    """Fail unless the copy has ended. As after any deletion, its source's row stays as long as the copy."""
    (copy,) = world.api("GET /api/integrations", NEIGHBOR).json()["items"]
    assert (copy["status"], copy["statusReason"]) == ("ERROR", "publisher_removed")
    for table in ("IntegrationsTable", "ConnectionsTable"):
        rows = [row for row in world.backend.rows(table) if not is_of(row, NEIGHBOR)]
        assert rows == []


def start_at_integrations(world: World) -> None:
    """Start an erasure, and skip the steps before the integrations."""
    key = {"workspaceId": ERASED, "id": world.start()["id"]}
    place = erasure.Place("integrations", world.clock.now).to_text()
    dynamo.update(settings().tasks_table, key, "SET reached = :place", place=place)


@pytest.mark.parametrize("runs_maintenance", [True, False], ids=["a provider blocks", "maintenance fails"])
def test_copies_end_although_connections_remain_for_an_hour(
    empty: World, published: str, runs_maintenance: bool
) -> None:
    start_at_integrations(empty)
    empty.work()
    while empty.task()["reached"].startswith('{"step": "integrations"'):
        assert empty.backend.rows("ConnectionsTable")
        empty.clock.move(HOUR / 4)
        empty.work(["refresh_connections", "run_workspace_tasks"][not runs_maintenance :])
    assert_copy_ended(empty)


def test_more_copies_than_a_run_can_visit_end(empty: World, published: str) -> None:
    for number in range(70):
        row = {"workspaceId": f"#installs#{published}", "sk": f"{NEIGHBOR}#{IntegrationId.new(number)}"}
        dynamo.put(settings().integrations_table, row)
    start_at_integrations(empty)
    empty.work(["run_workspace_tasks"])
    empty.clock.move(HOUR)
    for _ in range(4):
        empty.clock.move(60)
        with limited_time() as context, contextlib.suppress(Killed):
            importlib.import_module("workers.run_workspace_tasks").handler({}, context)
    assert_copy_ended(empty)


def test_providers_have_an_hour_also_after_an_outage(empty: World, published: str) -> None:
    """After the previous step, no schedule runs for two hours."""
    start_at_integrations(empty)
    empty.clock.move(2 * HOUR)
    empty.work()
    empty.clock.move(erasure.REVOKE_MS / 1000 - 61)
    empty.work()
    assert empty.backend.rows("ConnectionsTable")
    empty.work()
    assert empty.backend.rows("ConnectionsTable") == []


@contextlib.contextmanager
def limited_time() -> Iterator[Any]:
    """The context of a 60-second invocation in which each AWS call takes one second."""
    remaining = 60_000

    def hook(service: str, operation: str, params: Params, call: Callable[[Params], Params]) -> Params:
        nonlocal remaining
        remaining -= 1_000
        if remaining < 0:
            raise Killed
        return call(params)

    with around_calls(hook):
        yield SimpleNamespace(**vars(LAMBDA_CONTEXT) | {"get_remaining_time_in_millis": lambda: remaining})


@pytest.mark.parametrize(
    ("role", "status"), [("viewer", 403), ("member", 403), ("admin", 403), ("owner", 202)]
)
def test_only_owners_may_erase_and_export(empty: World, role: str, status: int) -> None:
    assert empty.api("POST /api/workspace/export", role=role).status == status
    assert empty.api("PUT /api/workspace", role=role, json={}).status == (200 if status == 202 else 403)
    assert empty.api(f"DELETE /api/workspace?confirm={ERASED}", role=role).status == status


@pytest.mark.parametrize("query", ["", f"?confirm={NEIGHBOR}", "?confirm=", f"?confirm={ERASED}&force=true"])
def test_erasure_must_be_confirmed_by_the_id_of_the_workspace(empty: World, query: str) -> None:
    assert_problem(empty.api(f"DELETE /api/workspace{query}"), 422, "validation_failed")
    assert empty.api("GET /api/workspace").json()["status"] == "ACTIVE"


def test_erasure_takes_no_other_parameter_and_no_body(empty: World) -> None:
    line = f"DELETE /api/workspace?confirm={ERASED}"
    assert_problem(empty.api(f"{line}&zzz=1"), 422, paths=["zzz"])
    assert_problem(empty.api(line, json={"confirm": ERASED}), 422, paths=["body"])
    assert empty.api("GET /api/workspace").json()["status"] == "ACTIVE"


def test_platform_workspace_cannot_be_erased(empty: World) -> None:
    answer = empty.api("DELETE /api/workspace?confirm=platform", "platform")
    assert_problem(answer, 409, "conflict")


def cold_start_of_ceilings() -> None:
    """Clear the cache, as in a process that has no reserved requests left."""
    from patchbay.rate_limits import ceilings

    ceilings.clear_cache()
