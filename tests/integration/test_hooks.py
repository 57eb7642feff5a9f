"""Hooks of automations: subscribed, found again, delivered by the one engine, ended when their receiver is
gone; and what an automation is shown before it subscribes.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from patchbay import catalogue
from patchbay.automations import hooks
from patchbay.catalogue.entries import check_data, load
from patchbay.ids import EventId
from patchbay.schema import at_ms, iso
from tests.catalogued import POST, assert_catalogued
from tests.conftest import Api, Backend, jwt_for
from tests.faults import one_at_a_time
from tests.integration.conftest import WEBHOOKS, Line
from tests.receivers import receiver

HOOKS = "/api/automations/{}/hooks"
PLATFORMS = ("zapier", "make", "n8n")
URL = "https://hooks.zapier.example/hooks/standard/1/"


def hook(api: Any, platform: str = "zapier", status: int = 201, **body: Any) -> Any:
    answer = api(f"POST {HOOKS.format(platform)}", json={"targetUrl": URL, "event": "POST_PUBLISHED", **body})
    assert answer.status == status, answer.text
    return answer.json()


# ── subscribing ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_hook_is_a_webhook_of_its_platform(api: Api, platform: str) -> None:
    filters = [{"path": "network", "op": "equals", "value": "instagram"}]
    answer = api(
        f"POST {HOOKS.format(platform)}",
        json={"targetUrl": URL, "event": "POST_PUBLISHED", "filters": filters},
    )
    made = answer.json()
    assert (answer.status, list(made)) == (201, ["id", "secret"])
    assert made["secret"].startswith("whsec_")
    place = f"{HOOKS.format(platform)}/{made['id']}"
    assert answer.headers["location"] == place
    shown = api(f"GET {place}").json()
    assert shown | {"createdAt": "", "updatedAt": ""} == {
        "id": made["id"],
        "platform": platform,
        "targetUrl": URL,
        "event": "POST_PUBLISHED",
        "filters": filters,
        "status": "ACTIVE",
        "createdAt": "",
        "updatedAt": "",
        "version": 1,
    }
    webhook = api(f"GET {WEBHOOKS}/{made['id']}").json()
    assert (webhook["source"], webhook["url"], webhook["events"]) == (platform, URL, ["POST_PUBLISHED"])
    assert made["secret"] not in json.dumps([shown, webhook])
    # It is a hook of its own platform and of no other.
    for other in set(PLATFORMS) - {platform}:
        elsewhere = f"{HOOKS.format(other)}/{made['id']}"
        assert [api(f"{method} {elsewhere}").status for method in ("GET", "DELETE")] == [404, 404]
        assert api(f"GET {HOOKS.format(other)}").json()["items"] == []
    assert api(f"GET {HOOKS.format(platform)}").json()["items"] == [shown]
    answer = api(f"DELETE {place}")
    assert (answer.status, answer.text) == (200, "{}")
    assert api(f"GET {place}").status == api(f"DELETE {place}").status == 404


def test_a_plain_webhook_is_no_hook(api: Api) -> None:
    body = {"name": "w", "url": URL, "events": ["POST_PUBLISHED"]}
    id = api(f"POST {WEBHOOKS}", json=body).json()["id"]
    for platform in PLATFORMS:
        assert api(f"GET {HOOKS.format(platform)}/{id}").status == 404
        assert api(f"DELETE {HOOKS.format(platform)}/{id}").status == 404
    assert api(f"GET {WEBHOOKS}/{id}").json()["source"] == "api"


def test_the_same_again_is_the_hook_that_is_there(api: Api, backend: Backend) -> None:
    filters = [{"path": "network", "op": "in", "value": ["a", "b"]}]
    first = hook(api, filters=filters)
    assert hook(api, filters=filters, status=200) == {"id": first["id"], "secret": None}
    answer = api(
        f"POST {HOOKS.format('zapier')}",
        json={"event": "POST_PUBLISHED", "filters": filters, "targetUrl": URL},
    )
    assert "location" not in answer.headers
    # What differs in anything is another one.
    others = [
        hook(api, platform="make", filters=filters),
        hook(api, event="POST_FAILED", filters=filters),
        hook(api, targetUrl=URL + "2", filters=filters),
        hook(api),
    ]
    assert len({first["id"], *(other["id"] for other in others)}) == 5
    (counted,) = [row for row in backend.rows("WebhooksTable") if row["sk"] == "count"]
    assert counted["webhooks"] == 5
    # Gone, it is made anew.
    assert api(f"DELETE {HOOKS.format('zapier')}/{first['id']}").status == 200
    again = hook(api, filters=filters)
    assert again["id"] != first["id"]
    assert again["secret"] not in (None, first["secret"])


def test_another_workspaces_hook_is_not_found_again(api: Api) -> None:
    first = hook(api)
    answer = api(
        f"POST {HOOKS.format('zapier')}",
        json={"targetUrl": URL, "event": "POST_PUBLISHED"},
        token=jwt_for("rival"),
    )
    assert answer.status == 201
    assert answer.json()["id"] != first["id"]


def test_eight_at_once_make_one(api: Api, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    one_at_a_time(monkeypatch)
    answers = []
    start = threading.Barrier(8)

    def subscribe() -> None:
        start.wait()
        answers.append(api(f"POST {HOOKS.format('n8n')}", json={"targetUrl": URL, "event": "POST_PUBLISHED"}))

    threads = [threading.Thread(target=subscribe) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [answer for answer in answers if answer.status == 201]
    assert len(made) == 1
    # Met again and again, a request may also be told to come back.
    assert {answer.status for answer in answers} <= {200, 201, 409}
    ids = {answer.json()["id"] for answer in answers if answer.status != 409}
    assert ids == {made[0].json()["id"]}
    kinds = sorted(row["sk"].partition("_")[0].partition("#")[0] for row in backend.rows("WebhooksTable"))
    assert kinds == ["count", "hook", "sub", "whk"]


def test_subscribing_again_wakes_a_paused_hook(api: Api) -> None:
    made = hook(api)
    assert api(f"PUT {WEBHOOKS}/{made['id']}/status", json={"status": "INACTIVE"}).status == 200
    place = f"{HOOKS.format('zapier')}/{made['id']}"
    assert api(f"GET {place}").json()["status"] == "INACTIVE"
    assert hook(api, status=200)["id"] == made["id"]
    assert api(f"GET {place}").json()["status"] == "ACTIVE"


def test_an_idempotency_key_gives_the_secret_again(api: Api) -> None:
    body = {"targetUrl": URL, "event": "POST_PUBLISHED"}
    key = {"Idempotency-Key": "one"}
    first = api(f"POST {HOOKS.format('zapier')}", json=body, headers=key)
    again = api(f"POST {HOOKS.format('zapier')}", json=body, headers=key)
    assert (again.status, again.json()) == (201, first.json())
    assert again.headers["location"] == first.headers["location"]
    # Under another key nothing is made, so that key stays free.
    other = {"Idempotency-Key": "two"}
    found = api(f"POST {HOOKS.format('zapier')}", json=body, headers=other)
    assert (found.status, found.json()["secret"]) == (200, None)
    assert (
        api(f"POST {HOOKS.format('zapier')}", json={**body, "event": "POST_FAILED"}, headers=other).status
        == 201
    )


@pytest.mark.parametrize("unset", ["", None])
def test_a_filter_that_nobody_filled_in_is_none(api: Api, unset: str | None) -> None:
    filters = [
        {"path": "accountId", "op": "equals", "value": unset},
        {"path": "network", "op": "equals", "value": "x"},
    ]
    made = hook(api, filters=filters)
    assert api(f"GET {HOOKS.format('zapier')}/{made['id']}").json()["filters"] == filters[1:]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"event": "NOPE"}, "event"),
        ({"event": "*"}, "event"),
        ({"event": "ACTION_REQUESTED"}, "event"),
        ({"event": None}, "event"),
        ({"targetUrl": "http://169.254.169.254/latest"}, "targetUrl"),
        ({"targetUrl": "ftp://example.com"}, "targetUrl"),
        ({"targetUrl": ""}, "targetUrl"),
        ({"filters": [{"path": "a", "op": "matches", "value": ".*"}]}, "filters.0"),
        ({"filters": {}}, "filters"),
        ({"filters": ["x"]}, "filters.0"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_what_cannot_be_subscribed(api: Api, backend: Backend, change: dict[str, Any], path: str) -> None:
    refused = hook(api, status=422, **change)
    assert refused["errors"][0]["path"].startswith(path), refused
    assert backend.rows("WebhooksTable") == []


@pytest.mark.parametrize("platform", ["pipedream", "Zapier", "", "zapier%2Fx", "..", "n8n "])
def test_other_platforms_are_404(api: Api, platform: str) -> None:
    assert api(f"GET /api/automations/{platform}/hooks".replace(" ", "%20")).status == 404


def test_url_event_and_filters_are_the_automations_own(api: Api) -> None:
    made = hook(api)
    place = f"PUT {WEBHOOKS}/{made['id']}"
    changes: list[dict[str, Any]] = [{"url": "https://thief.example/"}, {"events": ["*"]}, {"filters": []}]
    for change in changes:
        answer = api(place, json=change)
        assert (answer.status, answer.json()["code"]) == (409, "conflict")
        assert "zapier" in answer.json()["detail"]
    assert api(place, json={"name": "Mine", "disableAfter": 3}).status == 200


def test_only_the_platform_hears_of_requested_actions(api: Api) -> None:
    body = {"name": "w", "url": URL, "events": ["ACTION_REQUESTED"]}
    refused = api(f"POST {WEBHOOKS}", json=body)
    assert (refused.status, refused.json()["errors"][0]["path"]) == (422, "events")
    made = api(f"POST {WEBHOOKS}", json={**body, "events": ["*"]}).json()
    assert api(f"PUT {WEBHOOKS}/{made['id']}", json={"events": ["ACTION_REQUESTED"]}).status == 422
    assert api(f"POST {WEBHOOKS}", json=body, token=jwt_for("platform")).status == 201


@pytest.mark.parameters(MaxWebhooks=2)
def test_hooks_count_against_the_ceiling(api: Api) -> None:
    hook(api)
    hook(api, platform="n8n")
    refused = hook(api, platform="make", status=409)
    assert "2 webhooks" in refused["detail"]
    assert hook(api, status=200)["secret"] is None


# ── delivering ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_hook_gets_what_passes_its_filters_once(line: Line, platform: str) -> None:
    with receiver() as r:
        made = hook(
            line.api,
            platform,
            targetUrl=r.url,
            filters=[{"path": "network", "op": "in", "value": ["instagram"]}],
        )
        for network in ("instagram", "linkedin"):
            body = {"type": "POST_PUBLISHED", "data": {"postId": "p", "network": network}}
            assert line.api("POST /api/events", json=body).status == 202
        line.events.run()
        line.run()
        (request,) = r.requests
        assert request.json()["data"] == {"postId": "p", "network": "instagram"}
        assert request.headers["webhook-signature"].startswith("v1,")
        sample = line.api(f"GET /api/automations/{platform}/triggers/POST_PUBLISHED/samples").json()
        assert list(sample[0]) == list(request.json())
        assert request.json() in sample
        assert line.api(f"GET {HOOKS.format(platform)}/{made['id']}").json()["status"] == "ACTIVE"


def subscribed(line: Line, platform: str, url: str) -> str:
    id: str = hook(line.api, platform, targetUrl=url)["id"]
    line.api("POST /api/events", json={"type": "POST_PUBLISHED", "data": POST})
    line.events.run()
    return id


@pytest.mark.parametrize("platform", PLATFORMS)
def test_410_ends_a_subscription(line: Line, platform: str) -> None:
    with receiver([410]) as r:
        id = subscribed(line, platform, r.url)
        waiting = line.publish(POST)
        line.run()
        assert line.api(f"GET {HOOKS.format(platform)}/{id}").status == 404
        assert line.api(f"GET {WEBHOOKS}/{id}").status == 404
        assert len(r.requests) in (1, 2)  # both were under way together, or the second was not sent any more
        ends = {row["status"] for row in line.rows}
        assert ends <= {"FAILED", "CANCELLED"}
        assert waiting
        # Nobody is told, for nothing is broken; nothing of it is left; and the same can be subscribed again.
        kinds = {row["sk"].partition("_")[0].partition("#")[0] for row in line.backend.rows("WebhooksTable")}
        assert kinds == {"count"}
        assert [row["type"] for row in line.backend.rows("EventsTable")] == ["POST_PUBLISHED"] * 2
        assert hook(line.api, platform, targetUrl=r.url)["id"] != id


def test_404_disables_an_n8n_subscription_once_it_stays_so(line: Line) -> None:
    """It may be a proxy's: the owner is told, and once it is enabled again nothing is lost."""
    with receiver([404, 404, 404, 404, 200]) as r:
        id = subscribed(line, "n8n", r.url)
        line.deliveries.poll()
        assert line.row["status"] == "RETRYING"
        assert line.api(f"GET {HOOKS.format('n8n')}/{id}").status == 200
        line.run(1 / 24)
        line.events.run()
        assert len(r.requests) == 4
        assert line.api(f"GET {HOOKS.format('n8n')}/{id}").json()["status"] == "DISABLED"
        assert line.api(f"GET {WEBHOOKS}/{id}").json()["disabledReason"] == "endpoint_not_found"
        assert line.ends() == [("FAILED", "endpoint_not_found")]
        told = [row for row in line.backend.rows("EventsTable") if row["type"] == "WEBHOOK_DISABLED"]
        assert len(told) == 1
        assert hook(line.api, "n8n", targetUrl=r.url, status=200)["id"] == id
        since = {"since": iso(at_ms(line.clock.now - 3_600_000))}
        assert line.api(f"POST {WEBHOOKS}/{id}/recover", json=since).status == 202
        line.run()
        assert line.ends() == [("DELIVERED", None)]


