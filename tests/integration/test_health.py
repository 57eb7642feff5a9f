"""Health and analytics: states, volumes, periods and groups, and the database reads."""

from __future__ import annotations

from typing import Any

import pytest

from patchbay import aws
from patchbay.clock import from_ms, iso
from patchbay.ids import WebhookId, webhook_key
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.settings import settings
from patchbay.stats import store as stats_store
from patchbay.stats.counters import HOUR_MS
from patchbay.storage import dynamo
from tests.conftest import LAMBDA_CONTEXT, Api, jwt_for
from tests.faults import Source
from tests.integration.conftest import Pipeline
from tests.integration.ledger import Ledger
from tests.integration.test_refresh import ConnectedIntegration, answering, connected, error_reply
from tests.problems import assert_problem
from tests.receivers import receiver
from tests.wire import around_calls
from workers.roll_up_stats import handler as roll_up_handler

__all__ = ["connected"]  # a fixture
INTEGRATIONS = "/api/integrations"
HEALTH, ANALYTICS = f"{INTEGRATIONS}/health", f"{INTEGRATIONS}/analytics"
ZAPIER = "/api/automations/zapier/hooks"


@pytest.fixture
def ledger(pipeline: Pipeline) -> Ledger:
    ledger = Ledger(pipeline)
    stats_store.set_rolled_through(ledger.hour - 2)
    return ledger


def get(ledger: Ledger, line: str) -> Any:
    answer = ledger.pipeline.api(f"GET {line}", role="viewer")
    assert answer.status == 200, answer.text
    return answer.json()


def item(ledger: Ledger, id: str, query: str = "limit=100") -> Any:
    (found,) = (each for each in get(ledger, f"{HEALTH}?{query}")["items"] if each["id"] == id)
    return found


def hour(number: int) -> str:
    return iso(from_ms(number * HOUR_MS))


def create(ledger: Ledger, path: str, **body: Any) -> Any:
    answer = ledger.pipeline.api(f"POST {path}", json=body)
    assert answer.status == 201, answer.text
    return answer.json()


def integration(ledger: Ledger, name: str = "CRM") -> Any:
    return create(ledger, INTEGRATIONS, name=name, type="CUSTOM")


# ── health ───────────────────────────────────────────────────────────────────────────────────────────


def test_webhook_that_delivers_is_healthy(ledger: Ledger) -> None:
    ledger.deliver(12, ledger.hour - 1)
    ledger.roll_up()
    found = item(ledger, ledger.webhooks[0])
    assert (found["kind"], found["state"], found["reason"], found["detail"]) == (
        "webhook",
        "HEALTHY",
        None,
        None,
    )
    volume = found["deliveries"]
    assert (volume["attempts"], volume["succeeded"], volume["failed"], volume["successRate"]) == (
        12,
        12,
        0,
        1,
    )
    assert volume["latencyMs"]["p99"] <= 50
    assert (volume["previousSuccessRate"], volume["trend"], found["lastError"]) == (None, None, None)


@pytest.mark.parametrize(
    ("delivered", "failed", "state", "reason"),
    [
        (10, 0, "HEALTHY", None),
        (19, 1, "HEALTHY", None),
        (18, 2, "DEGRADED", "success_rate"),
        (5, 5, "DEGRADED", "success_rate"),
        (4, 6, "FAILING", "success_rate"),
        (0, 9, "HEALTHY", None),  # too few deliveries to judge
    ],
)
def test_success_rate_of_the_last_two_hours_decides(
    ledger: Ledger, delivered: int, failed: int, state: str, reason: str | None
) -> None:
    ledger.deliver(delivered, ledger.hour - 1)
    if failed:
        ledger.count((ledger.hour - 1) * HOUR_MS, reason="http_500", times=failed)
    ledger.roll_up()
    found = item(ledger, ledger.webhooks[0])
    assert (found["state"], found["reason"]) == (state, reason)
    if failed:
        assert found["lastError"]["code"] == "http_500"
    ledger.clock.move(3 * 3600)
    ledger.roll_up()
    assert item(ledger, ledger.webhooks[0])["state"] == "HEALTHY"  # it has proved fast, and nothing fails now


def test_trend_compares_the_last_day_with_the_day_before(ledger: Ledger) -> None:
    for day, failed in ((1, 0), (0, 5)):
        time = (ledger.hour - 2 - 24 * day) * HOUR_MS
        ledger.count(time, times=10)
        if failed:
            ledger.count(time, times=failed, reason="timeout")
    found = item(ledger, ledger.webhooks[0])["deliveries"]
    assert (found["previousSuccessRate"], found["successRate"], found["trend"]) == (1, 0.6667, "WORSE")


