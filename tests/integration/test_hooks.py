"""Hooks of automations: subscribed, found again, delivered by the one engine, ended when their receiver is
gone; and what an automation is shown before it subscribes.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from patchbay import catalogue
from patchbay.automations import hooks
from patchbay.catalogue.entries import check_data, load
from patchbay.clock import at_ms, iso
from patchbay.deliveries import outcome, sweeper
from patchbay.ids import EventId
from patchbay.settings import settings
from patchbay.storage import dynamo
from patchbay.webhooks import signing
from tests.catalogued import POST, assert_catalogued
from tests.conftest import Answer as Response
from tests.conftest import Api, Backend, jwt_for
from tests.faults import one_at_a_time
from tests.integration.conftest import WEBHOOKS, Pipeline
from tests.receivers import Answer, Request, receiver

HOOKS = "/api/automations/{}/hooks"
PLATFORMS = ("zapier", "make", "n8n")
URL = "https://hooks.zapier.example/hooks/standard/1/"


def hook(api: Any, platform: str = "zapier", status: int = 201, **body: Any) -> Any:
    answer = api(f"POST {HOOKS.format(platform)}", json={"targetUrl": URL, "event": "POST_PUBLISHED", **body})
    assert answer.status == status, answer.text
    return answer.json()


def kinds(backend: Backend) -> list[str]:
    """Of the rows in the table of webhooks."""
    return sorted(re.split("[_#]", row["sk"])[0] for row in backend.rows("WebhooksTable"))


def eight_at_once(call: Callable[[], Response]) -> list[Response]:
    start = threading.Barrier(8)

    def one(_: int) -> Response:
        start.wait()
        return call()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(8)))


def signed_by(request: Request, secret: str) -> bool:
    id, timestamp = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
    return request.headers["webhook-signature"] == signing.sign([secret], id, timestamp, request.body)


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
    body = {"targetUrl": URL, "event": "POST_PUBLISHED"}
    answers = eight_at_once(lambda: api(f"POST {HOOKS.format('n8n')}", json=body))
    made = [answer for answer in answers if answer.status == 201]
    assert len(made) == 1
    # Met again and again, a request may also be told to come back.
    assert {answer.status for answer in answers} <= {200, 201, 409}
    ids = {answer.json()["id"] for answer in answers if answer.status != 409}
    assert ids == {made[0].json()["id"]}
    assert kinds(backend) == ["count", "hook", "sub", "whk"]


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
def test_a_hook_gets_what_passes_its_filters_once(pipeline: Pipeline, platform: str) -> None:
    with receiver() as r:
        made = hook(
            pipeline.api,
            platform,
            targetUrl=r.url,
            filters=[{"path": "network", "op": "in", "value": ["instagram"]}],
        )
        for network in ("instagram", "linkedin"):
            body = {"type": "POST_PUBLISHED", "data": {"postId": "p", "network": network}}
            assert pipeline.api("POST /api/events", json=body).status == 202
        pipeline.events.run()
        pipeline.run()
        (request,) = r.requests
        assert request.json()["data"] == {"postId": "p", "network": "instagram"}
        assert request.headers["webhook-signature"].startswith("v1,")
        sample = pipeline.api(f"GET /api/automations/{platform}/triggers/POST_PUBLISHED/samples").json()
        assert list(sample[0]) == list(request.json())
        assert request.json() in sample
        assert pipeline.api(f"GET {HOOKS.format(platform)}/{made['id']}").json()["status"] == "ACTIVE"


def subscribed(pipeline: Pipeline, platform: str, url: str) -> str:
    id: str = hook(pipeline.api, platform, targetUrl=url)["id"]
    pipeline.api("POST /api/events", json={"type": "POST_PUBLISHED", "data": POST})
    pipeline.events.run()
    return id


@pytest.mark.parametrize("platform", PLATFORMS)
def test_410_ends_a_subscription(pipeline: Pipeline, platform: str) -> None:
    with receiver([410]) as r:
        id = subscribed(pipeline, platform, r.url)
        waiting = pipeline.publish(POST)
        pipeline.run()
        assert pipeline.api(f"GET {HOOKS.format(platform)}/{id}").status == 404
        assert pipeline.api(f"GET {WEBHOOKS}/{id}").status == 404
        assert len(r.requests) in (1, 2)  # both were under way together, or the second was not sent any more
        ends = {row["status"] for row in pipeline.rows}
        assert ends <= {"FAILED", "CANCELLED"}
        assert waiting
        # Nobody is told, for nothing is broken; and the same can be subscribed again.
        assert kinds(pipeline.backend) == ["count", "hook"]
        assert [row["type"] for row in pipeline.backend.events()] == ["POST_PUBLISHED"] * 2
        assert hook(pipeline.api, platform, targetUrl=r.url)["id"] == id


# n8n's own answers, from a real one (2.40).
UNREGISTERED = Answer(
    404,
    {"content-type": "application/json; charset=utf-8"},
    b'{"code":404,"message":"The requested webhook \\"POST 5f/webhook\\" is not registered.",'
    b'"hint":"The workflow must be active for a production URL to run successfully."}',
)
STARTING = Answer(200, {"content-type": "text/html; charset=utf-8"}, b"n8n is starting up. Please wait")
PROXYS = Answer(404, {"content-type": "text/plain"}, b"404 page not found\n")


def test_an_n8n_that_keeps_saying_it_does_not_know_the_hook_disables_it(pipeline: Pipeline) -> None:
    with receiver([UNREGISTERED, UNREGISTERED, UNREGISTERED, 200]) as r:
        id = subscribed(pipeline, "n8n", r.url)
        pipeline.poll()
        assert pipeline.row["status"] == "RETRYING"
        pipeline.run(1 / 24)
        pipeline.events.run()
        assert len(r.requests) == 3
        shown = pipeline.api(f"GET {WEBHOOKS}/{id}").json()
        assert (shown["status"], shown["disabledReason"]) == ("DISABLED", "endpoint_not_found")
        assert pipeline.ends() == [("FAILED", "endpoint_not_found")]
        told = [row for row in pipeline.backend.events() if row["type"] == "WEBHOOK_DISABLED"]
        assert len(told) == 1


@pytest.mark.parametrize(
    "answers",
    [
        [UNREGISTERED, UNREGISTERED],  # for less than the minutes that n8n may take to start
        [PROXYS] * 7,
        [404, Answer(404, {"content-type": "text/html"}, b"<pre>Cannot POST /webhook/x</pre>")],
        [STARTING, STARTING, UNREGISTERED],
        [UNREGISTERED, PROXYS, UNREGISTERED],
        [503, 503, 503, UNREGISTERED],
    ],
)
def test_an_n8n_that_is_down_or_starts_loses_nothing(pipeline: Pipeline, answers: list[Any]) -> None:
    with receiver([*answers, 200]) as r:
        id = subscribed(pipeline, "n8n", r.url)
        pipeline.run()
        assert len(r.requests) == len(answers) + 1
        assert pipeline.ends() == [("DELIVERED", None)]
        assert pipeline.api(f"GET {HOOKS.format('n8n')}/{id}").json()["status"] == "ACTIVE"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_that_is_down_for_a_day_loses_nothing(pipeline: Pipeline, platform: str) -> None:
    with receiver([503] * 7 + [200]) as r:
        id = subscribed(pipeline, platform, r.url)
        began = pipeline.clock.now
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)]
        # 27.6 h in all, and each wait varies by a fifth.
        assert pipeline.clock.now - began > 22 * 3_600_000
        shown = pipeline.api(f"GET {WEBHOOKS}/{id}").json()
        assert (shown["retryConfig"], shown["disableAfter"]) == ({"schedule": "standard"}, 50)


OLD_RETRIES: dict[str, Any] = {
    "retryConfig": {"maxRetries": 3, "backoffMultiplier": 2, "initialDelaySeconds": 30},
    "disableAfter": 10,
}


def test_a_hook_of_before_the_longer_schedule_has_it_unless_somebody_chose_its_retries(
    pipeline: Pipeline,
) -> None:
    retries = {"retryConfig": {"schedule": "standard"}, "disableAfter": 50}
    with receiver([503] * 7 + [200]) as r:
        id = subscribed(pipeline, "make", r.url)
        place = f"{WEBHOOKS}/{id}"

        def shown(webhook: Any) -> dict[str, Any]:
            return {name: webhook[name] for name in OLD_RETRIES}

        def as_before(**chosen: Any) -> None:
            row = next(row for row in pipeline.backend.rows("WebhooksTable") if row["sk"] == id)
            row.pop("subscribedAt", None)
            dynamo.put(settings().webhooks_table, {**row, **OLD_RETRIES, **chosen})

        as_before()
        assert shown(pipeline.api(f"GET {place}").json()) == retries
        assert shown(pipeline.api(f"GET {WEBHOOKS}").json()["items"][0]) == retries
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)]
        assert hook(pipeline.api, "make", targetUrl=r.url, status=200)["id"] == id
        assert shown(pipeline.api(f"GET {place}").json()) == retries
        # These are somebody's choice, before or now.
        as_before(disableAfter=3)
        assert shown(pipeline.api(f"GET {place}").json()) == {**OLD_RETRIES, "disableAfter": 3}
        as_before()
        assert shown(pipeline.api(f"PUT {place}", json=OLD_RETRIES).json()) == OLD_RETRIES
        assert hook(pipeline.api, "make", targetUrl=r.url, status=200)["id"] == id
        assert shown(pipeline.api(f"GET {place}").json()) == OLD_RETRIES


@pytest.mark.parametrize("platform", ["zapier", "make"])
def test_404_elsewhere_is_one_failed_delivery(pipeline: Pipeline, platform: str) -> None:
    with receiver([404]) as r:
        id = subscribed(pipeline, platform, r.url)
        pipeline.run()
        assert len(r.requests) == 1
        assert pipeline.ends() == [("FAILED", "http_404")]
        assert pipeline.api(f"GET {HOOKS.format(platform)}/{id}").json()["status"] == "ACTIVE"


def test_a_hook_that_keeps_failing_is_disabled_as_any_webhook(pipeline: Pipeline) -> None:
    with receiver([400, 400, 200]) as r:
        id = subscribed(pipeline, "make", r.url)
        assert pipeline.api(f"PUT {WEBHOOKS}/{id}", json={"disableAfter": 2}).status == 200
        pipeline.publish(POST)
        pipeline.run()
        shown = pipeline.api(f"GET {HOOKS.format('make')}/{id}").json()
        assert shown["status"] == "DISABLED"
        # The automation is turned on again, and asks for the same.
        assert hook(pipeline.api, "make", targetUrl=r.url)["id"] == id
        pipeline.publish(POST)
        pipeline.run()
        assert {status for status, _ in pipeline.ends()} == {"DELIVERED"}


# ── coming back ──────────────────────────────────────────────────────────────────────────────────────


def failed_and_disabled(pipeline: Pipeline, url: str) -> tuple[str, str]:
    """An n8n hook with one delivery that failed, which disabled it: its id and its first secret."""
    made = hook(pipeline.api, "n8n", targetUrl=url)
    assert pipeline.api(f"PUT {WEBHOOKS}/{made['id']}", json={"disableAfter": 1}).status == 200
    pipeline.publish(POST)
    pipeline.run()
    assert pipeline.api(f"GET {HOOKS.format('n8n')}/{made['id']}").json()["status"] == "DISABLED"
    return made["id"], made["secret"]


def test_a_disabled_hook_comes_back_with_a_new_secret_and_is_sent_what_it_missed(pipeline: Pipeline) -> None:
    with receiver([400, 200]) as r:
        id, secret = failed_and_disabled(pipeline, r.url)
        again = hook(pipeline.api, "n8n", targetUrl=r.url)
        assert again["id"] == id
        assert again["secret"].startswith("whsec_")
        assert again["secret"] != secret
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)]
        assert signed_by(r.requests[-1], again["secret"])
        assert not signed_by(r.requests[-1], secret)
        shown = pipeline.api(f"GET {WEBHOOKS}/{id}").json()
        assert (shown["status"], shown["disabledReason"], shown["consecutiveFailures"]) == ("ACTIVE", None, 0)
        # Active, it is found as it is.
        assert hook(pipeline.api, "n8n", targetUrl=r.url, status=200) == {"id": id, "secret": None}


@pytest.mark.parametrize("was_disabled", [True, False])
def test_unpublish_and_publish_keeps_the_deliveries(pipeline: Pipeline, was_disabled: bool) -> None:
    """As n8n does it: DELETE, then POST. What an active one missed is the owner's to recover."""
    with receiver([400, 200]) as r:
        id, secret = failed_and_disabled(pipeline, r.url)
        if not was_disabled:
            assert pipeline.api(f"PUT {WEBHOOKS}/{id}/status", json={"status": "ACTIVE"}).status == 200
        assert pipeline.api(f"DELETE {HOOKS.format('n8n')}/{id}").status == 200
        assert pipeline.api(f"GET {HOOKS.format('n8n')}/{id}").status == 404
        assert kinds(pipeline.backend) == ["count", "hook"]
        assert {
            row["webhooks"] for row in pipeline.backend.rows("WebhooksTable") if row["sk"] == "count"
        } == {0}
        pipeline.clock.move(60)

        again = hook(pipeline.api, "n8n", targetUrl=r.url)
        assert again["id"] == id
        assert again["secret"] not in (None, secret)
        assert kinds(pipeline.backend) == ["count", "hook", "sub", "whk"]
        (listed,) = pipeline.api(f"GET {WEBHOOKS}/{id}/deliveries").json()["items"]
        assert listed["status"] == "FAILED"
        pipeline.run()
        if not was_disabled:
            assert pipeline.ends() == [("FAILED", "http_400")]
            since = {"since": iso(at_ms(pipeline.clock.now - 3_600_000))}
            assert pipeline.api(f"POST {WEBHOOKS}/{id}/recover", json=since).json() == {"queued": 1}
            pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)]