def test_an_n8n_that_only_starts_again_keeps_its_subscription(line: Line) -> None:
    with receiver([404, 404, 200]) as r:
        id = subscribed(line, "n8n", r.url)
        line.run()
        assert len(r.requests) == 3
        assert line.ends() == [("DELIVERED", None)]
        assert line.api(f"GET {HOOKS.format('n8n')}/{id}").json()["status"] == "ACTIVE"


@pytest.mark.parametrize("platform", ["zapier", "make"])
def test_404_elsewhere_is_one_failed_delivery(line: Line, platform: str) -> None:
    with receiver([404]) as r:
        id = subscribed(line, platform, r.url)
        line.run()
        assert len(r.requests) == 1
        assert line.ends() == [("FAILED", "http_404")]
        assert line.api(f"GET {HOOKS.format(platform)}/{id}").json()["status"] == "ACTIVE"


def test_a_hook_that_keeps_failing_is_disabled_as_any_webhook(line: Line) -> None:
    with receiver([400, 400, 200]) as r:
        id = subscribed(line, "make", r.url)
        assert line.api(f"PUT {WEBHOOKS}/{id}", json={"disableAfter": 2}).status == 200
        line.publish(POST)
        line.run()
        shown = line.api(f"GET {HOOKS.format('make')}/{id}").json()
        assert shown["status"] == "DISABLED"
        # The automation is turned on again, and asks for the same.
        assert hook(line.api, "make", targetUrl=r.url, status=200)["id"] == id
        line.publish(POST)
        line.run()
        assert line.ends()[0] == ("DELIVERED", None)


