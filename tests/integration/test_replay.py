"""Replays: tasks that send deliveries of a time range again, and events that a webhook missed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from patchbay.clock import from_ms, iso
from patchbay.deliveries import replay
from patchbay.events import service as events_service
from patchbay.ids import DeliveryId, EventId, webhook_key
from patchbay.receivers import health_store
from patchbay.tasks import service as tasks
from tests.catalogued import POST
from tests.conftest import jwt_for
from tests.faults import dying, failing, killed, meanwhile, watched
from tests.integration.conftest import DAY, WEBHOOKS, Pipeline
from tests.integration.test_bus import DETAIL, envelope
from tests.problems import assert_problem
from tests.receivers import receiver
from tests.wire import around_calls

NO_RETRIES = {"maxRetries": 0}


def now(pipeline: Pipeline) -> str:
    return iso(from_ms(pipeline.clock.now))


def deliver(pipeline: Pipeline, count: int = 1, data: Any = None) -> list[str]:
    events = []
    for _ in range(count):
        events.append(pipeline.publish(data))
        while pipeline.deliveries.poll():
            pass
    return events


def start(pipeline: Pipeline, webhook: Any, since: str, **more: Any) -> Any:
    """Start a replay. Returns its task."""
    answer = pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/replay", json={"since": since, **more})
    assert answer.status == 202, answer.text
    return answer.json()


def count(pipeline: Pipeline, webhook: Any, since: str, **more: Any) -> Any:
    body = {"since": since, "dryRun": True, **more}
    answer = pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/replay", json=body)
    assert answer.status == 200, answer.text
    return answer.json()


def shown(pipeline: Pipeline, task: Any) -> Any:
    return pipeline.api(f"GET /api/tasks/{task['id']}").json()


def progress(pipeline: Pipeline, task: Any) -> tuple[str, int, int | None]:
    task = shown(pipeline, task)
    return task["status"], task["done"], task["total"]


def run(pipeline: Pipeline) -> None:
    """Run the sweeper once, and make the attempts that follow immediately."""
    pipeline.clock.move(61)
    pipeline.sweep()
    while pipeline.poll():
        pass


# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────


def test_replay_sends_failed_deliveries_of_a_time_range(pipeline: Pipeline) -> None:
    with receiver([404, 404, 404, 200]) as r:
        webhook = pipeline.webhook(r.url)
        outside = deliver(pipeline)
        pipeline.clock.move(1)
        since = now(pipeline)
        failed = deliver(pipeline, 2)
        until = now(pipeline)
        pipeline.clock.move(1)
        deliver(pipeline)
        assert count(pipeline, webhook, since, until=until) == {"total": 2, "isComplete": True}
        task = start(pipeline, webhook, since, until=until)
        assert (task["status"], task["done"], task["total"], task["type"]) == (
            "RUNNING",
            0,
            2,
            "webhook.replay",
        )
        assert task["createdBy"] == "user:someone"
        assert task["parameters"] == {
            "since": since,
            "until": until,
            "eventTypes": None,
            "statuses": ["FAILED", "CANCELLED"],
            "missing": False,
        }
        run(pipeline)
        assert sorted(r.event_ids[4:]) == sorted(failed)
        ended = shown(pipeline, task)
        assert (ended["status"], ended["done"], ended["error"]) == ("SUCCEEDED", 2, None)
        assert ended["endedAt"] == now(pipeline)
        attempts = pipeline.shown(webhook, failed[0])["attempts"]
        assert [(attempt["number"], attempt["trigger"]) for attempt in attempts] == [
            (1, "AUTO"),
            (2, "REPLAY"),
        ]
        assert pipeline.shown(webhook, outside[0])["status"] == "FAILED"
        assert pipeline.api("GET /api/tasks").json()["items"] == [ended]


def test_replay_of_delivered_deliveries_keeps_their_ids_and_attempts(pipeline: Pipeline) -> None:
    with receiver([200, 200, 404]) as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        event = deliver(pipeline)[0]
        assert count(pipeline, webhook, since)["total"] == 0
        task = start(pipeline, webhook, since, statuses=["DELIVERED"])
        run(pipeline)
        assert progress(pipeline, task) == ("SUCCEEDED", 1, 1)
        assert len({request.headers["webhook-id"] for request in r.requests}) == 1  # so receivers drop it
        delivery = pipeline.shown(webhook, event)
        assert delivery["status"] == "DELIVERED"
        assert [(attempt["number"], attempt["statusCode"]) for attempt in delivery["attempts"]] == [
            (1, 200),
            (2, 200),
        ]
        start(pipeline, webhook, since, statuses=["DELIVERED"])
        run(pipeline)
        delivery = pipeline.shown(webhook, event)
        assert (delivery["status"], delivery["deliveredAt"]) == ("FAILED", None)
        assert [attempt["statusCode"] for attempt in delivery["attempts"]] == [200, 200, 404]


def test_missing_events_are_matched_and_sent(pipeline: Pipeline) -> None:
    """The events were published while the webhook was inactive, disabled, or did not exist yet."""
    with receiver() as r:
        since = now(pipeline)
        before = deliver(pipeline, data={"network": "x"})
        filters = [{"path": "network", "op": "equals", "value": "x"}]
        webhook = pipeline.webhook(r.url, filters=filters)
        had = deliver(pipeline, data={"network": "x"})
        pipeline.set_status(webhook, "INACTIVE")
        meanwhile_ = deliver(pipeline, data={"network": "x"})
        deliver(pipeline, data={"network": "linkedin"})
        pipeline.clock.move(1)  # times on the bus are in whole seconds
        rejected = {**DETAIL, "data": {**POST, "network": "x"}, "extra": "no event has this"}
        pipeline.events.send(envelope(pipeline.clock, rejected))
        pipeline.events.run()
        body = {"type": "CAMPAIGN_STARTED", "data": {"campaignId": "c", "name": "n"}}
        assert pipeline.api("POST /api/events", json=body).status == 202
        pipeline.set_status(webhook, "ACTIVE")
        assert r.event_ids == had
        assert count(pipeline, webhook, since, missing=True)["total"] == 2
        task = start(pipeline, webhook, since, missing=True)
        run(pipeline)
        assert progress(pipeline, task) == ("SUCCEEDED", 2, 2)
        assert sorted(r.event_ids[1:]) == sorted([*before, *meanwhile_])
        delivery = pipeline.shown(webhook, before[0])
        assert delivery["id"] == DeliveryId.derived(EventId(before[0]), webhook["id"])
        assert [attempt["trigger"] for attempt in delivery["attempts"]] == ["REPLAY"]
        event = pipeline.api(f"GET /api/events/{before[0]}").json()
        assert [(each["webhookId"], each["status"]) for each in event["deliveries"]] == [
            (webhook["id"], "DELIVERED")
        ]
        stats = pipeline.api(f"GET {WEBHOOKS}/{webhook['id']}").json()["stats"]
        assert stats["delivered"] == 3
        # No event is missing anymore.
        assert count(pipeline, webhook, since, missing=True)["total"] == 0


def test_slice_reads_the_retention_once(pipeline: Pipeline) -> None:
    with receiver() as r:
        since = now(pipeline)
        deliver(pipeline, 4)
        webhook = pipeline.webhook(r.url)
        start(pipeline, webhook, since, missing=True)
        keys: list[Any] = []

        def note(service: str, operation: str, params: Any, call: Any) -> Any:
            if operation == "GetItem":
                keys.append(params["Key"])
            return call(params)

        with around_calls(note):
            run(pipeline)
        assert len(r.event_ids) == 4
        assert keys.count({"workspaceId": {"S": "acme"}, "sk": {"S": "count"}}) == 1


def test_missing_and_statuses_are_sent_in_one_pass(pipeline: Pipeline) -> None:
    with receiver([404, 200]) as r:
        since = now(pipeline)
        missed = deliver(pipeline)
        webhook = pipeline.webhook(r.url)
        failed, delivered = deliver(pipeline, 2)
        assert count(pipeline, webhook, since, missing=True)["total"] == 1
        task = start(pipeline, webhook, since, missing=True, statuses=["FAILED"])
        run(pipeline)
        assert progress(pipeline, task) == ("SUCCEEDED", 2, 2)
        assert sorted(r.event_ids) == sorted([failed, delivered, *missed, failed])


def test_event_types_limit_a_replay(pipeline: Pipeline) -> None:
    with receiver([404, 404, 200]) as r:
        webhook = pipeline.webhook(r.url, eventTypes=["*"])
        since = now(pipeline)
        deliver(pipeline)
        body = {"type": "CAMPAIGN_STARTED", "data": {"campaignId": "c", "name": "n"}}
        pipeline.api("POST /api/events", json=body)
        while pipeline.deliveries.poll():
            pass
        for more in ({}, {"missing": True, "statuses": ["FAILED"]}):
            assert count(pipeline, webhook, since, eventTypes=["CAMPAIGN_STARTED"], **more)["total"] == 1
        assert count(pipeline, webhook, since, eventTypes=["*"])["total"] == 2
        start(pipeline, webhook, since, eventTypes=["CAMPAIGN_STARTED"])
        run(pipeline)
        assert [json.loads(request.body)["type"] for request in r.requests[2:]] == ["CAMPAIGN_STARTED"]


def test_delivery_whose_message_was_lost_counts_as_missing(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        event = pipeline.publish()
        pipeline.backend.client("sqs").purge_queue(QueueUrl=pipeline.deliveries.url)
        # The event matched when it was published, so it has a delivery.
        other_types = {"eventTypes": ["CAMPAIGN_STARTED"]}
        assert pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}", json=other_types).status == 200
        start(pipeline, webhook, since, missing=True)
        run(pipeline)
        assert r.event_ids == [event]


def test_message_in_the_queue_is_obsolete_after_its_replay(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        pipeline.publish()
        start(pipeline, webhook, since, missing=True)
        pipeline.clock.move(1)
        pipeline.sweep()
        while pipeline.poll():
            pass
        pipeline.run(days=1)
        assert len(r.requests) == 1


# ── pace ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parameters(MaxWaitingPerWebhook=2)
@pytest.mark.parametrize("missing", [False, True])
def test_replay_is_paced_and_ordered_by_age(pipeline: Pipeline, missing: bool) -> None:
    with receiver([*[404] * 5, 200]) as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        events = deliver(pipeline, 5)
        task = start(pipeline, webhook, since, statuses=["FAILED"], missing=missing)
        done, batches = [], []
        for _ in range(3):
            before = len(r.requests)
            run(pipeline)
            done.append(progress(pipeline, task))
            batches.append(sorted(r.event_ids[before:]))
    assert done == [("RUNNING", 2, 5), ("RUNNING", 4, 5), ("SUCCEEDED", 5, 5)]
    assert batches == [sorted(events[:2]), sorted(events[2:4]), events[4:]]


def test_slow_reads_do_not_stop_a_replay(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each slice processes at least one delivery, even if reading it takes all of the slice's time."""
    monkeypatch.setattr(replay, "_SLICE_SECONDS", -1)
    with receiver([404, 404, 200]) as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        events = deliver(pipeline, 2)
        task = start(pipeline, webhook, since)
        for _ in events:
            run(pipeline)
        assert (r.event_ids[2:], progress(pipeline, task)) == (events, ("SUCCEEDED", 2, 2))


