"""Patchbay's own events: each exactly once for its transition, despite retries, races and crashes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from patchbay.api_keys import service, store
from patchbay.api_keys.guard import Guard
from patchbay.api_keys.models import ApiKeyWithSecret, CreateApiKey, RotateApiKey
from patchbay.deliveries import ladder
from patchbay.events import announcements
from patchbay.ids import ApiKeyId, webhook_key
from patchbay.oauth.models import ConnectionStatus
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks import store as webhooks_store
from tests.api_keys import ADA, use_test_clock, use_weak_hashes
from tests.catalogued import assert_catalogued
from tests.conftest import Api, Backend, jwt_for
from tests.faults import REFUSED, Clock, dying, failing, killed, meanwhile
from tests.integration.conftest import WEBHOOKS, Pipeline, health
from tests.integration.test_api_key_changes import lost_once
from tests.integration.test_receiver_health import with_open_breaker
from tests.integration.test_refresh import ConnectedIntegration, connected
from tests.receivers import Receiver, receiver
from workers.expire_keys import handler as expire_keys

__all__ = ["connected"]

HOUR = 3_600
NO_RETRIES: dict[str, Any] = {"retryConfig": {"maxRetries": 0}}
LADDER = ["DELIVERY_FAILED", "WEBHOOK_FAILING", "WEBHOOK_RECOVERED", "WEBHOOK_DISABLED"]


def announced(backend: Backend, *types: str) -> list[tuple[str, Any]]:
    """The announcements that are not published yet, oldest first."""
    rows = [row for row in backend.rows("EventsTable") if "eventId" in row and "data" in row]
    for row in rows:
        assert_catalogued(row["type"], json.loads(row["data"]))
    rows.sort(key=lambda row: row["eventId"])
    return [(row["type"], json.loads(row["data"])) for row in rows if not types or row["type"] in types]


def types(backend: Backend, *only: str) -> list[str]:
    return [type for type, _ in announced(backend, *only)]


def deliver(pipeline: Pipeline, count: int = 1) -> None:
    for _ in range(count):
        pipeline.publish()
        pipeline.deliveries.poll()


def settle(pipeline: Pipeline) -> None:
    """Publish and deliver the announced events until none is left."""
    for _ in range(6):
        pipeline.run()
        pipeline.events.run()


def got(r: Receiver) -> list[str]:
    """The types of the events that a receiver got, each event once."""
    bodies = {body["id"]: body["type"] for body in (json.loads(request.body) for request in r.requests)}
    return list(bodies.values())


def test_announcement_that_is_erased_while_it_is_published_stays_erased(pipeline: Pipeline) -> None:
    def erase() -> None:
        table = pipeline.backend.template.name("EventsTable")
        for row in pipeline.backend.rows("EventsTable"):
            dynamo.delete(table, {"workspaceId": row["workspaceId"], "id": row["id"]})

    announcements.once("acme", "near#key_1#h1", "RATE_LIMIT_NEAR", {})
    pipeline.clock.move(1)
    with meanwhile("sqs.SendMessage", erase):
        pipeline.sweep()
    assert pipeline.backend.rows("EventsTable") == []


# ── the failure ladder ───────────────────────────────────────────────────────────────────────────────


def test_ladder_announces_each_step_once(pipeline: Pipeline) -> None:
    with receiver([*[404] * 9, 200, 200, 404]) as r, receiver() as owner:
        webhook = pipeline.webhook(r.url, **NO_RETRIES)
        pipeline.webhook(owner.url, eventTypes=LADDER)
        deliver(pipeline, 9)
        steps = announced(pipeline.backend)
        assert [type for type, _ in steps] == ["DELIVERY_FAILED", "WEBHOOK_FAILING", "WEBHOOK_FAILING"]
        assert steps[0][1]["webhookId"] == webhook["id"]
        assert steps[0][1]["statusReason"] == "http_404"
        assert [(data["percent"], data["consecutiveFailures"]) for _, data in steps[1:]] == [(50, 5), (80, 8)]
        deliver(pipeline, 2)
        (_, recovered) = announced(pipeline.backend, "WEBHOOK_RECOVERED")[0]
        assert recovered["webhookId"] == webhook["id"]
        assert recovered["failingSince"] < recovered["recoveredAt"]
        deliver(pipeline)  # one failure is no new warning, and this hour's failure is already announced
        settle(pipeline)
        assert sorted(got(owner)) == sorted([type for type, _ in steps] + ["WEBHOOK_RECOVERED"])


@pytest.mark.parametrize(("disable_after", "percents"), [(1, []), (2, [50]), (4, [50]), (5, [50, 80])])
def test_steps_of_small_limits(pipeline: Pipeline, disable_after: int, percents: list[int]) -> None:
    with receiver([404]) as r:
        pipeline.webhook(r.url, disableAfter=disable_after, **NO_RETRIES)
        deliver(pipeline, disable_after)
        warnings = announced(pipeline.backend, "WEBHOOK_FAILING")
        assert [data["percent"] for _, data in warnings] == percents
        assert types(pipeline.backend, "WEBHOOK_DISABLED") == ["WEBHOOK_DISABLED"]


def test_success_without_a_warning_is_no_recovery_and_costs_no_transaction(pipeline: Pipeline) -> None:
    with receiver([*[404] * 4, 200, 200]) as r:
        pipeline.webhook(r.url, **NO_RETRIES)
        deliver(pipeline, 4)
        pipeline.backend.calls.clear()
        deliver(pipeline, 2)
        assert types(pipeline.backend) == ["DELIVERY_FAILED"]
        assert pipeline.backend.calls.count["dynamodb.TransactWriteItems"] == 0


def test_failures_that_announce_nothing_cost_no_transaction(pipeline: Pipeline) -> None:
    with receiver([404]) as r:
        pipeline.webhook(r.url, **NO_RETRIES)
        deliver(pipeline)
        pipeline.backend.calls.clear()
        deliver(pipeline, 3)
        # One transaction for each delivery, which records it with its attempt.
        assert pipeline.backend.calls.count["dynamodb.TransactWriteItems"] == 3


def test_failed_delivery_is_announced_again_in_the_next_hour(pipeline: Pipeline) -> None:
    with receiver([404]) as r:
        pipeline.webhook(r.url, disableAfter=1000, **NO_RETRIES)
        deliver(pipeline, 3)
        pipeline.clock.move(HOUR)
        deliver(pipeline, 3)
        assert types(pipeline.backend) == ["DELIVERY_FAILED"] * 2


def test_concurrent_failures_announce_each_step_once(pipeline: Pipeline) -> None:
    with receiver([404]) as r:
        pipeline.webhook(r.url, **NO_RETRIES)
        for _ in range(9):
            pipeline.publish()
        pipeline.deliveries.poll()
        assert types(pipeline.backend, "DELIVERY_FAILED") == ["DELIVERY_FAILED"]
        percents = sorted(data["percent"] for _, data in announced(pipeline.backend, "WEBHOOK_FAILING"))
        assert percents in ([50, 80], [80])  # if 80 % is announced first, 50 % is obsolete


@pytest.mark.parametrize("call", range(3, 12, 2))
def test_ladder_announces_once_despite_crash(pipeline: Pipeline, call: int) -> None:
    """The delivery reaches the first step and is the first in its hour. The worker dies, then the sweeper."""
    with receiver([404]) as r, receiver() as owner:
        pipeline.webhook(r.url, disableAfter=2, **NO_RETRIES)
        pipeline.webhook(owner.url, eventTypes=LADDER)
        pipeline.publish()
        with dying(call):
            pipeline.deliveries.poll()
            pipeline.clock.move(1)
            pipeline.sweep()
        settle(pipeline)
        assert sorted(got(owner)) == ["DELIVERY_FAILED", "WEBHOOK_FAILING"]


def test_warnings_begin_again_after_the_webhook_is_enabled(pipeline: Pipeline) -> None:
    with receiver([*[404] * 4, 200]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=2, **NO_RETRIES)
        for _ in range(2):
            deliver(pipeline, 2)
            pipeline.clock.move(1)
            pipeline.set_status(webhook, "ACTIVE")
            pipeline.clock.move(1)
        deliver(pipeline)
        own = types(pipeline.backend, "WEBHOOK_FAILING", "WEBHOOK_DISABLED", "WEBHOOK_RECOVERED")
        assert own == [*["WEBHOOK_FAILING", "WEBHOOK_DISABLED"] * 2, "WEBHOOK_RECOVERED"]


def test_success_before_the_warning_is_no_recovery(pipeline: Pipeline) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=2, **NO_RETRIES)
        deliver(pipeline)
        stored = webhooks_store.get("acme", webhook["id"])
        assert stored is not None
        state = health(webhook_key("acme", stored.id))
        assert state.warned == 1
        assert not ladder.announce_recovery(stored, state, state.warned_at)
        assert ladder.announce_recovery(stored, state, state.warned_at + 1)
        assert not ladder.announce_recovery(stored, state, state.warned_at + 1)  # another worker was faster
        assert types(pipeline.backend, "WEBHOOK_RECOVERED") == ["WEBHOOK_RECOVERED"]


def test_raised_limit_warns_again_before_it_disables(pipeline: Pipeline) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=2, **NO_RETRIES)
        deliver(pipeline)
        pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}", json={"disableAfter": 10})
        deliver(pipeline, 4)
        steps = announced(pipeline.backend, "WEBHOOK_FAILING")
        assert [(data["consecutiveFailures"], data["disableAfter"]) for _, data in steps] == [(1, 2), (5, 10)]


def test_webhook_of_the_ladder_does_not_feed_on_its_own_failures(pipeline: Pipeline) -> None:
    with receiver([404]) as r, receiver([404]) as watcher:
        pipeline.webhook(r.url, disableAfter=3, **NO_RETRIES)
        pipeline.webhook(watcher.url, eventTypes=["POST_PUBLISHED", *LADDER], disableAfter=4, **NO_RETRIES)
        deliver(pipeline, 3)
        settle(pipeline)
        settle(pipeline)
        events = [row for row in pipeline.backend.events() if row["type"] in LADDER]
        by_webhook = {row["id"]: (row["type"], json.loads(row["data"])["url"]) for row in events}
        # The watcher's own deliveries of posts announce the first failure and one warning, and nothing else.
        own = sorted(type for type, url in by_webhook.values() if url == watcher.url)
        assert own == ["DELIVERY_FAILED", "WEBHOOK_FAILING"]
        assert not types(pipeline.backend)


def test_failure_without_an_attempt_is_announced(pipeline: Pipeline) -> None:
    with receiver() as r:
        pipeline.webhook(r.url)
        for _ in range(2):
            event = pipeline.publish({"x": "x" * 100_000})
            dynamo.delete(settings().events_table, {"workspaceId": "acme", "id": event})
            pipeline.poll()
        assert r.requests == []
    ((type, data),) = announced(pipeline.backend)
    assert (type, data["statusReason"]) == ("DELIVERY_FAILED", "event_expired")


@pytest.mark.parameters(MaxHoldSeconds=600, ProbeSeconds=900)
def test_deliveries_that_are_held_too_long_are_announced_once_an_hour(pipeline: Pipeline) -> None:
    with receiver() as r, receiver() as owner:
        with_open_breaker(pipeline, r.url, disableAfter=1000)
        pipeline.webhook(owner.url, eventTypes=["DELIVERY_FAILED"])
        for _ in range(3):
            pipeline.publish()
        settle(pipeline)
        assert r.requests == []
        assert {row["status"] for row in pipeline.rows if row["eventType"] == "POST_PUBLISHED"} == {"FAILED"}
        hours = {json.loads(request.body)["data"]["failedAt"][:13] for request in owner.requests}
        assert len(owner.requests) == len(hours) >= 1


def test_ended_subscription_announces_nothing(pipeline: Pipeline) -> None:
    with receiver([410]) as gone:
        body = {"url": gone.url, "eventType": "POST_PUBLISHED"}
        assert pipeline.api("POST /api/automations/zapier/hooks", json=body).status == 201
        pipeline.publish()
        pipeline.poll()
        assert len(gone.requests) == 1
        assert types(pipeline.backend) == []


# ── announcements ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("call", range(1, 7, 2))
def test_announcement_is_published_once_despite_crash(pipeline: Pipeline, call: int) -> None:
    with receiver() as owner:
        pipeline.webhook(owner.url, eventTypes=["CONNECTION_CREATED"])
        dynamo.transact([announcements.action("acme", "CONNECTION_CREATED", {"id": "one"})])
        pipeline.clock.move(1)
        with dying(call):
            pipeline.sweep()
        settle(pipeline)
        assert got(owner) == ["CONNECTION_CREATED"]


def test_announcement_waits_while_the_queue_fails(pipeline: Pipeline) -> None:
    dynamo.transact([announcements.action("acme", "CONNECTION_CREATED", {"id": "one"})])
    pipeline.clock.move(1)
    with failing("sqs.SendMessage", error=REFUSED):
        pipeline.sweep()
    pipeline.sweep()  # the announcement stays claimed for a minute
    assert len(types_of_rows(pipeline)) == 1
    pipeline.clock.move(61)
    pipeline.sweep()
    assert types_of_rows(pipeline) == []
    pipeline.events.run()
    assert [row["type"] for row in pipeline.backend.events()] == ["CONNECTION_CREATED"]


def types_of_rows(pipeline: Pipeline) -> list[str]:
    return [
        row["type"] for row in pipeline.backend.rows("EventsTable") if "eventId" in row and "dueAt" in row
    ]


def test_key_of_an_announcement_is_used_once_even_after_it_is_published(pipeline: Pipeline) -> None:
    for _ in range(3):
        announcements.once("acme", "near#1", "RATE_LIMIT_NEAR", {"limit": 1})
        pipeline.clock.move(61)
        pipeline.sweep()
        pipeline.events.run()
    assert [row["type"] for row in pipeline.backend.events()] == ["RATE_LIMIT_NEAR"]


def test_announcements_of_another_workspace_are_not_listed(pipeline: Pipeline) -> None:
    dynamo.transact([announcements.action("globex", "CONNECTION_CREATED", {"id": "one"})])
    pipeline.clock.move(61)
    pipeline.sweep()
    pipeline.events.run()
    assert pipeline.api("GET /api/events").json()["items"] == []


# ── API keys ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def key_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    use_weak_hashes(monkeypatch)
    return use_test_clock(monkeypatch)


def mint(**changes: Any) -> ApiKeyWithSecret:
    body = {"name": "CI", "scopes": ["events:publish"]} | changes
    return service.create(ADA, CreateApiKey.model_validate_json(json.dumps(body)))


def test_created_rotated_and_revoked_keys_are_announced_without_their_secret(
    backend: Backend, key_clock: Clock
) -> None:
    key = mint()
    key_clock.move(1)
    successor = service.rotate(ADA, key.id, RotateApiKey(overlap_seconds=60))
    key_clock.move(1)
    for _ in range(2):  # the second call changes nothing
        service.revoke(ADA, successor.id)
    steps = announced(backend)
    assert [(type, data["keyId"]) for type, data in steps] == [
        ("API_KEY_CREATED", key.id),
        ("API_KEY_ROTATED", key.id),
        ("API_KEY_REVOKED", successor.id),
    ]
    assert steps[1][1]["successorId"] == successor.id
    text = json.dumps(steps)
    assert key.key not in text
    assert successor.key not in text
    assert key.key.rpartition("_")[2] not in text


def test_refused_changes_of_a_key_announce_nothing(backend: Backend, api: Api, key_clock: Clock) -> None:
    token = jwt_for("acme", scope="api-keys:write")
    body = {"name": "CI", "scopes": ["webhooks:write"]}
    assert api("POST /api/integrations/api-keys", json=body, token=token).status == 403
    assert api(f"DELETE /api/integrations/api-keys/{ApiKeyId.new()}", token=token).status == 404
    assert types(backend) == []


@pytest.mark.parametrize("operation", ["create", "rotate", "revoke"])
def test_lost_response_announces_a_key_once(backend: Backend, key_clock: Clock, operation: str) -> None:
    key = mint() if operation != "create" else None
    acts: dict[str, Callable[[], object]] = {
        "create": mint,
        "rotate": lambda: service.rotate(ADA, _id(key), RotateApiKey(overlap_seconds=0)),
        "revoke": lambda: service.revoke(ADA, _id(key)),
    }
    with lost_once():
        acts[operation]()
    names = {"create": "API_KEY_CREATED", "rotate": "API_KEY_ROTATED", "revoke": "API_KEY_REVOKED"}
    assert types(backend, names[operation]) == [names[operation]]


def _id(key: ApiKeyWithSecret | None) -> ApiKeyId:
    assert key is not None
    return key.id


def test_schedule_announces_a_revocation_that_was_interrupted(backend: Backend, key_clock: Clock) -> None:
    key = mint()
    with killed("dynamodb.TransactWriteItems"):
        service.revoke(ADA, key.id)
    assert types(backend, "API_KEY_REVOKED") == []
    for _ in range(2):
        expire_keys({}, _Context())
    assert types(backend, "API_KEY_REVOKED") == ["API_KEY_REVOKED"]


def test_expired_key_is_not_announced_as_revoked(backend: Backend, key_clock: Clock) -> None:
    key = mint()
    dynamo.update(settings().api_keys_table, {"id": key.id}, "SET x = :x, k = :k, d = :x", x=1, k=0)
    expire_keys({}, _Context())
    stored = store.get_state(key.id)
    assert stored is not None
    assert stored.key.retired_ms is not None
    assert types(backend, "API_KEY_REVOKED") == []


class _Context:
    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


def test_limit_is_announced_once_at_80_percent_in_all_processes(backend: Backend, key_clock: Clock) -> None:
    key = mint(rateLimitPerHour=10, rateLimitPerDay=1000)
    processes = [Guard(lambda: key_clock.now) for _ in range(2)]
    for number in range(7):
        processes[number % 2].admit(key.key)
    assert types(backend, "RATE_LIMIT_NEAR") == []
    backend.calls.clear()
    for number in range(3):
        processes[number % 2].admit(key.key)
    ((_, data),) = announced(backend, "RATE_LIMIT_NEAR")
    assert (data["keyId"], data["window"], data["limit"], data["used"]) == (key.id, "hour", 10, 8)
    assert backend.calls.count["dynamodb.PutItem"] == 2  # one for each process
    key_clock.move(2 * HOUR)
    for _ in range(8):
        processes[0].admit(key.key)
    assert types(backend, "RATE_LIMIT_NEAR") == ["RATE_LIMIT_NEAR"] * 2


def test_request_is_admitted_if_its_limit_cannot_be_announced(backend: Backend, key_clock: Clock) -> None:
    key, process = mint(rateLimitPerHour=5), Guard(lambda: key_clock.now)
    process.admit(key.key, cost=3)
    with failing("dynamodb.PutItem", error=REFUSED):
        assert process.admit(key.key).statuses[0].remaining == 1
    assert types(backend, "RATE_LIMIT_NEAR") == []
    process.admit(key.key)
    assert types(backend, "RATE_LIMIT_NEAR") == ["RATE_LIMIT_NEAR"]


# ── connections ──────────────────────────────────────────────────────────────────────────────────────


def connections(connected: ConnectedIntegration) -> list[tuple[str, Any]]:
    return [each for each in announced(connected.backend) if each[0].startswith("CONNECTION_")]


def test_connection_is_announced_when_it_is_made_and_when_it_is_deleted(
    connected: ConnectedIntegration,
) -> None:
    connected.clock.move(1)
    connected.connect()  # replaces a working connection: no transition
    connected.clock.move(1)
    for _ in range(2):
        connected.api(f"DELETE {connected.path}/connections/default")
    steps = connections(connected)
    assert [type for type, _ in steps] == ["CONNECTION_CREATED", "CONNECTION_REVOKED"]
    assert {data["connectionId"] for _, data in steps} == {"default"}
    assert steps[1][1]["statusReason"] == "connection_deleted"
    text = json.dumps(steps)
    assert "access-token" not in text
    assert "refresh-token" not in text


def test_expired_connection_recovers_when_the_user_connects_again(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.provider.ended = True
    assert connected.token().status == 409
    connected.provider.ended = False
    connected.connect()
    connected.clock.move(1)
    connected.connect()
    steps = connections(connected)
    assert [type for type, _ in steps] == ["CONNECTION_CREATED", "CONNECTION_RECOVERED"]
    assert steps[1][1]["previousStatus"] == "EXPIRED"


def test_connection_that_failed_recovers_with_the_refresh_that_succeeds(
    connected: ConnectedIntegration,
) -> None:
    _set_status(connected, "ERROR")
    connected.clock.move(HOUR)
    for _ in range(2):
        connected.access_token()
        connected.clock.move(HOUR)
    steps = connections(connected)
    assert [type for type, _ in steps] == ["CONNECTION_CREATED", "CONNECTION_RECOVERED"]
    assert steps[1][1]["previousStatus"] == "ERROR"


def test_failure_that_is_recorded_during_a_refresh_recovers_with_it(connected: ConnectedIntegration) -> None:
    """Another process sets the status between the lease and the new tokens. The tokens are not lost."""
    connected.clock.move(HOUR)
    with meanwhile("dynamodb.PutItem", lambda: _set_status(connected, "ERROR")):
        assert connected.access_token() == "access-token-2"
    assert connected.row()["status"] == ConnectionStatus.ACTIVE
    assert [type for type, _ in connections(connected)] == ["CONNECTION_CREATED", "CONNECTION_RECOVERED"]


def test_refresh_of_a_working_connection_costs_no_transaction(connected: ConnectedIntegration) -> None:
    connected.clock.move(HOUR)
    connected.backend.calls.clear()
    connected.access_token()
    assert connected.backend.calls.count["dynamodb.TransactWriteItems"] == 0


def test_connections_of_a_deleted_integration_are_announced(connected: ConnectedIntegration) -> None:
    connected.clock.move(1)  # IDs from the same millisecond have no order
    connected.api(f"DELETE {connected.path}")
    for _ in range(3):
        connected.run_maintenance()
        connected.clock.move(1)
    steps = connections(connected)
    assert [type for type, _ in steps] == ["CONNECTION_CREATED", "CONNECTION_REVOKED"]
    assert steps[1][1]["statusReason"] == "integration_deleted"


def _set_status(connected: ConnectedIntegration, status: str) -> None:
    row = connected.row()
    dynamo.update(
        settings().connections_table,
        {name: row[name] for name in ("integrationKey", "name")},
        "SET #status = :status",
        names={"#status": "status"},
        status=status,
    )
