"""An event says why a webhook that subscribes to its type did not get it."""

from __future__ import annotations

from typing import Any

from patchbay.clock import now_ms
from patchbay.ids import WebhookId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks import service
from tests.catalogued import POST
from tests.conftest import Api, jwt_for
from tests.problems import assert_problem

WEBHOOKS, EVENTS = "/api/integrations/webhooks", "/api/events"


def create(api: Api, name: str = "test", **more: Any) -> str:
    body = {"name": name, "url": "https://example.com/", "eventTypes": ["POST_PUBLISHED"], **more}
    answer = api(f"POST {WEBHOOKS}", json=body)
    assert answer.status == 201, answer.text
    return str(answer.json()["id"])


def network(value: str) -> list[dict[str, Any]]:
    return [{"path": "network", "op": "equals", "value": value}]


def publish(api: Api) -> str:
    answer = api(f"POST {EVENTS}", json={"type": "POST_PUBLISHED", "data": POST})
    assert answer.status == 202, answer.text
    return str(answer.json()["id"])


def test_event_shows_which_webhooks_were_not_matched_and_why(api: Api) -> None:
    matched = create(api, "matched")
    other = create(api, "other", filters=network("linkedin"), eventTypes=["*"])
    inactive, disabled, changed, resumed, later_disabled = (
        create(api, name) for name in ("inactive", "disabled", "changed", "resumed", "later disabled")
    )
    create(api, "of another type", eventTypes=["POST_FAILED"])
    api(f"PUT {WEBHOOKS}/{changed}", json={"filters": network("linkedin")})
    api(f"PUT {WEBHOOKS}/{later_disabled}", json={"filters": network("x")})
    for status in ("INACTIVE", "ACTIVE"):  # before the event, so it is not the reason
        api(f"PUT {WEBHOOKS}/{changed}/status", json={"status": status})
    for id in (inactive, resumed):
        api(f"PUT {WEBHOOKS}/{id}/status", json={"status": "INACTIVE"})
    service.disable("acme", WebhookId(disabled), "endpoint_gone", lambda _: (), requested_at=now_ms())
    id = publish(api)
    service.disable("acme", WebhookId(later_disabled), "http", lambda _: (), requested_at=now_ms())
    api(f"PUT {WEBHOOKS}/{disabled}", json={"filters": network("x")})  # it was disabled before the event
    api(f"PUT {WEBHOOKS}/{changed}", json={"filters": []})
    api(f"PUT {WEBHOOKS}/{resumed}/status", json={"status": "ACTIVE"})
    created = create(api, "created")
    event = api(f"GET {EVENTS}/{id}").json()
    assert [delivery["webhookId"] for delivery in event["deliveries"]] == [matched]
    reasons = {each["webhookId"]: each["reason"] for each in event["unmatched"]}
    assert [each["name"] for each in event["unmatched"]] == [
        *("created", "later disabled", "resumed", "changed", "disabled", "inactive", "other")
    ], "newest first"
    mismatch = 'filter `network` equals "{}": the event has "instagram"'
    assert reasons[other] == {"code": "filter_mismatch", "detail": mismatch.format("linkedin")}
    assert reasons[later_disabled] == {"code": "filter_mismatch", "detail": mismatch.format("x")}
    assert reasons[inactive] == {
        "code": "inactive",
        "detail": "the status is INACTIVE; set it to ACTIVE",
    }
    assert reasons[disabled]["detail"] == "the status is DISABLED (endpoint_gone); set it to ACTIVE"
    assert [reasons[id]["code"] for id in (disabled, changed, resumed, created)] == [
        *("disabled", "changed_later", "changed_later", "created_later")
    ]
    assert reasons[changed]["detail"].startswith("matches the event now; it was changed at 20")
    assert reasons[resumed]["detail"].startswith("matches the event now; it was set to ACTIVE at 20")
    assert event["unmatchedTruncated"] is False


def test_unmatched_webhooks_need_the_right_to_read_webhooks(api: Api) -> None:
    create(api, filters=network("x"), headers={"X-Key": "header-value"})
    id = publish(api)
    reader = jwt_for("acme", scope="events:read")
    assert api(f"GET {EVENTS}/{id}", token=reader).json()["unmatched"] is None
    shown = api(f"GET {EVENTS}/{id}", token=jwt_for("acme", scope="events:read webhooks:read"))
    assert len(shown.json()["unmatched"]) == 1
    assert "header-value" not in shown.text
    assert_problem(api(f"GET {EVENTS}/{id}", token=jwt_for("rival")), 404)