def test_a_hook_that_comes_back_is_sent_all_the_failures_that_disabled_it(pipeline: Pipeline) -> None:
    """An outage disables a hook only after many failed deliveries, so the first ones are days older."""
    with receiver([400, 400, 200]) as r:
        id = hook(pipeline.api, "make", targetUrl=r.url)["id"]
        assert pipeline.api(f"PUT {WEBHOOKS}/{id}", json={"disableAfter": 2}).status == 200
        pipeline.publish(POST)
        pipeline.run()
        pipeline.clock.move(2 * 86_400)
        pipeline.publish(POST)
        pipeline.run()
        assert pipeline.api(f"GET {WEBHOOKS}/{id}").json()["status"] == "DISABLED"
        pipeline.clock.move(86_400)
        assert hook(pipeline.api, "make", targetUrl=r.url)["id"] == id
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)] * 2


def test_a_hook_that_comes_back_goes_on_with_the_recovery_that_its_owner_began(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when a sweep that saw the hook disabled ends last: the recovery that it saw is no longer there."""
    with receiver([400, 400, 200]) as r:
        id, _ = failed_and_disabled(pipeline, r.url)
        assert pipeline.api(f"PUT {WEBHOOKS}/{id}/status", json={"status": "ACTIVE"}).status == 200
        pipeline.clock.move(9 * 86_400)
        since = {"since": iso(at_ms(pipeline.clock.now - 10 * 86_400_000))}
        assert pipeline.api(f"POST {WEBHOOKS}/{id}/recover", json=since).json() == {"queued": 1}
        pipeline.publish(POST)
        pipeline.poll()
        assert pipeline.api(f"GET {WEBHOOKS}/{id}").json()["status"] == "DISABLED"
        end_waiting = sweeper._end_waiting

        end_waiting = sweeper._end_waiting

        def came_back(*seen: Any) -> int:
            pipeline.clock.move(1)
            assert hook(pipeline.api, "n8n", targetUrl=r.url)["id"] == id
            return end_waiting(*seen)

        monkeypatch.setattr(sweeper, "_end_waiting", came_back)
        pipeline.sweep()
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)] * 2


def test_what_a_sweep_cancels_after_a_hook_came_back_is_sent(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep saw the hook disabled; meanwhile it comes back, and another sweep ends its recovery."""
    with receiver([503, 400, 200]) as r:
        id = hook(pipeline.api, "make", targetUrl=r.url)["id"]
        retries = {"disableAfter": 1, "retryConfig": {"initialDelaySeconds": 3000}}
        assert pipeline.api(f"PUT {WEBHOOKS}/{id}", json=retries).status == 200
        for _ in range(2):
            pipeline.publish(POST)
            pipeline.poll()
        assert [status for status, _ in pipeline.ends()] == ["FAILED", "RETRYING"]
        end_waiting = sweeper._end_waiting
        swept: list[int] = []

        def came_back(*seen: Any) -> int:
            monkeypatch.setattr(sweeper, "_end_waiting", end_waiting)
            assert hook(pipeline.api, "make", targetUrl=r.url)["id"] == id
            pipeline.clock.move(61)
            swept.append(pipeline.sweep())
            return end_waiting(*seen)

        monkeypatch.setattr(sweeper, "_end_waiting", came_back)
        pipeline.clock.move(1)
        pipeline.sweep()
        assert swept == [1]
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)] * 2
        assert len(r.requests) == 4