def test_time_of_a_slice_begins_after_its_first_read(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are read a hundred at a time. A slice processes all of them, however long that read takes."""
    read = events_service.oldest_first

    def slow(*arguments: str) -> Iterator[Any]:
        time.sleep(0.3)
        return read(*arguments)

    with receiver() as r:
        since = now(pipeline)
        missed = deliver(pipeline, 3)
        webhook = pipeline.webhook(r.url)
        task = start(pipeline, webhook, since, missing=True)
        monkeypatch.setattr(replay, "_SLICE_SECONDS", 0.2)
        monkeypatch.setattr(events_service, "oldest_first", slow)
        run(pipeline)
        assert (sorted(r.event_ids), progress(pipeline, task)) == (sorted(missed), ("SUCCEEDED", 3, 3))


def test_replay_provides_the_probe_of_an_open_breaker(pipeline: Pipeline) -> None:
    with receiver([404, 404, 200]) as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        deliver(pipeline, 2)
        key = webhook_key("acme", webhook["id"])
        health_store.open_breaker(key, pipeline.clock.now, pipeline.clock.now + 120_000)
        task = start(pipeline, webhook, since)
        run(pipeline)
        assert (len(r.requests), progress(pipeline, task)) == (2, ("RUNNING", 0, 2))
        run(pipeline)
        assert progress(pipeline, task)[1] == 1
        pipeline.run(days=1)
        assert (len(r.requests), progress(pipeline, task)) == (4, ("SUCCEEDED", 2, 2))


def test_replay_waits_while_the_webhook_is_paused(pipeline: Pipeline) -> None:
    with receiver([404, 200]) as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        deliver(pipeline)
        pipeline.set_status(webhook, "PAUSED")
        task = start(pipeline, webhook, since)
        pipeline.clock.move(10 * 60)
        pipeline.sweep()
        (row,) = (row for row in pipeline.backend.rows("TasksTable") if "dueAt" in row)
        assert row["dueAt"] == pipeline.clock.now + 5 * 60_000  # so earlier sweeps read nothing for it
        assert progress(pipeline, task) == ("RUNNING", 0, 1)
        pipeline.set_status(webhook, "ACTIVE")
        pipeline.run(days=1)
        assert (len(r.requests), progress(pipeline, task)) == (2, ("SUCCEEDED", 1, 1))


@pytest.mark.parametrize("status", ["INACTIVE", None], ids=["inactive", "deleted"])
def test_replay_fails_when_its_webhook_ends(pipeline: Pipeline, status: str | None) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        deliver(pipeline)
        task = start(pipeline, webhook, since)
        if status:
            pipeline.set_status(webhook, status)
            body = {"since": since}
            assert_problem(pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/replay", json=body), 409)
        else:
            pipeline.api(f"DELETE {WEBHOOKS}/{webhook['id']}")
        run(pipeline)
        ended = shown(pipeline, task)
        code = "webhook_inactive" if status else "webhook_deleted"
        assert (ended["status"], ended["error"]["code"]) == ("FAILED", code)
        assert len(r.requests) == 1


def test_workspaces_take_turns(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def advance(workspace_id: str, id: str) -> int:
        order.append(workspace_id)
        return 0

    monkeypatch.setattr(replay, "advance", advance)
    monkeypatch.setattr("patchbay.storage.due_index.SHARDS", range(1))
    for workspace in ("acme", "acme", "acme", "rival"):
        token = jwt_for(workspace, claims={"exp": pipeline.clock.now // 1000 + 600})
        body = {"name": "test", "url": "https://example.com/", "eventTypes": ["*"]}
        webhook = pipeline._api(f"POST {WEBHOOKS}", json=body, token=token).json()
        line = f"POST {WEBHOOKS}/{webhook['id']}/replay"
        assert pipeline._api(line, json={"since": now(pipeline)}, token=token).status == 202
        pipeline.clock.move(1)  # tasks that are due at the same time have no order
    pipeline.sweep()
    assert order == ["acme", "rival", "acme", "acme"]


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("call", [8, 11, 12, 15, 16])
def test_replay_of_missing_events_is_exact_despite_crash(pipeline: Pipeline, call: int) -> None:
    """If a slice crashes before any of its AWS calls, each delivery is still sent once and counted once."""
    with receiver([404, 200]) as r:
        since = now(pipeline)
        missed = deliver(pipeline, 2)
        webhook = pipeline.webhook(r.url)
        failed, delivered = deliver(pipeline, 2)
        task = start(pipeline, webhook, since, missing=True, statuses=["FAILED", "DELIVERED"])
        with dying(call) as process:
            replay.advance("acme", task["id"])
        assert process.died
        while pipeline.poll():  # so the replay could pick up a delivered one again
            pass
        pipeline.run(days=1)
        assert progress(pipeline, task) == ("SUCCEEDED", 4, 4)
        assert sorted(r.event_ids) == sorted([failed, delivered, *missed, failed, delivered])
        event = pipeline.api(f"GET /api/events/{missed[0]}").json()
        assert [each["webhookId"] for each in event["deliveries"]] == [webhook["id"]]


@pytest.mark.parametrize("call", [9, 11, 12])
def test_replay_of_deliveries_sends_each_once_despite_crash(pipeline: Pipeline, call: int) -> None:
    with receiver([404, 404, 200]) as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        events = deliver(pipeline, 3)
        task = start(pipeline, webhook, since, statuses=["FAILED", "DELIVERED"])
        with dying(call) as process:
            replay.advance("acme", task["id"])
        assert process.died
        while pipeline.poll():
            pass
        pipeline.run(days=1)
        assert progress(pipeline, task)[0] == "SUCCEEDED"
        assert sorted(r.event_ids) == sorted(events * 2)


def test_two_slices_at_once_send_each_delivery_once(pipeline: Pipeline) -> None:
    with receiver([404, 404, 200]) as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        events = deliver(pipeline, 2)
        task = start(pipeline, webhook, since)

        def other_slice() -> None:
            pipeline.clock.move(61)  # the claim of the first slice has ended
            replay.advance("acme", task["id"])

        with meanwhile("dynamodb.PutItem", other_slice, at=2):
            replay.advance("acme", task["id"])
        pipeline.run(days=1)
        assert progress(pipeline, task)[0] == "SUCCEEDED"
        assert sorted(r.event_ids) == sorted(events * 2)


def test_delivery_that_is_delivered_during_a_slice_counts_once(pipeline: Pipeline) -> None:
    """The index still lists it as FAILED when the table already has it as DELIVERED."""
    with receiver([404, 200]) as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        event = deliver(pipeline)[0]
        task = start(pipeline, webhook, since, statuses=["FAILED", "DELIVERED"])
        path = f"{WEBHOOKS}/{webhook['id']}/deliveries/{pipeline.shown(webhook, event)['id']}/retry"

        def retry() -> None:
            assert pipeline.api(f"POST {path}").status == 202
            pipeline.poll()

        with meanwhile("dynamodb.Query", retry, at=3), watched("sqs.SendMessageBatch") as sent:
            replay.advance("acme", task["id"])
        assert [len(batch["Entries"]) for batch in sent] == [1]
        assert progress(pipeline, task) == ("SUCCEEDED", 1, 1)
        pipeline.run(days=1)
        assert r.event_ids == [event] * 3


def test_late_slice_changes_nothing(pipeline: Pipeline) -> None:
    """It ends after the next slice has recorded more progress."""
    webhook = pipeline.webhook("http://127.0.0.1:1024/")
    id = start(pipeline, webhook, now(pipeline))["id"]
    late = tasks.claim("acme", id)
    pipeline.clock.move(61)
    next_ = tasks.claim("acme", id)
    assert late is not None
    assert next_ is not None
    tasks.advance(next_, "dlv_2", 2)
    tasks.advance(late, "dlv_1", 1)
    tasks.succeed(late, 1)
    assert progress(pipeline, {"id": id}) == ("RUNNING", 2, 0)
    pipeline.clock.move(61)
    claimed = tasks.claim("acme", id)
    assert claimed is not None
    assert (claimed.reached, claimed.claims) == ("dlv_2", 1)
    (ttl,) = (row["ttl"] for row in pipeline.backend.rows("TasksTable") if row["id"] == id)
    assert ttl == pipeline.clock.now // 1000 + 30 * DAY  # so a task that waits for a resume is kept


def test_task_whose_slices_fail_ends(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("patchbay.tasks.service._MAX_CLAIMS", 2)
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        deliver(pipeline)
        task = start(pipeline, webhook, since)
        with failing("dynamodb.GetItem", times=1000, error="refused"):
            for _ in range(3):
                pipeline.clock.move(61)
                pipeline.sweep()
        ended = shown(pipeline, task)
        assert (ended["status"], ended["error"]["code"], ended["done"]) == ("FAILED", "internal", 0)


# ── tasks ────────────────────────────────────────────────────────────────────────────────────────────


def test_workspace_runs_five_tasks_at_most(pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("http://127.0.0.1:1024/")
    since = now(pipeline)
    tasks = [start(pipeline, webhook, since) for _ in range(5)]
    path = f"POST {WEBHOOKS}/{webhook['id']}/replay"
    assert_problem(pipeline.api(path, json={"since": since}), 409, None, "/api/tasks/{id}/cancel")
    assert pipeline.api(path, json={"since": since, "dryRun": True}).status == 200
    cancelled = pipeline.api(f"POST /api/tasks/{tasks[0]['id']}/cancel").json()
    assert (cancelled["status"], cancelled["endedAt"]) == ("CANCELLED", now(pipeline))
    assert pipeline.api(f"POST /api/tasks/{tasks[0]['id']}/cancel").json() == cancelled
    tasks.append(start(pipeline, webhook, since))
    run(pipeline)
    statuses = {task["id"]: task["status"] for task in pipeline.api("GET /api/tasks").json()["items"]}
    assert list(statuses) == [task["id"] for task in sorted(tasks, key=lambda task: task["id"], reverse=True)]
    assert statuses[tasks[0]["id"]] == "CANCELLED"
    assert_problem(pipeline.api(f"POST /api/tasks/{tasks[1]['id']}/cancel"), 409)
    for query, number in (("status=SUCCEEDED", 5), ("status=RUNNING", 0), (f"webhookId={webhook['id']}", 6)):
        assert len(pipeline.api(f"GET /api/tasks?{query}").json()["items"]) == number


def test_cancelled_replay_sends_no_more(pipeline: Pipeline) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        deliver(pipeline)
        task = start(pipeline, webhook, since)
        pipeline.api(f"POST /api/tasks/{task['id']}/cancel")
        run(pipeline)
        assert (len(r.requests), shown(pipeline, task)["status"]) == (1, "CANCELLED")


def test_idempotency_key_starts_one_replay(pipeline: Pipeline) -> None:
    webhook = pipeline.webhook("http://127.0.0.1:1024/")
    body = {"since": now(pipeline)}
    line, once = f"POST {WEBHOOKS}/{webhook['id']}/replay", {"idempotency-key": "one"}
    with killed("dynamodb.TransactWriteItems"):
        pipeline.api(line, json=body, headers=once)
    pipeline.clock.move(31)
    first = pipeline.api(line, json=body, headers=once)
    assert first.status == 202
    assert first.headers["location"] == f"/api/tasks/{first.json()['id']}"
    assert pipeline.api(line, json=body, headers=once).json() == first.json()
    assert pipeline.api(line, json={**body, "missing": True}, headers=once).status == 422
    other = pipeline.webhook("http://127.0.0.1:1024/")
    assert pipeline.api(f"POST {WEBHOOKS}/{other['id']}/replay", json=body, headers=once).status == 422
    assert len(pipeline.api("GET /api/tasks").json()["items"]) == 1
    dry = {"idempotency-key": "two"}
    assert pipeline.api(line, json={**body, "dryRun": True}, headers=dry).status == 200
    assert pipeline.api(line, json=body, headers=dry).status == 202


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"since": "2020-01-01T00:00:00Z"}, "since"),
        ({"since": "2999-01-01T00:00:00Z"}, "since"),
        ({"since": "2999-01-01T00:00:00Z", "until": "2999-01-02T00:00:00Z"}, "since"),
        ({"since": "now", "until": "2020-01-01T00:00:00Z"}, "until"),
        ({"since": "now", "statuses": ["HELD"]}, "statuses.0"),
        ({"since": "now", "eventTypes": ["POST_PUBLISHED", "NOPE"]}, "eventTypes.1"),
    ],
)
def test_replay_rejects_invalid_body(pipeline: Pipeline, body: dict[str, Any], path: str) -> None:
    webhook = pipeline.webhook("http://127.0.0.1:9999/")
    if body.get("since") == "now":
        body = {**body, "since": now(pipeline)}
    assert_problem(pipeline.api(f"POST {WEBHOOKS}/{webhook['id']}/replay", json=body), 422, paths=[path])


def test_pull_webhook_cannot_be_paused_or_replayed(pipeline: Pipeline) -> None:
    body = {"kind": "pull", "name": "test", "eventTypes": ["*"]}
    path = f"{WEBHOOKS}/{pipeline.api(f'POST {WEBHOOKS}', json=body).json()['id']}"
    answer = pipeline.api(f"POST {path}/replay", json={"since": now(pipeline)})
    assert_problem(answer, 409, None, "pull webhook")
    paused = pipeline.api(f"PUT {path}/status", json={"status": "PAUSED"})
    assert_problem(paused, 409, None, "cannot be paused")


def test_count_of_a_replay_stops(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url)
        since = now(pipeline)
        deliver(pipeline, 3)
        monkeypatch.setattr(replay, "_MAX_COUNTED", 2)
        assert count(pipeline, webhook, since) == {"total": 2, "isComplete": False}
        assert start(pipeline, webhook, since)["total"] is None


# ── manual retries of a delivered delivery ───────────────────────────────────────────────────────────


def test_delivered_delivery_is_sent_again_on_purpose(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url)
        event = deliver(pipeline)[0]
        path = f"POST {WEBHOOKS}/{webhook['id']}/deliveries/{pipeline.shown(webhook, event)['id']}/retry"
        for body in (None, {}, {"force": False}):
            assert_problem(pipeline.api(path, json=body), 409, None, '{"force": true}')
        assert_problem(pipeline.api(path, json={"force": "yes"}), 422, paths=["force"])
        assert pipeline.api(path, json={"force": True}).json()["status"] == "RETRYING"
        pipeline.run(days=1)
        assert r.event_ids == [event] * 2
        attempts = pipeline.shown(webhook, event)["attempts"]
        assert [(each["number"], each["trigger"]) for each in attempts] == [(1, "AUTO"), (2, "MANUAL")]