def test_state_of_a_receiver_is_live(ledger: Ledger) -> None:
    id, now = ledger.webhooks[0], ledger.clock.now
    health_store.open_breaker(ledger.key(), now, now + 60_000)
    found = item(ledger, id)
    assert (found["state"], found["reason"], found["since"]) == ("FAILING", "breaker_open", iso(from_ms(now)))
    health_store.set_timeouts(ledger.key(), 0)
    health_store.mark_slow(ledger.key(), Health(), health_store.traffic_from_row(None), now + 1)
    assert item(ledger, id)["reason"] == "slow"
    for state in ("PAUSED", "INACTIVE"):
        ledger.pipeline.set_status({"id": id}, state, statusReason="maintenance")
        found = item(ledger, id)
        assert (found["state"], found["reason"]) == (state, state.lower())
        assert "(maintenance)" in found["detail"]


def test_detail_of_a_disabled_webhook_names_the_request_that_sends_what_it_missed(pipeline: Pipeline) -> None:
    with receiver([404]) as r:
        webhook = pipeline.webhook(r.url, disableAfter=1)
        pipeline.publish()
        pipeline.run()
        pipeline.publish()
        pipeline.run()
    (found,) = pipeline.api(f"GET {HEALTH}?kind=webhook").json()["items"]
    assert (found["state"], found["reason"]) == ("DISABLED", "disabled")
    assert "(consecutive_failures)" in found["detail"]
    assert found["detail"].endswith('/replay with "statuses": ["FAILED", "CANCELLED"] and "missing": true.')
    pipeline.set_status(webhook, "ACTIVE")
    body = {"statuses": ["FAILED", "CANCELLED"], "missing": True, "dryRun": True}
    body["since"] = iso(from_ms(pipeline.clock.now - HOUR_MS))
    counted = pipeline.api(f"POST {INTEGRATIONS}/webhooks/{webhook['id']}/replay", json=body)
    assert counted.json() == {"total": 2, "isComplete": True}


def test_new_and_pull_webhooks_are_unknown(ledger: Ledger) -> None:
    new = ledger.pipeline.webhook("https://example.com/new", is_fast=False)
    pull = create(ledger, f"{INTEGRATIONS}/webhooks", name="pull", kind="pull", eventTypes=["POST_PUBLISHED"])
    assert (item(ledger, new["id"])["state"], item(ledger, new["id"])["reason"]) == ("UNKNOWN", "no_attempts")
    assert (item(ledger, pull["id"])["state"], item(ledger, pull["id"])["reason"]) == ("UNKNOWN", "pull")


def test_integration_is_judged_by_its_webhooks_and_connections(ledger: Ledger) -> None:
    crm, other = integration(ledger), integration(ledger, "Other")
    connection = create(
        ledger, f"{INTEGRATIONS}/{crm['id']}/connections", connectionId="main", credentials={"apiKey": "k"}
    )
    hooks = [
        ledger.pipeline.webhook(f"https://example.com/{number}", integrationId=crm["id"])
        for number in range(2)
    ]
    found = item(ledger, crm["id"])
    assert found["state"] == "HEALTHY"
    assert found["webhooks"] == {"total": 2, "states": {"HEALTHY": 2}}
    assert found["connections"] == {"total": 1, "states": {"HEALTHY": 1}}
    assert item(ledger, other["id"])["state"] == "UNKNOWN"
    assert item(ledger, connection["id"])["integrationId"] == crm["id"]

    now = ledger.clock.now
    health_store.open_breaker(webhook_key("acme", hooks[0]["id"]), now, now + 60_000)
    found = item(ledger, crm["id"])
    assert (found["state"], found["reason"], found["since"]) == ("DEGRADED", "parts", iso(from_ms(now)))
    assert "1 of 2 webhooks" in found["detail"]

    health_store.open_breaker(webhook_key("acme", hooks[1]["id"]), now, now + 60_000)
    (row,) = (row for row in ledger.pipeline.backend.rows("ConnectionsTable") if row["name"] == "main")
    error = {"code": "invalid_grant", "detail": "revoked by the user", "at": now}
    dynamo.put(settings().connections_table, row | {"status": "EXPIRED", "lastError": error})
    found = item(ledger, crm["id"])
    assert (found["state"], found["lastError"]["code"]) == ("FAILING", "invalid_grant")
    assert "2 of 2 webhooks and 1 of 1 connection." in found["detail"]
    sick = item(ledger, connection["id"])
    assert (sick["state"], sick["reason"]) == ("FAILING", "expired")
    assert "oauth/initiate" in sick["detail"]

    filtered = get(ledger, f"{HEALTH}?integrationId={crm['id']}&state=FAILING,DISABLED")["items"]
    assert [each["kind"] for each in filtered] == ["integration", "webhook", "webhook", "connection"]
    assert get(ledger, f"{HEALTH}?kind=integration&state=FAILING")["items"] == [found]