def test_what_a_hook_missed_long_ago_is_not_sent_by_itself(pipeline: Pipeline) -> None:
    with receiver([400, 200]) as r:
        failed_and_disabled(pipeline, r.url)
        pipeline.clock.move(5 * 86_400)
        hook(pipeline.api, "n8n", targetUrl=r.url)
        pipeline.run()
        assert pipeline.ends() == [("FAILED", "http_400")]


@pytest.mark.parametrize("way", ["disabled", "deleted"])
def test_eight_at_once_bring_one_back_once(pipeline: Pipeline, way: str) -> None:
    with receiver([400, 200]) as r:
        id, _ = failed_and_disabled(pipeline, r.url)
        if way == "deleted":
            assert pipeline.api(f"DELETE {HOOKS.format('n8n')}/{id}").status == 200
        body = {"targetUrl": r.url, "event": "POST_PUBLISHED"}
        answers = eight_at_once(lambda: pipeline.api(f"POST {HOOKS.format('n8n')}", json=body))
        pipeline.run()
        assert pipeline.ends() == [("DELIVERED", None)]
        assert len(r.requests) == 2
    assert {answer.status for answer in answers} <= {200, 201, 409}
    assert [answer.status for answer in answers].count(201) == 1
    assert {answer.json()["id"] for answer in answers if answer.status != 409} == {id}