# ── before subscribing ───────────────────────────────────────────────────────────────────────────────


def test_me_names_the_workspace_and_no_key(api: Api) -> None:
    body = {"name": "z", "scopes": ["automations:use"]}
    key = api("POST /api/integrations/api-keys", json=body).json()["key"]
    for platform in PLATFORMS:
        answer = api(f"GET /api/automations/{platform}/me", token=key)
        assert answer.json() == {"workspaceId": "acme", "label": "acme"}
    assert api("GET /api/automations/zapier/me", token=key + "x").status == 401
    other = api("POST /api/integrations/api-keys", json={**body, "scopes": ["webhooks:write"]}).json()["key"]
    assert api("GET /api/automations/zapier/me", token=other).status == 403


def test_triggers_are_the_catalogues(api: Api) -> None:
    found = api("GET /api/automations/zapier/triggers").json()
    assert {trigger["id"] for trigger in found} == catalogue.PUBLISHABLE | catalogue.OPERATIONAL
    assert [trigger["label"] for trigger in found] == sorted(trigger["label"] for trigger in found)
    for trigger in found:
        entry = load(trigger["id"])
        assert trigger == {
            "id": entry.key,
            "label": entry.label,
            "noun": entry.noun,
            "description": entry.description,
            "schema": entry.json_schema,
            "sample": entry.sample,
        }