def test_automation_platform_sums_up_its_hooks(ledger: Ledger) -> None:
    body = {"url": "https://hooks.zapier.com/hooks/standard/1/abc/", "eventType": "POST_PUBLISHED"}
    hook = create(ledger, ZAPIER, **body)
    ledger.webhooks.append(hook["id"])
    ledger.deliver(3, ledger.hour - 1, webhook=2)
    ledger.roll_up()
    (found,) = get(ledger, f"{HEALTH}?kind=automation")["items"]
    assert (found["id"], found["name"], found["webhooks"]["total"]) == ("zapier", "Zapier", 1)
    assert found["deliveries"]["succeeded"] == 3
    groups = get(ledger, f"{ANALYTICS}?groupBy=automation")["items"]
    assert [(group["id"], group["deliveries"]["succeeded"]) for group in groups] == [
        ("zapier", 3),
        ("make", 0),
        ("n8n", 0),
    ]


HOOKS = {
    "zapier": "https://hooks.zapier.com/hooks/standard/1/abc/",
    "make": "https://hook.eu2.make.com/abc",
    "n8n": "https://n8n.example.com/webhook/abc",
}


@pytest.mark.parametrize("query", ["", "&state=HEALTHY,UNKNOWN", "&kind=webhook,connection"])
def test_pages_of_any_size_have_everything_once(ledger: Ledger, query: str) -> None:
    crm = integration(ledger)
    for number in range(3):
        name, path = f"c{number}", f"{INTEGRATIONS}/{crm['id']}/connections"
        create(ledger, path, connectionId=name, credentials={"apiKey": "k"})
    for platform, url in HOOKS.items():
        create(ledger, f"/api/automations/{platform}/hooks", url=url, eventType="POST_PUBLISHED")
    step = {"id": "pause", "type": "wait", "seconds": 1}
    for name in ("a", "b"):
        trigger = {"type": "event", "eventTypes": ["POST_FAILED"]}
        create(ledger, "/api/flows", name=name, trigger=trigger, steps=[step])
    everything = get(ledger, f"{HEALTH}?limit=100{query}")
    assert everything["nextCursor"] is None
    for limit in (1, 2, 3, 6):
        found, cursor = [], ""
        while cursor is not None:
            page = get(ledger, f"{HEALTH}?limit={limit}{query}{cursor and f'&cursor={cursor}'}")
            assert len(page["items"]) <= limit
            found += page["items"]
            cursor = page["nextCursor"]
        assert found == everything["items"]
    assert {each["kind"] for each in found} >= {"webhook", "connection"}


def test_flow_is_judged_by_its_latest_runs(ledger: Ledger) -> None:
    """tests/unit/test_health.py tests the rules."""
    trigger = {"type": "event", "eventTypes": ["POST_PUBLISHED"]}
    input = {"name": "{{event.data.nothing}}"}
    ask = {"id": "ask", "type": "action", "action": "create_campaign", "input": input}
    flow = create(ledger, "/api/flows", name="Campaigns", trigger=trigger, steps=[ask])
    line = f"{HEALTH}?kind=flow"
    (found,) = get(ledger, line)["items"]
    assert (found["id"], found["name"], found["state"], found["reason"]) == (
        *(flow["id"], "Campaigns", "UNKNOWN", "no_runs"),
    )
    queue = Source(ledger.pipeline.backend, "FlowsQueue", "workers.run_flows.handler", ledger.clock)
    for state in ("DEGRADED", "DEGRADED", "FAILING"):
        ledger.clock.move(1)
        ledger.pipeline.publish()
        while ledger.pipeline.events.poll() + queue.poll():
            pass
        (found,) = get(ledger, f"{line}&state={state}")["items"]
    assert (found["reason"], found["lastError"]["code"]) == ("consecutive_failures", "invalid_input")
    assert found["lastError"]["detail"] == "The step ask failed."
    assert f"/api/flows/{flow['id']}/runs?status=FAILED" in found["detail"]
    assert found["since"] < found["lastError"]["at"]
    assert get(ledger, f"{HEALTH}?integrationId={integration(ledger)['id']}&kind=flow")["items"] == []
    ledger.pipeline.api(f"PUT /api/flows/{flow['id']}", json={"name": "Corrected"})
    (found,) = get(ledger, line)["items"]
    assert (found["state"], found["lastError"]) == ("UNKNOWN", None)