@pytest.mark.parametrize("verdict", [410, UNREGISTERED])
@pytest.mark.parametrize("way", ["found", "deleted"])
def test_a_hook_subscribed_while_an_attempt_hangs_outlives_its_answer(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, verdict: Any, way: str
) -> None:
    """Between the receiver's answer and our record of it, the automation is turned on again."""
    with receiver([verdict] if verdict == 410 else [verdict] * 3) as r:
        id = subscribed(pipeline, "n8n", r.url)
        gone = outcome.gone

        def late(*more: Any) -> None:
            pipeline.clock.move(0.002)
            if way == "deleted":
                assert pipeline.api(f"DELETE {HOOKS.format('n8n')}/{id}").status == 200
            hook(pipeline.api, "n8n", targetUrl=r.url, status=201 if way == "deleted" else 200)
            gone(*more)

        monkeypatch.setattr(outcome, "gone", late)
        pipeline.run(1 / 24)
        assert pipeline.api(f"GET {HOOKS.format('n8n')}/{id}").json()["status"] == "ACTIVE"


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


def test_samples_are_the_newest_events_then_the_catalogues(pipeline: Pipeline) -> None:
    place = "GET /api/automations/zapier/triggers/POST_PUBLISHED/samples"
    (made_up,) = pipeline.api(place).json()
    assert made_up == {
        "id": EventId.of_name("sample", "POST_PUBLISHED"),
        "type": "POST_PUBLISHED",
        "timestamp": "2026-03-02T09:30:00.000Z",
        "data": load("POST_PUBLISHED").sample,
    }
    assert_catalogued("POST_PUBLISHED", made_up["data"])
    ids = []
    for n in range(4):
        pipeline.clock.move(1)
        ids.append(pipeline.publish({**POST, "n": n}))
    pipeline.api("POST /api/events", json={"type": "POST_FAILED", "data": {**POST, "errorCode": "e"}})
    pipeline.events.run()
    shown = pipeline.api(place).json()
    assert [sample["id"] for sample in shown] == ids[:0:-1]
    assert [sample["data"]["n"] for sample in shown] == [3, 2, 1]
    shown = pipeline.api(f"{place}?limit=10").json()
    assert [sample["id"] for sample in shown] == [*reversed(ids), made_up["id"]]
    for sample in shown:
        check_data("POST_PUBLISHED", sample["data"])
    for bad in ("0", "11", "x"):
        assert pipeline.api(f"{place}?limit={bad}").status == 422
    other = pipeline._api(place, token=jwt_for("rival", claims={"exp": pipeline.clock.now // 1000 + 600}))
    assert other.json() == [made_up]


def test_samples_show_nothing_that_was_rejected(pipeline: Pipeline) -> None:
    from patchbay.events import store
    from patchbay.events.models import EventMessage

    event = EventMessage(EventId.new(), "acme", "POST_PUBLISHED", pipeline.clock.now, {}, "bus", "c")
    assert store.reject(event, "no")
    (made_up,) = pipeline.api("GET /api/automations/n8n/triggers/POST_PUBLISHED/samples").json()
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