def test_samples_are_the_newest_events_then_the_catalogues(line: Line) -> None:
    place = "GET /api/automations/zapier/triggers/POST_PUBLISHED/samples"
    (made_up,) = line.api(place).json()
    assert made_up == {
        "id": EventId.of_name("sample", "POST_PUBLISHED"),
        "type": "POST_PUBLISHED",
        "timestamp": "2026-03-02T09:30:00.000Z",
        "data": load("POST_PUBLISHED").sample,
    }
    assert_catalogued("POST_PUBLISHED", made_up["data"])
    ids = []
    for n in range(4):
        line.clock.move(1)
        ids.append(line.publish({**POST, "n": n}))
    line.api("POST /api/events", json={"type": "POST_FAILED", "data": {**POST, "errorCode": "e"}})
    line.events.run()
    shown = line.api(place).json()
    assert [sample["id"] for sample in shown] == ids[:0:-1]
    assert [sample["data"]["n"] for sample in shown] == [3, 2, 1]
    shown = line.api(f"{place}?limit=10").json()
    assert [sample["id"] for sample in shown] == [*reversed(ids), made_up["id"]]
    for sample in shown:
        check_data("POST_PUBLISHED", sample["data"])
    for bad in ("0", "11", "x"):
        assert line.api(f"{place}?limit={bad}").status == 422
    other = line._api(place, token=jwt_for("rival", claims={"exp": line.clock.now // 1000 + 600}))
    assert other.json() == [made_up]


def test_samples_show_nothing_that_was_rejected(line: Line) -> None:
    from patchbay.events import store
    from patchbay.events.models import EventMessage

    event = EventMessage(EventId.new(), "acme", "POST_PUBLISHED", line.clock.now, {}, "bus", "c")
    assert store.reject(event, "no")
    (made_up,) = line.api("GET /api/automations/n8n/triggers/POST_PUBLISHED/samples").json()
    assert made_up["id"] == EventId.of_name("sample", "POST_PUBLISHED")


@pytest.mark.parametrize("event", sorted(catalogue.TRIGGERS))
def test_every_trigger_has_a_sample(api: Api, event: str) -> None:
    (sample,) = api(f"GET /api/automations/make/triggers/{event}/samples").json()
    assert sample["data"] == load(event).sample


@pytest.mark.parametrize("event", ["NOPE", "ACTION_REQUESTED", "*", "post_published"])
def test_other_events_have_no_samples(api: Api, event: str) -> None:
    assert api(f"GET /api/automations/zapier/triggers/{event}/samples").status == 404


def test_the_time_of_the_samples() -> None:
    assert hooks.SAMPLED_AT_MS == 1_772_443_800_000