def test_health_and_analytics_show_nothing_of_another_workspace(ledger: Ledger, api: Api) -> None:
    crm = integration(ledger)
    ledger.pipeline.webhook("https://example.com/", integrationId=crm["id"])
    ledger.deliver(3, ledger.hour - 1)
    ledger.roll_up()
    stranger = jwt_for("globex", role="owner", claims={"exp": ledger.clock.now // 1000 + 600})
    assert api(f"GET {HEALTH}", token=stranger).json()["items"] == []
    (series,) = api(f"GET {ANALYTICS}", token=stranger).json()["items"]
    assert (series["points"], series["deliveries"]["attempts"]) == ([], 0)
    for path in (HEALTH, ANALYTICS):
        answer = api(f"GET {path}?integrationId={crm['id']}", token=stranger)
        assert_problem(answer, 422, "validation_failed")
    answer = api(f"GET {ANALYTICS}?webhookId={ledger.webhooks[0]}", token=stranger)
    assert_problem(answer, 422, "validation_failed")
    cursor = get(ledger, f"{HEALTH}?limit=1")["nextCursor"]
    assert api(f"GET {HEALTH}?cursor={cursor}", token=stranger).json()["items"] == []


def test_other_scopes_do_not_read_analytics(ledger: Ledger) -> None:
    scopes = ["integrations:read", "webhooks:read"]
    key = create(ledger, f"{INTEGRATIONS}/api-keys", name="k", scopes=scopes)["key"]
    for path in (HEALTH, ANALYTICS):
        assert_problem(ledger.pipeline._api(f"GET {path}", token=key), 403, "forbidden")


@pytest.mark.parametrize(
    "query", ["kind=hook", "state=SICK", "kind=", "cursor=x", "integrationId=whk_1", "state=healthy", "x=1"]
)
def test_health_rejects_unknown_values(ledger: Ledger, query: str) -> None:
    assert_problem(ledger.pipeline.api(f"GET {HEALTH}?{query}"), 422, "validation_failed")


def test_reads_of_a_page_are_bounded(ledger: Ledger) -> None:
    """A page of webhooks reads the progress, the webhooks and their receivers, and queries each webhook."""
    for number in range(4):
        ledger.pipeline.webhook(f"https://example.com/{number}")
    calls = ledger.pipeline.backend.calls
    get(ledger, f"{HEALTH}?kind=webhook&limit=4")
    calls.clear()
    get(ledger, f"{HEALTH}?kind=webhook&limit=4")
    assert calls.count == {"dynamodb.GetItem": 1, "dynamodb.Query": 1 + 4, "dynamodb.BatchGetItem": 1}
    calls.clear()
    get(ledger, ANALYTICS)
    assert calls.count == {"dynamodb.GetItem": 1, "dynamodb.Query": 1}


def test_page_of_flows_takes_a_query_for_each(ledger: Ledger) -> None:
    """The page also takes one query for the flows, and reads the progress."""
    trigger = {"type": "event", "eventTypes": ["POST_FAILED"]}
    step = {"id": "pause", "type": "wait", "seconds": 1}
    for name in ("a", "b"):
        create(ledger, "/api/flows", name=name, trigger=trigger, steps=[step])
    calls = ledger.pipeline.backend.calls
    get(ledger, f"{HEALTH}?kind=flow")
    calls.clear()
    get(ledger, f"{HEALTH}?kind=flow")
    assert calls.count == {"dynamodb.GetItem": 1, "dynamodb.Query": 1 + 2}


@pytest.mark.parametrize(
    ("query", "has_types"),
    [
        (f"{HEALTH}?kind=webhook", False),
        (f"{ANALYTICS}?groupBy=webhook", False),
        (f"{ANALYTICS}?groupBy=webhook&eventType=POST_PUBLISHED", True),
        (f"{ANALYTICS}?groupBy=eventType", True),
    ],
)
def test_event_types_are_read_only_if_needed(ledger: Ledger, query: str, has_types: bool) -> None:
    """Event types take up most of a row, and a page reads up to 74,400 rows."""
    read: list[bool] = []

    def note(service: str, operation: str, params: Any, call: Any) -> Any:
        if operation == "Query" and "sk BETWEEN" in params["KeyConditionExpression"]:
            read.append("ProjectionExpression" not in params)
        return call(params)

    with around_calls(note):
        get(ledger, query)
    assert set(read) == {has_types}


# ── analytics ────────────────────────────────────────────────────────────────────────────────────────


def test_series_by_hour_and_by_day_have_the_same_sums(ledger: Ledger) -> None:
    # 06:20 in two days: later than everything that is rolled up now, at any time of day.
    ledger.clock.now = (ledger.hour // 24 * 24 + 54) * HOUR_MS + 20 * 60_000
    ledger.hour = ledger.clock.now // HOUR_MS
    stats_store.set_rolled_through(ledger.hour - 12)
    for ago in (1, 2, 9):
        ledger.deliver(ago, ledger.hour - ago, ms=40 * ago)
    ledger.count((ledger.hour - 2) * HOUR_MS, reason="timeout")
    ledger.roll_up()
    since = hour(ledger.hour - 11)
    (hours,) = get(ledger, f"{ANALYTICS}?since={since}")["items"]
    assert (hours["kind"], hours["id"]) == ("workspace", None)
    assert [(point["at"], point["deliveries"]["succeeded"]) for point in hours["points"]] == [
        (hour(ledger.hour - ago), ago) for ago in (9, 2, 1)
    ]
    (days,) = get(ledger, f"{ANALYTICS}?since={since}&by=day")["items"]
    assert [point["deliveries"]["attempts"] for point in days["points"]] == [9, 4]
    assert days["deliveries"] == hours["deliveries"]
    assert (days["deliveries"]["attempts"], days["deliveries"]["failed"]) == (13, 1)
    assert 350 < days["deliveries"]["latencyMs"]["p95"] <= 400


def test_hours_that_are_not_added_up_are_left_out(ledger: Ledger) -> None:
    ledger.deliver(2, ledger.hour)
    ledger.count(ledger.clock.now, reason="http_500")
    answer = get(ledger, ANALYTICS)
    assert answer["until"] == hour(ledger.hour - 1)
    assert answer["items"][0]["points"] == []
    ledger.roll_up()
    assert get(ledger, ANALYTICS)["until"] == hour(ledger.hour)
    ledger.clock.move(55 * 60)
    assert roll_up_handler({}, LAMBDA_CONTEXT) == {"rolledUp": 2}
    (point,) = get(ledger, ANALYTICS)["items"][0]["points"]
    assert (point["at"], point["deliveries"]["successRate"]) == (hour(ledger.hour), 0.6667)


def test_groups_add_up_to_the_workspace(ledger: Ledger) -> None:
    crm = integration(ledger)
    ledger.webhooks[1] = ledger.pipeline.webhook("https://example.com/", integrationId=crm["id"])["id"]
    ledger.deliver(5, ledger.hour - 1)
    ledger.deliver(3, ledger.hour - 1, event_type="ALERT_TRIGGERED")
    ledger.deliver(2, ledger.hour - 1, webhook=1)
    ledger.count((ledger.hour - 1) * HOUR_MS, webhook=1, reason="http_500")
    ledger.roll_up()

    def attempts(query: str) -> dict[str, int]:
        items = get(ledger, f"{ANALYTICS}?{query}")["items"]
        return {each["id"]: each["deliveries"]["attempts"] for each in items}

    first, second = ledger.webhooks[:2]
    assert attempts("") == {None: 11}
    assert {id: count for id, count in attempts("groupBy=webhook").items() if count} == {first: 8, second: 3}
    assert attempts("groupBy=integration") == {crm["id"]: 3}
    assert attempts("groupBy=eventType") == {"POST_PUBLISHED": 7, "ALERT_TRIGGERED": 3, "POST_FAILED": 1}
    assert attempts(f"groupBy=eventType&integrationId={crm['id']}") == {"POST_PUBLISHED": 2, "POST_FAILED": 1}
    assert attempts(f"groupBy=eventType&webhookId={first}") == {"POST_PUBLISHED": 5, "ALERT_TRIGGERED": 3}
    assert attempts(f"groupBy=webhook&integrationId={crm['id']}") == {second: 3}
    assert attempts(f"integrationId={crm['id']}&eventType=POST_FAILED") == {crm["id"]: 1}
    assert attempts("eventType=ALERT_TRIGGERED") == {None: 3}
    page = get(ledger, f"{ANALYTICS}?groupBy=webhook&limit=1")
    rest = get(ledger, f"{ANALYTICS}?groupBy=webhook&limit=100&cursor={page['nextCursor']}")
    everything = get(ledger, f"{ANALYTICS}?groupBy=webhook")["items"]
    assert page["items"] + rest["items"] == everything


def test_webhook_that_was_deleted_before_the_roll_up_counts_for_its_workspace(ledger: Ledger) -> None:
    ledger.count((ledger.hour - 1) * HOUR_MS, reason="http_500", times=2)
    ledger.pipeline.api(f"DELETE {INTEGRATIONS}/webhooks/{ledger.webhooks[0]}")
    ledger.roll_up()
    assert ledger.total() == {"attempts": 2, "delivered": 0, "failed": 2}


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("since={-8d}", "since", "must be at most 7 days before until. Use by=day for a longer period."),
        ("since={-40d}&by=day", "since", "must be within the last 30 days"),
        ("since={+1h}", "since", "must not be in the future"),
        ("since={-1h}&until={-2h}", "until", "must not be before since"),
        ("since={-1h}&until=9999-12-31T23:59:59Z&by=day", "since", "must be at most 31 days before until."),
        ("by=week", "by", None),
        ("groupBy=hook", "groupBy", None),
        ("groupBy=eventType&eventType=POST_FAILED", "eventType", None),
        ("groupBy=webhook&webhookId={id}", "webhookId", None),
        ("groupBy=connection&eventType=POST_FAILED", "eventType", None),
        ("groupBy=integration&webhookId={id}", "webhookId", None),
        ("webhookId={id}", "webhookId", "no webhook with this ID in this workspace"),
        ("cursor=abc", "cursor", None),
    ],
)
def test_analytics_rejects_periods_and_combinations(
    ledger: Ledger, query: str, field: str, message: str | None
) -> None:
    times = {"{-8d}": -8 * 24, "{-40d}": -40 * 24, "{+1h}": 1, "{-1h}": -1, "{-2h}": -2}
    for name, hours in times.items():
        query = query.replace(name, iso(from_ms(ledger.clock.now + hours * HOUR_MS)))
    answer = ledger.pipeline.api(f"GET {ANALYTICS}?{query.replace('{id}', WebhookId.new())}")
    assert_problem(answer, 422, "validation_failed")
    (error,) = answer.json()["errors"]
    assert error["path"] == field
    assert message is None or error["message"] == message


@pytest.mark.parametrize(
    "query", ["until=0001-01-01T00:00:00Z", "until=9999-12-31T23:59:59Z&by=day", "by=day"]
)
def test_period_at_the_ends_of_time_has_no_points(ledger: Ledger, query: str) -> None:
    assert get(ledger, f"{ANALYTICS}?{query}")["items"][0]["points"] == []


# ── refreshes ────────────────────────────────────────────────────────────────────────────────────────


def test_refreshes_count_for_their_connection_integration_and_workspace(
    connected: ConnectedIntegration,
) -> None:
    now = connected.clock.now = (connected.clock.now // HOUR_MS + 1) * HOUR_MS
    stats_store.set_rolled_through(now // HOUR_MS - 1)
    assert connected.refresh().status == 200
    connected.provider.script = [answering(error_reply("temporarily_unavailable", 503))]
    connected.refresh()
    connected.clock.move(4600)
    assert roll_up_handler({}, LAMBDA_CONTEXT) == {"rolledUp": 0}
    id = connected.get()["id"]
    token = jwt_for("acme", role="viewer", claims={"exp": connected.clock.now // 1000 + 600})

    def refreshes(query: str) -> dict[str, Any]:
        items = connected.api(f"GET {ANALYTICS}?{query}", token=token).json()["items"]
        return {each["id"]: (each["refreshes"]["succeeded"], each["refreshes"]["failed"]) for each in items}

    assert refreshes("") == {None: (1, 1)}
    assert refreshes("groupBy=connection") == {id: (1, 1)}
    assert refreshes("groupBy=integration") == {connected.id: (1, 1)}


def test_refresh_is_not_lost_if_it_cannot_be_counted(
    connected: ConnectedIntegration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise aws.CallFailed("UpdateItem")

    monkeypatch.setattr(stats_store, "add_refresh", fail)
    assert connected.refresh().status == 200