def test_event_names_its_webhooks_for_callers_who_may_read_them(api: Api) -> None:
    kept, deleted = create(api, "kept"), create(api, "deleted")
    pull = {"name": "feed", "kind": "pull", "eventTypes": ["POST_PUBLISHED"]}
    feed = api(f"POST {WEBHOOKS}", json=pull).json()["id"]
    id = publish(api)
    assert api(f"DELETE {WEBHOOKS}/{deleted}").status == 200
    event = api(f"GET {EVENTS}/{id}").json()
    named = {each["webhookId"]: each["webhookName"] for each in event["deliveries"] + event["feeds"]}
    assert named == {kept: "kept", deleted: None, feed: "feed"}
    reader = api(f"GET {EVENTS}/{id}", token=jwt_for("acme", scope="events:read")).json()
    assert {each["webhookName"] for each in reader["deliveries"] + reader["feeds"]} == {None}


def test_unmatched_webhooks_are_limited(api: Api) -> None:
    first = create(api, filters=network("x"))
    row = dynamo.get(settings().webhooks_table, {"workspaceId": "acme", "sk": first})
    assert row is not None
    ids = [WebhookId.new() for _ in range(51)]
    for id in ids:
        dynamo.put(settings().webhooks_table, {**row, "sk": id})
    event = api(f"GET {EVENTS}/{publish(api)}").json()
    assert [each["webhookId"] for each in event["unmatched"]] == sorted(ids)[::-1][:50]
    assert event["unmatchedTruncated"] is True


def test_rejected_event_and_another_workspace_have_no_unmatched_webhooks(api: Api) -> None:
    create(api, filters=network("x"))
    rival = jwt_for("rival")
    answer = api(f"POST {EVENTS}", json={"type": "POST_PUBLISHED", "data": POST}, token=rival)
    assert api(f"GET {EVENTS}/{answer.json()['id']}", token=rival).json()["unmatched"] == []


def test_filter_on_a_path_that_no_type_has_is_refused(api: Api) -> None:
    def path(text: str) -> list[dict[str, Any]]:
        return [{"path": text, "op": "exists"}]

    body = {"name": "test", "url": "https://example.com/", "eventTypes": ["POST_PUBLISHED"]}
    hook = {"url": "https://example.com/", "eventType": "POST_PUBLISHED", "filters": path("data.network")}
    for line, sent in (
        (f"POST {WEBHOOKS}", {**body, "filters": path("data.network")}),
        (f"PUT {WEBHOOKS}/{create(api)}", {"filters": path("data.network")}),
        ("POST /api/automations/zapier/hooks", hook),
    ):
        (error,) = assert_problem(api(line, json=sent), 422, paths=["filters.0.path"])["errors"]
        assert error["message"] == "`data.network`: paths start inside data; did you mean `network`?"
    # Changing only the types can make a filter useless too.
    id = create(api, filters=path("willRetry"), eventTypes=["POST_FAILED"])
    only_published = {"eventTypes": ["POST_PUBLISHED"]}
    assert_problem(api(f"PUT {WEBHOOKS}/{id}", json=only_published), 422, paths=["filters.0.path"])
    assert api(f"PUT {WEBHOOKS}/{id}", json=only_published | {"filters": []}).status == 200


def test_stored_filter_on_an_unknown_path_stays_valid_until_it_changes(api: Api) -> None:
    """A webhook, and a hook whose automation is turned off and on, keep filters from before the check."""
    old = [{"path": "legacy", "op": "exists", "value": True}]
    id = create(api)
    key = {"workspaceId": "acme", "sk": id}
    dynamo.update(settings().webhooks_table, key, "SET filters = :old", old=old)
    for change in ({"name": "new"}, {"filters": old}, {"filters": old, "eventTypes": ["*"]}):
        assert api(f"PUT {WEBHOOKS}/{id}", json=change).status == 200, change
    added = [*old, {"path": "another", "op": "exists"}]
    assert_problem(api(f"PUT {WEBHOOKS}/{id}", json={"filters": added}), 422, paths=["filters.1.path"])
    assert api(f"PUT {WEBHOOKS}/{id}", json={"filters": []}).status == 200
    assert_problem(api(f"PUT {WEBHOOKS}/{id}", json={"filters": old}), 422, paths=["filters.0.path"])
