"""The receiver state that a webhook shows: breaker, lane, and waiting deliveries."""

from __future__ import annotations

from typing import Any

from patchbay.ids import DeliveryId, webhook_key
from patchbay.receivers import health_store
from patchbay.receivers.health import Health
from patchbay.receivers.lanes import Traffic
from patchbay.settings import settings
from patchbay.storage import dynamo
from tests.integration.conftest import WEBHOOKS, Pipeline
from tests.receivers import receiver

URL = "https://example.com/"


def shown(pipeline: Pipeline, webhook: Any) -> Any:
    """Return the state of the receiver. The list must show the same if a request includes it."""
    detail = pipeline.api(f"GET {WEBHOOKS}/{webhook['id']}").json()
    for parts in ("receiver", "stats,receiver"):
        items = pipeline.api(f"GET {WEBHOOKS}?include={parts}").json()["items"]
        (item,) = (item for item in items if item["id"] == webhook["id"])
        assert item["receiver"] == detail["receiver"]
        assert item["consecutiveFailures"] == detail["consecutiveFailures"]
        assert (item["stats"] is None) is (parts == "receiver")
    return detail["receiver"]


def test_new_receiver_is_unproven_and_then_fast(pipeline: Pipeline) -> None:
    with receiver() as r:
        webhook = pipeline.webhook(r.url, is_fast=False)
        assert shown(pipeline, webhook) == {
            "breaker": "CLOSED",
            "openedAt": None,
            "nextProbeAt": None,
            "lane": "SLOW",
            "laneReason": "unproven",
            "slowAt": None,
            "slowdowns": 0,
            "backlogSince": None,
            "held": 0,
        }
        pipeline.publish()
        pipeline.poll()
        state = shown(pipeline, webhook)
        assert (state["lane"], state["laneReason"]) == ("FAST", None)


def test_open_breaker_shows_the_next_probe_and_what_is_held(pipeline: Pipeline) -> None:
    webhook = pipeline.webhook(URL)
    key, now = webhook_key("acme", webhook["id"]), pipeline.clock.now
    health_store.open_breaker(key, now, now + 60_000)
    pipeline.publish()
    pipeline.poll()
    state = shown(pipeline, webhook)
    assert (state["breaker"], state["held"]) == ("OPEN", 1)
    assert state["openedAt"] < state["nextProbeAt"]
    pipeline.clock.move(1)
    pipeline.api(f"PUT {WEBHOOKS}/{webhook['id']}/status", json={"status": "ACTIVE"})
    state = shown(pipeline, webhook)
    assert (state["breaker"], state["openedAt"], state["nextProbeAt"]) == ("CLOSED", None, None)


def test_slow_receivers_show_why(pipeline: Pipeline) -> None:
    slow, fast = pipeline.webhook(URL), pipeline.webhook(URL)
    now = pipeline.clock.now
    pipeline.clock.move(1)
    key = webhook_key("acme", slow["id"])
    health_store.mark_slow(key, Health(fast_at=now), Traffic(), pipeline.clock.now)
    health_store.set_backlog(key, pipeline.clock.now)
    state = shown(pipeline, slow)
    assert (state["lane"], state["laneReason"], state["slowdowns"]) == ("SLOW", "slow", 1)
    assert state["slowAt"] == state["backlogSince"] is not None
    assert shown(pipeline, fast)["lane"] == "FAST"
    entries = frozenset(f"{pipeline.clock.now}#{DeliveryId.new()}" for _ in range(5))
    table, row_key = health_store.traffic_table_key("acme")
    assert table == settings().health_table
    dynamo.update(table, row_key, "ADD slow :entries", entries=entries)
    state = shown(pipeline, fast)
    assert (state["lane"], state["laneReason"]) == ("SLOW", "slow_workspace")


def test_list_without_include_has_no_stats(pipeline: Pipeline) -> None:
    pipeline.webhook(URL)
    (item,) = pipeline.api(f"GET {WEBHOOKS}").json()["items"]
    assert (item["stats"], item["receiver"], item["consecutiveFailures"]) == (None, None, None)
    answer = pipeline.api(f"GET {WEBHOOKS}?include=stats,secrets")
    assert (answer.status, [error["path"] for error in answer.json()["errors"]]) == (422, ["include"])


def test_list_of_keys_has_no_daily_use(pipeline: Pipeline) -> None:
    path = "/api/integrations/api-keys"
    key = pipeline.api(f"POST {path}", json={"name": "k", "scopes": ["events:read"]}).json()
    (item,) = pipeline.api(f"GET {path}").json()["items"]
    assert item["usage"] == {"total": 0, "today": 0, "daily": None}
    assert len(pipeline.api(f"GET {path}/{key['id']}").json()["usage"]["daily"]) == 30


def test_pull_webhook_has_no_receiver_state_but_is_explained(pipeline: Pipeline) -> None:
    filters = [{"path": "network", "op": "equals", "value": "x"}]
    body = {"kind": "pull", "name": "feed", "eventTypes": ["POST_PUBLISHED"]}
    ids = []
    for more in ({"filters": filters}, {}):
        answer = pipeline.api(f"POST {WEBHOOKS}", json={**body, **more})
        assert answer.status == 201, answer.text
        ids.append(answer.json()["id"])
        assert pipeline.api(f"GET {WEBHOOKS}/{ids[-1]}").json()["receiver"] is None
    event = pipeline.api(f"GET /api/events/{pipeline.publish()}").json()
    assert [each["webhookId"] for each in event["feeds"]] == ids[1:]
    (unmatched,) = event["unmatched"]
    assert (unmatched["webhookId"], unmatched["reason"]["code"]) == (ids[0], "filter_mismatch")
    unknown = {**body, "filters": [{"path": "netwrk", "op": "exists"}]}
    assert pipeline.api(f"POST {WEBHOOKS}", json=unknown).status == 422
    assert pipeline.api(f"PUT {WEBHOOKS}/{ids[1]}", json={"filters": unknown["filters"]}).status == 422
    assert pipeline.api(f"PUT {WEBHOOKS}/{ids[1]}", json={"filters": filters}).status == 200
